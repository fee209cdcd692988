"""A run in one row: the few numbers that a sweep keeps of each of its points, without the frames."""

from collections.abc import Sequence

import numpy as np

from sim.kernels.types import AFTER, PATTERNS, POLICY_COST, UNIT
from sim.measures.clv import clv_row
from sim.measures.equity import budgets, cell_values, firm_cost, own_cost, path_clv, path_equity
from sim.measures.paired import Paired, firm_scale
from sim.measures.paths import path_error, path_means
from sim.measures.retention import share_in
from sim.measures.sample import Sample
from sim.measures.sums import Floats, divide, money, summed

MEASURES = {
    "clv": "mean CLV of a customer",
    "clv_sd": "standard deviation of CLV between customers",
    "clv_q05": "CLV that 5 % of the customers do not exceed",
    "clv_q50": "median CLV",
    "clv_q95": "CLV that 95 % of the customers do not exceed",
    "share_negative": "share of customers with a CLV below 0",
    "kept": "share of customers not lost within the first year",
    "equity": "customer equity",
    "spent": "cost of policies, the firm's",
    "gain": "customer equity above that of the comparator",
}
"""Measures of a row, in words; clv, kept, equity and gain have a standard error beside them, ``clv_se`` and so on."""

ERRORS = ("clv", "kept", "equity", "gain")
"""Measures with a standard error."""

Row = dict[str, float | Sequence[float]]


def row(sample: Sample) -> Row:
    """Return a run's measures: CLV after acquisition cost, per customer; equity and cost of policies, the firm's, at calendar 0.

    luck: error of equity because of whom it was, given paths; firm_luck: standard deviation of equity because of who the firm's own, finite
    number of customers are; equity_paths, clv_paths: of each replicate, where there are several. Errors are NaN of one path that customers
    share.
    """
    found = clv_row(sample, sample.whole, list(range(len(PATTERNS))), "clv")
    told: Row = {"clv": found["mean"], "clv_se": found["se"], "clv_sd": found["sd"]}
    told |= {f"clv_{level}": found[level] for level in ("q05", "q50", "q95")} | {"share_negative": found["share_negative"]}
    told["kept"], told["kept_se"] = _kept(sample)
    value, se = cell_values(sample)
    told["equity"] = float(summed(value)) - budgets(sample) - firm_cost(sample)
    luck = float(np.sqrt(summed(se * se)))
    paths = path_equity(sample) if sample.replicates > 1 else np.full(1, np.nan)  # of one path nothing is told
    told["equity_se"] = luck if sample.independent else path_error(paths)
    told |= {"luck": luck, "firm_luck": float(np.sqrt(summed(se * se * per_firm(sample))))}
    told["spent"] = _spent(sample)
    return told | ({"equity_paths": paths.tolist(), "clv_paths": path_clv(sample, AFTER).tolist()} if paths.size > 1 else {})


def per_firm(sample: Sample) -> Floats:
    """Return simulated customers, in all replicates, for each customer of the firm ``(g,)``; 0 where it has none."""
    return divide(sample.customers.astype(np.float64), sample.firm, 0.0)


def _kept(sample: Sample) -> tuple[float, float]:
    """Return the share of customers not lost within the first year, and its standard error; NaN where they start as prospects."""
    if not sample.keeps:
        return float("nan"), float("nan")
    year = min(sample.scenario.periods_per_year, sample.horizon)
    once = sample.once_active[:, year]
    share, se = share_in(sample, sample.whole, once - sample.lost_by[:, year], once)
    return float(share), float(se)


def _spent(sample: Sample) -> float:
    """Return what policies cost, the firm's customers and the firm itself, discounted to calendar 0."""
    if not sample.scenario.policies:
        return 0.0
    units = money(sample.tally.policy[0][..., POLICY_COST:].sum(axis=(1, 2))).astype(np.float64)
    each = units / np.maximum(sample.customers, 1) / UNIT
    return -float(summed(each * firm_scale(sample))) + own_cost(sample)


def rows(paired: Paired, comparator: int) -> list[Row]:
    """Return a row for each case, with its gain over the comparator, customer by customer on the same luck.

    spent_paths: by replicate, where there are several.
    """
    told = []
    for k, sample in enumerate(paired.samples):
        found, own = row(sample), firm_cost(sample) - firm_cost(paired.samples[comparator])
        ahead = paired.at_firm(k, comparator, "clv")
        found |= {"gain": ahead.mean - own, "gain_se": ahead.se}
        if sample.replicates > 1:
            found["spent_paths"] = _spent_paths(paired, k).tolist()
        told.append(found)
    return told


def _spent_paths(paired: Paired, k: int) -> Floats:
    sample = paired.samples[k]
    return path_means(paired.path_cells(k, "policy_cost"), firm_scale(sample)) + own_cost(sample)
