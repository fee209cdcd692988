"""The referee against its slow twin where customers have a level, and are worth something beside purchases; drivers of equity."""

import math
from typing import Any

import numpy as np
import pytest

from sim.exact import exact
from sim.scenario.model import overlay
from tests.exact.answers import LOST, answer
from tests.exact.test_paths import CALENDAR, PROSPECTS, product
from tests.exact.twin import Customers, Twin, gamma_rule, scenario

MORE: dict[str, Any] = {
    "potential": {"information": 0.1, "sales_cost": 0.6},
    "new": {"information": [0.2, 0.3], "sales_cost": [0.5, 0.25, 0.0], "level": {"target": 0.6, "speed": 0.4}},
    "good": {
        "knowledge": [0.0, 1.5],
        "fees": 0.7,
        "level": {"target": 1.0, "speed": 0.25},
        "to": {"rival": {"effects": {"value": 0.8, "relationship": 0.3}}, "new": {"effects": {"brand": -0.4}}},
    },
    "lost": {"fees": 0.05, "knowledge": 0.1},
}
DRIVERS: dict[str, Any] = {
    "value": {"quality": {"weight": 2.0, "own": [3.0, 3.0, 3.5], "rival": 3.1}, "price": {"own": 2.0, "rival": [2.0, 2.5]}},
    "brand": {"fame": {"own": [1.0, 1.2, 1.5, 1.1]}},
    "relationship": {"programme": {"own": [0.0, 1.0]}},
}
LEVEL = {"initial": 0.3, "re_entry": 0.45}
CASE: dict[str, Any] = {
    "start": "potential",
    "stages": overlay(PROSPECTS, MORE),
    "acquisition": {"cost": 5.0},
    "patterns": {"long_lasting": 2},
    "timing": {"purchase": "mid", "service": "end", "streams": "mid"},
    "drivers": DRIVERS,
    "level": LEVEL,
    "knowledge": {"share": 0.4},
}
STAYS = {"lost": {"probability": 0.0}}
KNOWN = np.array([0.0, 1.0]), np.array([0.6, 0.4])
WAYS: list[dict[str, Any]] = [
    {"kind": "subscription", "wallet": 2.0},
    {"kind": "bernoulli", "probability": 0.3, "wallet": 2.0, "amount": {"distribution": "gamma", "cv": 0.6}},
    {"kind": "poisson", "rate": 1.3, "order_value": 2.0, "amount": {"distribution": "lognormal", "cv": 0.6}},
]


def without_level(stages: dict[str, Any]) -> dict[str, Any]:
    return {key: {name: value for name, value in stage.items() if name != "level"} for key, stage in stages.items()}


@pytest.mark.jit
@pytest.mark.parametrize("exposure", ["whole", "until_exit"])
@pytest.mark.parametrize("purchases", WAYS)
@pytest.mark.parametrize("levelled", [True, False])
def test_every_path_is_counted(exposure: str, purchases: dict[str, Any], levelled: bool) -> None:
    keys = CASE if levelled else {**CASE, "stages": without_level(CASE["stages"]), "level": None}
    case = scenario(**keys, exposure=exposure, purchases=purchases, calendar=CALENDAR, horizon=5 if exposure == "whole" else 3)
    values, weights = KNOWN
    rate = purchases.get("probability", purchases.get("rate", 1.0))
    Twin(case, Customers(weights, wallet=2.0, rate=rate, knowledge=values)).check(exact(case))


def test_customers_come_back_at_the_level_of_re_entry() -> None:
    stages = overlay(CASE["stages"], {"lost": {"to": {"new": {"probability": 0.6}}}})
    case = scenario(**{**CASE, "stages": stages, "start": "good", "horizon": 6, "drivers": None, "knowledge": None})
    Twin(case, Customers()).check(exact(case))
    assert exact(case).clv_mean != pytest.approx(exact(scenario(**{**case.model_dump(exclude_unset=True), "level": {}})).clv_mean, rel=1e-3)


