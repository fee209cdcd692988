"""A study's folder: whole, plain, the same bytes for the same study, and verified by running it again."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import yaml

import sim
from sim import store
from sim.scenario import ScenarioError
from sim.scenario.study import read_study
from sim.studies import study_folder
from sim.studies.planning import plan
from sim.studies.study_folder import default_folder, study_of, write_study
from sim.studies.sweep import Sweep, sweep
from tests import base

pytestmark = pytest.mark.jit

VARY: dict[str, Any] = {
    "discount_rate_annual": {"low": 1e-5, "high": 0.2, "log": True},
    "serving": {"values": [0.9, 1.1], "scale": True, "paths": ["stages.formation.cost_to_serve", "stages.stability.cost_to_serve"]},
}


def swept(*overrides: str, **rest: Any) -> Sweep:
    scenario = sim.load("lifecycle", "run.customers=40", "horizon=12", *overrides)
    return sweep(scenario, VARY, **{"points": 4, "policies": ["win_back", "win_back+service_recovery"], "design_seed": 3, **rest})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(swept(), tmp_path_factory.mktemp("made") / "a sweep [1] 客户", report=False)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """Return a copy of the folder, to be changed at will."""
    return Path(shutil.copytree(made, tmp_path / made.name))


def signed(folder: Path, name: str) -> None:
    """Put a file's hash as it is now into the manifest."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def changed(folder: Path, name: str, old: str, new: str) -> None:
    file = folder / name
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_what_lies_in_it(folder: Path) -> None:
    names = {"config.yaml", "study.yaml", "study.json", "tables/points.csv", "tables/points.parquet"}
    assert {str(path.relative_to(folder)) for path in folder.rglob("*.*")} == names | {"manifest.json"}
    manifest = store.read_manifest(folder)
    assert set(manifest["files"]) == names
    assert (manifest["kind"], manifest["seed"], manifest["schema_version"]) == ("sweep", 1, study_folder.SCHEMA_VERSION)
    found = swept().table
    text = pd.read_csv(folder / "tables" / "points.csv")
    pd.testing.assert_frame_equal(text, found, check_exact=True, check_dtype=False)
    with duckdb.connect(":memory:") as connection:
        stored = connection.execute("SELECT * FROM read_parquet(?)", [str(folder / "tables" / "points.parquet")]).df()
    pd.testing.assert_frame_equal(stored, found, check_exact=True, check_dtype=False)


def test_its_summary_is_plain_json(folder: Path) -> None:
    told = json.loads((folder / "study.json").read_text(encoding="utf-8"), parse_constant=lambda _: pytest.fail("is no JSON"))
    assert told == {
        "schema_version": 1,
        "kind": "sweep",
        "scenario": "lifecycle",
        "design": "sobol",
        "points": 4,
        "factors": ["discount_rate_annual", "serving"],
    }


def test_the_study_reads_back_with_its_policies_written_out(folder: Path) -> None:
    told = yaml.safe_load((folder / "study.yaml").read_text(encoding="utf-8"))
    assert (told["kind"], told["asked"]) == ("sweep", {})
    assert read_study(told["study"]) == swept().plan.study
    assert set(told["policies"]) == {"win_back", "service_recovery"}


def test_equal_studies_leave_equal_bytes(folder: Path, tmp_path: Path) -> None:
    other = write_study(swept("run.threads=1"), tmp_path / "other", report=False)
    mine, theirs = store.read_manifest(folder), store.read_manifest(other)
    assert mine["files"] == theirs["files"]
    assert mine["result_hash"] == theirs["result_hash"]
    third = write_study(swept("run.seed=2"), tmp_path / "third", report=False)
    assert store.read_manifest(third)["result_hash"] != mine["result_hash"]


def test_it_verifies(folder: Path) -> None:
    assert sim.verify(folder) == []


def test_policies_that_ship_may_change_without_changing_what_it_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.studies.planning.named", lambda *_: pytest.fail("a policy's file was read"))
    assert sim.verify(folder) == []


