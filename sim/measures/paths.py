"""Customers who live through the same market share its luck: the replicate is the unit, and errors come from path to path."""

import numpy as np

from sim.kernels.types import UNIT
from sim.measures.sample import Sample
from sim.measures.sums import Floats, money
from sim.scenario.world import TWO_SIDED_95

FEW_PATHS = 20
"""Below so many replicates intervals are Student's."""


def cell_means(sample: Sample, kind: int) -> Floats:
    """Return mean CLV by replicate and cell ``(replicate, g)``, in currency units; 0 where nobody was drawn."""
    sampled = np.array([max(cell.sampled, 1) for cell in sample.cells], dtype=np.float64)
    return np.asarray(money(sample.tally.replicates[:, 0, :, kind]).astype(np.float64) / UNIT / sampled)


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
    """Return how much wider 95 % intervals of means are than normal ones: by Student's t where few market paths were simulated."""
    paths = sample.replicates
    if sample.independent or not 1 < paths < FEW_PATHS:
        return 1.0
    from scipy.special import stdtrit

    return float(stdtrit(paths - 1, 0.975)) / TWO_SIDED_95


def conditional(sample: Sample) -> list[str]:
    """Return what is to be said where all customers have lived through one market path."""
    if sample.independent or sample.replicates > 1:
        return []
    return ["conditional on this market path: other paths may give other values; run.replicates above 1 tells how far they differ"]
