"""Rules between values of policies, on the raw mapping: what they name, what a firm can see, what their effects are effects of.

Segments do not change policies, so each rule looks at the whole mapping, and where segments differ at those that the policy treats. How
far policies may go is in checks_policy_limits.py. See checks.py, which runs them all.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sim.scenario.base import at
from sim.scenario.checks_customers import last_period, segment_view
from sim.scenario.errors import Fault
from sim.scenario.market import DRIVERS
from sim.scenario.model import Scenario
from sim.scenario.policy import PREDICTED, EdgeEffect, Policy
from sim.scenario.raw import Raw, edges, expand, kind, mapping, number, numbers, periods, rate_period, show, stages, suggest, total

Rule = Callable[[Raw], Iterator[Fault]]

LACKS = "which the scenario does not have"
TELLING = "set stage_observed: true, or the policy's oracle: true"
SLACK = 1e-12
LISTS = ("set", "add", "multiply")


def policies_of(raw: Raw) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the policies that are mappings."""
    return ((key, policy) for key, policy in mapping(raw, "policies").items() if isinstance(policy, dict))


def named_in(policy: Raw, part: str) -> list[str]:
    """Return what ``who.stages`` or ``who.segments`` names, as text; nothing where it is not given."""
    found = mapping(policy, "who").get(part)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list | tuple) else []


def views_of(raw: Raw, policy: Raw | None = None) -> dict[str, dict[str, Any]]:
    """Return the scenario as the segments that a policy treats see it, by segment; "" stands for all customers where there are none."""
    known = mapping(raw, "segments")
    chosen = [key for key in named_in(policy or {}, "segments") if key in known] or list(known)
    return {key: segment_view(raw, key) for key in chosen} or {"": expand(raw)}


