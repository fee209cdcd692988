"""What holds of the referee's answer to any scenario."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.exact import exact
from sim.scenario.model import Scenario
from tests.exact.twin import LOST, scenario


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a scenario of two to four active stages and a lost one, with moves between them all and positive cash."""
    count = draw(st.integers(2, 4))
    names = [f"s{k}" for k in range(count)]
    stages: dict[str, Any] = {"lost": LOST}
    number = st.floats(0.01, 0.5)
    for name in names:
        targets = draw(st.lists(st.sampled_from(names), unique=True))
        weights = [draw(number) for _ in targets]
        leave = draw(st.floats(0.1, 0.5))
        total = sum(weights) + leave + draw(st.floats(0.1, 1.0))
        stages[name] = {
            "rank": draw(st.sampled_from([None, 1, 2, 3])),
            "price": draw(st.lists(st.floats(0.5, 5.0), min_size=1, max_size=3)),
            "to": {
                **{f"to_{other}": {"target": other, "probability": w / total} for other, w in zip(targets, weights, strict=True)},
                "lost": {"probability": leave / total} if draw(st.booleans()) else {"hazard": leave},
            },
        }
    return {"period": "year", "start": names[0], "stages": stages, "patterns": {"long_lasting": draw(st.integers(1, 6))}}


@settings(max_examples=40, deadline=None)
@given(graphs(), st.floats(0.0, 0.5), st.floats(0.01, 0.5))
def test_any_graph(graph: dict[str, Any], rate: float, more: float) -> None:
    one = exact(Scenario.model_validate({**graph, "horizon": 12, "discount_rate_annual": rate}))
    assert sum(one.occupancy.values()) == pytest.approx(np.ones(13), abs=1e-12)
    assert sum(one.patterns.values()) == pytest.approx(1.0, abs=1e-12)
    assert sum(one.periods_per_stage.values()) == pytest.approx(12.0)
    assert one.clv_mean == pytest.approx(sum(cash.sum() for cash in one.cash.values()))
    dearer = exact(Scenario.model_validate({**graph, "horizon": 12, "discount_rate_annual": rate + more}))
    assert (dearer.clv_mean or 0.0) < (one.clv_mean or 0.0)


LEVELS = st.one_of(st.none(), st.tuples(*[st.floats(0.0, 1.0)] * 10))


@pytest.mark.no_cover
@settings(max_examples=20, deadline=None)
@given(graphs(), st.floats(0.1, 0.5), LEVELS)
def test_a_long_horizon_comes_to_the_infinite_one(graph: dict[str, Any], rate: float, levels: tuple[float, ...] | None) -> None:
    if levels is not None:
        stages = dict(graph["stages"])
        for k, name in enumerate([name for name in stages if name != "lost"]):
            stages[name] = {**stages[name], "level": {"target": levels[2 * k], "speed": levels[2 * k + 1]}}
        graph = {**graph, "stages": stages, "level": {"initial": levels[8], "re_entry": levels[9]}}
    endless = exact(Scenario.model_validate({**graph, "horizon": "inf", "discount_rate_annual": rate}))
    long = exact(Scenario.model_validate({**graph, "horizon": 800, "discount_rate_annual": rate}))
    assert (long.clv_mean, long.clv_sd) == pytest.approx((endless.clv_mean, endless.clv_sd), rel=1e-9, abs=1e-12)
    for stage in graph["stages"]:
        if stage != "lost":
            assert long.periods_per_stage[stage] == pytest.approx(endless.periods_per_stage[stage], rel=1e-8)
            assert long.visits_per_stage[stage] == pytest.approx(endless.visits_per_stage[stage], rel=1e-8)
    assert long.patterns == pytest.approx(endless.patterns, abs=1e-9)


def test_infinite_answers_with_traits_and_prospects() -> None:
    purchases = {"kind": "poisson", "rate": {"mean": 0.8, "cv": 0.7}, "amount": {"distribution": "gamma", "cv": 0.5}}
    stages = {
        "potential": {"kind": "prospect", "cost_to_serve": 0.1, "to": {"s": {"probability": 0.3}, "lost": {"probability": 0.1}}},
        "s": {"rank": 3, "price": [1.0, 2.0], "to": {"lost": {"beta": {"a": 2.0, "b": 6.0}, "cash": -1.0}}},
        "lost": LOST,
    }
    keys: dict[str, Any] = {"period": "year", "start": "potential", "stages": stages, "purchases": purchases, "exposure": "until_exit"}
    keys |= {"discount_rate_annual": 0.3, "acquisition": {"cost": 0.5}, "patterns": {"long_lasting": 3}}
    endless = exact(Scenario.model_validate({**keys, "horizon": "inf"}))
    long = exact(Scenario.model_validate({**keys, "horizon": 120}))
    assert (long.clv_mean, long.clv_sd) == pytest.approx((endless.clv_mean, endless.clv_sd), rel=1e-9)
    assert (long.clv_before_mean, long.clv_before_sd) == pytest.approx((endless.clv_before_mean, endless.clv_before_sd), rel=1e-9)
    for name in ("unconverted", "long_lasting"):
        assert long.patterns[name] == pytest.approx(endless.patterns[name], abs=1e-6)
    assert endless.visits_per_stage == pytest.approx({"potential": 1.0, "s": 0.75, "lost": 1.0})


def test_a_life_that_never_settles_has_no_pattern() -> None:
    stages: dict[str, Any] = {
        "s": {"rank": 1, "to": {"lost": {"probability": 0.3}}},
        "lost": {"kind": "lost", "to": {"s": {"probability": 0.2}}},
    }
    keys: dict[str, Any] = {"period": "year", "start": "s", "horizon": "inf", "discount_rate_annual": 0.1}
    found = exact(Scenario.model_validate({**keys, "stages": stages}))
    assert found.patterns == {}
    assert found.periods_per_stage == {"s": math.inf, "lost": math.inf}
    stages["s"]["rank"] = 3
    assert exact(Scenario.model_validate({**keys, "stages": stages})).patterns["long_lasting"] == pytest.approx(1.0)


def test_reactivation_and_retention_are_undefined_where_nobody_is() -> None:
    case = scenario(start="s", stages={"s": {"to": {"lost": {"probability": 1.0}}}, "lost": {**LOST, "to": {"s": {"probability": 0.25}}}})
    found = exact(case)
    assert found.reactivation == pytest.approx([math.nan, 0.25, 0.25, 0.25], nan_ok=True)
    assert found.retention == pytest.approx([0.0, math.nan, 0.0, 0.0], nan_ok=True)
