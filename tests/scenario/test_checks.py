"""Rules between values: each has an example that breaks it and nothing else; the sound one breaks none."""

from typing import Any

import numpy as np
import pytest

from sim.compile.quantiles import Values, beta, moments, positive
from sim.scenario import ScenarioError, read
from sim.scenario.checks import warnings
from sim.scenario.checks_spread import LEAST_BETA, LEAST_SPREAD, MOST_BETA, MOST_SPREAD
from tests.scenario.cases import assert_refused, sound

EDGE = "stages__trial__to__lost__probability"
ORDERS = {"kind": "bernoulli", "probability": 0.5, "order_value": 10}
POISSON = {"kind": "poisson", "rate": {"mean": 2, "cv": 1}, "order_value": {"mean": 3, "cv": 1}}
RATES = "probability, hazard, mean_duration, share, weibull, beta"
SHARED: dict[str, Any] = {"mean_duration": 4, "to": {"member": {"share": 0.7}, "lost": {"share": 0.3}}}
TWO = {"a": {"share": 0.5}, "b": {"share": 0.5}}


def trial(**edges: Any) -> dict[str, Any]:
    return {"stages__trial": {"to": edges}}


def shared(**changes: Any) -> dict[str, Any]:
    return {"stages__trial": {**SHARED, **changes}}


def segment(**stage: Any) -> dict[str, Any]:
    return {"segments": {**TWO, "a": {"share": 0.5, "stages": {"trial": stage}}}}


def cohorts(**entries: Any) -> dict[str, Any]:
    return {"cohorts": entries}


def correlated(**table: Any) -> dict[str, Any]:
    return {"purchases": POISSON, "frailty": {"variance": 0.5}, "correlations": table}


