"""Rules between values of customers and their money, on the raw mapping: purchases, traits, segments, cohorts, correlations.

See checks.py, which runs them.
"""

import math
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

from sim.scenario.arrivals import MOST_WAVES
from sim.scenario.base import MAX_HORIZON, at
from sim.scenario.customers import MECHANISMS, OVERRIDABLE, TRAITS
from sim.scenario.errors import Fault
from sim.scenario.model import overlay, with_kind
from sim.scenario.raw import (
    FORMS,
    Raw,
    expand,
    kind,
    mapping,
    number,
    numbers,
    periods,
    season,
    show,
    spreading,
    stages,
    suggest,
    total,
    whole,
)

Rule = Callable[[Raw], Iterator[Fault]]

MAX_CUSTOMERS = 10**12

FIXED_IN_STAGES = ("label", "kind", "rank")
FIXED_IN_EDGES = ("label", "target", "cause")


def _purchases(raw: Raw, *kinds: str) -> dict[str, Any]:
    found = mapping(raw, "purchases")
    return found if found.get("kind") in kinds else {}


def order_settings(raw: Raw) -> Iterator[Fault]:
    """Require either a wallet or an order value beside a chance of ordering."""
    found = _purchases(raw, "bernoulli")
    given = [name for name in ("wallet", "order_value") if found.get(name) is not None]
    if found and len(given) != 1:
        yield Fault("purchases", ", ".join(given), "bernoulli needs exactly one of wallet, order_value")


def traits(raw: Raw) -> Iterator[Fault]:
    """Require a mean, or shape and rate of a gamma, for a trait; a value, or a and b, for a chance."""
    for where, trait in spreading(raw):
        if not isinstance(trait, dict):
            continue
        given = [key for key in ("mean", "shape", "rate") if trait.get(key) is not None]
        if given not in (["mean"], ["shape", "rate"]):
            yield Fault(where, ", ".join(given), "needs exactly mean, or shape and rate")
        elif given == ["shape", "rate"]:
            if trait.get("distribution", "gamma") == "lognormal":
                yield Fault(f"{where}.distribution", show("lognormal"), "shape and rate are those of a gamma", "give mean and cv")
            if number(trait.get("cv")):
                yield Fault(f"{where}.cv", show(trait["cv"]), "follows from shape", "leave it out, or give mean and cv")
    chance = mapping(raw, "purchases").get("probability")
    if isinstance(chance, dict):
        given = [key for key in ("value", "a", "b") if chance.get(key) is not None]
        if given not in (["value"], ["a", "b"]):
            yield Fault("purchases.probability", ", ".join(given), "needs exactly value, or a and b")


def amounts(raw: Raw) -> Iterator[Fault]:
    """Require a distribution and a coefficient of variation together where amounts vary."""
    if mapping(raw, "purchases").get("kind", "subscription") not in ("subscription", "bernoulli", "poisson"):
        return
    found = _purchases(raw, "bernoulli", "poisson")
    distribution = mapping(found, "amount").get("distribution", "fixed")
    cv = number(mapping(found, "amount").get("cv")) or 0.0
    by_stage = {key: number(stage.get("amount_cv")) or 0.0 for key, stage in stages(raw)}
    if found and distribution == "fixed" and cv > 0:
        yield Fault("purchases.amount.cv", show(cv), "fixed amounts do not vary", "give distribution: gamma or lognormal")
    if found and distribution in ("gamma", "lognormal") and cv == 0 and not any(by_stage.values()):
        yield Fault("purchases.amount.cv", show(cv), f"a {distribution} amount needs a cv above 0", "or give distribution: fixed")
    if distribution == "fixed" or not found:
        for key, value in by_stage.items():
            if value > 0:
                hint = "give purchases.amount.distribution: gamma or lognormal" if found else "subscriptions are paid as they are"
                yield Fault(f"stages.{key}.amount_cv", show(value), "fixed amounts do not vary", hint)


def order_chance(raw: Raw) -> Iterator[Fault]:
    """Require that a fixed chance of ordering stays at or below 1 whatever multiplies it."""
    for key, chance in _chances(raw):
        if chance > 1 + 1e-12:
            rule = "purchases.probability times orders times calendar.orders must be at most 1"
            yield Fault(f"stages.{key}.orders", f"{chance:.6g}", rule)


def _chances(raw: Raw) -> Iterator[tuple[str, float]]:
    """Yield each stage in which orders are placed with the highest chance of one, where that is fixed."""
    found = _purchases(raw, "bernoulli")
    chance = found.get("probability")
    value = number(chance.get("value") if isinstance(chance, dict) else chance)
    if value is None or value > 1:
        return
    high = season(raw, "orders", last_period(raw))
    for key, stage in stages(raw):
        if kind(raw, key) == "active" or stage.get("price") is not None:
            yield key, value * max(numbers(stage.get("orders", 1.0)), default=0.0) * high


