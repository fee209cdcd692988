"""Finite horizons: one pass forward through the periods.

The value of a life is X + Y: X scales with the spending traits (W wallet or order value, theta rate), Y does not. Given the path
let a = sum of expected purchases at W = theta = 1. Orders of a period are independent given the path, so

    E[X | path] = scale * a,    E[X**2 | path] = square * (a**2 - sum alpha**2 [single orders]) + noise * sum beta,

where alpha is a period's mean, beta its noise, and the two terms of a single order's variance are split: theta(1-theta) has the
square term that the brackets take out. A row carries the probability of being there and, summed over the paths that lead there,
a, A (the bracket), B (noise) and, for Y without and with acquisition cost, Y, aY, Y**2. Moves and the fraction lived may be
dependent, so that everything is updated pair by pair (a row and what happens to it) before it is gathered in the next row.
"""

from dataclasses import dataclass

import numpy as np

from sim.exact.chain import NEVER_ACTIVE, NEVER_LOST, Chain, Floats, Leaving, leaving
from sim.exact.patterns import Classes
from sim.exact.traits import Nodes
from sim.exact.value import Value, Worth, factors, varies, worth
from sim.scenario.model import Scenario

ROOM = 3_000_000  # numbers in the largest array of a step

CHANCE, WALLET, BRACKET, NOISE = range(4)
OWN, CROSS, SQUARE = range(3)  # Y, aY, Y**2 of each kind, after the four


@dataclass
class Part:
    """One segment's answers; last axis: calendar phase p (cohorts of like calendar). Tenure t, stage s, edge e.

    mean, second: (kind, rule, p) first two moments of CLV before and after acquisition, by the full and the coarse rule;
    occupancy: (t + 1, s, p); once: (t + 1, 2, rule, p): ever active; of these never lost yet;
    stayed: (t, 2, p): active now and next; lost now and active next; cash: (column, t, p); orders: (t, p); flows: (t, e, p);
    periods, visits: (s, p); patterns: (pattern, p), of length 0 where they have no limit.
    """

    mean: Floats
    second: Floats
    occupancy: Floats
    once: Floats
    stayed: Floats
    cash: Floats
    orders: Floats
    flows: Floats
    periods: Floats
    visits: Floats
    patterns: Floats


