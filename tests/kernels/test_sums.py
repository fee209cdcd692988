"""Two-word totals: however many amounts are added, none is lost."""

import numpy as np
import pytest

import sim
from sim.kernels.sums import add, add_products, add_square
from sim.kernels.types import GROUP
from sim.scenario import read

MANY = 6000  # groups: twelve million customers, whose lower words together pass 2**63


@pytest.mark.parametrize("amount", [2**52 - 1, 2**63 - 1, 3])
def test_squares_of_many_groups(amount: int) -> None:
    total = np.zeros(2, np.int64)
    for _ in range(MANY):
        add_square(total, np.int64(amount))
    assert int(total[0]) * 2**52 + int(total[1]) == MANY * amount
    assert 0 <= total[1] < 2**52


def test_products_of_many_groups() -> None:
    a, b = GROUP * (2**15 - 1) ** 2, GROUP * (2**26 - 1) ** 2  # sums over a group of values of some two million, by halves
    cross = GROUP * (2**15 - 1) * (2**26 - 1)
    total = np.zeros(2, np.int64)
    for _ in range(MANY):
        add_products(total, np.int64(a), np.int64(cross), np.int64(b))
    assert int(total[0]) * 2**52 + int(total[1]) == MANY * (a * 2**52 + 2 * cross * 2**26 + b)


def test_money_of_many_groups() -> None:
    total = np.zeros(2, np.int64)
    for _ in range(MANY):
        add(total, np.int64(-(2**62) - 1))
    assert int(total[0]) * 2**32 + int(total[1]) == MANY * (-(2**62) - 1)


def rich(customers: int) -> sim.Scenario:
    """Return a scenario of customers who are worth 4.2 thousand million, or nothing, each by even chance."""
    purchases = {"kind": "bernoulli", "probability": 0.5, "order_value": 4.2e9}
    stages = {"customer": {"to": {"lost": {"probability": 0.1}}}, "lost": {"kind": "lost"}}
    return read(
        {
            "period": "year",
            "horizon": 1,
            "discount_rate_annual": 0.0,
            "start": "customer",
            "purchases": purchases,
            "stages": stages,
            "run": {"customers": customers},
        },
        "rich",
    )


def test_squares_that_may_not_fit_are_refused() -> None:
    found = sim.simulate(rich(2000)).clv.loc[0]
    share = found["mean"] / 4.2e9
    assert share == pytest.approx(0.5, abs=0.05)
    assert found["sd"] == pytest.approx(4.2e9 * (share * (1 - share) * 2000 / 1999) ** 0.5, rel=1e-12)
    with pytest.raises(sim.ScenarioError, match=r"purchases: squares of the CLV of 2,500 customers, of up to 4\.2e\+09 each, .* thousands"):
        sim.simulate(rich(2500))
