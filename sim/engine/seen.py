"""What can be known of the customers whom a policy may contact, between two kernels: as plain arrays, an entry a customer."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sim.kernels.drivers import CELL
from sim.kernels.types import LEVEL, SATISFACTION, TRUST, UNIT, Array, State, Tables

LATENT = {"satisfaction": SATISFACTION, "trust": TRUST, "level": LEVEL}
"""Rows of ``State.mind`` that an oracle sees."""


@dataclass(frozen=True)
class Candidates:
    """Customers of one tenure, n of them, whom policy p of case k may contact. at: (n,) places in the flat state, ascending.

    groups: rows of the driver's ``groups``; tenure: periods since arrival; period: of the calendar.
    """

    tables: Tables
    groups: Array
    state: State
    k: int
    p: int
    tenure: int
    period: int
    at: Array

    @property
    def group(self) -> Array:
        """Which group each is in, (n,)."""
        return np.asarray(self.at // self.state.row.shape[1])

    @property
    def place(self) -> Array:
        """Its place in there, (n,)."""
        return np.asarray(self.at % self.state.row.shape[1])

    @property
    def segment(self) -> Array:
        """Segment, (n,), by its place in the scenario."""
        return np.asarray(self.tables.segment[self.groups[self.group, CELL]].astype(np.int64))

    @property
    def row(self) -> Array:
        """Stage at one stage age, (n,), a row of the tables."""
        return np.asarray(self.state.row.reshape(-1)[self.at])

    @property
    def periods_since(self) -> Array:
        """Periods since the policy was last taken up, (n,), -1 where it is not in force."""
        since = self.state.since[self.group, self.p, self.place].astype(np.int64)
        return np.where(self.state.takes.reshape(-1)[self.at] >= 2, self.tenure + 1 - since, -1)

    def seen(self, name: str) -> Array:
        """Return one column of what a function may see, (n,); ``sim.studies.functions`` says what each is."""
        return np.ascontiguousarray(COLUMNS[name](self))


def _since_contact(found: Candidates) -> Array:
    asked = found.state.asked[found.group, found.p, found.place].astype(np.int64)
    return np.where(asked == 0, -1, found.tenure + 1 - asked)


def _survey(found: Candidates) -> Array:
    sign = found.tables.policy_rank[found.tables.variant[found.k, found.segment], found.p, 1]
    return np.asarray(sign * found.state.score.reshape(-1)[found.at].astype(np.float64))


def _mind(row: int) -> Callable[[Candidates], Array]:
    return lambda found: found.state.mind[found.group, row, found.place].astype(np.float64)


COLUMNS: dict[str, Callable[[Candidates], Array]] = {
    "tenure": lambda found: np.full(found.at.size, found.tenure, np.int64),
    "period": lambda found: np.full(found.at.size, found.period, np.int64),
    "segment": lambda found: found.segment,
    "orders": lambda found: found.state.orders.reshape(-1)[found.at].astype(np.int64),
    "value": lambda found: found.state.clv.reshape(-1)[found.at] / UNIT,
    "in_force": lambda found: found.state.takes.reshape(-1)[found.at] >= 2,
    "since_contact": _since_contact,
    "survey": _survey,
    "stage": lambda found: found.tables.row_stage[found.tables.variant[found.k, found.segment], found.row].astype(np.int64),
    **{name: _mind(row) for name, row in LATENT.items()},
}

Judge = Callable[[Candidates], Array]
"""Says of each candidate whether it is contacted, (n,) bool, or how high it ranks, (n,) float32."""


@dataclass(frozen=True)
class Judges:
    """What stands beside a policy's own conditions and rank: trigger, bool; score, float32, the highest first; None where nothing does."""

    trigger: Judge | None = None
    score: Judge | None = None
