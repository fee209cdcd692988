"""The summary of a comparison keeps to its schema, and holds what its frames say."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import sim.measures.arms
from sim.studies.arms import Arm
from sim.studies.compare import compared
from sim.studies.comparison import SCHEMA_VERSION, Comparison
from tests import zoo

SCHEMA = json.loads(Path(sim.measures.arms.__file__).with_name("comparison.schema.json").read_text(encoding="utf-8"))


def comparison(name: str = "treated_chain", **run: Any) -> Comparison:
    """Return no policy, each policy of a treated scenario of the zoo, and all of them together."""
    whole = zoo.scenario(name, **{"customers": 300, **run})
    plain = whole.model_copy(update={"policies": {}})
    each = [Arm(key, (key,), plain.model_copy(update={"policies": {key: one}})) for key, one in whole.policies.items()]
    return compared(plain, (Arm("none", (), plain), *each, Arm("all", tuple(whole.policies), whole)))


def checked(found: Comparison) -> dict[str, Any]:
    """Return a summary that went through JSON, valid and without NaN."""
    told = json.loads(json.dumps(found.summary(), allow_nan=False))
    Draft202012Validator(SCHEMA).validate(told)
    assert isinstance(told, dict)
    return told


def test_schema_is_one_and_closed() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema_version"]["const"] == SCHEMA_VERSION
    parts = [SCHEMA, *SCHEMA["$defs"].values()]
    for part in parts:
        assert part["additionalProperties"] is False
        assert part["required"] == list(part["properties"])
        parts += [inner for inner in part["properties"].values() if "properties" in inner]
    found = comparison().summary()
    assert not Draft202012Validator(SCHEMA).is_valid(found | {"extra": 1})
    assert not Draft202012Validator(SCHEMA).is_valid(found | {"arms": {}})


def test_it_says_what_the_frames_say() -> None:
    found = comparison()
    told = checked(found)
    assert list(told["arms"]) == found.ids
    assert told["best"] == found.ids[found.best]
    assert 0 <= told["confidence"] <= 1
    for row in found.table.to_dict("records"):
        arm = told["arms"][row["arm"]]
        assert arm["gain"]["mean"] == row["gain"]
        assert arm["gain"]["interval"] == [row["gain_low"], row["gain_high"]]
        assert arm["cost"] == row["cost"]
        assert arm["retention"]["mean"] == row["kept"]
        one = found.one(row["arm"], "clv")
        assert (arm["difference"]["mean"], arm["difference"]["se"]) == (one["difference"], one["se"])
    assert told["arms"]["none"]["policies"] == []
    assert told["arms"]["none"]["roi"] is None
    assert told["arms"]["all"]["policies"] == list(found.arms[-1].policies)


@pytest.mark.jit
def test_one_path_of_a_market_has_no_errors() -> None:
    told = checked(comparison("treated_minds", replicates=1))
    assert told["confidence"] is None
    assert told["arms"]["all"]["gain"]["se"] is None
    assert told["arms"]["all"]["gain"]["interval"] == [None, None]
    assert checked(comparison("treated_minds", replicates=3))["arms"]["all"]["gain"]["se"] > 0


def test_the_ledger_holds_the_cost_of_policies() -> None:
    """Column ``policy`` of ledger and cash, where policies cost customers something, and there alone."""
    found = comparison()
    plain, whole = found.results[0], found.results[-1]
    assert "policy" not in set(plain.ledger["column"])
    assert "policy" not in plain.cash
    spent = whole.ledger[(whole.ledger["by"] == "all") & (whole.ledger["column"] == "policy")]["mean"].iloc[0]
    cash = whole.cash[whole.cash["by"] == "all"]["policy"]
    assert spent == pytest.approx(cash.sum(), rel=1e-12)
    assert -spent == pytest.approx(found.treatments[found.treatments["arm"] == "all"]["cost"].sum(), rel=1e-12)
