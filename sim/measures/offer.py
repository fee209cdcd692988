"""What is offered and what it costs: who gets which part of the joint surplus, and the cost of a customer as the base grows."""

import numpy as np
import pandas as pd

from sim.kernels.types import SERVICE, UNIT
from sim.measures.retention import firm, on_calendar
from sim.measures.sample import Sample
from sim.measures.sums import divide
from sim.scenario.base import at
from sim.scenario.world import OFFSET


def priced(sample: Sample) -> bool:
    """Return whether some stage says what its customers would pay."""
    return any(stage.willing_to_pay is not None for view in sample.scenario.by_segment.values() for stage in view.stages.values())


def offers(sample: Sample) -> pd.DataFrame:
    """Return how the joint surplus of a unit is split, in stages that say what customers would pay; nothing here is simulated.

    Columns: segment (all where there are none), stage, age (stage age; the last one holds on), price, unit_cost (price x (1 - margin)),
    willing_to_pay, surplus (willing_to_pay - unit_cost), customer_share (of it: what is left above the price), firm_share (of it),
    price_to_worth (price / willing_to_pay), price_to_cost (price / unit_cost: the premium over what it costs). 0/0 is NaN.
    """
    rows = []
    for segment, view in sample.scenario.by_segment.items():
        for key, stage in view.stages.items():
            for age in range(stage.offer_ages if stage.willing_to_pay is not None else 0):
                price, worth, share = at(stage.prices, age), at(stage.willing_to_pay or (), age), stage.customer_share(age)
                cost = price * (1.0 - at(stage.margin, age))
                ratios = [price / part if part > 0 else np.nan for part in (worth, cost)]
                rows.append((segment, key, age, price, cost, worth, worth - cost, share, 1.0 - (share or 0.0), *ratios))
    names = ("segment", "stage", "age", "price", "unit_cost", "willing_to_pay", "surplus", "customer_share", "firm_share")
    return pd.DataFrame(rows, columns=[*names, "price_to_worth", "price_to_cost"])


def scaled(sample: Sample) -> bool:
    """Return whether a customer's cost depends on how many there are: the firm has costs of its own."""
    return sample.scenario.firm.fixed_cost > 0


def unit_cost(sample: Sample) -> pd.DataFrame:
    """Return what an active customer costs by calendar period, undiscounted, over customers inside their windows.

    Columns: y, active (customers of the firm in active stages), fixed (the firm's fixed cost per active customer; set-up cost is none),
    serve (cost to serve, of all customers, per active one), unit_cost (fixed + serve). NaN where nobody is active.
    """
    whole, scenario = sample.whole, sample.scenario
    factor = scenario.discount_factor ** (np.arange(sample.horizon) + OFFSET[scenario.timing.service])
    cost = -sample.cash[:, :, SERVICE].astype(np.float64) / UNIT / factor
    active, periods = on_calendar(sample, sample.active[:, :-1].astype(np.float64))
    spent, _ = on_calendar(sample, cost)
    base, served = firm(sample, whole, active), firm(sample, whole, spent)
    fixed, serve = divide(np.full(base.shape, scenario.firm.fixed_cost), base), divide(served, base)
    return pd.DataFrame({"y": periods, "active": base, "fixed": fixed, "serve": serve, "unit_cost": fixed + serve})
