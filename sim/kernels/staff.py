"""Who looks after a member: staff who leave, so that the account waits, and is then handed over. Off, nothing here is called."""

import numpy as np

from sim.kernels.jit import inner
from sim.kernels.philox import counter
from sim.kernels.talk import draw_for
from sim.kernels.types import LASTS, TRUST, Integer, Scratch, State, Tables

ONE = np.float32(1.0)
LATEST = 0xFFFF


@inner
def enrolled(tables: Tables, state: State, q: int, which: tuple[int, int], t: int, i: Integer) -> bool:
    """Return whether customer i is a member of a policy, looked after or not; which: variant, policy."""
    v, p = which
    since, lasts = np.int64(state.since[q, p, i]), tables.policy_when[v, p, LASTS]
    stays = since != 0 and tables.policy_member[v, p, state.row[q, i]] != 0
    return bool(stays and (lasts == 0 or t + 1 - since < lasts))


@inner
def waits(state: State, q: int, p: int, t: int, i: Integer) -> bool:
    """Return whether the account of customer i has nobody to look after it in period t."""
    return bool(state.vacant.shape[1] > 0 and t < np.int64(state.vacant[q, p, i]))


@inner
def hand_over(tables: Tables, state: State, scratch: Scratch, q: int, who: tuple[int, int, int, np.uint64], t: int) -> None:
    """Let those leave who looked after members in the period before; who: replicate, variant, policy, identity.

    Members wait from this period on, and trust less.
    """
    replicate, v, p, identity = who
    if tables.policy_turnover[v, p] == 0:
        return
    n = state.live[q]
    draw_for(tables, scratch.policy_words, state.place[q], n, identity, counter(replicate, t, tables.policy_desk[v, p]))
    vacant, since, word = state.vacant[q, p], state.since[q, p], scratch.policy_words[0]
    for i in range(n):
        if not enrolled(tables, state, q, (v, p), t, i):
            vacant[i] = np.uint16(0)
        elif np.int64(since[i]) <= t and np.int64(vacant[i]) < t and np.uint64(word[i]) < tables.policy_turnover[v, p]:
            vacant[i] = np.uint16(min(t + tables.policy_gap[v, p], LATEST))
            if state.mind.shape[1] > 0:
                state.mind[q, TRUST, i] *= ONE - tables.policy_shaken[v, p]