def _effects(policy: Raw) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield stage, edge and effect of what a policy does to named edges."""
    for stage, found in mapping(policy, "effects", "edges").items():
        for edge, effect in (found if isinstance(found, dict) else {}).items():
            if isinstance(effect, dict):
                yield stage, edge, effect


def names(raw: Raw) -> Iterator[Fault]:
    """Require that stages, edges, causes and segments exist, and that no policy excludes itself."""
    known, segments = mapping(raw, "stages"), mapping(raw, "segments")
    causes = [edge.get("cause") for _, _, edge in edges(raw)]
    for key, policy in policies_of(raw):
        where = f"policies.{key}"
        for name in named_in(policy, "stages"):
            if name not in known:
                yield Fault(f"{where}.who.stages", show(name), "no such stage", suggest(name, known))
        for name in named_in(policy, "segments"):
            if name not in segments:
                hint = suggest(name, segments) if segments else "the scenario has no segments: leave it out"
                yield Fault(f"{where}.who.segments", show(name), "no such segment", hint)
        for stage in mapping(policy, "effects", "edges"):
            if stage not in known:
                yield Fault(f"{where}.effects.edges.{stage}", "", "no such stage", suggest(stage, known))
        for stage, edge, _ in _effects(policy):
            if stage in known and edge not in mapping(raw, "stages", stage, "to"):
                hint = suggest(edge, mapping(raw, "stages", stage, "to"))
                if not hint.startswith("did"):
                    more = f"a policy changes edges that there are: to add this one give stages.{stage}.to.{edge}.probability"
                    hint = "; ".join(filter(None, [hint, more]))
                yield Fault(f"{where}.effects.edges.{stage}.{edge}", "", f"no such edge out of {stage}", hint)
        for cause in mapping(policy, "effects", "causes"):
            if cause in ("own", "rival", "natural", "unforeseen") and cause not in causes:
                yield Fault(f"{where}.effects.causes.{cause}", "", "no edge has this cause", "name edges in effects.edges")
        excludes = policy.get("excludes")
        if isinstance(excludes, list | tuple) and key in excludes:
            yield Fault(f"{where}.excludes", show(key), "a policy cannot exclude itself", "leave it out: treating again starts anew")


def visible(raw: Raw) -> Iterator[Fault]:
    """Refuse whom only somebody who sees the stage can tell: whether a customer is a prospect, active or lost is seen by all."""
    if raw.get("stage_observed") is True:
        return
    for key, policy in policies_of(raw):
        if policy.get("oracle") is True:
            continue
        by = mapping(policy, "rank").get("by")
        if by in PREDICTED:
            yield Fault(f"policies.{key}.rank.by", show(by), "needs the stage, which a firm cannot see", TELLING)
        treated = set(named_in(policy, "stages")) or {stage for stage, _ in stages(raw) if kind(raw, stage) == "active"}
        kinds = {kind(raw, stage) for stage in treated}
        told_apart = sorted(k for k in kinds if k and any(kind(raw, s) == k and s not in treated for s, _ in stages(raw)))
        if told_apart:
            rule = f"tells {told_apart[0]} stages apart, which a firm cannot"
            yield Fault(f"policies.{key}.who.stages", ", ".join(named_in(policy, "stages")), rule, TELLING)
        alone = all(sum(kind(raw, s) == k for s, _ in stages(raw)) <= 1 for k in kinds)
        for name in ("age_from", "age_until"):
            value = mapping(policy, "who").get(name)
            if value is not None and value != 0 and not alone:
                yield Fault(f"policies.{key}.who.{name}", show(value), "needs the time spent in a stage, which a firm cannot see", TELLING)


def ranks(raw: Raw) -> Iterator[Fault]:
    """Refuse two ranks, and one by orders where there are none."""
    for key, policy in policies_of(raw):
        rank = mapping(policy, "rank")
        if rank.get("score") is not None and rank.get("by") is not None:
            yield Fault(f"policies.{key}.rank.score", show(rank["score"]), "stands in place of by", "leave one of them out")
        kinds = [mapping(view, "purchases").get("kind", "subscription") for view in views_of(raw, policy).values()]
        if rank.get("by") == "orders" and all(one == "subscription" for one in kinds):
            yield Fault(f"policies.{key}.rank.by", "orders", "needs orders, which a subscription has not", "give purchases of another kind")


def needs(raw: Raw) -> Iterator[Fault]:
    """Require what effects and surveys are made from: satisfaction, level, drivers of equity."""
    for key, policy in policies_of(raw):
        where, done = f"policies.{key}", mapping(policy, "effects")
        wanted = [("effects.performance", "satisfaction"), ("effects.expectation", "satisfaction"), ("effects.level", "level")]
        lacking = [(place, part) for place, part in wanted if number(done.get(place.rpartition(".")[2])) and raw.get(part) is None]
        if mapping(policy, "who").get("survey") is not None and raw.get("satisfaction") is None:
            lacking.insert(0, ("who.survey", "satisfaction"))
        for place, part in lacking:
            value = done.get(place.rpartition(".")[2]) if place.startswith("effects") else None
            yield Fault(
                f"{where}.{place}", "" if value is None else show(value), f"needs {part}, {LACKS}", f"give {part}: {{}} for its defaults"
            )
        views = views_of(raw, policy).values()
        gained = done.get("delivered_value")
        if number(gained) and not any(number(mapping(view, "satisfaction").get("delivered_value")) for view in views):
            rule = "needs satisfaction.delivered_value, the weight by which delivered value becomes performance"
            yield Fault(f"{where}.effects.delivered_value", show(gained), rule, "give it, or lift performance instead")
        for name, value in mapping(done, "drivers").items():
            moved = any(number(mapping(edge, "effects").get(name)) for view in views for _, _, edge in edges(view))
            if name in DRIVERS and number(value) and not (moved or mapping(raw, "drivers", name)):
                hint = "give it an attribute, and edges their coefficients"
                yield Fault(f"{where}.effects.drivers.{name}", show(value), f"needs drivers.{name}, {LACKS}", hint)


def staffed(raw: Raw) -> Iterator[Fault]:
    """Require a capacity where members share one, and trust where staff who leave take it along."""
    for key, policy in policies_of(raw):
        if policy.get("overload") == "share" and policy.get("capacity") is None:
            rule = "needs a capacity that members share"
            yield Fault(f"policies.{key}.overload", "share", rule, "give capacity, such as managers times accounts of each")
        lost = mapping(policy, "turnover").get("trust")
        if number(lost) and raw.get("trust") is None:
            yield Fault(f"policies.{key}.turnover.trust", show(lost), f"needs trust, {LACKS}", "give trust: {} for its defaults")


def lifts(policy: Raw, name: str) -> bool:
    """Return whether a policy has a factor other than 1 of this name."""
    return (number(mapping(policy, "effects").get(name)) or 1.0) != 1.0


def doings(raw: Raw) -> Iterator[Fault]:
    """Require orders, contacts, products and cost to serve where a policy makes them more or less."""
    for key, policy in policies_of(raw):
        views, where = list(views_of(raw, policy).values()), f"policies.{key}.effects"
        if lifts(policy, "orders") and all(mapping(view, "purchases").get("kind", "subscription") == "subscription" for view in views):
            hint = "lift level, price or margin instead"
            yield Fault(f"{where}.orders", show(policy["effects"]["orders"]), "a subscription has no orders", hint)
        for name, article in (("contacts", ""), ("cross_sell", "a "), ("cost_to_serve", "a ")):
            if not lifts(policy, name):
                continue
            value = show(policy["effects"][name])
            if name == "cross_sell" and raw.get("products") is None:
                hint = "give products, and stages their cross_sell"
                yield Fault(f"{where}.{name}", value, f"needs products, {LACKS}", hint)
            elif not any(any(numbers(stage.get(name))) for view in views for _, stage in stages(view)):
                yield Fault(f"{where}.{name}", value, f"no stage has {article}{name}", f"give stages their {name}")


def chances(raw: Raw) -> Iterator[Fault]:
    """Require probabilities of the scenario's own period where a policy sets or adds to them, and leave at most 1 in all."""
    for key, policy in policies_of(raw):
        views = views_of(raw, policy)
        for stage, edge, effect in _effects(policy):
            for name in ("set", "add"):
                if effect.get(name) is not None and edge in mapping(raw, "stages", stage, "to"):
                    reasons = (_no_chance(view, segment, stage, edge) for segment, view in views.items())
                    rule = next(filter(None, reasons), "")
                    if rule:
                        where = f"policies.{key}.effects.edges.{stage}.{edge}.{name}"
                        yield Fault(where, show(effect[name]), rule, "multiply its hazard instead")
        yield from _sums(key, policy, views)


