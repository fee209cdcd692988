"""The stage graph as a Markov chain: one row a stage at one stage age, and the hazards of leaving it.

A row also carries the customer's phase (never active, active and never lost since, lost since), so that survival, conversion and
reactivation are plain sums over rows. Only rows that can be reached from the start are made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sim.exact.traits import Nodes
from sim.scenario.base import PERIODS_PER_YEAR, at
from sim.scenario.market import DRIVERS
from sim.scenario.model import Scenario
from sim.scenario.stages import Edge, Stage

Floats = NDArray[np.float64]
Index = NDArray[np.intp]
Flags = NDArray[np.bool_]

NEVER_ACTIVE, NEVER_LOST, ONCE_LOST = 0, 1, 2
CERTAIN = 1.0 - 1e-12  # probabilities of a stage that sum to 1 up to rounding


@dataclass(frozen=True)
class Chain:
    """Rows r, moves e (a row's edge), pairs (the R stays, row by row, then the moves).

    stages: ids; edges: ``stage.edge`` of the whole scenario; kind, rank: (stage,), kind as text, rank 0 for none;
    stage, age, phase: (r,); start: row; certain: (r,) the row's probabilities sum to 1;
    src, dst, edge: (pair,), edge -1 for a stay; converts: (pair,) the move makes the customer active for the first time;
    base: (move,) cumulative hazard of a period, or weight where certain; frail, seasonal: (move,) what multiplies it; driven: (driver,
    move) coefficients of the drivers of equity;
    beta: (move,) index into ``beta_edges`` or -1; cash: (pair,) currency on the move; hence ``Nodes.beta`` times base.
    """

    stages: tuple[str, ...]
    edges: tuple[str, ...]
    kind: tuple[str, ...]
    rank: Index
    stage: Index
    age: Index
    phase: Index
    start: int
    certain: Flags
    src: Index
    dst: Index
    edge: Index
    converts: Flags
    cash: Floats
    base: Floats
    frail: Flags
    seasonal: Flags
    driven: Floats
    beta: Index
    beta_edges: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.stage)

    def of_kind(self, kind: str) -> Flags:
        """Return which rows are in stages of this kind, (r,)."""
        return np.array([self.kind[s] == kind for s in self.stage])

    def by_row(self, lists: dict[str, tuple[float, ...]]) -> Floats:
        """Return each row's value of lists by stage age, one list a stage, (r,)."""
        return np.array([at(lists[self.stages[s]], int(g)) for s, g in zip(self.stage, self.age, strict=True)])


def endless(scenario: Scenario) -> tuple[str, ...]:
    """Return the edges whose hazard changes with stage age for ever."""
    return tuple(
        f"{stage}.{name}"
        for stage, entry in scenario.stages.items()
        for name, edge in entry.to.items()
        if edge.weibull is not None and edge.weibull.shape != 1.0
    )


def build(scenario: Scenario) -> Chain:
    """Lay out the rows that can be reached, and their moves."""
    stages = tuple(scenario.stages)
    edges = tuple(f"{s}.{name}" for s in stages for name in scenario.stages[s].to)
    rows, moves = _walk(scenario)
    place = {row: r for r, row in enumerate(rows)}
    names = [f"{row[0]}.{name}" for row, name, _ in moves]
    edge_of = {key: scenario.stages[key.split(".")[0]].to[key.split(".")[1]] for key in names}
    drawn = {key: edge.beta is not None for key, edge in edge_of.items()}
    beta_edges = [key for key, beta in drawn.items() if beta]
    hazards = {row: _hazards(scenario, row[0], row[1]) for row in rows}
    src = np.array([*range(len(rows)), *(place[row] for row, _, _ in moves)])
    dst = np.array([*(place[_older(scenario, row)] for row in rows), *(place[target] for _, _, target in moves)])
    phase = np.array([row[2] for row in rows])
    frail = _named(scenario, scenario.frailty.edges) if scenario.frailty.variance > 0 else frozenset()
    seasonal = _named(scenario, scenario.calendar.hazards.edges)
    return Chain(
        stages=stages,
        edges=edges,
        kind=tuple(scenario.stages[s].kind for s in stages),
        rank=np.array([scenario.stages[s].rank or 0 for s in stages]),
        stage=np.array([stages.index(row[0]) for row in rows]),
        age=np.array([row[1] for row in rows]),
        phase=phase,
        start=0,
        certain=np.array([hazards[row][1] for row in rows]),
        src=src,
        dst=dst,
        edge=np.array([-1] * len(rows) + [edges.index(name) for name in names]),
        converts=(phase[src] == NEVER_ACTIVE) & (phase[dst] == NEVER_LOST),
        cash=np.array([0.0] * len(rows) + [scenario.stages[row[0]].to[name].cash for row, name, _ in moves]),
        base=np.array([hazards[row][0][name] for row, name, _ in moves], float),
        frail=np.array([name in frail for name in names], bool),
        seasonal=np.array([name in seasonal for name in names], bool),
        driven=np.array([[getattr(edge_of[name].effects, driver) for name in names] for driver in DRIVERS]),
        beta=np.array([beta_edges.index(name) if drawn[name] else -1 for name in names], np.intp),
        beta_edges=tuple(beta_edges),
    )


Row = tuple[str, int, int]  # stage, stage age, phase


def _walk(scenario: Scenario) -> tuple[list[Row], list[tuple[Row, str, Row]]]:
    """Return every row that can be reached from the start, and the moves (row, edge, row) in the order of their rows."""
    first = _enter(scenario, scenario.start, NEVER_ACTIVE)
    rows, seen = [first], {first}
    moves: list[tuple[Row, str, Row]] = []
    for row in rows:  # grows while it is walked
        ways = [(name, _enter(scenario, scenario.target(row[0], name), row[2])) for name in scenario.stages[row[0]].to]
        moves.extend((row, name, target) for name, target in ways)
        for target in [_older(scenario, row), *(target for _, target in ways)]:
            if target not in seen:
                seen.add(target)
                rows.append(target)
    return rows, moves


def _enter(scenario: Scenario, stage: str, phase: int) -> Row:
    kind = scenario.stages[stage].kind
    if kind == "active":
        phase = max(phase, NEVER_LOST)
    elif kind == "lost" and phase == NEVER_LOST:
        phase = ONCE_LOST
    return stage, 0, phase


def _older(scenario: Scenario, row: Row) -> Row:
    return row[0], min(row[1] + 1, _ages(scenario, row[0]) - 1), row[2]


def _ages(scenario: Scenario, name: str) -> int:
    """Return the number of stage ages that differ; the last one holds on."""
    stage = scenario.stages[name]
    lists: list[tuple[float, ...] | None] = [stage.prices, stage.margin, stage.cost_to_serve, stage.orders]
    lists += [stage.information, stage.fees, stage.knowledge, stage.sales_cost]
    lists += [stage.contacts, stage.information_per_contact, stage.cross_sell, stage.willing_to_pay]
    for edge in stage.to.values():
        lists += [edge.probability, edge.hazard]
    ages = max(len(values) for values in lists if values is not None)
    if scenario.horizon == "inf":
        return ages
    forever = any(edge.weibull is not None and edge.weibull.shape != 1.0 for edge in stage.to.values())
    return scenario.horizon if forever else min(ages, scenario.horizon)


def _named(scenario: Scenario, edges: tuple[str, ...] | None) -> frozenset[str]:
    """Return the edges meant by a list of ``stage.edge``; by default all that lead to a lost stage."""
    if edges is not None:
        return frozenset(edges)
    return frozenset(
        f"{stage}.{name}"
        for stage, entry in scenario.stages.items()
        for name in entry.to
        if scenario.stages[scenario.target(stage, name)].kind == "lost"
    )


def _hazards(scenario: Scenario, name: str, age: int) -> tuple[dict[str, float], bool]:
    """Return the base hazard of every edge at a stage age, and whether leaving is certain (they are then weights)."""
    stage = scenario.stages[name]
    chances = {key: _probability(stage, edge, age) for key, edge in stage.to.items()}
    total = sum(p for p in chances.values() if p is not None)
    hazards = {}
    for key, edge in stage.to.items():
        chance = chances[key]
        ratio = PERIODS_PER_YEAR[edge.rate_period or scenario.period] / scenario.periods_per_year
        if total >= CERTAIN:
            hazards[key] = chance or 0.0
        elif chance is None:
            hazards[key] = ratio * _hazard(edge, age)
        else:
            hazards[key] = ratio * -np.log1p(-total) * chance / total if chance > 0 else 0.0
        lacking = scenario.fair_share - (stage.customer_share(age) or 0.0) if edge.effects.surplus else 0.0
        hazards[key] *= float(np.exp(edge.effects.surplus * max(0.0, lacking)))
    return hazards, total >= CERTAIN


def _probability(stage: Stage, edge: Edge, age: int) -> float | None:
    if edge.probability is not None:
        return at(edge.probability, age)
    if edge.share is not None and stage.mean_duration is not None:
        return edge.share / stage.mean_duration
    return None


def _hazard(edge: Edge, age: int) -> float:
    """Return the cumulative hazard of a period at a stage age; 1 for a beta edge, whose hazard is drawn."""
    if edge.hazard is not None:
        return at(edge.hazard, age)
    if edge.mean_duration is not None:
        return float(-np.log1p(-1.0 / edge.mean_duration))
    if edge.weibull is not None:
        shape, scale = edge.weibull.shape, edge.weibull.scale
        return float(((age + 1) / scale) ** shape - (age / scale) ** shape)
    return 1.0


def gathering(rows: Index, count: int) -> Callable[[Floats], Floats]:
    """Return what sums values of pairs, (pair, …), over those of the same row, (r, …). rows: (pair,) which one; count: of rows."""
    from scipy import sparse

    pairs = len(rows)
    matrix = sparse.csr_array((np.ones(pairs), (rows, np.arange(pairs))), shape=(count, pairs))

    def gathered(values: Floats) -> Floats:
        return np.asarray(matrix @ values.reshape(pairs, -1)).reshape(count, *values.shape[1:])

    return gathered


@dataclass(frozen=True)
class Leaving:
    """What happens in a period: shapes (…, phase of the calendar or 1, node).

    stay: (r,) chance to stay; leave: (r,) chance to leave, exact where it is tiny; move: (move,) chance of each move;
    lived, lived_square: (r,) mean and second moment of the fraction of the period that a leaver lives through.
    """

    stay: Floats
    leave: Floats
    move: Floats
    lived: Floats
    lived_square: Floats

    @cached_property
    def pairs(self) -> Floats:
        """Chance of each pair, (pair, phase, node)."""
        return np.concatenate([self.stay, self.move])


def leaving(chain: Chain, nodes: Nodes, factor: Floats, until_exit: bool) -> Leaving:
    """Compete the hazards of each row (model: ``-ln(1-u) < H``, edge k with chance h_k / H). factor: (move, phase), of the calendar."""
    shape = (len(chain.base), factor.shape[1], len(nodes.weights))
    hazard = np.broadcast_to(chain.base[:, None, None], shape).copy()
    drawn = chain.beta >= 0
    hazard[drawn] *= nodes.beta[chain.beta[drawn]][:, None, :]
    hazard[chain.frail] *= nodes.frailty
    hazard *= factor[:, :, None]
    owner = chain.src[chain.rows :]
    total = np.zeros((chain.rows, *shape[1:]))
    if len(owner):
        found, starts = np.unique(owner, return_index=True)  # moves are in the order of their rows
        total[found] = np.add.reduceat(hazard, starts, axis=0)
    certain = chain.certain[:, None, None] & (total > 0)
    leave = np.where(certain, 1.0, -np.expm1(-total))
    share = np.divide(hazard, total[owner], out=np.zeros(shape), where=total[owner] > 0)
    first, second = fraction_lived(total) if until_exit else (np.ones_like(total), np.ones_like(total))
    return Leaving(
        stay=np.where(certain, 0.0, np.exp(-total)),
        leave=leave,
        move=leave[owner] * share,
        lived=np.where(certain, 1.0, first),
        lived_square=np.where(certain, 1.0, second),
    )


_KNOTS, _KNOT_WEIGHTS = np.polynomial.legendre.leggauss(12)
_KNOTS, _KNOT_WEIGHTS = (_KNOTS + 1.0) / 2.0, _KNOT_WEIGHTS / 2.0


def fraction_lived(hazard: Floats) -> tuple[Floats, Floats]:
    """Return E[tau] and E[tau**2] of tau = -ln(1-u)/H given that it is below 1: an exponential cut at 1.

    Below H = 1 the closed forms cancel, and 12 Gauss-Legendre points are exact to rounding.
    """
    small = hazard < 1.0
    density = np.exp(-np.where(small, hazard, 0.0)[..., None] * _KNOTS) * _KNOT_WEIGHTS
    mass = density.sum(-1)
    safe = np.where(small, 1.0, hazard)
    odds = np.exp(-safe) / -np.expm1(-safe)
    first = 1.0 / safe - odds
    return (
        np.where(small, density @ _KNOTS / mass, first),
        np.where(small, density @ _KNOTS**2 / mass, 2.0 * first / safe - odds),
    )
