"""Identities of equity and flows: Little's law, profit of a steady firm, value of constant cohorts (renewal reward; four-stage case)."""

from typing import Any

import numpy as np
import pytest

from sim.exact import Exact, exact
from sim.scenario.model import Scenario
from tests.exact.answers import LOST, answer
from tests.exact.test_four_stages import REWARD, ROWS, four_stages

ARRIVALS = 100
DISCOUNT = 0.1
BASE = (222.22, 151.90, 410.96, 104.06)
"""Four-stage reference case, steady base of 100 arrivals a period, in all 889.14 (closed form of an absorbing chain)."""


def base() -> dict[str, float]:
    """Return the customers by stage after 600 periods of arrivals: each cohort at its own age."""
    found = four_stages(horizon=600)
    return {name: ARRIVALS * float(found.occupancy[name][:-1].sum()) for name in ROWS}


def test_little() -> None:
    """The base in the long run is arrivals times mean undiscounted life, in all and by stage (Little 1961)."""
    held, endless = base(), four_stages()
    assert list(held.values()) == pytest.approx(BASE, abs=5.01e-3)
    assert sum(held.values()) == pytest.approx(889.14, abs=5.01e-3)
    assert held == pytest.approx({name: ARRIVALS * endless.periods_per_stage[name] for name in ROWS}, rel=1e-9)
    life = four_stages(noise=False, reward=1.0, discount_rate_annual=0.0).clv_mean
    assert life is not None
    assert sum(held.values()) == pytest.approx(ARRIVALS * life, rel=1e-9)


def test_profit_of_a_steady_firm() -> None:
    """33,405.40 a period: of the base by stage, of arrivals by undiscounted CLV, and of cash by period over the cohorts alive."""
    profit = sum(count * REWARD[name][0] for name, count in base().items())
    assert profit == pytest.approx(33_405.40, abs=5.01e-3)
    undiscounted = four_stages(discount_rate_annual=0.0, horizon=600)
    assert profit == pytest.approx(ARRIVALS * float(undiscounted.cash["purchase"].sum()), rel=1e-9)
    assert profit == pytest.approx(ARRIVALS * (undiscounted.clv_mean or 0.0), rel=1e-9)


def test_flow_identity() -> None:
    """Profit for ever is what the base is worth and what arrivals will be: 33,405.40 * 11 = 225,879.29 + 141,580.10."""
    undiscounted, fresh = four_stages(discount_rate_annual=0.0).clv_mean, four_stages().clv_mean
    assert undiscounted is not None
    assert fresh is not None
    steady = ARRIVALS * undiscounted * (1.0 + DISCOUNT) / DISCOUNT
    existing = sum(count * (four_stages(name).clv_mean or 0.0) for name, count in base().items())
    future = ARRIVALS * fresh / DISCOUNT
    assert (steady, existing, future) == pytest.approx((367_459.39, 225_879.29, 141_580.10), abs=6e-3)
    assert steady == pytest.approx(existing + future, rel=1e-9)


def test_constant_cohorts() -> None:
    """n customers a period at cost c, each worth m before it, are worth n (m - c)(1 + d)/d."""
    cost, cohorts = 20.0, 300
    found = four_stages(horizon=400, acquisition={"cost": cost}, cohorts={"new": {"customers": ARRIVALS, "periods": cohorts}})
    assert len(found.by_cohort) == cohorts
    equity = sum(ARRIVALS * 1.1**-place * moments.clv_mean for place, moments in found.by_cohort.items())
    value = four_stages().clv_mean
    assert value is not None
    assert equity == pytest.approx(ARRIVALS * (value - cost) * (1.0 + DISCOUNT) / DISCOUNT, rel=1e-9)


