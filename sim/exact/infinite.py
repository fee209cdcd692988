"""Infinite horizons: linear systems in the value still to come (Puterman 1994; second moments as in White 1988).

With nothing but stage and stage age to depend on, a row's discounted value to come has moments that solve, for beta the discount
factor of a period and P the chances from row to row,

    a = r + beta P a,    A = q + 2 beta r P a + beta**2 P A,    and so on for B, Y, aY, Y**2 (names as in ``sim.exact.forward``).

Where there is a level w, each of these is a polynomial of degree 2 or less in the w that a customer brings to a row, for w moves by a
linear map in each row and cash is linear in it. The coefficients solve a system each, the highest power first: c_d of w**d does with
beta keep**d in the place of beta, and the powers above hand down what ``pull`` and coming back make of them. Rows from which no money
can be reached are left out, power by power: their coefficients are 0 and they may hold customers for ever.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest

import numpy as np

from sim.exact.chain import Chain, Flags, Floats, Leaving, gathering, leaving
from sim.exact.forward import BOTH, BRACKET, COLUMNS, CROSS, KIND, KINDS, KNOWN, NOISE, OWN, SQUARE, WALLET, Part, entries, of_life
from sim.exact.market import hazard_factors
from sim.exact.patterns import TOP, Classes
from sim.exact.traits import Nodes
from sim.exact.value import Value, Worth, factors, leading, paying, worth
from sim.scenario.model import Scenario

ROOM = 2_000_000  # numbers in the matrices solved at once
LONG = 1e6  # expected periods above which the system is solved again, free of cancellation
# Whether a mean over traits is finite: its value grows at the last nodes like a power of the length of life, exp(FAR) periods there, or
# not at all, as with a discount rate; the law of the trait falls like another power. Which power the value has depends on the graph, and
# with two traits on how both go to 0 together, so that it is the sum that is asked: if the last nodes still matter, it has no end.
ENDLESS = 1e30  # values at the last nodes that grow with the length of life
LAST = 1e-9  # share of a sum over nodes above which its last nodes show that it diverges


def infinite(scenario: Scenario, chain: Chain, value: Value, nodes: Nodes) -> Part | str:
    """Solve for all of the future, or say why it has no sum."""
    calendar = scenario.calendar
    season = [factors(s, np.zeros(1), scenario.periods_per_year) for s in (calendar.orders, calendar.margin)]
    moved = hazard_factors(scenario, chain)(np.zeros(1))
    money = worth(chain, value, 0, *season)
    until_exit = scenario.exposure == "until_exit"
    typical = leaving(chain, nodes.part(np.arange(len(nodes.weights)) == int(nodes.weights.argmax())), moved, until_exit)
    powers = _powers(chain, value)
    radius = max(_radius(chain, typical, power) for power in powers) if value.factor >= 1.0 else 0.0
    if radius * value.factor >= 1.0 - 1e-12:
        return "horizon: the sum of all future cash diverges (spectral radius of the discounted moves between paying stages is 1 or more)"
    size = max(1, ROOM // chain.rows**2)
    found = [
        _Solve(chain, value, money, nodes.part(slice(k, k + size)), moved, until_exit, powers).moments()
        for k in range(0, len(nodes.weights), size)
    ]
    part = _part(chain, value, nodes, np.concatenate(found, axis=-1))
    if not np.isfinite(part.mean).all():
        return "horizon: over customers the mean of all future cash is infinite, or too near it for quadrature"
    if radius * value.factor**2 >= 1.0 - 1e-12:
        part.second[:] = np.inf
    _durations(chain, nodes, moved, until_exit, typical, Classes.build(scenario, chain), part)
    return part


@dataclass(frozen=True)
class _Power:
    """What the coefficient of a power of the level does in a period: kept: (r,) times it; carried: (pair,) what does not come back.

    live: (r,) rows where it is not 0.
    """

    kept: Floats
    carried: Flags
    live: Flags


def _powers(chain: Chain, value: Value) -> list[_Power]:
    """Return the powers of the level that the value to come has, from 0 on; the first alone where there is none."""
    level, every = value.level, np.ones(len(chain.src), bool)
    if level is None:
        return [_Power(np.ones(chain.rows), every, paying(chain, value))]
    carried = every.copy()
    carried[level.back] = False
    own = (value.gain * value.orders != 0) & ((level.pull != 0) | (level.keep != 0))
    spends = leading(chain, own, carried & (level.keep != 0)[chain.dst])
    handed = spends & (level.pull != 0)
    handed[chain.src[level.back]] |= (spends & (level.keep != 0))[chain.dst[level.back]] & (level.again != 0.0)
    plain = paying(chain, value, handed)
    return [_Power(np.ones(chain.rows), every, plain), *(_Power(level.keep**d, carried, spends) for d in (1, 2))]


def _radius(chain: Chain, gone: Leaving, power: _Power) -> float:
    """Return the spectral radius of the moves between rows that matter."""
    live = power.live
    if not live.any():
        return 0.0
    matrix = np.zeros((chain.rows, chain.rows))
    np.add.at(matrix, (chain.src, chain.dst), power.kept[chain.src] * power.carried * gone.pairs[:, 0, 0])
    return float(np.abs(np.linalg.eigvals(matrix[np.ix_(live, live)])).max())


def _system(chain: Chain, gone: Leaving, factor: Floats, rows: Flags, carried: Flags) -> Floats:
    """Return I - factor * P between some rows, (n, r, r), over the pairs ``carried``. factor: (r,).

    A stay in the same row enters by its chance to leave, free of cancellation.
    """
    n, count = gone.stay.shape[-1], chain.rows
    matrix = np.zeros((n, count, count))
    pairs = gone.pairs[:, 0, :]
    for k, (i, j) in enumerate(zip(chain.src, chain.dst, strict=True)):
        if k < count:
            matrix[:, i, i] = (1.0 - factor[i]) + factor[i] * gone.leave[i, 0] if i == j else 1.0
        if carried[k] and (k >= count or i != j):
            matrix[:, i, j] -= factor[i] * pairs[k]
    return matrix[:, rows][:, :, rows]


def _inverse(chain: Chain, gone: Leaving, rows: Flags) -> Floats:
    """Return the inverse of I - P between some rows, (n, r, r): the expected periods in each.

    Where customers hardly ever get out the usual elimination cancels; then it is done without a subtraction (Grassmann, Taksar and
    Heyman 1985), from the chances to get out.
    """
    matrix = _system(chain, gone, np.ones(chain.rows), rows, np.ones(len(chain.src), bool))
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        inverse = np.full_like(matrix, np.nan)
    with np.errstate(invalid="ignore"):
        bad = ~((inverse > -LAST) & (inverse < LONG)).all(axis=(1, 2))
    if not bad.any():
        return np.asarray(inverse, float)
    out = np.zeros((chain.rows, int(bad.sum())))
    leads = rows[chain.src] & ~rows[chain.dst]
    np.add.at(out, chain.src[leads], gone.pairs[leads, 0][:, bad])
    out = out[rows].T.copy()
    n, size = out.shape
    off = np.maximum(-matrix[bad], 0.0)
    off[:, range(size), range(size)] = 0.0
    found = np.tile(np.eye(size), (n, 1, 1))
    pivots = np.zeros((n, size))
    for k in range(size):
        pivots[:, k] = np.maximum(out[:, k] + off[:, k, k + 1 :].sum(axis=1), np.finfo(float).tiny)
        share = off[:, k + 1 :, k] / pivots[:, k, None]
        off[:, k + 1 :, k + 1 :] += share[..., None] * off[:, k, None, k + 1 :]
        off[:, range(size), range(size)] = 0.0
        out[:, k + 1 :] += share * out[:, k, None]
        found[:, k + 1 :] += share[..., None] * found[:, k, None, :]
    for k in reversed(range(size)):
        found[:, k] = (found[:, k] + np.einsum("nj,njc->nc", off[:, k, k + 1 :], found[:, k + 1 :])) / pivots[:, k, None]
    inverse[bad] = found
    return np.asarray(inverse, float)


Polynomial = list[Floats]
"""Coefficients by power of the level, from 0 on, each (r or pair, n)."""


def _sum(one: Polynomial, other: Polynomial) -> Polynomial:
    return [np.asarray(a + b) for a, b in zip_longest(one, other, fillvalue=np.zeros(1))]


@dataclass
class _Solve:
    """The systems of some nodes."""

    chain: Chain
    value: Value
    money: Worth
    nodes: Nodes
    moved: Floats
    until_exit: bool
    powers: list[_Power]
    matrices: dict[tuple[float, int], Floats] = field(default_factory=dict)

    def moments(self) -> Floats:
        """Return the moments at the start, in the order of the forward recursion: (moment, n)."""
        chain, factor, money, n = self.chain, self.value.factor, self.money, len(self.nodes.weights)
        gone, src, dst = self.gone, chain.src, chain.dst
        stays = (chain.edge < 0)[:, None]
        lived = np.where(stays, 1.0, gone.lived[src, 0])
        lived_square = np.where(stays, 1.0, gone.lived_square[src, 0])
        alpha, rate, known = money.alpha[src], money.flat[src][:, None], money.known[src][:, None]  # (pair, 1)
        bought, told, luck = alpha * lived, known * lived, money.luck[src][:, None] * lived
        once, twice = factor, factor**2
        solve, level, begun = self.solved, self.of_level, self.begun

        found = np.zeros((KINDS + 2 * len(KIND), n))
        a = solve(once, level([bought]))
        then = self.then(a)
        found[WALLET] = begun(a)
        own = [] if self.value.single else level(level([alpha**2 * lived_square]))
        found[BRACKET] = begun(solve(twice, _sum(own, level([2.0 * factor * bought * one for one in then]))))
        noise = level([money.beta[src] * lived])
        found[NOISE] = begun(solve(twice, level(noise) if self.value.single else noise))
        (k,) = solve(once, [told])
        accounts = [(KNOWN, known, np.zeros((len(src), 1)), k)]
        for kind, cash in enumerate((money.before, money.after)):
            (y,) = solve(once, [rate * lived + cash[:, None]])
            accounts.append((KINDS + len(KIND) * kind, rate, cash[:, None], y))
        for place, each, edge, y in accounts:
            flat = each * lived + edge
            cross = level([alpha * each * lived_square + bought * edge + factor * bought * y[dst]])
            square = each**2 * lived_square + 2.0 * each * lived * edge + edge**2 + 2.0 * factor * flat * y[dst]
            square = square + (luck if place != KNOWN else 0.0)
            both = known * each * lived_square + told * edge + factor * (flat * k[dst] + told * y[dst])
            found[place + OWN], found[place + SQUARE] = y[chain.start], begun(solve(twice, [square]))
            found[place + CROSS] = begun(solve(twice, _sum(cross, [factor * flat * one for one in then])))
            if place != KNOWN:
                found[place + BOTH] = begun(solve(twice, [both]))
        return found

    @cached_property
    def gone(self) -> Leaving:
        """What happens in a period."""
        return leaving(self.chain, self.nodes, self.moved, self.until_exit)

    @cached_property
    def by_row(self) -> Callable[[Floats], Floats]:
        """What sums over the pairs of each row."""
        return gathering(self.chain.src, self.chain.rows)

    def of_level(self, terms: Polynomial) -> Polynomial:
        """Return terms times the level, which is 1 where there is none."""
        return terms if self.value.level is None else [np.zeros_like(terms[0]), *terms]

    def begun(self, terms: Polynomial) -> Floats:
        """Return the value of rows' terms at the start, (n,)."""
        first = 0.0 if self.value.level is None else self.value.level.first
        return np.asarray(sum(one[self.chain.start] * first**d for d, one in enumerate(terms)))

    def then(self, terms: Polynomial) -> Polynomial:
        """Return rows' terms as they are in the row that each pair leads to, (pair, n), in the level held before the move."""
        found = [one[self.chain.dst] for one in terms]
        if self.value.level is not None:
            back = self.value.level.back
            for d, one in enumerate(found[1:], start=1):
                found[0][back] += self.value.level.again**d * one[back]
                one[back] = 0.0
        return found

    @np.errstate(invalid="ignore")
    def solved(self, factor: float, reward: Polynomial) -> Polynomial:
        """Return the value to come, by row and powers of the level brought along, at this factor of a period.

        reward: of a period, by pair and powers of the level held.
        """
        found = [np.zeros((self.chain.rows, len(self.nodes.weights))) for _ in reward]
        held = list(found)
        for d in reversed(range(len(reward))):
            gain = self.by_row(self.gone.pairs[:, 0] * (reward[d] + factor * self.then(found)[d]))
            right = self.powers[d].kept[:, None] * gain
            for e in range(d + 1, len(reward)):
                assert self.value.level is not None
                right += math.comb(e, d) * (self.value.level.pull ** (e - d) * self.value.level.keep**d)[:, None] * held[e]
            found[d] = self.system(factor, d, right)
            held[d] = self.by_row(self.gone.pairs[:, 0] * (reward[d] + factor * self.then(found)[d]))
        return found

    def system(self, factor: float, power: int, reward: Floats) -> Floats:
        """Solve for a coefficient, (r, n), from what a period adds to it."""
        own, answer = self.powers[power], np.zeros(reward.shape)
        if (factor, power) not in self.matrices:
            self.matrices[factor, power] = _system(self.chain, self.gone, factor * own.kept, own.live, own.carried)
        try:
            answer[own.live] = np.linalg.solve(self.matrices[factor, power], reward[own.live].T[..., None])[..., 0].T
        except np.linalg.LinAlgError:  # without discounting, some customers for ever: no sum
            answer[own.live] = np.inf
        return answer


