"""From cohorts and segments to cells: how many customers the firm has in each, and how many of them are simulated."""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sim.scenario.arrivals import MOST_WAVES, Coupling
from sim.scenario.base import at
from sim.scenario.customers import Response
from sim.scenario.model import Scenario
from sim.scenario.policy import Policy, When

if TYPE_CHECKING:  # numpy takes longer to import than a listing of scenarios takes
    import numpy as np
    from numpy.typing import NDArray

DEFAULT_CUSTOMERS = 100_000

FIRST_LOOK = 131_072
"""Customers at which a run with a precision is first looked at; then at every doubling."""


@dataclass(frozen=True)
class Cohort:
    """Customers who arrive in one calendar period.

    id: of the entry under ``cohorts`` that makes it ("all" where there is none); arrival: calendar period; planned: customers of the firm
    without its policies; won: by policies beside them, policy and customers.
    """

    id: str
    arrival: int
    planned: int
    won: tuple[tuple[str, int], ...] = ()

    @property
    def customers(self) -> int:
        """Return the firm's customers."""
        return self.planned + sum(count for _, count in self.won)


BASE_COHORT = 65_535
"""The base's number in an address, where a cohort has its calendar period of arrival."""


@dataclass(frozen=True)
class Cell:
    """One segment of one cohort or of the base, the unit in which customers are sampled.

    cohort: index into ``cohorts``, one past them for the base; arrival: calendar period; segment: id; slot: its place in the file, part of
    every draw's address; share: of all customers of the firm; firm: customers of the firm (share times all of them); planned: those of
    them whom no policy won; sampled: simulated, as many whatever policies win; base: its customers were there at calendar 0.
    """

    cohort: int
    arrival: int
    segment: str
    slot: int
    share: float
    firm: float
    planned: float
    sampled: int
    base: bool = False

    @property
    def address(self) -> int:
        """Return the upper part of its customers' identities."""
        return (BASE_COHORT if self.base else self.arrival) << 48 | self.slot << 40


REFERRED = "referred"
"""Id of cohorts in which the firm plans no arrivals, and only recruits come."""


def cohorts(scenario: Scenario) -> tuple[Cohort, ...]:
    """Return the cohorts in order of arrival: those planned, and, where customers bring others, one in every period that is left."""
    planned = tuple(_grown(scenario, cohort) for cohort in _planned(scenario))
    taken = {cohort.arrival for cohort in planned}
    every = (*planned, *(Cohort(REFERRED, y, 0) for y in range(1, recruited_before(scenario)) if y not in taken))
    return tuple(sorted(every, key=lambda cohort: cohort.arrival))


def _grown(scenario: Scenario, cohort: Cohort) -> Cohort:
    """Return a cohort with those whom policies win beside it."""
    found = ((key, wins(scenario, policy, cohort.arrival)) for key, policy in scenario.policies.items())
    return replace(cohort, won=tuple(one for one in found if one[1] > 0))


def wins(scenario: Scenario, policy: Policy, arrival: int) -> int:
    """Return how many customers who arrive in a calendar period a policy buys."""
    if policy.acquire is None or not _falls_due(policy.when, arrival):
        return 0
    return math.floor(_bought(policy.acquire.budget, policy.acquire.response) * _pull(scenario, arrival) + 0.5)


def _falls_due(when: When, arrival: int) -> bool:
    return when.start <= arrival and (when.stop is None or arrival < when.stop) and (arrival - when.start) % when.every == 0


def bought(scenario: Scenario, policy: Policy, before: float = math.inf) -> tuple[int, float]:
    """Return the customers whom a policy buys of cohorts that arrive before a calendar period, and the money, discounted to calendar 0."""
    if policy.acquire is None:
        return 0, 0.0
    periods = [cohort.arrival for cohort in _planned(scenario) if cohort.arrival < before and _falls_due(policy.when, cohort.arrival)]
    spent = math.fsum(policy.acquire.budget * scenario.discount_factor**arrival for arrival in periods)
    return sum(wins(scenario, policy, arrival) for arrival in periods), spent


def _bought(budget: float, response: Response) -> float:
    """Return the customers that a budget buys."""
    return response.ceiling * -math.expm1(-response.k * budget)


def _pull(scenario: Scenario, arrival: int) -> float:
    """Return by what drivers of equity multiply the arrivals of a calendar period."""
    return scenario.drivers.pull(arrival) if scenario.drivers else 1.0


