"""Pooled retention climbs, printed, exact and simulated, while the schedule of every cohort stays put."""

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import Done, number, run, tables, told

NAME = "cohort_retention"
SCHEDULE = [60, 65, 70, 75, 78, 79, 80, 80, 80, 80]
POOLED = [60.00, 61.88, 63.47, 64.86, 65.95, 70.89, 74.94, 77.76, 79.15]  # 100 x (total - new) / total of the year before, by hand


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Path]:
    """Return what one run printed, and its folder."""
    folder = tmp_path_factory.mktemp(NAME)
    return run(NAME, folder, "run.customers=50000"), folder


@pytest.mark.jit
def test_pooled_climbs_and_cohorts_do_not(ran: tuple[Done, Path]) -> None:
    done, _ = ran
    assert (done.returncode, done.stderr) == (0, "")
    found = tables(done.stdout)
    pooled = found["all, by calendar year"][1:]
    assert [number(row[2]) for row in pooled] == pytest.approx(POOLED, abs=0.0051)
    assert [int(row[0]) for row in pooled if row[1].endswith("*")] == [5, 7]
    assert all(abs(number(row[3]) - number(row[2])) < 5 * number(row[4]) for row in pooled)
    cohorts = [row for row in found["each cohort, by year with the"] if row[0].isdigit()]
    assert [number(row[1]) for row in cohorts] == SCHEDULE
    assert all(abs(number(cell) - number(row[1])) < 12 for row in cohorts for cell in row[2:])  # 5 errors of the fewest, 650 people
    assert {len(row) for row in cohorts} == {7}


@pytest.mark.jit
def test_the_figure_comes_with_its_numbers(ran: tuple[Done, Path]) -> None:
    _, folder = ran
    assert (folder / "results" / f"{NAME}.png").read_bytes().startswith(b"\x89PNG")
    drawn = pd.read_csv(folder / "results" / f"{NAME}.csv", index_col="y")
    assert list(drawn.columns) == ["all", *(f"intake.{c}" for c in range(5))]
    assert drawn.loc[13, "all"] == pytest.approx(drawn.loc[13, "intake.4"])  # alone by then


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
