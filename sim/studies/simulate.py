"""From a Scenario to its Result, in one call."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from sim.compile import compile_tables
from sim.engine import Checkpoint, Judges, Learner, Outcome, in_shards, in_steps, rations, refuse_beside, run, run_rationed, run_waves
from sim.kernels.types import Tables
from sim.measures.followed import counts, stood
from sim.scenario.checks_classes import MOST_FOLLOWED
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.sample import cells, coupling, looks
from sim.scenario.world import Run
from sim.studies.functions import Score, Trigger, check, judge, visible
from sim.studies.predictors import predictor
from sim.studies.result import Result


def simulate(
    scenario: Scenario,
    progress: Callable[[int, int], None] | None = None,
    functions: Mapping[str, Trigger | Score] | None = None,
    checkpoint: Checkpoint | None = None,
    tables: Tables | None = None,
) -> Result:
    """Simulate a scenario and return its Result, whose frames are made when first asked for.

    Where ``run.precision`` is set, customers are added until it is reached or ``run.customers`` is; the Result is that of one run of all.
    progress: called now and then with the customers done and those in all (by precision: until the next look at it); functions: those that
    policies name in ``who.trigger`` and ``rank.score``, see ``sim.studies.functions``; checkpoint: where the run is kept every second, and
    taken up from; not one of customers who are coupled, whose periods cannot be taken apart. Neither are those handed out to a cluster, nor
    those of a policy that cannot treat everybody: under ``run.executor=dask`` they are simulated here, with a warning; tables: what
    ``compile_tables`` makes of the scenario, where that is done already.
    """
    given = functions or {}
    check({scenario.name: scenario}, given)
    tables = tables or prepare(scenario)
    if scenario.rationed:
        return Result(scenario, ration(tables, [scenario], progress, given), tables, given)
    if scenario.coupled:
        in_one_piece(scenario.run)
        return Result(scenario, run_waves(tables, coupling(scenario), scenario.run, int(scenario.horizon), progress), tables)
    for outcome in outcomes(tables, scenario, scenario.run, progress, checkpoint):
        result = Result(scenario, outcome, tables)
        if result.precise:
            break
    return result


def outcomes(
    tables: Tables, scenario: Scenario, settings: Run, progress: Callable[[int, int], None] | None, checkpoint: Checkpoint | None
) -> Iterator[Outcome]:
    """Yield the outcome at each look of a run, that of all its customers last; ``checkpoint`` keeps the last one."""
    outcome = None if checkpoint is None else checkpoint.load()
    everywhere, horizon, replicates = cells(scenario), int(scenario.horizon), settings.replicates
    for customers in looks(scenario):
        done = 0 if outcome is None else sum(n for n, cell in zip(outcome.sampled, everywhere, strict=True) if not cell.base)
        if done > customers:
            continue  # an earlier look, after which the run went on
        whole = sum(cell.sampled for cell in cells(scenario, customers)) * replicates

        def go_on(upto: int, before: Outcome | None, whole: int = whole) -> Outcome:
            sampled, behind = [cell.sampled for cell in cells(scenario, upto)], 0 if before is None else sum(before.sampled) * replicates

            def told(count: int, _: int, behind: int = behind) -> None:
                assert progress is not None
                progress(behind + count, whole)

            return run(tables, sampled, settings, horizon, told if progress else None, before)

        if settings.executor == "dask":
            outcome = in_shards(tables, settings, scenario, customers, outcome, checkpoint, progress)
        else:
            outcome = in_steps(checkpoint, outcome, (done, customers), replicates, go_on)
        yield outcome


def ration(
    tables: Tables,
    scenarios: Sequence[Scenario],
    progress: Callable[[int, int], None] | None,
    functions: Mapping[str, Trigger | Score],
) -> Outcome:
    """Simulate cases of which some have a policy that cannot treat everybody; scenarios: of each case, alike but for their policies."""
    in_one_piece(scenarios[0].run)
    held = scenarios[0].run.panel * int(scenarios[0].horizon) * len(scenarios)
    if held > MOST_FOLLOWED:
        rule = f"each arm's panel holds every period of every customer: together they must be at most {MOST_FOLLOWED:,}"
        raise ScenarioError([Fault("run.panel", str(scenarios[0].run.panel), rule, "follow fewer")])
    for scenario in scenarios:
        refuse_beside(scenario)
    if any(scenario.learning for scenario in scenarios):
        tables = tables._replace(quality=tables.quality.copy())  # in which what is learned is written
    first, everywhere = scenarios[0], [cells(scenario) for scenario in scenarios]
    sampled = [cell.sampled for cell in everywhere[0]]
    each = [
        (
            rations(scenario, sum(sampled), sum(cell.firm for cell in everywhere[k])),
            [_judges(scenario, key, tables, k, functions) for key in scenario.policies],
        )
        for k, scenario in enumerate(scenarios)
    ]
    learners = {
        k: Learner(scenario.learning, tables, k, np.array([cell.firm / max(cell.sampled, 1) for cell in everywhere[k]]))
        for k, scenario in enumerate(scenarios)
        if scenario.learning is not None
    }
    seats = counts(first, everywhere[0])
    followed = (seats, stood(first, everywhere[0], seats)) if first.run.panel else None
    return run_rationed(tables, sampled, first.run, int(first.horizon), each, progress, learners, followed)


def _judges(scenario: Scenario, key: str, tables: Tables, k: int, functions: Mapping[str, Trigger | Score]) -> Judges:
    """Return what beside the kernels says whom a policy of case k treats, and who comes first."""
    policy = scenario.policies[key]
    names, trigger, score = visible(scenario, policy), policy.who.trigger, policy.rank.score
    chooses = None if trigger is None else judge(functions[trigger], names, trigger)
    if not policy.limited:
        return Judges(chooses)
    if score is not None:
        return Judges(chooses, judge(functions[score], names, score, policy.rank.lowest))
    return Judges(chooses, predictor(scenario, key, policy, tables, k) if policy.rank.judged else None)


def in_one_piece(settings: Run) -> None:
    """Warn where a cluster was asked for, and is of no use."""
    if settings.executor == "dask":
        told = "run.executor=dask is of no use where what happens to one customer depends on the others: this runs here, on run.threads"
        warnings.warn(told, stacklevel=3)


def prepare(scenario: Scenario) -> Tables:
    """Return what the kernels read, or raise ScenarioError where the scenario cannot be simulated."""
    refuse_endless(scenario)
    return compile_tables(scenario)


def refuse_endless(scenario: Scenario) -> None:
    """Raise ScenarioError where there is no last period, or customers certainly bring others without end."""
    if scenario.horizon == "inf":
        rule = "must be a whole number of periods to simulate; inf has exact answers only"
        raise ScenarioError([Fault("horizon", "inf", rule, "give a horizon, or ask for exact")])
    if not scenario.recruiting:
        return
    from sim.exact.referral import referral

    for view in scenario.by_segment.values():
        found = referral(view)
        if found is not None and found.kappa_0 >= 1.0:
            rule = f"customers bring others without end: each wins {found.kappa_0:.4g} in its life (kappa_0), which must be below 1"
            raise ScenarioError([Fault("word_of_mouth.recruits", "", rule, "give a smaller reach")])
