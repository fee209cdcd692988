"""Behaviour and market of a scenario in words: what its stages bring beside purchases, what customers think, what all share."""

from collections.abc import Callable, Iterator, Sequence

from sim.scenario.behaviour import Competition, Satisfaction, Trust
from sim.scenario.market import DRIVERS, Attribute, Regime
from sim.scenario.model import Scenario
from sim.scenario.shown import TERMS, effects, listed, streams
from sim.scenario.stages import Edge, Stage
from sim.studies.told import amount, by_age, by_segment


def stage_lines(scenario: Scenario, key: str) -> Iterator[str]:
    """Yield what a stage brings beside purchases, where its level is heading, and what it gives the customer."""
    views = {segment: view.stages[key] for segment, view in scenario.by_segment.items()}
    told = {
        segment: "; ".join(f"{name} {by_age([amount(value) for value in values])}" for name, values in streams(stage))
        for segment, stage in views.items()
    }
    if any(told.values()):
        yield f"  beside purchases a {scenario.period}: {by_segment({key: text or 'none' for key, text in told.items()})}"
    levels = {
        segment: f"{_percent(stage.level.speed)} of the way a {scenario.period} to {stage.level.target:.4g}"
        for segment, stage in views.items()
        if stage.level is not None
    }
    if levels:
        yield f"  share of wallet goes {by_segment(levels)}"
    values = {segment: stage.delivered_value for segment, stage in views.items()}
    yield from _offer(scenario, key)
    if any(value.model_fields_set for value in values.values()):
        parts = {
            segment: f"{value.net:.4g} ({value.benefit:g} benefit - {value.money:g} money - {value.time:g} time - {value.effort:g} effort)"
            for segment, value in values.items()
        }
        yield f"  delivered value: {by_segment(parts)}"


def _offer(scenario: Scenario, key: str) -> Iterator[str]:
    """Yield how often customers get in touch in a stage, add products, and what the offer is worth to them."""
    views = {segment: view.stages[key] for segment, view in scenario.by_segment.items()}
    unit = f"a {scenario.period}"
    if any(any(stage.contacts) for stage in views.values()):
        yield f"  contacts started by the customer {unit}: {by_segment({s: _numbers(stage.contacts) for s, stage in views.items()})}"
    if any(any(stage.cross_sell) for stage in views.values()):
        yield f"  chance to add a product {unit}: {by_segment({s: _numbers(stage.cross_sell) for s, stage in views.items()})}"
    if any(stage.willing_to_pay is not None for stage in views.values()):
        yield f"  share of the surplus that the customer keeps: {by_segment({s: _share(stage) for s, stage in views.items()})}"


def _numbers(values: Sequence[float]) -> str:
    return by_age([f"{value:.4g}" for value in values])


def _share(stage: Stage) -> str:
    if stage.willing_to_pay is None:
        return "not said"
    shares = by_age([_percent(stage.customer_share(age) or 0.0) for age in range(stage.offer_ages)])
    return f"{shares} (worth to it {by_age([amount(value) for value in stage.willing_to_pay])})"


def edge_line(scenario: Scenario, stage: str, edge: str) -> str:
    """Return how an edge's hazard is moved, "" where it is not."""
    told = {segment: effects(_edge(view, stage, edge)) for segment, view in scenario.by_segment.items()}
    return f"    {by_segment({key: text or 'hazard not moved' for key, text in told.items()})}" if any(told.values()) else ""


def _edge(view: Scenario, stage: str, edge: str) -> Edge:
    return view.stages[stage].to[edge]


