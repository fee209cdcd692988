"""Exact answers of small scenarios, as the tests here ask for them."""

import math
from typing import Any

from sim.exact import Exact, exact
from sim.scenario.model import Scenario, overlay

LOST = {"kind": "lost"}

MOVED_BY_MINDS = frozenset({"adoption", "lifecycle"})
"""Scenarios that ship and whose hazards depend on what customers think: they have no exact answer."""


def answer(**keys: Any) -> Exact:
    """Return the exact answer; a lone active stage ``s`` with an edge to ``lost`` unless stages are given."""
    base = {"period": "year", "start": "s", "stages": {"s": {"to": {"lost": {}}}, "lost": LOST}}
    found = exact(Scenario.model_validate(overlay(base, keys) if "stages" not in keys or "s" in keys["stages"] else {**base, **keys}))
    assert found.reason is None
    return found


def half_up(value: float, digits: int = 0) -> float:
    """Round as books do."""
    return math.floor(value * 10.0**digits + 0.5 + 1e-9) / 10.0**digits
