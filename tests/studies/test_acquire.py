"""Policies that win customers: what they are worth and cost, errors against sums customer by customer, and what is refused."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sim
from sim.kernels.types import AFTER, BEFORE, UNIT
from sim.measures.arms import returns
from sim.scenario import ScenarioError, read
from sim.scenario.model import Scenario
from sim.scenario.sample import cells, cohorts
from sim.studies.arms import Arm, with_policies
from sim.studies.compare import compared
from sim.studies.comparison import Comparison
from sim.studies.picking import How, pick_best
from tests import base, zoo

RESPONSE = {"ceiling": 900.0, "k": 1e-4}
WON = 534  # 900 (1 - exp(-0.9)) = 534.09
BUDGET = 9000.0
BOUGHT: dict[str, Any] = {"acquire": {"budget": BUDGET, "response": RESPONSE}, "when": {"start": 1, "stop": 4, "every": 2}}
KEPT: dict[str, Any] = {
    "effects": {"edges": {"renewed": {"lapsed": {"multiply": 0.7}}}},
    "cost": {"per_contact": 3.0, "setup": 50.0},
    "when": {"every": 2},
    "lasts": 3,
}
COHORTS = {"new": {"periods": 4, "customers": [1000, 500, 800, 600]}}
SEGMENTS = {"dear": {"share": 0.25, "stages": {"renewed": {"price": 95.0}}}, "plain": {"share": 0.75}}


def publisher(*overrides: str, **parts: Any) -> Scenario:
    raw = sim.load("publisher", "run.customers=4000", "run.seed=5", *overrides).model_dump(exclude_unset=True)
    raw["firm"] = {**raw.get("firm", {}), "customers": None}
    return read({**raw, "cohorts": COHORTS, "segments": SEGMENTS, **parts})


def arm(scenario: Scenario, key: str, **bodies: dict[str, Any]) -> Arm:
    return Arm(key, tuple(bodies), with_policies(scenario, bodies))


def arms(scenario: Scenario) -> tuple[Arm, ...]:
    both = arm(scenario, "both", bought=BOUGHT, kept=KEPT)
    return Arm("none", (), scenario), arm(scenario, "bought", bought=BOUGHT), arm(scenario, "kept", kept=KEPT), both


def found(scenario: Scenario) -> Comparison:
    return compared(scenario, arms(scenario))


def test_customers_are_won_in_its_periods() -> None:
    scenario = arm(publisher(), "bought", bought=BOUGHT).scenario
    assert [cohort.customers for cohort in cohorts(scenario)] == [1000, 500 + WON, 800, 600 + WON]
    assert [cohort.planned for cohort in cohorts(scenario)] == [1000, 500, 800, 600]
    plain, more = cells(publisher()), cells(scenario)
    assert [cell.sampled for cell in plain] == [cell.sampled for cell in more]
    assert [cell.firm for cell in more[2:4]] == [0.25 * (500 + WON), 0.75 * (500 + WON)]
    assert sum(cell.share for cell in more) == pytest.approx(1.0)
    only = arm(publisher(), "bought", bought={**BOUGHT, "who": {"segments": ["dear"]}}).scenario
    assert [cell.firm for cell in cells(only)[2:4]] == [0.25 * 500 + WON, 0.75 * 500]


@pytest.mark.jit
def test_equity_is_that_of_a_firm_that_plans_for_them() -> None:
    """The same cohorts, planned, and the money spent as fixed: equity agrees to rounding, CLV and its error to the last bit."""
    scenario = publisher("run.customers=null")
    bought = arm(scenario, "bought", bought=BOUGHT).scenario
    factor = scenario.discount_factor
    spent = BUDGET * (factor + factor**3)
    planned = {"new": {"periods": 4, "customers": [1000, 500 + WON, 800, 600 + WON]}}
    one = sim.simulate(bought).equity.iloc[0]
    assert one["firm_cost"] == pytest.approx(spent)
    assert one["customers"] == 2900 + 2 * WON
    alike, truth = publisher("run.customers=null", cohorts=planned, firm={"customers": None, "setup_cost": spent}), sim.exact(bought)
    assert truth.equity == pytest.approx(sim.exact(alike).equity, rel=1e-12)
    assert truth.equity is not None
    assert abs(one["equity"] - truth.equity) < 4 * one["se"]


@pytest.mark.jit
def test_what_they_bring_is_their_number_times_their_worth() -> None:
    """The same customers live in both arms: the gain is that of customers more, to rounding, and as theory has it to 4 errors."""
    comparison = found(publisher("run.customers=100000"))
    row, none = comparison.table.iloc[1], comparison.results[0]
    by = none.clv[(none.clv["by"] == "cohort") & (none.clv["measure"] == "clv")].set_index("id")["mean"]
    factor = comparison.scenario.discount_factor
    assert row["cost"] == pytest.approx(BUDGET * (factor + factor**3))
    assert row["gain"] == pytest.approx(WON * (factor * by["new.1"] + factor**3 * by["new.3"]) - row["cost"])
    assert row["gain"] == pytest.approx(row["equity"] - comparison.table.iloc[0]["equity"])
    for k, one in enumerate(comparison.arms):
        truth = sim.exact(one.scenario)
        if truth.equity is not None:
            other = sim.exact(comparison.scenario).equity
            assert other is not None
            assert abs(comparison.table.iloc[k]["gain"] - (truth.equity - other)) <= 4 * comparison.table.iloc[k]["gain_se"]
    assert row["difference"] == 0.0
    assert row["perfect"] == 0.0


def by_hand(comparison: Comparison, values: list[Any], k: int, other: int) -> tuple[float, float]:
    """Return the difference of two arms' sums over the firm's customers, and its error; values: of each arm's customers, in currency."""
    sample, mean, variance = comparison.results[k].sample, 0.0, 0.0
    scales = [one.sample.firm * one.scenario.discount_factor**one.sample.arrival for one in comparison.results]
    for g in range(len(sample.cells)):
        mine = sample.cell_of_row == g
        each = scales[k][g] * values[k][mine] - scales[other][g] * values[other][mine]
        mean += each.mean()
        variance += each.var(ddof=1) / mine.sum()
    return mean, math.sqrt(variance)


