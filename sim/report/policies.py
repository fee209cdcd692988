"""Policies in words: whom, when, at what cost, with what effect, for how long."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim.report import words
from sim.scenario.sample import bought

if TYPE_CHECKING:
    from sim.scenario.model import Scenario
    from sim.scenario.policy import Policy
    from sim.studies.comparison import Comparison

CAUSES = {"own": "the firm itself", "rival": "a rival", "natural": "the end of a need", "unforeseen": "what nobody foresees"}


def facts(scenario: "Scenario", policy: "Policy") -> Iterator[tuple[str, str]]:
    """Yield what a policy is, in words: whom, when, at what cost, with what effect, for how long."""
    period = scenario.period
    yield "Whom", "; ".join(whom(scenario, policy) if policy.acquire is None else won(scenario, policy))
    every = f"every {period}" if policy.when.every == 1 else f"every {policy.when.every} {period}s"
    window = f" from {period} {policy.when.start} on" if policy.when.start else ""
    window += f" until {period} {policy.when.stop}" if policy.when.stop is not None else ""
    cooled = f", a customer at most every {policy.when.cooldown} {period}s" if policy.when.cooldown > 1 else ""
    yield "When", f"{every}{' in which customers arrive' if policy.acquire is not None else ''}{window}{cooled}"
    if policy.uptake < 1:
        yield "Taken up", f"at {words.percent(policy.uptake)} of the contacts; {asked(scenario, policy)}"
    crowd = f"{words.plain(policy.capacity)} customers in force at a time" if policy.capacity is not None else ""
    if policy.overload == "share":
        yield "At full strength", f"up to {crowd}; more of them share it"
    limits = [crowd] if crowd and policy.overload == "refuse" else []
    limits += [f"{words.price(scenario, policy.budget)} spent on customers a {period}"] if policy.budget is not None else []
    if policy.shared_budget is not None:
        whole = words.price(scenario, scenario.budgets[policy.shared_budget])
        limits += [f"{whole} spent on customers a {period}, shared by all who draw on {policy.shared_budget}"]
    if limits:
        yield "At most", f"{', '.join(limits)}; {first(policy)}"
    named = {
        "setup": "once",
        "per_period": f"a {period}",
        "per_contact": "a contact",
        "per_uptake": "an uptake",
        "per_member": f"a member and {period}",
    }
    costs = [f"{words.price(scenario, cost)} {name}" for key, name in named.items() if (cost := getattr(policy.cost, key)) > 0]
    if policy.acquire is not None:
        costs = [*costs, f"{words.price(scenario, policy.acquire.budget)} each time"]
    yield "Cost", ", ".join(costs) or "none"
    if policy.acquire is None:
        yield from lasting(scenario, policy)
    if policy.source:
        yield "Source", policy.source


def asked(scenario: "Scenario", policy: "Policy") -> str:
    """Return when who declines is asked again, in words."""
    when, who, wait = policy.when, policy.who, waiting(policy)
    windows = ((when.start, when.stop), (who.tenure_from, who.tenure_until), (who.tenure_from, scenario.horizon))
    if any(isinstance(end, int) and end - first <= wait for first, end in windows):
        return "who declines is not asked again"
    later = f"the next {scenario.period}" if wait == 1 else f"after {words.periods(scenario, wait)}"
    return f"who declines is asked again {later}, where the above still holds"


def waiting(policy: "Policy") -> int:
    """Return after how many periods at the soonest a customer is contacted again."""
    return policy.when.every * max(-(-policy.when.cooldown // policy.when.every), 1)


def lasting(scenario: "Scenario", policy: "Policy") -> Iterator[tuple[str, str]]:
    """Yield what a policy does to those it treats, for how long, and who looks after them."""
    period = scenario.period
    yield "Effect", "; ".join(effects(scenario, policy)) or "none"
    anew = "; anew from each contact taken up in that time" if policy.lasts and waiting(policy) < policy.lasts else ""
    fades = f", fading to {words.percent(policy.decay)} of it each {period}" if policy.decay < 1 else ""
    yield "Lasts", f"{words.periods(scenario, policy.lasts) if policy.lasts else 'for good'}{fades}{anew}"
    if policy.turnover is not None:
        leaves, gap = words.percent(policy.turnover.leaving), words.periods(scenario, policy.turnover.gap)
        shaken = f", and {words.percent(policy.turnover.trust)} of its trust is lost" if policy.turnover.trust else ""
        yield "Turnover", f"{leaves} of those who look after members leave each {period}; a member then waits {gap}{shaken}"


def first(policy: "Policy") -> str:
    """Return who comes first, in words."""
    rank = policy.rank
    by = f"the function {rank.score}" if rank.score is not None else rank.by.replace("_", " ")
    return "in random order" if by == "random" else f"by {by}, the {'lowest' if rank.lowest else 'highest'} first"


def whom(scenario: "Scenario", policy: "Policy") -> Iterator[str]:
    """Yield the conditions under which a policy may treat a customer."""
    who = policy.who
    yield ", ".join(words.stage(scenario, key) for key in who.stages) if who.stages else "all active stages"
    if who.segments is not None:
        yield f"only {', '.join(words.segment(scenario, key) for key in who.segments)}"
    for name, first, until in (("tenure", who.tenure_from, who.tenure_until), ("time in the stage", who.age_from, who.age_until)):
        if first or until is not None:
            ends = [f"of {words.periods(scenario, first)} or more"] if first else []
            yield f"{name} {' and '.join([*ends, f'below {words.periods(scenario, until)}'] if until is not None else ends)}"
    if who.survey is not None:
        ends = [f"{word} {end:g}" for word, end in (("of at least", who.survey.above), ("below", who.survey.below)) if end is not None]
        yield f"of the {words.percent(who.survey.response)} who answer a survey those with a score {' and '.join(ends)} of 5"
    if who.margin is not None:
        yield f"margin below {words.price(scenario, who.margin.below)} in each of the last {words.periods(scenario, who.margin.periods)}"
    if who.remaining_value_below is not None:
        yield f"expected to bring less than {words.price(scenario, who.remaining_value_below)} from now on"
    if who.share < 1:
        yield f"{words.percent(who.share)} of them, as a pilot"
    if who.trigger is not None:
        yield f"those whom the function {who.trigger} chooses"
    if policy.excludes:
        yield f"no members of {', '.join(policy.excludes)}"
    if policy.oracle:
        yield "seeing what the firm cannot see"


def done(found: "Comparison", policy: "Policy") -> list[list[str]]:
    """Return what a policy did in each arm that has it: arm, then contacts, uptakes, periods in force and cost, a customer."""
    there = {(arm.id, key) for arm in found.arms for key, one in arm.scenario.policies.items() if one == policy}
    frame = found.treatments
    rows = frame[[pair in there for pair in zip(frame["arm"], frame["policy"], strict=True)]]
    columns = ["contacts", "uptakes", "member_periods", "cost"]
    most = rows[columns].max()
    return [[found.labels[row["arm"]], *(words.told_apart(row[name], most[name]) for name in columns)] for row in rows.to_dict("records")]


def won(scenario: "Scenario", policy: "Policy") -> Iterator[str]:
    """Yield whom a policy wins."""
    yield f"{words.plain(bought(scenario, policy)[0])} customers won, beside those who come without it"
    if policy.who.segments is not None:
        yield f"only {', '.join(words.segment(scenario, key) for key in policy.who.segments)}"


def effects(scenario: "Scenario", policy: "Policy") -> Iterator[str]:
    """Yield what a policy changes, in words."""
    done = policy.effects
    for stage, edges in done.edges.items():
        for edge, effect in edges.items():
            source = scenario.stages[stage]
            move = f"{source.label or stage} → {source.to[edge].label or words.stage(scenario, scenario.target(stage, edge))}"
            for way, values in (("chance set to", effect.set), ("chance plus", effect.add), ("hazard times", effect.multiply)):
                if values is not None:
                    yield f"{move}: {way} {', '.join(f'{value:g}' for value in values)}"
    for cause, factor in done.causes.items():
        yield f"moves caused by {CAUSES[cause]}: hazard times {factor:g}"
    points = {"performance": "perceived performance", "expectation": "expectation"}
    yield from (f"{name} {value:+g} points" for key, name in points.items() if (value := getattr(done, key)))
    if done.delivered_value:
        yield f"delivered value {done.delivered_value:+g}"
    shares = {"level": "share of wallet aimed at", "margin": "margin, share of the spend"}
    yield from (f"{name} {value:+g}" for key, name in shares.items() if (value := getattr(done, key)))
    factors = {"price": "price", "orders": "orders", "contacts": "contacts"}
    factors |= {"cross_sell": "chance of adding a product", "cost_to_serve": "cost to serve"}
    yield from (f"{name} times {value:g}" for key, name in factors.items() if (value := getattr(done, key)) != 1)
    yield from (f"{driver} {value:+g} points" for driver, value in done.drivers.items() if value)
    if done.spread:
        yield f"strength differs between customers (SD {done.spread:g} of a mean of 1)"
