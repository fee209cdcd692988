"""Where the firm's existing customers start: each in the stage, at the age and with the traits that it has come to by calendar 0."""

import numpy as np

from sim.kernels.addresses import BLOCK_ALIVE, BLOCK_TRAITS, TRAIT_PERIOD
from sim.kernels.jit import inner
from sim.kernels.maths import normal
from sim.kernels.philox import counter, draw
from sim.kernels.samplers import look_up
from sim.kernels.types import AT_TOP, GONE, INVESTED, LEVEL, SHORT, WAS_LOST, Array, Integer, Scratch, State, Tables

ONE = np.float32(1.0)


@inner
def start_existing(tables: Tables, state: State, scratch: Scratch, q: int, v: int, at: int, who: tuple[int, np.uint64], n: int) -> None:
    """Put the existing customers ``at`` … ``at + n - 1`` of ``Tables.base_*`` into place q of ``state``, whose traits are drawn.

    who: replicate, identity of the group.
    A survivor's gamma frailty is that of a new customer, scaled: the posterior Gamma(1/v, 1/v + H) has the prior's shape.
    """
    row, history, frailty, wallet = state.row[q], state.history[q], state.frailty[q], state.wallet[q]
    first = np.int64(tables.standing_first[v])
    for i in range(n):
        w = first + np.int64(tables.base_standing[at + i])
        row[i] = tables.standing_row[w]
        history[i] = tables.standing_history[w]
        frailty[i] *= tables.standing_scale[w]
    if tables.base_alive.size > 0:
        start_buyers(tables, state, scratch, q, v, at, who, n)
    state.acquisition[q, :n] = np.int64(0)
    if tables.base_wallet.size > 0:
        by_rate = tables.wallet_by_rate[v] != 0
        for i in range(n):
            own = tables.base_wallet[at + i]
            if not np.isnan(own):
                relative = np.float32(own / tables.wallet_mean[v])
                wallet[i] = relative / state.rate[q, i] if by_rate else relative
    if tables.minded[v] != 0:
        start_level(tables, state.mind[q], first, at, n)


@inner
def start_buyers(tables: Tables, state: State, scratch: Scratch, q: int, v: int, at: int, who: tuple[int, np.uint64], n: int) -> None:
    """Draw ordering rates given past orders, scale frailties by the time since acquisition, and put those who are gone where they went.

    Given that a Pareto/NBD customer is alive its rate is Gamma(r + x, alpha + T), its frailty the prior's scaled (``standing_scale`` is 1
    then). Who is alive is a draw of its own.
    """
    replicate, identity = who
    row, history, rate, frailty = state.row[q], state.history[q], state.rate[q], state.frailty[q]
    draw(scratch.words, state.place[q], n, identity, counter(replicate, TRAIT_PERIOD, BLOCK_TRAITS), tables.key)
    normal(scratch.words[1], scratch.floats[0], scratch.floats[1], scratch.floats[2], n)
    draw(scratch.words, state.place[q], n, identity, counter(replicate, TRAIT_PERIOD, BLOCK_ALIVE), tables.key)
    alpha, spread = tables.buyers[v, 0], tables.buyers[v, 1]
    first = np.int64(at) + tables.buyers_first[v]
    for i in range(n):
        seen = tables.base_seen[first + i]
        rate[i] = look_up(tables.quantiles, tables.base_rate[first + i], scratch.floats[2, i]) / (alpha + seen)
        frailty[i] /= ONE + spread * seen
        if not np.float64(scratch.words[0, i]) * 2.0**-32 < np.float64(tables.base_alive[first + i]):
            edge = tables.edge[v, row[i], 0]
            row[i] = tables.first_row[v, tables.row_stage[v, tables.edge_row[v, edge]]]
            history[i] = (history[i] & ~(SHORT << AT_TOP)) | GONE | WAS_LOST


@inner
def start_level(tables: Tables, mind: Array, first: Integer, at: int, n: int) -> None:
    """Give existing customers the investment of the periods behind them, and their share of wallet where it is known."""
    for i in range(n):
        mind[INVESTED, i] = tables.standing_invested[first + np.int64(tables.base_standing[at + i])]
    if tables.base_level.size > 0:
        for i in range(n):
            own = tables.base_level[at + i]
            if not np.isnan(own):
                mind[LEVEL, i] = own


@inner
def look_up_standing(tables: Tables, v: int, beta: int, at: int, z: Array, out: Array, n: int) -> None:
    """Write the probabilities of a beta edge, each given the renewals that its customer has survived; z: standard normal."""
    first = np.int64(tables.standing_first[v])
    for i in range(n):
        w = first + np.int64(tables.base_standing[at + i])
        out[i] = look_up(tables.quantiles, tables.standing_beta[w, beta] - 1, z[i])
