"""From a Scenario to its Result, in one call."""

from collections.abc import Callable

from sim.compile import compile_tables
from sim.engine import Outcome, run
from sim.kernels.types import Tables
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.sample import cells, looks
from sim.studies.result import Result


def simulate(scenario: Scenario, progress: Callable[[int, int], None] | None = None) -> Result:
    """Simulate a scenario and return its Result, whose frames are made when first asked for.

    Where ``run.precision`` is set, customers are added until it is reached or ``run.customers`` is; the Result is that of one run of all.
    progress: called now and then with the customers done and those in all (by precision: until the next look at it).
    """
    tables = prepare(scenario)
    outcome: Outcome | None = None
    for customers in looks(scenario):
        sampled = [cell.sampled for cell in cells(scenario, customers)]
        outcome = run(tables, sampled, scenario.run, int(scenario.horizon), progress, outcome)
        result = Result(scenario, outcome, tables)
        if result.precise:
            break
    return result


def prepare(scenario: Scenario) -> Tables:
    """Return what the kernels read, or raise ScenarioError where the scenario cannot be simulated."""
    if scenario.horizon == "inf":
        rule = "must be a whole number of periods to simulate; inf has exact answers only"
        raise ScenarioError([Fault("horizon", "inf", rule, "give a horizon, or ask for exact")])
    return compile_tables(scenario)
