"""Why there is no exact answer: the feature of a scenario that prevents one, by name."""

from collections.abc import Iterator

import numpy as np

from sim.exact import chain, market, value
from sim.exact.chain import Floats
from sim.exact.traits import PLACE
from sim.scenario.checks_policy import acts
from sim.scenario.market import DRIVERS
from sim.scenario.model import Scenario
from sim.scenario.purchases import Bernoulli

MINDS = {
    "loyalty": "hazards depend on satisfaction",
    "trust": "hazards depend on trust",
    "switching_cost": "hazards depend on the path, by the investment in the relationship",
}


def unsolved(scenario: Scenario) -> str | None:
    """Name what makes hazards or money depend on more than stage, stage age, tenure, calendar and level; None where nothing does."""
    return next(_unsolved(scenario), None)


def _unsolved(scenario: Scenario) -> Iterator[str]:
    for key, stage in scenario.stages.items():
        for name, edge in stage.to.items():
            for effect, why in MINDS.items():
                if getattr(edge.effects, effect):
                    yield f"stages.{key}.to.{name}.effects.{effect}: {why}"
    if scenario.market is not None:
        yield "market: its regimes are drawn, and move all customers together"
    if scenario.recruiting:
        yield "word_of_mouth.recruits: arrivals depend on customers"
    elif scenario.word_of_mouth is not None:
        yield "word_of_mouth: its value depends on satisfaction"
    if scenario.crowd is not None:
        yield "crowd: arrivals depend on customers"
    if scenario.transaction.trust_above is not None and any(any(stage.fees) for stage in scenario.stages.values()):
        yield "transaction.trust_above: fees depend on trust"
    if scenario.products is not None and any(any(stage.cross_sell) for stage in scenario.stages.values()):
        yield "products: spend depends on the path, by the products held"
    for key, policy in scenario.policies.items():
        if policy.cost.of_customers or acts(scenario, policy):
            yield f"policies.{key}: what is in force depends on who was treated"
    known = scenario.knowledge
    if known is not None and known.cv > 0 and any(any(stage.knowledge) for stage in scenario.stages.values()):
        for one, row in scenario.correlations.items():
            for other, correlation in row.items():
                if correlation and "knowledge" in (one, other) and (one in PLACE or other in PLACE):
                    yield f"correlations.{one}.{other}: the worth of knowledge depends on another trait"


def unending(scenario: Scenario) -> str | None:
    """Name what changes for ever under an infinite horizon."""
    for key in chain.endless(scenario):
        stage, name = key.split(".")
        return f"stages.{stage}.to.{name}.weibull: changes with stage age for ever, under horizon: inf"
    for name in ("hazards", "orders", "margin"):
        if value.varies(getattr(scenario.calendar, name)):
            return f"calendar.{name}: changes for ever, under horizon: inf"
    for driver in DRIVERS:
        used = any(getattr(edge.effects, driver) for stage in scenario.stages.values() for edge in stage.to.values())
        if used and market.moves(scenario, driver):
            return f"drivers.{driver}: changes with the calendar, under horizon: inf"
    return None


def overflowing(scenario: Scenario, worth: value.Value, phases: Floats) -> str | None:
    """Name ordering chances that differ between customers and are cut at 1 for some of them."""
    if not isinstance(scenario.purchases, Bernoulli) or scenario.purchases.probability.value is not None:
        return None
    horizon = 1 if scenario.horizon == "inf" else scenario.horizon
    season = value.factors(scenario.calendar.orders, phases[:, None] + np.arange(horizon), scenario.periods_per_year)
    if worth.orders.max() * season.max() > 1.0 + 1e-12:
        return "orders: a factor above 1 on an ordering chance that differs between customers"
    return None