def test_a_list_of_policies_verifies_too(tmp_path: Path) -> None:
    scenario = sim.load("lifecycle", "run.customers=40", "horizon=12")
    found = sweep(scenario, {"horizon": [12, 14]}, policies=["win_back", "none"], crossed=False, design="list")
    out = write_study(found, tmp_path / "out", report=False)
    assert sim.verify(out) == []


@pytest.mark.jit
def test_a_report_is_kept_and_not_drawn_again(tmp_path: Path) -> None:
    out = write_study(swept(), tmp_path / "out")
    drawn = {f"figures/{name}.{kind}" for name in ("curves", "heat", "parallel") for kind in ("svg", "png", "csv")}
    assert {"report.html", *drawn} <= set(store.read_manifest(out)["files"])
    assert sim.verify(out) == []
    changed(out, "report.html", "<h1>", "<h1>My ")
    assert sim.verify(out) == ["report.html: was changed after it was written"]


@pytest.mark.jit
def test_a_change_in_a_table_is_told(folder: Path) -> None:
    changed(folder, "tables/points.csv", "win_back", "win_bakk")
    assert sim.verify(folder) == ["tables/points.csv: was changed after it was written"]
    signed(folder, "tables/points.csv")
    assert sim.verify(folder) == ["tables/points.csv: comes out differently"]
    (folder / "tables" / "points.csv").unlink()
    assert sim.verify(folder) == ["tables/points.csv: is missing"]
    (folder / "mine.txt").write_text("mine")
    assert "mine.txt: is not in the manifest" in sim.verify(folder)


def test_a_change_in_what_was_varied_is_told(folder: Path) -> None:
    changed(folder, "study.yaml", "high: 0.2", "high: 0.3")
    found = sim.verify(folder)
    assert found[0] == "study.yaml: was changed after it was written"
    assert "tables/points.csv: comes out differently" in found


def test_a_change_in_a_policy_is_told(folder: Path) -> None:
    whole = yaml.safe_load((folder / "study.yaml").read_text(encoding="utf-8"))
    whole["policies"]["win_back"]["cost"]["per_contact"] += 1.0
    (folder / "study.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    changed = [f"tables/points.{kind}: comes out differently" for kind in ("csv", "parquet")]
    assert sim.verify(folder) == ["study.yaml: was changed after it was written", *changed]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: sweep", "kind: swept", "study.yaml: must hold kind and study, as it was written"),
        ("points: 4", "points: 0", "points: must be at least 1 (got 0)"),
        ("points: 4", "points: 1000000000", "points: must have at most 1,000,000 points (got 1,000,000,000 points)"),
        ("high: 0.2", "high: 1.0e-6", "vary.discount_rate_annual.high: must be above low, which is 1e-05: the range is empty (got 1e-06)"),
        ("0.9, 1.1", "0.9, 1.0e+13", "stages.formation.cost_to_serve.0: must be at most 1,000,000,000,000 at 2 of 4 points"),
        ("study:", "study: [", None),
    ],
)
def test_what_cannot_be_run_again_is_told(folder: Path, old: str, new: str, said: str | None) -> None:
    changed(folder, "study.yaml", old, new)
    first, *rest = sim.verify(folder)
    assert first == "study.yaml: was changed after it was written"
    if said is None:
        assert rest == ["config.yaml or study.yaml: cannot be run again: is missing, or not as it was written"]
    else:
        assert rest[0].startswith(f"cannot be run again: {said}")
        assert all(line.startswith("cannot be run again: ") for line in rest)


def test_a_change_in_the_scenario_is_told(folder: Path) -> None:
    changed(folder, "config.yaml", "horizon: 12", "horizon: 13")
    found = sim.verify(folder)
    assert found[0] == "config.yaml: was changed after it was written"
    assert "tables/points.csv: comes out differently" in found


def test_a_manifest_that_says_otherwise(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(manifest | {"seed": 9, "draws": 1}), encoding="utf-8")
    assert sim.verify(folder) == ["manifest.json: draws is 1, and here 3", "manifest.json: seed is 9, and here 1"]
    (folder / "manifest.json").write_text(json.dumps(manifest | {"result_hash": "x"}), encoding="utf-8")
    assert sim.verify(folder) == ["manifest.json: result_hash comes out differently"]


