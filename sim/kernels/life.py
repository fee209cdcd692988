"""The ends of a life: a group of customers is started with its traits, and counted when it is done."""

import numpy as np

from sim.kernels.addresses import BLOCK_GIFTS, BLOCK_TRAITS, TRAIT_PERIOD
from sim.kernels.existing import look_up_standing, start_existing
from sim.kernels.jit import inner, jit, leaf
from sim.kernels.maths import TO_UNIT, minus_log_complement, normal
from sim.kernels.mind import start_mind
from sim.kernels.pair import note_case
from sim.kernels.philox import counter
from sim.kernels.samplers import look_up
from sim.kernels.sums import add, add_bins, add_products, fill_bins
from sim.kernels.talk import draw_for, identity_of
from sim.kernels.treat import start_policies
from sim.kernels.types import (
    ACTIVE,
    AFTER,
    AT_TOP,
    BEFORE,
    GONE,
    KNOWN,
    LOST,
    LOST_AT,
    PATTERNS,
    REACHED,
    SHORT,
    WAS_ACTIVE,
    WAS_LOST,
    Array,
    Kept,
    Scratch,
    State,
    Tables,
    Tally,
)

ZERO, ONE = np.float32(0.0), np.float32(1.0)
NOTHING = np.uint64(0)
UNCONVERTED, EARLY, MIDWAY, RETREAT, LONG, OPEN = range(6)
LOW = np.int64(2**26 - 1)
BEFORE_NOW = np.int32(SHORT)


@inner
def start(tables: Tables, state: State, scratch: Scratch, q: int, who: tuple[int, int, int], group: tuple[int, int, int]) -> None:
    """Put new customers into place q of ``state``.

    who: replicate, cell, variant; group: its first serial, how many serials to leave out from there on, customers.
    """
    replicate, cell, v = who
    serial, skip, count = group
    stage = tables.start_stage[v]
    active = tables.stage_kind[stage] == ACTIVE
    at_arrival = tables.acquisition_at_arrival[v] != 0
    cost = tables.acquisition_units[v, 0] if at_arrival else np.int64(0)
    state.live[q] = count
    state.row[q, :count] = tables.first_row[v, stage]
    state.row[q, count:] = tables.nowhere[v]
    state.history[q, :count] = reached(tables.stage_rank[stage]) | (WAS_ACTIVE if active else NOTHING)
    state.history[q, count:] = NOTHING
    state.orders[q, :count] = np.uint32(0)
    state.clv[q, :count] = np.int64(0)
    state.acquisition[q, :count] = cost
    if state.last.shape[1] > 0:
        state.last[q, :count] = -1.0
    if tables.selling[v] != 0:
        state.held[q, 0] = ZERO
    place = state.place[q]
    for i in range(count):
        place[i] = np.uint16(skip + i)
    identity = identity_of(tables, cell, serial)
    drawn = draw_traits(tables, state, scratch, q, (replicate, v, count), identity)
    scratch.loyalty[:count] = ZERO
    if state.gift.shape[1] > 0:
        state.gift[q, :, :count] = ONE
    if tables.gifted[v] != 0:
        draw_gifts(tables, state, scratch, q, (replicate, v, count), identity, drawn)
    if tables.treating.shape[1] > 0:
        start_policies(tables, state, scratch, q, (replicate, v, count), identity)
    if tables.minded[v] != 0:
        start_mind(tables, state.mind[q], scratch.loyalty, v, count)
    at = tables.base_first[cell]
    if at >= 0:
        at += np.int64(serial + skip)
        start_existing(tables, state, scratch, q, v, at, (replicate, identity), count)
    for beta in range(tables.beta_purpose.size):
        draw_beta(tables, state, scratch, q, (replicate, v, count), (beta, at), identity)


@jit
def reached(rank: int) -> np.uint64:
    """Return the bit of a history that says this rank was reached."""
    return np.uint64(1) << (REACHED + np.uint64(rank) - np.uint64(1)) if rank > 0 else NOTHING


