"""The firm learns from its customers: a run of given quality is the same to the last bit, threads and arms apart or not."""

import math
from typing import Any

import numpy as np
import pytest

import sim
from sim.compile import compile_tables
from sim.kernels.types import CONTACTS
from sim.measures.sample import Sample
from sim.scenario import ScenarioError, read
from sim.scenario.model import Scenario
from sim.studies.arms import Arm
from sim.studies.compare import compared
from sim.studies.control import controlled
from sim.studies.picking import How, pick_best
from sim.studies.simulate import simulate
from tests.running import assert_same
from tests.scenario.cases import assert_refused, sound
from tests.zoo import COUPLED, ZOO, changed

LEARNING = {"most": 1.2, "contacts": 900.0}
STAGES = {key: {**stage, **({"contacts": 0.6} if key == "formation" else {})} for key, stage in ZOO["mindful"]["stages"].items()}
TELLING: dict[str, Any] = changed(
    {key: value for key, value in ZOO["mindful"].items() if key not in ("market", "firm")},
    stages=STAGES,
    cohorts={"early": {"customers": 300, "periods": 2}, "late": {"first_period": 5, "customers": 150}},
)


def telling(**changes: Any) -> Scenario:
    return Scenario.model_validate({**TELLING, **changes})


def told(sample: Sample, case: int = 0) -> list[float]:
    """Return the contacts of the firm started before each calendar period, by plain sums."""
    periods = sample.horizon + int(sample.arrival.max())
    found = [0.0] * (periods + 1)
    for g, cell in enumerate(sample.cells):
        for t in range(sample.horizon):
            found[cell.arrival + t + 1] += int(sample.tally.activity[case, g, t, CONTACTS, 0]) * cell.firm / max(cell.sampled, 1)
    return list(np.cumsum(found[:periods]))


def given(scenario: Scenario, heard: list[float]) -> Scenario:
    """Return the scenario without learning, its quality by calendar period that which was learned."""
    assert scenario.satisfaction is not None
    own = scenario.satisfaction.quality
    most, contacts = LEARNING["most"], LEARNING["contacts"]
    quality = [float(np.float32(own[min(y, len(own) - 1)])) + most * (1 - math.exp(-n / contacts)) for y, n in enumerate(heard)]
    minds = scenario.satisfaction.model_copy(update={"quality": tuple(quality)})
    return scenario.model_copy(update={"learning": None, "satisfaction": minds})


POLICIES: dict[str, Any] = {"calls": {"uptake": 0.6, "capacity": 40, "rank": {"by": "survey"}, "who": {"survey": {"below": 4.0}}}}


@pytest.mark.parametrize(
    "scenario",
    [
        telling(learning=LEARNING),
        telling(learning=LEARNING, policies=POLICIES),
        telling(policies=POLICIES),
        *(Scenario.model_validate({**COUPLED[name], "name": name}) for name in COUPLED),
        *(Scenario.model_validate({**ZOO[name], "name": name}) for name in ("treated_orders", "mindful_orders")),
    ],
    ids=lambda scenario: f"{scenario.name}{'+'.join(scenario.policies)}",
)
def test_a_run_leaves_its_tables_as_they_are(scenario: Scenario) -> None:
    """Points of a sweep share arrays of their tables."""
    tables = compile_tables(scenario)
    before = [values.copy() for values in tables]
    simulate(scenario, tables=tables)
    for name, mine, theirs in zip(tables._fields, before, tables, strict=True):
        np.testing.assert_array_equal(mine, theirs, err_msg=name)


@pytest.mark.parametrize("customers", [None, 331])
def test_the_same_as_a_run_of_the_quality_that_was_learned(customers: int | None) -> None:
    """On any number of threads; also where simulated customers stand for more than one of the firm."""
    runs = [sim.simulate(telling(learning=LEARNING, run={"customers": customers, "threads": threads})) for threads in (1, 3)]
    heard = told(runs[0].sample)
    assert 0 < heard[3] < heard[-1]
    assert LEARNING["most"] * -math.expm1(-heard[-1] / LEARNING["contacts"]) > 0.3
    plain = sim.simulate(given(telling(run={"customers": customers}), heard))
    for run in runs:
        assert_same(run.outcome.tally, plain.outcome.tally)


def test_replicates_learn_apart_and_are_the_unit_of_error() -> None:
    scenario = telling(learning=LEARNING, run={"replicates": 3})
    result = sim.simulate(scenario)
    assert not result.sample.independent
    means = result.replicates["clv"]
    assert result.clv["se"][0] == pytest.approx(means.std(ddof=1) / 3**0.5, rel=1e-6)
    first = sim.simulate(telling(learning=LEARNING))
    np.testing.assert_array_equal(result.outcome.tally.replicates[0], first.outcome.tally.replicates[0])
    assert "learning" in str(controlled(result).reason)
    with pytest.raises(ScenarioError, match="learning: must be off to pick"):
        pick_best(scenario, (Arm("none", (), scenario),), How("kn", 1.0))
    assert "Learning: performance rises by up to 1.2 points" in str(sim.explain(scenario))


def test_arms_learn_apart() -> None:
    """A policy that makes customers get in touch more often teaches the firm more; without any an arm is the run by itself."""
    policies = {"asks": {"effects": {"contacts": 3.0}}}
    asking = telling(learning=LEARNING, policies=policies)
    plain = telling(learning=LEARNING)
    found = compared(plain, (Arm("none", (), plain), Arm("asks", ("asks",), asking)))
    alone = sim.simulate(plain)
    none, asks = (result.sample for result in found.results)
    np.testing.assert_array_equal(none.tally.flows, alone.sample.tally.flows)
    assert told(asks)[-1] > 2 * told(none)[-1]
    satisfied = [float(result.feelings.query("by == 'all' and measure == 'satisfaction'")["mean"].iloc[-1]) for result in found.results]
    assert satisfied[1] > satisfied[0]


MINDS: dict[str, Any] = {"satisfaction": {}, "stages__trial__contacts": 0.5}


def test_what_does_not_go_with_it() -> None:
    assert_refused("learning: raises performance", learning=LEARNING, stages__trial__contacts=0.5)
    assert_refused("learning: needs customers who get in touch", learning=LEARNING, satisfaction={})
    segments = {"a": {"share": 0.5, "stages": {"trial": {"contacts": 0.5}}}, "b": {"share": 0.5}}
    assert read(sound(learning=LEARNING, satisfaction={}, segments=segments)).learning is not None
    assert_refused("learning.most: must be above 0", learning={"most": 0.0, "contacts": 1.0}, **MINDS)
    with pytest.raises(ScenarioError, match=r"run\.precision: must be off beside learning"):
        sim.simulate(read(sound(learning=LEARNING, run__precision=0.1, **MINDS)))


@pytest.mark.jit
def test_customers_are_followed_as_they_learn() -> None:
    found = sim.simulate(read(sound(learning=LEARNING, run__panel=10, run__keep_customers=True, **MINDS)))
    panel, kept = found.followed.panel, found.outcome.kept
    assert kept is not None
    assert panel.clv[-1, :10].tolist() == kept.clv[0, :10, 1].tolist()
