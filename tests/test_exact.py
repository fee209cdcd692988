"""The referee against what others published and against closed forms (sources with each test)."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import special

from sim.config import load, scenarios
from sim.exact import Exact, exact
from sim.exact.traits import _beta, _gamma
from sim.scenario.model import Scenario, overlay

LOST = {"kind": "lost"}


def answer(**keys: Any) -> Exact:
    """Return the exact answer; a lone active stage ``s`` with an edge to ``lost`` unless stages are given."""
    base = {"period": "year", "start": "s", "stages": {"s": {"to": {"lost": {}}}, "lost": LOST}}
    found = exact(Scenario.model_validate(overlay(base, keys) if "stages" not in keys or "s" in keys["stages"] else {**base, **keys}))
    assert found.reason is None
    return found


def half_up(value: float, digits: int = 0) -> float:
    """Round as books do."""
    return math.floor(value * 10.0**digits + 0.5 + 1e-9) / 10.0**digits


# A magazine's 1,000 subscribers: the book's table, cell by cell.

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


# Others' numbers.


def test_berger_nasr_first_case() -> None:
    stage = {"price": 260.0, "cost_to_serve": [50.0] * 10 + [0.0], "to": {"lost": {"probability": 0.25}}}
    found = answer(horizon=11, discount_rate_annual=0.2, timing={"service": "mid"}, stages={"s": stage, "lost": LOST})
    assert found.clv_mean == pytest.approx(568.7831, abs=5e-5)


def recency(last: int, start: str, horizon: Any) -> Exact:
    """Return Pfeifer and Carraway's (2000) customer, given up after ``last`` periods without an order."""
    chances = (0.3, 0.2, 0.15, 0.05)[:last]
    stages: dict[str, Any] = {"former": LOST}
    for k, p in enumerate(chances, 1):
        onward = f"recency{k + 1}" if k < last else "former"
        stages[f"recency{k}"] = {"price": 40.0 if k == 1 else 0.0, "cost_to_serve": 4.0}
        stages[f"recency{k}"]["to"] = {"recency1": {"probability": p}, onward: {"probability": 1.0 - p}}
    return answer(horizon=horizon, discount_rate_annual=0.2, start=start, stages=stages)


@pytest.mark.parametrize(
    ("last", "horizon", "values", "spread"),
    [
        (4, "inf", (52.320, 5.554, 1.251, -1.820), (28.076, 25.053, 20.275, 10.847)),
        (4, 5, (50.115, 4.220, 0.592, -1.980), ()),
        (3, "inf", (53.149, 6.621, 2.644), ()),
        (2, "inf", (51.574, 4.596), ()),
        (1, "inf", (48.000,), ()),
    ],
)
def test_recency_chain(last: int, horizon: Any, values: tuple[float, ...], spread: tuple[float, ...]) -> None:
    found = [recency(last, f"recency{k}", horizon) for k in range(1, last + 1)]
    assert [one.clv_mean for one in found] == pytest.approx(values, abs=5.01e-4)
    assert [one.clv_sd for one in found][: len(spread)] == pytest.approx(spread, abs=5.01e-4)


@pytest.mark.parametrize(
    ("rate", "multiples"),
    [
        (0.10, (1.20, 1.75, 2.67, 4.50)),
        (0.12, (1.15, 1.67, 2.50, 4.09)),
        (0.14, (1.11, 1.59, 2.35, 3.75)),
        (0.16, (1.07, 1.52, 2.22, 3.46)),
    ],
)
def test_margin_multiples(rate: float, multiples: tuple[float, ...]) -> None:
    for retention, multiple in zip((0.6, 0.7, 0.8, 0.9), multiples, strict=True):
        found = answer(
            horizon="inf",
            discount_rate_annual=rate,
            stages={"s": {"price": [0.0, 1.0], "to": {"lost": {"probability": 1 - retention}}}, "lost": LOST},
        )
        assert found.clv_mean == pytest.approx(retention / (1 + rate - retention), rel=1e-12)
        assert half_up(found.clv_mean or 0, 2) == multiple


