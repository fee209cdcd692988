"""Who bought how often and when last: a log of orders in the form that models of buying are fitted to."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sim.scenario.base import PERIODS_PER_YEAR
from sim.scenario.errors import Fault, ScenarioError

if TYPE_CHECKING:
    from sim.measures.sample import Sample


def last_order(sample: "Sample") -> pd.Series:
    """Return when each kept customer placed its last order, in periods since acquisition; missing where it placed none."""
    kept, existing = sample.kept, sample.scenario.existing
    assert kept is not None
    found = np.where(kept.last_order[0] < 0, np.nan, kept.last_order[0])
    if existing is not None:
        held = np.array([cell.base for cell in sample.cells])[sample.cell_of_row]
        replicates = sample.tally.replicates.shape[0]
        if existing.T.size > 0:
            before = np.tile(np.where(existing.x > 0, existing.t_x, np.nan), replicates)
            since = found[held] + np.tile(existing.T, replicates)
            found[held] = np.where(np.isnan(since), before, since)
        else:
            found[held] += np.tile(existing.tenure, replicates)
    return pd.Series(found)


def rfm(sample: "Sample", customers: pd.DataFrame, period: str | None) -> pd.DataFrame:
    """Return the customers' orders as frequency, recency and T; see ``sim.Result.rfm``."""
    if "last_order" not in customers:
        kind = sample.scenario.purchases.kind
        raise ScenarioError([Fault("purchases.kind", kind, "must be bernoulli or poisson: subscribers place no orders that can be timed")])
    if period is not None and period not in PERIODS_PER_YEAR:
        raise ScenarioError([Fault("period", str(period), f"must be one of {', '.join(PERIODS_PER_YEAR)}")])
    scale = PERIODS_PER_YEAR[period or sample.scenario.period] / sample.scenario.periods_per_year
    orders, seen = customers["orders"].to_numpy(np.int64, copy=True), np.full(len(customers), float(sample.horizon))
    kept, existing = np.ones(len(customers), bool), sample.scenario.existing
    if existing is not None:
        base = np.array([cell.base for cell in sample.cells])[sample.cell_of_row]
        if existing.T.size > 0:
            replicates = sample.tally.replicates.shape[0]
            orders[base] += np.tile(existing.x.astype(np.int64), replicates)
            seen[base] += np.tile(existing.T, replicates)
        else:
            kept = ~base
    names = customers[["replicate", "cohort", "segment", "serial"]]
    found = names.assign(frequency=orders, recency=scale * customers["last_order"].fillna(0.0), T=scale * seen)
    return found[kept].reset_index(drop=True)
