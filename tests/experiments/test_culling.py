"""Letting go loses money at the assumed cost and pays at several times that; serving less does not pay."""

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
    assert gain["let go"].iloc[0] < -4  # USD, 7 standard errors
    assert gain["let go"].is_monotonic_increasing
    assert gain["let go"].iloc[-1] > 2.5
    assert (gain["serve less"] < 0.3).all()
    assert gain["serve less"].iloc[0] < 0
    told_so = " ".join(done.stdout.split())
    assert "Pays from, USD a month in decline: let go 22.0, serve less never" in told_so


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
