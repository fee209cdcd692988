"""Cases side by side: what each customer of a group came to in every case, and the differences between cases, customer by customer."""

import numpy as np

from sim.kernels.jit import inner
from sim.kernels.sums import add, add_products
from sim.kernels.types import LOST_AT, SHORT, WAS_LOST, Array, Integer, Scratch, State, Tables, Tally

NOTHING = np.uint64(0)
BEFORE_ACQUISITION, AFTER_ACQUISITION, GROSS, COST, KEPT, PATTERN = range(6)
PATH_COST, PATH_KEPT, PATH_GAIN = range(3)
ONE, NEVER = np.uintp(1), np.uint32(0xFFFFFFFF)
STAGE, PERIOD = np.uint32(0xFFFF), np.uint32(16)
HALF_BITS, HALF_WORD = np.int64(26), np.int64(2**26 - 1)


@inner
def note_case(tables: Tables, patterns: Array, state: State, q: int, k: int, count: int) -> None:
    """Write a group's results and life patterns in case k by place: before acquisition cost is taken out of ``State.clv``."""
    case, clv, acquisition, history, place = state.cases[q, k], state.clv[q], state.acquisition[q], state.history[q], state.place[q]
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
        case[PATTERN, at] = np.int64(patterns[i])


@inner
def note_start(row_stage: Array, state: State, q: int, k: int, count: int) -> None:
    """Begin each customer's trace in case k with the stage it starts in."""
    row, place, trace, steps = state.row[q], state.place[q], state.trace[q, k], state.steps[q, k]
    for i in range(count):
        trace[0, place[i]] = row_stage[row[i]]
        steps[place[i]] = np.uint16(1)


@inner
def note_moves(tables: Tables, state: State, scratch: Scratch, q: int, who: tuple[int, int], t: int, movers: Integer) -> None:
    """Add the stages that movers enter to their traces, renewals left out; who: case, variant."""
    k, v = who
    place, trace, steps = state.place[q], state.trace[q, k], state.steps[q, k]
    for m in range(movers):
        e, at = scratch.edge[m], np.uintp(place[scratch.moved[m]])
        stage = tables.row_stage[v, tables.edge_row[v, e]]
        if stage != tables.edge_source[e]:
            trace[steps[at], at] = np.uint32(t + 1) << PERIOD | stage
            steps[at] += np.uint16(1)


@inner
def add_pairs(tables: Tables, tally: Tally, state: State, scratch: Scratch, q: int, who: tuple[int, int], places: tuple[int, int]) -> None:
    """Add the differences of the group's customers in ``places`` (from, to) to the tally; who: replicate, cell.

    To ``paired`` for each two cases, the later first, one past the last that is worth nothing among them where there is room for it; to
    ``against`` and ``parted`` for each case but the reference, against that.
    """
    replicate, cell = who
    cases, pair = state.cases[q], 0
    for k in range(1, cases.shape[0]):
        for other in range(k):
            for kind in range(PATTERN):
                add_differences(tally.paired[pair, cell, kind], cases[k, kind], cases[other, kind], places)
            pair += 1
    reference = tables.reference[0]
    for k in range(tally.paths.shape[1]):
        add_paths(tally.paths[replicate, k, cell], cases[k], cases[reference], places)
        if k != reference:
            sums = tally.against[k, cell], tally.parted[k, cell], tally.gains[replicate, k, cell]
            add_against(sums, state, scratch, q, (k, reference), places)


@inner
def add_paths(sums: Array, mine: Array, theirs: Array, places: tuple[int, int]) -> None:
    """Add up cost, kept, and what customers gain, to a replicate's sums (3, 2)."""
    cost, kept, gained = np.int64(0), np.int64(0), np.int64(0)
    for i in range(places[0], places[1]):
        cost += mine[COST, i]
        kept += mine[KEPT, i]
        gained += max(mine[AFTER_ACQUISITION, i] - theirs[AFTER_ACQUISITION, i], np.int64(0))
    add(sums[PATH_COST], cost)
    add(sums[PATH_KEPT], kept)
    add(sums[PATH_GAIN], gained)


@inner
def add_against(
    sums: tuple[Array, Array, Array], state: State, scratch: Scratch, q: int, which: tuple[int, int], places: tuple[int, int]
) -> None:
    """Add up a case's differences of CLV from the reference by the customer's life there and the stage where the two paths part.

    sums: of the tally, ``against``, ``parted`` and ``gains``; which: the case, the reference.
    """
    against, parted, gains = sums
    k, reference = which
    mine, theirs, groups = state.cases[q, k, AFTER_ACQUISITION], state.cases[q, reference], scratch.groups
    for i in range(places[0], places[1]):
        stage = part(parted, state, q, which, i) if state.trace.shape[1] > 0 else np.int64(parted.shape[0])
        difference = mine[i] - theirs[AFTER_ACQUISITION, i]
        group = groups[np.uintp(theirs[PATTERN, i]), np.uintp(stage)]
        size = abs(difference)
        high, low = size >> HALF_BITS, size & HALF_WORD
        up = np.int64(difference > 0)
        group[0] += 1
        group[1] += up
        group[2] += difference < 0
        group[3] += difference
        group[4] += high * high
        group[5] += high * low
        group[6] += low * low
        group[7] += up * difference
        group[8] += up * high * high
        group[9] += up * high * low
        group[10] += up * low * low
    for p in range(groups.shape[0]):
        for stage in range(groups.shape[1]):
            group, whole = groups[p, stage], against[p, stage]
            if group[0] != 0:
                for field in range(3):
                    whole[field] += group[field]
                add(whole[3:5], group[3])
                add_products(whole[5:7], group[4], group[5], group[6])
                add(whole[7:9], group[7])
                add_products(whole[9:11], group[8], group[9], group[10])
                if gains.shape[0] > 0:
                    for place in (p, groups.shape[0] + stage):
                        gains[place, 0] += group[0]
                        add(gains[place, 1:3], group[3])
                group[:] = 0


@inner
def part(parted: Array, state: State, q: int, which: tuple[int, int], i: int) -> Integer:
    """Count when and out of which stage the path of customer i first parts from that in the reference; return the stage.

    which: the case, the reference. The stage is the last one that both have held; as many as there are stages where the paths never part.
    """
    k, reference = which
    mine, theirs, steps = state.trace[q, k], state.trace[q, reference], state.steps[q]
    least = np.uintp(min(steps[k, i], steps[reference, i]))
    at = ONE  # nobody starts elsewhere because of a policy
    while at < least and mine[at, i] == theirs[at, i]:
        at += ONE
    own = mine[at, i] if at < np.uintp(steps[k, i]) else NEVER
    other = theirs[at, i] if at < np.uintp(steps[reference, i]) else NEVER
    if own == other:
        return np.int64(parted.shape[0])
    stage = np.int64(theirs[at - ONE, i] & STAGE)
    parted[stage, np.int64(min(own, other) >> PERIOD) - 1] += 1
    return stage


@inner
def add_differences(sums: Array, mine: Array, theirs: Array, places: tuple[int, int]) -> None:
    """Add up differences of at most ``LIMIT``, and their squares by halves, without losing a digit."""
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
