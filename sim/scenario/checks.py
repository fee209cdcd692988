"""Rules between values of the stage graph, on the raw mapping: start, edges, rates, lists by age, seasons, ranks.

A rule is a function that yields a Fault for every breach and stays silent about what is malformed: the models speak of that. The
rules about customers and money are in checks_customers.py and checks_spread.py, those about behaviour and market in
checks_behaviour.py, about what is offered in checks_offer.py, about classes in checks_classes.py, about policies in
checks_policy.py, checks_policy_limits.py and checks_acquire.py;
``faults`` and ``whole_faults`` run them all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sim.scenario.checks_acquire import WHOLE as ACQUIRE_WHOLE
from sim.scenario.checks_arrivals import WHOLE as ARRIVALS_WHOLE
from sim.scenario.checks_arrivals import coupled
from sim.scenario.checks_behaviour import EACH as BEHAVIOUR_EACH
from sim.scenario.checks_behaviour import WHOLE as BEHAVIOUR_WHOLE
from sim.scenario.checks_behaviour import unheard
from sim.scenario.checks_classes import WHOLE as CLASSES_WHOLE
from sim.scenario.checks_customers import EACH as CUSTOMERS_EACH
from sim.scenario.checks_customers import WHOLE as CUSTOMERS_WHOLE
from sim.scenario.checks_offer import EACH as OFFER_EACH
from sim.scenario.checks_offer import LISTS as LISTS_OF_OFFER
from sim.scenario.checks_offer import WHOLE as OFFER_WHOLE
from sim.scenario.checks_offer import dear, unused
from sim.scenario.checks_policy import WHOLE as POLICY_WHOLE
from sim.scenario.checks_policy import idle
from sim.scenario.checks_policy_limits import WHOLE as POLICY_LIMITS
from sim.scenario.checks_spread import EACH as SPREAD_EACH
from sim.scenario.errors import Fault
from sim.scenario.memory import Ask, ask
from sim.scenario.model import Scenario
from sim.scenario.raw import (
    Raw,
    by_age,
    edges,
    kind,
    mapping,
    number,
    numbers,
    per_year,
    periods,
    rate_period,
    show,
    stages,
    suggest,
    target,
    total,
)
from sim.scenario.sample import cohorts
from sim.scenario.stages import RATES, Edge

Rule = Callable[[Raw], Iterator[Fault]]

SLACK = 1e-12
"""How far probabilities may pass 1 by rounding."""

LISTS_OF_STAGE = ("price", "margin", "cost_to_serve", "orders", "information", "fees", "knowledge", "sales_cost", *LISTS_OF_OFFER)
LISTS_OF_EDGE = ("probability", "hazard")


def faults(raw: Raw, ask: Ask = ask) -> list[Fault]:
    """Return what is wrong between the values of one segment's scenario (its overrides laid over)."""
    return [fault for rule in (*EACH, *CUSTOMERS_EACH, *SPREAD_EACH, *BEHAVIOUR_EACH, *OFFER_EACH) for fault in ask(rule, raw)]


def whole_faults(raw: Raw, ask: Ask = ask) -> list[Fault]:
    """Return what is wrong between the values that segments share."""
    return [
        fault
        for rule in (
            *WHOLE,
            *CUSTOMERS_WHOLE,
            *BEHAVIOUR_WHOLE,
            *OFFER_WHOLE,
            *ACQUIRE_WHOLE,
            *ARRIVALS_WHOLE,
            *CLASSES_WHOLE,
            *POLICY_WHOLE,
            *POLICY_LIMITS,
        )
        for fault in ask(rule, raw)
    ]


def start(raw: Raw) -> Iterator[Fault]:
    """Require that customers start in a stage that exists and is not lost."""
    found = raw.get("start")
    if not isinstance(found, str) or not mapping(raw, "stages"):
        return
    if found not in mapping(raw, "stages"):
        yield Fault("start", show(found), "must be one of the stages", suggest(found, mapping(raw, "stages")))
    elif kind(raw, found) == "lost":
        alive = [key for key, _ in stages(raw) if kind(raw, key) != "lost"]
        yield Fault("start", show(found), "must not be a stage of kind lost", suggest("", alive))


def active_stage(raw: Raw) -> Iterator[Fault]:
    """Require a stage in which a customer is worth something."""
    if mapping(raw, "stages") and not any(kind(raw, key) == "active" for key, _ in stages(raw)):
        yield Fault("stages", "", "at least one stage must be of kind active", "leave its kind out: active is the default")


