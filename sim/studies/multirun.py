"""Several runs one after the other, run k in ``out/k``: where by default, what cannot be run, what a table says of each."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sim.scenario import Fault, Scenario, ScenarioError
from sim.studies.folder import config_of
from sim.studies.result import Result
from sim.studies.simulate import prepare


def default_out(scenarios: Sequence[Scenario]) -> Path:
    """Return ``results/multirun-HASH``, the hash being of all configs in their order."""
    whole = hashlib.sha256(b"\0".join(config_of(scenario) for scenario in scenarios))
    return Path("results") / f"multirun-{whole.hexdigest()[:8]}"


def refused(scenarios: Sequence[Scenario]) -> dict[Fault, list[int]]:
    """Return why scenarios cannot be simulated, with the places of those it is true of."""
    found: dict[Fault, list[int]] = {}
    for k, scenario in enumerate(scenarios):
        try:
            prepare(scenario)
        except ScenarioError as error:
            for fault in error.faults:
                found.setdefault(fault, []).append(k)
    return found


class Row(NamedTuple):
    """What the table of several runs says of one: CLV with its standard error, retention of the first period, customer equity."""

    clv: float
    se: float
    retention: float
    equity: float
    currency: str


def row(result: Result) -> Row:
    """Return a run's row; the run itself can be forgotten."""
    whole = result.clv.iloc[0]
    retention = result.retention["retention"].iloc[0]
    return Row(whole["mean"], whole["se"], retention, result.equity["equity"].iloc[0], result.scenario.currency)
