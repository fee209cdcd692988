"""Control variates: a scenario without an exact answer, beside its nearest solvable case on the same luck.

The case X lives through the same draws as the scenario Y, and its mean is known, so that what luck did to X tells of what it did to Y:

    mean(Y) - b (mean(X) - exact mean of X),    b = cov(Y, X) / var(X),

is as unbiased as mean(Y), up to a term of 1/n that estimating b brings, and has 1 - corr(Y, X)**2 of its variance (Lavenberg and Welch
1981). Where customers are independent they are the pairs, cell by cell; where they share a market its paths are.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.exact.nearest import nearest
from sim.kernels.types import AFTER, BEFORE, UNIT
from sim.measures.paths import FEW_PATHS
from sim.scenario.model import Scenario

if TYPE_CHECKING:
    from sim.measures.sample import Sample
    from sim.measures.sums import Floats
    from sim.studies.result import Result

PAIRED = 200_000
"""Customers, over all replicates, from whom b and the errors are estimated; means are of all."""


class Estimate(NamedTuple):
    """A mean by control variate, in currency: its standard error; saved: share of the plain mean's variance; slope b; exact mean of X."""

    mean: float
    se: float
    saved: float
    slope: float
    exact: float


@dataclass(frozen=True)
class Controlled:
    """Mean CLV by control variate.

    reason: why there is none (all else is then empty), or None; without: the features that the solvable case does without;
    clv, clv_before: after and before acquisition cost.
    """

    reason: str | None = None
    without: tuple[str, ...] = ()
    clv: Estimate | None = None
    clv_before: Estimate | None = None

    def __repr__(self) -> str:
        if self.clv is None:
            return f"<Controlled: none, for {self.reason}>"
        told = f"CLV {self.clv.mean:,.4f} ± {self.clv.se:,.4f} SE, variance saved {100 * self.clv.saved:.1f} %"
        return f"<Controlled: {told}; without {', '.join(self.without)} it is exactly {self.clv.exact:,.4f}>"


def controlled(result: "Result") -> Controlled:
    """Return mean CLV by control variate; simulates the solvable case, and where customers were not kept some of them once more."""
    from sim.scenario.sample import cells

    scenario, sample = result.scenario, result.sample
    if scenario.base is not None:
        return Controlled("base: existing customers have no exact answer, and no solvable case")
    if result.exact.reason is None:
        return Controlled("the exact answer is known")
    if scenario.coupled:
        return Controlled(f"{coupled_by(scenario)}: arrivals depend on customers, and no solvable case has the same")
    if scenario.learning is not None:
        return Controlled("learning: what the firm learns depends on its customers, and no solvable case has the same")
    if not sample.independent and sample.replicates < FEW_PATHS:
        return Controlled(f"market: its paths are the pairs, and run.replicates must be {FEW_PATHS} or more to tell how they go together")
    case, without, answer = nearest(scenario)
    if answer.clv_mean is None or answer.clv_before_mean is None:
        return Controlled(f"no solvable case is near: {answer.reason}")
    customers = sum(result.outcome.sampled)
    if [cell.firm for cell in cells(_run(case, customers))] != sample.firm.tolist():
        return Controlled(f"the nearest solvable case, without {', '.join(without)}, has other customers")
    if not math.isfinite(answer.clv_mean):
        return Controlled(f"the nearest solvable case, without {', '.join(without)}, has an infinite mean")
    found = (_by_customer if sample.independent else _by_path)(result, case, {AFTER: answer.clv_mean, BEFORE: answer.clv_before_mean})
    if not math.isfinite(found[0].se):
        return Controlled("it takes three simulated customers, two in every segment and cohort, to tell how they go together")
    return Controlled(None, without, *found)


def coupled_by(scenario: Scenario) -> str:
    """Return what makes arrivals depend on customers."""
    return "crowd" if scenario.crowd is not None else "word_of_mouth.recruits"


def _run(scenario: Scenario, customers: int, keep: bool = False) -> Scenario:
    """Return the scenario with so many customers simulated, without a precision."""
    raw = scenario.model_dump(exclude_unset=True)
    run = {key: value for key, value in raw.get("run", {}).items() if key not in ("precision", "precision_money", "control")}
    return Scenario.model_validate({**raw, "run": {**run, "customers": customers, "keep_customers": keep}})


