"""Who customers are, and whom they bring: recruits have identities of their own, drawn from those of the customers who won them."""

import numpy as np

from sim.kernels.addresses import RECRUIT_PURPOSE
from sim.kernels.jit import inner
from sim.kernels.philox import HALF, counter, draw, draw_each, philox
from sim.kernels.samplers import poisson
from sim.kernels.streams import weigh
from sim.kernels.types import FELT, WORD_OF_MOUTH, Array, Integer, Scratch, State, Tables

ONE = np.float32(1.0)


@inner
def identity_of(tables: Tables, g: int, serial: int) -> np.uint64:
    """Return the identity of a group's first customer; of recruits, its place in ``Tables.recruits``."""
    if tables.recruits.size > 0:
        return np.uint64(tables.recruit_first[g] + np.int64(serial))
    return np.uint64(tables.address[g] | np.uint64(serial))


@inner
def draw_for(tables: Tables, words: Array, place: Array, n: int, identity: np.uint64, upper: tuple[np.uint64, np.uint64]) -> None:
    """Fill ``words`` for a group's first n customers; identity: by ``identity_of``."""
    if tables.recruits.size > 0:
        draw_each(words, tables.recruits[np.int64(identity) :], place, n, upper, tables.key)
    else:
        draw(words, place, n, identity, upper, tables.key)


@inner
def spread_word(
    tables: Tables, talk: Array, state: State, scratch: Scratch, q: int, who: tuple[int, int, np.uint64], when: tuple[int, int]
) -> None:
    """Let the satisfied win recruits, who arrive in the next period, and add up the talk of the dissatisfied.

    talk: the tally's, of this tenure, (2,); who: cell, variant, identity; when: tenure, calendar period.
    """
    g, v, identity = who
    t, y = when
    row, place, weight, means = state.row[q], state.place[q], scratch.floats[0], scratch.value
    live = state.live[q]
    if tables.plain[v] != 0:
        scratch.exposure[:live] = ONE
    weigh(tables, state, weight, q, v, WORD_OF_MOUTH, live)
    dissuaded = np.int64(0)
    won = np.int64(0)
    for i in range(live):
        mean = np.float64(scratch.exposure[i] * weight[i] * tables.reach[v] * tables.awake[tables.row_stage[v, row[i]]])
        dissuaded += np.int64(np.floor(0.5 - min(mean, 0.0) * FELT))
        means[i] = max(mean, 0.0)
    if y + 1 < tables.recruited_before[0]:
        for k in range(poisson(scratch.talk_words[t % 2 * 2], means, scratch.places, scratch.work, live)):
            at, count = place[np.uintp(scratch.places[k])], np.int64(scratch.work[0, k])
            parent = tables.recruits[np.int64(identity) + at] if tables.recruits.size > 0 else identity | np.uint64(at)
            recruit(scratch, parent, (np.uint64(tables.segment[g]), np.uint64(y + 1)), t, count, tables.key)
            won += count
    talk[0] += won
    talk[1] += dissuaded


@inner
def recruit(scratch: Scratch, parent: np.uint64, where: tuple[np.uint64, np.uint64], t: int, count: Integer, key: Array) -> None:
    """Note the recruits that a customer won in tenure t; where: their segment and calendar period of arrival."""
    for number in range(count):
        at = scratch.made[0]
        if at < scratch.recruited.shape[0]:
            upper = counter(number, t, RECRUIT_PURPOSE)
            low, high, _, _ = philox(parent & np.uint64(0xFFFFFFFF), parent >> HALF, upper[0], upper[1], key[0], key[1])
            scratch.recruited[at, 0], scratch.recruited[at, 1] = where
            scratch.recruited[at, 2] = high << HALF | low
        scratch.made[0] = at + 1
