"""One period of one group: the order of events, as short loops that each do one thing.

Only the ``live`` first customers of a group are computed, and those behind them up to a multiple of LANES, so that no loop ends in a slow
remainder: they are done or were never there, and stand in rows without cash and without a way out. What a loop looks up by a computed index
goes to scratch first, because a loop that gathers and writes at once does not vectorise; movers, the few, are then handled one by one. Each
phase is one function:

draw the words → let the firm treat customers (treat.py), minds move (mind.py) and products be added (activity.py) → decide who leaves
(integer thresholds, or hazards where anything modifies them) → book the cash of the stage held (cash.py), and contacts, streams and the
cost of policies beside it (activity.py, streams.py, treat.py) → let customers win others (talk.py) → move the leavers and book the cash
on their edges → add up → drop those who are done.
"""

import numpy as np

from sim.kernels.activity import contact, sell
from sim.kernels.addresses import BLOCK_LAST, BLOCK_MIND, BLOCK_MOVES, BLOCK_ORDERS, BLOCK_PRODUCTS, BLOCK_TALK
from sim.kernels.cash import book, book_acquisition, book_fixed, time_last
from sim.kernels.drop import drop_all
from sim.kernels.jit import inner, leaf
from sim.kernels.maths import TO_UNIT, exponential
from sim.kernels.mind import sway, think
from sim.kernels.move import move
from sim.kernels.philox import counter
from sim.kernels.streams import book_streams
from sim.kernels.sums import add_square
from sim.kernels.talk import draw_for, identity_of, spread_word
from sim.kernels.treat import pay, steer, treat, treated_still
from sim.kernels.types import (
    ACQUISITION,
    OVER,
    PAID_BACK,
    SUBSCRIPTION,
    WAS_ACTIVE,
    Array,
    Integer,
    Scratch,
    State,
    Tables,
    Tally,
)
from sim.kernels.vectors import LANES, list_places, take

ONE = np.float32(1.0)
ZERO = np.float32(0.0)
LONGER = np.float32(1.00001)
NOTHING, ONCE = np.uint64(0), np.uint64(1)


