"""From the rates a scenario gives to hazards by stage age, and from hazards to the integer thresholds of the kernels."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.kernels.maths import exponential
from sim.kernels.types import Array
from sim.scenario import Scenario
from sim.scenario.base import MOST_FACTOR, PERIODS_PER_YEAR, at
from sim.scenario.stages import Edge, Stage

WORDS = 2**32

FAR = 690.0
"""Logarithm of a cumulative hazard near the end of what a number holds; of hazards above MOST_FACTOR nobody stays either way."""


@dataclass(frozen=True)
class StageHazards:
    """A stage's edges, in file order.

    hazard: (age, edge) cumulative hazard of a period, weights where certain; certain: (age,) probabilities sum to 1.
    A beta edge has its rate period's ratio here, a factor of the customer's own hazard.
    """

    hazard: NDArray[np.float64]
    certain: NDArray[np.bool_]


def ages(stage: Stage, most: int) -> int:
    """Return how many stage ages a stage needs: the length of its longest list, and as many as can be reached."""
    lists = [stage.prices, stage.margin, stage.cost_to_serve, stage.orders]
    lists += [stage.information, stage.fees, stage.knowledge, stage.sales_cost]
    lists += [stage.contacts, stage.information_per_contact, stage.cross_sell, stage.willing_to_pay or ()]
    for edge in stage.to.values():
        lists += [edge.probability or (), edge.hazard or ()]
        if edge.weibull is not None:
            return most
    return min(max(len(values) for values in lists), most)


def _probability(stage: Stage, edge: Edge, age: int) -> float | None:
    """Return the probability of an edge that is given as one, else None."""
    if edge.probability is not None:
        return at(edge.probability, age)
    if edge.share is not None and stage.mean_duration is not None:
        return edge.share / stage.mean_duration
    return None


def _hazard(edge: Edge, age: int) -> float:
    """Return the hazard of an edge that is not given as a probability, in its own rate period; 1 for a beta edge."""
    if edge.hazard is not None:
        return at(edge.hazard, age)
    if edge.mean_duration is not None:
        return -math.log1p(-1.0 / edge.mean_duration)
    if edge.weibull is not None:
        shape, scale = edge.weibull.shape, edge.weibull.scale
        if shape * math.log((age + 1) / scale) > FAR:
            return MOST_FACTOR
        return min(float(((age + 1) / scale) ** shape - (age / scale) ** shape), MOST_FACTOR)
    return 1.0


def _unfairness(scenario: Scenario, stage: Stage, edge: Edge, age: int) -> float:
    """Return what the split of the joint surplus multiplies a hazard by: 1 where the customer's share of it is a fair one."""
    share = stage.customer_share(age) if edge.effects.surplus else None
    return 1.0 if share is None else math.exp(edge.effects.surplus * max(0.0, scenario.fair_share - share))


def stage_hazards(scenario: Scenario, stage: Stage, oldest: int = 0, count: int | None = None) -> StageHazards:
    """Return hazards by stage age. Probabilities p with sum P become ``-ln(1 - P) p / P`` (competing cumulative hazards).

    The split of the surplus, which depends on stage and stage age alone, is in them.

    oldest: highest stage age of an existing customer, from which it may live on to the horizon; count: stage ages, by default as many as
    the stage needs.
    """
    count = ages(stage, int(scenario.horizon) + oldest) if count is None else count
    edges = list(stage.to.values())
    hazard = np.zeros((count, len(edges)))
    certain = np.zeros(count, bool)
    ratios = [PERIODS_PER_YEAR[edge.rate_period or scenario.period] / scenario.periods_per_year for edge in edges]
    for age in range(count):
        chances = [_probability(stage, edge, age) for edge in edges]
        total = math.fsum(p for p in chances if p is not None)
        certain[age] = total >= 1.0 - 1e-12
        scale = 1.0 if certain[age] else (-math.log1p(-total) / total if total > 0 else 0.0)
        for j, (edge, p) in enumerate(zip(edges, chances, strict=True)):
            if p is None:
                hazard[age, j] = ratios[j] * _hazard(edge, age)
            else:
                hazard[age, j] = p * scale * (1.0 if certain[age] else ratios[j])
            hazard[age, j] *= _unfairness(scenario, stage, edge, age)
    return StageHazards(hazard, certain)


def leave_below(total: Array, certain: Array) -> Array:
    """Return for each row how many words lead out, uint64: by bisection on the kernels' own exponential.

    total: (row,) float32 hazard; certain: (row,) bool.
    """
    low = np.zeros(total.size, np.uint64)
    high = np.full(total.size, WORDS, np.uint64)
    u, v, wait = (np.empty(total.size, np.float32) for _ in range(3))
    while np.any(low < high):
        middle = (low + high) // np.uint64(2)
        exponential(np.minimum(middle, WORDS - 1).astype(np.uint32), u, v, wait, total.size)
        leaves = (wait < total) & (middle < WORDS)
        low = np.where(leaves & (low < high), middle + np.uint64(1), low)
        high = np.where(leaves, high, np.minimum(high, middle))
    return np.where(certain, np.where(total > 0, WORDS, 0), low).astype(np.uint64)


def edge_below(hazard: Array) -> Array:
    """Return for each row and edge how many second numbers of words lead out by it or one before it, (row, edge) uint64.

    hazard: (row, edge) float32. The same float32 arithmetic as the kernels', by bisection.
    """
    below = np.cumsum(hazard, axis=1, dtype=np.float32)
    total = below[:, -1:]
    low = np.zeros(hazard.shape, np.uint64)
    high = np.full(hazard.shape, WORDS, np.uint64)
    to_unit = np.float32(2.0**-32)
    while np.any(low < high):
        middle = (low + high) // np.uint64(2)
        passes = (middle.astype(np.float32) * to_unit * total >= below) | (middle >= WORDS)
        low = np.where(~passes & (low < high), middle + np.uint64(1), low)
        high = np.where(passes, np.minimum(high, middle), high)
    return np.where(below >= total, np.uint64(WORDS), low)
