"""Which typical profit curve a customer's past resembles, and what that says of its future (after Chen 2003)."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sim.kernels.types import PATTERNS, Array
from sim.measures.followed import Followed
from sim.measures.sample import Group
from sim.measures.sums import Floats, wilson

HISTORIES = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0)
"""Years of history after which customers are judged, as far as the horizon holds them."""

FEW = 5
"""Fewer customers make no typical curve."""


class Typical(NamedTuple):
    """The typical curve of a pattern. pattern: place in PATTERNS; share: of all; past: cash by period so far; to_come: cash after it."""

    pattern: int
    share: float
    past: Floats
    to_come: float


class Judged(NamedTuple):
    """What customers' past looks like after a history. All ``(n,)``.

    here: who is still in an active stage and was judged; nearest: place in PATTERNS of the nearest typical curve; resembles: of the
    likeliest one, nearness weighed by how common it is; predicted, actual: cash to come within the horizon, discounted to then.
    """

    here: Array
    nearest: Array
    resembles: Array
    predicted: Floats
    actual: Floats


def histories(followed: Followed) -> list[int]:
    """Return the lengths of history after which customers are judged, in periods."""
    found = {round(years * followed.year) for years in HISTORIES}
    return sorted(periods for periods in found if 0 < periods < followed.sample.horizon)


def judged(followed: Followed, periods: int) -> Judged:
    """Judge the customers still active after so many periods by their cash so far.

    Nobody judges itself: typical curves are those of the other half of the panel (even serials judge odd ones), of the same segment and of
    those still active by then. Each curve is fitted times a factor of the customer's own, its size, in least squares. The remaining sum of
    squares d counts as one observation: chances are as share x exp(-d / 2 s), s being its mean over the other half around their own
    patterns' curves. What is predicted is what came after each curve, times the factor, weighed by the chances.
    """
    panel = followed.panel
    here, past = followed.active[periods], followed.earned[:periods]
    to_come = followed.earned[periods:].sum(axis=0) / followed.factors[periods]
    nearest, likeliest, predicted = np.full(here.size, -1), np.full(here.size, -1), np.full(here.size, np.nan)
    half = panel.serial % 2
    for v in np.unique(panel.variant):
        for h in (0, 1):
            known = np.flatnonzero(here & (panel.variant == v) & (half != h))
            mine = np.flatnonzero(here & (panel.variant == v) & (half == h))
            typical, spread = typical_curves(followed, known, past, to_come)
            if typical and mine.size:
                place, chance, each = compared(past[:, mine], typical, spread)
                patterns = np.array([curve.pattern for curve in typical])
                nearest[mine], likeliest[mine] = patterns[place], patterns[np.argmax(chance, axis=0)]
                predicted[mine] = (chance * each).sum(axis=0)
    return Judged(here & (likeliest >= 0), nearest, likeliest, predicted, to_come)


def typical_curves(followed: Followed, known: Array, past: Floats, to_come: Floats) -> tuple[list[Typical], float]:
    """Return the typical curves of the patterns of ``known``, commonest first, and the mean sum of squares that they leave."""
    found, left, weights = [], 0.0, 0.0
    for pattern in range(len(PATTERNS)):
        those = known[followed.panel.pattern[known] == pattern]
        if those.size >= FEW:
            weight = followed.weight[those]
            whole = float(np.cumsum(weight)[-1])
            curve = np.cumsum(past[:, those] * weight, axis=1)[:, -1] / whole
            found.append(Typical(pattern, whole, curve, float(np.cumsum(to_come[those] * weight)[-1] / whole)))
            left += float(np.cumsum(_fit(past[:, those], curve)[0] * weight)[-1])
            weights += whole
    ordered = sorted(found, key=lambda curve: -curve.share)
    return [curve._replace(share=curve.share / weights) for curve in ordered], left / weights if weights > 0 else 0.0


def compared(past: Floats, typical: list[Typical], spread: float) -> tuple[Array, Floats, Floats]:
    """Return the place of the nearest curve ``(n,)``, each curve's chance and what it predicts ``(curve, n)``; past: ``(t, n)``."""
    fits = [_fit(past, curve.past) for curve in typical]
    left = np.array([distance for distance, _ in fits])
    each = np.array([factor * curve.to_come for (_, factor), curve in zip(fits, typical, strict=True)])
    shares = np.array([curve.share for curve in typical])[:, None]
    least = left.min(axis=0)
    chance = shares * np.exp(-(left - least) / (2.0 * spread)) if spread > 0 else shares * (left == least)
    tied = left <= least + 1e-9 * (1.0 + (past**2).sum(axis=0))  # to the commoner one
    return np.argmax(tied, axis=0), chance / chance.sum(axis=0), each


