"""Profit curves add up to the tally; who resembles which; ARPU times tenure; by hand and against plain arithmetic."""

from dataclasses import replace

import numpy as np
import pytest

from sim.kernels.types import PATTERNS, UNIT
from sim.measures.arpu import arpu_tenure
from sim.measures.curves import profit_curves
from sim.measures.followed import Followed
from sim.measures.resemblance import forecast, histories, judged, resemblance
from sim.scenario.model import Scenario
from sim.studies.simulate import simulate
from tests.measures import cases
from tests.measures import followed as panels
from tests.measures.cases import part

EARLY, LONG = PATTERNS.index("early_lapse"), PATTERNS.index("long_lasting")


@pytest.mark.jit
def test_curves_weighted_by_shares_are_the_mean_cash() -> None:
    """By tenure, in every group, where the panel is everybody."""
    relationship = simulate(cases.relationship(run={"customers": 400, "panel": 10_000}))
    assert relationship.followed.panel.counts == relationship.outcome.sampled
    for result in (panels.deepening(), panels.ordering(), relationship):
        rows = result.profit_curves
        sums = (rows["net"] * rows["share"]).groupby([rows["by"], rows["id"], rows["t"]], sort=False).sum()
        cash = result.cash.set_index(["by", "id", "t"])["net"]
        np.testing.assert_allclose(sums, cash.loc[sums.index], rtol=1e-9, atol=1e-9)
        shares = result.patterns.set_index(["by", "id", "pattern"])["share"]
        first = rows[rows["t"] == 0].set_index(["by", "id", "pattern"])["share"]
        np.testing.assert_allclose(first, shares.loc[first.index])


@pytest.mark.jit
def test_curves_of_kept_customers() -> None:
    result = panels.deepening()
    totals = part(result.profit_curves).groupby("pattern")["earned"].sum()
    kept = result.customers.groupby("pattern", observed=True)["clv_before_acquisition"].mean()
    kept.index = kept.index.astype(str)
    np.testing.assert_allclose(totals, kept.loc[totals.index], rtol=1e-6)


def two_kinds(n: int = 40) -> Followed:
    """Half of the customers bring more every year, half less; the first are long-lasting. All are of different sizes."""
    rising, falling = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    cash = [[(1 + i % 7) * value for value in (rising if i % 4 < 2 else falling)] for i in range(n)]
    pattern = np.array([LONG if i % 4 < 2 else EARLY for i in range(n)])
    return panels.by_hand(["nnnnnnn"] * n, cash, panels.yearly(n, 6), pattern=pattern)


def test_who_resembles_which() -> None:
    followed = two_kinds()
    assert histories(followed) == [1, 2, 3, 5]
    found = judged(followed, 3)
    assert (found.resembles == followed.panel.pattern).all()
    assert (found.nearest == followed.panel.pattern).all()
    np.testing.assert_allclose(found.predicted, found.actual)
    np.testing.assert_allclose(found.actual, followed.cash[3:].sum(axis=0))
    rows = part(resemblance(followed))
    assert rows[(rows["history"] == 3) & (rows["pattern"] == rows["resembles"])]["share"].tolist() == [1.0, 1.0]
    row = forecast(followed).set_index("history").loc[3]
    assert (row["right"], row["commonest"], row["explained"]) == pytest.approx((1.0, 0.5, 1.0))


def test_one_year_tells_nothing_of_shape() -> None:
    """Any size fits any curve then, so that all resemble the commoner pattern, or the first."""
    found = judged(two_kinds(), 1)
    assert len(set(found.nearest)) == 1


@pytest.mark.jit
def test_nobody_judges_itself() -> None:
    followed = panels.deepening().followed
    panel = followed.panel
    odd = panel.serial % 2 == 1
    clv, pattern = panel.clv.copy(), panel.pattern.copy()
    clv[13:, odd] += np.int64(500 * UNIT)
    pattern[odd] = EARLY
    other = judged(Followed(followed.sample, replace(panel, clv=clv, pattern=pattern), followed.tables), 12)
    mine = judged(followed, 12)
    np.testing.assert_array_equal(mine.resembles[odd], other.resembles[odd])
    np.testing.assert_array_equal(mine.predicted[odd], other.predicted[odd])
    assert (mine.predicted[~odd & mine.here] != other.predicted[~odd & mine.here]).any()


@pytest.mark.jit
def test_the_forecast_is_of_those_still_here() -> None:
    result = panels.deepening()
    followed = result.followed
    assert part(result.forecast)["history"].tolist() == [3, 6, 12, 24]
    for row in part(result.forecast).to_dict("records"):
        found = judged(followed, row["history"])
        here, weight = found.here, followed.weight[found.here]
        assert row["customers"] == here.sum() <= followed.active[row["history"]].sum()
        right = np.average(found.resembles[here] == followed.panel.pattern[here], weights=weight)
        assert row["right"] == pytest.approx(right)
        assert row["actual"] == pytest.approx(np.average(found.actual[here], weights=weight))
        squares = np.average((found.predicted - found.actual)[here] ** 2, weights=weight)
        mean = np.average(found.actual[here], weights=weight)
        assert row["explained"] == pytest.approx(1 - squares / np.average((found.actual[here] - mean) ** 2, weights=weight))
        assert row["low"] <= row["right"] <= row["high"]
    rows = result.resemblance
    sums = rows.groupby(["by", "id", "history", "pattern"])["share"].sum()
    assert sums.to_numpy() == pytest.approx(np.ones(len(sums)))


@pytest.mark.jit
def test_what_is_predicted_comes_on_average() -> None:
    for row in part(panels.deepening().forecast).to_dict("records"):
        assert abs(row["predicted"] - row["actual"]) < 4 * row["actual_se"]


@pytest.mark.jit
def test_arpu_times_tenure() -> None:
    """The gap is the covariance of a customer's own two, and the value that of the tally."""
    result = panels.deepening()
    followed = result.followed
    periods = followed.active[:-1].sum(axis=0)
    own = followed.cash.sum(axis=0) / periods
    for row, mine in zip(result.arpu_tenure.to_dict("records"), [np.arange(600), np.arange(360), np.arange(360, 600)], strict=True):
        covariance = np.cov(own[mine], periods[mine], bias=True)[0, 1]
        assert row["gap"] == pytest.approx(covariance, rel=1e-6)
        assert row["value"] == pytest.approx(followed.cash.sum(axis=0)[mine].mean())
        assert row["ratio"] == pytest.approx(row["value"] / (row["arpu"] * row["tenure"]))
        spread = ((own[mine] - own[mine].mean()) * (periods[mine] - periods[mine].mean())).std()
        assert row["gap_se"] == pytest.approx(spread / len(mine) ** 0.5, rel=0.05)


@pytest.mark.jit
def test_no_gap_where_all_bring_the_same() -> None:
    constant = {"period": "year", "horizon": 10, "start": "new", "stages": {"new": {"price": 3.0, "to": {"gone": {"probability": 0.3}}}}}
    constant["stages"]["gone"] = {"kind": "lost"}  # type: ignore[index]
    result = simulate(Scenario.model_validate({**constant, "run": {"customers": 500, "panel": 500}}))
    row = arpu_tenure(result.followed).iloc[0]
    assert (row["arpu"], row["gap"], row["gap_se"]) == pytest.approx((3.0, 0.0, 0.0), abs=1e-9)
    assert profit_curves(result.followed).groupby("t")["customers"].sum().unique().tolist() == [500]
