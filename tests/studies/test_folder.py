"""A run's folder: the same bytes from the same scenario, readable again, and verified."""

import hashlib
import json
import resource
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import yaml

from sim import store
from sim.measures.summary import SCHEMA_VERSION
from sim.report.figures import fitting
from sim.scenario import Scenario, ScenarioError, read
from sim.studies import folder
from sim.studies.result import FRAMES
from sim.studies.simulate import simulate
from tests.measures import cases

RUN = {"customers": 30, "replicates": 2}
NAME = "a run [1] it's 客户"


def written(path: Path, **changes: Any) -> Path:
    return folder.write_run(simulate(cases.relationship(**{"run": RUN, **changes})), path, report=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("made") / NAME)


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """Return a copy of a run's folder, to be changed at will."""
    return Path(shutil.copytree(made, tmp_path / NAME))


def test_folder_holds_config_summary_tables_and_manifest(run: Path) -> None:
    tables = {f"tables/{name}.{kind}" for name in (*FRAMES, "unit_cost") for kind in ("csv", "parquet")}
    assert {str(path.relative_to(run)) for path in run.rglob("*.*")} == {"config.yaml", "summary.json", "manifest.json", *tables}
    manifest = store.read_manifest(run)
    assert set(manifest["files"]) == {"config.yaml", "summary.json", *tables}
    assert (manifest["draws"], manifest["schema_version"], manifest["seed"]) == (3, SCHEMA_VERSION, 1)
    assert set(manifest["libraries"]) >= {"numpy", "numba", "scipy", "pandas"}
    assert len(manifest["result_hash"]) == 64
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    assert summary["scenario"] == "relationship"


def test_config_reads_back_as_the_same_scenario(run: Path) -> None:
    assert read(yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))) == cases.relationship(run=RUN)


CHANGING_SEGMENT = {"rich": {"share": 1.0, "purchases": {"kind": "bernoulli", "probability": 0.5, "wallet": {"shape": 2.0, "rate": 0.5}}}}


@pytest.mark.parametrize(
    "changes", [{"segments": CHANGING_SEGMENT}, {"name": "no", "label": "客户: 'a' # b"}, {"horizon": 12, "discount_rate_annual": 1e-7}]
)
def test_configs_that_yaml_could_bend_read_back(changes: dict[str, Any]) -> None:
    scenario = cases.publisher(**changes)
    assert read(yaml.safe_load(folder.config_of(scenario))) == scenario


def test_threads_are_no_part_of_a_config() -> None:
    one, two = (cases.publisher(run={"customers": 10, "threads": threads}) for threads in (1, 2))
    assert folder.config_of(one) == folder.config_of(two)
    assert folder.default_folder(one) == folder.default_folder(two)


def test_default_folder_is_named_by_scenario_seed_and_config() -> None:
    def name(**changes: Any) -> str:
        return str(folder.default_folder(cases.publisher(**changes)))

    assert name().startswith("results/magazine-1-")
    assert len(name()) == len("results/magazine-1-") + 8
    assert name(run={"seed": 9}).startswith("results/magazine-9-")
    assert name(horizon=9) != name()
    assert Path(name(name="../a b/出版 [1]")).parts[:-1] == ("results",)
    assert "出版" in name(name="出版")
    assert name(name="..").startswith("results/scenario-1-")


def test_default_folder_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scenario: Scenario = cases.publisher(run={"customers": 5})
    assert folder.write_run(simulate(scenario), report=False) == tmp_path / folder.default_folder(scenario)


def test_equal_scenarios_leave_equal_bytes(tmp_path: Path, run: Path) -> None:
    other = written(tmp_path / "other", run={**RUN, "threads": 1})
    mine, theirs = store.read_manifest(run), store.read_manifest(other)
    differing = {name for name in mine["files"] if mine["files"][name] != theirs["files"][name]}
    assert differing <= {"summary.json"}  # which holds the timing
    assert mine["result_hash"] == theirs["result_hash"]
    assert written(tmp_path / "seed", run={**RUN, "seed": 2}) != other
    assert store.read_manifest(tmp_path / "seed")["result_hash"] != theirs["result_hash"]


def test_tables_hold_every_digit(tmp_path: Path) -> None:
    result = simulate(cases.relationship(run={**RUN, "keep_customers": True}))
    out = folder.write_run(result, tmp_path / "run", report=False)
    for name, whole in result.tables().items():
        frame = whole.astype(dict.fromkeys(whole.select_dtypes("category"), str))
        missing = {str(column): [""] for column in frame.select_dtypes("number")}  # an empty cause is text
        text = pd.read_csv(out / "tables" / f"{name}.csv", keep_default_na=False, na_values=missing)
        pd.testing.assert_frame_equal(text, frame, check_dtype=False, check_exact=True)
        with duckdb.connect(":memory:") as connection:
            stored = connection.execute("SELECT * FROM read_parquet(?)", [str(out / "tables" / f"{name}.parquet")]).df()
        pd.testing.assert_frame_equal(stored, frame, check_dtype=False, check_exact=True)


def test_a_run_verifies(run: Path) -> None:
    assert folder.verify(run) == []


