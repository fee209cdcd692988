"""Equity by driver: by hand where that can be done, sums to the total derivative, the simulation beside the exact answer, paired errors."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sim
from sim.exact import Exact
from sim.scenario.model import Scenario, overlay
from sim.scenario.sample import cohorts
from sim.studies import drivers as module
from sim.studies.drivers import Equity, levers, steady, stepped
from tests import base

HAZARD, VALUE, BRAND, ACQUIRE, PRICE, RATE = 0.3, 0.8, 0.5, 0.6, 10.0, 0.1
COHORTS, HORIZON = 3, 8
KEYS: dict[str, Any] = {
    "period": "year",
    "horizon": HORIZON,
    "discount_rate_annual": RATE,
    "start": "s",
    "stages": {
        "s": {"price": PRICE, "to": {"lost": {"hazard": HAZARD, "effects": {"value": VALUE, "brand": BRAND}}}},
        "lost": {"kind": "lost"},
    },
    "drivers": {
        "value": {"quality": {"label": "Quality", "weight": 3, "own": 4, "rival": 3}, "price": {"own": 2, "rival": 3}},
        "brand": {"fame": {"own": [1, 1.5]}},
        "acquisition": {"value": ACQUIRE},
    },
    "cohorts": {"yearly": {"customers": 1000, "periods": COHORTS}},
    "acquisition": {"cost": 4.0},
    "firm": {"fixed_cost": 100.0},
    "run": {"customers": 3000, "threads": 1},
}
LOYAL: dict[str, Any] = {
    "satisfaction": {"quality": [3, 3.2], "drift": 0.5},
    "competition": {},
    "stages": {"s": {"to": {"lost": {"effects": {"loyalty": 2.0}}}}},
}


def case(**changes: Any) -> Scenario:
    return Scenario.model_validate(overlay(KEYS, changes))


def by_hand(step: float) -> float:
    """Return the equity of the cohorts with value's gap ``step`` wider, and brand's .5 wider, from period 1 on."""
    v, total = 1 / (1 + RATE), 0.0
    for arrival in range(COHORTS):
        alive, value = 1.0, 0.0
        for t in range(HORIZON):
            value += PRICE * alive * v**t
            alive *= math.exp(-HAZARD * (math.exp(-VALUE * step - BRAND * 0.5) if arrival + t >= 1 else 1.0))
        total += 1000 * (math.exp(ACQUIRE * step) if arrival >= 1 else 1.0) * v**arrival * (value - 4.0)
    return total


def rows(found: Equity, of: str = "all") -> dict[str, dict[str, Any]]:
    """Return a found row by driver and attribute."""
    return {f"{row['driver']}.{row['attribute']}": row for row in found.frame.to_dict("records") if row["of"] == of}  # type: ignore[misc]


def test_by_hand() -> None:
    """A hazard of h exp(-b gap), arrivals times exp(a gap) from period 1 on; quality has three quarters of value's weight."""
    found = sim.drivers(case(), 0.2)
    assert found.exact
    quality, price, fame = rows(found).values()
    assert quality["change"] == pytest.approx((by_hand(0.15) - by_hand(-0.15)) / 2, rel=1e-9)
    assert price["change"] == pytest.approx((by_hand(0.05) - by_hand(-0.05)) / 2, rel=1e-9)
    assert quality["se"] == price["se"] == fame["se"] == 0.0
    assert quality["share"] + price["share"] + fame["share"] == pytest.approx(1.0, abs=1e-12)
    assert quality["elasticity"] == pytest.approx(quality["change"] / by_hand(0.0) / (0.2 / 4), rel=1e-9)
    assert (quality["label"], price["label"], fame["label"]) == ("Quality", "price", "fame")


def test_steps_add_up_to_the_total_derivative() -> None:
    """As the step shrinks, what each attribute is worth alone adds up to what all are worth at once, and goes by weight within a driver."""
    scenario, step = case(), 1e-3
    found = {key: row["change"] for key, row in rows(sim.drivers(scenario, step)).items()}
    every = levers(scenario)
    up, down = (math.fsum(module._by_cohort(scenario, stepped(scenario, every, s))) for s in (step, -step))
    assert sum(found.values()) == pytest.approx((up - down) / 2, rel=1e-6)
    assert found["value.quality"] == pytest.approx(3 * found["value.price"], rel=1e-6)
    assert sim.drivers(scenario, 0.1).frame["change"].sum() / 100 == pytest.approx(sum(found.values()), rel=2e-3)


def test_the_scenario_itself_keeps_its_arrivals() -> None:
    """Arrivals are those of the scenario, not of a side, and without budgets, growth or what drivers attract."""
    scenario = case(
        cohorts={"yearly": {"growth": 0.1}, "bought": {"first_period": 1, "budget": 50.0, "response": {"ceiling": 500, "k": 0.01}}}
    )
    side = steady(stepped(scenario, levers(scenario), 0.5), scenario)
    assert [cohort.customers for cohort in cohorts(side)] == [cohort.customers for cohort in cohorts(scenario)]
    assert side.drivers is not None
    assert side.drivers.brand["fame"].own == (1.0, 2.0)
    assert side.drivers.value["price"].own == (2.0, 2.5)


@pytest.fixture
def unsolved(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Equity]:
    """Return ``sim.drivers`` that knows no exact answers."""
    monkeypatch.setattr(module, "exact", lambda scenario: Exact(reason="not asked"))
    return module.drivers


