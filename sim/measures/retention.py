"""Who stays: survival, activity and retention by tenure and calendar, stages held and left, stays, and patterns of whole lives."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from sim.kernels.types import AFTER, BEFORE, PATTERNS, Array
from sim.measures.clv import estimate
from sim.measures.sample import ACTIVE, LOST, Group, Sample
from sim.measures.sums import QUANTILE_NAMES, QUANTILES, Floats, divide, money, share_of, squares

KIND_NAMES = ("prospect", "active", "lost")


def by_group(sample: Sample, columns: Callable[[Sample, Group], dict[str, Any]]) -> pd.DataFrame:
    """Return a frame of the columns made for each group, one below the other, behind ``by`` and ``id``."""
    frames = [pd.DataFrame({"by": group.by, "id": group.id} | columns(sample, group)) for group in sample.groups]
    return pd.concat(frames, ignore_index=True)


def share_in(sample: Sample, group: Group, top: Array, base: Array) -> tuple[Floats, Floats]:
    """Return the share ``top / base`` in a group, and its standard error, from counts by cell ``(g, ...)`` of the whole sample.

    The error is NaN where customers share luck.
    """
    share, se = share_of(top[group.cells], base[group.cells], sample.customers[group.cells], sample.firm[group.cells])
    return share, sample.errors(se)


def firm(sample: Sample, group: Group, counts: Array) -> Floats:
    """Return counts by cell ``(g, ...)`` as customers of the firm ``(...)``."""
    total = np.zeros(counts.shape[1:])
    for g in group.cells:
        if sample.customers[g] > 0:
            total += counts[g] * (sample.firm[g] / sample.customers[g])
    return total


def retention(sample: Sample) -> pd.DataFrame:
    """Return survival, activity and retention by tenure t = 0 … horizon.

    Columns: by (all, segment, cohort), id, t, survival (never lost before t, of those active by t), survival_se, active (share in an active
    stage), active_se, at_risk (simulated customers active at t), retention (share of them active at t + 1; none at the horizon),
    retention_se, reactivation (share of those lost at t who are active at t + 1). Shares of nobody are NaN. Binomial errors, by cell.
    """
    return by_group(sample, _retention)


def _retention(sample: Sample, group: Group) -> dict[str, Any]:
    everybody = np.repeat(sample.customers[:, None], sample.horizon + 1, axis=1)
    survival, survival_se = share_in(sample, group, sample.once_active - sample.lost_by, sample.once_active)
    active, active_se = share_in(sample, group, sample.active, everybody)
    kept, kept_se = share_in(sample, group, sample.stayed_active, sample.active[:, :-1])
    back, _ = share_in(sample, group, sample.moves(LOST, ACTIVE), sample.in_kind(LOST)[:, :-1])
    columns: dict[str, Any] = {"t": np.arange(sample.horizon + 1), "survival": survival, "survival_se": survival_se}
    columns |= {"active": active, "active_se": active_se, "at_risk": sample.active[group.cells].sum(axis=0)}
    return columns | {"retention": _padded(kept), "retention_se": _padded(kept_se), "reactivation": _padded(back)}


def _padded(values: Floats) -> Floats:
    return np.append(values, np.nan)


def on_calendar(sample: Sample, counts: Array) -> tuple[Array, Array]:
    """Shift counts by tenure ``(g, t, ...)`` to calendar periods ``(g, y, ...)``, 0 outside a cell's window; with the periods ``(y,)``."""
    first, last = int(sample.arrival.min()), int(sample.arrival.max()) + counts.shape[1]
    shifted = np.zeros((counts.shape[0], last - first, *counts.shape[2:]), dtype=counts.dtype)
    for g, arrival in enumerate(sample.arrival - first):
        shifted[g, arrival : arrival + counts.shape[1]] = counts[g]
    return shifted, np.arange(first, last)


def calendar_retention(sample: Sample) -> pd.DataFrame:
    """Return retention by calendar period y, pooled over all cohorts whose move at the end of y was simulated.

    Columns: by, id, y, active (customers of the firm in an active stage in y), new (of them, those active for the first time), retained
    (of the active, those active in y + 1), retention (retained / active), se. It mixes ages: ``retention`` is the view by age.
    """
    return by_group(sample, _calendar_retention)


def _calendar_retention(sample: Sample, group: Group) -> dict[str, Any]:
    active, periods = on_calendar(sample, sample.active[:, :-1])
    known = np.where([cell.base for cell in sample.cells], sample.once_active[:, 0], 0)[:, None]  # of an existing base
    new, _ = on_calendar(sample, np.diff(sample.once_active[:, :-1], axis=1, prepend=known))
    retained, _ = on_calendar(sample, sample.stayed_active)
    share, se = share_in(sample, group, retained, active)
    columns = {"y": periods, "active": firm(sample, group, active), "new": firm(sample, group, new)}
    columns |= {"retained": firm(sample, group, retained), "retention": share, "se": se}
    return _inside(sample, group, columns, periods, sample.horizon)


def _inside(sample: Sample, group: Group, columns: dict[str, Any], periods: Array, window: int) -> dict[str, Any]:
    """Drop the calendar periods (first axis) outside the windows, ``window`` periods long, of the group's cohorts."""
    arrivals = np.unique(sample.arrival[group.cells])
    inside = ((periods[:, None] >= arrivals) & (periods[:, None] < arrivals + window)).any(axis=1)
    return {name: values[inside] for name, values in columns.items()}


