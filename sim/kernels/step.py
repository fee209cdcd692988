"""One period of one group: the order of events, as short loops that each do one thing.

Only the ``live`` first customers of a group are computed. What a loop looks up by a computed index goes to scratch first, because a
loop that gathers and writes at once does not vectorise; movers, the few, are then handled one by one. Each phase is one function:

draw the words → decide who leaves (integer thresholds, or hazards where anything modifies them) → book the cash of the stage held →
move the leavers and book the cash on their edges → add up → drop those who are done.
"""

import numpy as np

from sim.kernels.jit import jit
from sim.kernels.maths import TO_UNIT, exponential, normal
from sim.kernels.philox import counter, draw
from sim.kernels.samplers import amount_node, look_up, poisson
from sim.kernels.sums import add, add_square
from sim.kernels.types import (
    ACQUISITION,
    AT_TOP,
    BLOCK_MOVES,
    BLOCK_ORDERS,
    GROUP,
    LOST_AT,
    PAID_BACK,
    POISSON,
    PURCHASE,
    SERVICE,
    SHORT,
    SUBSCRIPTION,
    TRANSITION,
    WAS_ACTIVE,
    WAS_LOST,
    Array,
    Integer,
    Scratch,
    State,
    Tables,
    Tally,
)

ONE = np.float32(1.0)
ZERO = np.float32(0.0)
NOTHING, ONCE = np.uint64(0), np.uint64(1)

LANES = 16
"""Loops run over the live customers rounded up to this many, so that no loop ends in a slow remainder. Those in the added places
are done or were never there: they stand in rows without cash and without a way out.
"""