BROKEN: list[tuple[dict[str, Any], str]] = [
    # start and stages
    ({"start": "trail"}, "start: must be one of the stages (got 'trail'); did you mean trial?"),
    ({"start": "lost"}, "start: must not be a stage of kind lost (got 'lost'); choose from trial, member"),
    (
        {"stages": {"trial": {"kind": "prospect"}}},
        "stages: at least one stage must be of kind active; leave its kind out: active is the default",
    ),
    ({"stages__lost__rank": 3}, "stages.lost.rank: only active stages have a rank, this one is lost (got 3)"),
    ({"stages__member__rank": True}, "stages.member.rank: must be one of 1, 2, 3 (got true)"),
    (
        {"stages__trial__kind": "prospect", "stages__trial__price": [0, 1]},
        "stages.trial.price: a prospect does not buy yet and has no price (got [0, 1]); leave it out",
    ),
    # edges
    (
        trial(member={"probability": 0.1}, lst={"probability": 0.1}),
        "stages.trial.to.lst: leads to a stage that does not exist (got 'lst'); did you mean lost?",
    ),
    (
        trial(moves={"probability": 0.1, "target": "los"}),
        "stages.trial.to.moves.target: no such stage (got 'los'); did you mean lost?",
    ),
    (trial(lost={"cash": 3}), f"stages.trial.to.lost: needs exactly one of {RATES}"),
    (
        trial(lost={"probability": 0.1, "hazard": 0.1}),
        f"stages.trial.to.lost: needs exactly one of {RATES} (got probability, hazard); "
        "where a segment or override replaces another rate, set that to null: probability: null",
    ),
    (
        trial(member={"probability": [0.5, 0.6]}, lost={"probability": [0.5, 0.5, 0.2]}),
        "stages.trial.to: probabilities to leave a stage must sum to at most 1 at every stage age, not at age 1 (got 1.1)",
    ),
    *(
        (
            trial(member={"probability": [0.6, 0.2]}, lost={"probability": 0.4}, moves={rate: value, "target": "lost"}),
            f"stages.trial.to.moves: no edge with a {rate} where the stage is left for certain: "
            f"its probabilities sum to 1 at stage age 0 (got {rate}); give a probability instead",
        )
        for rate, value in (
            ("hazard", 0.1),
            ("mean_duration", 3),
            ("weibull", {"shape": 1, "scale": 3}),
            ("beta", {"a": 1, "b": 1}),
        )
    ),
    # shares
    (shared(to={"member": {"share": 0.7}, "lost": {"share": 0.2}}), "stages.trial.to: shares of a stage must sum to 1 (got 0.9)"),
    (
        {"stages__trial": {"to": SHARED["to"]}},
        "stages.trial.mean_duration: must be given where edges have a share; mean stay in periods, 1 or more",
    ),
    (
        {"stages__trial__mean_duration": 4},
        "stages.trial.mean_duration: divides among edges by their share, and none has one (got 4); "
        "give the edges of the stage share, or give mean_duration to an edge",
    ),
    (
        shared(to={**SHARED["to"], "moves": {"target": "lost", "probability": 0.1}}),
        "stages.trial.to: share and probability cannot be mixed in one stage (got moves); use one for all",
    ),
    (
        shared(mean_duration=1, to={**SHARED["to"], "moves": {"target": "lost", "hazard": 0.1}}),
        "stages.trial.to.moves: no edge with a hazard where the stage is left for certain: its mean_duration is 1 (got hazard); "
        "give a probability instead",
    ),
    # periods of rates
    (
        trial(member={"probability": 0.1, "rate_period": "year"}, lost={"probability": 0.1}),
        "stages.trial.to: probabilities and shares of one stage must have one rate_period (got year, month)",
    ),
    (
        trial(member={"hazard": [0.1, 0.2], "rate_period": "year"}),
        "stages.trial.to.member.rate_period: a hazard by stage age must be quoted for the scenario's period, month (got 'year'); "
        "leave rate_period out",
    ),
    (
        trial(member={"weibull": {"shape": 1, "scale": 2}, "rate_period": "year"}),
        "stages.trial.to.member.rate_period: a weibull must be quoted for the scenario's period, month (got 'year'); leave rate_period out",
    ),
    (
        trial(lost={"probability": 1, "rate_period": "year"}),
        "stages.trial.to: leaving for certain within a year cannot be turned into a chance a month; give a hazard or a probability below 1",
    ),
    (
        shared(mean_duration=1, to={key: {**edge, "rate_period": "year"} for key, edge in SHARED["to"].items()}),
        "stages.trial.to: leaving for certain within a year cannot be turned into a chance a month; "
        "give a mean_duration above 1, or hazards",
    ),
    # lists
    *(
        (
            {"horizon": 2, f"stages__trial__{name}": [1, 1, 1]},
            f"stages.trial.{name}: a list by stage age must not be longer than the horizon, 2 periods (got 3 values); "
            "shorten the list or lengthen the horizon",
        )
        for name in ("price", "margin", "cost_to_serve", "orders", "information", "fees", "knowledge", "sales_cost")
    ),
    ({"horizon": 1}, "stages.trial.to.lost.probability: a list by stage age must not be longer than the horizon, 1 periods (got 2 values)"),
    (
        {"calendar": {"margin": {"multiplier": [1, 2]}}},
        "calendar.margin.multiplier: needs one value for each period of a year, 12 (got 2 values)",
    ),
    ({"calendar": {"hazards": {"multiplier": [1] * 13}}}, "calendar.hazards.multiplier: needs one value for each period of a year, 12"),
    # edges named elsewhere
    (
        {"frailty": {"variance": 1, "edges": ["trial.lots"]}},
        "frailty.edges: no such edge; edges are named stage.edge (got 'trial.lots'); did you mean trial.lost?",
    ),
    ({"calendar": {"hazards": {"edges": ["trial"]}}}, "calendar.hazards.edges: no such edge; edges are named stage.edge (got 'trial');"),
    (
        {"frailty": {"variance": 1}, "stages__trial__to__lost": {"beta": {"a": 1, "b": 2}}},
        "stages.trial.to.lost.beta: an edge cannot have both beta and frailty; name the edges that frailty acts on in frailty.edges",
    ),
    (
        {"frailty": {"variance": 1, "edges": ["trial.member"]}, "stages__trial__to__member": {"beta": {"a": 1, "b": 2}}},
        "stages.trial.to.member.beta: an edge cannot have both beta and frailty; take it out of frailty.edges",
    ),
    # purchases
    ({"purchases": {"kind": "bernoulli", "probability": 0.5}}, "purchases: bernoulli needs exactly one of wallet, order_value"),
    ({"purchases": {**ORDERS, "wallet": 3}}, "purchases: bernoulli needs exactly one of wallet, order_value (got wallet, order_value)"),
    ({"purchases": {**POISSON, "rate": {"cv": 1}}}, "purchases.rate: needs exactly mean, or shape and rate"),
    (
        {"purchases": {**POISSON, "rate": {"mean": 1, "shape": 2, "rate": 2}}},
        "purchases.rate: needs exactly mean, or shape and rate (got mean, shape, rate)",
    ),
    ({"purchases": {**POISSON, "order_value": {"shape": 2}}}, "purchases.order_value: needs exactly mean, or shape and rate (got shape)"),
    (
        {"purchases": {**POISSON, "rate": {"shape": 2, "rate": 2, "distribution": "lognormal"}}},
        "purchases.rate.distribution: shape and rate are those of a gamma (got 'lognormal'); give mean and cv",
    ),
    (
        {"purchases": {**POISSON, "rate": {"shape": 2, "rate": 2, "cv": 0.5}}},
        "purchases.rate.cv: follows from shape (got 0.5); leave it out, or give mean and cv",
    ),
    ({"purchases": {**ORDERS, "probability": {"a": 1}}}, "purchases.probability: needs exactly value, or a and b (got a)"),
    (
        {"purchases": {**ORDERS, "probability": {"value": 0.5, "a": 1, "b": 1}}},
        "purchases.probability: needs exactly value, or a and b (got value, a, b)",
    ),
    (
        {"purchases": {**ORDERS, "amount": {"cv": 0.5}}},
        "purchases.amount.cv: fixed amounts do not vary (got 0.5); give distribution: gamma or lognormal",
    ),
    (
        {"purchases": {**ORDERS, "amount": {"distribution": "lognormal"}}},
        "purchases.amount.cv: a lognormal amount needs a cv above 0 (got 0.0); or give distribution: fixed",
    ),
    ({"stages__trial__amount_cv": 0.5}, "stages.trial.amount_cv: fixed amounts do not vary (got 0.5); subscriptions are paid as they are"),
    (
        {"purchases": ORDERS, "stages__trial__amount_cv": 0.5},
        "stages.trial.amount_cv: fixed amounts do not vary (got 0.5); give purchases.amount.distribution: gamma or lognormal",
    ),
    (
        {"purchases": ORDERS, "stages__trial__orders": [1, 3]},
        "stages.trial.orders: purchases.probability times orders times calendar.orders must be at most 1 (got 1.5)",
    ),
    (
        {"purchases": {**ORDERS, "probability": {"value": 0.9}}, "stages__member__orders": 0.5, "calendar__orders__growth_annual": 0.2},
        "stages.trial.orders: purchases.probability times orders times calendar.orders must be at most 1 (got 1.06372)",
    ),
    (
        {"purchases": {**POISSON, "rate": 651}},
        "purchases.rate: at most 650 orders a period (got 651); use a shorter period",
    ),
    (
        {"purchases": {**POISSON, "rate": {"mean": 100, "cv": 1}}},
        "purchases.rate: the busiest customers would order 2393.81 times a period, and 650 is the most (got 100 on average); "
        "use a shorter period or a smaller spread",
    ),
    (
        {"purchases": {**POISSON, "rate": {"mean": 1, "cv": 4, "distribution": "lognormal"}}},
        "purchases.rate: the busiest customers would order 13688.2 times a period, and 650 is the most (got 1 on average)",
    ),
    (
        {"purchases": {**POISSON, "rate": {"shape": 2, "rate": 1}, "rate_period": "day"}, "stages__trial__orders": 10},
        "purchases.rate: the busiest customers would order 8297.76 times a period, and 650 is the most (got 608.333 on average)",
    ),
    (
        {"purchases": {**POISSON, "rate": 60}, "calendar": {"orders": {"multiplier": [*[1] * 11, 11]}}},
        "purchases.rate: at most 650 orders a period (got 660); use a shorter period",
    ),
    # spreads
    ({"purchases": {**POISSON, "rate": {"mean": 1e-3, "cv": 5.1}}}, "purchases.rate.cv: the spread must be 0 or 0.001 to 5 (got 5.1)"),
    ({"purchases": {"kind": "subscription", "wallet": {"mean": 1, "cv": 1e-4}}}, "purchases.wallet.cv: the spread must be 0 or 0.001 to 5"),
    (
        {"purchases": {**ORDERS, "order_value": {"mean": 1, "cv": 4.1, "distribution": "lognormal"}}},
        "purchases.order_value.cv: the spread of a lognormal must be 0 or 0.001 to 4 (got 4.1)",
    ),
    *(
        (
            {"purchases": {**POISSON, "rate": {"shape": shape, "rate": shape}}},
            f"purchases.rate.shape: must be 0.04 to 1,000,000, a spread of 0.001 to 5 (got {shape})",
        )
        for shape in (0.039, 1000001)
    ),
    (
        {"purchases": {**ORDERS, "amount": {"distribution": "gamma", "cv": 6}}},
        "purchases.amount.cv: the spread must be 0 or 0.001 to 5 (got 6)",
    ),
    (
        {"purchases": {**ORDERS, "amount": {"distribution": "lognormal", "cv": 1}}, "stages__trial__amount_cv": 5},
        "stages.trial.amount_cv: the spread of a lognormal must be 0 or 0.001 to 4 (got 5)",
    ),
    *(
        ({"frailty": {"variance": value}}, f"frailty.variance: must be 0 or 0.000001 to 25, a spread of 0.001 to 5 (got {value})")
        for value in (9e-07, 25.1)
    ),
    *(
        (trial(lost={"beta": {"a": a, "b": b}}), f"stages.trial.to.lost.beta: a and b must be 0.01 or more and a + b at most 10,000 {got}")
        for a, b, got in ((0.009, 1, "(got a 0.009, b 1)"), (1, 0.009, "(got a 1, b 0.009)"), (9000, 1001, "(got a 9000, b 1001)"))
    ),
    (
        {"purchases": {**ORDERS, "probability": {"a": 1, "b": 1e5}}},
        "purchases.probability: a and b must be 0.01 or more and a + b at most 10,000 (got a 1, b 100000)",
    ),
    *(
        (
            {"purchases": {"kind": "bernoulli", "wallet": 5, "probability": chance}},
            "purchases.probability: must be above 0 where a wallet is divided by it (got 0); give order_value instead",
        )
        for chance in (0, {"value": 0})
    ),
    (
        {"purchases": {"kind": "subscription", "wallet": {"shape": 2, "rate": 1e-12}}},
        "purchases.wallet: shape / rate must be at most 1,000,000,000,000 (got 2e+12)",
    ),
    (
        {"purchases": {"kind": "subscription", "wallet": 1e-13}},
        "purchases.wallet: a mean must be at least 1e-12 (got 1e-13); use other units",
    ),
    # segments
    ({"segments": {"a": {"share": 0.5}, "b": {"share": 0.4}}}, "segments: shares of the segments must sum to 1 (got 0.9)"),
    (
        {"segments": {**TWO, "a": {"share": 0.5, "stages": {"trail": {"price": 3}}}}},
        "segments.a.stages.trail: no such stage; a segment changes stages, it adds none; did you mean trial?",
    ),
    (
        segment(to={"lst": {"probability": 0.1}}),
        "segments.a.stages.trial.to.lst: no such edge; a segment changes edges, it adds none; did you mean lost?",
    ),
    (segment(kind="lost"), "segments.a.stages.trial.kind: is the same for all segments (got 'lost'); change it under stages"),
    (segment(to={"lost": {"target": "member"}}), "segments.a.stages.trial.to.lost.target: is the same for all segments (got 'member')"),
    (segment(to={"lost": {"hazard": 0.1}}), f"segments.a.stages.trial.to.lost: needs exactly one of {RATES} (got probability, hazard)"),
    # cohorts
    (cohorts(c={"periods": 2}), "cohorts.c: needs exactly customers, or budget and response"),
    (
        cohorts(c={"customers": 5, "budget": 3}),
        "cohorts.c: needs exactly customers, or budget and response (got customers, budget)",
    ),
    (
        cohorts(c={"customers": [5, 6, 7], "periods": 2}),
        "cohorts.c.customers: a list of arrivals must not be longer than the cohort's periods (got 3 values); give periods: 3",
    ),
    (
        cohorts(c={"customers": 5, "periods": 4}, d={"customers": 5, "first_period": 3}),
        "cohorts.d: arrives in calendar period 3, as cohort c does; a period has one cohort; change first_period or periods",
    ),
    (
        {**cohorts(c={"customers": 5}), "firm": {"customers": 100}},
        "firm.customers: not together with cohorts, which say how many arrive (got 100); set it to null",
    ),
    (cohorts(c={"customers": 0.4}), "cohorts: customers of all cohorts must be from 1 to 1,000,000,000,000 (got 0)"),
    (
        cohorts(c={"customers": 1, "growth": 9, "periods": 5000}),
        "cohorts: customers of all cohorts must be from 1 to 1,000,000,000,000 (got inf)",
    ),
    (
        cohorts(c={"budget": 1, "response": {"ceiling": 10, "k": 1e-9}}),
        "cohorts: customers of all cohorts must be from 1 to 1,000,000,000,000 (got 0)",
    ),
    (
        cohorts(c={"customers": 5, "first_period": 65000, "periods": 530}),
        "cohorts: last arrival plus horizon must be at most 65,534 periods (got 65541); use a longer period",
    ),
    # correlations
    (
        correlated(wallet={"retention": 0.5}),
        "correlations.wallet.retention: no such trait (got 'retention'); "
        "choose from wallet, rate, frailty, influence, knowledge, satisfaction",
    ),
    (correlated(wallet={"wallet": 0.5}), "correlations.wallet.wallet: a trait is not correlated with itself (got 0.5); leave it out"),
    (correlated(wallet={"rate": -1}), "correlations.wallet.rate: must be above -1 and below 1 (got -1)"),
    (
        correlated(wallet={"rate": 0.1}, rate={"wallet": 0.1}),
        "correlations.rate.wallet: given twice, also as correlations.wallet.rate (got 0.1); give it once",
    ),
    (
        correlated(wallet={"rate": 0.9, "frailty": 0.9}, rate={"frailty": -0.9}),
        "correlations: traits cannot be correlated so, all at once; bring the numbers nearer to 0",
    ),
    (
        {"purchases": POISSON, "correlations": {"rate": {"frailty": 0.5}}},
        "correlations: only what differs between customers can be correlated (got 'frailty'); give frailty.variance",
    ),
    (
        {**correlated(rate={"wallet": 0.5}), "purchases": {"kind": "subscription", "wallet": {"mean": 3, "cv": 1}}},
        "correlations: only what differs between customers can be correlated (got 'rate'); give it a cv, or leave the correlation out",
    ),
]