def fixed_chance(raw: Raw) -> float | None:
    """Return the highest chance of an order in a period, None where chances differ between customers or there are none."""
    return max((chance for _, chance in _chances(raw)), default=None)


def segment_shares(raw: Raw) -> Iterator[Fault]:
    """Require that shares of segments sum to 1."""
    found = [number(mapping(raw, "segments", key).get("share")) for key in mapping(raw, "segments")]
    shares = total(share for share in found if share is not None)
    if found and None not in found and abs(shares - 1) > 1e-9:
        yield Fault("segments", f"{shares:.12g}", "shares of the segments must sum to 1")


def segment_changes(raw: Raw) -> Iterator[Fault]:
    """Require that segments change numbers of stages and edges that exist."""
    changed = [(segment, *item) for segment in mapping(raw, "segments") for item in mapping(raw, "segments", segment, "stages").items()]
    for segment, key, stage in changed:
        where = f"segments.{segment}.stages.{key}"
        if key not in mapping(raw, "stages"):
            rule = "no such stage; a segment changes stages, it adds none"
            yield Fault(where, "", rule, suggest(key, mapping(raw, "stages")))
            continue
        yield from _fixed(where, mapping(stage), FIXED_IN_STAGES)
        known = mapping(raw, "stages", key, "to")
        for name, edge in mapping(stage, "to").items():
            if name not in known:
                yield Fault(f"{where}.to.{name}", "", "no such edge; a segment changes edges, it adds none", suggest(name, known))
            elif isinstance(edge, dict):
                yield from _fixed(f"{where}.to.{name}", edge, FIXED_IN_EDGES)


def _fixed(where: str, part: dict[str, Any], names: tuple[str, ...]) -> Iterator[Fault]:
    for name in names:
        if name in part:
            yield Fault(f"{where}.{name}", show(part[name]), "is the same for all segments", "change it under stages")


def segment_view(raw: Raw, segment: str) -> dict[str, Any]:
    """Return the raw scenario of one segment: its overrides laid over, what a segment cannot change left out."""
    body = mapping(raw, "segments", segment)
    change = {part: body[part] for part in OVERRIDABLE if body.get(part) and part not in absent(raw)}
    if isinstance(change.get("stages"), dict):
        known = mapping(raw, "stages")
        change["stages"] = {key: _known(stage, known.get(key)) for key, stage in change["stages"].items() if key in known}
    base = {key: value for key, value in raw.items() if key != "segments"}
    # As in Scenario.by_segment: a mapping is laid over the base's number written out, a number replaces the whole trait.
    merged = [name for name in FORMS for part in ("purchases", "word_of_mouth") if isinstance(mapping(change, part).get(name), dict)]
    parts: dict[str, Any] = overlay(with_kind(expand(base, merged)), change)
    return parts


def absent(raw: Raw) -> tuple[str, ...]:
    """Return the mechanisms that a scenario does not have."""
    return tuple(part for part in MECHANISMS if raw.get(part) is None)


def _known(stage: Any, base: Any) -> Any:
    if not isinstance(stage, dict):
        return stage
    kept = {key: value for key, value in stage.items() if key not in FIXED_IN_STAGES}
    if isinstance(kept.get("to"), dict):
        kept["to"] = {key: edge for key, edge in kept["to"].items() if key in mapping(base, "to")}
    return kept


def last_period(raw: Raw) -> int:
    """Return the last calendar period anybody lives through, at most the last that can be addressed."""
    recruits = mapping(raw, "word_of_mouth").get("recruits")
    last = last_arrival(raw)
    if isinstance(recruits, dict):
        last = max(last, min(whole(recruits.get("until"), last + periods(raw)), MOST_WAVES) - 1)
    return min(last + periods(raw), MAX_HORIZON) - 1


def last_arrival(raw: Raw) -> int:
    """Return the last calendar period in which the firm plans arrivals."""
    return max((end for _, _, end in windows(raw)), default=1) - 1


def windows(raw: Raw) -> Iterator[tuple[str, int, int]]:
    """Yield id, first and one past the last period of arrivals of the cohorts."""
    for key in mapping(raw, "cohorts"):
        entry = mapping(raw, "cohorts", key)
        first = max(whole(entry.get("first_period")), 0)
        yield key, first, first + max(whole(entry.get("periods"), 1), 1)


