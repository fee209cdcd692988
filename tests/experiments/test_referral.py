"""A tree is worth what theory says, more than its root, and its luck grows with kappa."""

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import run, told

NAME = "referral"


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.replicates=30")
    assert (done.returncode, done.stderr) == (0, "")
    trees = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col="reach")
    assert ((trees["simulated"] - trees["with its tree"]).abs() < 4 * trees["SE"]).all()
    assert (trees["CLV"] == trees["CLV"].iloc[0]).all()
    assert trees["with its tree"].iloc[0] == trees["CLV"].iloc[0]
    assert trees["with its tree"].iloc[-1] > 2.5 * trees["CLV"].iloc[0]
    gains = trees["with its tree"].diff().dropna()
    assert (gains.diff().dropna() > 0).all()
    assert trees["SD of equity, %"].iloc[-1] > 2 * trees["SD of equity, %"].iloc[0]


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
