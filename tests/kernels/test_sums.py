"""Two-word totals: however many amounts are added, none is lost."""

import numpy as np
import pytest

import sim
from sim.compile import compile_tables
from sim.engine import arrays
from sim.kernels.sums import FULL, add, add_products, add_square
from sim.kernels.types import GROUP
from sim.scenario import read
from sim.studies.arms import Arm
from sim.studies.compare import compared
from tests import zoo

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


def test_squares_that_do_not_fit_are_refused() -> None:
    found = sim.simulate(rich(2000)).clv.loc[0]
    share = found["mean"] / 4.2e9
    assert share == pytest.approx(0.5, abs=0.05)
    assert found["sd"] == pytest.approx(4.2e9 * (share * (1 - share) * 2000 / 1999) ** 0.5, rel=1e-12)
    with pytest.raises(sim.ScenarioError, match=r"purchases: squares .* count money in thousands"):
        sim.simulate(rich(2500))


def test_squares_that_have_not_fitted_stay_so() -> None:
    """Whatever is added, within a thread or between two: it is told from what fits."""
    total, most = np.zeros(2, np.int64), GROUP * (2**26 - 1) ** 2
    for count in range(1, MANY):
        add_products(total, np.int64(most), np.int64(most), np.int64(most))
        assert total[0] >= FULL
        assert 0 <= total[1] < 2**52
        assert count > 1 or total[0] < FULL + 2**13
    tallies = [arrays.empty_tally(compile_tables(zoo.scenario("chain")), 3, 1) for _ in range(2)]
    for tally in tallies:
        tally.moments[0, 0, 0, 0, 4] = FULL // 2 - 1
    arrays.merge(tallies[0], tallies[1])
    with pytest.raises(sim.ScenarioError, match="squares"):
        arrays.merge(tallies[0], tallies[1])
    tallies[1].moments[0, 0, 0, 0, 4] = tallies[0].moments[0, 0, 0, 0, 4] = FULL + 2**12
    with pytest.raises(sim.ScenarioError, match="squares"):
        arrays.merge(tallies[0], tallies[1])


@pytest.mark.jit
def test_squares_of_what_policies_cost_and_bring_are_refused_too() -> None:
    """Costs and gains that cancel: nobody's CLV tells of them."""
    policy = {"cost": {"per_uptake": 1e9}, "effects": {"margin": 1.0}, "lasts": 1, "uptake": 0.5}
    stages = {"customer": {"price": 1e9, "margin": 0.0, "to": {"lost": {"probability": 0.1}}}, "lost": {"kind": "lost"}}
    plain = {"period": "year", "horizon": 1, "discount_rate_annual": 0.0, "start": "customer", "stages": stages}
    for customers, fits in ((20_000, True), (60_000, False)):
        none, swap = (read({**plain, "policies": some, "run": {"customers": customers}}, "swap") for some in ({}, {"swap": policy}))
        arms = Arm("none", (), none), Arm("swap", ("swap",), swap)
        if fits:
            found = compared(none, arms, "none").paired.tally.paired[0, 0]
            assert (found[2:4, 5] > 2**59).all()
            assert not found[:2, 0].any()
        else:
            with pytest.raises(sim.ScenarioError, match="squares"):
                compared(none, arms, "none")


def test_squares_of_a_full_group_at_the_bound() -> None:
    """Each column is rounded up by itself, beyond what all together come to."""
    most = 2**26 - 2
    worth = {"price": most - 20.5, "information": 10.5, "fees": 5.5, "knowledge": 4.5}
    stage = {**{key: units / 2.0**20 for key, units in worth.items()}, "to": {"lost": {"probability": 0.1}}}
    stages = {"customer": stage, "lost": {"kind": "lost"}}
    raw = {"period": "year", "horizon": 1, "discount_rate_annual": 0.0, "start": "customer", "stages": stages, "run": {"customers": GROUP}}
    result = sim.simulate(read(raw, "bound"))
    high, low = (int(word) for word in result.outcome.tally.cash_square[0, 0, 0])
    shift = int(result.tables_read.square_shift[0])
    assert high * 2**52 + low == GROUP * ((most + 2) >> shift) ** 2
