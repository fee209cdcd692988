"""Rules between values of classes of customers, on the raw mapping; see checks.py."""

from collections.abc import Callable, Iterator
from typing import Any

from sim.scenario.base import PERIODS_PER_YEAR
from sim.scenario.classes import GONE, MEASURES, UNRATED, laid_over
from sim.scenario.errors import Fault
from sim.scenario.raw import Raw, mapping, number, numbers, periods, show, suggest, whole

Rule = Callable[[Raw], Iterator[Fault]]

MOST_FOLLOWED = 50_000_000
"""Most customers of a panel times periods: about 1.5 GB."""


def panel(raw: Raw) -> Iterator[Fault]:
    """Bound what a panel holds in memory."""
    found = number(mapping(raw, "run").get("panel"))
    if found is not None and found * periods(raw) > MOST_FOLLOWED:
        rule = f"a panel holds every period of every customer: together they must be at most {MOST_FOLLOWED:,}"
        yield Fault("run.panel", show(mapping(raw, "run")["panel"]), rule, f"give at most {MOST_FOLLOWED // max(periods(raw), 1):,}")


def classes(raw: Raw) -> Iterator[Fault]:
    """Require of each classification cuts of known measures, and rules that name measures with so many cuts."""
    found = laid_over(raw.get("classes"))
    for key, entry in found.items() if isinstance(found, dict) else ():
        if isinstance(entry, dict):
            yield from _cuts(f"classes.{key}", mapping(entry, "cuts"))
            yield from _score(raw, f"classes.{key}", entry)
            yield from _rules(f"classes.{key}", entry)


def _cuts(where: str, cuts: dict[str, Any]) -> Iterator[Fault]:
    for name, cut in cuts.items():
        if name not in MEASURES:
            yield Fault(f"{where}.cuts.{name}", "", "no such measure of a customer", suggest(name, MEASURES))
        elif isinstance(cut, dict) and set(cut) <= {"quantile", "value", "moving"}:
            given = [how for how in ("quantile", "value") if cut.get(how) is not None]
            if len(given) != 1:
                yield Fault(f"{where}.cuts.{name}", ", ".join(given), "needs exactly one of quantile, value")
            elif (places := numbers(cut[given[0]])) != tuple(sorted(set(places))):
                yield Fault(f"{where}.cuts.{name}.{given[0]}", show(cut[given[0]]), "must ascend")
            elif given == ["value"] and cut.get("moving"):
                yield Fault(f"{where}.cuts.{name}.moving", show(cut["moving"]), "a value does not move", "give a quantile, or leave it out")


def _score(raw: Raw, where: str, entry: dict[str, Any]) -> Iterator[Fault]:
    """Check the weights of a score, and that what is looked at can be known."""
    weights, cuts = mapping(entry, "score"), mapping(entry, "cuts")
    for name in weights:
        if name not in MEASURES or name == "score":
            others = [key for key in MEASURES if key != "score"]
            yield Fault(f"{where}.score.{name}", "", "no such measure of a customer", suggest(name, others))
    if "score" in cuts and not weights:
        yield Fault(f"{where}.score", "", "must be given where score is cut: a weight for each measure")
    segments = mapping(raw, "segments")
    if "match" in {*weights, *cuts} and not any(mapping(raw, "segments", key).get("match") is not None for key in segments):
        rule = "no segment has a strategic match"
        yield Fault(f"{where}.cuts.match", "", rule, "give segments.ID.match, with positioning, capability and values")
    if "credit" in cuts and raw.get("credit") is None:
        yield Fault(f"{where}.cuts.credit", "", "customers have no credit here", "give credit, with mean and sd")


def _rules(where: str, entry: dict[str, Any]) -> Iterator[Fault]:
    rules, cuts, rest = mapping(entry, "rules"), mapping(entry, "cuts"), entry.get("rest", "rest")
    if not rules:
        yield Fault(f"{where}.rules", "", "must have a rule for each class but the rest")
    for name in {*rules, rest} & {UNRATED, GONE} if isinstance(rest, str) else ():
        yield Fault(f"{where}.rules", name, f"{UNRATED} and {GONE} are not classes: they stand for those without one", "take another name")
    if isinstance(rest, str) and rest in rules:
        yield Fault(f"{where}.rest", show(rest), "is a class with a rule already: the rest needs a name of its own")
    for key, rule in rules.items():
        if rule == {}:
            yield Fault(f"{where}.rules.{key}", "", "names no measure: it would take everybody", "make it the rest")
        for name, least in rule.items() if isinstance(rule, dict) else ():
            cut = cuts.get(name)
            places = [numbers(cut[how]) for how in ("quantile", "value") if cut.get(how) is not None] if isinstance(cut, dict) else []
            if cut is None:
                yield Fault(f"{where}.rules.{key}.{name}", "", "this measure has no cut", suggest(name, cuts))
            elif places and number(least) is not None and not 1 <= whole(least, 1) <= len(places[0]):
                yield Fault(f"{where}.rules.{key}.{name}", show(least), f"must be 1 to {len(places[0])}, the number of its cuts")


def years(raw: Raw) -> Iterator[Fault]:
    """Require a year, at whose end customers can be classed."""
    year = PERIODS_PER_YEAR.get(str(raw.get("period")), 0)
    if raw.get("classes") and periods(raw) < year:
        rule = f"customers are classed at the end of a year: the horizon must have {year} periods at least"
        yield Fault("classes", "", rule, "lengthen the horizon")


WHOLE: tuple[Rule, ...] = (classes, panel, years)
