"""A fifth of the customers brings four fifths of the profit, and more than all of it once serving costs the same for everybody."""

from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from tests.experiments.running import run, told

NAME = "cream_layer"
SIGMA = 1.68324  # of the logarithm: twice the 80 % point of the normal


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=200000")
    assert (done.returncode, done.stderr) == (0, "")
    curves = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col="customers")
    plain, some, much = (curves[name] for name in curves)
    normal = NormalDist()
    for share in (0.2, 0.5, 0.8):
        lorenz = 100 * normal.cdf(SIGMA - normal.inv_cdf(1 - share))
        assert plain[share] == pytest.approx(lorenz, abs=1.5)  # of 200,000 wallets with a spread of 4 times their mean
    assert np.diff(plain).min() >= 0
    assert some.max() > 100.5
    assert much.max() > some.max() > plain.max() == pytest.approx(100)
    assert much[0.2] > 100
    assert curves.iloc[-1].to_numpy() == pytest.approx(100)


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
