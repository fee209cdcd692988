"""The referee against its slow twin, which lists every path of a few periods, and against properties that any scenario has."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special, stats

from sim.exact import Exact, exact
from sim.exact.result import COLUMNS
from sim.scenario.model import Scenario

Floats = NDArray[np.float64]
LOST = {"kind": "lost"}

# Traits of the twin: Gauss rules of the distributions themselves, where the referee uses trapezoids and moments.


def gamma_rule(cv: float, mean: float = 1.0, count: int = 30) -> tuple[Floats, Floats]:
    shape = cv**-2
    values, weights = special.roots_genlaguerre(count, shape - 1.0)
    return np.asarray(values / shape * mean), np.asarray(weights / weights.sum())


def beta_rule(a: float, b: float, count: int = 80, inverse: bool = False) -> tuple[Floats, Floats]:
    """Return nodes and weights; inverse: of the rule that is exact for 1/p times a polynomial too."""
    values, weights = special.roots_jacobi(count, b - 1.0, a - 1.0 - inverse)
    values = (values + 1.0) / 2.0
    weights = weights * values if inverse else weights
    return np.asarray(values), np.asarray(weights / weights.sum())


@dataclass
class Customers:
    """Traits of n kinds of customers; the twin keeps every number as an array over them."""

    weights: Floats = field(default_factory=lambda: np.ones(1))
    wallet: Floats | float = 1.0
    rate: Floats | float = 1.0
    frailty: Floats | float = 1.0
    leave: dict[str, Floats] = field(default_factory=dict)


KNOTS, KNOT_WEIGHTS = np.polynomial.legendre.leggauss(7)


class Twin:
    """Sums over all paths of one segment that arrives in calendar period ``arrival``."""

    def __init__(self, scenario: Scenario, customers: Customers, arrival: int = 0) -> None:
        assert scenario.horizon != "inf"
        self.scenario, self.who, self.arrival, self.horizon = scenario, customers, arrival, scenario.horizon
        n = len(customers.weights)
        self.first, self.second = np.zeros((2, n)), np.zeros((2, n))
        self.occupancy = {s: np.zeros(self.horizon + 1) for s in scenario.stages}
        self.cash = np.zeros((4, self.horizon))
        self.orders = np.zeros(self.horizon)
        self.patterns = dict.fromkeys(("unconverted", "early_lapse", "midway_lapse", "early_retreat", "long_lasting", "open"), 0.0)
        self.visits = dict.fromkeys(scenario.stages, 0.0)
        self.never_lost, self.ever = np.zeros(self.horizon + 1), np.zeros(self.horizon + 1)
        start = scenario.stages[scenario.start]
        arrives = start.kind == "active" or scenario.acquisition.due == "arrival"
        cost = scenario.acquisition.cost * arrives
        self.cash[3, 0] -= cost
        self.walk([scenario.start], 0, np.ones(n), np.zeros(n), np.zeros(n), np.full(n, -cost), 1)

    def season(self, name: str, t: int) -> float:
        season, y = getattr(self.scenario.calendar, name), self.arrival + t
        turn = season.multiplier or (1.0,)
        return float(turn[y % len(turn)] * (1.0 + season.growth_annual) ** (y / self.scenario.periods_per_year))

    def ways(self, stage: str, age: int, t: int) -> list[tuple[str | None, Floats, Floats | float]]:
        """Return (edge or None, chance, fraction lived) of all that may happen in t."""
        scenario, entry, n = self.scenario, self.scenario.stages[stage], len(self.who.weights)
        chances = {}
        for name, edge in entry.to.items():
            if edge.probability is not None:
                chances[name] = edge.probability[min(age, len(edge.probability) - 1)]
            elif edge.share is not None:
                chances[name] = edge.share / (entry.mean_duration or math.nan)
        total = sum(chances.values())
        hazards: dict[str, Floats] = {}
        for name, edge in entry.to.items():
            h: Any = 0.0
            if name in chances:
                h = chances[name] if total >= 1 - 1e-12 else -math.log(1 - total) * chances[name] / total if total > 0 else 0.0
            elif edge.hazard is not None:
                h = edge.hazard[min(age, len(edge.hazard) - 1)]
            elif edge.mean_duration is not None:
                h = -math.log(1 - 1 / edge.mean_duration)
            elif edge.weibull is not None:
                h = ((age + 1) / edge.weibull.scale) ** edge.weibull.shape - (age / edge.weibull.scale) ** edge.weibull.shape
            else:
                h = -np.log1p(-self.who.leave[f"{stage}.{name}"])
            into_lost = scenario.stages[scenario.target(stage, name)].kind == "lost"
            if f"{stage}.{name}" in (scenario.frailty.edges or ()) or (scenario.frailty.edges is None and into_lost):
                h = h * self.who.frailty
            edges = scenario.calendar.hazards.edges
            if f"{stage}.{name}" in (edges or ()) or (edges is None and into_lost):
                h = h * self.season("hazards", t)
            hazards[name] = np.broadcast_to(h, (n,))
        both = np.asarray(sum(hazards.values(), np.zeros(n)))
        safe = np.where(both > 0, both, 1.0)
        if total >= 1 - 1e-12:
            return [*((name, h / safe, 1.0) for name, h in hazards.items()), (None, (both == 0).astype(float), 1.0)]
        found: list[tuple[str | None, Floats, Floats | float]] = [(None, np.exp(-both), 1.0)]
        for name, h in hazards.items():
            if scenario.exposure == "whole":
                found.append((name, -np.expm1(-both) * h / safe, 1.0))
            else:  # the fraction lived tau has density H exp(-H tau) on (0, 1)
                for knot, weight in zip((KNOTS + 1) / 2, KNOT_WEIGHTS / 2, strict=True):
                    found.append((name, h * np.exp(-both * knot) * weight, knot))
        return found

    def walk(self, path: list[str], age: int, chance: Floats, mean: Floats, variance: Floats, after: Floats, since: int) -> None:
        """Follow a path; mean, variance: of its CLV before acquisition cost, given path and traits; after: that cost, negative."""
        scenario, t, stage = self.scenario, len(path) - 1, path[-1]
        weight = float(self.who.weights @ chance)
        if weight == 0.0:
            return
        kinds: list[str] = [scenario.stages[s].kind for s in path]
        self.occupancy[stage][t] += weight
        if "active" in kinds:
            self.ever[t] += weight
            self.never_lost[t] += weight * ("lost" not in kinds[kinds.index("active") :])
        if since:
            self.visits[stage] += weight
        if t == self.horizon:
            self.patterns[self.pattern(path, kinds)] += weight
            for kind, value in enumerate((mean, mean + after)):
                self.first[kind] += chance * value
                self.second[kind] += chance * (value**2 + variance)
            return
        entry = scenario.stages[stage]
        for name, p, lived in self.ways(stage, age, t):
            bought, noise, orders = self.purchase(stage, age, t, lived)
            at = t + {"start": 0.0, "mid": 0.5, "end": 1.0}[scenario.timing.service]
            served = -entry.cost_to_serve[min(age, len(entry.cost_to_serve) - 1)] * lived * scenario.discount_factor**at
            end = scenario.discount_factor ** (t + 1)
            edge = entry.to[name].cash * end if name else 0.0
            target = scenario.target(stage, name) if name else stage
            converts = "active" not in kinds and scenario.stages[target].kind == "active" and scenario.acquisition.due == "conversion"
            cost = scenario.acquisition.cost * converts * end
            here = self.who.weights * chance * p
            for column, amount in enumerate((bought, served, edge, -cost)):
                self.cash[column, t] += np.sum(here * amount)
            self.orders[t] += np.sum(here * orders)
            moved = bool(name) and target != stage
            next_age = 0 if name else age + 1
            self.walk([*path, target], next_age, chance * p, mean + bought + served + edge, variance + noise, after - cost, moved)

    def purchase(self, stage: str, age: int, t: int, lived: Any) -> tuple[Any, Any, Any]:
        """Return mean and variance of the period's discounted purchases, and the mean number of orders."""
        scenario, entry, kind = self.scenario, self.scenario.stages[stage], self.scenario.purchases.kind
        at = t + {"start": 0.0, "mid": 0.5, "end": 1.0}[scenario.timing.purchase]
        unit = entry.prices[min(age, len(entry.prices) - 1)] * entry.margin[min(age, len(entry.margin) - 1)]
        unit *= self.season("margin", t) * scenario.discount_factor**at
        if kind == "subscription":
            return self.who.wallet * unit * lived, 0.0, 0.0
        purchases: Any = scenario.purchases
        cv = purchases.amount.cv if entry.amount_cv is None else entry.amount_cv
        square = 1.0 + cv**2 * (purchases.amount.distribution != "fixed")
        chance = self.who.rate * entry.orders[min(age, len(entry.orders) - 1)] * self.season("orders", t) * lived
        chance = chance * (entry.kind == "active" or entry.price is not None)
        amount = self.who.wallet * unit
        if kind == "bernoulli" and purchases.wallet is not None:
            amount = amount / self.who.rate
        mean = chance * amount
        return mean, chance * amount**2 * square - (mean**2 if kind == "bernoulli" else 0.0), chance

    def pattern(self, path: list[str], kinds: list[str]) -> str:
        ranks = [self.scenario.stages[s].rank or 0 for s in path]
        if "active" not in kinds:
            return "unconverted"
        if sum(rank == 3 for rank in ranks[:-1]) >= self.scenario.long_lasting_periods:
            return "long_lasting"
        if kinds[-1] != "lost":
            return "open"
        return ("early_lapse", "early_lapse", "midway_lapse", "early_retreat")[max(ranks)]

    def check(self, found: Exact) -> None:
        """Compare everything with the referee's answer."""
        assert found.reason is None
        close: dict[str, Any] = {"rel": 1e-9, "abs": 1e-11}
        first, second = self.first @ self.who.weights, self.second @ self.who.weights
        spread = np.sqrt(np.maximum(second - first**2, 0.0))
        assert (found.clv_before_mean, found.clv_mean) == pytest.approx(tuple(first), **close)
        assert (found.clv_before_sd, found.clv_sd) == pytest.approx(tuple(spread), rel=1e-7, abs=1e-6)
        for stage, share in self.occupancy.items():
            assert found.occupancy[stage] == pytest.approx(share, **close)
            assert found.periods_per_stage[stage] == pytest.approx(share[:-1].sum(), **close)
        for column, cash in zip(COLUMNS, self.cash, strict=True):
            assert found.cash[column] == pytest.approx(cash, **close), column
        if found.orders is not None:
            assert found.orders == pytest.approx(self.orders, **close)
        assert found.visits_per_stage == pytest.approx(self.visits, **close)
        assert found.patterns == pytest.approx(self.patterns, **close)
        alive = np.divide(self.never_lost, self.ever, out=np.full_like(self.ever, np.nan), where=self.ever > 0)
        assert found.survival == pytest.approx(alive, nan_ok=True, **close)
        assert found.node_error < 1e-8


