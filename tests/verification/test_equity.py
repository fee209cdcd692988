"""Identities of equity and flows in the simulation, with money that rounds to nothing: 1024 at a discount factor of 1/2."""

from typing import Any

import numpy as np
import pytest

import sim
from sim.scenario import read

pytestmark = pytest.mark.jit

LIFE, ARRIVALS, COHORTS, COST = 6, 3, 12, 512.0


def steady() -> sim.Result:
    """Simulate a firm that wins ARRIVALS customers a period, each of whom stays LIFE periods for certain."""
    leave = {"probability": [0.0] * (LIFE - 1) + [1.0]}
    raw: dict[str, Any] = {
        "period": "year",
        "horizon": LIFE,
        "discount_rate_annual": 1.0,
        "start": "customer",
        "stages": {"customer": {"price": 1024.0, "to": {"lost": leave}}, "lost": {"kind": "lost"}},
        "acquisition": {"cost": COST},
        "cohorts": {"new": {"customers": ARRIVALS, "periods": COHORTS}},
    }
    return sim.simulate(read({**raw, "run": {"customers": ARRIVALS * COHORTS}}))


def test_equity_of_constant_cohorts() -> None:
    """n (m - c) a period, at its present value: (1 + d)/d of it, less what comes after the last cohort; to 1e-9."""
    result = steady()
    worth = sum(1024.0 * 0.5**t for t in range(LIFE)) - COST
    assert result.clv["mean"].iloc[0] == pytest.approx(worth, rel=1e-12)
    frame = result.equity
    whole = frame[frame["by"] == "all"].iloc[0]
    for_ever = ARRIVALS * worth * (1.0 + 1.0) / 1.0
    assert whole["equity"] == pytest.approx(for_ever * (1.0 - 0.5**COHORTS), rel=1e-9)
    by_cohort = frame[frame["by"] == "cohort"]["value"].to_numpy()
    assert by_cohort == pytest.approx(ARRIVALS * worth * 0.5 ** np.arange(COHORTS), rel=1e-9)
    assert by_cohort.sum() == pytest.approx(whole["value"], rel=1e-9)


def test_base_in_the_long_run() -> None:
    """Arrivals times life, from the first period in which the oldest cohort is about to leave (Little 1961)."""
    held = steady().occupancy
    active = held[(held["by"] == "all") & (held["clock"] == "calendar") & (held["stage"] == "customer")]
    full = active["period"].between(LIFE - 1, COHORTS - 1)
    assert full.sum() == COHORTS - LIFE + 1
    assert active[full]["customers"].to_numpy() == pytest.approx(ARRIVALS * LIFE, rel=1e-12)
