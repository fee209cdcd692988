"""The panel: a few of a run's customers followed period by period, where the run itself leaves sums only.

They are the first customers of each cell, in replicate 0. Where customers are independent they live their lives once more, by their
addresses; where policies are rationed they are looked at in the run itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.engine.arrays import empty_kept, empty_scratch, empty_state, empty_tally, width
from sim.engine.run import groups
from sim.kernels.drivers import CELL, COUNT, FIRST, SERIAL, run_period
from sim.kernels.pair import PATTERN
from sim.kernels.types import LEVEL, SATISFACTION, SHORT, SUBSCRIPTION, TRUST, Array, State, Tables

MINDS = {"satisfaction": SATISFACTION, "trust": TRUST, "level": LEVEL}
"""What customers think that is followed, and its row of ``State.mind``."""


@dataclass(frozen=True, eq=False)
class Panel:
    """Customers followed through their lives (n of them, cell by cell and by serial; T periods).

    counts: customers of each cell; cell: ``(n,)``; variant: ``(n,)`` row of the tables' v axis; serial: ``(n,)`` in their cell;
    row, stage: ``(T + 1, n)`` held during t, and at the horizon; stay: ``(T + 1, n)`` periods of the present stay so far (a renewal ends
    none);
    clv, acquisition: ``(T + 1, n)`` int64 units, discounted, by the start of t (clv after acquisition cost, which is negative);
    orders: ``(T + 1, n)`` placed by the start of t; mind: each of MINDS that is on, ``(T, n)`` by the end of t;
    spend: ``(n,)`` mean spend or orders a period relative to the mean wallet or order value;
    pattern: ``(n,)`` place in PATTERNS.
    """

    counts: tuple[int, ...]
    cell: Array
    variant: Array
    serial: Array
    row: Array
    stage: Array
    stay: Array
    clv: Array
    acquisition: Array
    orders: Array
    mind: dict[str, Array]
    spend: Array
    pattern: Array


def follow(tables: Tables, counts: Sequence[int], horizon: int, stood: Array | None = None) -> Panel:
    """Follow the first ``counts`` customers of each cell through every period.

    stood: ``(n,)`` periods that each has spent in its stage before it starts, 0 unless given.
    """
    rows = np.array(list(groups((0,) * len(counts), counts, 1, False)), np.int64).reshape(-1, FIRST + 1)
    panel, tally, kept = empty_panel(tables, counts, horizon), empty_tally(tables, horizon, 1), empty_kept(tables.variant.shape[0], 0)
    wide = width(max(counts, default=0))
    state, scratch = empty_state(tables, len(rows), wide, compared=True), empty_scratch(tables, wide)
    for t in range(horizon):
        run_period(tables, tally, kept, state, scratch, rows, 0, t)
        look(panel, tables, rows, state, 0, t)
    complete(panel, tables, stood)
    return panel


def complete(panel: Panel, tables: Tables, stood: Array | None = None) -> None:
    """Fill in what follows from what was seen; stood: see ``follow``."""
    if stood is not None:
        first_stay = panel.stay == np.arange(len(panel.stay))[:, None]
        panel.stay[:] += np.where(first_stay, stood, 0).astype(np.int32)
    panel.stage[:] = tables.row_stage[panel.variant, panel.row]


def empty_panel(tables: Tables, counts: Sequence[int], horizon: int, k: int = 0) -> Panel:
    """Return a panel of customers of case k as they start."""
    cell, n = np.repeat(np.arange(len(counts)), counts), sum(counts)
    variant = tables.variant[k, tables.segment[cell]].astype(np.int64)
    serial = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)
    minds = {name: np.zeros((horizon, n), np.float32) for name in MINDS} if tables.minded.any() else {}
    row = np.zeros((horizon + 1, n), np.uint32)
    row[0] = tables.first_row[variant, tables.start_stage[variant]]
    at = tables.base_first[cell]
    if (at >= 0).any():
        base = at >= 0
        standing = tables.base_standing[(at + serial)[base]].astype(np.int64)
        row[0, base] = tables.standing_row[tables.standing_first[variant[base]].astype(np.int64) + standing]

    def zeros(kind: type) -> Array:
        return np.zeros((horizon + 1, n), kind)

    return Panel(
        counts=tuple(counts), cell=cell, variant=variant, serial=serial, row=row, stage=zeros(np.uint8), stay=zeros(np.int32),
        clv=zeros(np.int64), acquisition=zeros(np.int64), orders=zeros(np.int32), mind=minds,
        spend=np.ones(n), pattern=np.zeros(n, np.uint8),
    )  # fmt: skip


def look(panel: Panel, tables: Tables, rows: Array, state: State, k: int, t: int) -> None:
    """Write down how those of the panel stand at the end of period t of case k; rows: the groups in ``state``, stepped through it."""
    counts = np.array(panel.counts)
    near = np.flatnonzero(rows[:, SERIAL] < counts[rows[:, CELL]])
    cell, place = rows[near, CELL][:, None], state.place[near]
    serial = rows[near, SERIAL][:, None] + place
    held = (np.arange(place.shape[1]) < rows[near, COUNT][:, None]) & (serial < counts[cell])
    at = ((np.cumsum(counts) - counts)[cell] + serial)[held]
    last = t + 1 == len(panel.row) - 1
    acquisition = state.acquisition[near][held]
    panel.row[t + 1, at] = state.row[near][held]
    panel.stay[t + 1, at] = t + 1 - (state.history[near][held] & SHORT).astype(np.int32)
    panel.clv[t + 1, at] = state.clv[near][held] + (acquisition if last else 0)  # those who are finished are left without it
    panel.acquisition[t + 1, at] = acquisition
    panel.orders[t + 1, at] = state.orders[near][held]
    for name, values in panel.mind.items():
        values[t, at] = state.mind[near, MINDS[name]][held]
    if t == 0:
        ordered = tables.purchase[panel.variant[at]] != SUBSCRIPTION
        panel.spend[at] = state.wallet[near][held] * np.where(ordered, state.rate[near][held], np.float32(1.0))
    if last:
        panel.pattern[at] = np.take_along_axis(state.cases[near, k, PATTERN], place.astype(np.intp), axis=1)[held]
