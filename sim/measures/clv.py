"""What customers are worth: CLV by group, the ledger behind it, its course in time, and what lies beyond the horizon."""

from typing import Any

import numpy as np
import pandas as pd

from sim.kernels.types import AFTER, BEFORE, LOWEST_OCTAVE, PATTERNS, UNIT, Array
from sim.measures.paths import cell_means, path_error, path_means
from sim.measures.sample import Group, Sample
from sim.measures.sums import (
    QUANTILE_NAMES,
    Floats,
    bin_edges,
    divide,
    exact_quantiles,
    histogram_quantiles,
    mixture_sd,
    money,
    ratio,
    share_of,
    spread,
    squares,
    stratified,
)

MEASURES = {"clv": AFTER, "clv_before_acquisition": BEFORE}

UNCONVERTED = PATTERNS.index("unconverted")


def clv(sample: Sample) -> pd.DataFrame:
    """Return CLV per customer, after and before acquisition cost.

    Columns: by (all, acquired: those ever active, segment, cohort, pattern), id, measure (clv, clv_before_acquisition), customers
    (simulated), share (of all customers of the firm), mean, se, sd (of the mixture of cells), q05 … q95, min, max, share_negative.
    Quantiles come from kept customers, else from the histograms of all, segment and cohort (within QUANTILE_RELATIVE_ERROR); by acquired
    and pattern they and min and max are then NaN, unless everybody is in that row. They describe the simulated customers: where cells
    were sampled in other proportions than the firm's, as rounding to whole customers brings, they are not weighted back. Where customers
    share luck, se is that of the mean over replicates; NaN of one replicate, and in rows that replicates are not counted by.
    """
    all_cells = sample.whole
    everybody, ever_active = list(range(len(PATTERNS))), [p for p in range(len(PATTERNS)) if p != UNCONVERTED]
    domains = [(all_cells, everybody), (all_cells._replace(by="acquired", id="acquired"), ever_active)]
    domains += [(group, everybody) for group in sample.groups[1:]]
    domains += [(all_cells._replace(by="pattern", id=pattern), [p]) for p, pattern in enumerate(PATTERNS)]
    rows = [clv_row(sample, group, patterns, measure) for group, patterns in domains for measure in MEASURES]
    return pd.DataFrame(rows)


def clv_row(sample: Sample, group: Group, patterns: list[int], measure: str) -> dict[str, Any]:
    """Return the row of the frame ``clv`` of a group's customers with these life patterns."""
    kind, customers, weight = MEASURES[measure], sample.customers[group.cells], sample.firm[group.cells]
    moments = sample.tally.moments[0, group.cells][:, patterns, kind]
    counts, negative = moments[:, :, 0].sum(axis=1), moments[:, :, 1].sum(axis=1)
    total, square = money(moments[:, :, 2:4]).sum(axis=1), squares(moments[:, :, 4:6]).sum(axis=1)
    mean, se, sd = estimate(total, square, counts, customers, weight)
    if not sample.independent:
        se = np.asarray(_shared_error(sample, group, kind) if np.array_equal(counts, customers) else np.nan)
    whole = group.by in ("all", "segment", "cohort", "base")
    share = _total(weight) / _total(sample.firm) if whole else float(share_of(counts, customers, customers, weight)[0])
    row = {"by": group.by, "id": group.id, "measure": measure, "customers": int(counts.sum()), "share": share}
    row |= {"mean": float(mean), "se": float(se), "sd": float(sd)}
    row |= dict(zip([*QUANTILE_NAMES, "min", "max"], _distribution(sample, group, patterns, kind), strict=True))
    below, _, _ = ratio(negative.astype(np.float64), counts.astype(np.float64), customers, weight)
    return row | {"share_negative": float(below)}


def _shared_error(sample: Sample, group: Group, kind: int) -> float:
    """Return the standard error of a group's mean over paths; as where customers are independent, undrawn cells are left out."""
    weight = np.where(sample.customers > 0, sample.firm, 0.0)[group.cells]
    whole = _total(weight)
    return path_error(path_means(cell_means(sample, kind)[:, group.cells], weight)) / whole if whole > 0 else float("nan")


