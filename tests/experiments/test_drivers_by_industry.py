"""The same money is best spent on relationship where customers return, and on value, half of it quality, where they are won."""

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import number, run, tables, told

NAME = "drivers_by_industry"


def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, columns=150)
    assert (done.returncode, done.stderr) == (0, "")
    net = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", header=[0, 1], index_col=0)
    rental, sale = (pd.DataFrame(net[name]) for name in ("car rental", "car sale"))
    assert (rental.idxmax(axis="columns") == "relationship").all()
    assert (sale.idxmax(axis="columns") == "value").all()
    assert sale["quality alone"][0.5] == pytest.approx(sale["value"][0.5] / 2, rel=0.1)  # weight 3 of 6
    assert rental["quality alone"][0.5] + 0.5 == pytest.approx((rental["value"][0.5] + 0.5) / 5, rel=0.1)  # 1 of 5
    for title in ("In car rental, thousand USD", "In car sale, thousand USD"):
        rows = {" ".join(row[:-4]): [number(word) for word in row[-4:]] for row in tables_of(done.stdout)[title]}
        assert rows["relationship"][1] == 0  # it wins nobody
        assert all(row[0] + row[1] - row[2] == pytest.approx(row[3], abs=1.5) for row in rows.values())
    assert "relationship in car rental, value in car sale" in done.stdout


def tables_of(text: str) -> dict[str, list[list[str]]]:
    """Return the rows of the two tables that stand side by side, by title."""
    (title, rows), *_ = tables(text).items()
    titles = [f"In {name}" for name in title.split("In ")[1:]]
    half = [[row[: len(row) // 2], row[len(row) // 2 :]] for row in rows[1:]]
    return {name.strip(): [row[place] for row in half] for place, name in enumerate(titles)}


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
