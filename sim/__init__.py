"""Monte Carlo engine of the customer relationship lifecycle, checked against exact answers.

    import sim
    scenario = sim.load("publisher")
    result = sim.simulate(scenario)
    print(result.summary()["clv"], sim.exact(scenario))

Names are imported on first use: ``import sim`` loads neither numba nor pandas.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.config import load, scenarios
    from sim.exact import exact
    from sim.scenario import Scenario, ScenarioError
    from sim.studies.compare import compare
    from sim.studies.comparison import Comparison
    from sim.studies.drivers import drivers
    from sim.studies.explain import explain
    from sim.studies.folder import verify, write_run
    from sim.studies.functions import Score, Trigger
    from sim.studies.optimise import optimise
    from sim.studies.result import Result
    from sim.studies.sensitivity import sensitivity
    from sim.studies.simulate import simulate
    from sim.studies.study_folder import write_study
    from sim.studies.sweep import sweep
    from sim.studies.uncertainty import uncertainty

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Result",
    "Scenario",
    "ScenarioError",
    "Score",
    "Trigger",
    "compare",
    "drivers",
    "exact",
    "explain",
    "load",
    "optimise",
    "scenarios",
    "sensitivity",
    "simulate",
    "sweep",
    "uncertainty",
    "verify",
    "write_run",
    "write_study",
]

_HOME = {
    "Comparison": "sim.studies.comparison",
    "compare": "sim.studies.compare",
    "Result": "sim.studies.result",
    "Scenario": "sim.scenario",
    "ScenarioError": "sim.scenario",
    "Score": "sim.studies.functions",
    "Trigger": "sim.studies.functions",
    "drivers": "sim.studies.drivers",
    "exact": "sim.exact",
    "explain": "sim.studies.explain",
    "load": "sim.config",
    "optimise": "sim.studies.optimise",
    "scenarios": "sim.config",
    "sensitivity": "sim.studies.sensitivity",
    "simulate": "sim.studies.simulate",
    "sweep": "sim.studies.sweep",
    "uncertainty": "sim.studies.uncertainty",
    "verify": "sim.studies.folder",
    "write_run": "sim.studies.folder",
    "write_study": "sim.studies.study_folder",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOME[name]), name)
    if isinstance(found, type):
        return found
    from sim.scenario.given import checked

    return checked(found)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


class _Package(ModuleType):
    """A package whose ``exact`` stays the function: importing the module of that name does not bind it here."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "exact" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
