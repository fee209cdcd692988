"""Product and place gain most; a lower price hardly pays for itself, and not beside the others."""

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import run, told

NAME = "mix_levers"


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=20000", columns=150)
    assert (done.returncode, done.stderr) == (0, "")
    found = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col="lever")
    assert list(found["alone"].nlargest(2).index) == ["product, needs", "place, convenience"]
    assert abs(found["alone"]["price, cost"]) < 40  # thousand USD: 3 standard errors, and a tenth of the best
    assert found["as the last of four"]["price, cost"] < 0
    assert (found["as the last of four"] < found["alone"]).all()
    assert found["kept a year, %"].idxmax() == "product, needs"
    assert "Best alone: product, needs; " in done.stdout


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
