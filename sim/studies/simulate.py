"""From a Scenario to its Result, in one call."""

from collections.abc import Callable

from sim.compile import compile_tables
from sim.engine import run
from sim.studies.result import Result
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.sample import cells


def simulate(scenario: Scenario, progress: Callable[[int, int], None] | None = None) -> Result:
    """Simulate a scenario and return its Result, whose frames are made when first asked for.

    progress: called now and then with the customers done and those in all.
    """
    if scenario.horizon == "inf":
        rule = "must be a whole number of periods to simulate; inf has exact answers only"
        raise ScenarioError([Fault("horizon", "inf", rule, "give a horizon, or ask for exact")])
    tables = compile_tables(scenario)
    sampled = [cell.sampled for cell in cells(scenario)]
    return Result(scenario, run(tables, sampled, scenario.run, scenario.horizon, progress), tables)
