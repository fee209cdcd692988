"""Points of a sweep: each is the run that one's own overrides give, to the last bit; what a factor sets, and where."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sim
from sim.measures.row import ERRORS, MEASURES
from sim.scenario import Scenario
from sim.scenario.study import read_study
from sim.studies import planning
from sim.studies import points as made
from sim.studies.arms import NONE
from sim.studies.comparison import Comparison
from sim.studies.result import Result
from sim.studies.simulate import simulate
from sim.studies.sweep import sweep
from tests import base, zoo

SMALL = ("run.customers=120", "run.threads=1")


def publisher(*overrides: str) -> Scenario:
    return sim.load("publisher", *SMALL, *overrides)


def lifecycle(*overrides: str) -> Scenario:
    return sim.load("lifecycle", *SMALL, "horizon=12", *overrides)


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def assert_run(row: "pd.Series[Any]", result: Result) -> None:
    """Assert that a row says what the frames of a run say, to the last bit."""
    clv, equity, kept = result.clv.iloc[0], result.equity.iloc[0], result.retention[result.retention["by"] == "all"]
    told = {"clv": clv["mean"], "clv_se": clv["se"], "clv_sd": clv["sd"], "share_negative": clv["share_negative"]}
    told |= {f"clv_{level}": clv[level] for level in ("q05", "q50", "q95")}
    told |= {"equity": equity["equity"], "equity_se": equity["se"]}
    year = min(result.scenario.periods_per_year, result.sample.horizon)
    if result.sample.keeps:
        told["kept"] = kept.iloc[year]["survival"]
    for name, value in told.items():
        assert same(row[name], value), name


def assert_arms(rows: pd.DataFrame, found: Comparison) -> None:
    """Assert that rows say what a comparison's table says, to the last bit."""
    assert rows["arm"].tolist() == found.ids
    for name in ("clv", "clv_se", "equity", "equity_se", "kept", "kept_se", "gain", "gain_se"):
        assert all(map(same, rows[name], found.table[name])), name
    against = rows["spent"] - rows["spent"].iloc[found.comparator]  # added up in another order than the table's cost
    assert against.tolist() == pytest.approx(found.table["cost"].tolist(), rel=1e-11, abs=1e-9)


@pytest.mark.parametrize(
    ("path", "value", "override"),
    [
        ("discount_rate_annual", 0.07, "discount_rate_annual=0.07"),
        ("horizon", 30, "horizon=30"),
        ("run.customers", 77, "run.customers=77"),
        ("run.seed", 5, "run.seed=5"),
        ("run.replicates", 3, "run.replicates=3"),
        ("run.keep_customers", True, "run.keep_customers=true"),
        ("stages.renewed.price", 80, "stages.renewed.price=80"),
        ("stages.renewed.margin.0", 0.5, "stages.renewed.margin=0.5"),
        ("stages.renewed.to.lapsed.probability.1", 0.2, "stages.renewed.to.lapsed.probability=[0.35,0.2,0.25,0.22,0.21,0.2,0.2]"),
        ("acquisition.cost", 10, "acquisition.cost=10"),
        ("firm.customers", 5000, "firm.customers=5000"),
        ("timing.purchase", "end", "+timing.purchase=end"),
    ],
)
def test_a_point_is_a_run_of_its_own(path: str, value: Any, override: str) -> None:
    scenario = publisher("stages.renewed.to.lapsed.probability=[0.35,0.3,0.25,0.22,0.21,0.2,0.2]")
    overrides = ["stages.renewed.to.lapsed.probability=[0.35,0.3,0.25,0.22,0.21,0.2,0.2]"]
    overrides = [override] if override.startswith("stages.renewed.to") else [*overrides, override]
    found = sweep(scenario, {path: [value]})
    (arm,) = found.plan.at(found.plan.points[0])
    mine = publisher(*overrides)
    assert arm.scenario == mine
    assert_run(found.table.iloc[0], simulate(mine))


def test_an_entry_of_a_list_that_is_not_given_is_set() -> None:
    """A margin of 1 that stands for itself is a list of one."""
    scenario = publisher()
    assert "margin" not in scenario.stages["renewed"].model_fields_set
    assert_run(sweep(scenario, {"stages.renewed.margin.0": [0.25]}).table.iloc[0], simulate(publisher("+stages.renewed.margin=0.25")))


