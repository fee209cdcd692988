"""The slow twin of policies: one customer's contacts, what is in force for it, and what that changes."""

from collections import Counter
from collections.abc import Callable

import numpy as np

from sim.kernels.addresses import TRAIT_PERIOD
from sim.kernels.maths import exponent
from sim.kernels.types import LIFTS, ORDERS_LIFT, Tables

F = np.float32
LEDGER = 99
"""Column of the cost of policies in the twin's ledger, which the tally counts apart."""


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

    def act(self, row: int, t: int, y: int, satisfaction: np.float32) -> int:
        """Contact the customer, and return what policies cost in t, in units."""
        tables, v, cost, self.copy, self.shaken = self.tables, self.v, 0, 0, []
        for p in self.ids:
            if not tables.policy_member[v, p, row]:
                self.since.pop(p, None)  # lost, and with it what was in force
        for p in self.ids:
            drawn = self.words(t, int(tables.policy_purpose[v, p]))
            per_contact, per_uptake, per_member = (int(units) for units in tables.policy_units[v, p, t])
            if tables.policy_turnover[v, p]:
                self._hand_over(p, t)
            if self._may(p, row, t, y, satisfaction, drawn):
                self.asked[p], cost = t, cost + per_contact
                self.counts[t, p, 0] += 1
                if drawn[0] < tables.policy_uptake[v, p]:
                    self.since[p], cost = t, cost + per_uptake
                    self.counts[t, p, 1] += 1
            self.force[p] = F(0.0)
            if self._holds(p, t):
                self.force[p] = tables.policy_fade[v, p, t - self.since[p]] * self.strength[p]
                self.copy += int(tables.policy_bit[v, p])
                self.counts[t, p, 2] += 1
                cost += per_member
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
            power = power + self.tables.policy_sway[self.v, p, row, j] * self.force[p]
        return self._exp(power)

    @staticmethod
    def _exp(x: np.float32) -> np.float32:
        out = np.zeros(1, F)
        exponent(np.array([x], F), out, 1)
        return np.float32(out[0])
