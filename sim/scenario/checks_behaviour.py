"""Rules between values of behaviour and market, on the raw mapping: who needs whom, levels by stage, regimes, drivers of equity.

See checks.py, which runs them.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

from sim.scenario.base import MOST_FACTOR, at
from sim.scenario.checks_customers import absent, last_period
from sim.scenario.errors import Fault
from sim.scenario.market import DRIVERS
from sim.scenario.model import Scenario
from sim.scenario.raw import Raw, edges, kind, mapping, number, numbers, season, show, stages, suggest, total, whole

Rule = Callable[[Raw], Iterator[Fault]]

SLACK = 1e-12
"""How far the chances of the next regime may be off 1 by rounding."""

MOST_PERIODS = 2**28
"""Calendar periods of all replicates whose regimes are kept, a byte each."""

NEEDS = {"trust": "satisfaction", "competition": "satisfaction", "word_of_mouth": "satisfaction"}
SWAYS = {"loyalty": "satisfaction", "trust": "trust", "switching_cost": "switching_cost"}


def mechanisms(raw: Raw) -> Iterator[Fault]:
    """Require the mechanisms that others are made from."""
    for part, needed in NEEDS.items():
        if raw.get(part) is not None and raw.get(needed) is None:
            yield Fault(part, "", f"needs {needed}, which the scenario does not have", f"give {needed}: {{}} for its defaults")
    if raw.get("switching_cost") is not None and mapping(raw, "stages") and not any(s.get("rank") == 3 for _, s in stages(raw)):
        yield Fault("switching_cost", "", "grows in stages of rank 3, and there is none", "give a stage rank: 3")


def segment_mechanisms(raw: Raw) -> Iterator[Fault]:
    """Refuse a segment that changes a mechanism which the scenario does not have."""
    for segment in mapping(raw, "segments"):
        for part in absent(raw):
            if mapping(raw, "segments", segment).get(part):
                rule = "a segment changes mechanisms, it switches none on; the scenario has none of this name"
                yield Fault(f"segments.{segment}.{part}", "", rule, f"give {part}: {{}} at the top for its defaults")


def effects(raw: Raw) -> Iterator[Fault]:
    """Require what the effects on edges are effects of."""
    for stage, key, edge in edges(raw):
        for name in (*SWAYS, *DRIVERS):
            value = mapping(edge, "effects").get(name)
            needed = SWAYS.get(name, f"drivers.{name}")
            missing = raw.get(needed) is None if name in SWAYS else not mapping(raw, "drivers", name)
            if number(value) and missing:
                hint = f"give {needed}: {{}} for its defaults" if name in SWAYS else "give it an attribute"
                rule = f"needs {needed}, which the scenario does not have"
                yield Fault(f"stages.{stage}.to.{key}.effects.{name}", show(value), rule, hint)


def fees(raw: Raw) -> Iterator[Fault]:
    """Require trust where fees depend on it."""
    above = mapping(raw, "transaction").get("trust_above")
    if above is not None and raw.get("trust") is None:
        rule = "needs trust, which the scenario does not have"
        yield Fault("transaction.trust_above", show(above), rule, "give trust, or leave it out: fees are then always earned")


def delivered_value(raw: Raw) -> Iterator[Fault]:
    """Require a stage that delivers value where value is a part of performance."""
    value = number(mapping(raw, "satisfaction").get("delivered_value"))
    if value and not any(stage.get("delivered_value") is not None for _, stage in stages(raw)):
        yield Fault("satisfaction.delivered_value", show(value), "no stage has a delivered_value", "give stages their delivered_value")


def levels(raw: Raw) -> Iterator[Fault]:
    """Require, where there is a level, one of every active stage and of no other."""
    for key, stage in stages(raw):
        where, given = f"stages.{key}.level", stage.get("level")
        if given is None:
            if raw.get("level") is not None and kind(raw, key) == "active":
                yield Fault(where, "", "must be given for every active stage where the scenario has a level", "give target and speed")
        elif raw.get("level") is None:
            yield Fault(where, "", "needs level, which the scenario does not have", "give level: {} for its defaults")
        elif kind(raw, key) in ("prospect", "lost"):
            yield Fault(where, "", f"only active stages have a level, this one is {kind(raw, key)}", "leave it out: it is 0 there")


def _regimes(raw: Raw) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the regimes that are mappings."""
    found = mapping(raw, "market", "regimes")
    return ((key, regime) for key, regime in found.items() if isinstance(regime, dict))


