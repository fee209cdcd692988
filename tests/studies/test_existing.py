"""Runs with existing customers: their folder knows the table, and verifying notices another one."""

import json
from pathlib import Path

import pandas as pd
import pytest

import sim
from sim.scenario import read
from sim.scenario.frames import packed
from sim.studies import folder
from tests import base, zoo


def test_a_run_folder_knows_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = base.spread(["stability", "decline"], 5)
    base.table(Path(), rows)
    raw = {**zoo.ZOO["chain"], "firm": {}, "name": "chain", "base": {"file": "base.csv"}, "run": {"seed": 4}}
    scenario = read(raw)
    run = sim.write_run(sim.simulate(scenario), "run")
    assert "base: {file: base.csv}" in (run / "config.yaml").read_text()
    manifest = json.loads((run / "manifest.json").read_text())
    assert scenario.existing is not None
    assert manifest["base"] == scenario.existing.digest
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Existing customers" in page
    assert folder.verify(run) == []
    before = folder.default_folder(scenario)
    base.table(Path(), rows[1:])
    assert folder.default_folder(read(raw)) != before
    told = folder.verify(run)
    assert told[0].startswith(f"manifest.json: base is '{scenario.existing.digest[:20]}")
    assert "summary.json: comes out differently" in told
    Path("base.csv").unlink()
    rule = "base.file: cannot be read: no such file or directory (got base.csv); paths are relative to the working directory"
    assert folder.verify(run) == [f"config.yaml: cannot be run again: {rule}"]


def test_a_run_folder_keeps_a_frame(tmp_path: Path) -> None:
    """Whatever becomes of the frame, the folder verifies; and it notices another table."""
    frames = [pd.DataFrame(base.spread(["stability", "decline"], ages)).rename_axis("id").reset_index() for ages in (5, 6)]
    scenario, other = (read({**zoo.ZOO["chain"], "firm": {}}, table=packed(frame)) for frame in frames)
    assert folder.default_folder(scenario) != folder.default_folder(other)
    run = sim.write_run(sim.simulate(scenario), tmp_path / "run", report=False)
    assert scenario.existing is not None
    assert scenario.base is not None
    assert (run / "base.parquet").read_bytes() == scenario.base.held
    assert "base: {file: base.parquet}" in (run / "config.yaml").read_text()
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["base"] == scenario.existing.digest == manifest["files"]["base.parquet"]
    assert folder.verify(run) == []
    assert other.base is not None
    assert other.base.held is not None
    (run / "base.parquet").write_bytes(other.base.held)
    told = folder.verify(run)
    assert told[0] == "base.parquet: was changed after it was written"
    assert "summary.json: comes out differently" in told
    (run / "base.parquet").write_bytes(b"PAR1")
    assert folder.verify(run)[1].startswith("config.yaml: cannot be run again: base: cannot be read as a table: ")
    (run / "base.parquet").unlink()
    told = folder.verify(run)
    assert told == ["base.parquet: is missing", "config.yaml: cannot be run again: is missing or no YAML"]


def test_equity_is_drawn_with_the_base_beside_the_cohorts(tmp_path: Path) -> None:
    file = base.table(tmp_path, base.spread(["stability"], 3, segment=["small", "large"]))
    result = sim.simulate(base.scenario("frailty_seasons_cohorts", file, {"customers": 300}))
    drawn = result.plot.equity().frame
    assert drawn["by"].tolist() == ["cohort"] * 3 + ["base"]
    assert drawn["label"].iloc[-1] == "existing customers"
    assert drawn["equity"].tolist() == result.equity["equity"][result.equity["by"].isin(["cohort", "base"])].tolist()


def test_explain_tells_of_the_base(tmp_path: Path) -> None:
    file = base.table(tmp_path, base.spread(["stability", "decline"], 3))
    told = " ".join(str(sim.explain(base.scenario("chain", file))).split())
    assert f"existing customers: 8 (stability 4, decline 4), from {file}" in told
