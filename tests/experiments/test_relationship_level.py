"""The level rises with margin; with number it rises where costs are fixed and falls where each is dearer among many."""

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import run, told

NAME = "relationship_level"
LEVELS = ["basic", "reactive", "accountable", "proactive", "partnership"]


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=5000", columns=150)
    assert (done.returncode, done.stderr) == (0, "")
    found = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col=[0, 1])
    place = found.map(LEVELS.index)
    assert (place.diff(axis=1).iloc[:, 1:] >= 0).all().all()  # by margin, on every map
    book, fixed, dearer = (place.xs(name) for name in place.index.unique(0))
    for one, sign in ((book, 1), (fixed, -1), (dearer, 1)):
        fewer = sign * one.loc[["many", "medium", "few"]].diff().iloc[1:]
        assert (fewer >= 0).all().all()
        assert (fewer > 0).any().any()
    assert list(dearer.loc["few"]) == list(book.loc["few"])
    assert (dearer == book).to_numpy().sum() > (fixed == book).to_numpy().sum()


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
