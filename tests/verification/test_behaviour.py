"""What minds, markets and streams do, against closed forms: cases so plain that paper suffices."""

from typing import Any

import numpy as np
import pytest

import sim
from sim.compile.behaviour import loyalty_at
from sim.compile.market import chances, stationary
from sim.kernels.types import COLUMNS, FELT, UNIT
from sim.scenario import read

pytestmark = pytest.mark.jit

CUSTOMERS = 200_000
HAZARD = 0.1


def member(effects: dict[str, float] | None = None, horizon: int = 12, **parts: Any) -> sim.Result:
    """Simulate customers of one stage of rank 3 who leave at a hazard, moved by effects."""
    edge = {"hazard": HAZARD, "cause": "rival", "effects": effects or {}}
    stages = {"member": {"rank": 3, **parts.pop("stage", {}), "to": {"lost": edge}}, "lost": {"kind": "lost"}}
    raw = {"period": "month", "horizon": horizon, "start": "member", "stages": stages, "run": {"customers": CUSTOMERS}}
    return sim.simulate(read({**raw, **parts}))


def survival(result: sim.Result) -> np.ndarray:
    frame = result.retention
    return np.asarray(frame.loc[frame["by"] == "all", "survival"])


def assert_close(found: np.ndarray, exact: np.ndarray, n: int = CUSTOMERS) -> None:
    """Within 4.5 standard errors of shares of n."""
    error = np.sqrt(exact * (1 - exact) / n) + 1e-12
    assert np.max(np.abs(found - exact) / error) < 4.5


def felt(result: sim.Result, place: int) -> np.ndarray:
    """Mean of a feeling by tenure, of those in active stages."""
    here = survival(result)[:-1] * CUSTOMERS * result.scenario.run.replicates
    return np.asarray(result.outcome.tally.feelings[0, :, :, place, 0].sum(axis=0) / FELT / here)


STILL = {"initial": 4.0, "speed": 0.0}
"""Satisfaction that stays where it is."""


@pytest.mark.parametrize("intensity", [0.1, 0.9])
def test_loyalty_multiplies_the_hazard(intensity: float) -> None:
    competition = {"intensity": intensity, "reference_intensity": 0.5, "reference_satisfaction": 3.0}
    result = member({"loyalty": 2.0}, satisfaction=STILL, competition=competition)
    found = result.scenario.competition
    assert found is not None
    factor = np.exp(2.0 * (loyalty_at(found, 3.0, 0.5) - loyalty_at(found, 4.0, intensity)))
    assert_close(survival(result), np.exp(-HAZARD * factor * np.arange(13)))
    assert felt(result, 2) == pytest.approx(loyalty_at(found, 4.0, intensity), abs=1e-3)


def test_reference_conditions_change_nothing() -> None:
    still = member({"loyalty": 2.0, "trust": 3.0}, satisfaction=STILL, competition={}, trust={"initial": 0.6, "rise": 0.0, "fall": 0.0})
    assert_close(survival(still), np.exp(-HAZARD * np.arange(13)))


def test_switching_cost_accumulates() -> None:
    result = member({"switching_cost": 1.5}, switching_cost={"speed": 0.2})
    invested = 1 - 0.8 ** np.arange(1, 13)
    assert_close(survival(result), np.exp(-np.concatenate([[0.0], np.cumsum(HAZARD * np.exp(-1.5 * invested))])))


def test_trust_rises_slowly_falls_fast_and_breaks() -> None:
    """From 0.5 toward x = 0.75; a failure in every period multiplies it by 0.6 after each step."""
    calm = member(satisfaction=STILL, trust={"initial": 0.5, "rise": 0.1, "fall": 0.9})
    assert felt(calm, 1) == pytest.approx(0.75 - 0.25 * 0.9 ** np.arange(1, 13), abs=3e-4)
    always = {**STILL, "failure": {"probability": 1.0, "size": 0.0}}
    broken = member(satisfaction=always, trust={"initial": 0.5, "rise": 0.1, "fall": 0.9, "drop": 0.4})
    expected, trust = [], 0.5
    for _ in range(12):
        trust = (trust + 0.1 * (0.75 - trust)) * 0.6
        expected.append(trust)
    assert felt(broken, 1) == pytest.approx(expected, abs=3e-4)


@pytest.mark.parametrize(("habituation", "speed"), [(1.0, 0.3), (0.0, 0.3)])
def test_better_quality_fades_under_habituation_and_lasts_without(habituation: float, speed: float) -> None:
    expectation = {"initial": 3.0, "norm": 3.0, "speed": speed, "habituation": habituation}
    better = {"initial": 3.0, "speed": 0.5, "quality": [3.0] * 6 + [4.0], "expectation": expectation}
    gained = felt(member(horizon=60, satisfaction=better), 0) - 3.0
    assert gained[:6] == pytest.approx(0.0, abs=1e-3)
    assert gained[6] == pytest.approx(0.5, abs=1e-3)
    if habituation:
        assert gained.max() < 1.0
        assert abs(gained[-1]) < 2e-3
    else:
        assert gained[-1] == pytest.approx(1.0, abs=1e-3)


