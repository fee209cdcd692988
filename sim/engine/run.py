"""The run: chunks of groups, handed to threads as they become free; each thread counts for itself, and the counts are added.

Threads are Python's: the kernels hold no interpreter lock. A chunk, or a period of a thread's part of the population, takes a fraction
of a second, so that progress shows, and Ctrl-C is obeyed, between two of them. No result depends on which thread ran what, or in
which order.
"""

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.engine.arrays import canonical, empty_kept, empty_scratch, empty_state, empty_tally, merge, width
from sim.engine.following import follow
from sim.kernels.drivers import COUNT, FIRST, run_groups, run_period
from sim.kernels.types import GROUP, SUBSCRIPTION, Array, Kept, Scratch, Tables, Tally
from sim.scenario.world import Run

if TYPE_CHECKING:
    from sim.engine.panel import Panel

SMALLEST_CHUNK, LARGEST_CHUNK = 2, 32
"""Groups handed out at once: enough that calling the kernel costs little, few enough (65,536 customers) to take well under a second."""


@dataclass(frozen=True)
class Arrivals:
    """Customers of each case, replicate and cell: all, those of them who are recruits, the recruits' CLV, and what winning them cost.

    customers, recruits: (k, replicate, g) int64; value: (k, replicate, g, kind, 2) int64, two words, units; fees: (k, g, t, 2) likewise,
    discounted, a part of the tally's acquisition.
    """

    customers: Array
    recruits: Array
    value: Array
    fees: Array


@dataclass(frozen=True)
class Outcome:
    """What a run leaves.

    sampled: customers of each cell, in each replicate (planned ones, where arrivals depend on customers); tally: the sums over them;
    arrivals: who came, where arrivals depend on customers, else None;
    kept: one entry a customer, in order of replicate, cell and serial (None unless asked for);
    panels: a panel a case, where customers had to be followed in the run itself, else none;
    threads: used; seconds: wall clock in the kernels, from the first chunk to the last.
    """

    sampled: tuple[int, ...]
    tally: Tally
    kept: Kept | None
    threads: int
    seconds: float
    arrivals: "Arrivals | None" = None
    panels: "tuple[Panel, ...]" = ()