def ranks(raw: Raw) -> Iterator[Fault]:
    """Refuse a rank on stages that are not active."""
    for key, stage in stages(raw):
        if isinstance(stage.get("rank"), bool):  # true is 1 to the models
            yield Fault(f"stages.{key}.rank", show(stage["rank"]), "must be one of 1, 2, 3")
        elif stage.get("rank") is not None and kind(raw, key) in ("prospect", "lost"):
            yield Fault(f"stages.{key}.rank", show(stage["rank"]), f"only active stages have a rank, this one is {kind(raw, key)}")


def prospect_price(raw: Raw) -> Iterator[Fault]:
    """Refuse a price for prospects, who do not buy yet."""
    for key, stage in stages(raw):
        if kind(raw, key) == "prospect" and any(numbers(stage.get("price"))):
            yield Fault(f"stages.{key}.price", show(stage["price"]), "a prospect does not buy yet and has no price", "leave it out")


def targets(raw: Raw) -> Iterator[Fault]:
    """Require that every edge leads to a stage that exists."""
    known = mapping(raw, "stages")
    for stage, key, edge in edges(raw):
        goal = target(key, edge)
        if goal not in known and isinstance(edge.get("target", key), str | None):
            where = f"stages.{stage}.to.{key}"
            if edge.get("target") is None:
                hint = suggest(key, known)
                yield Fault(where, show(goal), "leads to a stage that does not exist", hint)
            else:
                yield Fault(f"{where}.target", show(goal), "no such stage", suggest(goal, known))


def one_rate(raw: Raw) -> Iterator[Fault]:
    """Require exactly one rate on every edge."""
    for stage, key, edge in edges(raw):
        given = [rate for rate in RATES if edge.get(rate) is not None]
        misspelt = any(name not in Edge.model_fields for name in edge)
        if len(given) > 1:
            hint = f"where a segment or override replaces another rate, set that to null: {given[0]}: null"
            yield Fault(f"stages.{stage}.to.{key}", ", ".join(given), f"needs exactly one of {', '.join(RATES)}", hint)
        elif not given and not misspelt:  # a misspelt rate is told once, as an unknown key
            yield Fault(f"stages.{stage}.to.{key}", "", f"needs exactly one of {', '.join(RATES)}")


def _given(raw: Raw, rate: str) -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """Yield each stage with its edges that have a rate of this name."""
    for stage, _ in stages(raw):
        found = [(key, edge) for source, key, edge in edges(raw) if source == stage and edge.get(rate) is not None]
        if found:
            yield stage, found


def probability_sums(raw: Raw) -> Iterator[Fault]:
    """Require that probabilities to leave sum to at most 1 at every stage age, and stand alone where they sum to 1."""
    for stage, found in _given(raw, "probability"):
        lists = [numbers(edge["probability"]) for _, edge in found]
        ages = range(max(len(values) for values in lists))
        sums = [total(by_age(lists, age)) for age in ages]
        above = next((age for age in ages if sums[age] > 1 + SLACK), None)
        certain = next((age for age in ages if abs(sums[age] - 1) <= SLACK), None)
        if above is not None and all(value <= 1 for values in lists for value in values):
            rule = f"probabilities to leave a stage must sum to at most 1 at every stage age, not at age {above}"
            yield Fault(f"stages.{stage}.to", f"{sums[above]:.12g}", rule)
        elif certain is not None:
            yield from _certain_elsewhere(raw, stage, found, "probability")
            yield from _beside_certain(raw, stage, f"its probabilities sum to 1 at stage age {certain}")


def _certain_elsewhere(raw: Raw, stage: str, found: list[tuple[str, dict[str, Any]]], rate: str) -> Iterator[Fault]:
    """Refuse leaving for certain within a period other than the scenario's: no finite hazard stands for it."""
    quoted = {rate_period(raw, edge) for _, edge in found}
    own, other = raw.get("period"), next(iter(quoted))
    single = all(len(numbers(edge[rate])) == 1 for _, edge in found)  # of lists and of several periods rate_periods speaks
    if len(quoted) == 1 and single and per_year(own) and per_year(other) and other != own:
        rule = f"leaving for certain within a {other} cannot be turned into a chance a {own}"
        hint = "give a hazard or a probability below 1" if rate == "probability" else "give a mean_duration above 1, or hazards"
        yield Fault(f"stages.{stage}.to", "", rule, hint)


def _beside_certain(raw: Raw, stage: str, reason: str) -> Iterator[Fault]:
    for source, key, edge in edges(raw):
        beside = [rate for rate in ("hazard", "mean_duration", "weibull", "beta") if edge.get(rate) is not None]
        if source == stage and beside:
            rule = f"no edge with a {beside[0]} where the stage is left for certain: {reason}"
            yield Fault(f"stages.{stage}.to.{key}", beside[0], rule, "give a probability instead")


