"""Points of a design run: small ones side by side, a thread each, large ones in turn, or all of them on a cluster."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from time import perf_counter

from sim.compile import compile_tables
from sim.engine import Checkpoint
from sim.engine.cluster import connected, handed_out, hands, reach
from sim.kernels.types import Tables
from sim.measures.row import Row, row, rows
from sim.parts import Parts
from sim.scenario.memory import Memory, memory_of
from sim.scenario.sample import cells
from sim.studies.arms import NONE, Arm
from sim.studies.compare import compared
from sim.studies.comparison import Comparison
from sim.studies.design import Point
from sim.studies.points import Plan
from sim.studies.result import Result
from sim.studies.simulate import simulate

LARGE = 2_000_000
"""Customers of a point, over its arms and replicates, from which it is run on all threads at once, and kept under way."""

TOGETHER, SMALL = 8, 100_000
"""Points, and customers of theirs, that are handed to a thread at once: what compiles them stays warm in the processor's caches."""

Ran = tuple[str, list[Row], float]
"""Key, rows and kernel seconds of a point."""

Each = Generator[Ran, None, None]
"""Points as they are done."""


def each(made: Plan, missing: Sequence[tuple[str, int]], threads: int, parts: Parts | None) -> Each:
    """Yield key, rows and kernel seconds of each point as it is done: small points side by side, a thread each; large ones in turn."""
    if not missing:
        return
    if made.scenario.run.executor == "dask":
        yield from _on_cluster(made, missing, threads)
        return
    if threads == 1 or len(missing) < threads or _largest(made, missing) >= LARGE:
        memory = memory_of(len(missing))
        for key, k in missing:
            arms, checkpoint = made.at(made.points[k]), None if parts is None else Checkpoint(parts, f"run-{key}")
            yield key, *_told(simulated(arms, made.study.comparator, _compiled(arms, memory), checkpoint))
            if checkpoint is not None:
                checkpoint.done()
        return
    yield from _side_by_side(made, missing, threads)


def _side_by_side(made: Plan, missing: Sequence[tuple[str, int]], threads: int) -> Each:
    (key, k), *rest = missing
    memory = memory_of(len(missing))
    yield from ran(made, [(key, made.points[k])], memory)  # compiles what is not compiled yet, once, where Ctrl-C is obeyed
    some = max(1, min(TOGETHER, SMALL // _largest(made, missing), len(rest) // (4 * threads)))
    batches = ([(key, made.points[k]) for key, k in rest[first : first + some]] for first in range(0, len(rest), some))
    with ThreadPoolExecutor(threads) as pool:
        pending: set[Future[list[Ran]]] = set()
        try:
            for batch in batches:
                pending.add(pool.submit(ran, made, batch, memory))
                if len(pending) >= 2 * threads:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from _all(done)
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from _all(done)
        finally:
            for future in pending:
                future.cancel()


def _all(done: Iterable[Future[list[Ran]]]) -> Iterator[Ran]:
    """Yield what came of some points; an error is raised when the others' have been."""
    for future in sorted(done, key=lambda one: one.exception() is not None):
        yield from future.result()


def _on_cluster(made: Plan, missing: Sequence[tuple[str, int]], workers: int) -> Each:
    """Hand points out to a cluster, as many at once as take about a second; the first is run here, and says how many that are."""
    reach(made.scenario.run)
    (key, k), *rest = missing
    yield from ran(made, [(key, made.points[k])], None)
    if not rest:
        return
    started = perf_counter()
    if len(rest) > 4 * workers:  # else one at a time
        ran(made, [(key, made.points[k])], None)
    second = int(1.0 / (perf_counter() - started))
    with connected(made.scenario.run, workers) as client:
        size = max(1, min(second, -(-len(rest) // (4 * max(workers, hands(client))))))
        pieces = (([(key, made.points[k]) for key, k in rest[first : first + size]],) for first in range(0, len(rest), size))
        for _, found in handed_out(client, on_worker, replace(made, points=[]), pieces):
            yield from found


def on_worker(made: Plan, batch: Sequence[tuple[str, Point]]) -> list[Ran]:
    """Return key, rows and kernel seconds of some points."""
    memory, groups = memory_of(len(batch)), (batch[first : first + TOGETHER] for first in range(0, len(batch), TOGETHER))
    return [one for some in groups for one in ran(made, some, memory)]


def ran(made: Plan, batch: Sequence[tuple[str, Point]], memory: Memory | None) -> list[Ran]:
    """Return key, rows and kernel seconds of some points, each on one thread; memory: of ``compile_tables``."""
    every = [(key, made.at(point, 1)) for key, point in batch]
    tables = [_compiled(arms, memory) for _, arms in every]
    found = [simulated(arms, made.study.comparator, one) for (_, arms), one in zip(every, tables, strict=True)]
    return [(key, *_told(one)) for (key, _), one in zip(every, found, strict=True)]


def _compiled(arms: Sequence[Arm], memory: Memory | None) -> Tables:
    return compile_tables(*(arm.scenario for arm in arms), memory=memory)


def _largest(made: Plan, missing: Sequence[tuple[str, int]]) -> int:
    """Return the most customers of any point."""
    paths = [path for name, factor in made.study.vary.items() for path in factor.paths or (name,)]
    differ = any(path.split(".")[0] in ("run", "firm", "cohorts") for path in paths)
    return max(_size(made.at(made.points[k])) for _, k in (missing if differ else missing[:1]))


def _size(arms: Sequence[Arm]) -> int:
    """Return the customers of a point, over its arms and replicates."""
    first = arms[0].scenario
    return sum(cell.sampled for cell in cells(first)) * first.run.replicates * len(arms)


def simulated(
    arms: Sequence[Arm], comparator: str = NONE, tables: Tables | None = None, checkpoint: Checkpoint | None = None
) -> Result | Comparison:
    """Return what came of a point: a Result, or the Comparison of its arms; see ``simulate``."""
    if len(arms) == 1:
        return simulate(arms[0].scenario, checkpoint=checkpoint, tables=tables)
    against = comparator if comparator in [arm.id for arm in arms] else NONE
    return compared(arms[0].scenario, arms, against, checkpoint=checkpoint, tables=tables)


def _told(found: Result | Comparison) -> tuple[list[Row], float]:
    """Return the rows of a point's arms, and the seconds in the kernels, over all threads."""
    if isinstance(found, Result):
        return [row(found.sample)], found.outcome.seconds * found.outcome.threads
    outcome = found.results[0].outcome
    return rows(found.paired, found.comparator), outcome.seconds * outcome.threads
