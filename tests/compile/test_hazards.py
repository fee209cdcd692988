"""Rates to hazards and back, and the integer thresholds against the functions they stand in for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.compile import compile_tables
from sim.compile.hazards import edge_below, leave_below, stage_hazards
from sim.kernels.maths import exponential
from sim.scenario.model import Scenario
from tests import zoo
from tests.running import assert_same, simulate


def scenario_of(edges: dict[str, dict[str, object]], **stage: object) -> Scenario:
    stages = {"customer": {"to": {key: {"target": "lost", **edge} for key, edge in edges.items()}, **stage}, "lost": {"kind": "lost"}}
    return Scenario.model_validate({"period": "month", "horizon": 24, "start": "customer", "stages": stages})


@settings(deadline=None)
@given(st.lists(st.floats(1e-9, 1.0), min_size=1, max_size=5), st.floats(0.01, 0.999999))
def test_probabilities_are_rebuilt_from_hazards(weights: list[float], leaving: float) -> None:
    chances = [leaving * weight / sum(weights) for weight in weights]
    scenario = scenario_of({f"e{j}": {"probability": p} for j, p in enumerate(chances)})
    hazard = stage_hazards(scenario, scenario.stages["customer"]).hazard[0]
    rebuilt = -np.expm1(-hazard.sum()) * hazard / hazard.sum()
    assert rebuilt == pytest.approx(chances, rel=1e-12)


def test_each_rate_becomes_its_hazard() -> None:
    scenario = scenario_of(
        {
            "a": {"hazard": [0.1, 0.2]},
            "b": {"mean_duration": 4.0},
            "c": {"weibull": {"shape": 2.0, "scale": 10.0}},
            "d": {"hazard": 1.2, "rate_period": "year"},
        }
    )
    hazard = stage_hazards(scenario, scenario.stages["customer"]).hazard
    assert hazard[:3, 0].tolist() == [0.1, 0.2, 0.2]
    assert hazard[0, 1] == pytest.approx(-np.log(0.75))
    assert np.exp(-hazard[:5, 2].sum()) == pytest.approx(np.exp(-((5 / 10) ** 2)))
    assert hazard[0, 3] == pytest.approx(0.1)
    shared = scenario_of({"a": {"share": 0.75}, "b": {"share": 0.25}}, mean_duration=5.0)
    hazard = stage_hazards(shared, shared.stages["customer"]).hazard[0]
    assert (-np.expm1(-hazard.sum()) * hazard / hazard.sum()).tolist() == pytest.approx([0.15, 0.05])


def test_leave_threshold_is_where_the_kernels_decide() -> None:
    total = np.array([0.0, 1e-9, 1e-4, 0.05, 0.7, 3.0, 12.0, 30.0], np.float32)
    below = leave_below(total, np.zeros(total.size, bool))
    assert (below.astype(float) / 2**32).tolist() == pytest.approx(-np.expm1(-total.astype(float)), rel=1e-6, abs=2.0**-32)
    for hazard, threshold in zip(total, below, strict=True):
        around = np.clip(int(threshold) + np.arange(-2, 2), 0, 2**32 - 1).astype(np.uint32)
        u, v, wait = (np.zeros(around.size, np.float32) for _ in range(3))
        exponential(around, u, v, wait, around.size)
        assert ((wait < hazard) == (around < threshold)).all()


def test_certain_rows_always_leave_unless_every_weight_is_zero() -> None:
    assert leave_below(np.array([1.0, 0.0], np.float32), np.array([True, True])).tolist() == [2**32, 0]


def test_edge_thresholds_split_words_in_proportion() -> None:
    below = edge_below(np.array([[0.1, 0.0, 0.3], [0.0, 0.2, 0.0]], np.float32)) / 2**32
    assert below[0].tolist() == pytest.approx([0.25, 0.25, 1.0], abs=1e-7)
    assert below[1].tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("name", ["chain", "lists_and_renewal", "prospects_and_win_back", "wallet_by_chance"])
def test_thresholds_and_hazards_decide_alike(name: str) -> None:
    """Where nothing modifies a hazard, the integer thresholds and the hazard scale give the same lives to the last bit."""
    scenario = zoo.scenario(name, customers=3000, seed=11)
    tables = compile_tables(scenario)
    assert tables.plain.all()
    assert_same(simulate(scenario, tables).tally, simulate(scenario, tables._replace(plain=np.zeros_like(tables.plain))).tally)


def test_tabled_and_computed_amounts_are_the_same() -> None:
    scenario = zoo.scenario("chain", customers=3000)
    tables = compile_tables(scenario)
    assert tables.fixed.all()
    assert_same(simulate(scenario, tables).tally, simulate(scenario, tables._replace(fixed=np.zeros_like(tables.fixed))).tally)