@pytest.mark.parametrize(("growth", "multiple"), [(0.0, 4.09), (0.02, 4.46), (0.04, 4.89), (0.06, 5.42), (0.08, 6.08)])
def test_margin_multiples_with_growth(growth: float, multiple: float) -> None:
    found = answer(
        horizon=400,
        discount_rate_annual=0.12,
        calendar={"margin": {"growth_annual": growth}},
        stages={"s": {"price": [0.0, 1.0], "to": {"lost": {"probability": 0.1}}}, "lost": LOST},
    )
    value = (found.clv_mean or 0) / (1 + growth)  # the formula grows from the second year on
    assert value == pytest.approx(0.9 / (1.12 - 0.9 * (1 + growth)), rel=1e-12)
    assert half_up(value, 2) == multiple


HIGH_END, REGULAR = (0.66808835, 3.806095), (0.70407728, 1.18204296)


def shifted_beta_geometric(a: float, b: float, **keys: Any) -> Exact:
    return answer(**{"horizon": 12, "stages": {"s": {"to": {"lost": {"beta": {"a": a, "b": b}}}}, "lost": LOST}, **keys})


@pytest.mark.parametrize(
    ("fit", "survival", "retention"),
    [
        (
            HIGH_END,
            (0.851, 0.747, 0.670, 0.610, 0.562, 0.522, 0.489, 0.460, 0.436, 0.414, 0.395, 0.378),
            (0.851, 0.878, 0.897, 0.911, 0.921, 0.929, 0.936, 0.942, 0.946, 0.950, 0.954, 0.957),
        ),
        (
            REGULAR,
            (0.627, 0.474, 0.388, 0.332, 0.292, 0.262, 0.239, 0.220, 0.204, 0.191, 0.180, 0.170),
            (0.627, 0.756, 0.819, 0.856, 0.880, 0.898, 0.911, 0.921, 0.929, 0.935, 0.941, 0.945),
        ),
    ],
)
def test_shifted_beta_geometric(fit: tuple[float, float], survival: tuple[float, ...], retention: tuple[float, ...]) -> None:
    a, b = fit
    found = shifted_beta_geometric(a, b)
    t = np.arange(13)
    assert found.survival == pytest.approx(special.beta(a, b + t) / special.beta(a, b), rel=1e-12)
    assert found.retention == pytest.approx((b + t[1:] - 1) / (a + b + t[1:] - 1), rel=1e-12)
    assert [half_up(value, 3) for value in found.survival[1:]] == list(survival)
    assert [half_up(value, 3) for value in found.retention] == list(retention)
    assert found.node_error < 1e-10


@pytest.mark.parametrize(
    ("fit", "values"),
    [(HIGH_END, {0.05: 8.741, 0.10: 5.922, 0.15: 4.690, 0.20: 3.976}), (REGULAR, {0.05: 4.958, 0.10: 3.695, 0.15: 3.106, 0.20: 2.749})],
)
def test_discounted_expected_lifetime(fit: tuple[float, float], values: dict[float, float]) -> None:
    a, b = fit
    for rate, value in values.items():
        found = shifted_beta_geometric(a, b, horizon="inf", discount_rate_annual=rate)
        assert found.clv_mean == pytest.approx(special.hyp2f1(1, b, a + b, 1 / (1 + rate)), rel=1e-11)
        assert half_up(found.clv_mean or 0, 3) == value


def test_three_digits_of_the_fit_print_another_lifetime() -> None:
    found = shifted_beta_geometric(0.668, 3.806, horizon="inf", discount_rate_annual=0.1)
    assert half_up(found.clv_mean or 0, 3) == 5.923


@pytest.mark.parametrize(
    ("fit", "values"),
    [
        (HIGH_END, (5.414, 5.901, 6.294, 6.620, 6.897, 7.136, 7.345, 7.530)),
        (REGULAR, (2.964, 4.103, 4.870, 5.442, 5.894, 6.264, 6.576, 6.842)),
    ],
)
def test_discounted_expected_residual_lifetime(fit: tuple[float, float], values: tuple[float, ...]) -> None:
    a, b = fit
    for n, value in enumerate(values, 1):  # just before the n-th renewal: survivors are Beta(a, b + n - 1)
        stage = {"price": [0.0, 1.0], "to": {"lost": {"beta": {"a": a, "b": b + n - 1}}}}
        found = answer(horizon="inf", discount_rate_annual=0.1, stages={"s": stage, "lost": LOST})
        assert half_up((found.clv_mean or 0) * 1.1, 3) == value


