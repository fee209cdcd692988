"""The 301st manager earns its salary and a later one does not; turnover costs more than the time, dealers bring some back."""

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import number, run, tables, told

NAME = "key_accounts"


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.seed=4", columns=150)
    assert (done.returncode, done.stderr) == (0, "")
    worth = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col="managers")
    assert worth["one more brings"].is_monotonic_decreasing
    assert worth["net"][300] > 3 * worth["SE"][300]
    assert worth["net"][400] < -3 * worth["SE"][400]
    assert worth["accounts each"][300] == pytest.approx(66.7, abs=0.05)
    rows = [[number(word) for word in row] for row in tables(done.stdout)["Gain of 300 managers, million USD"][1:]]
    gains = {leaving: (gap, alone, covered) for leaving, gap, alone, covered in rows}
    assert gains[0.0][1] == gains[0.0][2]
    for leaving in (0.05, 0.15):
        gap, alone, covered = gains[leaving]
        assert 1 - alone / gains[0.0][1] > gap / 100
        assert alone < covered < gains[0.0][1]


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
