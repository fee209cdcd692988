"""A user's own rule of whom to treat, and of who comes first: Python functions, compiled alone, checked before anything runs.

A function is given one argument with an array for each of these names, an entry a customer; it is called on groups of at most 2,048
customers of one segment and tenure, whom the policy may contact by all that is said of it elsewhere:

- tenure, period (int64): periods since arrival (of existing customers since calendar 0), and of the calendar;
- segment (int64): its place in the scenario, from 0;
- value (float64): so far, discounted to arrival, after acquisition, currency; orders (int64): so far, but of subscriptions;
- in_force (bool), since_contact (int64): of this policy, periods since its last contact, -1 without one;
- survey (float64): the answer, where the policy asks (``who.survey``) and ranks by a function, what is predicted or the survey, or has
  no limit;
- stage (int64): its place in the scenario, where the firm sees it (``stage_observed``) or the policy is an oracle;
- satisfaction, trust, level (float64): of an oracle, where the scenario has them.
"""

import contextlib
import dis
import hashlib
import inspect
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np

from sim.engine import Candidates, Judge
from sim.kernels.types import Array
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.policy import Policy
from sim.scenario.raw import show, suggest

ALWAYS = ("tenure", "period", "segment", "value", "in_force", "since_contact")
HIDDEN = {
    "orders": "a subscription has none; give purchases of another kind",
    "survey": "the policy's answers are not at hand; give who.survey, and rank by a function or the survey",
    "stage": "the firm cannot see it; set stage_observed: true, or the policy's oracle: true",
    **dict.fromkeys(("satisfaction", "trust", "level"), "only an oracle sees it, where the scenario has it; set the policy's oracle: true"),
}
SAMPLE = 199
"""Customers made up to check a function."""


@dataclass(frozen=True)
class Trigger:
    """Says who is contacted, of those whom a policy may: ``function(seen)`` returns a bool for each. Named in ``who.trigger``."""

    function: Callable[[Any], Any]
    kinds = ("b",)
    wanted = "an array of bool"


@dataclass(frozen=True)
class Score:
    """Says who comes first: ``function(seen)`` returns a float for each, the highest first. Named in ``rank.score``."""

    function: Callable[[Any], Any]
    kinds = ("f",)
    wanted = "an array of floats"


Functions = Mapping[str, Trigger | Score]


def named(scenario: Scenario) -> Iterator[tuple[str, Policy, str, str, type[Trigger] | type[Score]]]:
    """Yield what a scenario's policies ask of functions: policy id, policy, where, name, kind."""
    for key, policy in scenario.policies.items():
        if policy.who.trigger is not None:
            yield key, policy, f"policies.{key}.who.trigger", policy.who.trigger, Trigger
        if policy.rank.score is not None:
            yield key, policy, f"policies.{key}.rank.score", policy.rank.score, Score


def check(scenarios: Mapping[str, Scenario], functions: Functions) -> None:
    """Raise ScenarioError with every fault of the functions that scenarios, by name, ask for; see ``_faults``."""
    found, used = list[Fault](), set[str]()
    for scenario in scenarios.values():
        for _, policy, where, name, kind in named(scenario):
            used.add(name)
            given = functions.get(name)
            if given is None:
                hint = suggest(name, functions) if functions else f"it is given from Python: functions={{'{name}': sim.{kind.__name__}(…)}}"
                found.append(Fault(where, show(name), "no such function", hint))
            elif not isinstance(given, kind):
                found.append(Fault(where, show(name), f"must be a sim.{kind.__name__}, which this function is not"))
            else:
                found += _faults(name, given, visible(scenario, policy))
    found += [
        Fault(f"functions.{name}", "", "no policy names it", "name it in who.trigger or rank.score") for name in functions.keys() - used
    ]
    if found:
        raise ScenarioError(sorted(set(found)))


def visible(scenario: Scenario, policy: Policy) -> tuple[str, ...]:
    """Return the names of what a policy's functions are shown."""
    minds = (("satisfaction", scenario.satisfaction), ("trust", scenario.trust), ("level", scenario.level))
    more = ["orders"] if any(view.purchases.kind != "subscription" for view in scenario.by_segment.values()) else []
    more += ["survey"] if policy.answers else []
    more += ["stage"] if scenario.stage_observed or policy.oracle else []
    return (*ALWAYS, *more, *(name for name, there in minds if policy.oracle and there is not None))


def judge(given: Trigger | Score, names: tuple[str, ...], name: str, lowest: bool = False) -> Judge:
    """Return what asks a function, group by group, so that no result depends on how customers are put together."""
    compiled, kind, sign = _compiled(given.function, digest(given.function)), _seen(names), np.float32(-1 if lowest else 1)

    def judged(found: Candidates) -> Array:
        columns = [found.seen(column) for column in names]
        out = np.zeros(found.at.size, bool if isinstance(given, Trigger) else np.float32)
        edges = [0, *(np.flatnonzero(np.diff(found.group)) + 1).tolist(), found.at.size]
        for first, last in pairwise(edges):
            out[first:last] = compiled(kind(*(column[first:last] for column in columns))) if last > first else 0
        if not np.isfinite(out).all():
            rule = f"must be finite for every customer, which it is not at tenure {found.tenure}"
            raise ScenarioError([Fault(f"functions.{name}", f"{out[~np.isfinite(out)][0]:g}", rule)])
        return out if isinstance(given, Trigger) else sign * out

    return judged


