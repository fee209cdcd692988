"""The summary keeps to its schema, holds plain values, and says why something is missing."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import sim.measures.summary
from sim.studies.result import Result
from sim.studies.simulate import simulate
from tests.measures import cases

SCHEMA = json.loads(Path(sim.measures.summary.__file__).with_name("summary.schema.json").read_text(encoding="utf-8"))

SEASON = {"margin": {"multiplier": [1.0, 0.9, 1.0, 1.1]}}
CUT_CHANCE = {"kind": "bernoulli", "probability": {"a": 2.0, "b": 1.0}, "wallet": 3.0}


def checked(result: Result) -> dict[str, Any]:
    """Return a summary that went through JSON, valid and without NaN."""
    text = json.dumps(result.summary(), allow_nan=False)
    found = json.loads(text)
    Draft202012Validator(SCHEMA).validate(found)
    assert isinstance(found, dict)
    return found


def test_schema_is_one_and_closed() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["additionalProperties"] is False
    broken = simulate(cases.publisher(run={"customers": 3})).summary() | {"extra": 1}
    assert not Draft202012Validator(SCHEMA).is_valid(broken)


@pytest.mark.jit
def test_publisher_in_one_page() -> None:
    result = simulate(cases.publisher(run={"customers": 40_000, "seed": 5}))
    found = checked(result)
    row = result.clv.iloc[0]
    assert (found["scenario"], found["customers"], found["seed"], found["periods"], found["period"]) == ("magazine", 40_000, 5, 10, "year")
    assert found["clv"]["mean"] == row["mean"]
    assert found["clv_before_acquisition"]["mean"] == pytest.approx(row["mean"] + 50)
    assert found["clv"]["quantiles"]["0.5"] == row["q50"]
    assert len(found["survival"]) == 11
    assert len(found["retention"]) == 10
    assert found["exact"]["clv_mean"] == pytest.approx(16.94030872)
    assert found["exact"]["clv_sd"] == pytest.approx(69.7026, abs=5e-5)
    assert found["exact"]["z"] == pytest.approx((row["mean"] - 16.94030872) / row["se"])
    assert found["exact_reason"] is None
    assert found["payback"]["period"] == 3
    assert found["customer_equity"]["mean"] == pytest.approx(1000 * row["mean"])
    assert found["timing"]["threads"] >= 1


def test_residual_is_exact_where_it_can_be() -> None:
    found = checked(simulate(cases.publisher(run={"customers": 400})))["residual"]
    # renewal at 80 % goes on: a perpetuity of the tenth year's expected cash times .8 / 1.15
    value = 842.845 / 1000 * (0.8 / 1.15) / (1 - 0.8 / 1.15)
    assert found["value"] == pytest.approx(value, rel=1e-5)
    assert found["method"] == "exact"
    assert found["share"] == pytest.approx(value / (value + 66.94), rel=0.2)


def test_residual_is_carried_on_where_it_is_not() -> None:
    found = checked(simulate(cases.relationship(calendar=SEASON, run={"customers": 200})))
    assert found["exact"] is not None
    assert found["residual"]["method"] == "last year carried on"
    assert found["warnings"] == [
        f"{100 * found['residual']['share']:.1f} % of a customer's value lies beyond the horizon: a longer one would count it"
    ]


def test_value_that_never_shrinks_is_said() -> None:
    kept = {"subscribed": {"price": 1.0}}
    found = checked(simulate(cases.publisher(stages=kept, discount_rate_annual=0.0, run={"customers": 10})))
    assert found["residual"] == {"value": None, "share": None, "method": "last year carried on"}
    assert any("does not converge" in warning for warning in found["warnings"])
    assert any("nobody is ever lost" in warning for warning in found["warnings"])


def test_no_exact_answer_has_a_reason() -> None:
    stages = {"subscribed": {"orders": 1.5, "to": {"lapsed": {"probability": 0.3}}}, "lapsed": {"kind": "lost"}}
    found = checked(simulate(cases.publisher(stages=stages, purchases=CUT_CHANCE, run={"customers": 50})))
    assert found["exact"] is None
    assert "orders" in found["exact_reason"]


def test_undefined_is_null() -> None:
    found = checked(simulate(cases.relationship(run={"customers": 6})))
    assert found["survival"][0] is None
    assert found["retention"][0] is None
    assert found["clv"]["se"] is None
    assert found["exact"]["z"] is None
    assert found["customer_equity"]["se"] is None
    assert found["clv"]["mean"] is not None


def test_no_spread_has_no_z() -> None:
    stages = {"subscribed": {"price": 100.0, "to": {"lapsed": {"probability": [*[0.0] * 9, 1.0]}}}, "lapsed": {"kind": "lost"}}
    scenario = cases.publisher(stages=stages, discount_rate_annual=0.0, acquisition={"cost": 80.0}, run={"customers": 30})
    found = checked(simulate(scenario))
    assert found["clv"]["mean"] == 920.0
    assert found["clv"]["sd"] == found["clv"]["se"] == 0.0
    assert set(found["clv"]["quantiles"].values()) == {920.0}
    assert found["exact"] == {"clv_mean": 920.0, "clv_sd": 0.0, "z": None}


def prospects(**changes: Any) -> dict[str, Any]:
    """Return the summary of p -> q -> a (or p -> a), which costs 200 on conversion."""
    direct = changes.pop("direct")
    stages = {
        "p": {"kind": "prospect", "to": {"a" if direct else "q": {"probability": 0.3}}},
        "q": {"kind": "prospect", "to": {"a": {"probability": 0.3}}},
        "a": {"price": 10.0, "to": {"gone": {"probability": 0.2}}},
        "gone": {"kind": "lost"},
    }
    if direct:
        del stages["q"]
    bought = {"cost": 200.0, "due": "conversion"}
    return checked(simulate(cases.publisher(start="p", stages=stages, acquisition=bought, run={"customers": 300}, **changes)))


def test_residual_is_before_acquisition_cost() -> None:
    found = prospects(direct=True, horizon=4)["residual"]
    factor, active, before, value = 1 / 1.15, 0.0, 1.0, 0.0
    for t in range(400):
        value += 10 * active * factor**t * (t >= 4)
        active, before = 0.8 * active + 0.3 * before, 0.7 * before
    assert found["value"] == pytest.approx(value, rel=1e-9)
    assert found["method"] == "exact"
    assert 0.5 < found["share"] < 1


def test_payback_waits_for_somebody_to_be_acquired() -> None:
    assert prospects(direct=False, horizon=6)["payback"] == {"period": None, "share": 0.0}


def test_result_has_the_warnings_of_its_summary() -> None:
    kept = {"subscribed": {"price": 1.0}}
    result = simulate(cases.publisher(stages=kept, discount_rate_annual=0.0, run={"customers": 10}))
    assert len(result.warnings) == 2
    assert result.warnings == result.summary()["warnings"]
