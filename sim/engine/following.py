"""Arms that begin later: for how long each goes the way of the reference, and what was counted until then."""

import numpy as np

from sim.compile.variant import Variant
from sim.kernels.types import EVERY, START, STOP, TENURE_FROM, TENURE_UNTIL, Array, Tables, Tally

OF_POLICIES = (
    "treating",
    "steering",
    "altering",
    "lifted",
    "plain",
    "sure",
    *(name for name in Variant._fields if name.startswith("policy_")),
)
"""What says only what policies do, or how it is found who leaves, which comes to the same for customers who were never treated."""

BY_ROW = ("hazard", "certain")
"""What has a copy for each set of policies: untreated customers stand in the first."""

BY_TENURE = ("flows", "conversions", "losses", "orders", "cash", "cash_square", "payback", "feelings", "activity")
"""Tally fields of (case, cell, tenure, …) that are counted before anybody is contacted; where there is talk, nobody follows."""


def following(tables: Tables, horizon: int) -> Array:
    """Return for how many periods each case's customers go the way of the reference's, (k, g); 0 long on k where none do.

    They do until a policy of the case can first contact anybody, or until the last period, where the reference has no policies and
    everything else is the same.
    """
    reference = tables.variant[tables.reference[0]]
    nobody = np.zeros((0, tables.segment.size), np.int64)
    if not tables.treating.any() or tables.treating[reference].any() or tables.reach.any():
        return nobody
    found = np.zeros((len(tables.variant), tables.segment.size), np.int64)
    for k, g in zip(*np.nonzero(tables.variant != reference), strict=True):
        cells = np.flatnonzero(tables.segment == g)
        found[k, cells] = _first_contact(tables, tables.variant[k, g], tables.arrival[cells].astype(np.int64), horizon)
    if found.any():
        found *= _same(tables, reference)[:, tables.segment]
    return found if found.any() else nobody


def _first_contact(tables: Tables, v: int, arrivals: Array, horizon: int) -> Array:
    """Return the tenure at which customers of these ``arrivals`` can first be contacted, as ``due`` has it; the last one where never."""
    tenure = np.arange(horizon)
    calendar = arrivals[:, np.newaxis] + tenure
    due = np.zeros(calendar.shape, bool)
    due[:, -1] = True
    for when in tables.policy_when[v, tables.treating[v] != 0]:
        in_calendar = (when[START] <= calendar) & (calendar < when[STOP]) & ((calendar - when[START]) % when[EVERY] == 0)
        due |= in_calendar & (when[TENURE_FROM] <= tenure) & (tenure < when[TENURE_UNTIL])
    return np.asarray(due.argmax(axis=1))


def _same(tables: Tables, reference: Array) -> Array:
    """Return in which cases and segments, (k, segment) bool, customers go the way of the ``reference`` until a policy contacts them.

    reference: (segment,) variants. Not where a policy asks for what they brought before, or where others are done.
    """
    rows = int(tables.policy_rows[0])
    asks: Array = np.any(tables.policy_trail != 0, axis=1)
    same = ~asks[tables.variant]
    for field in Variant._fields:
        if field not in OF_POLICIES:
            values = getattr(tables, field)
            values = values != 0 if field == "over" else values[..., :rows] if field in BY_ROW else values
            same &= (values[tables.variant] == values[reference]).reshape(*same.shape, -1).all(axis=2)
    return np.asarray(same)


def follow(tables: Tables, tally: Tally) -> None:
    """Count, in cases that followed the reference, what was counted there until they went on by themselves."""
    reference = tables.reference[0]
    before = np.arange(tally.flows.shape[2]) < tables.follows[:, :, np.newaxis]
    for name in BY_TENURE:
        counts = getattr(tally, name)
        where = before.reshape(before.shape + (1,) * (counts.ndim - 3))
        np.add(counts, counts[reference], out=counts, where=where)