def _no_chance(view: Raw, segment: str, stage: str, edge: str) -> str:
    """Return why an edge has no probability that could be set, "" where it has one."""
    found, there = mapping(view, "stages", stage, "to", edge), f" in segment {segment}" if segment else ""
    other = _otherwise(found)
    if other is not None:
        return f"needs an edge given as a probability or share, this one is given as {other}{there}"
    if rate_period(view, found) != view.get("period"):
        return f"needs a probability of the scenario's own period, this one is of a {rate_period(view, found)}{there}"
    return ""


def _otherwise(edge: Raw) -> str | None:
    """Return what an edge is given as where that is no probability."""
    return next((rate for rate in ("hazard", "mean_duration", "weibull", "beta") if edge.get(rate) is not None), None)


def _chance(view: Raw, stage: str, edge: str, age: int) -> float:
    """Return the probability of an edge at a stage age, 0 where it is given otherwise."""
    found, duration = mapping(view, "stages", stage, "to", edge), number(mapping(view, "stages", stage).get("mean_duration"))
    share = number(found.get("share"))
    if share is not None and duration:
        return share / duration
    given = numbers(found.get("probability"))
    return at(given, age) if given else 0.0


def _sums(key: str, policy: Raw, views: Mapping[str, Raw]) -> Iterator[Fault]:
    """Yield stages that under one policy more than everybody would leave, or everybody beside an edge with a hazard."""
    for stage in dict.fromkeys(stage for stage, _, effect in _effects(policy) if "set" in effect or "add" in effect):
        where = f"policies.{key}.effects.edges.{stage}"
        mine = {edge: effect for one, edge, effect in _effects(policy) if one == stage}
        for segment, view in views.items():
            most, age = _most_leave(view, stage, mine)
            there = f" in segment {segment}" if segment else ""
            hazards = [edge for source, edge, body in edges(view) if source == stage and _otherwise(body)]
            if most > 1 + SLACK and _most_leave(view, stage, {})[0] <= 1 + SLACK:
                rule = f"probabilities to leave the stage would sum to more than 1{there}, at stage age {age}"
                yield Fault(where, f"{most:.6g}", rule, "set the others to less, or to 0")
                break
            if abs(most - 1) <= SLACK and hazards:
                rule = f"everybody would leave the stage{there} at stage age {age}, beside which {hazards[0]} needs a probability too"
                yield Fault(where, "", rule, "let some stay")
                break


