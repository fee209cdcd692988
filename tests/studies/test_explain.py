"""What is told of a scenario before a run is what the exact answers and the runs are made of."""

import re
from typing import Any

import pytest

import sim
from sim.exact import Exact, traits
from sim.scenario import ScenarioError
from sim.scenario.model import Scenario
from sim.studies.explain import EdgeRow, StageRow, explain
from sim.studies.told import by_age, by_segment, theory
from tests.measures import cases


def told(scenario: Scenario, width: int = 100) -> str:
    """Return the text of an explanation on one line."""
    return " ".join(explain(scenario).text(width).split())


def tells(scenario: Scenario, *said: str) -> None:
    """Assert that an explanation says all of these."""
    text = told(scenario)
    assert [part for part in said if part not in text] == [], text


def two_ways(to: dict[str, Any], **changes: Any) -> Scenario:
    return cases.publisher(stages={"here": {"price": 2.0, "to": to}, "gone": {"kind": "lost"}}, start="here", **changes)


@pytest.mark.parametrize("name", list(sim.scenarios()))
def test_chances_are_the_first_flows_of_the_exact_answers(name: str) -> None:
    scenario = sim.load(name)
    answer, edges = sim.exact(scenario), explain(scenario).edges
    if answer.reason is not None:
        pytest.skip(answer.reason)
    first = edges[(edges["stage"] == scenario.start) & (edges["age"] == 0)]
    shares = scenario.segment_shares
    for edge, rows in first.groupby("edge"):
        mean = sum(chance * shares[segment] for segment, chance in zip(rows["segment"], rows["chance"], strict=True))
        assert mean == pytest.approx(answer.flows[f"{scenario.start}.{edge}"][0], rel=1e-9)


@pytest.mark.parametrize("name", list(sim.scenarios()))
def test_cash_is_the_first_of_the_exact_answers(name: str) -> None:
    scenario = sim.load(name)
    if {scenario.timing.purchase, scenario.timing.service} != {"start"}:
        pytest.skip("cash is discounted")
    answer, stages = sim.exact(scenario), explain(scenario).stages
    if answer.reason is not None:
        pytest.skip(answer.reason)
    first = stages[(stages["stage"] == scenario.start) & (stages["age"] == 0)].set_index("segment")
    net = sum(first["net"][key] * share for key, share in scenario.segment_shares.items())
    assert net == pytest.approx(answer.cash["purchase"][0] + answer.cash["service"][0], rel=1e-9)


def test_frames() -> None:
    explanation = sim.explain(sim.load("lifecycle"))
    assert tuple(explanation.stages.columns) == StageRow._fields
    assert tuple(explanation.edges.columns) == EdgeRow._fields
    assert len(explanation.stages) == 3 * (4 + 7)  # lost by its 7 ages
    assert len(explanation.edges) == 3 * (3 + 3 + 4 + 4 + 7)
    leave = explanation.edges.groupby(["segment", "stage", "age"])["chance"].sum()
    held = explanation.stages.set_index(["segment", "stage", "age"])["leave"]
    assert held.loc[leave.index].to_numpy() == pytest.approx(leave.to_numpy())
    assert "lifecycle" in repr(explanation)
    assert str(explanation) == explanation.text()


def test_a_probability_beside_a_hazard_is_not_the_realised_one() -> None:
    # hazards -ln(0.7) and 0.2: leaving 1 - 0.7 exp(-0.2), shared in proportion
    tells(
        two_ways({"gone": {"probability": 0.3}, "rival": {"target": "gone", "hazard": 0.2, "cause": "rival"}}),
        "-> gone: 0.2735 (given as 0.3)",
        "-> gone, as rival (rival): 0.1534 (given as hazard 0.2)",
        "stays: 0.5731",
        "A probability beside edges given otherwise is what it would be without them",
    )


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        ({"probability": 0.25}, "-> gone: 0.25 stays: 0.75"),
        ({"probability": [0.5, 0.25, 0.25, 0.1]}, "-> gone: 0.5 at age 0, 0.25 at 1 to 2, 0.1 from 3 on stays: 0.5 at age 0"),
        ({"probability": 0.02, "rate_period": "month"}, "-> gone: 0.2153 (given as 0.02 a month)"),
        ({"mean_duration": 4}, "-> gone: 0.25 (given as a mean stay of 4 years were this the only way)"),
        ({"beta": {"a": 1, "b": 3}}, "-> gone: 0.25 (given as each customer's own, Beta(1, 3))"),
        ({"weibull": {"shape": 2, "scale": 5}}, "-> gone: 0.03921 at age 0, 0.1131 at 1,"),
        ({"probability": 0.25, "cash": -1.5, "cause": "own"}, "-> gone (own), -1.50 on the move: 0.25"),
    ],
)
def test_rates(rate: dict[str, Any], said: str) -> None:
    tells(two_ways({"gone": rate}), said)


def test_what_changes_chances_is_told() -> None:
    changes: dict[str, Any] = {
        "frailty": {"variance": 0.5},
        "exposure": "until_exit",
        "calendar": {"hazards": {"growth_annual": 0.1}, "margin": {"multiplier": [0.9]}},
    }
    tells(
        two_ways({"gone": {"hazard": 0.2}}, **changes),
        "Frailty: hazards of all edges into a lost stage are multiplied by a gamma draw a customer, of mean 1 and variance 0.5.",
        "Calendar: hazards times 1.1 a year, compounding.",
        "Calendar: margin times 0.9.",
        "Exposure until exit",
        "exact, horizon=inf: none: calendar.hazards: changes for ever, under horizon: inf",
    )


