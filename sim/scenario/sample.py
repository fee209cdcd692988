"""From cohorts and segments to cells: how many customers the firm has in each, and how many of them are simulated."""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

from sim.scenario.base import at
from sim.scenario.model import Scenario

DEFAULT_CUSTOMERS = 100_000


@dataclass(frozen=True)
class Cohort:
    """Customers who arrive in one calendar period.

    id: of the entry under ``cohorts`` that makes it ("all" where there is none); arrival: calendar period; customers: the firm's.
    """

    id: str
    arrival: int
    customers: int


@dataclass(frozen=True)
class Cell:
    """One segment of one cohort, the unit in which customers are sampled.

    cohort: index into ``cohorts``; arrival: calendar period; segment: id; slot: its place in the file, part of every draw's
    address; share: of all customers of all cohorts; firm: customers of the firm (share times all of them); sampled: simulated.
    """

    cohort: int
    arrival: int
    segment: str
    slot: int
    share: float
    firm: float
    sampled: int


def cohorts(scenario: Scenario) -> tuple[Cohort, ...]:
    """Return the cohorts in order of arrival. Budgets and growth are rounded to whole customers, half up."""
    if not scenario.cohorts:
        return (Cohort("all", 0, scenario.firm.customers or DEFAULT_CUSTOMERS),)
    found = []
    for key, entry in scenario.cohorts.items():
        for k in range(entry.periods):
            if entry.budget is not None and entry.response is not None:
                count = entry.response.ceiling * -math.expm1(-entry.response.k * entry.budget)
            else:
                count = at(entry.customers or (0.0,), k)
            count *= (1.0 + entry.growth) ** k
            found.append(Cohort(key, entry.first_period + k, math.floor(count + 0.5)))
    return tuple(sorted(found, key=lambda cohort: cohort.arrival))


def sainte_lague(shares: Sequence[float], seats: int) -> tuple[int, ...]:
    """Return how many of ``seats`` go to each share, by the method of Webster and Sainte-Laguë (1910): more seats only add.

    A divisor method's result for a divisor is its result for that many seats, so it starts just below and goes on by quotients.
    Ties go to the first.
    """
    total = math.fsum(shares)
    counts = [math.floor(share / total * max(seats - len(shares), 0) + 0.5) for share in shares]
    quotients = [(-share / (2 * counts[k] + 1), k) for k, share in enumerate(shares)]
    heapq.heapify(quotients)
    for _ in range(seats - sum(counts)):
        best = quotients[0][1]
        counts[best] += 1
        heapq.heapreplace(quotients, (-shares[best] / (2 * counts[best] + 1), best))
    return tuple(counts)


def cells(scenario: Scenario) -> tuple[Cell, ...]:
    """Return every cohort's segments: cell ``c * n_segments + s`` is segment s of cohort c."""
    groups = cohorts(scenario)
    shares = scenario.segment_shares
    firm = sum(group.customers for group in groups)
    simulated = scenario.run.customers or firm
    sampled = sainte_lague([group.customers for group in groups], simulated)
    found = []
    for c, group in enumerate(groups):
        counts = sainte_lague(list(shares.values()), sampled[c])
        for slot, (segment, share) in enumerate(shares.items()):
            weight = share * group.customers
            found.append(Cell(c, group.arrival, segment, slot, weight / firm, weight, counts[slot]))
    return tuple(found)
