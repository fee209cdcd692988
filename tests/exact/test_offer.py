"""Exact answers where customers get in touch, share a surplus, and cost by the breadth of their needs; equity less the firm's costs."""

import math
from typing import Any

import numpy as np
import pytest

from sim.compile import compile_tables
from sim.exact import exact
from sim.scenario import read
from sim.scenario.model import Scenario
from tests.exact.answers import LOST, answer

LEAVE, RATE, TOLD = 0.2, 1.7, 3.0


def talkative(**keys: Any) -> dict[str, Any]:
    stage = {"price": 0.0, "contacts": RATE, "information_per_contact": TOLD, "to": {"lost": {"probability": LEAVE}}}
    return {"stages": {"s": stage, "lost": LOST}, **keys}


def test_contacts_are_a_compound_poisson() -> None:
    """Over a geometric life N: mean a rate E[N], variance a**2 rate E[N] + (a rate)**2 Var[N], within a horizon and without end."""
    found = answer(**talkative(horizon="inf"))
    mean, variance = 1 / LEAVE, (1 - LEAVE) / LEAVE**2
    assert found.clv_mean == pytest.approx(TOLD * RATE * mean, rel=1e-12)
    assert found.clv_sd == pytest.approx(math.sqrt(TOLD**2 * RATE * mean + (TOLD * RATE) ** 2 * variance), rel=1e-12)
    horizon = 7
    lives = np.minimum(np.arange(1, 400), horizon)
    chance = LEAVE * (1 - LEAVE) ** np.arange(399)
    mean = float(chance @ lives)
    variance = float(chance @ lives**2) - mean**2
    found = answer(**talkative(horizon=horizon))
    assert found.clv_mean == pytest.approx(TOLD * RATE * mean, rel=1e-12)
    assert found.clv_sd == pytest.approx(math.sqrt(TOLD**2 * RATE * mean + (TOLD * RATE) ** 2 * variance), rel=1e-12)
    assert found.cash["information"].sum() == pytest.approx(found.clv_mean, rel=1e-12)


def test_contacts_until_exit_are_those_of_the_time_lived() -> None:
    """By a hazard h, whoever leaves in a period has lived 1/h - 1/(e**h - 1) of it on average: contacts are rate times the time lived."""
    h = 0.4
    stage = {"price": 0.0, "contacts": RATE, "information_per_contact": TOLD, "to": {"lost": {"hazard": h}}}
    found = answer(stages={"s": stage, "lost": LOST}, horizon="inf", exposure="until_exit")
    assert found.clv_mean == pytest.approx(TOLD * RATE / h, rel=1e-12)
    assert found.clv_sd == pytest.approx(math.sqrt(TOLD**2 * RATE / h + (TOLD * RATE / h) ** 2), rel=1e-9)


@pytest.mark.parametrize(("price", "share"), [(6.0, 4 / 7), (8.0, 2 / 6), (12.0, -0.5)])
def test_hazards_at_the_given_split(price: float, share: float) -> None:
    """Worth 10 at a margin of 1/2: the share of 10 - price/2 that the customer keeps, exp(theta (fair - share)) where it is too small."""
    theta, fair = 1.5, 0.6
    factor = math.exp(theta * max(0.0, fair - share))
    edge = {"hazard": [0.1, 0.2], "effects": {"surplus": theta}}
    stages = {"s": {"price": price, "margin": 0.5, "willing_to_pay": 10.0, "to": {"lost": edge}}, "lost": LOST}
    found = answer(stages=stages, horizon=3, fair_share=fair)
    stays = np.exp(-factor * np.array([0.1, 0.2, 0.2]))
    assert found.retention == pytest.approx(stays, rel=1e-12)
    tables = compile_tables(read({"period": "year", "start": "s", "horizon": 3, "stages": stages, "fair_share": fair}))
    assert tables.hazard[0, 0, :2] == pytest.approx(factor * np.array([0.1, 0.2]), rel=1e-6)
    assert tables.plain[0] == 1  # nothing is left for the kernels to do
    assert tables.leave_below[0, :2] / 2**32 == pytest.approx(1 - stays[:2], abs=1e-7)


