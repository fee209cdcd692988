"""Unit cost falls with scale and rises with breadth, as the formula says; the cheapest breadth is narrower the larger its kinds are."""

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import run, told

NAME = "scale_breadth"
FIXED, SERVE, BREADTH = 40_000, 2.0, 0.25


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=1000", columns=150)
    assert (done.returncode, done.stderr) == (0, "")
    cost = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col="kinds of needs")
    for size, column in zip((2_000, 10_000, 50_000), cost, strict=True):
        expected = [FIXED / (kinds * size) + SERVE * (1 + BREADTH * (kinds - 1)) for kinds in cost.index]
        assert cost[column].to_list() == pytest.approx(expected, rel=1e-6)
    assert cost.idxmin().to_list() == [6, 3, 1]
    assert "2,000 customers each: 6, in theory 6.3; 10,000 customers each: 3, in theory 2.8" in done.stdout


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
