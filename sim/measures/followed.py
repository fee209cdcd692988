"""What the measures of single customers read: a sample's panel, with the arrays they all derive from, and estimates over it.

Sums of floats are taken customer after customer in a fixed order, so that equal panels give equal digits on any machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sim.engine.panel import Panel
from sim.kernels.types import SALES, SUBSCRIPTION, UNIT, Array, Tables
from sim.measures.sample import ACTIVE, Group, Sample
from sim.measures.sums import Floats, divide, stratified
from sim.scenario.model import Scenario
from sim.scenario.sample import Cell, sainte_lague


def counts(scenario: Scenario, sampled: Sequence[Cell]) -> list[int]:
    """Return how many customers of each cell the panel holds: ``run.panel``, dealt as the firm's planned ones are, if simulated."""
    seats = sainte_lague([cell.planned for cell in sampled], scenario.run.panel)
    return [min(seat, cell.sampled) for seat, cell in zip(seats, sampled, strict=True)]


def stood(scenario: Scenario, sampled: Sequence[Cell], each: Sequence[int]) -> Array:
    """Return the periods that customers of the panel ``(n,)``, ``each`` of a cell, had spent in their stage by calendar 0."""
    existing, found = scenario.existing, np.zeros(sum(each), np.int64)
    starts = np.cumsum(each) - each
    for cell, start, n in zip(sampled, starts, each, strict=True):
        if existing is not None and cell.base:
            found[start : start + n] = existing.age[existing.of(cell.slot)][:n]
    return found


@dataclass(frozen=True, eq=False)
class Followed:
    """A sample and its panel (n customers, T periods, G cells).

    sample: of the whole run; panel: the customers followed; tables: what the kernels read.
    """

    sample: Sample
    panel: Panel
    tables: Tables

    @property
    def year(self) -> int:
        """Periods in a year."""
        return self.sample.scenario.periods_per_year

    @property
    def years(self) -> int:
        """Whole years within the horizon."""
        return self.sample.horizon // self.year

    @cached_property
    def counts(self) -> Array:
        """Customers of the panel in each cell ``(G,)``."""
        return np.array(self.panel.counts, dtype=np.int64)

    @cached_property
    def weight(self) -> Floats:
        """Customers of the firm that each stands for ``(n,)``."""
        return divide(self.sample.firm, self.counts.astype(np.float64), 0.0)[self.panel.cell]

    @cached_property
    def kind(self) -> Array:
        """PROSPECT, ACTIVE or LOST ``(T + 1, n)``."""
        return self.sample.kinds[self.panel.stage]

    @cached_property
    def active(self) -> Array:
        """Who is in an active stage ``(T + 1, n)``."""
        return np.asarray(self.kind == ACTIVE)

    @cached_property
    def net(self) -> Array:
        """Discounted cash of each period, acquisition cost included ``(T, n)`` int64 units."""
        return np.diff(self.panel.clv, axis=0)

    @cached_property
    def earned(self) -> Floats:
        """Discounted cash of each period before acquisition cost ``(T, n)``, currency."""
        return (self.net - np.diff(self.panel.acquisition, axis=0)) / UNIT

    @cached_property
    def cash(self) -> Floats:
        """Cash of each period before acquisition cost ``(T, n)``, currency, as of the period's start."""
        return self.earned / self.factors[:, None]

    @cached_property
    def factors(self) -> Floats:
        """Discount factor of the start of t ``(T,)``."""
        return np.array([self.sample.scenario.discount_factor**t for t in range(self.sample.horizon)])

    @cached_property
    def subscribed(self) -> Array:
        """Who pays every period rather than by the order ``(n,)``."""
        return np.asarray(self.tables.purchase[self.panel.variant] == SUBSCRIPTION)

    def by_row(self, table: Array) -> Floats:
        """Look up ``(v, r)`` at what each customer holds ``(T + 1, n)``."""
        return np.asarray(table[self.panel.variant, self.panel.row], dtype=np.float64)

    @cached_property
    def full(self) -> Floats:
        """Profit on purchases a period, before cost to serve, at the customer's whole wallet ``(T + 1, n)``, currency."""
        orders = np.where(self.subscribed, 1.0, self.by_row(self.tables.orders))
        return self.by_row(self.tables.purchase_units) / UNIT * orders * self.panel.spend

    @cached_property
    def served(self) -> Floats:
        """Cost to serve and to sell a period, at the rates of the stage held ``(T + 1, n)``, currency, 0 or more."""
        return -(self.by_row(self.tables.service_units) + self.by_row(self.tables.stream_units[:, SALES])) / UNIT

    @cached_property
    def level(self) -> Floats:
        """Share of wallet that t begins with ``(T + 1, n)``: 1 where the level is off."""
        share, on = np.ones(self.panel.row.shape), self.tables.levelled[self.panel.variant] != 0
        if on.any():
            share[:, on] = self.tables.level[self.panel.variant[on], 0]
            share[1:, on] = self.panel.mind["level"][:, on]
        return share

    def by_cell(self, values: Floats) -> Floats:
        """Return sums over the customers of each cell ``(G, ...)`` of values ``(..., n)``."""
        flat = values.reshape(-1, values.shape[-1])
        cells = len(self.counts)
        sums = [np.bincount(self.panel.cell, weights=row, minlength=cells) for row in flat]
        found: Floats = np.array(sums, dtype=np.float64).reshape(*values.shape[:-1], cells)
        return np.moveaxis(found, -1, 0)

    def sums(self, values: Floats, those: Array) -> tuple[Floats, Floats, Floats]:
        """Return by cell ``(G, ...)`` the sum of values over ``those``, how many they are, and the sum of squared deviations.

        values, those: ``(..., n)``, those for whom a value counts.
        """
        known = np.where(those, values, 0.0)
        top, base = self.by_cell(known), self.by_cell(np.broadcast_to(those, known.shape).astype(np.float64))
        middle = np.moveaxis(divide(top, base, 0.0)[self.panel.cell], 0, -1)
        return top, base, self.by_cell(np.where(those, (known - middle) ** 2, 0.0))

    def mean(self, sums: tuple[Floats, Floats, Floats], group: Group) -> tuple[Floats, Floats, Array]:
        """Return a group's mean, its standard error and the customers it is of ``(...)``, from ``sums``.

        The error is NaN where customers share luck.
        """
        some = group.cells
        top, base, deviation = (part[some] for part in sums)
        found, se = stratified(top, base, deviation, self.counts[some], self.sample.firm[some])
        return found, self.sample.errors(se), base.sum(axis=0).astype(np.int64)
