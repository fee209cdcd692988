"""The scorecard of the relationship with customers, year by year: what shows soon, and what shows late. All from the tally."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from sim.kernels.types import COLUMNS, CONTACTS, FEELINGS, HELD, TAKEN_UP, UNIT, Array
from sim.measures.activity import mean_done
from sim.measures.feelings import felt, mean_felt
from sim.measures.retention import share_in
from sim.measures.sample import Group, Sample
from sim.measures.sums import Floats, divide
from sim.scenario.purchases import Subscription

Estimate = tuple[Floats, Floats]
"""Value and standard error by year, both ``(years,)``."""

SHORT, LONG = "short", "long"

COSTS = ("service", "sales")
"""Columns of the ledger that are spent on customers one has."""

INCOME = tuple(column for column in COLUMNS if column not in (*COSTS, "acquisition"))


class Measure(NamedTuple):
    """A line of the scorecard. estimate: of a group by year, None where what it is about is off."""

    name: str
    term: str
    estimate: Callable[[Sample, Group], Estimate | None]


def _years(sample: Sample) -> int:
    return sample.horizon // sample.scenario.periods_per_year


def _yearly(sample: Sample, group: Group, values: Floats) -> Floats:
    """Return sums of a year over the firm's customers ``(years,)`` from sums by cell and tenure ``(g, t)``."""
    years, total = _years(sample), np.zeros(sample.horizon)
    for g in group.cells:
        if sample.customers[g] > 0:
            total += values[g] * (sample.firm[g] / sample.customers[g])
    year = sample.scenario.periods_per_year
    return np.asarray(np.cumsum(total[: years * year].reshape(years, year), axis=1)[:, -1])


def _cash(sample: Sample, columns: tuple[str, ...]) -> Floats:
    """Return the cash of ledger columns ``(g, t)``, as of the period's start."""
    places = [COLUMNS.index(column) for column in columns]
    factors = np.array([sample.scenario.discount_factor**t for t in range(sample.horizon)])
    return np.asarray(sample.cash[:, :, places].sum(axis=2).astype(np.float64) / UNIT / factors)


def _plain(values: Floats) -> Estimate:
    return values, np.full(values.shape, np.nan)


def _transactions(sample: Sample) -> Floats:
    """Return transactions ``(g, t)``: orders, and of those who pay by subscription periods paid for."""
    parts = sample.scenario.by_segment
    subscribed = np.array([isinstance(parts[cell.segment].purchases, Subscription) for cell in sample.cells])[:, None]
    return np.where(subscribed, sample.active[:, :-1], sample.tally.orders[0]).astype(np.float64)


def cost_per_transaction(sample: Sample, group: Group) -> Estimate:
    """Return cost to serve and to sell by order, or by period of a subscription."""
    return _plain(divide(0.0 - _yearly(sample, group, _cash(sample, COSTS)), _yearly(sample, group, _transactions(sample))))


def purchase_cycle(sample: Sample, group: Group) -> Estimate | None:
    """Return periods in active stages by order; None where all pay by subscription."""
    orders = _yearly(sample, group, sample.tally.orders[0].astype(np.float64))
    active = _yearly(sample, group, sample.active[:, :-1].astype(np.float64))
    return _plain(divide(active, orders)) if sample.tally.orders.any() else None


def cross_sell_growth(sample: Sample, group: Group) -> Estimate | None:
    """Return by how much products held by active customer grew from the last period of the year before to that of this one.

    Before the first year it is the one product that every relationship begins with, which has no error; that of a ratio of two means of
    the same customers is not known.
    """
    if sample.scenario.products is None:
        return None
    ends = (np.arange(_years(sample)) + 1) * sample.scenario.periods_per_year - 1
    held, se = (values[ends] for values in mean_done(sample, group, HELD))
    return divide(held, np.append(1.0, held)[: len(held)]) - 1.0, np.where(np.arange(len(ends)) == 0, se, np.nan)


def response_rate(sample: Sample, group: Group) -> Estimate | None:
    """Return contacts that customers start, and policies that they take up, by active customer and period; None where they do neither.

    A policy that everybody takes up asks nobody. The error is known where a period is a year and no such policy is there.
    """
    offered = [p for p, policy in enumerate(sample.scenario.policies.values()) if policy.uptake < 1.0]
    if not sample.contacted and not offered:
        return None
    if not offered and sample.scenario.periods_per_year == 1:
        return mean_done(sample, group, CONTACTS)
    responses = sample.tally.policy[0][..., offered, TAKEN_UP].sum(axis=2)
    if sample.contacted:
        responses = responses + sample.tally.activity[0, :, :, CONTACTS, 0]
    active = _yearly(sample, group, sample.active[:, :-1].astype(np.float64))
    return _plain(divide(_yearly(sample, group, responses.astype(np.float64)), active))


