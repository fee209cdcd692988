"""From integer sums to estimates: exact Python integers first, floats last; quantiles from histograms; stratified errors.

Floats are added cell by cell in a fixed order, never by a library's blocked sum, so that equal tallies give equal digits on any
machine.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from sim.kernels.types import BINS, LOWEST_OCTAVE, OCTAVE_BINS, SIDE, UNIT, Array
from sim.scenario.world import TWO_SIDED_95

Floats = NDArray[np.float64]

TINY = float(np.finfo(np.float64).tiny)
"""The least positive normal float."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

QUANTILE_NAMES = ("q05", "q25", "q50", "q75", "q95")

QUANTILE_RELATIVE_ERROR = 1.0 / OCTAVE_BINS
"""A quantile from a histogram is off by at most this share of itself: the width of a bin over its lower edge, at most. Amounts
below 2**LOWEST_OCTAVE units (0.00024 of a currency unit) share one bin and are off by at most that."""


def money(words: Array) -> Array:
    """Return exact sums of money in units, as Python integers, from two-word sums ``(..., 2)``."""
    return np.asarray(words[..., 0].astype(object) * 2**32 + words[..., 1].astype(object))


def squares(words: Array) -> Array:
    """Return exact sums of squares, as Python integers, from two-word sums ``(..., 2)``."""
    return np.asarray(words[..., 0].astype(object) * 2**52 + words[..., 1].astype(object))


def quotient(top: Array, count: Array) -> Floats:
    """Divide Python integers by counts of the same shape, correctly rounded; 0 where the count is 0."""
    return np.asarray(top / np.where(count == 0, 1, count).astype(object) * (count != 0), dtype=np.float64)


def spread(total: Array, square: Array, count: Array) -> Floats:
    """Return the sum of squared deviations from the mean, exact up to one rounding: ``square - total**2 / count``."""
    exact = np.maximum(count.astype(object) * square - total * total, 0)
    return quotient(exact, count)


def stratified(top: Floats, base: Floats, deviation: Floats, customers: Array, weight: Floats) -> tuple[Floats, Floats]:
    """Estimate a ratio of population totals and its standard error from a stratified sample.

    top, base: sums over a cell's sampled customers of y and of d, where y is 0 unless d = 1, both ``(g, ...)``: the ratio is the mean
    of y among those with d = 1 (everybody, those acquired, those active at t …);
    deviation: ``(g, ...)`` sum over those with d = 1 of (y - cell mean of y)**2; ``x - x**2/base`` where y is 0 or 1;
    customers: ``(g,)`` sampled; weight: ``(g,)`` customers of the population; or ``(g, ...)``, where each ratio is of cells of its own.

    Returns value and standard error ``(...)``: NaN where nobody has d = 1; the error also where a cell of positive weight was sampled
    less than twice. Linearised: Var = sum w**2 s_z**2 / n / D**2 with z = d (y - value) (Cochran 1977, section 6.11), which for means
    of a whole cell is sum share**2 s**2 / n. A cell that nobody was drawn from is left out of the value.
    """
    value, denominator, rates = ratio(top, base, customers, weight)
    n, gap = _along(top, customers), _apart(top, base, value)
    residual = deviation + base * gap * gap * (1.0 - base / np.maximum(n, 1))
    variance = summed(residual * (rates * rates * (n / np.maximum(n - 1, 1))))
    few = ((weight > 0) & (customers < 2)).any(axis=0)
    return value, np.where(few, np.nan, divide(np.sqrt(variance), denominator))


