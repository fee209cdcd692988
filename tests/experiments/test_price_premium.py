"""The price at which a customer is worth most lies between the extremes, and follows what the customer gets."""

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import run, told

NAME = "price_premium"


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=20000", columns=150)
    assert (done.returncode, done.stderr) == (0, "")
    worth = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col="price")
    best = worth.idxmax()
    assert best["restaurant"] == 3
    assert 0.5 <= best["street"] <= 1
    assert worth.index.min() < best["street"]
    assert best["restaurant"] < worth.index.max()
    assert (worth["restaurant"] > worth["street"]).all()
    assert worth.loc[4, "street"] < worth["street"].max() / 1.5
    times = best["restaurant"] / best["street"]
    kept = ", ".join(f"{place} {1 - best[place] / benefit:.0%}" for place, benefit in (("street", 1), ("restaurant", 5)))
    assert f"premium is {times:.3g} times the street's price; customers keep {kept}\n" in done.stdout
    assert f"street {best['street']:g}, restaurant 3\n" in done.stdout


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
