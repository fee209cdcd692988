"""Knowing is worth something, mostly of the effect; a pilot as much as two normal distributions say, less its price."""

import math
import re
from pathlib import Path
from statistics import NormalDist

import pandas as pd
import pytest

import pilot_value
from tests.experiments.conftest import Called
from tests.experiments.running import number, tables, told

NAME = "pilot_value"
FIRM = 600_000


def worth(mean: float, sd: float) -> float:
    """Value of choosing after a normal gain is known, over choosing before."""
    normal = NormalDist()
    return sd * normal.pdf(mean / sd) - abs(mean) * normal.cdf(-abs(mean) / sd)


@pytest.mark.jit
def test_finding(tmp_path: Path, called: Called) -> None:
    out = called(pilot_value.main, "run.customers=16000", points=128)
    folder = tmp_path / "results" / NAME
    points = pd.read_csv(folder / "tables" / "points.csv").pivot_table(["equity", "clv_sd"], "point", "arm")
    gain = (points["equity"][pilot_value.POLICY] - points["equity"]["none"]) / 1000
    spread = (
        FIRM / 1000 * math.hypot(*(points["clv_sd"][arm].mean() for arm in ("none", pilot_value.POLICY)))
    )  # between a customer of one arm and one of the other
    mean, sd = gain.mean(), gain.std()

    said = re.search(
        r"Gain: (-?[\d,]+) thousand USD .* chance of (\d+)% .* worth ([\d,]+) thousand USD \(SE ([\d,]+)\)", " ".join(out.split())
    )
    assert said is not None
    told_mean, chance, whole, se = map(number, said.groups())
    assert told_mean == pytest.approx(mean, abs=0.51)
    assert 20 < chance < 50
    assert whole > 3 * se > 0
    assert whole == pytest.approx(worth(mean, sd), rel=0.15)

    pilots = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", thousands=",")
    for size, value in zip(pilots["customers"], pilots["value"], strict=True):
        known = sd**2 / math.sqrt(sd**2 + spread**2 / size)
        assert value == pytest.approx(worth(mean, known), abs=0.035 * sd)  # a regression, of a gain that is not quite normal
    for price in pilot_value.PRICES:
        assert pilots[f"net at {price}"].to_numpy() == pytest.approx((pilots["value"] - 2 * price * pilots["customers"] / 1000).to_numpy())
    assert pilots["value"].is_monotonic_increasing
    best = [pilots[f"net at {price}"].argmax() for price in pilot_value.PRICES]
    assert best == sorted(best, reverse=True)
    assert pilots["value"].iloc[0] < 0.1 * whole < 0.5 * whole < pilots.set_index("customers")["value"][50_000]
    assert pilots["net at 50"].max() < 0 < pilots["net at 5"].max()

    shares = {row[0]: number(row[-1]) for row in tables(out)["To know one of them, thousand USD"][1:]}
    assert shares["hazard"] > 80
    assert all(share < 40 for name, share in shares.items() if name != "hazard")
    assert (folder / "report.html").exists()


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
