"""What the customers are worth to the firm: customer equity at its size, and from replicate to replicate."""

import numpy as np
import pandas as pd

from sim.kernels.types import AFTER, BEFORE, Array
from sim.measures.clv import in_currency
from sim.measures.paths import cell_means, cell_totals, path_error, path_means
from sim.measures.sample import Group, Sample
from sim.measures.sums import Floats, money, squares, stratified
from sim.scenario.model import Scenario
from sim.scenario.policy import Policy
from sim.scenario.sample import bought, cohorts


def equity(sample: Sample) -> pd.DataFrame:
    """Return customer equity: the CLV of all of the firm's customers, discounted to calendar 0, less the firm's own costs.

    Columns: by (all, segment, cohort), id, customers (of the firm), value (their discounted CLV, after acquisition), budget (of cohorts
    bought by one, discounted; shared among segments by their customers), firm_cost (set-up and fixed costs, and what policies spend on
    winning customers, discounted; only in ``all``),
    equity (value - budget - firm_cost), se (of equity; over replicates where customers share luck, NaN of one).
    """
    value, se = cell_values(sample)
    budget = _cell_budgets(sample)
    rows = []
    for group in sample.groups:
        cost = firm_cost(sample) if group.by == "all" else 0.0
        worth, spent = _sum(value, group), _sum(budget, group)
        row = {"by": group.by, "id": group.id, "customers": _sum(sample.firm, group), "value": worth, "budget": spent}
        rows.append(row | {"firm_cost": cost, "equity": worth - spent - cost, "se": _error(sample, group, se)})
    return pd.DataFrame(rows)


def _error(sample: Sample, group: Group, se: Floats) -> float:
    """Return the standard error of a group's value; se: of its cells ``(g,)``, if customers are independent."""
    if sample.independent:
        return float(np.sqrt(_sum(se * se, group)))
    return path_error(path_means(_path_values(sample)[:, group.cells], np.ones(group.cells.size)))


def _path_values(sample: Sample) -> Floats:
    """Return each cell's discounted value by replicate ``(replicate, g)``; NaN of a cell of the firm that nobody was drawn from."""
    if sample.came is not None:
        return cell_totals(sample, AFTER) * sample.scenario.discount_factor**sample.arrival
    value = cell_means(sample, AFTER) * _scale(sample)
    value[:, (sample.customers == 0) & (sample.firm > 0)] = np.nan
    return value


def _sum(values: Floats, group: Group) -> float:
    total = 0.0
    for value in values[group.cells].tolist():
        total += value
    return total


def cell_values(sample: Sample) -> tuple[Floats, Floats]:
    """Return each cell's discounted value and its standard error ``(g,)``; a cell of the firm that nobody was drawn from is worth NaN."""
    moments = sample.tally.moments[0, :, :, AFTER]
    total, square = money(moments[:, :, 2:4]).sum(axis=1), squares(moments[:, :, 4:6]).sum(axis=1)
    scale, customers = _scale(sample), sample.customers[None]
    mean, se = stratified(*in_currency(total[None], square[None], customers), customers, sample.firm[None])
    return np.where(scale > 0, mean * scale, 0.0), np.where(scale > 0, se * scale, 0.0)


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
        entry = None if cell.base else scenario.cohorts.get(groups[cell.cohort].id)
        budget = entry.budget if entry is not None and entry.budget is not None else 0.0
        spent.append(budget * shares[cell.slot] / whole * scenario.discount_factor**cell.arrival)
    return np.array(spent)


def budgets(sample: Sample) -> float:
    """Return what cohorts bought by a budget cost, discounted to calendar 0."""
    return _sum(_cell_budgets(sample), sample.whole)


def firm_cost(sample: Sample) -> float:
    """Return set-up cost and the fixed cost of every calendar period from 0 to the last simulated one, of policies too, discounted."""
    firm, factor = sample.scenario.firm, sample.scenario.discount_factor
    last = int(sample.arrival.max()) + sample.horizon
    cost = firm.setup_cost
    if firm.fixed_cost > 0:
        for y in range(last):
            cost += firm.fixed_cost * factor**y
    return cost + own_cost(sample)


def own_cost(sample: Sample) -> float:
    """Return what policies cost the firm itself, whomever they treat, discounted."""
    last = int(sample.arrival.max()) + sample.horizon
    return sum(policy_cost(sample.scenario, policy, last) for policy in sample.scenario.policies.values())


def policy_cost(scenario: Scenario, policy: Policy, last: int) -> float:
    """Return what a policy costs the firm itself in calendar periods 0 … last - 1, discounted: setup, each period, winning customers."""
    if policy.when.start >= last:
        return 0.0
    factor = scenario.discount_factor
    stop = last if policy.when.stop is None else min(policy.when.stop, last)
    spent = policy.cost.setup * factor**policy.when.start
    for y in range(policy.when.start, stop):
        spent += policy.cost.per_period * factor**y
    return spent + bought(scenario, policy, last)[1]


def replicates(sample: Sample) -> pd.DataFrame:
    """Return each replicate's results. Columns: replicate, clv, clv_before_acquisition (means per customer), equity."""
    columns: dict[str, Array] = {"replicate": np.arange(sample.replicates)}
    for name, kind in (("clv", AFTER), ("clv_before_acquisition", BEFORE)):
        columns[name] = path_clv(sample, kind)
    return pd.DataFrame(columns | {"equity": path_equity(sample)})


def path_clv(sample: Sample, kind: int) -> Floats:
    """Return mean CLV per customer of each replicate ``(replicate,)``; kind: BEFORE or AFTER acquisition cost."""
    weight = np.where(sample.customers > 0, sample.firm, 0.0)
    return path_means(cell_means(sample, kind), weight) / _sum(weight, sample.whole)


def path_equity(sample: Sample) -> Floats:
    """Return customer equity of each replicate ``(replicate,)``."""
    return path_means(_path_values(sample), np.ones(len(sample.cells))) - (budgets(sample) + firm_cost(sample))


RISK_LEVELS = {"q05": 0.05, "q50": 0.5, "q95": 0.95}
"""Quantiles of ``equity_risk``."""


def equity_risk(sample: Sample) -> pd.DataFrame:
    """Return how customer equity at the firm's size differs between paths; one row.

    Columns: replicates (paths of the market, or of arrivals), mean, se (of the mean), sd (between paths), q05 … q95 (of them),
    share_negative (of them). Of one path all but replicates and mean are NaN. The spread holds the luck of customers too: of those
    simulated, so that it is wider than the firm's own where fewer are simulated than the firm has.
    """
    values = replicates(sample)["equity"].to_numpy()
    row = {"replicates": values.size, "mean": float(values.mean()), "se": path_error(values), "sd": np.nan}
    row |= dict.fromkeys([*RISK_LEVELS, "share_negative"], np.nan)
    if values.size > 1:
        row |= {"sd": float(values.std(ddof=1)), "share_negative": float((values < 0).mean())}
        row |= dict(zip(RISK_LEVELS, np.quantile(values, list(RISK_LEVELS.values())).tolist(), strict=True))
    return pd.DataFrame([row])