def available_threads() -> int:
    """Return the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def groups(done: Sequence[int], sampled: Sequence[int], replicates: int, keep: bool) -> Iterator[tuple[int, ...]]:
    """Yield every group of customers from ``done`` on, in the columns of ``sim.kernels.drivers``."""
    first = 0
    for replicate in range(replicates):
        for cell, count in enumerate(sampled):
            for serial in _serials(done[cell], count):
                skip = max(0, done[cell] - serial)
                yield replicate, cell, serial, skip, min(GROUP, count - serial) - skip, first + serial if keep else -1
            first += count


def count_groups(done: Sequence[int], sampled: Sequence[int]) -> int:
    """Return how many groups a replicate has."""
    return sum(len(_serials(*ends)) for ends in zip(done, sampled, strict=True))


def _serials(done: int, count: int) -> range:
    """Return the first serial of each group that has customers from ``done`` on."""
    return range(done // GROUP * GROUP if done < count else count, count, GROUP)


def run(
    tables: Tables,
    sampled: Sequence[int],
    settings: Run,
    horizon: int,
    on_progress: Callable[[int, int], None] | None = None,
    before: Outcome | None = None,
) -> Outcome:
    """Simulate ``sampled`` customers of each cell, all cases and replicates.

    on_progress: called every tenth of a second with the customers done and those to do, from the thread that called ``run``;
    before: what an earlier run of fewer customers left, who are not simulated again: the outcome is that of one run of all.
    """
    done = before.sampled if before else (0,) * len(sampled)
    total = (sum(sampled) - sum(done)) * settings.replicates
    room = sum(sampled) * settings.replicates if settings.keep_customers else 0
    kept = empty_kept(tables.variant.shape[0], room, bool((tables.purchase != SUBSCRIPTION).any()))
    threads = min(settings.threads or available_threads(), 256)
    every = groups(done, sampled, settings.replicates, settings.keep_customers)
    n_groups = count_groups(done, sampled) * settings.replicates
    started = time.perf_counter()
    threads = max(1, min(threads, n_groups))
    sizes = threads, horizon, settings.replicates, width(max(sampled, default=0))
    if settings.driver == "period":
        compile_now(run_period, tables, kept, horizon, settings.replicates, 0, 0)
        parts = iter(np.array_split(np.array(list(every), np.int64).reshape(-1, FIRST + 1), threads))
        tally, _ = on_threads(through_periods, tables, kept, parts, sizes, total, on_progress)
    else:
        compile_now(run_groups, tables, kept, horizon, settings.replicates, empty_state(tables, 0, 0, timed(kept)))
        tally, _ = on_threads(through_groups, tables, kept, chunks(every, n_groups, threads), sizes, total, on_progress)
    seconds = time.perf_counter() - started
    if before is not None:
        merge(tally, before.tally)
        seconds += before.seconds
        if before.kept is not None:
            _keep(kept, sampled, before.kept, done, settings.replicates)
    return Outcome(tuple(sampled), canonical(tally), kept if settings.keep_customers else None, threads, seconds)


def timed(kept: Kept) -> bool:
    """Return whether the time of the last order is kept."""
    return kept.last_order.size > 0


def _keep(kept: Kept, sampled: Sequence[int], before: Kept, done: Sequence[int], replicates: int) -> None:
    """Put the customers kept by an earlier run at the head of their cells."""
    place = source = 0
    for count, first in zip([*sampled] * replicates, [*done] * replicates, strict=True):
        for mine, theirs in zip(kept, before, strict=True):
            if mine.size > 0:
                mine[:, place : place + first] = theirs[:, source : source + first]
        place, source = place + count, source + first


def chunks(every: Iterator[tuple[int, ...]], left: int, threads: int) -> Iterator[Array]:
    """Yield the groups in arrays, each half of a thread's share of those ``left``, so that threads end together; one has no other."""
    while left > 0:
        share = left if threads == 1 else max(SMALLEST_CHUNK, left // (2 * threads))
        size = min(share, LARGEST_CHUNK, left)
        left -= size
        yield np.array(list(itertools.islice(every, size)), np.int64)


def compile_now(driver: Callable[..., None], tables: Tables, kept: Kept, horizon: int, replicates: int, *more: object) -> None:
    """Run a driver that is not compiled yet on nobody, so that it is compiled in this thread, where Ctrl-C is obeyed.

    more: its last arguments.
    """
    if getattr(driver, "overloads", True):  # one suits all tables; without JIT there is none
        return
    nobody = np.empty((0, FIRST + 1), np.int64)
    state, scratch = empty_state(tables, 1, 0, timed(kept)), empty_scratch(tables, 0)
    driver(tables, empty_tally(tables, horizon, replicates), kept, state, scratch, nobody, *more)


def through_groups(tables: Tables, tally: Tally, kept: Kept, scratch: Scratch, chunks: Iterator[Array]) -> Iterator[float]:
    """Take one group after the other through life, the driver being compiled; yield customers done."""
    several, wide = len(tables.variant) > 1, scratch.moved.size
    traced = tally.flows.shape[2] + 1 if several else 0
    state = empty_state(tables, 1, wide, timed(kept), compared=several, traced=traced)
    ahead = empty_state(tables, len(tables.follows), wide, timed(kept))
    for chunk in chunks:
        run_groups(tables, tally, kept, state, scratch, chunk, ahead)
        yield float(chunk[:, COUNT].sum())
    if len(tables.follows) > 0:
        follow(tables, tally)


def through_periods(tables: Tables, tally: Tally, kept: Kept, scratch: Scratch, chunks: Iterator[Array]) -> Iterator[float]:
    """Take all groups of a chunk through one period after the other, likewise; yield each period's part of the customers."""
    steps = list(itertools.product(range(len(tables.variant)), range(tally.flows.shape[2])))
    for chunk in chunks:
        state = empty_state(tables, len(chunk), scratch.moved.size, timed(kept))
        for k, t in steps:
            run_period(tables, tally, kept, state, scratch, chunk, k, t)
            yield float(chunk[:, COUNT].sum()) / len(steps)


def on_threads(
    through: Callable[[Tables, Tally, Kept, Scratch, Iterator[Array]], Iterator[float]],
    tables: Tables,
    kept: Kept,
    chunks: Iterator[Array],
    sizes: tuple[int, int, int, int],
    total: int,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[Tally, Array]:
    """Take chunks of groups through life on threads; return what was counted, and the recruits made (n, 3).

    through: ``through_groups`` or ``through_periods``; sizes: threads, horizon, replicates, ``width`` of a group.
    """
    threads, horizon, replicates, wide = sizes
    mine, stop = _shared(chunks), threading.Event()
    finished = [0.0] * threads

    def work(number: int) -> tuple[Tally, list[Array]]:
        tally, scratch, recruits = empty_tally(tables, horizon, replicates), empty_scratch(tables, wide), list[Array]()
        try:
            for done in through(tables, tally, kept, scratch, mine()):
                recruits.append(taken(scratch))
                finished[number] += done
                if stop.is_set():
                    break
        except BaseException:
            stop.set()
            raise
        return tally, recruits

    if threads == 1 and on_progress is None:
        return _joined([work(0)])
    with ThreadPoolExecutor(threads) as pool:
        try:
            pending = [pool.submit(work, number) for number in range(threads)]
            while on_progress is not None and wait(pending, timeout=0.1).not_done:
                on_progress(int(sum(finished)), total)
            done = [future.result() for future in pending]
        except BaseException:
            stop.set()
            raise
    if on_progress is not None:
        on_progress(total, total)
    return _joined(done)


def _shared(chunks: Iterator[Array]) -> Callable[[], Iterator[Array]]:
    """Return what gives each thread an iterator of its own over chunks that all take theirs from."""
    lock = threading.Lock()

    def mine() -> Iterator[Array]:
        while True:
            with lock:
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk

    return mine


def taken(scratch: Scratch) -> Array:
    """Return the recruits that a call has made, and make room for the next one's; raise OverflowError where there was too little."""
    made = int(scratch.made[0])
    scratch.made[0] = 0
    if made > len(scratch.recruited):
        raise OverflowError(f"{made:,} recruits at once")
    return np.array(scratch.recruited[:made])


def _joined(parts: list[tuple[Tally, list[Array]]]) -> tuple[Tally, Array]:
    """Return the sum of the tallies and all recruits."""
    recruits = [few for _, made in parts for few in made]
    whole = parts[0][0]
    for other, _ in parts[1:]:
        merge(whole, other)
    return whole, np.concatenate([np.empty((0, 3), np.uint64), *recruits])