@jit
def step(tables: Tables, tally: Tally, state: State, scratch: Scratch, q: int, who: tuple[int, int, int, int], t: int, drawn: bool) -> None:
    """Take the group in place q of ``state`` through period t; who: replicate, case, cell, first serial.

    drawn: where t is odd, the step before was this group's too, so that its words are still in scratch.
    """
    replicate, k, g, serial = who
    v = tables.variant[k, tables.segment[g]]
    n = min((state.live[q] + LANES - 1) // LANES * LANES, GROUP)
    identity = tables.address[g] | np.uint64(serial)
    if t % 2 == 0 or not drawn:
        draw(scratch.words, state.place[q], n, identity, counter(replicate, t // 2, BLOCK_MOVES), tables.key)
        if tables.fixed[v] == 0:
            draw(scratch.order_words, state.place[q], n, identity, counter(replicate, t // 2, BLOCK_ORDERS), tables.key)
    if tables.plain[v] != 0:
        decide_plain(tables.leave_below[v], state.row[q], scratch.words[t % 2 * 2], scratch.leaves, n)
    else:
        decide(tables, state, scratch, q, v, (t, tables.arrival[g] + t), n)
    if tables.fixed[v] != 0:
        book_fixed(tables, tally.cash[k, g, t], state, scratch, q, v, t, n)
    else:
        book(tables, tally, state, scratch, q, (k, g, v), t, n)
    if t == 0 and tables.acquisition_at_arrival[v] != 0:
        book_acquisition(tally.cash[k, g, 0, ACQUISITION], state.acquisition[q], scratch.net, state.live[q])
    done = move(tables, tally, state, scratch, q, (k, g, v), t, n)
    add_up(tally.payback[k, g], tally.cash_square[k, g, t], state, scratch.net, q, tables.square_shift[v], t, n)
    for i in range(done - 1, -1, -1):
        drop(tables, state, scratch, q, v, t, np.uintp(scratch.dropped[i]))


@jit
def decide_plain(leave_below: Array, row: Array, word: Array, leaves: Array, n: int) -> None:
    """Set ``leaves``: the first word against the threshold of the customer's row."""
    for i in range(n):
        leaves[i] = np.uint64(word[i]) < leave_below[row[i]]


@jit
def decide(tables: Tables, state: State, scratch: Scratch, q: int, v: int, when: tuple[int, int], n: int) -> None:
    """Set ``leaves``, ``hazards`` and ``exposure``: -ln(1-u) against the sum of each edge's hazard times its modifiers.

    when: tenure, calendar period.
    """
    t, y = when
    row, frailty, total = state.row[q], state.frailty[q], scratch.hazards[0]
    season = tables.season_hazard[v, y]
    for i in range(n):
        total[i] = ZERO
    for j in range(tables.edge.shape[2]):
        edge = scratch.hazards[1 + j]
        for i in range(n):
            r = row[i]
            s = tables.row_stage[v, r]
            h = tables.hazard[v, r, j]
            beta = tables.beta[v, s, j]
            if beta != 0:
                h *= state.beta[q, beta - 1, i]
            if tables.frail[v, s, j] != 0:
                h *= frailty[i]
            if tables.seasonal[v, s, j] != 0:
                h *= season
            edge[i] = h
            total[i] += h
    wait = scratch.floats[2]
    exponential(scratch.words[t % 2 * 2], scratch.floats[0], scratch.floats[1], wait, n)
    until_exit = tables.until_exit[v] != 0
    for i in range(n):
        certain = tables.certain[v, row[i]] != 0
        leaves = total[i] > ZERO if certain else wait[i] < total[i]
        scratch.leaves[i] = leaves
        scratch.exposure[i] = wait[i] / total[i] if until_exit and leaves and not certain else ONE


@jit
def book_fixed(tables: Tables, cash: Array, state: State, scratch: Scratch, q: int, v: int, t: int, n: int) -> None:
    """Book the cash of the stage held where it does not differ between customers: two tables, already discounted and rounded."""
    purchase, service = tables.fixed_purchase[v, t], tables.fixed_service[v, t]
    row, net = state.row[q], scratch.net
    bought, served = np.int64(0), np.int64(0)
    for i in range(n):
        p = purchase[row[i]]
        s = service[row[i]]
        net[i] = p + s
        bought += p
        served += s
    add(cash[PURCHASE], bought)
    add(cash[SERVICE], served)


@jit
def book(tables: Tables, tally: Tally, state: State, scratch: Scratch, q: int, who: tuple[int, int, int], t: int, n: int) -> None:
    """Book the cash of the stage held, customer by customer; who: case, cell, variant."""
    k, g, v = who
    y = tables.arrival[g] + t
    row, net, spend = state.row[q], scratch.net, scratch.value
    fill_spend(tables, tally.orders[k, g], state, scratch, q, v, (t, y), n)
    margin = tables.purchase_factor[v, t] * tables.season_margin[v, y]
    cost = tables.service_factor[v, t]
    if tables.plain[v] != 0:
        scratch.exposure[:n] = ONE
    bought, served = np.int64(0), np.int64(0)
    for i in range(n):
        p = np.int64(np.floor(spend[i] * (tables.purchase_units[v, row[i]] * margin) + 0.5))
        s = np.int64(np.floor(np.float64(scratch.exposure[i]) * (tables.service_units[v, row[i]] * cost) + 0.5))
        net[i] = p + s
        bought += p
        served += s
    cash = tally.cash[k, g, t]
    add(cash[PURCHASE], bought)
    add(cash[SERVICE], served)


@jit
def fill_spend(tables: Tables, orders: Array, state: State, scratch: Scratch, q: int, v: int, when: tuple[int, int], n: int) -> None:
    """Write each customer's spend at price 1 to ``value``, and count the orders; when: tenure, calendar period."""
    t, y = when
    row, wallet, rate, spend, exposure = state.row[q], state.wallet[q], state.rate[q], scratch.value, scratch.exposure
    if tables.plain[v] != 0:
        exposure[:n] = ONE
    if tables.purchase[v] == SUBSCRIPTION:
        for i in range(n):
            spend[i] = np.float64(wallet[i] * exposure[i])
        return
    season = tables.season_orders[v, y]
    word = scratch.order_words[t % 2 * 2]
    normal(scratch.order_words[t % 2 * 2 + 1], scratch.floats[0], scratch.floats[1], scratch.floats[3], n)
    placed = 0
    for i in range(n):
        mean = rate[i] * tables.orders[v, row[i]] * season * exposure[i]
        count = 0
        if tables.purchase[v] == POISSON:
            count = poisson(word[i], np.float64(mean))
        elif np.float32(word[i]) * TO_UNIT < mean:
            count = 1
        spend[i] = 0.0
        if count > 0:
            s = tables.row_stage[v, row[i]]
            spend[i] = np.float64(wallet[i]) * total_of(tables, v, s, count, scratch.floats[3, i])
            state.orders[q, i] += np.uint32(count)
            placed += count
    orders[t] += placed


@jit
def total_of(tables: Tables, v: int, s: int, count: int, z: np.float32) -> float:
    """Return the total of ``count`` orders of mean 1, at standard normal ``z``.

    Mean and variance are those of a sum. Between the tabled counts the standardised quantile is linear in count ** -1/2, above the
    last one that one's is used.
    """
    cv = tables.amount_cv[v, s]
    if cv == ZERO:
        return float(count)
    nodes = tables.amount_nodes
    at = amount_node(nodes, count)
    x = np.float64(look_up(tables.quantiles, tables.amount[v, s, at], z))
    root = count**-0.5
    if nodes[at] != count and at + 1 < nodes.size:
        left, right = nodes[at] ** -0.5, nodes[at + 1] ** -0.5
        part = (left - root) / (left - right)
        x += part * (np.float64(look_up(tables.quantiles, tables.amount[v, s, at + 1], z)) - x)
    return max(float(count * (1.0 + np.float64(cv) * root * x)), 0.0)


@jit
def book_acquisition(cash: Array, acquisition: Array, net: Array, n: int) -> None:
    """Book the cost of winning each customer, due on arrival."""
    total = np.int64(0)
    for i in range(n):
        net[i] += acquisition[i]
        total += acquisition[i]
    add(cash, total)


@jit
def move(tables: Tables, tally: Tally, state: State, scratch: Scratch, q: int, who: tuple[int, int, int], t: int, n: int) -> Integer:
    """Move the leavers along their edges, age the others; return how many are done (``dropped``); who: case, cell, variant.

    Written without branches on what a mover does: they would be mispredicted, which costs more than all the work here.
    """
    k, g, v = who
    row, history, net, moved, edge = state.row[q], state.history[q], scratch.net, scratch.moved, scratch.edge
    movers = list_movers(scratch.leaves, moved, n)
    if tables.plain[v] != 0:
        pick_plain(tables.edge_below[v], tables.edge[v], row, scratch.words[t % 2 * 2 + 1], scratch, movers)
    else:
        pick(tables.edge[v], row, scratch.words[t % 2 * 2 + 1], scratch, movers)
    flows, sojourns, cash = tally.flows[k, g, t], tally.sojourns[k, g], tables.edge_units[v, t]
    losses, done = np.int64(0), np.uintp(0)
    for m in range(movers):
        i = np.uintp(moved[m])
        e = edge[m]
        past = history[i]
        stay = np.uint64(t + 1) - (past & SHORT)
        flows[e] += 1
        sojourns[tables.edge_source[e], stay] += np.int64(tables.edge_ends[e] & ONCE)
        past += (stay & tables.edge_ends[e]) + ((stay & tables.edge_tops[e]) << AT_TOP)
        past |= tables.edge_reaches[e]
        lost = (tables.edge_loses[e] != 0) & (past & (WAS_ACTIVE | WAS_LOST) == WAS_ACTIVE)
        losses += lost
        history[i] = past | WAS_LOST | (np.uint64(t) << LOST_AT) if lost else past
        if (tables.edge_wins[e] != 0) & (past & WAS_ACTIVE == NOTHING):  # never where customers start active
            convert(tables, tally, state, net, q, (k, g, v), t, i)
        if tables.edge_cash[v] != 0:
            net[i] += cash[e]
        row[i] = tables.edge_row[v, e]
        scratch.dropped[done] = np.uint32(i)
        done += np.uintp(tables.edge_drops[v, e])
    tally.losses[k, g, t] += losses
    if tables.edge_cash[v] != 0:
        book_edges(tally.cash[k, g, t, TRANSITION], edge, cash, movers)
    if tables.ageing[v] != 0:
        age(tables.stay_row[v], row, scratch.after, n)
    return np.int64(done)


@jit
def book_edges(total: Array, edge: Array, cash: Array, movers: Integer) -> None:
    """Book the cash of the edges taken."""
    booked = np.int64(0)
    for m in range(movers):
        booked += cash[edge[m]]
    add(total, booked)


@jit
def age(stay_row: Array, row: Array, after: Array, n: int) -> None:
    """Let a period pass in everybody's stage; movers stand before their first row (``edge_row``) and step onto it."""
    for i in range(n):
        after[i] = stay_row[row[i]]
    for i in range(n):
        row[i] = after[i]


@jit
def list_movers(leaves: Array, moved: Array, n: int) -> Integer:
    """Write the places of those who leave to ``moved`` and return their number."""
    movers = np.uintp(0)
    for i in range(n):
        moved[movers] = np.uint32(i)
        movers += np.uintp(leaves[i])
    return np.int64(movers)


@jit
def convert(tables: Tables, tally: Tally, state: State, net: Array, q: int, who: tuple[int, int, int], t: int, i: Integer) -> None:
    """Note that prospect i turned active, and book its acquisition cost where that is due now; who: case, cell, variant."""
    k, g, v = who
    state.history[q, i] |= WAS_ACTIVE
    tally.conversions[k, g, t] += 1
    if tables.acquisition_at_arrival[v] == 0:
        cost = tables.acquisition_units[v, t + 1]
        state.acquisition[q, i] = cost
        net[i] += cost
        add(tally.cash[k, g, t, ACQUISITION], cost)


@jit
def pick_plain(edge_below: Array, edge: Array, row: Array, word: Array, scratch: Scratch, movers: Integer) -> None:
    """Write the edge each mover takes to ``edge``: as many of its row's thresholds as the second word has passed."""
    moved, taken = scratch.moved, scratch.edge
    last = edge_below.shape[1] - 1
    for m in range(movers):
        i = np.uintp(moved[m])
        drawn = np.uint64(word[i])
        r = row[i]
        passed = np.uintp(0)
        for j in range(last):
            passed += np.uintp(drawn >= edge_below[r, j])
        taken[m] = edge[r, passed]


@jit
def pick(edge: Array, row: Array, word: Array, scratch: Scratch, movers: Integer) -> None:
    """Write the edge each mover takes to ``edge``: the first whose cumulative hazard passes a uniform share of the sum.

    Rounding at the top falls to the last edge that can be taken.
    """
    hazards = scratch.hazards
    for m in range(movers):
        i = np.uintp(scratch.moved[m])
        target = np.float32(word[i]) * TO_UNIT * hazards[0, i]
        below = ZERO
        passed, last = 0, 0
        for j in range(1, hazards.shape[0]):
            below += hazards[j, i]
            passed += target >= below
            last = j - 1 if hazards[j, i] > ZERO else last
        scratch.edge[m] = edge[row[i], min(passed, last)]


@jit
def add_up(payback: Array, cash_square: Array, state: State, net: Array, q: int, shift: np.uint64, t: int, n: int) -> None:
    """Add the period's money to each customer, its square to the tally, and count those whose sum first reached 0."""
    clv, history = state.clv[q], state.history[q]
    squares = np.int64(0)
    reached = 0
    for i in range(n):
        amount = net[i]
        clv[i] += amount
        scaled = amount >> np.int64(shift)
        squares += scaled * scaled
        paid = (clv[i] >= 0) & (history[i] & (WAS_ACTIVE | PAID_BACK) == WAS_ACTIVE)
        reached += paid
        history[i] |= PAID_BACK if paid else NOTHING
    add_square(cash_square, squares)
    payback[t] += reached


@jit
def drop(tables: Tables, state: State, scratch: Scratch, q: int, v: int, t: int, i: Integer) -> None:
    """Take customer i, who is done, out of the live ones: it changes places with the last of them (in all that differs)."""
    last = np.uintp(state.live[q] - 1)
    state.live[q] = last
    swap(state.row[q], i, last)
    swap(state.place[q], i, last)
    swap(state.history[q], i, last)
    swap(state.clv[q], i, last)
    if t % 2 == 0:
        scratch.words[2, i], scratch.words[3, i] = scratch.words[2, last], scratch.words[3, last]
    if tables.acquisition_at_arrival[v] == 0:
        swap(state.acquisition[q], i, last)
    if tables.fixed[v] == 0:
        swap(state.orders[q], i, last)
        scratch.order_words[2, i], scratch.order_words[3, i] = scratch.order_words[2, last], scratch.order_words[3, last]
        state.wallet[q, i] = state.wallet[q, last]
        state.rate[q, i] = state.rate[q, last]
    if tables.plain[v] == 0:
        state.frailty[q, i] = state.frailty[q, last]
    for beta in range(state.beta.shape[1]):
        state.beta[q, beta, i] = state.beta[q, beta, last]


@jit
def swap(values: Array, i: Integer, j: Integer) -> None:
    """Exchange two entries."""
    values[i], values[j] = values[j], values[i]