def test_a_table_of_existing_customers_is_kept_with_it(tmp_path: Path) -> None:
    rows = pd.DataFrame([{"id": k, **row} for k, row in enumerate(base.spread(["investigation", "formation"], 5, segment=["small"]))])
    rows["segment"] = next(iter(sim.load("markov_lifecycle").segments))
    scenario = sim.load("markov_lifecycle", "horizon=9", "run.customers=50", base=rows)
    found = sweep(scenario, {"discount_rate_annual": [0.1, 0.2]})
    out = write_study(found, tmp_path / "out", report=False)
    assert (out / "base.parquet").is_file()
    assert sim.verify(out) == []
    fewer = sim.load("markov_lifecycle", "horizon=9", "run.customers=50", base=rows[:-1])
    made, other = (plan(one, found.plan.study) for one in (scenario, fewer))
    assert default_folder(made, "sweep", {}) != default_folder(other, "sweep", {})


def test_its_default_name_is_that_of_what_varies_not_of_how_many_points() -> None:
    scenario = sim.load("publisher", "run.customers=40")

    def name(vary: Any, asked: dict[str, Any] | None = None, **rest: Any) -> str:
        return str(default_folder(plan(scenario, read_study({"vary": vary, **rest})), "sweep", asked or {}))

    one = {"discount_rate_annual": {"low": 0.1, "high": 0.2}}
    assert name(one, points=4).startswith("results/publisher-sweep-1-")
    assert name(one, points=4) == name(one, points=8)
    others = {
        name(one, points=4, design_seed=2),
        name(one, points=4, design="lhs"),
        name({"discount_rate_annual": {"low": 0.1, "high": 0.3}}, points=4),
        name(one, {"method": "morris"}, points=4),
        name(one, points=4, policies=["nothing"]),
    }
    assert len(others | {name(one, points=4)}) == 6


def test_a_longer_design_goes_on_in_the_same_folder(tmp_path: Path) -> None:
    scenario = sim.load("publisher", "run.customers=40", "run.threads=1")
    vary = {"discount_rate_annual": {"low": 0.1, "high": 0.2}}
    out = tmp_path / "out"
    write_study(sweep(scenario, vary, points=4, out=out), out, report=False)
    longer = sweep(scenario, vary, points=8, out=out)
    assert longer.taken == 4
    write_study(longer, out, report=False)
    assert len(pd.read_csv(out / "tables" / "points.csv")) == 8
    assert sim.verify(out) == []


def test_a_folder_that_is_not_its_own_stays(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(ScenarioError, match=r"^out: must be a new folder or one that clvsim wrote"):
        write_study(swept(), tmp_path / "out", report=False)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_numbers_survive_the_yaml() -> None:
    study = read_study({"vary": {"horizon": {"low": 1e-7, "high": 1e22}, "x": {"values": ["no", "1e3", True, 3], "paths": ["label"]}}})
    made = plan(sim.load("publisher", "run.customers=40"), read_study({"vary": {"horizon": [10]}}))
    told = yaml.safe_load(study_of(type(made)(made.scenario, study, [], {}, {}), "sweep", {}))
    assert read_study(told["study"]) == study


def test_a_table_that_was_changed_and_signed_anew_is_found(folder: Path) -> None:
    """Parquet files are what SQL reads; a file that no study writes is told."""
    from sim.studies.folder import parquet

    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    frame = pd.read_csv(folder / "tables" / "points.csv")
    parquet(frame.assign(equity=2 * frame["equity"]))(folder / "tables" / "points.parquet")
    (folder / "extra.txt").write_text("more")
    for name in ("tables/points.parquet", "extra.txt"):
        manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert sim.verify(folder) == [
        "extra.txt: is in the manifest, and no such run writes it",
        "tables/points.parquet: comes out differently",
    ]
