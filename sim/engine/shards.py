"""One big run on a cluster: shards of its customers, counted by whoever is free, added up in whatever order, to the same last bit."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence

from sim.engine.arrays import canonical, empty_tally, merge
from sim.engine.checkpoint import FIRST_STEP, Checkpoint
from sim.engine.cluster import connected, handed_out, hands, reach
from sim.engine.run import Outcome, available_threads, run
from sim.kernels.types import Tables
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.sample import cells
from sim.scenario.world import Run

Progress = Callable[[int, int], None]

KEPT = 2 * FIRST_STEP
"""Customers, over all replicates, whose rows are kept under ``run.executor=dask``: they are simulated here, and not worth handing out."""

KEPT_EVERY = 1.0
"""Seconds after which what is added up is kept."""


def shard(tables: Tables, settings: Run, horizon: int, done: Sequence[int], sampled: Sequence[int]) -> Outcome:
    """Return the counts of the customers of each cell from ``done`` to ``sampled``, in every replicate."""
    nobody = Outcome(tuple(done), empty_tally(tables, horizon, settings.replicates), None, 1, 0.0)
    return run(tables, sampled, settings, horizon, None, nobody)


def _work(shared: tuple[Tables, Run, int], done: Sequence[int], sampled: Sequence[int]) -> Outcome:
    return shard(*shared, done, sampled)


def in_line(scenario: Scenario) -> Callable[[int], tuple[int, ...]]:
    """Return what gives the customers of each cell among the first so many: existing ones come first, cell by cell, then new ones.

    A run that is kept with the first so many done can be taken up by any executor.
    """
    base = [cell.sampled if cell.base else 0 for cell in cells(scenario)]
    existing = sum(base)

    def first(count: int) -> tuple[int, ...]:
        if count > existing:
            return tuple(cell.sampled for cell in cells(scenario, count - existing))
        ends = itertools.accumulate(base)
        return tuple(min(max(count - end + size, 0), size) for size, end in zip(base, ends, strict=True))

    return first


def in_shards(
    tables: Tables,
    settings: Run,
    scenario: Scenario,
    customers: int,
    before: Outcome | None,
    checkpoint: Checkpoint | None,
    progress: Progress | None,
) -> Outcome:
    """Return the outcome of a run whose shards are handed out to a cluster; what is added up so far is kept under way.

    customers: new ones to be done in all; before: what is done already; progress: called with customers done and those in all, over
    replicates. The first shard is run here: it says how many customers are a second's work, and leaves compiled code for workers that
    share this disk. Rows of customers are kept of few only (``KEPT``). Raises ScenarioError before anything runs where more are asked
    for, or there is no cluster, and with what is done kept where it goes away.
    """
    at, horizon, replicates = in_line(scenario), int(scenario.horizon), settings.replicates
    end = sum(cell.sampled for cell in cells(scenario, customers))
    refuse_rows(settings, scenario)
    reach(settings)
    if settings.keep_customers:
        return run(tables, at(end), settings, horizon, None, before)
    start, alone = 0 if before is None else sum(before.sampled), settings.model_copy(update={"threads": 1, "driver": "group"})
    shard(tables, alone, horizon, at(start), at(start))  # compiles
    first = min(start + max(FIRST_STEP // replicates, 1), end)
    whole = shard(tables, alone, horizon, at(start), at(first))
    pace = int((first - start) / max(whole.seconds, 1e-3))
    if before is not None:
        whole = _added(whole, before)

    def told(count: int) -> None:
        if progress is not None:
            progress(min(count, end) * replicates, end * replicates)

    told(first)
    if first == end:
        return whole
    with connected(settings, settings.threads or available_threads()) as client:
        step = max(min(pace, -(-(end - first) // (4 * hands(client)))), FIRST_STEP // 8 // replicates, 1)
        stops = itertools.pairwise(itertools.chain(range(first, end, step), [end]))
        pieces = ((at(low), at(high)) for low, high in stops)
        found = handed_out(client, _work, (tables, alone, horizon), pieces)
        return _gathered(whole, _counted(found, lambda count: told(first + count * step)), checkpoint)


def refuse_rows(settings: Run, scenario: Scenario) -> None:
    """Raise ScenarioError where rows would be kept of customers that are handed out."""
    count = sum(cell.sampled for cell in cells(scenario)) * settings.replicates
    if settings.keep_customers and count > KEPT:
        rule = f"must be off with run.executor=dask above {KEPT:,} customers over all replicates; these are {count:,}"
        raise ScenarioError([Fault("run.keep_customers", "true", rule, "take run.executor=threads, or fewer run.customers")])


def _counted(found: Iterator[tuple[int, Outcome]], told: Callable[[int], None]) -> Iterator[tuple[int, Outcome]]:
    """Yield what is found, and tell how many shards that were."""
    for count, one in enumerate(found, 1):
        yield one
        told(count)


def _gathered(whole: Outcome, found: Iterator[tuple[int, Outcome]], checkpoint: Checkpoint | None) -> Outcome:
    """Return the sum of the first shard and those found, kept every second, and where their cluster goes away."""
    last = kept = whole
    since = time.perf_counter()
    try:
        for last in in_order(whole, found):
            if checkpoint is not None and time.perf_counter() - since >= KEPT_EVERY:
                checkpoint.save(last)
                kept, since = last, time.perf_counter()
    except BaseException:
        if checkpoint is not None and (last is whole or kept is not last):
            checkpoint.save(last)
        raise
    return last


def in_order(whole: Outcome, found: Iterator[tuple[int, Outcome]]) -> Iterator[Outcome]:
    """Yield the sum of the shards up to each, as soon as all before it are there: what is kept must be of the first customers.

    Those that come early are added to their neighbours: as many sums are held as there are gaps between them.
    """
    early, firsts = dict[int, tuple[int, Outcome]](), dict[int, int]()  # one past the last, and sum, by first; first by one past the last
    wanted = 0
    for number, one in found:
        first, end = number, number + 1
        if end in early:
            end, later = early.pop(end)
            one = _added(later, one)
        if first in firsts:
            first = firsts.pop(first)
            one = _added(one, early.pop(first)[1])
        early[first], firsts[end] = (end, one), first
        if wanted in early:
            wanted, one = early.pop(wanted)
            del firsts[wanted]
            whole = _added(one, whole)
            yield whole


def _added(last: Outcome, before: Outcome) -> Outcome:
    """Return the sum of what was done before and the last shard."""
    merge(last.tally, before.tally)
    return Outcome(last.sampled, canonical(last.tally), None, max(last.threads, before.threads), last.seconds + before.seconds)