@inner
def step(tables: Tables, tally: Tally, state: State, scratch: Scratch, q: int, who: tuple[int, int, int, int], t: int, drawn: bool) -> None:
    """Take the group in place q of ``state`` through period t; who: replicate, case, cell, first serial.

    drawn: the steps before, where there are any, were this group's too, so that words drawn for several periods are still in scratch.
    """
    replicate, k, g, serial = who
    v = tables.variant[k, tables.segment[g]]
    n = (state.live[q] + LANES - 1) // LANES * LANES
    identity = identity_of(tables, g, serial)
    draw_words(tables, scratch, state.place[q], (replicate, v, identity), t, drawn, n)
    y = tables.arrival[g] + t
    m = int(tables.regime[replicate, y]) if tables.regime.size > 0 else 0
    treated = tables.treating.shape[1] > 0 and tables.treating[v].any()
    if treated:
        treat(tables, tally, state, scratch, q, (replicate, k, g, v, identity), (t, y), n)
    rows = scratch.altered if treated and tables.altering[v] != 0 else state.row[q]
    if tables.minded[v] != 0 or tables.selling[v] != 0 or tables.plain[v] == 0:
        find_stages(tables, state.row[q], scratch, v, state.live[q], n)
    if tables.minded[v] != 0:
        think(tables, tally.feelings[k, g], state, scratch, q, v, (t, y, m), n)
    if tables.selling[v] != 0:
        sell(tables, tally.activity[k, g, t], state, scratch, q, v, t, n)
    if tables.plain[v] != 0:
        movers = decide_plain(tables.leave_below[v], rows, scratch.words[t % 4], scratch.net.view(np.uint64), scratch.moved, n)
    else:
        movers = decide(tables, state, scratch, q, v, rows, (t, y, m), n)
    if tables.fixed[v] != 0:
        book_fixed(tables, tally.cash[k, g, t], state, scratch, q, v, t, n)
    else:
        buyers = book(tables, tally, state, scratch, q, (k, g, v), (t, y, m), n)
        if state.last.shape[1] > 0:
            time_last(state, scratch, q, identity, counter(replicate, t // 2, BLOCK_LAST), tables.key, t, buyers)
    if tables.contacting[v] != 0:
        contact(tables, tally.activity[k, g, t], state, scratch, q, v, t, n)
    if tables.streaming[v].any():
        book_streams(tables, tally.cash[k, g, t], state, scratch, q, v, t, n)
    if tables.reach[v] > ZERO:
        spread_word(tables, tally.talk[k, g, t], state, scratch, q, (g, v, identity), (t, y))
    if treated:
        pay(tables, state, scratch, q, v, t, n)
    if t == 0 and tables.acquisition_at_arrival[v] != 0:
        book_acquisition(tally.cash[k, g, 0, ACQUISITION], state.acquisition[q], scratch.net, state.live[q])
    done = move(tables, tally, state, scratch, q, (k, g, v), rows, t, movers, n)
    add_up(tally.payback[k, g], tally.cash_square[k, g, t], state, scratch.net, q, tables.square_shift[v], t, n)
    drop_all(tables, state, scratch, q, v, t, list_over(tables, state, scratch, q, v, t) if tables.ends[v] != 0 else done)


@inner
def draw_words(tables: Tables, scratch: Scratch, place: Array, who: tuple[int, int, np.uint64], t: int, drawn: bool, n: int) -> None:
    """Draw the blocks that the period needs and that are not in scratch yet; who: replicate, variant, identity."""
    replicate, v, identity = who
    if t % 4 == 0 or not drawn:
        draw_for(tables, scratch.words, place, n, identity, counter(replicate, t // 4, BLOCK_MOVES))
        if tables.selling[v] != 0:
            draw_for(tables, scratch.product_words, place, n, identity, counter(replicate, t // 4, BLOCK_PRODUCTS))
    if t % 2 == 0 or not drawn:
        if tables.purchase[v] != SUBSCRIPTION:
            draw_for(tables, scratch.order_words, place, n, identity, counter(replicate, t // 2, BLOCK_ORDERS))
        if tables.feels[v] != 0:
            draw_for(tables, scratch.mind_words, place, n, identity, counter(replicate, t // 2, BLOCK_MIND))
        if tables.reach[v] > ZERO or tables.contacting[v] != 0:
            draw_for(tables, scratch.talk_words, place, n, identity, counter(replicate, t // 2, BLOCK_TALK))


@inner
def find_stages(tables: Tables, row: Array, scratch: Scratch, v: int, live: Integer, n: int) -> None:
    """Write each customer's stage, and whether it is an active one, which it is to nobody beyond the living."""
    take(tables.row_stage[v], row, scratch.stage, n)
    take(tables.awake, scratch.stage, scratch.awake, n)
    scratch.awake[live:n] = ZERO


@leaf
def decide_plain(leave_below: Array, row: Array, word: Array, below: Array, moved: Array, n: int) -> Integer:
    """List the places of those who leave in ``moved`` and return their number: the word against the threshold of the row.

    below: scratch, uint64.
    """
    take(leave_below, row, below, n)
    for i in range(n):
        moved[i] = np.uint32(np.uint64(word[i]) < below[i])
    return list_places(moved, n)


@inner
def decide(tables: Tables, state: State, scratch: Scratch, q: int, v: int, rows: Array, when: tuple[int, int, int], n: int) -> Integer:
    """List those who leave in ``moved`` and return their number; set ``hazards`` and ``exposure``.

    Who leaves is told by -ln(1-u) against the sum of each edge's hazard times its modifiers. rows: of the hazards that hold; when: tenure,
    calendar period, regime.
    """
    t, y, m = when
    row, total = state.row[q], scratch.hazards[0]
    for j in range(tables.hazard.shape[1]):
        edge = scratch.hazards[1 + j]
        take(tables.hazard[v, j], rows, edge, n)
        modify(tables, state, scratch, q, v, j, n)
        if tables.timed[v] != 0:
            take(tables.edge_factor[v, m, y, j], scratch.stage, scratch.floats[0], n)
            multiply(edge, scratch.floats[0], n)
        if tables.swayed[v, j].any():
            sway(tables, state.mind[q], scratch, v, j, n)
        if tables.steering[v] != 0:
            steer(tables, row, scratch, v, j, n)
        if j == 0:
            for i in range(n):
                total[i] = edge[i]
        else:
            for i in range(n):
                total[i] += edge[i]
    certain = scratch.after
    certain[:n] = np.uint32(0)
    if tables.sure[v] != 0:
        take(tables.certain[v], rows, certain, n)
    scratch.exposure[:n] = ONE
    listed = list_likely(scratch.words[t % 4], total, certain, scratch.places, n)
    return list_leavers(tables, scratch, v, t, listed)


@leaf
def list_likely(word: Array, total: Array, certain: Array, places: Array, n: int) -> Integer:
    """Write the places of those who may leave to ``places`` and return their number.

    A wait, -ln(1-u), is never below u; 1e-5 of the hazard is more than all rounding.
    """
    for i in range(n):
        short = total[i] * LONGER - np.float32(word[i]) * TO_UNIT
        excess = total[i] if certain[i] != 0 else short
        places[i] = np.uint32(excess > ZERO)
    return list_places(places, n)


@inner
def list_leavers(tables: Tables, scratch: Scratch, v: int, t: int, listed: Integer) -> Integer:
    """Write those of the ``places`` who do leave to ``moved`` and return their number; scale the exposure of theirs where it ends then."""
    word, mine, wait, total, moved = scratch.words[t % 4], scratch.edge, scratch.floats[2], scratch.hazards[0], scratch.moved
    for c in range(listed):
        mine[c] = word[np.uintp(scratch.places[c])]
    exponential(mine, scratch.floats[0], scratch.floats[1], wait, listed)
    movers = np.uintp(0)
    for c in range(listed):
        i = np.uintp(scratch.places[c])
        certain = scratch.after[i] != 0
        if certain or wait[c] < total[i]:
            if tables.until_exit[v] != 0 and not certain:
                scratch.exposure[i] = wait[c] / total[i]
            moved[movers] = np.uint32(i)
            movers += np.uintp(1)
    return np.int64(movers)


@inner
def modify(tables: Tables, state: State, scratch: Scratch, q: int, v: int, j: int, n: int) -> None:
    """Multiply the hazards of the edges in place j by the customer's own: its beta edges' probability, its frailty."""
    edge, stage = scratch.hazards[1 + j], scratch.stage
    if tables.beta[v, j].any():
        number = scratch.after
        take(tables.beta[v, j], stage, number, n)
        for b in range(state.beta.shape[1]):
            own, mine = state.beta[q, b], np.uint32(b + 1)
            for i in range(n):
                edge[i] *= own[i] if number[i] == mine else ONE
    if tables.frail[v, j].any():
        frail, frailty = scratch.floats[0], state.frailty[q]
        take(tables.frail[v, j], stage, frail, n)
        for i in range(n):
            edge[i] *= frailty[i] if frail[i] != ZERO else ONE


@leaf
def multiply(edge: Array, factor: Array, n: int) -> None:
    """Multiply hazards by factors."""
    for i in range(n):
        edge[i] *= factor[i]


@inner
def list_over(tables: Tables, state: State, scratch: Scratch, q: int, v: int, t: int) -> Integer:
    """List in ``dropped`` those to whom nothing happens any more, and return their number."""
    over, row, dropped = tables.over[v], state.row[q], scratch.dropped
    take(over, row, dropped, state.live[q])
    listed = list_places(dropped, state.live[q])
    if tables.treating.shape[1] == 0:
        return listed
    done = 0
    for m in range(listed):
        at = np.uintp(dropped[m])
        if over[row[at]] == OVER or not treated_still(tables, state, q, v, t, at):
            dropped[done] = np.uint32(at)
            done += 1
    return done


@inner
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
