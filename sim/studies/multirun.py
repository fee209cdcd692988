"""Several runs one after the other, run k in ``out/k``: where by default, what cannot be run, what a table says of each."""

import csv
import hashlib
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sim import store
from sim.config import Point
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
    """What the table of several runs says of one.

    clv, se: mean CLV with its standard error (currency); kept: share not lost within ``periods``, of those who became active by then
    (NaN of nobody); periods: those of a year, or the horizon where that is shorter, as ``whole_year`` says; equity: customer equity.
    """

    clv: float
    se: float
    kept: float
    periods: int
    whole_year: bool
    equity: float
    currency: str


def row(result: Result) -> Row:
    """Return a run's row; the run itself can be forgotten."""
    whole, year = result.clv.iloc[0], result.scenario.periods_per_year
    periods = min(year, result.sample.horizon)
    kept = result.retention[result.retention["by"] == "all"]["survival"].iloc[periods]
    equity = result.equity["equity"].iloc[0]
    return Row(whole["mean"], whole["se"], kept, periods, periods == year, equity, result.scenario.currency)


def table(points: Sequence[Point], rows: Sequence[Row]) -> str:
    """Return the table of several runs as CSV: run, the keys that vary, then ``store.RUNS_COLUMNS``, with all digits.

    folder: where a run lies, relative to the table; a share of nobody is left empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", *points[0].varied, *store.RUNS_COLUMNS])
    for k, (point, found) in enumerate(zip(points, rows, strict=True)):
        numbers = ["" if math.isnan(value) else repr(float(value)) for value in (found.clv, found.se, found.kept, found.equity)]
        writer.writerow([k, *point.varied.values(), *numbers[:3], found.periods, numbers[3], k])
    return text.getvalue()
