"""One treatment for each segment gains more than one for all within the same budget, also on luck of its own."""

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import run, told

NAME = "treatment_by_segment"


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=20000", columns=150)
    assert (done.returncode, done.stderr) == (0, "")
    again = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col="treatment")
    assert "Within 150,000 USD: proactive for premium; win_back for budget, mainstream" in done.stdout
    single = again.drop("by segment").iloc[0]
    mine = again.loc["by segment"]
    assert mine["gain"] > single["gain"] + 2 * mine["SE"]
    assert mine["gain"] > 5 * mine["SE"]
    assert again["cost"].max() < 150 * 1.03
    assert again["before it"].to_numpy() == pytest.approx((again["cost"] + again["gain"]).to_numpy(), abs=0.01)


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
