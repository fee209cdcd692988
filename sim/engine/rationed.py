"""Policies that cannot treat everybody: the population in the order of the calendar, ranked before each period's contacts.

In every calendar period each policy in turn says whom it may contact and how they rank; those who come first are contacted, until
its capacity is full or its budget is spent; then everybody is stepped through the period. Cases and replicates go one after the other.
Where nothing binds, this agrees with the driver by groups to the last bit. A firm that learns from its customers does so between periods.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np

from sim.engine.arrays import canonical, empty_kept, empty_scratch, empty_state, empty_tally, merge, width
from sim.engine.learning import Learner
from sim.engine.panel import Panel, complete, empty_panel, look
from sim.engine.reach import SLACK, Rations, ends, in_rank, purses
from sim.engine.run import Outcome, available_threads, groups, timed
from sim.engine.seen import Candidates, Judges
from sim.kernels.drivers import CELL, CHOSEN, FIRST, FREELY, RANKED, REPLICATE, run_contacts, run_pairs, run_period
from sim.kernels.types import GROUP, LASTS, NOBODY, SUBSCRIPTION, Array, Kept, Scratch, State, Tables, Tally
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.world import Run

T = TypeVar("T")

TRACED = 8
"""Stages that there is room for in each customer's trace, where cases are compared; it is doubled when one has entered as many."""


def refuse_beside(scenario: Scenario) -> None:
    """Raise ScenarioError where what needs independent customers is asked for beside what couples them through the calendar."""
    run, beside = scenario.run, "learning" if scenario.learning else "a policy with a capacity, a budget or a trigger"
    asked = {
        "run.precision": run.precision is not None or run.precision_money is not None,
        "crowd": scenario.crowd is not None,
        "word_of_mouth.recruits": scenario.recruiting,
    }
    found = [Fault(key, "", f"must be off beside {beside}, which couples customers") for key, on in asked.items() if on]
    if found:
        raise ScenarioError(found)


@dataclass(eq=False)
class _Part:
    """Groups of one arrival that one thread steps. address: (group,) uint64 of each group's first place."""

    rows: Array
    address: Array
    state: State
    scratch: Scratch
    tally: Tally

    def make_room(self, k: int, most: int) -> None:
        """Let each customer of case k enter one more stage, of ``most`` in all."""
        trace = self.state.trace
        depth = trace.shape[2]
        if trace.size > 0 and depth < most and self.state.steps[:, k].max() == depth:
            more = min(depth, most - depth)
            self.state = self.state._replace(trace=np.pad(trace, ((0, 0), (0, 0), (0, more), (0, 0))))


class _Ranked(NamedTuple):
    """Customers of a part whom a policy may contact, (n,): their places in the flat state, their keys in rank, ``State.takes``."""

    at: Array
    keys: Array
    takes: Array


