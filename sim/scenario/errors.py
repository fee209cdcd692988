"""What is said to somebody whose input cannot be used."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong with the input.

    where: dotted path (``stages.renewed.to.lapsed.probability``), option or file;
    value: what was found there, as text ("" where nothing was);
    rule: what holds there instead;
    suggestion: what to write or do ("" where the rule says it all).
    """

    where: str
    value: str
    rule: str
    suggestion: str = ""

    def __str__(self) -> str:
        got = f" (got {self.value})" if self.value else ""
        hint = f"; {self.suggestion}" if self.suggestion else ""
        text = f"{self.where}: {self.rule}{got}{hint}"
        return "".join(letter if letter.isprintable() else " " for letter in text)  # a key may hold line breaks


class ScenarioError(ValueError):
    """The input cannot be used; ``faults`` holds every reason found, one a line in the message."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(dict.fromkeys(faults))
        super().__init__("\n".join(str(fault) for fault in self.faults))
