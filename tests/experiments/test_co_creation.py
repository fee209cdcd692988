"""Who takes part pays less, keeps more of the surplus, stays longer and is worth more; what is simulated is what theory says."""

import re
from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import number, run, told

NAME = "co_creation"


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=50000", columns=60)
    assert (done.returncode, done.stderr) == (0, "")
    printed = re.findall(r"^CLV +([\d,.]+) +([\d,.]+) *$", done.stdout, re.MULTILINE)
    (exact, bought), (theory, made) = ([number(word) for word in row] for row in printed)
    assert made > 1.3 * bought
    assert [bought, made] == pytest.approx([exact, theory], rel=0.02)
    kept = re.findall(r"pays ([\d.]+) a unit, keeps (\d+) % of the surplus; (\d+) % stay", " ".join(done.stdout.split()))
    (price, share, stay), (less, more, longer) = ([float(word) for word in row] for row in kept)
    assert less < price
    assert more > share == round(100 * 0.2 / 0.6)
    assert longer > stay
    ledger = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col="column")
    assert ledger.sum().to_list() == pytest.approx([bought, made], abs=0.051)
    ready, made_up = ledger["Ready-made"], ledger["Self-assembled"]
    assert ready["what they teach"] == 0
    assert made_up["cost to serve"] / ready["cost to serve"] < 0.5


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