def test_a_fair_split_changes_nothing() -> None:
    plain = {"price": 4.0, "margin": 0.5, "to": {"lost": {"probability": 0.3}}}
    moved = {**plain, "willing_to_pay": 6.0, "to": {"lost": {"probability": 0.3, "effects": {"surplus": 5.0}}}}
    one, other = (answer(stages={"s": stage, "lost": LOST}, horizon=9) for stage in (plain, moved))
    assert (one.clv_mean, one.clv_sd) == (other.clv_mean, other.clv_sd)


def test_the_split_weighs_a_way_out_that_is_certain() -> None:
    """Where everybody leaves, the factor weighs the edges: p_k m_k / sum p_j m_j."""
    ways = {"lost": {"probability": 0.5, "effects": {"surplus": math.log(4.0) / 0.5}}, "good": {"probability": 0.5}}
    stages = {"s": {"price": 1.0, "willing_to_pay": 1.0, "to": ways}, "good": {}, "lost": LOST}
    found = answer(stages=stages, horizon=1)  # a share of 0, which lacks 0.5
    assert found.flows["s.lost"][0] == pytest.approx(0.8, rel=1e-12)


def test_breadth_scales_cost_to_serve_alone() -> None:
    stages = {"s": {"price": 5.0, "cost_to_serve": [2.0, 1.0], "to": {"lost": {"probability": 0.25}}}, "lost": LOST}
    segments = {key: {"share": share} for key, share in (("a", 0.5), ("b", 0.3), ("c", 0.2))}
    narrow, broad = (answer(stages=stages, horizon=6, segments=segments, **more) for more in ({}, {"service": {"breadth": 0.4}}))
    factor = 1 + 0.4 * (1 / 0.38 - 1)
    assert broad.cash["service"] == pytest.approx(factor * narrow.cash["service"], rel=1e-12)
    assert broad.cash["purchase"] == pytest.approx(narrow.cash["purchase"], rel=1e-12)
    given = answer(stages=stages, horizon=6, service={"breadth": 0.4, "needs": 1 / 0.38})
    assert given.clv_mean == pytest.approx(broad.clv_mean, rel=1e-12)


def test_equity_pays_the_firm_s_own_costs() -> None:
    """Equity with fixed and set-up cost is equity without, less the annuity over the calendar periods of the window; CLV is the same."""
    rate, horizon, last = 0.1, 8, 3
    base: dict[str, Any] = {
        "stages": {"s": {"price": 5.0, "to": {"lost": {"probability": 0.25}}}, "lost": LOST},
        "discount_rate_annual": rate,
        "acquisition": {"cost": 2.0},
        "cohorts": {"a": {"customers": 100}, "b": {"first_period": last, "budget": 50.0, "response": {"ceiling": 60.0, "k": 0.05}}},
    }
    costs = {"firm": {"setup_cost": 7.0, "fixed_cost": 3.0}}
    for horizon_, periods in ((horizon, last + horizon), ("inf", math.inf)):
        without, found = answer(**base, horizon=horizon_), answer(**base, horizon=horizon_, **costs)
        annuity = 3.0 * (1 - (1 + rate) ** -periods) / (1 - 1 / (1 + rate))
        assert None not in (without.equity, found.equity)
        assert (found.equity or 0) == pytest.approx((without.equity or 0) - 7.0 - annuity, rel=1e-9)
        assert found.clv_mean == without.clv_mean
        bought = math.floor(60.0 * (1 - math.exp(-0.05 * 50.0)) + 0.5)
        worth = (found.clv_mean or 0) * (100 + bought / (1 + rate) ** last) - 50.0 / (1 + rate) ** last
        assert (without.equity or 0) == pytest.approx(worth, rel=1e-9)
    still = exact(Scenario.model_validate({"period": "year", "start": "s", **base, "discount_rate_annual": 0.0, "horizon": "inf", **costs}))
    assert still.equity is None


def test_products_have_no_exact_answer() -> None:
    stages = {"s": {"cross_sell": 0.1, "to": {"lost": {"probability": 0.25}}}, "lost": LOST}
    raw = {"period": "year", "start": "s", "horizon": 4, "stages": stages, "products": {"maximum": 3, "worth": 0.5}}
    assert exact(read(raw)).reason == "products: spend depends on the path, by the products held"
    stages["s"]["cross_sell"] = 0.0  # type: ignore[index]
    assert exact(read(raw)).reason is None
