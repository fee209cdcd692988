"""What a customer is worth beside purchases, stream by stream. Off, nothing here is called."""

import numpy as np

from sim.kernels.jit import inner, leaf
from sim.kernels.sums import add
from sim.kernels.types import (
    FIRST_STREAM,
    INFLUENCE,
    INFORMATION,
    KNOWLEDGE,
    KNOWN,
    SATISFACTION,
    STREAMS,
    TRANSACTION,
    TRUST,
    WORD_OF_MOUTH,
    Array,
    Scratch,
    State,
    Tables,
)
from sim.kernels.vectors import take

ZERO, HALF, ONE, THREE = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(3.0)
N_STREAMS = len(STREAMS)

TO_WHOLE = 1.5 * 2.0**52
WHOLE = np.int64(np.float64(TO_WHOLE).view(np.int64))
"""A whole number below 2**51, plus TO_WHOLE, has itself in its lowest bits: a conversion that vectorises."""


@inner
def book_streams(tables: Tables, cash: Array, state: State, scratch: Scratch, q: int, v: int, t: int, n: int) -> None:
    """Book each stream that is on and add it to ``net``; cash: (column, 2)."""
    row, exposure, units, net = state.row[q], scratch.exposure, scratch.value, scratch.net
    if tables.plain[v] != 0:
        exposure[:n] = ONE
    factor = tables.stream_factor[v, t]
    for c in range(N_STREAMS):
        if tables.streaming[v, c] == 0:
            continue
        take(tables.stream_units[v, c], row, units, n)
        if c == INFORMATION and tables.contacting[v] != 0:
            take(tables.contact_units[v], row, scratch.work[0], n)
            booked = book_informed(units, scratch.work[0], factor, exposure, scratch.contacted, net, n)
        elif c == KNOWLEDGE:
            booked = book_weighed(units, factor, exposure, state.gift[q, KNOWN], net, n)
        elif c == WORD_OF_MOUTH or (c == TRANSACTION and tables.trust_above[v] >= ZERO):
            weigh(tables, state, scratch.floats[0], q, v, c, n)
            booked = book_weighed(units, factor, exposure, scratch.floats[0], net, n)
        else:
            booked = book_alike(units, factor, exposure, net, n)
        add(cash[FIRST_STREAM + c], booked)


@inner
def whole(amount: float) -> np.int64:
    """Return an amount, below 2**51, rounded to whole units."""
    return np.float64(np.floor(amount + 0.5) + TO_WHOLE).view(np.int64) - WHOLE


@leaf
def book_alike(units: Array, factor: float, exposure: Array, net: Array, n: int) -> np.int64:
    """Add to ``net`` what a stream is worth of which every customer in a row has as much, and return the sum."""
    booked = np.int64(0)
    for i in range(n):
        amount = whole(np.float64(exposure[i]) * (units[i] * factor))
        net[i] += amount
        booked += amount
    return booked


@leaf
def book_weighed(units: Array, factor: float, exposure: Array, weight: Array, net: Array, n: int) -> np.int64:
    """Do as ``book_alike`` does, of a stream of which customers have more or less."""
    booked = np.int64(0)
    for i in range(n):
        amount = whole(np.float64(exposure[i] * weight[i]) * (units[i] * factor))
        net[i] += amount
        booked += amount
    return booked


@leaf
def book_informed(units: Array, each: Array, factor: float, exposure: Array, contacted: Array, net: Array, n: int) -> np.int64:
    """Do as ``book_alike`` does, of a stream that is worth something by the period, and something ``each`` contact."""
    booked = np.int64(0)
    for i in range(n):
        amount = whole(np.float64(exposure[i]) * (units[i] * factor) + contacted[i] * (each[i] * factor))
        net[i] += amount
        booked += amount
    return booked


@inner
def weigh(tables: Tables, state: State, weight: Array, q: int, v: int, c: int, n: int) -> None:
    """Write how much of stream c, in which they differ, each customer is worth."""
    if c == WORD_OF_MOUTH:
        satisfaction, influence, more = state.mind[q, SATISFACTION], state.gift[q, INFLUENCE], tables.talk[v]
        for i in range(n):
            gap = (satisfaction[i] - THREE) * HALF
            weight[i] = influence[i] * (gap if gap > ZERO else more * gap)
    else:
        trust, above = state.mind[q, TRUST], tables.trust_above[v]
        for i in range(n):
            weight[i] = ONE if trust[i] > above else ZERO