def regime_chances(raw: Raw) -> Iterator[Fault]:
    """Require that a regime's chances lead to regimes there are and sum to 1, and that the market starts in one of them."""
    known = mapping(raw, "market", "regimes")
    start = mapping(raw, "market").get("start")
    if isinstance(start, str) and known and start not in known:
        yield Fault("market.start", show(start), "must be one of the regimes", suggest(start, known))
    for key, regime in _regimes(raw):
        where, chances = f"market.regimes.{key}.to", mapping(regime, "to")
        for other in chances:
            if other not in known:
                yield Fault(f"{where}.{other}", "", "no such regime", suggest(other, known))
        values = [number(value) for value in chances.values()]
        found = total(value for value in values if value is not None)
        if values and None not in values and all(0 <= value <= 1 for value in values if value is not None) and abs(found - 1) > SLACK:
            yield Fault(where, f"{found:.12g}", "chances of the next period's regime must sum to 1", f"its own among them: {key}")


def regime_effects(raw: Raw) -> Iterator[Fault]:
    """Require the edges, the competition and the drivers that a regime changes."""
    caused = any(edge.get("cause") == "rival" for _, _, edge in edges(raw))
    for key, regime in _regimes(raw):
        where, hazards = f"market.regimes.{key}", number(regime.get("hazards"))
        if hazards is not None and hazards != 1 and regime.get("edges") is None and not caused:
            rule = "multiplies the hazards of edges with cause rival, and there is none"
            yield Fault(f"{where}.hazards", show(regime["hazards"]), rule, f"name the edges in {where}.edges, or give edges their cause")
        if regime.get("competition") is not None and raw.get("competition") is None:
            rule = "needs competition, which the scenario does not have"
            yield Fault(f"{where}.competition", show(regime["competition"]), rule, "give competition: {} for its defaults")
        for name in mapping(regime, "rival"):
            if name in DRIVERS and not mapping(raw, "drivers", name):
                rule = f"needs drivers.{name}, which the scenario does not have"
                yield Fault(f"{where}.rival.{name}", show(regime["rival"][name]), rule, "give it an attribute")


def paths(raw: Raw) -> Iterator[Fault]:
    """Refuse more paths of the market than can be kept."""
    replicates, periods = whole(mapping(raw, "run").get("replicates"), 1), last_period(raw) + 1
    if raw.get("market") is not None and replicates * periods > MOST_PERIODS:
        rule = f"replicates times calendar periods must be at most {MOST_PERIODS:,} where there is a market, not {replicates * periods:,}"
        yield Fault("run.replicates", f"{replicates}", rule, "give fewer replicates or a shorter horizon")


SMALLER = "give smaller coefficients or gaps"


def acquisition(raw: Raw) -> Iterator[Fault]:
    """Require the drivers that scale arrivals, and that they do so within reason."""
    given = mapping(raw, "drivers", "acquisition")
    for name, value in given.items():
        if number(value) and name in DRIVERS and not mapping(raw, "drivers", name):
            rule = f"needs drivers.{name}, which the scenario does not have"
            yield Fault(f"drivers.acquisition.{name}", show(value), rule, "give it an attribute")
    most = _largest(given, _spans(raw), 1.0)
    if most > math.log(MOST_FACTOR):
        yield Fault("drivers.acquisition", f"exp({most:.6g})", f"arrivals would be multiplied by more than {MOST_FACTOR:,.0f}", SMALLER)


def _spans(raw: Raw) -> dict[str, tuple[float, float]]:
    """Return by how much each driver's gap to the rival falls and rises after the start, at the most."""
    found: dict[str, tuple[float, float]] = {}
    for name in DRIVERS:
        profile = mapping(raw, "drivers", name).values()
        weights = [number(mapping(entry).get("weight", 1.0)) or 0.0 for entry in profile]
        scores = [(numbers(mapping(entry).get("own")) or (0.0,), numbers(mapping(entry).get("rival")) or (0.0,)) for entry in profile]
        longest = min(max((len(values) for pair in scores for values in pair), default=1), last_period(raw) + 1)
        heavy = total(weights) or 1.0
        gaps = [
            math.fsum(w / heavy * (at(own, y) - at(rival, y)) for w, (own, rival) in zip(weights, scores, strict=True))
            for y in range(longest)
        ]
        shifts = [number(mapping(regime, "rival").get(name)) or 0.0 for _, regime in _regimes(raw)] or [0.0]
        found[name] = min(gaps) - gaps[0] - max(shifts), max(gaps) - gaps[0] - min(shifts)
    return found


