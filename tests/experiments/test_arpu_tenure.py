"""ARPU times tenure is the mean product where both are independent, too little where heavy spenders stay longer, else too much."""

from pathlib import Path

import pytest

from tests.experiments.running import number, run, tables, told

NAME = "arpu_tenure"


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=50000", columns=120)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [
        [number(word) for word in row[-6:]] for row in tables(done.stdout)["Revenue of a customer within ten years, not discounted"][1:]
    ]
    (_, _, rule, more, se, high), (_, _, fair, equal, error, even), (_, _, luring, less, _, low) = rows
    assert abs(equal - fair) < 5 * error
    assert more - rule > 20 * se
    assert luring - less > 20 * error
    assert high > 1.15
    assert even == pytest.approx(1, abs=0.03)
    assert low < 0.85
    assert all(row[2] == pytest.approx(row[0] * row[1], rel=1e-3) for row in rows)


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
