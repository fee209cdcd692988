"""The referee against closed forms: simple lives, and laws of traits from hardly any spread to nearly all."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

from sim.exact.traits import _beta, _gamma, _given
from sim.scenario.purchases import Trait
from tests.exact.answers import LOST, answer
from tests.exact.twin import Floats


def test_fixed_life() -> None:
    stage = {"price": 100.0, "to": {"lost": {"probability": [0.0] * 9 + [1.0]}}}
    keys: dict[str, Any] = {"stages": {"s": stage, "lost": LOST}, "acquisition": {"cost": 80.0}}
    for horizon in (10, 15, "inf"):
        found = answer(horizon=horizon, **keys)
        assert (found.clv_mean, found.clv_sd) == pytest.approx((920.0, 0.0), abs=1e-9)
    for when, shift in (("start", 0), ("mid", 0.5), ("end", 1)):
        found = answer(horizon=10, discount_rate_annual=0.1, timing={"purchase": when}, **keys)
        assert found.clv_mean == pytest.approx(sum(100 * 1.1 ** -(t + shift) for t in range(10)) - 80, rel=1e-13)
        assert found.clv_sd == 0.0


def test_geometric_life() -> None:
    stage = {"price": 100.0, "to": {"lost": {"mean_duration": 10.0}}}
    found = answer(horizon="inf", stages={"s": stage, "lost": LOST}, acquisition={"cost": 80.0})
    assert found.clv_mean == pytest.approx(920.0, rel=1e-13)
    assert found.clv_sd == pytest.approx(948.68, abs=5e-3)


def test_rates_of_another_period_are_converted_as_hazards() -> None:
    stage = {"to": {"lost": {"probability": 0.4, "rate_period": "year"}}}
    found = answer(period="month", horizon=24, stages={"s": stage, "lost": LOST})
    assert found.survival[[12, 24]] == pytest.approx([0.6, 0.36], rel=1e-13)


def test_weibull_survival() -> None:
    stage = {"to": {"lost": {"weibull": {"shape": 1.7, "scale": 6.0}}}}
    found = answer(horizon=15, stages={"s": stage, "lost": LOST})
    assert found.survival == pytest.approx(np.exp(-((np.arange(16) / 6.0) ** 1.7)), rel=1e-12)


@pytest.mark.parametrize("variance", [1e-6, 0.01, 0.3, 1.0, 4.0, 20.0])
def test_gamma_frailty_against_its_closed_form(variance: float) -> None:
    found = answer(horizon=40, frailty={"variance": variance}, stages={"s": {"to": {"lost": {"hazard": 0.2}}}, "lost": LOST})
    assert found.survival == pytest.approx((1 + variance * 0.2 * np.arange(41)) ** (-1 / variance), rel=1e-9)
    assert found.node_error < 1e-8


@pytest.mark.parametrize("law", [(0.001, 1.0), (0.001, 0.001), (0.01, 1000.0)])
def test_customers_who_hardly_ever_leave_do_not_stop_the_answer(law: tuple[float, float]) -> None:
    """Against the mean of 1 / (1 - d (1 - p)) by Gauss's series: E = F(1, b; a + b; d) for p ~ Beta(a, b)."""
    a, b = law
    keys: dict[str, Any] = {"horizon": "inf", "stages": {"s": {"price": 1.0, "to": {"lost": {"beta": {"a": a, "b": b}}}}}}
    found = answer(discount_rate_annual=0.1, **keys)
    assert found.clv_mean == pytest.approx(float(special.hyp2f1(1.0, b, a + b, 1.0 / 1.1)), rel=1e-9)
    assert found.periods_per_stage["s"] == math.inf


@pytest.mark.parametrize("variance", [10.0, 25.0])
def test_frailty_of_a_huge_variance(variance: float) -> None:
    """Against the sum of d^t E[exp(-h f t)] = d^t (1 + v h t)^(-1/v)."""
    t = np.arange(600)
    keys: dict[str, Any] = {"horizon": "inf", "stages": {"s": {"price": 1.0, "to": {"lost": {"probability": 0.2}}}}}
    found = answer(discount_rate_annual=0.1, frailty={"variance": variance}, **keys)
    wanted = (1.1**-t * (1.0 - variance * math.log(0.8) * t) ** (-1.0 / variance)).sum()
    assert found.clv_mean == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("horizon", [10, "inf"])
