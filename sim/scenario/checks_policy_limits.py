"""How far policies may go, on the raw mapping: what they multiply orders, contacts, products and hazards by, all in force, and what they
may spend.

See checks.py, which runs these rules beside those of checks_policy.py.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

from sim.scenario.base import MOST_FACTOR
from sim.scenario.checks_customers import fixed_chance
from sim.scenario.checks_policy import lifts, named_in, policies_of, views_of
from sim.scenario.checks_spread import MAX_ORDERS, Z_BUSIEST, most_orders
from sim.scenario.errors import Fault
from sim.scenario.offer import MOST_CONTACTS
from sim.scenario.raw import Raw, edges, mapping, number, numbers, show, stages, suggest, total

Rule = Callable[[Raw], Iterator[Fault]]

SLACK = 1e-12


def _strongest(policy: Raw) -> float:
    """Return how strongly a policy acts on the customer on whom it acts most, its mean being 1."""
    return 1.0 + Z_BUSIEST * max(number(mapping(policy, "effects").get("spread")) or 0.0, 0.0)


def _most(policy: Raw, power: float) -> float:
    """Return the largest logarithm of a factor over customers; where a policy's effect differs it may turn round."""
    strongest = _strongest(policy)
    return abs(power) * strongest if strongest > 1 else max(power, 0.0)


def _treats(policy: Raw, segment: str) -> bool:
    return not named_in(policy, "segments") or segment in named_in(policy, "segments")


def doings_limits(raw: Raw) -> Iterator[Fault]:
    """Refuse more orders and contacts a period than can be drawn, and chances above 1 of ordering or of adding a product."""
    found = dict(policies_of(raw))
    if not any(lifts(policy, name) for policy in found.values() for name in ("orders", "contacts", "cross_sell")):
        return
    for segment, view in views_of(raw).items():
        mine = {key: policy for key, policy in found.items() if _treats(policy, segment)}
        contacts = max((max(numbers(stage.get("contacts")), default=0.0) for _, stage in stages(view)), default=0.0)
        chance, orders = fixed_chance(view), most_orders(view)
        adding = max((max(numbers(stage.get("cross_sell")), default=0.0) for _, stage in stages(view)), default=0.0)
        for name, base, limit, what in (
            ("contacts", contacts, MOST_CONTACTS, "contacts"),
            ("orders", orders, MAX_ORDERS, "orders"),
            ("orders", chance, 1 + SLACK, "the chance of ordering"),
            ("cross_sell", adding, 1 + SLACK, "the chance of adding a product"),
        ):
            powers = {key: _most(policy, math.log(_factor(policy, name))) for key, policy in mine.items() if lifts(policy, name)}
            power = total(powers.values())
            if base and base <= limit and powers and math.log(base) + power > math.log(limit):
                where = f"policies.{max(powers, key=powers.__getitem__)}.effects.{name}"
                rule = f"with all policies in force {what} of a period could come to more than {limit:.6g}"
                yield Fault(where, show(found[where.split(".")[1]]["effects"][name]), rule, "give smaller factors or a smaller spread")
                return


def _factor(policy: Raw, name: str) -> float:
    found = number(mapping(policy, "effects").get(name))
    return found if found is not None and found > 0 else 1.0


def hazard_limits(raw: Raw) -> Iterator[Fault]:
    """Refuse what policies multiply a hazard by beyond any meaning, before it overflows."""
    found, most = dict(policies_of(raw)), math.log(MOST_FACTOR)
    if not any(mapping(policy, "effects", part) for policy in found.values() for part in ("edges", "causes", "drivers")):
        return
    for segment, view in views_of(raw).items():
        mine = {key: policy for key, policy in found.items() if _treats(policy, segment)}
        for stage, edge, body in edges(view):
            powers = {key: _powers(policy, stage, edge, body) for key, policy in mine.items()}
            above = {key: max((_most(mine[key], power) for power in each), default=0.0) for key, each in powers.items()}
            sunk = next((key for key, each in powers.items() if _fades(mine[key]) and any(power < -most for power in each)), None)
            if total(above.values()) > most or sunk is not None:
                key = sunk or max(above, key=above.__getitem__)
                rule = f"policies in force may multiply the hazard of {stage}.{edge} by 1/{MOST_FACTOR:,.0f} to {MOST_FACTOR:,.0f}"
                value = f"exp({min(powers[key], default=0.0) if sunk else total(above.values()):.6g})"
                yield Fault(f"policies.{key}.effects", value, rule, "give effects nearer to 1, or a smaller spread")
                return


def _fades(policy: Raw) -> bool:
    return number(policy.get("decay", 1.0)) != 1 or _strongest(policy) > 1 or policy.get("overload") == "share"


def _powers(policy: Raw, stage: str, edge: str, body: Raw) -> list[float]:
    """Return the logarithms of what a policy multiplies an edge's hazard by, by stage age; a factor of 0 left out."""
    done = mapping(policy, "effects")
    factors = numbers(mapping(done, "edges", stage, edge).get("multiply")) or (1.0,)
    cause = number(mapping(done, "causes").get(str(body.get("cause")))) or 1.0
    gaps = (
        (number(mapping(body, "effects").get(name)) or 0.0) * (number(value) or 0.0) for name, value in mapping(done, "drivers").items()
    )
    shared = math.log(abs(cause)) - total(gaps)
    return [math.log(factor) + shared for factor in factors if factor > 0]


def budgets(raw: Raw) -> Iterator[Fault]:
    """Require that a shared budget exists and is scaled by all who draw on it or by none, and that what a budget is for costs something."""
    known, scaled = mapping(raw, "budgets"), dict[str, tuple[str, Any]]()
    for key, policy in policies_of(raw):
        given = [name for name in ("budget", "shared_budget") if policy.get(name) is not None]
        cost = mapping(policy, "cost")
        if given and not any(cost.get(name, 0) != 0 for name in ("per_contact", "per_uptake", "per_member")):
            rule = "limits what customers cost, and none of them costs anything"
            yield Fault(f"policies.{key}.{given[0]}", show(policy[given[0]]), rule, "give cost.per_contact, per_uptake or per_member")
        name = policy.get("shared_budget")
        if not isinstance(name, str):
            continue
        if name not in known:
            hint = suggest(name, known) if known else f"give the scenario budgets: {{{name}: …}}"
            yield Fault(f"policies.{key}.shared_budget", show(name), "no such budget", hint)
        first, scale = scaled.setdefault(name, (key, policy.get("scale", False)))
        if policy.get("scale", False) != scale:
            rule = f"must be as in policies.{first}, which draws on budget {name} too"
            yield Fault(f"policies.{key}.scale", show(policy.get("scale", False)), rule)


WHOLE: tuple[Rule, ...] = (budgets, doings_limits, hazard_limits)
