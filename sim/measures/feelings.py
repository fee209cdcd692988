"""What customers think by tenure, and beside attitude the behaviour: satisfaction, trust, loyalty, level, delivered value, retention."""

from typing import Any

import numpy as np
import pandas as pd

from sim.kernels.types import FEELINGS, FELT, Array
from sim.measures.retention import by_group, share_in
from sim.measures.sample import ACTIVE, Group, Sample
from sim.measures.sums import Floats, spread, stratified


def felt(sample: Sample) -> tuple[str, ...]:
    """Return the measures of the frame ``feelings`` that are on, retention left out."""
    scenario = sample.scenario
    on = {
        "satisfaction": scenario.satisfaction is not None,
        "trust": scenario.trust is not None,
        "loyalty": scenario.satisfaction is not None,
        "level": scenario.level is not None,
        "delivered_value": bool(_delivered(sample).any()),
    }
    return tuple(name for name, there in on.items() if there)


def _delivered(sample: Sample) -> Floats:
    """Return the delivered value of each stage by cell ``(g, s)``."""
    parts = sample.scenario.by_segment
    return np.array([[stage.delivered_value.net for stage in parts[cell.segment].stages.values()] for cell in sample.cells])


def feelings(sample: Sample) -> pd.DataFrame:
    """Return what customers in active stages think in each period of tenure, and how many of them stay.

    Columns: by (all, segment, cohort), id, t, measure (satisfaction, 1 to 5; trust, loyalty and level, 0 to 1; delivered_value, in units of
    its own; each only where it is on; and retention: the share still active at t + 1), active (simulated customers in active stages),
    mean, se. NaN where nobody is active; se also where customers share luck. Loyalty is the attitude, retention the
    behaviour. Feelings are those after the period's experience; they are summed in steps of 1 / FELT.
    """
    return by_group(sample, _feelings)


def _feelings(sample: Sample, group: Group) -> dict[str, Any]:
    active = sample.active[:, :-1]
    found = {name: mean_felt(sample, group, name, active) for name in felt(sample)}
    found["retention"] = share_in(sample, group, sample.stayed_active, active)
    return {
        "t": np.tile(np.arange(sample.horizon), len(found)),
        "measure": np.repeat(list(found), sample.horizon),
        "active": np.tile(active[group.cells].sum(axis=0), len(found)),
        "mean": np.concatenate([mean for mean, _ in found.values()]),
        "se": np.concatenate([se for _, se in found.values()]),
    }


def mean_felt(sample: Sample, group: Group, name: str, active: Array) -> tuple[Floats, Floats]:
    """Return mean and standard error of a measure by tenure ``(t,)``, over customers in active stages."""
    base = active.astype(np.float64)
    if name in FEELINGS:
        sums = sample.tally.feelings[0, :, :, FEELINGS.index(name)].astype(object)
        top = sums[..., 0].astype(np.float64) / FELT
        deviation = spread(sums[..., 0], sums[..., 1], active) / FELT**2
    else:
        awake = sample.kinds == ACTIVE
        held, value = sample.occupancy[:, :-1, awake], _delivered(sample)[:, None, awake]
        top = (held * value).sum(axis=2)
        mean = np.divide(top, base, out=np.zeros_like(base), where=base > 0)
        deviation = (held * (value - mean[..., None]) ** 2).sum(axis=2)
    some = group.cells
    mean, se = stratified(top[some], base[some], deviation[some], sample.customers[some], sample.firm[some])
    return mean, sample.errors(se)
