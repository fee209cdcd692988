"""Who brings whom, in frames and summary."""

from typing import Any

import numpy as np
import pytest

import sim
from sim.kernels.types import UNIT
from sim.measures.scorecard import scorecard
from sim.scenario import read
from sim.scenario.checks import warnings
from tests import zoo
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


@pytest.mark.parametrize("name", ["recruits", "recruited_prospects"])
def test_fees_are_a_column_of_their_own(name: str) -> None:
    """Columns add up to CLV to the unit; a fee on arrival is recruits times fee, and acquisition that of all others."""
    sample = sim.simulate(zoo.scenario(name, replicates=2)).sample
    assert sample.came is not None
    by_column = {column: sample.cash[:, :, place].sum(axis=1) for column, place in sample.columns.items()}
    clv = sample.tally.moments[0, :, :, 1, 2:4].astype(object)
    assert (sum(by_column.values()) == (clv[..., 0] * 2**32 + clv[..., 1]).sum(axis=1)).all()
    recruits = sample.came.recruits[0].sum(axis=0)
    assert by_column["referral"].sum() < 0
    if name == "recruits":
        assert (by_column["referral"] == -recruits * round(1.5 * UNIT)).all()
        assert (by_column["acquisition"] == -(sample.customers - recruits) * round(4.0 * UNIT)).all()


def test_without_a_fee_there_is_no_such_column() -> None:
    sample = sim.simulate(read(sound(**TALK, word_of_mouth={"reach": 0.2, "recruits": {}}))).sample
    assert "referral" not in sample.columns


def test_fees_are_no_value_to_come() -> None:
    """What recruits cost moves CLV, and neither what is to come of customers nor value beyond the horizon."""
    found = []
    for fee in (0.0, 7.0):
        talk = {"reach": 0.2, "recruits": {"fee": fee}}
        found.append(sim.simulate(read(sound(**TALK, word_of_mouth=talk, run={"replicates": 2}))))
    free, dear = found
    ledger = dear.ledger.query("by == 'all'").set_index("column")["mean"]
    assert dear.clv["mean"][0] - free.clv["mean"][0] == pytest.approx(ledger["referral"], rel=1e-9)
    assert ledger["acquisition"] == free.ledger.query("by == 'all'").set_index("column")["mean"]["acquisition"]
    assert dear.summary()["residual"] == free.summary()["residual"]
    one, other = (scorecard(result.sample).query("measure == 'value_to_come'")["value"].to_numpy() for result in (free, dear))
    np.testing.assert_array_equal(one, other)


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
