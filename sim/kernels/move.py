"""Those who leave their stage: which edge each takes, what that changes and costs; the others grow older."""

import numpy as np

from sim.kernels.jit import inner, leaf
from sim.kernels.maths import TO_UNIT
from sim.kernels.mind import return_home
from sim.kernels.pair import note_moves
from sim.kernels.philox import second
from sim.kernels.sums import add
from sim.kernels.types import (
    ACQUISITION,
    AT_TOP,
    LOST_AT,
    REACHED,
    SHORT,
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
from sim.kernels.vectors import take

ZERO = np.float32(0.0)
NOTHING, ONCE = np.uint64(0), np.uint64(1)
TIMES = ONCE | (ONCE << AT_TOP)
RANKS = np.uint64(7) << REACHED
"""Parts of ``Tables.edge_does``: what the stay is multiplied by, the rank that is reached."""


@inner
def move(
    tables: Tables,
    tally: Tally,
    state: State,
    scratch: Scratch,
    q: int,
    who: tuple[int, int, int],
    rows: Array,
    t: int,
    movers: Integer,
    n: int,
) -> Integer:
    """Move the leavers along their edges, age the others; return how many are done (``dropped``).

    who: case, cell, variant; rows: of the thresholds that hold.
    """
    k, g, v = who
    row, net, moved, edge = state.row[q], scratch.net, scratch.moved, scratch.edge
    if tables.plain[v] != 0:
        pick_plain(tables.edge_below[v], tables.edge[v], row, rows, scratch.words[t % 4], moved, edge, movers)
    else:
        pick(tables.edge[v], row, scratch.words[t % 4], scratch, movers)
    if state.trace.shape[1] > 0:
        note_moves(tables, state, scratch, q, (k, v), t, movers)
    losses, done = move_each(
        (tables.edge_does, tables.edge_row[v], tables.edge_drops[v]),
        (tally.flows[k, g, t], tally.sojourns[k, g]),
        (state.history[q], row, moved, edge, scratch.dropped),
        t,
        movers,
    )
    tally.losses[k, g, t] += losses
    if tables.winning[0] != 0:
        convert_all(tables, tally, state, scratch, q, (k, g, v), t, movers)
    if tables.minded[v] != 0:
        return_home(tables, state.mind[q], scratch, v, movers)
    if tables.edge_cash[v] != 0:
        book_edges(tally.cash[k, g, t, TRANSITION], tables.edge_units[v, t], net, moved, edge, movers)
    if tables.ageing[v] != 0:
        age(tables.stay_row[v], row, scratch.after, n)
    return np.int64(done)


@leaf
def move_each(
    along: tuple[Array, Array, Array], counts: tuple[Array, Array], them: tuple[Array, ...], t: int, movers: Integer
) -> tuple[Integer, Integer]:
    """Move the leavers along their edges; return how many were lost for the first time, and are done (``dropped``).

    Without branches on what a mover does: they would be mispredicted, which costs more than all the work here.
    """
    what, target, drops = along
    flows, sojourns = counts
    history, row, moved, edge, dropped = them
    now, lost_now = np.uint64(t + 1), WAS_LOST | (np.uint64(t) << LOST_AT)
    losses, done = NOTHING, np.uintp(0)
    for m in range(movers):
        i, e = np.uintp(moved[m]), np.uintp(edge[m])
        past, does = history[i], what[e]
        stay = now - (past & SHORT)
        flows[e] += 1
        sojourns[(does >> LOST_AT) & SHORT, stay] += np.int64(does & ONCE)
        past += stay * (does & TIMES)
        past |= does & RANKS
        lost = (does & ~past & WAS_LOST) & (past << ONCE)  # was active, which is the bit before
        history[i] = past | (lost_now if lost != NOTHING else NOTHING)
        losses += np.uint64(lost != NOTHING)
        row[i] = target[e]
        dropped[done] = np.uint32(i)
        done += np.uintp(drops[e])
    return np.int64(losses), np.int64(done)


@inner
def book_edges(total: Array, cash: Array, net: Array, moved: Array, edge: Array, movers: Integer) -> None:
    """Book the cash of the edges taken."""
    booked = np.int64(0)
    for m in range(movers):
        amount = cash[edge[m]]
        net[moved[m]] += amount
        booked += amount
    add(total, booked)


@inner
def age(stay_row: Array, row: Array, after: Array, n: int) -> None:
    """Let a period pass in everybody's stage; movers stand before their first row (``edge_row``) and step onto it."""
    take(stay_row, row, after, n)
    for i in range(n):
        row[i] = after[i]


@inner
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


@inner
def convert_all(
    tables: Tables, tally: Tally, state: State, scratch: Scratch, q: int, who: tuple[int, int, int], t: int, movers: Integer
) -> None:
    """Convert those whom their moves turned active for the first time; who: case, cell, variant."""
    history, moved, edge, fresh, won = state.history[q], scratch.moved, scratch.edge, scratch.places, np.uintp(0)
    for m in range(movers):
        fresh[won] = moved[m]
        won += np.uintp((tables.edge_does[edge[m]] & ~history[moved[m]] & WAS_ACTIVE) != NOTHING)
    for c in range(won):
        convert(tables, tally, state, scratch.net, q, who, t, np.uintp(fresh[c]))


@leaf
def pick_plain(edge_below: Array, edge: Array, row: Array, rows: Array, word: Array, moved: Array, taken: Array, movers: Integer) -> None:
    """Write the edge each mover takes to ``taken``: as many of its thresholds (in ``rows``) as the second number of its word has passed."""
    last = edge_below.shape[1] - 1
    for m in range(movers):
        i = np.uintp(moved[m])
        drawn = second(np.uint64(word[i]))
        r = rows[i]
        passed = np.uintp(0)
        for j in range(last):
            passed += np.uintp(drawn >= edge_below[r, j])
        taken[m] = edge[row[i], passed]


@inner
def pick(edge: Array, row: Array, word: Array, scratch: Scratch, movers: Integer) -> None:
    """Write the edge each mover takes to ``edge``: the first whose cumulative hazard passes a uniform share of the sum.

    Rounding at the top falls to the last edge that can be taken.
    """
    hazards = scratch.hazards
    for m in range(movers):
        i = np.uintp(scratch.moved[m])
        target = np.float32(second(np.uint64(word[i]))) * TO_UNIT * hazards[0, i]
        below = ZERO
        passed, last = 0, 0
        for j in range(1, hazards.shape[0]):
            below += hazards[j, i]
            passed += target >= below
            last = j - 1 if hazards[j, i] > ZERO else last
        scratch.edge[m] = edge[row[i], min(passed, last)]
