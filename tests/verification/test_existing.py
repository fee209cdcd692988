"""Existing customers against published numbers, closed forms, and the survivors of a cohort.

Each comparison has room of 4 standard errors: at fixed seeds a right program fails one of these with a chance of 6e-5 a number, about
0.4 % for all of them together.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sim
from sim.scenario import Scenario
from tests import base, zoo

A, B = 0.66808835, 3.806095
DERL = (5.414, 5.901, 6.294, 6.620, 6.897, 7.136, 7.345, 7.530)
"""Discounted expected residual lifetime of High End subscribers at 10 % just before their n-th renewal, n = 1 … 8 (Fader and Hardie
2010, Customer-base valuation in a contractual setting: the perils of ignoring heterogeneity, Marketing Science 29(1))."""

EACH = 200_000
Z = 4.0


def one_stage(file: str, edge: dict[str, Any], **more: Any) -> Scenario:
    stages = {"customer": {"to": {"lost": edge}}, "lost": {"kind": "lost"}}
    fields = {"period": "year", "horizon": 12, "start": "customer", "stages": stages, "base": {"file": file}, **more}
    return Scenario.model_validate({"name": "base", **fields})


def of_ages(folder: Path, ages: range, each: int = EACH) -> str:
    """Write a table of customers who have been in the stage for so long, one age a segment."""
    path = folder / "base.csv"
    rows = "".join(f"{age}-{k},customer,{age},g{age}\n" for age in ages for k in range(each))
    path.write_text(f"id,stage,age,segment\n{rows}")
    return str(path)


@pytest.mark.jit
def test_residual_lifetime_of_fader_and_hardie(tmp_path: Path) -> None:
    """n - 1 renewals lie behind a subscriber in its n-th period, of age n - 1. Its next payment is due at the next period's start, so that
    the price is 0 in the period under way and the value at the renewal is (1 + d) times that at its start."""
    ages = range(8)
    segments = {f"g{age}": {"share": 1 / 8, "stages": {"customer": {"price": [0.0] * (age + 1) + [1.0]}}} for age in ages}
    found = sim.simulate(
        one_stage(of_ages(tmp_path, ages), {"beta": {"a": A, "b": B}}, horizon=150, discount_rate_annual=0.10, segments=segments)
    )
    rows = found.clv[(found.clv["by"] == "segment") & (found.clv["measure"] == "clv")]
    assert rows["customers"].tolist() == [EACH] * 8
    np.testing.assert_array_less(np.abs(1.1 * rows["mean"].to_numpy() - DERL), 1.1 * Z * rows["se"].to_numpy() + 0.0005)


@pytest.mark.jit
def test_survivors_of_a_frail_hazard(tmp_path: Path) -> None:
    """P(T > g + t | T > g) = ((1 + v h g) / (1 + v h (g + t))) ** (1 / v), Pareto of the second kind."""
    h, v, ages = 0.15, 1.5, range(0, 13, 4)
    segments = {f"g{age}": {"share": 1 / len(ages)} for age in ages}
    found = sim.simulate(one_stage(of_ages(tmp_path, ages), {"hazard": h}, frailty={"variance": v}, segments=segments))
    t = np.arange(13)
    for age in ages:
        told = found.retention[found.retention["id"] == f"g{age}"]["survival"].to_numpy()
        p = ((1 + v * h * age) / (1 + v * h * (age + t))) ** (1 / v)
        np.testing.assert_array_less(np.abs(told - p), Z * np.sqrt(p * (1 - p) / EACH) + 1e-9)


@pytest.mark.jit
def test_survivors_of_a_cohort(tmp_path: Path) -> None:
    """A cohort's customers who are still there after g periods go on as existing ones of age g do: two samples, pooled errors.

    Frailty beside a beta edge and a Weibull, so that each trait has survived the other's risk as well.
    """
    age, horizon = 5, 16
    edges = {
        "lost": {"weibull": {"shape": 0.8, "scale": 9.0}},
        "bored": {"target": "lost", "beta": {"a": 0.6, "b": 6.0}},
        "up": {"target": "loyal", "hazard": [0.05, 0.1]},
    }
    stages = {"customer": {"to": edges}, "loyal": {"to": {"lost": {"hazard": 0.02}}}, "lost": {"kind": "lost"}}
    given = {"stages": stages, "frailty": {"variance": 1.2, "edges": ["customer.lost"]}, "segments": {}, "horizon": horizon}
    file = of_ages(tmp_path, range(age, age + 1))
    cohort = sim.simulate(one_stage(file, {}, **{**given, "base": None, "firm": {"customers": 4 * EACH}}))
    existing = sim.simulate(one_stage(file, {}, **{**given, "horizon": horizon - age}))
    stay = {name: np.cumsum(result.sample.departures[0, :, 0]) for name, result in (("new", cohort), ("held", existing))}
    left = 4 * EACH - stay["new"][age - 1 :]  # still in their first stage after age … horizon periods
    n, m = int(left[0]), EACH
    one, other = left / n, 1.0 - np.concatenate([[0], stay["held"]]) / m
    both = (left + m * other) / (n + m)
    np.testing.assert_array_less(np.abs(one - other), Z * np.sqrt(both * (1 - both) * (1 / n + 1 / m)) + 1e-9)
    assert other[-1] < 0.5


@pytest.mark.jit
@pytest.mark.parametrize("name", ["pareto_nbd", "beta", "mindful", "durations"])
def test_of_age_0_they_are_new(tmp_path: Path, name: str) -> None:
    """Where all begin in the start stage at age 0, only the acquisition cost tells the base from a cohort."""
    n = 100_000
    others: dict[str, Any] = {"pareto_nbd": {"correlations": {"wallet": {"rate": 0.4}}}, "mindful": {"market": None}}
    changes = others.get(name, {})
    file = base.table(tmp_path, [{"stage": zoo.ZOO[name]["start"], "age": 0}] * n)
    found = sim.simulate(base.scenario(name, file, {"customers": n}, firm={"customers": n}, **changes))
    rows = found.clv[(found.clv["measure"] == "clv_before_acquisition") & found.clv["by"].isin(["cohort", "base"])]
    (mean, other), (se, error) = rows["mean"], rows["se"]
    assert abs(mean - other) < Z * float(np.hypot(se, error))
    for share in ("survival", "active"):
        one, two = (found.retention[found.retention["by"] == by][share].to_numpy() for by in ("cohort", "base"))
        p = (one + two) / 2
        np.testing.assert_array_less(np.abs(one - two), Z * np.sqrt(2 * p * (1 - p) / n) + 1e-9)
    acquisition = found.ledger[found.ledger["column"] == "acquisition"].set_index("by")["mean"]
    assert acquisition["base"] == 0
    assert acquisition["cohort"] == -found.scenario.acquisition.cost
