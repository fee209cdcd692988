"""The best rule against the published stopping rule, every rule there is, every branch of decisions, and what must hold of any."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sim.exact import exact
from sim.exact.decisions import BestRule, best_rule
from sim.scenario.errors import ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.policy import Policy
from tests.exact.answers import LOST
from tests.exact.rules import Twin

RATE = 0.2
BUYS = (0.30, 0.20, 0.15, 0.05)
"""Pfeifer and Carraway 2000: chance of a purchase by recency, of those who are mailed."""


def found(raw: dict[str, Any], horizon: int | str, policies: dict[str, Any], **more: Any) -> BestRule:
    keys = {key: value for key, value in raw.items() if key != "oldest"}
    case = Scenario.model_validate({"period": "year", "discount_rate_annual": RATE, **keys, "horizon": horizon, **more})
    return best_rule(case, {key: Policy.model_validate(one) for key, one in policies.items()})


def recency() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the recency chain, in which nobody buys who is not mailed, and the mailing."""
    stages: dict[str, Any] = {"former": LOST}
    edges = {}
    for k, chance in enumerate(BUYS, start=1):
        idle = "former" if k == len(BUYS) else f"recency_{k + 1}"
        to = {"buys": {"target": "recency_1", "probability": 0.0}, "idle": {"target": idle, "probability": 1.0}}
        stages[f"recency_{k}"] = {"price": 40.0 if k == 1 else 0.0, "to": to}
        edges[f"recency_{k}"] = {"buys": {"set": chance}, "idle": {"set": 1.0 - chance}}
    mail = {"cost": {"per_contact": 4.0}, "effects": {"edges": edges}, "lasts": 1}
    return {"start": "recency_1", "stages": stages}, mail


def test_mailing_stops_after_the_third_year_without_purchase() -> None:
    """Pfeifer and Carraway 2000: 53.149 under the best of their rules, 52.320 where all are mailed, and by state."""
    raw, mail = recency()
    best = found(raw, "inf", {"mail": mail})
    assert best.value == pytest.approx(53.149, abs=5e-4)
    assert best.always["mail"] == pytest.approx(52.320, abs=5e-4)
    assert best.nothing == pytest.approx(40.0)
    assert {row["stage"]: row["action"] for row in best.rule} == {
        "recency_1": "mail", "recency_2": "mail", "recency_3": "mail", "recency_4": None, "former": None,
    }  # fmt: skip
    assert {(row["tenure_from"], row["tenure_until"], row["age"], row["in_force"]) for row in best.rule} == {(0, None, 0, None)}
    assert [best.at(f"recency_{k}") for k in (1, 2, 3, 4)] == pytest.approx([53.149, 6.621, 2.644, 0.0], abs=5e-4)
    assert best.bound
    assert best.error < 1e-11
    with pytest.raises(KeyError):
        best.at("recency_5")


@pytest.mark.parametrize(("last", "value"), [(1, 48.000), (2, 51.574), (3, 53.149), (4, 52.320)])
def test_rules_that_stop_earlier(last: int, value: float) -> None:
    raw, mail = recency()
    who = {"stages": [f"recency_{k}" for k in range(1, last + 1)]}
    best = found(raw, "inf", {"mail": {**mail, "who": who}})
    assert best.always["mail"] == pytest.approx(value, abs=5e-4)
    assert best.value == pytest.approx(min(value, 53.149) if last < 4 else 53.149, abs=5e-4)


def test_nobody_is_mailed_in_the_last_year() -> None:
    """Five years of mailing all are worth 50.115 as published, of which the last brings nothing: 4 a mailing are saved."""
    raw, mail = recency()
    best = found(raw, 5, {"mail": mail})
    assert best.always["mail"] == pytest.approx(50.115, abs=5e-4)
    assert {row["action"] for row in best.rule if row["tenure_until"] == 5} == {None}
    assert [(row["tenure_from"], row["tenure_until"]) for row in best.rule if row["stage"] == "recency_1"] == [(0, 4), (4, 5)]
    assert best.value > best.always["mail"]
    assert best.value == pytest.approx(Twin(raw, {"mail": mail}, 1 / 1.2).best(5), rel=1e-12)


@st.composite
def chains(draw: st.DrawFn, ages: int) -> dict[str, Any]:
    """Draw two active stages and a lost one, with moves by probability and by hazard."""
    small, money = st.floats(0.05, 0.4), st.floats(-1.0, 5.0)

    def listed(numbers: st.SearchStrategy[float]) -> list[float]:
        return [draw(numbers) for _ in range(ages)]

    stages = {
        "one": {
            "price": listed(money.map(abs)),
            "to": {"two": {"probability": listed(small)}, "lost": {"probability": draw(small), "cash": draw(money)}},
        },
        "two": {
            "cost_to_serve": listed(money),
            "to": {"one": {"probability": draw(small)}, "lost": {"hazard": listed(st.floats(0.1, 2.0)), "cause": "rival"}},
        },
        "lost": {**LOST, "to": {"one": {"probability": draw(st.sampled_from([0.0, 0.1]))}}},
    }
    return {"start": "one", "stages": stages, "oldest": ages - 1}


