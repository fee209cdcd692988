"""The scorecard: against published rates, lives taken one by one, and plain sums."""

import numpy as np
import pandas as pd
import pytest

from sim.measures.activity import response_rate
from sim.measures.scorecard import MEASURES, scorecard
from sim.scenario.model import Scenario
from sim.studies.simulate import simulate
from tests.measures import cases, twin
from tests.measures import followed as panels
from tests.measures.cases import part
from tests.zoo import one_stage, scenario


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
    assert {name for name, _, _ in MEASURES} == {*part(felt)["measure"], "purchase_cycle", "cross_sell_growth", "response_rate"}


@pytest.mark.jit
def test_greenwood() -> None:
    """Of a cohort nobody enters or comes back to, retention of the first year is survival, its error the binomial one."""
    found = panels.ordering().scorecard
    row = part(found)[(found["measure"] == "retention") & (found["year"] == 1)].iloc[0]
    survival = part(panels.ordering().retention)["survival"].iloc[12]
    assert row["value"] == pytest.approx(survival)
    assert row["se"] == pytest.approx((survival * (1 - survival) / 500) ** 0.5, rel=0.01)


MONTHLY = one_stage(
    {"probability": 0.02},
    period="month",
    horizon=36,
    products={"maximum": 60, "worth": 0.1},
    stages={
        "customer": {"contacts": 0.4, "cross_sell": 0.1, "to": {"lost": {"probability": 0.02}}},
        "lost": {"kind": "lost"},
    },
)


@pytest.mark.jit
def test_cross_selling_grows_by_its_chance() -> None:
    """Of a stage that adds a product with chance p in each month but the first, 1 + 11 p are held at the end of the first year."""
    result = simulate(Scenario.model_validate({**MONTHLY, "run": {"panel": 100}}))
    rows = part(result.scorecard)
    growth, se = (rows.loc[rows["measure"] == "cross_sell_growth", name].to_numpy(dtype=float) for name in ("value", "se"))
    active = int(result.sample.active[0, 11])
    assert se[0] == pytest.approx((11 * 0.1 * 0.9 / active) ** 0.5, rel=0.06)
    assert abs(growth[0] - 1.1) < 4 * se[0]
    np.testing.assert_allclose(growth, [1.1, 1.2 / 2.1, 1.2 / 3.3], atol=0.03)
    assert np.isnan(se).tolist() == [False, True, True]
    held = part(result.activity).query("measure == 'products' and t == 35")["mean"].iloc[0]
    assert np.prod(1 + growth) == pytest.approx(held, rel=1e-12)  # years tie up


@pytest.mark.jit
def test_contacts_and_responses() -> None:
    calls = simulate(Scenario.model_validate({**MONTHLY, "horizon": 12, "run": {"panel": 100}}))
    found = part(calls.scorecard).query("measure == 'response_rate'")
    assert found["value"].item() == pytest.approx(response_rate(calls.sample), rel=1e-12)
    assert found["value"].item() == pytest.approx(0.4, abs=4 * (0.4 / 30_000) ** 0.5)
    yearly = simulate(scenario("contacts_alone", customers=200, panel=100))
    found = part(yearly.scorecard).query("measure == 'response_rate'")
    theirs = part(yearly.activity).query("measure == 'contacts'")
    np.testing.assert_array_equal(found[["value", "se"]], theirs[["mean", "se"]])
    late = {"uptake": 0.5, "lasts": 1, "when": {"start": 6, "stop": 9}}
    policies = {"asks": {"uptake": 0.3, "lasts": 1}, "tells": {"lasts": 1}, "late": late}
    treated = simulate(Scenario.model_validate({**MONTHLY, "horizon": 12, "policies": policies, "run": {"panel": 100}}))
    found = part(treated.scorecard).query("measure == 'response_rate'")
    active = treated.sample.active[0, :12]
    assert found["value"].item() == pytest.approx(0.7 + 0.5 * active[6:9].sum() / active.sum(), abs=0.015)
