"""How customers differ: quadrature over what changes their hazards, moments of what only scales their spending.

Given the hazard traits (frailty, a probability drawn for a beta edge) a customer is a Markov chain. They are integrated by the
trapezoid rule in s = log f (gamma) and s = logit p (beta), whose integrands are analytic in a strip and decay exponentially, so
that the error falls like exp(-c/h) (Trefethen and Weideman 2014). In the long tails the nodes lie ever further apart, as a
hyperbolic sine does (a change of variable as in Takahasi and Mori 1974), for two traits take the product of their nodes. Every
second node is the same rule at twice the step: the difference between both is the node error.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.scenario.base import PERIODS_PER_YEAR
from sim.scenario.model import Scenario
from sim.scenario.purchases import Bernoulli, Chance, Poisson, Subscription, Trait

Floats = NDArray[np.float64]

MIXED_AT_MOST = 2
STEP = 0.15
BEND = 10.0  # distance from the mode, in s, from which the nodes lie ever further apart
STEP_BY_SPREAD = 0.3  # of the standard deviation of s, where that is small
TAIL = 36.0  # nodes whose log weight is this far below the largest are left out
FAR = 340.0  # end of s for infinite horizons: the long lives of few customers count there; their squares stay below overflow
NEAR = 340.0  # the other end of s: certain to go at once
UNDERFLOW = 745.0
CLOSE = 1e-3  # distance from the mode below which the density is taken from its series, free of cancellation
SCORE_END = 9.0
SHAPELESS = 1.1  # Beta(a below this): 1/q has its second moment with a correlated trait in tails beyond double precision


@dataclass(frozen=True)
class Nodes:
    """Customers of given hazard traits, n nodes.

    weights: (n,), sum 1; coarse: (n,) the same at twice the step, 0 on every second node;
    frailty: (n,); beta: (edge, n) hazards -ln(1-p); names: of the traits mixed;
    scale, square, noise, rate: (n,) moments, given the node, of the spending traits: the wallet part of CLV has conditional mean
    ``scale * a``, second moment ``square * A + noise * B`` (see ``sim.exact.forward``), and orders come at ``rate``;
    end: (n,) whether the node is one of the last on the side of long lives.
    """

    weights: Floats
    coarse: Floats
    frailty: Floats
    beta: Floats
    names: tuple[str, ...]
    scale: Floats
    square: Floats
    noise: Floats
    rate: Floats
    end: NDArray[np.bool_]

    def part(self, chosen: NDArray[np.bool_] | slice) -> "Nodes":
        """Return some of the nodes, their weights unchanged."""
        return replace(
            self,
            **{key: getattr(self, key)[chosen] for key in ("weights", "coarse", "frailty", "scale", "square", "noise", "rate", "end")},
            beta=self.beta[:, chosen],
        )


@dataclass(frozen=True)
class _Grid:
    values: Floats
    weights: Floats
    coarse: Floats
    end: NDArray[np.bool_]


_POINT = _Grid(np.ones(1), np.ones(1), np.ones(1), np.zeros(1, bool))


def build(scenario: Scenario, beta_edges: tuple[str, ...], frail: bool) -> Nodes:
    """Return the nodes of the product rule. beta_edges: reachable beta edges; frail: frailty acts on a reachable edge."""
    names, grids = _grids(scenario, beta_edges, frail)
    if len(grids) > MIXED_AT_MOST:
        none = np.zeros(0)
        return Nodes(none, none, none, np.zeros((0, 0)), tuple(names), none, none, none, none, np.zeros(0, bool))
    first, second = ([*grids, _POINT, _POINT])[:2]
    weights, keep = _product(first, second, scenario)
    values = [
        np.repeat(first.values, len(second.values))[keep],
        np.tile(second.values, len(first.values))[keep],
    ][: len(grids)]
    frailty = values.pop(0) if frail else np.ones(int(keep.sum()))
    links = _links(scenario, frail)
    # of the first grid's nodes alone: a node's moments are a quadrature themselves, and depend on frailty alone
    score = _score(first.values, scenario.frailty.variance) if any(links[1:]) else np.zeros(1)
    shape = len(first.values), len(second.values)
    scale, square, noise, rate = (np.broadcast_to(m[:, None], shape).ravel()[keep] for m in spending(scenario, score, links))
    return Nodes(
        weights[keep],
        np.outer(first.coarse, second.coarse).ravel()[keep],
        frailty,
        np.array(values).reshape(len(values), len(frailty)),
        tuple(names),
        scale,
        square,
        noise,
        rate,
        (first.end[:, None] | second.end).ravel()[keep],
    )


def count(scenario: Scenario, beta_edges: tuple[str, ...], frail: bool) -> int:
    """Return how many nodes ``build`` returns, without their moments; 0 where there are more traits than are mixed."""
    _, grids = _grids(scenario, beta_edges, frail)
    if len(grids) > MIXED_AT_MOST:
        return 0
    first, second = ([*grids, _POINT, _POINT])[:2]
    return int(_product(first, second, scenario)[1].sum())


def _grids(scenario: Scenario, beta_edges: tuple[str, ...], frail: bool) -> tuple[list[str], list[_Grid]]:
    """Return the names and nodes of the hazard traits, frailty first."""
    far = scenario.horizon == "inf"
    names, grids = [], []
    if frail:
        names.append("frailty")
        grids.append(_gamma(1.0 / scenario.frailty.variance, far))
    for key in beta_edges:
        stage, name = key.split(".")
        law = scenario.stages[stage].to[name].beta
        assert law is not None
        names.append(f"stages.{stage}.to.{name}.beta")
        grids.append(_beta(law.a, law.b, far))
    return names, grids


def _product(first: _Grid, second: _Grid, scenario: Scenario) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the weights of the product rule, (n,), the first grid's nodes outermost, and which of them count."""
    weights = np.outer(first.weights, second.weights).ravel()
    return weights, weights > (0.0 if scenario.horizon == "inf" else 1e-18 * weights.max())