def test_a_report_is_kept_and_verified(tmp_path: Path, run: Path) -> None:
    result = simulate(cases.relationship(run=RUN))
    out = folder.write_run(result, tmp_path / "reported")
    manifest, bare = store.read_manifest(out), store.read_manifest(run)
    figures = {f"figures/{name}.{kind}" for name in fitting(result) for kind in ("svg", "png", "csv")}
    assert set(manifest["files"]) - set(bare["files"]) == {"report.html", *figures}
    assert manifest["result_hash"] == bare["result_hash"]
    assert folder.verify(out) == []
    (out / "figures" / "clv.csv").unlink()
    page = out / "report.html"
    page.write_text(page.read_text(encoding="utf-8").replace("CLV", "LTV"), encoding="utf-8")
    assert folder.verify(out) == ["report.html: was changed after it was written", "figures/clv.csv: is missing"]
    manifest["files"].pop("figures/clv.csv")
    (out / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert "figures/clv.csv: is missing from the manifest" in folder.verify(out)


def test_verify_names_what_was_changed_or_is_missing(run: Path) -> None:
    path = run / "tables" / "clv.csv"
    path.write_bytes(path.read_bytes().replace(b"all", b"ALL", 1))
    (run / "summary.json").unlink()
    assert folder.verify(run) == ["summary.json: is missing", "tables/clv.csv: was changed after it was written"]


def test_verify_reruns_what_the_config_says(run: Path) -> None:
    config = run / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("horizon: 9", "horizon: 8"), encoding="utf-8")
    found = folder.verify(run)
    assert found[0] == "config.yaml: was changed after it was written"
    assert "config.yaml: comes out differently" in found
    assert "tables/retention.csv: comes out differently" in found


def test_verify_finds_results_of_another_version(run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    manifest["version"] = "0.0.1"
    manifest["files"]["tables/clv.csv"] = "0" * 64
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    found = folder.verify(run)
    assert found[:2] == ["tables/clv.csv: was changed after it was written", "tables/clv.csv: comes out differently"]
    assert found[2].startswith("manifest.json: written by version 0.0.1, verified with ")


def test_verify_finds_a_changed_summary(run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    manifest["result_hash"] = "0" * 64
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert folder.verify(run) == ["manifest.json: result_hash comes out differently"]


def forge(run: Path, **changes: Any) -> None:
    """Write a manifest whose hashes fit what the folder holds by now."""
    manifest = store.read_manifest(run)
    manifest["files"] = {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in manifest["files"]}
    (run / "manifest.json").write_text(json.dumps(manifest | changes), encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "found"), [('"threads": ', '"threads": 1', []), ('"mean": ', '"mean": 1', ["summary.json: comes out differently"])]
)
def test_verify_reads_the_summary_but_for_its_timing(run: Path, old: str, new: str, found: list[str]) -> None:
    path = run / "summary.json"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    forge(run)
    assert folder.verify(run) == found


def test_verify_readsparquet(run: Path) -> None:
    table = run / "tables" / "equity.parquet"
    frame = pd.read_csv(run / "tables" / "equity.csv")
    # equal content may be packed otherwise, by another version, say
    with duckdb.connect(":memory:") as connection:
        stored = run.parent / "stored.parquet"
        stored.write_bytes(table.read_bytes())
        connection.execute(
            "COPY (SELECT * FROM read_parquet(?)) TO '" + str(run.parent / "again.parquet") + "' (COMPRESSION gzip)", [str(stored)]
        )
    table.write_bytes((run.parent / "again.parquet").read_bytes())
    forge(run)
    assert folder.verify(run) == []
    folder.parquet(frame.assign(equity=0.0))(table)
    forge(run)
    assert folder.verify(run) == ["tables/equity.parquet: comes out differently"]
    table.write_bytes(b"no parquet")
    forge(run)
    assert folder.verify(run) == ["tables/equity.parquet: comes out differently"]


def test_verify_finds_files_missing_from_and_unknown_to_the_manifest(run: Path) -> None:
    manifest = store.read_manifest(run)
    del manifest["files"]["tables/clv.csv"]
    (run / "more.txt").write_text("more")
    (run / "tables" / "own.txt").write_text("own")
    manifest["files"]["tables/own.txt"] = hashlib.sha256(b"own").hexdigest()
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert folder.verify(run) == [
        "more.txt: is not in the manifest",
        "tables/clv.csv: is not in the manifest",
        "tables/clv.csv: is missing from the manifest",
        "tables/own.txt: is in the manifest, and no such run writes it",
    ]


def test_verify_compares_draws_and_seed(run: Path) -> None:
    forge(run, draws=0, seed=99)
    assert folder.verify(run) == ["manifest.json: draws is 0, and here 3", "manifest.json: seed is 99, and here 1"]


@pytest.mark.parametrize("files", [[], None, {"a\0b": "0"}, {"../a": "0"}, {"/etc/hosts": "0"}, {"a": 1}])
def test_verify_refuses_a_malformed_manifest(run: Path, files: Any) -> None:
    (run / "manifest.json").write_text(json.dumps({"made_by": "clvsim", "files": files}), encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"manifest\.json: files must map names of files in the folder to their SHA-256$"):
        folder.verify(run)


@pytest.mark.parametrize("config", ["a: [", "horizon: 0", "- a", None])
def test_verify_says_that_a_config_cannot_be_run(run: Path, config: str | None) -> None:
    if config is None:
        (run / "config.yaml").unlink()
    else:
        (run / "config.yaml").write_text(config, encoding="utf-8")
    found = folder.verify(run)
    assert found[0].startswith("config.yaml: ")
    assert found[1].startswith("config.yaml: cannot be run again: ")


def test_verify_wants_a_run_folder(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="must be a run folder"):
        folder.verify(tmp_path)


def test_a_folder_that_is_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ScenarioError, match="not ours"):
        written(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = simulate(cases.relationship(run=RUN))
    monkeypatch.setattr(folder, "_texts", lambda scenario, frames: {"config.yaml": b"", **{f"tables/{name}.csv": b"" for name in frames}})
    _, hard = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, hard))
    try:
        with pytest.raises(ScenarioError, match="cannot be written there"):
            folder.write_run(result, tmp_path / "run", report=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
