"""Designs: which points of a study are run. Points of the unit cube first, then the values that they stand for."""

import itertools
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from sim.measures.sums import Floats
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.study import MOST_POINTS, Factor, Study, Value, correlation, levels

Point = dict[str, Value]
"""Values by factor; the policy of a study that does not cross them under ``policies``."""

POLICIES = "policies"


class TooMany(ScenarioError):
    """A design has more points than can be run. where: what asks for them; count: how many they are."""

    def __init__(self, where: str, count: int, cost: str = "", hint: str = "") -> None:
        self.where, self.count = where, count
        super().__init__([Fault(where, f"{count:,} points", f"must have at most {MOST_POINTS:,} points{cost}", hint)])


def points(study: Study) -> list[Point]:
    """Return the points of a study in order. Those of a longer design begin with these (a Latin hypercube's, where it is doubled).

    Raises TooMany before any is made, and ScenarioError where correlations are given of points that are listed.
    """
    if study.correlations and study.plan in ("grid", "list"):
        rule = f"say nothing in a {study.plan}, whose points are given"
        raise ScenarioError([Fault("correlations", "", rule, "design=sobol with points=256")])
    if study.size > MOST_POINTS:
        raise TooMany("points" if study.plan in ("lhs", "sobol") else "design", study.size)
    lists = {name: _levels(factor) for name, factor in study.vary.items()} if study.plan in ("grid", "list") else {}
    if not study.crossed and study.plan in ("grid", "list"):
        lists[POLICIES] = list(study.policies)
    if study.plan == "grid":
        return [dict(zip(lists, chosen, strict=True)) for chosen in itertools.product(*lists.values())]
    if study.plan == "list":
        return [dict(zip(lists, chosen, strict=True)) for chosen in zip(*lists.values(), strict=True)]
    width = len(study.vary) + (not study.crossed)
    return at(study, unit(study.plan, study.size, width, study.design_seed))


def unit(plan: str, n: int, width: int, seed: int) -> Floats:
    """Return the first n points of a design in the unit cube (n, width): sobol (scrambled; Owen 1998), or lhs."""
    return sobol(n, width, seed) if plan == "sobol" else hypercube(n, width, seed)


def sobol(n: int, width: int, seed: int) -> Floats:
    """Return the first n points of a scrambled Sobol sequence (n, width); within (0, 1)."""
    from scipy.stats import qmc

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # numbers of points that are no powers of two
        found = qmc.Sobol(width, rng=np.random.default_rng(seed)).random(n)
    return _inside(found)


def _inside(found: Floats) -> Floats:
    return np.asarray(np.clip(found, 2.0**-53, 1.0 - 2.0**-53))


def hypercube(n: int, width: int, seed: int) -> Floats:
    """Return a Latin hypercube (n, width): of n equal parts of each factor's range every one holds a point (McKay, Beckman & Conover 1979).

    Twice as many points begin with the same ones: n = odd * 2**k is an odd hypercube doubled k times, each time into the parts left free.
    """
    doublings = (n & -n).bit_length() - 1
    rng = np.random.default_rng([seed, n >> doublings])
    size = n >> doublings
    found = (np.stack([rng.permutation(size) for _ in range(width)], axis=1) + rng.random((size, width))) / size
    for _ in range(doublings):
        size *= 2
        free = [np.setdiff1d(np.arange(size), (found[:, k] * size).astype(np.int64)) for k in range(width)]
        parts = np.stack([rng.permutation(one) for one in free], axis=1)
        found = np.concatenate([found, (parts + rng.random(parts.shape)) / size])
    return _inside(found)


