"""The best arm with least work: arms are simulated in batches of customers, and those found out are simulated no more.

A batch is an observation of ``sim.studies.ranking``: the same customers on the same luck in every arm that is still in, worth the
customer equity that they tell of. Batch j of an arm is the same whoever else is in, and on any number of threads.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from sim.compile import compile_tables
from sim.engine import Outcome, run
from sim.engine.arrays import empty_tally
from sim.kernels.types import AFTER, UNIT
from sim.measures.equity import budgets, firm_cost
from sim.measures.sample import Sample
from sim.measures.sums import Floats, money
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.sample import cells
from sim.studies import ranking
from sim.studies.arms import Arm
from sim.studies.compare import refuse

if TYPE_CHECKING:
    import pandas as pd

BATCH = 2048
"""Customers of a batch: enough that their mean is nearly normal, and that a call costs little beside them."""

FIRST = 20
"""Batches of every arm before any may go."""

METHODS = ("kn", "ocba")


@dataclass(frozen=True)
class How:
    """How to pick.

    method: ``kn`` or ``ocba``; indifference: the smallest difference of customer equity worth telling apart, currency; confidence: of kn.
    """

    method: Literal["kn", "ocba"]
    indifference: float
    confidence: float = 0.95


@dataclass(frozen=True)
class Picking:
    """What was picked.

    winner: its place among arms; customers: simulated of each arm; equity: mean so far of each, of its own customers; sure: whether the
    guarantee holds.
    """

    scenario: Scenario
    arms: tuple[Arm, ...]
    how: How
    winner: int
    customers: tuple[int, ...]
    equity: tuple[float, ...]
    sure: bool

    @property
    def table(self) -> "pd.DataFrame":
        """One row an arm. Columns: arm, label, customers (simulated), equity (mean of these), picked."""
        import pandas as pd

        rows = zip(self.arms, self.customers, self.equity, strict=True)
        return pd.DataFrame(
            [
                {"arm": arm.id, "label": arm.label, "customers": n, "equity": worth, "picked": k == self.winner}
                for k, (arm, n, worth) in enumerate(rows)
            ]
        )

    @property
    def saved(self) -> float:
        """Share of the work that simulating all arms as long as the longest would have taken, and that was not done."""
        return 1.0 - sum(self.customers) / (len(self.customers) * max(self.customers))

    @property
    def guarantee(self) -> str:
        """What is guaranteed, in words."""
        if self.how.method == "ocba":
            return "none: OCBA is a heuristic of where to look, and takes estimates for the truth"
        if not self.sure:
            return "none: run.customers ended the search before the arms were told apart"
        zone = f"{self.how.indifference:,.10g} {self.scenario.currency}".rstrip()
        sure = f"{100 * self.how.confidence:g} % of such searches pick the best arm where it is better than every other by {zone} or more"
        return f"{sure} (Kim and Nelson 2001), as far as the luck of the simulation goes"


class Batches:
    """Makes observations of arms: customer equity as each next batch of customers tells of it."""

    def __init__(self, scenario: Scenario, every: Sequence[Arm], progress: Callable[[int, int], None] | None = None) -> None:
        self.scenario, self.progress = scenario, progress
        self.tables = compile_tables(*(arm.scenario for arm in every))
        found = [cells(arm.scenario, BATCH) for arm in every]
        self.sampled = [cell.sampled for cell in found[0]]
        self.scale = np.array([[cell.firm * scenario.discount_factor**cell.arrival for cell in one] for one in found])
        self.done = np.zeros(len(every), np.int64)
        nobody, unscaled = self._empty(1).tally, np.zeros(len(self.sampled), np.int64)
        samples = [Sample(arm.scenario, one, nobody, unscaled) for arm, one in zip(every, found, strict=True)]
        self.own = np.array([firm_cost(one) + budgets(one) for one in samples])
        self.most = sum(cell.sampled for cell in cells(scenario))

    def _empty(self, cases: int, batch: int = 0) -> Outcome:
        """Return what simulating nobody leaves, up to a batch's first customers."""
        tables = self.tables._replace(variant=self.tables.variant[:cases])
        return Outcome(tuple(n * batch for n in self.sampled), empty_tally(tables, int(self.scenario.horizon), 1), None, 1, 0.0)

    def __call__(self, arms: Sequence[int], count: int) -> Floats:
        """Return ``count`` further observations of these arms, which have had as many before, (count, len(arms))."""
        first = int(self.done[arms[0]])
        rows = []
        for batch in range(first, first + count):
            rows.append(self._one(arms, batch))
            self.done[list(arms)] += 1
            if self.progress is not None:
                self.progress(int(self.done.max()) * BATCH, self.most)
        return np.array(rows)

    def _one(self, arms: Sequence[int], batch: int) -> Floats:
        tables = self.tables._replace(variant=self.tables.variant[list(arms)])
        settings = self.scenario.run.model_copy(update={"driver": "group", "replicates": 1, "keep_customers": False})
        ends = [n * (batch + 1) for n in self.sampled]
        tally = run(tables, ends, settings, int(self.scenario.horizon), None, self._empty(len(arms), batch)).tally
        means = money(tally.replicates[0, :, :, AFTER]).astype(np.float64) / UNIT / np.array(self.sampled, np.float64)
        return np.asarray((means * self.scale[list(arms)]).sum(axis=1) - self.own[list(arms)])


