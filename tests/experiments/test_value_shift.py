"""Equity spreads over paths of the market far beyond what independent customers allow; a point of value beats one of brand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.experiments.running import run, told

NAME = "value_shift"


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=4800", "run.replicates=40")
    assert (done.returncode, done.stderr) == (0, "")
    paths = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col="replicate")
    assert len(paths) == 40
    turns, still = paths["the market turns"], paths["no market"]
    assert turns.std() > 3 * still.std()
    assert turns.mean() < still.mean()  # the regimes do harm, or nothing
    better = paths["value + 1"]
    value, brand = better - turns, paths["brand + 1"] - turns
    error = {name: float(np.std(of, ddof=1)) / len(paths) ** 0.5 for name, of in {"gain": value, "lead": value - brand}.items()}
    assert (value > 0).all()
    assert float((value - brand).mean()) > 5 * error["lead"] > 0
    assert error["gain"] < np.hypot(turns.std(), better.std()) / len(paths) ** 0.5 / 2  # common paths


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
