"""``clvsim results``: what is listed, what SQL gives, what is printed on a narrow terminal, and what is refused."""

import os
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

import sim
from sim.studies.results import runs
from tests.cli.running import Clvsim, refused
from tests.measures import cases

pytestmark = pytest.mark.jit

CLV = "select run, mean, se from clv where \"by\" = 'all' and measure = 'clv' order by run"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two runs."""
    root = tmp_path_factory.mktemp("made") / "results"
    for name, seed in (("one", 1), ("two-with-a-name-that-is-long/0", 2)):
        sim.write_run(sim.simulate(cases.relationship(run={"customers": 30, "seed": seed})), root / name, report=False)
    return root


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return results/ in the folder that commands run in, with room for tables."""
    monkeypatch.setenv("COLUMNS", "200")
    return Path(shutil.copytree(made, tmp_path / "results"))


def terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)


def test_runs_are_listed(clvsim: Clvsim, here: Path) -> None:
    found = runs(here)
    done = clvsim("results")
    assert (done.code, done.err) == (0, "")
    header, *lines = done.out.splitlines()
    assert header.split() == ["folder", "kind", "scenario", "created", "CLV", "equity"]
    assert [line.split()[:3] for line in lines] == [[folder, "run", "relationship"] for folder in found["folder"]]
    for line, row in zip(lines, found.to_dict("records"), strict=True):
        assert f"{row['clv']:,.2f} ± {row['clv_se']:,.2f}" in line
        assert line.endswith(f"{row['equity']:,.0f} ± {row['equity_se']:,.0f}")
        assert str(row["created"])[:16] in line
    assert clvsim("results", "list", "results").out == done.out
    assert clvsim("results", "results/one").out.splitlines()[1].split()[0] == "."


def test_a_sweep_unfinished_work_and_damage_are_listed(clvsim: Clvsim, here: Path) -> None:
    vary = "vary.discount_rate_annual=[0.1,0.2]"
    assert clvsim("sweep", "scenario=publisher", "run.customers=50", vary, "--no-report", "out=results/swept").code == 0
    (here / "killed.parts").mkdir()
    (here / "killed.parts" / f"rows-{'0' * 16}.parquet").touch()
    (here / "one" / "manifest.json").write_text("{")
    done = clvsim("results")
    assert (done.code, done.err) == (0, "")
    lines = [line.split() for line in done.out.splitlines()]
    assert ["swept", "sweep,", "2", "points", "publisher"] in [line[:5] for line in lines]
    assert ["killed.parts", "unfinished,", "1", "part", "–"] in [line[:5] for line in lines]
    assert ["one", "damaged", "–", "–", "–", "–"] in lines
    assert done.out.splitlines()[-1] == "one: manifest.json cannot be read"


def test_sql_over_all_runs(clvsim: Clvsim, here: Path) -> None:
    found = runs(here)
    done = clvsim("results", "query", CLV)
    assert (done.code, done.err) == (0, "")
    expected = [[row["folder"], f"{row['clv']:.6g}", f"{row['clv_se']:.6g}"] for row in found.sort_values("folder").to_dict("records")]
    assert [line.split() for line in done.out.splitlines()] == [["run", "mean", "se"], *expected]
    here.rename("elsewhere")
    assert clvsim("results", "query", "--in", "elsewhere", CLV).out == done.out
    assert clvsim("results", "query", CLV, "--in", "elsewhere/one").out.splitlines()[1].split()[0] == "."
    assert clvsim("results", "query", "--in", "elsewhere", "select 1 where false").out == "no rows\n"


def test_values_are_printed_plainly(clvsim: Clvsim, here: Path) -> None:
    sql = (
        "select 1234567 a, 1234567.8::double b, 0.000012345678 c, null d, true e, 'x\ny\x1b[31m' f, date '2026-01-02' g, [1, 2] h,"
        " 'nan'::double i, 'inf'::double j, 1e300 k, 9223372036854775807 l"
    )
    shown = clvsim("results", "query", sql).out.splitlines()[1]
    values = ["1234567", "1234568", "1.23457e-05", "–", "true", "x", "y", "[31m", "2026-01-02", "00:00:00", "[1", "2]"]
    assert shown.split() == [*values, "–", "inf", "1e+300", "9223372036854775807"]


