"""Customers who live through one market, or come by one another, share luck: the replicate is the unit, errors come from path to path."""

import numpy as np

from sim.kernels.types import UNIT
from sim.measures.sample import Sample
from sim.measures.sums import Floats, money
from sim.scenario.world import TWO_SIDED_95

FEW_PATHS = 20
"""Below so many replicates intervals are Student's."""


def cell_means(sample: Sample, kind: int) -> Floats:
    """Return mean CLV by replicate and cell ``(replicate, g)``, in currency units; 0 where nobody was drawn.

    Where numbers of customers differ between replicates it is linear about the mean of all, so that errors are those of a ratio (Cochran
    1977, 6.4).
    """
    totals = cell_totals(sample, kind)
    if sample.came is None:
        return np.asarray(totals / np.array([max(cell.sampled, 1) for cell in sample.cells], dtype=np.float64))
    came = sample.came.customers[0].astype(np.float64)
    usual = np.maximum(came.mean(axis=0), 1.0 / len(came))
    worth = totals.mean(axis=0) / usual
    return np.asarray(worth + (totals - worth * came) / usual)


def cell_totals(sample: Sample, kind: int) -> Floats:
    """Return summed CLV by replicate and cell ``(replicate, g)``, in currency units."""
    return np.asarray(money(sample.tally.replicates[:, 0, :, kind]).astype(np.float64) / UNIT)


def path_means(means: Floats, weight: Floats) -> Floats:
    """Return weighted sums over cells ``(replicate,)`` of values ``(replicate, g)``, added in the order of the cells."""
    total = np.zeros(means.shape[0])
    for g, share in enumerate(weight.tolist()):
        total += means[:, g] * share
    return total


def path_error(values: Floats) -> float:
    """Return the standard error of the mean of values by replicate ``(replicate,)``; NaN of one."""
    n = values.size
    return float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")


def widening(sample: Sample) -> float:
    """Return how much wider 95 % intervals of means are than normal ones: by Student's t where few paths were simulated."""
    return 1.0 if sample.independent else student(sample.replicates)


def student(paths: int) -> float:
    """Return how much wider 95 % intervals from an error over a few paths, or replicates, are than normal ones."""
    if not 1 < paths < FEW_PATHS:
        return 1.0
    from scipy.special import stdtrit

    return float(stdtrit(paths - 1, 0.975)) / TWO_SIDED_95


def conditional(sample: Sample) -> list[str]:
    """Return what is to be said where all customers have shared one path."""
    if sample.independent or sample.replicates > 1:
        return []
    return [f"conditional on this {sample.shared}: other paths may give other values; run.replicates above 1 tells how far they differ"]