def cohort_settings(raw: Raw) -> Iterator[Fault]:
    """Require that a cohort's customers are given or bought, and that no two cohorts arrive in one period."""
    for key in mapping(raw, "cohorts"):
        entry = mapping(raw, "cohorts", key)
        given = [name for name in ("customers", "budget", "response") if entry.get(name) is not None]
        if isinstance(raw["cohorts"][key], dict) and given not in (["customers"], ["budget", "response"]):
            yield Fault(f"cohorts.{key}", ", ".join(given), "needs exactly customers, or budget and response")
        listed = entry.get("customers")
        if isinstance(listed, list | tuple) and len(listed) > max(whole(entry.get("periods"), 1), 1):
            rule = "a list of arrivals must not be longer than the cohort's periods"
            yield Fault(f"cohorts.{key}.customers", f"{len(listed)} values", rule, f"give periods: {len(listed)}")
    for (one, first, end), (other, begin, stop) in combinations(windows(raw), 2):
        if max(first, begin) < min(end, stop):
            rule = f"arrives in calendar period {max(first, begin)}, as cohort {one} does; a period has one cohort"
            yield Fault(f"cohorts.{other}", "", rule, "change first_period or periods")


def population(raw: Raw) -> Iterator[Fault]:
    """Require customers from one source, and arrivals in periods that can be addressed."""
    if not mapping(raw, "cohorts"):
        return
    given = mapping(raw, "firm").get("customers")
    if given is not None:
        yield Fault("firm.customers", show(given), "not together with cohorts, which say how many arrive", "set it to null")
    customers = total(_arrivals(mapping(raw, "cohorts", key)) for key in mapping(raw, "cohorts"))
    if not 1 <= customers <= MAX_CUSTOMERS and all(_sized(mapping(raw, "cohorts", key)) for key in mapping(raw, "cohorts")):
        yield Fault("cohorts", f"{customers:.6g}", f"customers of all cohorts must be from 1 to {MAX_CUSTOMERS:,}")
    last = max(end for _, _, end in windows(raw)) - 1
    if number(raw.get("horizon")) is not None and periods(raw) <= MAX_HORIZON < last + periods(raw):
        rule = f"last arrival plus horizon must be at most {MAX_HORIZON:,} periods"
        yield Fault("cohorts", f"{last + periods(raw)}", rule, "use a longer period")


def base_settings(raw: Raw) -> Iterator[Fault]:
    """Refuse what does not go with an existing base."""
    if not mapping(raw, "base"):
        return
    if "base" in mapping(raw, "cohorts"):
        yield Fault("cohorts.base", "", "is what the existing customers are called", "rename the cohort")
    for one, row in mapping(raw, "correlations").items():
        for other in row if isinstance(row, dict) else ():
            if "frailty" in (one, other) and number(row[other]):
                rule = "frailty cannot be correlated where there is a base: of its customers it is known by survival alone"
                yield Fault(f"correlations.{one}.{other}", show(row[other]), rule, "leave it out")


def _sized(entry: dict[str, Any]) -> bool:
    """Return whether a cohort says how many arrive."""
    return bool(numbers(entry.get("customers"))) or number(entry.get("budget")) is not None


def _arrivals(entry: dict[str, Any]) -> float:
    """Return a cohort's customers, as sample.cohorts does."""
    growth = 1 + (number(entry.get("growth")) or 0.0)
    counts = numbers(entry.get("customers")) or (_bought(entry),)
    length = min(max(whole(entry.get("periods"), 1), 1), MAX_HORIZON)
    try:
        return total(math.floor(at(counts, k) * growth**k + 0.5) for k in range(length))
    except OverflowError:
        return math.inf


def _bought(entry: dict[str, Any]) -> float:
    response = mapping(entry, "response")
    ceiling, k, budget = (number(value) or 0.0 for value in (response.get("ceiling"), response.get("k"), entry.get("budget")))
    return ceiling * -math.expm1(-k * max(budget, 0.0))


def correlations(raw: Raw) -> Iterator[Fault]:
    """Require that correlations are between traits that vary, and possible together."""
    rho: dict[frozenset[str], float | None] = {}
    named: dict[frozenset[str], str] = {}
    found = []
    for one, row in mapping(raw, "correlations").items():
        for other, value in (row if isinstance(row, dict) else {}).items():
            where = f"correlations.{one}.{other}"
            pair = frozenset((one, other))
            fault = _pair(where, one, other, value, named.get(pair))
            found += [fault] if fault else []
            named.setdefault(pair, where)
            rho[pair] = number(value)
    yield from found
    values = [value for value in rho.values() if value is not None]
    if found or len(values) < len(rho):
        return
    yield from _constant(raw, sorted({trait for pair in rho for trait in pair}))
    if not _possible({tuple(sorted(map(TRAITS.index, pair))): value for pair, value in zip(rho, values, strict=True)}):
        yield Fault("correlations", "", "traits cannot be correlated so, all at once", "bring the numbers nearer to 0")


