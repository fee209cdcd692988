"""The first experiment prints the book's table, the exact one and the simulated one, and README shows what it prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sim

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENT = ROOT / "experiments" / "publisher_ltv.py"


def run(folder: Path, *settings: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    command = [sys.executable, str(EXPERIMENT), *settings]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def numbers(line: str) -> list[float]:
    """Return the numbers of a line, without marks of misprints."""
    return [float(word.replace(",", "").rstrip("*")) for word in line.split()]


def table(text: str, columns: int) -> list[list[float]]:
    """Return the rows of the table by year that has so many columns."""
    return [numbers(line) for line in text.splitlines() if re.match(r" ?\d+ ", line) and len(line.split()) == columns]


@pytest.mark.jit
def test_cells(tmp_path: Path) -> None:
    """Every cell of the three tables, with 20,000 customers; a simulated one would at another seed miss 5 errors 1 time in 50,000."""
    done = run(tmp_path, "run.customers=20000")
    assert (done.returncode, done.stderr) == (0, "")
    survival = sim.exact(sim.load("publisher")).survival
    for t, row in enumerate(table(done.stdout, 11)):
        price = 35.90 if t == 0 else 75.90
        for exact, simulated, factor in ((2, 3, 1.0), (6, 7, price), (9, 10, 30.0)):
            assert row[exact] == pytest.approx(1000 * survival[t] * factor, abs=0.051)
            assert abs(row[simulated] - row[exact]) <= factor * (5 * row[4] + 0.5) + 0.55
    for t, row in enumerate(table(done.stdout, 9)):
        profit = 1000 * survival[t] * (5.90 if t == 0 else 45.90)
        assert (row[2], row[6]) == pytest.approx((profit, profit / 1.15**t), abs=0.051)
        assert abs(row[3] - row[2]) <= 5 * row[4] + 3
        assert abs(row[7] - row[6]) <= 5 * row[8] + 3
    assert len(table(done.stdout, 11)) == len(table(done.stdout, 9)) == 10
    assert re.search(r"exact +66\.94 16\.94 +71\.99 +21\.99 \+29\.8%", done.stdout)
    z = re.search(r"^ +z (.+)$", done.stdout, re.MULTILINE)
    assert z is not None
    assert all(abs(value) < 5 for value in numbers(z[1]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.jit
def test_misprints_are_marked(tmp_path: Path) -> None:
    """A star stands where the printed number is not the exact one, rounded, and nowhere else; survivors are printed as whole people."""
    text = run(tmp_path, "run.customers=20000").stdout
    for columns, places in ((11, ((5, 6), (8, 9))), (9, ((1, 2), (5, 6)))):
        lines = [line.split() for line in text.splitlines() if re.match(r" ?\d+ ", line) and len(line.split()) == columns]
        for words in lines:
            for printed, exact in places:
                off = abs(numbers(words[printed])[0] - numbers(words[exact])[0])
                assert words[printed].endswith("*") == (off > 0.55), words


@pytest.mark.jit
def test_readme_shows_what_is_printed(tmp_path: Path) -> None:
    printed = [line.rstrip() for line in run(tmp_path).stdout.splitlines()]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"`make run` prints:\n\n```text\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert shown[1].splitlines() == printed


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    done = run(tmp_path, "run.custmers=5", "horizon=0")
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["horizon", "run.custmers"]
