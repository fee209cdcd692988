"""Where customers share a market: errors come from replicate to replicate, and what cannot be told is not."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from jsonschema import Draft202012Validator
from scipy import stats

import sim.measures.summary
from sim.measures import paths
from sim.measures.precision import precision
from sim.scenario.errors import ScenarioError
from sim.scenario.world import TWO_SIDED_95
from sim.studies.simulate import simulate
from tests.measures import mindful
from tests.measures.cases import part

INDEPENDENT = {
    "cash": ["net_se", "paid_back_se"],
    "retention": ["survival_se", "active_se", "retention_se"],
    "calendar_retention": ["se"],
    "patterns": ["share_se", "clv_se", "clv_before_acquisition_se"],
    "feelings": ["se"],
    "leaving": ["rate_se", "share_se"],
    "causes": ["share_se"],
}
"""Errors by columns that take customers for independent."""


def by_replicate(by: str, identity: str) -> np.ndarray:
    """Return each replicate's mean CLV of a group, from the customers one by one, weighted to the firm's cells."""
    frame = mindful.result().customers
    rows = frame if by == "all" else frame[frame[by] == identity]
    cells = rows.groupby(["replicate", "cohort", "segment"], observed=True)["clv"].agg(["mean", "size"])
    total = cells["mean"].mul(cells["size"]).groupby("replicate").sum() / cells["size"].groupby("replicate").sum()
    return total.to_numpy()


@pytest.mark.parametrize(("by", "identity"), [("all", "all"), ("segment", "cool"), ("cohort", "second")])
def test_the_replicate_is_the_unit(by: str, identity: str) -> None:
    result = mindful.result()
    row = part(result.clv[result.clv["measure"] == "clv"], by, identity).iloc[0]
    means = by_replicate(by, identity)
    assert row["mean"] == pytest.approx(means.mean())
    assert row["se"] == pytest.approx(means.std(ddof=1) / np.sqrt(3))
    equity = part(result.equity, by, identity).iloc[0]
    assert equity["se"] > 0
    if by != "cohort":
        return
    factor = result.scenario.discount_factor**2
    assert equity["se"] == pytest.approx(row["se"] * equity["customers"] * factor)


@pytest.mark.jit
def test_a_market_moves_all_at_once() -> None:
    """Taken for independent, the customers of many paths would look far surer than they are."""
    run = {"replicates": 30, "customers": 1000}
    market = {"start": "calm", "regimes": {
        "calm": {"to": {"calm": 0.9, "boom": 0.1}}, "boom": {"to": {"calm": 0.1, "boom": 0.9}, "margin": 6.0},
    }}  # fmt: skip
    shared = simulate(mindful.scenario(market=market, run=run)).clv.iloc[0]
    assert shared["se"] > 2 * shared["sd"] / np.sqrt(shared["customers"])


def test_replicates_and_risk() -> None:
    result = mindful.result()
    values, row = result.replicates["equity"], result.equity_risk.iloc[0]
    assert row["mean"] == pytest.approx(result.equity["equity"].iloc[0])
    assert row["sd"] == values.std()
    assert row["se"] == result.equity["se"].iloc[0] == pytest.approx(values.std() / np.sqrt(3))
    assert row[["q05", "q50", "q95"]].tolist() == np.quantile(values, [0.05, 0.5, 0.95]).tolist()
    assert row["share_negative"] == (values < 0).mean()
    assert "equity_risk" in result.names
    assert "equity_risk" not in mindful.calm().names


def test_errors_that_need_independence_are_not_told() -> None:
    shared, calm = mindful.result(), mindful.calm()
    for name, columns in INDEPENDENT.items():
        frame = getattr(shared, name)
        assert frame[columns].isna().all(axis=None), name
        # here customers may come back, and be lost again
        assert name == "causes" or getattr(calm, name)[columns].notna().any().all(), name
    every = {column for name in shared.names for column in getattr(shared, name).columns if column == "se" or column.endswith("_se")}
    assert every == {column for columns in INDEPENDENT.values() for column in columns}
    rows = shared.clv[shared.clv["by"] == "pattern"]
    assert rows["se"].isna().all()


def test_one_path_has_no_errors_and_says_so() -> None:
    result = mindful.one_path()
    assert result.clv["se"].isna().all()
    assert result.equity["se"].isna().all()
    row = result.equity_risk.iloc[0]
    assert row["mean"] == pytest.approx(result.equity["equity"].iloc[0])
    assert row[["se", "sd", "q05", "q50", "q95", "share_negative"]].isna().all()
    found = json.loads(json.dumps(result.summary(), allow_nan=False))
    schema = json.loads(Path(sim.measures.summary.__file__).with_name("summary.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(found)
    assert found["clv"]["se"] is None
    assert found["customer_equity"]["se"] is None
    assert found["market"]["paths"] == 1
    assert any(warning.startswith("conditional on this market path") for warning in found["warnings"])
    assert "±" not in repr(result)
    assert not any(warning.startswith("conditional") for warning in mindful.result().warnings)


def test_summary_of_several_paths() -> None:
    found = mindful.result().summary()
    assert found["market"]["paths"] == 3
    assert found["market"]["equity"]["0.5"] == mindful.result().equity_risk["q50"].iloc[0]
    assert found["exact"] is None
    assert mindful.calm().summary()["market"] is None


def test_intervals_of_few_paths_are_students() -> None:
    assert paths.widening(mindful.result().sample) == pytest.approx(stats.t.ppf(0.975, 2) / stats.norm.ppf(0.975))
    assert paths.widening(mindful.calm().sample) == paths.widening(mindful.one_path().sample) == 1.0
    assert stats.norm.ppf(0.975) == pytest.approx(TWO_SIDED_95)
    assert paths.path_error(np.array([1.0, 3.0])) == 1.0
    assert np.isnan(paths.path_error(np.array([1.0])))


def test_precision_is_refused() -> None:
    from sim.scenario import read

    raw = mindful.scenario(run={"precision": 0.01}).model_dump(mode="json", exclude_unset=True)
    with pytest.raises(ScenarioError, match=r"run\.precision.*replicates"):
        read(raw)
    assert precision(mindful.result().sample) is None


def test_replicates_add_up() -> None:
    frame = mindful.result().replicates
    assert list(frame.columns) == ["replicate", "clv", "clv_before_acquisition", "equity"]
    np.testing.assert_allclose(frame["clv"], by_replicate("all", "all"))
    pd.testing.assert_index_equal(frame.index, pd.RangeIndex(3))