@pytest.mark.jit
def test_simulated_beside_exact(unsolved: Callable[..., Equity], monkeypatch: pytest.MonkeyPatch) -> None:
    """Over 40 seeds the distances from the exact change are what their standard errors say: z of mean 0 and variance 1, about."""
    found = [unsolved(case(run={"seed": seed}), 0.5).frame for seed in range(40)]
    monkeypatch.undo()
    truth = sim.drivers(case(), 0.5).frame
    z = np.array([(frame["change"] - truth["change"]) / frame["se"] for frame in found])
    assert np.abs(z.mean(axis=0)).max() < 4 / math.sqrt(40)
    assert 0.45 < z.var(axis=0).min() <= z.var(axis=0).max() < 1.9
    alone = sim.simulate(case()).equity["se"].iloc[0]
    assert found[0]["se"].max() < alone / 2  # the same customers on both sides
    assert found[0]["elasticity"].to_numpy() == pytest.approx(truth["elasticity"], rel=0.2)


@pytest.mark.jit
def test_what_does_nothing_is_worth_nothing() -> None:
    idle = case(**LOYAL, drivers={"relationship": {"club": {"own": 2}}})
    found = rows(sim.drivers(idle, 0.5))
    assert (found["relationship.club"]["change"], found["relationship.club"]["se"]) == (0.0, 0.0)
    assert found["satisfaction.quality"]["change"] > 4 * found["satisfaction.quality"]["se"] > 0


def test_a_precision_is_not_waited_for() -> None:
    assert steady(case(run={"customers": 10**9, "precision": 0.001})).run.customers == 131_072
    assert steady(case(run={"customers": 500, "precision": 0.001})).run.customers == 500


def test_quality_of_a_segment_is_stepped_too() -> None:
    segments = {"one": {"share": 0.5}, "two": {"share": 0.5, "satisfaction": {"quality": [2.0, 2.5, 2.0]}}}
    scenario = case(**LOYAL, segments=segments)
    up = stepped(scenario, [levers(scenario)[-1]], 0.5)
    qualities = {key: view.satisfaction.quality for key, view in up.by_segment.items() if view.satisfaction is not None}
    assert qualities == {"one": (3.0, 3.7), "two": (2.0, 3.0, 2.5)}


@pytest.mark.jit
def test_customers_of_today_and_of_tomorrow(tmp_path: Path) -> None:
    """Existing customers are stayed with or lost, never attracted; both parts add up."""
    file = base.table(tmp_path, base.spread(["s"], 9) * 60)
    found = sim.drivers(case(base={"file": file}), 0.5)
    parts = {of: rows(found, of) for of in ("all", "base", "new")}
    for key, whole in parts["all"].items():
        held, coming = parts["base"][key], parts["new"][key]
        assert held["change"] + coming["change"] == pytest.approx(whole["change"], rel=1e-12)
        assert math.hypot(held["se"], coming["se"]) == pytest.approx(whole["se"], rel=1e-9)
        assert min(held["change"], coming["change"]) > 0
    attracted, kept = (one["value.quality"]["change"] / one["brand.fame"]["change"] for one in (parts["new"], parts["base"]))
    assert attracted > 1.5 * kept
    assert sum(row["share"] for row in parts["base"].values()) == pytest.approx(1.0)


@pytest.mark.jit
def test_market_paths_are_what_is_paired() -> None:
    regimes = {"calm": {"to": {"calm": 0.7, "war": 0.3}}, "war": {"hazards": 1.5, "edges": ["s.lost"], "to": {"calm": 0.5, "war": 0.5}}}
    turning = case(market={"regimes": regimes}, run={"replicates": 30, "customers": 300})
    found = sim.drivers(turning, 0.5)
    assert not found.exact
    assert (found.frame["change"] > 4 * found.frame["se"]).all()
    assert (found.frame["se"] > 0).all()
    assert sim.drivers(case(market={"regimes": regimes}), 0.5).frame["se"].isna().all()


@pytest.mark.parametrize(
    ("changes", "step", "said"),
    [
        ({"drivers": None, "stages": {"s": {"to": {"lost": {"effects": None}}}}}, 0.1, "drivers: must have an attribute, or satisfaction"),
        ({"horizon": "inf"}, 0.1, "horizon: must be a whole number of periods"),
        ({"crowd": {"strength": 0.1, "market": 9000.0}}, 0.1, "crowd: must be off"),
        ({}, 0.0, "step: must be above 0 and at most 10 points"),
        ({}, 11.0, "step: must be above 0 and at most 10 points"),
        ({}, math.nan, "step: must be above 0 and at most 10 points"),
        ({"drivers": {"brand": {"fame": {"own": 99.95}}}}, 0.1, "drivers.brand.fame.own: must stay within 100 points"),
    ],
)
def test_faults_in_a_line(changes: dict[str, Any], step: float, said: str) -> None:
    raw = overlay(KEYS, changes)
    if raw["drivers"] is None:
        raw["stages"]["s"]["to"]["lost"].pop("effects")
    with pytest.raises(sim.ScenarioError, match=said):
        sim.drivers(Scenario.model_validate(raw), step)


def test_figure_and_page() -> None:
    found = sim.drivers(case(), 0.1)
    figure = found.plot()
    assert list(figure.frame["attribute"]) == ["quality", "fame", "price"]
    assert figure.caption.startswith("0.1 points more of Quality, from year 1 on, are worth ")
    assert figure.caption.endswith("By theory.")
    assert "Quality" in figure.svg()
    assert repr(found).startswith("<equity by driver, a step of 0.1: Quality ")
    assert found._repr_html_().count("<tr>") == 4
    whole = sim.drivers(case(), 1.0).plot()
    assert whole.caption.startswith("1 point more of Quality, from year 1 on, is worth ")