def credit(raw: Raw) -> Iterator[Fault]:
    """Require that credit is correlated with traits that vary, as is possible beside their own correlations."""
    given = mapping(raw, "credit", "correlations")
    found = [fault for trait, value in given.items() if (fault := _of_credit(raw, trait, value))]
    yield from found
    rho = {trait: number(value) or 0.0 for trait, value in given.items()}
    if found:
        return
    yield from _constant(raw, sorted(rho), "credit.correlations")
    rows = mapping(raw, "correlations")
    pairs = {(one, other): number(value) for one in rows for other, value in mapping(rows, one).items() if {one, other} <= {*TRAITS}}
    traits = {tuple(sorted(map(TRAITS.index, pair))): value or 0.0 for pair, value in pairs.items()}
    if _possible(traits) and not _possible(traits | {(TRAITS.index(trait), len(TRAITS)): value for trait, value in rho.items()}):
        yield Fault("credit.correlations", "", "credit cannot be correlated so, beside what traits are", "bring the numbers nearer to 0")


def _of_credit(raw: Raw, trait: str, value: Any) -> Fault | None:
    where = f"credit.correlations.{trait}"
    if trait not in TRAITS:
        return Fault(where, "", "no such trait", suggest(trait, TRAITS))
    if abs(number(value) or 0.0) >= 1:
        return Fault(where, show(value), "must be above -1 and below 1")
    if trait == "frailty" and mapping(raw, "base"):
        return Fault(where, show(value), "frailty is known by survival alone where there is a base", "leave it out")
    return None


def _possible(rho: dict[tuple[int, ...], float]) -> bool:
    """Return whether correlations make a positive definite matrix: by Cholesky's pivots, whose product is the determinant."""
    if not any(rho.values()):
        return True
    size, determinant = len(TRAITS) + 1, 1.0  # the last is credit
    factor = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i):
            inner = math.fsum(factor[i][k] * factor[j][k] for k in range(j))
            factor[i][j] = (rho.get((j, i), 0.0) - inner) / factor[j][j]
        pivot = 1.0 - math.fsum(value**2 for value in factor[i])
        determinant *= pivot
        if pivot <= 0 or determinant <= 1e-9:
            return False
        factor[i][i] = math.sqrt(pivot)
    return True


def _pair(where: str, one: str, other: str, value: Any, before: str | None) -> Fault | None:
    for name in (one, other):
        if name not in TRAITS:
            return Fault(where, show(name), "no such trait", suggest(name, TRAITS))
    if one == other:
        return Fault(where, show(value), "a trait is not correlated with itself", "leave it out")
    if before:
        return Fault(where, show(value), f"given twice, also as {before}", "give it once")
    rho = number(value)
    if rho is not None and abs(rho) >= 1:
        return Fault(where, show(value), "must be above -1 and below 1")
    return None


def _constant(raw: Raw, named: list[str], where: str = "correlations") -> Iterator[Fault]:
    views = ([segment_view(raw, key) for key in mapping(raw, "segments")] or [expand(dict(raw))]) if named else []
    for trait in named:
        if not any(_varies(view, trait) for view in views):
            yield Fault(where, show(trait), "only what differs between customers can be correlated", SPREAD_BY[trait])


SPREAD_BY = {
    "wallet": "give it a cv, or leave the correlation out",
    "rate": "give it a cv, or leave the correlation out",
    "frailty": "give frailty.variance",
    "influence": "give word_of_mouth.influence.cv",
    "knowledge": "give knowledge.cv",
    "satisfaction": "give satisfaction.spread",
}
"""How each trait is made to differ."""


def _varies(raw: Raw, trait: str) -> bool:
    """Return whether a trait differs between customers."""
    if trait in ("frailty", "knowledge", "satisfaction"):
        return bool(number(mapping(raw, trait).get(SPREAD_BY[trait].rpartition(".")[2])))
    if trait == "influence":
        return any(number(mapping(raw, "word_of_mouth", "influence").get(key)) for key in ("cv", "shape"))
    found = mapping(raw, "purchases")
    names = ("wallet", "order_value") if trait == "wallet" else ("rate", "probability")
    return any(number(mapping(found, name).get(key)) for name in names for key in ("cv", "shape", "a"))


EACH: tuple[Rule, ...] = (amounts, order_chance, order_settings, traits)
WHOLE: tuple[Rule, ...] = (base_settings, cohort_settings, correlations, credit, population, segment_changes, segment_shares)
