"""Cases side by side: how much better one does than another, customer by customer on the same luck."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sim.kernels.types import AFTER, BEFORE, PAIRED, UNIT, Array, Tally
from sim.measures.clv import estimate
from sim.measures.equity import budgets, firm_cost
from sim.measures.paths import cell_means, path_error, path_means, widening
from sim.measures.sample import Group, Sample
from sim.measures.sums import Floats, money, squares
from sim.scenario.world import TWO_SIDED_95

MEASURES = {"clv": "after", "clv_before_acquisition": "before", "gross": "gross", "policy_cost": "cost", "kept": "kept"}
"""What is compared of a customer, and its name among PAIRED: CLV after and before acquisition cost, CLV without the cost of policies, that
cost, and the chance of not being lost within the first year."""

KINDS = {"clv": AFTER, "clv_before_acquisition": BEFORE}


PATHS = {"policy_cost": 0, "kept": 1, "gained": 2}
"""What is summed up by replicate beside CLV, and its place in ``Tally.paths``: ``gained`` is what customers gain against the reference."""


class Estimate(NamedTuple):
    """A mean difference, its standard error, and the standard deviation between customers."""

    mean: float
    se: float
    sd: float


@dataclass(frozen=True, eq=False)
class Paired:
    """Samples of several cases that share their customers and their luck.

    samples: one a case, of the same cells; tally: of all cases; reference: the case that its ``against`` and ``parted`` are held against.
    Where cases stand for different numbers of the firm's customers, one more, past the last, is worth nothing to anybody.
    """

    samples: tuple[Sample, ...]
    tally: Tally
    reference: int

    @property
    def paired(self) -> Array:
        """Sums over pairs (later case less earlier), cells and PAIRED."""
        return self.tally.paired

    @property
    def rationed(self) -> bool:
        """Whether customers of some case depend on each other."""
        return any(sample.scenario.rationed for sample in self.samples)

    @cached_property
    def weights(self) -> Floats:
        """The firm's customers whom all cases have ``(g,)``: differences a head are means over them, the same customers in every case."""
        return np.asarray(np.min([sample.firm for sample in self.samples], axis=0))

    def __len__(self) -> int:
        return len(self.samples)

    def sums(self, k: int, other: int, measure: str) -> tuple[Array, Array, Array]:
        """Return of case k less another, by cell ``(g,)``: who differs, gains, loses ``(g, 3)``, the sum and the sum of squares.

        Sums are Python integers in units; those of ``kept``, which is a count, are scaled likewise.
        """
        late, early = max(k, other), min(k, other)
        found = self.paired[late * (late - 1) // 2 + early, :, PAIRED.index(MEASURES[measure])]
        counts, total, square = found[:, :3], money(found[:, 3:5]), squares(found[:, 5:7])
        scale = int(UNIT) if measure == "kept" else 1
        if k < other:
            counts, total = counts[:, [0, 2, 1]], -total
        return counts, total * scale, square * scale**2

    def difference(self, k: int, other: int, measure: str, group: Group) -> Estimate:
        """Return the mean difference of a group's customers, those whom all cases have; over market paths where there are some."""
        sample = self.samples[k]
        if measure == "kept" and not sample.keeps:
            return Estimate(math.nan, math.nan, math.nan)
        if k == other:
            return Estimate(0.0, 0.0, 0.0)
        _, total, square = (values[group.cells] for values in self.sums(k, other, measure))
        counts, weight = sample.customers[group.cells], self.weights[group.cells]
        mean, se, sd = (float(value) for value in estimate(total, square, counts, counts, weight))
        if not sample.independent:
            se = path_error(self.path_differences(k, other, measure, group))
        return Estimate(mean, se, sd)

    def path_differences(self, k: int, other: int, measure: str, group: Group) -> Floats:
        """Return the mean difference of each replicate ``(replicate,)``."""
        mine, theirs = (self.path_cells(case, measure)[:, group.cells] for case in (k, other))
        weight = np.where(self.samples[k].customers > 0, self.weights, 0.0)[group.cells]
        whole = math.fsum(weight.tolist())
        return path_means(mine - theirs, weight) / (whole if whole > 0 else math.nan)

    def path_cells(self, k: int, measure: str) -> Floats:
        """Return means of a case by replicate and cell ``(replicate, g)``; 0 where nobody was drawn, and of the case past the last."""
        if k == len(self):
            return np.zeros_like(self.path_cells(0, measure))
        if measure in KINDS:
            return cell_means(self.samples[k], KINDS[measure])
        if measure == "gross":
            return self.path_cells(k, "clv") + self.path_cells(k, "policy_cost")
        totals = money(self.tally.paths[:, k, :, PATHS[measure]]).astype(np.float64)
        sampled = np.array([max(cell.sampled, 1) for cell in self.samples[k].cells], dtype=np.float64)
        return np.asarray(totals / sampled / (1.0 if measure == "kept" else UNIT))

    def path_mean(self, k: int, measure: str) -> Floats:
        """Return the mean of all of a case's customers by replicate ``(replicate,)``."""
        sample = self.samples[k]
        weight = np.where(sample.customers > 0, sample.firm, 0.0)
        return path_means(self.path_cells(k, measure), weight) / math.fsum(weight.tolist())

    def at_firm(self, k: int, other: int, measure: str) -> Estimate:
        """Return the difference of sums over the firm's customers, discounted to calendar 0, in currency; sd is NaN."""
        mine, theirs = self._scale(k), self._scale(other)
        each = [self._cell(k, other, measure, g, mine[g], theirs[g]) for g in np.flatnonzero((mine > 0) | (theirs > 0)).tolist()]
        mean, se = math.fsum(value for value, _ in each), math.sqrt(math.fsum(error**2 for _, error in each))
        if not self.samples[k].independent:
            apart = self.path_cells(k, measure) - self.path_cells(other, measure)
            more = path_means(self.path_cells(k, measure), mine - theirs) if (mine != theirs).any() else 0.0
            se = path_error(path_means(apart, theirs) + more)
        return Estimate(mean, se, math.nan)

    def _scale(self, k: int) -> Floats:
        """Return the firm's customers in a case, each discounted to calendar 0, by cell ``(g,)``."""
        sample = self.samples[k]
        return np.asarray(sample.firm * sample.scenario.discount_factor**sample.arrival)

    def _cell(self, k: int, other: int, measure: str, g: int, mine: float, theirs: float) -> tuple[float, float]:
        """Return how far the sums of two cases over a cell are apart, which stands for so many in each, and the standard error.

        With a and b the two cases' means, mine a - theirs b = theirs (a - b) + (mine - theirs) a, and the covariance of a - b and a follows
        from the three variances: Var b = Var a + Var (a - b) - 2 Cov (a - b, a).
        """
        cell = Group("cell", "", np.array([g]))
        apart = self.difference(k, other, measure, cell)
        if mine == theirs:
            return apart.mean * mine, apart.se * mine
        own, its = (self.difference(case, len(self), measure, cell) for case in (k, other))
        together = (apart.se**2 + own.se**2 - its.se**2) / 2.0
        more = mine - theirs
        variance = (theirs * apart.se) ** 2 + (more * own.se) ** 2 + 2.0 * theirs * more * together
        return theirs * apart.mean + more * own.mean, math.sqrt(max(variance, 0.0))

    def path_equity(self, k: int) -> Floats:
        """Return customer equity of each replicate ``(replicate,)``."""
        sample = self.samples[k]
        return path_means(cell_means(sample, AFTER), firm_scale(sample)) - budgets(sample) - firm_cost(sample)

    @property
    def width(self) -> float:
        """Standard errors on either side of a 95 % interval."""
        return TWO_SIDED_95 * widening(self.samples[0])


def firm_scale(sample: Sample) -> Floats:
    """Return the firm's customers times the discount factor at their arrival ``(g,)``; 0 where nobody was drawn."""
    return np.where(sample.customers > 0, sample.firm * sample.scenario.discount_factor**sample.arrival, 0.0)


def case_of(tally: Tally, k: int) -> Tally:
    """Return one case's tally, as of a run of its own."""
    shared = {"paired": tally.paired[:0], "against": tally.against[:0], "parted": tally.parted[:0]}
    shared |= {"gains": tally.gains[:, :0, :, :0], "paths": tally.paths[:, :0]}
    own = {name: values[k : k + 1] for name, values in tally._asdict().items() if name not in ("replicates", *shared)}
    return Tally(**own, replicates=tally.replicates[:, k : k + 1], **shared)


def differences(paired: Paired, names: Sequence[str], comparator: int) -> pd.DataFrame:
    """Return how each case differs from the comparator.

    Columns: arm, by (all, segment, cohort), id, measure (of MEASURES), difference (mean a customer in currency; of ``kept`` a share), se,
    low, high (95 %), sd (of the paired differences between customers), changed, gain, lose (shares of the firm's customers whose own
    value differs, rises, falls: on common luck).
    """
    return pd.DataFrame(_rows(paired, names, comparator))


def _rows(paired: Paired, names: Sequence[str], comparator: int) -> Iterator[dict[str, Any]]:
    for k, arm in enumerate(names):
        for group in paired.samples[k].groups:
            for measure in MEASURES:
                found = paired.difference(k, comparator, measure, group)
                half = paired.width * found.se
                row = {"arm": arm, "by": group.by, "id": group.id, "measure": measure, "difference": found.mean, "se": found.se}
                row |= {"low": found.mean - half, "high": found.mean + half, "sd": found.sd}
                yield row | _shares(paired, k, comparator, measure, group)


def _shares(paired: Paired, k: int, comparator: int, measure: str, group: Group) -> dict[str, float]:
    if k == comparator:
        return {"changed": 0.0, "gain": 0.0, "lose": 0.0}
    sample, counts = paired.samples[k], paired.sums(k, comparator, measure)[0][group.cells]
    customers, weight = sample.customers[group.cells], np.where(sample.customers > 0, paired.weights, 0.0)[group.cells]
    each = (counts / np.maximum(customers, 1)[:, None] * weight[:, None]).sum(axis=0) / max(weight.sum(), 1e-300)
    return dict(zip(("changed", "gain", "lose"), each.tolist(), strict=True))


def confidence(paired: Paired, best: int) -> float:
    """Return a lower bound of the chance that the best case seen is the best: 1 less the sum of its chances of being worse than each other.

    By Bonferroni, from paired errors of equity taken for normal (Student's over few market paths); Monte Carlo's doubt alone, not that
    of the numbers. NaN of one market path.
    """
    from scipy.stats import norm, t

    sample, doubt = paired.samples[0], 0.0
    for other in range(len(paired)):
        if other == best:
            continue
        found = paired.at_firm(best, other, "clv")
        ahead = found.mean - (firm_cost(paired.samples[best]) - firm_cost(paired.samples[other]))
        if found.se == 0.0:
            continue  # customer by customer the same, or apart for certain
        z = ahead / found.se
        doubt += float(norm.sf(z) if sample.independent else t.sf(z, max(sample.replicates - 1, 1)))
    return math.nan if math.isnan(doubt) else max(0.0, 1.0 - doubt)