def test_mean_life_of_a_beta_geometric_is_finite_only_above_one() -> None:
    assert shifted_beta_geometric(3.0, 4.0, horizon="inf", discount_rate_annual=0.1).periods_per_stage["s"] == pytest.approx(3.0, rel=1e-10)
    assert shifted_beta_geometric(*HIGH_END, horizon="inf", discount_rate_annual=0.1).periods_per_stage["s"] == math.inf


def donations(alpha: float, beta: float, gamma: float, delta: float) -> list[float]:
    """Return the expected gifts in 1 to 11 further years: donors first survive, then may give."""
    purchases = {"kind": "bernoulli", "probability": {"a": alpha, "b": beta}, "order_value": 1.0}
    stage = {"orders": [0.0, 1.0], "to": {"lost": {"beta": {"a": gamma, "b": delta}}}}
    found = answer(horizon=12, purchases=purchases, stages={"s": stage, "lost": LOST})
    assert found.orders is not None
    assert found.clv_mean == pytest.approx(found.orders.sum(), rel=1e-12)
    return [half_up(value, 4) for value in np.cumsum(found.orders)[1:]]


def test_donations_bgbb() -> None:
    published = [0.4985, 0.9233, 1.2969, 1.6323, 1.9381, 2.2202, 2.4826, 2.7285, 2.9603, 3.1798, 3.3887]
    assert donations(1.20352227, 0.74971634, 0.65671828, 2.78344282) == published  # most likely values, fitted to the paper's table
    assert donations(1.204, 0.750, 0.657, 2.783)[:3] == [0.4985, 0.9232, 1.2966]  # the three digits printed beside are not enough


def test_pareto_nbd() -> None:
    r, alpha, s, beta = 0.553, 10.578, 0.606, 11.669
    found = answer(
        period="week",
        horizon=78,
        exposure="until_exit",
        frailty={"variance": 1 / s},
        purchases={"kind": "poisson", "rate": {"shape": r, "rate": alpha}},
        stages={"s": {"to": {"lost": {"hazard": s / beta}}}, "lost": LOST},
    )
    assert found.orders is not None
    placed = np.cumsum(found.orders)
    t = np.arange(1, 79)
    assert placed == pytest.approx(r * beta / (alpha * (s - 1)) * (1 - (beta / (beta + t)) ** (s - 1)), rel=1e-9)
    assert [half_up(placed[week - 1], 4) for week in (13, 26, 39, 52, 78)] == [0.5312, 0.9086, 1.2130, 1.4730, 1.9094]
    assert found.survival[1:] == pytest.approx((beta / (beta + t)) ** s, rel=1e-10)


@pytest.mark.parametrize("variance", [1e-6, 0.01, 0.3, 1.0, 4.0, 20.0])
def test_gamma_frailty_against_its_closed_form(variance: float) -> None:
    found = answer(horizon=40, frailty={"variance": variance}, stages={"s": {"to": {"lost": {"hazard": 0.2}}}, "lost": LOST})
    assert found.survival == pytest.approx((1 + variance * 0.2 * np.arange(41)) ** (-1 / variance), rel=1e-9)
    assert found.node_error < 1e-8


# The four-stage reference case.

ROWS: dict[str, dict[str, float]] = {
    "early": {"formed": 0.25, "declining": 0.05, "lost": 0.15},
    "formed": {"stable": 0.25, "declining": 0.08, "lost": 0.07},
    "stable": {"declining": 0.07, "lost": 0.03},
    "declining": {"formed": 0.05, "stable": 0.03, "lost": 0.42},
}
REWARD = {"early": (5.0, 5.0), "formed": (40.0, 15.0), "stable": (60.0, 20.0), "declining": (15.0, 10.0)}
RANK = {"early": 1, "formed": 2, "stable": 3, "declining": None}


