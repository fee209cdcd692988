"""What 1 % is worth is what formulas say; retention is worth five times margin, and of newcomers five times the discount rate."""

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import run, tables, told

NAME = "elasticities"
COST, RATE, YEARS = 0.4, 0.12, 15


def value(r: float, i: float, margin: float = 1.0, cost: float = COST, cohorts: int = 1) -> float:
    """Margin multiple of Gupta and Lehmann (2003) less the cost to win a customer, of one newcomer a year."""
    return (margin * r / (1 + i - r) - cost) * sum((1 + i) ** -k for k in range(cohorts))


def changes(r: float, cohorts: int) -> list[float]:
    improved = (
        value(1.01 * r, RATE, cohorts=cohorts),
        value(r, RATE, margin=1.01, cohorts=cohorts),
        value(r, RATE, cost=0.99 * COST, cohorts=cohorts),
        value(r, 0.99 * RATE, cohorts=cohorts),
    )
    return [100 * (one / value(r, RATE, cohorts=cohorts) - 1) for one in improved]


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=5000", columns=60)
    assert (done.returncode, done.stderr) == (0, "")
    exact = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col=0)
    cases = (("a customer, 80 %", 0.8, 1), ("a customer, 90 %", 0.9, 1), ("newcomers, 90 %", 0.9, YEARS))
    for case, r, cohorts in cases:
        assert exact[case].tolist() == pytest.approx(changes(r, cohorts), rel=2e-3)  # a hundred years are simulated, not all
        rows = [[float(word) for word in row[-4:]] for row in tables(done.stdout)[f"Of {case} stay"][1:]]
        assert [row[3] for row in rows] == [5, 1, 0.1, 1]
        for by_hand, simulated, error, _ in rows:
            assert abs(simulated - by_hand) < 5 * error + 0.002
            assert error < 0.4
    ratio = exact.loc["retention"] / exact
    assert 5 <= ratio["a customer, 90 %"]["margin"] < 5.5
    assert 50 <= ratio["a customer, 90 %"]["acquisition cost"] < 55
    assert ratio["a customer, 80 %"]["margin"] < 4
    assert 20 < ratio["a customer, 80 %"]["acquisition cost"] < 25
    assert [ratio[f"a customer, {stay} %"]["discount rate"] for stay in (80, 90)] == pytest.approx([(1 + RATE) / RATE] * 2, rel=0.05)
    assert ratio["newcomers, 90 %"]["discount rate"] == pytest.approx(5, abs=0.2)


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