def _fit(past: Floats, curve: Floats) -> tuple[Floats, Floats]:
    """Return the sum of squares that a curve ``(t,)`` leaves of each past ``(t, n)``, and the factor it is taken times, 0 or more."""
    size = float(np.cumsum(curve * curve)[-1])
    factor = np.maximum((curve[:, None] * past).sum(axis=0) / size, 0.0) if size > 0 else np.ones(past.shape[1])
    return ((past - factor * curve[:, None]) ** 2).sum(axis=0), factor


def resemblance(followed: Followed) -> pd.DataFrame:
    """Return which typical profit curve customers' past resembled, and what they turned out to be.

    Columns: by (all, segment, cohort, base), id, history (periods after which they were judged, if then active), pattern (of the whole
    life), resembles (likeliest by then), customers (of the panel, judged and of the pattern), share (of them, those that resembled this),
    share_se, low, high (ends of the 95 % interval). Shares of a pattern add up to 1 at each history.
    """
    frames = []
    for periods in histories(followed):
        found = judged(followed, periods)
        is_of = found.here & (followed.panel.pattern == np.arange(len(PATTERNS))[:, None, None])  # (pattern, 1, n)
        looks = found.resembles == np.arange(len(PATTERNS))[:, None]  # (resembles, n)
        sums = followed.sums((is_of & looks).astype(np.float64), is_of & np.ones_like(looks))
        frames += [_confusion(followed, group, sums, periods) for group in followed.sample.groups]
    columns = ["by", "id", "history", "pattern", "resembles", "customers", "share", "share_se", "low", "high"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _confusion(followed: Followed, group: Group, sums: Any, periods: int) -> pd.DataFrame:
    share, se, customers = followed.mean(sums, group)
    low, high = wilson(share, se, customers)
    n = len(PATTERNS)
    columns: dict[str, Any] = {"by": group.by, "id": group.id, "history": periods, "pattern": np.repeat(PATTERNS, n)}
    columns |= {"resembles": list(PATTERNS) * n, "customers": customers.ravel(), "share": share.ravel(), "share_se": se.ravel()}
    frame = pd.DataFrame(columns | {"low": low.ravel(), "high": high.ravel()})
    return frame[frame["customers"] > 0]


def forecast(followed: Followed) -> pd.DataFrame:
    """Return how well the past foretells the future, by length of history.

    Columns: by (all, segment, cohort, base), id, history (periods), customers (of the panel, active then), right (share whose pattern was
    foretold), right_se, low, high (ends of its 95 % interval), nearest (share right by the nearest curve alone), commonest (share right by
    guessing the commonest pattern for all), predicted, actual (mean cash to come), actual_se, explained (share of the variance of cash to
    come that the prediction explains; below 0 where the mean would be nearer).
    """
    frames = [_forecast(followed, periods, judged(followed, periods)) for periods in histories(followed)]
    names = ["right", "right_se", "low", "high", "nearest", "commonest", "predicted", "actual", "actual_se", "explained"]
    columns = ["by", "id", "history", "customers", *names]
    found = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    return found.sort_values("history", kind="stable", ignore_index=True)[columns]


def _forecast(followed: Followed, periods: int, found: Judged) -> pd.DataFrame:
    pattern, here = followed.panel.pattern, found.here
    error = np.where(here, found.predicted - found.actual, 0.0)
    known = {
        "right": found.resembles == pattern,
        "nearest": found.nearest == pattern,
        "of": pattern == np.arange(len(PATTERNS))[:, None],
        "predicted": np.where(here, found.predicted, 0.0),
        "actual": found.actual,
        "square": found.actual**2,
        "error": error**2,
    }
    sums = {name: followed.sums(values.astype(np.float64), here) for name, values in known.items()}
    rows = []
    for group in followed.sample.groups:
        mean = {name: followed.mean(part, group)[0] for name, part in sums.items()}
        right, se, customers = followed.mean(sums["right"], group)
        low, high = wilson(right, se, customers)
        variance = float(mean["square"] - mean["actual"] ** 2)
        row = {"by": group.by, "id": group.id, "history": periods, "customers": int(customers)}
        row |= {"right": float(right), "right_se": float(se), "low": float(low), "high": float(high)}
        row |= {"nearest": float(mean["nearest"]), "commonest": float(mean["of"].max())}
        row |= {"predicted": float(mean["predicted"]), "actual": float(mean["actual"])}
        row |= {"actual_se": float(followed.mean(sums["actual"], group)[1])}
        rows.append(row | {"explained": 1.0 - float(mean["error"]) / variance if variance > 0 else float("nan")})
    return pd.DataFrame(rows)
