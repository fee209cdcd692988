"""Rules between values of policies: each has an example that breaks it and nothing else."""

from copy import deepcopy
from typing import Any

import pytest

from sim.compile.tables import compile_tables
from sim.scenario import Scenario, ScenarioError, read
from sim.scenario.checks import warnings
from tests.scenario.cases import assert_refused, sound
from tests.scenario.test_checks_behaviour import LEVELLED, PROFILE, TWO, compiled

SEEN = {"stage_observed": True}
HELPS = "set stage_observed: true, or the policy's oracle: true"
LACKS = "which the scenario does not have"
PRODUCTS = {"maximum": 3, "worth": 0.5}
POISSON = {"kind": "poisson", "rate": 20.0}


def policy(**body: Any) -> dict[str, Any]:
    return {"policies": {"x": body}}


def effects(**done: Any) -> dict[str, Any]:
    return policy(effects=done)


def edge(stage: str, name: str, **effect: Any) -> dict[str, Any]:
    return effects(edges={stage: {name: effect}})


def pair(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    done = {"edges": {"trial": {"lost": {"set": 0.1}}}}
    return {"policies": {"x": {"effects": done, **one}, "y": {"effects": done, **other}}}


def pair_drawing(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    body = {"shared_budget": "crm", "cost": {"per_contact": 1.0}}
    return {"policies": {"x": {**body, **one}, "y": {**body, **other}}}


LOST = "policies.x.effects.edges.trial.lost"

BROKEN: list[tuple[dict[str, Any], str]] = [
    # what is named
    ({**SEEN, **policy(who={"stages": ["trail"]})}, "policies.x.who.stages: no such stage (got 'trail'); did you mean trial?"),
    (
        policy(who={"segments": ["rich"]}),
        "policies.x.who.segments: no such segment (got 'rich'); the scenario has no segments: leave it out",
    ),
    (
        {**policy(who={"segments": ["c"]}), "segments": TWO},
        "policies.x.who.segments: no such segment (got 'c'); choose from a, b",
    ),
    (edge("trail", "lost", multiply=0.5), "policies.x.effects.edges.trail: no such stage; did you mean trial?"),
    (edge("trial", "lots", multiply=0.5), "policies.x.effects.edges.trial.lots: no such edge out of trial; did you mean lost?"),
    (
        edge("lost", "member", multiply=0.5),
        "policies.x.effects.edges.lost.member: no such edge out of lost; "
        "a policy changes edges that there are: to add this one give stages.lost.to.member.probability",
    ),
    (effects(causes={"rival": 0.5}), "policies.x.effects.causes.rival: no edge has this cause; name edges in effects.edges"),
    (
        policy(excludes=["y", "x"]),
        "policies.x.excludes: a policy cannot exclude itself (got 'x'); leave it out: treating again starts anew",
    ),
    (policy(who={"stages": []}), "policies.x.who.stages: must not be empty (got [])"),
    (policy(who={"segments": []}), "policies.x.who.segments: must not be empty (got [])"),
    # what a firm can see
    (
        policy(who={"stages": ["trial"]}),
        f"policies.x.who.stages: tells active stages apart, which a firm cannot (got trial); {HELPS}",
    ),
    (
        {"stages__gone": {"kind": "lost"}, **policy(who={"stages": ["gone"]})},
        f"policies.x.who.stages: tells lost stages apart, which a firm cannot (got gone); {HELPS}",
    ),
    *(
        (
            policy(who={name: 2}),
            f"policies.x.who.{name}: needs the time spent in a stage, which a firm cannot see (got 2); {HELPS}",
        )
        for name in ("age_from", "age_until")
    ),
    *(
        (
            policy(rank={"by": by}),
            f"policies.x.rank.by: needs the stage, which a firm cannot see (got '{by}'); {HELPS}",
        )
        for by in ("remaining_value", "uplift")
    ),
    (
        policy(rank={"by": "value", "score": "mine"}),
        "policies.x.rank.score: stands in place of by (got 'mine'); leave one of them out",
    ),
    # budgets
    *(
        (
            {"budgets": {"crm": 5.0}, **policy(**{name: value})},
            f"policies.x.{name}: limits what customers cost, and none of them costs anything (got {got}); give cost.per_contact, per",
        )
        for name, value, got in (("budget", 5.0, "5.0"), ("shared_budget", "crm", "'crm'"))
    ),
    (
        {"budgets": {"crm": 5.0}, **policy(shared_budget="crn", cost={"per_contact": 1.0})},
        "policies.x.shared_budget: no such budget (got 'crn'); did you mean crm?",
    ),
    (
        policy(shared_budget="crm", cost={"per_contact": 1.0}),
        "policies.x.shared_budget: no such budget (got 'crm'); give the scenario budgets: {crm: …}",
    ),
    (
        {"budgets": {"crm": 5.0}, **pair_drawing({}, {"scale": True})},
        "policies.y.scale: must be as in policies.x, which draws on budget crm too (got true)",
    ),
    ({"budgets": {"crm": -1.0}}, "budgets.crm: must be at least 0 (got -1.0)"),
    # what effects are made from
    *(
        (effects(**{name: 0.5}), f"policies.x.effects.{name}: needs satisfaction, {LACKS} (got 0.5); give satisfaction: {{}} for its")
        for name in ("performance", "expectation")
    ),
    (policy(who={"survey": {"below": 3}}), f"policies.x.who.survey: needs satisfaction, {LACKS}; give satisfaction: {{}} for its"),
    (effects(level=0.1), f"policies.x.effects.level: needs level, {LACKS} (got 0.1); give level: {{}} for its defaults"),
    (
        {"satisfaction": {}, **effects(delivered_value=2)},
        "policies.x.effects.delivered_value: needs satisfaction.delivered_value, the weight by which delivered value becomes performance",
    ),
    (
        effects(drivers={"brand": 0.5}),
        f"policies.x.effects.drivers.brand: needs drivers.brand, {LACKS} (got 0.5); give it an attribute, and edges their coefficients",
    ),
    (effects(orders=1.2), "policies.x.effects.orders: a subscription has no orders (got 1.2); lift level, price or margin instead"),
    (effects(contacts=1.2), "policies.x.effects.contacts: no stage has contacts (got 1.2); give stages their contacts"),
    (
        effects(cross_sell=1.2),
        f"policies.x.effects.cross_sell: needs products, {LACKS} (got 1.2); give products, and stages their cross_sell",
    ),
    (
        {"products": PRODUCTS, "stages__member__cross_sell": 0.0, **effects(cross_sell=1.2)},
        "policies.x.effects.cross_sell: no stage has a cross_sell (got 1.2); give stages their cross_sell",
    ),
    (
        {"stages__trial__cost_to_serve": 0, "stages__member__cost_to_serve": 0, **effects(cost_to_serve=0.9)},
        "policies.x.effects.cost_to_serve: no stage has a cost_to_serve (got 0.9); give stages their cost_to_serve",
    ),
    # probabilities
    (
        edge("member", "lost", set=0.1),
        "policies.x.effects.edges.member.lost.set: needs an edge given as a probability or share, this one is given as hazard (got 0.1)",
    ),
    (
        {"stages__member__to__lost": {"beta": {"a": 1, "b": 9}}, **edge("member", "lost", add=[0.1, 0.2])},
        "policies.x.effects.edges.member.lost.add: needs an edge given as a probability or share, this one is given as beta (got",
    ),
    (
        {"stages__trial__to": {"lost": {"probability": 0.3, "rate_period": "year"}}, **edge("trial", "lost", set=0.1)},
        f"{LOST}.set: needs a probability of the scenario's own period, this one is of a year (got 0.1); multiply its hazard instead",
    ),
    (
        {
            "segments": {**TWO, "a": {"share": 0.5, "stages": {"trial": {"to": {"lost": {"probability": None, "hazard": 0.2}}}}}},
            **edge("trial", "lost", set=0.1),
        },
        f"{LOST}.set: needs an edge given as a probability or share, this one is given as hazard in segment a (got 0.1); multiply",
    ),
    (
        edge("trial", "lost", add=[0.1, 0.65]),
        "policies.x.effects.edges.trial: probabilities to leave the stage would sum to more than 1, at stage age 1 (got 1.05); set",
    ),
    (
        {
            "segments": {**TWO, "b": {"share": 0.5, "stages": {"trial": {"to": {"member": {"probability": 0.5}}}}}},
            **edge("trial", "lost", set=0.6),
        },
        "policies.x.effects.edges.trial: probabilities to leave the stage would sum to more than 1 in segment b, at stage age 0 (got 1.1)",
    ),
    (
        edge("member", "member", set=1),
        "policies.x.effects.edges.member: everybody would leave the stage at stage age 0, beside which lost needs a probability too; let",
    ),
    # alike on all
    *(
        (
            {"policies": {"x": {"effects": {"edges": {"trial": {"lost": {name: 0.1}}}, **spread}, **fade}}},
            f"{LOST}.{name}: acts alike on all in force, and cannot stand beside {what} (got 0.1); multiply the hazard instead, or leave",
        )
        for name in ("set", "add")
        for what, spread, fade in (("decay", {}, {"decay": 0.9}), ("spread", {"spread": 0.2}, {}))
    ),
    (
        policy(decay=0.5, effects={"edges": {"trial": {"lost": {"multiply": [0.5, 0]}}}}),
        f"{LOST}.multiply: a factor of 0 cannot stand beside decay (got [0.5, 0]); give a small factor, or leave decay out",
    ),
    # two at once
    (
        pair({}, {}),
        "policies.y.effects.edges.trial.lost.set: policy x sets it too, and both could be in force for a customer (got 0.1); let each",
    ),
    (pair({"excludes": ["y"]}, {}), "policies.y.effects.edges.trial.lost.set: policy x sets it too"),
    (pair({}, {"excludes": ["x"]}), "policies.y.effects.edges.trial.lost.set: policy x sets it too"),
    (
        {**pair({"who": {"segments": ["a"]}}, {"who": {"segments": ["b", "a"]}}), "segments": TWO},
        "policies.y.effects.edges.trial.lost.set: policy x sets it too",
    ),
    # windows
    (policy(when={"start": 3, "stop": 3}), "policies.x.when.stop: must be above start, 3: otherwise nobody is treated (got 3)"),
    (policy(when={"stop": 0}), "policies.x.when.stop: must be above start, 0: otherwise nobody is treated (got 0)"),
    (
        policy(who={"tenure_from": 5, "tenure_until": 4}),
        "policies.x.who.tenure_until: must be above tenure_from, 5: otherwise nobody is treated (got 4)",
    ),
    (
        {**SEEN, **policy(who={"age_from": 5, "age_until": 5})},
        "policies.x.who.age_until: must be above age_from, 5: otherwise nobody is treated (got 5)",
    ),
    (
        {"satisfaction": {}, **policy(who={"survey": {"above": 3, "below": 2.5}})},
        "policies.x.who.survey.below: must be above above, 3: otherwise nobody is treated (got 2.5)",
    ),
    *(
        (edge("trial", "lost", **{name: [0.1] * 13}), f"{LOST}.{name}: a list by stage age must not be longer than the horizon, 12 periods")
        for name in ("set", "add", "multiply")
    ),
    # staff
    (
        policy(overload="share"),
        "policies.x.overload: needs a capacity that members share (got share); give capacity, such as managers times accounts of each",
    ),
    (
        policy(turnover={"leaving": 0.1, "trust": 0.2}),
        f"policies.x.turnover.trust: needs trust, {LACKS} (got 0.2); give trust: {{}} for its defaults",
    ),
    (
        policy(overload="share", capacity=5, effects={"edges": {"trial": {"lost": {"set": 0.1}}}}),
        f"{LOST}.set: acts alike on all in force, and cannot stand beside overload (got 0.1); multiply the hazard instead, or leave",
    ),
    (policy(turnover={"leaving": 1.1}), "policies.x.turnover.leaving: must be at most 1 (got 1.1)"),
    (policy(turnover={"gap": 2}), "policies.x.turnover.leaving: "),
    # how far
    (
        {"purchases": POISSON, **effects(orders=40)},
        "policies.x.effects.orders: with all policies in force orders of a period could come to more than 650 (got 40); give",
    ),
    (
        {"purchases": {"kind": "bernoulli", "probability": 0.6, "wallet": 1}, **effects(orders=1.7)},
        "policies.x.effects.orders: with all policies in force the chance of ordering of a period could come to more than 1 (got 1.7)",
    ),
    (
        {"stages__trial__contacts": 10, **effects(contacts=0.5, spread=1)},
        "policies.x.effects.contacts: with all policies in force contacts of a period could come to more than 650 (got 0.5)",
    ),
    (
        edge("trial", "lost", multiply=10)
        | {"policies": {"x": {"effects": {"edges": {"trial": {"lost": {"multiply": 10}}}, "spread": 1}}}},
        "policies.x.effects: policies in force may multiply the hazard of trial.lost by 1/1,000,000 to 1,000,000 (got exp(17.2694)); give",
    ),
    (
        {
            "stages__trial__to__lost__effects": {"value": 5},
            "drivers": {"value": PROFILE},
            "policies": {"x": {"effects": {"drivers": {"value": 4}}, "decay": 0.5}},
        },
        "policies.x.effects: policies in force may multiply the hazard of trial.lost by 1/1,000,000 to 1,000,000 (got exp(-20)); give",
    ),
    (
        {"products": PRODUCTS, "stages__member__cross_sell": 0.6, **effects(cross_sell=1.7)},
        "policies.x.effects.cross_sell: with all policies in force the chance of adding a product of a period could come to more than 1",
    ),
    # ranges and kinds
    (policy(lasts=0), "policies.x.lasts: must be at least 1 (got 0)"),
    (policy(who={"margin": {"periods": 0}}), "policies.x.who.margin.periods: must be at least 1 (got 0)"),
    (policy(uptake=1.5), "policies.x.uptake: must be at most 1 (got 1.5)"),
    (policy(decay=0), "policies.x.decay: must be above 0 (got 0)"),
    (
        policy(cost={"per_head": 3}),
        "policies.x.cost.per_head: unknown key (got 3); did you mean per_",
    ),
    (edge("trial", "lost", times=0.5), f"{LOST}.times: unknown key (got 0.5); choose from set, add, multiply"),
    ({"stages__trial__to__lost__cause": "own", **effects(causes={"own": 0})}, "policies.x.effects.causes.own: must be above 0 (got 0)"),
    ({"policies": {f"p{k}": {} for k in range(9)}}, "policies: must have at most 8 entries"),
]


@pytest.mark.parametrize(("changes", "said"), BROKEN)
def test_each_rule_is_told_in_a_line(changes: dict[str, Any], said: str) -> None:
    assert_refused(said, **changes)


FINE: list[dict[str, Any]] = [
    policy(),
    policy(who={"stages": ["lost"], "age_from": 1, "age_until": 6}),  # that and when somebody left is known
    policy(who={"stages": ["trial", "member"]}),  # all active ones
    policy(who={"stages": ["trial"], "age_until": 3}, oracle=True),
    {**SEEN, **policy(who={"stages": ["member"], "age_from": 2})},
    policy(who={"age_from": 0}),
    policy(who={"margin": {"below": 1.5, "periods": 2}, "remaining_value_below": -3}),  # the firm's own books and reckoning
    policy(excludes=["unheard_of"]),
    edge("trial", "lost", multiply=0),
    edge("trial", "lost", set=[0.1, 0.0], add=-0.02, multiply=[0.5, 0.6]),
    policy(who={"tenure_from": 2, "tenure_until": 3}, when={"start": 1, "stop": 2, "every": 3, "cooldown": 4}),
    pair({"excludes": ["y"]}, {"excludes": ["x"]}),
    {**pair({"who": {"segments": ["a"]}}, {"who": {"segments": ["b"]}}), "segments": TWO},
    {"satisfaction": {}, **policy(who={"survey": {"below": 2.5, "above": 1.5}}, effects={"performance": 0.5, "expectation": -0.5})},
    {**LEVELLED, **effects(level=0.1, price=1.1, margin=-0.05)},
    {"purchases": POISSON, **effects(orders=2)},
    {"stages__trial__contacts": 1, **effects(contacts=2)},
    {
        "products": PRODUCTS,
        "stages__member__cross_sell": 0.5,
        "stages__member__cost_to_serve": 1,
        **effects(cross_sell=2, cost_to_serve=0.5),
    },
    {
        "stages__trial__to__lost__effects": {"value": 0.5},
        "drivers": {"value": PROFILE},
        **policy(effects={"drivers": {"value": 0.4}, "spread": 0.3}, decay=0.9),
    },
    # what one segment lacks another may have
    {"segments": {**TWO, "a": {"share": 0.5, "purchases": POISSON}}, **effects(orders=2)},
    {"segments": {**TWO, "a": {"share": 0.5, "stages": {"trial": {"contacts": 1}}}}, **effects(contacts=2)},
    {
        "segments": {**TWO, "a": {"share": 0.5, "stages": {"trial": {"to": {"lost": {"probability": None, "hazard": 0.2}}}}}},
        **policy(who={"segments": ["b"]}, effects={"edges": {"trial": {"lost": {"set": 0.1}}}}),
    },
]


@pytest.mark.parametrize("changes", FINE)
def test_what_is_allowed_compiles_without_a_warning(changes: dict[str, Any]) -> None:
    scenario = compiled(sound(**changes))
    assert scenario is not None
    assert warnings(scenario) == ()


def test_a_fault_is_told_once_whatever_segments_there_are() -> None:
    """A segment that changes something, and one that the policy leaves alone, see no fault of their own."""
    segments = {"a": {"share": 0.4, "acquisition": {"cost": 3}}, "b": {"share": 0.6, "stages": {"trial": {"price": 2}}}}
    assert_refused("policies.x.effects.orders: a subscription", segments=segments, **policy(who={"segments": ["a"]}, effects={"orders": 2}))


def test_segments_that_a_policy_leaves_alone_do_not_hold_it() -> None:
    scenario = read(sound(segments=TWO, policies={"x": {"who": {"segments": ["a"]}}, "y": {}}))
    assert {key: list(view.policies) for key, view in scenario.by_segment.items()} == {"a": ["x", "y"], "b": ["y"]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (policy(cost={"per_member": 1}), "policies.x: costs something and changes nothing"),
        (
            policy(cost={"setup": 1}, effects={"edges": {"trial": {"lost": {"multiply": 1}}}}),
            "policies.x: costs something and changes nothing",
        ),
        (policy(cost={"per_period": 1}, effects={"edges": {"trial": {"lost": {"multiply": 0.9}}}}), None),
        *(
            (
                {"policies": {"x": {"cost": {"per_contact": 1}, "effects": {"edges": {"trial": {"lost": {"multiply": 0.5}}}}, **late}}},
                "policies.x: costs something and treats nobody",
            )
            for late in ({"when": {"start": 12}}, {"who": {"tenure_from": 12}}, {"who": {"margin": {"periods": 12}}})
        ),
        (policy(who={"share": 0}), "policies.x.who.share: is 0: the policy is in force for nobody"),
        (policy(rank={"by": "tenure"}), "policies.x.rank: moves nothing, for no capacity or budget keeps anybody out"),
        (policy(rank={"by": "tenure"}, capacity=5), None),
        (policy(uptake=0, cost={"per_contact": 1}), "policies.x.uptake: is 0: the policy is in force for nobody"),
    ],
)
def test_what_is_paid_for_nothing_is_said(changes: dict[str, Any], said: str | None) -> None:
    assert warnings(read(sound(**changes))) == ((said,) if said else ())


def test_several_policies_together_may_leave_nobody_to_stay() -> None:
    """Each alone is fine; which sets of them can be in force is known when hazards are laid out."""
    policies = {key: {"effects": {"edges": {"trial": {"lost": {"add": 0.3}}}}} for key in "xy"}
    raw = sound(policies={**policies, "y": {"effects": {"edges": {"trial": {"member": {"add": 0.3}}}}}})
    with pytest.raises(
        ScenarioError, match=r"policies\.y\.effects: with x and y in force probabilities to leave trial sum to 1\.1 at stage"
    ):
        compile_tables(read(raw))
    certain = sound(stages__member__to={"member": {"probability": 0.4}, "trial": {"probability": 0.1}, "lost": {"hazard": 0.1}})
    certain["policies"] = {
        "x": {"effects": {"edges": {"member": {"member": {"add": 0.3}}}}},
        "y": {"effects": {"edges": {"member": {"trial": {"add": 0.2}}}}},
    }
    with pytest.raises(ScenarioError, match=r"policies\.y\.effects: with x and y in force everybody leaves member at stage age 0, beside"):
        compile_tables(read(certain))


JUNK = [None, True, "x", [], {}, -1, 0, 1e-300, 1e12, 1e300, float("inf"), ["trial"], {"a": 1}]
FULL = {
    "who": {"stages": ["trial"], "segments": ["a"], "survey": {"below": 3}, "tenure_until": 3, "age_until": 3},
    "when": {"stop": 3},
    "cost": {"per_contact": 1},
    "effects": {
        "edges": {"trial": {"lost": {"set": 0.1, "multiply": 0.5}}},
        "causes": {"own": 0.5},
        "drivers": {"value": 0.1},
        "performance": 0.1,
        "orders": 1.1,
        "contacts": 1.1,
    },
    "excludes": ["y"],
    "decay": 1.0,
}


def _paths(body: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    return [path, *(found for key, item in body.items() for found in _paths(item, (*path, key)))] if isinstance(body, dict) else [path]


@pytest.mark.parametrize("path", _paths(FULL), ids=".".join)
def test_junk_is_read_or_refused(path: tuple[str, ...]) -> None:
    for junk in JUNK:
        raw = sound(
            **SEEN,
            satisfaction={},
            segments=TWO,
            purchases={"kind": "poisson", "rate": 1.0},
            stages__trial__contacts=1.0,
            stages__trial__to__lost={"probability": 0.1, "cause": "own", "effects": {"value": 1.0}},
            drivers={"value": PROFILE},
            policies={"x": deepcopy(FULL)},
        )
        assert path or isinstance(read(raw), Scenario)
        place = ["policies", "x", *path]
        here = raw
        for key in place[:-1]:
            here = here[key]
        here[place[-1]] = junk
        compiled(raw)
