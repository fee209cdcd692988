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
