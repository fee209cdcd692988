"""Where the firm's existing customers start: each in the stage, at the age and with the traits that it has come to by calendar 0."""

import numpy as np

from sim.kernels.jit import inner
from sim.kernels.samplers import look_up
from sim.kernels.types import INVESTED, LEVEL, Array, Integer, State, Tables


@inner
def start_existing(tables: Tables, state: State, q: int, v: int, at: int, n: int) -> None:
    """Put the existing customers ``at`` … ``at + n - 1`` of ``Tables.base_*`` into place q of ``state``, whose traits are drawn.

    A survivor's gamma frailty is that of a new customer, scaled: the posterior Gamma(1/v, 1/v + H) has the prior's shape.
    """
    row, history, frailty, wallet = state.row[q], state.history[q], state.frailty[q], state.wallet[q]
    first = np.int64(tables.standing_first[v])
    for i in range(n):
        w = first + np.int64(tables.base_standing[at + i])
        row[i] = tables.standing_row[w]
        history[i] = tables.standing_history[w]
        frailty[i] *= tables.standing_scale[w]
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
