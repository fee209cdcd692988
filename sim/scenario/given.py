"""What somebody hands to a function of the API that it does not take: told in one line, before anything runs."""

import inspect
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.raw import show


def _names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


_WANTED: dict[str, tuple[Callable[[Any], bool], str, str]] = {
    "scenario": (lambda value: isinstance(value, Scenario), "must be a Scenario", "sim.load(NAME) gives one"),
    "policies": (_names, "must be a list of names of policies", "for example ['win_back']"),
    "result": (lambda value: hasattr(value, "outcome"), "must be the Result of a run", "what a study found is written by sim.write_study"),
    "found": (lambda value: hasattr(value, "plan"), "must be what a study found", "the Result of a run is written by sim.write_run"),
}
"""By name of an argument: whether a value will do, what it must be, and what to do."""


@cache
def checked(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that raises ScenarioError with a Fault for each argument that will not do."""
    names = list(inspect.signature(call).parameters)

    @wraps(call)
    def told(*given: Any, **named: Any) -> Any:
        faults = [
            Fault(name, show(value), rule, hint)
            for name, value in {**dict(zip(names, given, strict=False)), **named}.items()
            if name in _WANTED
            for fits, rule, hint in [_WANTED[name]]
            if not fits(value)
        ]
        if faults:
            raise ScenarioError(faults)
        return call(*given, **named)

    return told
