"""The referee against its slow twin."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from sim.exact import exact
from tests.exact.twin import LOST, Customers, Floats, Twin, beta_rule, gamma_rule, scenario

STAGES: dict[str, Any] = {
    "new": {
        "rank": 1,
        "price": [3.0, 4.0],
        "cost_to_serve": [1.0, 0.5],
        "to": {
            "good": {"probability": [0.2, 0.5], "cash": -2.0},
            "again": {"target": "new", "probability": 0.1, "cash": 0.25},
            "lost": {"probability": [0.1, 0.2, 0.3], "cash": -1.0},
        },
    },
    "good": {
        "rank": 3,
        "price": 6.0,
        "margin": [0.5, 0.7],
        "to": {
            "new": {"hazard": 0.1},
            "rival": {"target": "lost", "hazard": 0.15, "cash": -3.0},
            "own": {"target": "lost", "hazard": 0.05},
        },
    },
    "lost": {"kind": "lost", "cost_to_serve": 0.2, "to": {"new": {"probability": 0.15, "cash": -4.0}}},
}
CALENDAR: dict[str, Any] = {
    "hazards": {"multiplier": (1.0, 1.7, 0.4), "growth_annual": 0.1},
    "orders": {"multiplier": (0.8, 0.9)},
    "margin": {"growth_annual": 0.2},
}
BASE: dict[str, Any] = {"start": "new", "stages": STAGES, "acquisition": {"cost": 5.0}, "patterns": {"long_lasting": 2}}


@pytest.mark.parametrize("exposure", ["whole", "until_exit"])
@pytest.mark.jit
@pytest.mark.parametrize(
    "purchases",
    [
        {"kind": "subscription", "wallet": 2.0},
        {"kind": "bernoulli", "probability": 0.3, "wallet": 2.0, "amount": {"distribution": "gamma", "cv": 0.6}},
        {"kind": "bernoulli", "probability": 0.3, "order_value": 2.0},
        {"kind": "poisson", "rate": 1.3, "order_value": 2.0, "amount": {"distribution": "lognormal", "cv": 0.6}},
    ],
)
@pytest.mark.parametrize("arrival", [0, 5])
def test_every_path_is_counted(exposure: str, purchases: dict[str, Any], arrival: int) -> None:
    case = scenario(
        **BASE,
        exposure=exposure,
        purchases=purchases,
        calendar=CALENDAR,
        cohorts={"only": {"first_period": arrival, "customers": 10}},
        timing={"purchase": "mid", "service": "end"},
        **({"horizon": 3} if exposure == "until_exit" else {}),
    )
    given_rate = purchases.get("probability", purchases.get("rate", 1.0))
    Twin(case, Customers(wallet=2.0, rate=given_rate), arrival).check(exact(case))


PROSPECTS: dict[str, Any] = {
    "potential": {
        "kind": "prospect",
        "cost_to_serve": 0.3,
        "to": {"new": {"probability": [0.4, 0.2], "cash": -0.5}, "lost": {"probability": 0.3}},
    },
    **STAGES,
}


@pytest.mark.parametrize("due", ["arrival", "conversion"])
@pytest.mark.parametrize("exposure", ["whole", "until_exit"])
def test_prospects(due: str, exposure: str) -> None:
    keys = {"start": "potential", "stages": PROSPECTS, "acquisition": {"cost": 7.0, "due": due}, "exposure": exposure}
    case = scenario(**{**BASE, **keys, "horizon": 5 if exposure == "whole" else 3})
    Twin(case, Customers()).check(exact(case))


def test_leaving_for_certain_under_modifiers() -> None:
    stages = {
        "s": {"rank": 2, "to": {"t": {"probability": [0.2, 0.6]}, "lost": {"probability": [0.1, 0.4]}}},
        "t": {"rank": 3, "mean_duration": 1.0, "to": {"s": {"share": 0.75}, "lost": {"share": 0.25}}},
        "lost": LOST,
    }
    frailties, weights = gamma_rule(0.5)
    case = scenario(start="s", stages=stages, frailty={"variance": 0.25}, calendar=CALENDAR, exposure="until_exit", horizon=3)
    Twin(case, Customers(weights=weights, frailty=frailties)).check(exact(case))


def product(*rules: tuple[Floats, Floats]) -> tuple[Floats, list[Floats]]:
    """Return the weights of a product rule, and each trait's values."""
    grids = np.meshgrid(*(values for values, _ in rules), indexing="ij")
    weights = np.ones(1)
    for _, more in rules:
        weights = np.outer(weights, more).ravel()
    return weights, [grid.ravel() for grid in grids]


