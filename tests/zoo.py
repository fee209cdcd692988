"""Small scenarios that between them use every mechanism of the core; each test of the kernels runs over all of them."""

from typing import Any

import pytest

from sim.scenario.model import Scenario

CHAIN: dict[str, Any] = {
    "period": "month",
    "horizon": 14,
    "discount_rate_annual": 0.1,
    "start": "investigation",
    "acquisition": {"cost": 40.0},
    "patterns": {"long_lasting": 4},
    "stages": {
        "investigation": {
            "rank": 1,
            "price": 5.0,
            "to": {"formation": {"probability": 0.25}, "decline": {"probability": 0.05}, "lost": {"probability": 0.15}},
        },
        "formation": {"rank": 2, "price": 40.0, "to": {"stability": {"probability": 0.4}, "lost": {"probability": 0.07}}},
        "stability": {"rank": 3, "price": 60.0, "to": {"decline": {"probability": 0.1}, "lost": {"probability": 0.03}}},
        "decline": {"price": 15.0, "cost_to_serve": 3.0, "to": {"formation": {"probability": 0.1}, "lost": {"probability": 0.42}}},
        "lost": {"kind": "lost"},
    },
    "firm": {"customers": 3000},
}


def changed(base: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """Return a scenario's mapping with whole parts replaced."""
    return {**base, **parts}


def one_stage(rate: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """Return a scenario of one stage that is left at a rate."""
    stages = {"customer": {"price": 2.0, "cost_to_serve": 0.5, "to": {"lost": rate}}, "lost": {"kind": "lost"}}
    return {"period": "year", "horizon": 9, "start": "customer", "stages": stages, "firm": {"customers": 3000}, **parts}


ZOO: dict[str, dict[str, Any]] = {
    "chain": CHAIN,
    "lists_and_renewal": {
        "period": "year",
        "horizon": 8,
        "discount_rate_annual": 0.15,
        "start": "trial",
        "timing": {"purchase": "mid", "service": "end"},
        "stages": {
            "trial": {"price": [3.0, 1.0], "to": {"member": {"probability": 0.6}, "lost": {"probability": 0.4}}},
            "member": {
                "rank": 1,
                "price": [7.0, 8.0, 9.0],
                "margin": 0.5,
                "cost_to_serve": [1.0, 0.5],
                "to": {
                    "renews": {"target": "member", "probability": [0.1, 0.3], "cash": 2.0},
                    "lost": {"probability": [0.2, 0.1, 0.05], "cause": "own", "cash": -1.0},
                    "taken": {"target": "lost", "hazard": [0.1, 0.0], "cause": "rival"},
                },
            },
            "lost": {"kind": "lost"},
        },
        "firm": {"customers": 3000},
    },
    "durations": one_stage({"weibull": {"shape": 1.3, "scale": 4.0}}),
    "beta": one_stage({"beta": {"a": 0.7, "b": 2.5}}, acquisition={"cost": 1.0}),
    "frailty_seasons_cohorts": changed(
        CHAIN,
        frailty={"variance": 0.5},
        calendar={
            "hazards": {"multiplier": [1.0, 1.5, 0.5] * 4},
            "margin": {"growth_annual": 0.05},
        },
        cohorts={"first": {"customers": [700, 300], "periods": 2}, "later": {"first_period": 5, "customers": 900, "label": "后来"}},
        firm={"fixed_cost": 10.0, "setup_cost": 5.0},
        segments={
            "small": {"share": 0.7},
            "large": {"share": 0.3, "stages": {"stability": {"price": 90.0, "to": {"lost": {"probability": 0.01}}}}},
        },
    ),
    "pareto_nbd": one_stage(
        {"hazard": 0.2},
        exposure="until_exit",
        frailty={"variance": 1.5},
        purchases={
            "kind": "poisson",
            "rate": {"shape": 0.6, "rate": 0.5},
            "order_value": {"mean": 3.0, "cv": 0.4, "distribution": "lognormal"},
            "amount": {"distribution": "gamma", "cv": 0.8},
        },
        correlations={"wallet": {"rate": 0.4}, "frailty": {"wallet": -0.3}},
    ),
    "busy": one_stage(
        {"probability": 0.1},
        purchases={"kind": "poisson", "rate": 45.0, "amount": {"distribution": "lognormal", "cv": 1.5}},
        calendar={"orders": {"growth_annual": 0.1}},
    ),
    "bgbb": one_stage(
        {"beta": {"a": 0.657, "b": 2.783}},
        purchases={"kind": "bernoulli", "probability": {"a": 1.204, "b": 0.75}, "order_value": 1.0},
    ),
    "wallet_by_chance": one_stage(
        {"mean_duration": 3.0},
        purchases={
            "kind": "bernoulli",
            "probability": 0.4,
            "wallet": {"mean": 5.0, "cv": 0.5},
            "amount": {"distribution": "gamma", "cv": 0.5},
        },
    ),
    "subscription_wallet_until_exit": one_stage(
        {"hazard": 0.3}, exposure="until_exit", purchases={"kind": "subscription", "wallet": {"mean": 5.0, "cv": 0.5}}
    ),
    "prospects_and_win_back": {
        "period": "quarter",
        "horizon": 10,
        "discount_rate_annual": 0.08,
        "start": "potential",
        "acquisition": {"cost": 7.0},
        "stages": {
            "potential": {
                "kind": "prospect",
                "cost_to_serve": 0.2,
                "mean_duration": 3.0,
                "to": {"new": {"share": 0.6, "cash": -1.0}, "lost": {"share": 0.4}},
            },
            "new": {"rank": 1, "price": 4.0, "to": {"loyal": {"probability": 0.3}, "lost": {"probability": 0.2}}},
            "loyal": {"rank": 3, "price": 9.0, "to": {"lost": {"probability": 0.1, "rate_period": "year"}}},
            "lost": {"kind": "lost", "cost_to_serve": 0.05, "to": {"new": {"probability": 0.08}}},
        },
        "firm": {"customers": 3000},
    },
}
ZOO["orders_for_nothing"] = one_stage(
    {"target": "sleeper", "probability": 0.4},
    purchases={"kind": "poisson", "rate": 1.5},
    stages={"customer": {"to": {"sleeper": {"probability": 0.4}}}, "sleeper": {"price": 0.0}, "lost": {"kind": "lost"}},
)
ZOO["segments_that_buy_differently"] = one_stage(
    {"probability": 0.2},
    segments={
        "fixed": {"share": 0.5},
        "varied": {"share": 0.3, "purchases": {"kind": "subscription", "wallet": {"mean": 2.0, "cv": 0.3}}},
        "orders": {"share": 0.2, "purchases": {"kind": "poisson", "rate": 0.7, "order_value": 3.0}},
    },
)
MINDFUL: dict[str, Any] = {
    "satisfaction": {
        "initial": 3.4,
        "spread": 0.6,
        "speed": 0.3,
        "quality": [3.0, 3.2, 3.6],
        "delivered_value": 0.5,
        "drift": 0.4,
        "failure": {"probability": 0.1, "size": 1.5},
        "expectation": {"initial": 2.9, "norm": 3.1, "speed": 0.2, "habituation": 0.6},
    },
    "trust": {"initial": 0.5, "rise": 0.1, "fall": 0.3, "drop": 0.4, "inherit": 0.5},
    "competition": {"intensity": 0.7},
    "switching_cost": {"speed": 0.1},
    "level": {"initial": 0.1, "re_entry": 0.2},
    "word_of_mouth": {"influence": {"mean": 1.5, "cv": 0.8}, "reach": 2.0, "value": 0.7},
    "knowledge": {"share": 0.4, "cv": 1.2},
    "transaction": {"trust_above": 0.52},
    "correlations": {"influence": {"wallet": 0.3, "satisfaction": 0.5}, "knowledge": {"influence": -0.2}},
    "drivers": {
        "value": {"quality": {"weight": 2.0, "own": [3.0, 3.0, 3.5], "rival": 3.1}, "price": {"own": 2.0, "rival": [2.0, 2.5]}},
        "relationship": {"programme": {"own": [0.0, 1.0]}},
    },
    "market": {
        "regimes": {
            "calm": {"to": {"calm": 0.7, "war": 0.3}},
            "war": {
                "to": {"calm": 0.5, "war": 0.5}, "hazards": 1.4, "orders": 0.9, "margin": 0.8, "competition": 0.9, "rival": {"value": 0.4},
            },
        },
    },
    "purchases": {"kind": "subscription", "wallet": {"mean": 1.2, "cv": 0.5}},
    "stages": {
        "investigation": {
            "rank": 1, "price": 5.0, "information": 0.1, "sales_cost": 0.5, "level": {"target": 0.3, "speed": 0.2},
            "delivered_value": {"benefit": 3.0, "money": 2.0, "time": 0.5},
            "to": {
                "formation": {"probability": 0.25, "effects": {"loyalty": -1.0}},
                "decline": {"probability": 0.05, "effects": {"loyalty": 2.0, "value": 0.5}},
                "lost": {"probability": 0.15, "cause": "rival", "effects": {"loyalty": 1.5, "trust": 1.0}},
            },
        },
        "formation": {
            "rank": 2, "price": 40.0, "information": [0.2, 0.3], "level": {"target": 0.9, "speed": 0.5},
            "to": {"stability": {"probability": 0.4}, "lost": {"probability": 0.07, "cause": "rival", "effects": {"relationship": 0.3}}},
        },
        "stability": {
            "rank": 3, "price": 60.0, "knowledge": 1.5, "fees": 0.8, "level": {"target": 1.0, "speed": 0.05},
            "to": {"decline": {"probability": 0.1, "effects": {"switching_cost": 1.2, "trust": 2.0}}, "lost": {"probability": 0.03}},
        },
        "decline": {
            "price": 15.0, "cost_to_serve": 3.0, "level": {"target": 0.0, "speed": 0.4},
            "to": {"formation": {"probability": 0.1}, "lost": {"probability": 0.42}},
        },
        "lost": {"kind": "lost", "to": {"investigation": {"probability": 0.1}}},
    },
}  # fmt: skip
"""Every mechanism of behaviour at once."""

ZOO["mindful"] = changed(CHAIN, **MINDFUL, frailty={"variance": 0.4}, acquisition={"cost": 4.0})
ZOO["mindful_orders"] = changed(
    CHAIN,
    **{**MINDFUL, "purchases": {"kind": "poisson", "rate": {"mean": 1.4, "cv": 0.5}, "order_value": 2.0}},
    segments={"keen": {"share": 0.6}, "cool": {"share": 0.4, "stages": {"stability": {"price": 50.0}}}},
    exposure="until_exit",
)
ZOO["level_alone"] = one_stage(
    {"probability": 0.2},
    level={"initial": 0.2},
    purchases={"kind": "bernoulli", "probability": 0.4, "order_value": 2.0},
    stages={
        "customer": {"price": 2.0, "level": {"target": 0.9, "speed": 0.3}, "to": {"lost": {"probability": 0.2}}},
        "lost": {"kind": "lost"},
    },
)
ZOO["level_of_prospects"] = changed(
    ZOO["prospects_and_win_back"],
    level={"initial": 0.6, "re_entry": 0.3},
    stages={
        "potential": {"kind": "prospect", "to": {"new": {"probability": 0.3}, "lost": {"probability": 0.1}}},
        "new": {"rank": 1, "price": 4.0, "level": {"target": 0.9, "speed": 0.2}, "to": {"lost": {"probability": 0.3}}},
        "lost": {"kind": "lost", "to": {"potential": {"probability": 0.2}}},
    },
)
ZOO["prospects_on_arrival"] = changed(ZOO["prospects_and_win_back"], acquisition={"cost": 7.0, "due": "arrival"})

ACTIVE: dict[str, Any] = {
    "products": {"maximum": 3, "worth": 0.6},
    "stages": {
        "investigation": {
            "rank": 1, "price": 5.0, "contacts": [2.5, 1.0], "information_per_contact": 0.4, "cross_sell": 0.2,
            "to": {"formation": {"probability": 0.25}, "lost": {"probability": 0.15}},
        },
        "formation": {
            "rank": 2, "price": 40.0, "margin": 0.5, "willing_to_pay": [45.0, 50.0], "information": 0.3, "cross_sell": [0.1, 0.5],
            "to": {"stability": {"probability": 0.4}, "lost": {"probability": 0.07, "effects": {"surplus": 1.5}}},
        },
        "stability": {
            "rank": 3, "price": 60.0, "margin": 0.4, "willing_to_pay": 90.0, "contacts": 0.3, "information_per_contact": [5.0, 3.0],
            "information": 0.2, "cost_to_serve": 2.0, "cross_sell": 0.3,
            "to": {
                "decline": {"probability": 0.1, "effects": {"surplus": 3.0}},
                "lost": {"probability": 0.03, "effects": {"surplus": -2.0}},
            },
        },
        "decline": {"price": 15.0, "to": {"formation": {"probability": 0.1}, "lost": {"probability": 0.42}}},
        "lost": {"kind": "lost", "to": {"investigation": {"probability": 0.1}}},
    },
    "service": {"breadth": 0.25},
    "fair_share": 0.6,
    "segments": {
        "keen": {"share": 0.6},
        "cool": {"share": 0.4, "products": {"worth": 0.1}, "stages": {"formation": {"willing_to_pay": 39.0}}},
    },
}  # fmt: skip
"""What customers do beside buying, and what is offered to them."""

ZOO["active"] = changed(CHAIN, **ACTIVE)
ZOO["active_orders"] = changed(
    ZOO["active"],
    exposure="until_exit",
    purchases={"kind": "poisson", "rate": {"mean": 1.4, "cv": 0.5}, "order_value": 2.0},
    frailty={"variance": 0.4},
)
ZOO["contacts_alone"] = one_stage(
    {"beta": {"a": 1.2, "b": 3.0}},
    stages={
        "customer": {"contacts": 3.0, "to": {"lost": {"beta": {"a": 1.2, "b": 3.0}}, "idle": {"hazard": 0.1}}},
        "idle": {"contacts": 0.5},
        "lost": {"kind": "lost"},
    },
)
POLICIES: dict[str, dict[str, Any]] = {
    "steady": {
        "who": {"stages": ["formation", "stability"], "age_from": 1, "age_until": 4},
        "when": {"start": 1, "every": 2},
        "uptake": 0.7,
        "cost": {"per_contact": 0.5, "per_uptake": 2.0, "per_member": 0.25, "setup": 100.0},
        "effects": {
            "edges": {"stability": {"decline": {"multiply": [0.0, 0.5]}, "lost": {"set": 0.01}}, "formation": {"lost": {"add": -0.03}}}
        },
        "lasts": 3,
    },
    "fading": {
        "who": {"tenure_from": 2, "tenure_until": 12, "share": 0.8},
        "when": {"stop": 11, "cooldown": 3},
        "cost": {"per_contact": 1.0},
        "effects": {
            "edges": {"formation": {"stability": {"multiply": [1.5, 1.2]}}},
            "causes": {"rival": 0.7},
            "spread": 0.4,
            "price": 0.95,
        },
        "decay": 0.8,
        "lasts": 6,
        "excludes": ["steady"],
    },
    "for_good": {
        "who": {"stages": ["investigation", "decline"]},
        "uptake": 0.3,
        "cost": {"per_member": 0.1},
        "effects": {"edges": {"decline": {"lost": {"multiply": 0.6}}}, "margin": 0.02},
    },
    "win_back": {
        "who": {"stages": ["lost"], "age_until": 3},
        "cost": {"per_uptake": 3.0},
        "effects": {"edges": {"lost": {"investigation": {"set": 0.5}}}},
        "lasts": 2,
    },
}
"""Policies for the chain's stages; between them they use all that needs no mind."""

LIFTED: dict[str, dict[str, Any]] = {
    **POLICIES,
    "surveyed": {
        "who": {"survey": {"below": 3.1, "above": 1.2, "error": 0.4, "response": 0.8}},
        "uptake": 0.9,
        "cost": {"per_contact": 0.2},
        "effects": {
            "performance": 0.6,
            "expectation": -0.3,
            "delivered_value": 0.5,
            "level": 0.2,
            "drivers": {"value": 0.5},
            "spread": 0.3,
        },
        "lasts": 4,
        "decay": 0.7,
    },
}

SEEN: dict[str, Any] = {"stage_observed": True}
LOST_COMES_BACK: dict[str, Any] = {"lost": {"kind": "lost", "to": {"investigation": {"probability": 0.05}}}}

ZOO["treated_chain"] = changed(CHAIN, **SEEN, stages={**CHAIN["stages"], **LOST_COMES_BACK}, policies=POLICIES)
ZOO["treated_minds"] = changed(ZOO["mindful"], **SEEN, policies=LIFTED)
_MORE = {"orders": 1.3, "contacts": 0.7}
ZOO["treated_orders"] = changed(
    ZOO["active_orders"],
    **SEEN,
    policies={
        **{key: {**one, "effects": {**one["effects"], **_MORE}} for key, one in POLICIES.items()},
        "win_back": {**POLICIES["win_back"], "who": {**POLICIES["win_back"]["who"], "segments": ["cool"]}},
    },
)
SERVED: dict[str, dict[str, Any]] = {
    "told_of_more": {"effects": {"cross_sell": 1.6}, "lasts": 2, "uptake": 0.5, "when": {"every": 2}, "cost": {"per_contact": 0.1}},
    "served_less": {"who": {"stages": ["stability"]}, "effects": {"cost_to_serve": 0.6, "spread": 0.3}, "lasts": 4, "decay": 0.9},
}
"""Policies on products added and on the cost to serve."""

CULLED: dict[str, dict[str, Any]] = {
    "cheaper": {
        "who": {"margin": {"below": 4.0, "periods": 2}},
        "effects": {"cost_to_serve": 0.5, "margin": 0.1},
        "cost": {"per_contact": 0.5},
        "lasts": 3,
    },
    "culled": {
        "who": {"margin": {"below": 1.0, "periods": 1}, "remaining_value_below": 200.0},
        "effects": {"edges": {"decline": {"formation": {"set": 0.0}, "lost": {"set": 1.0}}}},
        "lasts": 1,
    },
}
"""Policies on customers whose margin stays low."""

ZOO["treated_margins"] = changed(ZOO["treated_minds"], policies=CULLED)
ZOO["treated_losses"] = changed(ZOO["prospects_and_win_back"], policies={"cheaper": CULLED["cheaper"]})
STAFFED: dict[str, dict[str, Any]] = {
    "managers": {
        "who": {"stages": ["formation", "stability", "decline"]},
        "uptake": 0.6,
        "cost": {"per_contact": 0.5, "per_member": 0.2},
        "effects": {"causes": {"rival": 0.5}, "margin": 0.02},
        "turnover": {"leaving": 0.3, "gap": 2, "trust": 0.25},
    },
    "dealers": {
        "effects": {"causes": {"rival": 0.8}, "spread": 0.2},
        "cost": {"per_member": 0.1},
        "lasts": 1,
        "excludes": ["managers"],
    },
    "callers": {
        "effects": {"price": 0.9},
        "lasts": 4,
        "decay": 0.9,
        "when": {"every": 3},
        "turnover": {"leaving": 0.5, "gap": 1},
    },
}
"""Policies whose staff leave, and one that covers for them."""

ZOO["treated_by_staff"] = changed(ZOO["treated_minds"], policies=STAFFED)
ZOO["treated_service"] = changed(ZOO["active_orders"], **SEEN, policies=SERVED)


COUPLED: dict[str, dict[str, Any]] = {
    "recruits": changed(
        ZOO["mindful_orders"],
        horizon=6,
        cohorts={"first": {"customers": [40, 25], "periods": 2}, "later": {"first_period": 4, "customers": 20}},
        firm={},
        crowd={"strength": 0.05, "market": 300.0},
        word_of_mouth={"influence": {"mean": 1.5, "cv": 0.8}, "reach": 0.4, "recruits": {"fee": 1.5, "until": 9}},
        acquisition={"cost": 4.0},
    ),
    "recruited_prospects": changed(
        ZOO["prospects_and_win_back"],
        horizon=5,
        satisfaction={"initial": 4.2, "spread": 1.0, "speed": 0.1, "drift": 0.5},
        word_of_mouth={"reach": 0.3, "recruits": {"fee": 2.0}},
        firm={"customers": 120},
    ),
    "crowd": one_stage(
        {"probability": 0.1},
        horizon=12,
        cohorts={"all": {"customers": 20, "periods": 9}},
        firm={},
        crowd={"strength": 0.4, "market": 150.0},
    ),
}
COUPLED["busy_recruits"] = changed(
    COUPLED["recruited_prospects"],
    word_of_mouth={"reach": 0.6, "recruits": {"fee": 2.0}},
    products={"maximum": 3, "worth": 0.5},
    stages=changed(
        COUPLED["recruited_prospects"]["stages"],
        new={"price": 4.0, "contacts": 1.5, "information_per_contact": 0.5, "cross_sell": 0.4, "to": {"lost": {"probability": 0.2}}},
    ),
)
"""Scenarios whose arrivals depend on customers; the whole firm is simulated."""

TREATED = ["treated_chain", *(pytest.param(name, marks=pytest.mark.jit) for name in ("treated_minds", "treated_orders"))]
"""Names of scenarios with policies, for what takes long without JIT: one of them is enough there."""


def scenario(name: str, **run: Any) -> Scenario:
    """Return one of the zoo, with run settings."""
    return Scenario.model_validate({**(ZOO.get(name) or COUPLED[name]), "name": name, "run": run})
