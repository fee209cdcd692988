"""Customers who come because of other customers: how many bring how many, and what they are worth."""

import numpy as np
import pandas as pd

from sim.kernels.types import AFTER, UNIT
from sim.measures.paths import path_error
from sim.measures.sample import Group, Sample
from sim.measures.sums import Floats, money
from sim.scenario.sample import cohorts


def referral(sample: Sample) -> pd.DataFrame:
    """Return whom customers bring, where they bring anybody.

    Columns: by (all, segment, cohort, base), id, customers (a replicate), recruits (those of them who came by another), kappa_0 (recruits
    that a customer won), kappa (the same, each discounted from its arrival to its parent's), value (CLV of the recruits, discounted to
    calendar 0: a part of customer equity), se (of it, over replicates; NaN of one).
    """
    assert sample.came is not None
    factor = sample.scenario.discount_factor
    talk = sample.tally.talk[0]
    won = talk[:, :, 0] if talk.shape[2] else np.zeros(talk.shape[:2], np.int64)  # nobody is reached
    later = won @ factor ** np.arange(1.0, sample.horizon + 1)
    worth = _worth(sample)
    rows = []
    for group in sample.groups:
        people = int(sample.customers[group.cells].sum())
        value = worth[:, group.cells].sum(axis=1)
        rows.append(
            {
                "by": group.by,
                "id": group.id,
                "customers": people / sample.replicates,
                "recruits": int(sample.came.recruits[0][:, group.cells].sum()) / sample.replicates,
                "kappa_0": int(won[group.cells].sum()) / people if people else np.nan,
                "kappa": _kappa(later, group) / people if people else np.nan,
                "value": float(value.mean()),
                "se": path_error(value),
            }
        )
    return pd.DataFrame(rows)


def _kappa(later: Floats, group: Group) -> float:
    return float(sum(later[group.cells].tolist()))


def _worth(sample: Sample) -> Floats:
    """Return the CLV of recruits by replicate and cell, discounted to calendar 0 ``(replicate, g)``."""
    assert sample.came is not None
    total = money(sample.came.value[0, :, :, AFTER]).astype(np.float64) / UNIT
    return np.asarray(total * sample.scenario.discount_factor**sample.arrival)


def arrivals(sample: Sample) -> pd.DataFrame:
    """Return who arrives when, where that depends on customers.

    Columns: y (calendar period), planned (customers that the firm planned), came (those who came without being recruited, a replicate),
    recruits (a replicate).
    """
    assert sample.came is not None
    people, recruits = (sample.came.customers[0].mean(axis=0), sample.came.recruits[0].mean(axis=0))
    rows = []
    for c, cohort in enumerate(cohorts(sample.scenario)):
        mine = [g for g, cell in enumerate(sample.cells) if cell.cohort == c]
        won = float(sum(recruits[mine].tolist()))
        came = float(sum(people[mine].tolist())) - won
        rows.append({"y": cohort.arrival, "planned": cohort.planned, "came": came, "recruits": won})
    return pd.DataFrame(rows)
