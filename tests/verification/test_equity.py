"""Identities of equity and flows in the simulation, with money that rounds to nothing: 1024 at a discount factor of 1/2."""

from typing import Any

import numpy as np
import pytest

import sim
from sim.scenario import read

pytestmark = pytest.mark.jit

LIFE, ARRIVALS, COHORTS, COST = 6, 3, 12, 512.0


STREAMS = {"information": 256.0, "knowledge": 128.0, "fees": 64.0, "sales_cost": 32.0, "cost_to_serve": 16.0}
LEVEL = {"target": 1.0, "speed": 0.5}
RICH: dict[str, Any] = {"level": {"initial": 0.0}, "knowledge": {"share": 1.0}, "timing": {"streams": "end"}}


def steady(rich: bool = False) -> sim.Result:
    """Simulate a firm that wins ARRIVALS customers a period, each of whom stays LIFE periods for certain; rich: with level and streams."""
    stage = {"price": 1024.0, "to": {"lost": {"probability": [0.0] * (LIFE - 1) + [1.0]}}}
    raw: dict[str, Any] = {
        "period": "year",
        "horizon": LIFE,
        "discount_rate_annual": 1.0,
        "start": "customer",
        "stages": {"customer": stage | (STREAMS | {"level": LEVEL} if rich else {}), "lost": {"kind": "lost"}},
        **(RICH if rich else {}),
        "acquisition": {"cost": COST},
        "cohorts": {"new": {"customers": ARRIVALS, "periods": COHORTS}},
    }
    return sim.simulate(read({**raw, "run": {"customers": ARRIVALS * COHORTS}}))


def level(tenure: int, rich: bool) -> float:
    """Return the level held in a period: half of the way to 1 is gone in each; 1 where it is off."""
    return 1.0 - 0.5 ** (tenure + 1) if rich else 1.0


@pytest.mark.parametrize("rich", [False, True])
def test_equity_of_constant_cohorts(rich: bool) -> None:
    """n (m - c) a period, at its present value: (1 + d)/d of it, less what comes after the last cohort; to 1e-9."""
    result = steady(rich)
    streams = sum(STREAMS[name] for name in ("information", "knowledge", "fees")) - STREAMS["sales_cost"]
    beside = streams * 0.5 - STREAMS["cost_to_serve"] if rich else 0.0  # streams fall at the end of the period
    worth = sum((1024.0 * level(t, rich) + beside) * 0.5**t for t in range(LIFE)) - COST
    assert result.clv["mean"].iloc[0] == pytest.approx(worth, rel=1e-12)
    frame = result.equity
    whole = frame[frame["by"] == "all"].iloc[0]
    for_ever = ARRIVALS * worth * (1.0 + 1.0) / 1.0
    assert whole["equity"] == pytest.approx(for_ever * (1.0 - 0.5**COHORTS), rel=1e-9)
    by_cohort = frame[frame["by"] == "cohort"]["value"].to_numpy()
    assert by_cohort == pytest.approx(ARRIVALS * worth * 0.5 ** np.arange(COHORTS), rel=1e-9)
    assert by_cohort.sum() == pytest.approx(whole["value"], rel=1e-9)
    columns = result.ledger[result.ledger["by"] == "all"]["mean"]
    assert columns.sum() == pytest.approx(worth, rel=1e-12)


def test_level_of_the_base() -> None:
    """Little's law for what customers bring along: the levels held in the base in the long run are arrivals times those of a life."""
    result = steady(rich=True)
    told = result.feelings[(result.feelings["by"] == "all") & (result.feelings["measure"] == "level")].sort_values("t")
    held = told["mean"].to_numpy()
    assert held == pytest.approx([level(t, True) for t in range(LIFE)], abs=2.0**-13)
    spent = result.cash[result.cash["by"] == "all"].set_index("t")["purchase"] * 2.0 ** np.arange(LIFE)
    assert ARRIVALS * spent.sum() == pytest.approx(1024.0 * ARRIVALS * sum(level(t, True) for t in range(LIFE)), rel=1e-12)
    assert ARRIVALS * 1024.0 * held.sum() == pytest.approx(ARRIVALS * spent.sum(), rel=2.0**-12)


def test_base_in_the_long_run() -> None:
    """Arrivals times life, from the first period in which the oldest cohort is about to leave (Little 1961)."""
    held = steady().occupancy
    active = held[(held["by"] == "all") & (held["clock"] == "calendar") & (held["stage"] == "customer")]
    full = active["period"].between(LIFE - 1, COHORTS - 1)
    assert full.sum() == COHORTS - LIFE + 1
    assert active[full]["customers"].to_numpy() == pytest.approx(ARRIVALS * LIFE, rel=1e-12)
