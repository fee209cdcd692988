"""Customers who bring others: the geometric series of generations, by hand and against the simulation; what grows without end."""

from typing import Any

import numpy as np
import pytest

import sim
from sim.exact.referral import referral
from sim.scenario import ScenarioError, read
from sim.scenario.model import Scenario

STAY, WORTH, FACTOR = 0.7, 8.0, 1 / 1.1


def talkers(**changes: Any) -> Scenario:
    """Delighted customers who earn 8 a year while they stay, with 0.7; each wins 0.2 recruits a year."""
    return read(
        {
            "period": "year",
            "horizon": 6,
            "discount_rate_annual": 0.1,
            "start": "customer",
            "stages": {"customer": {"price": 1.0, "cost_to_serve": 2.0, "to": {"lost": {"probability": 0.3}}}, "lost": {"kind": "lost"}},
            "purchases": {"kind": "subscription", "wallet": 10.0},
            "acquisition": {"cost": 12.0},
            "satisfaction": {"initial": 5.0, "speed": 0.0},
            "word_of_mouth": {"influence": {"mean": 1.0, "cv": 0.8}, "reach": 0.2, "recruits": {"fee": 4.0, "until": 40}},
            "firm": {"customers": 400},
            **changes,
        }
    )


def test_a_tree_by_hand() -> None:
    lived = STAY ** np.arange(6)
    life = WORTH * float(lived @ FACTOR ** np.arange(6))
    kappa, kappa_0 = 0.2 * float(lived @ FACTOR ** np.arange(1, 7)), 0.2 * float(lived.sum())
    found = referral(talkers())
    assert found is not None
    assert (found.kappa, found.kappa_0) == pytest.approx((kappa, kappa_0), rel=1e-12)
    assert found.clv == pytest.approx(life - 12.0, rel=1e-12)
    generations = life - 12.0 + sum(kappa**k * (life - 4.0) for k in range(1, 200))
    assert found.tree == pytest.approx(generations, rel=1e-12)


def test_at_no_cost_it_is_the_mean_over_one_less_kappa() -> None:
    free = talkers(acquisition={"cost": 0.0}, word_of_mouth={"reach": 0.2, "recruits": {}})
    found = referral(free)
    assert found is not None
    assert found.tree == pytest.approx(found.clv / (1.0 - found.kappa), rel=1e-12)


@pytest.mark.parametrize("change", [{"speed": 0.1}, {"spread": 0.3}])
def test_satisfaction_that_moves_has_no_exact_tree(change: dict[str, float]) -> None:
    assert referral(talkers(satisfaction={"initial": 5.0, "speed": 0.0, **change})) is None


def test_nobody_talks_well() -> None:
    found = referral(talkers(satisfaction={"initial": 2.0, "speed": 0.0}))
    assert found is not None
    assert (found.kappa, found.tree) == (0.0, found.clv)


def test_growth_without_end_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"each wins 1\.0\d* in its life \(kappa_0\), which must be below 1"):
        sim.simulate(talkers(word_of_mouth={"reach": 0.35, "recruits": {}}))


@pytest.mark.jit
@pytest.mark.parametrize("exposure", ["whole", "until_exit"])
def test_simulated_trees_are_worth_what_theory_says(exposure: str) -> None:
    """Equity, recruits and kappa; and recruits by year of arrival, by the renewal equation, which knows nothing of generations."""
    scenario = talkers(exposure=exposure, run={"replicates": 300, "seed": 5})
    result, found = sim.simulate(scenario), referral(scenario)
    assert found is not None
    equity, row = result.equity.iloc[0], result.referral.iloc[0]
    assert abs(equity["equity"] - 400 * found.tree) < 4 * equity["se"]
    assert abs(row["value"] - 400 * (found.tree - found.clv)) < 4 * row["se"]
    came = result.outcome.arrivals
    assert came is not None
    by_path = came.recruits[0].sum(axis=1)
    expected = 400 * found.kappa_0 / (1 - found.kappa_0)
    assert abs(by_path.mean() - expected) < 4 * by_path.std(ddof=1) / 300**0.5
    assert (row["kappa"], row["kappa_0"]) == pytest.approx((found.kappa, found.kappa_0), rel=0.02)
    if exposure == "whole":
        births = np.zeros(40)
        births[0] = 400
        for y in range(1, 40):
            births[y] = 0.2 * sum(births[y - t - 1] * STAY**t for t in range(min(6, y)))
        recruits = came.recruits[0]
        error = recruits.std(axis=0, ddof=1) / 300**0.5
        seen = (error > 0)[1:20]
        assert np.all(np.abs(recruits.mean(axis=0) - births)[1:20][seen] < 4.5 * error[1:20][seen])


@pytest.mark.jit
def test_errors_over_replicates_are_honest() -> None:
    """Mean CLV is a ratio of two sums that both differ between replicates: its error is that of as many customers, and covers the truth."""
    scenario = talkers(acquisition={"cost": 4.0}, run={"replicates": 300, "seed": 9})
    result, found = sim.simulate(scenario), referral(scenario)
    assert found is not None
    clv = result.clv.iloc[0]
    assert abs(clv["mean"] - found.clv) < 4 * clv["se"]  # planned customers and recruits cost the same here
    assert clv["se"] == pytest.approx(clv["sd"] / clv["customers"] ** 0.5, rel=0.15)