@st.composite
def treatments(draw: st.DrawFn, lasts: st.SearchStrategy[int | None], ages: int) -> dict[str, Any]:
    """Draw a policy on the stages of ``chains``."""
    cost = st.floats(0.0, 0.5)
    everything = {"set": [0.3, 0.2][:ages], "add": 0.05, "multiply": [2.0, 0.5][:ages]}
    first: dict[str, Any] = draw(st.sampled_from([{"set": 0.1}, {"add": -0.05}, {"multiply": 0.3}, everything]))
    policy: dict[str, Any] = {
        "cost": {"per_contact": draw(cost), "per_uptake": draw(cost), "per_member": draw(st.floats(0.0, 0.1))},
        "uptake": draw(st.sampled_from([1.0, 0.4])),
        "effects": {
            "edges": {"one": {"lost": first}, "two": {"one": {"multiply": draw(st.floats(0.5, 3.0))}}},
            "causes": {"rival": draw(st.floats(0.2, 1.5))},
            "price": draw(st.floats(0.9, 1.2)),
            "margin": draw(st.floats(-0.1, 0.1)),
            "cost_to_serve": draw(st.floats(0.5, 1.5)),
        },
    }
    length = draw(lasts)
    if length is not None:
        policy["lasts"] = length
        if "set" not in first and "add" not in first:
            policy["decay"] = draw(st.sampled_from([1.0, 0.6]))
    stages = draw(st.sampled_from([None, ["one"], ["one", "lost"]]))
    return {**policy, "who": {"stages": stages}} if stages else policy


@settings(max_examples=15, deadline=None)
@given(chains(1), treatments(st.sampled_from([1, 2, None]), 1))
def test_no_rule_by_tenure_is_better(raw: dict[str, Any], policy: dict[str, Any]) -> None:
    """Against every rule of three periods."""
    twin, best = Twin(raw, {"act": policy}, 1.0 / (1.0 + RATE)), found(raw, 3, {"act": policy})
    begin = ((twin.start, 0), None)
    assume(len(twin.reached(3)) <= 10)
    values = [twin.under(rule, 3, 0, begin) for rule in twin.rules(3)]
    assert best.value == pytest.approx(max(values), rel=1e-10, abs=1e-12)


