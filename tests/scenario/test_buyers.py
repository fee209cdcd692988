"""Columns of past orders: what is read, every way in which they cannot be, and the scenarios of which they tell nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.compile import compile_tables
from sim.scenario import Scenario, ScenarioError, read
from sim.scenario.checks import warnings
from sim.scenario.existing import template

SCENARIO: dict[str, Any] = {
    "period": "week",
    "horizon": 20,
    "exposure": "until_exit",
    "start": "customer",
    "frailty": {"variance": 1.65},
    "purchases": {"kind": "poisson", "rate": {"shape": 0.553, "rate": 10.578}},
    "stages": {"customer": {"to": {"lost": {"hazard": 0.05}}}, "lost": {"kind": "lost"}},
}
HEAD = "id,stage,x,t_x,T\n"
PAST = "where the base has past orders (Pareto/NBD)"
HINT = "leave x, t_x and T out of the table"


def reading(folder: Path, text: str, **changes: Any) -> Scenario:
    file = folder / "base.csv"
    file.write_text(text)
    return read({**SCENARIO, "base": {"file": str(file)}, **changes})


def faults(folder: Path, text: str, **changes: Any) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        compile_tables(reading(folder, text, **changes))
    return [str(fault).replace(str(folder / "base.csv"), "FILE") for fault in caught.value.faults]


def test_past_orders_are_read(tmp_path: Path) -> None:
    found = reading(tmp_path, HEAD + "a,customer,2,30.43,38.86\nb,customer,0,0,0\n").existing
    assert found is not None
    assert found.x.tolist() == [2, 0]
    np.testing.assert_array_equal(found.t_x, np.array([30.43, 0.0], np.float32))
    np.testing.assert_array_equal(found.T, np.array([38.86, 0.0], np.float32))
    assert found.age.tolist() == found.tenure.tolist() == [38, 0]
    same = reading(tmp_path, "id,stage,x,t_x,T,age,tenure\na,customer,2,30.43,38.86,38,38\n")
    assert same.existing is not None
    assert same.existing.age.tolist() == [38]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("customer,2,40,38.86", "t_x: must not be above T (got '40')"),
        ("customer,0,3,38.86", "t_x: must be 0 where x is 0, and only there (got '3')"),
        ("customer,3,0,38.86", "t_x: must be 0 where x is 0, and only there (got '0')"),
        ("customer,1.5,3,38.86", "x: must be a whole number of orders from 0 to 65,534 (got '1.5')"),
        ("customer,-1,3,38.86", "x: must be a whole number of orders from 0 to 65,534 (got '-1')"),
        ("customer,1,-3,38.86", "t_x: must be from 0 to 65,534 periods (got '-3')"),
        ("customer,1,3,inf", "T: must be from 0 to 65,534 periods (got 'inf')"),
        ("customer,1,3,NaN", "T: must be from 0 to 65,534 periods (got 'NaN')"),
        ("customer,1,,38", "t_x: must be given"),
        ("lost,1,3,38", "stage: must be a stage that is not lost (got 'lost'); choose from customer"),
    ],
)
def test_bad_rows(tmp_path: Path, row: str, told: str) -> None:
    assert faults(tmp_path, f"{HEAD}a,{row}\n")[0] == f"FILE: row 1, {told}"


def test_columns_that_contradict_each_other(tmp_path: Path) -> None:
    rule = "must be the whole periods of T, or left out"
    text = "id,stage,x,t_x,T,age,tenure\na,customer,2,30.43,38.86,37,39\n"
    assert faults(tmp_path, text) == [f"FILE: row 1, age: {rule} (got '37')", f"FILE: row 1, tenure: {rule} (got '39')"]
    text = "id,stage,x,t_x\na,customer,2,30\n"
    assert faults(tmp_path, text) == ["FILE: T: column is missing"]


CUSTOMER, LOST = SCENARIO["stages"]["customer"], {"kind": "lost"}
LIKE: dict[str, tuple[dict[str, Any], str, str]] = {
    "rate": ({"purchases": {"kind": "poisson", "rate": 0.05}}, "purchases.rate: must be gamma between customers", "gamma, cv 0"),
    "exposure": ({"exposure": "whole"}, "exposure: must be until_exit", "whole"),
    "orders": (
        {"stages": {"customer": {**CUSTOMER, "orders": [1.0, 0.5]}, "lost": LOST}},
        "stages.customer.orders: must be 1",
        "1, 0.5",
    ),
    "ways out": (
        {"stages": {"customer": {"to": {**CUSTOMER["to"], "dead": {"target": "lost", "hazard": 0.1}}}, "lost": LOST}},
        "stages.customer.to: must be one way out, into a lost stage",
        "lost, dead",
    ),
    "win-back": (
        {"stages": {"customer": CUSTOMER, "lost": {**LOST, "to": {"customer": {"hazard": 0.1}}}}},
        "stages.customer.to.lost: must lead into a lost stage that nobody leaves",
        "",
    ),
    "hazards by age": (
        {"stages": {"customer": {"to": {"lost": {"hazard": [0.1, 0.2]}}}, "lost": LOST}},
        "stages.customer.to.lost: must have one hazard that does not change",
        "",
    ),
    "frailty": ({"frailty": {"variance": 0.0}}, "frailty: must differ between customers and act on the way out", "variance 0"),
}


@pytest.mark.parametrize("name", LIKE)
def test_scenarios_that_are_no_pareto_nbd(tmp_path: Path, name: str) -> None:
    changes, told, got = LIKE[name]
    found = f" (got {got!r})".replace("'", "") if got else ""
    assert faults(tmp_path, f"{HEAD}a,customer,1,3,38\n", **changes) == [f"{told}, {PAST}{found}; {HINT}"]


def test_traits_that_the_past_would_have_to_tell_of(tmp_path: Path) -> None:
    spread = {**SCENARIO["purchases"], "order_value": {"mean": 3.0, "cv": 0.5}}
    told = faults(tmp_path, f"{HEAD}a,customer,1,3,38\n", purchases=spread, correlations={"wallet": {"rate": 0.3}})
    rule = "the rate of ordering cannot be correlated where past orders say what it is"
    assert told == [f"correlations.wallet.rate: {rule} (got 0.3); leave it out"]
    told = faults(tmp_path, f"{HEAD}a,customer,60000,3,38\n")
    assert told == ["base: by its past orders a customer may place 1,268 a period, and 650 is the most; use a shorter period"]


def test_without_random_orders_they_are_not_used(tmp_path: Path) -> None:
    file = tmp_path / "base.csv"
    found = reading(tmp_path, f"{HEAD}a,customer,1,3,38\n", purchases={"kind": "subscription"})
    assert warnings(found)[-1] == f"{file}: the columns x, t_x and T are not used: orders are not Poisson"
    assert found.existing is not None
    assert found.existing.T.size == 0
    tables = compile_tables(found)
    assert tables.base_alive.size == tables.base_seen.size == tables.base_rate.size == 0


def test_template(tmp_path: Path) -> None:
    text = template(read(SCENARIO))
    assert text == "id,stage,x,t_x,T,wallet\ncustomer-1,customer,0,0,0,\n"
    assert reading(tmp_path, text).existing is not None
