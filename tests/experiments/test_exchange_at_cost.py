"""Who is offered a rival's system leaves at first and comes back; simulated gains are those of theory."""

import re
from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import run, told

NAME = "exchange_at_cost"


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=10000", columns=150)
    assert (done.returncode, done.stderr) == (0, "")
    buys = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col="period")
    none, own, both = (buys[name] for name in buys)
    assert both[4] < own[4]  # most have a rival's system
    assert both[20] > 1.9 * none[20]
    assert both[20] > 1.4 * own[20]
    assert none.max() < 35
    gains = [[float(word) for word in row] for row in re.findall(r"(\d+) +(-?[\d.]+) +(-?[\d.]+) +([\d.]+) *$", done.stdout, re.MULTILINE)]
    checked = [row for row in gains if row[0] in (25, 50, 100, 200)]
    assert len(checked) >= 4
    assert all(abs(exact - simulated) < 4.5 * se + 0.1 for _, exact, simulated, se in checked)
    assert [exact > 0 for _, exact, *_ in checked[-4:]] == [False, False, True, True]


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
