"""Sensitivity, uncertainty and optimisation as verbs: which points they run, on which luck, what they refuse, what a folder keeps."""

import html
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sim
from sim.scenario import ScenarioError, read
from sim.scenario.sample import cells
from sim.scenario.study import read_study
from sim.studies import optimise, sensitivity, uncertainty
from sim.studies.optimise import optimise as best
from sim.studies.sensitivity import Sensitivity, groups, in_replicates
from sim.studies.sensitivity import sensitivity as sense
from sim.studies.study_folder import KINDS, asking, reporting, write_study
from sim.studies.sweep import sweep
from sim.studies.uncertainty import Uncertainty
from sim.studies.uncertainty import uncertainty as doubt

RATE, PRICE = "discount_rate_annual", "stages.renewed.price"
VARY: dict[str, Any] = {RATE: {"low": 0.05, "high": 0.2}, PRICE: {"low": 60, "high": 90}}
FREE = "label: Free\ncost: {setup: 100}\neffects: {price: 0.99}\n"


def publisher(*settings: str) -> sim.Scenario:
    return sim.load("publisher", "run.customers=160", *settings)


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a policy that fits the publisher."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "policy").mkdir()
    (folder / "policy" / "free.yaml").write_text(FREE, encoding="utf-8")
    return str(folder)


@cache
def sobol() -> Sensitivity:
    return sense(publisher(), VARY, points=8)


def refused(work: Any) -> list[str]:
    with pytest.raises(ScenarioError) as error:
        work()
    return [str(fault) for fault in error.value.faults]


def test_a_run_is_taken_apart_into_replicates() -> None:
    apart = in_replicates(publisher(), 8).run
    assert (apart.replicates, apart.customers) == (8, 20)
    several = publisher("run.replicates=3")
    assert in_replicates(several, 8) is several
    assert in_replicates(sim.load("publisher", "run.customers=null"), 8).run.customers == 125  # the firm's 1,000
    assert in_replicates(publisher("run.customers=3"), 8).run.customers == 1


@pytest.mark.jit
def test_points_of_a_sensitivity_analysis_are_runs_on_the_same_luck() -> None:
    found = sobol()
    assert len(found.plan.points) == 8 * (2 + 2)
    assert found.values.shape == (32, 8)
    for k in (0, 9, 31):
        point = found.plan.points[k]
        one = sim.load("publisher", "run.customers=20", "run.replicates=8", *(f"{name}={value!r}" for name, value in point.items()))
        assert sim.simulate(one).replicates["equity"].tolist() == found.values[k].tolist()
    both = found.plan.points[0], found.plan.points[16], found.plan.points[8]
    assert (both[1][RATE], both[1][PRICE]) == (both[2][RATE], both[0][PRICE])  # A with the first column of B


@pytest.mark.jit
def test_what_is_measured(mine: str) -> None:
    per_customer = sense(publisher(), VARY, points=8, measure="clv").values
    assert per_customer * 1000 == pytest.approx(sobol().values)  # the firm's 1,000, all at calendar 0
    gain = sense(publisher(), VARY, points=8, measure="gain", policies=["free"], configs=mine)
    apart = gain.sweep.paths("equity", "free") - gain.sweep.paths("equity", "none")
    assert gain.values.tolist() == apart.tolist()
    spent = sense(publisher(), VARY, points=8, measure="spent", policies=["free"], configs=mine)
    assert (spent.values == 100).all()
    assert spent.table["told"].tolist() == ["the outcome does not vary"] * 2


@pytest.mark.jit
def test_correlated_factors_are_one(mine: str) -> None:
    third = {"fair_share": {"low": 0.4, "high": 0.6}}
    found = sense(publisher(), {**VARY, **third}, points=8, correlations={RATE: {"fair_share": 0.5}})
    assert found.names == [f"{RATE} + fair_share", PRICE]
    assert found.table["factor"].tolist() == found.names
    chained = read_study(
        {"vary": {key: {"low": 0, "high": 1} for key in "abcd"}, "points": 8, "correlations": {"a": {"b": 0.1}, "c": {"b": 0.1}}}
    )
    assert groups(chained) == ((0, 1, 2), (3,))


@pytest.mark.jit
def test_other_methods() -> None:
    few = sense(publisher(), VARY, method="morris", points=4)
    assert len(few.plan.points) == 4 * 3
    assert set(few.table["factor"]) == set(VARY)
    alone = sense(publisher(), VARY, method="tornado")
    assert [point[RATE] for point in alone.plan.points] == pytest.approx([0.125, 0.065, 0.185, 0.125, 0.125])
    assert np.isnan(few.noise)