def shares(raw: Raw) -> Iterator[Fault]:
    """Require that shares of a stage sum to 1 and divide its mean duration, and that nothing else has one."""
    shared = dict(_given(raw, "share"))
    for stage, body in stages(raw):
        duration = body.get("mean_duration")
        if stage not in shared and duration is not None:
            hint = "give the edges of the stage share, or give mean_duration to an edge"
            yield Fault(f"stages.{stage}.mean_duration", show(duration), "divides among edges by their share, and none has one", hint)
    for stage, found in shared.items():
        values = [number(edge["share"]) for _, edge in found]
        whole = total(value for value in values if value is not None)
        if None not in values and abs(whole - 1) > 1e-9:
            yield Fault(f"stages.{stage}.to", f"{whole:.12g}", "shares of a stage must sum to 1")
        duration = mapping(raw, "stages", stage).get("mean_duration")
        if duration is None:
            yield Fault(f"stages.{stage}.mean_duration", "", "must be given where edges have a share", "mean stay in periods, 1 or more")
        elif number(duration) == 1:
            yield from _certain_elsewhere(raw, stage, found, "share")
            yield from _beside_certain(raw, stage, "its mean_duration is 1")
        mixed = [key for source, key, edge in edges(raw) if source == stage and edge.get("probability") is not None]
        if mixed:
            yield Fault(f"stages.{stage}.to", ", ".join(mixed), "share and probability cannot be mixed in one stage", "use one for all")


def rate_periods(raw: Raw) -> Iterator[Fault]:
    """Require one period for the probabilities of a stage, the scenario's own for rates that change with stage age."""
    for stage, _ in stages(raw):
        out = [(key, edge) for source, key, edge in edges(raw) if source == stage]
        quoted = {rate_period(raw, edge): key for key, edge in out if edge.get("probability") is not None or edge.get("share") is not None}
        if len(quoted) > 1:
            yield Fault(f"stages.{stage}.to", ", ".join(quoted), "probabilities and shares of one stage must have one rate_period")
        for key, edge in out:
            other = rate_period(raw, edge) != raw.get("period") and per_year(rate_period(raw, edge)) and per_year(raw.get("period"))
            listed = next((rate for rate in LISTS_OF_EDGE if len(numbers(edge.get(rate))) > 1), None)
            if other and (listed or edge.get("weibull") is not None):
                what = f"a {listed} by stage age" if listed else "a weibull"
                rule = f"{what} must be quoted for the scenario's period, {raw['period']}"
                yield Fault(f"stages.{stage}.to.{key}.rate_period", show(edge["rate_period"]), rule, "leave rate_period out")


def lists_by_age(raw: Raw) -> Iterator[Fault]:
    """Refuse lists by stage age that are longer than the horizon."""
    limit = periods(raw)
    for key, body in stages(raw):
        yield from _too_long(f"stages.{key}", body, LISTS_OF_STAGE, limit)
    for stage, key, edge in edges(raw):
        yield from _too_long(f"stages.{stage}.to.{key}", edge, LISTS_OF_EDGE, limit)


def _too_long(where: str, body: Mapping[str, Any], names: Iterable[str], limit: int) -> Iterator[Fault]:
    for name in names:
        values = body.get(name)
        if isinstance(values, list | tuple) and len(values) > limit:
            rule = f"a list by stage age must not be longer than the horizon, {limit} periods"
            yield Fault(f"{where}.{name}", f"{len(values)} values", rule, "shorten the list or lengthen the horizon")


def _names(raw: Raw) -> list[str]:
    return [f"{stage}.{key}" for stage, key, _ in edges(raw)]


def named_edges(raw: Raw) -> Iterator[Fault]:
    """Require that edges named elsewhere exist."""
    parts = {"frailty": mapping(raw, "frailty"), "calendar.hazards": mapping(raw, "calendar", "hazards")}
    parts |= {f"market.regimes.{key}": mapping(raw, "market", "regimes", key) for key in mapping(raw, "market", "regimes")}
    for place, part in parts.items():
        where = f"{place}.edges"
        listed = part.get("edges")
        for name in listed if isinstance(listed, list | tuple) else ():
            if isinstance(name, str) and name not in _names(raw):
                yield Fault(where, show(name), "no such edge; edges are named stage.edge", suggest(name, _names(raw)))


def beta_and_frailty(raw: Raw) -> Iterator[Fault]:
    """Refuse both beta and frailty on one edge."""
    frailty = mapping(raw, "frailty")
    if not (number(frailty.get("variance")) or 0) > 0:
        return
    listed = frailty.get("edges")
    for stage, key, edge in edges(raw):
        default = listed is None and kind(raw, target(key, edge)) == "lost"
        named = isinstance(listed, list | tuple) and f"{stage}.{key}" in listed
        if edge.get("beta") is not None and (default or named):
            hint = "name the edges that frailty acts on in frailty.edges" if default else "take it out of frailty.edges"
            yield Fault(f"stages.{stage}.to.{key}.beta", "", "an edge cannot have both beta and frailty", hint)


