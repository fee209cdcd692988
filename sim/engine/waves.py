"""Arrivals that depend on customers: the calendar in waves, each cohort sized by those before it, and its recruits with it.

Nobody's life depends on another's, only when and whether it begins. So each wave lives to its end before the next one arrives, on all
threads, as any run does; what it leaves for later waves is how many are active in each calendar period, what the dissatisfied say,
and the recruits. Cases and replicates go one after the other.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from sim.engine.arrays import canonical, empty_kept, empty_state, empty_tally, refuse_full, width
from sim.engine.run import Arrivals, Outcome, available_threads, chunks, compile_now, count_groups, groups, on_threads, through_groups
from sim.kernels.drivers import run_groups
from sim.kernels.types import ACQUISITION, ACTIVE, FELT, GROUP, WAS_ACTIVE, Array, Tables, Tally
from sim.scenario.arrivals import MOST_PEOPLE, Coupling
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.sample import sainte_lague
from sim.scenario.world import Run


@dataclass
class World:
    """One replicate of one case under way.

    people: so far; active: customers in an active stage by calendar period; talk: what the dissatisfied said in it, people reached;
    pending: (segment, arrival, identity) of recruits by period of arrival.
    """

    case: int
    replicate: int
    active: Array
    talk: Array
    people: int = 0
    pending: dict[int, list[Array]] = field(default_factory=lambda: defaultdict(list))


def run_waves(
    tables: Tables, coupling: Coupling, settings: Run, horizon: int, on_progress: Callable[[int, int], None] | None = None
) -> Outcome:
    """Simulate all cases and replicates of a scenario whose arrivals depend on customers.

    on_progress: called after each wave with the waves done and those to do. Raises ScenarioError where recruits come without end.
    """
    started = time.perf_counter()
    cases, cells = len(tables.variant), tables.segment.size
    total = empty_tally(tables, horizon, settings.replicates)
    shape = (cases, settings.replicates, cells)
    sizes = (shape, shape, (*shape, 2, 2), (cases, cells, horizon, 2))
    arrivals = Arrivals(*(np.zeros(size, np.int64) for size in sizes))
    threads = min(settings.threads or available_threads(), 256)
    last = max(coupling.arrival, default=0) + horizon + 2
    compile_now(run_groups, tables, empty_kept(1, 0), horizon, settings.replicates, empty_state(tables, 0, 0))
    waves, done = len(coupling.arrival) or 1, 0
    for case in range(cases):
        for replicate in range(settings.replicates):
            world = World(case, replicate, np.zeros(last), np.zeros(last))
            engine = _Engine(tables, coupling, world, total, arrivals, threads)
            engine.existing()
            for cohort in range(len(coupling.arrival)):
                engine.wave(cohort)
                done += 1
                if on_progress is not None:
                    on_progress(done, waves * cases * settings.replicates)
    sampled = tuple(int(n) for n in arrivals.customers[0, 0])
    return Outcome(sampled, canonical(total), None, threads, time.perf_counter() - started, arrivals)


@dataclass(frozen=True)
class _Engine:
    """What every wave of a replicate needs; ``total`` and ``arrivals`` are added to."""

    tables: Tables
    coupling: Coupling
    world: World
    total: Tally
    arrivals: Arrivals
    threads: int

    def existing(self) -> None:
        """Let the firm's existing customers live, who are there before anybody arrives."""
        base = np.flatnonzero(self.tables.base_first >= 0)
        if base.size:
            first = np.append(self.tables.base_first[base], self.tables.base_standing.size)
            self._live(len(self.coupling.arrival), base, np.diff(first), self.tables)

    def wave(self, cohort: int) -> None:
        """Let a cohort live, as planned and as drawn, and its recruits."""
        coupling, world, segments = self.coupling, self.world, len(self.coupling.shares)
        y, cells = coupling.arrival[cohort], np.arange(cohort * segments, (cohort + 1) * segments)
        planned = float(coupling.planned[cohort])
        if coupling.open[cohort]:
            if coupling.crowd is not None:
                strength, market = coupling.crowd
                planned += strength * world.active[y] * max(0.0, 1.0 - world.active[y] / market)
            if y > 0 and world.active[y - 1] > 0:
                planned *= np.exp(-world.talk[y - 1] / world.active[y - 1])
        count = int(np.floor(planned + 0.5))
        if count > 0:
            self._live(cohort, cells, np.array(sainte_lague(coupling.shares, count)), self.tables)
        recruits = world.pending.pop(y, [])
        if recruits:
            self._recruits(cohort, cells, np.concatenate(recruits))

    def _recruits(self, cohort: int, cells: Array, recruits: Array) -> None:
        """Let recruits live: in order of segment and identity, at the cost of a referral."""
        recruits = recruits[np.lexsort((recruits[:, 2], recruits[:, 0]))]
        counts = np.bincount(recruits[:, 0].astype(np.int64), minlength=len(cells))
        tables = self.tables._replace(
            recruits=np.append(recruits[:, 2], np.zeros(GROUP, np.uint64)),
            acquisition_units=self.tables.referral_units,
        )
        first = np.zeros(self.tables.segment.size, np.int64)
        first[cells] = np.cumsum(counts) - counts
        tally = self._live(cohort, cells, counts, tables._replace(recruit_first=first))
        case, replicate = self.world.case, self.world.replicate
        self.arrivals.value[case, replicate, cells] += tally.replicates[replicate, 0]
        self.arrivals.recruits[case, replicate, cells] += counts
        self.arrivals.fees[case, cells] += tally.cash[0, :, :, ACQUISITION]

    def _live(self, cohort: int, cells: Array, counts: Array, tables: Tables) -> Tally:
        """Simulate ``counts`` customers of some cells of one arrival; return what was counted of them."""
        world = self.world
        world.people += int(counts.sum())
        y = int(tables.arrival[cells[0]])
        self._limit(world.people, y)
        part = _only(tables, cells, world.case)
        horizon, replicates = self.total.flows.shape[2], self.total.replicates.shape[0]
        nobody = [0] * len(cells)
        every = ((world.replicate, *rest) for _, *rest in groups(nobody, counts.tolist(), 1, keep=False))
        n_groups = count_groups(nobody, counts.tolist())
        threads = max(1, min(self.threads, n_groups))
        try:
            sizes, among = (threads, horizon, replicates, width(int(counts.max()))), chunks(every, n_groups, threads)
            tally, recruits = on_threads(through_groups, part, empty_kept(1, 0), among, sizes, int(counts.sum()), None)
        except OverflowError:
            self._limit(MOST_PEOPLE + 1, y)
            raise
        self.arrivals.customers[world.case, world.replicate, cells] += counts
        world.active[y : y + horizon + 1] += active(part, tally, counts)
        if tally.talk.shape[3]:
            world.talk[y : y + horizon] += tally.talk[0, :, :, 1].sum(axis=0) / FELT
        for arrival in np.unique(recruits[:, 1]):
            world.pending[int(arrival)].append(recruits[recruits[:, 1] == arrival])
        add_part(self.total, tally, world.case, cells, cohort)
        return tally

    def _limit(self, people: int, y: int) -> None:
        """Stop a population that grows beyond all measure."""
        if people > MOST_PEOPLE:
            rule = f"customers bring others without end: more than {MOST_PEOPLE:,} of them by calendar period {y}"
            raise ScenarioError([Fault("word_of_mouth.recruits", "", rule, "give a smaller reach, or an earlier until")])


