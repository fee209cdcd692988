"""The list of runs below a folder, and SQL over the tables of all of them."""

import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import sim
from sim import store
from sim.parts import Parts
from sim.scenario import ScenarioError
from sim.studies import results
from sim.studies.arms import Arm, with_policies
from sim.studies.compare import compared
from sim.studies.comparison_folder import write_comparison
from sim.studies.folder import parquet
from sim.studies.results import query, runs
from tests.measures import cases

pytestmark = pytest.mark.jit

ODD = "an odd [1] it's \\ 客户?"
CLV = "select run, mean, se from clv where \"by\" = 'all' and measure = 'clv'"


def changed(folder: Path, **what: Any) -> None:
    """Change what a manifest says."""
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **what}), encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with runs of a relationship, two of them in a folder of several, a comparison, and a study."""
    root = tmp_path_factory.mktemp("made") / "results"
    for place, seed, minute in ((ODD, 3, 5), ("many/10", 10, 7), ("many/2", 2, 7)):
        folder = sim.write_run(sim.simulate(cases.relationship(run={"customers": 30, "seed": seed})), root / place, report=False)
        changed(folder, created=f"2026-01-01T12:{minute:02}:00+02:00")
    plain = cases.relationship(run={"customers": 30})
    dear = with_policies(plain, {"dear": {"label": "Dear", "source": "assumed", "cost": {"setup": 1000}}})
    found = compared(plain, (Arm("dear", ("dear",), dear), Arm("none", (), plain)))
    changed(write_comparison(found, root / "cmp", report=False), created="2026-01-01T10:03:00")
    points = pd.DataFrame({"point": [0, 1], "mean": [1.5, math.nan], "word": ["a", "b"]})
    files: dict[str, store.Content] = {
        "study.json": b'{"points": 2, "kind": "sweep"}',
        "tables/points.parquet": parquet(points),
        "tables/runs.parquet": parquet(points),
        "tables/order.parquet": parquet(points.rename(columns={"word": "run"})),
        "tables/clv.parquet": parquet(pd.DataFrame({"by": ["all"], "measure": ["clv"], "mean": [7], "more": ["x"]})),
    }
    manifest = {"version": "0.1.0", "scenario": "relationship", "seed": 2**63 - 1, "created": "2026-01-01T11:00:00+00:00", "kind": "sweep"}
    store.write(root / "sweep", files, manifest)
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """Return a copy, to be changed at will."""
    return Path(shutil.copytree(made, tmp_path / "results"))


def only(found: pd.DataFrame, folder: str) -> dict[str, Any]:
    """Return the row of a folder."""
    (row,) = found[found["folder"] == folder].to_dict("records")
    return {str(key): value for key, value in row.items()}


def fault(sql: str, folder: Path) -> str:
    """Return the one line that a statement is refused with."""
    with pytest.raises(ScenarioError) as told:
        query(sql, folder)
    (line,) = told.value.faults
    assert "\n" not in str(line)
    return str(line)


def test_runs_are_found_anywhere_below_the_newest_last(made: Path) -> None:
    found = runs(made)
    assert list(found["folder"]) == ["cmp", ODD, "many/2", "many/10", "sweep"]
    assert list(found["kind"]) == ["comparison", "run", "run", "run", "sweep"]
    assert list(found["seed"]) == [1, 3, 2, 10, 2**63 - 1]
    assert set(found["scenario"]) == {"relationship"}
    assert set(found["version"]) == {sim.__version__}
    assert list(found["created"].dt.strftime("%d %H:%M")) == ["01 10:03", "01 10:05", "01 10:07", "01 10:07", "01 11:00"]
    assert found["note"].isna().all()
    assert list(runs(made / "many")["folder"]) == ["2", "10"]
    assert list(runs(made / "many" / "2")["folder"]) == ["."]


def test_a_run_tells_its_clv_and_equity(made: Path) -> None:
    row = only(runs(made), "many/2")
    summary = json.loads((made / "many" / "2" / "summary.json").read_text(encoding="utf-8"))
    assert row["customers"] == 30
    assert [row["clv"], row["clv_se"]] == [summary["clv"]["mean"], summary["clv"]["se"]]
    assert [row["equity"], row["equity_se"]] == [summary["customer_equity"]["mean"], summary["customer_equity"]["se"]]
    assert row["arm"] is None
    assert row["points"] is None


def test_a_comparison_tells_its_best_arm_and_a_study_its_points(made: Path) -> None:
    row, told = only(runs(made), "cmp"), json.loads((made / "cmp" / "comparison.json").read_text(encoding="utf-8"))
    arm = told["arms"][told["best"]]
    assert row["arm"] == told["best"] == "none"
    assert [row["clv"], row["equity"], row["equity_se"]] == [arm["clv"]["mean"], arm["equity"]["mean"], arm["equity"]["se"]]
    study = only(runs(made), "sweep")
    assert study["points"] == 2
    assert math.isnan(study["clv"])


def test_unfinished_work_is_listed_until_its_folder_is_there(root: Path) -> None:
    for name in ("killed", "sweep", "many/3"):
        parts = Parts(root / name)
        for key in ("rows-1", "rows-2"):
            parts.add(key, ".txt", lambda path: path.write_text("part"))
        (parts.folder / "lock").touch()
    (root / "begun.parts").mkdir()
    (root / "begun.parts" / "lock").touch()
    (root / "spare.parts").mkdir()
    (root / "spare.parts" / "screws").touch()
    found = runs(root)
    assert {row["folder"]: row["parts"] for row in found.to_dict("records") if row["kind"] == "unfinished"} == {
        "killed.parts": 2,
        "many/3.parts": 2,
        "begun.parts": 0,
    }
    assert list(found["kind"][-3:]) == ["unfinished"] * 3
    assert "killed.parts" not in set(query(CLV, root)["run"])


def test_folders_of_others_links_and_hidden_ones_are_left_out(root: Path) -> None:
    (root / "theirs" / "mine").mkdir(parents=True)
    for text in ('{"made_by": "somebody"}', "[1]"):
        (root / "theirs" / "manifest.json").write_text(text)
        shutil.copytree(root / "many" / "2", root / "theirs" / "mine", dirs_exist_ok=True)
        shutil.copytree(root / "many" / "2", root / ".clvsim-0-old", dirs_exist_ok=True)
        shutil.copytree(root / "many" / "2", root / "many" / "2" / "inside", dirs_exist_ok=True)
        assert set(runs(root)["folder"]) == {"cmp", ODD, "many/2", "many/10", "sweep", "theirs/mine"}
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "run").symlink_to(root / "sweep", target_is_directory=True)
    assert set(runs(root)["folder"]) == {"cmp", ODD, "many/2", "many/10", "sweep", "theirs/mine"}
    assert len(runs(root / "loop")) == 6


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("{", "manifest.json cannot be read"),
        ("[" * 100_000, "manifest.json cannot be read"),
        ('{"made_by": "clvsim", "files": {"../x": "0"}}', "files must map names of files in the folder to their SHA-256"),
    ],
)
def test_a_folder_that_cannot_be_read_is_listed_with_a_note(root: Path, text: str, note: str) -> None:
    (root / "sweep" / "manifest.json").write_text(text)
    row = only(runs(root), "sweep")
    assert [row["kind"], row["note"]] == ["damaged", note]
    assert set(query(CLV, root)["run"]) == {ODD, "many/2", "many/10"}


def test_what_is_missing_or_odd_in_a_run_is_noted(root: Path) -> None:
    run = root / "many" / "2"
    for name in ("summary.json", "config.yaml", "tables/cash.csv", "tables/clv.csv"):
        (run / name).unlink()
    row = only(runs(root), "many/2")
    assert row["kind"] == "run"
    assert math.isnan(row["equity"])
    assert row["note"] == "missing: config.yaml, summary.json, tables/clv.csv and 1 more"
    (root / "cmp" / "comparison.json").write_text("{")
    (root / "many" / "10" / "summary.json").write_text('{"clv": {"mean": "x", "se": true}, "customer_equity": 3, "customers": 1e3}')
    huge = f'{{"best": "a", "arms": {{"a": {{"clv": {{"mean": {10**400}}}}}}}, "customers": {2**70}}}'
    (root / ODD / "summary.json").write_text(huge)
    changed(root / ODD, created=3, seed="x", scenario="\ud800", version=None, kind=[1])
    found = runs(root)
    assert only(found, "cmp")["note"] == "comparison.json cannot be read"
    for folder in ("many/10", ODD):
        row = only(found, folder)
        assert all(math.isnan(row[key]) for key in ("clv", "clv_se", "equity", "equity_se"))
        assert row["customers"] is None
    assert [row["kind"], row["scenario"], row["seed"], row["version"]] == ["run", "?", None, None]
    assert row["created"] is pd.NaT
    assert found["folder"].iloc[0] == ODD


def test_nothing_to_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for name, rule in (("empty", "holds no run"), ("file", "must be a folder that holds runs"), ("nowhere", "must be a folder")):
        with pytest.raises(ScenarioError, match=rule):
            runs(tmp_path / name)
        assert rule in fault("select 1", tmp_path / name)


def test_a_table_is_one_of_all_runs_with_the_columns_of_all(made: Path) -> None:
    found = query(f"{CLV} order by run", made)
    listed = runs(made)
    expected = {row["folder"]: row["clv"] for row in listed.to_dict("records") if row["kind"] == "run"} | {"sweep": 7.0}
    assert dict(zip(found["run"], found["mean"], strict=True)) == expected
    whole = query("from clv", made)
    assert list(whole)[:3] == ["run", "by", "id"]
    assert dict(zip(whole["run"], whole["more"].fillna(""), strict=True)) == {ODD: "", "many/2": "", "many/10": "", "sweep": "x"}
    for run in ("many/2", ODD):
        quoted = run.replace("'", "''")
        table = pd.read_csv(made / run / "tables" / "cash.csv")
        mine = query(f"select * exclude (run) from cash where run = '{quoted}'", made)
        pd.testing.assert_frame_equal(mine, table, check_dtype=False, check_exact=True)


def test_runs_can_be_joined(made: Path) -> None:
    found = query("select folder, count(*) n from runs join clv on run = folder where kind = 'sweep' group by all", made)
    assert found.to_dict("records") == [{"folder": "sweep", "n": 1}]
    counts = query("select count(*), count(clv), count(arm), count(note), max(created), max(seed) from runs", made)
    assert counts.iloc[0].tolist() == [5, 4, 1, 0, pd.Timestamp("2026-01-01 11:00"), 2**63 - 1]
    assert query("select typeof(note) t from runs limit 1", made)["t"].tolist() == ["VARCHAR"]


def test_names_that_clash_are_kept_apart(made: Path) -> None:
    assert query("select word from runs_ order by word", made)["word"].tolist() == ["a", "b"]
    assert query('select run, run_1 from "order"', made).to_numpy().tolist() == [["sweep", "a"], ["sweep", "b"]]
    assert {"runs", "runs_", "order", "points", "arms", "clv"} <= set(query("show tables", made)["name"])
    assert query("describe points", made)["column_name"].tolist() == ["run", "point", "mean", "word"]


@pytest.mark.parametrize(
    "sql",
    [
        "with a as (select 1 as x) select * from a",
        "values (1)",
        "from (values (1)) t(x);",
        "select now()",
        "-- a note\nselect 1",
        "select * from query_table('cl' || 'v') limit 1",
    ],
)
def test_what_gives_a_table_is_run(made: Path, sql: str) -> None:
    assert len(query(sql, made)) == 1


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("copy clv to '{out}'", "must be one SELECT"),
        ("create table x as select 1", "must be one SELECT"),
        ("drop view clv", "must be one SELECT"),
        ("attach '{out}'", "must be one SELECT"),
        ("install httpfs", "must be one SELECT"),
        ("load httpfs", "must be one SELECT"),
        ("set enable_external_access = true", "must be one SELECT"),
        ("export database '{out}'", "must be one SELECT"),
        ("pragma database_list", "must be one SELECT"),
        ("select 1; copy clv to '{out}'", "must be one SELECT"),
        ("", "must be one SELECT"),
        (" ; -- nothing", "must be one SELECT"),
        ("with x as (copy clv to '{out}') from x", "reads the tables of the runs alone, and writes nothing (got {out})"),
        ("with x as (copy clv to '{table}' (use_tmp_file false)) from x", "reads the tables of the runs alone, and writes nothing"),
        ("select * from read_csv('/etc/passwd')", "reads the tables of the runs alone, and writes nothing (got /etc/passwd)"),
        ("select * from read_text('{table}')", "reads the tables of the runs alone, and writes nothing"),
        ("select * from read_parquet('{table}')", "reads the tables of the runs alone, and writes nothing"),
        ("from '{table}'", "reads the tables of the runs alone, and writes nothing"),
        ("select * from glob('/*')", "reads the tables of the runs alone, and writes nothing (got /*)"),
        ("select * from read_csv('http://localhost:9/x.csv')", "reads the tables of the runs alone, and writes nothing"),
        ("from '/etc/passwd'", "no such table (got /etc/passwd); there are runs, "),
        ("select * from listed", "no such table (got listed); there are runs, arms, "),
    ],
)
def test_nothing_else_is_read_and_nothing_written(made: Path, tmp_path: Path, sql: str, said: str) -> None:
    before = contents(made)
    told = {"out": tmp_path / "x.csv", "table": made.resolve() / "many" / "2" / "tables" / "clv.parquet"}
    line = fault(sql.format(**told), made)
    assert line.startswith(f"query: {said.format(**told)}")
    assert list(tmp_path.iterdir()) == []
    assert contents(made) == before


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select * from clvv", r"query: no such table (got clvv); there are runs, arms, calendar_retention, "),
        ("select mena from clv", 'query: Referenced column "mena" not found in FROM clause; there are "mean", '),
        ("select by from clv", 'query: syntax error at or near "from"; columns named like words of SQL take double quotes: "by"'),
        ("select cast('a' as integer)", "query: Could not convert string 'a' to INT32"),
        ("select error('one\ntwo')", "query: one"),
        ("select 'a", "query: unterminated string literal"),
        ("select $x", "query: "),
        ("pivot clv on measure using sum(mean)", "query: must be one SELECT"),
        ("select '\udcff'", "query: must be text, and holds bytes that are none (got select '?')"),
    ],
)
def test_a_mistake_is_told_in_a_line(made: Path, sql: str, said: str) -> None:
    assert fault(sql, made).startswith(said)


def test_a_pivot_that_cannot_be_read_beforehand_is_told_how(made: Path) -> None:
    assert fault("pivot clv on measure using sum(mean)", made).endswith("name the values: pivot … on … in (…)")
    found = query("from (pivot clv on measure in ('clv') using count(*) group by run)", made)
    assert list(found) == ["run", "clv"]


@pytest.mark.parametrize("how", ["cut", "folder", "gone", "footer", "within"])
def test_a_table_that_cannot_be_read_is_left_out_and_named(root: Path, how: str) -> None:
    path = root / "many" / "2" / "tables" / "cash.parquet"
    whole = path.read_bytes()
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how != "gone":
        start = {"cut": 50, "footer": len(whole) - 100, "within": 4}[how]
        path.write_bytes(whole[:start] + (b"" if how == "cut" else b"\xff" * 60 + whole[start + 60 :]))
    with pytest.warns(UserWarning, match=r"missing or changed, so left out: many/2/tables/cash\.parquet"):
        found = query("select distinct run from cash order by run", root)
    assert found["run"].tolist() == [ODD, "many/10"]
    assert len(query(CLV, root)) == 4  # and no word of another table


def test_a_table_that_no_run_has_sound_is_none(root: Path) -> None:
    (root / "sweep" / "tables" / "points.parquet").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"left out: sweep/tables/points\.parquet"):
        assert "no such table (got points)" in fault("from points", root)


def test_interrupting_ends_as_elsewhere(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped:
        def __init__(self, connection: Any) -> None:
            self.connection = connection

        def __getattr__(self, name: str) -> Any:
            return getattr(self.connection, name)

        def extract_statements(self, sql: str) -> Any:
            raise RuntimeError("Query interrupted")

    @contextmanager
    def connected() -> Iterator[Stopped]:
        with real() as connection:
            yield Stopped(connection)

    real = results._connected
    monkeypatch.setattr(results, "_connected", connected)
    with pytest.raises(KeyboardInterrupt):
        query("select 1", made)


def test_nothing_is_left_behind(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    query(CLV, made)
    fault("from nowhere", made)
    assert os.listdir(tmp_path) == []
