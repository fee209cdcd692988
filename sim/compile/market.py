"""What moves all customers alike, by regime and calendar period: seasons, regimes of the market, drivers of equity."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from sim.kernels.addresses import MARKET_PURPOSE
from sim.kernels.philox import philox
from sim.kernels.types import Array
from sim.scenario import Scenario
from sim.scenario.market import DRIVERS, Market, Regime
from sim.scenario.world import Season

CALM = Regime(to={"calm": 1.0})

WORDS_AT_ONCE = 2**16
"""Words of the market's paths that are drawn in one piece: a small part of a second, and of memory."""


def season(values: Season, periods: int, periods_per_year: int) -> Array:
    """Return the factor of each calendar period 0 … periods - 1, (periods,) float64."""
    y = np.arange(periods)
    multiplier = np.array(values.multiplier or (1.0,))
    return np.asarray(multiplier[y % multiplier.size] * (1.0 + values.growth_annual) ** (y / periods_per_year))


def named_edges(scenario: Scenario, names: Sequence[str] | None) -> list[tuple[int, int]]:
    """Return (stage, place) of the edges named ``stage.edge``, of all into a lost stage where None."""
    return [
        (s, j)
        for s, (stage_id, stage) in enumerate(scenario.stages.items())
        for j, edge_id in enumerate(stage.to)
        if (f"{stage_id}.{edge_id}" in names if names is not None else _leads_to_lost(scenario, stage_id, edge_id))
    ]


def _leads_to_lost(scenario: Scenario, stage: str, edge: str) -> bool:
    return scenario.stages[scenario.target(stage, edge)].kind == "lost"


def regimes(scenario: Scenario) -> list[Regime]:
    """Return the regimes, in file order; one that changes nothing where there is no market."""
    return list(scenario.market.regimes.values()) if scenario.market else [CALM]


def gaps(scenario: Scenario, periods: int) -> Array:
    """Return by how much each driver's gap differs from that at the start, (driver, m, y) float64."""
    found = np.zeros((len(DRIVERS), len(regimes(scenario)), periods))
    for d, name in enumerate(DRIVERS):
        if scenario.drivers and (profile := getattr(scenario.drivers, name)):
            listed = max(len(points) for one in profile.values() for points in (one.own, one.rival))  # the last ones hold on
            gap = np.array([scenario.drivers.gap(name, y) for y in range(listed)])
            found[d] = (gap - gap[0])[np.minimum(np.arange(periods), listed - 1)]
        for m, regime in enumerate(regimes(scenario)):
            found[d, m] -= regime.rival.get(name, 0.0)
    return found


def market(scenario: Scenario, last: int) -> dict[str, Array]:
    """Return the factors of hazards, orders and margin in calendar periods 0 … last - 1."""
    per_year, calendar, every = scenario.periods_per_year, scenario.calendar, regimes(scenario)
    stages = list(scenario.stages.items())
    shape = (len(every), last, len(stages), max(1, *(len(stage.to) for _, stage in stages)))
    factor = np.ones(shape)
    seasons = season(calendar.hazards, last, per_year)
    for s, j in named_edges(scenario, calendar.hazards.edges):
        factor[:, :, s, j] *= seasons
    for m, regime in enumerate(every):
        for s, j in named_edges(scenario, regime.edges) if regime.edges is not None else caused(scenario, "rival"):
            factor[m, :, s, j] *= regime.hazards
    gap = gaps(scenario, last)
    for s, (_, stage) in enumerate(stages):
        for j, edge in enumerate(stage.to.values()):
            effects = [getattr(edge.effects, name) for name in DRIVERS]
            if any(effects):
                factor[:, :, s, j] *= np.exp(-np.tensordot(effects, gap, axes=1))
    timed = bool(np.any(factor != 1))
    return {
        "timed": np.array(timed, np.uint32),
        "edge_factor": factor.astype(np.float32),
        "season_orders": np.outer([regime.orders for regime in every], season(calendar.orders, last, per_year)).astype(np.float32),
        "season_margin": np.outer([regime.margin for regime in every], season(calendar.margin, last, per_year)),
    }


def caused(scenario: Scenario, cause: str) -> list[tuple[int, int]]:
    """Return (stage, place) of the edges with a cause."""
    return [(s, j) for s, stage in enumerate(scenario.stages.values()) for j, edge in enumerate(stage.to.values()) if edge.cause == cause]


def chances(found: Market) -> Array:
    """Return the transition matrix of the regimes, (m, m) float64."""
    return np.array([[regime.to.get(other, 0.0) for other in found.regimes] for regime in found.regimes.values()])


def stationary(matrix: Array) -> Array:
    """Return the stationary distribution of a transition matrix, (m,); of the chain run on from an even start where it is not unique."""
    n = len(matrix)
    share = np.full(n, 1.0 / n)
    equations = np.vstack([matrix.T - np.eye(n), np.ones(n)])
    if np.linalg.matrix_rank(equations) == n:
        return np.asarray(np.clip(np.linalg.lstsq(equations, np.append(np.zeros(n), 1.0), rcond=None)[0], 0.0, 1.0))
    return np.asarray(share @ np.linalg.matrix_power((matrix + np.eye(n)) / 2, 2**20))


def regime_paths(scenario: Scenario, last: int) -> Array:
    """Return the regime of each replicate and calendar period, (replicate, y) uint8; by address: a longer path begins alike."""
    found = scenario.market
    if found is None:
        return np.zeros((0, 0), np.uint8)
    matrix = chances(found)
    first = stationary(matrix) if found.start is None else np.eye(len(matrix))[list(found.regimes).index(found.start)]
    path, below = np.zeros((scenario.run.replicates, last), np.uint8), np.cumsum(matrix, axis=1)
    together, every = max(1, WORDS_AT_ONCE // len(path)), np.arange(len(path))
    for y in range(last):
        if y % together == 0:
            uniform = words(len(path), range(y, min(y + together, last)), scenario.run.seed) * 2.0**-32
            leads = _passed(uniform[:, :, None], below)
        path[:, y] = _passed(uniform[:, 0], np.cumsum(first)) if y == 0 else leads[every, y % together, path[:, y - 1]]
    return path


def _passed(uniform: Array, below: Array) -> Array:
    """Return how many of the thresholds on the last axis of ``below``, the last left out, each uniform has reached."""
    return np.asarray((uniform[..., None] >= below[..., :-1]).sum(axis=-1))


def words(replicates: int, periods: Sequence[int], seed: int) -> Array:
    """Return the first word of the market's block in calendar periods, of each replicate, (replicate, period) uint64."""
    replicate = np.repeat(np.arange(replicates, dtype=np.uint64), len(periods))
    period = np.tile(np.array(periods, np.uint64) << np.uint64(16) | np.uint64(MARKET_PURPOSE), replicates)
    zero, plain = np.zeros_like(period), cast("Any", philox)
    block: Callable[..., tuple[Array, ...]] = getattr(plain, "py_func", plain)  # on arrays; the kernels' own is on numbers
    return block(zero, zero, replicate, period, np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32))[0].reshape(replicates, -1)
