"""A rule that is remembered says what it would say if it were asked."""

import random
from typing import Any

import pytest

import sim
from sim.scenario.checks import faults, whole_faults
from sim.scenario.memory import Memory, ask
from tests import zoo

VALUES: tuple[Any, ...] = (-1, 0, 0.5, 2, 1e9, None, "x", [], [0.5, 2.0], {}, {"mean": 3}, True)


def places(raw: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return every path into a mapping."""
    if not isinstance(raw, dict):
        return [path]
    return [place for key, value in raw.items() for place in [(*path, key), *places(value, (*path, key))]]


def changed(raw: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    return {**raw, path[0]: changed(raw[path[0]], path[1:], value)}


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("name", ["lifecycle", "adoption", "publisher_cohorts", "bgbb", *zoo.ZOO])
def test_what_is_remembered_is_what_would_be_said(name: str) -> None:
    scenario = zoo.scenario(name) if name in zoo.ZOO else sim.load(name)
    raw = plain(scenario.model_dump(exclude_unset=True))
    memory, picked = Memory(), random.Random(5)
    every = places(raw)
    said = 0
    for _ in range(60):
        one = raw
        for _ in range(picked.choice((0, 1, 1, 2))):
            path = picked.choice(every)
            try:
                one = changed(one, path, picked.choice(VALUES))
            except (KeyError, TypeError):
                continue
        for judged in (faults, whole_faults):
            found = told(judged, one, ask)
            assert told(judged, one, memory) == found
            said += len(found)
    assert said > 0


def told(judged: Any, raw: Any, how: Any) -> list[Any]:
    try:
        return list(judged(raw, how))
    except Exception as error:  # what the models refuse may stop a rule: in both alike
        return [type(error)]


def test_a_mapping_gone_through_as_a_whole_is_not_remembered() -> None:
    asked = []

    def rule(raw: Any) -> Any:
        asked.append(1)
        yield from {**raw}.keys() & set()

    memory = Memory()
    for _ in range(3):
        assert memory(rule, {"a": 1}) == []
    assert len(asked) == 3

    def narrow(raw: Any) -> Any:
        asked.append(1)
        assert raw.get("a")
        yield from ()

    for value in (1, 1, 2, 1):
        memory(narrow, {"a": value, "b": random.random()})
    assert len(asked) == 3 + 2
