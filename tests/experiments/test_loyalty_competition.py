"""Fierce competition makes the step from 4 to 5 the one that pays; loyalty is that of the formula, and so are the chances of leaving."""

import math
from itertools import pairwise
from pathlib import Path

import pytest

from tests.experiments.running import number, run, tables, told

NAME = "loyalty_competition"
N = 10_000


def loyalty(s: float, c: float) -> float:
    """Loyalty of satisfaction s under competition c, as in docs/model.md."""
    low, x = 0.6 * (1 - c), (s - 1) / 4
    return low + (1 - low) * math.pow(x, math.exp(1.4 * (2 * c - 1)))


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, f"run.customers={N}")
    assert (done.returncode, done.stderr) == (0, "")
    found = tables(done.stdout)
    columns = {
        title: [[number(word) for word in row] for row in rows[1:]] for title, rows in found.items() if rows and rows[0][:1] == ["of"]
    }
    attitude, here, leave, clv = (
        columns["Loyalty"],
        columns["Still here after a year, %"],
        columns["Leave in a month, %"],
        columns["CLV, USD"],
    )
    for s, *values in attitude:
        assert values == pytest.approx([loyalty(s, c) for c in (0.1, 0.5, 0.9)], abs=0.0051)
    for s, *values in leave:
        for value, c in zip(values, (0.1, 0.5, 0.9), strict=True):
            p = 1 - math.exp(-0.02 * math.exp(3.26 * (loyalty(4, 0.5) - loyalty(s, c))))
            assert abs(value / 100 - p) < 5 * math.sqrt(p * (1 - p) / N) + 5e-5
    for part in (here, clv):
        assert all(weak > middling > fierce for s, weak, middling, fierce in part if s < 5)
        steps = [part[4][c] - part[3][c] for c in (1, 2, 3)]
        assert steps == sorted(steps)
        assert all(low[c] < high[c] for low, high in pairwise(part) for c in (1, 2, 3))
    lost, more = ([number(row[part]) for row in found["4 against 5"] if row[-1][:1].isdigit()] for part in (-2, -1))
    assert lost == pytest.approx([1 - loyalty(4, c) for c in (0.1, 0.5, 0.9)], abs=0.0051)
    assert more == [pytest.approx(high / low, abs=0.1) for high, low in zip(leave[3][1:], leave[4][1:], strict=True)]
    assert more[0] < more[1] < more[2] == pytest.approx(6, rel=0.5)


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
