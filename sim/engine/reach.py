"""Whom capacity and budget reach, of the customers whom a policy may contact in a calendar period."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.kernels.types import Array
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.model import Scenario

SLACK = 1.0 + 1e-12
"""By how much rounding may let a budget be passed."""

END = np.uint64(2**64 - 1)
"""Above every key of ``ends``."""

SPARE = 1.1
SURE = 1.0 + 1e-9
STEP = 64
"""Every so-manieth key is sorted to find where to cut the others off."""


@dataclass(frozen=True)
class Ration:
    """What a policy may do in a calendar period, by the simulated customers' number. inf: as much as it likes.

    capacity: customers in force; budget: currency; each: currency for a contact, an uptake, and a member and period; shared: the budget
    beside its own that it draws on with others, by id; room: customers in force up to whom the effect has its full strength, which more of
    them share.
    """

    capacity: float
    budget: float
    each: tuple[float, float, float]
    shared: str | None = None
    room: float = math.inf

    @property
    def binds(self) -> bool:
        """Whether there is a limit at all."""
        return math.isfinite(self.capacity) or math.isfinite(self.budget) or self.shared is not None

    def spent(self, counts: Array) -> float:
        """Return what it costs to contact customers, currency; counts: ``(4,)`` of them by the bits of ``State.takes``."""
        contact, uptake, member = self.each
        return contact * int(counts.sum()) + uptake * int(counts[1] + counts[3]) + member * int(counts[1])


@dataclass(frozen=True)
class Rations:
    """What all policies of a case may do: of each its own, in the order of the p axis, and budgets that several draw on, by id."""

    each: tuple[Ration, ...]
    shared: dict[str, float]


def rations(scenario: Scenario, simulated: int, firm: float) -> Rations:
    """Return what a scenario's policies may do; simulated: customers, firm: those of the firm.

    Raises ScenarioError where a limit of the firm's meets a sample of its customers, and ``scale`` is not set.
    """
    weight, found, shared = firm / simulated, [], dict[str, float]()
    for key, policy in scenario.policies.items():
        if policy.limited and not policy.scale and not math.isclose(weight, 1.0, rel_tol=1e-9):
            name = next(name for name in ("capacity", "budget", "shared_budget") if getattr(policy, name) is not None)
            rule = f"is the firm's, whose {firm:,.0f} customers must then all be simulated, not {simulated:,}"
            hint = f"give run.customers={firm:.0f}, or scale: true, which divides it by {weight:.6g}"
            value = getattr(policy, name)
            raise ScenarioError([Fault(f"policies.{key}.{name}", value if isinstance(value, str) else f"{value:g}", rule, hint)])
        if policy.shared_budget is not None:
            shared[policy.shared_budget] = scenario.budgets[policy.shared_budget] / weight
        capacity = math.inf if policy.capacity is None else math.floor(policy.capacity / weight + 1e-9)
        budget = math.inf if policy.budget is None else policy.budget / weight
        each = (policy.cost.per_contact, policy.cost.per_uptake, policy.cost.per_member)
        limit, room = (math.inf, capacity) if policy.overload == "share" else (capacity, math.inf)
        found.append(Ration(limit, budget, each, policy.shared_budget, room))
    return Rations(tuple(found), shared)


def purses(rations: Rations, held: Sequence[int]) -> dict[str, float]:
    """Return what is left of each shared budget once those in force are paid for, currency; held: of them, by policy."""
    return {
        name: amount * SLACK - sum(n * one.each[2] for one, n in zip(rations.each, held, strict=True) if one.shared == name)
        for name, amount in rations.shared.items()
    }


def in_rank(score: Array, address: Array) -> Array:
    """Return a key for each customer, ``(n,)`` uint64, the lowest first: the highest score, of equals the lowest address, below 2**32."""
    bits = (score + np.float32(0.0)).view(np.uint32)  # one zero
    ascending = np.where(bits >> np.uint32(31) != 0, ~bits, bits | np.uint32(2**31))
    return np.asarray((~ascending).astype(np.uint64) << np.uint64(32) | address)


def ends(keys: Array, takes: Array, held: int, ration: Ration, left: float) -> Array:
    """Return below which keys customers are contacted, ``(2,)`` uint64: who is not in force, who is.

    keys: ``(n,)`` uint64, all different, the lowest first in rank; takes, held, left: as for ``reached``, takes in the order of keys.
    Only as many are sorted as limits probably reach, and more where they reach further.
    """
    found, counts = np.full(2, END), np.bincount(takes, minlength=4)
    if held + int(counts[1]) < ration.capacity and ration.spent(counts) * SURE + sum(ration.each) <= left:
        return found
    if math.isinf(left) and counts[2:].any():  # who is in force already takes nothing that is short
        keys, takes, counts[2:] = keys[takes < 2], takes[takes < 2], 0
    kinds = [kind for kind in (0, 1) if counts[2 * kind : 2 * kind + 2].any()]
    size, sample = _guess(counts, held, ration, left), np.sort(keys[::STEP])
    while True:
        whole = size // STEP + 1 >= sample.size
        first = np.arange(keys.size) if whole else np.flatnonzero(keys < sample[size // STEP + 1])
        first = first[np.argsort(keys[first])]
        out, inside = ~reached(takes[first], held, ration, left), takes[first] >= 2
        ended = [kind for kind in kinds if (out & (inside == kind)).any()]
        for kind in ended:
            found[kind] = keys[first[(out & (inside == kind)).argmax()]]
        if whole or ended == kinds:
            return found
        size *= 4


def _guess(counts: Array, held: int, ration: Ration, left: float) -> int:
    """Return how many of the first in rank limits probably reach, and some more; counts: ``(4,)`` of all by ``State.takes``."""
    number, joins = int(counts.sum()), int(counts[1])
    price = ration.spent(counts) / max(number, 1)
    room = max(ration.capacity - held, 0.0) * number / joins if joins else math.inf
    most = min(room, max(left, 0.0) / price if price > 0 else math.inf)
    return number if most >= number else int(SPARE * most) + 1


def reached(takes: Array, held: int, ration: Ration, left: float) -> Array:
    """Return which of the ranked customers are contacted, one after the other, whom neither capacity nor budget leaves out.

    takes: ``(n,)`` bits as in ``State.takes``, in order of rank; held: in force already; left: of the budget, once they are paid for.
    Somebody is contacted only where what it costs if taken up can still be paid, and who would join only while there is room; who is in
    force already takes no more of either. As those who would join all cost the same, and the others too, the first of a kind who does not
    fit is the end of that kind.
    """
    contact, uptake, member = ration.each
    inside, taken = takes >= 2, (takes & 1) == 1
    joins = taken & ~inside
    asked = inside | (held + np.cumsum(joins) - joins < ration.capacity)
    chosen, start = np.zeros(takes.size, bool), 0
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