def test_scaled_values_multiply_what_stands_there() -> None:
    plain = publisher()
    before, price = plain.stages["renewed"].to["lapsed"].probability, plain.stages["renewed"].price
    assert before is not None
    assert len(before) > 1
    assert price is not None
    vary = {
        "leaving": {"values": [0.5], "scale": True, "paths": ["stages.renewed.to.lapsed.probability"]},
        "stages.renewed.price": {"values": [1.5], "scale": True},
    }
    after = ",".join(repr(one * 0.5) for one in before)
    mine = publisher(f"stages.renewed.to.lapsed.probability=[{after}]", f"stages.renewed.price={price[0] * 1.5}")
    assert_run(sweep(plain, vary).table.iloc[0], simulate(mine))


def test_a_default_is_scaled_too() -> None:
    found = sweep(publisher(), {"stages.renewed.margin": {"values": [0.5], "scale": True}})
    assert_run(found.table.iloc[0], simulate(publisher("+stages.renewed.margin=0.5")))


def test_linked_paths_are_set_to_one_number() -> None:
    vary = {"cost": {"low": 20, "high": 40, "paths": ["stages.introductory.cost_to_serve", "stages.renewed.cost_to_serve"]}}
    found = sweep(publisher(), vary, points=4)
    for k, point in enumerate(found.plan.points):
        told = (f"stages.introductory.cost_to_serve={point['cost']!r}", f"stages.renewed.cost_to_serve={point['cost']!r}")
        assert_run(found.table.iloc[k], simulate(publisher(*told)))
    assert list(found.table.columns[:2]) == ["point", "cost"]


@pytest.mark.jit
def test_a_point_of_a_comparison_is_one_of_its_own() -> None:
    """Also along a path into a policy: one that its file gives, and one that it leaves to the default."""
    vary = {"discount_rate_annual": [0.05, 0.2], "policies.win_back.cost.per_contact": [0.5, 3], "policies.win_back.cost.setup": [700]}
    names = ["win_back", "win_back+service_recovery"]
    found = sweep(lifecycle(), vary, policies=names)
    assert len(found.plan.points) == 4
    for k, point in enumerate(found.plan.points):
        changes = {path.removeprefix("policies."): value for path, value in point.items() if path.startswith("policies.")}
        arms = {name: {"policies": name.split("+"), **changes} for name in names}
        assert_arms(
            found.table[found.table["point"] == k],
            sim.compare(lifecycle(f"discount_rate_annual={point['discount_rate_annual']}"), arms=arms),
        )


def test_another_comparator() -> None:
    found = sweep(lifecycle(), {"discount_rate_annual": [0.1]}, policies=["win_back", "service_recovery"], comparator="win_back")
    alone = sim.compare(lifecycle("discount_rate_annual=0.1"), ["win_back", "service_recovery"], comparator="win_back")
    assert_arms(found.table, alone)
    assert found.table["gain"].tolist()[1] == 0


@pytest.mark.jit
def test_policies_may_be_a_list_of_the_design() -> None:
    found = sweep(lifecycle(), {"discount_rate_annual": [0.1, 0.2]}, policies=["win_back", "none"], crossed=False)
    assert found.table["arm"].tolist() == ["none", "win_back", "none", "none", "win_back", "none"]
    assert found.table["policies"].tolist() == ["win_back", "win_back", "none"] * 2
    for k in (0, 2):
        rows = found.table[found.table["point"] == k]
        assert_arms(rows, sim.compare(lifecycle(f"discount_rate_annual={rows.iloc[0]['discount_rate_annual']}"), ["win_back"]))
    assert found.table[found.table["point"] == 1]["gain"].tolist() == [0.0]
    own = sweep(lifecycle(), policies=["win_back"], crossed=False)
    assert_arms(own.table, sim.compare(lifecycle(), ["win_back"]))


def treated() -> dict[str, Any]:
    steady = {**zoo.POLICIES["steady"], "effects": {"edges": {"formation": {"lost": {"add": -0.03}}}}}
    return {**zoo.ZOO["treated_chain"], "policies": {"steady": steady}, "name": "t", "run": {"customers": 150}}