@pytest.mark.parametrize(
    ("purchases", "said"),
    [
        ({"kind": "subscription", "wallet": {"mean": 3, "cv": 0.5}}, "wallet of mean 3 (gamma, CV 0.5 between customers)"),
        ({"kind": "bernoulli", "probability": 0.5, "order_value": 4}, "at most one order a year, chance 0.5; order of 4"),
        (
            {"kind": "bernoulli", "probability": {"a": 1, "b": 2}, "wallet": 3, "amount": {"distribution": "gamma", "cv": 1}},
            "chance Beta(1, 2) between customers; wallet of 3; amounts gamma, CV 1",
        ),
        (
            {"kind": "poisson", "rate": {"shape": 2, "rate": 1}, "rate_period": "month", "order_value": 4},
            "orders of mean 2 (gamma, CV 0.7071 between customers) a month (Poisson); order of 4",
        ),
    ],
)
def test_purchases(purchases: dict[str, Any], said: str) -> None:
    tells(two_ways({"gone": {"probability": 0.5}}, purchases=purchases), said)


def test_segments_stand_beside_each_other() -> None:
    tells(
        sim.load("markov_lifecycle"),
        "-> decline (rival): budget 0.035; mainstream 0.02333; premium 0.01556",
        "-> formation (own): 0.1625 (given as 0.65 of those who leave, after 4 months on average)",
        "acquisition on arrival, a customer: budget 60.00; mainstream 120.00; premium 220.00",
    )


def test_many_segments_do_not_drown_the_reader() -> None:
    segments = {f"s{k}": {"share": 0.01, "stages": {"here": {"price": float(k)}}} for k in range(100)}
    text = told(two_ways({"gone": {"probability": 0.5}}, segments=segments))
    assert "and 94 more" in text
    assert "94 more values" in text
    assert len(text) < 5500  # of which the settings are most


def test_parts_in_words() -> None:
    assert by_age(["1"] * 3) == "1"
    assert by_age(["1", "2"]) == "1 at age 0, 2 from 1 on"
    assert by_age([str(k) for k in range(30)]) == "0 at age 0, 1 at 1, 2 at 2, 3 at 3, 5 at 5, 10 at 10, 20 at 20, 29 at 29"
    assert by_segment({"a": "1", "b": "1"}) == "1"
    assert by_segment({"a": "1", "b": "2", "c": "1"}) == "a, c 1; b 2"


def test_stages_that_nobody_reaches_are_said() -> None:
    stages = {"here": {"to": {"gone": {"probability": 0.5}}}, "island": {}, "gone": {"kind": "lost"}}
    scenario = cases.publisher(stages=stages, start="here")
    text = told(scenario)
    assert "island: active no way leads here from the start" in text
    assert "warning: stages.island: no way leads here from start (here)" in text
    assert "island" not in set(explain(scenario).stages["stage"])


def test_endless_horizons() -> None:
    text = told(two_ways({"gone": {"weibull": {"shape": 2.0, "scale": 5.0}}}, horizon="inf"))
    assert "-> gone: 0.03921 at age 0, 0.1131 at 1," in text
    assert "exact: none: stages.here.to.gone.weibull: changes with stage age for ever, under horizon: inf" in text
    assert told(two_ways({"gone": {"probability": 0.5}}, horizon="inf", discount_rate_annual=0.1)).endswith(
        "exact: mean CLV and its standard deviation; periods and visits in each stage; life patterns"
    )


def test_what_is_infinite_is_said() -> None:
    text = told(two_ways({"gone": {"beta": {"a": 1.5, "b": 3}}}, horizon="inf", discount_rate_annual=0.0))
    assert "exact: mean CLV; periods" in text
    assert "clv_sd: the second moment is infinite" in text
    text = told(two_ways({"gone": {"beta": {"a": 0.5, "b": 3}}}, horizon="inf", discount_rate_annual=0.0))
    assert "exact: none: horizon: over customers the mean of all future cash is infinite" in text


def test_exact_answers_that_take_long_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_: Scenario) -> None:
        raise AssertionError

    monkeypatch.setattr("sim.studies.explain.exact", never)
    monkeypatch.setattr("sim.studies.told.MUCH_WORK", 10)
    assert told(cases.publisher()).endswith("exact: not tried here, for it would take long; clvsim exact does")


def test_work_is_counted_without_the_moments_of_spending(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> Exact:
        raise AssertionError

    case = two_ways(
        {"gone": {"beta": {"a": 1.5, "b": 3}}, "left": {"target": "gone", "hazard": 0.2}}, frailty={"variance": 0.5, "edges": ["here.left"]}
    )
    nodes = len(traits.build(case, ("here.gone",), True).weights)
    assert traits.count(case, ("here.gone",), True) == nodes > 1000
    monkeypatch.setattr(traits, "spending", never)
    monkeypatch.setattr("sim.studies.told.MUCH_WORK", 1000)
    assert theory(case, never) == ["exact: not tried here, for it would take long; clvsim exact does"]


@pytest.mark.parametrize("width", [40, 100])
def test_lines_are_no_wider_than_asked(width: int) -> None:
    for name in sim.scenarios():
        scenario = sim.load(name)
        wide = [line for line in explain(scenario).text(width).splitlines() if len(line) > width]
        assert [line for line in wide if len(line.split()) > 1] == []  # a name longer than a line stays whole


def test_origin_is_told() -> None:
    assert "settings: a.yaml; run.seed=3\n" in explain(cases.publisher(), ["a.yaml", "run.seed=3"]).text()
    assert re.search(r"^settings:\n  name: magazine$", str(explain(cases.publisher())), re.MULTILINE)


def test_unknown_kinds_of_picture_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"^--graph: must end in \.svg, \.png, \.pdf \(got x\.gif\)$"):
        explain(cases.publisher()).draw("x.gif")
