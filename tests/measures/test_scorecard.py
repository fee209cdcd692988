"""The scorecard: against published rates, lives taken one by one, and plain sums."""

import numpy as np
import pandas as pd
import pytest

from sim.measures.scorecard import MEASURES, scorecard
from sim.studies.simulate import simulate
from tests.measures import cases, twin
from tests.measures import followed as panels
from tests.measures.cases import part


def lines(frame: pd.DataFrame, by: str = "all", identity: str | None = None) -> pd.DataFrame:
    """Return values, a column a measure, by year."""
    return part(frame, by, identity).pivot_table(index="year", columns="measure", values="value", dropna=False)


@pytest.mark.jit
def test_publisher() -> None:
    found = lines(simulate(cases.publisher(run={"customers": 40_000})).scorecard)
    rates = np.array(cases.RENEWAL)
    np.testing.assert_allclose(found["retention"], rates, atol=0.03)
    np.testing.assert_allclose(found["retention"] + found["churn"], 1)
    np.testing.assert_allclose(found["cost_per_transaction"], 30, rtol=1e-6)
    np.testing.assert_allclose(found["revenue_per_cost"], [35.9 / 30, *[75.9 / 30] * 9], rtol=1e-6)
    last = [75.9 - 30 if t else 35.9 - 30 for t in range(10)]
    to_come = [sum(np.prod(rates[t:s]) * last[s] / 1.15 ** (s - t) for s in range(t, 10)) for t in range(10)]
    np.testing.assert_allclose(found["value_to_come"], to_come, rtol=0.02)
    assert list(found) == ["churn", "cost_per_transaction", "retention", "revenue_per_cost", "value_to_come"]


def test_against_lives_one_by_one() -> None:
    """Two years of quarters: prospects, win-back, renewals, three cohorts; of each group, weighed as the firm's."""
    scenario = cases.relationship()
    lives = twin.lives(scenario)
    sample = twin.sample(scenario, lives)
    kinds = [stage.kind for stage in scenario.stages.values()]
    for group in sample.groups:
        mine = [life for life in lives if life.cell in group.cells]
        each = [sample.firm[life.cell] / sample.customers[life.cell] for life in mine]
        found = lines(scorecard(sample), group.by, group.id)
        for year in (1, 2):
            quarters = range(4 * year - 4, 4 * year)

            def total(column: int, quarters: range = quarters, mine: list[twin.Life] = mine, each: list[float] = each) -> float:
                factor = scenario.discount_factor
                return sum(w * life.cash[t][column] / factor**t for life, w in zip(mine, each, strict=True) for t in quarters) / 2**20

            active = {t: sum(w for life, w in zip(mine, each, strict=True) if kinds[life.stages[t]] == "active") for t in quarters}
            stayed = {
                t: sum(w for life, w in zip(mine, each, strict=True) if kinds[life.stages[t]] == kinds[life.stages[t + 1]] == "active")
                for t in quarters
            }
            kept = np.prod([stayed[t] / active[t] for t in quarters if active[t] > 0])
            assert found.loc[year, "retention"] == pytest.approx(kept)
            assert found.loc[year, "cost_per_transaction"] == pytest.approx(-total(1) / sum(active.values()))
            assert found.loc[year, "revenue_per_cost"] == pytest.approx((total(0) + total(2)) / -total(1))
        to_come = sum(w * sum(sum(cash[:3]) for cash in life.cash[4:]) for life, w in zip(mine, each, strict=True)) / 2**20
        active_then = sum(w for life, w in zip(mine, each, strict=True) if kinds[life.stages[4]] == "active")
        assert found.loc[2, "value_to_come"] == pytest.approx(to_come / active_then / scenario.discount_factor**4)


@pytest.mark.jit
def test_orders_and_feelings_where_they_are_on() -> None:
    orders = lines(panels.ordering().scorecard)
    followed = panels.ordering().followed
    for year in (1, 2, 3):
        periods = slice(12 * year - 12, 12 * year)
        bought = np.diff(followed.panel.orders, axis=0)[periods].sum()
        assert orders.loc[year, "purchase_cycle"] == pytest.approx(followed.active[periods].sum() / bought)
        cost = followed.served[periods].sum()
        assert orders.loc[year, "cost_per_transaction"] == pytest.approx(cost / bought, rel=1e-5)
    felt = panels.deepening().scorecard
    feelings = part(panels.deepening().feelings)
    for name, measure in (("satisfaction", "satisfaction"), ("share_of_wallet", "level")):
        rows = part(felt)[part(felt)["measure"] == name]
        theirs = feelings[(feelings["measure"] == measure) & feelings["t"].isin([11, 23])]
        np.testing.assert_array_equal(rows[["value", "se"]], theirs[["mean", "se"]])
    assert {name for name, _, _ in MEASURES} == {*part(felt)["measure"], "purchase_cycle"}


@pytest.mark.jit
def test_greenwood() -> None:
    """Of a cohort nobody enters or comes back to, retention of the first year is survival, its error the binomial one."""
    found = panels.ordering().scorecard
    row = part(found)[(found["measure"] == "retention") & (found["year"] == 1)].iloc[0]
    survival = part(panels.ordering().retention)["survival"].iloc[12]
    assert row["value"] == pytest.approx(survival)
    assert row["se"] == pytest.approx((survival * (1 - survival) / 500) ** 0.5, rel=0.01)
