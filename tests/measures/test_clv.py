"""CLV frames against lives taken one by one."""

import numpy as np
import pandas as pd
import pytest

from sim.kernels.types import UNIT
from sim.measures import clv
from sim.measures.sample import Sample
from sim.measures.sums import QUANTILE_RELATIVE_ERROR, QUANTILES
from sim.scenario.model import Scenario
from sim.scenario.sample import cells
from tests.measures import cases, twin

SCENARIO = cases.relationship()
LIVES = twin.lives(SCENARIO)
KEPT = twin.sample(SCENARIO, LIVES, kept=True)
COUNTED = twin.sample(SCENARIO, LIVES)
CELL = np.array([life.cell for life in LIVES])
FIRM = np.array([cell.firm for cell in cells(SCENARIO)])
WORTH = {
    measure: np.array([twin.worth(life, before) for life in LIVES]) / UNIT
    for measure, before in (("clv", False), ("clv_before_acquisition", True))
}
CONVERTED: np.ndarray = np.array([twin.pattern(SCENARIO, life) != "unconverted" for life in LIVES])


def row(frame: pd.DataFrame, by: str, identity: str, measure: str = "clv") -> pd.Series:
    return frame[(frame["by"] == by) & (frame["id"] == identity) & (frame["measure"] == measure)].iloc[0]


def group_cells(by: str, identity: str) -> np.ndarray:
    group = next(group for group in COUNTED.groups if (group.by, group.id) == (by, identity))
    return group.cells


GROUPS = [("all", "all"), ("segment", "grand"), ("cohort", "launch"), ("cohort", "later.2"), ("cohort", "later.3")]


@pytest.mark.parametrize("measure", ["clv", "clv_before_acquisition"])
@pytest.mark.parametrize(("by", "identity"), GROUPS)
def test_groups_match_raw_values(by: str, identity: str, measure: str) -> None:
    found = row(clv.clv(KEPT), by, identity, measure)
    members = group_cells(by, identity)
    values = [WORTH[measure][g == CELL] for g in members]
    share = FIRM[members] / FIRM[members].sum()
    pooled = np.concatenate(values)
    mean = sum(w * y.mean() for w, y in zip(share, values, strict=True))
    variance = sum(w * (y.var() + (y.mean() - mean) ** 2) for w, y in zip(share, values, strict=True)) * pooled.size / (pooled.size - 1)
    assert found["customers"] == pooled.size
    assert found["share"] == pytest.approx(FIRM[members].sum() / FIRM.sum())
    assert found["mean"] == pytest.approx(mean, rel=1e-12)
    assert found["se"] == pytest.approx(np.sqrt(sum(w**2 * y.var(ddof=1) / y.size for w, y in zip(share, values, strict=True))), rel=1e-12)
    assert found["sd"] == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert found["share_negative"] == pytest.approx(sum(w * (y < 0).mean() for w, y in zip(share, values, strict=True)))
    quantiles = found[["q05", "q25", "q50", "q75", "q95"]].to_numpy(dtype=float)
    np.testing.assert_allclose(quantiles, np.quantile(pooled, QUANTILES), rtol=1e-14)
    assert (found["min"], found["max"]) == (pooled.min(), pooled.max())
    counted = row(clv.clv(COUNTED), by, identity, measure)
    histogram = counted[["q05", "q25", "q50", "q75", "q95"]].to_numpy(dtype=float)
    # a quantile lies between two order statistics, each of which may be off by that share of itself
    nearby = np.maximum(*(np.abs(np.quantile(pooled, QUANTILES, method=side)) for side in ("lower", "higher")))
    assert np.all(np.abs(histogram - quantiles) <= QUANTILE_RELATIVE_ERROR * nearby)
    assert (counted["min"], counted["max"]) == (pooled.min(), pooled.max())


def test_acquired_are_those_ever_active() -> None:
    found = row(clv.clv(KEPT), "acquired", "acquired")
    weight = np.array([FIRM[g] / (g == CELL).sum() for g in CELL])
    assert found["customers"] == np.count_nonzero(CONVERTED) < len(LIVES)
    assert found["mean"] == pytest.approx(np.average(WORTH["clv"][CONVERTED], weights=weight[CONVERTED]))
    assert found["share"] == pytest.approx(np.average(CONVERTED, weights=weight))
    assert found["q50"] == np.quantile(WORTH["clv"][CONVERTED], 0.5)
    assert np.isnan(row(clv.clv(COUNTED), "acquired", "acquired")["q50"])


