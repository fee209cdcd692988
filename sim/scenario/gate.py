"""The one gate for bad input: from a raw mapping to a Scenario, or to every fault in it at once."""

import re
import types
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from sim.scenario.base import MAX_HORIZON
from sim.scenario.checks import faults as cross_faults
from sim.scenario.checks import whole_faults
from sim.scenario.checks_customers import MAX_CUSTOMERS, segment_view
from sim.scenario.customers import HELD, Acquisition, Base, Frailty
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.memory import Memory, asking
from sim.scenario.model import Scenario
from sim.scenario.raw import mapping, show, suggest
from sim.scenario.sample import cells, cohorts
from sim.scenario.world import Firm, Run, Timing

MOST_KEPT, KEPT_BYTES = 50_000_000, 260
"""Customers of whom a row may be kept, over all replicates, and bytes that each takes in memory until it is written."""

QUOTE = "YAML reads unquoted no, off, yes and on as false and true; put text in quotes"

PARTS: dict[str, type[BaseModel]] = {"firm": Firm, "run": Run, "timing": Timing, "acquisition": Acquisition, "frailty": Frailty}
"""Parts whose keys are looked for when they stand at the top: ``seed=3`` for ``run.seed=3``."""

RULES = {
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping of keys to values",
    "extra_forbidden": "unknown key",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_type": "must be a whole number",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be one of {expected}",
    "missing": "must be given",
    "model_attributes_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "string_pattern_mismatch": "must be lower-case letters a to z, digits, _ and -, and start with a letter",
    "string_too_long": "must have at most {max_length} characters",
    "string_type": "must be text",
    "too_long": "must have at most {max_length} entries",
    "too_short": "must not be empty",
    "tuple_type": "must be a list",
    "union_tag_invalid": "must be one of {expected_tags}",
    "union_tag_not_found": "must be given: one of subscription, bernoulli, poisson",
}
"""A rule in plain words for each of pydantic's error types that these models can raise."""


def read(raw: Mapping[str, Any], name: str = "scenario", table: bytes | None = None) -> Scenario:
    """Return the Scenario that a mapping describes, or raise ScenarioError with every fault in it.

    raw: as it comes from YAML: mappings, lists, numbers, text; name: for a mapping that has none; table: of the firm's existing customers,
    a Parquet file's content, in place of what the mapping says under ``base``.
    """
    body, found = plain(raw)
    if table is not None:
        body["base"] = {"file": HELD}
    body.setdefault("name", name)
    told = {fault.where for fault in found}
    scenario, wrong = _model_faults(body)
    found += [fault for fault in wrong if fault.where not in told]
    found += whole_faults(body)
    found += _view_faults(body, found)
    if scenario is None or found:
        raise ScenarioError(sorted(found))
    if table is not None:
        scenario = scenario.model_copy(update={"base": Base.holding(table)})
    if scenario.base is not None and scenario.existing is None:  # the table is read here, and may be refused
        raise AssertionError(scenario.base)
    unfit = _unfit(scenario)
    if unfit:
        raise ScenarioError(unfit)
    return scenario


def sound(raw: dict[str, Any], scenario: Scenario, memory: Memory | None) -> bool:
    """Return whether ``read`` would accept a mapping whose models are sound and make this scenario, which has no table.

    memory: of the rules between values, for many mappings that are alike. Raises ValidationError where the models refuse what a segment
    says of its own.
    """
    if not scenario.by_segment:  # these are made here, so that the models can speak
        return False
    views = {"": raw} | {key: segment_view(raw, key) for key in _told_apart(raw)}
    return (
        not whole_faults(raw, asking(memory, "whole", raw))
        and not any(cross_faults(view, asking(memory, ("view", key), view)) for key, view in views.items())
        and not _unfit(scenario)
    )


def plain(value: Any, path: tuple[str, ...] = ()) -> tuple[Any, list[Fault]]:
    """Return a copy in dicts and lists without keys and values that no model could have, and a fault for each of these."""
    found: list[Fault] = []
    if isinstance(value, Mapping):
        kept = {}
        for key, item in value.items():
            fault = _bad_entry(key, item, path)
            if fault:
                found.append(fault)
                continue
            kept[key], inside = plain(item, (*path, key))
            found += inside
        return kept, found
    if isinstance(value, list | tuple):
        return list(value), found
    return value, found


