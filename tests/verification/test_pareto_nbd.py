"""Pareto/NBD arises: orders and stays of customers follow the laws of Schmittlein, Morrison and Colombo (1987).

Expected orders and chances of being alive are looked at in test_published.py; here are the whole distribution of orders, and the chance
that a customer who ordered nothing is still there.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import nbinom

import sim

pytestmark = pytest.mark.jit

CONFIGS = Path(__file__).resolve().parents[2] / "experiments"
N = 1_000_000
Z = 4.0
R, ALPHA, S, BETA = 0.553, 10.578, 0.606, 11.669
WEEKS = 39


@cache
def customers() -> pd.DataFrame:
    """Return customers after as many weeks as the model was fitted to."""
    settings = (f"horizon={WEEKS}", f"run.customers={N}", "run.seed=1", "run.keep_customers=true")
    return sim.simulate(sim.load("pareto_nbd", *settings, configs=CONFIGS)).customers


def chance(x: int, weeks: int = WEEKS) -> float:
    """Return P(X = x) by integrating the negative binomial of a life's length over lives."""

    def of_life(length: float) -> float:
        return float(nbinom.pmf(x, R, ALPHA / (ALPHA + length)))

    ended = quad(lambda t: of_life(t) * S / BETA * (BETA / (BETA + t)) ** (S + 1), 0, weeks, epsabs=1e-12)[0]
    alive: float = (BETA / (BETA + weeks)) ** S
    return float(ended) + of_life(weeks) * alive


def test_distribution_of_orders() -> None:
    """Numbers of customers by orders placed in 39 weeks, from 0 to 9, against the law; 10 looks, beyond 4 errors 6 times in 10,000."""
    counts = np.bincount(customers()["orders"], minlength=10)[:10] / N
    law = np.array([chance(x) for x in range(10)])
    assert np.all(np.abs(counts - law) < Z * np.sqrt(law * (1 - law) / N))


def test_alive_without_an_order() -> None:
    """Ordering and dropping out are independent: who orders nothing is alive less often only because a short life leaves no time."""
    none = customers()["orders"] == 0

    def silent(length: float) -> float:
        return float((ALPHA / (ALPHA + length)) ** R)

    still = silent(WEEKS) * (BETA / (BETA + WEEKS)) ** S
    alive = still / chance(0)
    found = customers().loc[none, "lost_at"].isna()
    assert abs(found.mean() - alive) < Z * np.sqrt(alive * (1 - alive) / none.sum())
