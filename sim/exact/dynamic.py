"""The dynamic programme of who to treat: rows and modes, a period between them, backward steps and policy iteration.

Equations and sources stand in ``sim.exact.decisions``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.exact import traits, treated, value
from sim.exact.chain import Chain, Flags, Floats
from sim.exact.market import changing
from sim.exact.treated import Held
from sim.scenario.model import Scenario
from sim.scenario.policy import Policy

NONE = -1
GRAIN = 1e-12  # what a contact must bring, relative to the largest value, to be no rounding error
MOST_STEPS = 1000

Choice = NDArray[np.int16]  # which policy to contact with, by its place; -1 for none
Chooser = Callable[[Floats, Choice, float], Choice]
"""What to do, (m, r), from what each contact brings more than none, (i, m, r), -inf where it may not be made, what is done now, and what
is too little to count."""


@dataclass
class Problem:
    """Rows r, modes m (nothing in force first), policies i; states are (m, r), mode by mode where they are one axis."""

    scenario: Scenario
    policies: dict[str, Policy]
    arrival: int
    chain: Chain
    value: value.Value
    nodes: traits.Nodes

    def __post_init__(self) -> None:
        horizon, last = self.scenario.horizon, [(NONE, 0, 0)]
        self.entry = []
        for i, policy in enumerate(self.policies.values()):
            steady = policy.lasts is None and policy.decay == 1.0
            count = 1 if steady else (policy.lasts or 0) if horizon == "inf" else min(policy.lasts or horizon, horizon)
            first = len(last)
            self.entry.append(first)
            ends = first if steady else 0 if policy.lasts is not None else first + count - 1
            last += [(i, k, first + k + 1 if k + 1 < count else ends) for k in range(count)]
        modes = np.array(last, np.intp)
        self.policy_of, self.elapsed, self.after = modes[:, 0], modes[:, 1], modes[:, 2]
        costs = [(one.cost.per_contact, one.cost.per_uptake, one.uptake) for one in self.policies.values()]
        self.per_contact, self.per_uptake, self.uptake = np.array(costs, float).reshape(-1, 3).T[:, :, None, None]
        self.kept: dict[int, Period] = {}

    @property
    def tenures(self) -> int:
        """Tenures told apart: the horizon, or until nothing changes with tenure any more and one."""
        if self.scenario.horizon != "inf":
            return self.scenario.horizon
        return 1 + max((max(one.who.tenure_from, one.who.tenure_until or 0) for one in self.policies.values()), default=0)

    @cached_property
    def still(self) -> bool:
        """Whether all periods are alike."""
        calendar = self.scenario.calendar
        seasonal = any(value.varies(season) for season in (calendar.orders, calendar.margin))
        return self.scenario.horizon == "inf" or not (seasonal or changing(self.scenario, self.chain))

    @cached_property
    def may(self) -> Flags:
        """Whether a policy may contact at some tenure, (i, m, r)."""
        chain, live = self.chain, ~treated.gainless(self.scenario, self.chain, self.value)
        found = np.zeros((len(self.policies), len(self.policy_of), chain.rows), bool)
        for i, policy in enumerate(self.policies.values()):
            stages, who = treated.treated_stages(self.scenario, policy), policy.who
            seen = np.array([chain.stages[s] in stages for s in chain.stage], bool) & (chain.age >= who.age_from) & live
            if who.age_until is not None:
                seen &= chain.age < who.age_until
            free = (self.policy_of == NONE) | ((self.policy_of == i) & (policy.lasts is not None))
            found[i] = free[:, None] & seen
        return found

    def allowed(self, tenure: int) -> Flags:
        """Return whether a policy may contact at a tenure, (i, m, r)."""
        whos = [one.who for one in self.policies.values()]
        now = np.array([who.tenure_from <= tenure and (who.tenure_until is None or tenure < who.tenure_until) for who in whos], bool)
        return np.asarray(self.may & now[:, None, None])

    def period(self, tenure: int) -> "Period":
        """Return what a period is, at a tenure."""
        key = 0 if self.still else tenure
        if key not in self.kept:
            self.kept = {key: period(self, self.arrival + key)}
        return self.kept[key]

    @cached_property
    def chains(self) -> list[tuple[Chain, Floats]]:
        """The chain of each policy, what it sets and adds in it, and its multipliers, (move,)."""
        found = [(treated.build(self.scenario, one), one) for one in self.policies.values()]
        return [(chain, treated.multipliers(self.scenario, chain, one)) for chain, one in found]

    @cached_property
    def prices(self) -> Floats:
        """Price by row, (r,)."""
        return self.chain.by_row({key: stage.prices for key, stage in self.scenario.stages.items()})

    @cached_property
    def stays(self) -> Flags:
        """Where a policy stays in force, (i + 1, r), the last for none: not in lost stages, unless it treats there."""
        chain = self.chain
        found = [
            [chain.kind[s] != "lost" or chain.stages[s] in treated.treated_stages(self.scenario, one) for s in chain.stage]
            for one in self.policies.values()
        ]
        return np.array([*found, [True] * chain.rows], bool)

    @cached_property
    def members(self) -> Floats:
        """What a policy's members cost in a period, (i, r)."""
        live = ~treated.gainless(self.scenario, self.chain, self.value)
        costs = np.array([one.cost.per_member for one in self.policies.values()])
        return np.asarray(self.stays[:-1] * live * costs[:, None], float)

    def held(self, i: int, strength: float, period: int) -> Held:
        """Return a calendar period with policy i in force at a strength, or with none."""
        if i == NONE:
            return treated.held(self.scenario, self.chain, self.value, self.nodes, period)
        chain, factor = self.chains[i]
        effects = list(self.policies.values())[i].effects
        gain = self.value.gain + self.prices * strength * (effects.margin + effects.price - 1.0)
        lifted = replace(self.value, gain=gain, serve=self.value.serve * effects.cost_to_serve**strength)
        found = treated.held(self.scenario, replace(chain, base=chain.base * factor**strength), lifted, self.nodes, period)
        return replace(found, cash=found.cash - self.members[i])