@pytest.mark.parametrize("arrival", [0, 1, 2, 3, 7])
def test_drivers_follow_the_calendar_of_every_cohort(arrival: int) -> None:
    cohorts = {"first": {"customers": 5}, "only": {"first_period": arrival, "customers": 10}} if arrival else {}
    case = scenario(**CASE, calendar=CALENDAR, cohorts=cohorts)
    values, weights = KNOWN
    twin = Twin(case, Customers(weights, knowledge=values), arrival)
    first = twin.first @ weights
    spread = np.sqrt(twin.second @ weights - first**2)
    cohort = exact(case).by_cohort[len(cohorts) - 1 if cohorts else 0]
    assert (cohort.clv_before_mean, cohort.clv_mean) == pytest.approx(tuple(first), rel=1e-10)
    assert (cohort.clv_before_sd, cohort.clv_sd) == pytest.approx(tuple(spread), rel=1e-10)


@pytest.mark.parametrize("kind", ["bernoulli", "poisson"])
def test_level_and_traits(kind: str) -> None:
    weights, (wallet, frailty) = product(gamma_rule(0.8, 2.0, 6), gamma_rule(0.6))
    rate, name = (0.4, "probability") if kind == "bernoulli" else (1.4, "rate")
    purchases = {"kind": kind, name: rate, "order_value": {"mean": 2.0, "cv": 0.8}}
    case = scenario(**{**CASE, "start": "new", "knowledge": None, "horizon": 3}, purchases=purchases, frailty={"variance": 0.36})
    Twin(case, Customers(weights, wallet, rate, frailty)).check(exact(case))


def test_knowledge_differs_between_customers() -> None:
    """A lognormal worth has share * (1 + cv**2) - share**2 of variance; both ways to give it must agree with its two moments."""
    keys: dict[str, Any] = {"horizon": 6, "discount_rate_annual": 0.2, "stages": {"s": {"price": 0.0, "knowledge": 3.0, "to": STAYS}}}
    found = answer(**keys, knowledge={"share": 0.3, "cv": 1.5})
    worth = sum(3.0 * 1.2**-t for t in range(6))
    assert found.clv_mean == pytest.approx(0.3 * worth)
    assert found.clv_sd == pytest.approx(worth * math.sqrt(0.3 * 3.25 - 0.09))
    endless = answer(**{**keys, "horizon": "inf"}, knowledge={"share": 0.3, "cv": 1.5})
    assert (endless.clv_mean, endless.clv_sd) == pytest.approx((0.3 * 18.0, 18.0 * math.sqrt(0.3 * 3.25 - 0.09)))


@pytest.mark.parametrize("due", ["arrival", "conversion"])
def test_streams_without_end(due: str) -> None:
    """The linear systems and the recursion are two ways to one number."""
    keys = {**CASE, "stages": without_level(CASE["stages"]), "level": None, "drivers": None, "acquisition": {"cost": 5.0, "due": due}}
    keys["stages"]["good"] = {**keys["stages"]["good"], "to": PROSPECTS["good"]["to"]}
    keys["stages"]["lost"] = {**keys["stages"]["lost"], "to": {}, "fees": 0.0, "knowledge": 0.0, "cost_to_serve": 0.0}
    keys |= {"purchases": WAYS[2], "knowledge": {"share": 0.4, "cv": 0.7}}
    endless, long = exact(scenario(**{**keys, "horizon": "inf"})), exact(scenario(**{**keys, "horizon": 400}))
    assert (endless.clv_mean, endless.clv_sd) == pytest.approx((long.clv_mean, long.clv_sd), rel=1e-10)
    assert (endless.clv_before_mean, endless.clv_before_sd) == pytest.approx((long.clv_before_mean, long.clv_before_sd), rel=1e-10)


