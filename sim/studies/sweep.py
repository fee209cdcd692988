"""Points of a design run one after the other, kept as they are done, and told in one tidy table."""

import contextlib
import math
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sim.compile import compile_tables
from sim.engine import Checkpoint
from sim.engine.cluster import connected, handed_out, hands, reach
from sim.engine.run import available_threads
from sim.kernels.types import Tables
from sim.measures.row import ERRORS, MEASURES, Row, row, rows
from sim.measures.sums import Floats
from sim.parts import Parts
from sim.scenario import Scenario
from sim.scenario.memory import Memory
from sim.scenario.sample import cells
from sim.scenario.study import Study, read_study
from sim.studies import design
from sim.studies.arms import NONE, Arm
from sim.studies.compare import compared
from sim.studies.design import Point
from sim.studies.discovery import Discovery, discover, told
from sim.studies.folder import parquet
from sim.studies.points import Plan, plan
from sim.studies.simulate import simulate

if TYPE_CHECKING:
    import pandas as pd

LARGE = 2_000_000
"""Customers of a point, over its arms and replicates, from which it is run on all threads at once, and kept under way."""

TOGETHER, SMALL = 8, 100_000
"""Points, and customers of theirs, that are handed to a thread at once: what compiles them stays warm in the processor's caches."""

KEPT_EVERY = 1.0
"""Seconds after which the points that are done are written."""

ENDING = ".parquet"

ENOUGH = 100
"""Points from which conditions are sought."""

ASKED: Mapping[str, Any] = {}
"""What can be asked for beside the design: nothing."""

Progress = Callable[[int, int], None]

Each = Generator[tuple[str, list[Row], float], None, None]
"""Key, rows and kernel seconds of points as they are done."""


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
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
    return run(plan(scenario, read_study({"vary": vary or {}, **rest}), configs), out, progress)


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
        with contextlib.closing(_each(made, list(places.items()), threads, parts)) as each:
            for key, every, seconds in each:
                found[key] = waiting[key] = [_defined(one) for one in every]
                kernel += seconds
                if parts is not None and perf_counter() - since >= KEPT_EVERY:
                    keep(parts, waiting)
                    waiting, since = {}, perf_counter()
                if progress is not None:
                    progress(len(found), whole)
    except KeyboardInterrupt:
        if parts is None:
            raise
        told = f"interrupted; {len(found)} of {whole} points are kept in {parts.folder}, and the same again goes on there"
        raise KeyboardInterrupt(told) from None
    finally:
        if parts is not None and waiting:
            keep(parts, waiting)
    if parts is not None:
        _together(parts, {**there, **found})
    every_row = [found[key] for key in keys]
    return Sweep(made, every_row, perf_counter() - started, kernel, threads, taken, () if parts is None else tuple(parts.damaged))


def _each(made: Plan, missing: Sequence[tuple[str, int]], threads: int, parts: Parts | None) -> Each:
    """Yield key, rows and kernel seconds of each point as it is done: small points side by side, a thread each; large ones in turn."""
    if not missing:
        return
    if made.scenario.run.executor == "dask":
        yield from _on_cluster(made, missing, threads)
        return
    if len(missing) < threads or _size(made.at(made.points[missing[0][1]])) >= LARGE:
        for key, k in missing:
            checkpoint = None if parts is None else Checkpoint(parts, f"run-{key}")
            yield key, *measured(made.at(made.points[k]), made.study.comparator, checkpoint=checkpoint)
            if checkpoint is not None:
                checkpoint.done()
        return
    yield from _side_by_side(made, missing, threads)


