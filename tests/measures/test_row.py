"""A run in one row says what its frames say, to the last bit."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.kernels.types import BEFORE
from sim.measures.equity import path_clv
from sim.measures.row import ERRORS, MEASURES, row, rows
from sim.scenario.model import Scenario
from sim.studies.compare import compared
from sim.studies.comparison import Comparison
from sim.studies.result import Result
from sim.studies.simulate import simulate
from tests import base, zoo
from tests.measures import cases
from tests.studies.test_compare import zoo_arms

pytestmark = pytest.mark.jit


def same(one: Any, other: Any) -> bool:
    return bool(one == other or (math.isnan(one) and math.isnan(other)))


def assert_told(found: dict[str, Any], result: Result) -> None:
    clv, equity = result.clv.iloc[0], result.equity.iloc[0]
    told = {"clv": clv["mean"], "clv_se": clv["se"], "clv_sd": clv["sd"], "share_negative": clv["share_negative"]}
    told |= {f"clv_{level}": clv[level] for level in ("q05", "q50", "q95")}
    told |= {"equity": equity["equity"], "equity_se": equity["se"]}
    if result.sample.keeps:
        year = min(result.scenario.periods_per_year, result.sample.horizon)
        kept = result.retention[result.retention["by"] == "all"].iloc[year]
        told |= {"kept": kept["survival"]} | ({"kept_se": kept["survival_se"]} if result.sample.independent else {})
    else:
        told |= {"kept": math.nan, "kept_se": math.nan}
    for name, value in told.items():
        assert same(found[name], value), name
    if result.sample.replicates > 1:
        assert found["equity_paths"] == result.replicates["equity"].tolist()
        assert found["clv_paths"] == result.replicates["clv"].tolist()
    else:
        assert not {"equity_paths", "clv_paths", "spent_paths"} & set(found)


NAMES = [
    "chain",
    "prospects_and_win_back",
    "frailty_seasons_cohorts",
    "pareto_nbd",
    "segments_that_buy_differently",
    "mindful",
    "treated_chain",
    "treated_orders",
    "lists_and_renewal",
]


@pytest.mark.parametrize("replicates", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_what_the_frames_say(name: str, replicates: int) -> None:
    result = simulate(zoo.scenario(name, customers=150, replicates=replicates))
    assert_told(row(result.sample), result)


@pytest.mark.parametrize(
    "scenario",
    [
        cases.relationship(),
        cases.relationship(run={"customers": 150}),
        cases.publisher(run={"customers": 120, "keep_customers": True}),
        zoo.scenario("crowd"),
        zoo.scenario("recruits", replicates=2),
    ],
    ids=["budgets kept", "budgets", "publisher kept", "crowd", "recruits"],
)
def test_of_budgets_kept_customers_and_arrivals_that_depend_on_customers(scenario: Scenario) -> None:
    result = simulate(scenario)
    assert_told(row(result.sample), result)


def test_of_existing_customers(tmp_path: Path) -> None:
    file = base.table(tmp_path, base.spread(["investigation", "formation", "stability"], 6))
    for more in ({}, {"firm": {"customers": 70}}):
        result = simulate(base.scenario("chain", file, {"replicates": 2}, **more))
        assert_told(row(result.sample), result)


def assert_rows(found: Comparison) -> None:
    told, table = rows(found.paired, found.comparator), found.table
    assert len(told) == len(table)
    for k, result in enumerate(found.results):
        assert_told(told[k], result)
        for name in ("clv", "clv_se", "equity", "equity_se", "kept", "gain", "gain_se"):
            assert same(told[k][name], table.iloc[k][name]), name
        assert isinstance(told[k]["spent"], float)
        against = told[k]["spent"] - told[found.comparator]["spent"]  # type: ignore[operator]
        assert against == pytest.approx(table.iloc[k]["cost"], rel=1e-11, abs=1e-9)  # added up in another order
        if result.sample.replicates > 1:
            paths = told[k]["spent_paths"]
            assert isinstance(paths, list)
            assert sum(paths) / len(paths) == pytest.approx(told[k]["spent"], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("replicates", [1, pytest.param(2, marks=pytest.mark.jit)])
@pytest.mark.parametrize("name", ["treated_chain", "treated_minds", "treated_orders", "treated_losses"])
def test_rows_of_arms_are_the_table_of_their_comparison(name: str, replicates: int) -> None:
    scenario, every = zoo_arms(name, customers=150, replicates=replicates)
    assert_rows(compared(scenario, every))
    assert_rows(compared(scenario, every, every[1].id))


def test_what_policies_cost_is_the_ledger_s_with_the_firm_s_own() -> None:
    """By hand: contacts of everybody at calendar 0, at 2 each, and 50 once."""
    policy = {"when": {"start": 0, "stop": 1}, "cost": {"per_contact": 2.0, "setup": 50.0}, "effects": {"spread": 0.5}}
    found = row(simulate(cases.publisher(policies={"gift": policy}, run={"customers": 40})).sample)
    assert found["spent"] == 2.0 * 1000 + 50.0
    assert row(simulate(cases.publisher(run={"customers": 40})).sample)["spent"] == 0.0


def test_luck_of_those_simulated_and_of_the_firm_s_own() -> None:
    """The firm has 3,000 customers and 150 were drawn, so that its own equity varies by sqrt(150 / 3,000) of the error."""
    found = row(simulate(zoo.scenario("chain", customers=150)).sample)
    assert found["luck"] == found["equity_se"]
    assert found["firm_luck"] == pytest.approx(found["luck"] * math.sqrt(150 / 3000), rel=1e-12)  # type: ignore[operator]


def test_clv_of_replicates_before_acquisition_cost() -> None:
    result = simulate(zoo.scenario("chain", customers=90, replicates=3))
    assert np.array_equal(path_clv(result.sample, BEFORE), result.replicates["clv_before_acquisition"])


def test_every_measure_is_in_a_row_and_told_in_words() -> None:
    scenario, every = zoo_arms("treated_chain", customers=60)
    for found in rows(compared(scenario, every).paired, 0):
        assert set(found) == set(MEASURES) | {f"{name}_se" for name in ERRORS} | {"luck", "firm_luck"}
    assert all(MEASURES.values())
