"""Customers who are done leave the living: the last of these take their places, so that only the living cost time."""

import numpy as np

from sim.kernels.jit import inner, leaf
from sim.kernels.types import SUBSCRIPTION, Array, Integer, Scratch, State, Tables

ZERO = np.float32(0.0)


@inner
def drop_all(tables: Tables, state: State, scratch: Scratch, q: int, v: int, t: int, done: Integer) -> None:
    """Take the first ``done`` customers of ``dropped`` out of the live ones: they change places with the last of them.

    In all that differs between customers, which is still asked of those who are done.
    """
    if done == 0:
        return
    dropped, live = scratch.dropped, state.live[q] - done
    state.live[q] = live
    swap(state.row[q], dropped, live, done)
    swap(state.place[q], dropped, live, done)
    swap(state.history[q], dropped, live, done)
    swap(state.clv[q], dropped, live, done)
    replace_words(tables, scratch, v, t, dropped, live, done)
    if tables.acquisition_at_arrival[v] == 0:
        swap(state.acquisition[q], dropped, live, done)
    if tables.fixed[v] == 0:
        swap(state.wallet[q], dropped, live, done)
    if tables.purchase[v] != SUBSCRIPTION:
        swap(state.orders[q], dropped, live, done)
        swap(state.rate[q], dropped, live, done)
    if state.last.shape[1] > 0:
        swap(state.last[q], dropped, live, done)
    if tables.plain[v] == 0:
        swap(state.frailty[q], dropped, live, done)
    swap_parts(state.beta[q], dropped, live, done)
    if tables.minded[v] != 0:
        swap_parts(state.mind[q], dropped, live, done)
    swap_parts(state.gift[q], dropped, live, done)
    if tables.selling[v] != 0:
        swap_parts(state.held[q], dropped, live, done)
    swap_parts(state.spent[q], dropped, live, done)
    swap_parts(state.since[q], dropped, live, done)
    swap_parts(state.asked[q], dropped, live, done)
    swap_parts(state.strength[q], dropped, live, done)
    swap_parts(state.vacant[q], dropped, live, done)
    swap_parts(state.trail[q], dropped, live, done)


@inner
def replace_words(tables: Tables, scratch: Scratch, v: int, t: int, dropped: Array, live: Integer, done: Integer) -> None:
    """Let the words of periods to come follow the living."""
    replace_parts(scratch.words[t % 4 + 1 :], dropped, live, done)
    if tables.selling[v] != 0:
        replace_parts(scratch.product_words[t % 4 + 1 :], dropped, live, done)
    if t % 2 == 0:
        if tables.purchase[v] != SUBSCRIPTION:
            replace_parts(scratch.order_words[2:], dropped, live, done)
        if tables.feels[v] != 0:
            replace_parts(scratch.mind_words[2:], dropped, live, done)
        if tables.reach[v] > ZERO or tables.contacting[v] != 0:
            replace_parts(scratch.talk_words[2:], dropped, live, done)


@inner
def swap_parts(parts: Array, dropped: Array, live: Integer, done: Integer) -> None:
    """Swap in each row of an array (part, GROUP)."""
    for part in range(parts.shape[0]):
        swap(parts[part], dropped, live, done)


@inner
def replace_parts(parts: Array, dropped: Array, live: Integer, done: Integer) -> None:
    """Replace in each row of an array (part, GROUP)."""
    for part in range(parts.shape[0]):
        replace(parts[part], dropped, live, done)


@leaf
def replace(values: Array, dropped: Array, live: Integer, done: Integer) -> None:
    """Do as ``swap`` does to places below ``live``; what stood there is not kept."""
    for m in range(done - 1, -1, -1):
        values[np.uintp(dropped[m])] = values[np.uintp(live + m)]


@leaf
def swap(values: Array, dropped: Array, live: Integer, done: Integer) -> None:
    """Let the first ``done`` places of ``dropped`` (ascending) change with those from ``live`` on, the last of both first."""
    for m in range(done - 1, -1, -1):
        i, last = np.uintp(dropped[m]), np.uintp(live + m)
        values[i], values[last] = values[last], values[i]
