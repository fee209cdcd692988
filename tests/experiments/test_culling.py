"""Letting go by margin alone loses money; by the rule nobody goes until it pays, at several times the assumed cost."""

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import run, told

NAME = "culling"


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=20000", columns=150)
    assert (done.returncode, done.stderr) == (0, "")
    gain = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col="USD a month")
    assert (gain["by margin alone"] < -30).all()  # USD, 25 standard errors
    assert (gain["by the rule"].iloc[:2] == 0).all()
    assert abs(gain["by the rule"].iloc[2]) < 1.5
    assert gain["by the rule"].iloc[3:].is_monotonic_increasing
    assert gain["by the rule"].iloc[-1] > 2.5
    assert gain["serve less"].is_monotonic_increasing
    assert gain["serve less"].iloc[0] < 1
    told_so = " ".join(done.stdout.split())
    assert "Pays from, USD a month in decline: by the rule 22.0, by margin alone never, serve less 10.0" in told_so


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
