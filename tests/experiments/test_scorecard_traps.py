"""Pooled retention climbs while cohorts keep their schedule; cutting spending raises revenue per dollar of it and lowers CLV."""

from pathlib import Path

import pytest

from tests.experiments.running import number, run, tables, told

NAME = "scorecard_traps"
SCHEDULE = [60, 65, 70, 75, 78, 79, 80, 80, 80]


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=50000", columns=80)
    assert (done.returncode, done.stderr) == (0, "")
    found = tables(done.stdout)
    rates = [[number(word) for word in row] for row in found["Subscribers who stay, %"] if len(row) == 4 and row[0].isdigit()]
    pooled = [row[1] for row in rates]
    assert len(pooled) == 9
    assert pooled == sorted(pooled)
    assert pooled[0] == pytest.approx(60, abs=1)
    assert pooled[-1] == pytest.approx(79.2, abs=2)
    for expected, (_, _, low, high) in zip(SCHEDULE, rates, strict=True):
        assert expected - 12 < low <= high < expected + 12  # 5 errors of the fewest, 650 people
    assert pooled[3] < SCHEDULE[3] - 5
    numbers = [[number(word) for word in row[-3:]] for row in found["Spending on service"][1:] if row[-1].replace(".", "").isdigit()]
    satisfaction, ratio, retention, clv, se = numbers
    assert ratio == pytest.approx([5, 20 / 3, 10], abs=0.0051)
    assert satisfaction[0] == pytest.approx(4, abs=1e-9)
    for falls in (satisfaction, retention):
        assert falls[0] > falls[1] > falls[2]
    assert clv[0] - clv[2] > 10 * se[0]


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
