"""Gold stands for most of what is to come, silver rises or goes, gold turns iron; and what was expected came."""

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import number, run, tables, told

NAME = "gold_silver_iron_lead"


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=20000", "run.panel=20000")
    assert (done.returncode, done.stderr) == (0, "")
    classes = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col="class")
    assert (tmp_path / "results" / f"{NAME}.png").stat().st_size > 10_000
    assert classes.loc["gold", "customers, %"] == pytest.approx(36, abs=3)
    assert classes.loc["gold", "of value to come, %"] == pytest.approx(64, abs=5)
    assert classes["expected, USD"].to_numpy() == pytest.approx(classes["came, USD"].to_numpy(), rel=0.3)
    assert list(classes["came, USD"].sort_values().index)[-1] == "gold"
    rows = {row[0]: [number(word) for word in row[1:]] for row in tables(done.stdout)["A year later, % of the class"][1:]}
    gold, _, iron, _, lost = range(5)
    assert rows["silver"][gold] + rows["silver"][iron] == pytest.approx(29, abs=4)
    assert rows["gold"][iron] == pytest.approx(25, abs=3)
    assert rows["silver"][lost] == pytest.approx(34, abs=3)
    assert rows["silver"][lost] > rows["lead"][lost] > rows["iron"][lost]
    assert all(sum(row) == pytest.approx(100, abs=0.5) for row in rows.values())


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