def test_a_terminal_of_40_columns(clvsim: Clvsim, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "one" / "summary.json").unlink()
    terminal(monkeypatch, 40)
    listed = clvsim("results").out.splitlines()
    assert max(map(len, listed)) <= 40
    assert {"one", "two-with-a-name-that-is-long/0"} <= set(listed)
    asked = clvsim("results", "query", "select * from clv").out.splitlines()
    assert max(map(len, asked)) <= 40
    assert "run two-with-a-name-that-is-long/0" in asked
    for verb in ((), ("query",), ("list",)):
        done = clvsim("results", *verb, "--help")
        assert done.code == 0
        assert "    clvsim results" in done.out


def test_a_terminal_is_given_forty_rows(clvsim: Clvsim, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for k in range(45):
        shutil.copytree(here / "one", here / f"more-{k}")
    assert len(clvsim("results", "query", "from range(1041)").out.splitlines()) == 1042
    assert len(clvsim("results").out.splitlines()) == 48
    terminal(monkeypatch, 100)
    lines = clvsim("results", "query", "from range(1041)").out.splitlines()
    assert len(lines) == 42
    assert lines[-1] == "… 1,001 more; add limit or --csv FILE"
    first, _, *rows = clvsim("results").out.splitlines()
    assert first == "… 7 earlier; all with --csv FILE"
    assert [row.split()[0] for row in rows] == list(runs(here)["folder"][-40:])


def test_csv_holds_all_rows_and_digits(clvsim: Clvsim, here: Path) -> None:
    done = clvsim("results", "query", CLV, "--csv", "clv.csv")
    assert (done.code, done.out) == (0, "2 rows in clv.csv\n")
    found = runs(here).sort_values("folder")
    assert pd.read_csv("clv.csv").to_numpy().tolist() == found[["folder", "clv", "clv_se"]].to_numpy().tolist()
    assert clvsim("results", "query", "--csv", "-", CLV).out == Path("clv.csv").read_text(encoding="utf-8")
    assert clvsim("results", "--csv", "runs.csv").code == 0
    assert list(pd.read_csv("runs.csv")) == list(found)
    assert clvsim("results", "results", "--csv", "-").out == Path("runs.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: must be a folder that holds runs; clvsim simulate writes one into results"),
        (["empty"], "empty: holds no run; clvsim simulate writes one into results"),
        (["list", "a", "b"], "Got unexpected extra argument(s) (b)"),
        (["query"], "Missing argument 'SQL'."),
        (["query", "select 1", "--in", "empty"], "empty: holds no run"),
        (["query", "select 1", "--csv", "empty"], "--csv: is there already, so it stays as it is (got empty); name another"),
        (["query", "select 1", "--csv", "results/one/config.yaml"], "--csv: is there already, so it stays as it is"),
        (["--csv", "results/one/config.yaml"], "--csv: is there already, so it stays as it is"),
        (["--csv", "nowhere/x.csv"], "--csv: must lie in a folder that is there (got nowhere/x.csv)"),
        (["--csv", ""], "--csv: is there already"),
        (["query", "select * from clvv"], "query: no such table (got clvv); there are runs, calendar_retention, cash, "),
        (["query", "select mena from clv"], 'query: Referenced column "mena" not found in FROM clause; there are "mean", '),
        (["query", "copy clv to 'x.csv'"], "query: must be one SELECT (or WITH, FROM, DESCRIBE, SUMMARIZE, SHOW TABLES) (got copy clv"),
        (["query", "from read_csv('/etc/passwd')"], "query: reads the tables of the runs alone, and writes nothing (got /etc/passwd)"),
    ],
)
def test_what_is_refused(clvsim: Clvsim, here: Path, arguments: list[str], said: str) -> None:
    (here.parent / "empty").mkdir()
    (line,) = refused(clvsim, "results", *arguments)
    assert line.startswith(said)


@pytest.mark.filterwarnings("always")
def test_a_table_that_cannot_be_read_is_told(clvsim: Clvsim, here: Path) -> None:
    (here / "one" / "tables" / "clv.parquet").write_bytes(b"PAR1")
    done = clvsim("results", "query", CLV)
    assert done.code == 0
    assert done.err == "clvsim: warning: missing or changed, so left out: one/tables/clv.parquet\n"
    assert len(done.out.splitlines()) == 2


def test_ctrl_c_is_a_line(clvsim: Clvsim, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sim.studies.results._answer", stopped)
    assert clvsim("results", "query", CLV, "--csv", "x.csv") == (130, "", "clvsim: interrupted; nothing was written\n")
    assert os.listdir() == ["results"]