def _grid(cost: Callable[[Floats], Floats], mode: float, step: float, far: bool) -> tuple[Floats, _Grid]:
    """Return the nodes s and both rules for the density exp(-cost(s - mode)).

    The rule is even in x where s - mode = BEND sinh(x / BEND): even in s about the mode, ever wider in the tails, where lives
    depend on s as a power of e^s. The grid ends where the density is negligible (for infinite horizons, on the left, where it is 0),
    and at the latest at -FAR and NEAR: there the last node also stands for all beyond it.
    """

    def extent(sign: float, depth: float) -> int:
        x = step
        while cost(np.array([sign * BEND * math.sinh(x / BEND)]))[0] < depth:
            x *= 1.25
        return 2 * math.ceil(x / step / 2)

    k = np.arange(-extent(-1.0, UNDERFLOW if far else TAIL), extent(1.0, TAIL) + 1)
    d = np.asarray(BEND * np.sinh(k * step / BEND), float)
    log_density = -cost(d)
    density = np.exp(log_density - log_density.max()) * np.cosh(k * step / BEND)
    coarse = np.where(k % 2 == 0, density, 0.0)
    inside = np.flatnonzero((d >= min(-FAR - mode, d[k == -2][0])) & (d <= max(NEAR - mode, d[k == 2][0])) & (k % 2 == 0))
    first, last = inside[0], inside[-1]
    for rule in (density, coarse):
        rule[first] += rule[:first].sum()
        rule[last] += rule[last + 1 :].sum()
    keep = (density > 0.0) & (first <= np.arange(len(k))) & (np.arange(len(k)) <= last)
    s, density, coarse = (mode + d)[keep], density[keep], coarse[keep]
    return s, _Grid(s, density / density.sum(), coarse / coarse.sum(), np.arange(len(s)) < 3)


def _gamma(shape: float, far: bool) -> _Grid:
    """Nodes of a gamma of mean 1: in s = log f its density is exp(k (s - e^s)), with the mode at 0."""

    def cost(s: Floats) -> Floats:
        small = s * s / 2.0 * (1.0 + s / 3.0 * (1.0 + s / 4.0 * (1.0 + s / 5.0)))
        return np.asarray(shape * np.where(np.abs(s) < CLOSE, small, np.expm1(np.minimum(s, FAR)) - s), float)

    s, grid = _grid(cost, 0.0, min(STEP, STEP_BY_SPREAD / math.sqrt(shape)), far)
    return replace(grid, values=np.exp(s))


def _beta(a: float, b: float, far: bool) -> _Grid:
    """Nodes of a Beta(a, b): in s = logit p its density is p^a (1-p)^b. Values are hazards -ln(1-p) = ln(1 + e^s)."""
    sign, share = (1.0, a / (a + b)) if a <= b else (-1.0, b / (a + b))
    other = 1.0 - share

    def cost(d: Floats) -> Floats:
        e = sign * d
        both = share * other
        small = both * e * e / 2.0 * (1.0 + (other - share) * e / 3.0 + (1.0 - 6.0 * both) * e * e / 12.0)
        middle = np.log1p(share * np.expm1(np.minimum(e, 30.0))) - share * e
        large = other * e + np.log(share + other * np.exp(-np.maximum(e, 30.0)))
        return np.asarray((a + b) * np.where(np.abs(e) < CLOSE, small, np.where(e > 30.0, large, middle)), float)

    s, grid = _grid(cost, math.log(a / b), min(STEP, STEP_BY_SPREAD * math.sqrt(1.0 / a + 1.0 / b)), far)
    hazard = np.logaddexp(0.0, s)
    end = float(hazard[-1])
    if end >= 0.9 * NEAR and b * end < TAIL:  # the last node stands for all larger hazards H, by the mean of 1 / H
        from scipy import special

        hazard[-1] = 1.0 / (b * math.exp(b * end) * special.exp1(b * end))
    return replace(grid, values=hazard)


