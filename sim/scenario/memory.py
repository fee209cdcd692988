"""Rules put to many mappings that are alike: what a rule has said of what it read is remembered."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sim.scenario.errors import Fault
from sim.scenario.raw import Raw

Rule = Callable[[Raw], Iterator[Fault]]

Ask = Callable[[Rule, Raw], Iterable[Fault]]
"""Puts a rule to a mapping: by asking it, or by remembering (``Memory``)."""


def ask(rule: Rule, raw: Raw) -> Iterable[Fault]:
    """Ask a rule."""
    return rule(raw)


class Memory:
    """Remembers what rules said, for many mappings that are alike: the points of a sweep.

    A rule is a function of what it reads. What it read at the top of a mapping is noted; where all of that is the same again, so is its
    answer, as it has gone the same way.
    """

    def __init__(self) -> None:
        self.said: dict[Rule, list[tuple[dict[str, Any], list[Fault]]]] = {}

    def __call__(self, rule: Rule, raw: Raw) -> list[Fault]:
        """Return what a rule says of a mapping."""
        before = self.said.setdefault(rule, [])
        for read, found in before:
            if all(raw.get(key, MISSING) == value for key, value in read.items()):
                return found
        watched = _Watched(raw)
        found = list(rule(watched))
        if not watched.whole:
            before.insert(0, ({key: raw.get(key, MISSING) for key in watched.keys_read}, found))
            del before[KEPT:]
        return found


KEPT = 6
"""Answers of a rule that are remembered: of the scenario, and of some segments."""

MISSING = object()
"""Stands for a key that is not there."""


class _Watched(dict[str, Any]):
    """A mapping that notes which keys are read, or that it was gone through as a whole."""

    def __init__(self, raw: Raw) -> None:
        super().__init__(raw)
        self.keys_read: set[str] = set()
        self.whole = False

    def get(self, key: str, default: Any = None) -> Any:
        self.keys_read.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self.keys_read.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.keys_read.add(str(key))
        return super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        self.whole = True
        return super().__iter__()

    def items(self) -> Any:
        self.whole = True
        return super().items()

    def keys(self) -> Any:
        self.whole = True
        return super().keys()

    def values(self) -> Any:
        self.whole = True
        return super().values()

    def __or__(self, other: Any) -> Any:
        self.whole = True
        return super().__or__(other)

    def __ror__(self, other: Any) -> Any:
        self.whole = True
        return super().__ror__(other)

    def copy(self) -> Any:
        self.whole = True
        return super().copy()