def test_traits_of_spending() -> None:
    weights, (wallet, rate) = product(gamma_rule(0.8, 2.0, 6), gamma_rule(1.2, 0.7, 6))
    purchases: dict[str, Any] = {"kind": "poisson", "rate": {"mean": 0.7, "cv": 1.2}, "order_value": {"mean": 2.0, "cv": 0.8}}
    case = scenario(**BASE, purchases=purchases, calendar=CALENDAR)
    Twin(case, Customers(weights, wallet, rate)).check(exact(case))
    weights, (wallet, rate) = product(gamma_rule(0.8, 2.0, 6), beta_rule(3.0, 2.0, 6, inverse=True))
    purchases = {"kind": "bernoulli", "probability": {"a": 3.0, "b": 2.0}, "wallet": {"mean": 2.0, "cv": 0.8}}
    case = scenario(**BASE, purchases=purchases, calendar=CALENDAR)
    Twin(case, Customers(weights, wallet, rate)).check(exact(case))
    del purchases["wallet"]
    case = scenario(**BASE, purchases={**purchases, "order_value": {"mean": 2.0, "cv": 0.8}}, calendar=CALENDAR)
    Twin(case, Customers(weights, wallet, rate)).check(exact(case))


@pytest.mark.parametrize("exposure", ["whole", "until_exit"])
def test_traits_of_leaving(exposure: str) -> None:
    stages = {
        "s": {"to": {"lost": {"beta": {"a": 1.5, "b": 2.5}}, "t": {"probability": 0.2}}},
        "t": {"price": 2.0, "to": {"lost": {"hazard": 0.3}}},
        "lost": {"kind": "lost", "to": {"s": {"probability": 0.3}}},
    }
    weights, (chance, frailty) = product(beta_rule(1.5, 2.5), gamma_rule(0.9))
    case = scenario(start="s", stages=stages, frailty={"variance": 0.81, "edges": ("t.lost",)}, exposure=exposure, horizon=3)
    Twin(case, Customers(weights, frailty=frailty, leave={"s.lost": chance})).check(exact(case))


COPULAS = [
    {"wallet": {"frailty": -0.6}},
    {"rate": {"frailty": 0.5}},
    {"wallet": {"frailty": -0.6, "rate": 0.4}},
    {"wallet": {"frailty": -0.5, "rate": 0.4}, "rate": {"frailty": 0.3}},
]