def test_those_who_stay_for_good_are_still_felt() -> None:
    """An active stage without cash and without a way out: its customers are not computed away."""
    stages = {"on": {"to": {"alumni": {"probability": 0.3}}}, "alumni": {"price": 0.0}, "lost": {"kind": "lost"}}
    raw = {"period": "month", "horizon": 6, "start": "on", "stages": stages, "satisfaction": STILL, "run": {"customers": 5000}}
    frame = sim.simulate(read(raw)).feelings
    assert frame.loc[frame["measure"] == "satisfaction", "mean"].to_numpy() == pytest.approx(4.0)


def test_amounts_of_streams_stay_where_they_convert() -> None:
    stages: dict[str, Any] = {"on": {"information": 3e9, "to": {"lost": {"hazard": 0.0}}}, "lost": {"kind": "lost"}}
    raw: dict[str, Any] = {"period": "month", "horizon": 1, "start": "on", "stages": stages, "run": {"customers": 1000}}
    with pytest.raises(sim.ScenarioError, match="count money in thousands"):
        sim.simulate(read(raw))
    stages["on"]["information"] = 2e9
    assert sim.simulate(read(raw)).clv["mean"][0] == pytest.approx(2e9 + 1)


def test_drift_and_failures_have_their_mean() -> None:
    """Without clipping, mean satisfaction moves toward 3 + 3.4 - 0.25 * 0.8 - 3 = 3.2."""
    mind = {"initial": 3.0, "speed": 0.25, "quality": 3.4, "drift": 0.3, "failure": {"probability": 0.25, "size": 0.8}}
    found = felt(member(satisfaction=mind), 0)
    assert found == pytest.approx(3.2 - 0.2 * 0.75 ** np.arange(1, 13), abs=4 * 0.35 / CUSTOMERS**0.5)


def test_regimes_are_shared_by_a_replicate() -> None:
    """Over market paths, survival is the product of the matrices diag(e^-h_m) P from the stationary start."""
    war = {"to": {"calm": 0.4, "war": 0.6}, "hazards": 4.0}
    market = {"regimes": {"calm": {"to": {"calm": 0.8, "war": 0.2}}, "war": war}}
    replicates, customers = 2000, 1000
    result = member(market=market, run={"customers": customers, "replicates": replicates})
    assert result.scenario.market is not None
    matrix = chances(result.scenario.market)
    stays = np.exp(-HAZARD * np.array([1.0, 4.0]))
    share, exact = stationary(matrix), [1.0]
    for _ in range(12):
        share = share * stays
        exact.append(share.sum())
        share = share @ matrix
    found = survival(result)
    paths = np.exp(-HAZARD * np.cumsum(np.where(_paths(result), 4.0, 1.0), axis=1))
    error = np.concatenate([[1.0], paths.std(axis=0) / replicates**0.5 + 1 / (customers * replicates) ** 0.5])
    assert np.max(np.abs(found - exact) / error) < 4.5
    given = np.concatenate([[1.0], paths.mean(axis=0)])  # on these paths the customers' luck is all that is left
    assert_close(found, given, customers * replicates)


def _paths(result: sim.Result) -> np.ndarray:
    return np.asarray(result.tables_read.regime[:, :12])


def test_streams_are_worth_what_they_say() -> None:
    """Talk at s = 4: influence x reach x value x 1/2; at s = 2 negativity times minus that; a third have knowledge; trust above or not."""
    worth = {"information": 0.25, "fees": 0.5, "sales_cost": 0.125, "knowledge": 3.0}
    talk = {"influence": {"mean": 1.5, "cv": 0.7}, "reach": 2.0, "value": 0.4, "negativity": 3.0}
    parts: dict[str, Any] = {"stage": worth, "word_of_mouth": talk, "knowledge": {"share": 1 / 3, "cv": 0.5}}
    pleased = member(satisfaction=STILL, trust={"rise": 0.0, "fall": 0.0}, transaction={"trust_above": 0.49}, **_copied(parts))
    cross = member(
        satisfaction={**STILL, "initial": 2.0}, trust={"rise": 0.0, "fall": 0.0}, transaction={"trust_above": 0.5}, **_copied(parts)
    )
    periods = survival(pleased)[:-1].sum()
    for result, spoken, fees in ((pleased, 0.6, 0.5), (cross, -1.8, 0.0)):
        cash = result.outcome.tally.cash[0, 0].astype(object).sum(axis=0)
        mean = {name: (int(high) * 2**32 + int(low)) / UNIT / CUSTOMERS / periods for name, (high, low) in zip(COLUMNS, cash, strict=True)}
        assert mean["information"] == pytest.approx(0.25, rel=1e-6)
        assert mean["sales"] == pytest.approx(-0.125, rel=1e-6)
        assert mean["transaction"] == pytest.approx(fees, rel=1e-6)
        assert mean["word_of_mouth"] == pytest.approx(spoken, rel=4.5 * 1.0 / CUSTOMERS**0.5)
        assert mean["knowledge"] == pytest.approx(1.0, rel=4.5 * 2.2 / CUSTOMERS**0.5)


def _copied(parts: dict[str, Any]) -> dict[str, Any]:
    return {key: dict(value) for key, value in parts.items()}