def _score(frailty: Floats, variance: float) -> Floats:
    """Return the standard normal score of each frailty, (n,), from the tail that is not near 1."""
    from scipy import special

    shape = 1.0 / variance
    below, above = special.gammainc(shape, shape * frailty), special.gammaincc(shape, shape * frailty)
    with np.errstate(divide="ignore"):
        score = np.where(below < 0.5, special.ndtri(below), -special.ndtri(above))
    return np.asarray(np.clip(score, -38.0, 38.0), float)


Links = tuple[float, float, float]


def spending(scenario: Scenario, score: Floats, links: Links) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the moments ``scale``, ``square``, ``noise`` and ``rate`` of ``Nodes``, given frailty's normal score (n,).

    W is the wallet or the order value, theta the ordering rate or chance. Subscription: W, W^2, 0, 0. Orders of a given value:
    W theta, (W theta)^2, W^2 theta, theta. Orders of W / theta: W, W^2, W^2 / theta, theta. An infinite moment is inf.
    """
    purchases = scenario.purchases
    wallet, rate, ratio = _traits(scenario)
    one, zero = np.ones_like(score), np.zeros_like(score)

    def moment(m: int, n: int) -> Floats:
        return _joint(wallet, rate, (m, n), score, links) * ratio**n

    if isinstance(purchases, Subscription) or rate is None:
        return moment(1, 0), moment(2, 0), zero, zero
    if isinstance(purchases, Bernoulli) and purchases.order_value is None:
        if purchases.probability.value == 0.0:
            return zero, zero, zero, zero
        return moment(1, 0), moment(2, 0), moment(2, -1) * one, moment(0, 1)
    return moment(1, 1), moment(2, 2), moment(2, 1), moment(0, 1)


def _traits(scenario: Scenario) -> tuple[Trait, Trait | Chance | None, float]:
    """Return the wallet (or order value), the rate (or chance) of ordering, and what turns the rate into one of a period."""
    purchases = scenario.purchases
    if isinstance(purchases, Subscription):
        return purchases.wallet, None, 1.0
    if isinstance(purchases, Poisson):
        given = PERIODS_PER_YEAR[purchases.rate_period or scenario.period]
        return purchases.order_value, purchases.rate, given / scenario.periods_per_year
    worth = purchases.order_value or purchases.wallet
    assert worth is not None
    return worth, purchases.probability, 1.0


PLACE = {"wallet": 0, "order_value": 0, "rate": 1, "probability": 1, "frailty": 2}
"""Traits that hang together here; others enter alone, through their moments."""


def _links(scenario: Scenario, frail: bool) -> Links:
    """Return the correlations wallet-rate, wallet-frailty, rate-frailty; of frailty 0 where it moves no hazard."""
    found = np.eye(3)
    for one, row in scenario.correlations.items():
        for other, value in row.items():
            if one in PLACE and other in PLACE:
                i, j = PLACE[one], PLACE[other]
                found[i, j] = found[j, i] = value
    if not frail:
        found[2, :2] = 0.0
    return float(found[0, 1]), float(found[2, 0]), float(found[2, 1])


def _constant(trait: Trait | Chance) -> float | None:
    if isinstance(trait, Chance):
        return trait.value
    return trait.mean_value if trait.cv_value == 0.0 else None


def _joint(wallet: Trait, rate: Trait | Chance | None, powers: tuple[int, int], score: Floats, links: Links) -> Floats:
    """Return E[W**m theta**n] given frailty's score, (n,), under a Gaussian copula with these correlations."""
    m, n = powers
    between, to_wallet, to_rate = links
    if rate is None or n == 0:
        return _given(wallet, m, to_wallet * score, _rest(to_wallet))
    if m == 0 or _constant(wallet) is not None:
        return _given(wallet, m, 0 * score, 1.0) * _given(rate, n, to_rate * score, _rest(to_rate))
    own = _rest(to_wallet)
    shared = (between - to_wallet * to_rate) / own if own > 0 else 0.0
    rest = _rest(math.hypot(to_rate, shared))
    if abs(shared) < 1e-12 or _constant(rate) is not None:
        return _given(wallet, m, to_wallet * score, own) * _given(rate, n, to_rate * score, rest)
    if isinstance(rate, Chance) and rate.a is not None and n < 0 and rate.a < SHAPELESS:
        return np.full_like(score, np.inf)
    z, weights = _normal(_reach(wallet, m) + _reach(rate, n), min(_step(wallet), _step(rate)))
    inner = _given(rate, n, (to_rate * score[:, None] if to_rate else 0.0) + shared * z, rest)
    return np.asarray((_value(wallet, to_wallet * score[:, None] + own * z) ** m * inner) @ weights, float)