def pick_best(scenario: Scenario, every: Sequence[Arm], how: How, progress: Callable[[int, int], None] | None = None) -> Picking:
    """Pick the arm with the highest customer equity; ``run.customers`` is the most of an arm (kn), or of all together (ocba).

    Raises ScenarioError where customers are not independent, where all of them are simulated anyhow, and with what ``ranking.pick``
    refuses.
    """
    refuse(scenario)
    found = [*_faults(scenario, every, how)]
    if found:
        raise ScenarioError(found)
    batches = Batches(scenario, every, progress)
    most = batches.most // BATCH
    if how.method == "ocba":
        winner, equity = _by_ocba(batches, len(every), how.indifference, most)
        sure = False
    else:
        picked = ranking.pick(batches, len(every), how.indifference, 1.0 - how.confidence, FIRST, 1, most)
        winner, equity, sure = picked.winner, picked.means, picked.sure
    customers = tuple(int(n) * sum(batches.sampled) for n in batches.done)
    return Picking(scenario, tuple(every), how, winner, customers, tuple(map(float, equity)), sure)


def _by_ocba(batches: Batches, arms: int, least: float, most: int) -> tuple[int, Floats]:
    """Return the arm with the largest mean, and all means, after ``most`` batches handed out by OCBA, a few at a time."""
    seen: list[Floats] = [batches([k], FIRST)[:, 0] for k in range(arms)]
    while (left := most - int(batches.done.sum())) > 0:
        means, sds = (np.array([how(one) for one in seen]) for how in (np.mean, lambda one: np.std(one, ddof=1)))
        more = ranking.ocba_next(means, sds, batches.done, min(left, FIRST), least)
        for k in np.flatnonzero(more).tolist():
            seen[k] = np.concatenate([seen[k], batches([k], int(more[k]))[:, 0]])
    means = np.array([one.mean() for one in seen])
    return int(means.argmax()), means


def _faults(scenario: Scenario, every: Sequence[Arm], how: How) -> Iterator[Fault]:
    if len(every) < 2:
        yield Fault("policies", "", "must name an arm to pick from, beside none")
    if scenario.run.precision is not None or scenario.run.precision_money is not None:
        yield Fault("run.precision", "", "must be off to pick: indifference says how well arms are told apart")
    if scenario.run.replicates > 1:
        yield Fault("run.replicates", f"{scenario.run.replicates}", "must be 1 to pick")
    if scenario.market is not None:
        yield Fault("market", "", "must be off to pick: customers who share a market are not independent", "compare on run.replicates")
    if scenario.base is not None:
        yield Fault("base", "", "must be off to pick: existing customers are simulated whole")
    if scenario.learning is not None:
        yield Fault(
            "learning", "", "must be off to pick: customers from whom the firm learns are not independent", "compare on run.replicates"
        )
    elif any(arm.scenario.rationed for arm in every):
        yield Fault("policies", "", "must have no capacity, no budget and no trigger to pick: their customers are simulated whole")
    if how.method not in METHODS:
        yield Fault("pick", str(how.method), "must be kn or ocba")
    if not 0.0 < how.indifference < math.inf:
        yield Fault("indifference", f"{how.indifference:g}", "must be above 0", "the smallest difference of customer equity that matters")
    if not 0.5 <= how.confidence < 1.0:
        yield Fault("confidence", f"{how.confidence:g}", "must be at least 0.5 and below 1")
    least = FIRST * BATCH * (len(every) if how.method == "ocba" else 1)
    if (most := sum(cell.sampled for cell in cells(scenario))) < least:
        yield Fault("run.customers", f"{most}", f"must be at least {least:,} to pick among {len(every)} arms")
    elif any(cell.sampled < 1 for cell in cells(scenario, BATCH)):
        rule = f"segments and cohorts must be so few, and so large, that each has customers in a batch of {BATCH:,}"
        yield Fault("run.customers", "", rule, "simulate fewer cohorts, or leave out the smallest segments")