def behaviour(scenario: Scenario) -> list[str]:
    """Return what customers think and what moves all of them alike, a line each; none where nothing of it is on."""
    by: dict[str, Callable[[Scenario], str]] = {
        "Satisfaction": _satisfaction,
        "Expectation": _expectation,
        "Trust": _trust,
        "Competition": _competition,
        "Switching cost": _switching_cost,
        "Level": _level,
        "Word of mouth": _word_of_mouth,
        "Knowledge": _knowledge,
        "Fees": _fees,
        "Products": _products,
        "Breadth": _breadth,
        "Fair share": _fair,
    }
    told = {name: {key: say(view) for key, view in scenario.by_segment.items()} for name, say in by.items()}
    found = [f"{name}: {by_segment(texts)}." for name, texts in told.items() if any(texts.values())]
    found += [*_drivers(scenario), *_learning(scenario), *_crowd(scenario), *_market(scenario)]
    every = [edge for view in scenario.by_segment.values() for stage in view.stages.values() for edge in stage.to.values()]
    if any(getattr(edge.effects, name) for edge in every for name in TERMS if name != "surplus"):
        still = "loyalty and trust are at their references, nothing is invested and no gap has changed"
        found.append(f"Effects on edges are 1 where {still}. Shown are the chances there.")
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _satisfaction(view: Scenario) -> str:
    mind = view.satisfaction
    if mind is None:
        return ""
    spread = f" (SD {mind.spread:g} between customers)" if mind.spread else ""
    goes = f"{_percent(mind.speed)} of the way a {view.period} to 3 + performance - expectation, within 1 to 5, in active stages"
    return f"{mind.initial:g} at first{spread}, then {goes}; performance is {_performance(mind)}"


def _performance(mind: Satisfaction) -> str:
    parts = [f"quality {by_period(mind.quality)}"]
    parts += [f"{mind.delivered_value:g} times delivered value"] if mind.delivered_value else []
    parts += [f"drift of SD {mind.drift:g}"] if mind.drift else []
    told = " plus ".join(parts)
    failure = mind.failure
    return f"{told}, less {failure.size:g} by a failure of chance {failure.probability:g}" if failure.probability else told


def _expectation(view: Scenario) -> str:
    if view.satisfaction is None:
        return ""
    found = view.satisfaction.expectation
    if not found.speed:
        return f"stays at {found.initial:g}"
    what = [f"{_percent(found.habituation)} what was received"] if found.habituation else []
    what += [f"{_percent(1 - found.habituation)} the norm of {found.norm:g}"] if found.habituation < 1 else []
    return f"{found.initial:g} at first, then {_percent(found.speed)} of the way a {view.period} to {' and '.join(what)}"


def _trust(view: Scenario) -> str:
    found: Trust | None = view.trust
    if found is None:
        return ""
    told = (
        f"{found.initial:g} at first, then {_percent(found.rise)} of the way up and {_percent(found.fall)} of the way down a {view.period}"
    )
    drop = f"; a failure takes {_percent(found.drop)} of it" if found.drop else ""
    kept = f"; who comes back keeps {_percent(found.inherit)}" if found.inherit < 1 else ""
    reference = found.initial if found.reference is None else found.reference
    return f"{told} to (satisfaction - 1) / 4{drop}{kept}; reference {reference:g}"


def _competition(view: Scenario) -> str:
    if view.satisfaction is None:
        return ""
    found = view.competition or Competition()
    intensity = found.intensity if found.reference_intensity is None else found.reference_intensity
    satisfaction = view.satisfaction.initial if found.reference_satisfaction is None else found.reference_satisfaction
    floor = found.loyalty_max * (1 - found.intensity)
    loyal = f"the wholly dissatisfied are loyal to {floor:.4g}, the delighted to 1"
    return f"intensity {found.intensity:g}: {loyal}; reference intensity {intensity:g}, satisfaction {satisfaction:g}"


def _switching_cost(view: Scenario) -> str:
    found = view.switching_cost
    return f"investment goes {_percent(found.speed)} of the way a {view.period} to 1 in stages of rank 3" if found else ""


def _level(view: Scenario) -> str:
    found = view.level
    if found is None:
        return ""
    return f"share of wallet is {found.initial:g} before the first {view.period}, {found.re_entry:g} on coming back; cash shown is at 1"


