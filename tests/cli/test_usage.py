"""What is refused in one line a fault, and what is told on asking: help, version, errors of the machine."""

import os
import re
from pathlib import Path

import pytest

import sim
from sim.engine import Checkpoint
from sim.scenario import Scenario
from tests.cli.running import SMALL, Clvsim, refused


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
        (["simulate", "scenaro=publisher"], "scenaro: no such setting (got publisher); did you mean scenario?"),
        (
            ["simulate", "scenario=publisher", "scenario=lifecycle"],
            "scenario: is given more than once (got publisher, lifecycle); give it once",
        ),
        (["simulate", "-m", "run.seed=1,2", "++run.seed=3"], "run.seed: is given more than once (got 1,2, 3); give it once"),
        (
            ["explain", "policies=[gifts]"],
            "policies: is for compare and for studies: this verb takes the scenario as it is (got [gifts]); "
            "clvsim compare 'policies=[gifts]'",
        ),
        (["exact", "arms.x={policies: [gifts]}"], "arms.x: is for compare and for studies"),
        (["simulate", "policies={x: {uptake: 2}}"], "policies.x.uptake: must be at most 1"),
        (
            ["simulate", "scenario=publisher", "run.customers=1e12", "run.keep_customers=true"],
            "run.keep_customers: keeps a row of each customer, 50,000,000 at most; these are 1,000,000,000,000, some 260,000 GB of memory",
        ),
        (
            ["simulate", "--configs", ".", "scenario=lifecycl-of-my-shop"],
            "scenario: no such scenario (got 'lifecycl-of-my-shop'); . has shop",
        ),
        (["simulate", "horizon", "=", "3"], "horizon = 3: must be key=value without blanks around =; write horizon=3"),
        (["simulate", "horizon=", "3"], "horizon = 3: must be key=value without blanks around =; write horizon=3"),
        (["exact", "horizon", "=3"], "horizon = 3: must be key=value without blanks around =; write horizon=3"),
        (
            ["exact", "scenario", "=", "publisher"],
            "scenario = publisher: must be key=value without blanks around =; write scenario=publisher",
        ),
        (
            ["exact", "-m", "discount_rate_annual=0.08,", "0.12", ",0.2", "horizon=12"],
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


VERBS = ["simulate", "exact", "explain", "scenarios", "verify", "sweep", "sensitivity", "uncertainty", "optimise", "results"]


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_examples(clvsim: Clvsim, verb: str) -> None:
    done = clvsim(verb, "--help")
    assert done.code == 0
    assert f"    clvsim {verb}" in done.out


def test_top_level_help_and_version(clvsim: Clvsim) -> None:
    assert clvsim().out == clvsim("--help").out
    assert clvsim("--version").out == f"clvsim {sim.__version__}\n"


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
    def stopped(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("sim.studies.simulate.simulate", stopped)
    done = clvsim("simulate", "out=new/run", *SMALL)
    assert done == (code, "", f"clvsim: {line}\n")
    assert os.listdir() == []


def test_ctrl_c_says_what_is_kept(clvsim: Clvsim, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(scenario: Scenario, progress: object, checkpoint: Checkpoint) -> None:
        checkpoint.parts.add(checkpoint.key, ".npz", lambda path: path.write_bytes(b""))
        raise KeyboardInterrupt

    monkeypatch.setattr("sim.studies.simulate.simulate", stopped)
    told = f"interrupted; what was done is kept in {os.getcwd()}/new/run.parts, and the same command goes on there"
    assert clvsim("simulate", "out=new/run", *SMALL) == (130, "", f"clvsim: {told}\n")
    monkeypatch.setattr("sim.studies.simulate.simulate", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    done = clvsim("simulate", "out=new/run", "run.seed=2", *SMALL)  # what is kept is of another run
    assert done.err == "clvsim: interrupted; nothing was written\n"


def test_a_bug_keeps_its_traceback(clvsim: Clvsim, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(scenario: Scenario) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("sim.scenario.checks.warnings", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        clvsim("exact", "scenario=fixed_life")
