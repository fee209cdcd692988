"""Finite horizons: one pass forward through the periods.

The value of a life is X + Y + K k: X scales with the spending traits (W wallet or order value, theta rate), Y does not; K is what a
customer has to tell, k its worth. Given the path the level w of the relationship is known, and so are Y and k; let a = sum of expected
purchases at W = theta = 1. Orders of a period are independent given the path, so

    E[X | path] = scale * a,    E[X**2 | path] = square * (a**2 - sum alpha**2 [single orders]) + noise * sum beta,

where alpha is a period's mean, beta its noise, and the two terms of a single order's variance are split: theta(1-theta) has the
square term that the brackets take out. A row carries the probability of being there and, summed over the paths that lead there, a, k
and, without and with acquisition cost, Y; where there is a level also w, w**2, aw, kw and Yw, for w moves by a linear map in each row.
What the bracket A, the noise B, aY, Y**2, ak, Yk and k**2 grow by in a period follows from those, and is summed over all rows at once.
Moves and the fraction lived may be dependent: a period's cash is added apart for those who stay and those who leave, then chances and
cash of each pair (a row and what happens to it), before all is gathered in the next row.
"""

from dataclasses import dataclass

import numpy as np

from sim.exact.chain import NEVER_ACTIVE, NEVER_LOST, Chain, Floats, Leaving, gathering, leaving
from sim.exact.market import changing, hazard_factors
from sim.exact.patterns import ROOM, patterns
from sim.exact.traits import Nodes
from sim.exact.value import Value, Worth, factors, worth
from sim.scenario.model import Scenario

COLUMNS = (
    "purchase", "service", "transition", "acquisition", "word_of_mouth", "information", "knowledge", "transaction", "sales",
)  # fmt: skip
PURCHASE, SERVICE, TRANSITION, ACQUISITION, KNOWLEDGE = (
    COLUMNS.index(name) for name in ("purchase", "service", "transition", "acquisition", "knowledge")
)
FLAT = [COLUMNS.index(name) for name in ("service", "information", "transaction", "sales")]  # as in ``Worth.columns``

KIND = OWN, CROSS, SQUARE, BOTH = range(4)  # Y, aY, Y**2, kY, of each kind after the others:
WALLET, BRACKET, NOISE, KNOWN, KNOWN_CROSS, KNOWN_SQUARE = range(6)  # a, A, B, k, ak, k**2; these three in the order of KIND
KINDS = 6


