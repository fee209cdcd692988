"""What is said of a study before any of its points is run: what is wrong, at how many points, and what all of them would cost."""

import re
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sim
from sim.scenario import Scenario, ScenarioError, read
from sim.scenario.memory import Memory
from sim.scenario.study import MOST_POINTS, read_study
from sim.studies import planning
from sim.studies import points as made
from sim.studies.design import Point, points
from sim.studies.sweep import sweep
from tests.exact.test_referral import talkers
from tests.studies.test_points import lifecycle, publisher


def said(scenario: Scenario, vary: Any, **rest: Any) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        sweep(scenario, vary, **rest)
    return str(caught.value).split("\n")


@pytest.mark.parametrize(
    ("vary", "rest", "line"),
    [
        (
            {"discount_rate_anual": [0.1]},
            {},
            "vary.discount_rate_anual: unknown parameter (got discount_rate_anual); did you mean discount_rate_annual?",
        ),
        (
            {"stages.renewd.price": [1]},
            {},
            "vary.stages.renewd.price: unknown parameter (got stages.renewd.price); did you mean renewed? (in stages)",
        ),
        (
            {"x": {"values": [1], "paths": ["horizon", "stages.renewed.prise"]}},
            {},
            "vary.x: unknown parameter (got stages.renewed.prise); did you mean price? (in stages.renewed)",
        ),
        (
            {"stages.renewed.price.4": [1]},
            {},
            "vary.stages.renewed.price.4: has 1 entries before .4 (got stages.renewed.price.4); count them from 0",
        ),
        ({"horizon.first": [1]}, {}, "vary.horizon.first: leads beyond horizon, which is 10 (got horizon.first); cut it short"),
        ({"": [1]}, {}, "vary.: unknown parameter"),
        (
            {"policies.win_back.uptake": [1]},
            {},
            "vary.policies.win_back.uptake: is of a policy that no arm has (got policies.win_back.uptake); add policies=[NAME]",
        ),
        (
            {"policies.win_bak.uptake": [1]},
            {"policies": ["gifts"]},
            "vary.policies.win_bak.uptake: is of a policy that no arm has (got policies.win_bak.uptake); choose from gifts",
        ),
        (
            {"policies.gifts.cost.perContact": [1]},
            {"policies": ["gifts"]},
            "vary.policies.gifts.cost.perContact: unknown parameter (got policies.gifts.cost.perContact); "
            "did you mean per_contact? (in policies.gifts.cost)",
        ),
        ({"policies": [1]}, {}, "vary.policies: is what a column of the table is called (got policies); give it another name"),
        ({"x": {"values": [1], "paths": ["policies"]}}, {}, "vary.x: is no value of a policy (got policies); write policies.NAME"),
        ({"run.threads": [1]}, {}, "vary.run.threads: changes no result (got run.threads); leave it out"),
        ({"run.driver": ["group"]}, {}, "vary.run.driver: changes no result (got run.driver); leave it out"),
        (
            {"clv": {"values": [1], "paths": ["horizon"]}},
            {},
            "vary.clv: is what a column of the table is called (got clv); give it another name, beside its paths",
        ),
        (
            {"stages.renewed.label": {"values": [2], "scale": True}},
            {},
            "vary.stages.renewed.label: leads to 'Renewed', which is no number to multiply (got stages.renewed.label); leave scale out",
        ),
        ({"horizon": [10]}, {"policies": ["win_bak"]}, "policies: no such policy (got 'win_bak'); did you mean win_back?"),
        (
            {"horizon": [10]},
            {"policies": ["gifts"], "comparator": "gift"},
            "comparator: must be one of the policies (got gift); there are none, gifts",
        ),
        ({"horizon": [10]}, {"comparator": "gift"}, "comparator: must be one of the policies (got gift); add policies=[NAME]"),
        ({"discount_rate_annual": [0.1, "x"]}, {}, "discount_rate_annual: must be a number at 1 of 2 points (50.00%), first at point 1"),
        ({"horizon": [20, "inf"]}, {}, "horizon: must be a whole number of periods to simulate; inf has exact answers only at 1 of 2"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(vary: Any, rest: dict[str, Any], line: str) -> None:
    (found,) = said(publisher(), vary, **rest)
    assert found.startswith(line)


def test_all_that_is_wrong_is_told_at_once() -> None:
    found = said(publisher(), {"horizn": [1], "run.threads": [1]}, policies=["win_bak"], comparator="x")
    assert [line.partition(":")[0] for line in found] == ["policies", "vary.horizn", "vary.run.threads", "comparator"]


def test_draws_beyond_the_valid_range_are_refused_with_their_share() -> None:
    """Of normal chances the share beyond 1 is told, of 1,024 points that of the quantiles: 1 - Phi(1) = 15.87 %."""
    vary = {"stages.introductory.to.lapsed.probability": {"mean": 0.8, "sd": 0.2, "distribution": "normal", "low": 0}}
    lines = said(publisher(), vary, points=1024)
    assert lines[0].startswith("stages.introductory.to: probabilities to leave a stage must sum to at most 1")
    found = re.fullmatch(
        r"stages\.introductory\.to\.lapsed\.probability: must be at most 1 at (\d+) of 1,024 points \((.*)%\), "
        r"first at point \d+ \(.*=1\.\d+\) \(got 1\.\d+\); narrow the range, or cut the distribution off with low and high",
        lines[1],
    )
    assert found is not None, lines
    assert int(found[1]) / 1024 == pytest.approx(0.1587, abs=0.004)
    assert float(found[2]) == pytest.approx(100 * int(found[1]) / 1024, abs=0.005)


@pytest.mark.jit
@pytest.mark.parametrize(
    ("scenario", "vary", "policies"),
    [
        (publisher(), {"stages.renewed.margin": [-1e13, -1, 0.5], "stages.renewed.to.lapsed.probability.1": [0.2, 1.2]}, []),
        (publisher(), {"stages.renewed.kind": ["active", "prospect", "lost", "lots"]}, []),
        (publisher(), {"purchases.kind": ["subscription", "bernoulli", "poisson"]}, []),
        (publisher(), {"run.customers": [1, 2, 500, 10**13], "firm.customers": [1, 1000]}, []),
        (publisher(), {"horizon": [0, 20, 20.5, 70_000], "period": ["year", "month", "yaer"]}, []),
        (publisher(), {"label": ["well", "not\x07well"]}, []),
        (lifecycle(), {"run.customers": [1, 30, 500], "segments.budget.stages.stability.mean_duration": [0.5, 20]}, []),
        (lifecycle(), {"satisfaction.speed": [0.1, 3], "competition.intensity": [0.5], "level.initial": [0.3]}, []),
        (lifecycle(), {"stages.formation.rank": [1, 2, 3, 4], "stages.stability.mean_duration": [0.5, 3.0, 900.0]}, []),
        (lifecycle(), {"purchases.wallet.cv": [-1, 0, 0.5], "timing.purchase": ["end", "start", "never"]}, []),
        (
            lifecycle(),
            {"policies.win_back.cost.per_contact": [-1, 0, 5], "policies.win_back.uptake": [0.5, 2]},
            ["win_back", "win_back+gifts"],
        ),
        (lifecycle(), {"policies.win_back.capacity": [-1, 10], "policies.gifts.decay": [0.5, 2]}, ["win_back", "gifts+win_back"]),
    ],
)
def test_points_are_judged_as_the_gate_judges_each(scenario: Scenario, vary: dict[str, Any], policies: list[str]) -> None:
    """What is remembered, and what points share, changes nothing: the same scenarios, the same faults."""
    study = read_study({"vary": vary, "policies": policies})
    plan = made.Plan(scenario, study, points(study), *planning._arms(study, None)[:2])
    memories, accepted = defaultdict[str, Memory | None](Memory), 0

    def told(read_all: Callable[[Point], list[Scenario]], point: Point) -> Any:
        try:
            return read_all(point)
        except ScenarioError as error:
            return error.faults

    for point in plan.points:
        gate = told(lambda point: [read(raw, scenario.name) for raw in plan.raw_at(point)], point)
        assert told(lambda point: planning._read(plan, point, memories), point) == gate
        accepted += isinstance(gate[0], Scenario)
    assert 0 < accepted < len(plan.points)


ORDERING = Scenario.model_validate(
    {
        "period": "year",
        "horizon": 5,
        "start": "customer",
        "stages": {"customer": {"to": {"lost": {"probability": 0.3}}}, "lost": {"kind": "lost"}},
        "purchases": {"kind": "bernoulli", "probability": 0.4, "order_value": 10},
        "segments": {
            "a": {"share": 0.5, "purchases": {"kind": "poisson", "rate": 2.0}},
            "b": {"share": 0.5, "purchases": {"order_value": 20}},
        },
    }
)


@pytest.mark.jit
@pytest.mark.parametrize(
    ("vary", "more"),
    [
        ({"purchases.kind": ["bernoulli", "subscription", "x"]}, {}),
        ({"purchases.kind": ["poisson"], "purchases.rate": {"values": [3.0], "paths": ["purchases.rate"]}}, {}),
        ({"segments.a.purchases.rate": [1.0, -1.0], "segments.b.purchases.kind": ["bernoulli", "subscription"]}, {}),
        ({"segments.b.purchases.order_value.kind": ["x"]}, {}),
        ({"purchases.probability": [0.1, 0.9]}, {"policies": ["+".join(f"p{k}" for k in range(9)), "p0"], "crossed": False}),
        ({"purchases.probability": [0.1]}, {"policies": ["Up"]}),
        ({"policies.p0.uptake": [0.5, 2.0]}, {"policies": ["p0", "none"], "crossed": False}),
    ],
)
def test_what_sharing_could_let_through_is_judged_as_by_the_gate(vary: dict[str, Any], more: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "policy").mkdir()
    for name in ("Up", *(f"p{k}" for k in range(9))):
        (tmp_path / "policy" / f"{name}.yaml").write_text("label: One\ncost: {setup: 1}\neffects: {orders: 1.1}\n", encoding="utf-8")
    study = read_study({"vary": vary, **more})
    plan = made.Plan(ORDERING, study, points(study), *planning._arms(study, tmp_path)[:2])
    for point in plan.points:
        try:
            wanted: Any = [read(raw, ORDERING.name) for raw in plan.raw_at(point)]
        except ScenarioError as error:
            wanted = error.faults
        try:
            found: Any = planning._read(plan, point, defaultdict(Memory))
        except ScenarioError as error:
            found = error.faults
        assert found == wanted


def test_a_fault_that_is_told_twice_of_a_point_is_one_point_s() -> None:
    """Neither wallet nor rate varies: the same rule and hint twice, at the one point of two that correlates them so."""
    lines = said(ORDERING, {"correlations.wallet.rate": [0.5, 2.0]})
    assert lines[0].startswith("correlations: only what differs between customers can be correlated at 1 of 2 points (50.00%)")


def test_no_point_is_run_where_one_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.studies.running.simulated", lambda *_: pytest.fail("a point was run"))
    assert said(publisher(), {"discount_rate_annual": [0.1, -2]})


def test_customers_who_bring_others_without_end_are_refused_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.studies.running.simulated", lambda *_: pytest.fail("a point was run"))
    (line,) = said(talkers(), {"word_of_mouth.reach": [0.2, 0.9]})
    assert line.startswith("word_of_mouth.recruits: customers bring others without end: each wins 2.")
    assert line.endswith("at 1 of 2 points (50.00%), first at point 1 (word_of_mouth.reach=0.9); give a smaller reach")


def test_too_many_points_are_told_with_what_they_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["sim.engine.run"], "available_threads", lambda: 4)  # sim.engine.run is the function, as a name
    steps = {"low": 0.01, "high": 0.2, "steps": 1000}
    vary = {"discount_rate_annual": steps, "stages.renewed.price": steps, "stages.renewed.cost_to_serve": steps}
    scenario = sim.load("publisher", "run.customers=1000")
    assert said(scenario, vary) == [
        f"design: must have at most {MOST_POINTS:,} points; these, of 1,000 customers each, are 1,000,000,000,000 lives, "
        "about 3 days on 4 cores (got 1,000,000,000 points); design=sobol with points=1024 covers the same ranges"
    ]
    scenario = sim.load("lifecycle", "run.customers=100", "run.replicates=5", "run.threads=1")
    assert said(scenario, {"discount_rate_annual": {"low": 0.1, "high": 0.2}}, points=10**8, policies=["win_back"]) == [
        "points: must have at most 1,000,000 points; these, of 100 customers each x 2 arms x 5 replicates, are 100,000,000,000 lives, "
        "about 28 hours on 1 cores (got 100,000,000 points); design=sobol with points=1024 covers the same ranges"
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 seconds"), (119, "119 seconds"), (120, "2 minutes"), (1e5, "28 hours"), (6e5, "7 days"), (1e9, "32 years")],
)
def test_a_time_in_words(seconds: float, said: str) -> None:
    assert planning._duration(seconds) == said
