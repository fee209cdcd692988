"""Rules between values of what is offered, on the raw mapping: contacts, products, what customers would pay.

See checks.py, which runs them.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

from sim.scenario.base import MOST_FACTOR, at
from sim.scenario.checks_customers import segment_view
from sim.scenario.errors import Fault
from sim.scenario.model import Scenario
from sim.scenario.raw import Raw, edges, kind, mapping, number, numbers, show, stages

Rule = Callable[[Raw], Iterator[Fault]]

LISTS = ("contacts", "information_per_contact", "cross_sell", "willing_to_pay")
"""Keys of a stage that may be lists by stage age."""


def only_active(raw: Raw) -> Iterator[Fault]:
    """Refuse contacts, cross-selling and a willingness to pay outside active stages."""
    for key, stage in stages(raw):
        for name in LISTS:
            if kind(raw, key) in ("prospect", "lost") and any(numbers(stage.get(name))):
                rule = f"only in active stages, this one is {kind(raw, key)}"
                yield Fault(f"stages.{key}.{name}", show(stage[name]), rule, "leave it out")


def products(raw: Raw) -> Iterator[Fault]:
    """Require products where some are added."""
    for key, stage in stages(raw):
        if any(numbers(stage.get("cross_sell"))) and raw.get("products") is None:
            rule = "needs products, which the scenario does not have"
            yield Fault(f"stages.{key}.cross_sell", show(stage["cross_sell"]), rule, "give products: its maximum and worth")


def learning(raw: Raw) -> Iterator[Fault]:
    """Require what the firm learns from, and what it then does better."""
    if raw.get("learning") is None:
        return
    if raw.get("satisfaction") is None:
        yield Fault("learning", "", "raises performance, which the scenario does not have", "give satisfaction")
    views = [segment_view(raw, key) for key in mapping(raw, "segments")] or [dict(raw)]
    if not any(any(numbers(stage.get("contacts"))) for view in views for _, stage in stages(view)):
        yield Fault("learning", "", "needs customers who get in touch", "give a stage contacts")


def _shares(stage: dict[str, Any]) -> list[tuple[float, float]]:
    """Return the joint surplus and the customer's part of it by stage age, in money; none where something is malformed."""
    if stage.get("willing_to_pay") is None:
        return []
    willing, price, margin = (numbers(stage.get(name, 1)) for name in ("willing_to_pay", "price", "margin"))
    if stage.get("price") is None:
        price = (1.0,)
    if not (willing and price and margin):
        return []
    ages = range(max(len(willing), len(price), len(margin)))
    return [(at(willing, age) - at(price, age) * (1.0 - at(margin, age)), at(willing, age) - at(price, age)) for age in ages]


def surplus(raw: Raw) -> Iterator[Fault]:
    """Require a surplus to share wherever a stage says what its customers would pay."""
    for key, stage in stages(raw):
        bad = next((age for age, (joint, _) in enumerate(_shares(stage)) if joint <= 0), None)
        if bad is not None:
            rule = f"must be above the unit cost, price x (1 - margin), at every stage age, not at age {bad}: there is no surplus to share"
            yield Fault(f"stages.{key}.willing_to_pay", show(stage["willing_to_pay"]), rule, "lower the cost of what is sold")


def split(raw: Raw) -> Iterator[Fault]:
    """Require what the split of the surplus is measured by, and refuse factors of hazards beyond any meaning."""
    fair = number(raw.get("fair_share", 0.5))
    for stage, key, edge in edges(raw):
        effects = edge.get("effects")
        value = effects.get("surplus") if isinstance(effects, dict) else None
        theta = number(value)
        if not theta:
            continue
        where = f"stages.{stage}.to.{key}.effects.surplus"
        source = dict(stages(raw))[stage]
        if source.get("willing_to_pay") is None:
            yield Fault(where, show(value), f"needs stages.{stage}.willing_to_pay", "say what the offer is worth to the customer")
        elif fair is not None:
            shares = [part / joint for joint, part in _shares(source) if joint > 0]
            most = theta * max((max(0.0, fair - share) for share in shares), default=0.0)
            if most > math.log(MOST_FACTOR):
                rule = f"the split of the surplus may multiply a hazard by at most {MOST_FACTOR:,.0f}"
                yield Fault(where, f"exp({most:.6g})", rule, "give a smaller coefficient or a lower price")


def unused(scenario: Scenario) -> Iterator[str]:
    """Yield what is given and moves nothing in any segment."""
    views = list(scenario.by_segment.values())
    every = [(key, stage) for view in views for key, stage in view.stages.items()]
    if scenario.products is not None and not any(any(stage.cross_sell) for _, stage in every):
        yield "products: no stage has cross_sell: nobody adds any"
    for key in dict.fromkeys(key for key, stage in every if any(stage.information_per_contact) and not any(stage.contacts)):
        yield f"stages.{key}.information_per_contact: the stage has no contacts: it moves nothing"
    moved = any(edge.effects.surplus for _, stage in every for edge in stage.to.values())
    if "fair_share" in scenario.model_fields_set and not moved:
        yield "fair_share: no edge has effects.surplus: it moves nothing"
    if scenario.service is not None and scenario.service.breadth and scenario.breadth_factor == 1:
        yield "service.breadth: there is one kind of needs: it moves nothing"


def dear(scenario: Scenario) -> Iterator[str]:
    """Yield prices above what the offer is worth to the customer."""
    for view in scenario.by_segment.values():
        for key, stage in view.stages.items():
            shares = [stage.customer_share(age) for age in range(stage.offer_ages)]
            low = min((share for share in shares if share is not None), default=0.0)
            if low < 0:
                rule = "a price above willing_to_pay: customers pay more than the offer is worth to them"
                yield f"stages.{key}.price: {rule}, and their share of the surplus is {100 * low:.3g} %"


EACH: tuple[Rule, ...] = (only_active, products, split, surplus)
WHOLE: tuple[Rule, ...] = (learning,)