def scenario(**keys: Any) -> Scenario:
    return Scenario.model_validate({"period": "quarter", "horizon": 4, "discount_rate_annual": 0.4, **keys})


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


@pytest.mark.parametrize("links", COPULAS)
@pytest.mark.parametrize("kind", ["lognormal", "gamma"])
def test_correlated_traits(links: dict[str, dict[str, float]], kind: str) -> None:
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
    frailty = stats.gamma.ppf(special.ndtr(score[2]), 2.0) / 2.0
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


# Properties of any scenario.


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a scenario of two to four active stages and a lost one, with moves between them all and positive cash."""
    count = draw(st.integers(2, 4))
    names = [f"s{k}" for k in range(count)]
    stages: dict[str, Any] = {"lost": LOST}
    number = st.floats(0.01, 0.5)
    for name in names:
        targets = draw(st.lists(st.sampled_from(names), unique=True))
        weights = [draw(number) for _ in targets]
        leave = draw(st.floats(0.1, 0.5))
        total = sum(weights) + leave + draw(st.floats(0.1, 1.0))
        stages[name] = {
            "rank": draw(st.sampled_from([None, 1, 2, 3])),
            "price": draw(st.lists(st.floats(0.5, 5.0), min_size=1, max_size=3)),
            "to": {
                **{f"to_{other}": {"target": other, "probability": w / total} for other, w in zip(targets, weights, strict=True)},
                "lost": {"probability": leave / total} if draw(st.booleans()) else {"hazard": leave},
            },
        }
    return {"period": "year", "start": names[0], "stages": stages, "patterns": {"long_lasting": draw(st.integers(1, 6))}}


@settings(max_examples=40, deadline=None)
@given(graphs(), st.floats(0.0, 0.5), st.floats(0.01, 0.5))
def test_any_graph(graph: dict[str, Any], rate: float, more: float) -> None:
    one = exact(Scenario.model_validate({**graph, "horizon": 12, "discount_rate_annual": rate}))
    assert sum(one.occupancy.values()) == pytest.approx(np.ones(13), abs=1e-12)
    assert sum(one.patterns.values()) == pytest.approx(1.0, abs=1e-12)
    assert sum(one.periods_per_stage.values()) == pytest.approx(12.0)
    assert one.clv_mean == pytest.approx(sum(cash.sum() for cash in one.cash.values()))
    dearer = exact(Scenario.model_validate({**graph, "horizon": 12, "discount_rate_annual": rate + more}))
    assert (dearer.clv_mean or 0.0) < (one.clv_mean or 0.0)


@settings(max_examples=20, deadline=None)
@given(graphs(), st.floats(0.1, 0.5))
def test_a_long_horizon_comes_to_the_infinite_one(graph: dict[str, Any], rate: float) -> None:
    endless = exact(Scenario.model_validate({**graph, "horizon": "inf", "discount_rate_annual": rate}))
    long = exact(Scenario.model_validate({**graph, "horizon": 800, "discount_rate_annual": rate}))
    assert (long.clv_mean, long.clv_sd) == pytest.approx((endless.clv_mean, endless.clv_sd), rel=1e-9)
    for stage in graph["stages"]:
        if stage != "lost":
            assert long.periods_per_stage[stage] == pytest.approx(endless.periods_per_stage[stage], rel=1e-8)
            assert long.visits_per_stage[stage] == pytest.approx(endless.visits_per_stage[stage], rel=1e-8)
    assert long.patterns == pytest.approx(endless.patterns, abs=1e-9)


def test_infinite_answers_with_traits_and_prospects() -> None:
    purchases = {"kind": "poisson", "rate": {"mean": 0.8, "cv": 0.7}, "amount": {"distribution": "gamma", "cv": 0.5}}
    stages = {
        "potential": {"kind": "prospect", "cost_to_serve": 0.1, "to": {"s": {"probability": 0.3}, "lost": {"probability": 0.1}}},
        "s": {"rank": 3, "price": [1.0, 2.0], "to": {"lost": {"beta": {"a": 2.0, "b": 6.0}, "cash": -1.0}}},
        "lost": LOST,
    }
    keys: dict[str, Any] = {"period": "year", "start": "potential", "stages": stages, "purchases": purchases, "exposure": "until_exit"}
    keys |= {"discount_rate_annual": 0.3, "acquisition": {"cost": 0.5}, "patterns": {"long_lasting": 3}}
    endless = exact(Scenario.model_validate({**keys, "horizon": "inf"}))
    long = exact(Scenario.model_validate({**keys, "horizon": 120}))
    assert (long.clv_mean, long.clv_sd) == pytest.approx((endless.clv_mean, endless.clv_sd), rel=1e-9)
    assert (long.clv_before_mean, long.clv_before_sd) == pytest.approx((endless.clv_before_mean, endless.clv_before_sd), rel=1e-9)
    for name in ("unconverted", "long_lasting"):
        assert long.patterns[name] == pytest.approx(endless.patterns[name], abs=1e-6)
    assert endless.visits_per_stage == pytest.approx({"potential": 1.0, "s": 0.75, "lost": 1.0})


def test_a_life_that_never_settles_has_no_pattern() -> None:
    stages: dict[str, Any] = {
        "s": {"rank": 1, "to": {"lost": {"probability": 0.3}}},
        "lost": {"kind": "lost", "to": {"s": {"probability": 0.2}}},
    }
    keys: dict[str, Any] = {"period": "year", "start": "s", "horizon": "inf", "discount_rate_annual": 0.1}
    found = exact(Scenario.model_validate({**keys, "stages": stages}))
    assert found.patterns == {}
    assert found.periods_per_stage == {"s": math.inf, "lost": math.inf}
    stages["s"]["rank"] = 3
    assert exact(Scenario.model_validate({**keys, "stages": stages})).patterns["long_lasting"] == pytest.approx(1.0)


def test_reactivation_and_retention_are_undefined_where_nobody_is() -> None:
    case = scenario(start="s", stages={"s": {"to": {"lost": {"probability": 1.0}}}, "lost": {**LOST, "to": {"s": {"probability": 0.25}}}})
    found = exact(case)
    assert found.reactivation == pytest.approx([math.nan, 0.25, 0.25, 0.25], nan_ok=True)
    assert found.retention == pytest.approx([0.0, math.nan, 0.0, 0.0], nan_ok=True)
