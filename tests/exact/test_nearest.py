"""The nearest solvable case: what stands in the way of an exact answer goes, and nothing else."""

from typing import Any

import pytest

from sim.exact import exact
from sim.exact.nearest import nearest
from sim.scenario.model import Scenario, overlay
from tests.exact.answers import LOST
from tests.exact.test_reasons import RARE, REGIMES, THREE_TRAITS

BASE: dict[str, Any] = {
    "period": "year",
    "horizon": 6,
    "start": "s",
    "stages": {"s": {"rank": 3, "to": {"lost": {"probability": 0.2}}}, "lost": LOST},
}
MINDS: dict[str, Any] = {"satisfaction": {"spread": 0.5, "drift": 0.3}, "trust": {}, "competition": {}, "switching_cost": {}}


def effects(**found: float) -> dict[str, Any]:
    return {"stages": {"s": {"to": {"lost": {"effects": found}}}}}


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "minds": (
        {**MINDS, **effects(loyalty=2.0, trust=1.0, switching_cost=0.5)},
        {},
        ("effects.loyalty", "effects.trust", "effects.switching_cost"),
    ),
    "drivers_stay": (
        {**MINDS, **effects(loyalty=2.0, brand=1.0), "drivers": {"brand": {"fame": {"own": [1.0, 2.0]}}}},
        {**effects(brand=1.0), "drivers": {"brand": {"fame": {"own": [1.0, 2.0]}}}},
        ("effects.loyalty",),
    ),
    "market": ({"market": REGIMES}, {}, ("market",)),
    "policies": (
        {"policies": {"calls": {"cost": {"per_contact": 1.0}}, "ads": {"effects": {"causes": {"own": 0.5}}}}},
        {},
        ("policies",),
    ),
    "word_of_mouth": ({**MINDS, "word_of_mouth": {"reach": 2.0, "value": 1.0}}, {}, ("word_of_mouth",)),
    "fees": (
        {**MINDS, "transaction": {"trust_above": 0.9}, "stages": {"s": {"fees": 1.0}}},
        {"stages": {"s": {"fees": 1.0}}},
        ("transaction.trust_above",),
    ),
    "knowledge": (
        {
            "knowledge": {"cv": 1.0},
            "stages": {"s": {"knowledge": 1.0}},
            "purchases": {"kind": "subscription", "wallet": {"mean": 1.0, "cv": 0.5}},
            "correlations": {"knowledge": {"wallet": 0.3}},
        },
        {
            "knowledge": {"cv": 1.0},
            "stages": {"s": {"knowledge": 1.0}},
            "purchases": {"kind": "subscription", "wallet": {"mean": 1.0, "cv": 0.5}},
        },
        ("correlations.knowledge.wallet",),
    ),
    "traits": (
        {
            "frailty": {"variance": 1.0, "edges": ["s.other"]},
            "stages": {"s": {"to": {**THREE_TRAITS, "lost": THREE_TRAITS["lost"]}}, "t": {}},
        },
        {"stages": {"s": {"to": {**THREE_TRAITS, "lost": THREE_TRAITS["lost"]}}, "t": {}}},
        ("frailty",),
    ),
    "chance": (
        {"purchases": RARE, "calendar": {"orders": {"multiplier": [1.0, 1.5]}}},
        {"purchases": {**RARE, "probability": {"value": 0.5}}, "calendar": {"orders": {"multiplier": [1.0, 1.5]}}},
        ("purchases.probability",),
    ),
}


def case(keys: dict[str, Any]) -> Scenario:
    raw = overlay(BASE, keys)
    if "t" in raw["stages"]:
        raw["stages"]["s"]["to"]["lost"] = THREE_TRAITS["lost"]
    return Scenario.model_validate(raw)


@pytest.mark.parametrize("name", CASES)
def test_only_what_prevents_an_answer_goes(name: str) -> None:
    keys, left, taken = CASES[name]
    found, without, answer = nearest(case(keys))
    expected = exact(case(left))
    assert without == taken
    assert expected.reason is None
    assert answer.clv_mean == exact(found).clv_mean == expected.clv_mean
    assert answer.clv_sd == expected.clv_sd


def test_a_drawn_probability_too_many_gives_way_to_its_mean() -> None:
    three = {**THREE_TRAITS, "more": {"target": "lost", "beta": {"a": 1.0, "b": 3.0}}}
    found, without, answer = nearest(case({"stages": {"s": {"to": three}, "t": {}}}))
    assert without == ("stages.s.to.more.beta",)
    assert answer.clv_mean is not None
    assert answer.node_error < 1e-6
    assert 1 - 2.718281828459045 ** -found.stages["s"].to["more"].hazard[0] == pytest.approx(0.25)  # type: ignore[index]


def test_segments_are_freed_too() -> None:
    segments = {"one": {"share": 0.5}, "two": {"share": 0.5, **effects(loyalty=3.0), "satisfaction": {"initial": 2.0}}}
    found, without, answer = nearest(Scenario.model_validate({**overlay(BASE, {**MINDS, **effects(trust=1.0)}), "segments": segments}))
    assert without == ("effects.trust", "effects.loyalty")
    assert answer.clv_mean == exact(case({})).clv_mean
    assert all(view.satisfaction is None for view in found.by_segment.values())


def test_policies_of_one_segment_go() -> None:
    segments = {"one": {"share": 0.5}, "two": {"share": 0.5}}
    raw = {**BASE, "segments": segments, "policies": {"calls": {"who": {"segments": ["two"]}, "cost": {"per_contact": 1.0}}}}
    assert exact(Scenario.model_validate(raw)).reason == "policies.calls: what is in force depends on who was treated"
    found, without, answer = nearest(Scenario.model_validate(raw))
    assert (found.policies, without, answer.clv_mean) == ({}, ("policies",), exact(case({})).clv_mean)


def test_what_is_solvable_stays_as_it_is() -> None:
    found, without, answer = nearest(case({}))
    assert (found, without, answer.clv_mean) == (case({}), (), exact(case({})).clv_mean)


@pytest.mark.parametrize(
    "keys",
    [
        {"horizon": "inf", "stages": {"s": {"to": {"lost": {"probability": 0.0}}}}},
        {"purchases": RARE, "calendar": {"orders": {"multiplier": [1.0, 1.5]}}, "segments": {"a": {"share": 1.0, "purchases": RARE}}},
    ],
)
def test_where_nothing_helps_the_reason_stays(keys: dict[str, Any]) -> None:
    assert nearest(case(keys))[2].reason is not None