def _word_of_mouth(view: Scenario) -> str:
    talk = view.word_of_mouth
    if talk is None:
        return ""
    spread = f" (CV {talk.influence.cv_value:.4g})" if talk.influence.cv_value else ""
    reach = f"influence {talk.influence.mean_value:.4g}{spread} times reach {talk.reach:g}"
    if talk.recruits is not None:
        return (
            f"{reach} recruits a {view.period} by the delighted, each for a fee of {amount(talk.recruits.fee)}; none below satisfaction 3"
        )
    worth = f"{reach} times {amount(talk.value or 0.0)} a {view.period}"
    return f"{worth}, for the delighted; {-talk.negativity:g} times that for the wholly dissatisfied, 0 at satisfaction 3"


def _knowledge(view: Scenario) -> str:
    found = view.knowledge
    if found is None:
        return ""
    return f"{_percent(found.share)} of customers have any" + (f", of CV {found.cv:g} among them" if found.cv else "")


def _fees(view: Scenario) -> str:
    above = view.transaction.trust_above
    return "" if above is None else f"earned while trust is above {above:g}"


def _products(view: Scenario) -> str:
    sold = view.products
    if sold is None:
        return ""
    return f"one at first, up to {sold.maximum}; each further one adds {_percent(sold.worth)} to the spend; cash shown is with one"


def _breadth(view: Scenario) -> str:
    if view.service is None or not view.service.breadth:
        return ""
    needs = view.service.needs or view.effective_segments
    return f"cost to serve times {view.breadth_factor:.4g}, for {needs:.4g} kinds of needs; cash shown has it"


def _fair(view: Scenario) -> str:
    moved = any(edge.effects.surplus for stage in view.stages.values() for edge in stage.to.values())
    told = f"{_percent(view.fair_share)} of the surplus for the customer; what is lacking moves hazards, and chances shown have it"
    return told if moved else ""


def by_period(values: tuple[float, ...]) -> str:
    """Return values by calendar period; the last holds on."""
    return f"{listed(values)} by calendar period" if len(set(values)) > 1 else f"{values[0]:g}"


def _drivers(scenario: Scenario) -> Iterator[str]:
    for name in DRIVERS:
        profile: dict[str, Attribute] = getattr(scenario.drivers, name) if scenario.drivers else {}
        told = [
            f"{entry.label or key} own {by_period(entry.own)}, rival {by_period(entry.rival)}, weight {entry.weight:g}"
            for key, entry in profile.items()
        ]
        if told:
            yield f"Driver {name}: {'; '.join(told)}."
    arrivals = scenario.drivers.acquisition if scenario.drivers else {}
    if any(arrivals.values()):
        yield f"Arrivals: {', '.join(f'{value:g} by {name}' for name, value in arrivals.items())} (coefficients of the change of gap)."


def _learning(scenario: Scenario) -> Iterator[str]:
    found = scenario.learning
    if found is not None:
        yield f"Learning: performance rises by up to {found.most:g} points for all, by 63 % of it after {found.contacts:,.0f} contacts."


def _crowd(scenario: Scenario) -> Iterator[str]:
    found = scenario.crowd
    if found is not None:
        growth = f"grows by {found.strength:g} times the active customers there are"
        yield f"Crowd: each planned cohort {growth}, less as they near {found.market:,.0f}."


def _market(scenario: Scenario) -> Iterator[str]:
    if scenario.market is None:
        return
    start = scenario.market.start or "drawn by the regimes' long-run shares"
    yield f"Market: regimes shared by all customers of a replicate; at first {start}. Shown is a market that changes nothing."
    for key, regime in scenario.market.regimes.items():
        ways = ", ".join(f"{other} {chance:g}" for other, chance in regime.to.items() if chance)
        yield f"  {key}{f' ({regime.label})' if regime.label else ''}: next {scenario.period} {ways}; {_changes(regime)}"


def _changes(regime: Regime) -> str:
    where = ", ".join(regime.edges) if regime.edges is not None else "edges caused by a rival"
    told = [f"hazards of {where} times {regime.hazards:g}"] if regime.hazards != 1 else []
    told += [f"{name} times {value:g}" for name, value in (("orders", regime.orders), ("margin", regime.margin)) if value != 1]
    told += [f"competition {regime.competition:g}"] if regime.competition is not None else []
    told += [f"rival's {name} {value:+g}" for name, value in regime.rival.items() if value]
    return ", ".join(told) or "changes nothing"
