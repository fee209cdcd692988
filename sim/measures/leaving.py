"""Why customers leave: losses and declines by cause, by tenure and over the whole horizon."""

from typing import Any

import numpy as np
import pandas as pd

from sim.kernels.types import Array
from sim.measures.retention import by_group, firm, share_in
from sim.measures.sample import ACTIVE, LOST, Edge, Group, Sample
from sim.measures.sums import Floats, divide

CAUSES = {"own": "own", "rival": "rival", "natural": "natural", "unforeseen": "unforeseen", "": "not stated"}
"""Causes of edges, in the order of the frames, and what they are called there."""

MOVES = ("lost", "decline")

PREMATURE, EITHER = "premature", "either"


def _edges(sample: Sample, move: str) -> list[int]:
    """Return the edges that are moves of a kind: out of active stages into lost ones, or out of ranked ones into active ones without."""
    stages, kinds = list(sample.scenario.stages.values()), sample.kinds

    def fits(edge: Edge) -> bool:
        source, target = edge.source_index, edge.target_index
        if kinds[source] != ACTIVE:
            return False
        lost = bool(kinds[target] == LOST)
        decline = bool(kinds[target] == ACTIVE) and stages[source].rank is not None and stages[target].rank is None
        return lost if move == "lost" else decline if move == "decline" else lost or decline

    return [e for e, edge in enumerate(sample.edges) if fits(edge)]


def _causes(sample: Sample, move: str) -> list[str]:
    given = {sample.edges[e].cause for e in _edges(sample, move)}
    return [cause for cause in CAUSES if cause in given]


def _counts(sample: Sample, move: str, causes: list[str]) -> Array:
    """Return moves of a kind by these causes at the end of t ``(g, t)``."""
    along = [e for e in _edges(sample, move) if sample.edges[e].cause in causes]
    return np.asarray(sample.tally.flows[0][:, :, along].sum(axis=2))


def leaving(sample: Sample) -> pd.DataFrame:
    """Return by which cause customers leave, by tenure.

    Columns: by (all, segment, cohort), id, t, move (lost: from an active stage into a lost one; decline: from a ranked stage into an active
    one without rank), cause (own, rival, natural, unforeseen, not stated; those of the scenario's edges), rate (moves at the end of t per
    customer active in t), rate_se, share (of the moves of this kind in t), share_se. Errors are NaN where customers share luck.
    """
    return by_group(sample, _leaving)


def _leaving(sample: Sample, group: Group) -> dict[str, Any]:
    keys = [(move, cause) for move in MOVES for cause in _causes(sample, move)]
    active = sample.active[:, :-1]
    found: list[list[Floats]] = [[], [], [], []]
    for move, cause in keys:
        moves = _counts(sample, move, [cause])
        both = share_in(sample, group, moves, active), share_in(sample, group, moves, _counts(sample, move, list(CAUSES)))
        for place, values in zip(found, (*both[0], *both[1]), strict=True):
            place.append(values)
    columns: dict[str, Any] = {"t": np.tile(np.arange(sample.horizon), len(keys))}
    columns |= {"move": np.repeat([move for move, _ in keys], sample.horizon)}
    columns |= {"cause": np.repeat([CAUSES[cause] for _, cause in keys], sample.horizon)}
    names = ("rate", "rate_se", "share", "share_se")
    return columns | {name: np.concatenate([np.empty(0), *values]) for name, values in zip(names, found, strict=True)}


def causes(sample: Sample) -> pd.DataFrame:
    """Return by which cause customers leave within the whole horizon, and how much of it is premature.

    Columns: by (all, segment, cohort), id, move (lost and decline as in ``leaving``; either: both together), cause (as in ``leaving``; and
    premature: all but natural), per_customer (moves per customer), share (of the moves of this kind), share_se. The error takes one move
    of a kind per customer: it is NaN where the customers simulated could make several, by a way back, or share luck.
    """
    return by_group(sample, _by_cause)


def _by_cause(sample: Sample, group: Group) -> dict[str, Any]:
    customers = firm(sample, group, sample.customers)
    columns: dict[str, list[Any]] = {name: [] for name in ("move", "cause", "per_customer", "share", "share_se")}
    for move in (*MOVES, EITHER):
        single = {CAUSES[cause]: [cause] for cause in _causes(sample, move)}
        whole = _counts(sample, move, list(CAUSES)).sum(axis=1)
        for name, chosen in {**single, PREMATURE: [cause for cause in CAUSES if cause != "natural"]}.items():
            moves = _counts(sample, move, chosen).sum(axis=1)
            share, se = share_in(sample, group, moves, whole)
            row = move, name, float(divide(firm(sample, group, moves), customers)), float(share), float(se)
            for values, value in zip(columns.values(), row, strict=True):
                values.append(value)
            if _recurs(sample, move):
                columns["share_se"][-1] = np.nan
    return columns


def _recurs(sample: Sample, move: str) -> bool:
    """Return whether somebody who made a move of a kind could make another: along edges that were taken at all."""
    taken = sample.tally.flows[0].sum(axis=(0, 1))
    along = [edge for e, edge in enumerate(sample.edges) if taken[e] > 0]
    made = [sample.edges[e] for e in _edges(sample, move) if taken[e] > 0]
    reached = {edge.target_index for edge in made}
    while more := {edge.target_index for edge in along if edge.source_index in reached} - reached:
        reached |= more
    return any(edge.source_index in reached for edge in made)