def four_stages(start: str = "early", noise: bool = True, final: str | None = None, reward: float | None = None, **keys: Any) -> Exact:
    """Return the case from a start; final: a stage that is made the end; reward: the same in every stage."""
    stages: dict[str, Any] = {"lost": LOST}
    for name, row in ROWS.items():
        mean, spread = REWARD[name]
        stages[name] = {"rank": RANK[name], "price": mean if reward is None else reward, "amount_cv": spread / mean if noise else 0.0}
        stages[name]["to"] = {target: {"probability": p} for target, p in row.items()}
    if final:
        stages[final] = LOST
    purchases = {"kind": "bernoulli", "probability": 1.0, "order_value": 1.0, "amount": {"distribution": "gamma"}}
    return answer(**{"horizon": "inf", "start": start, "stages": stages, "purchases": purchases, "discount_rate_annual": 0.1, **keys})


def test_four_stages_values() -> None:
    found = [four_stages(name) for name in ROWS]
    assert [one.clv_mean for one in found] == pytest.approx((141.5801, 275.8402, 353.8629, 68.1798), abs=5.01e-5)
    assert [one.clv_sd for one in found] == pytest.approx((157.1587, 177.9952, 178.8525, 113.3856), abs=5.01e-5)
    assert four_stages(noise=False).clv_sd == pytest.approx(155.5315, abs=5.01e-5)
    found = [four_stages(name, discount_rate_annual=0.0) for name in ROWS]
    assert [one.clv_mean for one in found] == pytest.approx((334.0540, 555.9128, 688.8454, 126.9220), abs=5.01e-5)
    assert [one.clv_sd for one in found] == pytest.approx((540.0757, 614.5441, 640.7042, 336.1950), abs=5.01e-5)


def test_four_stages_durations() -> None:
    found = four_stages()
    periods = [found.periods_per_stage[name] for name in ROWS]
    assert periods == pytest.approx((2.222222, 1.518964, 4.109589, 1.040599), abs=5.01e-7)
    life = four_stages(noise=False, reward=1.0, discount_rate_annual=0.0)
    assert (life.clv_mean, life.clv_sd) == pytest.approx((8.891374, 9.915323), abs=5.01e-7)
    reached = [four_stages(final=name).visits_per_stage[name] for name in ("formed", "stable", "declining")]
    assert reached == pytest.approx((0.567154, 0.375000, 0.465278), abs=5.01e-7)


def test_four_stages_in_time() -> None:
    found = four_stages(horizon=600)
    assert found.survival[1:6] == pytest.approx((0.85, 0.729, 0.630955, 0.551100, 0.485514), abs=5.01e-7)
    assert found.retention[300] == pytest.approx(0.912272, abs=5.01e-7)
    left = [found.flows[f"{name}.lost"].sum() for name in ROWS]
    assert left == pytest.approx((0.333333, 0.106327, 0.123288, 0.437052), abs=5.01e-7)
    endless = four_stages()
    assert (found.clv_mean, found.clv_sd) == pytest.approx((endless.clv_mean, endless.clv_sd), rel=1e-12)
    assert found.visits_per_stage == pytest.approx(endless.visits_per_stage, rel=1e-12)


def test_four_stages_patterns() -> None:
    stages: dict[str, Any] = {"lost": LOST}
    for name in ("early", "formed", "stable"):
        row = dict(ROWS[name])
        row["lost"] += row.pop("declining")
        stages[name] = {"rank": RANK[name], "to": {target: {"probability": p} for target, p in row.items()}}
    keys: dict[str, Any] = {"start": "early", "stages": stages, "discount_rate_annual": 0.1, "patterns": {"long_lasting": 8}}
    expected = {"early_lapse": 0.444444, "midway_lapse": 0.208333, "early_retreat": 0.181147, "long_lasting": 0.166075}
    for horizon in ("inf", 500):
        found = answer(horizon=horizon, **keys)
        assert {key: found.patterns[key] for key in expected} == pytest.approx(expected, abs=5.01e-7)
        assert found.patterns["unconverted"] == 0.0
        assert found.patterns["open"] == pytest.approx(0.0, abs=1e-15)


def test_long_lasting_beyond_the_horizon_is_never_reached() -> None:
    keys: dict[str, Any] = {"horizon": 5, "stages": {"s": {"rank": 3, "to": {"lost": {"probability": 0.2}}}, "lost": LOST}}
    assert answer(patterns={"long_lasting": 6}, **keys).patterns["long_lasting"] == 0.0
    assert answer(patterns={"long_lasting": 5}, **keys).patterns["long_lasting"] == pytest.approx(0.8**4)


# Simple lives.


