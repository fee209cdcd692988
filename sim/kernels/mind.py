"""What a period does to what customers think, and what that does to the hazards: satisfaction, trust, level, investment, loyalty.

Off, nothing here is called. Minds move in active stages only (``Tables.awake``).
"""

import numpy as np

from sim.kernels.jit import inner, leaf
from sim.kernels.maths import TO_UNIT, exponent, log, normal
from sim.kernels.types import (
    COST_SWAY,
    EXPECTATION,
    EXPECTATION_LIFT,
    FELT,
    INVESTED,
    LEVEL,
    LEVEL_LIFT,
    LOYALTY_SWAY,
    PERFORMANCE_LIFT,
    SATISFACTION,
    TRUST,
    TRUST_SWAY,
    Array,
    Integer,
    Scratch,
    State,
    Tables,
)
from sim.kernels.vectors import take

ZERO, HALF, ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)
WORST, MIDDLE, BEST = np.float32(1.0), np.float32(3.0), np.float32(5.0)
QUARTER = np.float32(0.25)
STEPS = np.float32(FELT)


@inner
def start_mind(tables: Tables, mind: Array, z: Array, v: int, n: int) -> None:
    """Give new customers their first state of mind; z: standard normal of their first satisfaction."""
    first, spread = tables.feeling[v, 0], tables.feeling[v, 1]
    mind[EXPECTATION, :n] = tables.expectation[v, 0]
    mind[TRUST, :n] = tables.trust[v, 0]
    mind[LEVEL, :n] = tables.level[v, 0]
    mind[INVESTED, :n] = ZERO
    satisfaction = mind[SATISFACTION]
    for i in range(n):
        satisfaction[i] = min(max(first + spread * z[i], WORST), BEST)


@inner
def think(tables: Tables, feelings: Array, state: State, scratch: Scratch, q: int, v: int, when: tuple[int, int, int], n: int) -> None:
    """Take minds through a period; feelings: the tally's, by tenure; when: tenure, calendar period, regime."""
    t, y, m = when
    mind = state.mind[q]
    if tables.feels[v] != 0:
        feel(tables, mind, scratch, v, (t, y), n)
        fill_loyalty(tables, mind, scratch, v, m, n)
    else:
        scratch.loyalty[:n] = ZERO
    deepen(tables, mind, scratch, v, n)
    count_feelings(feelings[t], mind, scratch, n)


@inner
def feel(tables: Tables, mind: Array, scratch: Scratch, v: int, when: tuple[int, int], n: int) -> None:
    """Move satisfaction against expectation, then expectation, then trust; when: tenure, calendar period."""
    t, y = when
    drift, gain, awake = scratch.floats[2], scratch.floats[3], scratch.awake
    deviation, size = tables.feeling[v, 3], tables.feeling[v, 5]
    if deviation != ZERO:
        normal(scratch.mind_words[t % 2 * 2], scratch.floats[0], scratch.floats[1], drift, n)
    else:
        drift[:n] = ZERO
    quality = tables.quality[v, y]
    take(tables.gain[v], scratch.stage, gain, n)
    word, chance, failed = scratch.mind_words[t % 2 * 2 + 1], tables.feeling[v, 4], scratch.floats[5]
    for i in range(n):
        failed[i] = awake[i] if np.float32(word[i]) * TO_UNIT < chance else ZERO
        gain[i] = quality + gain[i] + deviation * drift[i] - size * failed[i]
    if tables.lifted[v, PERFORMANCE_LIFT] != 0:
        for i in range(n):
            gain[i] += scratch.lifts[PERFORMANCE_LIFT, i]
    adapt(tables, mind, scratch, v, n)


@inner
def adapt(tables: Tables, mind: Array, scratch: Scratch, v: int, n: int) -> None:
    """Let performance (floats 3) and failures (5) move the satisfaction, expectation and trust of those awake."""
    performance, awake, failed, promised = scratch.floats[3], scratch.awake, scratch.floats[5], scratch.floats[2]
    satisfaction, expectation, trust = mind[SATISFACTION], mind[EXPECTATION], mind[TRUST]
    speed = tables.feeling[v, 2]
    norm, follow, habit = tables.expectation[v, 1], tables.expectation[v, 2], tables.expectation[v, 3]
    rise, fall, drop = tables.trust[v, 1], tables.trust[v, 2], tables.trust[v, 3]
    for i in range(n):
        promised[i] = expectation[i]
    if tables.lifted[v, EXPECTATION_LIFT] != 0:
        for i in range(n):
            promised[i] += scratch.lifts[EXPECTATION_LIFT, i]
    for i in range(n):
        heading = min(max(MIDDLE + performance[i] - promised[i], WORST), BEST)
        satisfaction[i] += awake[i] * speed * (heading - satisfaction[i])
        expectation[i] += awake[i] * follow * (habit * performance[i] + (ONE - habit) * norm - expectation[i])
        gap = (satisfaction[i] - ONE) * QUARTER - trust[i]
        trust[i] = (trust[i] + awake[i] * (rise if gap > ZERO else fall) * gap) * (ONE - drop * failed[i])