def occupancy(sample: Sample) -> pd.DataFrame:
    """Return who is in which stage when.

    Columns: by, id, clock (tenure or calendar), period (t = 0 … horizon, or y), stage, kind, share (of the customers followed in that
    period), customers (of the firm). By calendar, cohorts leave the count when their last move has been simulated.
    """
    return by_group(sample, _occupancy)


def _occupancy(sample: Sample, group: Group) -> dict[str, Any]:
    held = sample.occupancy
    shifted, periods = on_calendar(sample, held)
    calendar = _inside(sample, group, {"y": periods, "held": firm(sample, group, shifted)}, periods, sample.horizon + 1)
    period = np.concatenate([np.arange(sample.horizon + 1), calendar["y"]])
    customers = np.concatenate([firm(sample, group, held), calendar["held"]])
    followed = np.zeros(period.size)
    for s in range(len(sample.stages)):
        followed += customers[:, s]
    n_stages = len(sample.stages)
    return {
        "clock": np.repeat(["tenure", "calendar"], [(sample.horizon + 1) * n_stages, calendar["y"].size * n_stages]),
        "period": np.repeat(period, n_stages),
        "stage": list(sample.stages) * period.size,
        "kind": [KIND_NAMES[kind] for kind in sample.kinds] * period.size,
        "share": divide(customers, followed[:, None]).ravel(),
        "customers": customers.ravel(),
    }


def flows(sample: Sample) -> pd.DataFrame:
    """Return moves between stages by tenure.

    Columns: by, id, t (the move is at its end), stage, edge, target, cause ("" where the scenario gives none), per_customer (moves per
    customer of the group), customers (moves of the firm's customers).
    """
    return by_group(sample, _flows)


def _flows(sample: Sample, group: Group) -> dict[str, Any]:
    edges, horizon = sample.edges, sample.horizon
    moves = firm(sample, group, sample.tally.flows[0][:, :, : len(edges)])
    columns: dict[str, Any] = {"t": np.repeat(np.arange(horizon), len(edges))}
    columns |= {name: [getattr(edge, field) for edge in edges] * horizon for name, field in _EDGE_COLUMNS.items()}
    return columns | {"per_customer": divide(moves, firm(sample, group, sample.customers)).ravel(), "customers": moves.ravel()}


_EDGE_COLUMNS = {"stage": "stage", "edge": "id", "target": "target", "cause": "cause"}


def sojourns(sample: Sample) -> pd.DataFrame:
    """Return how long and how often customers are in a stage.

    Columns: by, id, stage, completed (stays of simulated customers that ended within the horizon, renewals not ending one), mean (their
    length in periods), q05 … q95 (least length that this share of them does not exceed), periods (per customer and within the horizon,
    stays that did not end included), visits (per customer). Completed stays are the shorter ones where the horizon is near.
    """
    return by_group(sample, _sojourns)


def _sojourns(sample: Sample, group: Group) -> dict[str, Any]:
    ended = sample.tally.sojourns[0]
    stays, customers = firm(sample, group, ended), firm(sample, group, sample.customers)
    lengths = np.cumsum(stays, axis=1)
    periods = firm(sample, group, sample.occupancy[:, :-1].sum(axis=1))
    entered = sample.occupancy[:, 0] + sample.arrivals.sum(axis=1)
    total = np.zeros(len(sample.stages))
    for length in range(stays.shape[1]):
        total += length * stays[:, length]
    columns: dict[str, Any] = {"stage": list(sample.stages), "completed": ended[group.cells].sum(axis=(0, 2))}
    columns["mean"] = divide(total, lengths[:, -1])
    for name, level in zip(QUANTILE_NAMES, QUANTILES, strict=True):
        # the margin keeps a share that is reached exactly from being missed by rounding
        reached = lengths >= level * lengths[:, -1:] * (1.0 - 1e-12)
        columns[name] = np.where(lengths[:, -1] > 0, reached.argmax(axis=1), np.nan)
    return columns | {"periods": divide(periods, customers), "visits": divide(firm(sample, group, entered), customers)}


def patterns(sample: Sample) -> pd.DataFrame:
    """Return the shapes that whole lives take.

    Columns: by, id, pattern, customers (simulated), share, share_se, clv, clv_se, clv_before_acquisition, clv_before_acquisition_se (means
    of those in the pattern).
    """
    return by_group(sample, _patterns)


def _patterns(sample: Sample, group: Group) -> dict[str, Any]:
    counts = sample.tally.moments[0, :, :, AFTER, 0]
    everybody = np.repeat(sample.customers[:, None], len(PATTERNS), axis=1)
    share, share_se = share_in(sample, group, counts, everybody)
    columns: dict[str, Any] = {"pattern": PATTERNS, "customers": counts[group.cells].sum(axis=0), "share": share, "share_se": share_se}
    for name, kind in (("clv", AFTER), ("clv_before_acquisition", BEFORE)):
        moments = sample.tally.moments[0, group.cells, :, kind]
        weight, customers = sample.firm[group.cells], sample.customers[group.cells]
        mean, se, _ = estimate(money(moments[..., 2:4]), squares(moments[..., 4:6]), moments[..., 0], customers, weight)
        columns |= {name: mean, f"{name}_se": sample.errors(se)}
    return columns