def _only(tables: Tables, cells: Array, case: int) -> Tables:
    """Return the tables of some cells of one cohort and one case, as if there were no others."""
    return tables._replace(
        variant=tables.variant[case : case + 1],
        segment=tables.segment[cells],
        cohort=np.zeros(len(cells), np.uint32),
        arrival=tables.arrival[cells],
        address=tables.address[cells],
        base_first=tables.base_first[cells],
        recruit_first=tables.recruit_first[cells],
    )


def active(tables: Tables, tally: Tally, counts: Array) -> Array:
    """Return how many customers of one wave are in an active stage at the start of each period, and at the horizon, (t + 1,)."""
    is_active = tables.stage_kind == ACTIVE
    variant = tables.variant[0, tables.segment]
    starts = -int(tally.gone.sum())
    for g, count in enumerate(counts.tolist()):
        if tables.base_first[g] >= 0:
            at = slice(int(tables.base_first[g]), int(tables.base_first[g]) + count)
            rows = tables.standing_row[tables.standing_first[variant[g]].astype(np.int64) + tables.base_standing[at].astype(np.int64)]
            starts += int(is_active[tables.row_stage[variant[g], rows]].sum())
        else:
            starts += count * int(is_active[tables.start_stage[variant[g]]])
    change = ((tables.edge_does & WAS_ACTIVE) != 0).astype(np.int64) - is_active[tables.edge_source]
    flows = tally.flows[0].sum(axis=0) @ change
    return starts + np.concatenate([[0], np.cumsum(flows)])


def add_part(total: Tally, part: Tally, case: int, cells: Array, cohort: int) -> None:
    """Add a wave's counts to the whole run's; raise ScenarioError as ``refuse_full`` does."""
    for name, whole, mine in zip(Tally._fields, total, part, strict=True):
        if name == "paired" or whole.size == 0:
            continue
        if name == "replicates":
            whole[:, case, cells] += mine[:, 0]
        elif name == "by_segment":
            whole[case] += mine[0]
        elif name == "by_cohort":
            whole[case, cohort] += part.by_segment[0].sum(axis=0)
        elif name == "extremes":
            whole[case, cells, :, 0] = np.minimum(whole[case, cells, :, 0], mine[0, :, :, 0])
            whole[case, cells, :, 1] = np.maximum(whole[case, cells, :, 1], mine[0, :, :, 1])
        else:
            whole[case, cells] += mine[0]
    refuse_full(total)
