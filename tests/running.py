"""Run the engine in tests, and say whether two tallies are the same; 'python -m tests.running DRIVER' compiles what most of them need."""

import hashlib
import sys
from typing import Any

import numpy as np

import sim
from sim.compile import compile_tables
from sim.engine import Outcome, run, run_waves
from sim.kernels.types import Tables, Tally
from sim.scenario.model import Scenario
from sim.scenario.sample import cells, coupling
from tests import zoo


def simulate(scenario: Scenario, tables: Tables | None = None, **run_changes: Any) -> Outcome:
    """Return the outcome of one scenario, with run settings changed."""
    settings = scenario.run.model_copy(update=run_changes)
    scenario = scenario.model_copy(update={"run": settings})
    if scenario.coupled:
        made = tables if tables is not None else compile_tables(scenario)
        return run_waves(made, coupling(scenario), settings, int(scenario.horizon))
    sampled = [cell.sampled for cell in cells(scenario)]
    return run(tables if tables is not None else compile_tables(scenario), sampled, settings, int(scenario.horizon))


def digest(tally: Tally) -> str:
    """Return a hash of all that was counted: not of what is off (no feelings, streams that nobody earns)."""
    found = hashlib.sha256()
    for name, values in zip(Tally._fields, tally, strict=True):
        if values.size == 0:
            continue
        if name == "cash" and not values[..., 4:, :].any():
            values = values[..., :4, :]
        found.update(f"{name}{values.shape}".encode() + np.ascontiguousarray(values).tobytes())
    return found.hexdigest()[:16]


def assert_same(one: Tally, other: Tally) -> None:
    """Assert that two tallies agree to the last bit, naming the field that does not."""
    for name, mine, theirs in zip(Tally._fields, one, other, strict=True):
        assert np.array_equal(mine, theirs), name


if __name__ == "__main__":
    if sys.argv[1] == "group":
        simulate(zoo.scenario("chain", customers=1))
    elif sys.argv[1] == "period":
        few = sim.load("lifecycle", "run.customers=30", "run.threads=1")
        sim.compare(few, arms={"few": {"policies": ["gifts"], "gifts.capacity": 400, "gifts.scale": True}})
