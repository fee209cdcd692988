"""Rules of policies that win customers, on the raw mapping. See checks.py, which runs them."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from sim.scenario.checks_arrivals import coupled
from sim.scenario.checks_customers import MAX_CUSTOMERS, windows
from sim.scenario.checks_policy import named_in, policies_of
from sim.scenario.errors import Fault
from sim.scenario.policy import Policy
from sim.scenario.raw import Raw, mapping, number, show, total, whole

Rule = Callable[[Raw], Iterator[Fault]]

BESIDE = {"who": ("segments",), "when": ("start", "stop", "every"), "cost": ("setup", "per_period")}
"""What a policy that wins customers can say beside that."""

NOBODY_ARRIVES = (
    "no cohort arrives then, and cohorts are what grows",
    "give cohorts that arrive then, such as cohorts.new: {periods: 12, customers: 1000}",
)

NAMES = ("label", "description", "source", "acquire")


def acquiring(raw: Raw) -> dict[str, dict[str, Any]]:
    """Return the policies that win customers."""
    return {key: policy for key, policy in policies_of(raw) if isinstance(policy.get("acquire"), dict)}


@cache
def _plain() -> dict[str, Any]:
    return Policy().model_dump(mode="json")


def treats_nobody(raw: Raw) -> Iterator[Fault]:
    """Refuse whatever is about customers treated."""
    for key, policy in acquiring(raw).items():
        for name, value in policy.items():
            for path, given in _beyond(name, value):
                rule = "is of policies that treat customers, and this one wins them (acquire)"
                yield Fault(f"policies.{key}.{path}", show(given), rule, "make it a policy of its own, and compare both: a+b")


def _beyond(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield path and value of what differs from a policy that does nothing, and has no place beside ``acquire``."""
    plain = _plain().get(name)
    if name in NAMES or name not in _plain():
        return
    if isinstance(plain, Mapping) and isinstance(value, Mapping):
        for part, given in value.items():
            if part in plain and part not in BESIDE.get(name, ()) and not _same(given, plain[part]):
                yield f"{name}.{part}", given
    elif not _same(value, plain):
        yield name, value


def _same(value: Any, plain: Any) -> bool:
    return bool((list(value) if isinstance(value, tuple) else value) == plain)


def arrivals(raw: Raw) -> Iterator[Fault]:
    """Require that somebody can be won: cohorts to grow, of which the policy's segments have a share, and no end of them."""
    for key, policy in acquiring(raw).items():
        if coupled(raw):
            part = "crowd" if raw.get("crowd") is not None else "word_of_mouth.recruits"
            rule = f"does not go with {part}: how many arrive depends on customers already"
            yield Fault(f"policies.{key}.acquire", "", rule, "give a cohort of its own a budget and response")
        if not any(_inside(policy, arrival) for arrival in _arriving(raw)):
            yield Fault(f"policies.{key}.when", show(policy.get("when", {})), *NOBODY_ARRIVES)
        ceiling = number(mapping(policy, "acquire", "response").get("ceiling"))
        if ceiling is not None and ceiling > MAX_CUSTOMERS:
            yield Fault(f"policies.{key}.acquire.response.ceiling", show(ceiling), f"must be at most {MAX_CUSTOMERS:,}")
        shares = [number(mapping(raw, "segments", one).get("share")) for one in named_in(policy, "segments")]
        if shares and total(share for share in shares if share is not None) == 0 and None not in shares:
            yield Fault(f"policies.{key}.who.segments", ", ".join(named_in(policy, "segments")), "have no share of the customers")


def _arriving(raw: Raw) -> Iterator[int]:
    """Yield the calendar periods in which cohorts arrive."""
    if mapping(raw, "cohorts"):
        for _, first, end in windows(raw):
            yield from range(first, end)
    elif raw.get("base") is None or mapping(raw, "firm").get("customers") is not None:
        yield 0


def _inside(policy: Raw, arrival: int) -> bool:
    when = mapping(policy, "when")
    start, stop, every = whole(when.get("start")), number(when.get("stop")), max(whole(when.get("every"), 1), 1)
    return start <= arrival and (stop is None or arrival < stop) and (arrival - start) % every == 0


def unlimited(raw: Raw) -> Iterator[Fault]:
    """Refuse limits of the firm's beside customers who are won: simulated customers then stand for different numbers of the firm's."""
    won = acquiring(raw)
    for key, policy in policies_of(raw):
        for name in ("capacity", "budget", "shared_budget"):
            if won and policy.get(name) is not None and key not in won:
                rule = f"is the firm's, and policies.{next(iter(won))} wins customers beside those simulated"
                yield Fault(f"policies.{key}.{name}", show(policy[name]), rule, "compare them apart, or give a cohort the budget")


WHOLE: tuple[Rule, ...] = (arrivals, treats_nobody, unlimited)