def test_fixed_life() -> None:
    stage = {"price": 100.0, "to": {"lost": {"probability": [0.0] * 9 + [1.0]}}}
    keys: dict[str, Any] = {"stages": {"s": stage, "lost": LOST}, "acquisition": {"cost": 80.0}}
    for horizon in (10, 15, "inf"):
        found = answer(horizon=horizon, **keys)
        assert (found.clv_mean, found.clv_sd) == pytest.approx((920.0, 0.0), abs=1e-9)
    for when, shift in (("start", 0), ("mid", 0.5), ("end", 1)):
        found = answer(horizon=10, discount_rate_annual=0.1, timing={"purchase": when}, **keys)
        assert found.clv_mean == pytest.approx(sum(100 * 1.1 ** -(t + shift) for t in range(10)) - 80, rel=1e-13)
        assert found.clv_sd == 0.0


def test_geometric_life() -> None:
    stage = {"price": 100.0, "to": {"lost": {"mean_duration": 10.0}}}
    found = answer(horizon="inf", stages={"s": stage, "lost": LOST}, acquisition={"cost": 80.0})
    assert found.clv_mean == pytest.approx(920.0, rel=1e-13)
    assert found.clv_sd == pytest.approx(948.68, abs=5e-3)


def test_rates_of_another_period_are_converted_as_hazards() -> None:
    stage = {"to": {"lost": {"probability": 0.4, "rate_period": "year"}}}
    found = answer(period="month", horizon=24, stages={"s": stage, "lost": LOST})
    assert found.survival[[12, 24]] == pytest.approx([0.6, 0.36], rel=1e-13)


def test_weibull_survival() -> None:
    stage = {"to": {"lost": {"weibull": {"shape": 1.7, "scale": 6.0}}}}
    found = answer(horizon=15, stages={"s": stage, "lost": LOST})
    assert found.survival == pytest.approx(np.exp(-((np.arange(16) / 6.0) ** 1.7)), rel=1e-12)


# Answers that there are not.

WEIBULL = {"to": {"lost": {"weibull": {"shape": 2.0, "scale": 5.0}}}}
THREE_TRAITS = {
    "lost": {"beta": {"a": 1.0, "b": 1.0}},
    "t": {"beta": {"a": 1.0, "b": 2.0}},
    "other": {"target": "lost", "hazard": 0.1},
}
RARE = {"kind": "bernoulli", "probability": {"a": 1.0, "b": 1.0}, "order_value": 1.0}


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (
            {"horizon": "inf", "stages": {"s": WEIBULL, "lost": LOST}},
            "stages.s.to.lost.weibull: changes with stage age for ever, under horizon: inf",
        ),
        ({"horizon": "inf", "calendar": {"orders": {"multiplier": [1.0, 2.0]}}}, "calendar.orders: changes for ever, under horizon: inf"),
        ({"horizon": "inf", "stages": {"s": {}}}, "horizon: the sum of all future cash diverges"),
        (
            {"horizon": "inf", "stages": {"s": {"to": {"lost": {"beta": {"a": 0.9, "b": 2.0}}}}, "lost": LOST}},
            "horizon: over customers the mean of all future cash is infinite",
        ),
        (
            {
                "horizon": 5,
                "frailty": {"variance": 1.0, "edges": ("s.other",)},
                "stages": {"s": {"to": THREE_TRAITS}, "t": {}, "lost": LOST},
            },
            "more than two traits mixed: frailty, stages.s.to.lost.beta, stages.s.to.t.beta",
        ),
        (
            {"horizon": 5, "purchases": RARE, "calendar": {"orders": {"multiplier": [1.0, 1.5]}}},
            "orders: a factor above 1 on an ordering chance that differs between customers",
        ),
    ],
)
def test_a_missing_answer_names_its_reason(keys: dict[str, Any], reason: str) -> None:
    base: dict[str, Any] = {"period": "year", "start": "s", "stages": {"s": {"to": {"lost": {"probability": 0.2}}}, "lost": LOST}}
    found = exact(Scenario.model_validate({**base, **keys}))
    assert (found.reason or "").startswith(reason)
    assert (found.clv_mean, found.clv_sd, len(found.survival)) == (None, None, 0)
    segments = {"one": {"share": 0.5}, "two": {"share": 0.5}}
    split = exact(Scenario.model_validate({**base, **keys, "segments": segments}))
    assert split.reason == f"segments.one: {found.reason}"


