"""Rules between values where arrivals depend on customers, on the raw mapping. See checks.py, which runs them."""

from collections.abc import Callable, Iterator

from sim.scenario.arrivals import MOST_WAVES
from sim.scenario.checks_customers import last_arrival
from sim.scenario.errors import Fault
from sim.scenario.raw import Raw, mapping, show, whole

Rule = Callable[[Raw], Iterator[Fault]]


def coupled(raw: Raw) -> bool:
    """Return whether arrivals depend on those who are customers already."""
    return raw.get("crowd") is not None or mapping(raw, "word_of_mouth").get("recruits") is not None


def once(raw: Raw) -> Iterator[Fault]:
    """Require that word of mouth is worth money or brings recruits, and never both: their CLV would be counted twice."""
    talk = raw.get("word_of_mouth")
    if isinstance(talk, dict):
        given = [name for name in ("value", "recruits") if talk.get(name) is not None]
        if len(given) != 1:
            rule = "needs exactly one of value (talk is worth money) and recruits (it brings customers)"
            yield Fault("word_of_mouth", ", ".join(given), rule)
    for segment in mapping(raw, "segments"):
        change = mapping(raw, "segments", segment, "word_of_mouth")
        for name in ("value", "recruits"):
            if change.get(name) is not None and mapping(raw, "word_of_mouth").get(name) is None:
                rule = "a segment may change it, but not switch it on"
                yield Fault(f"segments.{segment}.word_of_mouth.{name}", show(change[name]), rule, f"give word_of_mouth.{name}")
        if mapping(change, "recruits").get("until") is not None:
            where = f"segments.{segment}.word_of_mouth.recruits.until"
            yield Fault(where, show(change["recruits"]["until"]), "is the same for all segments", "give word_of_mouth.recruits.until")


def waves(raw: Raw) -> Iterator[Fault]:
    """Refuse arrivals over more calendar periods than are kept apart, and recruits that stop before planned customers come."""
    if not coupled(raw):
        return
    last = last_arrival(raw)
    until = mapping(raw, "word_of_mouth", "recruits").get("until")
    if last >= MOST_WAVES:
        rule = f"where arrivals depend on customers, the last may be in calendar period {MOST_WAVES - 1:,}"
        yield Fault("cohorts", f"{last}", rule, "give fewer cohorts")
    elif until is not None and whole(until, 1) <= last:
        rule = f"must come after the last planned arrival, in calendar period {last}"
        yield Fault("word_of_mouth.recruits.until", show(until), rule, "leave it out: the horizon after that arrival is the default")


def alone(raw: Raw) -> Iterator[Fault]:
    """Refuse settings that need customers who come whatever the others do."""
    run = mapping(raw, "run")
    if not coupled(raw):
        return
    if run.get("keep_customers"):
        rule = "customers cannot be kept where it depends on others how many come"
        yield Fault("run.keep_customers", show(run["keep_customers"]), rule, "leave it out")
    if run.get("panel"):
        rule = "customers are not followed where it depends on others how many come"
        yield Fault("run.panel", show(run["panel"]), rule, "leave it out")
    if run.get("customers") is not None:
        rule = "the firm itself is simulated where arrivals depend on customers"
        yield Fault("run.customers", show(run["customers"]), rule, "leave it out, and set firm.customers or cohorts")
    if run.get("driver") == "period":
        yield Fault("run.driver", "period", "arrivals that depend on customers are simulated cohort by cohort", "leave it out")


WHOLE: tuple[Rule, ...] = (alone, once, waves)
