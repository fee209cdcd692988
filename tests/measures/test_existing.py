"""Measures of existing customers beside new ones: who starts where, what each is worth, who is who."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sim
from sim.kernels.types import UNIT
from sim.studies.result import Result
from tests import base

STAGES = ("investigation", "formation", "stability", "decline")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    rows = base.spread(STAGES, 2, segment=["large", "small", "small"], tenure=[7, 8, 9])
    file = base.table(tmp_path_factory.mktemp("base"), rows * 20)
    run = {"customers": 500, "replicates": 2, "keep_customers": True}
    return sim.simulate(base.scenario("frailty_seasons_cohorts", file, run, acquisition={"cost": 3.0}))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Result:
    file = base.table(tmp_path_factory.mktemp("base"), base.spread(STAGES, 4))
    return sim.simulate(base.scenario("chain", file, {"customers": 10}))


def test_a_base_is_nobody_new(result: Result, alone: Result) -> None:
    assert alone.calendar_retention["new"].eq(0).all()
    frame = result.calendar_retention
    new = frame.loc[frame["by"] == "all"].set_index("y")["new"]
    assert new[0] == pytest.approx(sum(cell.firm for cell in result.sample.cells if cell.arrival == 0 and not cell.base))


def test_quantiles_of_unlike_weights_are_told(alone: Result, tmp_path: Path) -> None:
    file = base.table(tmp_path, base.spread(STAGES, 4))
    mixed = sim.simulate(base.scenario("chain", file, {"customers": 100}, firm={"customers": 5000}))
    assert any("a new one for 50;" in line for line in mixed.warnings)
    assert not any("quantiles" in line for line in alone.warnings)


def test_groups(result: Result, alone: Result) -> None:
    groups = [(group.by, group.id) for group in result.sample.groups]
    assert groups == [
        ("all", "all"),
        ("segment", "small"),
        ("segment", "large"),
        ("cohort", "first.0"),
        ("cohort", "first.1"),
        ("cohort", "later"),
        ("base", "base"),
    ]
    for frame in ("clv", "ledger", "cash", "retention", "calendar_retention", "occupancy", "flows", "sojourns", "patterns", "equity"):
        found = getattr(result, frame)
        assert set(found.loc[found["by"] == "base", "id"]) == {"base"}, frame
    assert [(group.by, group.id) for group in alone.sample.groups] == [("all", "all"), ("base", "base")]
    for frame in ("clv", "equity", "retention"):
        rows = getattr(alone, frame)
        everybody, those = (rows[rows["by"] == by].drop(columns=["by", "id"]).to_numpy() for by in ("all", "base"))
        np.testing.assert_array_equal(everybody, those)


def test_everybody_starts_where_the_table_says(result: Result) -> None:
    found = result.occupancy
    start = found[(found["clock"] == "tenure") & (found["period"] == 0)]
    mine, theirs = start[start["by"] == "base"], start[(start["by"] == "cohort") & (start["stage"] == "investigation")]
    assert mine["customers"].tolist() == [60.0, 60.0, 60.0, 60.0, 0.0]
    assert mine["share"].tolist() == [0.25, 0.25, 0.25, 0.25, 0.0]
    assert theirs["customers"].tolist() == [700.0, 300.0, 900.0]
    retention = result.retention[result.retention["by"] == "base"]
    assert retention[["survival", "active", "at_risk"]].iloc[0].tolist() == [1.0, 1.0, 480.0]
    assert retention["survival"].is_monotonic_decreasing


def test_occupancy_follows_flows_to_the_end(result: Result) -> None:
    kept = result.customers
    last = result.occupancy[(result.occupancy["clock"] == "tenure") & (result.occupancy["period"] == 14)]
    lost = last[(last["by"] == "base") & (last["stage"] == "lost")]["customers"].iloc[0]
    mine = kept[kept["cohort"] == "base"]
    assert lost == mine["lost_at"].notna().sum() / 2


def test_equity_keeps_base_and_cohorts_apart(result: Result) -> None:
    found = result.equity.set_index("id").to_dict("index")
    mine, whole = found["base"], found["all"]
    assert mine["customers"] == 240
    kept = result.customers
    assert mine["equity"] == pytest.approx(_by_cell(kept[kept["cohort"] == "base"], {"small": 160, "large": 80}))
    parts = sum(found[key]["value"] for key in ("first.0", "first.1", "later", "base"))
    assert whole["value"] == pytest.approx(parts)
    assert whole["customers"] == 2140
    assert whole["equity"] == pytest.approx(parts - whole["firm_cost"])


def _by_cell(kept: pd.DataFrame, held: dict[str, int]) -> float:
    return sum(float(kept.loc[kept["segment"] == segment, "clv"].mean()) * count for segment, count in held.items())


def test_value_is_what_is_left(result: Result) -> None:
    acquisition = result.ledger[result.ledger["column"] == "acquisition"].set_index("id")["mean"].to_dict()
    assert acquisition["base"] == 0
    assert acquisition["later"] == pytest.approx(-3.0)
    clv = result.clv[result.clv["by"] == "base"]
    assert clv["mean"].iloc[0] == clv["mean"].iloc[1]
    kept = result.customers
    mine = kept.loc[kept["cohort"] == "base", "clv"]
    assert clv["min"].iloc[0] == mine.min()
    assert clv["customers"].iloc[0] == mine.size == 480


def test_customers_are_told_by_their_rows(result: Result) -> None:
    kept = result.customers
    mine = kept[kept["cohort"] == "base"]
    assert kept.loc[kept["cohort"] != "base", ["row", "tenure"]].isna().to_numpy().all()
    for replicate in (0, 1):
        those = mine[mine["replicate"] == replicate]
        assert sorted(those["row"]) == list(range(1, 241))
        assert (those["segment"] == np.where((those["row"] - 1) % 12 % 3 == 0, "large", "small")).all()
        assert (those["tenure"] == 7 + (those["row"] - 1) % 12 % 3).all()


def test_patterns_count_the_stay_behind(tmp_path: Path) -> None:
    """Periods in rank 3 before calendar 0 count towards a long life, those of the present stay."""
    rows = [{"stage": "stability", "age": age} for age in (0, 30)]
    found = sim.simulate(base.scenario("chain", base.table(tmp_path, rows * 300), {"keep_customers": True}, patterns={"long_lasting": 25}))
    young, old = found.customers.iloc[0::2], found.customers.iloc[1::2]
    assert set(young["pattern"]) == {"early_retreat", "open"}
    assert set(old["pattern"]) == {"long_lasting"}


def test_summary_and_exact(alone: Result) -> None:
    found = alone.summary()
    assert found["customers"] == 20
    assert found["exact"] is None
    assert found["exact_reason"].startswith("base: ")
    assert found["survival"][0] == 1.0
    assert sim.exact(alone.scenario).clv_mean is None


def test_the_sum_of_parts(result: Result) -> None:
    """The base's ledger is the sum of what its customers were worth, to the last unit."""
    sample = result.sample
    cells = next(group.cells for group in sample.groups if group.by == "base")
    kept = result.customers
    units = round(kept.loc[kept["cohort"] == "base", "clv"].sum() * UNIT)
    assert int(sample.cash[cells].sum()) == units


@pytest.mark.jit
def test_precision_counts_new_customers(tmp_path: Path) -> None:
    file = base.table(tmp_path, base.spread(STAGES, 0))
    run = {"customers": 300_000, "precision": 0.9}
    found = sim.simulate(base.scenario("chain", file, run, firm={"customers": 400_000}))
    assert found.outcome.sampled == (131_072, 4)
    assert found.precise
