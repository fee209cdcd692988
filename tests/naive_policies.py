"""The slow twin of policies: one customer's contacts, what is in force for it, and what that changes."""

import math
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sim.kernels.addresses import TRAIT_PERIOD
from sim.kernels.maths import exponent
from sim.kernels.types import LIFTS, ORDERS_LIFT, Tables
from sim.scenario.policy import Policy

F = np.float32
LEDGER = 99
"""Column of the cost of policies in the twin's ledger, which the tally counts apart."""


class Turn(NamedTuple):
    """A customer at the start of a period. address: cell, serial."""

    firm: "Treated"
    row: int
    t: int
    y: int
    satisfaction: np.float32
    value: int
    orders: int
    address: tuple[int, int]

    def may(self, p: int) -> bool:
        """Return whether policy p may contact the customer."""
        words = self.firm.words(self.t, int(self.firm.tables.policy_purpose[self.firm.v, p]))
        return p in self.firm.ids and self.firm._may(p, self.row, self.t, self.y, self.satisfaction, words)


def choose(turns: list[Turn], policies: list[Policy], budgets: dict[str, float], draw: Callable[[Turn, int], float]) -> None:
    """Let policies contact the customers of a calendar period: each in turn, by rank, one after the other, whoever does not fit left out.

    draw: rank of who comes by chance. The limits are those of a firm all of whose customers are simulated.
    """
    for turn in turns:
        turn.firm.coupled = True
        turn.firm.lapse(turn.row)
    held = [sum(p in turn.firm.ids and turn.firm._holds(p, turn.t) for turn in turns) for p in range(len(policies))]
    left = dict(budgets)
    for p, policy in enumerate(policies):
        if policy.shared_budget is not None:
            left[policy.shared_budget] -= held[p] * policy.cost.per_member
    for p, policy in enumerate(policies):
        own = math.inf if policy.budget is None else policy.budget - held[p] * policy.cost.per_member
        rank: dict[str, Callable[[Turn, int], float]] = {
            "value": lambda turn, p: turn.value,
            "orders": lambda turn, p: turn.orders,
            "tenure": lambda turn, p: turn.t,
        }
        by, sign, members = rank.get(policy.rank.by, draw), -1 if policy.rank.lowest else 1, held[p]
        for turn in sorted((one for one in turns if one.may(p)), key=lambda turn: (-sign * float(F(by(turn, p))), turn.address)):
            inside, taken = turn.firm._holds(p, turn.t), turn.firm.takes(p, turn.t)
            most = policy.cost.per_contact + policy.cost.per_uptake + (0.0 if inside else policy.cost.per_member)
            room = inside or policy.capacity is None or members < policy.capacity
            if not room or most > min(own, left.get(policy.shared_budget or "", math.inf)) * (1 + 1e-12):
                continue
            turn.firm.owed += turn.firm.contact(p, turn.t)
            joins = taken and not inside
            members += joins
            spent = policy.cost.per_contact + policy.cost.per_uptake * taken + policy.cost.per_member * joins
            own -= spent
            if policy.shared_budget is not None:
                left[policy.shared_budget] -= spent


