"""One plan, four courses: a crowd multiplies arrivals, which rise and level off; delight adds, disappointment takes away."""

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import run, told

NAME = "crowd_effect"


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.replicates=8")
    assert (done.returncode, done.stderr) == (0, "")
    arrivals = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col="y")
    assert (arrivals["planned alone"] == 20).all()
    crowd = arrivals["a crowd"]
    assert crowd.iloc[0] == 20
    assert crowd.max() > 1.5 * crowd.iloc[6] > 1.5 * 1.5 * crowd.iloc[0]
    assert crowd.idxmax() not in (0, 47)  # it levels off as the market fills
    together = arrivals.sum()
    assert together["a crowd, delighted"] > 1.15 * together["a crowd"] > 1.15 * 2 * together["planned alone"]
    assert together["a crowd, disappointed"] < together["a crowd"]


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
