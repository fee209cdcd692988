"""A cheap call pays everywhere, a dear one nowhere, quality decides in between; the same again simulates nothing and comes out the same."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sim
import thousand_points
from tests.experiments.conftest import Called
from tests.experiments.running import told

NAME = "thousand_points"


@pytest.mark.jit
def test_finding(tmp_path: Path, called: Called) -> None:
    out = called(thousand_points.main, "run.customers=1000", points=64)
    path = tmp_path / "results" / f"{NAME}.csv"
    found = pd.read_csv(path, index_col=0)
    assert len(found) == 64
    assert (found["gain"] > 0)[found["cost of a call"] < 4].all()
    assert (found["gain"] < 0)[found["cost of a call"] > 16].all()
    design = np.column_stack([np.ones(64), found[list(thousand_points.RANGES)]])
    answer = np.linalg.lstsq(design, found["gain"], rcond=None)[0]
    swing = dict(zip(thousand_points.RANGES, answer[1:] * (design.max(axis=0) - design.min(axis=0))[1:], strict=True))
    assert swing["cost of a call"] < 0 < swing["quality"]
    assert swing["discount rate"] < 0
    assert swing["quality"] > 2 * abs(swing["competition"])
    assert -swing["cost of a call"] > 2 * swing["quality"]
    by_cost = found["gain"].groupby(found["cost of a call"] // 4).mean().tolist()
    assert len(by_cost) == 5
    assert by_cost == sorted(by_cost, reverse=True)

    manifest = tmp_path / "results" / NAME / "manifest.json"
    written = path.read_bytes(), json.loads(manifest.read_bytes())["files"]
    assert "64 points were run, 0 were kept from before" in " ".join(out.split())
    again = " ".join(called(thousand_points.main, "run.customers=1000", points=64).split())
    assert "0 points were run, 64 were kept from before" in again
    assert written == (path.read_bytes(), json.loads(manifest.read_bytes())["files"])
    assert sim.verify(tmp_path / "results" / NAME) == []


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
