"""Who brings whom, in frames and summary."""

from typing import Any

import pytest

import sim
from sim.scenario import read
from sim.scenario.checks import warnings
from tests.scenario.cases import sound

TALK: dict[str, Any] = {"satisfaction": {"initial": 5, "speed": 0}, "firm": {"customers": 40}, "horizon": 4}


def test_a_reach_of_nothing_is_told_as_nothing() -> None:
    result = sim.simulate(read(sound(**TALK, word_of_mouth={"reach": 0, "recruits": {}})))
    assert set(result.tables()) >= {"referral", "arrivals"}
    row = result.referral.iloc[0]
    assert row[["recruits", "kappa_0", "kappa", "value"]].tolist() == [0, 0, 0, 0]
    assert result.summary()["referral"]["recruits"] == 0


def test_an_endless_horizon_is_explained() -> None:
    scenario = read(sound(**TALK, word_of_mouth={"reach": 0.01, "recruits": {}}))
    assert "arrivals depend on customers" in str(sim.exact(scenario.model_copy(update={"horizon": "inf"})).reason)
    assert "Word of mouth" in str(sim.explain(scenario))


def test_customers_are_counted_alike_everywhere() -> None:
    result = sim.simulate(read(sound(**TALK, word_of_mouth={"reach": 0.2, "recruits": {}}, run={"replicates": 3})))
    assert result.summary()["customers"] == pytest.approx(result.equity["customers"].iloc[0], abs=0.5)
    assert result.arrivals[["came", "recruits"]].to_numpy().sum() == pytest.approx(result.equity["customers"].iloc[0])


SEGMENTS: dict[str, Any] = {"a": {"share": 0.5, "satisfaction": {"initial": 2}, "trust": {"initial": 0.1}}, "b": {"share": 0.5}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cohorts": {"all": {"customers": 5, "periods": 12}}, "crowd": {"strength": 0.1, "market": 9}}, 0),
        ({"cohorts": {"all": {"customers": 5, "periods": 13}}, "crowd": {"strength": 0.1, "market": 9}}, 1),
    ],
)
def test_a_crowd_whose_windows_end_is_told(changes: dict[str, Any], said: int) -> None:
    found = [line for line in warnings(read(sound(**changes))) if line.startswith("crowd")]
    assert len(found) == said


@pytest.mark.parametrize(
    ("competition", "reference", "told"),
    [({}, None, ["satisfaction.initial", "trust.initial"]), ({"reference_satisfaction": 3.5}, 0.3, [])],
)
def test_segments_that_are_their_own_reference_are_told(competition: dict[str, Any], reference: float | None, told: list[str]) -> None:
    effects = {"loyalty": 1.0, "trust": 1.0}
    trust = {} if reference is None else {"reference": reference}
    raw = sound(satisfaction={}, trust=trust, competition=competition, segments=SEGMENTS, stages__trial__to__lost__effects=effects)
    assert [line.partition(":")[0] for line in warnings(read(raw)) if "its own reference" in line] == told