@settings(max_examples=15, deadline=None)
@given(chains(2), treatments(st.sampled_from([1, 2, None]), 2))
def test_no_rule_for_ever_is_better(raw: dict[str, Any], policy: dict[str, Any]) -> None:
    """Against every rule by stage, age and what is in force; rules by tenure cannot be better."""
    twin, best = Twin(raw, {"act": policy}, 1.0 / (1.0 + RATE)), found(raw, "inf", {"act": policy})
    assume(len(twin.reached(-1)) <= 9)
    values = [twin.endless(rule) for rule in twin.rules(-1)]
    assert best.value == pytest.approx(max(values), rel=1e-10, abs=1e-12)
    assert best.error < 1e-9
    long = found(raw, 200, {"act": policy})
    assert (long.value, long.always["act"]) == pytest.approx((best.value, best.always["act"]), rel=1e-9, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(chains(2), treatments(st.integers(1, 3), 2), treatments(st.sampled_from([None, 2]), 2), st.integers(0, 2))
def test_every_branch_of_decisions(raw: dict[str, Any], one: dict[str, Any], two: dict[str, Any], tenure: int) -> None:
    """Two policies, effects that last and fade, conditions of age and tenure, four periods; more policies never bring less."""
    policies = {"one": {**one, "who": {**one.get("who", {}), "tenure_from": tenure}}, "two": {**two, "who": {"age_until": 1}}}
    both = found(raw, 4, policies)
    assert both.value == pytest.approx(Twin({**raw, "oldest": 1}, policies, 1.0 / (1.0 + RATE)).best(4), rel=1e-10, abs=1e-12)
    for horizon in (4, "inf"):
        every = both if horizon == 4 else found(raw, horizon, policies)
        for key in policies:
            alone = found(raw, horizon, {key: policies[key]})
            assert every.value >= alone.value - 1e-9
            assert alone.value >= max(alone.nothing, alone.always[key]) - 1e-9
            assert every.always[key] == pytest.approx(alone.always[key], rel=1e-10, abs=1e-10)


@settings(max_examples=15, deadline=None)
@given(chains(2))
def test_doing_nothing_and_treating_for_good_are_exact_answers(raw: dict[str, Any]) -> None:
    """Against the referee's own answer, on the chain as it is and as the policy makes it."""
    keys = {"period": "year", "discount_rate_annual": RATE, "start": "one", "stages": raw["stages"]}
    chance = {"probability": [0.2, 0.1]}
    stages = {**raw["stages"], "one": {**raw["stages"]["one"], "to": {**raw["stages"]["one"]["to"], "two": chance}}}
    for horizon in (6, "inf"):
        case = Scenario.model_validate({**keys, "horizon": horizon})
        policy = Policy.model_validate({"effects": {"edges": {"one": {"two": {"set": [0.2, 0.1]}}}}})
        best = best_rule(case, {"good": policy})
        assert best.nothing == pytest.approx(exact(case).clv_before_mean, rel=1e-10)
        changed = exact(Scenario.model_validate({**keys, "horizon": horizon, "stages": stages}))
        assert best.always["good"] == pytest.approx(changed.clv_before_mean, rel=1e-10)


FULL: dict[str, Any] = {
    "start": "prospect",
    "exposure": "until_exit",
    "purchases": {"kind": "poisson", "rate": {"mean": 1.5, "cv": 0.4}, "order_value": {"mean": 2.0, "cv": 0.3}},
    "acquisition": {"cost": 3.0, "due": "conversion"},
    "timing": {"purchase": "mid", "service": "end"},
    "calendar": {"hazards": {"multiplier": [1.0, 1.5]}, "orders": {"multiplier": [1.0, 0.5, 2.0]}, "margin": {"growth_annual": 0.1}},
    "knowledge": {"share": 0.4},
    "stages": {
        "prospect": {"kind": "prospect", "sales_cost": 0.2, "to": {"s": {"probability": 0.3}, "lost": {"hazard": 0.1}}},
        "s": {
            "knowledge": 0.5,
            "cost_to_serve": 0.3,
            "contacts": 0.5,
            "information_per_contact": 0.2,
            "to": {"lost": {"mean_duration": 4, "cash": -1, "effects": {"value": 0.5}}},
        },
        "lost": {"kind": "lost", "to": {"s": {"probability": [0.2, 0.1, 0.0]}}},
    },
}


@pytest.mark.parametrize("arrival", [0, 1, 5])
def test_calendar_exposure_and_every_kind_of_cash(arrival: int) -> None:
    """A customer of each arrival, before acquisition cost; and drivers of equity raised for good, as a factor of the hazard."""
    keys: dict[str, Any] = {"period": "quarter", "discount_rate_annual": 0.1, "horizon": 9, **FULL}
    case = Scenario.model_validate({**keys, "cohorts": {"only": {"first_period": arrival, "customers": 1}}})
    raised = Policy.model_validate({"who": {"stages": ["prospect", "lost"]}, "effects": {"drivers": {"value": 0.7}}})
    best = best_rule(case, {"better": raised}, arrival)
    assert best.nothing == pytest.approx(exact(case).clv_before_mean, rel=1e-12)
    hazard = -np.log(1.0 - 1.0 / 4.0) * np.exp(-0.5 * 0.7)
    lost = {"hazard": float(hazard), "cash": -1}
    stages = {**FULL["stages"], "s": {**FULL["stages"]["s"], "to": {"lost": lost}}}
    changed = exact(Scenario.model_validate({**case.model_dump(exclude_unset=True), "stages": stages}))
    assert best.always["better"] == pytest.approx(changed.clv_before_mean, rel=1e-12)


def test_a_tenure_condition_under_an_infinite_horizon() -> None:
    """One stage, kept by half: free value 1 a period more, in the third and fourth period alone."""
    raw = {"start": "s", "stages": {"s": {"to": {"lost": {"probability": 0.5}}}, "lost": LOST}}
    gift = {"who": {"tenure_from": 2, "tenure_until": 4}, "lasts": 1, "effects": {"margin": 1.0}, "cost": {"per_contact": 0.25}}
    best = found(raw, "inf", {"gift": gift})
    kept = 0.5 / 1.2
    assert best.value == pytest.approx(1.0 / (1.0 - kept) + 0.75 * (kept**2 + kept**3), rel=1e-12)
    assert [(row["tenure_from"], row["tenure_until"], row["action"]) for row in best.rule if row["stage"] == "s"] == [
        (0, 2, None), (2, 4, "gift"), (4, None, None),
    ]  # fmt: skip
    assert best.at("s", tenure=4) == best.at("s", age=7, tenure=400) == pytest.approx(1.0 / (1.0 - kept))


def test_who_is_done_is_not_contacted_and_costs_nothing() -> None:
    raw = {"start": "s", "stages": {"s": {"to": {"lost": {"probability": 1.0}}}, "lost": LOST}}
    costly = {"who": {"stages": ["s", "lost"]}, "cost": {"per_contact": 2.0, "per_member": 1.0}}
    assert found(raw, 5, {"all": costly}).always["all"] == pytest.approx(1.0 - 3.0)
    assert found(raw, "inf", {"all": {**costly, "lasts": 1}}).always["all"] == pytest.approx(1.0 - 3.0)


def test_what_a_rule_by_stage_leaves_out_is_named() -> None:
    raw, mail = recency()
    assert found(raw, 4, {}).value == found(raw, 4, {}).nothing
    more = {
        **mail,
        "who": {"share": 0.5, "age_from": 0, "margin": {"periods": 2}, "remaining_value_below": 9.0},
        "when": {"every": 2},
        "turnover": {"leaving": 0.1},
        "overload": "share",
        "cost": {"per_contact": 4.0, "setup": 100.0},
        "effects": {**mail["effects"], "orders": 2.0, "spread": 0.1},
    }
    best = found(raw, 4, {"mail": more})
    names = ("who.share", "who.margin", "who.remaining_value_below", "effects.orders", "effects.spread", "turnover", "overload", "when")
    assert best.left_out == tuple(f"policies.mail.{one}" for one in names)
    assert not best.bound
    assert best.value == found(raw, 4, {"mail": mail}).value
    case = Scenario.model_validate({"period": "year", "horizon": 4, **raw, "policies": {"mail": mail}})
    assert best_rule(case).policies == ("mail",)
    assert best_rule(case, {"mail": None}).value == best_rule(case).nothing


S: dict[str, Any] = {"to": {"lost": {"probability": 0.2}, "t": {"target": "lost", "hazard": 0.1}}}


@pytest.mark.parametrize(
    ("keys", "policy", "where"),
    [
        ({"horizon": "inf", "discount_rate_annual": 0.0}, {}, "discount_rate_annual"),
        ({"level": {}}, {}, "level"),
        ({"segments": {"a": {"share": 1.0}}}, {}, "segments"),
        ({"frailty": {"variance": 0.5}}, {}, "frailty"),
        ({"stages": {"s": {"to": {"lost": {"beta": {"a": 1.0, "b": 2.0}}}}, "lost": LOST}}, {}, "stages.s.to.lost.beta"),
        ({"market": {"regimes": {"calm": {"to": {"war": 1.0}}, "war": {"to": {"calm": 1.0}}}}}, {}, "market"),
        ({"horizon": "inf", "calendar": {"margin": {"growth_annual": 0.1}}}, {}, "calendar.margin"),
        ({}, {"who": {"stages": ["nowhere"]}}, "policies.act.who.stages"),
        ({}, {"effects": {"edges": {"s": {"away": {"multiply": 0.5}}}}}, "policies.act.effects.edges.s.away"),
        ({}, {"effects": {"edges": {"nowhere": {"lost": {"multiply": 0.5}}}}}, "policies.act.effects.edges.nowhere.lost"),
        ({}, {"effects": {"edges": {"s": {"t": {"set": 0.5}}}}}, "policies.act.effects.edges.s.t"),
        ({}, {"decay": 0.5, "effects": {"edges": {"s": {"lost": {"set": 0.5}}}}}, "policies.act.effects.edges.s.lost"),
        ({"horizon": "inf", "discount_rate_annual": 0.1}, {"decay": 0.5}, "policies.act.decay"),
        ({"horizon": 65_000}, {"lasts": 60_000}, "horizon"),
    ],
)
def test_faults(keys: dict[str, Any], policy: dict[str, Any], where: str) -> None:
    base: dict[str, Any] = {"period": "year", "horizon": 5, "start": "s", "stages": {"s": S, "lost": LOST}}
    with pytest.raises(ScenarioError) as caught:
        best_rule(Scenario.model_validate({**base, **keys}), {"act": Policy.model_validate(policy)})
    assert where in [fault.where for fault in caught.value.faults]


def test_probabilities_above_one_are_a_fault() -> None:
    edges = {"lost": {"probability": 0.2}, "t": {"target": "lost", "probability": 0.5}}
    case = Scenario.model_validate({"period": "year", "horizon": 5, "start": "s", "stages": {"s": {"to": edges}, "lost": LOST}})
    with pytest.raises(ScenarioError, match=r"policies\.act\.effects\.edges\.s: .* sum to 1\.1 at stage age 1"):
        best_rule(case, {"act": Policy.model_validate({"effects": {"edges": {"s": {"lost": {"set": [0.3, 0.6]}}}}})})
