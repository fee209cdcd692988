"""The columns add up to CLV, a household pays 200,000 USD in its time, and its talk is worth more than that."""

import math
import re
from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import number, run, told

NAME = "value_streams"
WALLET, LEAVES, YEARS = 6200, 0.01, 40


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=10000", columns=60)
    assert (done.returncode, done.stderr) == (0, "")
    ledger = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col=0)
    printed = [number(value) for value in re.findall(r"^CLV +([\d,.]+) +[\d,.]+ *$", done.stdout, re.MULTILINE)]
    assert printed == pytest.approx(ledger.sum().to_list(), abs=0.051)
    for name, rate in (("as it comes", 0.0), ("at 5 % a year", 0.05)):
        column = ledger[name]
        stay = sum(math.exp(-LEAVES * t) / (1 + rate) ** t for t in range(YEARS))
        assert column["purchase value"] == pytest.approx(WALLET * stay, rel=0.025)  # 5 errors, wallets and lives being what they are
        assert column["information"] == pytest.approx(60 * stay, rel=0.015)
        assert column["word of mouth"] > column["purchase value"]
        assert 0 < sum(column[part] for part in ("information", "knowledge", "transactions")) < 0.1 * column["purchase value"]
        assert column["cost of winning"] == pytest.approx(-300)
    assert ledger["as it comes"]["purchase value"] > 200_000


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
