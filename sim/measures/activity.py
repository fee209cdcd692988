"""What customers do beside buying, by tenure: how often they get in touch by themselves, how many products they hold and add."""

from typing import Any

import numpy as np
import pandas as pd

from sim.kernels.types import ACTIVITIES, CONTACTS
from sim.measures.retention import by_group
from sim.measures.sample import Group, Sample
from sim.measures.sums import Floats, per_sampled, spread, stratified


def done(sample: Sample) -> tuple[str, ...]:
    """Return the measures of the frame ``activity`` that are on."""
    on = (*(("contacts",) if sample.contacted else ()), *(("products", "added") if sample.scenario.products is not None else ()))
    return on if sample.tally.activity.shape[3] else ()


def activity(sample: Sample) -> pd.DataFrame:
    """Return what customers in active stages do in each period of tenure beside buying.

    Columns: by (all, segment, cohort), id, t, measure (contacts: that a customer starts in t; products: held during t; added: products
    added in t; each only where it is on), active (simulated customers in active stages), mean (over them), se. NaN where nobody is active;
    se also where customers share luck.
    """
    return by_group(sample, _activity)


def _activity(sample: Sample, group: Group) -> dict[str, Any]:
    names = done(sample)
    found = [mean_done(sample, group, ACTIVITIES.index(name)) for name in names]
    return {
        "t": np.tile(np.arange(sample.horizon), len(names)),
        "measure": np.repeat(list(names), sample.horizon),
        "active": np.tile(sample.active[group.cells, :-1].sum(axis=0), len(names)),
        "mean": np.concatenate([mean for mean, _ in found]),
        "se": np.concatenate([se for _, se in found]),
    }


def mean_done(sample: Sample, group: Group, measure: int) -> tuple[Floats, Floats]:
    """Return mean and standard error of a measure by tenure ``(t,)``, over customers in active stages."""
    some, active = group.cells, sample.active[:, :-1]
    sums = sample.tally.activity[0, :, :, measure].astype(object)
    deviation = spread(sums[..., 0], sums[..., 1], active)
    top, base = sums[..., 0].astype(np.float64), active.astype(np.float64)
    mean, se = stratified(top[some], base[some], deviation[some], sample.customers[some], sample.firm[some])
    return mean, sample.errors(se)


def response_rate(sample: Sample) -> float | None:
    """Return the contacts that customers start per active customer and period, over the whole window; None where they start none."""
    if not sample.contacted:
        return None
    rates = per_sampled(sample.customers, sample.firm)
    started = float(sample.tally.activity[0, :, :, CONTACTS, 0].sum(axis=1) @ rates)
    active = float(sample.active[:, :-1].sum(axis=1) @ rates)
    return started / active if active > 0 else None
