"""The two ways through the population; both take the same steps and agree to the last bit."""

from sim.kernels.follow import expect, lend, take_over
from sim.kernels.jit import inner, jit
from sim.kernels.life import finish, start
from sim.kernels.pair import add_pairs, note_start
from sim.kernels.staff import hand_over
from sim.kernels.step import step
from sim.kernels.talk import identity_of
from sim.kernels.treat import ask, contact_chosen, due, rank_listed
from sim.kernels.types import NOBODY, Array, Kept, Scratch, State, Tables, Tally
from sim.kernels.vectors import prefetch

REPLICATE, CELL, SERIAL, SKIP, COUNT, FIRST = range(6)
"""Columns of ``groups`` (n, 6) int64: replicate, cell, first serial of the group (a multiple of GROUP), how many serials are left out from
there on, customers (with those left out up to GROUP), place in Kept of the first serial or -1."""


@jit
def run_groups(tables: Tables, tally: Tally, kept: Kept, state: State, scratch: Scratch, groups: Array, ahead: State) -> None:
    """Run each group through life, all its cases one after the other, in the one place of ``state``.

    The reference goes first: cases that go its way for some periods start from there (``ahead``, with a place a case, where any does).
    """
    horizon, cases, leader, followed = tally.flows.shape[2], tables.variant.shape[0], tables.reference[0], tables.follows.shape[0] > 0
    for i in range(groups.shape[0]):
        replicate, g, serial, skip, count, first = groups[i]
        for turn in range(cases):
            k = (leader + turn) % cases
            v = tables.variant[k, tables.segment[g]]
            begins = tables.follows[k, g] if followed else 0
            if begins > 0:
                take_over(tables, state, ahead, scratch, k, (replicate, g, v), (serial, count))
            else:
                start(tables, state, scratch, 0, (replicate, g, v), (serial, skip, count))
                if state.trace.shape[1] > 0:
                    note_start(tables.row_stage[v], state, 0, k, count)
            if followed and turn == 0:
                expect(tables, tally, g, leader)
            for t in range(begins, horizon):
                if followed and turn == 0:
                    lend(tables, tally, state, ahead, g, leader, t)
                if state.live[0] > 0:
                    step(tables, tally, state, scratch, 0, (replicate, k, g, serial), t, t > begins)
            finish(tables, tally, kept, state, scratch, 0, (replicate, k, g), count, first)
        if tally.paired.shape[0] > 0:
            add_pairs(tables, tally, state, scratch, 0, (replicate, g), (skip, skip + count))


@inner
def fetch(state: State, q: int) -> None:
    """Ask for what a step of group q reads first, a line of the cache at a time, while another group is stepped."""
    live = int(state.live[q])
    for i in range(0, live, 8):
        prefetch(state.history[q], i)
        prefetch(state.clv[q], i)
    for i in range(0, live, 16):
        prefetch(state.row[q], i)
    for i in range(0, live, 32):
        prefetch(state.place[q], i)


@jit
def run_period(tables: Tables, tally: Tally, kept: Kept, state: State, scratch: Scratch, groups: Array, k: int, t: int) -> None:
    """Take every group of a population through period t of case k: start them before the first, finish them after the last.

    ``state`` has a place for each group. This is the driver for customers who are coupled: between two periods everybody's state can
    be looked at.
    """
    for i in range(groups.shape[0]):
        replicate, g, serial, skip, count, first = groups[i]
        if i + 1 < groups.shape[0]:
            fetch(state, i + 1)
        if t == 0 and state.owed.shape[1] == 0:
            start(tables, state, scratch, i, (replicate, g, tables.variant[k, tables.segment[g]]), (serial, skip, count))
        if state.live[i] > 0:
            step(tables, tally, state, scratch, i, (replicate, k, g, serial), t, False)
        if t == tally.flows.shape[2] - 1:
            finish(tables, tally, kept, state, scratch, i, (replicate, k, g), count, first)


FREELY, RANKED, CHOSEN = range(3)
"""How ``run_contacts`` goes about it: contact whom the policy may; say who may be and how each ranks; contact those left in ``score``."""


@jit
def run_contacts(tables: Tables, tally: Tally, state: State, scratch: Scratch, groups: Array, k: int, t: int, p: int, how: int) -> None:
    """Let policy p contact customers of period t before anybody is stepped; p = -1 starts the customers instead.

    For policies that cannot treat everybody: between two calls the whole population can be ranked.
    """
    for i in range(groups.shape[0]):
        replicate, g, serial, skip, count, _ = groups[i]
        v = tables.variant[k, tables.segment[g]]
        if p < 0:
            start(tables, state, scratch, i, (replicate, g, v), (serial, skip, count))
            if state.trace.shape[1] > 0:
                note_start(tables.row_stage[v], state, i, k, count)
            continue
        who = replicate, v, p, identity_of(tables, g, serial)
        live = state.live[i] > 0 and tables.treating[v, p] != 0
        if how != CHOSEN:
            state.score[i, 0] = NOBODY
            if live:
                hand_over(tables, state, scratch, i, who, t)
        if not live or not due(tables.policy_when[v, p], t, int(tables.arrival[g]) + t):
            continue
        if how != CHOSEN:
            rank_listed(tables, state, scratch, i, (v, p), t, ask(tables, state, scratch, i, who, t))
        if how != RANKED:
            contact_chosen(tables, tally.policy[k, g, t, p], state, i, (v, p), t)


@jit
def run_pairs(tables: Tables, tally: Tally, state: State, scratch: Scratch, groups: Array) -> None:
    """Add the differences between cases of each group, all of which it has been through."""
    for i in range(groups.shape[0]):
        replicate, g, _, skip, count, _ = groups[i]
        add_pairs(tables, tally, state, scratch, i, (replicate, g), (skip, skip + count))
