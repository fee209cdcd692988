"""The level of the relationship along a life that is known: the shape that relationship marketing describes (Dwyer, Schurr and Oh 1987).

Slow rise in investigation, fast in formation to 85 % or more of the peak, slow in stability, where the peak lies, fast fall in decline;
profit rises from investigation to formation to stability.
"""

from typing import Any

import numpy as np
import pytest

import sim
from sim.exact import exact
from sim.kernels.types import COLUMNS, FEELINGS, FELT, UNIT
from sim.scenario import read

pytestmark = pytest.mark.jit

LIVES = {"investigation": 6, "formation": 8, "stability": 14, "decline": 8}
"""Periods that everybody spends in each stage, one after the other."""

LEVELS = {
    "investigation": {"target": 0.3, "speed": 0.08},
    "formation": {"target": 1.0, "speed": 0.25},
    "stability": {"target": 1.0, "speed": 0.1},
    "decline": {"target": 0.0, "speed": 0.35},
}
CUSTOMERS = 50


def life(lives: dict[str, int], **purchases: Any) -> sim.Result:
    """Simulate customers who all live through the stages for so many periods."""
    ways = dict(zip(lives, [*list(lives)[1:], "lost"], strict=True))
    stages: dict[str, Any] = {"lost": {"kind": "lost"}}
    for name, periods in lives.items():
        sure = {"probability": [0.0] * (periods - 1) + [1.0]}
        stages[name] = {"price": 10.0, "cost_to_serve": 1.0, "level": LEVELS[name], "to": {ways[name]: sure}}
    raw = {"period": "month", "horizon": sum(lives.values()), "start": next(iter(lives)), "stages": stages, "level": {}, **purchases}
    return sim.simulate(read({**raw, "run": {"customers": CUSTOMERS}}))


def level(result: sim.Result) -> np.ndarray:
    """Return the mean level by tenure, of customers who are all active."""
    return np.asarray(result.outcome.tally.feelings[0, :, :, FEELINGS.index("level"), 0].sum(axis=0) / FELT / CUSTOMERS)


def by_stage(values: np.ndarray, lives: dict[str, int]) -> dict[str, np.ndarray]:
    return dict(zip(lives, np.split(values, np.cumsum(list(lives.values()))[:-1]), strict=True))


def test_shape() -> None:
    found = level(life(LIVES))
    steps = by_stage(np.diff(found, prepend=0.0), LIVES)
    held = by_stage(found, LIVES)
    assert all((steps[name] > 0).all() for name in ("investigation", "formation", "stability"))
    assert (steps["decline"] < 0).all()
    pace = {name: abs(float(values.mean())) for name, values in steps.items()}
    assert pace["formation"] > 4 * pace["investigation"]
    assert pace["formation"] > 4 * pace["stability"]
    assert pace["decline"] > pace["formation"]
    assert found.argmax() == sum(LIVES.values()) - LIVES["decline"] - 1  # the last period of stability
    assert held["formation"][-1] >= 0.85 * found.max()
    assert held["formation"][-2] < held["stability"][0]
    assert held["decline"][-1] < 0.05 * found.max()


@pytest.mark.parametrize("last", ["investigation", "formation", "stability"])
def test_decline_starts_from_the_level_the_customer_had(last: str) -> None:
    before = dict(list(LIVES.items())[: list(LIVES).index(last) + 1])
    lives = {**before, "decline": 5}
    held = by_stage(level(life(lives)), lives)
    speed = LEVELS["decline"]["speed"]
    assert held["decline"] == pytest.approx(held[last][-1] * (1 - speed) ** np.arange(1, 6), abs=2 / FELT)


def test_profit_rises_with_the_relationship() -> None:
    result = life(LIVES)
    cash = result.outcome.tally.cash[0, 0].astype(float) @ np.array([2.0**32, 1.0]) / UNIT / CUSTOMERS
    earned = cash[:, COLUMNS.index("purchase")] + cash[:, COLUMNS.index("service")]
    profit = {name: values.mean() for name, values in by_stage(earned, LIVES).items()}
    assert 0 < profit["formation"] < profit["stability"]
    assert profit["investigation"] < profit["formation"]
    assert earned == pytest.approx(10.0 * level(result) - 1.0, abs=10.0 / FELT)


def test_simulated_and_exact_level() -> None:
    """Nothing here is random: simulated is exact up to single precision, and to half a step where it is counted."""
    result = life(LIVES)
    answer = exact(result.scenario)
    assert level(result) == pytest.approx(answer.level, abs=0.5 / FELT + 1e-6)
    row = result.clv.iloc[0]
    assert (row["mean"], row["sd"]) == pytest.approx((answer.clv_mean, 0.0), abs=1e-3)
    assert answer.clv_sd == pytest.approx(0.0, abs=1e-5)


def test_what_level_does_to_orders() -> None:
    """Poisson orders come in proportion to it, and each is worth as much as before."""
    plain: dict[str, Any] = {"kind": "poisson", "rate": 2.0, "order_value": 3.0}
    answer = exact(life(LIVES, purchases=plain).scenario)
    assert answer.orders == pytest.approx(2.0 * answer.level)
    assert answer.cash["purchase"] == pytest.approx(60.0 * answer.level)
    assert answer.clv_sd == pytest.approx(np.sqrt(np.sum(2.0 * answer.level * 30.0**2)))
