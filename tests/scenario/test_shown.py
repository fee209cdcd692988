"""Rates in words: one way for notebook, report and explanation, each of which puts the numbers as it likes."""

from typing import Any

import pytest

from sim.report.assumptions import stage_rows
from sim.scenario.model import Scenario
from sim.scenario.shown import rate, stages
from sim.studies.explain import explain
from tests.measures import cases

RATES: list[tuple[dict[str, Any], str, str | None]] = [  # None: the report says the same
    ({"probability": 0.25}, "0.25", "25 % a year"),
    ({"probability": 0.02, "rate_period": "month"}, "0.02 a month", "2 % a month"),
    (
        {"probability": [0.5, 0.4, 0.3, 0.2, 0.1]},
        "0.5, 0.4, 0.3, 0.2, …",
        "50 % at stage age 0, 40 % at 1, 30 % at 2, 20 % at 3, 10 % from 4 on, a year",
    ),
    ({"hazard": 0.2}, "hazard 0.2", "hazard 0.2 a year"),
    ({"mean_duration": 4}, "a mean stay of 4 years were this the only way", None),
    ({"mean_duration": 4, "rate_period": "month"}, "a mean stay of 4 months were this the only way", None),
    ({"share": 1}, "1 of those who leave, after 2.5 years on average", "100 % of those who leave, after 2.5 years on average"),
    (
        {"share": 1, "rate_period": "week"},
        "1 of those who leave, after 2.5 weeks on average",
        "100 % of those who leave, after 2.5 weeks on average",
    ),
    ({"weibull": {"shape": 2, "scale": 1}}, "Weibull hazard of shape 2 and scale 1 year", None),
    ({"beta": {"a": 1, "b": 3}}, "each customer's own, Beta(1, 3)", "each customer's own, Beta(1, 3) a year"),
]


def leaving(given: dict[str, Any]) -> Scenario:
    stay = {"mean_duration": 2.5} if "share" in given else {}
    return cases.publisher(stages={"here": {"price": 2.0, "to": {"gone": given}, **stay}, "gone": {"kind": "lost"}}, start="here")


@pytest.mark.parametrize(("given", "said", "reported"), RATES)
def test_all_pages_say_the_same_of_a_rate(given: dict[str, Any], said: str, reported: str | None) -> None:
    scenario = leaving(given)
    here = scenario.stages["here"]
    assert rate(scenario, here, here.to["gone"]) == said
    assert f"gone {said}<" in stages(scenario).replace("&#x27;", "'")
    (way,) = stage_rows(scenario)[0].ways
    assert way.replace("\N{NO-BREAK SPACE}", " ") == f"→ gone: {reported or said}"
    first = said.partition(",")[0] if "probability" in given else said
    assert explain(scenario).edges["given"].iloc[0] == first