@pytest.mark.jit
@pytest.mark.parametrize("exposure", ["whole", "until_exit"])
@pytest.mark.parametrize("purchases", WAYS)
def test_level_without_end(exposure: str, purchases: dict[str, Any]) -> None:
    """Won back at the level of re-entry again and again, frail, knowing something, in touch: systems and recursion agree."""
    heard = {"contacts": [2.0, 1.0], "information_per_contact": 0.7}
    stages = overlay(CASE["stages"], {"lost": {"to": {"new": {"probability": 0.2}}}, "new": heard, "good": heard})
    keys = {**CASE, "stages": stages, "drivers": None, "knowledge": {"share": 0.4, "cv": 0.7}, "frailty": {"variance": 0.3}}
    keys |= {"exposure": exposure, "purchases": purchases, "acquisition": {"cost": 5.0, "due": "conversion"}}
    endless, long = exact(scenario(**{**keys, "horizon": "inf"})), exact(scenario(**{**keys, "horizon": 400}))
    assert (endless.clv_mean, endless.clv_sd) == pytest.approx((long.clv_mean, long.clv_sd), rel=1e-10)
    assert (endless.clv_before_mean, endless.clv_before_sd) == pytest.approx((long.clv_before_mean, long.clv_before_sd), rel=1e-10)
    assert endless.level.size == 0


@pytest.mark.parametrize("speed", [0.0, 0.3, 1.0])
def test_level_heads_for_its_target_for_ever(speed: float) -> None:
    """By hand: w_t = T - (T - w) k**(t+1), k = 1 - speed; a share r stays, so that E[V] = T/(1-rv) - (T-w) k/(1-rvk)."""
    r, target, first = 0.85, 0.9, 0.2
    stages = {"s": {"price": 10.0, "level": {"target": target, "speed": speed}, "to": {"lost": {"probability": 1 - r}}}, "lost": LOST}
    found = answer(horizon="inf", discount_rate_annual=0.1, stages=stages, level={"initial": first})
    v, k = 1 / 1.1, 1 - speed
    assert found.clv_mean == pytest.approx(10 * (target / (1 - r * v) - (target - first) * k / (1 - r * v * k)), rel=1e-12)
    assert found.clv_sd is not None
    w = target - (target - first) * k ** np.arange(1, 301)
    values = 10 * np.cumsum(v ** np.arange(300) * w)  # of those who stay t more periods, a share of r**t (1-r)
    square = float((1 - r) * r ** np.arange(300) @ values**2)
    assert found.clv_sd == pytest.approx(math.sqrt(square - (found.clv_mean or 0.0) ** 2), rel=1e-9)


def test_a_level_that_fades_has_a_sum() -> None:
    """Nobody ever leaves and nothing is discounted: with w halved every period its sum is 1, and a target above 0 has none."""
    keys: dict[str, Any] = {"start": "s", "horizon": "inf", "discount_rate_annual": 0.0, "level": {"initial": 1.0}}
    fading = {"price": 10.0, "level": {"target": 0.0, "speed": 0.5}}
    found = exact(scenario(**keys, stages={"s": fading}))
    assert (found.clv_mean, found.clv_sd) == pytest.approx((10.0, 0.0), abs=1e-6)
    for costly in ({"level": {"target": 0.1, "speed": 0.5}}, {"cost_to_serve": 1.0}, {"level": {"target": 0.0, "speed": 0.0}}):
        assert (exact(scenario(**keys, stages={"s": {**fading, **costly}})).reason or "").startswith("horizon: the sum of all future cash")


def test_level_of_a_sure_life() -> None:
    """Nobody leaves: w is known in every period, and so is the value."""
    stages = {"s": {"price": 10.0, "level": {"target": 0.9, "speed": 0.3}, "to": STAYS}, "lost": LOST}
    found = answer(horizon=5, stages=stages, level={"initial": 0.2})
    level = [0.9 - 0.7 * 0.7 ** (t + 1) for t in range(5)]
    assert found.level == pytest.approx(level)
    assert (found.clv_mean, found.clv_sd) == pytest.approx((10 * sum(level), 0.0), abs=1e-12)
    poisson = answer(horizon=5, stages=stages, level={"initial": 0.2}, purchases={"kind": "poisson", "rate": 2.0})
    assert poisson.clv_sd == pytest.approx(math.sqrt(2 * 100 * sum(level)))
    chance = answer(horizon=5, stages=stages, level={"initial": 0.2}, purchases={"kind": "bernoulli", "probability": 0.4, "order_value": 1})
    assert chance.clv_sd == pytest.approx(math.sqrt(0.24 * 100 * sum(w**2 for w in level)))
