"""How customer value is concentrated: the cumulative profit curve, the share of the best customers, the coefficient of Gini."""

import numpy as np
import pandas as pd

from sim.kernels.types import AFTER, UNIT
from sim.measures.sample import Sample
from sim.measures.sums import Floats, bin_edges

STEPS = 100
"""Equal steps of the curve, in customers."""


def concentration(sample: Sample) -> pd.DataFrame:
    """Return the cumulative profit curve: what part of all CLV, after acquisition, the most valuable customers bring.

    Columns: customers (share of them, most valuable first, 0 to 1 in hundredths), value (share of the sum of all CLV that they bring; above
    1 where others bring losses, NaN where the sum is not above 0). Of the simulated customers, not weighted back; exact where customers
    were kept, else from the histogram, whose bins hold CLV to half of QUANTILE_RELATIVE_ERROR.
    """
    customers, value = _curve(sample)
    places = np.arange(STEPS + 1) / STEPS
    return pd.DataFrame({"customers": places, "value": np.interp(places, customers, value)})


def gini(sample: Sample) -> float:
    """Return the coefficient of Gini (1912) of CLV, after acquisition: 0 where all are worth the same; NaN where any is below 0."""
    if sample.tally.extremes[0, sample.customers > 0, AFTER, 0].min() < 0:
        return float("nan")
    customers, value = _curve(sample)
    # twice the area between the curve, which lies above the diagonal, and the diagonal
    return float(np.sum(np.diff(customers) * (value[1:] + value[:-1])) - 1.0)


def _curve(sample: Sample) -> tuple[Floats, Floats]:
    """Return shares of customers, the most valuable first, and of all value that they bring; both from 0 to 1."""
    if sample.kept is not None:
        amounts = np.sort(sample.kept.clv[0, :, AFTER])[::-1] / UNIT
        counts = np.ones(amounts.size)
    else:
        extremes = sample.tally.extremes[0, sample.customers > 0, AFTER] / UNIT
        edges = np.clip(bin_edges(), extremes[:, 0].min(), extremes[:, 1].max())
        histogram = sample.tally.by_segment[0, :, AFTER].sum(axis=0)
        filled = np.flatnonzero(histogram)[::-1]
        amounts, counts = (edges[filled] + edges[filled + 1]) / 2, histogram[filled].astype(np.float64)
    value = np.concatenate([[0.0], np.cumsum(amounts * counts)])
    whole = value[-1] if value[-1] > 0 else np.nan
    return np.concatenate([[0.0], np.cumsum(counts) / counts.sum()]), value / whole