def _largest(coefficients: dict[str, Any], spans: dict[str, tuple[float, float]], sign: float) -> float:
    """Return the largest sum of sign times coefficient times change of gap."""
    found = {name: sign * (number(coefficients.get(name)) or 0.0) for name in spans}
    return math.fsum(max(found[name] * low, found[name] * high) for name, (low, high) in spans.items())


def hazard_factors(raw: Raw) -> Iterator[Fault]:
    """Refuse what the calendar, the market and the drivers multiply a hazard by beyond any meaning, before it overflows."""
    shared, spans = season(raw, "hazards", last_period(raw)), _spans(raw)
    most = f"{MOST_FACTOR:,.0f}"
    if shared > MOST_FACTOR:
        rule = f"seasons, growth and regimes of the market may multiply hazards by at most {most} in any calendar period"
        yield Fault("calendar.hazards", f"{shared:.6g}", rule, "use smaller factors or a shorter horizon")
        return
    for stage, key, edge in edges(raw):
        found = _largest(mapping(edge, "effects"), spans, -1.0)
        if found + math.log(max(shared, 1.0)) > math.log(MOST_FACTOR):
            rule = f"drivers, seasons and regimes may multiply a hazard by at most {most} in any calendar period"
            yield Fault(f"stages.{stage}.to.{key}.effects", f"exp({found:.6g}) by drivers, {shared:.6g} by the others", rule, SMALLER)


def growing_money(raw: Raw) -> Iterator[Fault]:
    """Refuse growth of orders or margins beyond any meaning, before it overflows."""
    most = MOST_FACTOR**2
    for part in ("orders", "margin"):
        found = season(raw, part, last_period(raw))
        if found > most:
            rule = f"seasons, growth and regimes of the market may multiply it by at most {most:,.0f} in any calendar period"
            yield Fault(f"calendar.{part}", f"{found:.6g}", rule, "use smaller factors or a shorter horizon")


def unheard(scenario: Scenario) -> Iterator[str]:
    """Yield what is given and moves nothing in any segment: drivers without effects, knowledge and trust nobody pays for."""
    views = list(scenario.by_segment.values())
    every = [stage for view in views for stage in view.stages.values()]
    moves = {name for stage in every for edge in stage.to.values() for name in DRIVERS if getattr(edge.effects, name)}
    for name in DRIVERS:
        if scenario.drivers and getattr(scenario.drivers, name) and name not in {*moves, *scenario.drivers.acquisition}:
            yield f"drivers.{name}: no edge has effects.{name}: it moves nothing"
    if scenario.knowledge and not any(any(stage.knowledge) for stage in every):
        yield "knowledge: no stage has a worth of knowledge: it moves nothing"
    if any(view.transaction.trust_above is not None for view in views) and not any(any(stage.fees) for stage in every):
        yield "transaction.trust_above: no stage has fees: it moves nothing"
    yield from _own_references(
        views, {name for stage in every for edge in stage.to.values() for name in SWAYS if getattr(edge.effects, name)}
    )


def _own_references(views: list[Scenario], moved: set[str]) -> Iterator[str]:
    """Yield where segments start apart, and each is taken for its own reference: the difference then moves nothing."""
    told = "differs between segments, and each segment's is its own reference: that it is lower moves no hazard; give"
    first = {view.satisfaction.initial for view in views if view.satisfaction}
    given = any(view.competition and view.competition.reference_satisfaction is not None for view in views)
    if "loyalty" in moved and len(first) > 1 and not given:
        yield f"satisfaction.initial: {told} competition.reference_satisfaction to compare segments"
    trusts = [view.trust for view in views if view.trust]
    if "trust" in moved and len({trust.initial for trust in trusts}) > 1 and all(trust.reference is None for trust in trusts):
        yield f"trust.initial: {told} trust.reference to compare segments"


EACH: tuple[Rule, ...] = (delivered_value, effects, fees, hazard_factors, levels)
WHOLE: tuple[Rule, ...] = (acquisition, growing_money, mechanisms, paths, regime_chances, regime_effects, segment_mechanisms)
