"""Cases that differ only from some period on: until then one of them is simulated, and the others start from where it is then."""

import numpy as np

from sim.kernels.jit import inner, leaf
from sim.kernels.talk import identity_of
from sim.kernels.treat import start_policies
from sim.kernels.types import Array, Integer, Scratch, State, Tables, Tally


@inner
def expect(tables: Tables, tally: Tally, g: int, leader: int) -> None:
    """Note, before a group of cell g goes through the leading case, what stays have ended there: see ``lend``."""
    for k in range(tables.follows.shape[0]):
        if tables.follows[k, g] > 0:
            count(tally.sojourns[k, g], tally.sojourns[leader, g], -1)


@inner
def lend(tables: Tables, tally: Tally, state: State, ahead: State, g: int, leader: int, t: int) -> None:
    """Keep the state of the leading case at the start of period t, in ``ahead``, for the cases that go on from there.

    Of what is counted, stays that have ended are not told apart by period, so that they are added here.
    """
    for k in range(tables.follows.shape[0]):
        if tables.follows[k, g] == t and t > 0:
            copy(state, 0, ahead, k)
            count(tally.sojourns[k, g], tally.sojourns[leader, g], 1)
            if state.trace.shape[1] > 0:
                copy_row(state.steps[0, leader], state.steps[0, k])
                for step in range(largest(state.steps[0, leader])):
                    copy_row(state.trace[0, leader, step], state.trace[0, k, step])


@inner
def take_over(
    tables: Tables, state: State, ahead: State, scratch: Scratch, k: int, who: tuple[int, int, int], group: tuple[int, int]
) -> None:
    """Start a group of case k from what the leading case has left it in ``ahead``.

    who: replicate, cell, variant; group: first serial, customers.
    """
    replicate, cell, v = who
    serial, customers = group
    copy(ahead, k, state, 0)
    start_policies(tables, state, scratch, 0, (replicate, v, customers), identity_of(tables, cell, serial))


@inner
def copy(source: State, a: int, target: State, b: int) -> None:
    """Copy place a to place b of another state: all that differs between customers but for what policies have done."""
    target.live[b] = source.live[a]
    copy_row(source.row[a], target.row[b])
    copy_row(source.place[a], target.place[b])
    copy_row(source.history[a], target.history[b])
    copy_row(source.orders[a], target.orders[b])
    copy_row(source.clv[a], target.clv[b])
    copy_row(source.acquisition[a], target.acquisition[b])
    copy_row(source.wallet[a], target.wallet[b])
    copy_row(source.rate[a], target.rate[b])
    copy_row(source.frailty[a], target.frailty[b])
    copy_row(source.last[a], target.last[b])
    copy_rows(source.beta[a], target.beta[b])
    copy_rows(source.mind[a], target.mind[b])
    copy_rows(source.gift[a], target.gift[b])
    copy_rows(source.held[a], target.held[b])


@inner
def copy_rows(source: Array, target: Array) -> None:
    """Copy each row of an array (part, GROUP)."""
    for part in range(source.shape[0]):
        copy_row(source[part], target[part])


@leaf
def copy_row(source: Array, target: Array) -> None:
    """Copy an array (GROUP,)."""
    for i in range(source.size):
        target[i] = source[i]


@leaf
def largest(steps: Array) -> Integer:
    """Return the largest of some numbers of steps."""
    found = np.uint16(0)
    for i in range(steps.size):
        found = max(found, steps[i])
    return np.int64(found)


@leaf
def count(into: Array, what: Array, sign: int) -> None:
    """Add counts (stage, length), or take them away."""
    for stage in range(into.shape[0]):
        for length in range(into.shape[1]):
            into[stage, length] += np.int64(sign) * what[stage, length]
