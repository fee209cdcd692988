"""Relationship leads where customers return, value where they are yet to be won, though coefficients are the same."""

from pathlib import Path

import pandas as pd
import pytest

import sim
from tests.experiments.running import ROOT, number, run, tables, told

NAME = "equity_by_driver"


def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, columns=120)
    assert (done.returncode, done.stderr) == (0, "")
    shares = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col="driver")
    rental, sale = shares["car rental"], shares["car sale"]
    assert rental.sum() == pytest.approx(sale.sum()) == pytest.approx(100)
    assert rental.idxmax() == "relationship"
    assert sale.idxmax() == "value"
    assert rental["relationship"] - sale["relationship"] > 10
    listed = {row[0]: number(row[-1]) for row in tables(done.stdout)["In car sale 0.1 points more of"][1:]}
    assert listed["Quality"] > listed["Price"] > listed["Convenience"]
    assert "Most: relationship in car rental, value in car sale" in done.stdout


def test_coefficients_are_the_same() -> None:
    rental, sale = (sim.load(name, configs=ROOT / "experiments") for name in ("car_rental", "car_sale"))
    assert rental.stages["customer"].to["lost"].effects == sale.stages["customer"].to["lost"].effects
    assert rental.drivers is not None
    assert sale.drivers is not None
    assert rental.drivers.acquisition == sale.drivers.acquisition


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
