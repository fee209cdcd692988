"""What the customers are worth to the firm: customer equity at its size, and from replicate to replicate."""

import numpy as np
import pandas as pd

from sim.kernels.types import AFTER, BEFORE, UNIT
from sim.measures.clv import estimate
from sim.measures.sample import Group, Sample
from sim.measures.sums import Floats, money, squares
from sim.scenario.sample import cohorts


def equity(sample: Sample) -> pd.DataFrame:
    """Return customer equity: the CLV of all of the firm's customers, discounted to calendar 0, less the firm's own costs.

    Columns: by (all, segment, cohort), id, customers (of the firm), value (their discounted CLV, after acquisition), budget (of cohorts
    bought by one, discounted; shared among segments by their customers), firm_cost (set-up and fixed costs, discounted; only in ``all``),
    equity (value - budget - firm_cost), se (of equity).
    """
    value, se = _cell_values(sample)
    budget = _cell_budgets(sample)
    rows = []
    for group in sample.groups:
        cost = firm_cost(sample) if group.by == "all" else 0.0
        worth, spent = _sum(value, group), _sum(budget, group)
        row = {"by": group.by, "id": group.id, "customers": _sum(sample.firm, group), "value": worth, "budget": spent}
        rows.append(row | {"firm_cost": cost, "equity": worth - spent - cost, "se": float(np.sqrt(_sum(se * se, group)))})
    return pd.DataFrame(rows)


def _sum(values: Floats, group: Group) -> float:
    total = 0.0
    for value in values[group.cells].tolist():
        total += value
    return total


def _cell_values(sample: Sample) -> tuple[Floats, Floats]:
    """Return each cell's discounted value and its standard error ``(g,)``; a cell of the firm that nobody was drawn from is worth NaN."""
    moments = sample.tally.moments[0, :, :, AFTER]
    total, square = money(moments[:, :, 2:4]).sum(axis=1), squares(moments[:, :, 4:6]).sum(axis=1)
    scale = _scale(sample)
    value, error = np.zeros(len(sample.cells)), np.zeros(len(sample.cells))
    for g in np.flatnonzero(scale > 0):
        one = slice(g, g + 1)
        mean, se, _ = estimate(total[one], square[one], sample.customers[one], sample.customers[one], sample.firm[one])
        value[g], error[g] = mean * scale[g], se * scale[g]
    return value, error


def _scale(sample: Sample) -> Floats:
    """Return the firm's customers times the discount factor at their arrival ``(g,)``."""
    factor = sample.scenario.discount_factor
    return np.array([cell.firm * factor**cell.arrival for cell in sample.cells])


def _cell_budgets(sample: Sample) -> Floats:
    """Return each cell's discounted part of its cohort's budget ``(g,)``."""
    scenario, groups = sample.scenario, cohorts(sample.scenario)
    shares = list(scenario.segment_shares.values())
    whole = _sum(np.array(shares), Group("", "", np.arange(len(shares))))
    spent = []
    for cell in sample.cells:
        entry = scenario.cohorts.get(groups[cell.cohort].id)
        budget = entry.budget if entry is not None and entry.budget is not None else 0.0
        spent.append(budget * shares[cell.slot] / whole * scenario.discount_factor**cell.arrival)
    return np.array(spent)


def firm_cost(sample: Sample) -> float:
    """Return set-up cost and the fixed cost of every calendar period from 0 to the last simulated one, discounted."""
    firm, factor = sample.scenario.firm, sample.scenario.discount_factor
    cost = firm.setup_cost
    if firm.fixed_cost > 0:
        for y in range(int(sample.arrival.max()) + sample.horizon):
            cost += firm.fixed_cost * factor**y
    return cost


def replicates(sample: Sample) -> pd.DataFrame:
    """Return each replicate's results. Columns: replicate, clv, clv_before_acquisition (means per customer), equity."""
    sampled = np.array([cell.sampled for cell in sample.cells], dtype=np.float64)
    everybody = sample.groups[0]
    sums = money(sample.tally.replicates[:, 0]).astype(np.float64) / UNIT
    drawn = sampled > 0
    means = sums / np.where(drawn, sampled, 1.0)[None, :, None]
    weight = np.where(drawn, sample.firm, 0.0)
    costs = _sum(_cell_budgets(sample), everybody) + firm_cost(sample)
    rows = []
    for replicate in range(sums.shape[0]):
        row: dict[str, float] = {"replicate": replicate}
        for name, kind in (("clv", AFTER), ("clv_before_acquisition", BEFORE)):
            row[name] = _sum(means[replicate, :, kind] * weight, everybody) / _sum(weight, everybody)
        value = np.where((sample.firm > 0) & ~drawn, np.nan, means[replicate, :, AFTER] * _scale(sample))
        rows.append(row | {"equity": _sum(value, everybody) - costs})
    return pd.DataFrame(rows)