def _most_leave(view: Raw, stage: str, mine: Mapping[str, Raw]) -> tuple[float, int]:
    """Return the largest sum of probabilities to leave a stage once some are set and added to, and the first stage age that has it.

    0 where one of them is out of range, of which the models speak.
    """
    out = mapping(view, "stages", stage, "to")
    listed = [numbers(mapping(out, edge).get("probability")) for edge in out]
    given = [numbers(effect.get(name)) for effect in mine.values() for name in ("set", "add")]
    if any(not -1 <= value <= 1 for values in (*listed, *given) for value in values):
        return 0.0, 0
    ages = range(max((len(values) for values in (*given, *listed)), default=0))
    sums = [total(_changed(_chance(view, stage, edge, age), mine.get(edge, {}), age) for edge in out) for age in ages] or [0.0]
    return max(sums), sums.index(max(sums))


def _changed(chance: float, effect: Raw, age: int) -> float:
    """Return a probability after it is set and added to."""
    new, more = numbers(effect.get("set")), numbers(effect.get("add"))
    chance = at(new, age) if new else chance
    return min(max(chance + at(more, age), 0.0), 1.0) if more else chance


def alike(raw: Raw) -> Iterator[Fault]:
    """Refuse what cannot fade or differ between customers where it is to: probabilities set or added to, and hazards made 0."""
    for key, policy in policies_of(raw):
        fading, spread = number(policy.get("decay", 1.0)), number(mapping(policy, "effects").get("spread")) or 0.0
        given = ["decay"] * (fading is not None and fading != 1) + ["spread"] * (spread != 0)
        given += ["overload"] * (policy.get("overload") == "share")
        if not given:
            continue
        for stage, edge, effect in _effects(policy):
            where = f"policies.{key}.effects.edges.{stage}.{edge}"
            for name in ("set", "add"):
                if effect.get(name) is not None:
                    rule = f"acts alike on all in force, and cannot stand beside {given[0]}"
                    yield Fault(f"{where}.{name}", show(effect[name]), rule, f"multiply the hazard instead, or leave {given[0]} out")
            if 0 in numbers(effect.get("multiply", 1.0)):
                rule = f"a factor of 0 cannot stand beside {given[0]}"
                yield Fault(f"{where}.multiply", show(effect["multiply"]), rule, f"give a small factor, or leave {given[0]} out")


def twice(raw: Raw) -> Iterator[Fault]:
    """Refuse two policies that set one probability and could both be in force for a customer."""
    setting: dict[tuple[str, str], list[str]] = {}
    found = dict(policies_of(raw))
    for key, policy in found.items():
        for stage, edge, effect in _effects(policy):
            if effect.get("set") is None:
                continue
            for other in setting.setdefault((stage, edge), []):
                if _together(key, policy, other, found[other]):
                    rule = f"policy {other} sets it too, and both could be in force for a customer"
                    hint = f"let each exclude the other, as in policies.{key}.excludes: [{other}]"
                    yield Fault(f"policies.{key}.effects.edges.{stage}.{edge}.set", show(effect["set"]), rule, hint)
            setting[stage, edge].append(key)


def _together(one: str, mine: Raw, other: str, its: Raw) -> bool:
    """Return whether two policies may be in force for one customer."""
    excludes = [policy.get("excludes") for policy in (mine, its)]
    apart = all(isinstance(listed, list | tuple) and name in listed for listed, name in zip(excludes, (other, one), strict=True))
    segments = [set(named_in(policy, "segments")) for policy in (mine, its)]
    return not apart and not (all(segments) and segments[0].isdisjoint(segments[1]))