@pytest.mark.parametrize(
    ("asked", "lines"),
    [
        ({"method": "sobl"}, ["method: must be one of sobol"]),
        ({"measure": "profit", "level": 2}, ["measure: must be one of", "level: must be between 0 and 1"]),
        ({"points": 100}, ["points: must be a power of two from 8 on (got 100)"]),
        ({"method": "tornado", "points": 8}, ["points: is not for a tornado"]),
        ({"method": "tornado", "correlations": {RATE: {PRICE: 0.5}}, "points": None}, ["correlations: cannot be kept"]),
        ({"measure": "gain"}, ["policies: must be one policy"]),
        ({"policies": ["gifts", "win_back"]}, ["policies: must be one policy"]),
        ({"design": "lhs", "points": 8}, ["design: is the method's own here"]),
    ],
)
def test_what_a_sensitivity_analysis_refuses(asked: dict[str, Any], lines: list[str]) -> None:
    given = {key: value for key, value in {**asked}.items() if value is not None}
    if "correlations" in given:
        made = read_study({"vary": VARY, "points": 8, "correlations": given["correlations"]}).model_copy(update={"points": None})
        found = refused(lambda: sensitivity.points(made, {**sensitivity.ASKED, "method": "tornado"}))
    else:
        found = refused(lambda: sense(publisher(), VARY, **given))
    assert len(found) == len(lines)
    assert all(line.startswith(start) for line, start in zip(sorted(found), sorted(lines), strict=True)), found


@cache
def doubted(mine: str) -> Uncertainty:
    return doubt(publisher(), VARY, points=32, policies=["free"], trials=[10, 100], configs=mine)


@pytest.mark.jit
def test_draws_are_runs_on_the_same_luck(mine: str) -> None:
    found = doubted(mine)
    assert found.net.shape == (32, 16, 2)
    point = found.plan.points[5]
    one = sim.load("publisher", "run.customers=10", "run.replicates=16", *(f"{name}={value!r}" for name, value in point.items()))
    assert sim.simulate(one).replicates["equity"].tolist() == found.net[5, :, 0].tolist()
    assert found.favoured == "none"  # giving a price cut away for 100 does not pay
    table = found.means.set_index("arm")
    assert table.loc["none", "best"] == 1
    assert table["equity"].tolist() == pytest.approx(found.net.mean(axis=(0, 1)).tolist())
    assert found.perfect.corrected == pytest.approx(0, abs=1e-6)
    assert found.where.startswith("It loses in none of 32 points")
    assert set(found.tables()) == {"uncertainty", "points", "acceptability", "partial_information", "trials", "conditions"}
    assert set(doubt(publisher(), VARY, points=30).tables()) == {"uncertainty", "points"}


@pytest.mark.jit
def test_a_time_budget_is_divided(mine: str) -> None:
    scenario, study, asked = uncertainty.fit(publisher(), read_study({"vary": VARY}), {**uncertainty.ASKED, "seconds": 1.0}, None)
    assert asked["seconds"] is None  # a rerun takes what was chosen
    assert study.points is not None
    assert study.points >= 64
    assert scenario.run.replicates == 16
    assert (scenario.run.customers or 0) >= uncertainty.LEAST


@pytest.mark.parametrize(
    ("asked", "lines"),
    [
        ({"points": 20}, ["points: must be at least 30 draws"]),
        (
            {"willingness": [], "trials": [0]},
            ["trials: must be a list of numbers from 1 on", "willingness: must be a list of numbers from 0 on"],
        ),
        ({"trial_price": -1}, ["trial_price: must be a number from 0 on"]),
        ({"seconds": 0}, ["seconds: must be above 0"]),
        ({"seconds": 5, "points": 64}, ["seconds: chooses how many points there are"]),
        ({"design": "lhs", "points": 64}, ["design: is drawn here"]),
    ],
)
def test_what_an_uncertainty_analysis_refuses(asked: dict[str, Any], lines: list[str]) -> None:
    found = refused(lambda: doubt(publisher(), VARY, **asked))
    assert len(found) == len(lines)
    assert all(line.startswith(start) for line, start in zip(sorted(found), lines, strict=True)), found


def test_draws_that_leave_what_is_valid_are_told_before_anything_runs() -> None:
    vary = {RATE: {"distribution": "normal", "mean": -0.8, "sd": 0.2}}
    (line,) = refused(lambda: doubt(publisher(), vary, points=64))
    assert line.startswith("discount_rate_annual: must be above -1 at ")
    assert "of 64 points" in line
    assert "cut the distribution off" in line


