"""Cases side by side: what each customer of a group came to in every case, and the differences between cases, customer by customer."""

import numpy as np

from sim.kernels.jit import inner
from sim.kernels.sums import add, add_products
from sim.kernels.types import LOST_AT, SHORT, WAS_LOST, Array, Scratch, State, Tables, Tally

NOTHING = np.uint64(0)
BEFORE_ACQUISITION, AFTER_ACQUISITION, GROSS, COST, KEPT = range(5)
HALF_BITS, HALF_WORD = np.int64(26), np.int64(2**26 - 1)


@inner
def note_case(tables: Tables, case: Array, state: State, q: int, count: int) -> None:
    """Write a group's results by place, (PAIRED, GROUP): before acquisition cost is taken out of ``State.clv``."""
    clv, acquisition, history, place = state.clv[q], state.acquisition[q], state.history[q], state.place[q]
    year = np.uint64(tables.kept_until[0])
    for i in range(count):
        at = place[i]
        spent = state.spent[q, 0, i] if state.spent.shape[1] > 0 else np.int64(0)
        case[BEFORE_ACQUISITION, at] = clv[i] - acquisition[i]
        case[AFTER_ACQUISITION, at] = clv[i]
        case[GROSS, at] = clv[i] - spent
        case[COST, at] = -spent
        when = (history[i] >> LOST_AT) & SHORT
        lost = (history[i] & WAS_LOST != NOTHING) and (when < year or when == SHORT)  # SHORT: before calendar 0
        case[KEPT, at] = np.int64(0) if lost else np.int64(1)


@inner
def add_pairs(tally: Tally, scratch: Scratch, cell: int, places: tuple[int, int]) -> None:
    """Add the differences of the group's customers in ``places`` (from, to) to ``Tally.paired``, for each two cases, the later first."""
    cases, pair = scratch.cases, 0
    for k in range(1, cases.shape[0]):
        for other in range(k):
            for kind in range(cases.shape[1]):
                add_differences(tally.paired[pair, cell, kind], cases[k, kind], cases[other, kind], places)
            pair += 1


@inner
def add_differences(sums: Array, mine: Array, theirs: Array, places: tuple[int, int]) -> None:
    """Add up differences of whole numbers below 2**51, and their squares by halves, without losing a digit."""
    gain, lose = np.int64(0), np.int64(0)
    total, high_high, high_low, low_low = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for i in range(places[0], places[1]):
        difference = mine[i] - theirs[i]
        gain += difference > 0
        lose += difference < 0
        total += difference
        size = abs(difference)
        high, low = size >> HALF_BITS, size & HALF_WORD
        high_high += high * high
        high_low += high * low
        low_low += low * low
    differ = gain + lose
    if differ != 0:
        sums[0] += differ
        sums[1] += gain
        sums[2] += lose
        add(sums[3:5], total)
        add_products(sums[5:7], high_high, high_low, low_low)
