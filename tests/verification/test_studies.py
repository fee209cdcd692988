"""Studies against closed forms: Sobol indices of a product, the value of information of a normal doubt, the best acquisition spending."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

import sim
from sim.studies.optimise import optimise
from sim.studies.sensitivity import sensitivity
from sim.studies.uncertainty import uncertainty

pytestmark = pytest.mark.jit


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """A customer who leaves with a chance of 0.2 a year, and brings price times margin until then; a policy without cost for all."""
    scenario = """
period: year
horizon: 8
discount_rate_annual: 0.10
start: buyer
stages:
  buyer:
    rank: 3
    price: 100
    margin: 0.5
    to: {lost: {cause: rival, probability: 0.2}}
  lost: {kind: lost}
firm: {customers: 10000}
"""
    policy = "label: Better\nwho: {stages: [buyer]}\nwhen: {start: 0}\ncost: {setup: 0}\neffects: {margin: 0.01}\n"
    for place, name, text in (("scenario", "shop", scenario), ("policy", "better", policy)):
        (tmp_path / place).mkdir()
        (tmp_path / place / f"{name}.yaml").write_text(text, encoding="utf-8")
    return str(tmp_path)


def test_sobol_indices_of_a_product(shop: str) -> None:
    """Equity is price x margin x a constant, on the same luck: the indices of a product of independent factors (Saltelli 2008)."""
    scenario = sim.load("shop", "run.customers=8000", configs=shop)
    vary: dict[str, Any] = {
        "stages.buyer.price": {"low": 60, "high": 140},
        "stages.buyer.margin": {"low": 0.4, "high": 0.6},
        "fair_share": {"low": 0.4, "high": 0.6},
    }
    found: Any = sensitivity(scenario, vary, points=512, level=0.999, measure="clv").table.set_index("factor")
    mean = np.array([100.0, 0.5, 1.0])
    variance = np.array([80.0**2, 0.2**2, 0.0]) / 12
    whole = np.prod(mean**2 + variance) - np.prod(mean**2)
    first = np.array([variance[k] * np.prod(np.delete(mean, k) ** 2) for k in range(3)]) / whole
    total = np.array([variance[k] * np.prod(np.delete(mean**2 + variance, k)) for k in range(3)]) / whole
    for truth, name in ((first, "first"), (total, "total")):
        assert (found[f"{name}_low"] - 1e-12 <= truth).all()
        assert (truth <= found[f"{name}_high"] + 1e-12).all()
    assert found.loc["fair_share", "told"].startswith("cannot be told from zero")
    assert (found["total_high"] - found["total_low"]).max() < 0.35  # and they say something


def test_sobol_indices_where_luck_differs(shop: str) -> None:
    """A chance of leaving moves who leaves, point by point: the indices are those of the exact answer."""
    vary: dict[str, Any] = {"stages.buyer.to.lost.probability": {"low": 0.1, "high": 0.3}, "stages.buyer.price": {"low": 80, "high": 120}}
    scenario = sim.load("shop", "run.customers=1600", configs=shop)
    found: Any = sensitivity(scenario, vary, points=256, level=0.999, measure="clv").table.set_index("factor")

    def worth(chance: float) -> float:
        ratio = (1 - chance) / 1.1
        return 0.5 * (1 - ratio**8) / (1 - ratio)

    values = np.array([worth(chance) for chance in 0.1 + 0.2 * (np.arange(4000) + 0.5) / 4000])
    mean, variance = np.array([values.mean(), 100.0]), np.array([values.var(), 40.0**2 / 12])
    whole = np.prod(mean**2 + variance) - np.prod(mean**2)
    for k, name in enumerate(vary):
        truth = variance[k] * mean[1 - k] ** 2 / whole, variance[k] * (mean[1 - k] ** 2 + variance[1 - k]) / whole
        for share, kind in zip(truth, ("first", "total"), strict=True):
            assert found.loc[name, f"{kind}_low"] <= share <= found.loc[name, f"{kind}_high"]


@pytest.mark.parametrize("mean", [0.0, 0.01, -0.02])
def test_value_of_perfect_information_of_a_normal_doubt(shop: str, mean: float) -> None:
    """A policy adds what nobody knows to the margin: the value of knowing is the unit normal loss integral (Raiffa and Schlaifer 1961)."""
    scenario, sd = sim.load("shop", "run.customers=4000", configs=shop), 0.02
    doubt = {"policies.better.effects.margin": {"distribution": "normal", "mean": mean, "sd": sd}}
    found = uncertainty(scenario, doubt, points=512, policies=["better"], configs=shop)
    lives = float(sim.exact(scenario).clv_mean or 0.0) / 0.5 * 10_000  # what a margin of 1 is worth to the firm
    far = abs(mean) / sd
    truth = lives * sd * (norm.pdf(far) - far * norm.sf(far))
    assert abs(found.perfect.corrected - truth) < 4 * found.perfect.se + 0.01 * truth
    means: Any = found.means.set_index("arm")
    assert means.loc["better", "best"] == pytest.approx(norm.cdf(mean / sd), abs=4 * float(found.means["best_se"].max()) + 0.01)
    assert found.partial["value"].iloc[0] == pytest.approx(truth, abs=4 * float(found.partial["se"].iloc[0]) + 0.03 * truth)


def test_variance_by_source(shop: str) -> None:
    """What is not known of the margin makes a variance that is known, and so does the luck of the firm's own 10,000 customers."""
    scenario = sim.load("shop", "run.customers=16000", configs=shop)
    found: Any = uncertainty(scenario, {"stages.buyer.margin": {"distribution": "normal", "mean": 0.5, "sd": 0.01}}, points=256).means.iloc[
        0
    ]
    answer: Any = sim.exact(scenario)
    by_margin = (10_000 * answer.clv_mean / 0.5 * 0.01) ** 2
    assert found["parameter"] == pytest.approx(by_margin, rel=0.05)  # Sobol points, luck taken out
    assert found["luck"] == pytest.approx(10_000 * answer.clv_sd**2, rel=0.05)
    assert found["market"] == 0


def test_the_best_acquisition_spending(shop: str) -> None:
    """Of ceiling (1 - exp(-k B)) customers won by B the best B is ln(k ceiling CLV) / k (Blattberg and Deighton 1996), within 1 %."""
    ceiling, k = 20_000, 5e-6
    cohort = f"+cohorts.won={{budget: 1e5, response: {{ceiling: {ceiling}, k: {k}}}}}"
    scenario = sim.load("shop", "run.customers=16000", "firm.customers=null", cohort, configs=shop)
    worth = sim.exact(sim.load("shop", configs=shop)).clv_mean
    assert worth is not None
    best = math.log(k * ceiling * worth) / k
    found = optimise(scenario, {"cohorts.won.budget": {"low": 1e4, "high": 3 * best}}, trials=24)
    assert found.point is not None
    assert found.point["cohorts.won.budget"] == pytest.approx(best, rel=0.01)
    value = ceiling * worth * (1 - math.exp(-k * best)) - best
    assert found.summary()["objectives_there"]["equity"]["mean"] == pytest.approx(
        value, abs=4 * found.summary()["objectives_there"]["equity"]["se"]
    )