@pytest.mark.jit
def test_the_best_point_is_told_from_fresh_luck() -> None:
    found = best(publisher(), {PRICE: {"low": 60, "high": 90}}, trials=6)
    assert found.point is not None
    assert found.point[PRICE] == pytest.approx(90, rel=1e-3)
    searched = found.tables()["search"]
    final = searched[searched["step"] == "final"].iloc[0]
    assert final["equity"] == found.summary()["objectives_there"]["equity"]["mean"]
    assert final["seed"] not in set(searched[searched["step"] == "search"]["seed"])
    settings = "run.customers=20", "run.replicates=8", f"run.seed={int(final['seed'])}", f"{PRICE}={float(final[PRICE])!r}"
    assert sim.simulate(sim.load("publisher", *settings)).replicates["equity"].mean() == pytest.approx(final["equity"], rel=1e-12)
    assert found.summary()["against_start"]["mean"] > 0  # against 75.90, which it has now


@pytest.mark.jit
def test_a_limit_and_several_objectives(mine: str) -> None:
    vary = {"policies.free.cost.setup": {"low": 0, "high": 1000}}
    found = best(publisher(), vary, trials=8, objectives={"spent": "max"}, limits={"spent": 400}, policies=["free"], configs=mine)
    assert found.point is not None
    assert 300 < float(found.point["policies.free.cost.setup"]) <= 400
    front = best(publisher(), {PRICE: [60, 70, 80]}, trials=6, objectives={"equity": "max", "clv": "max"})
    assert front.tables()["front"][PRICE].tolist() == [80]
    assert front.point is None


@pytest.mark.parametrize(
    ("asked", "lines"),
    [
        ({"objectives": {"profit": "max"}}, ["objectives: must be one of equity"]),
        (
            {"objectives": {"equity": "up"}, "trials": 0},
            ["objectives.equity: must be max or min", "trials: must be a whole number from 1 to"],
        ),
        ({"objectives": {}}, ["objectives: must name what is sought"]),
        ({"objectives": {"gain": "max"}}, ["objectives: needs a policy"]),
        ({"limits": {"clv": "much"}}, ["limits.clv: must be a number"]),
        ({"limits": {"spent": -1}}, ["limits.spent: must be at least 0: it is never less", "limits: needs a policy, whose cost it is"]),
        ({"limits": {"downside": 1.0}}, ["limits: needs a market"]),
        ({"points": 8}, ["points: is no part of a search"]),
        ({"limits": {"spent": 5}}, ["limits: needs a policy, whose cost it is"]),
        ({"aspiration": "high"}, ["aspiration: must be a number"]),
        ({"trials": 2.5}, ["trials: must be a whole number"]),
        ({"objectives": {"downside": "min"}}, ["objectives: needs a market"]),
    ],
)
def test_what_an_optimisation_refuses(asked: dict[str, Any], lines: list[str]) -> None:
    found = refused(lambda: best(publisher(), {PRICE: {"low": 60, "high": 90}}, **asked))
    assert len(found) == len(lines)
    assert all(line.startswith(start) for line, start in zip(sorted(found), lines, strict=True)), found


@pytest.mark.parametrize("name", ["spent", "downside"])
def test_a_limit_that_nothing_can_meet_is_refused(name: str) -> None:
    adoption = sim.load("adoption", "run.customers=60")
    lines = refused(lambda: best(adoption, {"discount_rate_annual": {"low": 0.1, "high": 0.2}}, limits={name: -0.5}))
    assert f"limits.{name}: must be at least 0: it is never less (got -0.5)" in lines


def test_a_distribution_is_not_chosen() -> None:
    (line,) = refused(lambda: best(publisher(), {PRICE: {"distribution": "normal", "mean": 70, "sd": 1}}))
    assert line.startswith(f"vary.{PRICE}: must be a range or a list")


@pytest.mark.jit
@pytest.mark.parametrize("kind", ["sensitivity", "uncertainty", "optimise"])
def test_a_folder_is_verified(kind: str, tmp_path: Path, mine: str) -> None:
    makes: dict[str, Any] = {
        "sensitivity": sobol,
        "uncertainty": lambda: doubted(mine),
        "optimise": lambda: best(publisher(), {PRICE: [60, 70]}, trials=2, objectives={"equity": "max"}),
    }
    found = makes[kind]()
    out = write_study(found, tmp_path / "out")
    assert sim.verify(out) == []
    assert asking(kind).keys() == {"sensitivity": sensitivity, "uncertainty": uncertainty, "optimise": optimise}[kind].ASKED.keys()
    name = next(iter(found.tables()))
    table = out / "tables" / f"{name}.csv"
    table.write_text(table.read_text() + "0\n")
    assert any(line.startswith(f"tables/{name}.csv") for line in sim.verify(out))


