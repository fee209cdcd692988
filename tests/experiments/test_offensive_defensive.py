"""40 % of CLV is too much where customers are cheap to win and too little where they are dear; a part is best spent on keeping."""

import math
from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import number, run, tables, told

NAME = "offensive_defensive"


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=20000", columns=150)
    assert (done.returncode, done.stderr) == (0, "")
    split = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col=0)
    equity = split["equity, thousand USD"]
    assert equity.loc[0.1:0.3].max() > max(equity[0.0], equity.loc[0.4:].max())
    assert split["CLV, USD"].is_monotonic_increasing
    rows = {int(row[0]): [number(word) for word in row[1:]] for row in tables(done.stdout)["Winning"][1:]}
    clv = split["CLV, USD"][0.0]
    for first, (share, best, ruled, at_best, by_rule, lost) in rows.items():
        x = clv / first  # worth of a customer over the cost of the first
        assert share == pytest.approx(100 * math.log(x) / (x - 1), abs=0.06)
        assert best == pytest.approx(10 * first * math.log(x), abs=0.06)
        assert at_best == pytest.approx(10 * (clv - first) - best, rel=1e-3)  # of ceiling (1 - 1 / x) customers
        assert (ruled > best) == (share < 40)
        assert lost == pytest.approx(by_rule - at_best, abs=0.11)
        assert lost < 0
    assert max(rows, key=lambda first: rows[first][-1]) == 60


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
