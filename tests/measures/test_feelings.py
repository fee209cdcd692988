"""What customers think, against customers followed one by one."""

import numpy as np
import pytest

from sim.kernels.types import FELT
from sim.measures.feelings import felt
from sim.studies.simulate import simulate
from tests import naive
from tests.measures import mindful
from tests.measures.cases import part
from tests.zoo import ZOO, scenario

MINDFUL = [name for name in ZOO if name.startswith("mindful")]


@pytest.mark.parametrize("name", MINDFUL)
def test_ledger_columns_sum_to_clv_exactly(name: str) -> None:
    """Every unit of CLV stands in one column that is reported: in integers, cell by cell."""
    sample = simulate(scenario(name, customers=300, replicates=2)).sample
    reported = sample.cash[:, :, list(sample.columns.values())].sum(axis=(1, 2))
    clv = sample.tally.moments[0, :, :, 1, 2:4].astype(object)
    assert (reported == (clv[..., 0] * 2**32 + clv[..., 1]).sum(axis=1)).all()
    assert set(sample.columns) > {"word_of_mouth", "information", "knowledge", "transaction", "sales"}
    assert all(sample.cash[:, :, c].any() for column, c in sample.columns.items() if column != "transition")


def test_what_is_thought_is_the_mean_of_customers_one_by_one() -> None:
    found = simulate(scenario("mindful", customers=60))
    tables, horizon = found.tables_read, found.sample.horizon
    minds = [naive.live(tables, 0, 0, 0, serial, horizon).felt for serial in range(60)]
    frame = found.feelings
    for place, name in enumerate(("satisfaction", "trust", "loyalty", "level")):
        rows = frame[frame["measure"] == name].set_index("t")
        for t in range(horizon):
            values = np.array([mind[t][place] for mind in minds if t in mind]) / FELT
            assert rows.loc[t, "active"] == values.size
            assert rows.loc[t, "mean"] == pytest.approx(values.mean() if values.size else np.nan, nan_ok=True, rel=1e-12)
    assert frame["se"].isna().all()


def test_errors_of_independent_customers() -> None:
    """Of a single cell: the standard deviation of the active over the square root of their number, ratio of totals as it is."""
    found = simulate(mindful.scenario(market=None, segments=None, cohorts=None, firm={"customers": 50}, run={}))
    tables, horizon = found.tables_read, found.sample.horizon
    minds = [naive.live(tables, 0, 0, 0, serial, horizon).felt for serial in range(50)]
    for place, name in enumerate(("satisfaction", "trust")):
        rows = found.feelings[found.feelings["measure"] == name].set_index("t")
        for t in (0, 3, 6):
            values = np.array([mind[t][place] for mind in minds if t in mind]) / FELT
            residuals = np.zeros(50)
            residuals[: values.size] = values - values.mean()
            assert rows.loc[t, "se"] == pytest.approx(residuals.std(ddof=1) * np.sqrt(50) / values.size, rel=1e-9)


@pytest.mark.jit
def test_delivered_value_is_that_of_the_stages_held() -> None:
    found = mindful.calm()
    rows = part(found.feelings[found.feelings["measure"] == "delivered_value"], "segment", "cool").reset_index(drop=True)
    held = part(found.occupancy, "segment", "cool")
    held = held[(held["clock"] == "tenure") & (held["kind"] == "active")].pivot_table(index="period", columns="stage", values="customers")
    expected = (0.5 * held["investigation"] + 1.0 * held["stability"]) / held.sum(axis=1)
    np.testing.assert_allclose(rows["mean"], expected.iloc[:-1])
    assert rows["mean"].iloc[0] == 0.5
    assert rows["se"].iloc[0] == 0.0
    assert (rows["se"].iloc[1:] > 0).all()


def test_behaviour_stands_beside_attitude() -> None:
    found = mindful.calm()
    rows, kept = found.feelings[found.feelings["measure"] == "retention"], found.retention[found.retention["t"] < found.sample.horizon]
    np.testing.assert_array_equal(rows[["mean", "se", "active"]].to_numpy(), kept[["retention", "retention_se", "at_risk"]].to_numpy())


def test_only_what_is_on() -> None:
    alone = simulate(scenario("level_alone", customers=50))
    assert felt(alone.sample) == ("level",)
    assert set(alone.feelings["measure"]) == {"level", "retention"}
    assert "feelings" in alone.names
    plain = simulate(scenario("chain", customers=50))
    assert "feelings" not in plain.names
    assert plain.ledger["column"].tolist() == ["purchase", "service", "transition", "acquisition"]
