"""A magazine's 1,000 subscribers: the referee against the book's table, cell by cell."""

import math
from typing import Any

import numpy as np
import pytest

from sim.exact import Exact
from tests.exact.answers import LOST, answer, half_up

CHURN = (0.40, 0.35, 0.30, 0.25, 0.22, 0.21, 0.20)


def publisher(churn: tuple[float, ...] = CHURN, **keys: Any) -> Exact:
    stage = {"price": [35.9, 75.9], "cost_to_serve": 30.0, "to": {"lost": {"probability": churn}}}
    return answer(horizon=10, discount_rate_annual=0.15, stages={"s": stage, "lost": LOST}, acquisition={"cost": 50.0}, **keys)


SURVIVORS = (1000, 600, 390, 273, 204.75, 159.705, 126.16695, 100.93356, 80.746848, 64.5974784)
REVENUE = (35900, 45540, 29601, 20720.70, 15540.525, 12121.610, 9576.072, 7660.857, 6128.686, 4902.949)
COST = (30000, 18000, 11700, 8190, 6142.50, 4791.150, 3785.009, 3028.007, 2422.405, 1937.924)
PROFIT = (5900, 27540, 17901, 12530.70, 9398.025, 7330.460, 5791.063, 4632.850, 3706.280, 2965.024)
PRESENT_VALUE = (5900, 23947.826, 13535.728, 8239.139, 5373.351, 3644.534, 2503.636, 1741.660, 1211.590, 842.845)

PRINTED = {
    "survivors": (1000, 600, 390, 273, 205, 160, 126, 101, 81, 65),
    "revenue": (35900, 45540, 29601, 20721, 15541, 12136, 9563, 7661, 6129, 4903),
    "cost": (30000, 18000, 11700, 8190, 6143, 4797, 3780, 3028, 2422, 1938),
    "profit": (5900, 27540, 17901, 12531, 9398, 7339, 5783, 4633, 3706, 2965),
    "present_value": (5900, 23948, 13536, 8239, 5373, 3645, 2504, 1742, 1212, 842),
}
MISPRINTS = {("revenue", 6), ("revenue", 7), ("cost", 6), ("cost", 7), ("profit", 6), ("profit", 7), ("present_value", 10)}


def publisher_table() -> dict[str, Any]:
    found = publisher()
    growth = 1.15 ** np.arange(10)
    revenue, cost = found.cash["purchase"] * growth * 1000, -found.cash["service"] * growth * 1000
    worth = (found.cash["purchase"] + found.cash["service"]) * 1000
    return {
        "survivors": found.survival[:10] * 1000,
        "revenue": revenue,
        "cost": cost,
        "profit": revenue - cost,
        "present_value": worth,
    }


def test_publisher_columns_are_the_exact_ones() -> None:
    table = publisher_table()
    assert table["survivors"] == pytest.approx(SURVIVORS, abs=1e-9)
    for name, values in (("revenue", REVENUE), ("cost", COST), ("profit", PROFIT), ("present_value", PRESENT_VALUE)):
        assert table[name] == pytest.approx(values, abs=5.01e-4), name
    assert table["revenue"].sum() == pytest.approx(187_692.40, abs=5e-3)
    assert table["cost"].sum() == pytest.approx(89_997.00, abs=5e-3)
    assert table["profit"].sum() == pytest.approx(97_695.40, abs=5e-3)
    assert table["present_value"].sum() == pytest.approx(66_940.31, abs=5e-3)


def test_publisher_prints_all_but_the_known_misprints() -> None:
    table = publisher_table()
    off = {(name, y + 1) for name, row in PRINTED.items() for y, cell in enumerate(row) if half_up(table[name][y]) != cell}
    assert off == MISPRINTS


def test_publisher_misprints_have_their_known_causes() -> None:
    assert [half_up(205 * 0.78 * money) for money in (75.9, 30.0, 45.9)] == [12136, 4797, 7339]
    assert [half_up(126 * money) for money in (75.9, 30.0, 45.9)] == [9563, 3780, 5783]
    assert math.floor(publisher_table()["present_value"][9]) == 842


