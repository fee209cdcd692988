"""What past orders say of existing customers: who is still there, how often it orders, how soon it leaves (Pareto/NBD).

Given that a customer with x orders, the last at t_x, is alive T after its acquisition, its rate of ordering is Gamma(r + x, alpha + T) and
its hazard of leaving Gamma(s, beta + T), independently (Schmittlein, Morrison and Colombo 1987; Fader, Hardie and Lee 2005).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.compile.hazards import stage_hazards
from sim.compile.quantiles import Library, Values, positive
from sim.kernels.types import Z_MAX, Array
from sim.scenario import Fault, Scenario, ScenarioError
from sim.scenario.base import PERIODS_PER_YEAR
from sim.scenario.checks_spread import MAX_ORDERS
from sim.scenario.existing import Existing
from sim.scenario.purchases import Poisson

PANELS = 12
"""Parts of the range of integration, each half as long as the next."""
NODES = 8
"""Gauss-Legendre nodes of each."""
CHUNK = 2**14
"""Customers computed at once."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Law:
    """Parameters of Pareto/NBD, in periods: rates Gamma(r, alpha), hazards Gamma(s, beta)."""

    r: float
    alpha: float
    s: float
    beta: float


def law(scenario: Scenario) -> Law:
    """Return the law of a segment's scenario that ``sim.scenario.buyers`` has found to be one."""
    how = scenario.purchases
    assert isinstance(how, Poisson)
    ratio = PERIODS_PER_YEAR[how.rate_period or scenario.period] / scenario.periods_per_year
    r, s = how.rate.cv_value**-2, 1.0 / scenario.frailty.variance
    hazard = float(stage_hazards(scenario, scenario.stages[scenario.start]).hazard[0, 0])
    return Law(r, r / (how.rate.mean_value * ratio), s, s / hazard if hazard > 0 else np.inf)


def chance_alive(x: Array, t_x: Array, T: Array, law: Law) -> Floats:
    """Return P(alive at T | x, t_x, T), (n,).

    The odds of having left are the integral over t from t_x to T of s / (beta + t) ((alpha + T) / (alpha + t))**(r + x)
    ((beta + T) / (beta + t))**s. In y = ln(c + t), c the smaller of alpha and beta, it is smooth on ever longer parts from t_x on.
    """
    if not np.isfinite(law.beta):
        return np.ones(x.size)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    ends = np.concatenate([[0.0], 0.5 ** np.arange(PANELS - 1, -1, -1)])
    at = (ends[:-1, None] + np.diff(ends)[:, None] * (nodes + 1) / 2).ravel()
    weight = (np.diff(ends)[:, None] * weights / 2).ravel()
    least, found = min(law.alpha, law.beta), np.empty(x.size)
    for first in range(0, x.size, CHUNK):
        mine = slice(first, first + CHUNK)
        orders, last, seen = (part[mine].astype(np.float64)[:, None] for part in (x, t_x, T))
        span = np.log((least + seen) / (least + last))
        t = (least + last) * np.exp(span * at) - least
        power = (law.r + orders) * np.log((law.alpha + seen) / (law.alpha + t)) + law.s * np.log((law.beta + seen) / (law.beta + t))
        odds = np.exp(np.minimum(power, 600.0)) * (law.s * (least + t) / (law.beta + t)) @ weight * span[:, 0]
        found[mine] = 1.0 / (1.0 + odds)
    return found


def busiest(existing: Existing | None, segment: int, scenario: Scenario) -> float:
    """Return the highest ordering rate, a period, that an existing customer of a segment can have; 0 where past orders are not known."""
    if existing is None or not existing.T.size:
        return 0.0
    from scipy.special import gammainccinv, ndtr

    mine, found = existing.of(segment), law(scenario)
    x, place = np.unique(existing.x[mine], return_inverse=True)
    tops = np.asarray(gammainccinv(found.r + x, ndtr(-Z_MAX)))
    return float(np.max(tops[place] / (found.alpha + existing.T[mine]), initial=0.0))


def drawable(rate: float) -> float:
    """Return a rate of ordering, or raise ScenarioError where it is higher than can be drawn."""
    if rate > MAX_ORDERS:
        rule = f"by its past orders a customer may place {rate:,.0f} a period, and {MAX_ORDERS:g} is the most"
        raise ScenarioError([Fault("base", "", rule, "use a shorter period")])
    return rate


def gamma(shape: float) -> Values:
    """Return the table of Gamma(shape, 1), shape (NODES,)."""
    return shape * positive("gamma", shape**-0.5)


def compile_buyers(existing: Existing | None, cases: Sequence[Sequence[Scenario]], library: Library) -> dict[str, Array]:
    """Return the fields of Tables named ``base_alive``, ``base_rate``, ``base_seen`` and ``buyers``; cases: the segments of each."""
    views = [view for case in cases for view in case]
    if existing is None or not existing.T.size:
        nothing = np.zeros(0, np.float32)
        off: dict[str, Array] = {"buyers_first": np.zeros(len(views), np.int64), "buyers": np.zeros((len(views), 2), np.float32)}
        return {"base_alive": nothing, "base_rate": np.zeros(0, np.uint32), "base_seen": nothing, **off}
    alive, rate = [], []
    for case in cases:
        for segment, view in enumerate(case):
            mine, found = existing.of(segment), law(view)
            x, place = np.unique(existing.x[mine], return_inverse=True)
            numbers = np.array([library.number(gamma, found.r + float(orders)) for orders in x], np.uint32)
            rate.append(numbers[place] if x.size else np.zeros(0, np.uint32))
            alive.append(chance_alive(existing.x[mine], existing.t_x[mine], existing.T[mine], found).astype(np.float32))
    laws = [law(view) for view in views]
    return {
        "base_alive": np.concatenate(alive),
        "base_rate": np.concatenate(rate),
        "base_seen": np.tile(existing.T, len(cases)),
        "buyers_first": np.repeat(np.arange(len(cases)), len(cases[0])) * existing.T.size,
        "buyers": np.array([(found.alpha, 1.0 / found.beta) for found in laws], np.float32),
    }
