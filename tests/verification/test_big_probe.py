"""What holds in every scenario, on random ones: simulated and exact answers agree, and move the way they must.

Examples are fixed (``derandomize``); a new version of hypothesis may draw others.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import sim
from sim.kernels.types import AFTER, Kept
from sim.scenario import Scenario, read
from tests.verification import graphs
from tests.verification.comparing import Comparison

pytestmark = pytest.mark.jit

Test = TypeVar("Test", bound=Callable[..., None])


def examples(count: int) -> Callable[[Test], Test]:
    return settings(
        max_examples=count, deadline=None, derandomize=False, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
    )


def scenario_of(raw: dict[str, Any], **changes: Any) -> Scenario:
    firm = {} if "cohorts" in raw else {"firm": {"customers": 1000}}
    return read({**raw, **firm, **changes})


def kept_of(scenario: Scenario) -> Kept:
    found = sim.simulate(scenario).outcome.kept
    assert found is not None
    return found


@examples(1500)
@given(graphs.scenarios())
def test_simulated_and_exact_answers_agree(raw: dict[str, Any]) -> None:
    """Mean CLV, survival, retention, occupancy, flows and patterns of 30,000 customers within 5 standard errors.

    Some 30,000 numbers in all: at other seeds the test would fail less than 1 time in 50.
    """
    comparison = Comparison(sim.simulate(scenario_of(raw, run={"customers": 30_000, "seed": 1})))
    comparison.values(z=5.0)
    comparison.shares(z=5.0, z_survival=5.0)
    comparison.finish(at_least=raw["horizon"])
    everybody = comparison.result.occupancy.groupby(["by", "id", "clock", "period"])["share"].sum()
    assert everybody.to_numpy() == pytest.approx(1.0, rel=1e-12)
    assert np.sum(list(comparison.result.exact.occupancy.values()), axis=0) == pytest.approx(1.0, rel=1e-12)


@examples(600)
@given(graphs.scenarios(positive=True), st.sampled_from(((0.0, 0.1), (0.1, 0.12), (-0.2, 0.0), (0.5, 3.0))))
def test_value_falls_with_the_discount_rate(raw: dict[str, Any], rates: tuple[float, float]) -> None:
    """Every customer's, with the same draws, and the exact mean. Nothing here can fail by chance."""
    run = {"customers": 2000, "keep_customers": True}
    low, high = (scenario_of(raw, discount_rate_annual=rate, run=run) for rate in rates)
    worth_low, worth_high = (kept_of(scenario).clv[0, :, AFTER] for scenario in (low, high))
    assert (worth_high >= 0).all()
    assert (worth_high <= worth_low).all()
    mean_low, mean_high = (sim.exact(scenario).clv_mean for scenario in (low, high))
    assert mean_low is not None
    assert mean_high is not None
    assert 0 <= mean_high <= mean_low * (1 + 1e-12)
    event(f"falls: {mean_high < mean_low}")


HAZARDS = st.lists(st.sampled_from((0.0, 0.01, 0.2, 1.0)), min_size=1, max_size=5)
FACTORS = st.lists(st.sampled_from((0.0, 0.3, 0.99, 1.0)), min_size=5, max_size=5)


def lost_at(edges: dict[str, list[float]], **changes: Any) -> NDArray[np.int64]:
    """Return when each of 20,000 customers is lost, those who never are at the horizon."""
    to = {key: {"target": "lost", "hazard": hazard} for key, hazard in edges.items()}
    raw = {"period": "quarter", "horizon": 8, "start": "here", "stages": {"here": {"to": to}, "lost": {"kind": "lost"}}}
    found = kept_of(scenario_of(raw | changes, run={"customers": 20_000, "keep_customers": True})).lost_at[0]
    return np.where(found < 0, 8, found).astype(np.int64)


@examples(600)
@given(HAZARDS, HAZARDS, FACTORS, st.sampled_from((0.0, 1.5)), st.booleans())
def test_nobody_leaves_sooner_where_a_hazard_is_lower(
    own: list[float], rival: list[float], factors: list[float], variance: float, seasonal: bool
) -> None:
    """Customer by customer, with the same draws. Nothing here can fail by chance."""
    changes: dict[str, Any] = {"frailty": {"variance": variance}}
    if seasonal:
        changes["calendar"] = {"hazards": {"multiplier": [1.0, 2.0, 0.5, 1.0]}}
    lower = [hazard * factor for hazard, factor in zip(own, factors, strict=False)]
    before, after = lost_at({"own": own, "rival": rival}, **changes), lost_at({"own": lower, "rival": rival}, **changes)
    assert (after >= before).all()
    event(f"later: {(after > before).any()}")