def test_a_policy_of_the_scenario_itself() -> None:
    raw = treated()
    found = sweep(Scenario.model_validate(raw), {"policies.steady.cost.per_contact": [0.1], "policies.steady.effects.price": [0.9]})
    steady = raw["policies"]["steady"]
    mine = {**steady, "cost": {**steady["cost"], "per_contact": 0.1}, "effects": {**steady["effects"], "price": 0.9}}
    result = simulate(Scenario.model_validate({**raw, "policies": {"steady": mine}}))
    assert_run(found.table.iloc[0], result)
    assert found.table.iloc[0]["spent"] > 0


def segmented(**large: Any) -> Scenario:
    raw = zoo.ZOO["frailty_seasons_cohorts"]
    stability = {**raw["segments"]["large"]["stages"]["stability"], **large}
    segments = {**raw["segments"], "large": {"share": 0.3, "stages": {"stability": stability}}}
    return Scenario.model_validate({**raw, "segments": segments, "name": "s", "run": {"customers": 150}})


@pytest.mark.parametrize(
    ("path", "factor", "large"),
    [
        ("stages.stability.price", [70], {"price": 70}),
        ("stages.stability.cost_to_serve", [7], {"cost_to_serve": 7}),
        ("stages.stability.price.0", [70], {"price": 70}),
        ("stages.stability.margin.0", [0.5], {"margin": 0.5}),
        ("stages.stability.price", {"values": [0.5], "scale": True}, {"price": 45}),
        ("stages.stability.to.lost.probability", [0.05], {"to": {"lost": {"probability": 0.05}}}),
    ],
)
def test_a_segment_s_own_values_and_those_it_shares(path: str, factor: Any, large: dict[str, Any]) -> None:
    found = sweep(segmented(), {f"segments.large.{path}": factor})
    assert_run(found.table.iloc[0], simulate(segmented(**large)))