@pytest.mark.parametrize(("k", "other"), [(1, 0), (3, 0), (3, 2), (2, 3), (3, 1), (0, 3)])
def test_errors_are_those_of_sums_customer_by_customer(k: int, other: int) -> None:
    """CLV as kept; without the cost of the policy as the same arms have it for nothing, as costs move nobody."""
    scenario = publisher("run.customers=400", "run.keep_customers=true")
    comparison = found(scenario)
    free = {**KEPT, "cost": {}}
    each = [*arms(scenario)[:2], arm(scenario, "kept", kept=free), arm(scenario, "both", bought=BOUGHT, kept=free)]
    gratis = compared(scenario, each)
    clv, before, gross = (
        [one.sample.kept.clv[0, :, kind] / UNIT for one in of.results if one.sample.kept is not None]
        for of, kind in ((comparison, AFTER), (comparison, BEFORE), (gratis, AFTER))
    )
    cost = [mine - theirs for mine, theirs in zip(gross, clv, strict=True)]
    assert len(clv) == len(gross) == 4
    for measure, values in {"clv": clv, "clv_before_acquisition": before, "gross": gross, "policy_cost": cost}.items():
        told = comparison.paired.at_firm(k, other, measure)
        assert (told.mean, told.se) == pytest.approx(by_hand(comparison, values, k, other), rel=1e-6, abs=1e-6), measure


def test_return_on_what_is_spent() -> None:
    """The budget and the set-up are the firm's, and cost beside what customers do."""
    scenario = publisher("run.customers=400")
    comparison = found(scenario)
    told = returns(comparison.paired, 3, 0)
    own = BUDGET * sum(scenario.discount_factor**y for y in (1, 3)) + 50.0
    assert told["cost"] == pytest.approx(comparison.paired.at_firm(3, 0, "policy_cost").mean + own)
    assert told["roi"] == pytest.approx(told["gain"] / told["cost"])
    assert told["gain"] == pytest.approx(told["gross"] - told["cost"])


@pytest.mark.jit
def test_errors_over_market_paths() -> None:
    """Where customers share a market the error is that of the paths' own differences."""
    scenario = zoo.scenario("mindful", customers=300, replicates=6)
    assert scenario.market is not None
    every = (Arm("none", (), scenario), arm(scenario, "bought", bought={"acquire": {"budget": BUDGET, "response": RESPONSE}}))
    comparison = compared(scenario, every)
    apart = comparison.paired.path_equity(1) - comparison.paired.path_equity(0)
    assert comparison.table["gain"][1] == pytest.approx(apart.mean())
    assert comparison.table["gain_se"][1] == pytest.approx(apart.std(ddof=1) / math.sqrt(6))


@pytest.mark.jit
def test_the_best_is_picked_by_what_it_wins() -> None:
    scenario = publisher("run.customers=200000")
    dear = {**BOUGHT, "acquire": {"budget": 90_000.0, "response": RESPONSE}}
    every = [Arm("none", (), scenario), arm(scenario, "bought", bought=BOUGHT), arm(scenario, "dear", bought=dear)]
    whole = compared(scenario, every).table
    picked = pick_best(scenario, every, How("kn", 2000.0))
    assert picked.winner == int(whole["equity"].argmax()) == 1
    assert picked.equity[2] == pytest.approx(whole["equity"][2], abs=6 * whole["equity_se"][2] + 4000)


