"""What is remembered of values that are alike is what would be said if it were asked again."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import sim
from sim.compile import compile_tables
from sim.config import policy
from sim.scenario import Scenario, ScenarioError, read
from sim.scenario.checks import faults, whole_faults
from sim.scenario.customers import OVERRIDABLE
from sim.scenario.memory import Memory, Reads, ask, changed, watched
from sim.scenario.model import overlay, with_kind
from sim.scenario.overlaid import overlaid
from sim.scenario.policy import Policy
from tests import zoo

pytestmark = pytest.mark.jit  # no kernel is run here: once is enough

VALUES: tuple[Any, ...] = (-1, 0, 0.5, 2, 1e9, None, "x", [], [0.5, 2.0], {}, {"mean": 3}, True)

NAMES = ["lifecycle", "adoption", "publisher_cohorts", "bgbb", "treated", *zoo.ZOO]


TREATED = ("win_back", "gifts", "loyalty_programme", "price_cut", "culling")


def named(name: str) -> Scenario:
    if name == "treated":
        lifecycle = sim.load("lifecycle")
        return lifecycle.model_copy(update={"policies": {one: Policy.model_validate(policy(one)) for one in TREATED}})
    return zoo.scenario(name) if name in zoo.ZOO else sim.load(name)


def places(raw: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return every path into a mapping."""
    if not isinstance(raw, dict):
        return [path]
    return [place for key, value in raw.items() for place in [(*path, key), *places(value, (*path, key))]]


