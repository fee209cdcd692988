"""The command line as a user meets it: exit codes, one line a fault, nothing left behind."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = "from sim.cli import main; main()"
SMALL = ("scenario=publisher", "run.customers=500")


def clvsim(*arguments: str, cwd: Path, limit: int | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in ``cwd``; limit: largest file it may write, in bytes."""
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); {CODE}" if limit else CODE
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def refused(*arguments: str, cwd: Path) -> list[str]:
    """Return the lines on stderr of a command that must be refused and leave nothing."""
    before = sorted(cwd.rglob("*"))
    done = clvsim(*arguments, cwd=cwd)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert sorted(cwd.rglob("*")) == before
    lines = done.stderr.splitlines()
    assert all(line.startswith("clvsim: ") for line in lines), done.stderr
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
        (["exact", "scenario=publisher", "out=x"], "out: is for simulate alone: this verb writes no folder (got x); leave it out"),
        (["simulate", "scenario=publisher", "out="], "out: must name a folder"),
        (["simulate", "scenario=publisher", "out=file"], "out: must be a folder, and this is a file"),
        (["simulate", "scenario=publisher", "out=file/run"], "out: cannot lie below a file"),
        (["simulate", "scenario=publisher", "out=theirs"], "out: must be a new folder or one that clvsim wrote"),
    ],
)
def test_one_line_for_a_usage_error(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "theirs").mkdir()
    (line,) = refused(*arguments, cwd=tmp_path)
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
def test_one_line_a_fault_and_all_at_once(tmp_path: Path, verb: str, arguments: list[str], patterns: list[str]) -> None:
    (tmp_path / "file").write_text("text")
    lines = refused(verb, *arguments, cwd=tmp_path)
    assert len(lines) == len(patterns)
    for pattern in patterns:
        assert any(re.match(pattern, line) for line in lines), lines


def test_simulate_writes_a_folder_and_says_what_is_in_it(tmp_path: Path) -> None:
    out = tmp_path / "a run [1] 客户"
    done = clvsim("simulate", f"out={out}", *SMALL, "label=客户 (新)", cwd=tmp_path, COLUMNS="40")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert f"{summary['clv']['mean']:,.2f} ± {summary['clv']['se']:,.2f} SE" in done.stdout
    assert f"{summary['exact']['clv_mean']:,.2f}" in done.stdout
    assert "客户 (新)" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines() if str(out) not in line) <= 40
    assert "\x1b" not in done.stdout
    assert os.listdir(tmp_path) == [out.name]


def test_default_folder_is_named_by_scenario_seed_and_hash(tmp_path: Path) -> None:
    for threads in ("1", "2"):
        done = clvsim("simulate", *SMALL, "run.seed=7", f"run.threads={threads}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "results").iterdir()
    assert re.fullmatch(r"publisher-7-[0-9a-f]{8}", folder.name)


def test_verify_tells_the_same_from_the_changed(tmp_path: Path) -> None:
    assert clvsim("simulate", "out=run", *SMALL, cwd=tmp_path).returncode == 0
    done = clvsim("verify", "run", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "run: the same\n"), done.stderr
    (tmp_path / "run" / "summary.json").write_text("{}")
    done = clvsim("verify", "run", cwd=tmp_path)
    assert done.returncode == 1
    assert "summary.json" in done.stdout


def test_exact_prints_survival_and_retention(tmp_path: Path) -> None:
    done = clvsim("exact", "scenario=publisher", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^period +survival +retention\n +0 +1\.000000 +0\.\d{6}\n", done.stdout, re.MULTILINE), done.stdout
    assert list(tmp_path.iterdir()) == []


def test_scenarios_lists_own_ones_too_and_says_which_win(tmp_path: Path) -> None:
    listed = clvsim("scenarios", cwd=tmp_path).stdout.splitlines()
    assert any(re.match(r"publisher +\S", line) for line in listed)
    own = tmp_path / "own [1] 客户" / "scenario"
    own.mkdir(parents=True)
    for name in ("mine", "publisher"):
        (own / f"{name}.yaml").write_text("defaults: [fixed_life, _self_]\nlabel: 我的\n", encoding="utf-8")
    done = clvsim("scenarios", "--configs", str(own.parent), cwd=tmp_path)
    assert len(done.stdout.splitlines()) == len(listed) + 1
    assert re.search(r"^mine +我的$", done.stdout, re.MULTILINE)
    assert re.fullmatch(r"clvsim: note: .*publisher\.yaml: used instead of .*publisher that ships\n", done.stderr)


def test_unusual_scenario_is_warned_of(tmp_path: Path) -> None:
    case = tmp_path / "scenario"
    case.mkdir()
    (case / "endless.yaml").write_text(
        "period: year\nhorizon: 2\nstart: here\nstages: {here: {kind: active, price: 1, margin: 1}, nowhere: {kind: lost}}\n"
    )
    done = clvsim("exact", "scenario=endless", "--configs", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("clvsim: warning: ") for line in lines)


@pytest.mark.parametrize("verb", ["simulate", "exact", "scenarios", "verify"])
def test_help_has_examples(tmp_path: Path, verb: str) -> None:
    done = clvsim(verb, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert f"    clvsim {verb}" in done.stdout


def test_top_level_help_and_version(tmp_path: Path) -> None:
    import sim

    assert clvsim(cwd=tmp_path).stdout == clvsim("--help", cwd=tmp_path).stdout
    assert clvsim("--version", cwd=tmp_path).stdout == f"clvsim {sim.__version__}\n"


@pytest.mark.parametrize("code", ["import sim", "import sim; sim.load('publisher')", CODE])
def test_light_start_loads_neither_numba_nor_pandas(tmp_path: Path, code: str) -> None:
    check = f"""
import sys
sys.argv[1:] = ["exact", "scenario=nobody"]
try:
    exec({code!r})
finally:
    assert not {{"numba", "pandas", "matplotlib", "scipy", "duckdb", "rich"}} & set(sys.modules), sorted(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", check],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Error" not in done.stderr, done.stderr


def test_exact_is_the_function_whatever_was_imported() -> None:
    import sim
    import sim.exact

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
    done = clvsim("simulate", "out=new/run", *SMALL, cwd=tmp_path, limit=limit, PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode == 2, done.stderr
    assert re.fullmatch(r"clvsim: .*file too large.*\n", done.stderr, re.IGNORECASE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.jit
def test_interrupt_leaves_nothing(tmp_path: Path) -> None:
    """On a terminal, whose progress bar tells when the simulation is under way."""
    terminal, end = pty.openpty()
    process = subprocess.Popen(
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
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    with contextlib.suppress(OSError):  # how a terminal says that nobody writes there any more
        while more := os.read(terminal, 1024):
            shown += more
    os.close(terminal)
    assert (process.returncode, output) == (130, b"")
    assert shown.endswith(b"clvsim: interrupted; nothing was written\r\n")
    assert b"Traceback" not in shown
    assert list(tmp_path.iterdir()) == []