def _by_customer(result: "Result", case: Scenario, exact: dict[int, float]) -> tuple[Estimate, Estimate]:
    from sim.studies.simulate import simulate

    customers = sum(result.outcome.sampled)
    some = min(customers, max(1, PAIRED // result.sample.replicates))
    other = simulate(_run(case, some, keep=True))
    whole = other if some == customers else simulate(_run(case, customers))
    mine = (
        result
        if some == customers and result.outcome.kept is not None
        else simulate(_run(result.scenario, some, keep=True), functions=result.functions)
    )
    found = []
    for kind in (AFTER, BEFORE):
        moments = _moments(list(pairs(mine, other, kind)), result.sample)
        found.append(_estimate(_mean(result.sample, kind), _mean(whole.sample, kind), moments, exact[kind]))
    return found[0], found[1]


def pairs(one: "Result", other: "Result", kind: int) -> Iterator["tuple[Floats, Floats]"]:
    """Yield the CLV of the same customers in two runs, cell by cell."""
    assert one.outcome.kept is not None
    assert other.outcome.kept is not None
    place = one.sample.cell_of_row
    order, ends = np.argsort(place, kind="stable"), np.cumsum(np.bincount(place, minlength=len(one.sample.cells)))[:-1]
    both = (np.split(kept.clv[0, order, kind] / UNIT, ends) for kept in (one.outcome.kept, other.outcome.kept))
    yield from zip(*both, strict=True)


class _Moments(NamedTuple):
    """Variance of the mean of Y, of that of X, and their covariance; left: what a fitted slope widens the rest by."""

    yy: float
    xx: float
    xy: float
    left: float


def _moments(found: "list[tuple[Floats, Floats]]", sample: "Sample") -> _Moments:
    """Return the moments of the stratified means: sums of share**2 times covariance over customers, cell by cell; NaN with too few."""
    share = sample.firm / math.fsum(sample.firm.tolist())
    paired = sum(len(y) for y, _ in found) - sum(len(y) > 0 for y, _ in found)
    total = [0.0, 0.0, 0.0]
    for (y, x), part, n in zip(found, share.tolist(), sample.customers.tolist(), strict=True):
        if part == 0.0:
            continue
        if len(y) < 2 or paired < 2:
            return _Moments(math.nan, math.nan, math.nan, math.nan)
        for k, product in enumerate(_products(y, x)):
            total[k] += part * part / n * product
    yy, xx, xy = total
    return _Moments(yy, xx, xy, paired / (paired - 1.0))


def _products(y: "Floats", x: "Floats") -> tuple[float, float, float]:
    """Return variance of y, of x, and their covariance, from correctly rounded sums: the same on every machine."""
    n = len(y)
    dy, dx = (values - math.fsum(values.tolist()) / n for values in (y, x))
    yy, xx, xy = (math.fsum(product.tolist()) / (n - 1) for product in (dy * dy, dx * dx, dy * dx))
    return yy, xx, xy


def _by_path(result: "Result", case: Scenario, exact: dict[int, float]) -> tuple[Estimate, Estimate]:
    from sim.studies.simulate import simulate

    other = simulate(_run(case, sum(result.outcome.sampled)))
    found = []
    for kind, name in ((AFTER, "clv"), (BEFORE, "clv_before_acquisition")):
        y, x = (run.replicates[name].to_numpy() for run in (result, other))
        n = len(y)
        yy, xx, xy = _products(y, x)
        moments = _Moments(yy / n, xx / n, xy / n, (n - 1.0) / (n - 2.0))
        found.append(_estimate(_mean(result.sample, kind), _mean(other.sample, kind), moments, exact[kind]))
    return found[0], found[1]


def _mean(sample: "Sample", kind: int) -> float:
    """Return mean CLV as the frame ``clv`` has it, without making its other rows."""
    from sim.measures.clv import estimate
    from sim.measures.sums import money, squares

    moments = sample.tally.moments[0, :, :, kind]
    total, square = money(moments[:, :, 2:4]).sum(axis=1), squares(moments[:, :, 4:6]).sum(axis=1)
    return float(estimate(total, square, sample.customers, sample.customers, sample.firm)[0])


def _estimate(mean: float, case_mean: float, moments: _Moments, exact: float) -> Estimate:
    """Return the estimate from the means of Y and X."""
    slope = moments.xy / moments.xx if moments.xx > 0 else 0.0
    rest = max(moments.yy - slope * moments.xy, 0.0) * (moments.left if slope else 1.0)
    saved = 1.0 - rest / moments.yy if moments.yy > 0 else 0.0
    return Estimate(mean - slope * (case_mean - exact), math.sqrt(rest), saved, slope, exact)
