"""A point of quality lasts where nobody gets used to it, and fades where everybody does."""

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import number, run, tables, told

NAME = "habituation"


def satisfaction(habituation: float) -> list[float]:
    """Satisfaction by month, by hand: quality 3, from month 24 on 4."""
    s, expected, path = 3.0, 3.0, []
    for t in range(120):
        quality = 4.0 if t >= 24 else 3.0
        s += 0.2 * (3 + quality - expected - s)
        expected += 0.15 * (habituation * quality + (1 - habituation) * 3 - expected)
        path.append(s)
    return path


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=20000", columns=150)
    assert (done.returncode, done.stderr) == (0, "")
    drawn = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col=0)
    before, kept, used = (drawn[name].to_numpy() for name in drawn)
    assert before == pytest.approx([3.0] * 120, abs=1e-3)
    assert kept == pytest.approx(satisfaction(0), abs=1e-3)
    assert used == pytest.approx(satisfaction(1), abs=1e-3)
    assert kept[-1] > 3.99
    assert max(used) > 3.4
    assert used[60:] == pytest.approx(before[60:], abs=0.02)
    rows = [[number(word) for word in row[-5:]] for row in tables(done.stdout)["Worth"][1:4]]
    (worth, se, _, until, later), (lasting, _, gain, same, most), (faded, _, little, also, between) = rows
    assert until == same == also
    assert later < between < most
    assert [gain, little] == pytest.approx([lasting - worth, faded - worth], abs=0.016)
    assert 0 < 3 * little < gain
    assert gain > 5 * se


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