def test_everybody_acquired_has_the_quantiles_of_all() -> None:
    scenario = cases.publisher(run={"customers": 50})
    frame = clv.clv(twin.sample(scenario, twin.lives(scenario)))
    columns = ["mean", "se", "q05", "q95", "min", "max"]
    assert frame[columns].iloc[0].tolist() == row(frame, "acquired", "acquired")[columns].tolist()
    assert set(frame["by"]) == {"all", "acquired", "pattern"}


def test_patterns_partition_the_whole() -> None:
    frame = clv.clv(COUNTED)
    patterns = frame[(frame["by"] == "pattern") & (frame["measure"] == "clv")]
    assert patterns["share"].sum() == pytest.approx(1.0)
    assert patterns["customers"].sum() == len(LIVES)
    assert np.nansum(patterns["share"] * patterns["mean"]) == pytest.approx(row(frame, "all", "all")["mean"])
    assert patterns.loc[patterns["id"] == "midway_lapse", "mean"].isna().all()


def test_segments_and_cohorts_average_to_the_whole() -> None:
    frame = clv.clv(COUNTED)
    whole = row(frame, "all", "all")["mean"]
    for by in ("segment", "cohort"):
        part = frame[(frame["by"] == by) & (frame["measure"] == "clv")]
        assert (part["mean"] * part["share"]).sum() == pytest.approx(whole)


def test_ledger_and_cash_add_up_to_clv() -> None:
    frame, ledger, cash = clv.clv(COUNTED), clv.ledger(COUNTED), clv.cash(COUNTED)
    for by, identity in GROUPS:
        entries = ledger[(ledger["by"] == by) & (ledger["id"] == identity)].set_index("column")["mean"]
        course = cash[(cash["by"] == by) & (cash["id"] == identity)]
        assert entries.sum() == pytest.approx(row(frame, by, identity)["mean"], rel=1e-12)
        assert entries.drop("acquisition").sum() == pytest.approx(row(frame, by, identity, "clv_before_acquisition")["mean"], rel=1e-12)
        np.testing.assert_allclose(course[entries.index].sum(), entries.to_numpy(), rtol=1e-12)
        np.testing.assert_allclose(course["net"], course[entries.index].sum(axis=1), rtol=1e-12)
        assert course["cumulative"].iloc[-1] == pytest.approx(row(frame, by, identity)["mean"], rel=1e-12)


@pytest.mark.parametrize("shift", [0, 9])
def test_cash_errors_match_raw_values(shift: int) -> None:
    frame = clv.cash(twin.sample(SCENARIO, LIVES, shift))
    net = np.array([[sum(cash) for cash in life.cash] for life in LIVES]) / UNIT
    share = FIRM / FIRM.sum()
    by_cell = [net[np.equal(CELL, g)] for g in range(share.size)]
    expected = np.sqrt(sum(w**2 * rows.var(axis=0, ddof=1) / len(rows) for w, rows in zip(share, by_cell, strict=True)))
    np.testing.assert_allclose(frame.loc[frame["by"] == "all", "net_se"], expected, rtol=1e-12 if shift == 0 else 1e-4)


def test_density_counts_every_customer_once() -> None:
    values, frame = WORTH["clv"], clv.density(COUNTED)
    left, right = frame["left"].to_numpy(), frame["right"].to_numpy()
    assert (left[1:] == right[:-1]).all()
    assert (right - left < 2.5 * (right - left).mean()).all()
    counts = [((low <= values) & (values < high)).sum() for low, high in zip(left, right, strict=True)]
    np.testing.assert_allclose(frame["share"] * values.size, counts)
    np.testing.assert_allclose((frame["density"] * (right - left)).sum(), 1.0)
    assert frame.loc[frame["right"] < 0, "share"].sum() == pytest.approx((values < 0).mean())
    pd.testing.assert_frame_equal(clv.density(KEPT), frame)


def test_density_of_few_values_is_a_row_each() -> None:
    scenario = cases.publisher(horizon=4, run={"customers": 100})
    lives = twin.lives(scenario)
    values, counts = np.unique([twin.worth(life, False) / UNIT for life in lives], return_counts=True)
    frame = clv.density(twin.sample(scenario, lives))
    assert (frame["left"] == frame["right"]).all()
    np.testing.assert_allclose(frame["left"], values, rtol=QUANTILE_RELATIVE_ERROR)
    np.testing.assert_allclose(frame["share"], counts / 100)


def worth_units(values: np.ndarray) -> Sample:
    """Return customers who bring these amounts, in units, at once."""
    scenario = cases.publisher(horizon=1, run={"customers": values.size})
    return twin.sample(scenario, [twin.Life(0, 0, [0, 0], [-1], [[int(value), 0, 0, 0]]) for value in values])


