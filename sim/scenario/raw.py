"""Reading a mapping that may be wrong anywhere: what is malformed reads as nothing, so that every rule can speak for itself."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from sim.scenario.base import MAX_HORIZON, PERIODS_PER_YEAR, _chance, _mean, at

Raw = Mapping[str, Any]

MANY = 16
"""Choices that a suggestion lists at most."""


def mapping(raw: Any, *path: str) -> dict[str, Any]:
    """Return the mapping at a path, empty where there is none."""
    for key in path:
        raw = raw.get(key) if isinstance(raw, dict) else None
    return raw if isinstance(raw, dict) else {}


def number(value: Any) -> float | None:
    """Return a finite number, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def numbers(value: Any) -> tuple[float, ...]:
    """Return a number or list of numbers as a tuple, empty where anything in it is not one."""
    found = [number(item) for item in (value if isinstance(value, list | tuple) else [value])]
    return tuple(item for item in found if item is not None) if None not in found else ()


def whole(value: Any, default: int = 0) -> int:
    """Return a whole number, ``default`` for anything else."""
    found = number(value)
    return int(found) if found is not None and found.is_integer() else default


def stages(raw: Raw) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the stages that are mappings."""
    return ((key, stage) for key, stage in mapping(raw, "stages").items() if isinstance(stage, dict))


def edges(raw: Raw) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield stage, id and mapping of every edge that is one."""
    return ((stage, key, edge) for stage, body in stages(raw) for key, edge in mapping(body, "to").items() if isinstance(edge, dict))


def kind(raw: Raw, stage: Any) -> str:
    """Return the kind of a stage ("active" by default), "" where there is no such stage."""
    found = mapping(raw, "stages").get(stage) if isinstance(stage, str) else None
    return str(found.get("kind", "active")) if isinstance(found, dict) else ""


def target(key: str, edge: Mapping[str, Any]) -> str:
    """Return the stage an edge leads to: by default the one named like it."""
    found = edge.get("target")
    return found if isinstance(found, str) else key


def rate_period(raw: Raw, body: Mapping[str, Any]) -> str:
    """Return the period a rate is quoted for, by default the scenario's."""
    return str(body.get("rate_period") or raw.get("period"))


def periods(raw: Raw) -> int:
    """Return the horizon in periods; where it is no number ("inf" or malformed) the longest there is."""
    found = whole(raw.get("horizon"))
    return found if found >= 1 else MAX_HORIZON


def per_year(period: Any) -> int:
    """Return the periods in a year, 0 for an unknown period."""
    return PERIODS_PER_YEAR.get(period, 0) if isinstance(period, str) else 0


FORMS = {"wallet": _mean, "order_value": _mean, "rate": _mean, "influence": _mean, "probability": _chance}


def expand(raw: Raw, names: Iterable[str] = FORMS) -> dict[str, Any]:
    """Return the mapping with numbers that stand for the named traits and chances written out, as the models read them."""
    written = dict(raw)
    for part in ("purchases", "word_of_mouth"):
        found = mapping(raw, part)
        if found:
            written[part] = {**found, **{key: FORMS[key](found[key]) for key in names if key in found}}
    return written


def spreading(raw: Raw) -> Iterator[tuple[str, Any]]:
    """Yield place and entry of every trait that may be given by mean and cv, or by shape and rate."""
    yield from ((f"purchases.{name}", mapping(raw, "purchases").get(name)) for name in ("wallet", "order_value", "rate"))
    yield "word_of_mouth.influence", mapping(raw, "word_of_mouth").get("influence")


def season(raw: Raw, part: str, last: int) -> float:
    """Return the largest factor of hazards, orders or margin in calendar periods 0 … last, in any regime of the market."""
    regimes = mapping(raw, "market", "regimes").values()
    factors = [number(regime.get(part, 1.0)) or 0.0 for regime in regimes if isinstance(regime, dict)]
    return max(factors, default=1.0) * _season(raw, part, last)


def _season(raw: Raw, part: str, last: int) -> float:
    found = mapping(raw, "calendar", part)
    multiplier = numbers(found.get("multiplier")) or (1.0,)
    growth = max(number(found.get("growth_annual")) or 0.0, -0.999)
    year = per_year(raw.get("period")) or 1
    # Each value of the list is highest in the last year of growth, or in the first of decline.
    first = max(0, last + 1 - len(multiplier)) if growth > 0 else 0
    window = range(first, min(first + len(multiplier), last + 1))
    return max(multiplier[y % len(multiplier)] * math.exp(min(y / year * math.log1p(growth), 700.0)) for y in window)


def total(values: Iterable[float]) -> float:
    """Return an exactly rounded sum, infinite where it passes all numbers."""
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf


def by_age(values: Iterable[tuple[float, ...]], age: int) -> list[float]:
    """Return each list's value at a stage age; the last one holds on."""
    return [at(value, age) for value in values if value]


def suggest(word: Any, choices: Iterable[str]) -> str:
    """Return "did you mean …?", or the choices where none is near and they are few."""
    known = list(dict.fromkeys(choices))
    near = get_close_matches(str(word), known, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    return f"choose from {', '.join(known)}" if 0 < len(known) <= MANY else ""


def show(value: Any) -> str:
    """Return a value as its user would recognise it, on one short line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, str):
        text = f"'{text[1:-1]}'"
    return text if len(text) <= 60 else f"{text[:59]}…"
