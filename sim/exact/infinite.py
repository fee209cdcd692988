"""Infinite horizons: linear systems in the value still to come (Puterman 1994; second moments as in White 1988).

With nothing but stage and stage age to depend on, a row's discounted value to come has moments that solve, for beta the discount
factor of a period and P the chances from row to row,

    a = r + beta P a,    A = q + 2 beta r P a + beta**2 P A,    and so on for B, Y, aY, Y**2 (names as in ``sim.exact.forward``).

Rows from which no money can be reached are left out: their value is 0 and they may hold customers for ever.
"""

from dataclasses import dataclass

import numpy as np

from sim.exact.chain import Chain, Flags, Floats, Leaving, gathering, leaving
from sim.exact.forward import BOTH, BRACKET, COLUMNS, CROSS, KIND, KINDS, KNOWN, NOISE, OWN, SQUARE, WALLET, Part, entries, of_life
from sim.exact.market import hazard_factors
from sim.exact.patterns import TOP, Classes
from sim.exact.traits import Nodes
from sim.exact.value import Value, Worth, factors, paying, worth
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
    moved = hazard_factors(scenario, chain, np.zeros(1))
    money = worth(chain, value, 0, *season)
    until_exit = scenario.exposure == "until_exit"
    typical = leaving(chain, nodes.part(np.arange(len(nodes.weights)) == int(nodes.weights.argmax())), moved, until_exit)
    live = paying(chain, value)
    radius = _radius(chain, typical, live) if value.factor >= 1.0 else 0.0
    if radius * value.factor >= 1.0 - 1e-12:
        return "horizon: the sum of all future cash diverges (spectral radius of the discounted moves between paying stages is 1 or more)"
    size = max(1, ROOM // chain.rows**2)
    found = [
        _Solve(chain, value, money, nodes.part(slice(k, k + size)), moved, until_exit, live).moments()
        for k in range(0, len(nodes.weights), size)
    ]
    part = _part(chain, value, nodes, np.concatenate(found, axis=-1))
    if not np.isfinite(part.mean).all():
        return "horizon: over customers the mean of all future cash is infinite, or too near it for quadrature"
    if radius * value.factor**2 >= 1.0 - 1e-12:
        part.second[:] = np.inf
    _durations(chain, nodes, moved, until_exit, typical, Classes.build(scenario, chain), part)
    return part


def _radius(chain: Chain, gone: Leaving, live: Flags) -> float:
    """Return the spectral radius of the moves between rows that matter."""
    if not live.any():
        return 0.0
    matrix = np.zeros((chain.rows, chain.rows))
    np.add.at(matrix, (chain.src, chain.dst), gone.pairs[:, 0, 0])
    return float(np.abs(np.linalg.eigvals(matrix[np.ix_(live, live)])).max())


def _system(chain: Chain, gone: Leaving, factor: float, rows: Flags) -> Floats:
    """Return I - factor * P between some rows, (n, r, r). A stay in the same row enters by its chance to leave, free of cancellation."""
    n, count = gone.stay.shape[-1], chain.rows
    matrix = np.zeros((n, count, count))
    pairs = gone.pairs[:, 0, :]
    for k, (i, j) in enumerate(zip(chain.src, chain.dst, strict=True)):
        if k < count:
            matrix[:, i, i] = (1.0 - factor) + factor * gone.leave[i, 0] if i == j else 1.0
        if k >= count or i != j:
            matrix[:, i, j] -= factor * pairs[k]
    return matrix[:, rows][:, :, rows]


def _inverse(chain: Chain, gone: Leaving, rows: Flags) -> Floats:
    """Return the inverse of I - P between some rows, (n, r, r): the expected periods in each.

    Where customers hardly ever get out the usual elimination cancels; then it is done without a subtraction (Grassmann, Taksar and
    Heyman 1985), from the chances to get out.
    """
    matrix = _system(chain, gone, 1.0, rows)
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


@dataclass
class _Solve:
    """The systems of some nodes."""

    chain: Chain
    value: Value
    money: Worth
    nodes: Nodes
    moved: Floats
    until_exit: bool
    live: Flags

    def moments(self) -> Floats:
        """Return the moments at the start, in the order of the forward recursion: (moment, n)."""
        chain, factor, money, n = self.chain, self.value.factor, self.money, len(self.nodes.weights)
        gone = leaving(chain, self.nodes, self.moved, self.until_exit)
        once, twice = (_system(chain, gone, f, self.live) for f in (factor, factor**2))
        chances, src, dst = gone.pairs[:, 0], chain.src, chain.dst
        stays = (chain.edge < 0)[:, None]
        lived = np.where(stays, 1.0, gone.lived[src, 0])
        lived_square = np.where(stays, 1.0, gone.lived_square[src, 0])
        alpha, rate, known = money.alpha[src], money.flat[src][:, None], money.known[src][:, None]  # (pair, 1)
        bought, told = alpha * lived, known * lived

        by_row = gathering(src, chain.rows)

        def solve(matrix: Floats, reward: Floats) -> Floats:
            return self.solved(matrix, by_row(chances * reward))

        found = np.zeros((KINDS + 2 * len(KIND), n))
        a = solve(once, bought)
        found[WALLET] = a[chain.start]
        own = 0.0 if self.value.single else alpha**2 * lived_square
        found[BRACKET] = solve(twice, own + 2.0 * factor * bought * a[dst])[chain.start]
        found[NOISE] = solve(twice, money.beta[src] * lived)[chain.start]
        k = solve(once, told)
        accounts = [(KNOWN, known, np.zeros((len(src), 1)), k)]
        for kind, cash in enumerate((money.before, money.after)):
            accounts.append((KINDS + len(KIND) * kind, rate, cash[:, None], solve(once, rate * lived + cash[:, None])))
        for place, own, edge, y in accounts:
            flat = own * lived + edge
            cross = alpha * own * lived_square + bought * edge + factor * (bought * y[dst] + flat * a[dst])
            square = own**2 * lived_square + 2.0 * own * lived * edge + edge**2 + 2.0 * factor * flat * y[dst]
            both = known * own * lived_square + told * edge + factor * (flat * k[dst] + told * y[dst])
            found[place + OWN], found[place + CROSS], found[place + SQUARE] = (
                answer[chain.start] for answer in (y, solve(twice, cross), solve(twice, square))
            )
            if place != KNOWN:
                found[place + BOTH] = solve(twice, both)[chain.start]
        return found

    def solved(self, matrix: Floats, reward: Floats) -> Floats:
        """Solve for the value to come, (r, n), from the mean reward of a period, (r, n)."""
        answer = np.zeros(reward.shape)
        try:
            answer[self.live] = np.linalg.solve(matrix, reward[self.live].T[..., None])[..., 0].T
        except np.linalg.LinAlgError:  # without discounting, some customers for ever: no sum
            answer[self.live] = np.inf
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