@pytest.mark.parametrize(("changes", "said"), BROKEN, ids=[said.partition(":")[0] for _, said in BROKEN])
def test_rule(changes: dict[str, Any], said: str) -> None:
    assert_refused(said, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        trial(member={"probability": 0.7}, lost={"probability": 0.2}, moves={"target": "lost", "probability": 0.1}),
        trial(member={"probability": [0.6, 0.2]}, lost={"probability": 0.4}),
        shared(),
        shared(mean_duration=1),
        shared(to={key: {**edge, "rate_period": "year"} for key, edge in SHARED["to"].items()}),
        trial(lost={"mean_duration": 3, "rate_period": "year"}),
        trial(lost={"hazard": 0.3, "rate_period": "year"}),
        trial(lost={"probability": 0.1}, moves={"target": "lost", "probability": 0.1, "cause": "natural"}),
        {"stages__trial__kind": "prospect", "stages__trial__price": 0},
        trial(lost={"probability": 1, "rate_period": "month"}),
        trial(lost={"beta": {"a": 0.01, "b": 9999}}),
        {"horizon": 2},
        {"horizon": "inf"},
        *({"frailty": {"variance": value}} for value in (1e-6, 25)),
        *({"purchases": {**POISSON, "order_value": {"shape": shape, "rate": 1}}} for shape in (0.04, 1e6)),
        *({"purchases": {"kind": "subscription", "wallet": {"mean": 1e12, "cv": cv}}} for cv in (0.001, 5)),
        {"purchases": {**ORDERS, "probability": 0}},
        {"purchases": {**POISSON, "rate": 650}},
        {"purchases": {**POISSON, "rate": {"mean": 27, "cv": 1}}},
        {"frailty": {"variance": 0}, "stages__trial__to__lost": {"beta": {"a": 1, "b": 2}}},
        {"frailty": {"variance": 1, "edges": ["member.lost"]}, "stages__trial__to__lost": {"beta": {"a": 1, "b": 2}}},
        {"calendar": {"hazards": {"multiplier": [1] * 12, "edges": ["member.lost"]}}},
        {"purchases": {**ORDERS, "amount": {"distribution": "gamma"}}, "stages__trial__amount_cv": 0.5},
        {"purchases": {**ORDERS, "probability": {"a": 1, "b": 2}}, "stages__trial__orders": 3},
        {"purchases": {**ORDERS, "probability": 0.9}, "calendar": {"orders": {"multiplier": [1.1] * 12, "growth_annual": -0.5}}, EDGE: 0.1}
        | {"stages__trial__orders": 0.5, "stages__member__orders": 0.9},
        {"purchases": {**POISSON, "rate": 12 * 500, "rate_period": "year"}},
        {"cohorts": {"c": {"budget": 100, "response": {"ceiling": 1000, "k": 0.01}}, "d": {"first_period": 1, "customers": 3}}},
        {"cohorts": {"c": {"customers": 5}}, "firm": {"setup_cost": 3}},
        {"cohorts": {"c": {"customers": 5, "first_period": 65000, "periods": 523}}},
        correlated(wallet={"rate": 0.9, "frailty": -0.1}, rate={"frailty": -0.1}),
        {**correlated(rate={"frailty": 0.5}), "frailty": {}, "segments": {**TWO, "a": {"share": 0.5, "frailty": {"variance": 1}}}},
        segment(to={"lost": {"probability": None, "hazard": 0.1}}),
    ],
)
def test_allowed(changes: dict[str, Any]) -> None:
    assert read(sound(**changes)).by_segment


