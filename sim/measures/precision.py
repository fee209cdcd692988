"""How wide the interval of mean CLV before acquisition is, and whether that is what ``run.precision`` asks for."""

import math
from typing import Any

from sim.kernels.types import BEFORE
from sim.measures.clv import estimate
from sim.measures.sample import Sample
from sim.measures.sums import money, squares
from sim.scenario.world import TWO_SIDED_95


def precision(sample: Sample) -> dict[str, Any] | None:
    """Return what was asked of a run's precision and what it came to, None where nothing was asked.

    asked: ``run.precision`` or ``run.precision_money``; relative: of the mean (else in currency); half_width: of the 95 % interval of mean
    CLV before acquisition, in the unit of ``asked``, NaN where it is not defined (a mean of 0, a segment of one customer); reached.
    """
    run = sample.scenario.run
    asked = run.precision_money if run.precision is None else run.precision
    if asked is None:
        return None
    moments = sample.tally.moments[0, :, :, BEFORE]
    total, square = money(moments[:, :, 2:4]).sum(axis=1), squares(moments[:, :, 4:6]).sum(axis=1)
    found = estimate(total, square, moments[:, :, 0].sum(axis=1), sample.customers, sample.firm)
    mean, half = abs(float(found[0])), TWO_SIDED_95 * float(sample.errors(found[1]))
    if run.precision is not None:
        half = half / mean if mean > 0 else float("nan") if half != 0 else 0.0
    return {"asked": asked, "relative": run.precision is not None, "half_width": half, "reached": half <= asked}


def not_reached(sample: Sample) -> list[str]:
    """Return what is to be said of a precision that the customers did not suffice for, nothing where they did."""
    found = precision(sample)
    if found is None or found["reached"]:
        return []
    key, unit = ("run.precision", " of the mean") if found["relative"] else ("run.precision_money", "")
    customers = sample.simulated
    if math.isnan(found["half_width"]):
        why = "the mean is 0, or some segment or cohort has fewer than two customers"
        return [f"{key}: {found['asked']:g} was not reached and has no meaning here: {why}"]
    said = f"{key}: {found['asked']:g} was not reached: {customers:,} customers give ± {found['half_width']:.3g}{unit}"
    enough = customers * (found["half_width"] / found["asked"]) ** 2
    return [f"{said}; about {float(f'{enough:.2g}'):,.0f} run.customers would do" if enough < 1e12 else said]
