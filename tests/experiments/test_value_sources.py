"""Quality first, then margin and budget alike, since revenue is their product; the other nine come to little."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import sim
import value_sources
from tests.experiments.conftest import Called
from tests.experiments.running import tables, told

NAME = "value_sources"


@pytest.mark.jit
def test_finding(tmp_path: Path, called: Called) -> None:
    out = called(value_sources.main, "run.customers=400", points=32)
    shares = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col=0)["total"]
    first, *others = shares.index[:3]
    assert first == "quality"
    assert sorted(others) == ["customers' budget", "margin"]
    assert shares["quality"] > 1.5 * shares[others].max()
    assert shares[others].min() > 0.5 * shares[others].max()
    assert shares.iloc[3:].sum() < 20
    assert shares["word of mouth"] < 1
    assert 1 < shares["months of stability"] < 10
    rows = {row[0]: row for row in tables(out)["% of the variance of customer equity"][1:]}
    assert rows["quality"][7].startswith("matters")
    assert f"{32 * (len(value_sources.SOURCES) + 2)} points; all told in" in " ".join(out.split())
    assert (tmp_path / "results" / NAME / "report.html").exists()


def leaves(body: Any, path: str) -> set[str]:
    return {one for key in body for one in leaves(body[key], f"{path}.{key}")} if isinstance(body, dict) else {path}


def test_what_a_segment_has_of_its_own_moves_along() -> None:
    segments = sim.load("lifecycle").model_dump(exclude_unset=True)["segments"]
    own = {path for path in leaves(segments, "segments") if path.split(".")[2] not in ("label", "share")}
    assert len(own) == 6
    assert own == {path for paths in value_sources.SOURCES.values() for path in paths if path.startswith("segments.")}


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
