"""Values from words: quantile tables and Poisson counts. One uniform a variate, so common random numbers stay common."""

import numpy as np

from sim.kernels.jit import jit
from sim.kernels.maths import exp
from sim.kernels.types import NODES, Z_MAX, Array

TO_NODE = np.float32((NODES - 1) / (2 * Z_MAX))
MIDDLE = np.float32((NODES - 1) / 2)


@jit
def look_up(quantiles: Array, table: int, z: np.float32) -> np.float32:
    """Return the value at standard normal ``z``, linear between the nodes of a row of ``quantiles`` (table, NODES)."""
    at = z * TO_NODE + MIDDLE
    node = np.uintp(at)
    part = at - np.float32(node)
    low = quantiles[table, node]
    return np.float32(low + part * (quantiles[table, node + np.uintp(1)] - low))


@jit
def poisson(word: np.uint32, mean: float) -> int:
    """Return a Poisson count by inversion, summing the probabilities from 0.

    Past mean + 12 standard deviations + 40 (never reached by a 32-bit uniform but for rounding) it stops.
    """
    u = (np.float64(word) + 0.5) * 2.0**-32
    p = exp(-mean)
    below = p
    count = 0
    limit = mean + 12.0 * mean**0.5 + 40.0
    while u > below and count < limit:
        count += 1
        p *= mean / count
        below += p
    return count


@jit
def amount_node(nodes: Array, count: int) -> int:
    """Return the last place in ``nodes`` (ascending from 1) that does not pass ``count``."""
    place = 0
    while place + 1 < nodes.size and nodes[place + 1] <= count:
        place += 1
    return place
