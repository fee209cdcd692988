"""Finite horizons: one pass forward through the periods.

The value of a life is X + Y: X scales with the spending traits (W wallet or order value, theta rate), Y does not. Given the path
let a = sum of expected purchases at W = theta = 1. Orders of a period are independent given the path, so

    E[X | path] = scale * a,    E[X**2 | path] = square * (a**2 - sum alpha**2 [single orders]) + noise * sum beta,

where alpha is a period's mean, beta its noise, and the two terms of a single order's variance are split: theta(1-theta) has the
square term that the brackets take out. A row carries the probability of being there and, summed over the paths that lead there,
a, A (the bracket), B (noise) and, for Y without and with acquisition cost, Y, aY, Y**2. Moves and the fraction lived may be
dependent: a period's cash is added apart for those who stay and those who leave, then chances and cash of each pair (a row and what
happens to it), before all is gathered in the next row.
"""

from dataclasses import dataclass

import numpy as np

from sim.exact.chain import NEVER_ACTIVE, NEVER_LOST, Chain, Floats, Leaving, leaving
from sim.exact.patterns import Classes
from sim.exact.traits import Nodes
from sim.exact.value import Value, Worth, factors, varies, worth
from sim.scenario.model import Scenario

ROOM = 50_000

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
    width = max(10, classes.count // 2) * len(chain.src) * p
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
        self.paid = np.flatnonzero((chain.cash != 0) | (chain.converts & value.conversion))[:, None]  # pairs with cash of their own

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
                chances = gone.pairs[self.order][:, None]
                pattern_chances = chances[..., coarse]
            money = worth(chain, self.value, t, season[1], season[2])
            self.note(t, state[:, CHANCE], gone, money)
            state = self.gathered(self.moved(state, gone, money, chances))
            lives = self.classes.fold(self.gathered(self.classes.held(lives)[self.src] * pattern_chances))
        self.look(len(self.part.orders), state)
        self.finish(state, lives @ self.nodes.coarse[coarse])

    def look(self, t: int, state: Floats) -> None:
        """Note where customers are at the start of t."""
        where = state[:, CHANCE] @ self.rules  # (r, p, rule)
        self.part.occupancy[t] += self.stage_sums @ where[..., 0]
        self.part.once[t] += np.tensordot(self.once_sums, where, 1).swapaxes(1, 2)

    def note(self, t: int, at: Floats, gone: Leaving, money: Worth) -> None:
        """Add the flows, cash and orders of t. at: (r, p, n) chance to be in a row."""
        chain, nodes, part = self.chain, self.nodes, self.part
        flow = (at[chain.src] * gone.pairs) @ nodes.weights  # (pair, p)
        sums = self.sums @ flow
        part.flows[t] += sums[:-3]
        part.stayed[t] += sums[-3:-1]
        lived = at * (gone.stay + gone.leave * gone.lived)
        rate, scale = nodes.weights * nodes.rate, nodes.weights * nodes.scale
        part.cash[0, t] += np.einsum("rp,rp->p", money.alpha, lived @ scale)
        part.cash[1, t] += money.serve @ (lived @ nodes.weights)
        part.cash[2, t] += chain.cash @ flow * money.end
        part.cash[3, t] -= sums[-1] * self.value.acquisition * money.end * self.value.conversion
        if self.value.counted:
            part.orders[t] += np.einsum("rp,rp->p", money.orders, lived @ rate)

    def moved(self, state: Floats, gone: Leaving, money: Worth, chances: Floats) -> Floats:
        """Return the state after a period, pair by pair in the order of ``self.order``: (pair, moment, p, n)."""
        chain, one = self.chain, np.ones((1, 1, 1))
        stayed = self.earned(state, money, one, one)
        if self.scenario.exposure == "whole":
            new = stayed[self.src]
        else:
            left = self.earned(state, money, gone.lived, gone.lived_square)
            new = np.where((chain.edge[self.order] < 0)[:, None, None, None], stayed[self.src], left[self.src])
        new *= chances
        places = np.flatnonzero(np.isin(self.order, self.paid))
        if len(places):
            some = new[places]
            for own, cash in zip(range(4, new.shape[1], 3), (money.before, money.after), strict=False):
                edge = cash[self.order[places]][:, None, None]
                some[:, own + SQUARE] += 2.0 * edge * some[:, own] + edge**2 * some[:, CHANCE]
                some[:, own + CROSS] += edge * some[:, WALLET]
                some[:, own] += edge * some[:, CHANCE]
            new[places] = some
        return np.asarray(new)

    def earned(self, state: Floats, money: Worth, lived: Floats, lived_square: Floats) -> Floats:
        """Return the state with what a period in the row brings, of which the fraction ``lived`` counts: (r, moment, p, n)."""
        alpha, serve = money.alpha[..., None], money.serve[:, None, None]  # (r, p, 1), (r, 1, 1)
        bought, served = alpha * lived, serve * lived
        new = state.copy()
        at, a = state[:, CHANCE], state[:, WALLET]
        new[:, WALLET] += bought * at
        new[:, BRACKET] += 2.0 * bought * a
        if not self.value.single:
            new[:, BRACKET] += alpha**2 * lived_square * at
        if self.value.counted:
            new[:, NOISE] += money.beta[..., None] * lived * at
        for own in range(4, state.shape[1], 3):
            y = state[:, own]
            new[:, own + CROSS] += bought * y
            if serve.any():
                new[:, own] += served * at
                new[:, own + CROSS] += served * a + alpha * serve * lived_square * at
                new[:, own + SQUARE] += 2.0 * served * y + serve**2 * lived_square * at
        return new

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
            with np.errstate(invalid="ignore"):  # an infinite noise makes the second moment infinite or undefined, as sd_reason says
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
