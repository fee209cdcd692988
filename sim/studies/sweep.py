"""Points of a design run, kept as they are done, and told in one tidy table."""

import contextlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sim.engine.run import available_threads
from sim.measures.row import ERRORS, MEASURES, Row
from sim.measures.sums import Floats
from sim.parts import Parts
from sim.scenario import Scenario
from sim.scenario.study import Study, read_study
from sim.studies import design
from sim.studies.answered import Answered
from sim.studies.design import Point
from sim.studies.discovery import Discovery, discover, told
from sim.studies.kept import defined, keep, kept, together
from sim.studies.planning import plan
from sim.studies.points import Plan
from sim.studies.running import each

if TYPE_CHECKING:
    import pandas as pd

KEPT_EVERY = 1.0
"""Seconds after which the points that are done are written."""

ENOUGH = 100
"""Points from which conditions are sought."""

ASKED: Mapping[str, Any] = {}
"""What can be asked for beside the design: nothing."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Answered):
    """What a sweep found. Made by ``sim.sweep``.

    plan: the points and what was run at each; rows: measures by point, and by arm there (``sim.measures.row``); seconds: wall clock of
    this call, and kernel_seconds: in the kernels, added up over threads; taken: points that were there already; damaged: parts that were
    thrown away because they were not what their names said.
    """

    plan: Plan
    rows: Sequence[Sequence[Mapping[str, Any]]]
    seconds: float
    kernel_seconds: float
    threads: int
    taken: int
    damaged: tuple[str, ...] = ()

    @cached_property
    def table(self) -> "pd.DataFrame":
        """One row a point, and an arm where there are any.

        Columns: point (in the design's order), a column a factor, arm (where policies were compared), then the measures of
        ``sim.measures.row.MEASURES`` with their standard errors; gain and its error only where arms were compared. Money is in the
        scenario's currency, discounted; clv per customer, equity, spent and gain the firm's.
        """
        import pandas as pd

        compared = bool(self.plan.arms)
        names = [name for name in MEASURES if compared or name != "gain"]
        columns = [column for name in names for column in ((name, f"{name}_se") if name in ERRORS else (name,))]
        found = [
            {"point": k, **point} | ({"arm": arm} if compared else {}) | {column: one.get(column, math.nan) for column in columns}
            for k, (point, every) in enumerate(zip(self.plan.points, self.rows, strict=True))
            for arm, one in zip(self.plan.arms_at(point) or {"": ()}, _held_against(every), strict=True)
        ]
        return pd.DataFrame(found)

    kind = "sweep"
    asked: ClassVar[Mapping[str, Any]] = ASKED

    def tables(self) -> "dict[str, pd.DataFrame]":
        """Return every frame by name."""
        return {"points": self.table} | ({"conditions": self.conditions.frame} if self.scattered else {})

    def summary(self) -> dict[str, Any]:
        """Return what ``study.json`` holds: plain values."""
        return {
            "scenario": self.plan.scenario.name,
            "design": self.plan.study.plan,
            "points": len(self.plan.points),
            "factors": self.factors,
        }

    @property
    def factors(self) -> list[str]:
        """Names of what varies, in the table's order."""
        return list(self.plan.points[0])

    def paths(self, measure: str = "equity", arm: str | None = None) -> Floats:
        """Return equity, clv or spent of each replicate, at every point (points, replicates); of an arm, by default the first."""
        found = []
        for point, every in zip(self.plan.points, self.rows, strict=True):
            place = 0 if arm is None else list(self.plan.arms_at(point)).index(arm)
            one = every[place]
            found.append(np.asarray(one.get(f"{measure}_paths", [one[measure]]), dtype=np.float64))
        return np.stack(found)

    @cached_property
    def favoured(self) -> str:
        """The arm with the highest mean customer equity over the points."""
        return str(self.table.groupby("arm", sort=False)["equity"].mean().idxmax())

    @property
    def scattered(self) -> bool:
        """Whether there are arms at enough points all over the ranges to seek conditions under which the favoured one loses."""
        study = self.plan.study
        return len(self.plan.arms) > 1 and study.crossed and study.plan in ("lhs", "sobol") and len(self.plan.points) >= ENOUGH

    @cached_property
    def conditions(self) -> Discovery:
        """Under which conditions the favoured arm is not the best; see ``sim.studies.discovery``."""
        import pandas as pd

        equity = self.table.pivot_table(index="point", columns="arm", values="equity", sort=False)
        loses = equity.drop(columns=self.favoured).max(axis=1) > equity[self.favoured]
        return discover(pd.DataFrame(list(self.plan.points)), loses.to_numpy())

    @property
    def where(self) -> str:
        """The conditions in a sentence or two."""
        return told(self.conditions)

    def __repr__(self) -> str:
        design = f"{self.plan.study.plan} design of {', '.join(self.factors)}"
        arms = f" x {len(self.plan.arms)} arms" if self.plan.arms and self.plan.study.crossed else ""
        return f"<Sweep of {self.plan.scenario.name}: {len(self.rows):,} points{arms}, {design}>"


class OnSweep:
    """What studies made of a sweep have from it."""

    sweep: Sweep

    @property
    def threads(self) -> int:
        """Threads used."""
        return self.sweep.threads

    @property
    def damaged(self) -> Sequence[str]:
        """Names of parts that were thrown away."""
        return self.sweep.damaged


def _held_against(every: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return the rows of a point's arms; an arm that is alone there has no gain over itself."""
    return every if len(every) > 1 else [{"gain": 0.0, "gain_se": 0.0, **one} for one in every]


def sweep(
    scenario: Scenario,
    vary: Mapping[str, Any] | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    configs: str | Path | None = None,
    progress: Progress | None = None,
    **rest: Any,
) -> Sweep:
    """Run a scenario at every point of a design and return its Sweep.

    vary: factors by dotted path, each a list of values or a range such as ``{"low": 1, "high": 2}`` (``sim.scenario.study.Factor``);
    rest: design, points, design_seed, correlations, policies, crossed, comparator (``sim.scenario.study.Study``); configs: a user's
    folder, for policies; out: folder beside which the points are kept as they are done, in ``out.parts``: the same call goes on where a
    killed one ended.
    progress: called with the points done and those in all. All points share their luck: customer i is the same at each of them.
    Raises ScenarioError with every fault, before anything runs.
    """
    return run(plan(scenario, read_study({"vary": vary or {}, **rest}, ASKED), configs), out, progress)


def fit(
    scenario: Scenario, study: Study, asked: Mapping[str, Any], configs: str | Path | None
) -> tuple[Scenario, Study, Mapping[str, Any]]:
    """Return scenario and study as they are run: as they are."""
    return scenario, study, asked


def points(study: Study, asked: Mapping[str, Any]) -> list[Point]:
    """Return the points of a sweep: those of its design."""
    return design.points(study)


def study(made: Plan, asked: Mapping[str, Any], out: str | os.PathLike[str] | None, progress: Progress | None) -> Sweep:
    """Run a sweep, as every kind of study is run."""
    return run(made, out, progress)


def run(made: Plan, out: str | os.PathLike[str] | None = None, progress: Progress | None = None) -> Sweep:
    """Run a plan; see ``sweep``."""
    if out is None:
        return _run(made, None, progress)
    with Parts(out).held() as parts:
        return _run(made, parts, progress)


def _run(made: Plan, parts: Parts | None, progress: Progress | None) -> Sweep:
    started = perf_counter()
    keys = [made.key(point) for point in made.points]
    there = {} if parts is None else kept(parts)
    found = {key: there[key] for key in keys if key in there}
    taken, kernel = len(found), 0.0
    places = {key: k for k, key in enumerate(keys) if key not in found}  # a point that a design holds twice is run once
    threads, whole = min(made.scenario.run.threads or available_threads(), 256), taken + len(places)
    waiting, since = dict[str, list[Row]](), perf_counter()
    try:
        with contextlib.closing(each(made, list(places.items()), threads, parts)) as done:
            for key, every, seconds in done:
                found[key] = waiting[key] = [defined(one) for one in every]
                kernel += seconds
                if parts is not None and perf_counter() - since >= KEPT_EVERY:
                    keep(parts, waiting)
                    waiting, since = {}, perf_counter()
                if progress is not None:
                    progress(len(found), whole)
    except KeyboardInterrupt:
        if parts is None or not found:
            raise
        told = f"interrupted; {len(found)} of {whole} points are kept in {parts.folder}, and the same again goes on there"
        raise KeyboardInterrupt(told) from None
    finally:
        if parts is not None and waiting:
            keep(parts, waiting)
    if parts is not None:
        together(parts, {**there, **found})
    every_row = [found[key] for key in keys]
    return Sweep(made, every_row, perf_counter() - started, kernel, threads, taken, () if parts is None else tuple(parts.damaged))