def _side_by_side(made: Plan, missing: Sequence[tuple[str, int]], threads: int) -> Each:
    (key, k), *rest = missing
    memory, size = Memory(), _size(made.at(made.points[k]))
    yield from ran(made, [(key, made.points[k])], memory)  # compiles what is not compiled yet, once, where Ctrl-C is obeyed
    some = max(1, min(TOGETHER, SMALL // size, len(rest) // (4 * threads)))
    batches = ([(key, made.points[k]) for key, k in rest[first : first + some]] for first in range(0, len(rest), some))
    with ThreadPoolExecutor(threads) as pool:
        pending: set[Future[list[tuple[str, list[Row], float]]]] = set()
        try:
            for batch in batches:
                pending.add(pool.submit(ran, made, batch, memory))
                if len(pending) >= 2 * threads:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (one for future in done for one in future.result())
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (one for future in done for one in future.result())
        finally:
            for future in pending:
                future.cancel()


def _on_cluster(made: Plan, missing: Sequence[tuple[str, int]], workers: int) -> Each:
    """Hand points out to a cluster, as many at once as take about a second; the first is run here, and says how many that are."""
    reach(made.scenario.run)
    (key, k), *rest = missing
    yield key, *measured(made.at(made.points[k], 1), made.study.comparator)
    if not rest:
        return
    started = perf_counter()
    if len(rest) > 4 * workers:  # else one at a time
        measured(made.at(made.points[k], 1), made.study.comparator)
    second = int(1.0 / (perf_counter() - started))
    with connected(made.scenario.run, workers) as client:
        size = max(1, min(second, -(-len(rest) // (4 * max(workers, hands(client))))))
        pieces = (([(key, made.points[k]) for key, k in rest[first : first + size]],) for first in range(0, len(rest), size))
        for _, found in handed_out(client, on_worker, replace(made, points=[]), pieces):
            yield from found


def on_worker(made: Plan, batch: Sequence[tuple[str, Point]]) -> list[tuple[str, list[Row], float]]:
    """Return key, rows and kernel seconds of some points."""
    return ran(made, batch, Memory())


def ran(made: Plan, batch: Sequence[tuple[str, Point]], memory: Memory) -> list[tuple[str, list[Row], float]]:
    """Return key, rows and kernel seconds of some points, each on one thread; memory: of ``compile_tables``."""
    every = [(key, made.at(point, 1)) for key, point in batch]
    tables = [compile_tables(*(arm.scenario for arm in arms), memory=memory) for _, arms in every]
    return [(key, *measured(arms, made.study.comparator, one)) for (key, arms), one in zip(every, tables, strict=True)]


def _size(arms: Sequence[Arm]) -> int:
    """Return the customers of a point, over its arms and replicates."""
    first = arms[0].scenario
    return sum(cell.sampled for cell in cells(first)) * first.run.replicates * len(arms)


def measured(
    arms: Sequence[Arm], comparator: str = NONE, tables: Tables | None = None, checkpoint: Checkpoint | None = None
) -> tuple[list[Row], float]:
    """Return the rows of a point's arms, and the seconds in the kernels, over all threads; see ``simulate``."""
    if len(arms) == 1:
        result = simulate(arms[0].scenario, checkpoint=checkpoint, tables=tables)
        return [row(result.sample)], result.outcome.seconds * result.outcome.threads
    names = [arm.id for arm in arms]
    found = compared(arms[0].scenario, arms, comparator if comparator in names else NONE, checkpoint=checkpoint, tables=tables)
    outcome = found.results[0].outcome
    return rows(found.paired, found.comparator), outcome.seconds * outcome.threads


def keep(parts: Parts, done: Mapping[str, Sequence[Row]]) -> Path:
    """Write the rows of points as a part, and return its path."""
    import pandas as pd

    frame = pd.DataFrame([{"key": key, "arm": k, **one} for key, every in done.items() for k, one in enumerate(every)])
    return parts.add(f"rows-{sorted(done)[0][:8]}", ENDING, parquet(frame))


def kept(parts: Parts) -> dict[str, list[Row]]:
    """Return the rows of all points that are kept, by key."""
    import duckdb

    paths = [str(path) for path in parts.found(ENDING)]
    if not paths:
        return {}
    with duckdb.connect(":memory:") as connection:
        reader = connection.read_parquet(paths, union_by_name=True)
        columns, held = reader.columns, reader.fetchall()
    found: dict[str, dict[int, Row]] = {}
    for values in held:
        told = {name: value for name, value in zip(columns, values, strict=True) if value is not None}
        found.setdefault(told.pop("key"), {})[told.pop("arm")] = told
    return {key: [every[k] for k in sorted(every)] for key, every in found.items()}


def _together(parts: Parts, every: Mapping[str, list[Row]]) -> None:
    """Make one part of all: a sweep of a thousand seconds leaves one file, not a thousand."""
    before = parts.found(ENDING)
    if len(before) > 1:
        whole = keep(parts, every)
        for path in before:
            if path != whole:  # one that was killed here had written it already
                path.unlink(missing_ok=True)


def _defined(found: Row) -> Row:
    """Return a row without what is not defined, as it comes back from a part."""
    return {name: value for name, value in found.items() if not isinstance(value, float) or math.isfinite(value)}