def forward(scenario: Scenario, chain: Chain, value: Value, nodes: Nodes, phases: Floats) -> Part:
    """Run the recursion. phases: (p,) calendar period in which a phase's customers arrive."""
    assert scenario.horizon != "inf"
    horizon, p = scenario.horizon, len(phases)
    classes = Classes.build(scenario, chain)
    part = Part(
        np.zeros((2, 2, p)),
        np.zeros((2, 2, p)),
        np.zeros((horizon + 1, len(chain.stages), p)),
        np.zeros((horizon + 1, 2, 2, p)),
        np.zeros((horizon, 2, p)),
        np.zeros((4, horizon, p)),
        np.zeros((horizon, p)),
        np.zeros((horizon, len(chain.edges), p)),
        np.zeros((len(chain.stages), p)),
        np.zeros((len(chain.stages), p)),
        np.zeros((6, p)),
    )
    width = max(10 * len(chain.src), classes.count * len(chain.src)) * p
    size = max(1, ROOM // width)
    for first in range(0, len(nodes.weights), size):
        _Pass(scenario, chain, value, nodes.part(slice(first, first + size)), phases, classes, part).run()
    part.periods += part.occupancy[:-1].sum(0)
    part.visits += entries(chain, part.flows.sum(0))
    return part


def entries(chain: Chain, flows: Floats) -> Floats:
    """Return the visits to each stage, (s, p), from the flows of each edge, (e, p), and the start."""
    found = np.zeros((len(chain.stages), flows.shape[1]))
    found[chain.stage[chain.start]] = 1.0
    seen = set()
    for r, e, target in zip(chain.stage[chain.src], chain.edge, chain.stage[chain.dst], strict=True):
        if e >= 0 and r != target and e not in seen:
            seen.add(e)
            found[target] += flows[e]
    return found


class _Pass:
    """The recursion for some of the nodes; adds to a Part."""

    def __init__(self, scenario: Scenario, chain: Chain, value: Value, nodes: Nodes, phases: Floats, classes: Classes, part: Part) -> None:
        self.scenario, self.chain, self.value, self.nodes, self.phases = scenario, chain, value, nodes, phases
        self.classes, self.part = classes, part
        self.rules = np.stack([nodes.weights, nodes.coarse], axis=1)  # (n, rule)
        self.order = np.argsort(chain.dst, kind="stable")
        self.src = chain.src[self.order]
        self.targets, self.starts = np.unique(chain.dst[self.order], return_index=True)
        self.sums = _sums(chain)
        self.stage_sums = (np.arange(len(chain.stages))[:, None] == chain.stage).astype(float)
        self.once_sums = np.stack([chain.phase > NEVER_ACTIVE, chain.phase == NEVER_LOST]).astype(float)

    def gathered(self, moved: Floats) -> Floats:
        """Sum over pairs, in the order of ``self.order``, that lead to the same row: (pair, …) to (r, …)."""
        found = np.zeros((self.chain.rows, *moved.shape[1:]))
        found[self.targets] = np.add.reduceat(moved, self.starts, axis=0)
        return found

    def run(self) -> None:
        """Step through the periods."""
        scenario, chain, calendar = self.scenario, self.chain, self.scenario.calendar
        shape = (len(self.phases), len(self.nodes.weights))
        state = np.zeros((chain.rows, 10 if self.value.conversion else 7, *shape))
        state[chain.start, CHANCE] = 1.0
        coarse = self.nodes.coarse > 0
        lives = self.classes.first(len(self.phases), int(coarse.sum()))
        gone: Leaving | None = None
        for t in range(len(self.part.orders)):
            self.look(t, state)
            season = [factors(s, self.phases + t, scenario.periods_per_year) for s in (calendar.hazards, calendar.orders, calendar.margin)]
            if gone is None or varies(calendar.hazards):
                seasons = season[0] if varies(calendar.hazards) else season[0][:1]
                gone = leaving(chain, self.nodes, seasons, scenario.exposure == "until_exit")
                chances = gone.pairs[self.order]
            value = worth(chain, self.value, t, season[1], season[2])
            moved = self.moved(state, gone, value, t, chances)
            lives = self.classes.fold(self.gathered(self.classes.held(lives)[self.src] * chances[:, None][..., coarse]))
            state = self.gathered(moved)
        self.look(len(self.part.orders), state)
        self.finish(state, lives @ self.nodes.coarse[coarse])

    def look(self, t: int, state: Floats) -> None:
        """Note where customers are at the start of t."""
        where = state[:, CHANCE] @ self.rules  # (r, p, rule)
        self.part.occupancy[t] += self.stage_sums @ where[..., 0]
        self.part.once[t] += np.tensordot(self.once_sums, where, 1).swapaxes(1, 2)

    def moved(self, state: Floats, gone: Leaving, value: Worth, t: int, chances: Floats) -> Floats:
        """Return the state after what happens in t, pair by pair (pair, moment, p, n), and note flows and cash."""
        order, src, single = self.order, self.src, self.value.single
        whole = self.scenario.exposure == "whole"
        stays = (self.chain.edge[order] < 0)[:, None, None]
        lived = np.ones((1, 1, 1)) if whole else np.where(stays, 1.0, gone.lived[src])
        lived_square = lived if whole else np.where(stays, 1.0, gone.lived_square[src])
        alpha, serve = value.alpha[src][..., None], value.serve[src][:, None, None] * lived
        bought = alpha * lived
        old = state[src]
        new = old * chances[:, None]
        at, a = new[:, CHANCE].copy(), new[:, WALLET].copy()
        self.note(t, at, value, bought, serve, value.orders[src][..., None] * lived)
        new[:, WALLET] += bought * at
        new[:, BRACKET] += 2.0 * bought * a + (0.0 if single else 1.0) * alpha**2 * lived_square * at
        new[:, NOISE] += value.beta[src][..., None] * lived * at
        for kind, cash in enumerate((value.before, value.after)[: (new.shape[1] - 4) // 3]):
            own, cross, square = (4 + 3 * kind + k for k in (OWN, CROSS, SQUARE))
            edge = cash[order][:, None, None]
            flat = serve + edge
            y = new[:, own].copy()
            new[:, own] += flat * at
            new[:, cross] += flat * a + bought * y + (alpha * value.serve[src][:, None, None] * lived_square + bought * edge) * at
            new[:, square] += 2.0 * flat * y
            new[:, square] += (value.serve[src][:, None, None] ** 2 * lived_square + 2.0 * serve * edge + edge**2) * at
        return np.asarray(new)

    def note(self, t: int, at: Floats, value: Worth, bought: Floats, serve: Floats, orders: Floats) -> None:
        """Add this period's flows, cash and orders. at: (pair, p, n) chance of each pair; the rest at it."""
        nodes, part = self.nodes, self.part
        flow = np.zeros(at.shape[:2])
        flow[self.order] = at @ nodes.weights
        sums = self.sums @ flow
        part.flows[t] += sums[:-3]
        part.stayed[t] += sums[-3:-1]
        part.cash[0, t] += (at * bought).sum(0) @ (nodes.weights * nodes.scale)
        part.cash[1, t] += (at * serve).sum(0) @ nodes.weights
        part.cash[2, t] += self.chain.cash @ flow * value.end
        part.cash[3, t] -= sums[-1] * self.value.acquisition * value.end * self.value.conversion
        part.orders[t] += (at * orders).sum(0) @ (nodes.weights * nodes.rate)

    def finish(self, state: Floats, lives: Floats) -> None:
        """Add the moments of CLV and the shares of the patterns. lives: (r, class, p)."""
        nodes, part, total = self.nodes, self.part, state.sum(0)  # (moment, p, n)
        part.patterns += self.classes.shares(lives)
        arrival = 0.0 if self.value.conversion else self.value.acquisition
        for kind in (0, 1):
            y, cross, square = total[4 + 3 * kind :][:3] if self.value.conversion else total[4:7]
            cost = kind * arrival
            with np.errstate(invalid="ignore"):
                noise = np.where(total[NOISE] == 0.0, 0.0, nodes.noise * total[NOISE])
            x = nodes.scale * total[WALLET]
            second = nodes.square * total[BRACKET] + noise + 2.0 * nodes.scale * cross + square
            part.mean[kind] += ((x + y - cost) @ self.rules).T
            part.second[kind] += ((second - 2.0 * cost * (x + y) + cost**2) @ self.rules).T
        part.cash[3, 0] -= arrival * nodes.weights.sum()


def _sums(chain: Chain) -> Floats:
    """Return what adds up flows of pairs (e + 3, pair): by edge; active and active next; lost and active next; conversions."""
    found = np.zeros((len(chain.edges) + 3, len(chain.src)))
    moves = np.flatnonzero(chain.edge >= 0)
    found[chain.edge[moves], moves] = 1.0
    active, lost = chain.of_kind("active"), chain.of_kind("lost")
    found[-3] = active[chain.src] & active[chain.dst]
    found[-2] = lost[chain.src] & active[chain.dst]
    found[-1] = chain.converts
    return found
