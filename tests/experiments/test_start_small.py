"""A thousand customers are hardly better than a coin, more so early; a tenth of the gain does not pay for the whole fixed cost."""

import re
from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import run, tables, told

NAME = "start_small"


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, columns=150)
    assert (done.returncode, done.stderr) == (0, "")
    yes = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col=0)
    assert yes["1,000"].between(50, 80).all()
    assert yes.diff().iloc[1:].gt(0).to_numpy()[:, :2].all()
    assert (yes["100,000"] > 98).all()
    seen = {row[0]: row for row in tables(done.stdout)["Thousand USD, all told"][1:]}
    assert float(seen["Knowledge"][4]) > 50
    assert float(seen["pilot"][3]) < 0
    paid = re.search(r"pays from ([\d,]+) customers a month on; the firm's own cost is ([\d.]+)", " ".join(done.stdout.split()))
    assert paid is not None
    assert 1_000 < float(paid[1].replace(",", "")) < 10_000
    own = 9_000 + 250 * sum(1.1 ** (-y / 12) for y in range(120))  # set-up and upkeep
    assert float(paid[2]) == pytest.approx(own / 1000, abs=0.06)


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
