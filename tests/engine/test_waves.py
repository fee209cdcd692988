"""Arrivals that depend on customers: against a slow population, one customer after the other, and against closed forms."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sim
from sim.compile import compile_tables
from sim.engine import run_waves, waves
from sim.kernels.types import ACQUISITION, AFTER, Tables
from sim.scenario.errors import ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.sample import cells, coupling, sainte_lague
from tests import base, zoo
from tests.naive import Life, live
from tests.running import assert_same, simulate

REPLICATES = 2


@dataclass
class Population:
    """One replicate, customer by customer: its lives by cell, who of them are recruits, and what later cohorts hear."""

    tables: Tables
    scenario: Scenario
    replicate: int
    lives: list[tuple[int, bool, Life]] = field(default_factory=list)
    pending: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))

    def grow(self) -> "Population":
        found, segments = coupling(self.scenario), len(self.scenario.segment_shares)
        for cohort, y in enumerate(found.arrival):
            planned = float(found.planned[cohort])
            if found.open[cohort]:
                if self.scenario.crowd:
                    here = self.active(y)
                    planned += self.scenario.crowd.strength * here * max(0.0, 1.0 - here / self.scenario.crowd.market)
                if y and self.active(y - 1):
                    planned *= np.exp(-self.heard(y - 1) / self.active(y - 1))
            for slot, count in enumerate(sainte_lague(found.shares, int(np.floor(planned + 0.5)))):
                for serial in range(count):
                    self.add(cohort * segments + slot, y, serial, None)
            for slot, identity in self.pending.pop(y, []):
                self.add(cohort * segments + slot, y, 0, identity)
        assert not self.pending
        return self

    def add(self, cell: int, y: int, serial: int, who: int | None) -> None:
        tables = self.tables if who is None else self.tables._replace(acquisition_units=self.tables.referral_units)
        life = live(tables, 0, cell, self.replicate, serial, int(self.scenario.horizon), who)
        self.lives.append((cell, who is not None, life))
        for t, identity in life.recruits:
            self.pending[y + t + 1].append((int(self.tables.segment[cell]), identity))

    def active(self, y: int) -> int:
        """Return the customers in an active stage at the start of a calendar period."""
        return sum(self.stage_at(cell, life, y) for cell, _, life in self.lives)

    def stage_at(self, cell: int, life: Life, y: int) -> bool:
        t = y - int(self.tables.arrival[cell])
        if not 0 <= t <= int(self.scenario.horizon):
            return False
        v = self.tables.variant[0, self.tables.segment[cell]]
        stage = int(self.tables.start_stage[v])
        for when, edge in life.moves:
            if when < t:
                stage = int(self.tables.row_stage[v, self.tables.edge_row[v, edge]])
        return int(self.tables.stage_kind[stage]) == 1

    def heard(self, y: int) -> float:
        steps = sum(life.dissuaded[y - int(self.tables.arrival[cell])] for cell, _, life in self.lives)
        return steps / 2.0**12


@pytest.mark.parametrize("name", zoo.COUPLED)
def test_waves_equal_a_slow_population(name: str) -> None:
    scenario = zoo.scenario(name, seed=77, replicates=REPLICATES)
    tables = compile_tables(scenario)
    outcome = simulate(scenario, tables)
    tally, came = outcome.tally, outcome.arrivals
    assert came is not None
    cash: Counter[tuple[int, ...]] = Counter()
    flows: Counter[tuple[int, ...]] = Counter()
    talk: Counter[tuple[int, ...]] = Counter()
    done: Counter[tuple[int, ...]] = Counter()
    people: Counter[tuple[int, int]] = Counter()
    recruits: Counter[tuple[int, int]] = Counter()
    worth: Counter[tuple[int, int]] = Counter()
    fees: Counter[tuple[int, int]] = Counter()
    for replicate in range(REPLICATES):
        for cell, recruited, life in Population(tables, scenario, replicate).grow().lives:
            cash.update({(cell, t, column): amount for (t, column), amount in life.cash.items()})
            flows.update((cell, t, edge) for t, edge in life.moves)
            talk.update((cell, t, 0) for t, _ in life.recruits)
            talk.update({(cell, t, 1): steps for t, steps in life.dissuaded.items()})
            for t, counts in life.done.items() if tally.activity.size else ():
                done.update({(cell, t, part, power): count ** (power + 1) for part, count in enumerate(counts) for power in (0, 1)})
            people[replicate, cell] += 1
            recruits[replicate, cell] += recruited
            worth[replicate, cell] += life.clv * recruited
            fees.update({(cell, t): amount for (t, column), amount in life.cash.items() if recruited and column == ACQUISITION})
    for place, amount in cash.items():
        high, low = tally.cash[0][place]
        assert int(high) * 2**32 + int(low) == amount
    assert {place: n for place, n in np.ndenumerate(tally.flows[0]) if n} == flows
    assert {place: n for place, n in np.ndenumerate(tally.talk[0]) if n} == {place: n for place, n in talk.items() if n}
    assert {place: n for place, n in np.ndenumerate(tally.activity[0]) if n} == {place: n for place, n in done.items() if n}
    assert {place: n for place, n in np.ndenumerate(came.customers[0]) if n} == people
    assert {place: n for place, n in np.ndenumerate(came.recruits[0]) if n} == {place: n for place, n in recruits.items() if n}
    assert {place: n for place, n in np.ndenumerate(came.fees[0] @ np.array([2**32, 1])) if n} == {
        place: n for place, n in fees.items() if n
    }
    for place, amount in worth.items():
        high, low = came.value[0][*place, AFTER]
        assert int(high) * 2**32 + int(low) == amount
    assert (
        tally.moments[0, :, :, AFTER, 0].sum()
        == tally.by_segment[0, :, AFTER].sum()
        == tally.by_cohort[0, :, AFTER].sum()
        == people.total()
    )
    if scenario.recruiting:
        assert recruits.total() > 20


@pytest.mark.jit
@pytest.mark.parametrize("name", zoo.COUPLED)
def test_threads_change_nothing(name: str) -> None:
    scenario = Scenario.model_validate(
        {**zoo.COUPLED[name], "run": {"replicates": 2}}
        | ({"cohorts": {"first": {"customers": [20_000, 500], "periods": 2}}} if name == "recruits" else {})
    )
    one, two = simulate(scenario, threads=1), simulate(scenario, threads=8)
    assert_same(one.tally, two.tally)
    assert one.arrivals is not None
    assert two.arrivals is not None
    for mine, theirs in zip(vars(one.arrivals).values(), vars(two.arrivals).values(), strict=True):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("crowded", [True, False])
def test_a_coupling_that_brings_nobody_changes_nothing(crowded: bool) -> None:
    """Planned customers have the luck that they have in an ordinary run."""
    common = {**zoo.COUPLED["recruits"], "word_of_mouth": {"reach": 0.0, "value": 0.0}, "crowd": None}
    quiet = {"crowd": {"strength": 0.0, "market": 1.0}} if crowded else {"word_of_mouth": {"reach": 0.0, "recruits": {"until": 6}}}
    plain, coupled = (Scenario.model_validate({**common, **change, "run": {"replicates": 2}}) for change in ({}, quiet))
    one, other = simulate(plain).tally, simulate(coupled).tally
    places = {cell.address: g for g, cell in enumerate(cells(coupled))}
    same = [places[cell.address] for cell in cells(plain)]
    for name, mine, theirs in zip(one._fields, one, other, strict=True):
        if mine.size == 0:
            assert theirs.size == 0 or name == "talk", name
        elif name in ("by_segment", "replicates"):
            assert np.array_equal(mine, theirs if name == "by_segment" else theirs[:, :, same]), name
        elif name not in ("talk", "by_cohort", "paths"):
            assert np.array_equal(mine, theirs[:, same]), name


def crowd(**changes: Any) -> Scenario:
    return Scenario.model_validate({**zoo.COUPLED["crowd"], **changes})


def test_a_crowd_grows_as_bass_says() -> None:
    """Nobody leaves: n(y + 1) = n + planned + strength n (1 - n / market), rounded as customers are."""
    stay = {"customer": {**zoo.COUPLED["crowd"]["stages"]["customer"], "to": {"lost": {"probability": 0.0}}}, "lost": {"kind": "lost"}}
    scenario = crowd(stages=stay, cohorts={"all": {"customers": 300, "periods": 9}}, crowd={"strength": 0.4, "market": 4000.0})
    came = simulate(scenario).arrivals
    assert came is not None
    n = 0
    for y in range(9):
        arrivals = int(np.floor(300 + 0.4 * n * max(0.0, 1 - n / 4000) + 0.5))
        assert came.customers[0, 0, y] == arrivals
        n += arrivals
    assert n > 2 * 9 * 300 * 0.7


def test_bad_talk_keeps_others_away() -> None:
    """All are wholly dissatisfied, so each dissuades reach x negativity: planned cohorts shrink by exp(-that)."""
    talk = {"reach": 0.2, "negativity": 2.0, "recruits": {}}
    scenario = crowd(satisfaction={"initial": 1.0, "speed": 0.0}, word_of_mouth=talk, crowd=None)
    came = simulate(scenario).arrivals
    assert came is not None
    assert came.recruits.sum() == 0
    assert came.customers[0, 0, :9].tolist() == [20] + [int(np.floor(20 * np.exp(-0.4) + 0.5))] * 8


def test_recruits_without_end_stop_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waves, "MOST_PEOPLE", 3000)
    talk = {"reach": 2.0, "recruits": {"until": 50}}
    scenario = crowd(satisfaction={"initial": 5.0, "speed": 0.0}, word_of_mouth=talk, crowd=None)
    with pytest.raises(ScenarioError, match=r"word_of_mouth.recruits: .*without end: more than 3,000"):
        run_waves(compile_tables(scenario), coupling(scenario), scenario.run, int(scenario.horizon))


def test_progress_is_told_wave_by_wave() -> None:
    scenario = zoo.scenario("crowd", replicates=2)
    seen: list[tuple[int, int]] = []
    run_waves(compile_tables(scenario), coupling(scenario), scenario.run, 12, lambda done, total: seen.append((done, total)))
    assert seen == [(k + 1, 18) for k in range(18)]


def test_who_is_gone_draws_no_crowd(tmp_path: Path) -> None:
    """Of existing customers with past orders those who are there at calendar 0 count, and no others."""
    rows = [{"stage": "customer", "x": x, "t_x": 2 * x, "T": 30} for x in (0, 1, 2)] * 40
    changes: dict[str, Any] = {
        "correlations": {},
        "cohorts": {"own": {"periods": 2, "customers": 100}},
        "crowd": {"strength": 1.0, "market": 1e6},
    }
    scenario = base.scenario("pareto_nbd", base.table(tmp_path, rows), **changes)
    result = sim.simulate(scenario)
    gone = int(result.outcome.tally.gone.sum())
    assert 0 < gone < 120
    there = 120 - gone
    first = result.occupancy.query("by == 'cohort' and clock == 'tenure' and period == 0 and stage == 'customer'")["customers"].iloc[0]
    assert first == np.floor(100 + there * (1 - there / 1e6) + 0.5)
