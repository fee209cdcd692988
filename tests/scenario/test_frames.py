"""Existing customers given as a DataFrame: read as a table is, and told of by its index."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sim
from sim.scenario import Scenario, ScenarioError, read
from sim.scenario.frames import packed
from tests import base, zoo

CONFIGS = Path(__file__).resolve().parents[2] / "experiments"
STAGES = ("investigation", "formation", "stability", "decline")


def frame() -> pd.DataFrame:
    rows = base.spread(STAGES, 3)
    return pd.DataFrame(rows).assign(id=[f"c{k}" for k in range(len(rows))], wallet=[np.nan, 2.5] * (len(rows) // 2), city="Kyiv")


def loaded(table: object) -> Scenario:
    return read({**zoo.CHAIN, "firm": {}}, table=packed(table))


def faults(table: object) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        loaded(table)
    return [str(fault) for fault in caught.value.faults]


def test_it_is_read_as_a_file_is(tmp_path: Path) -> None:
    given = frame()
    file = tmp_path / "base.csv"
    given.to_csv(file, index=False)
    one, other = loaded(given).existing, base.scenario("chain", str(file)).existing
    assert one is not None
    assert other is not None
    for name in ("stage", "segment", "age", "tenure", "level", "wallet", "row", "counts"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.mark.parametrize("kind", ["category", "object", "float", "Int64", "index"])
def test_of_whatever_types_its_columns_are(kind: str) -> None:
    plain, given = frame(), frame()
    if kind in ("category", "object"):
        given = given.astype({"stage": kind, "id": kind})
    elif kind == "index":
        given.index = pd.date_range("2020-01-01", periods=len(given))
    else:
        given = given.astype({"age": kind})
    one, other = (loaded(each).existing for each in (plain, given))
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one.stage, other.stage)
    np.testing.assert_array_equal(one.age, other.age)


def test_faults_name_the_index() -> None:
    given = frame().set_index(pd.Index([f"k{k}" for k in range(len(frame()))]))
    given.loc["k3", "stage"] = "formatoin"
    given.loc["k5", "age"] = -1
    given.loc["k7", "wallet"] = -2.5
    assert faults(given) == [
        "base: index k3, stage: must be a stage that is not lost (got 'formatoin'); did you mean formation?",
        "base: index k5, age: must be a whole number of periods from 0 to 65,534 (got -1)",
        "base: index k7, wallet: must be from 0 to 1e+12, or blank (got -2.5)",
    ]
    again = frame()
    again.loc[9, "id"] = "c2"
    assert faults(again) == ["base: index 9, id: must be unique, and index 2 has it too (got 'c2')"]
    assert faults(frame().iloc[[2, 2]]) == ["base: index 2, id: must be unique, and index 2 has it too (got 'c2')"]
    twice = pd.concat([frame(), frame()[["stage"]]], axis=1)
    assert faults(twice) == ["base: has two columns named 'stage'; leave one of them out"]


def test_what_is_no_table() -> None:
    assert faults(frame().rename(columns={"stage": "Stage"})) == ["base: stage: column is missing; rename 'Stage' to stage"]
    assert faults(pd.DataFrame({"city": ["Kyiv"]})) == ["base: id: column is missing", "base: stage: column is missing"]
    assert faults(frame().iloc[:0]) == ["base: holds no customers"]
    assert faults([1, 2]) == ["base: must be a pandas DataFrame, one row a customer (got 'list')"]


def test_what_is_not_read_is_not_kept() -> None:
    found = loaded(frame()).base
    assert found is not None
    assert found.held is not None
    assert b"Kyiv" not in found.held
    assert b"city" not in found.held
    assert found == loaded(frame()).base
    assert found != loaded(frame().iloc[1:]).base


def test_a_scenario_is_loaded_with_it() -> None:
    log = pd.DataFrame({"id": ["a", "b"], "stage": "customer", "x": [2, 0], "t_x": [30.43, 0.0], "T": 38.86})
    found = sim.load("pareto_nbd", "horizon=52", "firm.customers=null", "run.customers=null", configs=CONFIGS, base=log)
    assert found.existing is not None
    np.testing.assert_array_equal(found.existing.T, np.array([38.86, 38.86], np.float32))
    rule = "base: index 1, t_x: must not be above T (got 40.0)"
    with pytest.raises(ScenarioError, match=re.escape(rule)):
        sim.load("pareto_nbd", configs=CONFIGS, base=log.assign(t_x=[30.43, 40.0], x=[2, 1]))