def test_an_infinite_variance_leaves_the_mean() -> None:
    purchases = {"kind": "bernoulli", "probability": {"a": 0.8, "b": 1.0}, "wallet": 10.0}
    found = answer(horizon=5, purchases=purchases, stages={"s": {"to": {"lost": {"probability": 0.2}}}, "lost": LOST})
    assert found.clv_mean == pytest.approx(10 * (1 - 0.8**5) / 0.2)
    assert found.clv_sd is None
    assert found.sd_reason is not None
    beta = answer(horizon="inf", stages={"s": {"to": {"lost": {"beta": {"a": 1.5, "b": 2.0}}}}, "lost": LOST})
    assert beta.clv_mean == pytest.approx(5.0, rel=1e-9)
    assert beta.clv_sd is None


SHIPPED = {
    "publisher": 16.94031,
    "publisher_plus2": 21.9902,
    "publisher_cohorts": 16.94031,
    "berger_nasr_1": 568.7831,
    "recency_chain": 52.320,
    "recency_chain_stop3": 53.149,
    "fixed_life": 920.0,
    "four_stage_reference": 141.5801,
}


@pytest.mark.parametrize("name", scenarios())
def test_every_scenario_that_ships_has_an_exact_answer(name: str) -> None:
    found = exact(load(name))
    assert found.reason is None
    assert found.sd_reason is None
    assert found.clv_mean is not None
    if name in SHIPPED:
        assert found.clv_mean == pytest.approx(SHIPPED[name], rel=1e-5)
    assert sum(found.patterns.values()) == pytest.approx(1.0, rel=1e-10)
    assert found.node_error < 1e-9


@pytest.mark.parametrize("law", [(0.001, 1.0), (0.001, 0.001), (0.01, 1000.0)])
def test_customers_who_hardly_ever_leave_do_not_stop_the_answer(law: tuple[float, float]) -> None:
    """Against the mean of 1 / (1 - d (1 - p)) by Gauss's series: E = F(1, b; a + b; d) for p ~ Beta(a, b)."""
    a, b = law
    keys: dict[str, Any] = {"horizon": "inf", "stages": {"s": {"price": 1.0, "to": {"lost": {"beta": {"a": a, "b": b}}}}}}
    found = answer(discount_rate_annual=0.1, **keys)
    assert found.clv_mean == pytest.approx(float(special.hyp2f1(1.0, b, a + b, 1.0 / 1.1)), rel=1e-9)
    assert found.periods_per_stage["s"] == math.inf


@pytest.mark.parametrize("variance", [10.0, 25.0])
def test_frailty_of_a_huge_variance(variance: float) -> None:
    """Against the sum of d^t E[exp(-h f t)] = d^t (1 + v h t)^(-1/v)."""
    t = np.arange(600)
    keys: dict[str, Any] = {"horizon": "inf", "stages": {"s": {"price": 1.0, "to": {"lost": {"probability": 0.2}}}}}
    found = answer(discount_rate_annual=0.1, frailty={"variance": variance}, **keys)
    wanted = (1.1**-t * (1.0 - variance * math.log(0.8) * t) ** (-1.0 / variance)).sum()
    assert found.clv_mean == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("horizon", [10, "inf"])
def test_traits_that_hardly_vary_need_few_nodes(horizon: int | str) -> None:
    t = np.arange(10 if horizon == 10 else 600)
    for edge, keys, variance in (
        ({"probability": 0.5}, {"frailty": {"variance": 1e-6}}, 1e-6),
        ({"beta": {"a": 1e12, "b": 1e12}}, {}, 1e-12),
    ):
        stages = {"s": {"price": 1.0, "to": {"lost": edge}}}
        found = answer(horizon=horizon, discount_rate_annual=0.1, stages=stages, **keys)
        wanted = (1.1**-t * np.exp(-np.log1p(variance * math.log(2.0) * t) / variance)).sum()
        assert found.clv_mean == pytest.approx(wanted, rel=1e-10)
    assert len(_gamma(1e12, horizon == "inf").weights) < 2000
    assert len(_beta(1e12, 3e9, horizon == "inf").weights) < 2000