def run_rationed(
    tables: Tables,
    sampled: Sequence[int],
    settings: Run,
    horizon: int,
    rations: Sequence[tuple[Rations, Sequence[Judges]]],
    on_progress: Callable[[int, int], None] | None = None,
    learners: Mapping[int, Learner] | None = None,
    followed: tuple[Sequence[int], Array | None] | None = None,
) -> Outcome:
    """Simulate all cases and replicates of a population some of whose policies are rationed.

    rations: of each case, and who else judges its policies' customers; on_progress: called with the periods done and those to do;
    learners: by case, those whose firm learns from its customers; followed: how many customers of each cell are followed, and for how long
    they had stood in their stages (see ``follow``).
    """
    started, cases = time.perf_counter(), len(tables.variant)
    threads = max(1, min(settings.threads or available_threads(), 256))
    room = sum(sampled) * settings.replicates if settings.keep_customers else 0
    kept = empty_kept(cases, room, bool((tables.purchase != SUBSCRIPTION).any()))
    total = empty_tally(tables, horizon, settings.replicates, shared=bool(learners))
    every = np.array(list(groups([0] * len(sampled), sampled, settings.replicates, settings.keep_customers)), np.int64).reshape(
        -1, FIRST + 1
    )
    panels = [empty_panel(tables, followed[0], horizon, k) for k in range(cases)] if followed else []
    done, whole = 0, cases * settings.replicates * (horizon + int(tables.arrival.max()))
    with ThreadPoolExecutor(threads) as pool:
        spread = map if threads == 1 else pool.map  # handing work to another thread costs more than many a period takes
        for replicate in range(settings.replicates):
            watching = panels if replicate == 0 else []
            sizes = threads, horizon, settings.replicates, width(max(sampled, default=0))
            wanted = cases > 1 or len(watching) > 0, bool(learners)
            parts = _parts(tables, every[every[:, REPLICATE] == replicate], kept, sizes, wanted)
            for k in range(cases):
                world = _World(tables, kept, parts, spread, horizon, k, watching[k] if watching else None, *rations[k])
                learner = (learners or {}).get(k)
                for part in (one for ones in parts.values() for one in ones):
                    part.scratch.load[:] = 1.0
                for y in range(horizon + int(tables.arrival.max())):
                    if learner is not None:
                        learner.learn([part.tally for ones in parts.values() for part in ones], y)
                    world.live(y)
                    done += 1
                    if on_progress is not None:
                        on_progress(done, whole)
            for part in (one for ones in parts.values() for one in ones):
                if cases > 1:
                    run_pairs(tables, part.tally, part.state, part.scratch, part.rows)
                merge(total, part.tally, replicate)
    for panel in panels:
        complete(panel, tables, followed[1] if followed else None)
    seconds = time.perf_counter() - started
    rows = kept if settings.keep_customers else None
    return Outcome(tuple(sampled), canonical(total), rows, threads, seconds, panels=tuple(panels))


def _parts(tables: Tables, rows: Array, kept: Kept, sizes: tuple[int, int, int, int], wanted: tuple[bool, bool]) -> dict[int, list[_Part]]:
    """Return the groups of each arrival, cut up for the threads.

    sizes: threads, horizon, replicates, ``width``; wanted: ``compared`` of ``empty_state``, ``shared`` of ``empty_tally``.
    """
    threads, horizon, replicates, wide = sizes
    traced = min(TRACED, horizon + 1) if len(tables.variant) > 1 else 0
    arrival = tables.arrival[rows[:, CELL]]
    address = np.arange(len(rows), dtype=np.uint64) * np.uint64(GROUP)
    found: dict[int, list[_Part]] = {}
    for y in np.unique(arrival).tolist():
        mine = np.nonzero(arrival == y)[0]
        found[int(y)] = [
            _Part(
                rows[part],
                address[part],
                empty_state(tables, len(part), wide, timed(kept), rationed=True, compared=wanted[0], traced=traced),
                empty_scratch(tables, wide),
                empty_tally(tables, horizon, replicates, shared=wanted[1]),
            )
            for part in np.array_split(mine, min(threads, len(mine)))
        ]
    return found


Here = Sequence[tuple[_Part, int]]
"""Parts and the tenure of their customers."""