def test_what_fills_neighbouring_bins_is_continuous() -> None:
    values = np.random.default_rng(1).normal(1024.0, 15.0, 5000)
    frame = clv.density(worth_units(np.round(values * UNIT)))
    assert len(frame) <= clv.FEW_VALUES
    assert (frame["left"] < frame["right"]).all()
    counts = [((low <= values) & (values < high)).sum() for low, high in zip(frame["left"], frame["right"], strict=True)]
    np.testing.assert_allclose(frame["density"] * (frame["right"] - frame["left"]) * values.size, counts)


def test_bins_are_for_those_who_are_not_worth_the_same_as_nearly_all() -> None:
    values = np.zeros(20000)
    values[:100] = np.random.default_rng(1).uniform(100.0, 900.0, 100)
    frame = clv.density(worth_units(np.round(values * UNIT)))
    assert 8 <= len(frame) <= clv.MOST_BINS
    assert frame["share"].iloc[0] == pytest.approx(0.995)
    np.testing.assert_allclose(frame["share"].sum(), 1.0)


def test_a_quantile_is_known_to_half_a_bin_within_the_extremes() -> None:
    assert clv.located(11.45, 0.0, 20.0) == clv.located(11.49, 0.0, 20.0) == (11.46875, 0.03125)
    assert clv.located(-11.45, -20.0, 0.0) == (-11.46875, 0.03125)
    assert clv.located(11.49, 0.0, 11.49) == pytest.approx((11.46375, 0.02625))
    assert clv.located(7.0, 7.0, 7.0) == (7.0, 0.0)
    assert clv.located(0.0, -1.0, 1.0)[0] == 0.0


def test_paid_back_share_is_of_those_who_once_reached_0() -> None:
    frame = clv.cash(COUNTED)
    weight = np.array([FIRM[g] / (g == CELL).sum() for g in CELL])
    so_far = np.cumsum([[sum(cash) for cash in life.cash] for life in LIVES], axis=1)
    active = np.array([[SCENARIO.stages[list(SCENARIO.stages)[s]].kind == "active" for s in life.stages[1:]] for life in LIVES])
    reached = np.maximum.accumulate((so_far >= 0) & np.maximum.accumulate(active, axis=1), axis=1)
    np.testing.assert_allclose(frame.loc[frame["by"] == "all", "paid_back"], np.average(reached, axis=0, weights=weight))
    share, shares = FIRM / FIRM.sum(), [reached[g == CELL] for g in range(FIRM.size)]
    variance = sum(w**2 * own.mean(axis=0) * (1 - own.mean(axis=0)) / (len(own) - 1) for w, own in zip(share, shares, strict=True))
    np.testing.assert_allclose(frame.loc[frame["by"] == "all", "paid_back_se"], np.sqrt(variance), atol=1e-15)


def halving(**changes: object) -> tuple[Scenario, Sample]:
    """1,024 customers of whom each year exactly half stay, worth 10 a year, through four years, at 25 %."""
    lapse = {"to": {"lapsed": {"probability": 0.5}}}
    stages = {"subscribed": {"price": 10.0, **lapse}, "lapsed": {"kind": "lost"}}
    scenario = cases.publisher(
        **{
            "horizon": 4,
            "discount_rate_annual": 0.25,
            "stages": stages,
            "firm": {"customers": 1024},
            "acquisition": {"cost": 15.0},
            **changes,
        }
    )
    lives = []
    for n in range(1024):
        stay = next((t for t in range(4) if n % 2 ** (t + 1)), 4)
        stages_held = [0] * (stay + 1) + [1] * (4 - stay)
        cash = [[round(10 * 0.8**t * UNIT) * (t <= stay), 0, 0, -15 * 2**20 * (t == 0)] for t in range(4)]
        lives.append(twin.Life(0, 0, stages_held, [0 if t == stay else -1 for t in range(4)], cash))
    return scenario, twin.sample(scenario, lives)


def test_payback_is_the_first_period_at_or_above_0() -> None:
    _, sample = halving()
    frame = clv.cash(sample)
    np.testing.assert_allclose(frame["cumulative"], np.cumsum(10 * 0.4 ** np.arange(4)) - 15, atol=1e-5)
    assert clv.payback(sample, frame) == {"period": 2, "share": 0.5}
    assert clv.payback(sample, frame.assign(cumulative=-1.0))["period"] is None


def test_residual_repeats_the_last_year() -> None:
    _, sample = halving()
    assert clv.residual_carried_on(sample, clv.cash(sample)) == pytest.approx(10 * 0.4**4 / 0.6, rel=1e-6)


def test_residual_is_undefined_where_value_does_not_shrink() -> None:
    _, sample = halving(discount_rate_annual=-0.6)
    assert np.isnan(clv.residual_carried_on(sample, clv.cash(sample)))