@pytest.mark.parametrize(
    ("body", "parts", "told"),
    [
        ({"uptake": 0.5}, {}, "uptake"),
        ({"effects": {"price": 0.9}}, {}, "effects.price"),
        ({"cost": {"per_contact": 1.0}}, {}, "cost.per_contact"),
        ({"who": {"tenure_from": 2}}, {}, "who.tenure_from"),
        ({"capacity": 10}, {}, "capacity"),
        ({"when": {"start": 4}}, {}, "when"),
        ({"acquire": {"budget": 0, "response": RESPONSE}}, {}, "acquire.budget"),
        ({"acquire": {"budget": 5}}, {}, "acquire.response"),
        ({"acquire": {"budget": 5, "response": {"ceiling": 1e13, "k": 1}}}, {}, "acquire.response.ceiling"),
        ({"who": {"segments": ["nobody"]}}, {}, "who.segments"),
        ({}, {"crowd": {"strength": 0.1, "market": 9000}, "run": {}}, "acquire"),
    ],
)
def test_what_does_not_go_with_it(body: dict[str, Any], parts: dict[str, Any], told: str) -> None:
    with pytest.raises(ScenarioError) as error:
        arm(publisher(**parts), "bought", bought={**BOUGHT, **body})
    assert [fault.where for fault in error.value.faults] == [f"policies.bought.{told}"]


def test_limits_are_refused_beside_it() -> None:
    with pytest.raises(ScenarioError, match=r"policies\.few\.capacity: is the firm's, and policies\.bought wins customers"):
        arm(publisher(), "both", few={**KEPT, "capacity": 10, "scale": True}, bought=BOUGHT)


def test_what_is_said_by_default_may_be_said() -> None:
    """A mapping with every default written out, as a run's own record holds it, is the same policy."""
    one = arm(publisher(), "bought", bought=BOUGHT).scenario.policies["bought"]
    again = arm(publisher(), "bought", bought=one.model_dump(mode="json")).scenario.policies["bought"]
    assert again == one


def test_panels_follow_the_same_customers() -> None:
    scenario = publisher("run.customers=400", "run.panel=80")
    comparison = compared(scenario, arms(scenario))
    counts = [result.followed.panel.counts for result in comparison.results]
    assert all(np.array_equal(counts[0], one) for one in counts)


def test_differences_a_head_are_of_customers_whom_all_arms_have() -> None:
    """Who is won changes no difference a head, and each is the other's with its sign turned, whatever the arms' own customers."""
    scenario = publisher("run.customers=400")
    dear = {**BOUGHT, "who": {"segments": ["dear"]}}
    every = [*arms(scenario), arm(scenario, "dear", bought=dear)]
    by_none, by_both = (compared(scenario, every, comparator=one).table.set_index("arm")["difference"] for one in ("none", "both"))
    assert by_none["dear"] == by_none["bought"] == 0.0
    assert by_none["both"] == by_none["kept"] == -by_both["none"] == -by_both["dear"]
    assert by_both["kept"] == 0.0


def test_quantiles_of_uneven_customers_are_told_of() -> None:
    dear = {**BOUGHT, "who": {"segments": ["dear"]}}
    scenario = publisher("run.customers=400")
    treated = arm(scenario, "dear", bought=dear)
    assert [text for text in sim.simulate(treated.scenario).warnings if "quantiles, densities and concentration" in text]
    found = compared(scenario, [Arm("none", (), scenario), treated])
    assert [text for text in found.warnings if "quantiles, densities and concentration" in text]


@pytest.mark.jit
def test_a_precision_is_that_of_the_gain_too() -> None:
    """The difference a head is 0 for certain; what those who are won bring is not."""
    scenario = publisher("run.customers=2e6", "run.precision_money=0.08")
    found = compared(scenario, [Arm("none", (), scenario), arm(scenario, "bought", bought=BOUGHT)])
    assert found.results[0].sample.simulated > 131_072
    assert found.paired.width * found.table["gain_se"][1] / 2900 <= 0.08


def test_nobody_is_won_where_nobody_stands_for_them(tmp_path: Path) -> None:
    """A firm that has its customers of today alone; a cohort of which none are planned."""
    scenario = base.scenario("chain", base.table(tmp_path, base.spread(("investigation", "formation"), 2) * 3))
    with pytest.raises(ScenarioError, match=r"policies\.bought\.when: no cohort arrives then"):
        arm(scenario, "bought", bought={"acquire": BOUGHT["acquire"]})
    none = {"new": {"periods": 3, "customers": [1000, 0, 500]}}
    with pytest.raises(ScenarioError, match=r"policies\.bought\.when: wins customers in period 1, where none are planned"):
        arm(publisher(cohorts=none), "bought", bought={**BOUGHT, "when": {"start": 1, "stop": 2}})


@pytest.mark.jit
def test_a_control_variate_keeps_those_who_are_won() -> None:
    treated = arm(publisher("run.customers=2000", "run.keep_customers=true"), "both", bought=BOUGHT, kept=KEPT).scenario
    told = sim.simulate(treated).controlled
    assert told.reason is None
    assert told.without == ("policies",)


def test_drivers_of_equity_are_refused() -> None:
    treated = arm(publisher(drivers={"value": {"quality": {"own": 3.0, "rival": 3.0}}}), "bought", bought=BOUGHT).scenario
    with pytest.raises(ScenarioError, match=r"policies\.bought\.acquire: must be off"):
        sim.drivers(treated)