def ratio(top: Floats, base: Floats, customers: Array, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the value of ``stratified``, its denominator ``(...)``, and ``per_sampled`` with the axes of ``top``."""
    rates = _along(top, per_sampled(customers, weight))
    denominator = summed(base * rates)
    return divide(summed(top * rates), denominator), denominator, rates


def _along(values: Floats, cells: Array) -> Array:
    """Return numbers of cells with as many axes as values by cell have."""
    return cells.reshape(cells.shape + (1,) * (values.ndim - cells.ndim))


def _apart(top: Floats, base: Floats, value: Floats) -> Floats:
    """Return by how much each cell's own ratio is above that of all ``(g, ...)``; what is not defined counts as 0."""
    return np.asarray(divide(top, base, 0.0) - np.where(np.isnan(value), 0.0, value))


def summed(values: Floats) -> Floats:
    """Return sums over cells of ``(g, ...)``, one after the other, from 0.0 on (so that no sum is -0.0)."""
    return np.asarray(np.cumsum(values, axis=0)[-1] + 0.0)


def per_sampled(customers: Array, weight: Floats) -> Floats:
    """Return how many of the population a sampled customer of each cell stands for ``(g, ...)``, the most being 1; 0 for empty cells."""
    rates = divide(weight, customers.astype(np.float64), 0.0)
    return np.asarray(rates / np.maximum(rates.max(axis=0), TINY))


def share_of(top: Array, base: Array, customers: Array, weight: Floats) -> tuple[Floats, Floats]:
    """Estimate the share ``top / base`` (counts ``(g, ...)``, top a part of base) and its standard error; see ``stratified``."""
    x, d = top.astype(np.float64), base.astype(np.float64)
    return stratified(x, d, x * (1.0 - divide(x, d, 0.0)), customers, weight)


def wilson(share: Floats, se: Floats, base: Floats) -> tuple[Floats, Floats]:
    """Return the ends of the 95 % interval of estimated shares (Wilson 1927), all ``(...)``; NaN where the error is.

    Of customers it takes as many as a simple random sample with this standard error has, ``share (1 - share) / se**2`` (Korn and Graubard
    1998), and where that is 0, as where everybody was counted or nobody, ``base``: the simulated ones that the share is of.
    """
    p, error = np.asarray(share, dtype=np.float64), np.asarray(se, dtype=np.float64)
    squared = TWO_SIDED_95**2
    per_customer = squared * divide(error * error, p * (1.0 - p), 0.0)  # z**2 / n
    per_customer = np.where(error == 0, squared * divide(np.ones_like(p), np.asarray(base, dtype=np.float64)), per_customer)
    middle = p + per_customer / 2.0
    half = np.sqrt(per_customer * (p * (1.0 - p) + per_customer / 4.0))
    whole = np.where(np.isnan(error), np.nan, 1.0 + per_customer)
    return np.clip((middle - half) / whole, 0.0, 1.0), np.clip((middle + half) / whole, 0.0, 1.0)


def mixture_sd(top: Floats, base: Floats, deviation: Floats, customers: Array, weight: Floats) -> Floats:
    """Return the standard deviation of the mixture of cells ``(...)``; arguments as for ``stratified``.

    Between and within cells, times N / (N - 1) for N customers in all: where the sample has the population's proportions this is the
    standard deviation of the whole sample, and it is defined also where some cell has one customer.
    """
    value, denominator, rates = ratio(top, base, customers, weight)
    gap = _apart(top, base, value)
    total, counted = summed((deviation + base * gap * gap) * rates), summed(base * (rates > 0))
    return np.asarray(np.sqrt(divide(total, denominator) * divide(counted, counted - 1.0)))


def divide(top: Floats, bottom: Floats, undefined: float = np.nan) -> Floats:
    """Divide where ``bottom`` is above 0; ``undefined`` elsewhere."""
    positive = np.asarray(bottom > 0)
    return np.where(positive, np.asarray(top) / np.where(positive, bottom, 1.0), undefined)


@cache
def bin_edges() -> Floats:
    """Return the lower edges of the histogram's bins and the last one's upper edge, in currency units ``(BINS + 1,)``, read-only.

    The middle bin holds what is nearer to 0 than 2**LOWEST_OCTAVE units; the side above it has OCTAVE_BINS equal steps an octave.
    """
    step = np.arange(SIDE + 1)
    upper = np.ldexp(1.0 + (step % OCTAVE_BINS) / OCTAVE_BINS, LOWEST_OCTAVE + step // OCTAVE_BINS) / UNIT
    edges = np.concatenate([-upper[::-1], upper])
    assert edges.size == BINS + 1
    edges.flags.writeable = False
    return edges


def histogram_quantiles(histogram: Array, low: float, high: float, levels: tuple[float, ...] = QUANTILES) -> Floats:
    """Return quantiles, in currency units, of the values counted in a signed log-histogram ``(BINS,)``; NaN if it is empty.

    Between order statistics as numpy's default (type 7 of Hyndman and Fan 1996), each put at its place among the equal steps inside
    its bin, and never outside the known extremes ``low`` and ``high``. Error: QUANTILE_RELATIVE_ERROR.
    """
    cumulative, edges = np.cumsum(histogram), bin_edges()
    n = int(cumulative[-1])
    if n == 0:
        return np.full(len(levels), np.nan)
    part, least = np.modf(np.array(levels) * (n - 1))
    k = least.astype(np.int64) + np.array([[0], [1]])  # the order statistics below and above
    b = np.searchsorted(cumulative, np.minimum(k, n - 1), side="right")
    inside = (k - (cumulative[b] - histogram[b]) + 0.5) / histogram[b]
    below, above = np.clip(edges[b] + inside * (edges[b + 1] - edges[b]), low, high)
    return np.asarray(below + part * (above - below))


def exact_quantiles(units: Array, levels: tuple[float, ...] = QUANTILES) -> Floats:
    """Return quantiles, in currency units, of kept amounts ``(n,)`` in units; NaN if there are none."""
    return np.quantile(units, levels) / UNIT if units.size else np.full(len(levels), np.nan)