@inner
def deepen(tables: Tables, mind: Array, scratch: Scratch, v: int, n: int) -> None:
    """Move the level of the relationship and the investment in it, each by its stage."""
    target, speed, invest = scratch.floats[0], scratch.floats[1], scratch.floats[2]
    level, invested = mind[LEVEL], mind[INVESTED]
    take(tables.level_target[v], scratch.stage, target, n)
    take(tables.level_speed[v], scratch.stage, speed, n)
    take(tables.invest[v], scratch.stage, invest, n)
    if tables.lifted[v, LEVEL_LIFT] != 0:
        for i in range(n):
            target[i] = min(max(target[i] + scratch.awake[i] * scratch.lifts[LEVEL_LIFT, i], ZERO), ONE)
    for i in range(n):
        level[i] += speed[i] * (target[i] - level[i])
        invested[i] += invest[i] * (ONE - invested[i])


@inner
def fill_loyalty(tables: Tables, mind: Array, scratch: Scratch, v: int, m: int, n: int) -> None:
    """Write each customer's loyalty L = l0 + (1 - l0) x ** gamma under the competition of regime m."""
    x, power, loyalty = scratch.floats[0], scratch.floats[1], scratch.loyalty
    satisfaction, base, gamma = mind[SATISFACTION], tables.loyalty[v, m, 0], tables.loyalty[v, m, 1]
    for i in range(n):
        x[i] = max((satisfaction[i] - ONE) * QUARTER, np.float32(2.0**-100))
    log(x, power, n)
    for i in range(n):
        loyalty[i] = base + (ONE - base) * exponent(power[i] * gamma) if satisfaction[i] > ONE else base


@inner
def sway(tables: Tables, mind: Array, scratch: Scratch, v: int, j: int, n: int) -> None:
    """Multiply the hazards of the edges in place j by what customers think."""
    loyalty, trust, invested, hazard = scratch.loyalty, mind[TRUST], mind[INVESTED], scratch.hazards[1 + j]
    faith, attitude = tables.trust[v, 5], tables.loyalty_reference[v]
    by_loyalty, by_trust, by_cost = scratch.floats[0], scratch.floats[1], scratch.floats[2]
    take(tables.sway[v, j, LOYALTY_SWAY], scratch.stage, by_loyalty, n)
    take(tables.sway[v, j, TRUST_SWAY], scratch.stage, by_trust, n)
    take(tables.sway[v, j, COST_SWAY], scratch.stage, by_cost, n)
    for i in range(n):
        power = by_loyalty[i] * (attitude - loyalty[i]) + by_trust[i] * (faith - trust[i]) - by_cost[i] * invested[i]
        hazard[i] *= exponent(power)


@inner
def count_feelings(feelings: Array, mind: Array, scratch: Scratch, n: int) -> None:
    """Add up what the living feel in active stages, and its squares; feelings: (feeling, 2)."""
    count_two(feelings[0], feelings[1], mind[SATISFACTION], mind[TRUST], scratch.awake, n)
    count_two(feelings[2], feelings[3], scratch.loyalty, mind[LEVEL], scratch.awake, n)


@leaf
def count_two(first: Array, second: Array, ones: Array, others: Array, awake: Array, n: int) -> None:
    """Add two feelings of those awake and their squares."""
    total, squares, more, more_squares = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for i in range(n):
        one = np.int64(np.int32(ones[i] * awake[i] * STEPS + HALF))
        other = np.int64(np.int32(others[i] * awake[i] * STEPS + HALF))
        total += one
        squares += one * one
        more += other
        more_squares += other * other
    first[0] += total
    first[1] += squares
    second[0] += more
    second[1] += more_squares


@inner
def return_home(tables: Tables, mind: Array, scratch: Scratch, v: int, movers: Integer) -> None:
    """Give those who come back what they have kept: a share of their trust, and the level of re-entry."""
    inherit, level = tables.trust[v, 4], tables.level[v, 1]
    for m in range(movers):
        if tables.edge_returns[scratch.edge[m]] != 0:
            i = np.uintp(scratch.moved[m])
            mind[TRUST, i] *= inherit
            mind[LEVEL, i] = level