@dataclass(frozen=True)
class Period:
    """A period in every state: cash: (m, r) currency as at its start; moves: sparse (m r, m r) chances of the next state."""

    cash: Floats
    moves: Any

    def through(self, factor: float, to_come: Floats) -> Floats:
        """Return what going through the period without a contact is worth, (m, r). to_come: (m, r) at the start of the next."""
        return np.asarray(self.cash + factor * (self.moves @ to_come.ravel()).reshape(self.cash.shape))


def period(problem: Problem, calendar: int) -> Period:
    """Lay out a calendar period."""
    from scipy import sparse

    chain, held = problem.chain, dict[tuple[int, float], Held]()
    rows, modes, parts = chain.rows, len(problem.policy_of), list(problem.policies.values())
    found = []
    for i, elapsed in zip(problem.policy_of.tolist(), problem.elapsed.tolist(), strict=True):
        strength = 1.0 if i == NONE else parts[i].decay ** elapsed
        if (i, strength) not in held:
            held[i, strength] = problem.held(i, strength, calendar)
        found.append(held[i, strength])
    src = (np.arange(modes)[:, None] * rows + chain.src).ravel()
    after = np.where(problem.stays[problem.policy_of][:, chain.dst], problem.after[:, None], 0)
    dst = (after * rows + chain.dst).ravel()
    chances = np.concatenate([one.chances for one in found])
    size = modes * rows
    return Period(np.stack([one.cash for one in found]), sparse.csr_array((chances, (src, dst)), shape=(size, size)))


def contacts(problem: Problem, tenure: int, q: Floats) -> Floats:
    """Return what each contact brings more than none, (i, m, r), -inf where it may not be made. q: (m, r), see ``Period.through``."""
    gain = problem.uptake * (q[problem.entry][:, None, :] - problem.per_uptake - q) - problem.per_contact
    return np.where(problem.allowed(tenure), gain, -np.inf)


def taken(q: Floats, gain: Floats, done: Choice) -> Floats:
    """Return the value of what is done, (m, r)."""
    if not len(gain):
        return q
    more = np.take_along_axis(gain, np.maximum(done, 0)[None].astype(np.intp), axis=0)[0]
    return np.asarray(q + np.where(done == NONE, 0.0, more), float)