def test_publisher_value_and_spread() -> None:
    found = publisher()
    assert found.clv_before_mean == pytest.approx(66.94031, abs=5e-6)
    assert found.clv_mean == pytest.approx(16.94031, abs=5e-6)
    assert found.clv_sd == pytest.approx(69.7026, abs=5e-5)
    assert found.clv_before_sd == pytest.approx(69.7026, abs=5e-5)
    assert (half_up(found.clv_before_mean or 0), half_up(found.clv_mean or 0)) == (67, 17)
    assert found.periods_per_stage["s"] == pytest.approx(2.99990, abs=5e-6)
    years = [*(-np.diff(found.survival[:10])), found.survival[9]]
    expected = (0.4, 0.21, 0.117, 0.06825, 0.045045, 0.0335381, 0.0252334, 0.0201867, 0.0161494, 0.0645975)
    assert years == pytest.approx(expected, abs=5.01e-8)
    paid = np.cumsum([sum(found.cash[column][t] for column in ("purchase", "service")) for t in range(10)])
    assert paid[2:4] * 1000 == pytest.approx([43_384, 51_623], abs=0.5)


def test_publisher_end_of_year_timing_does_not_match_the_book() -> None:
    found = publisher(timing={"purchase": "end", "service": "end"})
    assert found.clv_before_mean == pytest.approx(58.20896, abs=5e-6)


RENEWAL = tuple(1.0 - churn for churn in (*CHURN, 0.20, 0.20))


@pytest.mark.parametrize(
    ("name", "renewal", "value", "net", "gain"),
    [
        ("+2 points", [r + 0.02 for r in RENEWAL], 71.9902, 21.9902, 29.8),
        ("times 1.02", [r * 1.02 for r in RENEWAL], 70.2399, 20.240, 19.5),
        ("+2 points once", [RENEWAL[0] + 0.02, *RENEWAL[1:]], 68.9750, 18.975, 12.0),
        ("churn times .98", [1 - 0.98 * (1 - r) for r in RENEWAL], 68.5999, 18.600, 9.8),
        ("+2, +4, +6", [r + 0.02 * (t + 1) for t, r in enumerate(RENEWAL)], 81.0204, 31.020, 83.1),
        ("0, +2, +4", [r + 0.02 * t for t, r in enumerate(RENEWAL)], 74.8091, 24.809, 46.5),
        ("1.02**t from 1", [r * 1.02 ** (t + 1) for t, r in enumerate(RENEWAL)], 76.7780, 26.78, 58.1),
        ("1.02**t from 0", [r * 1.02**t for t, r in enumerate(RENEWAL)], 72.7297, 22.73, 34.2),
    ],
)
def test_readings_of_two_percent_more_renewals(name: str, renewal: list[float], value: float, net: float, gain: float) -> None:
    found = publisher(tuple(1.0 - r for r in renewal))
    base = publisher().clv_mean or 0.0
    assert found.clv_before_mean == pytest.approx(value, abs=5.1e-5), name
    assert found.clv_mean == pytest.approx(net, abs=5.1e-3), name
    assert half_up(100 * ((found.clv_mean or 0) / base - 1), 1) == gain, name
    assert half_up(100 * ((found.clv_mean or 0) / base - 1)) != 25, "the printed gain has no reading"


def test_cohort_table_pools_unchanged_schedules() -> None:
    survivors = publisher().survival[:10] * 1000
    for rounded, rates, totals in (
        (
            False,
            (60.0, 61.8750, 63.4673, 64.8586, 65.9489, 70.8850, 74.9427, 77.7628, 79.1533),
            (1000, 1600, 1990, 2263, 2467.75, 1627.455, 1153.622, 864.556, 672.302, 532.150),
        ),
        (
            True,
            (60.0, 61.8750, 63.4673, 64.8696, 65.9643, 70.8845, 74.9567, 77.8035, 79.1976),
            (1000, 1600, 1990, 2263, 2468, 1628, 1154, 865, 673, 533),
        ),
    ):
        line = np.array([half_up(value) for value in survivors]) if rounded else survivors
        total = [sum(line[y - c] for c in range(5) if 0 <= y - c < 10) for y in range(10)]
        pooled = [100 * (total[y + 1] - (1000 if y + 1 < 5 else 0)) / total[y] for y in range(9)]
        assert total == pytest.approx(totals, abs=5.1e-4)
        assert pooled == pytest.approx(rates, abs=5.1e-5)


def test_cohorts_without_a_calendar_are_alike() -> None:
    found = publisher(cohorts={"yearly": {"periods": 5, "customers": 1000}})
    assert list(found.by_cohort) == [0, 1, 2, 3, 4]
    assert {m.clv_mean for m in found.by_cohort.values()} == {found.by_cohort[0].clv_mean}
    assert found.clv_mean == pytest.approx(16.94031, abs=5e-6)