def _faults(name: str, given: Trigger | Score, names: tuple[str, ...]) -> Iterator[Fault]:
    """Yield the first check that a function fails: it reads what it is shown alone, compiles, and does what ``_broken`` asks for."""
    where, function = f"functions.{name}", getattr(given.function, "py_func", given.function)
    if not inspect.isfunction(function):
        yield Fault(where, show(str(function)), "must be a Python function of one argument")
        return
    read = (step.argval for step in dis.get_instructions(function) if step.opname in ("LOAD_ATTR", "LOAD_METHOD"))
    hidden = next((column for column in read if column in HIDDEN and column not in names), None)
    if hidden is not None:
        rule, _, hint = HIDDEN[hidden].partition("; ")
        yield Fault(where, hidden, f"reads what it is not shown: {rule}", hint)
        return
    try:
        broken = _broken(given, names)
    except Exception as error:  # a user's function may raise anything
        yield Fault(where, _told(error), "cannot be compiled and called", "use what numba compiles, and no name that is not shown")
        return
    if broken:
        yield Fault(where, "", broken)


def _broken(given: Trigger | Score, names: tuple[str, ...]) -> str:
    """Return which check fails on customers made up, "" where none does."""
    compiled, kind = _compiled(given.function, digest(given.function)), _seen(names)
    before, columns = _made_up(names), _made_up(names)
    found = compiled(kind(*columns))
    if not isinstance(found, np.ndarray) or found.shape != (SAMPLE,) or found.dtype.kind not in given.kinds:
        told = f"{found.dtype} of shape {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
        return f"must return {given.wanted}, one for each customer, not {told}"
    found = found.copy()
    if not all(np.array_equal(one, other) for one, other in zip(before, columns, strict=True)):
        return "must not change what it is given"
    with np.errstate(over="ignore"):
        if not np.isfinite(found.astype(np.float32)).all():
            return "must be finite for every customer, those without orders and those who have just come too"
    if found.tobytes() != compiled(kind(*columns)).tobytes():
        return "must return the same when it is called again"
    half = compiled(kind(*(np.ascontiguousarray(column[1::2]) for column in columns)))
    if half.tobytes() != np.ascontiguousarray(found[1::2]).tobytes():
        return "must judge each customer by itself, whoever stands beside it"
    return ""


def _made_up(names: tuple[str, ...]) -> list[Array]:
    """Return columns of customers made up, the first of whom has just come."""
    i = np.arange(SAMPLE)
    every: dict[str, Array] = {
        "tenure": i % 120,
        "period": i % 120 + i // 120,
        "segment": np.zeros(SAMPLE, np.int64),
        "orders": i * i % 97,
        "value": np.where(i == 0, 0.0, (i * 37 % 101 - 30) * 12.34),
        "in_force": i % 3 == 1,
        "since_contact": np.where(i % 4 == 0, -1, i % 4 + i // 8),
        "survey": 0.5 + i * 13 % 41 * 0.125,
        "stage": np.zeros(SAMPLE, np.int64),
        **dict.fromkeys(("satisfaction", "trust", "level"), 1.0 + i * 17 % 33 * 0.125),
    }
    return [np.array(every[name]) for name in names]


@cache
def _seen(names: tuple[str, ...]) -> Any:
    """Return the type of what a function is given."""
    return namedtuple("Seen", names)


@cache
def _compiled(function: Callable[[Any], Any], digest: str) -> Any:
    """Return a function compiled by itself; digest: of what it is now, for what it takes from outside may have changed."""
    import numba

    return numba.njit(nogil=True, error_model="numpy")(getattr(function, "py_func", function))


def _told(error: Exception) -> str:
    """Return what is wrong, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("Failed in")]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:160]


def hashes(functions: Functions) -> dict[str, dict[str, str]]:
    """Return what a manifest says of functions: by name their kind and the SHA-256 of what they do."""
    return {name: {"kind": type(one).__name__.lower(), "sha256": digest(one.function)} for name, one in sorted(functions.items())}


def digest(function: Callable[..., Any]) -> str:
    """Return the SHA-256 of a function's source (of a lambda its bytecode too), and of what it takes from outside."""
    whole = hashlib.sha256()
    _add(whole.update, function, set())
    return whole.hexdigest()


def _add(update: Callable[[bytes], None], value: Any, seen: set[int]) -> None:
    value = getattr(value, "py_func", value)
    if not inspect.isfunction(value):
        update(
            value.__name__.encode()
            if isinstance(value, ModuleType)
            else repr((value.dtype, value.shape)).encode() + value.tobytes()
            if isinstance(value, np.ndarray)
            else repr(value).encode()
        )
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    with contextlib.suppress(OSError):
        update(inspect.cleandoc(inspect.getsource(value)).encode())
    if value.__name__ == "<lambda>":  # of which a line may hold several
        update(value.__code__.co_code + repr((value.__code__.co_consts, value.__code__.co_names)).encode())
    outside = inspect.getclosurevars(value)
    for name, found in sorted({**outside.globals, **outside.nonlocals}.items()):
        update(name.encode())
        _add(update, found, seen)
    update(repr(value.__defaults__).encode())
