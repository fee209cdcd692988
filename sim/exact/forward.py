"""Finite horizons: one pass forward through the periods.

The value of a life is X + Y: X scales with the spending traits (W wallet or order value, theta rate), Y does not. Given the path
let a = sum of expected purchases at W = theta = 1. Orders of a period are independent given the path, so

    E[X | path] = scale * a,    E[X**2 | path] = square * (a**2 - sum alpha**2 [single orders]) + noise * sum beta,

where alpha is a period's mean, beta its noise, and the two terms of a single order's variance are split: theta(1-theta) has the
square term that the brackets take out. A row carries the probability of being there and, summed over the paths that lead there, a
and, without and with acquisition cost, Y. What the bracket A, the noise B, aY and Y**2 grow by in a period follows from those, and
is summed over all rows at once. Moves and the fraction lived may be dependent: a period's cash is added apart for those who stay and
those who leave, then chances and cash of each pair (a row and what happens to it), before all is gathered in the next row.
"""

from dataclasses import dataclass

import numpy as np

from sim.exact.chain import NEVER_ACTIVE, NEVER_LOST, Chain, Floats, Leaving, gathering, leaving
from sim.exact.patterns import ROOM, patterns
from sim.exact.traits import Nodes
from sim.exact.value import Value, Worth, factors, varies, worth
from sim.scenario.model import Scenario

