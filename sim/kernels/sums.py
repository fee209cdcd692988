"""Integer sums that cannot lose a digit: two-word totals, squares by halves, histogram bins."""

import numpy as np

from sim.kernels.jit import jit
from sim.kernels.types import LOWEST_OCTAVE, SIDE, Array

WORD = np.int64(0xFFFFFFFF)
SQUARE_WORD = np.int64(2**52 - 1)
HALF_BITS = np.int64(26)
HALF_WORD = np.int64(2**26 - 1)
MANTISSA_DROPPED = np.int64(45)
"""A float64 without its lowest 45 bits is its exponent and 7 bits of mantissa: 128 bins an octave."""
FULL = np.int64(2**62)
"""Upper words of squares are below this: two totals can be added, and what has overflowed is told from what has not."""
FIRST_BIN = np.int64((1023 + LOWEST_OCTAVE) << 7)


@jit
def add(total: Array, amount: np.int64) -> None:
    """Add money to a two-word total ``hi * 2**32 + lo``."""
    total[0] += amount >> np.int64(32)
    total[1] += amount & WORD


@jit
def add_square(total: Array, amount: np.int64) -> None:
    """Add a non-negative amount to a two-word total ``hi * 2**52 + lo``, with lo below 2**53 before and 2**52 after.

    It carries at once: some two thousand groups fill an int64 by their lower words.
    """
    low = total[1] + (amount & SQUARE_WORD)
    total[0] += (amount >> np.int64(52)) + (low >> np.int64(52))
    total[1] = low & SQUARE_WORD


@jit
def add_products(total: Array, high: np.int64, cross: np.int64, low: np.int64) -> None:
    """Add squares of values ``a * 2**26 + b``, given sums of a a, a b and b b, to a two-word total ``hi * 2**52 + lo``.

    Where hi would pass FULL it stays there, so that whoever reads it knows: nothing is lost in silence.
    """
    more = high + (cross >> np.int64(25))
    total[0] = total[0] + more if np.int64(0) <= more < FULL - total[0] else max(FULL, total[0])
    total[1] += (cross & np.int64(2**25 - 1)) << np.int64(27)
    add_square(total, low)


@jit
def add_bins(bins: Array, histogram: Array, n: int) -> None:
    """Count the first n bins in a histogram."""
    for i in range(n):
        histogram[np.uintp(bins[i])] += 1


@jit
def fill_bins(values: Array, as_float: Array, bins: Array, n: int) -> None:
    """Write the histogram bin of the first n money ``values`` (int64, units) to ``bins``; as_float (float64) is scratch."""
    bits = as_float.view(np.int64)
    for i in range(n):
        as_float[i] = np.float64(abs(values[i]))
    for i in range(n):
        away = max((bits[i] >> MANTISSA_DROPPED) - FIRST_BIN + np.int64(1), np.int64(0))
        bins[i] = np.int64(SIDE) + (away if values[i] >= 0 else -away)
