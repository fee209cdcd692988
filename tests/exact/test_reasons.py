"""Answers that there are not, and what is said instead."""

import html
from typing import Any

import pytest

from sim.exact import exact
from sim.scenario.model import Scenario
from tests.exact.answers import LOST, answer

WEIBULL = {"to": {"lost": {"weibull": {"shape": 2.0, "scale": 5.0}}}}
THREE_TRAITS = {
    "lost": {"beta": {"a": 1.0, "b": 1.0}},
    "t": {"beta": {"a": 1.0, "b": 2.0}},
    "other": {"target": "lost", "hazard": 0.1},
}
RARE = {"kind": "bernoulli", "probability": {"a": 1.0, "b": 1.0}, "order_value": 1.0}

MINDFUL = [
    (name, effect, {"probability": 0.2, "effects": {effect: 0.7}})
    for name, effect in (("competition", "loyalty"), ("trust",) * 2, ("switching_cost",) * 2)
]
BRANDED = {"probability": 0.2, "effects": {"brand": 0.5}}
REGIMES = {"regimes": {"calm": {"to": {"calm": 0.5, "war": 0.5}}, "war": {"to": {"calm": 1.0}}}}


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (
            {"horizon": "inf", "stages": {"s": WEIBULL, "lost": LOST}},
            "stages.s.to.lost.weibull: changes with stage age for ever, under horizon: inf",
        ),
        ({"horizon": "inf", "calendar": {"orders": {"multiplier": [1.0, 2.0]}}}, "calendar.orders: changes for ever, under horizon: inf"),
        ({"horizon": "inf", "stages": {"s": {}}}, "horizon: the sum of all future cash diverges"),
        (
            {"horizon": "inf", "stages": {"s": {"to": {"lost": {"beta": {"a": 0.9, "b": 2.0}}}}, "lost": LOST}},
            "horizon: over customers the mean of all future cash is infinite",
        ),
        (
            {
                "horizon": 5,
                "frailty": {"variance": 1.0, "edges": ("s.other",)},
                "stages": {"s": {"to": THREE_TRAITS}, "t": {}, "lost": LOST},
            },
            "more than two traits mixed: frailty, stages.s.to.lost.beta, stages.s.to.t.beta",
        ),
        (
            {"horizon": 5, "purchases": RARE, "calendar": {"orders": {"multiplier": [1.0, 1.5]}}},
            "orders: a factor above 1 on an ordering chance that differs between customers",
        ),
        *(
            (
                {"horizon": 5, name: {}, "satisfaction": {}, "stages": {"s": {"rank": 3, "to": {"lost": leave}}, "lost": LOST}},
                f"stages.s.to.lost.effects.{effect}: hazards depend on",
            )
            for name, effect, leave in MINDFUL
        ),
        ({"horizon": 5, "market": REGIMES}, "market: its regimes are drawn"),
        *(
            ({"horizon": 5, "policies": {"calls": body}}, "policies.calls: what is in force depends on who was treated")
            for body in (
                {"cost": {"per_uptake": 1.0}},
                {"effects": {"edges": {"s": {"lost": {"multiply": 0.5}}}}},
                {"effects": {"price": 0.9}},
            )
        ),
        ({"horizon": 5, "satisfaction": {}, "word_of_mouth": {"reach": 2.0, "value": 1.0}}, "word_of_mouth: its value depends on"),
        (
            {"horizon": 5, "satisfaction": {}, "trust": {}, "transaction": {"trust_above": 0.4}, "stages": {"s": {"fees": 1.0}}},
            "transaction.trust_above: fees depend on trust",
        ),
        (
            {
                "horizon": 5,
                "knowledge": {"cv": 1.0},
                "stages": {"s": {"knowledge": 1.0}},
                "purchases": {"kind": "subscription", "wallet": {"mean": 1.0, "cv": 0.5}},
                "correlations": {"knowledge": {"wallet": 0.3}},
            },
            "correlations.knowledge.wallet: the worth of knowledge depends on another trait",
        ),
        (
            {
                "horizon": "inf",
                "drivers": {"brand": {"fame": {"own": [1.0, 2.0]}}},
                "stages": {"s": {"to": {"lost": BRANDED}}, "lost": LOST},
            },
            "drivers.brand: changes with the calendar, under horizon: inf",
        ),
    ],
)
def test_a_missing_answer_names_its_reason(keys: dict[str, Any], reason: str) -> None:
    base: dict[str, Any] = {"period": "year", "start": "s", "stages": {"s": {"to": {"lost": {"probability": 0.2}}}, "lost": LOST}}
    found = exact(Scenario.model_validate({**base, **keys}))
    assert (found.reason or "").startswith(reason)
    assert (found.clv_mean, found.clv_sd, len(found.survival)) == (None, None, 0)
    assert repr(found) == f"<Exact: none, for {found.reason}>"
    assert html.escape(found.reason or "") in found._repr_html_()
    assert (found.cash, found.level.size, found.by_segment) == ({}, 0, {})
    split = exact(Scenario.model_validate({**base, **keys, "segments": {"one": {"share": 0.5}, "two": {"share": 0.5}}}))
    of_segments = ("more than two", "orders:", "horizon:")  # found on the way to the answer of a segment
    assert split.reason == ("segments.one: " if reason.startswith(of_segments) else "") + (found.reason or "")


