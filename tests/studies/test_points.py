"""Points of a sweep: each is the run that one's own overrides give, to the last bit; and what is wrong is told before anything runs."""

import json
import math
import re
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sim
from sim.measures.row import ERRORS, MEASURES
from sim.scenario import Scenario, ScenarioError, read
from sim.scenario.memory import Memory
from sim.scenario.study import MOST_POINTS, read_study
from sim.studies import planning
from sim.studies import points as made
from sim.studies.arms import NONE
from sim.studies.comparison import Comparison
from sim.studies.design import Point, points
from sim.studies.result import Result
from sim.studies.simulate import simulate
from sim.studies.sweep import sweep
from tests import base, zoo
from tests.exact.test_referral import talkers

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


def said(scenario: Scenario, vary: Any, **rest: Any) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        sweep(scenario, vary, **rest)
    return str(caught.value).split("\n")


@pytest.mark.parametrize(
    ("vary", "rest", "line"),
    [
        (
            {"discount_rate_anual": [0.1]},
            {},
            "vary.discount_rate_anual: unknown parameter (got discount_rate_anual); did you mean discount_rate_annual?",
        ),
        (
            {"stages.renewd.price": [1]},
            {},
            "vary.stages.renewd.price: unknown parameter (got stages.renewd.price); did you mean renewed? (in stages)",
        ),
        (
            {"x": {"values": [1], "paths": ["horizon", "stages.renewed.prise"]}},
            {},
            "vary.x: unknown parameter (got stages.renewed.prise); did you mean price? (in stages.renewed)",
        ),
        (
            {"stages.renewed.price.4": [1]},
            {},
            "vary.stages.renewed.price.4: has 1 entries before .4 (got stages.renewed.price.4); count them from 0",
        ),
        ({"horizon.first": [1]}, {}, "vary.horizon.first: leads beyond horizon, which is 10 (got horizon.first); cut it short"),
        ({"": [1]}, {}, "vary.: unknown parameter"),
        (
            {"policies.win_back.uptake": [1]},
            {},
            "vary.policies.win_back.uptake: is of a policy that no arm has (got policies.win_back.uptake); add policies=[NAME]",
        ),
        (
            {"policies.win_bak.uptake": [1]},
            {"policies": ["gifts"]},
            "vary.policies.win_bak.uptake: is of a policy that no arm has (got policies.win_bak.uptake); choose from gifts",
        ),
        (
            {"policies.gifts.cost.perContact": [1]},
            {"policies": ["gifts"]},
            "vary.policies.gifts.cost.perContact: unknown parameter (got policies.gifts.cost.perContact); "
            "did you mean per_contact? (in policies.gifts.cost)",
        ),
        ({"policies": [1]}, {}, "vary.policies: is what a column of the table is called (got policies); give it another name"),
        ({"x": {"values": [1], "paths": ["policies"]}}, {}, "vary.x: is no value of a policy (got policies); write policies.NAME"),
        ({"run.threads": [1]}, {}, "vary.run.threads: changes no result (got run.threads); leave it out"),
        ({"run.driver": ["group"]}, {}, "vary.run.driver: changes no result (got run.driver); leave it out"),
        (
            {"clv": {"values": [1], "paths": ["horizon"]}},
            {},
            "vary.clv: is what a column of the table is called (got clv); give it another name, beside its paths",
        ),
        (
            {"stages.renewed.label": {"values": [2], "scale": True}},
            {},
            "vary.stages.renewed.label: leads to 'Renewed', which is no number to multiply (got stages.renewed.label); leave scale out",
        ),
        ({"horizon": [10]}, {"policies": ["win_bak"]}, "policies: no such policy (got 'win_bak'); did you mean win_back?"),
        (
            {"horizon": [10]},
            {"policies": ["gifts"], "comparator": "gift"},
            "comparator: must be one of the policies (got gift); there are none, gifts",
        ),
        ({"horizon": [10]}, {"comparator": "gift"}, "comparator: must be one of the policies (got gift); add policies=[NAME]"),
        ({"discount_rate_annual": [0.1, "x"]}, {}, "discount_rate_annual: must be a number at 1 of 2 points (50.00%), first at point 1"),
        ({"horizon": [20, "inf"]}, {}, "horizon: must be a whole number of periods to simulate; inf has exact answers only at 1 of 2"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(vary: Any, rest: dict[str, Any], line: str) -> None:
    (found,) = said(publisher(), vary, **rest)
    assert found.startswith(line)


def test_all_that_is_wrong_is_told_at_once() -> None:
    found = said(publisher(), {"horizn": [1], "run.threads": [1]}, policies=["win_bak"], comparator="x")
    assert [line.partition(":")[0] for line in found] == ["policies", "vary.horizn", "vary.run.threads", "comparator"]


def test_draws_beyond_the_valid_range_are_refused_with_their_share() -> None:
    """Of normal chances the share beyond 1 is told, of 1,024 points that of the quantiles: 1 - Phi(1) = 15.87 %."""
    vary = {"stages.introductory.to.lapsed.probability": {"mean": 0.8, "sd": 0.2, "distribution": "normal", "low": 0}}
    lines = said(publisher(), vary, points=1024)
    assert lines[0].startswith("stages.introductory.to: probabilities to leave a stage must sum to at most 1")
    found = re.fullmatch(
        r"stages\.introductory\.to\.lapsed\.probability: must be at most 1 at (\d+) of 1,024 points \((.*)%\), "
        r"first at point \d+ \(.*=1\.\d+\) \(got 1\.\d+\); narrow the range, or cut the distribution off with low and high",
        lines[1],
    )
    assert found is not None, lines
    assert int(found[1]) / 1024 == pytest.approx(0.1587, abs=0.004)
    assert float(found[2]) == pytest.approx(100 * int(found[1]) / 1024, abs=0.005)


@pytest.mark.jit
@pytest.mark.parametrize(
    ("scenario", "vary", "policies"),
    [
        (publisher(), {"stages.renewed.margin": [-1e13, -1, 0.5], "stages.renewed.to.lapsed.probability.1": [0.2, 1.2]}, []),
        (publisher(), {"stages.renewed.kind": ["active", "prospect", "lost", "lots"]}, []),
        (publisher(), {"purchases.kind": ["subscription", "bernoulli", "poisson"]}, []),
        (publisher(), {"run.customers": [1, 2, 500, 10**13], "firm.customers": [1, 1000]}, []),
        (publisher(), {"horizon": [0, 20, 20.5, 70_000], "period": ["year", "month", "yaer"]}, []),
        (publisher(), {"label": ["well", "not\x07well"]}, []),
        (lifecycle(), {"run.customers": [1, 30, 500], "segments.budget.stages.stability.mean_duration": [0.5, 20]}, []),
        (lifecycle(), {"satisfaction.speed": [0.1, 3], "competition.intensity": [0.5], "level.initial": [0.3]}, []),
        (lifecycle(), {"stages.formation.rank": [1, 2, 3, 4], "stages.stability.mean_duration": [0.5, 3.0, 900.0]}, []),
        (lifecycle(), {"purchases.wallet.cv": [-1, 0, 0.5], "timing.purchase": ["end", "start", "never"]}, []),
        (
            lifecycle(),
            {"policies.win_back.cost.per_contact": [-1, 0, 5], "policies.win_back.uptake": [0.5, 2]},
            ["win_back", "win_back+gifts"],
        ),
        (lifecycle(), {"policies.win_back.capacity": [-1, 10], "policies.gifts.decay": [0.5, 2]}, ["win_back", "gifts+win_back"]),
    ],
)
def test_points_are_judged_as_the_gate_judges_each(scenario: Scenario, vary: dict[str, Any], policies: list[str]) -> None:
    """What is remembered, and what points share, changes nothing: the same scenarios, the same faults."""
    study = read_study({"vary": vary, "policies": policies})
    plan = made.Plan(scenario, study, points(study), *planning._arms(study, None)[:2])
    memories, accepted = defaultdict[str, Memory | None](Memory), 0

    def told(read_all: Callable[[Point], list[Scenario]], point: Point) -> Any:
        try:
            return read_all(point)
        except ScenarioError as error:
            return error.faults

    for point in plan.points:
        gate = told(lambda point: [read(raw, scenario.name) for raw in plan.raw_at(point)], point)
        assert told(lambda point: planning._read(plan, point, memories), point) == gate
        accepted += isinstance(gate[0], Scenario)
    assert 0 < accepted < len(plan.points)


ORDERING = Scenario.model_validate(
    {
        "period": "year",
        "horizon": 5,
        "start": "customer",
        "stages": {"customer": {"to": {"lost": {"probability": 0.3}}}, "lost": {"kind": "lost"}},
        "purchases": {"kind": "bernoulli", "probability": 0.4, "order_value": 10},
        "segments": {
            "a": {"share": 0.5, "purchases": {"kind": "poisson", "rate": 2.0}},
            "b": {"share": 0.5, "purchases": {"order_value": 20}},
        },
    }
)


@pytest.mark.jit
@pytest.mark.parametrize(
    ("vary", "more"),
    [
        ({"purchases.kind": ["bernoulli", "subscription", "x"]}, {}),
        ({"purchases.kind": ["poisson"], "purchases.rate": {"values": [3.0], "paths": ["purchases.rate"]}}, {}),
        ({"segments.a.purchases.rate": [1.0, -1.0], "segments.b.purchases.kind": ["bernoulli", "subscription"]}, {}),
        ({"segments.b.purchases.order_value.kind": ["x"]}, {}),
        ({"purchases.probability": [0.1, 0.9]}, {"policies": ["+".join(f"p{k}" for k in range(9)), "p0"], "crossed": False}),
        ({"purchases.probability": [0.1]}, {"policies": ["Up"]}),
        ({"policies.p0.uptake": [0.5, 2.0]}, {"policies": ["p0", "none"], "crossed": False}),
    ],
)
def test_what_sharing_could_let_through_is_judged_as_by_the_gate(vary: dict[str, Any], more: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "policy").mkdir()
    for name in ("Up", *(f"p{k}" for k in range(9))):
        (tmp_path / "policy" / f"{name}.yaml").write_text("label: One\ncost: {setup: 1}\neffects: {orders: 1.1}\n", encoding="utf-8")
    study = read_study({"vary": vary, **more})
    plan = made.Plan(ORDERING, study, points(study), *planning._arms(study, tmp_path)[:2])
    for point in plan.points:
        try:
            wanted: Any = [read(raw, ORDERING.name) for raw in plan.raw_at(point)]
        except ScenarioError as error:
            wanted = error.faults
        try:
            found: Any = planning._read(plan, point, defaultdict(Memory))
        except ScenarioError as error:
            found = error.faults
        assert found == wanted


def test_a_fault_that_is_told_twice_of_a_point_is_one_point_s() -> None:
    """Neither wallet nor rate varies: the same rule and hint twice, at the one point of two that correlates them so."""
    lines = said(ORDERING, {"correlations.wallet.rate": [0.5, 2.0]})
    assert lines[0].startswith("correlations: only what differs between customers can be correlated at 1 of 2 points (50.00%)")


def test_no_point_is_run_where_one_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.studies.running.simulated", lambda *_: pytest.fail("a point was run"))
    assert said(publisher(), {"discount_rate_annual": [0.1, -2]})


def test_customers_who_bring_others_without_end_are_refused_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.studies.running.simulated", lambda *_: pytest.fail("a point was run"))
    (line,) = said(talkers(), {"word_of_mouth.reach": [0.2, 0.9]})
    assert line.startswith("word_of_mouth.recruits: customers bring others without end: each wins 2.")
    assert line.endswith("at 1 of 2 points (50.00%), first at point 1 (word_of_mouth.reach=0.9); give a smaller reach")


def test_too_many_points_are_told_with_what_they_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["sim.engine.run"], "available_threads", lambda: 4)  # sim.engine.run is the function, as a name
    steps = {"low": 0.01, "high": 0.2, "steps": 1000}
    vary = {"discount_rate_annual": steps, "stages.renewed.price": steps, "stages.renewed.cost_to_serve": steps}
    scenario = sim.load("publisher", "run.customers=1000")
    assert said(scenario, vary) == [
        f"design: must have at most {MOST_POINTS:,} points; these, of 1,000 customers each, are 1,000,000,000,000 lives, "
        "about 3 days on 4 cores (got 1,000,000,000 points); design=sobol with points=1024 covers the same ranges"
    ]
    scenario = sim.load("lifecycle", "run.customers=100", "run.replicates=5", "run.threads=1")
    assert said(scenario, {"discount_rate_annual": {"low": 0.1, "high": 0.2}}, points=10**8, policies=["win_back"]) == [
        "points: must have at most 1,000,000 points; these, of 100 customers each x 2 arms x 5 replicates, are 100,000,000,000 lives, "
        "about 28 hours on 1 cores (got 100,000,000 points); design=sobol with points=1024 covers the same ranges"
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 seconds"), (119, "119 seconds"), (120, "2 minutes"), (1e5, "28 hours"), (6e5, "7 days"), (1e9, "32 years")],
)
def test_a_time_in_words(seconds: float, said: str) -> None:
    assert planning._duration(seconds) == said


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
