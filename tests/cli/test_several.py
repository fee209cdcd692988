"""Several runs at once, ``-m``: a folder each, one table, faults told once."""

import json
import os
import re
from pathlib import Path

import pandas as pd
import pytest

from sim.cli.showing import _short
from sim.scenario import Scenario
from sim.store import RUNS_COLUMNS
from tests.cli.running import SMALL, Clvsim, refused

MANY = ("simulate", "-m", "scenario=publisher", "run.customers=200", "--no-report")


def test_several_runs_and_a_table_of_them(clvsim: Clvsim, tmp_path: Path) -> None:
    done = clvsim(
        "simulate", "-m", "scenario=publisher,fixed_life", "discount_rate_annual=0.15,0.3", "run.customers=200", "out=many", "--no-report"
    )
    assert (done.code, done.err) == (0, "")
    header, *rows, last, table = done.out.splitlines()
    assert header.split() == ["run", "scenario", "discount_rate_annual", "CLV", "kept", "a", "year", "equity"]
    assert [row.split()[:3] for row in rows] == [
        ["0", "publisher", "0.15"],
        ["1", "publisher", "0.3"],
        ["2", "fixed_life", "0.15"],
        ["3", "fixed_life", "0.3"],
    ]
    assert last == f"folders    {tmp_path / 'many'}/0 to 3"
    assert table == f"table      {tmp_path / 'many'}/runs.csv"
    written = pd.read_csv("many/runs.csv")
    assert list(written) == ["run", "scenario", "discount_rate_annual", *RUNS_COLUMNS]
    assert list(written["discount_rate_annual"]) == [0.15, 0.3, 0.15, 0.3]
    for k, row in enumerate(rows):
        summary = json.loads((tmp_path / "many" / str(k) / "summary.json").read_text(encoding="utf-8"))
        assert [summary["scenario"], f"{summary['clv']['mean']:,.2f}"] == [row.split()[1], row.split()[3]]
        found, tenure = written.loc[k], pd.read_csv(f"many/{k}/tables/retention.csv")
        assert [found["clv_mean"], found["clv_se"], found["customer_equity"]] == [
            *(summary["clv"][key] for key in ("mean", "se")),
            summary["customer_equity"]["mean"],
        ]
        assert [found["kept"], found["kept_periods"], found["folder"]] == [tenure["survival"][1], 1, k]
        assert f"{found['kept']:,.4f}" == row.split()[-2]
    assert clvsim("simulate", "scenario=publisher", "discount_rate_annual=0.3", "run.customers=200", "out=one", "--no-report").code == 0
    for name in ("config.yaml", "tables/clv.csv", "tables/cash.csv"):
        assert (tmp_path / "many" / "1" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    assert clvsim("verify", "many/1").out == "many/1: the same\n"
    assert not list(tmp_path.rglob("report.html"))


def test_several_runs_in_40_columns(clvsim: Clvsim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    done = clvsim(*MANY, "stages.renewed.to.lapsed.probability=[0.1,0.2],0.3", "label='a, b'", "out=m")
    assert done.code == 0, done.err
    lines = done.out.splitlines()[:-2]
    assert max(map(len, lines)) <= 40
    assert [line.split()[1:3] for line in lines if line.startswith("run")] == [["0", "lapsed.probability"], ["1", "lapsed.probability"]]
    done = clvsim("exact", "-m", "scenario=publisher", "stages.renewed.price=1,2", "stages.introductory.price=3")
    assert "renewed.price" in done.out.splitlines()[0].split()


def test_several_runs_without_a_list_and_a_folder_by_default(clvsim: Clvsim, tmp_path: Path) -> None:
    assert clvsim(*MANY).code == 0
    (folder,) = (tmp_path / "results").iterdir()
    assert re.fullmatch(r"multirun-[0-9a-f]{8}", folder.name)
    assert sorted(os.listdir(folder)) == ["0", "runs.csv"]


def test_varied_keys_are_named_as_shortly_as_tells_them_apart() -> None:
    assert _short(["run.seed", "stages.a.price", "stages.b.price", "horizon"]) == {
        "run.seed": "seed",
        "stages.a.price": "a.price",
        "stages.b.price": "b.price",
        "horizon": "horizon",
    }
    keys = ("acquisition.cost", "segments.a.acquisition.cost", "segments.b.acquisition.cost", "stages.a.to.b.cash", "stages.a.to.c.cash")
    assert list(_short(keys).values()) == ["acquisition.cost", "a.acquisition.cost", "b.acquisition.cost", "b.cash", "c.cash"]


PROSPECTS = """
    period: month
    horizon: 18
    start: lead
    stages: {lead: {kind: prospect, to: {member: {probability: 0.2}}}, member: {to: {gone: {probability: 0.1}}}, gone: {kind: lost}}
"""


def test_nobody_is_active_at_the_start(clvsim: Clvsim) -> None:
    Path("mine/scenario").mkdir(parents=True)
    Path("mine/scenario/leads.yaml").write_text(PROSPECTS, encoding="utf-8")
    mine = ("--configs", "mine", "scenario=leads", "run.customers=300", "--no-report")
    done = clvsim("simulate", *mine, "out=one")
    assert re.search(r"^retention  –  0\.\d{4}", done.out, re.MULTILINE), done.out
    assert " ".join(done.out.split()).count("(– where nobody is active)") == 1
    assert "where nobody" not in clvsim("simulate", *SMALL, "--no-report", "out=publisher").out
    assert re.search(r"^ +0 +– +–$", clvsim("exact", "--configs", "mine", "scenario=leads").out, re.MULTILINE)
    header, long, *_ = clvsim("simulate", "-m", *mine, "run.seed=1", "out=year").out.splitlines()
    assert header.split() == ["run", "CLV", "kept", "a", "year", "equity"]
    survival = pd.read_csv("one/tables/retention.csv")["survival"]
    assert long.split()[-2] == f"{survival[12]:.4f}"
    header, *rows = clvsim("simulate", "-m", *mine, "horizon=3,18", "out=short").out.splitlines()
    assert header.split() == ["run", "horizon", "CLV", "kept", "equity"]
    assert [row.split()[-2] for row in rows[:2]] == [f"{survival[3]:.4f}", f"{survival[12]:.4f}"]
    assert list(pd.read_csv("short/runs.csv")["kept_periods"]) == [3, 12]
    done = clvsim("simulate", "-m", *mine, "horizon=1", "stages.lead.to.member.probability=0", "out=none")
    assert done.out.splitlines()[1].split()[-2] == "–"
    assert pd.read_csv("none/runs.csv")["kept"].isna().all()


def test_faults_of_all_runs_are_told_once_with_the_runs(clvsim: Clvsim, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    lines = refused(clvsim, "simulate", "-m", "scenario=publisher,fixed_life,nothing", "horizon=0,20", "run.sead=1", "out=file")
    assert lines == [
        f"out: cannot lie below a file, and {tmp_path / 'file'} is one (got {tmp_path / 'file' / '0'}); name another",
        "runs 0, 2: horizon: must be a whole number of periods from 1 to 65,534, or inf (got 0)",
        "runs 0, 1, 2 and 1 more: run.sead: unknown key (got 1); did you mean seed?",
        *(line for line in lines if line.startswith("runs 4, 5: scenario: no such scenario (got 'nothing')")),
    ]
    assert len(lines) == 4
    (line,) = refused(clvsim, "exact", "-m", "scenario=publisher", "horizon=10,0")
    assert line.startswith("run 1 (horizon=0): horizon: must be")


def test_what_cannot_be_simulated_is_told_before_any_run(clvsim: Clvsim) -> None:
    (line,) = refused(clvsim, "simulate", "-m", "scenario=publisher", "horizon=10,inf")
    assert line.startswith("run 1 (horizon=inf): horizon: must be a whole number of periods to simulate")


def test_folders_of_others_stay(clvsim: Clvsim, tmp_path: Path) -> None:
    assert clvsim(*MANY, "run.seed=1,2,3", "out=m").code == 0
    assert clvsim(*MANY, "run.seed=4,5,6", "out=m").code == 0
    (line,) = refused(clvsim, *MANY, "run.seed=1,2", "out=m")
    assert line.startswith("out: holds 2, and the last run of this one is 1")
    (line,) = refused(clvsim, *MANY, "run.seed=1,2", "out=m/0")
    assert line.startswith(f"out: cannot hold several runs, for {tmp_path / 'm' / '0'} is one")
    (tmp_path / "m" / "1" / "mine").write_text("")
    (line,) = refused(clvsim, *MANY, "run.seed=1,2,3", "out=m")
    assert line.startswith("out: holds mine, which is not in its manifest.json")
    (tmp_path / "m" / "1" / "mine").unlink()
    for theirs in ("run,clv_mean,note\n0,1,mine\n", ""):
        (tmp_path / "m" / "runs.csv").write_text(theirs)
        (line,) = refused(clvsim, *MANY, "run.seed=1,2,3", "out=m")
        assert line.startswith("out: holds runs.csv, which is not ours, so it stays as it is")
        assert (tmp_path / "m" / "runs.csv").read_text() == theirs


def test_a_run_that_stops_leaves_those_before_it(clvsim: Clvsim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sim.studies.simulate import simulate

    for error, code, said in (
        (KeyboardInterrupt(), 130, ["interrupted; 2 of 3 runs are whole, in {}"]),
        (
            OSError(28, "No space left on device", "disk"),
            2,
            ["run 2 failed; 2 of 3 runs are whole, in {}", "disk: No space left on device"],
        ),
    ):

        def stopping(scenario: Scenario, progress: object, error: BaseException = error) -> object:
            if scenario.run.seed == 3:
                raise error
            return simulate(scenario)

        out = tmp_path / type(error).__name__
        assert clvsim(*MANY, "run.seed=7,8,9", f"out={out}").code == 0
        monkeypatch.setattr("sim.studies.simulate.simulate", stopping)
        done = clvsim(*MANY, "run.seed=1,2,3", f"out={out}")
        monkeypatch.undo()
        monkeypatch.chdir(tmp_path)
        assert (done.code, done.out) == (code, "")
        assert done.err.splitlines() == [f"clvsim: {line.format(out)}" for line in said]
        assert sorted(os.listdir(out)) == ["0", "1", "2"]  # a table of runs that are no longer there is gone
        assert clvsim("verify", f"{out}/1").code == 0


def test_exact_answers_of_several(clvsim: Clvsim, tmp_path: Path) -> None:
    done = clvsim("exact", "-m", "scenario=publisher,markov_lifecycle", "horizon=inf,120")
    assert (done.code, done.err) == (0, "")
    assert [line.split()[3] for line in done.out.splitlines()] == ["CLV", "18.8668", "18.8668", "219.1015", "211.0215"]
    assert list(tmp_path.iterdir()) == []
