"""Picking the best arm with least work: the known best, the work saved, the same customers as a comparison's, what is refused."""

import math
from typing import Any

import numpy as np
import pytest

from sim.scenario import ScenarioError, read
from sim.scenario.model import Scenario
from sim.studies.arms import Arm, with_policies
from sim.studies.compare import compared
from sim.studies.picking import BATCH, FIRST, Batches, How, Picking, pick_best
from tests import zoo


def margins(*lifts: float, setup: float = 0.0, **run: Any) -> tuple[Scenario, tuple[Arm, ...]]:
    """Return a firm of 1,000 customers of four periods, and arms that add to its margin."""
    stages = {"customer": {"price": 20.0, "to": {"lost": {"probability": 0.2}}}, "lost": {"kind": "lost"}}
    raw = {**zoo.one_stage({"probability": 0.2}, horizon=4, firm={"customers": 1000}), "stages": stages}
    scenario = read({**raw, "run": {"customers": 40 * BATCH, "seed": 4, **run}})
    bodies = {f"lift_{k}": {"effects": {"margin": lift}, "cost": {"setup": setup}} for k, lift in enumerate(lifts)}
    return scenario, (Arm("none", (), scenario), *(Arm(key, (key,), with_policies(scenario, {key: body})) for key, body in bodies.items()))


def told(found: Picking) -> tuple[Any, ...]:
    return found.winner, found.customers, found.equity, found.sure


@pytest.mark.jit
def test_the_known_best_is_picked_and_work_is_saved() -> None:
    """Lifts of 0.01 are worth some 600 of equity: far apart they go after the first batches, close ones are looked at longer."""
    scenario, every = margins(0.05, 0.2, 0.199)
    found = pick_best(scenario, every, How("kn", 20.0))
    assert found.sure
    assert every[found.winner].id == "lift_1"
    assert found.customers[0] == FIRST * BATCH
    assert found.table["picked"].tolist() == [False, False, True, False]
    assert "95 % of such searches pick the best arm" in found.guarantee
    assert told(pick_best(*margins(0.05, 0.2, 0.199, threads=1), How("kn", 20.0))) == told(found)


@pytest.mark.jit
def test_what_a_policy_costs_the_firm_counts() -> None:
    scenario, every = margins(0.2, setup=1e6)
    assert every[pick_best(scenario, every, How("kn", 50.0)).winner].id == "none"


@pytest.mark.jit
def test_batches_are_the_customers_of_a_comparison() -> None:
    """Batch after batch, whoever else is in, they come to the equity of one run of all."""
    scenario, every = margins(0.1, 0.2, setup=100.0)
    whole = compared(scenario.model_copy(update={"run": scenario.run.model_copy(update={"customers": 3 * BATCH})}), every)
    batches = Batches(scenario, every)
    first, rest = batches([0, 1, 2], 1), batches([0, 2], 2)
    mean = np.concatenate([first[:, [0, 2]], rest]).mean(axis=0)
    assert mean.tolist() == pytest.approx(whole.table["equity"].iloc[[0, 2]].tolist(), rel=1e-9)
    assert batches.done.tolist() == [3, 1, 3]


@pytest.mark.jit
def test_without_a_guarantee() -> None:
    """Where customers run out, and by OCBA: it is said; OCBA gives the close ones more."""
    noisy = {"uptake": 0.5, "who": {"share": 0.5}, "effects": {"margin": 0.2}}
    scenario, every = margins(0.05)
    close = tuple(Arm(key, (key,), with_policies(scenario, {key: noisy | {"uptake": up}})) for key, up in (("a", 0.5), ("b", 0.5001)))
    short = pick_best(scenario, (*every, *close), How("kn", 1e-3))
    assert not short.sure
    assert short.guarantee.startswith("none: run.customers ended the search")
    scenario, every = margins(0.05, customers=120 * BATCH)
    found = pick_best(scenario, (*every, *close), How("ocba", 1.0))
    assert sum(found.customers) == 120 * BATCH
    assert min(found.customers[2:]) > found.customers[1] == FIRST * BATCH
    assert found.guarantee.startswith("none: OCBA is a heuristic")


@pytest.mark.parametrize(
    ("changes", "how", "said"),
    [
        ({}, How("kn", 0.0), "indifference: must be above 0"),
        ({}, How("kn", math.nan), "indifference: must be above 0"),
        ({}, How("kn", 1.0, 1.0), "confidence: must be at least 0.5 and below 1"),
        ({"replicates": 4, "customers": 50_000}, How("kn", 1.0), "run.replicates: must be 1 to pick (got 4)"),
        ({"precision": 0.01, "customers": 50_000}, How("kn", 1.0), "run.precision: must be off to pick"),
        ({"customers": 100}, How("kn", 1.0), "run.customers: must be at least 40,960 to pick among 2 arms"),
        ({"customers": 50_000}, How("ocba", 1.0), "run.customers: must be at least 81,920 to pick among 2 arms"),
    ],
)
def test_refused(changes: dict[str, Any], how: How, said: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        pick_best(*margins(0.1, **changes), how)
    assert said in str(refused.value)


def test_refused_where_customers_are_not_drawn_one_by_one() -> None:
    scenario = zoo.scenario("treated_minds", customers=50_000)
    with pytest.raises(ScenarioError, match="market: must be off to pick"):
        pick_best(scenario, (Arm("none", (), scenario),), How("kn", 1.0))
    with pytest.raises(ScenarioError, match="policies: must name an arm to pick from, beside none"):
        pick_best(scenario, (Arm("none", (), scenario),), How("kn", 1.0))
    with pytest.raises(ScenarioError, match="crowd: must be off"):
        pick_best(zoo.scenario("recruits"), (), How("kn", 1.0))