def test_segments_add_up() -> None:
    """Segments by their shares are the whole, in mean and in second moment."""
    stages = {"s": {"price": 2.0, "to": {"lost": {"probability": 0.2}}}, "lost": LOST}
    segments = {
        "small": {"share": 0.7},
        "large": {"share": 0.3, "stages": {"s": {"price": 5.0}}, "acquisition": {"cost": 1.0}},
    }
    found = answer(horizon=20, stages=stages, segments=segments, acquisition={"cost": 3.0}, discount_rate_annual=DISCOUNT)
    small, large = found.by_segment["small"], found.by_segment["large"]
    assert found.clv_mean == pytest.approx(0.7 * small.clv_mean + 0.3 * large.clv_mean, rel=1e-12)
    assert None not in (found.clv_sd, small.clv_sd, large.clv_sd)
    second = 0.7 * ((small.clv_sd or 0) ** 2 + small.clv_mean**2) + 0.3 * ((large.clv_sd or 0) ** 2 + large.clv_mean**2)
    assert (found.clv_sd or 0) ** 2 + (found.clv_mean or 0) ** 2 == pytest.approx(second, rel=1e-12)


LEVELLED = {
    "price": 6.0, "information": 0.3, "knowledge": 0.5, "fees": 0.2, "sales_cost": 0.1, "cost_to_serve": 0.4,
    "level": {"target": 0.9, "speed": 0.15}, "to": {"lost": {"probability": 0.12, "cash": -1.0}},
}  # fmt: skip


def levelled(first: float, **keys: Any) -> Exact:
    """Return the exact answer of one stage with a level that starts at ``first``, and with every stream that has an exact answer."""
    stages = {"s": LEVELLED, "lost": LOST}
    keys = {"horizon": "inf", "discount_rate_annual": DISCOUNT} | keys
    return answer(stages=stages, level={"initial": first}, knowledge={"share": 0.5, "cv": 2.0}, **keys)


def test_steady_firm_with_a_level_and_streams() -> None:
    """Profit of the base in the long run is that of a life; what it holds now and will win is its profit for ever, moves at a period's end.

    The base is worth what it is worth at its mean level, for what is to come is linear in it: levels at the start of a period.
    """
    life, endless = levelled(0.1, discount_rate_annual=0.0, horizon=600), levelled(0.1, discount_rate_annual=0.0)
    profit = ARRIVALS * sum(float(cash.sum()) for cash in life.cash.values())
    assert profit == pytest.approx(ARRIVALS * (endless.clv_mean or 0.0), rel=1e-9)
    there = life.active[:-1]
    assert ARRIVALS * there.sum() == pytest.approx(ARRIVALS * endless.periods_per_stage["s"], rel=1e-9)  # Little 1961
    spent = 6.0 * float(there @ life.level)
    assert float(life.cash["purchase"].sum()) == pytest.approx(spent, rel=1e-12)
    brought = np.concatenate([[0.1], life.level[:-1]])
    mean = float(there @ brought / there.sum())
    existing = ARRIVALS * there.sum() * (levelled(mean).clv_mean or 0.0)
    future = ARRIVALS * (levelled(0.1).clv_mean or 0.0) / DISCOUNT
    moves = ARRIVALS * float(life.cash["transition"].sum())
    assert (profit - moves) * (1.0 + DISCOUNT) / DISCOUNT + moves / DISCOUNT == pytest.approx(existing + future, rel=1e-9)


def test_streams_add_up() -> None:
    """Ledger columns by period sum to mean CLV with everything that has an exact answer turned on."""
    stages = {
        "s": {
            "price": 2.0, "information": 0.3, "knowledge": [0.0, 0.5], "fees": 0.2, "sales_cost": 0.1, "cost_to_serve": 0.4,
            "level": {"target": 0.9, "speed": 0.3}, "to": {"lost": {"probability": 0.2, "cash": -1.0}},
        },
        "lost": LOST,
    }  # fmt: skip
    case = {"period": "quarter", "horizon": 30, "start": "s", "stages": stages, "acquisition": {"cost": 3.0}, "level": {}}
    found = exact(Scenario.model_validate({**case, "knowledge": {"share": 0.5, "cv": 2.0}, "discount_rate_annual": DISCOUNT}))
    assert sum(float(cash.sum()) for cash in found.cash.values()) == pytest.approx(found.clv_mean, rel=1e-12)
    assert {name for name, cash in found.cash.items() if not cash.any()} == {"word_of_mouth"}