def retention(sample: Sample, group: Group) -> Estimate:
    """Return the year's retention: the product of its periods', as far as anybody is active in them, with Greenwood's (1926) error."""
    kept, se = share_in(sample, group, sample.stayed_active, sample.active[:, :-1])
    years, year = _years(sample), sample.scenario.periods_per_year

    def of_year(values: Floats) -> Floats:
        return values[: years * year].reshape(years, year)

    held = ~np.isnan(of_year(kept))
    product = np.cumprod(np.where(held, of_year(kept), 1.0), axis=1)[:, -1]
    relative = np.cumsum(np.where(held, of_year(divide(se, kept, 0.0)), 0.0) ** 2, axis=1)[:, -1]
    value = np.where(held.any(axis=1), product, np.nan)
    return value, np.asarray(value * np.sqrt(relative), dtype=np.float64)


def churn(sample: Sample, group: Group) -> Estimate:
    """Return 1 - retention of the year."""
    value, se = retention(sample, group)
    return 1.0 - value, se


def revenue_per_cost(sample: Sample, group: Group) -> Estimate:
    """Return what customers bring, purchases at their margin, by unit of cost to serve and to sell."""
    cost = 0.0 - _yearly(sample, group, _cash(sample, COSTS))
    return _plain(divide(_yearly(sample, group, _cash(sample, INCOME)), cost))


def value_to_come(sample: Sample, group: Group) -> Estimate:
    """Return the cash to come within the horizon of a customer active at the start of the year, discounted to then."""
    cash = np.delete(sample.cash, sample.winning, axis=2).sum(axis=2).astype(np.float64) / UNIT
    firm = [sample.firm[g] / sample.customers[g] if sample.customers[g] else 0.0 for g in group.cells]
    starts = np.arange(_years(sample)) * sample.scenario.periods_per_year
    to_come, active = np.zeros(sample.horizon), np.zeros(sample.horizon)
    for g, each in zip(group.cells, firm, strict=True):
        to_come += np.cumsum(cash[g, ::-1])[::-1] * each
        active += sample.active[g, :-1] * each
    factors = np.array([sample.scenario.discount_factor**t for t in starts])
    return _plain(divide(to_come[starts], active[starts]) / factors)


def _felt(name: str) -> Callable[[Sample, Group], Estimate | None]:
    """Return a measure of what customers in active stages feel in the last period of the year."""

    def estimate(sample: Sample, group: Group) -> Estimate | None:
        assert name in FEELINGS
        if name not in felt(sample):
            return None
        ends = (np.arange(_years(sample)) + 1) * sample.scenario.periods_per_year - 1
        mean, se = mean_felt(sample, group, name, sample.active[:, :-1])
        return mean[ends], se[ends]

    return estimate


MEASURES: tuple[Measure, ...] = (
    Measure("cross_sell_growth", SHORT, cross_sell_growth),
    Measure("cost_per_transaction", SHORT, cost_per_transaction),
    Measure("churn", SHORT, churn),
    Measure("purchase_cycle", SHORT, purchase_cycle),
    Measure("satisfaction", SHORT, _felt("satisfaction")),
    Measure("revenue_per_cost", LONG, revenue_per_cost),
    Measure("share_of_wallet", LONG, _felt("level")),
    Measure("response_rate", LONG, response_rate),
    Measure("retention", LONG, retention),
    Measure("value_to_come", LONG, value_to_come),
)
"""Lines of the scorecard; one more is one entry."""


def scorecard(sample: Sample) -> pd.DataFrame:
    """Return the scorecard by year since arrival.

    Columns: by (all, segment, cohort, base), id, term (short or long), measure (see MEASURES; each only where what it is about is on), year
    (1 is the first), value, se (NaN of ratios of money, of growth after the first year, of responses over several periods, and where
    customers share luck). Money is as of the start of its period.
    """
    frames = [_rows(sample, group, measure) for group in sample.groups for measure in MEASURES]
    return pd.concat([frame for frame in frames if frame is not None], ignore_index=True)


def _rows(sample: Sample, group: Group, measure: Measure) -> pd.DataFrame | None:
    found = measure.estimate(sample, group)
    if found is None:
        return None
    value, se = found
    columns: dict[str, str | Array] = {"by": group.by, "id": group.id, "term": measure.term, "measure": measure.name}
    return pd.DataFrame(columns | {"year": np.arange(1, len(value) + 1), "value": value, "se": se})
