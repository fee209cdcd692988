"""The answer, and how those of segments and cohorts are mixed into it."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.exact.chain import Floats
from sim.exact.forward import COLUMNS, Part
from sim.exact.patterns import PATTERNS
from sim.scenario.shown import table

ROUNDING = 1e-12  # a variance below this part of the second moment is what rounding leaves of 0


class Moments(NamedTuple):
    """Mean and standard deviation of individual CLV, after and before acquisition cost, in currency; None where infinite."""

    clv_mean: float
    clv_sd: float | None
    clv_before_mean: float
    clv_before_sd: float | None


def _empty() -> Floats:
    return np.zeros(0)


@dataclass(frozen=True, repr=False)
class Exact:
    """Exact answers for a scenario, a mean over its customers (segments and cohorts by share) unless said otherwise.

    reason: the feature that prevents exact answers (all else is then None or empty), or None;
    sd_reason: why there are no standard deviations, or None;
    clv_mean, clv_sd, clv_before_mean, clv_before_sd: of individual CLV after and before acquisition cost, currency; None if none;
    by_segment, by_cohort: the same by segment id and by cohort (its place among the arrivals, as in ``sim.scenario.sample``);
    survival: (horizon + 1,) share, among those ever active by t, of the never lost; active: (horizon + 1,) share in active stages;
    retention, reactivation: (horizon,) of those active (lost) at t, the share active at t + 1; 0/0 is NaN;
    level: (horizon,) mean level of those in active stages in t, once it has moved; length 0 where it is off;
    occupancy: stage id to (horizon + 1,) share; flows: ``stage.edge`` to (horizon,) moves a customer at the end of t;
    cash: ledger column to (horizon,) discounted currency a customer; orders: (horizon,) a customer, None for subscriptions;
    periods_per_stage: stage id to mean periods spent there; visits_per_stage: mean entries, the start included, renewals not;
    patterns: life pattern to share at the horizon (in the limit, if infinite; empty where there is no limit);
    node_error: largest difference that halving the quadrature makes, in mean CLV and its variance (relative) and in survival.

    equity: customer equity of the firm's new customers at calendar 0, less budgets and the firm's set-up and fixed costs; None where
    that is infinite, or arrivals depend on customers.

    Infinite horizons have no arrays by t (length 0); periods and visits may be inf, which they also are where they come too near it for
    quadrature (a trait's shape less than 0.1 above the one below which they are infinite).
    """

    reason: str | None = None
    sd_reason: str | None = None
    clv_mean: float | None = None
    clv_sd: float | None = None
    clv_before_mean: float | None = None
    clv_before_sd: float | None = None
    by_segment: dict[str, Moments] = field(default_factory=dict)
    by_cohort: dict[int, Moments] = field(default_factory=dict)
    survival: Floats = field(default_factory=_empty)
    active: Floats = field(default_factory=_empty)
    retention: Floats = field(default_factory=_empty)
    reactivation: Floats = field(default_factory=_empty)
    level: Floats = field(default_factory=_empty)
    occupancy: dict[str, Floats] = field(default_factory=dict)
    cash: dict[str, Floats] = field(default_factory=dict)
    orders: Floats | None = None
    flows: dict[str, Floats] = field(default_factory=dict)
    periods_per_stage: dict[str, float] = field(default_factory=dict)
    visits_per_stage: dict[str, float] = field(default_factory=dict)
    patterns: dict[str, float] = field(default_factory=dict)
    node_error: float = 0.0
    equity: float | None = None

    def __repr__(self) -> str:
        if self.reason is not None:
            return f"<Exact: none, for {self.reason}>"
        return f"<Exact: {'; '.join(f'{name} {value}' for name, value in self._rows())}>"

    def _rows(self) -> list[tuple[str, str]]:
        rows = [
            ("CLV", _said(self.clv_mean, self.clv_sd)),
            ("before acquisition", _said(self.clv_before_mean, self.clv_before_sd)),
        ]
        return rows if self.sd_reason is None else [*rows, ("no SD", self.sd_reason)]

    def _repr_html_(self) -> str:
        if self.reason is not None:
            return table("No exact answer", (), [(self.reason,)])
        more = "by_segment, by_cohort, survival, retention, level, occupancy, flows, cash, orders"
        more += ", periods_per_stage, visits_per_stage, patterns"
        return table("Exact answer", ("", "mean and SD between customers"), self._rows(), f"More in: {more}.")


def _said(mean: float | None, spread: float | None) -> str:
    return f"{mean:,.4f}" + (f" (SD {spread:,.4f})" if spread is not None else "")


def moments(mean: Floats, second: Floats) -> Moments:
    """Return means and standard deviations from first and second moments (kind,), before and after."""
    spread = [_deviation(m, s) for m, s in zip(mean, second, strict=True)]
    return Moments(float(mean[1]), spread[1], float(mean[0]), spread[0])


def _deviation(mean: float, second: float) -> float | None:
    if not np.isfinite(second):
        return None
    variance = second - mean**2
    return float(np.sqrt(variance)) if variance > ROUNDING * second else 0.0


@dataclass(frozen=True)
class Graph:
    """What a Part is about: ids of stages, their kinds, and edges; whether orders are placed, and whether the level is on."""

    stages: tuple[str, ...]
    kinds: tuple[str, ...]
    edges: tuple[str, ...]
    counted: bool
    levelled: bool


def mix(parts: dict[str, Part], weights: dict[str, Floats], cohorts: dict[int, dict[str, Floats]], graph: Graph) -> Exact:
    """Weigh the parts of segments. weights: share of customers by segment and phase (p,), sum 1; cohorts: the same within each."""

    def total(name: str, share: dict[str, Floats] = weights) -> Floats:
        return np.asarray(sum(getattr(part, name) @ share[key] for key, part in parts.items()))

    def moments_of(share: dict[str, Floats]) -> Moments:
        return moments(total("mean", share)[:, 0], total("second", share)[:, 0])

    occupancy, once, stayed, flows, cash = (total(name) for name in ("occupancy", "once", "stayed", "flows", "cash"))
    periods, visits, patterns = total("periods"), total("visits"), total("patterns")
    whole = moments_of(weights)
    active = occupancy @ np.array([kind == "active" for kind in graph.kinds])
    lost = occupancy @ np.array([kind == "lost" for kind in graph.kinds])
    survival = _ratio(once[:, 1], once[:, 0])  # (t, rule)
    arrivals = np.sum(list(weights.values()), axis=0)  # by phase: every cohort has the same segments
    by_segment = {key: moments_of({one: (one == key) * arrivals for one in parts}) for key in parts}
    return Exact(
        sd_reason=None if whole.clv_sd is not None else "clv_sd: the second moment is infinite, or too near it for quadrature",
        **whole._asdict(),
        by_segment=by_segment,
        by_cohort={c: moments_of(share) for c, share in cohorts.items()},
        survival=survival[:, 0],
        active=active,
        retention=_ratio(stayed[:, 0], active[:-1]),
        reactivation=_ratio(stayed[:, 1], lost[:-1]),
        level=_ratio(total("level"), active[:-1]) if graph.levelled else _empty(),
        occupancy=dict(zip(graph.stages, occupancy.T, strict=True)),
        cash=dict(zip(COLUMNS, cash, strict=True)),
        orders=total("orders") if graph.counted else None,
        flows=dict(zip(graph.edges, flows.T, strict=True)),
        periods_per_stage=dict(zip(graph.stages, periods.tolist(), strict=True)),
        visits_per_stage=dict(zip(graph.stages, visits.tolist(), strict=True)),
        patterns=dict(zip(PATTERNS, patterns.tolist(), strict=False)),
        node_error=_node_error(total("mean"), total("second"), survival),
    )


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def _node_error(mean: Floats, second: Floats, survival: Floats) -> float:
    """Return the largest difference between the two rules: (kind, rule) moments, (t, rule) survival."""
    found = [0.0]
    variance = np.where(np.isfinite(second), second, 0.0) - np.where(np.isfinite(second), mean**2, 0.0)
    for k in (0, 1):
        size = max(abs(mean[k, 0]), float(np.sqrt(max(variance[k, 0], 0.0))))
        found.append(abs(mean[k, 0] - mean[k, 1]) / size if size > 0 else 0.0)
        if variance[k, 0] > ROUNDING * second[k, 0]:
            found.append(abs(variance[k, 0] - variance[k, 1]) / variance[k, 0])
    change: NDArray[np.float64] = np.abs(survival[:, 0] - survival[:, 1])
    return float(max([*found, *change[~np.isnan(change)]]))
