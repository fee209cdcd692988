"""Arms of a comparison as tables: what each costs and brings, which of them nobody need choose, and how they fare from path to path."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sim.kernels.types import AFTER, CONTACTED, MEMBERS, POLICY_COST, TAKEN_UP, UNIT, Array
from sim.measures.equity import firm_cost, policy_cost
from sim.measures.paired import Paired
from sim.measures.sample import Sample
from sim.measures.sums import Floats, bin_edges, money

WORST = 0.05
"""Share of the customers over whom the expected shortfall is taken."""

ROUNDING = 1e-9
"""Share of the largest value up to which a difference of sums is rounding."""

OPTIMISM = 0.5
"""Weight of the best path in Hurwicz's criterion."""


def returns(paired: Paired, k: int, comparator: int) -> dict[str, float]:
    """Return what an arm costs and brings against another, to the firm, discounted to calendar 0.

    cost: of policies, the firm's own among them; gain: of customer equity after that cost, with gain_se; gross: before it; roi: gain over
    cost, with roi_se by the delta method; NaN where nothing is spent.
    """
    net, gross, cost = (paired.at_firm(k, comparator, measure) for measure in ("clv", "gross", "policy_cost"))
    own = firm_cost(paired.samples[k]) - firm_cost(paired.samples[comparator])
    spent, gain = cost.mean + own, net.mean - own
    found = {"cost": spent, "gain": gain, "gain_se": net.se, "gross": gross.mean, "roi": math.nan, "roi_se": math.nan}
    if spent > 0:
        together = (gross.se**2 + cost.se**2 - net.se**2) / 2.0  # covariance of gross and cost, for net = gross - cost
        ratio = gross.mean / spent
        variance = (gross.se**2 + ratio**2 * cost.se**2 - 2.0 * ratio * together) / spent**2
        found |= {"roi": gain / spent, "roi_se": math.sqrt(max(variance, 0.0))}
    return found


def efficient(paired: Paired, costs: Sequence[float], gross: Sequence[float]) -> list[bool]:
    """Return which arms are on the frontier: no other costs as little and brings more, beyond its paired error, or as much for less."""

    def beats(other: int, k: int) -> bool:
        if other == k or costs[other] > costs[k]:
            return False
        half, gap = paired.width * paired.at_firm(other, k, "gross").se, gross[other] - gross[k]
        return gap > (half if math.isfinite(half) else 0.0) or (gap == 0 and costs[other] < costs[k])

    return [not any(beats(other, k) for other in range(len(paired))) for k in range(len(paired))]


def histogram(sample: Sample) -> Array:
    """Return the histogram of CLV after acquisition cost, over all simulated customers."""
    return np.asarray(sample.tally.by_segment[0, :, AFTER].sum(axis=0))


def shortfall(sample: Sample) -> float:
    """Return the mean CLV of the worst WORST of the simulated customers (expected shortfall), bins being taken at their middles.

    NaN where they stand for different numbers of the firm's customers.
    """
    if not sample.even:
        return math.nan
    counts, edges = histogram(sample), bin_edges()
    left = WORST * counts.sum()
    taken = np.minimum(counts, np.maximum(left - (np.cumsum(counts) - counts), 0.0))
    return float((taken * (edges[:-1] + edges[1:])).sum() / 2.0 / left)


def dominance(mine: Sample, theirs: Sample) -> str:
    """Return whether an arm's distribution of CLV stochastically dominates another's: ``first`` or ``second`` order, else ``""``.

    First: at every level no more customers fall below it; second: no less of any concave utility (Hadar and Russell 1969). As simulated,
    to the width of a bin; not told where simulated customers stand for different numbers of the firm's.
    """
    if not (mine.even and theirs.even):
        return ""
    shares = [np.cumsum(histogram(sample)) / histogram(sample).sum() for sample in (mine, theirs)]
    gap = shares[1] - shares[0]
    if not np.any(gap):
        return ""
    if np.all(gap >= 0):
        return "first"
    area = np.cumsum(gap * np.diff(bin_edges()))
    return "second" if np.all(area >= -ROUNDING * np.abs(area).max()) else ""