_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""What no file of XML or UTF-8 can hold, such as a figure or a summary."""


def _bad_entry(key: Any, item: Any, path: tuple[str, ...]) -> Fault | None:
    where = ".".join((*path, key if isinstance(key, str) else show(key)))
    if not isinstance(key, str):
        return Fault(where, show(key), "a key must be text", QUOTE if isinstance(key, bool) else "put it in quotes")
    if re.fullmatch(r"_\w*_", key):
        return Fault(where, show(item), f"{key} means nothing here: clvsim never instantiates anything", "take it out")
    if _UNPRINTABLE.search(key) or (isinstance(item, str) and _UNPRINTABLE.search(item)):
        told = show(where) if _UNPRINTABLE.search(key) else where
        return Fault(told, show(item), "must hold no control characters and no halves of a character", "take them out")
    if item == "???":
        return Fault(where, "", "must be given (??? stands for a missing value)")
    return None


def _model_faults(raw: dict[str, Any]) -> tuple[Scenario | None, list[Fault]]:
    """Return the Scenario, or None and what its models refuse."""
    try:
        return Scenario.model_validate(raw), []
    except ValidationError as error:
        found = {fault: None for one in error.errors(include_url=False) for fault in [_fault(raw, one)]}
        return None, list(found)


def _fault(raw: dict[str, Any], error: Any) -> Fault:
    """Return one of pydantic's errors in the user's terms."""
    loc, kind, value = error["loc"], error["type"], error["input"]
    where = ".".join(_place(raw, loc))
    if loc[0] == "horizon":  # both branches of the union complain
        found = "" if kind == "missing" else show(value)
        return Fault(where, found, f"must be a whole number of periods from 1 to {MAX_HORIZON:,}, or inf")
    context = {key: _worded(item) for key, item in error.get("ctx", {}).items()}
    rule = RULES[kind].format(**context) if kind in RULES else error["msg"]
    if kind == "missing" or kind == "union_tag_not_found":
        return Fault(where if kind == "missing" else f"{where}.kind", "", rule)
    if kind == "union_tag_invalid":
        return Fault(f"{where}.kind", show(context["tag"]), rule, _near(context["tag"], context["expected_tags"]))
    return Fault(where, show(value), rule, _suggestion(kind, loc, value, context))


def _worded(item: Any) -> str:
    if isinstance(item, int | float):
        return f"{item:,}" if isinstance(item, int) else f"{item:,.0f}" if abs(item) >= 1e5 else f"{item:g}"
    return str(item).replace("'", "").replace(" or ", ", ")


def _near(value: Any, choices: str) -> str:
    """Return "did you mean …?" for text near one of the choices that the rule lists already."""
    found = suggest(value, choices.split(", "))
    return found if found.startswith("did") else ""


def _suggestion(kind: str, loc: tuple[Any, ...], value: Any, context: dict[str, str]) -> str:
    if kind == "extra_forbidden":
        return _near_key(loc)
    if isinstance(value, bool) and kind != "bool_type":
        return QUOTE
    if kind == "literal_error" and isinstance(value, str):
        return _near(value, context["expected"])
    if kind == "string_pattern_mismatch":
        return "names in any language go into label"
    if kind in ("float_type", "int_type") and isinstance(value, str) and re.fullmatch(r"\s*[-+]?[\d.]+(e[-+]?\d+)?\s*", value):
        return "write it without quotes"
    return ""


def _near_key(loc: tuple[Any, ...]) -> str:
    """Return the key that an unknown one is near to, in its own model or, at the top, in one of the parts."""
    key, model = str(loc[-1]), _model_at(loc[:-1])
    own = suggest(key, model.model_fields if model else ())
    inside = {field: f"{part}." for part, group in PARTS.items() for field in group.model_fields}
    if model is Scenario and (key in inside or not own.startswith("did")):
        near = get_close_matches(key, inside, n=1)
        return f"did you mean {inside[near[0]]}{near[0]}?" if near else ""
    return own


def _model_at(loc: Sequence[Any]) -> type[BaseModel] | None:
    """Return the model that pydantic was filling at a place (union tags are steps of their own)."""
    here: list[Any] = [Scenario]
    for step in loc:
        models = _models(here)
        if len(models) > 1:
            here = [model for model in models if step in get_args(model.model_fields["kind"].annotation)]
        elif models:
            here = _leaves(models[0].model_fields[step].annotation)
        else:
            here = [leaf for kind in here if get_origin(kind) is dict for leaf in _leaves(get_args(kind)[1])]
    models = _models(here)
    return models[0] if len(models) == 1 else None


def _models(kinds: Sequence[Any]) -> list[type[BaseModel]]:
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _leaves(annotation: Any) -> list[Any]:
    """Return the types of an annotation without Annotated and unions."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _leaves(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [leaf for part in get_args(annotation) for leaf in _leaves(part)]
    return [] if origin is Literal else [annotation]