@dataclass
class Part:
    """One segment's answers; last axis: calendar phase p (cohorts of like calendar). Tenure t, stage s, edge e.

    mean, second: (kind, rule, p) first two moments of CLV before and after acquisition, by the full and the coarse rule;
    occupancy: (t + 1, s, p); once: (t + 1, 2, rule, p): ever active; of these never lost yet;
    stayed: (t, 2, p): active now and next; lost now and active next; cash: (column, t, p); orders: (t, p); flows: (t, e, p);
    level: (t, p) sum of the level over those in active stages;
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
    level: Floats
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
        np.zeros((len(COLUMNS), horizon, p)),
        np.zeros((horizon, p)),
        np.zeros((horizon, len(chain.edges), p)),
        np.zeros((horizon, p)),
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


@dataclass
class _Paths:
    """Sums over the paths that lead to a row, (r, p or q, n): chance; w, w**2; a, aw; lists of the Y, and of k last where it is on: y, yw.

    Where there is no level w is 1, and sums with w are the same arrays as those without.
    """

    at: Floats
    w: Floats
    ww: Floats
    a: Floats
    aw: Floats
    y: list[Floats]
    yw: list[Floats]


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
        self.active = chain.of_kind("active").astype(float)
        self.paid = np.flatnonzero((chain.cash != 0) | (chain.converts & value.conversion))  # pairs with cash of their own
        self.kinds, self.tells = 2 if value.conversion else 1, bool(value.known.any())
        self.changing, self.factors = changing(scenario, chain), hazard_factors(scenario, chain)
        self.total = np.zeros((KINDS + len(KIND) * self.kinds, len(phases), len(nodes.weights)))  # moments of a life, by node

    def run(self) -> None:
        """Step through the periods."""
        scenario, calendar = self.scenario, self.scenario.calendar
        paths = self.first()
        gone: Leaving | None = None
        for t in range(len(self.part.orders)):
            self.look(t, paths.at)
            season = [factors(s, self.phases + t, scenario.periods_per_year) for s in (calendar.orders, calendar.margin)]
            if gone is None or self.changing:
                factor = self.factors(self.phases[: None if self.changing else 1] + t)
                gone = leaving(self.chain, self.nodes, factor, scenario.exposure == "until_exit")
            money = worth(self.chain, self.value, t, *season)
            self.deepen(paths)
            moved = paths.at[self.chain.src] * gone.pairs
            self.note(t, paths, moved, gone, money)
            paths = self.lived(paths, moved, gone, money)
        self.look(len(self.part.orders), paths.at)
        self.total[WALLET] = paths.a.sum(0)
        self.total[KNOWN] = paths.y[-1].sum(0) if self.tells else 0.0
        for kind in range(self.kinds):
            self.total[KINDS + len(KIND) * kind + OWN] = paths.y[kind].sum(0)
        self.finish()

    def first(self) -> _Paths:
        """Return everybody at the start."""
        rows, n, p = self.chain.rows, len(self.nodes.weights), len(self.phases)
        at = np.zeros((rows, p if self.changing else 1, n))
        at[self.chain.start] = 1.0
        a, y = np.zeros((rows, p, n)), [np.zeros_like(at) for _ in range(self.kinds + self.tells)]
        level = self.value.level
        if level is None:
            return _Paths(at, at, at, a, a, y, y)
        return _Paths(at, level.first * at, level.first**2 * at, a, a, y, y)

    def deepen(self, paths: _Paths) -> None:
        """Let the level move."""
        level = self.value.level
        if level is None:
            return
        pull, keep = level.pull[:, None, None], level.keep[:, None, None]
        paths.ww = pull**2 * paths.at + 2.0 * pull * keep * paths.w + keep**2 * paths.ww
        paths.w = pull * paths.at + keep * paths.w
        paths.aw = pull * paths.a + keep * paths.aw
        paths.yw = [pull * y + keep * yw for y, yw in zip(paths.y, paths.yw, strict=True)]

    def look(self, t: int, at: Floats) -> None:
        """Note where customers are at the start of t. at: (r, q, n) chance to be in a row."""
        where = at @ self.rules  # (r, q, rule)
        self.part.occupancy[t] += self.stage_sums @ where[..., 0]
        self.part.once[t] += np.tensordot(self.once_sums, where, 1).swapaxes(1, 2)

    def note(self, t: int, paths: _Paths, moved: Floats, gone: Leaving, money: Worth) -> None:
        """Add the flows, cash, orders and level of t. moved: (pair, q, n) chance of each pair."""
        nodes, part, value = self.nodes, self.part, self.value
        flow = moved @ nodes.weights  # (pair, q)
        sums = self.sums @ flow
        part.flows[t] += sums[:-3]
        part.stayed[t] += sums[-3:-1]
        fraction = gone.stay + gone.leave * gone.lived
        held, bought = paths.at * fraction, paths.w * fraction
        rate, scale = nodes.weights * nodes.rate, nodes.weights * nodes.scale
        cash = part.cash[:, t]
        cash[PURCHASE] += (money.alpha * (bought @ scale)).sum(0)
        cash[FLAT] += money.columns @ (held @ nodes.weights)
        cash[KNOWLEDGE] += money.known @ (held @ nodes.weights) * value.known_moments[0]
        cash[TRANSITION] += self.chain.cash @ flow * money.end
        cash[ACQUISITION] -= sums[-1] * value.acquisition * money.end * value.conversion
        if value.counted:
            part.orders[t] += (money.orders * ((held if value.single else bought) @ rate)).sum(0)
        if value.level is not None:
            part.level[t] += self.active @ (paths.w @ nodes.weights)

    def lived(self, paths: _Paths, moved: Floats, gone: Leaving, money: Worth) -> _Paths:
        """Return the paths after a period; add what the period brings to the moments of a life. moved as in ``note``."""
        self.add(paths, gone, money)
        alpha, chances, level = money.alpha, gone.pairs, self.value.level
        rates = [money.flat[:, None]] * self.kinds + [money.known[:, None]] * self.tells

        def passed(sums: Floats, at: Floats, rate: Floats) -> Floats:
            return self.with_period(sums, at, rate, gone) * chances

        a = passed(paths.a, paths.w, alpha)
        y = [passed(one, paths.at, rate) for one, rate in zip(paths.y, rates, strict=True)]
        if len(self.paid):
            self.add_moves(a, y, moved, money)
            self.pay(y, moved, money)
        if level is None:
            at, a, y = self.gathered(moved), self.gathered(a), [self.gathered(one) for one in y]
            return _Paths(at, at, at, a, a, y, y)
        w, ww = paths.w[self.chain.src] * chances, paths.ww[self.chain.src] * chances
        aw = passed(paths.aw, paths.ww, alpha)
        yw = [passed(one, paths.w, rate) for one, rate in zip(paths.yw, rates, strict=True)]
        self.pay(yw, w, money)
        for sums, without in ((w, moved), (aw, a), *zip(yw, y, strict=True)):
            sums[level.back] = level.again * without[level.back]
        ww[level.back] = level.again**2 * moved[level.back]
        at, w, ww, a, aw = (self.gathered(one) for one in (moved, w, ww, a, aw))
        return _Paths(at, w, ww, a, aw, [self.gathered(one) for one in y], [self.gathered(one) for one in yw])

    def add(self, paths: _Paths, gone: Leaving, money: Worth) -> None:
        """Add to the moments of a life what the period held brings."""
        alpha, flat, known, total = money.alpha, money.flat[:, None], money.known[:, None], self.total
        whole = self.scenario.exposure == "whole"
        part = 1.0 if whole else gone.stay + gone.leave * gone.lived
        square = 1.0 if whole else gone.stay + gone.leave * gone.lived_square
        total[BRACKET] += _over_rows(2.0 * alpha, paths.aw * part)
        if not self.value.single:
            total[BRACKET] += _over_rows(alpha**2, paths.ww * square)
        if self.value.counted:
            total[NOISE] += _over_rows(money.beta, (paths.ww if self.value.single else paths.w) * part)
        if self.tells:
            total[KNOWN_CROSS] += _over_rows(alpha, paths.yw[-1] * part) + _over_rows(known, paths.a * part)
            total[KNOWN_CROSS] += _over_rows(alpha * known, paths.w * square)
            total[KNOWN_SQUARE] += _over_rows(2.0 * known, paths.y[-1] * part) + _over_rows(known**2, paths.at * square)
        for kind in range(self.kinds):
            mine, y = total[KINDS + len(KIND) * kind :], paths.y[kind] * part
            mine[CROSS] += _over_rows(alpha, paths.yw[kind] * part)
            if flat.any():
                mine[CROSS] += _over_rows(flat, paths.a * part) + _over_rows(alpha * flat, paths.w * square)
                mine[SQUARE] += _over_rows(2.0 * flat, y) + _over_rows(flat**2, paths.at * square)
            if money.luck.any():
                mine[SQUARE] += _over_rows(money.luck[:, None], paths.at * part)
            if self.tells:
                mine[BOTH] += _over_rows(flat, paths.y[-1] * part) + _over_rows(known, y) + _over_rows(flat * known, paths.at * square)

    def add_moves(self, a: Floats, y: list[Floats], moved: Floats, money: Worth) -> None:
        """Add to the moments of a life what moves bring; a, y: by pair, before they are paid."""
        for kind, cash in zip(range(self.kinds), (money.before, money.after), strict=False):
            mine, edge = self.total[KINDS + len(KIND) * kind :], cash[self.paid, None]
            mine[CROSS] += _over_rows(edge, a[self.paid])
            mine[SQUARE] += _over_rows(2.0 * edge, y[kind][self.paid]) + _over_rows(edge**2, moved[self.paid])
            if self.tells:
                mine[BOTH] += _over_rows(edge, y[-1][self.paid])

    def pay(self, sums: list[Floats], moved: Floats, money: Worth) -> None:
        """Add the cash of moves to each Y by pair."""
        for one, cash in zip(sums[: self.kinds], (money.before, money.after), strict=False):
            one[self.paid] += cash[self.paid, None, None] * moved[self.paid]

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
        nodes, part = self.nodes, self.part
        for kind in (0, 1):
            mean, second = of_life(self.total, kind, nodes, self.value)
            part.mean[kind] += (mean @ self.rules).T
            with np.errstate(invalid="ignore"):  # an infinite noise makes the second moment infinite or undefined, as sd_reason says
                part.second[kind] += (second @ self.rules).T
        if not self.value.conversion:
            part.cash[ACQUISITION, 0] -= self.value.acquisition * nodes.weights.sum()


def of_life(total: Floats, kind: int, nodes: Nodes, value: Value) -> tuple[Floats, Floats]:
    """Return the first two moments of CLV before (kind 0) or after acquisition cost, (…, n), from the sums ``total`` (moment, …, n)."""
    kinds = (len(total) - KINDS) // len(KIND)
    y, cross, square, both = total[KINDS + len(KIND) * min(kind, kinds - 1) :][: len(KIND)]
    cost = 0.0 if value.conversion else kind * value.acquisition
    known, known_square = value.known_moments
    with np.errstate(invalid="ignore"):
        noise = np.where(total[NOISE] == 0.0, 0.0, nodes.noise * total[NOISE])
        mean = nodes.scale * total[WALLET] + y + known * total[KNOWN]
        second = nodes.square * total[BRACKET] + noise + 2.0 * nodes.scale * cross + square
        second = second + 2.0 * known * (nodes.scale * total[KNOWN_CROSS] + both) + known_square * total[KNOWN_SQUARE]
        return mean - cost, second - 2.0 * cost * mean + cost**2


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
