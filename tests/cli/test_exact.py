"""``clvsim exact``: survival and retention by period, CLV by segment, warnings."""

import re
from pathlib import Path

import pytest

from tests.cli.running import Clvsim


def test_exact_prints_survival_and_retention(clvsim: Clvsim, tmp_path: Path) -> None:
    done = clvsim("exact", "scenario=publisher")
    assert (done.code, done.err) == (0, "")
    assert re.search(r"^period +survival +retention\n +0 +1\.000000 +0\.\d{6}\n", done.out, re.MULTILINE), done.out
    assert list(tmp_path.iterdir()) == []


def test_exact_shows_years_of_many_periods_and_segments(clvsim: Clvsim) -> None:
    text = """
        period: month
        horizon: 36
        start: a
        stages: {a: {price: 1, to: {b: {probability: 0.1}}}, b: {kind: lost}}
        segments: {one: {share: 0.5}, two: {share: 0.5, acquisition: {cost: 3}}}
    """
    Path("mine/scenario").mkdir(parents=True)
    Path("mine/scenario/months.yaml").write_text(text, encoding="utf-8")
    done = clvsim("exact", "--configs", "mine", "scenario=months")
    assert "of 36 periods, every 12th (a year) is shown\n" in done.out, done.err
    assert re.findall(r"^ +(\d+) +[01]\.", done.out, re.MULTILINE) == ["0", "12", "24", "36"]
    worth = {key: float(value) for value, key in re.findall(r"^CLV +(-?[\d.]+) .*segment (\w+)$", done.out, re.MULTILINE)}
    assert worth["one"] - worth["two"] == pytest.approx(3)
    short = clvsim("exact", "--configs", "mine", "scenario=months", "horizon=24").out
    assert len(re.findall(r"^ +\d+ +[01]\.", short, re.MULTILINE)) == 25


def test_unusual_scenario_is_warned_of(clvsim: Clvsim, tmp_path: Path) -> None:
    case = tmp_path / "scenario"
    case.mkdir()
    (case / "endless.yaml").write_text(
        "period: year\nhorizon: 2\nstart: here\nstages: {here: {kind: active, price: 1, margin: 1}, nowhere: {kind: lost}}\n"
    )
    done = clvsim("exact", "scenario=endless", "--configs", str(tmp_path))
    assert done.code == 0, done.err
    lines = done.err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("clvsim: warning: ") for line in lines)
