"""A slow twin of the referee, which lists every path of a few periods."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from sim.exact import Exact
from sim.exact.forward import COLUMNS
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
    knowledge: Floats | float = 1.0


KNOTS, KNOT_WEIGHTS = np.polynomial.legendre.leggauss(7)


class Twin:
    """Sums over all paths of one segment that arrives in calendar period ``arrival``."""

    def __init__(self, scenario: Scenario, customers: Customers, arrival: int = 0) -> None:
        assert scenario.horizon != "inf"
        self.scenario, self.who, self.arrival, self.horizon = scenario, customers, arrival, scenario.horizon
        n = len(customers.weights)
        self.first, self.second = np.zeros((2, n)), np.zeros((2, n))
        self.occupancy = {s: np.zeros(self.horizon + 1) for s in scenario.stages}
        self.cash = np.zeros((9, self.horizon))
        self.orders, self.level = np.zeros(self.horizon), np.zeros(self.horizon)
        self.patterns = dict.fromkeys(("unconverted", "early_lapse", "midway_lapse", "early_retreat", "long_lasting", "open"), 0.0)
        self.visits = dict.fromkeys(scenario.stages, 0.0)
        self.never_lost, self.ever = np.zeros(self.horizon + 1), np.zeros(self.horizon + 1)
        start = scenario.stages[scenario.start]
        arrives = start.kind == "active" or scenario.acquisition.due == "arrival"
        cost = scenario.acquisition.cost * arrives
        self.cash[3, 0] -= cost
        self.walk(
            [scenario.start],
            0,
            np.ones(n),
            np.zeros(n),
            np.zeros(n),
            np.full(n, -cost),
            1,
            scenario.level.initial if scenario.level else 1.0,
        )

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
            hazards[name] = np.broadcast_to(h * self.driven(edge.effects, self.arrival + t), (n,))
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

    def driven(self, effects: Any, y: int) -> float:
        """Return what the drivers of equity multiply a hazard by."""
        power = 0.0
        for name in ("value", "brand", "relationship"):
            attributes = getattr(self.scenario.drivers, name).values() if self.scenario.drivers else ()
            weight = sum(one.weight for one in attributes)
            for one in attributes:
                for sign, period in ((1, y), (-1, 0)):
                    own, rival = (values[min(period, len(values) - 1)] for values in (one.own, one.rival))
                    power -= getattr(effects, name) * sign * one.weight / weight * (own - rival)
        return math.exp(power)

    def streams(self, stage: str, age: int, t: int, lived: Any) -> dict[int, Any]:
        """Return the period's discounted cash beside purchases and service, by place of its column."""
        entry = self.scenario.stages[stage]
        at = t + {"start": 0.0, "mid": 0.5, "end": 1.0}[self.scenario.timing.streams]
        lists = {5: entry.information, 6: entry.knowledge, 7: entry.fees, 8: entry.sales_cost}
        found = {place: values[min(age, len(values) - 1)] * lived * self.scenario.discount_factor**at for place, values in lists.items()}
        return {**found, 6: found[6] * self.who.knowledge, 8: -found[8]}

    def walk(
        self, path: list[str], age: int, chance: Floats, mean: Floats, variance: Floats, after: Floats, since: int, level: float
    ) -> None:
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
        if scenario.level and kinds[-1] != "prospect":
            level += entry.level.speed * (entry.level.target - level) if entry.level else -level
            self.level[t] += weight * level * (entry.kind == "active")
        for name, p, lived in self.ways(stage, age, t):
            bought, noise, orders = self.purchase(stage, age, t, lived, level)
            streams = self.streams(stage, age, t, lived)
            at = t + {"start": 0.0, "mid": 0.5, "end": 1.0}[scenario.timing.service]
            served = -entry.cost_to_serve[min(age, len(entry.cost_to_serve) - 1)] * lived * scenario.discount_factor**at
            end = scenario.discount_factor ** (t + 1)
            edge = entry.to[name].cash * end if name else 0.0
            target = scenario.target(stage, name) if name else stage
            converts = "active" not in kinds and scenario.stages[target].kind == "active" and scenario.acquisition.due == "conversion"
            cost = scenario.acquisition.cost * converts * end
            here = self.who.weights * chance * p
            for column, amount in {0: bought, 1: served, 2: edge, 3: -cost, **streams}.items():
                self.cash[column, t] += np.sum(here * amount)
            self.orders[t] += np.sum(here * orders)
            moved = bool(name) and target != stage
            next_age = 0 if name else age + 1
            back = scenario.level is not None and entry.kind == "lost" and scenario.stages[target].kind != "lost"
            then = scenario.level.re_entry if scenario.level and back else level
            value = mean + bought + served + edge + sum(streams.values())
            self.walk([*path, target], next_age, chance * p, value, variance + noise, after - cost, moved, then)

    def purchase(self, stage: str, age: int, t: int, lived: Any, level: float) -> tuple[Any, Any, Any]:
        """Return mean and variance of the period's discounted purchases, and the mean number of orders."""
        scenario, entry, kind = self.scenario, self.scenario.stages[stage], self.scenario.purchases.kind
        at = t + {"start": 0.0, "mid": 0.5, "end": 1.0}[scenario.timing.purchase]
        unit = entry.prices[min(age, len(entry.prices) - 1)] * entry.margin[min(age, len(entry.margin) - 1)]
        unit *= self.season("margin", t) * scenario.discount_factor**at
        if kind == "subscription":
            return self.who.wallet * unit * lived * level, 0.0, 0.0
        purchases: Any = scenario.purchases
        cv = purchases.amount.cv if entry.amount_cv is None else entry.amount_cv
        square = 1.0 + cv**2 * (purchases.amount.distribution != "fixed")
        chance = self.who.rate * entry.orders[min(age, len(entry.orders) - 1)] * self.season("orders", t) * lived
        chance = chance * (entry.kind == "active" or entry.price is not None)
        amount = self.who.wallet * unit * (level if kind == "bernoulli" else 1.0)
        chance = chance * (level if kind == "poisson" else 1.0)
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
        active = sum(share[:-1] for stage, share in self.occupancy.items() if self.scenario.stages[stage].kind == "active")
        if self.scenario.level:
            level = np.divide(self.level, active, out=np.full(self.horizon, np.nan), where=np.asarray(active) > 0)
            assert found.level == pytest.approx(level, nan_ok=True, **close)
        assert found.visits_per_stage == pytest.approx(self.visits, **close)
        assert found.patterns == pytest.approx(self.patterns, **close)
        alive = np.divide(self.never_lost, self.ever, out=np.full_like(self.ever, np.nan), where=self.ever > 0)
        assert found.survival == pytest.approx(alive, nan_ok=True, **close)
        assert found.node_error < 1e-8


def scenario(**keys: Any) -> Scenario:
    return Scenario.model_validate({"period": "quarter", "horizon": 4, "discount_rate_annual": 0.4, **keys})
