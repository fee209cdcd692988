"""What a firm can expect of its customers, from what it can see of them: the life table of its own records.

For each segment, stage and time in the stage the panel's customers give the chances to move and the mean cash of a period. Taken forward
from where a customer stands, as many periods as the horizon has, they give its expected remaining life and cash. A customer's own future
is not among what its expectation is made of: the two halves of the panel, even and odd serials, are judged by each other.
"""

from typing import NamedTuple

import numpy as np

from sim.kernels.types import Array
from sim.measures.followed import Followed
from sim.measures.sample import ACTIVE
from sim.measures.sums import Floats, divide

OLDEST = 2
"""Years in a stage after which time in it counts no more."""

BORROWED = 20.0
"""Customer-periods of the whole stage that are added to those of each time in it, so that few say little."""


class Outlook(NamedTuple):
    """Expectations at the end of each year ``(years + 1, n)``.

    remaining: periods in active stages; future: cash to come before acquisition cost, discounted to then, currency.
    """

    remaining: Floats
    future: Floats


def outlook(followed: Followed) -> Outlook:
    """Return what can be expected of each customer at the end of each year."""
    panel, n_years = followed.panel, followed.years
    shape = (n_years + 1, panel.cell.size)
    remaining, future = np.full(shape, np.nan), np.full(shape, np.nan)
    ends = np.arange(n_years + 1) * followed.year
    half = panel.serial % 2
    for v in np.unique(panel.variant):
        for h in (0, 1):
            judged = np.flatnonzero((panel.variant == v) & (half == h))
            records = np.flatnonzero((panel.variant == v) & (half != h))
            life, each, rest = _forward(followed, records if records.size else judged)
            at = panel.stage[ends][:, judged], np.minimum(panel.stay[ends][:, judged], life.shape[1] - 1)
            remaining[:, judged] = life[at]
            future[:, judged] = panel.spend[judged] * each[at] + rest[at]
    return Outlook(remaining, future)


def _forward(followed: Followed, records: Array) -> tuple[Floats, Floats, Floats]:
    """Return, by stage and periods in it, active periods to come, discounted profit per unit of relative spending, and other cash."""
    moves, seen, each, rest = _records(followed, records)
    awake = (followed.sample.kinds == ACTIVE)[:, None] * np.ones(seen.shape[1])
    stays = 1.0 - moves.sum(axis=2)
    v = followed.sample.scenario.discount_factor
    life, worth, other = (np.zeros_like(seen) for _ in range(3))
    for _ in range(followed.sample.horizon):
        life = awake + _next(moves, stays, life)
        worth = each + v * _next(moves, stays, worth)
        other = rest + v * _next(moves, stays, other)
    return life, worth, other


def _next(moves: Floats, stays: Floats, values: Floats) -> Floats:
    """Return the expectation of values ``(stage, stay)`` a period on."""
    older = np.concatenate([values[:, 1:], values[:, -1:]], axis=1)
    found: Floats = stays * older
    for s in range(moves.shape[2]):
        found += moves[:, :, s] * values[s, 0]
    return found


def _records(followed: Followed, records: Array) -> tuple[Floats, Floats, Floats, Floats]:
    """Return chances to move ``(stage, stay, to)``, customer-periods, profit per unit of spending and other cash ``(stage, stay)``."""
    panel, horizon = followed.panel, followed.sample.horizon
    n_stages, oldest = len(followed.sample.stages), min(horizon, OLDEST * followed.year) + 1
    stage, stay = panel.stage[:-1, records].astype(np.int64), np.minimum(panel.stay[:-1, records], oldest - 1)
    state = (stage * oldest + stay).ravel()
    target = panel.stage[1:, records].astype(np.int64)
    moved = (panel.stay[1:, records] <= panel.stay[:-1, records]).ravel()
    spend, level = panel.spend[records], followed.level[1:, records]
    unit = divide(followed.full[:-1, records], np.broadcast_to(spend, level.shape), 0.0) * level
    other = followed.cash[:, records] - unit * spend

    def total(values: Floats | None = None, where: Array | None = None) -> Floats:
        chosen = state if where is None else state[where]
        weights = None if values is None else values.ravel()
        return np.bincount(chosen, weights=weights, minlength=n_stages * oldest).reshape(n_stages, oldest).astype(np.float64)

    def smooth(sums: Floats) -> Floats:
        whole = divide(sums.sum(axis=1), seen.sum(axis=1), 0.0)[:, None]
        return (sums + BORROWED * whole) / (seen + BORROWED)

    seen = total()
    moves = [smooth(total(where=moved & (target.ravel() == s))) for s in range(n_stages)]
    return np.stack(moves, axis=2), seen, smooth(total(unit)), smooth(total(other))
