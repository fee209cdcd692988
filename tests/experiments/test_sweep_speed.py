"""The benchmark of sweeps: all do the same job, at a size that says nothing of speed."""

import json
from pathlib import Path

import pytest

import sweep_speed

pytestmark = pytest.mark.jit


def test_hydra_comes_to_the_same_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep_speed.main("points=4", "many=6", "hydra=2", f"out={tmp_path / 'found.json'}")  # raises where rows differ
    found = json.loads((tmp_path / "found.json").read_text())
    assert json.loads(capsys.readouterr().out) == found
    assert [(share["points"], share["customers"]) for share in found["shares"]] == [(4, 100_000), (4, 10_000)]
    assert all(0 < share["kernels"] <= 1 for share in found["shares"])
    assert found["hydra"]["points"] == 2
