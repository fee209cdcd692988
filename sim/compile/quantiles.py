"""Quantile tables: a distribution as values at equal steps of a standard normal, made once and looked up by the kernels."""

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.kernels.types import NODES, Z_MAX

Values = NDArray[np.float64]
Z = np.linspace(-Z_MAX, Z_MAX, NODES)


def moments(values: Values) -> tuple[float, float]:
    """Return mean and second moment of a table as it is looked up: linear between nodes, z standard normal, constant beyond the ends."""
    from scipy.special import ndtr

    density = np.exp(-0.5 * Z * Z) / np.sqrt(2.0 * np.pi)
    slope = np.diff(values) / np.diff(Z)
    level = values[:-1] - slope * Z[:-1]
    p0 = np.diff(ndtr(Z))
    p1 = -np.diff(density)
    p2 = p0 - np.diff(Z * density)
    tail = ndtr(-Z_MAX)
    mean = np.sum(level * p0 + slope * p1) + tail * (values[0] + values[-1])
    second = np.sum(level**2 * p0 + 2 * level * slope * p1 + slope**2 * p2) + tail * (values[0] ** 2 + values[-1] ** 2)
    return float(mean), float(second)


def matched(values: Values, mean: float, second: float, bend: Callable[[Values], Values]) -> Values:
    """Return the table bent by ``x + bend(x) (a + b x)`` so that its own mean and second moment are those given.

    Straight lines between nodes overstate a convex quantile by about 1e-5; the bend, of that order, keeps it monotone.
    """
    a = b = 0.0
    for _ in range(4):
        bent = values + bend(values) * (a + b * values)
        got = np.array(moments(bent)) - (mean, second)
        step = 1e-4
        in_a = np.array(moments(bent + step * bend(values))) - (mean, second)
        in_b = np.array(moments(bent + step * bend(values) * values)) - (mean, second)
        change = np.linalg.solve(np.column_stack([in_a - got, in_b - got]) / step, -got)
        a, b = a + float(change[0]), b + float(change[1])
    return values + bend(values) * (a + b * values)


def _at_nodes(ppf: Callable[[Values], Any], isf: Callable[[Values], Any]) -> Values:
    """Return the quantiles at the nodes, each from its nearer tail."""
    from scipy.special import ndtr

    return np.asarray(np.where(Z < 0, ppf(ndtr(Z)), isf(ndtr(-Z))), np.float64)


@lru_cache(maxsize=512)
def positive(distribution: str, cv: float) -> Values:
    """Return the table of a gamma or lognormal with mean 1 and coefficient of variation ``cv`` > 0, shape (NODES,)."""
    if distribution == "lognormal":
        spread = np.sqrt(np.log1p(cv * cv))
        raw = np.exp(spread * Z - 0.5 * spread * spread)
    else:
        from scipy.special import gammainccinv, gammaincinv

        shape = cv**-2
        raw = _at_nodes(lambda p: gammaincinv(shape, p), lambda p: gammainccinv(shape, p)) / shape
    return matched(raw, 1.0, 1.0 + cv * cv, lambda x: x)


@lru_cache(maxsize=512)
def beta(a: float, b: float) -> Values:
    """Return the table of a Beta(a, b) probability, shape (NODES,)."""
    from scipy.special import betainccinv, betaincinv

    raw = _at_nodes(lambda p: betaincinv(a, b, p), lambda p: betainccinv(a, b, p))
    mean = a / (a + b)
    table = matched(raw, mean, mean * (a + 1) / (a + b + 1), lambda x: x * (1.0 - x))
    return np.clip(table, 0.0, 1.0)


def standardised(distribution: str, cv: float) -> Values:
    """Return the table of a gamma or lognormal total, less its mean and over its standard deviation, shape (NODES,)."""
    return (positive(distribution, cv) - 1.0) / cv


class Library:
    """The distinct tables of a compilation, stacked; each is known by its number."""

    def __init__(self) -> None:
        self._tables: list[Values] = []
        self._numbers: dict[Hashable, int] = {}

    def number(self, make: Callable[..., Values], *parameters: str | float) -> int:
        """Return the number of the table ``make(*parameters)``, made the first time it is asked for."""
        key = (make, parameters)
        if key not in self._numbers:
            self._numbers[key] = len(self._tables)
            self._tables.append(make(*parameters))
        return self._numbers[key]

    def top(self, number: int) -> float:
        """Return the largest value of a table."""
        return float(self._tables[number][-1])

    def bottom(self, number: int) -> float:
        """Return the smallest value of a table."""
        return float(self._tables[number][0])

    def stacked(self) -> NDArray[np.float32]:
        """Return all tables, shape (table, NODES); one of zeros where there are none."""
        return np.array(self._tables or [np.zeros(NODES)], np.float32)
