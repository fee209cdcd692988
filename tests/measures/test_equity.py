"""Customer equity and replicates against lives taken one by one."""

import numpy as np
import pytest

from sim.kernels.types import UNIT
from sim.measures import equity
from sim.scenario.sample import cells
from tests.measures import cases, twin

SCENARIO = cases.relationship()
LIVES = twin.lives(SCENARIO)
SAMPLE = twin.sample(SCENARIO, LIVES)
CELLS = cells(SCENARIO)
CELL, REPLICATE = (np.array([getattr(life, name) for life in LIVES]) for name in ("cell", "replicate"))
WORTH = np.array([twin.worth(life) for life in LIVES]) / UNIT
FACTOR = SCENARIO.discount_factor
SCALE = [cell.firm * FACTOR**cell.arrival for cell in CELLS]
COSTS = 500 * (FACTOR**2 + FACTOR**3) + 100 + 10 * sum(FACTOR**y for y in range(3 + 9))


def test_equity_is_discounted_clv_of_the_firm_less_its_costs() -> None:
    frame = equity.equity(SAMPLE)
    values = [WORTH[g == CELL] for g in range(len(CELLS))]
    whole = cases.part(frame).iloc[0]
    assert whole["customers"] == sum(cell.firm for cell in CELLS)
    assert whole["equity"] == pytest.approx(sum(s * y.mean() for s, y in zip(SCALE, values, strict=True)) - COSTS)
    assert whole["se"] == pytest.approx(np.sqrt(sum(s**2 * y.var(ddof=1) / y.size for s, y in zip(SCALE, values, strict=True))))
    later = cases.part(frame, "cohort", "later.3").iloc[0]
    assert later["budget"] == pytest.approx(500 * FACTOR**3)
    assert later["equity"] == pytest.approx(sum(SCALE[g] * values[g].mean() for g in (4, 5)) - 500 * FACTOR**3)
    for by in ("segment", "cohort"):
        part = cases.part(frame, by)
        assert part["equity"].sum() == pytest.approx(whole["equity"] + whole["firm_cost"])
        assert np.sqrt((part["se"] ** 2).sum()) == pytest.approx(whole["se"])
        assert (part["firm_cost"] == 0).all()


def test_replicates_match_raw_values_and_average_to_the_whole() -> None:
    frame = equity.replicates(SAMPLE)
    share = np.array([cell.share for cell in CELLS])
    for replicate in range(2):
        means = np.array([WORTH[(g == CELL) & (replicate == REPLICATE)].mean() for g in range(len(CELLS))])
        assert frame["clv"][replicate] == pytest.approx(share @ means)
        assert frame["equity"][replicate] == pytest.approx(np.array(SCALE) @ means - COSTS)
    assert frame["equity"].mean() == pytest.approx(equity.equity(SAMPLE)["equity"].iloc[0])
    assert frame["replicate"].tolist() == [0, 1]


def test_equity_has_no_error_where_a_cell_was_drawn_once() -> None:
    scenario = cases.relationship(run={"customers": 6})
    frame = equity.equity(twin.sample(scenario, twin.lives(scenario)))
    assert np.isfinite(frame["equity"]).all()
    assert np.isnan(frame["se"].iloc[0])
