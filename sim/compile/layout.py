"""Where the rows lie: a stage at one stage age each."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sim.compile.policy import ages_needed
from sim.kernels.types import Array
from sim.scenario import Scenario


@dataclass(frozen=True)
class Layout:
    """Where the rows of each stage lie: one a stage age, stage by stage; then one a stage to arrive on; last, ``nowhere``.

    counts: (s,) ages; first: (s,) first row; total: rows in which periods are spent.
    """

    counts: Array
    first: Array
    total: int

    @property
    def stage(self) -> Array:
        """Stage of each of the ``total`` rows."""
        return np.repeat(np.arange(self.counts.size), self.counts)

    def by_row(self, values: Callable[[int, int], float]) -> Array:
        """Return a value by (stage, age) on every row, 0 on those in which no period is spent."""
        found = [values(s, row - int(self.first[s])) for row, s in enumerate(self.stage)]
        return np.array(found + [0.0] * (self.counts.size + 1))


def layout(scenario: Scenario, oldest: int) -> Layout:
    """Return the rows of a scenario whose existing customers are up to ``oldest`` periods in a stage."""
    counts = np.array([ages_needed(scenario, key, int(scenario.horizon) + oldest) for key in scenario.stages])
    return Layout(counts, np.concatenate([[0], np.cumsum(counts)[:-1]]), int(counts.sum()))
