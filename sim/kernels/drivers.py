"""The two ways through the population; both take the same steps and agree to the last bit."""

from sim.kernels.jit import jit
from sim.kernels.life import finish, start
from sim.kernels.step import step
from sim.kernels.types import Array, Kept, Scratch, State, Tables, Tally

REPLICATE, CELL, SERIAL, SKIP, COUNT, FIRST = range(6)
"""Columns of ``groups`` (n, 6) int64: replicate, cell, first serial of the group (a multiple of GROUP), how many serials are left out from
there on, customers (with those left out up to GROUP), place in Kept of the first serial or -1."""


@jit
def run_groups(tables: Tables, tally: Tally, kept: Kept, state: State, scratch: Scratch, groups: Array) -> None:
    """Run each group through life, all its cases one after the other, in the one place of ``state``."""
    horizon = tally.flows.shape[2]
    for i in range(groups.shape[0]):
        replicate, g, serial, skip, count, first = groups[i]
        for k in range(tables.variant.shape[0]):
            v = tables.variant[k, tables.segment[g]]
            start(tables, state, scratch, 0, (replicate, g, v), (serial, skip, count))
            for t in range(horizon):
                if state.live[0] == 0:
                    break
                step(tables, tally, state, scratch, 0, (replicate, k, g, serial), t, True)
            finish(tables, tally, kept, state, scratch, 0, (replicate, k, g), count, first)


@jit
def run_period(tables: Tables, tally: Tally, kept: Kept, state: State, scratch: Scratch, groups: Array, k: int, t: int) -> None:
    """Take every group of a population through period t of case k: start them before the first, finish them after the last.

    ``state`` has a place for each group. This is the driver for customers who are coupled: between two periods everybody's state can
    be looked at.
    """
    for i in range(groups.shape[0]):
        replicate, g, serial, skip, count, first = groups[i]
        if t == 0:
            start(tables, state, scratch, i, (replicate, g, tables.variant[k, tables.segment[g]]), (serial, skip, count))
        if state.live[i] > 0:
            step(tables, tally, state, scratch, i, (replicate, k, g, serial), t, False)
        if t == tally.flows.shape[2] - 1:
            finish(tables, tally, kept, state, scratch, i, (replicate, k, g), count, first)
