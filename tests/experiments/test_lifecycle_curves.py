"""Volume and profit add up over the stages to what the whole scenario gives, exact and simulated."""

from pathlib import Path

import pandas as pd
import pytest

import sim
from tests.experiments.running import Done, number, run, tables, told

NAME = "lifecycle_curves"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Path]:
    """Return what one run printed, and its folder."""
    folder = tmp_path_factory.mktemp(NAME)
    return run(NAME, folder, "run.customers=20000"), folder


@pytest.mark.jit
def test_stages_add_up(ran: tuple[Done, Path]) -> None:
    done, folder = ran
    assert (done.returncode, done.stderr) == (0, "")
    found = tables(done.stdout)
    whole = sim.exact(sim.load("markov_lifecycle", "discount_rate_annual=0"))
    profit = found["Profit of a life, USD"][1:]
    assert sum(number(row[-4]) for row in profit) == pytest.approx(whole.clv_before_mean, abs=0.21)
    for title in ("Volume of a life, USD", "Profit of a life, USD"):
        assert all(abs(number(row[-3]) - number(row[-4])) < 5 * (number(row[-2]) + 0.05) + 0.1 for row in found[title][1:])
        monthly = [number(row[-1]) for row in found[title][1:]]
        assert monthly[0] < monthly[1] < monthly[2] > monthly[3]
    months = {row[0]: number(row[1]) for row in found["Months in each stage"][1:]}
    assert months == {stage: pytest.approx(whole.periods_per_stage[stage], abs=0.051) for stage in months}
    drawn = pd.read_csv(folder / "results" / f"{NAME}.csv", header=[0, 1], index_col=0)
    lives = {(title.split()[0], row[0]): number(row[-3]) for title in found for row in found[title][1:] if title.endswith("a life, USD")}
    assert {key: pytest.approx(value, abs=0.051) for key, value in drawn.sum().items()} == lives
    assert (folder / "results" / f"{NAME}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.jit
def test_patterns(ran: tuple[Done, Path]) -> None:
    found = tables(ran[0].stdout)
    exact = sim.exact(sim.load("markov_lifecycle")).patterns
    rows = found["Life patterns, % of customers"][1:]
    assert {row[0]: number(row[1]) for row in rows} == {row[0]: pytest.approx(100 * exact[row[0]], abs=0.051) for row in rows}
    assert all(abs(number(row[2]) - number(row[1])) < 5 * (number(row[3]) + 0.05) for row in rows)
    clv = [number(row[1]) for row in found["Mean CLV of them, USD"][1:]]
    assert clv == sorted(clv)
    assert len(clv) == 4


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