def _rest(correlation: float) -> float:
    return math.sqrt(max(0.0, 1.0 - correlation**2))


def _given(trait: Trait | Chance, n: int, mean: Floats, spread: float) -> Floats:
    """Return E[T**n] where T's normal score is Normal(mean, spread); closed forms where that is the standard one."""
    fixed = _constant(trait)
    if n == 0 or fixed is not None:
        return np.full_like(mean, 1.0 if n == 0 else (fixed or 0.0) ** n)
    if not np.any(mean) and spread == 1.0:
        return np.full_like(mean, _moment(trait, n))
    if isinstance(trait, Chance) and trait.a is not None and n < 0 and trait.a < SHAPELESS:
        return np.full_like(mean, np.inf)
    z, weights = _normal(_reach(trait, n), _step(trait))
    found, step = np.zeros_like(mean), spread * _step(trait)
    first, span = float(np.min(mean)), float(np.ptp(mean))
    if span + len(z) * step >= mean.size * len(z) * step:  # few means, or a spread that is small beside their distances
        for score, weight in zip(z, weights, strict=True):
            found += weight * _value(trait, mean + spread * score) ** n
        return found
    # The trapezoid rule is as good wherever its nodes lie: all means take theirs from one list, for values of a trait are slow.
    at = np.rint((mean - first) / step).astype(int)
    off = (first + at * step - mean) / spread
    worth = _value(trait, first + spread * z[0] + step * np.arange(int(at.max()) + len(z))) ** n
    for k, score in enumerate(z):
        found += worth[at + k] * np.exp(-0.5 * (score + off) ** 2)
    return found * (_step(trait) / math.sqrt(2.0 * math.pi))


def _moment(trait: Trait | Chance, n: int) -> float:
    """Return E[T**n], n = -1 (of a beta), 1 or 2; inf where there is none."""
    if isinstance(trait, Trait):
        return float(trait.mean_value**n * (1.0 + trait.cv_value**2 if n == 2 else 1.0))
    a, b = trait.a or 0.0, trait.b or 0.0
    if n == -1:
        return (a + b - 1.0) / (a - 1.0) if a > 1.0 else math.inf
    return a / (a + b) * ((a + 1.0) / (a + b + 1.0) if n == 2 else 1.0)


def _reach(trait: Trait | Chance, n: int) -> float:
    """Return how far beyond SCORE_END the n-th power moves the weight of the normal score."""
    if isinstance(trait, Chance):
        return SCORE_END / math.sqrt(1.0 - 1.0 / trait.a) - SCORE_END if n < 0 and trait.a else 0.0
    return n * math.sqrt(math.log1p(trait.cv_value**2))


def _step(trait: Trait | Chance) -> float:
    """Return a step of the normal score at which the trapezoid rule is within 1e-12 of a step of 0.1 (measured up to cv 4)."""
    if isinstance(trait, Chance) or trait.distribution == "lognormal" or trait.cv_value <= 0.5:
        return 0.4
    return 0.3 if trait.cv_value <= 1.0 else 0.2 / max(1.0, trait.cv_value / 4.0)


def _normal(beyond: float, step: float) -> tuple[Floats, Floats]:
    """Return the trapezoid rule for a standard normal: nodes and weights."""
    count = math.ceil((SCORE_END + beyond) / step)
    z = np.asarray(np.arange(-count, count + 1) * step, float)
    return z, np.exp(-0.5 * z * z) * (step / math.sqrt(2.0 * math.pi))


def _value(trait: Trait | Chance, z: Floats) -> Floats:
    """Return the trait at a standard normal score."""
    from scipy import special

    if isinstance(trait, Chance):
        assert trait.a is not None and trait.b is not None
        low = special.betaincinv(trait.a, trait.b, special.ndtr(np.minimum(z, 0.0)))
        high = special.betaincinv(trait.b, trait.a, special.ndtr(-np.maximum(z, 0.0)))
        return np.asarray(np.where(z < 0, low, 1.0 - high), float)
    if trait.distribution == "lognormal":
        spread = math.sqrt(math.log1p(trait.cv_value**2))
        return np.asarray(trait.mean_value * np.exp(spread * z - 0.5 * spread**2), float)
    shape = trait.cv_value**-2
    low = special.gammaincinv(shape, special.ndtr(np.minimum(z, 0.0)))
    high = special.gammainccinv(shape, special.ndtr(-np.maximum(z, 0.0)))
    return np.asarray(np.where(z < 0, low, high) * trait.mean_value / shape, float)