def at(study: Study, cube: Floats) -> list[Point]:
    """Return the points that points of the unit cube (n, width) stand for; correlated factors follow a Gaussian copula (Nataf 1962)."""
    names = list(study.vary)
    cube = _correlated(study, names, cube)
    columns: dict[str, Sequence[Value]] = {name: values(factor, cube[:, k]) for k, (name, factor) in enumerate(study.vary.items())}
    if not study.crossed:
        columns[POLICIES] = values(Factor(values=study.policies), cube[:, -1])
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _correlated(study: Study, names: Sequence[str], cube: Floats) -> Floats:
    """Return the points with the study's correlations of normal scores."""
    if not study.correlations:
        return cube
    from scipy.special import ndtr, ndtri

    try:
        root = np.linalg.cholesky(np.array(correlation(study, names)))
    except np.linalg.LinAlgError:
        rule = "cannot be true of all pairs at once"
        raise ScenarioError([Fault("correlations", "", rule, "make them smaller, or give those between the others too")]) from None
    found = np.array(cube)
    found[:, : len(names)] = ndtr(ndtri(cube[:, : len(names)]) @ root.T)
    return _inside(found)


def _levels(factor: Factor) -> list[Value]:
    """Return a factor's values in a grid: its list, or evenly over its range (of a distribution: at the middles of equal shares)."""
    if factor.values is not None:
        return list(factor.values)
    n = levels(factor)
    if factor.distribution != "uniform":
        return values(factor, (np.arange(n) + 0.5) / n)
    assert factor.low is not None and factor.high is not None
    ends = (math.log(factor.low), math.log(factor.high)) if factor.log else (factor.low, factor.high)
    steps = np.linspace(*ends, n)
    steps = np.exp(steps) if factor.log else steps
    # 12 digits: a step of 0.05 leads to 0.15, not to 0.15000000000000002
    found = [factor.low, *(float(f"{step:.12g}") for step in steps[1:-1].tolist()), factor.high]
    return list(dict.fromkeys(round(one) for one in found)) if factor.integer else list(found)


def values(factor: Factor, shares: Floats) -> list[Value]:
    """Return the values at shares (n,) within (0, 1) of a factor's distribution."""
    if factor.values is not None:
        numbers = all(isinstance(value, int | float) for value in factor.values)
        listed = sorted(factor.values, key=float) if numbers else factor.values  # the low end is that of the numbers
        return [listed[int(place)] for place in np.minimum(shares * len(listed), len(listed) - 1)]
    found = _quantiles(factor, shares)
    return [int(one) for one in found.tolist()] if factor.integer else found.tolist()


def _quantiles(factor: Factor, shares: Floats) -> Floats:
    low, high = factor.low, factor.high
    if factor.distribution == "uniform":
        assert low is not None and high is not None
        end = high + factor.integer
        first, last = (math.log(low), math.log(end)) if factor.log else (low, end)
        found = first + shares * (last - first)
        found = np.exp(found) if factor.log else found
        found = np.floor(found) if factor.integer else found
        return np.asarray(np.clip(found, low, high), dtype=np.float64)  # rounding may have led beyond an end
    kind = _frozen(factor)
    start = 0.0 if low is None or factor.distribution in ("beta", "triangular") else float(kind.cdf(low))
    end = 1.0 if high is None or factor.distribution in ("beta", "triangular") else float(kind.cdf(high))
    found = np.asarray(kind.ppf(start + shares * (end - start)), dtype=np.float64)
    return np.round(found) if factor.integer else found


def _frozen(factor: Factor) -> Any:
    """Return SciPy's distribution with this mean and standard deviation."""
    from scipy import stats

    low, high = factor.low, factor.high
    if factor.distribution == "triangular":
        assert low is not None and high is not None and factor.mode is not None
        return stats.triang((factor.mode - low) / (high - low), low, high - low)
    mean, sd = factor.mean, factor.sd
    assert mean is not None and sd is not None
    if factor.distribution == "normal":
        return stats.norm(mean, sd)
    if factor.distribution == "lognormal":
        spread = math.log1p((sd / mean) ** 2)
        return stats.lognorm(math.sqrt(spread), scale=mean * math.exp(-spread / 2))
    if factor.distribution == "gamma":
        return stats.gamma((mean / sd) ** 2, scale=sd**2 / mean)
    start = 0.0 if low is None else low
    width = (1.0 if high is None else high) - start
    centre, variance = (mean - start) / width, (sd / width) ** 2
    size = centre * (1.0 - centre) / variance - 1.0
    return stats.beta(centre * size, (1.0 - centre) * size, start, width)