@dataclass(frozen=True)
class _World:
    """One replicate of one case under way."""

    tables: Tables
    kept: Kept
    parts: dict[int, list[_Part]]
    spread: Callable[..., Iterable[Any]]
    horizon: int
    k: int
    panel: Panel | None
    rations: Rations
    judges: Sequence[Judges]

    def live(self, y: int) -> None:
        """Take everybody who is there through calendar period y."""
        here = [(part, y - arrival) for arrival, parts in self.parts.items() if 0 <= y - arrival < self.horizon for part in parts]
        self._each([(part, t) for part, t in here if t == 0], partial(self._contact, -1, FREELY))
        held = [self._held(here, p) if one.binds else (0, 0) for p, one in enumerate(self.rations.each)]
        left = purses(self.rations, [served for _, served in held])
        for p, ration in enumerate(self.rations.each):
            if ration.binds or self.judges[p].trigger is not None:
                self._ration(here, p, *held[p], left)
            else:
                self._each(here, partial(self._contact, p, FREELY))
            if math.isfinite(ration.room):
                members, _ = self._held(here, p)
                for part, _ in here:
                    part.scratch.load[p] = min(1.0, ration.room / max(members, 1))
        self._each(here, self._step)
        if self.panel is not None:
            for part, t in here:
                look(self.panel, self.tables, part.rows, part.state, self.k, t)

    def _each(self, here: Here, work: Callable[[_Part, int], T]) -> list[T]:
        return list(self.spread(lambda one: work(*one), here))

    def _contact(self, p: int, how: int, part: _Part, t: int) -> None:
        run_contacts(self.tables, part.tally, part.state, part.scratch, part.rows, self.k, t, p, how)

    def _step(self, part: _Part, t: int) -> None:
        part.make_room(self.k, self.horizon + 1)
        run_period(self.tables, part.tally, self.kept, part.state, part.scratch, part.rows, self.k, t)

    def _ration(self, here: Here, p: int, held: int, served: int, left: dict[str, float]) -> None:
        """Contact those whom capacity and budgets reach, the highest first, ties by address, and take what they cost off ``left``.

        held: members, who fill the capacity; served: those of them who do not wait for somebody to look after them, and cost something.
        """
        ration, ranked = self.rations.each[p], self._each(here, partial(self._rank, p))
        keys, takes = (np.concatenate(list(values)) for values in list(zip(*ranked, strict=True))[1:])
        if keys.size == 0:
            return
        own = ration.budget * SLACK - served * ration.each[2]
        limit = ends(keys, takes, held, ration, min(own, left.get(ration.shared or "", own)))
        counts = sum(self.spread(lambda one: self._take(p, limit, one[0], *one[1]), zip(ranked, here, strict=True)))
        if ration.shared is not None:
            left[ration.shared] -= ration.spent(np.asarray(counts))

    def _rank(self, p: int, part: _Part, t: int) -> _Ranked:
        """Return the customers of a part whom policy p may contact."""
        self._contact(p, RANKED, part, t)
        score, judges = part.state.score.reshape(-1), self.judges[p]
        at = np.flatnonzero(score != NOBODY)
        period = t + int(self.tables.arrival[part.rows[0, CELL]])
        if judges.trigger is not None:
            chosen = judges.trigger(Candidates(self.tables, part.rows, part.state, self.k, p, t, period, at))
            score[at[~chosen]] = NOBODY
            at = at[chosen]
        found = score[at]
        if judges.score is not None:
            found = judges.score(Candidates(self.tables, part.rows, part.state, self.k, p, t, period, at))
        address = part.address[at // part.state.row.shape[1]] + part.state.place.reshape(-1)[at]
        return _Ranked(at, in_rank(found, address), part.state.takes.reshape(-1)[at])

    def _take(self, p: int, limit: Array, ranked: _Ranked, part: _Part, t: int) -> Array:
        """Contact those of a part whose keys lie below the limits of ``ends``; return how many, by ``State.takes``, (4,)."""
        out = ranked.keys >= limit[(ranked.takes >= 2).astype(np.intp)]
        part.state.score.reshape(-1)[ranked.at[out]] = NOBODY
        self._contact(p, CHOSEN, part, t)
        return np.bincount(ranked.takes[~out], minlength=4)

    def _held(self, here: Here, p: int) -> tuple[int, int]:
        """Return how many customers are members of policy p, and how many of them do not wait for somebody to look after them."""
        members, served = zip(*self._each(here, partial(self._members, p)), strict=True)
        return sum(members), sum(served)

    def _members(self, p: int, part: _Part, t: int) -> tuple[int, int]:
        """Return how many members of policy p a part has, and how many of them do not wait at the end of the period before."""
        variant = self.tables.variant[self.k, self.tables.segment[part.rows[:, CELL]]]
        lasts = int(self.tables.policy_when[variant, p, LASTS].max())  # segments do not change policies
        q, i = np.nonzero(part.state.since[:, p] > (max(t + 1 - lasts, 0) if lasts else 0))
        inside = (i < part.state.live[q]) & (self.tables.policy_member[variant[q], p, part.state.row[q, i]] != 0)
        waits = part.state.vacant[q, p, i] > t if part.state.vacant.shape[1] > 0 else np.zeros_like(inside)
        return int(inside.sum()), int((inside & ~waits).sum())