def recruited_before(scenario: Scenario) -> int:
    """Return the calendar period from which nobody is recruited any more; 0 where customers bring nobody."""
    recruits = scenario.word_of_mouth.recruits if scenario.word_of_mouth else None
    if recruits is None:
        return 0
    if recruits.until is not None or scenario.horizon == "inf":
        return recruits.until or MOST_WAVES
    return min(max((cohort.arrival for cohort in _planned(scenario)), default=0) + scenario.horizon, MOST_WAVES)


def coupling(scenario: Scenario) -> Coupling:
    """Return what moves arrivals."""
    every, crowd = cohorts(scenario), scenario.crowd
    return Coupling(
        shares=tuple(scenario.segment_shares.values()),
        planned=tuple(cohort.customers for cohort in every),
        arrival=tuple(cohort.arrival for cohort in every),
        open=tuple(cohort.id != REFERRED for cohort in every),
        crowd=(crowd.strength, crowd.market) if crowd else None,
    )


def _planned(scenario: Scenario) -> tuple[Cohort, ...]:
    """Return the cohorts that the firm plans. Budgets, growth and what drivers attract are rounded to whole customers, half up.

    A firm with a base has new customers only where it says so.
    """
    if not scenario.cohorts:
        if scenario.base is not None and scenario.firm.customers is None:
            return ()
        return (Cohort("all", 0, scenario.firm.customers or DEFAULT_CUSTOMERS),)
    found = []
    for key, entry in scenario.cohorts.items():
        for k in range(entry.periods):
            if entry.budget is not None and entry.response is not None:
                count = _bought(entry.budget, entry.response)
            else:
                count = at(entry.customers or (0.0,), k)
            count *= (1.0 + entry.growth) ** k * _pull(scenario, entry.first_period + k)
            found.append(Cohort(key, entry.first_period + k, math.floor(count + 0.5)))
    return tuple(found)


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


def looks(scenario: Scenario) -> Iterator[int]:
    """Yield the numbers of new customers after which a run may end: one, unless it stops by precision, and never more than ``customers``.

    They are fixed beforehand and few, so that looking hardly biases what is found (Glynn and Whitt 1992).
    """
    groups = cohorts(scenario)
    most = (scenario.run.customers or sum(group.planned for group in groups)) if groups else 0
    if scenario.run.precision is not None or scenario.run.precision_money is not None:
        look = FIRST_LOOK
        while look < most:
            yield look
            look *= 2
    yield most


def existing_customers(scenario: Scenario) -> int:
    """Return how many customers the base has."""
    return 0 if scenario.existing is None else scenario.existing.stage.size


def cells(scenario: Scenario, customers: int | None = None) -> tuple[Cell, ...]:
    """Return every cohort's segments, then the base's: cell ``c * n_segments + s`` is segment s of cohort c.

    customers: new ones simulated, by default as many as the scenario plans; of the base all are.
    """
    groups = cohorts(scenario)
    shares = scenario.segment_shares
    firm = sum(group.customers for group in groups) + existing_customers(scenario)
    simulated = customers or scenario.run.customers or sum(group.planned for group in groups)
    sampled = sainte_lague([group.planned for group in groups], simulated) if groups else ()
    found = []
    for c, group in enumerate(groups):
        counts = sainte_lague(list(shares.values()), sampled[c])
        for slot, (segment, share) in enumerate(shares.items()):
            planned = share * group.planned
            weight = planned + math.fsum(_part(scenario, key, segment) * count for key, count in group.won)
            found.append(Cell(c, group.arrival, segment, slot, weight / firm, weight, planned, counts[slot]))
    if scenario.existing is not None:
        for slot, (segment, count) in enumerate(zip(shares, scenario.existing.counts.sum(axis=1).tolist(), strict=True)):
            found.append(Cell(len(groups), 0, segment, slot, count / firm, float(count), float(count), count, base=True))
    return tuple(found)


def _part(scenario: Scenario, policy: str, segment: str) -> float:
    """Return the share of a segment in the customers whom a policy wins."""
    shares, only = scenario.segment_shares, scenario.policies[policy].who.segments
    among = [key for key in shares if only is None or key in only]
    return shares[segment] / math.fsum(shares[key] for key in among) if segment in among else 0.0


def arrived(planned: Sequence[Cell], customers: "NDArray[np.int64]") -> tuple[Cell, ...]:
    """Return the cells with the customers who came, where that depends on customers; customers: (replicate, g).

    The firm's are the mean over replicates; so are those simulated, to whole customers.
    """
    mean = customers.mean(axis=0)
    share = mean / mean.sum()
    return tuple(
        replace(cell, firm=float(mean[g]), share=float(share[g]), sampled=math.floor(float(mean[g]) + 0.5))
        for g, cell in enumerate(planned)
    )
