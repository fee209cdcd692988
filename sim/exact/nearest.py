"""The nearest solvable case: a scenario without the features that prevent an exact answer, its customers and their luck the same."""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from sim.exact import exact
from sim.exact.result import Exact
from sim.scenario.model import Scenario

MINDS = ("satisfaction", "trust", "competition", "switching_cost")
"""What is of no use once nothing depends on it."""


def nearest(scenario: Scenario) -> tuple[Scenario, tuple[str, ...], Exact]:
    """Return the nearest solvable case, the features taken out of it, in the order in which they stood in the way, and its exact answer.

    Coefficients of minds are taken for 0, so that the base rates hold; a market stays as it would without regimes; policies go all at
    once, but those that win customers; a trait that is one too many, or a chance that would be cut at 1, gives way to its mean. The answer
    has a ``reason`` where none of this helps.
    """
    raw, taken, case, answer = scenario.model_dump(exclude_unset=True), list[str](), scenario, exact(scenario)
    while answer.reason is not None:
        reason = re.sub(r"^segments\.[^.:]+: ", "", answer.reason)
        way = next((remove(raw, *found.groups()) for rule, remove in RULES.items() if (found := re.match(rule, reason))), None)
        if way is None:
            break
        taken.append(way)
        case = Scenario.model_validate(_calm(raw))
        answer = exact(case)
    return case, tuple(taken), answer


def _views(raw: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the scenario's mapping, and what each segment lays over it."""
    yield raw
    yield from raw.get("segments", {}).values()


def _calm(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the mapping without minds if nothing depends on them any more."""
    effects = [edge.get("effects") or {} for view in _views(raw) for stage in _of(view, "stages") for edge in _of(stage, "to")]
    if raw.get("word_of_mouth") or any(effect.get(name) for effect in effects for name in ("loyalty", "trust", "switching_cost")):
        return raw
    for view in _views(raw):
        for name in MINDS:
            view.pop(name, None)
        (view.get("transaction") or {}).pop("trust_above", None)
    return raw


def _of(view: dict[str, Any], part: str) -> list[dict[str, Any]]:
    return list((view.get(part) or {}).values())


def _effect(raw: dict[str, Any], name: str) -> str:
    for view in _views(raw):
        for stage in _of(view, "stages"):
            for edge in _of(stage, "to"):
                (edge.get("effects") or {}).pop(name, None)
    return f"effects.{name}"


def _part(raw: dict[str, Any], name: str) -> str | None:
    """Give up a mechanism that is off where it is not given; None for anything else."""
    if name not in Scenario.model_fields or name == "base" or Scenario.model_fields[name].default is not None:
        return None
    for view in _views(raw):
        view.pop(name, None)
    return name


def _policies(raw: dict[str, Any]) -> str:
    raw["policies"] = {key: policy for key, policy in raw["policies"].items() if policy.get("acquire")}
    return "policies"


def _threshold(raw: dict[str, Any]) -> str:
    for view in _views(raw):
        (view.get("transaction") or {}).pop("trust_above", None)
    return "transaction.trust_above"


def _correlation(raw: dict[str, Any], one: str, other: str) -> str:
    raw["correlations"][one].pop(other)
    return f"correlations.{one}.{other}"


def _trait(raw: dict[str, Any], listed: str) -> str | None:
    """Give up frailty, or else the last of the drawn probabilities; None where segments may draw it otherwise."""
    if raw.get("segments"):
        return None
    if "frailty" in listed:
        raw.pop("frailty")
        return "frailty"
    where = listed.rsplit(", ", 1)[-1]
    _, stage, _, name, _ = where.split(".")
    edge = raw["stages"][stage]["to"][name]
    law = edge.pop("beta")
    edge["hazard"] = -math.log1p(-law["a"] / (law["a"] + law["b"]))
    return where


def _chance(raw: dict[str, Any]) -> str | None:
    """Give everybody the mean chance of ordering; None where segments may order otherwise."""
    if any(view.get("purchases") for view in _of(raw, "segments")):
        return None
    law = raw["purchases"]["probability"]
    raw["purchases"]["probability"] = {"value": law["a"] / (law["a"] + law["b"])}
    return "purchases.probability"


RULES: dict[str, Callable[..., str | None]] = {
    r"stages\.\S+\.effects\.(\w+):": _effect,
    r"policies\.": _policies,
    r"transaction\.trust_above:": _threshold,
    r"correlations\.(\w+)\.(\w+):": _correlation,
    r"more than two traits mixed: (.*)": _trait,
    r"orders:": _chance,
    r"(\w+):": _part,
}
"""What takes a feature out of a scenario's mapping, by what ``sim.exact.reasons`` says of it; each returns what it took out."""