def estimate(total: Array, square: Array, counts: Array, customers: Array, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Return mean, standard error and standard deviation in currency units, from exact sums in units by cell ``(g, ...)``.

    counts: customers of the domain, ``(g, ...)``; customers, weight: of the cells, ``(g,)``.
    """
    sums = in_currency(total, square, counts)
    return *stratified(*sums, customers, weight), mixture_sd(*sums, customers, weight)


def in_currency(total: Array, square: Array, counts: Array) -> tuple[Floats, Floats, Floats]:
    """Return what ``stratified`` and ``mixture_sd`` read, in currency units, from exact sums in units: top, base and deviation."""
    return total.astype(np.float64) / UNIT, counts.astype(np.float64), spread(total, square, counts) / UNIT**2


def _distribution(sample: Sample, group: Group, patterns: list[int], kind: int) -> list[float]:
    """Return the quantiles, the least and the largest CLV of a domain; NaN where neither kept data nor a histogram gives them."""
    if sample.kept is not None:
        chosen = np.isin(sample.cell_of_row, group.cells) & np.isin(sample.kept.pattern[0], patterns)
        values = sample.kept.clv[0, chosen, kind]
        ends = [values.min() / UNIT, values.max() / UNIT] if values.size else [np.nan, np.nan]
        return [*map(float, exact_quantiles(values)), *map(float, ends)]
    cells = group.cells[sample.customers[group.cells] > 0]
    whole = sample.tally.moments[0, cells][:, patterns, kind, 0].sum() == sample.customers[cells].sum()
    if not (whole and cells.size):
        return [np.nan] * (len(QUANTILE_NAMES) + 2)
    low = float(sample.tally.extremes[0, cells, kind, 0].min() / UNIT)
    high = float(sample.tally.extremes[0, cells, kind, 1].max() / UNIT)
    return [*map(float, histogram_quantiles(_histogram(sample, group, kind), low, high)), low, high]


def _histogram(sample: Sample, group: Group, kind: int) -> Array:
    by_segment, by_cohort = sample.tally.by_segment[0, :, kind], sample.tally.by_cohort[0, :, kind]
    first = sample.cells[int(group.cells[0])]
    if group.by == "segment":
        return np.asarray(by_segment[first.slot])
    return np.asarray(by_cohort[first.cohort] if group.by in ("cohort", "base") else by_segment.sum(axis=0))


FEW_VALUES = 40
"""Most bins of the histogram that are held for single values of CLV, where each is met five times or more and few lie side by side."""

MOST_BINS = 60
"""Most bins over the middle 98 % of the customers outside the fullest bin of the histogram."""


def density(sample: Sample) -> pd.DataFrame:
    """Return how CLV, after acquisition cost, is distributed over the simulated customers.

    Columns: left, right (ends of the bin), share (of the simulated customers, not weighted back; they add up to 1), density (share over
    width). Bins are about equally wide, as they are put together from whole bins of the histogram: their shares are exact. Where CLV takes
    few values only, each is a row with left = right, off by at most half of QUANTILE_RELATIVE_ERROR of itself, and its density NaN.
    """
    histogram = _histogram(sample, sample.whole, AFTER)
    extremes = sample.tally.extremes[0, sample.customers > 0, AFTER] / UNIT
    low, high = float(extremes[:, 0].min()), float(extremes[:, 1].max())
    edges, filled, customers = bin_edges(), np.flatnonzero(histogram), int(histogram.sum())
    # what is continuous fills bins side by side, however few they are
    apart = 2 * np.count_nonzero(np.diff(filled) == 1) < filled.size
    if filled.size <= FEW_VALUES and apart and (low == high or 5 * filled.size <= customers):
        left = right = (np.maximum(edges[filled], low) + np.minimum(edges[filled + 1], high)) / 2
        counts = histogram[filled]
    else:
        cuts = _cuts(edges, histogram, low, high)
        cuts = cuts[np.searchsorted(cuts, filled[0], side="right") - 1 : np.searchsorted(cuts, filled[-1] + 1) + 1]
        counts = np.add.reduceat(histogram, cuts)[:-1] if cuts[-1] < histogram.size else np.add.reduceat(histogram, cuts[:-1])
        left, right = edges[cuts[:-1]], edges[cuts[1:]]
    share = counts / customers
    return pd.DataFrame({"left": left, "right": right, "share": share, "density": divide(share, right - left)})


def _cuts(edges: Floats, histogram: Array, low: float, high: float) -> Array:
    """Return which edges, first and last among them, bound bins of a round width. low, high: the extremes of the values counted."""
    # nearly all customers may be worth the same, such as 0: the width is for the others, who would be thousands of bins away else
    fullest, rest = int(histogram.argmax()), histogram.copy()
    rest[fullest] = 0
    ends = [edges[fullest], edges[fullest + 1]]
    if rest.any():
        ends += histogram_quantiles(rest, low, high, (0.01, 0.99)).tolist()
    bins = min(MOST_BINS, max(8, int(2 * int(rest.sum()) ** (1 / 3))))  # the rule of Rice, as in Lane 2015
    raw = float(max(ends) - min(ends)) / bins
    power = 10.0 ** np.floor(np.log10(raw))
    width = power * next(step for step in (1.0, 2.0, 5.0, 10.0) if step * power >= raw * (1 - 1e-9))
    # half of the middle bin is added, so that customers worth 0 are right of it, with the gains
    place = np.floor((edges + 2.0**LOWEST_OCTAVE / UNIT) / width)
    return np.array([0, *(np.flatnonzero(np.diff(place[:-1])) + 1), edges.size - 1])


def located(value: float, low: float, high: float) -> tuple[float, float]:
    """Return the middle of where a quantile from a histogram lies, and by how much it may be off: half of its bin, within low and high.

    Quantiles inside one bin, whose places there are only supposed, come out equal.
    """
    edges = bin_edges()
    above = int(np.searchsorted(edges, value, side="right"))
    left, right = max(float(edges[above - 1]), low), min(float(edges[above]), high)
    return (left + right) / 2, (right - left) / 2


def _total(values: Floats) -> float:
    total = 0.0
    for value in values.tolist():
        total += value
    return total


def ledger(sample: Sample) -> pd.DataFrame:
    """Return what CLV is made of.

    Columns: by (all, segment, cohort), id, column (of the ledger; word_of_mouth, information, knowledge, transaction, sales, policy and
    referral only where they are on), mean (discounted, per customer). The columns add up to CLV.
    """
    frames = []
    for group in sample.groups:
        mean = _mean_cash(sample, group, sample.cash.sum(axis=1))[list(sample.columns.values())]
        frames.append(pd.DataFrame({"by": group.by, "id": group.id, "column": list(sample.columns), "mean": mean}))
    return pd.concat(frames, ignore_index=True)


def _mean_cash(sample: Sample, group: Group, units: Array) -> Floats:
    """Return the mean per customer ``(...)`` of sums in units ``(g, ...)``, in currency units."""
    customers = sample.customers[group.cells]
    base = np.ones(units.shape[1:]) * customers.reshape(-1, *[1] * (units.ndim - 1))
    top = units[group.cells].astype(np.float64) / UNIT
    return stratified(top, base, np.zeros(base.shape), customers, sample.firm[group.cells])[0]


def cash(sample: Sample) -> pd.DataFrame:
    """Return a customer's mean discounted cash by tenure; a move's cash stands in the period at whose end it is made.

    Columns: by, id, t, purchase, service, transition, acquisition, net (their sum), net_se, cumulative (of net, to the end of t),
    paid_back (share of customers whose own discounted cash has once reached 0 by the end of t, acquisition cost included), paid_back_se.
    Before net stand the columns word_of_mouth, information, knowledge, transaction, sales, policy and referral, each only where it is on.
    Squares are summed of amounts cut to whole steps of 2**shift units, which is where net_se loses its last digits. Errors are NaN where
    customers share luck.
    """
    frames = []
    for group in sample.groups:
        customers, weight = sample.customers[group.cells], sample.firm[group.cells]
        net = sample.cash[group.cells].sum(axis=2)
        scale = 4 ** sample.shifts[group.cells].astype(object)
        square = squares(sample.tally.cash_square[0, group.cells]) * scale[:, None]
        counts = np.repeat(customers[:, None], sample.horizon, axis=1)
        mean, se, _ = estimate(net, square, counts, customers, weight)
        paid = np.cumsum(sample.tally.payback[0, group.cells], axis=1)
        columns = _mean_cash(sample, group, sample.cash)
        frame = {"by": group.by, "id": group.id, "t": np.arange(sample.horizon)}
        frame |= {column: columns[:, c] for column, c in sample.columns.items()}
        frame |= {"net": mean, "net_se": sample.errors(se), "cumulative": np.cumsum(mean)}
        share, share_se = share_of(paid, counts, customers, weight)
        frame |= {"paid_back": share, "paid_back_se": sample.errors(share_se)}
        frames.append(pd.DataFrame(frame))
    return pd.concat(frames, ignore_index=True)


def payback(sample: Sample, frame: pd.DataFrame) -> dict[str, Any]:
    """Return, from the frame ``cash``, when customers pay back what they cost.

    period: first tenure t, from the first in which anybody is active on, at whose end mean cumulative discounted cash is at or above 0;
    None if there is none;
    share: of customers who ever pay back within the horizon.
    """
    whole = frame[frame["by"] == "all"]
    # prospects who have not cost anything yet have nothing to pay back
    acquired = np.logical_or.accumulate(sample.active[:, : sample.horizon].any(axis=0))
    reached = np.flatnonzero(acquired & (whole["cumulative"].to_numpy() >= 0.0))
    return {"period": int(reached[0]) if reached.size else None, "share": float(whole["paid_back"].iloc[-1])}


def residual_carried_on(sample: Sample, frame: pd.DataFrame) -> float:
    """Estimate the discounted value per customer beyond the horizon from the frame ``cash``: the last year repeated for ever.

    Each further year's cash, acquisition left out, is the last one's times retention and discount, retention being customers active at
    the horizon per customer active a year (or, in shorter runs, the whole run) earlier. NaN where that does not shrink.
    """
    span = min(sample.scenario.periods_per_year, sample.horizon)
    whole = sample.whole
    ends = sample.active[:, [sample.horizon - span, sample.horizon]]
    counts = np.repeat(sample.customers[:, None], 2, axis=1)
    before, after = share_of(ends, counts, sample.customers, sample.firm)[0].tolist()
    last = _mean_cash(sample, whole, sample.cash)[sample.horizon - span :]
    earned = _total(np.delete(last, sample.winning, axis=1).ravel())
    ratio = float(divide(after, before, 0.0)) * sample.scenario.discount_factor**span
    return earned * ratio / (1.0 - ratio) if ratio < 1.0 else float("nan")
