"""The first users teach, the last ones profit, and a firm twice as large learns sooner; without learning all cohorts are alike."""

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import run, tables, told

NAME = "learning"


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.replicates=12", columns=100)
    assert (done.returncode, done.stderr) == (0, "")
    rows = {" ".join(row[:-4]): [float(word) for word in row[-4:]] for row in tables(done.stdout)["A user is worth"][1:]}
    (deaf, deaf_se, *_), (learns, se, *_), (large, large_se, *_) = rows.values()
    assert learns - deaf > 20 * (se**2 + deaf_se**2) ** 0.5
    assert large - learns > 4 * (se**2 + large_se**2) ** 0.5
    drawn = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col=0)
    flat, taught = drawn["nobody listens"], drawn["learns"]
    assert flat.std() < 0.03 * flat.mean()
    gain = taught - flat
    assert gain.iloc[0] > 0
    assert gain.iloc[-3:].mean() > 1.8 * gain.iloc[:3].mean()


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
