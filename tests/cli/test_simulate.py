"""``clvsim simulate`` and ``verify``: what is printed, what lies in the folder, and nothing left behind."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.running import CODE, ROOT, SMALL, Clvsim, process


@pytest.mark.filterwarnings("default:PNG figures")
def test_simulate_writes_a_folder_and_says_what_is_in_it(clvsim: Clvsim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    out = tmp_path / "a run [1] 客户"
    done = clvsim("simulate", f"out={out}", *SMALL, "label=客户 (新)")
    assert done.code == 0
    # where no font of this machine has the letters, a line says so
    assert re.fullmatch(r"(clvsim: warning: PNG figures: no installed font .* fonts-noto-cjk \(.*\)\n)?", done.err)
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert f"{summary['clv']['mean']:,.2f} ± {summary['clv']['se']:,.2f} SE" in done.out
    assert f"{summary['exact']['clv_mean']:,.2f}" in done.out
    assert "客户 (新)" in done.out
    assert max(len(line) for line in done.out.splitlines() if str(out) not in line) <= 40
    assert "\x1b" not in done.out
    assert os.listdir(tmp_path) == [out.name]


def test_default_folder_is_named_by_scenario_seed_and_hash(clvsim: Clvsim, tmp_path: Path) -> None:
    for threads in ("1", "2"):
        done = clvsim("simulate", *SMALL, "run.seed=7", f"run.threads={threads}", "--no-report")
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


def test_simulate_tells_each_warning_once(clvsim: Clvsim, tmp_path: Path) -> None:
    settings = ("stages.introductory.to.lapsed.probability=0", "stages.renewed.to.lapsed.probability=0", "horizon=3")
    done = clvsim("simulate", "out=run", *SMALL, *settings)
    warned = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))["warnings"]
    assert any("beyond the horizon" in warning for warning in warned)
    assert done.err.splitlines() == [f"clvsim: warning: {warning}" for warning in warned]
    assert re.search(r"^equity .* for 1,000 customers$", done.out, re.MULTILINE), done.out


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


@pytest.mark.parametrize("limit", [1, 3000])
def test_full_disk_is_one_line(tmp_path: Path, limit: int) -> None:
    """A disk that is full from the start, and one that fills up while the folder is written."""
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); {CODE}"
    done = process(code, "simulate", "out=new/run", *SMALL, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert re.fullmatch(r"clvsim: .*file too large.*\n", done.stderr, re.IGNORECASE)
    assert list(tmp_path.iterdir()) == []


def shown_until(terminal: int, sign: bytes | None, seconds: float) -> bytes:
    """Return what a terminal shows until a sign comes, or until nobody writes there any more; fail if neither is so within that time."""
    shown, end = b"", time.monotonic() + seconds
    with contextlib.suppress(OSError):  # how a terminal says that nobody writes there any more
        while sign is None or sign not in shown:
            assert select.select([terminal], [], [], max(end - time.monotonic(), 0))[0], shown
            if not (more := os.read(terminal, 1024)):
                break
            shown += more
    return shown


@pytest.mark.jit
def test_interrupt_leaves_nothing(tmp_path: Path) -> None:
    """On a terminal, whose progress bar tells when the simulation is under way."""
    # a shell without job control lets what it starts in the background ignore Ctrl-C, and children take that over
    obeying = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {CODE}"
    terminal, end = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-c", obeying, "simulate", "scenario=publisher", "run.customers=100000000000", "out=new/run"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=end,
    )
    os.close(end)
    try:
        shown = shown_until(terminal, b"%", 150)
        assert b"%" in shown, shown
        run.send_signal(signal.SIGINT)
        output, _ = run.communicate(timeout=60)
        shown += shown_until(terminal, None, 10)
    finally:
        run.kill()  # no harm where it has ended
        run.communicate()
        os.close(terminal)
    assert (run.returncode, output) == (130, b"")
    assert shown.endswith(b"clvsim: interrupted; nothing was written\r\n")
    assert b"Traceback" not in shown
    assert list(tmp_path.iterdir()) == []
