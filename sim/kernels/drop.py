"""Customers who are done leave the living: the last of these takes their place, so that only the living cost time."""

import numpy as np

from sim.kernels.jit import inner
from sim.kernels.types import SUBSCRIPTION, Array, Integer, Scratch, State, Tables

ZERO = np.float32(0.0)


@inner
def drop_all(tables: Tables, state: State, scratch: Scratch, q: int, v: int, t: int, done: Integer) -> None:
    """Take the first ``done`` customers of ``dropped`` out of the live ones, the last of them first."""
    for i in range(done - 1, -1, -1):
        drop(tables, state, scratch, q, v, t, np.uintp(scratch.dropped[i]))


@inner
def drop(tables: Tables, state: State, scratch: Scratch, q: int, v: int, t: int, i: Integer) -> None:
    """Take customer i, who is done, out of the live ones: it changes places with the last of them (in all that differs)."""
    last = np.uintp(state.live[q] - 1)
    state.live[q] = last
    swap(state.row[q], i, last)
    swap(state.place[q], i, last)
    swap(state.history[q], i, last)
    swap(state.clv[q], i, last)
    if t % 2 == 0:
        scratch.words[2, i], scratch.words[3, i] = scratch.words[2, last], scratch.words[3, last]
    if tables.acquisition_at_arrival[v] == 0:
        swap(state.acquisition[q], i, last)
    if tables.fixed[v] == 0:
        swap(state.orders[q], i, last)
        state.wallet[q, i] = state.wallet[q, last]
        state.rate[q, i] = state.rate[q, last]
    if tables.purchase[v] != SUBSCRIPTION:
        scratch.order_words[2, i], scratch.order_words[3, i] = scratch.order_words[2, last], scratch.order_words[3, last]
    if state.last.shape[1] > 0:
        swap(state.last[q], i, last)
    if tables.plain[v] == 0:
        state.frailty[q, i] = state.frailty[q, last]
    for beta in range(state.beta.shape[1]):
        state.beta[q, beta, i] = state.beta[q, beta, last]
    if tables.minded[v] != 0:
        scratch.mind_words[2, i], scratch.mind_words[3, i] = scratch.mind_words[2, last], scratch.mind_words[3, last]
        for part in range(state.mind.shape[1]):
            state.mind[q, part, i] = state.mind[q, part, last]
    if tables.reach[v] > ZERO or tables.contacting[v] != 0:
        scratch.talk_words[2, i], scratch.talk_words[3, i] = scratch.talk_words[2, last], scratch.talk_words[3, last]
    for part in range(state.gift.shape[1]):
        state.gift[q, part, i] = state.gift[q, part, last]
    if tables.selling[v] != 0:
        state.held[q, 0, i] = state.held[q, 0, last]
        for word in range(4):
            scratch.product_words[word, i] = scratch.product_words[word, last]
    if state.spent.shape[1] > 0:
        drop_treated(state, q, i, last)


@inner
def drop_treated(state: State, q: int, i: Integer, last: Integer) -> None:
    """Put what policies have done to the last customer into place i."""
    swap(state.spent[q, 0], i, last)
    for p in range(state.since.shape[1]):
        state.since[q, p, i] = state.since[q, p, last]
        state.asked[q, p, i] = state.asked[q, p, last]
        state.strength[q, p, i] = state.strength[q, p, last]
        if state.vacant.shape[1] > 0:
            state.vacant[q, p, i] = state.vacant[q, p, last]
        if state.trail.shape[1] > 0:
            state.trail[q, p, i] = state.trail[q, p, last]


@inner
def swap(values: Array, i: Integer, j: Integer) -> None:
    """Exchange two entries."""
    values[i], values[j] = values[j], values[i]