def test_traits_that_hardly_vary_need_few_nodes(horizon: int | str) -> None:
    t = np.arange(10 if horizon == 10 else 600)
    for edge, keys, variance in (
        ({"probability": 0.5}, {"frailty": {"variance": 1e-6}}, 1e-6),
        ({"beta": {"a": 1e12, "b": 1e12}}, {}, 1e-12),
    ):
        stages = {"s": {"price": 1.0, "to": {"lost": edge}}}
        found = answer(horizon=horizon, discount_rate_annual=0.1, stages=stages, **keys)
        wanted = (1.1**-t * np.exp(-np.log1p(variance * math.log(2.0) * t) / variance)).sum()
        assert found.clv_mean == pytest.approx(wanted, rel=1e-10)
    assert len(_gamma(1e12, horizon == "inf").weights) < 2000
    assert len(_beta(1e12, 3e9, horizon == "inf").weights) < 2000


TWO_TRAITS: tuple[tuple[dict[str, Any], dict[str, Any], Callable[[Floats], Floats]], ...] = (
    ({"beta": {"a": 0.67, "b": 3.8}}, {}, lambda t: np.exp(special.betaln(0.67, 3.8 + t) - special.betaln(0.67, 3.8))),
    ({"hazard": 0.1}, {"frailty": {"variance": 2.0, "edges": ("s.rival",)}}, lambda t: (1.0 + 0.2 * t) ** -0.5),
)


@pytest.mark.jit
@pytest.mark.parametrize(("edge", "keys", "survival"), TWO_TRAITS, ids=["two_betas", "beta_and_frailty"])
def test_two_traits_of_parallel_ways_out(edge: dict[str, Any], keys: dict[str, Any], survival: Callable[[Floats], Floats]) -> None:
    """Survival is then the product of both; a season of the margin makes twelve cohorts differ."""
    a, b = 0.7, 5.0
    t = np.arange(1500.0)
    alive = survival(t) * np.exp(special.betaln(a, b + t) - special.betaln(a, b))
    season = np.linspace(0.5, 1.5, 12)
    stages = {"s": {"price": 1.0, "to": {"lost": {"beta": {"a": a, "b": b}}, "rival": {"target": "lost", **edge}}}, "lost": LOST}
    calendar = {"margin": {"multiplier": season.tolist()}}
    cohorts = {"monthly": {"periods": 12, "customers": 10}}
    found = answer(horizon=60, discount_rate_annual=0.1, stages=stages, calendar=calendar, cohorts=cohorts, **keys)
    assert found.survival == pytest.approx(alive[:61], rel=1e-11)
    worth = 1.1 ** -t[:60] * alive[:60]
    for c in range(12):
        assert found.by_cohort[c].clv_mean == pytest.approx((worth * season[(c + np.arange(60)) % 12]).sum(), rel=1e-11)
    endless = answer(horizon="inf", discount_rate_annual=0.1, stages=stages, **keys)
    assert endless.clv_mean == pytest.approx((1.1**-t * alive).sum(), rel=1e-11)
    assert max(found.node_error, endless.node_error) < 1e-9


@pytest.mark.parametrize("far", [False, True])
def test_two_traits_need_few_nodes(far: bool) -> None:
    """The cost of a mixture is the product of both counts."""
    assert len(_beta(0.67, 3.8, far).weights) * len(_gamma(0.5, far).weights) < 150_000


@pytest.mark.parametrize("spread", [1.0, 0.5, 1e-9])  # the last is too small for one list of values
@pytest.mark.parametrize("n", [1, 2])
def test_moments_given_a_score_against_their_closed_form(n: int, spread: float) -> None:
    width = math.sqrt(math.log1p(0.8**2))
    mean = np.linspace(-6.0, 6.0, 60).reshape(4, 15)
    found = _given(Trait(mean=3.0, cv=0.8, distribution="lognormal"), n, mean, spread)
    assert found == pytest.approx(
        (3.0 * np.exp(-(width**2) / 2)) ** n * np.exp(n * width * mean + (n * width * spread) ** 2 / 2), rel=1e-12
    )