def _place(raw: Any, loc: Sequence[Any]) -> list[str]:
    """Return a path as the user wrote it: no union tags, no index or key into a plain value."""
    place: list[str] = []
    for index, step in enumerate(loc):
        if isinstance(raw, list | tuple) and isinstance(step, int):
            raw = raw[step] if step < len(raw) else None
        elif isinstance(raw, dict) and step in raw:
            raw = raw[step]
        elif not isinstance(raw, dict) or index < len(loc) - 1 or step == "[key]":
            continue
        place.append(str(step))
    return place


def _told_apart(raw: dict[str, Any]) -> list[str]:
    """Return the segments that say something of their own."""
    return [key for key in mapping(raw, "segments") if mapping(raw, "segments", key)]


def _view_faults(raw: dict[str, Any], before: list[Fault]) -> list[Fault]:
    """Return what is wrong in the scenario as its segments see it; what all see is said once, at its own place."""
    base, segments = cross_faults(raw), _told_apart(raw)
    if not segments:
        return base
    views = {key: segment_view(raw, key) for key in segments}
    seen = {key: {*_model_faults(view)[1], *cross_faults(view)} for key, view in views.items()}
    shared = [fault for fault in base if all(fault in found for found in seen.values())]
    told = {*before, *shared}
    own = (
        Fault(f"segments.{key}.{fault.where}", fault.value, fault.rule, fault.suggestion)
        for key, found in seen.items()
        for fault in found
        if fault not in told
    )
    return shared + [fault for fault in own if fault not in told]


def _unfit(scenario: Scenario) -> list[Fault]:
    """Return what is wrong with the number of customers of a scenario whose values are sound."""
    return _crowd(scenario) or too_many_kept(scenario) or _unseen(scenario)


def too_many_kept(scenario: Scenario, arms: int = 1) -> list[Fault]:
    """Return a fault where more customers are to be kept, each once an arm, than fit into memory."""
    if not scenario.run.keep_customers:
        return []
    rows = sum(cell.sampled for cell in cells(scenario)) * scenario.run.replicates * arms
    if rows <= MOST_KEPT:
        return []
    each = "of each customer" if arms == 1 else "of each customer in each arm"
    rule = f"keeps a row {each}, {MOST_KEPT:,} at most; these are {rows:,}, some {rows * KEPT_BYTES / 1e9:,.0f} GB of memory"
    return [Fault("run.keep_customers", "true", rule, "give fewer run.customers, or leave it out")]


def _crowd(scenario: Scenario) -> list[Fault]:
    """Return a fault where drivers of equity bring nobody, or more customers than can be told apart."""
    customers = sum(cohort.customers for cohort in cohorts(scenario))
    if not scenario.drivers or not scenario.cohorts or 0 < customers <= MAX_CUSTOMERS:
        return []
    rule = f"with these arrivals are scaled to {customers:,} customers in all; must be 1 to {MAX_CUSTOMERS:,}"
    return [Fault("drivers.acquisition", "", rule, "make the coefficients smaller")]


def _unseen(scenario: Scenario) -> list[Fault]:
    """Return a fault where a segment of a cohort has customers and none of them is simulated."""
    alone = next((cohort for cohort in cohorts(scenario) if cohort.won and not cohort.planned), None)
    if alone is not None:
        rule = f"wins customers in period {alone.arrival}, where none are planned and so none are simulated who could stand for them"
        return [Fault(f"policies.{alone.won[0][0]}.when", "", rule, "plan some customers there, or leave the period out")]
    missing = list(_missing(scenario))
    if not missing:
        return []
    customers = sum(cell.sampled for cell in cells(scenario) if not cell.base)
    enough = customers
    while enough < 10**12 and any(_missing(_with_customers(scenario, enough))):
        enough = min(2 * enough, 10**12)
    rule = f"too few to simulate anybody of {', '.join(dict.fromkeys(missing))}"
    return [Fault("run.customers", str(customers), rule, f"give {enough:,} or more".replace(",", "_"))]


def _missing(scenario: Scenario) -> Iterator[str]:
    """Yield the segments (or cohorts) whose customers are not in the sample."""
    for cell in cells(scenario):
        if cell.firm > 0 and cell.sampled == 0:
            yield f"segment {cell.segment}" if scenario.segments else f"the cohort of period {cell.arrival}"


def _with_customers(scenario: Scenario, customers: int) -> Scenario:
    return scenario.model_copy(update={"run": scenario.run.model_copy(update={"customers": customers})})
