"""The firm learns from its customers: what they have told it by a calendar period raises the quality of that period, for all of them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sim.kernels.types import CONTACTS, Array, Tables, Tally
from sim.scenario.offer import Learning


@dataclass(eq=False)
class Learner:
    """What one case's firm has learned in the replicate under way.

    how: of the scenario; tables: whose ``quality`` it raises, row by row of its case k; weight: ``(g,)`` customers of the firm that a
    simulated one stands for; told: contacts of the firm so far.
    """

    how: Learning
    tables: Tables
    k: int
    weight: Array
    told: float = 0.0

    def __post_init__(self) -> None:
        """Keep quality as the scenario has it."""
        self.rows = np.unique(self.tables.variant[self.k])
        self.first = self.tables.quality[self.rows].astype(np.float64)

    def learn(self, tallies: Iterable[Tally], y: int) -> None:
        """Set the quality of calendar period y, before anybody lives it; tallies: of this replicate, up to the end of y - 1."""
        self.told = self.told + self._heard(tallies, y - 1) if y > 0 else 0.0
        self.tables.quality[self.rows, y] = self.first[:, y] + self.how.points(self.told)

    def _heard(self, tallies: Iterable[Tally], y: int) -> float:
        """Return the contacts of the firm in a calendar period: whole numbers by cell, then cell after cell."""
        tenure = y - self.tables.arrival.astype(np.int64)
        counts = np.zeros(tenure.size, np.int64)
        for tally in tallies:
            found = tally.activity[self.k, :, :, CONTACTS, 0]
            here = np.flatnonzero((tenure >= 0) & (tenure < found.shape[1]))
            counts[here] += found[here, tenure[here]]
        return math.fsum(count * weight for count, weight in zip(counts.tolist(), self.weight.tolist(), strict=True))
