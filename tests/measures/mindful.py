"""A run in which every mechanism of behaviour is on: segments, two cohorts, three market paths, every customer kept."""

from functools import cache
from typing import Any

from sim.scenario.model import Scenario
from sim.studies.result import Result
from sim.studies.simulate import simulate
from tests.zoo import ZOO


def scenario(**changes: Any) -> Scenario:
    """Return the scenario, with whole parts replaced; None leaves a part out."""
    cool = {"price": 50.0, "delivered_value": {"benefit": 1.0}}
    parts = {
        **ZOO["mindful"],
        "name": "mindful",
        "segments": {"keen": {"share": 0.6}, "cool": {"share": 0.4, "stages": {"stability": cool}}},
        "cohorts": {"first": {"customers": 300}, "second": {"first_period": 2, "customers": 200}},
        "firm": {"fixed_cost": 10.0},
        "run": {"replicates": 3, "keep_customers": True},
        **changes,
    }
    return Scenario.model_validate({key: value for key, value in parts.items() if value is not None})


@cache
def result() -> Result:
    """Return the run."""
    return simulate(scenario())


@cache
def one_path() -> Result:
    """Return a run of one replicate, whose customers all live through one market path."""
    return simulate(scenario(run={"customers": 400}))


@cache
def calm() -> Result:
    """Return a run without a market, in which customers are independent."""
    return simulate(scenario(market=None))
