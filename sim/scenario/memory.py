"""Functions put to many values that are alike: an answer is given again where nothing that it was made from has changed.

A function of a value is watched as it reads the first of them, a mapping or a model of the scenario. Of another value, it is asked
again only where that differs from the first in something that it has read, as otherwise it would go the same way to the same answer.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from types import FunctionType, MethodType
from typing import Any

from pydantic import BaseModel

Path = tuple[str, ...]

Function = Callable[..., Any]

Ask = Callable[..., Any]
"""Puts a function to a value, and to what else it takes: by calling it, or by remembering what it said (``Memory``)."""


def ask(function: Function, value: Any, *rest: Any) -> Any:
    """Call a function."""
    return function(value, *rest)


WORTH = 4
"""Values from which remembering pays: to watch a function takes as long as to ask it a few times."""


def memory_of(values: int) -> "Memory | None":
    """Return a memory for so many values that are alike, None where they are too few."""
    return Memory() if values >= WORTH else None


def asking(memory: "Memory | None", part: Hashable, value: Any) -> Ask:
    """Return what puts functions to a value, by memory where there is one."""
    return ask if memory is None else memory.about(part, value)


@dataclass
class Reads:
    """What was read of a value: below it by key; all of it where ``whole``."""

    below: dict[str, "Reads"] = field(default_factory=dict)
    whole: bool = False

    def at(self, key: str) -> "Reads":
        """Note that a key is read."""
        return self.below.setdefault(key, Reads())

    def touched(self, path: Path) -> bool:
        """Return whether what lies at a path, or something above or below it, was read."""
        here = self
        for key in path:
            if here.whole:
                return True
            if key not in here.below:
                return False
            here = here.below[key]
        return True


def changed(before: Any, now: Any, path: Path = ()) -> Iterator[Path]:
    """Yield where two mappings, or models, differ; where their keys or the order of these do, the path of the mapping."""
    keys: Iterable[str] = ()
    if type(before) is not type(now):
        yield path
    elif isinstance(before, BaseModel) and not before.__private_attributes__:
        keys, before, now = type(before).model_fields, before.__dict__, now.__dict__
    elif isinstance(before, dict) and list(before) == list(now):
        keys = before
    elif isinstance(before, dict) or before != now or (isinstance(before, float | tuple) and repr(before) != repr(now)):  # as -0.0 from 0.0
        yield path
    for key in keys:
        one, other = before[key], now[key]
        if one is not other:
            yield from changed(one, other, (*path, key))


def _told(answer: Any) -> Any:
    return list(answer) if isinstance(answer, Iterator) else answer


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are alike; of arrays, and of mappings that may hold some, whether they are the very same."""
    return one is other or (type(one) is type(other) and not isinstance(one, dict) and not hasattr(one, "dtype") and bool(one == other))


@dataclass
class _Said:
    """What a function said of the first value, with what it read of it and what else it took; touched: by changes of these paths."""

    reads: Reads
    rest: tuple[Any, ...]
    answer: Any
    touched: dict[tuple[Path, ...], bool] = field(default_factory=dict)


class Memory:
    """What functions have said of values that are alike, by the part that is asked about, such as a segment.

    made: for those who ask to keep what they make of the answers.
    """

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}
        self.first: dict[Hashable, Any] = {}
        self.said: dict[Hashable, dict[Function, _Said]] = {}

    def about(self, part: Hashable, value: Any) -> Ask:
        """Return what puts functions to a value; the first one that is given for a part is remembered."""
        paths = tuple(changed(self.first.setdefault(part, value), value))
        said = self.said.setdefault(part, {})

        def remembering(function: Function, value: Any, *rest: Any) -> Any:
            held = said.get(function)
            if held is None:
                if paths:
                    return _told(function(value, *rest))
                reads = Reads()
                said[function] = held = _Said(reads, rest, _told(function(watched(value, reads), *rest)))
                return held.answer
            touched = held.touched.get(paths)
            if touched is None:
                touched = held.touched[paths] = any(map(held.reads.touched, paths))
            if not touched and all(map(_same, held.rest, rest)):
                return held.answer
            again = _told(function(value, *rest))
            return held.answer if _same(held.answer, again) else again

        return remembering


def watched(value: Any, reads: Reads) -> Any:
    """Return a value whose reading is noted: a mapping or a model; of anything else it is enough that it was come to."""
    if isinstance(value, dict):
        return _Mapping(value, reads)
    return _Model(value, reads) if isinstance(value, BaseModel) else value


class _Mapping(dict[str, Any]):
    def __init__(self, value: dict[str, Any], reads: Reads) -> None:
        super().__init__(value)
        self.reads = reads

    def __getitem__(self, key: str) -> Any:
        return watched(super().__getitem__(key), self.reads.at(key))

    def get(self, key: str, default: Any = None) -> Any:
        return watched(super().get(key, default), self.reads.at(key))

    def items(self) -> Any:
        return {key: self[key] for key in self.keys()}.items()

    def values(self) -> Any:
        return {key: self[key] for key in self.keys()}.values()

    def __iter__(self) -> Iterator[str]:  # so that {**this} reads by key
        return iter(super().keys())

    def __eq__(self, other: object) -> bool:
        self.reads.whole = True
        return super().__eq__(other)

    def copy(self) -> Any:
        return {**self}

    def __or__(self, other: Any) -> Any:
        return {**self, **other}

    def __ror__(self, other: Any) -> Any:
        return {**other, **self}


class _Model:
    def __init__(self, value: BaseModel, reads: Reads) -> None:
        self._value, self._reads = value, reads

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # as isinstance asks for it
        return type(self._value)

    def __getattr__(self, name: str) -> Any:
        value, kind = self._value, type(self._value)
        if name in kind.model_fields:
            return watched(value.__dict__[name], self._reads.at(name))
        found = next((vars(one)[name] for one in kind.__mro__ if one.__module__.startswith("sim.") and name in vars(one)), None)
        if isinstance(found, property) and found.fget is not None:
            return found.fget(self)
        if isinstance(found, cached_property):
            return found.func(self)
        if isinstance(found, FunctionType) and name != "model_copy":
            return MethodType(found, self)
        self._reads.whole = True
        return getattr(value, name)

    def __eq__(self, other: object) -> bool:
        self._reads.whole = True
        return bool(self._value == other)