def test_a_reason_names_the_segment_that_has_it_alone() -> None:
    swayed = {"stages": {"s": {"to": {"lost": {"effects": {"loyalty": 1.0}}}}}}
    why = "stages.s.to.lost.effects.loyalty: hazards depend on satisfaction"
    raw: dict[str, Any] = {"period": "year", "horizon": 5, "start": "s", "satisfaction": {}, "competition": {}}
    raw["stages"] = {"s": {"to": {"lost": {"probability": 0.2}}}, "lost": LOST}
    segments = {"one": {"share": 0.5}, "two": {"share": 0.5, **swayed}}
    assert exact(Scenario.model_validate({**raw, "segments": segments})).reason == f"segments.two: {why}"
    stages = {"s": {"to": {"lost": {"probability": 0.2, "effects": {"loyalty": 1.0}}}}, "lost": LOST}
    plain = {"one": {"share": 0.5}, "two": {"share": 0.5}}
    assert exact(Scenario.model_validate({**raw, "stages": stages, "segments": plain})).reason == why


def test_an_infinite_variance_leaves_the_mean() -> None:
    purchases = {"kind": "bernoulli", "probability": {"a": 0.8, "b": 1.0}, "wallet": 10.0}
    found = answer(horizon=5, purchases=purchases, stages={"s": {"to": {"lost": {"probability": 0.2}}}, "lost": LOST})
    assert found.clv_mean == pytest.approx(10 * (1 - 0.8**5) / 0.2)
    assert found.clv_sd is None
    assert found.sd_reason is not None
    beta = answer(horizon="inf", stages={"s": {"to": {"lost": {"beta": {"a": 1.5, "b": 2.0}}}}, "lost": LOST})
    assert beta.clv_mean == pytest.approx(5.0, rel=1e-9)
    assert beta.clv_sd is None


def test_a_policy_that_costs_the_firm_alone_is_solved() -> None:
    """What it costs is due from its start until it stops, and is nobody's CLV."""
    base: dict[str, Any] = {"period": "year", "horizon": 6, "start": "s", "discount_rate_annual": 0.25, "firm": {"customers": 100}}
    base["stages"] = {"s": {"to": {"lost": {"probability": 0.2}}}, "lost": LOST}
    plain = exact(Scenario.model_validate(base))
    assert plain.equity is not None
    cost = {"setup": 7.0, "per_period": 2.0}
    for when, periods in (({}, range(6)), ({"start": 1, "stop": 4}, range(1, 4)), ({"start": 4, "stop": 9}, range(4, 6))):
        found = exact(Scenario.model_validate({**base, "policies": {"ads": {"cost": cost, "when": when}}}))
        paid = 7.0 * 0.8 ** periods[0] + sum(2.0 * 0.8**y for y in periods)
        assert found.clv_mean == plain.clv_mean
        assert found.equity == pytest.approx(plain.equity - paid, rel=1e-12)
    late = exact(Scenario.model_validate({**base, "policies": {"ads": {"cost": cost, "when": {"start": 6}}}}))
    assert late.equity == plain.equity
    endless = {**base, "horizon": "inf", "policies": {"ads": {"cost": cost}}}
    without = exact(Scenario.model_validate({**base, "horizon": "inf"})).equity
    assert exact(Scenario.model_validate(endless)).equity == pytest.approx((without or 0.0) - 7.0 - 2.0 / 0.2, rel=1e-12)
