"""The referee against the four-stage reference case."""

from typing import Any

import pytest

from sim.exact import Exact
from tests.exact.answers import LOST, answer

ROWS: dict[str, dict[str, float]] = {
    "early": {"formed": 0.25, "declining": 0.05, "lost": 0.15},
    "formed": {"stable": 0.25, "declining": 0.08, "lost": 0.07},
    "stable": {"declining": 0.07, "lost": 0.03},
    "declining": {"formed": 0.05, "stable": 0.03, "lost": 0.42},
}
REWARD = {"early": (5.0, 5.0), "formed": (40.0, 15.0), "stable": (60.0, 20.0), "declining": (15.0, 10.0)}
RANK = {"early": 1, "formed": 2, "stable": 3, "declining": None}


def four_stages(start: str = "early", noise: bool = True, final: str | None = None, reward: float | None = None, **keys: Any) -> Exact:
    """Return the case from a start; final: a stage that is made the end; reward: the same in every stage."""
    stages: dict[str, Any] = {"lost": LOST}
    for name, row in ROWS.items():
        mean, spread = REWARD[name]
        stages[name] = {"rank": RANK[name], "price": mean if reward is None else reward, "amount_cv": spread / mean if noise else 0.0}
        stages[name]["to"] = {target: {"probability": p} for target, p in row.items()}
    if final:
        stages[final] = LOST
    purchases = {"kind": "bernoulli", "probability": 1.0, "order_value": 1.0, "amount": {"distribution": "gamma"}}
    return answer(**{"horizon": "inf", "start": start, "stages": stages, "purchases": purchases, "discount_rate_annual": 0.1, **keys})


def test_four_stages_values() -> None:
    found = [four_stages(name) for name in ROWS]
    assert [one.clv_mean for one in found] == pytest.approx((141.5801, 275.8402, 353.8629, 68.1798), abs=5.01e-5)
    assert [one.clv_sd for one in found] == pytest.approx((157.1587, 177.9952, 178.8525, 113.3856), abs=5.01e-5)
    assert four_stages(noise=False).clv_sd == pytest.approx(155.5315, abs=5.01e-5)
    found = [four_stages(name, discount_rate_annual=0.0) for name in ROWS]
    assert [one.clv_mean for one in found] == pytest.approx((334.0540, 555.9128, 688.8454, 126.9220), abs=5.01e-5)
    assert [one.clv_sd for one in found] == pytest.approx((540.0757, 614.5441, 640.7042, 336.1950), abs=5.01e-5)


def test_four_stages_durations() -> None:
    found = four_stages()
    periods = [found.periods_per_stage[name] for name in ROWS]
    assert periods == pytest.approx((2.222222, 1.518964, 4.109589, 1.040599), abs=5.01e-7)
    life = four_stages(noise=False, reward=1.0, discount_rate_annual=0.0)
    assert (life.clv_mean, life.clv_sd) == pytest.approx((8.891374, 9.915323), abs=5.01e-7)
    reached = [four_stages(final=name).visits_per_stage[name] for name in ("formed", "stable", "declining")]
    assert reached == pytest.approx((0.567154, 0.375000, 0.465278), abs=5.01e-7)


def test_four_stages_in_time() -> None:
    found = four_stages(horizon=600)
    assert found.survival[1:6] == pytest.approx((0.85, 0.729, 0.630955, 0.551100, 0.485514), abs=5.01e-7)
    assert found.retention[300] == pytest.approx(0.912272, abs=5.01e-7)
    left = [found.flows[f"{name}.lost"].sum() for name in ROWS]
    assert left == pytest.approx((0.333333, 0.106327, 0.123288, 0.437052), abs=5.01e-7)
    endless = four_stages()
    assert (found.clv_mean, found.clv_sd) == pytest.approx((endless.clv_mean, endless.clv_sd), rel=1e-12)
    assert found.visits_per_stage == pytest.approx(endless.visits_per_stage, rel=1e-12)


def test_four_stages_patterns() -> None:
    stages: dict[str, Any] = {"lost": LOST}
    for name in ("early", "formed", "stable"):
        row = dict(ROWS[name])
        row["lost"] += row.pop("declining")
        stages[name] = {"rank": RANK[name], "to": {target: {"probability": p} for target, p in row.items()}}
    keys: dict[str, Any] = {"start": "early", "stages": stages, "discount_rate_annual": 0.1, "patterns": {"long_lasting": 8}}
    expected = {"early_lapse": 0.444444, "midway_lapse": 0.208333, "early_retreat": 0.181147, "long_lasting": 0.166075}
    for horizon in ("inf", 500):
        found = answer(horizon=horizon, **keys)
        assert {key: found.patterns[key] for key in expected} == pytest.approx(expected, abs=5.01e-7)
        assert found.patterns["unconverted"] == 0.0
        assert found.patterns["open"] == pytest.approx(0.0, abs=1e-15)


def test_long_lasting_beyond_the_horizon_is_never_reached() -> None:
    keys: dict[str, Any] = {"horizon": 5, "stages": {"s": {"rank": 3, "to": {"lost": {"probability": 0.2}}}, "lost": LOST}}
    assert answer(patterns={"long_lasting": 6}, **keys).patterns["long_lasting"] == 0.0
    assert answer(patterns={"long_lasting": 5}, **keys).patterns["long_lasting"] == pytest.approx(0.8**4)
