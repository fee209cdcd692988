"""Classes and panel in a scenario: what ships, what is laid over, and a rule for every bad value."""

from typing import Any

import pytest

import sim
from sim.scenario import ScenarioError, read
from sim.scenario.checks import warnings
from sim.scenario.classes import MEASURES, SHIPPED, Classification
from tests.zoo import CHAIN, ZOO

MATCH = {"positioning": 0.5, "capability": 1.0, "values": 0.25}


def raw(**changes: Any) -> dict[str, Any]:
    return {**CHAIN, "run": {"panel": 100}, **changes}


def test_what_ships_is_whole() -> None:
    """Every class is named once, every rule looks at cuts that are there, and every cut is looked at."""
    for entry in SHIPPED.values():
        how = Classification.model_validate(entry)
        assert len(set(how.names)) == len(how.names) in (3, 4)
        assert {name for rule in how.rules.values() for name in rule} == set(how.cuts) <= set(MEASURES)
        for rule in how.rules.values():
            assert all(1 <= least <= len(how.cuts[name].places) for name, least in rule.items())
    everything = raw(classes={key: {} for key in SHIPPED}, segments={"a": {"share": 1.0, "match": MATCH}})
    assert read(everything).classes.keys() == SHIPPED.keys()


def test_by_default_all_that_says_something() -> None:
    assert read(raw()).classifications.keys() == SHIPPED.keys() - {"metals", "strategic"}
    assert "strategic" in read(raw(segments={"a": {"share": 1.0, "match": MATCH}})).classifications
    assert "metals" in read({**ZOO["mindful"], "name": "mindful"}).classifications
    assert read(raw(segments={"a": {"share": 1.0, "match": MATCH}})).segments["a"].match.total == 1.75  # type: ignore[union-attr]


def test_laid_over_what_ships() -> None:
    found = read(raw(classes={"metals": {"cuts": {"current": {"value": 100}}}})).classes["metals"]
    assert found.cuts["current"].value == (100.0,)
    assert found.cuts["growth"].quantile == (0.5,)
    assert found.names == ("gold", "silver", "iron", "lead")
    assert read(raw(classes={"metals": {"rules": {"silver": None}}})).classes["metals"].names == ("gold", "iron", "lead")
    assert read(raw(classes=["abcd", "ends"])).classes.keys() == {"abcd", "ends"}
    whole = read(raw(classes={"metals": {"cuts": {"current": {"value": 100}}}}))
    assert read(whole.model_dump(exclude_unset=True)) == whole
    assert sim.load("lifecycle", "classes=[abcd]", "run.panel=10").classes.keys() == {"abcd"}


WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no_rules": ({"classes": {"own": {}}}, ["classes.own.rules: must have a rule for each class but the rest"]),
    "no_list_of_names": ({"classes": ["owm"]}, ["classes.owm.rules: must have a rule for each class but the rest"]),
    "no_mapping": ({"classes": {"metals": 3}}, ["classes.metals: must be a mapping of keys to values (got 3)"]),
    "no_measure": (
        {"classes": {"metals": {"cuts": {"curent": {"value": 1}}}}},
        ["classes.metals.cuts.curent: no such measure of a customer; did you mean current?"],
    ),
    "no_cut": (
        {"classes": {"metals": {"rules": {"gold": {"worth": 1}}}}},
        ["classes.metals.rules.gold.worth: this measure has no cut; choose from current, growth"],
    ),
    "two_kinds": (
        {"classes": {"metals": {"cuts": {"current": {"value": 1, "quantile": 0.5}}}}},
        ["classes.metals.cuts.current: needs exactly one of quantile, value (got quantile, value)"],
    ),
    "no_kind": ({"classes": {"metals": {"cuts": {"current": {}}}}}, ["classes.metals.cuts.current: needs exactly one of quantile, value"]),
    "falling": (
        {"classes": {"accounts": {"cuts": {"worth": {"quantile": [0.8, 0.5, 0.2]}}}}},
        ["classes.accounts.cuts.worth.quantile: must ascend (got [0.8, 0.5, 0.2])"],
    ),
    "whole": (
        {"classes": {"metals": {"cuts": {"current": {"quantile": 1.0}}}}},
        ["classes.metals.cuts.current.quantile: must be below 1 (got 1.0)"],
    ),
    "moving_value": (
        {"classes": {"ends": {"cuts": {"current": {"value": [1, 2], "moving": True}}}}},
        ["classes.ends.cuts.current.moving: a value does not move (got true); give a quantile, or leave it out"],
    ),
    "too_many": (
        {"classes": {"metals": {"rules": {"gold": {"current": 2}}}}},
        ["classes.metals.rules.gold.current: must be 1 to 1, the number of its cuts (got 2)"],
    ),
    "takes_all": (
        {"classes": {"metals": {"rules": {"tin": {}}}}},
        ["classes.metals.rules.tin: names no measure: it would take everybody; make it the rest"],
    ),
    "twice": (
        {"classes": {"metals": {"rest": "gold"}}},
        ["classes.metals.rest: is a class with a rule already: the rest needs a name of its own (got 'gold')"],
    ),
    "lost": (
        {"classes": {"metals": {"rest": "lost"}}},
        ["classes.metals.rules: unrated and lost are not classes: they stand for those without one (got lost); take another name"],
    ),
    "score_of_itself": (
        {"classes": {"abcd": {"score": {"score": 1.0}}}},
        ["classes.abcd.score.score: no such measure of a customer; choose from "],
    ),
    "no_score": (
        {"classes": {"own": {"cuts": {"score": {"quantile": 0.5}}, "rules": {"a": {"score": 1}}}}},
        ["classes.own.score: must be given where score is cut: a weight for each measure"],
    ),
    "no_match": (
        {"classes": {"strategic": {}}},
        ["classes.strategic.cuts.match: no segment has a strategic match; give segments.ID.match, with positioning, capability and values"],
    ),
    "no_credit": (
        {"classes": {"abcd": {"cuts": {"credit": {"value": 600}}}}},
        ["classes.abcd.cuts.credit: customers have no credit here; give credit, with mean and sd"],
    ),
    "credit_of_nothing": (
        {"credit": {"sd": 0.0, "correlations": {"walet": 0.5}}},
        ["credit.correlations.walet: no such trait; did you mean wallet?", "credit.sd: must be above 0 (got 0.0)"],
    ),
    "credit_of_all_alike": (
        {"credit": {"correlations": {"frailty": 0.5}}},
        ["credit.correlations: only what differs between customers can be correlated (got 'frailty'); give frailty.variance"],
    ),
    "credit_as_a_trait": (
        {"frailty": {"variance": 0.5}, "credit": {"correlations": {"frailty": -1}}},
        ["credit.correlations.frailty: must be above -1 and below 1 (got -1)"],
    ),
    "credit_against_traits": (
        {
            "frailty": {"variance": 0.5},
            "purchases": {"kind": "subscription", "wallet": {"mean": 1.0, "cv": 0.5}},
            "correlations": {"frailty": {"wallet": 0.9}},
            "credit": {"correlations": {"frailty": -0.6, "wallet": 0.6}},
        },
        ["credit.correlations: credit cannot be correlated so, beside what traits are; bring the numbers nearer to 0"],
    ),
    "half_a_match": (
        {"segments": {"a": {"share": 1.0, "match": {"positioning": 2.0, "capability": 0.5}}}},
        ["segments.a.match.positioning: must be at most 1 (got 2.0)", "segments.a.match.values: must be given"],
    ),
    "crowd": (
        {"run": {"panel": 10**6}, "horizon": 100},
        ["run.panel: a panel holds every period of every customer: together they must be at most 50,000,000 (got 1000000); give"],
    ),
    "no_number": ({"run": {"panel": -1}}, ["run.panel: must be at least 0 (got -1)"]),
    "no_year": (
        {"classes": {"abcd": {}}, "horizon": 11},
        ["classes: customers are classed at the end of a year: the horizon must have 12 periods at least; lengthen the horizon"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_refusals(name: str) -> None:
    changes, told = WRONG[name]
    with pytest.raises(ScenarioError) as caught:
        read(raw(**changes))
    found = [str(fault) for fault in caught.value.faults]
    assert len(found) == len(told)
    assert all(line.startswith(start) for line, start in zip(found, told, strict=True)), found


def test_warnings() -> None:
    assert any("without run.panel" in line for line in warnings(read(raw(run={}, classes=["abcd"]))))
    assert any("classes.metals: without level" in line for line in warnings(read(raw(classes=["metals"]))))
    assert not any("classes" in line for line in warnings(read(raw(classes=["abcd"]))))
    assert any(line.startswith("credit: without run.panel") for line in warnings(read(raw(run={}, credit={}))))
    assert not any("credit" in line for line in warnings(read(raw(credit={}))))
