"""Policies that cannot treat everybody: the population in the order of the calendar, ranked before each period's contacts.

In every calendar period each policy in turn says whom it may contact and how they rank; those who come first are contacted, until
its capacity is full or its budget is spent; then everybody is stepped through the period. Cases and replicates go one after the other.
Where nothing binds, this agrees with the driver by groups to the last bit. A firm that learns from its customers does so between periods.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from sim.engine.arrays import canonical, empty_kept, empty_scratch, empty_state, empty_tally, merge
from sim.engine.learning import Learner
from sim.engine.run import Outcome, available_threads, groups, timed
from sim.kernels.drivers import CELL, CHOSEN, FIRST, FREELY, RANKED, REPLICATE, SERIAL, run_contacts, run_pairs, run_period
from sim.kernels.types import GROUP, NOBODY, PAIRED, SUBSCRIPTION, Array, Kept, Scratch, State, Tables, Tally
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.world import Run


@dataclass(frozen=True)
class Ration:
    """What a policy may do in a calendar period, by the simulated customers' number. inf: as much as it likes.

    capacity: customers in force; budget: currency; each: currency for a contact, an uptake, and a member and period.
    """

    capacity: float
    budget: float
    each: tuple[float, float, float]

    @property
    def binds(self) -> bool:
        """Whether there is a limit at all."""
        return math.isfinite(self.capacity) or math.isfinite(self.budget)


def rations(scenario: Scenario, simulated: int, firm: float) -> tuple[Ration, ...]:
    """Return what each of a scenario's policies may do; simulated: customers, firm: those of the firm.

    Raises ScenarioError where a limit of the firm's meets a sample of its customers, and ``scale`` is not set.
    """
    weight, found = firm / simulated, []
    for key, policy in scenario.policies.items():
        if policy.rationed and not policy.scale and not math.isclose(weight, 1.0, rel_tol=1e-9):
            name = "capacity" if policy.capacity is not None else "budget"
            rule = f"is the firm's, whose {firm:,.0f} customers must then all be simulated, not {simulated:,}"
            hint = f"give run.customers={firm:.0f}, or scale: true, which divides it by {weight:.6g}"
            raise ScenarioError([Fault(f"policies.{key}.{name}", f"{getattr(policy, name):g}", rule, hint)])
        capacity = math.inf if policy.capacity is None else math.floor(policy.capacity / weight + 1e-9)
        budget = math.inf if policy.budget is None else policy.budget / weight
        found.append(Ration(capacity, budget, (policy.cost.per_contact, policy.cost.per_uptake, policy.cost.per_member)))
    return tuple(found)


def refuse_beside(scenario: Scenario) -> None:
    """Raise ScenarioError where what needs independent customers is asked for beside what couples them through the calendar."""
    run, beside = scenario.run, "learning" if scenario.learning else "a policy with a capacity or a budget"
    asked = {
        "run.precision": run.precision is not None or run.precision_money is not None,
        "run.panel": run.panel > 0,
        "crowd": scenario.crowd is not None,
        "word_of_mouth.recruits": scenario.recruiting,
    }
    found = [Fault(key, "", f"must be off beside {beside}, which couples customers") for key, on in asked.items() if on]
    if found:
        raise ScenarioError(found)


@dataclass(eq=False)
class _Part:
    """Groups of one arrival that one thread steps."""

    rows: Array
    state: State
    scratch: Scratch
    tally: Tally
    cases: Array


def run_rationed(
    tables: Tables,
    sampled: Sequence[int],
    settings: Run,
    horizon: int,
    rations: Sequence[Sequence[Ration]],
    on_progress: Callable[[int, int], None] | None = None,
    learners: Mapping[int, Learner] | None = None,
) -> Outcome:
    """Simulate all cases and replicates of a population some of whose policies are rationed.

    rations: of each case, its policies' in the order of the p axis; on_progress: called with the periods done and those to do; learners:
    by case, those whose firm learns from its customers.
    """
    started, cases = time.perf_counter(), len(tables.variant)
    threads = max(1, min(settings.threads or available_threads(), 256))
    room = sum(sampled) * settings.replicates if settings.keep_customers else 0
    kept = empty_kept(cases, room, bool((tables.purchase != SUBSCRIPTION).any()))
    total = empty_tally(tables, horizon, settings.replicates)
    every = np.array(list(groups([0] * len(sampled), sampled, settings.replicates, settings.keep_customers)), np.int64).reshape(
        -1, FIRST + 1
    )
    done, whole = 0, cases * settings.replicates * (horizon + int(tables.arrival.max()))
    with ThreadPoolExecutor(threads) as pool:
        for replicate in range(settings.replicates):
            parts = _parts(tables, every[every[:, REPLICATE] == replicate], kept, (threads, horizon, settings.replicates))
            for k in range(cases):
                world = _World(tables, kept, parts, pool, horizon, k, rations[k])
                learner = (learners or {}).get(k)
                for y in range(horizon + int(tables.arrival.max())):
                    if learner is not None:
                        learner.learn([part.tally for ones in parts.values() for part in ones], y)
                    world.live(y)
                    done += 1
                    if on_progress is not None:
                        on_progress(done, whole)
            for part in (one for ones in parts.values() for one in ones):
                for i in range(len(part.rows)):
                    run_pairs(tables, part.tally, part.scratch._replace(cases=part.cases[i]), part.rows, i)
                merge(total, part.tally)
    seconds = time.perf_counter() - started
    return Outcome(tuple(sampled), canonical(total), kept if settings.keep_customers else None, threads, seconds)


def _parts(tables: Tables, rows: Array, kept: Kept, sizes: tuple[int, int, int]) -> dict[int, list[_Part]]:
    """Return the groups of each arrival, cut up for the threads; sizes: threads, horizon, replicates."""
    threads, horizon, replicates = sizes
    arrival, cases = tables.arrival[rows[:, CELL]], len(tables.variant)
    found: dict[int, list[_Part]] = {}
    for y in np.unique(arrival).tolist():
        mine = rows[arrival == y]
        found[int(y)] = [
            _Part(
                part,
                empty_state(tables, len(part), timed(kept), rationed=True),
                empty_scratch(tables),
                empty_tally(tables, horizon, replicates),
                np.zeros((len(part), cases if cases > 1 else 0, len(PAIRED) + 1, GROUP), np.int64),
            )
            for part in np.array_split(mine, min(threads, len(mine)))
        ]
    return found


@dataclass(frozen=True)
class _World:
    """One replicate of one case under way."""

    tables: Tables
    kept: Kept
    parts: dict[int, list[_Part]]
    pool: ThreadPoolExecutor
    horizon: int
    k: int
    rations: Sequence[Ration]

    def live(self, y: int) -> None:
        """Take everybody who is there through calendar period y."""
        here = [(part, y - arrival) for arrival, parts in self.parts.items() if 0 <= y - arrival < self.horizon for part in parts]
        new = [(part, t) for part, t in here if t == 0]
        self._each(new, partial(self._contact, -1, FREELY))
        for p, ration in enumerate(self.rations):
            if ration.binds:
                self._each(here, partial(self._contact, p, RANKED))
                self._choose(here, p, ration)
                self._each(here, partial(self._contact, p, CHOSEN))
            else:
                self._each(here, partial(self._contact, p, FREELY))
        self._each(here, self._step)

    def _each(self, here: Sequence[tuple[_Part, int]], work: Callable[[_Part, int], None]) -> None:
        for future in [self.pool.submit(work, part, t) for part, t in here]:
            future.result()

    def _contact(self, p: int, how: int, part: _Part, t: int) -> None:
        run_contacts(self.tables, part.tally, part.state, part.scratch, part.rows, self.k, t, p, how)

    def _step(self, part: _Part, t: int) -> None:
        """Step a part; in the last period group by group, so that each leaves its results in a place of its own."""
        if t < self.horizon - 1 or part.cases.size == 0:
            run_period(self.tables, part.tally, self.kept, part.state, part.scratch, part.rows, self.k, t)
            return
        for i in range(len(part.rows)):
            state, scratch = State(*(values[i : i + 1] for values in part.state)), part.scratch._replace(cases=part.cases[i])
            run_period(self.tables, part.tally, self.kept, state, scratch, part.rows[i : i + 1], self.k, t)

    def _choose(self, here: Sequence[tuple[_Part, int]], p: int, ration: Ration) -> None:
        """Leave in ``score`` only those whom capacity and budget reach, the highest first, ties by cell and serial."""
        held = sum(self._members(part, t, p) for part, t in here)
        candidates = [(part, np.nonzero(part.state.score[:, 0] != NOBODY)) for part, _ in here]
        score = np.concatenate([part.state.score[:, 0][at] for part, at in candidates])
        takes = np.concatenate([part.state.takes[:, 0][at] for part, at in candidates])
        cell = np.concatenate([part.rows[at[0], CELL] for part, at in candidates])
        serial = np.concatenate([part.rows[at[0], SERIAL] + part.state.place[at] for part, at in candidates])
        order = np.lexsort((serial, cell, -score))
        chosen = np.zeros(score.size, bool)
        chosen[order] = reached(takes[order], held, ration)
        first = 0
        for part, at in candidates:
            mine = chosen[first : first + at[0].size]
            part.state.score[at[0][~mine], 0, at[1][~mine]] = NOBODY
            first += at[0].size

    def _members(self, part: _Part, t: int, p: int) -> int:
        """Return how many customers policy p is in force for, before anybody is contacted."""
        variant = self.tables.variant[self.k, self.tables.segment[part.rows[:, CELL]]]
        lasts = self.tables.policy_when[variant, p, -1][:, None]
        since = part.state.since[:, p].astype(np.int64)
        inside = (since != 0) & ((lasts == 0) | (t + 1 - since < lasts)) & (np.arange(GROUP) < part.state.live[:, None])
        return int((inside & (self.tables.policy_member[variant[:, None], p, part.state.row] != 0)).sum())


def reached(takes: Array, held: int, ration: Ration) -> Array:
    """Return which of the ranked customers are contacted, one after the other, whom neither capacity nor budget leaves out.

    takes: ``(n,)`` bits as in ``State.takes``, in order of rank; held: in force already. Somebody is contacted only where what it costs if
    taken up can still be paid, and who would join only while there is room; who is in force already takes no more of either. As those who
    would join all cost the same, and the others too, the first of a kind who does not fit is the end of that kind.
    """
    contact, uptake, member = ration.each
    inside, taken = takes >= 2, (takes & 1) == 1
    joins = taken & ~inside
    asked = inside | (held + np.cumsum(joins) - joins < ration.capacity)
    left, chosen, start = ration.budget * (1.0 + 1e-12) - held * member, np.zeros(takes.size, bool), 0
    while start < takes.size:  # once for each kind, at the most
        spent = contact * asked + uptake * (taken & asked) + member * (joins & asked)
        spent[:start] = 0.0
        before = np.cumsum(spent) - spent
        short = asked & (before + contact + uptake + np.where(inside, 0.0, member) > left)
        short[:start] = False
        end = int(short.argmax()) if short.any() else takes.size
        chosen[start:end] = asked[start:end]
        left -= float(spent[start:end].sum())
        if end < takes.size:
            asked = asked & (inside if not inside[end] else np.zeros(takes.size, bool))
        start = end
    return chosen