def test_existing_customers_are_those_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file and of a frame alike."""
    monkeypatch.chdir(tmp_path)
    rows = base.spread(["investigation", "formation", "stability"], 5)
    base.table(tmp_path, rows)
    for more in ({}, {"firm": {"customers": 40}}):
        of_file = base.scenario("chain", "base.csv", {"threads": 1}, **more)
        found = sweep(of_file, {"discount_rate_annual": [0.1, 0.3]})
        for k, rate in enumerate((0.1, 0.3)):
            alone = simulate(base.scenario("chain", "base.csv", {}, discount_rate_annual=rate, **more))
            assert_run(found.table.iloc[k], alone)
        assert found.table["clv"].nunique() == 2
    frame = pd.read_csv("base.csv")
    key = planning.plan(of_file, read_study({"vary": {"horizon": [9]}})).key({"horizon": 9})
    frame["segment"] = next(iter(sim.load("markov_lifecycle").segments))
    held = sim.load("markov_lifecycle", "horizon=9", "run.threads=1", "run.customers=50", base=frame)
    assert held.base is not None
    assert held.base.held is not None
    again = sweep(held, {"discount_rate_annual": [0.3]})
    assert_run(
        again.table.iloc[0],
        simulate(sim.load("markov_lifecycle", "horizon=9", "discount_rate_annual=0.3", "run.customers=50", base=frame)),
    )
    base.table(tmp_path, rows[:-1])
    other = base.scenario("chain", "base.csv", {"threads": 1}, **more)
    assert planning.plan(other, read_study({"vary": {"horizon": [9]}})).key({"horizon": 9}) != key


def test_rows_have_what_measures_say() -> None:
    found = sweep(publisher(), {"horizon": [20]})
    told = [name for name in MEASURES if name != "gain"]
    assert list(found.table.columns) == ["point", "horizon", *(c for n in told for c in ((n, f"{n}_se") if n in ERRORS else (n,)))]
    assert found.table.notna().all().all()
    assert repr(found) == "<Sweep of publisher: 1 points, grid design of horizon>"


def test_nothing_that_is_given_is_changed() -> None:
    scenario, vary = lifecycle(), {"policies.win_back.cost.per_contact": {"values": [1, 2], "scale": True}, "satisfaction.speed": [0.1]}
    before, asked = scenario.model_dump_json(), json.dumps(vary)
    found = sweep(scenario, vary, policies=["win_back"])
    bodies = json.dumps(dict(found.plan.bodies), default=str)
    whole = json.dumps(found.plan.whole, default=str)
    for point in found.plan.points:
        found.plan.at(point)
    assert (scenario.model_dump_json(), json.dumps(vary)) == (before, asked)
    assert (json.dumps(dict(found.plan.bodies), default=str), json.dumps(found.plan.whole, default=str)) == (bodies, whole)
    assert sim.compare(lifecycle(), ["win_back"]).arms[1].scenario.policies["win_back"].cost.per_contact == (
        found.plan.at(found.plan.points[0])[1].scenario.policies["win_back"].cost.per_contact
    )


def test_a_key_tells_apart_whatever_a_row_depends_on() -> None:
    def key(scenario: Scenario, raw: dict[str, Any], place: int = 0) -> str:
        plan = planning.plan(scenario, read_study(raw))
        return plan.key(plan.points[place])

    vary: dict[str, Any] = {"discount_rate_annual": [0.1, 0.2]}
    plain = key(lifecycle(), {"vary": vary})
    others = [
        key(lifecycle(), {"vary": vary}, 1),
        key(lifecycle("run.seed=2"), {"vary": vary}),
        key(lifecycle(), {"vary": vary, "policies": ["win_back"]}),
        key(lifecycle(), {"vary": vary, "policies": ["win_back"], "comparator": "win_back"}),
        key(lifecycle(), {"vary": vary, "policies": ["service_recovery"]}),
        key(lifecycle(), {"vary": {"discount_rate_annual": {"values": [0.1], "scale": True}}}),
        key(lifecycle(), {"vary": {"discount_rate_annual": {"values": [0.1], "paths": ["acquisition.cost"]}}}),
    ]
    assert len({plain, *others}) == len(others) + 1
    assert key(lifecycle("run.threads=2"), {"vary": vary}) == plain
    assert key(lifecycle(), {"vary": {"discount_rate_annual": [0.3, 0.1]}}, 1) == plain


def test_setting_a_path_copies_what_it_passes() -> None:
    raw = {"a": {"b": (1, 2, 3)}, "c": {"d": 4}}
    assert made.put(raw, ["a", "b", "1"], 9) == {"a": {"b": [1, 9, 3]}, "c": {"d": 4}}
    assert made.put(raw, ["c", "e", "f"], 9) == {"a": {"b": (1, 2, 3)}, "c": {"d": 4, "e": {"f": 9}}}
    assert made.put({}, ["a", "0"], 9, {"a": (1.0, 2.0)}) == {"a": [9, 2.0]}
    assert made.put({"a": 3.0}, ["a", "0"], 9, {"a": (3.0,)}) == {"a": [9]}
    assert raw == {"a": {"b": (1, 2, 3)}, "c": {"d": 4}}
    assert made.scaled((1.0, 2.0), 3) == [3.0, 6.0]
    assert made.scaled(2, 0.5) == 1.0


def test_what_stands_where_a_factor_is_set() -> None:
    vary = {
        "discount_rate_annual": [0.1],
        "stages.renewed.price": [1],
        "stages.renewed.to.lapsed.probability": [0.2],
        "twice": {"values": [2], "scale": True, "paths": ["acquisition.cost"]},
    }
    plan = planning.plan(publisher(), read_study({"vary": vary}))
    assert [plan.standing(name) for name in vary] == [0.15, 75.9, None, 1.0]


def test_arms_by_name() -> None:
    plan = planning.plan(lifecycle(), read_study({"vary": {"horizon": [12]}, "policies": ["win_back+service_recovery", "none"]}))
    assert dict(plan.arms) == {NONE: (), "win_back+service_recovery": ("win_back", "service_recovery")}
    assert [arm.id for arm in plan.at(plan.points[0], threads=1)] == list(plan.arms)
    assert all(arm.scenario.run.threads == 1 for arm in plan.at(plan.points[0], threads=1))
    assert np.all([arm.scenario.name == "lifecycle" for arm in plan.at(plan.points[0])])