def seasons(raw: Raw) -> Iterator[Fault]:
    """Require that a season's list covers one year."""
    year = per_year(raw.get("period"))
    for part in ("hazards", "orders", "margin"):
        values = mapping(raw, "calendar", part).get("multiplier")
        if year and isinstance(values, list | tuple) and len(values) != year:
            rule = f"needs one value for each period of a year, {year}"
            yield Fault(f"calendar.{part}.multiplier", f"{len(values)} values", rule)


def precisions(raw: Raw) -> Iterator[Fault]:
    """Refuse two precisions at once, and one where customers share luck."""
    run = mapping(raw, "run")
    if raw.get("market") is not None or coupled(raw):
        for name in ("precision", "precision_money"):
            if run.get(name) is not None:
                rule = "more customers do not make a run precise where all share luck: its replicates do"
                yield Fault(f"run.{name}", show(run[name]), rule, "leave it out, and raise run.replicates")
    if run.get("precision") is not None and run.get("precision_money") is not None:
        where, value = "run.precision_money", show(run["precision_money"])
        yield Fault(where, value, "a run stops by one precision, and run.precision is given too", "leave one of them out")


EACH: tuple[Rule, ...] = (
    active_stage,
    beta_and_frailty,
    lists_by_age,
    named_edges,
    one_rate,
    probability_sums,
    prospect_price,
    ranks,
    rate_periods,
    shares,
    start,
    targets,
)
WHOLE: tuple[Rule, ...] = (precisions, seasons)


def warnings(scenario: Scenario) -> tuple[str, ...]:
    """Return what is allowed but seldom meant: nobody is ever lost, stages nobody reaches, mechanisms unheard, percents for shares."""
    views = scenario.by_segment.values()
    existing = scenario.existing
    held = () if existing is None else (key for key, count in zip(scenario.stages, existing.counts.sum(axis=0), strict=True) if count)
    reached = {scenario.start, *held}
    ahead = [*reached]
    while ahead:
        stage = ahead.pop()
        open_edges = {key for view in views for key, edge in view.stages[stage].to.items() if _open(edge)}
        new = {scenario.target(stage, key) for key in open_edges} - reached
        reached |= new
        ahead.extend(new)
    found = [f"stages.{key}: no way leads here from start ({scenario.start})" for key in scenario.stages if key not in reached]
    if not any(scenario.stages[key].kind == "lost" for key in reached):
        found.insert(0, f"stages: no stage of kind lost can be reached from start ({scenario.start}): nobody is ever lost")
    late = max((cohort.arrival for cohort in cohorts(scenario)), default=0) if scenario.crowd else 0
    if scenario.horizon != "inf" and late >= scenario.horizon:
        found.append("crowd: customers draw others within their horizon alone, which ends before the last planned arrival")
    if scenario.credit is not None and not scenario.run.panel:
        found.append("credit: without run.panel nobody is followed, and nobody has any")
    if scenario.classes and not scenario.run.panel:
        found.append("classes: without run.panel nobody is followed, and nobody classed")
    found += [
        f"classes.{key}: without level every customer spends its whole wallet here, and has no growth potential"
        for key, how in scenario.classes.items()
        if "growth" in how.cuts and scenario.level is None
    ]
    found += [*unheard(scenario), *unused(scenario), *dict.fromkeys(dear(scenario)), *idle(scenario)]
    return (*found, *dict.fromkeys(_percents(scenario)), *(existing.warnings if existing else ()))


def _percents(scenario: Scenario) -> Iterator[str]:
    """Yield rates and margins above 1, which are percents more often than not."""
    rate = scenario.discount_rate_annual
    if rate > 1:
        yield f"discount_rate_annual: {rate:.12g} is {100 * rate:,.0f} % a year; did you mean {rate / 100:.12g}?"
    for view in scenario.by_segment.values():
        traits = (getattr(view.purchases, name, None) for name in ("wallet", "order_value"))
        spend = max((trait.mean_value for trait in traits if trait), default=1.0)
        for key, stage in view.stages.items():
            margin = max(stage.margin)
            if margin > 1 and spend * max(stage.prices) > 1:  # of a spend of 1 the margin may be meant as the money itself
                yield f"stages.{key}.margin: {margin:.12g} is {100 * margin:,.0f} % of the spend; did you mean {margin / 100:.12g}?"


def _open(edge: Edge) -> bool:
    """Return whether anybody can take an edge at some age."""
    values: Iterable[float] = edge.probability or edge.hazard or ((1.0,) if edge.share is None else (edge.share,))
    return any(value > 0 for value in values)
