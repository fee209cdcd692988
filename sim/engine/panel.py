"""The panel: a few of a run's customers followed period by period, where the run itself leaves sums only.

They have the addresses, hence the lives, of the first customers of each cell, in replicate 0; the run is not touched.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.engine.arrays import empty_kept, empty_scratch, empty_state, empty_tally
from sim.engine.run import groups
from sim.kernels.drivers import COUNT, FIRST, run_period
from sim.kernels.types import AFTER, GROUP, LEVEL, SATISFACTION, SHORT, SUBSCRIPTION, TRUST, Array, State, Tables

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

    Those who are done are not dropped, which saves time and changes nothing: here everybody is read to the end.
    stood: ``(n,)`` periods that each has spent in its stage before it starts, 0 unless given.
    """
    every, n = np.array(list(groups((0,) * len(counts), counts, 1, True)), np.int64).reshape(-1, FIRST + 1), sum(counts)
    cell = np.repeat(np.arange(len(counts)), counts)
    panel = _empty(tables, tuple(counts), cell, horizon)
    tables = tables._replace(edge_drops=np.zeros_like(tables.edge_drops), ends=np.zeros_like(tables.ends))
    tally, kept = empty_tally(tables, horizon, 1), empty_kept(tables.variant.shape[0], n)
    state, scratch = empty_state(tables, len(every)), empty_scratch(tables)
    held = np.arange(GROUP) < every[:, [COUNT]]
    for t in range(horizon):
        run_period(tables, tally, kept, state, scratch, every, 0, t)
        _look(panel, tables, state, every[:, [FIRST]] + state.place, held, t)
    panel.clv[horizon] = kept.clv[0, :, AFTER]  # the last period leaves the state without acquisition cost
    if stood is not None:
        first_stay = panel.stay == np.arange(horizon + 1)[:, None]
        panel.stay[:] += np.where(first_stay, stood, 0).astype(np.int32)
    panel.stage[:] = tables.row_stage[panel.variant, panel.row]
    panel.pattern[:] = kept.pattern[0]
    return panel


def _empty(tables: Tables, counts: tuple[int, ...], cell: Array, horizon: int) -> Panel:
    """Return a panel of customers as they start."""
    n, variant = cell.size, tables.variant[0, tables.segment[cell]].astype(np.int64)
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
        counts=counts, cell=cell, variant=variant, serial=serial, row=row, stage=zeros(np.uint8), stay=zeros(np.int32),
        clv=zeros(np.int64), acquisition=zeros(np.int64), orders=zeros(np.int32), mind=minds,
        spend=np.ones(n), pattern=np.zeros(n, np.uint8),
    )  # fmt: skip


def _look(panel: Panel, tables: Tables, state: State, places: Array, held: Array, t: int) -> None:
    """Write down how customers stand at the end of period t; places: of each place of the state in the panel, where ``held``."""
    at = places[held]
    panel.row[t + 1, at] = state.row[held]
    panel.stay[t + 1, at] = t + 1 - (state.history[held] & SHORT).astype(np.int32)
    panel.clv[t + 1, at] = state.clv[held]
    panel.acquisition[t + 1, at] = state.acquisition[held]
    panel.orders[t + 1, at] = state.orders[held]
    for name, values in panel.mind.items():
        values[t, at] = state.mind[:, MINDS[name]][held]
    if t == 0:
        ordered = tables.purchase[panel.variant[at]] != SUBSCRIPTION
        panel.spend[at] = state.wallet[held] * np.where(ordered, state.rate[held], np.float32(1.0))
