"""The command line as a user meets it: exit codes, one line a fault, nothing left behind."""

import contextlib
import gc
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

import sim
import sim.exact  # binds nothing: sim.exact stays the function
from sim.cli import main
from sim.cli.showing import _short
from sim.scenario import Scenario
from sim.store import RUNS_COLUMNS

ROOT = Path(__file__).resolve().parents[1]
CODE = "from sim.cli import main; main()"
SMALL = ("scenario=publisher", "run.customers=500")


class Done(NamedTuple):
    code: object
    out: str
    err: str


Clvsim = Callable[..., Done]


@pytest.fixture
def clvsim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Clvsim:
    """Give a function that runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gc, "set_threshold", lambda _: None)

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["clvsim", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(ended.value.code or 0, *capsys.readouterr())

    return run


def process(code: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)


def refused(clvsim: Clvsim, *arguments: str) -> list[str]:
    """Return the lines on stderr of a command that must be refused and leave nothing."""
    before = sorted(Path.cwd().rglob("*"))
    done = clvsim(*arguments)
    assert (done.code, done.out) == (2, "")
    assert sorted(Path.cwd().rglob("*")) == before
    lines = done.err.splitlines()
    assert all(line.startswith("clvsim: ") for line in lines), done.err
    return [line.removeprefix("clvsim: ") for line in lines]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["simulat"], "No such command 'simulat'. Did you mean 'simulate'?"),
        (["exct", "scenario=publisher"], "No such command 'exct'. Did you mean 'exact'?"),
        (["simulate", "--config", "x"], "No such option: --config"),
        (["simulate", "--configs"], "Option '--configs' requires an argument."),
        (["verify"], "Missing argument 'DIR'."),
        (["scenarios", "all"], "Got unexpected extra argument(s) (all)"),
        (["verify", "nowhere"], "nowhere: must be a run folder, with a manifest.json written by clvsim"),
        (["simulate", "publisher"], "publisher: must read KEY=VALUE; for a scenario write scenario=publisher"),
        (
            ["exact", "scenario/shop.yaml"],
            "scenario/shop.yaml: must read KEY=VALUE; a scenario is named, not given as a path: write --configs . scenario=shop",
        ),
        (["exact", "shop.yaml"], "shop.yaml: must read KEY=VALUE; a scenario is named, not given as a path: write scenario=NAME"),
        (["explain", "out=x"], "out: is for simulate alone"),
        (["explain", "--graph", "x.gif"], "--graph: must end in .svg, .png or .pdf (got x.gif)"),
        (["explain", "--graph", "nowhere/x.svg"], "--graph: must lie in a folder that is there (got nowhere/x.svg)"),
        (["explain", "--graph", "theirs/graph.svg"], "theirs/graph.svg: Is a directory"),
        (
            ["simulate", "scenario=publisher,fixed_life"],
            "scenario: no such scenario (got 'publisher,fixed_life'); to run each of several add -m",
        ),
        (["simulate", "horizon", "=", "3"], "horizon = 3: must be key=value without blanks around =; write horizon=3"),
        (["simulate", "horizon=", "3"], "horizon = 3: must be key=value without blanks around =; write horizon=3"),
        (["exact", "horizon", "=3"], "horizon = 3: must be key=value without blanks around =; write horizon=3"),
        (
            ["exact", "scenario", "=", "publisher"],
            "scenario = publisher: must be key=value without blanks around =; write scenario=publisher",
        ),
        (
            ["exact", "-m", "discount_rate_annual=0.08,", "0.12", ",0.2", "horizon=3"],
            "discount_rate_annual: no blank after a comma (got 0.08, 0.12 ,0.2); write discount_rate_annual=0.08,0.12,0.2",
        ),
        (["simulate", "-m", "run.seed=1,2", "out="], "out: must name a folder"),
        (["simulate", "-m", "run.seed=1,2", "out=file"], "out: cannot lie below a file"),
        (["simulate", "-m", "run.seed=range(1,1)"], "run.seed: lists no value"),
        (["simulate", "-m", "run.seed=1,2", "horizon=inf"], "horizon: must be a whole number of periods to simulate"),
        (["simulate", "precision=0.1"], "precision: unknown key (got 0.1); did you mean run.precision?"),
        (["exact", "scenario=publisher", "out=x"], "out: is for simulate alone: this verb writes no folder (got x); leave it out"),
        (["simulate", "scenario=publisher", "out="], "out: must name a folder"),
        (["simulate", "scenario=publisher", "out=file"], "out: must be a folder, and this is a file"),
        (["simulate", "scenario=publisher", "out=file/run"], "out: cannot lie below a file"),
        (["simulate", "scenario=publisher", "out=theirs"], "out: must be a new folder or one that clvsim wrote"),
    ],
)
def test_one_line_for_a_usage_error(clvsim: Clvsim, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "theirs" / "graph.svg").mkdir(parents=True)
    (tmp_path / "scenario").mkdir()
    (tmp_path / "scenario" / "shop.yaml").write_text("label: shop\n")
    (line,) = refused(clvsim, *arguments)
    assert line.startswith(message)


@pytest.mark.parametrize(
    ("arguments", "patterns"),
    [
        (["scenario=publishr"], [r"scenario: .*publishr.*publisher"]),
        (["scenario=publisher", "run.customers=0"], [r"run\.customers: .*\(got 0\)"]),
        (["scenario=publisher", "run.customers=1000000000000000"], [r"run\.customers: .*\(got 1000000000000000\)"]),
        (["scenario=publisher", "run.seed=-1"], [r"run\.seed: .*\(got -1\)"]),
        (["scenario=publisher", "run.threads=0"], [r"run\.threads: .*\(got 0\)"]),
        (["scenario=publisher", "run.threads=257"], [r"run\.threads: .*\(got 257\)"]),
        (["scenario=publisher", "horizon=0"], [r"horizon: .*\(got 0\)"]),
        (["scenario=publisher", "discount_rate_annual=-1"], [r"discount_rate_annual: .*\(got -1"]),
        (
            ["scenario=publisher", "run.customer=5", "run.sead=5"],
            [r"run\.customer: .*did you mean customers\?", r"run\.sead: .*did you mean seed\?"],
        ),
        (["scenario=publisher", "run.seed=no"], [r"run\.seed: "]),
        (["scenario=publisher", "run.seed=-1", "horizon=0", "out=file"], [r"out: .*file", r"run\.seed: ", r"horizon: "]),
    ],
)
@pytest.mark.parametrize("verb", ["simulate", "exact"])
def test_one_line_a_fault_and_all_at_once(clvsim: Clvsim, tmp_path: Path, verb: str, arguments: list[str], patterns: list[str]) -> None:
    (tmp_path / "file").write_text("text")
    lines = refused(clvsim, verb, *arguments)
    assert len(lines) == len(patterns)
    for pattern in patterns:
        assert any(re.match(pattern, line) for line in lines), lines


def test_simulate_writes_a_folder_and_says_what_is_in_it(clvsim: Clvsim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    out = tmp_path / "a run [1] 客户"
    done = clvsim("simulate", f"out={out}", *SMALL, "label=客户 (新)")
    assert (done.code, done.err) == (0, "")
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert f"{summary['clv']['mean']:,.2f} ± {summary['clv']['se']:,.2f} SE" in done.out
    assert f"{summary['exact']['clv_mean']:,.2f}" in done.out
    assert "客户 (新)" in done.out
    assert max(len(line) for line in done.out.splitlines() if str(out) not in line) <= 40
    assert "\x1b" not in done.out
    assert os.listdir(tmp_path) == [out.name]


def test_default_folder_is_named_by_scenario_seed_and_hash(clvsim: Clvsim, tmp_path: Path) -> None:
    for threads in ("1", "2"):
        done = clvsim("simulate", *SMALL, "run.seed=7", f"run.threads={threads}")
        assert done.code == 0, done.err
    (folder,) = (tmp_path / "results").iterdir()
    assert re.fullmatch(r"publisher-7-[0-9a-f]{8}", folder.name)


def test_verify_tells_the_same_from_the_changed(clvsim: Clvsim, tmp_path: Path) -> None:
    assert clvsim("simulate", "out=run", *SMALL).code == 0
    done = clvsim("verify", "run")
    assert (done.code, done.out) == (0, "run: the same\n"), done.err
    (tmp_path / "run" / "summary.json").write_text("{}")
    done = clvsim("verify", "run")
    assert done.code == 1
    assert "summary.json" in done.out


def test_exact_prints_survival_and_retention(clvsim: Clvsim, tmp_path: Path) -> None:
    done = clvsim("exact", "scenario=publisher")
    assert (done.code, done.err) == (0, "")
    assert re.search(r"^period +survival +retention\n +0 +1\.000000 +0\.\d{6}\n", done.out, re.MULTILINE), done.out
    assert list(tmp_path.iterdir()) == []


def test_simulate_tells_each_warning_once(clvsim: Clvsim, tmp_path: Path) -> None:
    settings = ("stages.introductory.to.lapsed.probability=0", "stages.renewed.to.lapsed.probability=0", "horizon=3")
    done = clvsim("simulate", "out=run", *SMALL, *settings)
    warned = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))["warnings"]
    assert any("beyond the horizon" in warning for warning in warned)
    assert done.err.splitlines() == [f"clvsim: warning: {warning}" for warning in warned]
    assert re.search(r"^equity .* for 1,000 customers$", done.out, re.MULTILINE), done.out


def test_exact_shows_years_of_many_periods_and_segments(clvsim: Clvsim) -> None:
    text = """
        period: month
        horizon: 36
        start: a
        stages: {a: {price: 1, to: {b: {probability: 0.1}}}, b: {kind: lost}}
        segments: {one: {share: 0.5}, two: {share: 0.5, acquisition: {cost: 3}}}
    """
    Path("mine/scenario").mkdir(parents=True)
    Path("mine/scenario/months.yaml").write_text(text, encoding="utf-8")
    done = clvsim("exact", "--configs", "mine", "scenario=months")
    assert "of 36 periods, every 12th (a year) is shown\n" in done.out, done.err
    assert re.findall(r"^ +(\d+) +[01]\.", done.out, re.MULTILINE) == ["0", "12", "24", "36"]
    worth = {key: float(value) for value, key in re.findall(r"^CLV +(-?[\d.]+) .*segment (\w+)$", done.out, re.MULTILINE)}
    assert worth["one"] - worth["two"] == pytest.approx(3)
    short = clvsim("exact", "--configs", "mine", "scenario=months", "horizon=24").out
    assert len(re.findall(r"^ +\d+ +[01]\.", short, re.MULTILINE)) == 25


def test_scenarios_lists_own_ones_too_and_says_which_win(clvsim: Clvsim, tmp_path: Path) -> None:
    listed = clvsim("scenarios").out.splitlines()
    assert any(re.match(r"publisher +\S", line) for line in listed)
    own = tmp_path / "own [1] 客户" / "scenario"
    own.mkdir(parents=True)
    for name in ("mine", "publisher"):
        (own / f"{name}.yaml").write_text("defaults: [fixed_life, _self_]\nlabel: 我的\n", encoding="utf-8")
    done = clvsim("scenarios", "--configs", str(own.parent))
    assert len(done.out.splitlines()) == len(listed) + 1
    assert re.search(r"^mine +我的$", done.out, re.MULTILINE)
    assert re.fullmatch(r"clvsim: note: .*publisher\.yaml: used instead of .*publisher that ships\n", done.err)


def test_unusual_scenario_is_warned_of(clvsim: Clvsim, tmp_path: Path) -> None:
    case = tmp_path / "scenario"
    case.mkdir()
    (case / "endless.yaml").write_text(
        "period: year\nhorizon: 2\nstart: here\nstages: {here: {kind: active, price: 1, margin: 1}, nowhere: {kind: lost}}\n"
    )
    done = clvsim("exact", "scenario=endless", "--configs", str(tmp_path))
    assert done.code == 0, done.err
    lines = done.err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("clvsim: warning: ") for line in lines)


@pytest.mark.parametrize("verb", ["simulate", "exact", "explain", "scenarios", "verify"])
def test_help_has_examples(clvsim: Clvsim, verb: str) -> None:
    done = clvsim(verb, "--help")
    assert done.code == 0
    assert f"    clvsim {verb}" in done.out


def test_top_level_help_and_version(clvsim: Clvsim) -> None:
    assert clvsim().out == clvsim("--help").out
    assert clvsim("--version").out == f"clvsim {sim.__version__}\n"


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
    done = clvsim("exact", "-m", "scenario=publisher,lifecycle", "horizon=inf,120")
    assert (done.code, done.err) == (0, "")
    assert [line.split()[3] for line in done.out.splitlines()] == ["CLV", "18.8668", "18.8668", "219.1015", "211.0215"]
    assert list(tmp_path.iterdir()) == []


def test_precision_is_told(clvsim: Clvsim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.scenario.sample.FIRST_LOOK", 64)
    done = clvsim("simulate", "scenario=publisher", "run.precision=0.2", "run.customers=9000", "out=p", "--no-report")
    assert (done.code, done.err) == (0, "")
    summary = json.loads(Path("p/summary.json").read_text(encoding="utf-8"))
    half = f"{100 * summary['precision']['half_width']:.3g}"
    assert f"precision  ± {half} % of mean CLV before acquisition (95 %)  asked ± 20 %" in done.out
    assert 64 <= summary["customers"] < 9000
    assert clvsim("verify", "p").out == "p: the same\n"
    done = clvsim("simulate", "scenario=publisher", "run.precision_money=0.1", "run.customers=100", "out=q", "--no-report")
    assert "asked ± 0.1  not\n           reached" in done.out or "asked ± 0.1  not reached" in done.out
    assert done.err.startswith("clvsim: warning: run.precision_money: 0.1 was not reached: 100 customers give ± ")


def test_explain_prints_and_draws(clvsim: Clvsim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    done = clvsim("explain", "scenario=publisher_plus2", "run.seed=3", "--graph", "stages.svg")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("\ngraph      stages.svg\n")
    told = " ".join(done.out.split())
    assert re.search(r"settings: .+publisher_plus2\.yaml; .+publisher\.yaml; run\.seed=3 name: publisher_plus2", told)
    assert "-> lapsed (own): 0.33 at age 0, 0.28 at 1, 0.23 at 2, 0.2 at 3, 0.19 at 4, 0.18 from 5 on" in told
    assert "\x1b" not in done.out
    assert max(len(line) for line in done.out.splitlines() if ".yaml" not in line) <= 40
    assert os.listdir(tmp_path) == ["stages.svg"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_picture_that_cannot_be_written_is_one_line(clvsim: Clvsim, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert refused(clvsim, "explain", "--graph", "locked/x.svg") == ["locked/x.svg: Permission denied"]


LIGHT = {
    "package": "import sim",
    "load": "import sim; sim.load('publisher')",
    "help": f"import sys; sys.argv[1:] = ['simulate', '--help']; {CODE}",
    "list": f"import sys; sys.argv[1:] = ['simulate', '-m', 'scenario=publisher', 'run.seed=1,-1']; {CODE}",
    "refusal": f"import sys; sys.argv[1:] = ['simulate', 'scenario=publisher', 'run.seed=-1']; {CODE}",
}


@pytest.mark.parametrize("code", LIGHT.values(), ids=LIGHT)
def test_light_start_loads_neither_numba_nor_pandas(tmp_path: Path, code: str) -> None:
    heavy = {"numba", "pandas", "matplotlib", "scipy", "duckdb", "rich"}
    check = f"import atexit, sys\natexit.register(lambda: print('heavy:', *sorted({heavy} & set(sys.modules))))\n{code}"
    done = process(check, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "heavy:"


def test_exact_is_the_function_whatever_was_imported() -> None:
    scenario = sim.load("fixed_life")
    assert callable(sim.exact)
    assert sim.exact(scenario).clv_mean is not None
    assert set(sim.__all__) <= set(dir(sim))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sim.nothing
    for name in sim.__all__:
        assert getattr(sim, name).__name__ == name


@pytest.mark.parametrize("limit", [1, 3000])
def test_full_disk_is_one_line(tmp_path: Path, limit: int) -> None:
    """A disk that is full from the start, and one that fills up while the folder is written."""
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); {CODE}"
    done = process(code, "simulate", "out=new/run", *SMALL, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert re.fullmatch(r"clvsim: .*file too large.*\n", done.stderr, re.IGNORECASE)
    assert list(tmp_path.iterdir()) == []


def test_a_bug_keeps_its_traceback(clvsim: Clvsim, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(scenario: Scenario) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("sim.scenario.checks.warnings", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        clvsim("exact", "scenario=fixed_life")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "interrupted; nothing was written"),
        (MemoryError(), 2, "run: must fit into memory; ask for fewer run.customers, or none of run.keep_customers"),
        (OSError(28, "No space left on device", "cache"), 2, "cache: No space left on device"),
    ],
)
def test_what_the_machine_says_is_one_line(
    clvsim: Clvsim, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, line: str
) -> None:
    def stopped(*_: object) -> None:
        raise error

    monkeypatch.setattr("sim.studies.simulate.simulate", stopped)
    done = clvsim("simulate", "out=new/run", *SMALL)
    assert done == (code, "", f"clvsim: {line}\n")
    assert os.listdir() == []


@pytest.mark.jit
def test_interrupt_leaves_nothing(tmp_path: Path) -> None:
    """On a terminal, whose progress bar tells when the simulation is under way."""
    terminal, end = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-c", CODE, "simulate", "scenario=publisher", "run.customers=100000000000", "out=new/run"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=end,
    )
    os.close(end)
    shown = b""
    while b"%" not in shown:
        shown += os.read(terminal, 1024)
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=200)
    with contextlib.suppress(OSError):  # how a terminal says that nobody writes there any more
        while more := os.read(terminal, 1024):
            shown += more
    os.close(terminal)
    assert (run.returncode, output) == (130, b"")
    assert shown.endswith(b"clvsim: interrupted; nothing was written\r\n")
    assert b"Traceback" not in shown
    assert list(tmp_path.iterdir()) == []