class Treated:
    """What the firm does to one customer. words: block of a period and a purpose; one: a variate from a word."""

    def __init__(self, tables: Tables, v: int, words: Callable[[int, int], list[int]], normal: Callable[[int], np.float32]) -> None:
        self.tables, self.v, self.words, self.normal = tables, v, words, normal
        self.ids = [p for p in range(tables.treating.shape[1]) if tables.treating[v, p]]
        self.since: dict[int, int] = {}
        self.asked: dict[int, int] = {}
        self.strength: dict[int, np.float32] = {}
        self.vacant: dict[int, int] = {}
        self.shaken: list[np.float32] = []
        self.low = dict.fromkeys(self.ids, 0)
        self.counts: Counter[tuple[int, int, int]] = Counter()  # (t, policy, contacted, taken up or in force)
        self.force = {p: F(0.0) for p in self.ids}
        self.copy = 0
        self.coupled, self.owed = False, 0  # contacted from outside, and what that cost
        for p in self.ids:
            self.strength[p], drawn = F(1.0), words(TRAIT_PERIOD, int(tables.policy_purpose[v, p]))
            if tables.policy_spread[v, p] > 0 or tables.policy_share[v, p] < 2**32:
                self.strength[p] = F(1.0) + tables.policy_spread[v, p] * normal(drawn[0])
                if drawn[1] >= tables.policy_share[v, p]:
                    self.asked[p] = -1  # not in the pilot

    def _enrolled(self, p: int, t: int) -> bool:
        lasts = self.tables.policy_when[self.v, p, 6]
        return p in self.since and (lasts == 0 or t - self.since[p] < lasts)

    def _waits(self, p: int, t: int) -> bool:
        return t < self.vacant.get(p, 0)

    def _holds(self, p: int, t: int) -> bool:
        return self._enrolled(p, t) and not self._waits(p, t)

    def _hand_over(self, p: int, t: int) -> None:
        if not self._enrolled(p, t):
            self.vacant.pop(p, None)
            return
        leaves = self.words(t, int(self.tables.policy_desk[self.v, p]))[0] < self.tables.policy_turnover[self.v, p]
        if leaves and self.since[p] < t and self.vacant.get(p, 0) < t:
            self.vacant[p] = t + int(self.tables.policy_gap[self.v, p])
            self.shaken.append(F(1.0) - self.tables.policy_shaken[self.v, p])

    def _may(self, p: int, row: int, t: int, y: int, satisfaction: np.float32, drawn: list[int]) -> bool:
        tables, v = self.tables, self.v
        start, stop, every, cooldown, first, until, lasts = (int(value) for value in tables.policy_when[v, p])
        if not (start <= y < stop and (y - start) % every == 0 and first <= t < until and tables.policy_who[v, p, row]):
            return False
        if self._waits(p, t):
            return False
        if self.asked.get(p) == -1 or (p in self.asked and t - self.asked[p] < cooldown) or (lasts == 0 and p in self.since):
            return False
        if self.low[p] < tables.policy_trail[v, p]:
            return False
        if any(tables.policy_excludes[v, p, other] and self._holds(other, t) for other in self.ids):
            return False
        below, above, error, response = tables.policy_survey[v, p]
        if response < 0:
            return True
        score = satisfaction + error * self.normal(drawn[2])
        return bool(F(drawn[1]) * F(2.0**-32) < response and above <= score < below)

    def lapse(self, row: int) -> None:
        """Let what is in force lapse where the customer was lost."""
        for p in self.ids:
            if not self.tables.policy_member[self.v, p, row]:
                self.since.pop(p, None)

    def takes(self, p: int, t: int) -> bool:
        """Return whether the customer would take a contact up."""
        return self.words(t, int(self.tables.policy_purpose[self.v, p]))[0] < int(self.tables.policy_uptake[self.v, p])

    def contact(self, p: int, t: int) -> int:
        """Contact the customer, and return the cost in units."""
        per_contact, per_uptake, _ = (int(units) for units in self.tables.policy_units[self.v, p, t])
        self.asked[p] = t
        self.counts[t, p, 0] += 1
        if not self.takes(p, t):
            return per_contact
        self.since[p] = t
        self.counts[t, p, 1] += 1
        return per_contact + per_uptake

    def act(self, row: int, t: int, y: int, satisfaction: np.float32) -> int:
        """Contact the customer, unless that was done, and return what policies cost in t, in units."""
        tables, v, cost, self.copy = self.tables, self.v, self.owed, 0
        self.shaken = []
        if not self.coupled:
            self.lapse(row)
        for p in self.ids:
            drawn = self.words(t, int(tables.policy_purpose[v, p]))
            if tables.policy_turnover[v, p] and not self.coupled:
                self._hand_over(p, t)
            if not self.coupled and self._may(p, row, t, y, satisfaction, drawn):
                cost += self.contact(p, t)
            self.force[p] = F(0.0)
            if self._holds(p, t):
                self.force[p] = tables.policy_fade[v, p, t - self.since[p]] * self.strength[p]
                self.copy += int(tables.policy_bit[v, p])
                self.counts[t, p, 2] += 1
                cost += int(tables.policy_units[v, p, t, 2])
        self.coupled, self.owed = False, 0
        return cost

    def note(self, t: int, margin: int) -> None:
        """Note what the customer brought in t, in units."""
        for p in self.ids:
            self.low[p] = self.low[p] + 1 if margin < self.tables.policy_floor[self.v, p, t] else 0

    def lift(self, which: int) -> np.float32:
        """Return what policies in force add, or multiply by; 0 or 1 where none does."""
        total = F(0.0)
        for p in self.ids:
            total = total + self.tables.policy_lift[self.v, p, which] * self.force[p]
        return self._exp(total) if ORDERS_LIFT <= which < LIFTS else total

    def sway(self, row: int, j: int) -> np.float32:
        """Return by how much what fades, or differs between customers, multiplies a hazard."""
        power = F(0.0)
        for p in self.ids:
            power = power + self.tables.policy_sway[self.v, p, j, row] * self.force[p]
        return self._exp(power)

    @staticmethod
    def _exp(x: np.float32) -> np.float32:
        return F(exponent(F(x)))