def copula(links: dict[str, dict[str, float]], kind: str) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the weights of customers, their wallets (mean 1, cv 0.5), rates (0.6, 0.5) and frailties (variance 0.5)."""
    names = ("wallet", "rate", "frailty")
    correlation = np.eye(3)
    for one, row in links.items():
        for other, value in row.items():
            i, j = names.index(one), names.index(other)
            correlation[i, j] = correlation[j, i] = value
    line = np.arange(-8.0, 8.01, 0.4)
    z = np.stack([grid.ravel() for grid in np.meshgrid(line, line, line, indexing="ij")])
    weights = np.exp(-0.5 * (z**2).sum(0)) * (0.4 / math.sqrt(2 * math.pi)) ** 3
    z, weights = z[:, weights > 1e-15], weights[weights > 1e-15]
    score = np.linalg.cholesky(correlation) @ z
    if kind == "lognormal":
        width = math.sqrt(math.log(1.25))
        wallet = np.exp(width * score[0] - width**2 / 2)
    else:
        wallet = stats.gamma.ppf(special.ndtr(score[0]), 4.0) / 4.0
    rate = stats.gamma.ppf(special.ndtr(score[1]), 4.0) / 4.0 * 0.6
    return weights, wallet, rate, stats.gamma.ppf(special.ndtr(score[2]), 2.0) / 2.0


@pytest.mark.parametrize("links", COPULAS)
@pytest.mark.parametrize("kind", ["lognormal", "gamma"])
def test_correlated_traits(links: dict[str, dict[str, float]], kind: str) -> None:
    weights, wallet, rate, frailty = copula(links, kind)
    case = scenario(
        start="s",
        stages={"s": {"to": {"lost": {"hazard": 0.3}}}, "lost": LOST},
        frailty={"variance": 0.5},
        purchases={"kind": "poisson", "rate": {"mean": 0.6, "cv": 0.5}, "order_value": {"mean": 1.0, "cv": 0.5, "distribution": kind}},
        correlations=links,
    )
    twin = Twin(case, Customers(weights, wallet, rate, frailty))
    found = exact(case)
    first, second = twin.first[1] @ weights, twin.second[1] @ weights
    assert found.clv_mean == pytest.approx(first, rel=1e-8)
    assert found.clv_sd == pytest.approx(math.sqrt(second - first**2), rel=1e-8)
    assert found.orders == pytest.approx(twin.orders, rel=1e-8)


@pytest.mark.parametrize("kind", ["lognormal", "gamma"])
def test_correlated_traits_beside_another_trait_of_leaving(kind: str) -> None:
    weights, *values = copula(COPULAS[-1], kind)
    chances, shares = beta_rule(1.5, 2.5, 4)  # exact: in the chance all is a polynomial
    wallet, rate, frailty = (np.tile(value, len(chances)) for value in values)
    case = scenario(
        start="s",
        stages={"s": {"to": {"t": {"beta": {"a": 1.5, "b": 2.5}}}}, "t": {"price": 2.0, "to": {"lost": {"hazard": 0.3}}}, "lost": LOST},
        frailty={"variance": 0.5, "edges": ("t.lost",)},
        purchases={"kind": "poisson", "rate": {"mean": 0.6, "cv": 0.5}, "order_value": {"mean": 1.0, "cv": 0.5, "distribution": kind}},
        correlations=COPULAS[-1],
        horizon=3,
    )
    weights = np.outer(shares, weights).ravel()
    twin = Twin(case, Customers(weights, wallet, rate, frailty, {"s.t": np.repeat(chances, len(values[0]))}))
    found = exact(case)
    first, second = twin.first[1] @ weights, twin.second[1] @ weights
    assert found.clv_mean == pytest.approx(first, rel=1e-8)
    assert found.clv_sd == pytest.approx(math.sqrt(second - first**2), rel=1e-8)
    assert found.orders == pytest.approx(twin.orders, rel=1e-8)


def test_correlation_of_a_chance_and_what_is_bought() -> None:
    links = {"wallet": {"rate": 0.7}}
    line = np.arange(-9.0, 9.01, 0.1)
    z = np.stack([grid.ravel() for grid in np.meshgrid(line, line, indexing="ij")])
    weights = np.exp(-0.5 * (z**2).sum(0)) * (0.1 / math.sqrt(2 * math.pi)) ** 2
    wallet = np.exp(0.5 * z[0] - 0.125)
    rate = stats.beta.ppf(special.ndtr(0.7 * z[0] + math.sqrt(0.51) * z[1]), 3.0, 2.0)
    purchases = {"kind": "bernoulli", "probability": {"a": 3.0, "b": 2.0}}
    worth = {"mean": 1.0, "cv": math.sqrt(math.expm1(0.25)), "distribution": "lognormal"}
    for key in ("wallet", "order_value"):
        case = scenario(**BASE, purchases={**purchases, key: worth}, correlations=links)
        twin = Twin(case, Customers(weights, wallet, rate))
        found = exact(case)
        assert found.clv_mean == pytest.approx(twin.first[1] @ weights, rel=1e-8)
        assert found.clv_sd == pytest.approx(math.sqrt(twin.second[1] @ weights - (twin.first[1] @ weights) ** 2), rel=1e-7)


def test_segments_and_cohorts_are_mixed_by_share() -> None:
    segments = {
        "small": {"share": 0.7},
        "large": {"share": 0.3, "stages": {"good": {"price": 20.0}}, "acquisition": {"cost": 50.0}},
    }
    cohorts = {"early": {"customers": 30}, "late": {"first_period": 2, "periods": 2, "customers": [10, 20]}}
    case = scenario(**BASE, segments=segments, cohorts=cohorts, calendar=CALENDAR)
    found = exact(case)
    twins = {(segment, arrival): Twin(one, Customers(), arrival) for segment, one in case.by_segment.items() for arrival in (0, 2, 3)}
    shares = {(s, a): p * n / 60 for s, p in (("small", 0.7), ("large", 0.3)) for a, n in ((0, 30), (2, 10), (3, 20))}

    def mixed(cells: list[tuple[str, int]]) -> tuple[float, float]:
        whole = sum(shares[cell] for cell in cells)
        first, second = (sum(shares[cell] / whole * getattr(twins[cell], name)[1, 0] for cell in cells) for name in ("first", "second"))
        return first, math.sqrt(second - first**2)

    assert (found.clv_mean, found.clv_sd) == pytest.approx(mixed(list(shares)), rel=1e-9)
    for segment in segments:
        assert found.by_segment[segment][:2] == pytest.approx(mixed([cell for cell in shares if cell[0] == segment]), rel=1e-9)
    for c, arrival in enumerate((0, 2, 3)):
        assert found.by_cohort[c][:2] == pytest.approx(mixed([cell for cell in shares if cell[1] == arrival]), rel=1e-9)
    never = sum(share * twins[cell].never_lost for cell, share in shares.items())
    assert found.survival == pytest.approx(never, rel=1e-9)
