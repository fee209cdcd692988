"""The first experiment prints the book's table, the exact one and the simulated one, and README shows what it prints."""

import os
import re
from pathlib import Path

import pytest

import sim
from tests.experiments.running import ROOT, Done, number, process, tables, told

NAME = "publisher_ltv"
PRICES = {"active": (1.0, 1.0), "revenue": (35.90, 75.90), "cost": (30.0, 30.0), "profit": (5.90, 45.90), "present value": (5.90, 45.90)}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Path]:
    """Return what one run printed, and its folder."""
    folder = tmp_path_factory.mktemp(NAME)
    return process(NAME, folder, "run.customers=20000"), folder


@pytest.mark.jit
def test_cells(ran: tuple[Done, Path]) -> None:
    """Every cell of the book's table, with 20,000 customers; a simulated one would at another seed miss 5 errors 1 time in 30,000."""
    done, _ = ran
    assert (done.returncode, done.stderr) == (0, "")
    found = tables(done.stdout)
    survival = sim.exact(sim.load("publisher")).survival
    for column, (first, later) in PRICES.items():
        rows = [[number(word) for word in row] for row in found[column][1:]]
        assert [row[0] for row in rows] == list(range(1, 11))
        for t, (_, _, exact, simulated, se) in enumerate(rows):
            worth = 1000 * survival[t] * (first if t == 0 else later)
            assert exact == pytest.approx(worth / 1.15**t if column == "present value" else worth, abs=0.051)
            assert abs(simulated - exact) <= 5 * (se + 0.05) + 0.11
            assert (se > 0) == (t > 0)
    assert re.search(r"67 66\.94 +6\d\.\d\d 0\.\d\d\n", done.stdout)
    assert re.search(r"17 16\.94 +1\d\.\d\d 0\.\d\d\n", done.stdout)
    assert re.search(r"22 21\.99 +2\d\.\d\d 0\.\d\d\n", done.stdout)
    assert re.search(r"69\.70 +(69|70)\.\d\d *\n", done.stdout)
    assert re.search(r"25\* 29\.81 +\d\d\.\d\d *\n", done.stdout)


@pytest.mark.jit
def test_misprints_are_marked_and_the_report_is_there(ran: tuple[Done, Path]) -> None:
    text, folder = ran[0].stdout, ran[1]
    marked = {
        column: [int(row[0]) for row in rows[1:] if row[1].endswith("*")] for column, rows in tables(text).items() if column in PRICES
    }
    assert marked == {"active": [], "revenue": [6, 7], "cost": [6, 7], "profit": [6, 7], "present value": [10]}
    report = re.search(r"^Report: (\S+)$", text, re.MULTILINE)
    assert report is not None
    assert (folder / report[1]).is_file()
    assert sim.verify((folder / report[1]).parent) == []


@pytest.mark.jit
def test_readme_shows_what_is_printed(tmp_path: Path) -> None:
    printed = [line.rstrip() for line in process(NAME, tmp_path, columns=80).stdout.splitlines()]
    assert max(map(len, printed)) <= 120
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"`python experiments/publisher_ltv.py` prints:\n\n```text\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert shown[1].splitlines() == printed


@pytest.mark.jit
@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    done = process(NAME, tmp_path, "run.customers=200")
    tmp_path.chmod(0o700)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path, process) == ["run.custmers", "run.seed"]
