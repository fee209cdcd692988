"""A household is one account: stages are its life cycle, prices its members; worth what the textbook says, and what a plain chain does."""

from pathlib import Path

import numpy as np
import pytest

import sim
from sim.measures.sums import Floats

CONFIGS = Path(__file__).resolve().parents[2] / "experiments"


def members(horizon: int) -> tuple[Floats, Floats]:
    """Return members treated and families still there by year, ``(t,)`` each, by carrying chances forward year by year."""
    couple, at_home, alone, grown = 1.0, np.zeros(23), 0.0, np.zeros(4)
    heads = np.array([3, 3, 4, 4, *[5] * 16, 4, 4, 3])
    treated, there = np.zeros(horizon), np.zeros(horizon)
    for t in range(horizon):
        treated[t] = 2 * couple + heads @ at_home + 2 * alone + np.array([3, 4, 5, 6]) @ grown
        there[t] = couple + at_home.sum() + alone + grown.sum()
        left, first = at_home * 0.995, couple * 0.33
        couple, at_home = couple * (1 - 0.33 - 0.02), np.append(first, left[:-1])
        news, alone = alone * 0.25, alone * (1 - 0.25 - 0.02) + left[-1]
        grown = np.array([news, *(grown[:2] * (1 - 0.02)), (grown[2] + grown[3]) * (1 - 0.02)])
    return treated, there


def test_a_family_is_worth_its_members_year_by_year() -> None:
    treated, there = members(40)
    known = sim.exact(sim.load("family", configs=CONFIGS))
    assert known.clv_mean == pytest.approx(1500 * treated.sum() - 300, rel=1e-9)
    assert known.cash is not None
    np.testing.assert_allclose(known.cash["purchase"], 1500 * treated, rtol=1e-9)
    assert 30 < there.sum() < 40  # years
    assert 1500 * treated.sum() > 200_000 * there.sum() / 40
    assert 5_000 < 1500 * treated.sum() / there.sum() < 6_667  # a year


@pytest.mark.jit
def test_simulated() -> None:
    scenario = sim.load("family", "run.customers=20000", configs=CONFIGS)
    row = sim.simulate(scenario).clv.iloc[0]
    assert row["mean"] == pytest.approx(sim.exact(scenario).clv_mean, abs=4 * row["se"])
