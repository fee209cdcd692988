"""What customers do beside buying: they get in touch by themselves, and add products to those they hold.

Off, nothing here is called. Both happen in active stages only.
"""

import numpy as np

from sim.kernels.jit import inner
from sim.kernels.maths import TO_UNIT
from sim.kernels.samplers import poisson
from sim.kernels.types import ADDED, CONTACTS, CONTACTS_LIFT, CROSS_SELL_LIFT, HELD, Array, Scratch, State, Tables
from sim.kernels.vectors import take

ZERO, ONE = np.float32(0.0), np.float32(1.0)


@inner
def sell(tables: Tables, activity: Array, state: State, scratch: Scratch, q: int, v: int, t: int, n: int) -> None:
    """Let customers hold their first product, or add one by the chance of their row; activity: the tally's of t.

    Who is not in an active stage holds none.
    """
    row, held, chance, awake = state.row[q], state.held[q, 0], scratch.floats[0], scratch.awake
    take(tables.cross_sell[v], row, chance, n)
    if tables.lifted[v, CROSS_SELL_LIFT] != 0:
        for i in range(n):
            chance[i] *= scratch.lifts[CROSS_SELL_LIFT, i]
    word, most, added = scratch.product_words[t % 4], np.float32(tables.products[v, 1]), 0
    for i in range(n):
        adds = (held[i] >= ONE) & (held[i] < most) & (np.float32(word[i]) * TO_UNIT < chance[i])
        held[i] = awake[i] * (held[i] + ONE if adds else max(held[i], ONE))
        added += adds
    total, squares = np.int64(0), np.int64(0)
    for i in range(state.live[q]):
        count = np.int64(held[i])
        total += count
        squares += count * count
    activity[HELD, 0] += total
    activity[HELD, 1] += squares
    activity[ADDED, 0] += added
    activity[ADDED, 1] += added


@inner
def contact(tables: Tables, activity: Array, state: State, scratch: Scratch, q: int, v: int, t: int, n: int) -> None:
    """Draw how often each customer gets in touch in t, and count it; activity: the tally's of t."""
    row, means, contacted, counts = state.row[q], scratch.value, scratch.contacted, scratch.work[0]
    take(tables.contacts[v], row, means, n)
    if tables.plain[v] == 0:
        for i in range(n):
            means[i] *= np.float64(scratch.exposure[i])
    if tables.lifted[v, CONTACTS_LIFT] != 0:
        for i in range(n):
            means[i] *= np.float64(scratch.lifts[CONTACTS_LIFT, i])
    callers = poisson(scratch.talk_words[t % 2 * 2 + 1], means, scratch.places, scratch.work, n)
    contacted[:n] = 0.0
    total, squares = np.int64(0), np.int64(0)
    for k in range(callers):
        contacted[np.uintp(scratch.places[k])] = counts[k]
        count = np.int64(counts[k])
        total += count
        squares += count * count
    activity[CONTACTS, 0] += total
    activity[CONTACTS, 1] += squares