def put(raw: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    return {**raw, path[0]: put(raw[path[0]], path[1:], value)}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_remembered_is_what_would_be_said(name: str) -> None:
    raw = named(name).model_dump(mode="json", exclude_unset=True)
    memory, picked = Memory(), random.Random(5)
    every = places(raw)
    said = 0
    for k in range(150):
        one = raw
        for _ in range(picked.choice((0, 1, 1, 2)) if k else 0):
            path = picked.choice(every)
            try:
                one = put(one, path, picked.choice(VALUES))
            except (KeyError, TypeError):
                continue
        for judged in (faults, whole_faults):
            found = told(judged, one, ask)
            assert told(judged, one, memory.about(judged, one)) == found
            said += len(found)
    assert said > 0


def told(judged: Any, raw: Any, how: Any) -> list[Any]:
    try:
        return list(judged(raw, how))
    except Exception as error:  # what the models refuse may stop a rule: in both alike
        return [type(error)]


def alike(scenario: Scenario, seed: int, many: int) -> Iterator[Scenario]:
    """Yield a scenario and some that differ from it in one or two numbers, each the one that the gate reads."""
    raw, picked = scenario.model_dump(mode="json", exclude_unset=True), random.Random(seed)
    every = [path for path in places(raw) if path[0] != "run" and numeric(at(raw, path))]
    yield scenario
    while many > 0:
        change: dict[str, Any] = {}
        for _ in range(picked.choice((1, 2))):
            path = picked.choice(every)
            change = merged(change, path, scaled(at(raw, path), picked.choice((0.9, 1.1, 0.0))))
        many -= 1
        try:
            theirs = read(overlay(raw, change))
        except ScenarioError:
            continue
        one = overlaid(scenario, change)
        assert one == theirs
        base = with_kind(one.model_dump(exclude={"segments", "base"}, exclude_unset=True))
        for key, segment in one.segments.items():
            view = Scenario.model_validate(overlay(base, {part: body for part in OVERRIDABLE if (body := getattr(segment, part))}))
            assert one.by_segment[key] == view or one.service is not None or one.policies
        yield one


def at(raw: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        raw = raw[key]
    return raw


def merged(change: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    below = change.get(path[0], {}) if len(path) > 1 else None
    return {**change, path[0]: value if below is None else merged(below, path[1:], value)}


def numeric(value: Any) -> bool:
    listed = value if isinstance(value, list | tuple) else [value]
    return bool(listed) and all(isinstance(one, float) for one in listed)


def scaled(value: Any, factor: float) -> Any:
    return tuple(one * factor for one in value) if isinstance(value, list | tuple) else value * factor


def accepted(name: str) -> bool:
    scenario = named(name)
    try:
        return scenario.horizon != "inf" and bool(read(scenario.model_dump(mode="json", exclude_unset=True)))
    except ScenarioError:
        return False


@pytest.mark.parametrize("name", [name for name in NAMES if accepted(name)])
def test_tables_by_memory_are_those_of_each_scenario(name: str) -> None:
    memory, compiled = Memory(), 0
    for one in alike(named(name), 7, 25):
        try:
            alone = compile_tables(one)
        except ScenarioError:
            continue
        found = compile_tables(one, memory=memory)
        for field, mine, theirs in zip(alone._fields, alone, found, strict=True):
            assert mine.dtype == theirs.dtype, field
            np.testing.assert_array_equal(mine, theirs, err_msg=field)
        compiled += 1
    assert compiled > 5


def test_cases_side_by_side_are_remembered_apart() -> None:
    scenario, memory = sim.load("publisher"), Memory()
    compile_tables(scenario, memory=memory)
    for rate in (0.05, 0.1, 0.15):
        one = scenario.model_copy(update={"discount_rate_annual": rate})
        other = one.model_copy(update={"stages": {**one.stages, **{key: overlaid(one.stages[key], {"margin": 0.3}) for key in one.stages}}})
        for mine, theirs in zip(compile_tables(one, other), compile_tables(one, other, memory=memory), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_the_order_of_policies_is_one_of_the_things_that_change() -> None:
    """It is that of the sets of policies for which hazards are laid out."""
    scenario, memory = named("lifecycle"), Memory()
    bodies = {one: Policy.model_validate(policy(one)) for one in ("proactive_service", "win_back", "accountable")}
    for order in (list(bodies), list(reversed(bodies))):
        one = scenario.model_copy(update={"policies": {key: bodies[key] for key in order}})
        for mine, theirs in zip(compile_tables(one), compile_tables(one, memory=memory), strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_a_change_laid_over_a_model_is_one_of_its_mapping(name: str) -> None:
    scenario = named(name)
    for one in alike(scenario, 3, 20):
        assert one.timing is scenario.timing
        paths = list(changed(scenario, one))
        assert len({path[0] for path in paths}) <= 2
        assert {path[0] for path in paths} == {key for key in Scenario.model_fields if getattr(one, key) != getattr(scenario, key)}


def test_a_question_is_put_again_only_where_something_it_read_has_changed() -> None:
    asked = []

    def narrow(raw: Any) -> Any:
        asked.append(1)
        assert "c" in raw["a"]
        assert len(raw["a"]["d"]) == 1
        assert raw["a"].get("b")
        return raw["a"]["b"]

    first = {"a": {"b": 1, "c": 2, "d": {"x": 1}}, "e": 5}
    memory = Memory()

    def times(value: Any, *rest: Any) -> tuple[int, Any]:
        asked.clear()
        answer = memory.about("", value)(narrow, value, *rest)
        return len(asked), answer

    assert times(first) == (1, 1)
    assert times(put(first, ("a", "c"), 9)) == (0, 1)
    assert times(put(first, ("e",), {"f": 1})) == (0, 1)
    assert times(put(first, ("a", "d", "x"), 9)) == (0, 1)
    assert times(put(first, ("a", "b"), 9)) == (1, 9)
    assert times(put(first, ("a", "b"), True)) == (1, True)
    assert times({**first, "a": {**first["a"], "new": 1}}) == (1, 1)  # type: ignore[dict-item]
    assert times({**first, "g": 1}) == (1, 1)
    assert times({"a": {"d": {"x": 1}, "c": 2, "b": 1}, "e": 5}) == (1, 1)  # another order
    assert times(first) == (0, 1)


@pytest.mark.parametrize(
    "reading",
    [
        lambda raw: {**raw["a"]}["b"]["c"],
        lambda raw: dict(raw["a"].items())["b"]["c"],
        lambda raw: next(one["c"] for one in raw["a"].values()),
        lambda raw: (raw["a"] | {})["b"]["c"],
        lambda raw: ({} | raw["a"])["b"]["c"],
        lambda raw: raw["a"].copy()["b"]["c"],
        lambda raw: raw["a"] == {"b": {"c": 1}},
    ],
)
def test_a_copy_is_watched_too(reading: Any) -> None:
    reads = Reads()
    reading(watched({"a": {"b": {"c": 1}}}, reads))
    assert reads.touched(("a", "b", "c"))
    assert not reads.touched(("z",))


def test_a_model_is_watched_through_its_own_methods_and_copies() -> None:
    scenario = sim.load("lifecycle")

    def touched(reading: Any, *path: str) -> bool:
        reads = Reads()
        assert reading(watched(scenario, reads)) == reading(scenario)
        return reads.touched(path)

    assert touched(lambda one: one.discount_factor, "discount_rate_annual")
    assert not touched(lambda one: one.discount_factor, "horizon")
    key = next(iter(scenario.stages))
    assert touched(lambda one: one.stages[key].prices, "stages", key, "price")
    assert not touched(lambda one: one.stages[key].prices, "stages", key, "margin")
    assert touched(lambda one: one.stages[key].model_copy().margin, "stages", key, "margin")
    assert touched(lambda one: one.stages[key] == 5, "stages", key, "margin")
    assert isinstance(watched(scenario, Reads()), Scenario)