TABLES = [
    *((positive(shape, cv), 1.0, 1 + cv * cv) for shape, most in MOST_SPREAD.items() for cv in (LEAST_SPREAD, 0.3, most)),
    *(
        (beta(a, b), a / (a + b), a / (a + b) * (a + 1) / (a + b + 1))
        for low, high in (
            (LEAST_BETA, LEAST_BETA),
            (LEAST_BETA, MOST_BETA - LEAST_BETA),
            (MOST_BETA / 2, MOST_BETA / 2),
            (1.0, MOST_BETA - 1),
        )
        for a, b in ((low, high), (high, low))
    ),
]


@pytest.mark.parametrize(("table", "mean", "second"), TABLES)
def test_tables_hold_at_the_limits_of_spread(table: Values, mean: float, second: float) -> None:
    assert moments(table) == pytest.approx((mean, second), rel=1e-6)
    assert (np.diff(table.astype(np.float32)) >= 0).all()


def test_a_misspelt_rate_is_told_once() -> None:
    with pytest.raises(ScenarioError) as caught:
        read(sound(**trial(lost={"probabilty": 0.1})))
    assert str(caught.value) == "stages.trial.to.lost.probabilty: unknown key (got 0.1); did you mean probability?"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ()),
        ({"horizon": "inf"}, ()),
        ({"stages__idle": {}}, ("stages.idle: no way leads here from start (trial)",)),
        (
            {"stages__member__to": {}, EDGE: 0},
            (
                "stages: no stage of kind lost can be reached from start (trial): nobody is ever lost",
                "stages.lost: no way leads here from start (trial)",
            ),
        ),
        (
            {
                "stages__member__to": {},
                EDGE: 0,
                "segments": {**TWO, "b": {"share": 0.5, "stages": {"trial": {"to": {"lost": {"probability": 0.1}}}}}},
            },
            (),
        ),
        ({"stages": {"trial": {}}}, ("stages: no stage of kind lost can be reached from start (trial): nobody is ever lost",)),
        (shared(to={"member": {"share": 0.0}, "lost": {"share": 1.0}}), ("stages.member: no way leads here from start (trial)",)),
        ({"discount_rate_annual": 12.0}, ("discount_rate_annual: 12 is 1,200 % a year; did you mean 0.12?",)),
        ({"discount_rate_annual": 1.0}, ()),
        (
            {"stages__trial__price": 20.0, "stages__trial__margin": [0.5, 80.0]},
            ("stages.trial.margin: 80 is 8,000 % of the spend; did you mean 0.8?",),
        ),
        (
            {"stages__trial__price": 1.0, "stages__trial__margin": 2.0, "purchases": {**ORDERS, "order_value": 50.0}, "segments": TWO},
            ("stages.trial.margin: 2 is 200 % of the spend; did you mean 0.02?",),
        ),
        ({"stages__trial__price": 1.0, "stages__trial__margin": 80.0}, ()),
    ],
)
def test_warnings(changes: dict[str, Any], said: tuple[str, ...]) -> None:
    assert warnings(read(sound(**changes))) == said