@pytest.mark.jit
@pytest.mark.parametrize("kind", KINDS)
def test_a_study_says_what_it_found(kind: str) -> None:
    """Printed as on the command line; in a notebook with ten rows of its first table at most."""
    every: dict[str, Callable[[], Any]] = {
        "sweep": lambda: sweep(publisher(), VARY, points=16),
        "sensitivity": sobol,
        "uncertainty": lambda: doubt(publisher(), {RATE: {"low": 0.02, "high": 0.2}}, points=30),
        "optimise": lambda: best(publisher(), {PRICE: {"low": 60, "high": 90}}, trials=4),
    }
    found = every[kind]()
    told = reporting(found)
    assert str(found).splitlines() == [repr(found)[1:-1], told.answer(found), *told.notes(found)]
    said, frame = found._repr_html_(), next(iter(found.tables().values()))
    assert said.count("<tr>") == 1 + min(len(frame), 10)
    assert html.escape(told.answer(found)) in said
    assert (f"of {len(frame):,} rows" in said) is (len(frame) > 10)


def test_every_kind_is_a_verb() -> None:
    assert set(KINDS) == {"sweep", "sensitivity", "uncertainty", "optimise"}
    assert set(KINDS) <= set(sim.__all__)


def test_replicates_of_a_firm_that_is_coupled_or_has_cohorts() -> None:
    from tests.zoo import COUPLED

    for name in ("crowd", "busy_recruits"):
        coupled = read(COUPLED[name])
        assert in_replicates(coupled, 4).run.model_dump(exclude_unset=True) == {
            **coupled.run.model_dump(exclude_unset=True),
            "replicates": 4,
        }
    cohorts = sim.load("publisher_cohorts", "run.customers=null")
    assert in_replicates(cohorts, 8).run.customers == 625  # of 5,000
    few = in_replicates(sim.load("lifecycle", "run.customers=60"), 16)
    assert all(cell.sampled for cell in cells(few))


@pytest.mark.jit
def test_the_luck_that_draws_share_is_in_the_error() -> None:
    """Between seeds the mean over draws differs as its error says."""
    narrow = {RATE: {"low": 0.149, "high": 0.151}}
    rows = [doubt(publisher(f"run.seed={seed}"), narrow, points=32).means.iloc[0] for seed in range(24)]
    between = np.std([row["equity"] for row in rows], ddof=1)
    told = np.sqrt(np.mean([row["se"] ** 2 for row in rows]))
    assert 0.6 < between / told < 1.6
    assert np.mean([row["high"] - row["low"] for row in rows]) < between  # of the parameter alone, whose range is small


@pytest.mark.jit
def test_a_start_stands_at_one_value() -> None:
    vary = {"both": {"low": 30, "high": 80, "paths": ["stages.introductory.price", PRICE]}}
    found = best(publisher(), vary, trials=3)
    assert found.plan.standing("both") is None  # 35.90 and 75.90
    assert found.summary()["against_start"] is None


def test_points_are_run_on_the_same_replicates() -> None:
    for path in ("run.replicates", "run.seed", "run.customers"):
        for verb in (sense, doubt):
            (line,) = refused(lambda path=path, verb=verb: verb(publisher(), {path: {"low": 32, "high": 64, "integer": True}}, points=32))
            assert line.startswith(f"vary.{path}: must be the same at every point")


def test_a_segment_with_numbers_of_its_own_is_told() -> None:
    made = sense(
        sim.load("lifecycle", "run.customers=240", "horizon=12"), {"acquisition.cost": {"low": 50, "high": 60}}, method="tornado"
    ).plan
    (line,) = made.warnings
    assert line.startswith(
        "acquisition.cost does not reach segment budget, premium, which has its own: vary segments.budget.acquisition.cost,"
    )


@pytest.mark.jit
def test_a_comparator_at_every_point(mine: str) -> None:
    found = sim.sweep(publisher(), {}, policies=["free", "free+none"], crossed=False, comparator="free", design="list", configs=mine)
    assert found.table["arm"].tolist() == ["free", "free", "free+none"]
    assert found.table["gain"].tolist() == [0, 0, 0]


@pytest.mark.jit
def test_what_lies_low_in_a_tornado() -> None:
    found = sense(publisher(), {PRICE: [90, 60]}, method="tornado")
    row = found.table.iloc[0]
    assert row["low"] < row["high"]