def greedy(gain: Floats, now: Choice, grain: float) -> Choice:
    """Choose what brings most: what is done now if nothing else brings more, and no contact that brings nothing."""
    if not len(gain):
        return now
    kept = np.where(now == NONE, 0.0, np.take_along_axis(gain, np.maximum(now, 0)[None].astype(np.intp), axis=0)[0])
    best = np.where(gain.max(axis=0) > np.maximum(kept, 0.0) + grain, gain.argmax(axis=0), now)
    return np.where(np.maximum(kept, gain.max(axis=0)) > grain, best, NONE).astype(np.int16)


def always(i: int) -> Chooser:
    """Choose to contact with policy i wherever it may."""

    def chosen(gain: Floats, now: Choice, grain: float) -> Choice:
        return np.where(np.isfinite(gain[i]), i, NONE).astype(np.int16)

    return chosen


def never(gain: Floats, now: Choice, grain: float) -> Choice:
    """Choose to contact nobody."""
    return np.full_like(now, NONE)


@dataclass(frozen=True)
class Solved:
    """What is done and what it is worth at the start of each tenure, lists over t of (m, r); error: see ``BestRule``."""

    chosen: list[Choice]
    worth: list[Floats]
    error: float


def solved(problem: Problem, choose: Chooser) -> Solved:
    """Step backward from the horizon, or from the tenure from which on nothing changes."""
    tenures, shape = problem.tenures, (len(problem.policy_of), problem.chain.rows)
    now, to_come, error = np.full(shape, NONE, np.int16), np.zeros(shape), 0.0
    chosen, worth = [], []
    if problem.scenario.horizon == "inf":
        now, to_come, error = _stationary(problem, choose)
        tenures, chosen, worth = tenures - 1, [now], [to_come]
    for tenure in reversed(range(tenures)):
        q = problem.period(tenure).through(problem.value.factor, to_come)
        gain = contacts(problem, tenure, q)
        now = choose(gain, np.full(shape, NONE, np.int16), _grain(q))
        to_come = taken(q, gain, now)
        chosen.append(now)
        worth.append(to_come)
    return Solved(chosen[::-1], worth[::-1], error)


def _grain(q: Floats) -> float:
    """Return what a contact must bring to be no rounding error, currency."""
    return GRAIN * float(np.abs(q).max())


def _stationary(problem: Problem, choose: Chooser) -> tuple[Choice, Floats, float]:
    """Iterate over rules (Howard 1960): what is done, what it is worth, (m, r), and how far that may be from the best."""
    last, factor, shape = problem.tenures - 1, problem.value.factor, (len(problem.policy_of), problem.chain.rows)
    now, step = np.full(shape, NONE, np.int16), problem.period(problem.tenures - 1)
    now = choose(contacts(problem, last, step.cash), now, _grain(step.cash))
    for _ in range(MOST_STEPS):
        to_come = _worth(problem, step, now)
        q = step.through(factor, to_come)
        gain = contacts(problem, last, q)
        better = choose(gain, now, _grain(q))
        if np.array_equal(better, now):
            break
        now = better
    best = q + np.maximum(gain.max(axis=0, initial=0.0), 0.0)
    return now, to_come, float(np.abs(best - to_come).max() / (1.0 - factor))


def mixing(problem: Problem, now: Choice) -> Any:
    """Return the chances of the mode in which each state goes through the period, sparse (m r, m r), after what is done."""
    from scipy import sparse

    size, rows = now.size, problem.chain.rows
    state, done = np.arange(size), now.ravel().astype(np.intp)
    uptake = np.append(problem.uptake[:, 0, 0], 0.0)[done]
    start = np.append(problem.entry, 0)[done].astype(np.intp) * rows + state % rows
    chances = np.concatenate([1.0 - uptake, uptake])
    return sparse.csr_array((chances, (np.concatenate([state, state]), np.concatenate([state, start]))), shape=(size, size))


def _worth(problem: Problem, step: Period, now: Choice) -> Floats:
    """Solve for what a rule that is kept for ever is worth, (m, r): V = B (cash + v P V) - costs."""
    from scipy import sparse

    mixed, done = mixing(problem, now), now.ravel().astype(np.intp)
    costs = np.append(problem.per_contact[:, 0, 0] + problem.uptake[:, 0, 0] * problem.per_uptake[:, 0, 0], 0.0)[done]
    system = sparse.eye_array(now.size, format="csc") - sparse.csc_array(problem.value.factor * (mixed @ step.moves))
    return np.asarray(sparse.linalg.splu(system).solve(mixed @ step.cash.ravel() - costs)).reshape(now.shape)
