"""The textbook's lifetimes, against annuities worked out here."""

from pathlib import Path

import pytest

from tests.experiments.running import number, run, tables, told

NAME = "lifetime_examples"
BRANDS = "What brands count on, USD"


def annuity(rate: float, years: int, at_end: bool = False) -> float:
    return sum((1 + rate) ** -(t + at_end) for t in range(years))


@pytest.mark.jit
def test_values(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=20000", columns=80)
    assert (done.returncode, done.stderr) == (0, "")
    found = tables(done.stdout)
    rates = (0.05, 0.10, 0.15)
    fixed = [100 * annuity(rate, 10, at_end) - 80 for at_end in (False, True) for rate in rates]
    geometric = [100 / (1 - 0.9 / (1 + rate)) - 80 for rate in (0, 0.10, 0.15)]
    for title, expected in (("A customer's value", [920, *fixed, *geometric]), (BRANDS, [11_000, 25_000, 72_000, 220 * annuity(0.10, 50)])):
        rows = [[number(word) for word in row[-3:]] for row in found[title][1:] if row[0] != "…"]
        assert [row[0] for row in rows] == pytest.approx(expected, abs=0.0051 if title != BRANDS else 0.51)
        assert all(abs(simulated - exact) <= 5 * se + 0.01 for exact, simulated, se in rows)
    spreads = [[number(word) for word in row[-2:]] for row in found["A customer's value"] if row[0] == "…"]
    assert spreads[0][0] == 948.68  # 100 (0.9 / 0.01)^(1/2)
    assert len(spreads) == 3
    assert all(simulated == pytest.approx(exact, rel=0.05) for exact, simulated in spreads)


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
