"""Existing customers with past orders go on as Pareto/NBD says: conditional expectations, and a base that is a cohort's own log.

Room of 4 standard errors a number; at fixed seeds a right program fails one of them 6 times in 100,000.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sim
from sim.compile.posterior import Law, chance_alive
from tests.verification.test_buying import CONFIGS, PUBLISHED, WEEKS, columns, customers
from tests.verification.test_buying import chance_alive as published_chance

Z = 4.0
KNOWN = ((0, 0.0, 39.0), (0, 0.0, 2.5), (1, 20.0, 38.86), (2, 30.43, 38.86), (7, 29.43, 38.86), (30, 10.0, 20.0), (4, 6.5, 6.5))
"""x, t_x, T; the fourth is the customer whom Fader and Hardie's notes follow."""


def simulated(file: Path, weeks: int) -> sim.Result:
    settings = (f"horizon={weeks}", "+base.file=" + str(file), "run.keep_customers=true", "firm.customers=null", "run.customers=null")
    return sim.simulate(sim.load("pareto_nbd", *settings, configs=CONFIGS))


def written(folder: Path, log: pd.DataFrame) -> Path:
    """Write a table of customers with these x, t_x and T."""
    file = folder / "base.csv"
    log.assign(stage="customer").to_csv(file, index_label="id")
    return file


def alive_now(x: float, t_x: float, T: float) -> float:
    return float(published_chance(np.array([x], np.float64), np.array([t_x]), np.array([T]), PUBLISHED)[0])


def future(x: float, t_x: float, T: float, weeks: float) -> float:
    """Return E[X(T, T + weeks) | x, t_x, T]; Schmittlein, Morrison and Colombo 1987, Fader, Hardie and Lee 2005."""
    r, alpha, s, beta = PUBLISHED
    alive = alive_now(x, t_x, T)
    stay = (1.0 - ((beta + T) / (beta + T + weeks)) ** (s - 1.0)) / (s - 1.0)
    found: float = alive * (r + x) * (beta + T) / (alpha + T) * stay
    return found


@pytest.mark.jit
@pytest.mark.parametrize("weeks", [13, 52])
def test_expected_orders_given_the_past(tmp_path: Path, weeks: int) -> None:
    each = 40_000
    log = pd.DataFrame(np.repeat(KNOWN, each, axis=0), columns=["x", "t_x", "T"]).astype({"x": int})
    found = simulated(written(tmp_path, log), weeks)
    rows = found.customers
    assert rows["row"].tolist() == list(range(1, len(log) + 1))
    gone = rows["lost_at"].eq(-1).fillna(False).to_numpy(bool)
    for k, (x, t_x, T) in enumerate(KNOWN):
        orders = rows["orders"].to_numpy()[k * each : (k + 1) * each]
        assert abs(orders.mean() - future(x, t_x, T, weeks)) < Z * orders.std() / np.sqrt(each), (x, t_x, T)
        p = alive_now(x, t_x, T)
        assert abs((~gone)[k * each : (k + 1) * each].mean() - p) <= Z * np.sqrt(p * (1 - p) / each)
    assert found.occupancy.query("by == 'base' and clock == 'tenure' and period == 0 and stage == 'lost'")["customers"].item() == gone.sum()
    assert found.retention.query("by == 'base' and t == 0")["survival"].item() == 1.0
    assert (rows.loc[gone, "orders"] == 0).all()
    assert (rows.loc[gone, "clv"] == 0).all()


@pytest.mark.jit
def test_a_base_goes_on_as_its_cohort(tmp_path: Path) -> None:
    """The log of a cohort after 39 weeks is a base whose next 39 weeks are the cohort's own, by the law without conditions; so is the log
    that both leave together."""
    n, (r, alpha, s, beta) = 100_000, PUBLISHED
    log = customers(seed=3, each=n)[0].rename(columns={"frequency": "x", "recency": "t_x"})[["x", "t_x", "T"]]
    found = simulated(written(tmp_path, log), WEEKS)
    orders = found.customers["orders"].to_numpy()

    def placed(weeks: float) -> float:
        found: float = r * beta / (alpha * (s - 1.0)) * (1.0 - (beta / (beta + weeks)) ** (s - 1.0))
        return found

    assert abs(orders.mean() - (placed(2 * WEEKS) - placed(WEEKS))) < Z * orders.std() / np.sqrt(n)
    alive = (beta / (beta + WEEKS * np.arange(3))) ** s
    held = found.occupancy.query("by == 'base' and clock == 'tenure' and stage == 'customer'").set_index("period")["customers"]
    for period, p in ((0, alive[1]), (WEEKS, alive[2])):
        assert abs(held[period] / n - p) < Z * np.sqrt(p * (1 - p) / n)
    whole = found.rfm()
    assert (whole["T"] == 2 * WEEKS).all()
    assert (whole["frequency"] == log["x"] + orders).all()
    told = published_chance(*columns(whole), PUBLISHED)
    there = found.customers["lost_at"].isna().to_numpy()
    bins = np.minimum((10 * told).astype(int), 9)
    for k in range(10):
        mine = bins == k
        assert abs(np.sum(there[mine]) - np.sum(told[mine])) < Z * np.sqrt(np.sum(told[mine] * (1 - told[mine])))


def test_chances_of_being_alive_by_quadrature() -> None:
    """Against the hypergeometric form, for parameters on either side of each other; and where the past leaves no doubt."""
    x, t_x, T = (part.ravel() for part in np.meshgrid([0, 1, 7, 60], [0.0, 0.02, 5.0, 39.0], [39.0, 40.0, 400.0], indexing="ij"))
    for law in (PUBLISHED, (0.2, 0.3, 2.5, 40.0), (3.0, 50.0, 0.3, 0.5), (1.5, 4.0, 1.0, 4.0)):
        told = published_chance(x, t_x, T, law)
        np.testing.assert_allclose(chance_alive(x, t_x, T, Law(*law)), told, rtol=1e-6, atol=1e-12)
    sure = chance_alive(np.array([3, 0]), np.array([5.0, 0.0]), np.array([5.0, 0.0]), Law(*PUBLISHED))
    assert sure.tolist() == [1.0, 1.0]
    assert chance_alive(np.array([60_000]), np.array([1.0]), np.array([400.0]), Law(*PUBLISHED))[0] < 1e-100