def _mixed(values: Floats, nodes: Nodes) -> Floats:
    """Return the means over customers by both rules, (…, rule); inf where the last nodes still matter, for there is then none."""
    rules = np.stack([nodes.weights, nodes.coarse], axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        mean = values @ rules
        tail = np.abs(np.where(np.abs(values) > ENDLESS, values, 0.0) * nodes.weights * nodes.end).sum(-1, keepdims=True)
    return np.where((tail > LAST * np.abs(mean)) | ~np.isfinite(mean), np.inf, mean)


def _part(chain: Chain, value: Value, nodes: Nodes, total: Floats) -> Part:
    """Mix the moments (moment, n) over the nodes."""
    mean, second = np.zeros((2, 2, 1)), np.zeros((2, 2, 1))
    with np.errstate(over="ignore"):
        for kind in (0, 1):
            life = of_life(total, kind, nodes, value)
            mean[kind], second[kind] = (_mixed(one, nodes)[:, None] for one in life)
    s, e, none = len(chain.stages), len(chain.edges), np.zeros
    return Part(
        mean, second, none((0, s, 1)), none((0, 2, 2, 1)), none((0, 2, 1)), none((len(COLUMNS), 0, 1)), none((0, 1)), none((0, e, 1)),
        none((0, 1)), none((s, 1)), none((s, 1)), none((0, 1)),
    )  # fmt: skip


def _durations(chain: Chain, nodes: Nodes, moved: Floats, until_exit: bool, typical: Leaving, classes: Classes, part: Part) -> None:
    """Fill in undiscounted periods, visits and patterns, from the expected number of periods in every row."""
    reach = _reach(chain, typical)
    final = np.array([bool(reach[reach[i], i].all()) for i in range(chain.rows)])  # whom one reaches, one comes back from
    gone = leaving(chain, nodes, moved, until_exit)
    inverse = _inverse(chain, gone, ~final)
    passing = np.zeros((chain.rows, len(nodes.weights)))
    entry = np.zeros(chain.rows)
    entry[chain.start] = 1.0
    passing[~final] = (entry[~final] @ inverse).T
    flow = passing[chain.src] * gone.pairs[:, 0]
    periods = _mixed(passing, nodes)[:, 0]
    reached = final & reach[chain.start]
    periods[reached] = np.inf
    np.add.at(part.periods[:, 0], chain.stage, periods)
    moves = np.zeros((len(chain.edges), 1))
    mixed = _mixed(flow, nodes)[:, 0]
    mixed[reached[chain.src] & (typical.pairs[:, 0, 0] > 0)] = np.inf
    np.add.at(moves[:, 0], chain.edge[chain.rows :], mixed[chain.rows :])
    part.visits += entries(chain, moves)
    part.patterns = _patterns(chain, nodes, gone, final, reach, classes)


def _reach(chain: Chain, gone: Leaving) -> Flags:
    """Return which row can come to which, (r, r), each to itself."""
    step = np.eye(chain.rows, dtype=bool)
    used = gone.pairs[:, 0, 0] > 0
    step[chain.src[used], chain.dst[used]] = True
    for _ in range(max(1, chain.rows.bit_length())):
        step = step @ step
    return step


def _patterns(chain: Chain, nodes: Nodes, gone: Leaving, final: Flags, reach: Flags, classes: Classes) -> Floats:
    """Return the shares of life patterns in the limit, (pattern, 1); empty where some go from lost to not lost and back for ever.

    Classes only rise, so each is solved for with what the ones below hand up. A period in rank 3 raises it, until the last.
    """
    ends = [reach[i] for i in np.flatnonzero(final & reach[chain.start] & ~classes.never)]
    if any(len(set(classes.lost[rows])) > 1 and not classes.top[rows].any() for rows in ends):
        return np.zeros((0, 1))
    chances, src, dst = gone.pairs[:, 0], chain.src, chain.dst
    fresh = np.zeros((classes.count, chain.rows, len(nodes.weights)))  # those who come into a class, by row
    fresh[classes.entry[chain.start], chain.start] = 1.0
    known: dict[bytes, Floats] = {}  # most classes share a system
    for c in range(classes.count):
        rising = TOP <= c < classes.count - 1
        rows = ~final & (classes.entry <= c) & ~(classes.top & rising)
        if rows.any():
            inverse = known.get(rows.tobytes())
            if inverse is None:
                inverse = known[rows.tobytes()] = _inverse(chain, gone, rows)
            spent = np.zeros(fresh.shape[1:])
            spent[rows] = np.einsum("in,nij->jn", fresh[c][rows], inverse)
            out = rows[src] & ~rows[dst]
            np.add.at(fresh, (np.maximum(c, classes.entry[dst[out]]), dst[out]), spent[src[out]] * chances[out])
        if rising:
            out = (classes.top & ~final)[src]
            np.add.at(fresh[c + 1], dst[out], fresh[c][src[out]] * chances[out])
    ended = np.zeros((chain.rows, classes.count))
    for i in np.flatnonzero(final):
        highest = int(classes.entry[reach[i]].max())
        for c in range(classes.count):
            ended[i, classes.count - 1 if highest == TOP else max(c, highest)] += fresh[c, i] @ nodes.weights
    return classes.shares(ended)[:, None]