def treatments(samples: Mapping[str, Sample]) -> pd.DataFrame:
    """Return what was done in each arm, by each policy that treats customers.

    Columns: arm, policy, contacts, uptakes, member_periods (a customer of the firm each, over its life), cost (discounted to arrival,
    per customer of the firm; the firm's own cost left out).
    """
    rows: list[dict[str, Any]] = []
    for arm, sample in samples.items():
        counts = sample.tally.policy[0].sum(axis=1)  # (g, p, 5)
        spent = -money(counts[..., POLICY_COST:]).astype(np.float64) / UNIT
        for p, (key, policy) in enumerate(sample.scenario.policies.items()):
            if policy.acquire is not None:
                continue
            each = [_mean(sample, counts[:, p, place]) for place in (CONTACTED, TAKEN_UP, MEMBERS)]
            row = dict(zip(("contacts", "uptakes", "member_periods"), each, strict=True))
            rows.append({"arm": arm, "policy": key, **row, "cost": _mean(sample, spent[:, p])})
    return pd.DataFrame(rows, columns=["arm", "policy", "contacts", "uptakes", "member_periods", "cost"])


def _mean(sample: Sample, totals: Array) -> float:
    """Return sums over cells per customer, weighted as the firm's."""
    each = np.asarray(totals, np.float64) / np.maximum(sample.customers, 1)
    weight = np.where(sample.customers > 0, sample.firm, 0.0)
    return float((each * weight).sum() / weight.sum())


def paths(paired: Paired, names: Sequence[str], comparator: int, aspiration: float | None = None) -> pd.DataFrame:
    """Return how arms fare from market path to market path.

    aspiration: equity that is enough, by default the comparator's mean. Columns: arm, won (share of the paths on which its equity is
    highest; ties share), enough (share of those on which it reaches the aspiration: satisficing takes any arm that does so often enough,
    Simon 1956), worst, best (equity), regret_mean, regret_max (what it falls short of the best arm of the same path; the smallest maximum
    is Savage's minimax regret), hurwicz (OPTIMISM of the best and the rest of the worst path).
    """
    equity = np.stack([paired.path_equity(k) for k in range(len(paired))])
    level = float(equity[comparator].mean()) if aspiration is None else aspiration
    top = equity.max(axis=0)
    wins: Floats = (equity == top) / (equity == top).sum(axis=0)
    regret = top - equity
    return pd.DataFrame(
        {
            "arm": list(names),
            "won": wins.mean(axis=1),
            "enough": (equity >= level).mean(axis=1),
            "worst": equity.min(axis=1),
            "best": equity.max(axis=1),
            "regret_mean": regret.mean(axis=1),
            "regret_max": regret.max(axis=1),
            "hurwicz": OPTIMISM * equity.max(axis=1) + (1.0 - OPTIMISM) * equity.min(axis=1),
        }
    )


def course(mine: Sample, theirs: Sample) -> Floats:
    """Return by how much one arm's cumulative cash is ahead of another's by the end of each calendar period ``(y,)``.

    Of all the firm's customers, what policies cost the firm itself taken off, discounted to calendar 0, over the number of customers in the
    other arm: the last is the gain a customer.
    """
    ahead = _cash(mine) - _cash(theirs)
    own = [np.array([own_cost(sample, y + 1) for y in range(ahead.size)]) for sample in (mine, theirs)]
    return np.asarray((np.cumsum(ahead) - own[0] + own[1]) / theirs.firm.sum())


def _cash(sample: Sample) -> Floats:
    """Return the firm's customers' cash by calendar period ``(y,)``, discounted to calendar 0."""
    found = np.zeros(int(sample.arrival.max()) + sample.horizon)
    for g in np.flatnonzero(sample.customers > 0):
        mean = sample.cash[g].sum(axis=1).astype(np.float64) / UNIT / sample.customers[g]
        first = int(sample.arrival[g])
        found[first : first + sample.horizon] += mean * sample.firm[g] * sample.scenario.discount_factor**first
    return found


def own_cost(sample: Sample, periods: int) -> float:
    """Return what policies cost the firm itself in the first calendar periods, discounted to calendar 0."""
    return math.fsum(policy_cost(sample.scenario, policy, periods) for policy in sample.scenario.policies.values())


def payback(course: Floats) -> int | None:
    """Return after how many periods what was spent has come back for good: 0 where nothing was spent first, None for never."""
    below = np.flatnonzero(course < -ROUNDING * np.abs(course).max(initial=0.0))
    if not below.size:
        return 0
    return int(below[-1]) + 2 if below[-1] + 1 < course.size else None
