"""What the measures read: a scenario, its cells and the integers counted in them, with the few arrays they all derive from."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from sim.engine.run import Arrivals
from sim.kernels.types import ACQUISITION, ACTIVE, COLUMNS, FIRST_STREAM, LOST, PROSPECT, STAGE_KINDS, Array, Kept, Tally
from sim.measures.sums import Floats, money
from sim.scenario.model import Scenario
from sim.scenario.sample import REFERRED, Cell, cohorts

__all__ = ["ACQUISITION", "ACTIVE", "LOST", "PROSPECT", "Edge", "Group", "Sample"]


class Edge(NamedTuple):
    """A way out of a stage, at its place on the tally's edge axis."""

    stage: str
    id: str
    target: str
    cause: str
    source_index: int
    target_index: int


class Group(NamedTuple):
    """Cells that are reported together. by: all, segment, cohort or base; id: which; cells: indices ``(m,)``."""

    by: str
    id: str
    cells: Array


@dataclass(frozen=True, eq=False)
class Sample:
    """A simulated scenario, cell by cell (g axis; the tally's case 0).

    cells: what was sampled where; tally: the counts; shifts: ``(g,)`` exponents of ``Tally.cash_square``; kept: a row a customer, or
    None; came: who arrived in each replicate, where that depends on customers, else None.
    """

    scenario: Scenario
    cells: tuple[Cell, ...]
    tally: Tally
    shifts: Array
    kept: Kept | None = None
    came: Arrivals | None = None

    @property
    def horizon(self) -> int:
        """Periods simulated."""
        return int(self.tally.flows.shape[2])

    @cached_property
    def customers(self) -> Array:
        """Simulated customers ``(g,)``, over all replicates."""
        return np.asarray(self.tally.moments[0, :, :, 0, 0].sum(axis=1))

    @cached_property
    def simulated(self) -> int:
        """Customers simulated in a replicate; their mean, to whole ones, where arrivals depend on customers."""
        if self.came is None:
            return sum(cell.sampled for cell in self.cells)
        return int(np.floor(self.came.customers[0].sum(axis=1).mean() + 0.5))

    @cached_property
    def firm(self) -> Floats:
        """Customers of the firm ``(g,)``, the weights of all estimates."""
        return np.array([cell.firm for cell in self.cells])

    @cached_property
    def arrival(self) -> Array:
        """Calendar period of arrival ``(g,)``."""
        return np.array([cell.arrival for cell in self.cells])

    @property
    def replicates(self) -> int:
        """Replicates simulated: paths, where customers share luck."""
        return int(self.tally.replicates.shape[0])

    @property
    def independent(self) -> bool:
        """Whether customers share no luck: no market, none who comes because of another, none from whom the firm learns."""
        return self.scenario.market is None and not self.scenario.coupled and self.scenario.learning is None

    @property
    def shared(self) -> str:
        """What customers share a replicate of."""
        return "market path" if self.scenario.market else "arrival path" if self.scenario.coupled else "learning path"

    @property
    def keeps(self) -> bool:
        """Whether a share of all customers is kept: they start as such, not as prospects who are yet to be won."""
        return self.scenario.stages[self.scenario.start].kind != "prospect"

    @property
    def even(self) -> bool:
        """Whether every simulated customer stands for as many of the firm's, but for whole people."""
        rates = self.firm[self.customers > 0] / self.customers[self.customers > 0]
        return bool(rates.max() <= rates.min() * 1.02 + 1e-12) if rates.size else True

    def errors(self, se: Floats) -> Floats:
        """Return standard errors that take customers for independent; NaN where they are not."""
        return se if self.independent else np.full(np.shape(se), np.nan)

    @cached_property
    def cohort_ids(self) -> tuple[str, ...]:
        """Name of each cohort: of its entry, with the calendar period after a dot where there are several such; last, of the base."""
        entries = self.scenario.cohorts
        arriving = (
            f"{cohort.id}.{cohort.arrival}"
            if cohort.id == REFERRED or (cohort.id in entries and entries[cohort.id].periods > 1)
            else cohort.id
            for cohort in cohorts(self.scenario)
        )
        return (*arriving, *(["base"] if self.scenario.base else []))

    @cached_property
    def whole(self) -> Group:
        """All cells, the first of ``groups``."""
        return Group("all", "all", np.arange(len(self.cells)))

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """All cells; then each segment's and each cohort's, where the scenario lists any; then the base's."""
        return tuple(self._groups())

    def _groups(self) -> Iterator[Group]:
        yield self.whole
        if self.scenario.segments:
            for slot, segment in enumerate(self.scenario.segments):
                yield Group("segment", segment, np.array([g for g, cell in enumerate(self.cells) if cell.slot == slot]))
        if self.scenario.cohorts or self.scenario.base or self.scenario.coupled:
            for index, cohort in enumerate(self.cohort_ids):
                mine = np.array([g for g, cell in enumerate(self.cells) if cell.cohort == index])
                yield Group("base" if self.cells[mine[0]].base else "cohort", cohort, mine)

    @cached_property
    def stages(self) -> tuple[str, ...]:
        """Stages in file order."""
        return tuple(self.scenario.stages)

    @cached_property
    def kinds(self) -> Array:
        """PROSPECT, ACTIVE or LOST, by stage ``(s,)``."""
        return np.array([STAGE_KINDS.index(stage.kind) for stage in self.scenario.stages.values()])

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """Edges on the tally's edge axis: stages in file order, each its edges in file order."""
        return tuple(
            Edge(stage, edge, target, entry.cause or "", self.stages.index(stage), self.stages.index(target))
            for stage, source in self.scenario.stages.items()
            for edge, entry in source.to.items()
            for target in [self.scenario.target(stage, edge)]
        )

    @cached_property
    def arrivals(self) -> Array:
        """Moves into each stage from another one at the end of period t ``(g, t, s)``."""
        return self._ends(entering=True)

    @cached_property
    def departures(self) -> Array:
        """Moves out of each stage to another one at the end of period t ``(g, t, s)``."""
        return self._ends(entering=False)

    def _ends(self, entering: bool) -> Array:
        flows = self.tally.flows[0]
        moves = np.zeros((*flows.shape[:2], len(self.stages)), dtype=np.int64)
        for e, edge in enumerate(self.edges):
            if edge.source_index != edge.target_index:
                moves[:, :, edge.target_index if entering else edge.source_index] += flows[:, :, e]
        return moves

    @cached_property
    def starts(self) -> Array:
        """Customers who start in each stage ``(g, s)``: new ones all in one."""
        found = np.zeros((len(self.cells), len(self.stages)), dtype=np.int64)
        found[:, self.stages.index(self.scenario.start)] = self.customers
        existing = self.scenario.existing
        if existing is not None:
            replicates = self.tally.replicates.shape[0]
            for g, cell in enumerate(self.cells):
                if cell.base:
                    found[g] = existing.counts[cell.slot] * replicates
        if self.tally.gone.size > 0:  # by calendar 0 they have left the first stage by its one way out
            start = self.stages.index(self.scenario.start)
            lost = next(edge.target_index for edge in self.edges if edge.source_index == start)
            found[:, start] -= self.tally.gone[0, :, 0]
            found[:, lost] += self.tally.gone[0, :, 0]
        return found

    @cached_property
    def occupancy(self) -> Array:
        """Customers in each stage at the start of period t, and at the horizon ``(g, t + 1, s)``: everybody starts, then flows."""
        held = np.zeros((len(self.cells), self.horizon + 1, len(self.stages)), dtype=np.int64)
        held[:, 0] = self.starts
        held[:, 1:] = self.arrivals - self.departures
        return np.cumsum(held, axis=1)

    @cached_property
    def active(self) -> Array:
        """Customers in an active stage ``(g, t + 1)``."""
        return self.in_kind(ACTIVE)

    def in_kind(self, kind: int) -> Array:
        """Return customers in a stage of a kind ``(g, t + 1)``."""
        return np.asarray(self.occupancy[:, :, self.kinds == kind].sum(axis=2))

    def moves(self, source: int, target: int) -> Array:
        """Return moves between two kinds of stages at the end of period t ``(g, t)``."""
        ends = [(self.kinds[edge.source_index], self.kinds[edge.target_index]) for edge in self.edges]
        along = [e for e, kinds in enumerate(ends) if kinds == (source, target)]
        return np.asarray(self.tally.flows[0][:, :, along].sum(axis=2))

    @cached_property
    def stayed_active(self) -> Array:
        """Customers active at t who are active at t + 1 ``(g, t)``."""
        return self.active[:, :-1] - self.moves(ACTIVE, LOST) - self.moves(ACTIVE, PROSPECT)

    @cached_property
    def once_active(self) -> Array:
        """Customers who have been active by t ``(g, t + 1)``."""
        starts = self.starts[:, self.kinds == ACTIVE].sum(axis=1)
        return np.cumsum(np.concatenate([starts[:, None], self.tally.conversions[0]], axis=1), axis=1)

    @cached_property
    def lost_by(self) -> Array:
        """Customers once active who have been lost by t ``(g, t + 1)``."""
        losses = self.tally.losses[0]
        return np.cumsum(np.concatenate([np.zeros_like(losses[:, :1]), losses], axis=1), axis=1)

    @cached_property
    def cash(self) -> Array:
        """Discounted money of each period and ledger column in units, Python integers ``(g, t, column)``; last, where there are any,
        the cost of policies, and referral fees, which the tally counts as acquisition.
        """
        found = money(self.tally.cash[0])
        if self.scenario.policies:
            found = np.concatenate([found, money(self.tally.policy[0][..., 3:]).sum(axis=2)[..., None]], axis=2)
        if not self.referring:
            return found
        assert self.came is not None
        fees = money(self.came.fees[0])
        found[:, :, ACQUISITION] -= fees
        return np.concatenate([found, fees[..., None]], axis=2)

    @cached_property
    def winning(self) -> list[int]:
        """Places of the ledger columns of what winning customers cost: acquisition, and referral fees."""
        return [place for column, place in self.columns.items() if column in ("acquisition", "referral")]

    @cached_property
    def referring(self) -> bool:
        """Whether recruits cost a fee."""
        talks = (part.word_of_mouth for part in self.scenario.by_segment.values())
        return any(talk is not None and talk.recruits is not None and talk.recruits.fee > 0 for talk in talks)

    @cached_property
    def contacted(self) -> bool:
        """Whether customers get in touch by themselves."""
        parts = self.scenario.by_segment.values()
        return any(any(stage.contacts) for part in parts for stage in part.stages.values())

    @cached_property
    def informed(self) -> bool:
        """Whether some of these contacts are worth something."""
        parts = self.scenario.by_segment.values()
        return any(any(stage.contacts) and any(stage.information_per_contact) for part in parts for stage in part.stages.values())

    @cached_property
    def columns(self) -> dict[str, int]:
        """Ledger columns that are reported and their places: of the streams, which are worth something beside purchases, those on."""
        parts = self.scenario.by_segment.values()
        stages = [stage for part in parts for stage in part.stages.values()]
        earned = {
            "word_of_mouth": self.scenario.word_of_mouth is not None,
            "information": any(any(stage.information) for stage in stages) or self.informed,
            "knowledge": any(any(stage.knowledge) for stage in stages),
            "transaction": any(any(stage.fees) for stage in stages),
            "sales": any(any(stage.sales_cost) for stage in stages),
        }
        found = {column: c for c, column in enumerate(COLUMNS) if c < FIRST_STREAM or earned[column]}
        beside = [*(["policy"] if self.scenario.policies else []), *(["referral"] if self.referring else [])]
        return found | {column: len(COLUMNS) + c for c, column in enumerate(beside)}

    @cached_property
    def cell_of_row(self) -> Array:
        """Cell of each kept customer ``(n,)``: by replicate, cell and serial."""
        sampled = np.array([cell.sampled for cell in self.cells])
        return np.tile(np.repeat(np.arange(len(self.cells)), sampled), self.tally.replicates.shape[0])
