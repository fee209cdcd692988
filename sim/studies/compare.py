"""Policies compared on the same customers with the same luck: all arms in one run, customer by customer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.compile import compile_tables
from sim.engine import Checkpoint, Outcome
from sim.engine.following import following
from sim.kernels.types import Kept, Tables
from sim.measures.paired import Paired, case_of
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.gate import too_many_kept
from sim.scenario.model import Scenario
from sim.scenario.sample import cells
from sim.studies.arms import NONE, Arm
from sim.studies.arms import arms as read_arms
from sim.studies.comparison import Comparison
from sim.studies.functions import Score, Trigger, check
from sim.studies.result import Result
from sim.studies.simulate import outcomes, ration

if TYPE_CHECKING:
    pass


def compare(
    scenario: Scenario,
    policies: Sequence[str] = (),
    arms: Mapping[str, Mapping[str, Any]] | None = None,
    comparator: str = NONE,
    configs: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    functions: Mapping[str, Trigger | Score] | None = None,
) -> Comparison:
    """Compare policies on the same customers with the same luck.

    policies: an arm each, ``a+c`` for both at once, by the names of files in configs/policy/ or in ``policy/`` of the folder ``configs``;
    arms: variants by name, ``{"cheap": {"policies": ["a"], "a.cost.per_contact": 2}}``; ``none`` is always added. comparator: arm that the
    others are held against. Where ``run.precision`` is set, customers are added until every paired difference of CLV is that well known:
    half of its 95 % interval within that share of the comparator's CLV before acquisition, or within ``run.precision_money``.
    functions: those that policies name in ``who.trigger`` and ``rank.score``, see ``sim.studies.functions``.
    Raises ScenarioError with every fault, before anything runs; where arrivals depend on customers, who are then not the same in all arms.
    """
    refuse(scenario)
    return compared(scenario, read_arms(scenario, policies, arms, configs), comparator, progress, functions)


def refuse(scenario: Scenario) -> None:
    """Raise ScenarioError where arms cannot be simulated side by side."""
    if scenario.coupled:
        rule = "must be off: arrivals that depend on customers are not the same in all arms"
        raise ScenarioError([Fault("crowd" if scenario.crowd else "word_of_mouth.recruits", "", rule)])
    if scenario.horizon == "inf":
        raise ScenarioError([Fault("horizon", "inf", "must be a whole number of periods to simulate")])


def compared(
    scenario: Scenario,
    every: Sequence[Arm],
    comparator: str = NONE,
    progress: Callable[[int, int], None] | None = None,
    functions: Mapping[str, Trigger | Score] | None = None,
    checkpoint: Checkpoint | None = None,
    tables: Tables | None = None,
) -> Comparison:
    """Compare arms that are read already; see ``compare``, and ``simulate`` of ``checkpoint`` and ``tables``."""
    refuse(scenario)
    names = [arm.id for arm in every]
    if comparator not in names:
        raise ScenarioError([Fault("comparator", comparator, "must be one of the arms", f"there are {', '.join(names)}")])
    if faults := too_many_kept(scenario, len(every)):
        raise ScenarioError(faults)
    given = functions or {}
    check({arm.id: arm.scenario for arm in every}, given)
    tables = tables or compile_tables(*(arm.scenario for arm in every))
    apart = len({tuple(cell.firm for cell in cells(arm.scenario)) for arm in every}) > 1
    tables = tables._replace(reference=np.array([names.index(comparator)], np.int64), apart=np.array([apart], np.uint8))
    if any(arm.scenario.rationed for arm in every):
        outcome = ration(tables, [arm.scenario for arm in every], progress, given)
        return replace(_comparison(scenario, every, names.index(comparator), outcome, tables), functions=given)
    settings = scenario.run.model_copy(update={"driver": "group"})
    tables = tables._replace(follows=following(tables, int(scenario.horizon)))
    for outcome in outcomes(tables, scenario, settings, progress, checkpoint):
        found = _comparison(scenario, every, names.index(comparator), outcome, tables)
        if precise(found):
            break
    return found


def _comparison(scenario: Scenario, every: Sequence[Arm], comparator: int, outcome: Outcome, tables: Tables) -> Comparison:
    results = tuple(Result(arm.scenario, _outcome(outcome, k), _tables(tables, k)) for k, arm in enumerate(every))
    paired = Paired(tuple(result.sample for result in results), outcome.tally, comparator)
    return Comparison(scenario, tuple(every), results, paired, comparator)


def precise(found: Comparison) -> bool:
    """Return whether every paired difference of CLV is as well known as was asked for; False where nothing was asked."""
    run = found.scenario.run
    if run.precision is None and run.precision_money is None:
        return False
    everybody = found.paired.samples[0].groups[0]
    paired, theirs = found.paired, found.results[found.comparator].sample.firm.sum()
    errors = [paired.difference(k, found.comparator, "clv", everybody).se for k in range(len(paired))]
    if not found.same_customers:
        errors += [paired.at_firm(k, found.comparator, "clv").se / theirs for k in range(len(paired))]
    half = paired.width * max(errors)
    if run.precision_money is not None:
        return half <= run.precision_money
    assert run.precision is not None
    return half <= run.precision * abs(float(found.results[found.comparator].clv.iloc[1]["mean"]))


def _outcome(outcome: Outcome, k: int) -> Outcome:
    """Return the outcome of one case."""
    kept = outcome.kept
    own = None if kept is None else Kept(*(values[k : k + 1] for values in kept))
    return replace(outcome, tally=case_of(outcome.tally, k), kept=own, panels=outcome.panels[k : k + 1])


def _tables(tables: Tables, k: int) -> Tables:
    """Return the tables of one case."""
    return tables._replace(variant=tables.variant[k : k + 1], reference=np.zeros(1, np.int64), follows=tables.follows[:0])
