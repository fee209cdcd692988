"""Where stages lie: a row for each stage and stage age, an edge for each way out; and in which rows nothing happens any more."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sim.compile.policy import ages_needed
from sim.kernels.types import OVER, OVER_UNTREATED, Array
from sim.scenario import Scenario


def edge_ends(scenario: Scenario) -> list[tuple[int, int]]:
    """Return the stages each edge leads out of and into; the e axis, in file order."""
    ids = list(scenario.stages)
    return [(s, ids.index(scenario.target(key, edge))) for s, (key, stage) in enumerate(scenario.stages.items()) for edge in stage.to]


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the rows of each stage lie: one a stage age, stage by stage; then one a stage to arrive on; last, ``nowhere``.

    counts: (s,) ages; first: (s,) first row; total: rows in which periods are spent.
    """

    counts: Array
    first: Array
    total: int

    @cached_property
    def stage(self) -> Array:
        """Stage of each of the ``total`` rows."""
        return np.repeat(np.arange(self.counts.size), self.counts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layout) and np.array_equal(self.counts, other.counts)

    def by_row(self, values: Callable[[int, int], float]) -> Array:
        """Return a value by (stage, age) on every row, 0 on those in which no period is spent."""
        found = [values(s, age) for s, count in enumerate(self.counts.tolist()) for age in range(count)]
        return np.array(found + [0.0] * (self.counts.size + 1))


def layout(scenario: Scenario, oldest: int) -> Layout:
    """Return the rows of a scenario whose existing customers are up to ``oldest`` periods in a stage."""
    counts = np.array([ages_needed(scenario, key, int(scenario.horizon) + oldest) for key in scenario.stages])
    return Layout(counts, np.concatenate([[0], np.cumsum(counts)[:-1]]), int(counts.sum()))


def busy(scenario: Scenario, rows: Layout, parts: Mapping[str, Array]) -> dict[str, Array]:
    """Return on which rows customers bring or cost something beside what they buy, or somebody counts what they feel and do, (r,) bool."""
    counted = scenario.minded or scenario.acting
    stages = list(scenario.stages.values())
    watched = rows.by_row(lambda s, _: float(counted and stages[s].kind == "active"))
    found = (parts["service_units"] != 0) | np.any(parts["stream_units"] != 0, axis=1) | (watched != 0)
    if scenario.purchases.kind != "subscription":
        found |= parts["orders"] != 0
    return {"busy": np.asarray(found)}


def over(rows: Layout, parts: dict[str, Array]) -> dict[str, Array]:
    """Say on which rows nothing happens to a customer any more, whether some stage ages into one, and which edges lead to such a stage.

    Taken out of ``parts``: busy, (r,) bool; locked, (r,) bool, rows without a way out under any policy; final, (s,) bool, stages without
    an edge.
    """
    idle = ~(parts.pop("busy") | (parts["purchase_units"] != 0))
    done = parts.pop("final") & (np.bincount(rows.stage, ~idle[: rows.total], rows.counts.size) == 0)
    aged = idle & parts.pop("locked") & (parts["stay_row"] == np.arange(idle.size)) & ~parts["policy_who"].any(axis=0)
    aged[rows.total :] = False
    found = np.where(aged, OVER_UNTREATED, 0)
    found[: rows.total][done[rows.stage]] = OVER
    return {
        "over": found.astype(np.uint32),
        "ends": np.array(np.any(found == OVER_UNTREATED) and parts["ageing"], np.uint32),
        "edge_drops": done[parts.pop("targets")].astype(np.uint32),
    }