WINDOWS = (
    ("when", "start", "stop", 0.0),
    ("who", "tenure_from", "tenure_until", 0.0),
    ("who", "age_from", "age_until", 0.0),
    ("who.survey", "above", "below", -math.inf),
)


def windows(raw: Raw) -> Iterator[Fault]:
    """Require that what is to end ends after its start, and that some score lies between those of a survey."""
    for key, policy in policies_of(raw):
        for place, first, last, default in WINDOWS:
            body = mapping(policy, *place.split("."))
            start, stop = body.get(first), number(body.get(last))
            begin = default if start is None else number(start)
            if begin is not None and stop is not None and stop <= begin:
                where = f"policies.{key}.{place}.{last}"
                yield Fault(where, show(body[last]), f"must be above {first}, {begin:g}: otherwise nobody is treated")


def lists_by_age(raw: Raw) -> Iterator[Fault]:
    """Refuse lists by stage age that are longer than the horizon."""
    limit = periods(raw)
    for key, policy in policies_of(raw):
        for stage, edge, effect in _effects(policy):
            for name in LISTS:
                values = effect.get(name)
                if isinstance(values, list | tuple) and len(values) > limit:
                    rule = f"a list by stage age must not be longer than the horizon, {limit} periods"
                    where = f"policies.{key}.effects.edges.{stage}.{edge}.{name}"
                    yield Fault(where, f"{len(values)} values", rule, "shorten the list or lengthen the horizon")


def idle(scenario: Scenario) -> Iterator[str]:
    """Yield policies that are paid for and change nothing, or that nobody takes up; and ranks without a use."""
    last = last_period(scenario.model_dump(include={"horizon", "cohorts", "word_of_mouth"}, exclude_none=True))
    for key, policy in scenario.policies.items():
        if policy.acquire is not None:
            continue
        none = "who.share" if policy.who.share == 0 else "uptake" if policy.uptake == 0 else ""
        if none:
            yield f"policies.{key}.{none}: is 0: the policy is in force for nobody"
        elif policy.cost.any and _nobody(scenario, policy, last):
            yield f"policies.{key}: costs something and treats nobody"
        elif policy.cost.any and not acts(scenario, policy):
            yield f"policies.{key}: costs something and changes nothing"
        if "rank" in policy.model_fields_set and not policy.limited:
            yield f"policies.{key}.rank: moves nothing, for no capacity or budget keeps anybody out"


def _nobody(scenario: Scenario, policy: Policy, last: int) -> bool:
    """Return whether a policy can treat nobody: too late, or nobody who is there or answers."""
    who, shares = policy.who, scenario.segment_shares
    empty = who.segments is not None and not any(shares.get(segment) for segment in who.segments)
    late = policy.when.start > last or (scenario.horizon != "inf" and who.tenure_from >= scenario.horizon)
    late = late or (scenario.horizon != "inf" and who.margin is not None and who.margin.periods >= scenario.horizon)
    return empty or late or (who.survey is not None and who.survey.response == 0)


def acts(scenario: Scenario, policy: Policy) -> bool:
    """Return whether a policy changes anything for a customer in force, in any segment."""
    done = policy.effects
    if any(_does(effect) for stage in done.edges.values() for effect in stage.values()) or any(f != 1 for f in done.causes.values()):
        return True
    views: Sequence[Scenario] = list(scenario.by_segment.values())
    moved = {
        name
        for view in views
        for stage in view.stages.values()
        for edge in stage.to.values()
        for name in DRIVERS
        if getattr(edge.effects, name)
    }
    lifts = (done.performance, done.expectation, done.delivered_value, done.level, done.margin)
    factors = (done.price, done.orders, done.contacts, done.cross_sell, done.cost_to_serve)
    return any(lifts) or any(factor != 1 for factor in factors) or any(value and name in moved for name, value in done.drivers.items())


def _does(effect: EdgeEffect) -> bool:
    return effect.set is not None or any(effect.add or ()) or any(factor != 1 for factor in effect.multiply or ())


WHOLE: tuple[Rule, ...] = (
    alike,
    chances,
    doings,
    lists_by_age,
    names,
    needs,
    ranks,
    staffed,
    twice,
    visible,
    windows,
)
