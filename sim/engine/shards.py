"""One big run on a cluster: shards of its customers, counted by whoever is free, added up in whatever order, to the same last bit."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from sim.engine.arrays import canonical, empty_tally, merge
from sim.engine.checkpoint import FIRST_STEP, Checkpoint
from sim.engine.cluster import connected, handed_out
from sim.engine.run import Outcome, available_threads, run
from sim.kernels.types import Tables
from sim.scenario.world import Run

Progress = Callable[[int, int], None]


def shard(tables: Tables, settings: Run, horizon: int, done: Sequence[int], sampled: Sequence[int]) -> Outcome:
    """Return the counts of the customers of each cell from ``done`` to ``sampled``, in every replicate."""
    nobody = Outcome(tuple(done), empty_tally(tables, horizon, settings.replicates), None, 1, 0.0)
    return run(tables, sampled, settings, horizon, None, nobody)


def _work(shared: tuple[Tables, Run, int], done: Sequence[int], sampled: Sequence[int]) -> Outcome:
    return shard(*shared, done, sampled)


def in_shards(
    tables: Tables,
    settings: Run,
    horizon: int,
    sampled: Callable[[int], Sequence[int]],
    ends: tuple[int, int],
    before: Outcome | None,
    checkpoint: Checkpoint | None,
    progress: Progress | None,
) -> Outcome:
    """Return the outcome of a run whose shards are handed out to a cluster; what is added up so far is kept under way.

    sampled: customers of each cell, of so many new ones; ends: new customers done, and to be done in all; before: what is done of them.
    The first shard is run here: it says how many customers are a second's work, and leaves compiled code for workers that share this disk.
    """
    alone = settings.model_copy(update={"threads": 1, "driver": "group"})
    first = min(ends[0] + max(FIRST_STEP // settings.replicates, 1), ends[1])
    nobody = (0,) * len(sampled(first))
    whole = shard(tables, alone, horizon, nobody if before is None else before.sampled, sampled(first))
    seconds = whole.seconds
    if before is not None:
        whole = _added(whole, before)
    step = max(int((first - ends[0]) / max(seconds, 1e-3)), FIRST_STEP // 8 // settings.replicates, 1)
    stops = [first, *range(first + step, ends[1], step), ends[1]]
    if first == ends[1]:
        return whole
    pieces = [(sampled(low), sampled(high)) for low, high in pairwise(stops)]
    with connected(settings, settings.threads or available_threads()) as client:
        for k, added in _in_order(whole, handed_out(client, _work, (tables, alone, horizon), pieces)):
            whole = added
            if checkpoint is not None and k + 1 < len(pieces):
                checkpoint.save(whole)
            if progress is not None:
                progress(sum(whole.sampled) * settings.replicates, sum(pieces[-1][1]) * settings.replicates)
    return whole


def _in_order(whole: Outcome, found: Iterator[tuple[int, Outcome]]) -> Iterator[tuple[int, Outcome]]:
    """Yield the sum of the shards up to each, as soon as all before it are there: what is kept must be of the first customers."""
    early: dict[int, Outcome] = {}
    wanted = 0
    for number, one in found:
        early[number] = one
        while wanted in early:
            whole = _added(early.pop(wanted), whole)
            yield wanted, whole
            wanted += 1


def _added(last: Outcome, before: Outcome) -> Outcome:
    """Return the sum of what was done before and the last shard."""
    merge(last.tally, before.tally)
    return Outcome(last.sampled, canonical(last.tally), None, max(last.threads, before.threads), last.seconds + before.seconds)
