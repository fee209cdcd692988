"""``clvsim explain``: the text, and the picture of the stage graph."""

import os
import re
from pathlib import Path

import pytest

from tests.cli.running import Clvsim, refused


def test_explain_prints_and_draws(clvsim: Clvsim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    done = clvsim("explain", "scenario=publisher_plus2", "run.seed=3", "--graph", "stages.svg")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("\ngraph      stages.svg\n")
    told = " ".join(done.out.split())
    assert re.search(r"settings: .+publisher_plus2\.yaml; .+publisher\.yaml; run\.seed=3 name: publisher_plus2", told)
    assert "-> lapsed (own): 0.33 at age 0, 0.28 at 1, 0.23 at 2, 0.2 at 3, 0.19 at 4, 0.18 from 5 on" in told
    assert "\x1b" not in done.out
    assert max(len(line) for line in done.out.splitlines() if ".yaml" not in line) <= 40
    assert os.listdir(tmp_path) == ["stages.svg"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_picture_that_cannot_be_written_is_one_line(clvsim: Clvsim, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert refused(clvsim, "explain", "--graph", "locked/x.svg") == ["locked/x.svg: Permission denied"]


def test_a_template_of_existing_customers(clvsim: Clvsim, tmp_path: Path) -> None:
    done = clvsim("explain", "scenario=lifecycle", "--template", "base.csv")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("\ntemplate   base.csv\n")
    lines = (tmp_path / "base.csv").read_text().splitlines()
    assert lines[0] == "id,stage,age,tenure,level,segment,wallet"
    assert [line.split(",")[1] for line in lines[1:]] == ["investigation", "formation", "stability", "decline"]
    told = " ".join(clvsim("explain", "scenario=lifecycle", "+base.file=base.csv").out.split())
    assert "existing customers: 4 (investigation 1, formation 1, stability 1, decline 1), from base.csv" in told
    there = "--template: is there already, so it stays as it is (got base.csv); name another"
    assert refused(clvsim, "explain", "--template", "base.csv") == [there]
    assert refused(clvsim, "explain", "--template", "base.txt") == ["--template: must end in .csv (got base.txt)"]


def test_a_bad_table_is_refused_with_a_line_a_fault(clvsim: Clvsim, tmp_path: Path) -> None:
    (tmp_path / "base.csv").write_text("id,stage,segment,age\n1,stabilty,premium,0\n2,decline,premium,-1\n")
    rules = [
        "base.csv: row 1, stage: must be a stage that is not lost (got 'stabilty'); did you mean stability?",
        "base.csv: row 2, age: must be a whole number of periods from 0 to 65,534 (got '-1')",
    ]
    assert refused(clvsim, "simulate", "+base.file=base.csv") == rules
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base.csv"]