@inner
def draw_traits(tables: Tables, state: State, scratch: Scratch, q: int, who: tuple[int, int, int], identity: np.uint64) -> bool:
    """Draw wallet, rate and frailty of a new group: correlated normals, then each trait's quantile table; who: replicate, v, count.

    Return whether any differs between customers, so that their normals are in ``floats``.
    """
    replicate, v, n = who
    state.wallet[q, :n] = ONE
    state.rate[q, :n] = tables.rate_value[v]
    state.frailty[q, :n] = ONE
    tabled = (tables.wallet_table[v], tables.rate_table[v], tables.frailty_table[v])
    if tabled[0] == 0 and tabled[1] == 0 and tabled[2] == 0:
        if tables.wallet_by_rate[v] != 0:
            state.wallet[q, :n] = ONE / tables.rate_value[v]
        return False
    draw_for(tables, scratch.words, state.place[q], n, identity, counter(replicate, TRAIT_PERIOD, BLOCK_TRAITS))
    u, v_scratch = scratch.hazards[0], scratch.floats[3]
    for trait in range(3):
        normal(scratch.words[trait], u, v_scratch, scratch.floats[trait], n)
    mixing = tables.mixing[v]
    wallet, rate, frailty = state.wallet[q], state.rate[q], state.frailty[q]
    for i in range(n):
        z0, z1, z2 = scratch.floats[0, i], scratch.floats[1, i], scratch.floats[2, i]
        if tabled[0] != 0:
            wallet[i] *= look_up(tables.quantiles, tabled[0] - 1, z0)
        if tabled[1] != 0:
            rate[i] *= look_up(tables.quantiles, tabled[1] - 1, mixing[1, 0] * z0 + mixing[1, 1] * z1)
        if tabled[2] != 0:
            frailty[i] *= look_up(tables.quantiles, tabled[2] - 1, mixing[2, 0] * z0 + mixing[2, 1] * z1 + mixing[2, 2] * z2)
        if tables.wallet_by_rate[v] != 0:
            wallet[i] /= rate[i]
    return True


@inner
def draw_gifts(tables: Tables, state: State, scratch: Scratch, q: int, who: tuple[int, int, int], identity: np.uint64, drawn: bool) -> None:
    """Draw influence and knowledge of a new group, and the normal of its first satisfaction (to ``loyalty``).

    who: replicate, variant, count; drawn: the normals of its traits are in ``floats``.
    """
    replicate, v, n = who
    u, w = scratch.hazards[0], scratch.exposure
    if not drawn:
        draw_for(tables, scratch.words, state.place[q], n, identity, counter(replicate, TRAIT_PERIOD, BLOCK_TRAITS))
        for trait in range(3):
            normal(scratch.words[trait], u, w, scratch.floats[trait], n)
    draw_for(tables, scratch.words, state.place[q], n, identity, counter(replicate, TRAIT_PERIOD, BLOCK_GIFTS))
    for trait in range(3):
        normal(scratch.words[trait], u, w, scratch.floats[3 + trait], n)
    mixing, mixed = tables.mixing[v], scratch.loyalty
    for trait in range(3, 6):  # influence, knowledge, first satisfaction
        mixed[:n] = ZERO
        for source in range(trait + 1):
            for i in range(n):
                mixed[i] += mixing[trait, source] * scratch.floats[source, i]
        table = tables.influence_table[v] if trait == 3 else tables.known_table[v]
        if trait < 5 and table != 0:
            for i in range(n):
                state.gift[q, trait - 3, i] = look_up(tables.quantiles, table - 1, mixed[i])
    if tables.known_share[v] < ONE:
        for i in range(n):
            state.gift[q, KNOWN, i] *= ONE if np.float32(scratch.words[3, i]) * TO_UNIT < tables.known_share[v] else ZERO


@inner
def draw_beta(
    tables: Tables, state: State, scratch: Scratch, q: int, who: tuple[int, int, int], what: tuple[int, int], identity: np.uint64
) -> None:
    """Draw one beta edge's probability for a new group and keep it as a hazard.

    who: replicate, v, count; what: number of the edge, first customer's place in ``Tables.base_standing`` or less than 0.
    """
    replicate, v, n = who
    beta, at = what
    table = tables.beta_table[v, beta]
    if table == 0:
        return
    draw_for(tables, scratch.words, state.place[q], n, identity, counter(replicate, TRAIT_PERIOD, tables.beta_purpose[beta]))
    u, complement, z = scratch.floats[0], scratch.floats[1], scratch.floats[2]
    normal(scratch.words[0], u, complement, z, n)
    if at >= 0:
        look_up_standing(tables, v, beta, at, z, u, n)
    else:
        for i in range(n):
            u[i] = look_up(tables.quantiles, table - 1, z[i])
    for i in range(n):
        complement[i] = max(ONE - u[i], np.float32(2.0**-33))
    minus_log_complement(u, complement, state.beta[q, beta], n)


@inner
def pattern_of(kind: int, history: np.uint64, long_lasting: bool) -> int:
    """Return a finished life's place in PATTERNS; kind: of the stage at the horizon; long_lasting: long enough in rank 3."""
    if history & WAS_ACTIVE == NOTHING:
        return UNCONVERTED
    if kind != LOST:
        return LONG if long_lasting else OPEN
    if history & reached(3) != NOTHING:
        return LONG if long_lasting else RETREAT
    return MIDWAY if history & reached(2) != NOTHING else EARLY


