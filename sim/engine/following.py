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

BY_TENURE = ("flows", "conversions", "losses", "orders", "cash", "cash_square", "payback", "talk", "feelings", "activity")
"""Tally fields of (case, cell, tenure, …)."""


def following(tables: Tables, horizon: int) -> Array:
    """Return for how many periods each case's customers go the way of the reference's, (k, g); 0 long on k where none do.

    They do until a policy of the case can first contact anybody, or until the last period, where the reference has no policies and
    everything else is the same.
    """
    reference = tables.variant[tables.reference[0]]
    found = np.zeros((len(tables.variant), tables.segment.size), np.int64)
    if not tables.treating.any() or tables.treating[reference].any() or tables.reach.any():
        return found[:0]
    for mine, case in zip(found, tables.variant, strict=True):
        for segment, v in enumerate(case):
            cells = np.flatnonzero(tables.segment == segment)
            first = _first_contact(tables, v, tables.arrival[cells].astype(np.int64), horizon)
            if v != reference[segment] and first.any() and _same(tables, v, reference[segment]):
                mine[cells] = first
    return found if found.any() else found[:0]


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


def _same(tables: Tables, v: int, other: int) -> bool:
    """Return whether customers of two variants go the same way until a policy contacts them, and it asks for nothing of before."""
    if tables.policy_trail[v].any() or ((tables.over[v] != 0) != (tables.over[other] != 0)).any():
        return False
    rows = int(tables.policy_rows[v])
    for field in Variant._fields:
        values = getattr(tables, field)
        one, two = values[v], values[other]
        if field in BY_ROW:
            one, two = one[..., :rows], two[..., :rows]
        if field not in OF_POLICIES and field != "over" and not np.array_equal(one, two):
            return False
    return True


def follow(tables: Tables, tally: Tally) -> None:
    """Count, in cases that followed the reference, what was counted there until they went on by themselves."""
    reference = tables.reference[0]
    before = np.arange(tally.flows.shape[2]) < tables.follows[:, :, np.newaxis]
    for name in BY_TENURE:
        counts = getattr(tally, name)
        where = before.reshape(before.shape + (1,) * (counts.ndim - 3))
        np.add(counts, counts[reference], out=counts, where=where)
