"""Values from words: quantile tables and Poisson counts. One uniform a variate, so common random numbers stay common."""

import numpy as np

from sim.kernels.jit import jit, leaf
from sim.kernels.maths import exp, exponent_64
from sim.kernels.types import NODES, Z_MAX, Array, Integer
from sim.kernels.vectors import list_places

TO_NODE = np.float32((NODES - 1) / (2 * Z_MAX))
MIDDLE = np.float32((NODES - 1) / 2)
MOST = 700.0
"""Largest mean that ``exponent_64`` bears."""


@jit
def look_up(quantiles: Array, table: int, z: np.float32) -> np.float32:
    """Return the value at standard normal ``z``, linear between the nodes of a row of ``quantiles`` (table, NODES)."""
    at = z * TO_NODE + MIDDLE
    node = np.uintp(at)
    part = at - np.float32(node)
    low = quantiles[table, node]
    return np.float32(low + part * (quantiles[table, node + np.uintp(1)] - low))


@leaf
def poisson(words: Array, means: Array, places: Array, work: Array, n: int) -> Integer:
    """Draw Poisson counts by inversion, summing the probabilities from 0; means: (n,) float64.

    Return how many counts are above 0, their places in ``places``, and themselves in ``work[0]``; work: (5, GROUP) float64. Past mean
    + 12 standard deviations + 40 (never reached by a 32-bit uniform but for rounding) they stop.
    """
    count, u, mean, p, below = work[0], work[1], work[2], work[3], work[4]
    listed = list_doubtful(words, means, places, n)
    for k in range(listed):
        i = np.uintp(places[k])
        u[k] = (np.float64(words[i]) + 0.5) * 2.0**-32
        mean[k] = means[i]
    for k in range(listed):
        below[k] = -min(mean[k], MOST)
    exponent_64(below, p, listed)
    first_rounds(count, u, mean, p, below, listed)
    kept = np.uintp(0)
    for k in range(listed):
        if u[k] > below[k]:
            if mean[k] > MOST:
                count[k], p[k] = 0.0, exp(-mean[k])
                below[k] = p[k]
            count[k] = go_on(count[k], u[k], mean[k], p[k], below[k])
        some = count[k]
        places[kept], count[kept] = places[k], some
        kept += np.uintp(some > 0.0)
    return np.int64(kept)


@leaf
def list_doubtful(words: Array, means: Array, places: Array, n: int) -> Integer:
    """Write the places whose count may be above 0 to ``places`` and return their number.

    e**-m is never below its series up to the third power. 1e-9 stands for all rounding.
    """
    for i in range(n):
        m = means[i]
        excess = (np.float64(words[i]) + 0.5) * 2.0**-32 - (1.0 - m * (1.0 - m * (0.5 - m / 6.0))) + 1e-9
        places[i] = np.uint32(excess > 0.0)
    return list_places(places, n)


@leaf
def first_rounds(count: Array, u: Array, mean: Array, p: Array, below: Array, n: Integer) -> None:
    """Let counts rise to 4 while u is above the sum of probabilities (``below``); p, of 0 at first, is left at that of 4."""
    for k in range(n):
        m, high, one, total = mean[k], u[k], p[k], p[k]
        some = 1.0 if high > total else 0.0
        one *= m
        total += one
        some += 1.0 if high > total else 0.0
        one *= m / 2.0
        total += one
        some += 1.0 if high > total else 0.0
        one *= m / 3.0
        total += one
        some += 1.0 if high > total else 0.0
        one *= m / 4.0
        total += one
        count[k], p[k], below[k] = some, one, total


@jit
def go_on(count: float, u: float, mean: float, p: float, below: float) -> float:
    """Return the count that a sum of probabilities passes u at; p, below: the last probability, and the sum up to it."""
    limit = mean + 12.0 * mean**0.5 + 40.0
    while u > below and count < limit:
        count += 1.0
        p *= mean / count
        below += p
    return count


@jit
def amount_node(nodes: Array, count: Integer) -> Integer:
    """Return the last place in ``nodes`` (ascending from 1) that does not pass ``count``."""
    if count <= nodes.size and nodes[count - 1] == count:
        return count - 1
    place = 0
    while place + 1 < nodes.size and nodes[place + 1] <= count:
        place += 1
    return place
