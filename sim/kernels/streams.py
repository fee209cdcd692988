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
    row, weight, exposure, value = state.row[q], scratch.floats[0], scratch.exposure, scratch.value
    if tables.plain[v] != 0:
        exposure[:n] = ONE
    factor = tables.stream_factor[v, t]
    for c in range(N_STREAMS):
        if tables.streaming[v, c] == 0:
            continue
        take(tables.stream_units[v, c], row, value, n)
        if c == INFORMATION and tables.contacting[v] != 0:
            listen(tables, row, scratch, v, factor, n)
        elif weighed(tables, v, c):
            weigh(tables, state, weight, q, v, c, n)
            for i in range(n):
                value[i] = np.floor(np.float64(exposure[i] * weight[i]) * (value[i] * factor) + 0.5) + TO_WHOLE
        else:
            for i in range(n):
                value[i] = np.floor(np.float64(exposure[i]) * (value[i] * factor) + 0.5) + TO_WHOLE
        add(cash[FIRST_STREAM + c], book_whole(value.view(np.int64), scratch.net, n))


@leaf
def book_whole(whole: Array, net: Array, n: int) -> np.int64:
    """Add whole numbers that stand in the lowest bits to ``net``, and return their sum."""
    booked = np.int64(0)
    for i in range(n):
        amount = whole[i] - WHOLE
        net[i] += amount
        booked += amount
    return booked


@inner
def listen(tables: Tables, row: Array, scratch: Scratch, v: int, factor: float, n: int) -> None:
    """Round what a period's information is worth, a part by the period (in ``value``) and a part by the contact."""
    value, exposure, contacted, units = scratch.value, scratch.exposure, scratch.contacted, scratch.work[0]
    take(tables.contact_units[v], row, units, n)
    for i in range(n):
        value[i] = np.float64(exposure[i]) * (value[i] * factor)
    for i in range(n):
        value[i] = np.floor(value[i] + contacted[i] * (units[i] * factor) + 0.5) + TO_WHOLE


@inner
def weighed(tables: Tables, v: int, c: int) -> bool:
    """Return whether customers differ in how much of stream c they are worth."""
    return bool(c in (WORD_OF_MOUTH, KNOWLEDGE) or (c == TRANSACTION and tables.trust_above[v] >= ZERO))


@inner
def weigh(tables: Tables, state: State, weight: Array, q: int, v: int, c: int, n: int) -> None:
    """Write how much of stream c, in which they differ, each customer is worth."""
    if c == WORD_OF_MOUTH:
        satisfaction, influence, more = state.mind[q, SATISFACTION], state.gift[q, INFLUENCE], tables.talk[v]
        for i in range(n):
            gap = (satisfaction[i] - THREE) * HALF
            weight[i] = influence[i] * (gap if gap > ZERO else more * gap)
    elif c == KNOWLEDGE:
        known = state.gift[q, KNOWN]
        for i in range(n):
            weight[i] = known[i]
    else:
        trust, above = state.mind[q, TRUST], tables.trust_above[v]
        for i in range(n):
            weight[i] = ONE if trust[i] > above else ZERO