WALLET, BRACKET, NOISE = range(3)
OWN, CROSS, SQUARE = range(3)  # Y, aY, Y**2 of each kind, after the three


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
    size = max(1, ROOM // (len(chain.src) * p))
    for first in range(0, len(nodes.weights), size):
        _Pass(scenario, chain, value, nodes.part(slice(first, first + size)), phases, part).run()
    part.patterns += patterns(scenario, chain, nodes, phases)
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
    """The recursion for some of the nodes; adds to a Part.

    Arrays end in (p, n), phase and node, or in (q, n) where the margin and orders play no part: q is p, or 1 if hazards know no calendar.
    """

    def __init__(self, scenario: Scenario, chain: Chain, value: Value, nodes: Nodes, phases: Floats, part: Part) -> None:
        self.scenario, self.chain, self.value, self.nodes, self.phases = scenario, chain, value, nodes, phases
        self.part, self.gathered = part, gathering(chain.dst, chain.rows)
        self.rules = np.stack([nodes.weights, nodes.coarse], axis=1)  # (n, rule)
        self.sums = _sums(chain)
        self.stage_sums = (np.arange(len(chain.stages))[:, None] == chain.stage).astype(float)
        self.once_sums = np.stack([chain.phase > NEVER_ACTIVE, chain.phase == NEVER_LOST]).astype(float)
        self.paid = np.flatnonzero((chain.cash != 0) | (chain.converts & value.conversion))  # pairs with cash of their own
        self.kinds = 2 if value.conversion else 1
        self.total = np.zeros((3 + 3 * self.kinds, len(phases), len(nodes.weights)))  # moments of a life, by node

    def run(self) -> None:
        """Step through the periods."""
        scenario, chain, calendar = self.scenario, self.chain, self.scenario.calendar
        n, p = len(self.nodes.weights), len(self.phases)
        changing = varies(calendar.hazards)
        at = np.zeros((chain.rows, p if changing else 1, n))
        at[chain.start] = 1.0
        a, own = np.zeros((chain.rows, p, n)), [np.zeros_like(at) for _ in range(self.kinds)]
        gone: Leaving | None = None
        for t in range(len(self.part.orders)):
            self.look(t, at)
            season = [factors(s, self.phases + t, scenario.periods_per_year) for s in (calendar.hazards, calendar.orders, calendar.margin)]
            if gone is None or changing:
                gone = leaving(chain, self.nodes, season[0] if changing else season[0][:1], scenario.exposure == "until_exit")
            money = worth(chain, self.value, t, season[1], season[2])
            moved = at[chain.src] * gone.pairs
            self.note(t, at, moved, gone, money)
            a, own = self.earned(at, a, own, moved, gone, money)
            at = self.gathered(moved)
        self.look(len(self.part.orders), at)
        self.total[WALLET] = a.sum(0)
        for kind, y in enumerate(own):
            self.total[3 + 3 * kind + OWN] = y.sum(0)
        self.finish()

    def look(self, t: int, at: Floats) -> None:
        """Note where customers are at the start of t. at: (r, q, n) chance to be in a row."""
        where = at @ self.rules  # (r, q, rule)
        self.part.occupancy[t] += self.stage_sums @ where[..., 0]
        self.part.once[t] += np.tensordot(self.once_sums, where, 1).swapaxes(1, 2)

    def note(self, t: int, at: Floats, moved: Floats, gone: Leaving, money: Worth) -> None:
        """Add the flows, cash and orders of t. moved: (pair, q, n) chance of each pair."""
        nodes, part = self.nodes, self.part
        flow = moved @ nodes.weights  # (pair, q)
        sums = self.sums @ flow
        part.flows[t] += sums[:-3]
        part.stayed[t] += sums[-3:-1]
        lived = at * (gone.stay + gone.leave * gone.lived)
        rate, scale = nodes.weights * nodes.rate, nodes.weights * nodes.scale
        part.cash[0, t] += (money.alpha * (lived @ scale)).sum(0)
        part.cash[1, t] += money.serve @ (lived @ nodes.weights)
        part.cash[2, t] += self.chain.cash @ flow * money.end
        part.cash[3, t] -= sums[-1] * self.value.acquisition * money.end * self.value.conversion
        if self.value.counted:
            part.orders[t] += (money.orders * (lived @ rate)).sum(0)

    def earned(self, at: Floats, a: Floats, own: list[Floats], moved: Floats, gone: Leaving, money: Worth) -> tuple[Floats, list[Floats]]:
        """Return a and each Y, by row, after a period; add what the period brings to the other moments. moved as in ``note``."""
        alpha, serve, chances = money.alpha, money.serve[:, None], gone.pairs  # (r, p), (r, 1), (pair, q, n)
        whole = self.scenario.exposure == "whole"
        first = at if whole else at * (gone.stay + gone.leave * gone.lived)
        second = at if whole else at * (gone.stay + gone.leave * gone.lived_square)
        part = 1.0 if whole else gone.stay + gone.leave * gone.lived
        total, bought = self.total, a * part
        total[BRACKET] += _over_rows(2.0 * alpha, bought)
        if not self.value.single:
            total[BRACKET] += _over_rows(alpha**2, second)
        if self.value.counted:
            total[NOISE] += _over_rows(money.beta, first)
        next_a = self.with_period(a, at, alpha, gone) * chances
        next_own = []
        for k, (y, cash) in enumerate(zip(own, (money.before, money.after), strict=False)):
            mine = total[3 + 3 * k :]
            mine[CROSS] += _over_rows(alpha, y * part)
            next_y = self.with_period(y, at, serve, gone) * chances
            if serve.any():
                mine[CROSS] += _over_rows(serve, bought) + _over_rows(alpha * serve, second)
                mine[SQUARE] += _over_rows(2.0 * serve, y * part) + _over_rows(serve**2, second)
            if len(self.paid):
                edge, some = cash[self.paid, None], moved[self.paid]
                mine[CROSS] += _over_rows(edge, next_a[self.paid])
                mine[SQUARE] += _over_rows(2.0 * edge, next_y[self.paid]) + _over_rows(edge**2, some)
                next_y[self.paid] += edge[..., None] * some
            next_own.append(self.gathered(next_y))
        return self.gathered(next_a), next_own

    def with_period(self, sums: Floats, at: Floats, rate: Floats, gone: Leaving) -> Floats:
        """Return sums by row, pair by pair, with a period at a rate: all of it for those who stay, the fraction lived for the leavers."""
        chain = self.chain
        stayed = sums + rate[..., None] * at
        if self.scenario.exposure == "whole":
            return np.asarray(stayed[chain.src])
        left = sums + rate[..., None] * (at * gone.lived)
        return np.concatenate([stayed, left])[np.where(chain.edge < 0, chain.src, chain.rows + chain.src)]

    def finish(self) -> None:
        """Add the moments of CLV."""
        nodes, part, total = self.nodes, self.part, self.total
        arrival = 0.0 if self.value.conversion else self.value.acquisition
        for kind in (0, 1):
            y, cross, square = total[3 + 3 * min(kind, self.kinds - 1) :][:3]
            cost = kind * arrival
            with np.errstate(invalid="ignore"):
                noise = np.where(total[NOISE] == 0.0, 0.0, nodes.noise * total[NOISE])
            x = nodes.scale * total[WALLET]
            second = nodes.square * total[BRACKET] + noise + 2.0 * nodes.scale * cross + square
            part.mean[kind] += ((x + y - cost) @ self.rules).T
            with np.errstate(invalid="ignore"):  # an infinite noise makes the second moment infinite or undefined, as sd_reason says
                part.second[kind] += ((second - 2.0 * cost * (x + y) + cost**2) @ self.rules).T
        part.cash[3, 0] -= arrival * nodes.weights.sum()


def _over_rows(rate: Floats, values: Floats) -> Floats:
    """Sum rates (r, p or 1) times values (r, q or p, n) over the rows, (p or q or 1, n)."""
    return np.asarray(np.einsum("rp,rpn->pn", rate, values), float)


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