@inner
def finish(
    tables: Tables, tally: Tally, kept: Kept, state: State, scratch: Scratch, q: int, who: tuple[int, int, int], count: int, first: int
) -> None:
    """Count a group that is done; who: replicate, case, cell; first: its place in ``kept`` (-1: nothing is kept)."""
    replicate, k, g = who
    v = tables.variant[k, tables.segment[g]]
    horizon = tally.flows.shape[2]
    clv, acquisition, history, row = state.clv[q], state.acquisition[q], state.history[q], state.row[q]
    patterns = scratch.moved
    for i in range(count):
        stage = tables.row_stage[v, row[i]]
        top = (history[i] >> AT_TOP) & SHORT
        if tables.stage_rank[stage] == 3:
            top += np.uint64(horizon) - (history[i] & SHORT)
        patterns[i] = pattern_of(tables.stage_kind[stage], history[i], top >= np.uint64(tables.long_lasting[v]))
    if tally.gone.shape[2] > 0:
        for i in range(count):
            tally.gone[k, g, 0] += np.int64((history[i] & GONE) == GONE)
    if first >= 0:
        keep(kept, state, patterns, q, k, first, count)
    if state.cases.shape[1] > 0:
        note_case(tables, patterns, state, q, k, count)
    for kind in (AFTER, BEFORE):
        if kind == BEFORE:
            for i in range(count):
                clv[i] -= acquisition[i]
        add_moments(clv, patterns, scratch.lives[:, kind], count)
        low, high, total = clv[0], clv[0], np.int64(0)
        for i in range(count):
            low = min(low, clv[i])
            high = max(high, clv[i])
            total += clv[i]
        tally.extremes[k, g, kind, 0] = min(tally.extremes[k, g, kind, 0], low)
        tally.extremes[k, g, kind, 1] = max(tally.extremes[k, g, kind, 1], high)
        add(tally.replicates[replicate, k, g, kind], total)
        fill_bins(clv, scratch.value, scratch.net, count)
        add_bins(scratch.net, tally.by_segment[k, tables.segment[g], kind], count)
        if tally.by_cohort.shape[1] > 1:
            add_bins(scratch.net, tally.by_cohort[k, tables.cohort[g], kind], count)
    flush_moments(scratch.lives, tally.moments[k, g])


@inner
def add_moments(clv: Array, patterns: Array, lives: Array, count: int) -> None:
    """Add a group's CLVs to ``lives`` (pattern, 6): customers, negative ones, sum, and sums of products of the halves."""
    for pattern in range(len(PATTERNS)):
        add_life(clv, patterns, np.uint32(pattern), lives[pattern], count)


@leaf
def add_life(clv: Array, patterns: Array, pattern: np.uint32, life: Array, count: int) -> None:
    """Add the CLVs of those with one life pattern to its sums."""
    customers = 0
    for i in range(count):
        customers += patterns[i] == pattern
    if customers == 0:
        return
    negative, total, high_high, high_low, low_low = np.int64(0), np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for i in range(count):
        value = clv[i] if patterns[i] == pattern else np.int64(0)
        size = abs(value)
        high, low = size >> np.int64(26), size & LOW
        negative += value < 0
        total += value
        high_high += high * high
        high_low += high * low
        low_low += low * low
    life[0] += customers
    life[1] += negative
    life[2] += total
    life[3] += high_high
    life[4] += high_low
    life[5] += low_low


@inner
def flush_moments(lives: Array, moments: Array) -> None:
    """Move a group's sums to the tally's two-word totals (pattern, kind, 6) and clear them."""
    for pattern in range(len(PATTERNS)):
        for kind in (BEFORE, AFTER):
            life, moment = lives[pattern, kind], moments[pattern, kind]
            if life[0] != 0:
                moment[0] += life[0]
                moment[1] += life[1]
                add(moment[2:4], life[2])
                add_products(moment[4:6], life[3], life[4], life[5])
                life[:] = 0


@inner
def keep(kept: Kept, state: State, patterns: Array, q: int, k: int, first: int, count: int) -> None:
    """Write one entry a customer, at its serial's place after ``first``."""
    for i in range(count):
        at = first + int(state.place[q, i])
        kept.clv[k, at, AFTER] = state.clv[q, i]
        kept.clv[k, at, BEFORE] = state.clv[q, i] - state.acquisition[q, i]
        kept.pattern[k, at] = np.uint8(patterns[i])
        kept.orders[k, at] = np.int32(state.orders[q, i])
        if kept.last_order.shape[1] > 0:
            kept.last_order[k, at] = state.last[q, i]
        lost = state.history[q, i] & WAS_LOST != NOTHING
        period = np.int32((state.history[q, i] >> LOST_AT) & SHORT) if lost else np.int32(-1)
        kept.lost_at[k, at] = np.int32(-2) if period == BEFORE_NOW else period
