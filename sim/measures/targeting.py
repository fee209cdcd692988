"""What targeting brings: the Qini curve, gain by share of the customers treated, those of the highest score first.

The curve is Radcliffe's (2007, Direct Marketing Analytics Journal 1, 14-21); here each customer's gain is its paired difference on common
luck and need not be told from a control group.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sim.kernels.types import AFTER, UNIT, Array
from sim.measures.gains import sums
from sim.measures.paired import Paired
from sim.measures.sums import Floats

COLUMNS = ("arm", "segment", "cohort", "difference", "treated", "gained", "random")


def targeting(paired: Paired, names: Sequence[str]) -> pd.DataFrame:
    """Return the Qini curve of each arm by what a firm knows on arrival, segment and cohort, the largest difference of CLV first.

    Columns: arm, segment, cohort, difference (mean of its customers, in currency), treated (share of the firm's customers who are treated
    with this and all rows above it), gained (by that, over all customers, a head), random (by as many drawn at random). The order is that
    of the estimates themselves, so that of small groups the curve is too high.
    """
    rows: list[dict[str, Any]] = []
    for k, arm in enumerate(names):
        sample = paired.samples[k]
        cells = np.flatnonzero((sample.customers > 0) & (paired.weights > 0))
        if k == paired.reference:
            continue
        mean = (sums(paired, k).total[cells] / sample.customers[cells].astype(object)).astype(np.float64) / UNIT
        order, treated, gained = _curve(mean, mean, paired.weights[cells])
        for place, so_far, worth in zip(order.tolist(), treated.tolist(), gained.tolist(), strict=True):
            cell = sample.cells[cells[place]]
            row = {"arm": arm, "segment": cell.segment, "cohort": sample.cohort_ids[cell.cohort], "difference": float(mean[place])}
            rows.append(row | {"treated": so_far, "gained": worth, "random": so_far * float(gained[-1])})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def by_score(paired: Paired, k: int, score: Array) -> pd.DataFrame:
    """Return the Qini curve of case k by a score of each customer kept ``(n,)``, in their order.

    Columns: treated, gained, random, as in ``targeting``; a row a distinct score, whose customers are treated in random order. Raises
    ValueError where no customers were kept, or the score is of others.
    """
    sample, other = paired.samples[k], paired.samples[paired.reference]
    if sample.kept is None or other.kept is None:
        raise ValueError("a score needs customers that are kept: run.keep_customers=true")
    gap = (sample.kept.clv[0, :, AFTER] - other.kept.clv[0, :, AFTER]) / UNIT
    given = np.asarray(score, np.float64)
    if given.shape != gap.shape or np.isnan(given).any():
        raise ValueError(f"a score must be {gap.size:,} numbers, one a customer kept")
    weight = (paired.weights / np.maximum(sample.customers, 1))[sample.cell_of_row]
    order, treated, gained = _curve(given, gap, weight)
    last = np.append(np.diff(given[order]) != 0, True)
    treated, gained = treated[last], gained[last]
    return pd.DataFrame({"treated": treated, "gained": gained, "random": treated * gained[-1]})


def _curve(score: Floats, gain: Floats, weight: Floats) -> tuple[Array, Floats, Floats]:
    """Return the order of groups by score, and cumulative shares treated and gains a head ``(n,)``."""
    order = np.argsort(-score, kind="stable")
    share = weight[order] / weight.sum()
    return order, np.cumsum(share), np.cumsum(share * gain[order])


def qini(curve: pd.DataFrame) -> float:
    """Return the Qini coefficient of a curve: the area between it and treating as many at random, in currency a head.

    Between rows customers are treated in random order. 0 where the score tells nothing; below 0 where it is worse than chance.
    """
    treated, above = (np.concatenate([[0.0], values.to_numpy()]) for values in (curve["treated"], curve["gained"] - curve["random"]))
    return float(np.sum(np.diff(treated) * (above[:-1] + above[1:])) / 2.0)
