"""The Result: a scenario, what was counted in its run, and every measure of it as a tidy frame, made when first asked for."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.kernels.types import AFTER, BEFORE, PATTERNS, UNIT, Tables
from sim.scenario.model import Scenario
from sim.scenario.sample import cells

if TYPE_CHECKING:  # pandas takes longer to import than many a run takes: the modules that need it are imported on use
    import pandas as pd

    from sim.engine import Outcome
    from sim.exact import Exact
    from sim.measures.sample import Sample

FRAMES = (
    "clv",
    "ledger",
    "cash",
    "retention",
    "calendar_retention",
    "occupancy",
    "flows",
    "sojourns",
    "patterns",
    "equity",
    "replicates",
)
"""Frames of every Result; ``customers`` joins them where customers were kept."""


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """What a run found. Made by ``sim.simulate``.

    scenario: what was simulated; outcome: the counts, and how long they took; tables: what the kernels read.
    Each frame lists its columns where it is made, in ``sim.measures``. Money is in the scenario's currency, discounted to the customer's
    arrival (equity: to calendar 0); NaN is what is not defined.
    """

    scenario: Scenario
    outcome: "Outcome"
    tables_read: Tables

    @cached_property
    def sample(self) -> "Sample":
        """The counts cell by cell, from which every frame is made."""
        from sim.measures.sample import Sample

        variant = self.tables_read.variant[0, self.tables_read.segment]
        shifts = np.asarray(self.tables_read.square_shift)[variant].astype(np.int64)
        return Sample(self.scenario, cells(self.scenario), self.outcome.tally, shifts, self.outcome.kept)

    @cached_property
    def clv(self) -> "pd.DataFrame":
        """CLV per customer; see ``sim.measures.clv.clv``."""
        from sim.measures import clv

        return clv.clv(self.sample)

    @cached_property
    def ledger(self) -> "pd.DataFrame":
        """CLV by ledger column; see ``sim.measures.clv.ledger``."""
        from sim.measures import clv

        return clv.ledger(self.sample)

    @cached_property
    def cash(self) -> "pd.DataFrame":
        """Discounted cash by tenure; see ``sim.measures.clv.cash``."""
        from sim.measures import clv

        return clv.cash(self.sample)

    @cached_property
    def retention(self) -> "pd.DataFrame":
        """Survival, activity and retention by tenure; see ``sim.measures.retention.retention``."""
        from sim.measures import retention

        return retention.retention(self.sample)

    @cached_property
    def calendar_retention(self) -> "pd.DataFrame":
        """Retention by calendar period; see ``sim.measures.retention.calendar_retention``."""
        from sim.measures import retention

        return retention.calendar_retention(self.sample)

    @cached_property
    def occupancy(self) -> "pd.DataFrame":
        """Customers by stage, by tenure and calendar; see ``sim.measures.retention.occupancy``."""
        from sim.measures import retention

        return retention.occupancy(self.sample)

    @cached_property
    def flows(self) -> "pd.DataFrame":
        """Moves between stages; see ``sim.measures.retention.flows``."""
        from sim.measures import retention

        return retention.flows(self.sample)

    @cached_property
    def sojourns(self) -> "pd.DataFrame":
        """Stays in stages; see ``sim.measures.retention.sojourns``."""
        from sim.measures import retention

        return retention.sojourns(self.sample)

    @cached_property
    def patterns(self) -> "pd.DataFrame":
        """Life patterns; see ``sim.measures.retention.patterns``."""
        from sim.measures import retention

        return retention.patterns(self.sample)

    @cached_property
    def equity(self) -> "pd.DataFrame":
        """Customer equity at the firm's size; see ``sim.measures.equity.equity``."""
        from sim.measures import equity

        return equity.equity(self.sample)

    @cached_property
    def replicates(self) -> "pd.DataFrame":
        """Results of each replicate; see ``sim.measures.equity.replicates``."""
        from sim.measures import equity

        return equity.replicates(self.sample)

    @cached_property
    def customers(self) -> "pd.DataFrame":
        """One row a simulated customer, where ``run.keep_customers`` was set.

        Columns: replicate, cohort, segment, serial (in its cell), clv, clv_before_acquisition, pattern, lost_at (period at whose end first
        lost after having been active; missing for never), orders.
        """
        import pandas as pd

        kept, sample = self.outcome.kept, self.sample
        if kept is None:
            raise AttributeError("customers were not kept: simulate with run.keep_customers=true")
        sampled, cell = [c.sampled for c in sample.cells], sample.cell_of_row
        replicates = sample.tally.replicates.shape[0]
        serial = np.tile(np.concatenate([np.arange(n) for n in sampled]), replicates)
        lost = pd.Series(kept.lost_at[0], dtype="Int32")
        columns = {
            "replicate": np.repeat(np.arange(replicates), sum(sampled)),
            "cohort": np.array([sample.cohort_ids[c.cohort] for c in sample.cells])[cell],
            "segment": np.array([c.segment for c in sample.cells])[cell],
            "serial": serial,
            "clv": kept.clv[0, :, AFTER] / UNIT,
            "clv_before_acquisition": kept.clv[0, :, BEFORE] / UNIT,
            "pattern": np.array(PATTERNS)[kept.pattern[0]],
            "lost_at": lost.mask(lost < 0),
            "orders": kept.orders[0],
        }
        return pd.DataFrame(columns)

    @cached_property
    def exact(self) -> "Exact":
        """The exact answers of the same scenario; see ``sim.exact``."""
        from sim.exact import exact

        return exact(self.scenario)

    @cached_property
    def residual(self) -> dict[str, Any]:
        """Value per customer beyond the horizon; see ``sim.measures.summary.residual``."""
        from sim.measures import summary

        return summary.residual(self)

    @property
    def warnings(self) -> list[str]:
        """What a user should know of the scenario, and of the value beyond its horizon."""
        from sim.measures import summary
        from sim.scenario.checks import warnings

        return [*warnings(self.scenario), *summary.beyond_horizon(self)]

    def tables(self) -> "dict[str, pd.DataFrame]":
        """Return every frame by name."""
        names = FRAMES if self.outcome.kept is None else (*FRAMES, "customers")
        return {name: getattr(self, name) for name in names}

    def summary(self) -> dict[str, Any]:
        """Return what ``summary.json`` holds: plain values, None for what is not defined; see ``sim.measures.summary``."""
        from sim.measures import summary

        return summary.summary(self)

    @property
    def timing(self) -> dict[str, Any]:
        """Threads used and seconds taken: all that differs between runs of the same scenario."""
        return {f.name: getattr(self.outcome, f.name) for f in fields(self.outcome) if f.name not in ("tally", "kept")}

    def __repr__(self) -> str:
        row = self.clv.iloc[0]
        money = f"{row['mean']:,.2f} ± {row['se']:,.2f} {self.scenario.currency}".rstrip()
        periods = f"{self.sample.horizon} {self.scenario.period}s"
        return f"<Result of {self.scenario.name}: {row['customers']:,} customers over {periods}, CLV {money} (standard error)>"
