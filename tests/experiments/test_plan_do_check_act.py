"""Looking again beats never looking; remembering every pilot beats looking at the last one; larger pilots err less."""

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import run, told

NAME = "plan_do_check_act"


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=20000", columns=150)
    assert (done.returncode, done.stderr) == (0, "")
    regret = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col=0)
    never, last, every = (regret[name] for name in regret)
    assert (last < never - 1).all()
    assert (every < last).all()
    assert last.is_monotonic_decreasing
    assert every.is_monotonic_decreasing
    assert every.iloc[-1] < never.iloc[0] / 3


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
