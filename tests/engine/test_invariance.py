"""The same result to the last bit: threads, drivers, order, sample size, cases; and with and without JIT."""

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.compile import compile_tables
from sim.engine import arrays
from sim.engine import run as engine_run
from sim.engine.run import groups
from sim.kernels.drivers import run_groups
from sim.kernels.types import Kept, Tally
from sim.measures.paired import case_of
from sim.scenario.model import Scenario
from sim.scenario.sample import cells
from tests import zoo
from tests.running import assert_same, digest, simulate

pytestmark = pytest.mark.usefixtures("small_groups")

GOLDEN = Path(__file__).parent / "golden.json"
"""Hashes of the tallies of 500 customers of every scenario of the zoo. They change only with a new ``draws`` number or a stated
mechanism; 'python -m tests.engine.test_invariance' renews them."""


def golden(name: str) -> str:
    """Return a scenario's hash: of 500 customers, of all where arrivals depend on them."""
    size = {} if name in zoo.COUPLED else {"customers": 500}
    return digest(simulate(zoo.scenario(name, **size, seed=20_261_122)).tally)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", [*zoo.ZOO, *zoo.COUPLED])
def test_golden(name: str) -> None:
    """The same with JIT, without, on one thread, on any machine: every mode of the suite compares with one stored hash."""
    assert golden(name) == json.loads(GOLDEN.read_text())[name]


@pytest.mark.jit
@pytest.mark.parametrize("name", zoo.ZOO)
def test_threads_and_drivers(name: str) -> None:
    """None takes the threads that the machine has; 60 groups are some fifteen chunks, most of them as small as chunks become."""
    scenario = zoo.scenario(name, customers=30_000, replicates=2)
    tables = compile_tables(scenario)
    one = simulate(scenario, tables, threads=1).tally
    for threads in (None, 2, 8):
        assert_same(one, simulate(scenario, tables, threads=threads).tally)
    assert_same(one, simulate(scenario, tables, driver="period").tally)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", ["pareto_nbd", "mindful_orders", "chain"])
def test_what_is_kept_by_either_driver(name: str) -> None:
    """The same of every customer, in which batches ever; and keeping it moves no draw."""
    scenario = zoo.scenario(name, customers=1100, replicates=2)
    one, other = (simulate(scenario, keep_customers=True, driver=driver) for driver in ("group", "period"))
    assert one.kept is not None
    assert other.kept is not None
    for mine, theirs in zip(one.kept, other.kept, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert_same(one.tally, simulate(scenario).tally)
    assert one.kept.last_order.size == (0 if name == "chain" else 2200)


@pytest.mark.jit
@pytest.mark.parametrize("driver", ["group", "period"])
@pytest.mark.parametrize("name", zoo.ZOO)
def test_any_size_of_groups(name: str, driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tallies = []
    for size in (16, 2048):
        for module in ("arrays", "run", "rationed"):
            monkeypatch.setattr(sys.modules[f"sim.engine.{module}"], "GROUP", size)
        tallies.append(simulate(zoo.scenario(name, customers=1100, replicates=2, driver=driver)).tally)
    assert_same(*tallies)


@pytest.mark.jit
def test_any_order_of_groups() -> None:
    scenario = zoo.scenario("frailty_seasons_cohorts", customers=20_000)
    tables = compile_tables(scenario)
    sampled = [cell.sampled for cell in cells(scenario)]
    every = np.array(list(groups([0] * len(sampled), sampled, 1, keep=False)), np.int64)
    shuffled, wide = np.random.default_rng(0).permutation(every), arrays.width(max(sampled))
    assert not np.array_equal(every, shuffled)
    tally = arrays.empty_tally(tables, 14, 1)
    nothing = arrays.empty_kept(1, 0)
    run_groups(
        tables,
        tally,
        nothing,
        arrays.empty_state(tables, 1, wide),
        arrays.empty_scratch(tables, wide),
        shuffled,
        arrays.empty_state(tables, 0, 0),
    )
    assert_same(simulate(scenario, tables).tally, arrays.canonical(tally))


def kept_of(scenario: Scenario) -> list[Kept]:
    """Return what is kept of each cell's customers, cut apart."""
    outcome = simulate(scenario, keep_customers=True)
    assert outcome.kept is not None
    ends = np.cumsum([cell.sampled for cell in cells(scenario)])
    return [Kept(*(part[0, start:end] for part in outcome.kept)) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def assert_begins_with(longer: Kept, shorter: Kept) -> None:
    for more, less in zip(longer, shorter, strict=True):
        assert np.array_equal(more[: len(less)], less)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", ["chain", "pareto_nbd", "beta", "frailty_seasons_cohorts"])
def test_more_customers_move_no_draw(name: str) -> None:
    few, many = kept_of(zoo.scenario(name, customers=500)), kept_of(zoo.scenario(name, customers=1300))
    for one, other in zip(few, many, strict=True):
        assert len(other.clv) > len(one.clv)
        assert_begins_with(other, one)


def test_more_cohorts_and_segments_move_no_draw() -> None:
    base = {**zoo.CHAIN, "cohorts": {"now": {"customers": 400}}, "firm": {}}
    more_cohorts = {**base, "cohorts": {"now": {"customers": 400}, "next": {"first_period": 1, "customers": 300}}}
    halves = {"a": {"share": 0.5}, "b": {"share": 0.5}}
    thirds = {"a": {"share": 0.5}, "b": {"share": 0.25}, "c": {"share": 0.25}}
    one, two = Scenario.model_validate(base), Scenario.model_validate(more_cohorts)
    assert_begins_with(kept_of(two)[0], kept_of(one)[0])
    three, four = Scenario.model_validate({**base, "segments": halves}), Scenario.model_validate({**base, "segments": thirds})
    assert_begins_with(kept_of(three)[0], kept_of(four)[0])
    assert_begins_with(kept_of(three)[1], kept_of(four)[1])


def test_another_beta_edge_moves_no_draw() -> None:
    edge = {"target": "lost", "beta": {"a": 1.0, "b": 1e9}}
    plain = Scenario.model_validate({**zoo.ZOO["beta"], "run": {"customers": 400}})
    stages = zoo.ZOO["beta"]["stages"]
    customer = {**stages["customer"], "to": {"first": edge, **stages["customer"]["to"]}}
    both = Scenario.model_validate({**zoo.ZOO["beta"], "stages": {**stages, "customer": customer}, "run": {"customers": 400}})
    one, other = kept_of(plain)[0], kept_of(both)[0]
    assert np.mean(one.lost_at == other.lost_at) > 0.99


def test_more_periods_move_no_draw() -> None:
    short = simulate(zoo.scenario("frailty_seasons_cohorts", customers=900)).tally
    longer = Scenario.model_validate({**zoo.ZOO["frailty_seasons_cohorts"], "horizon": 20, "run": {"customers": 900}})
    long = simulate(longer).tally
    for name in ("flows", "conversions", "losses", "orders", "cash", "payback"):
        assert np.array_equal(getattr(long, name)[:, :, :14], getattr(short, name)), name


def test_cases_side_by_side_equal_single_runs() -> None:
    cheap = zoo.scenario("lists_and_renewal", customers=1500)
    stages = zoo.ZOO["lists_and_renewal"]["stages"]
    member = {**stages["member"], "price": [7.0, 8.0, 9.0, 10.0, 11.0], "cost_to_serve": 2.0}
    dear = Scenario.model_validate({**zoo.ZOO["lists_and_renewal"], "stages": {**stages, "member": member}, "run": {"customers": 1500}})
    sampled = [cell.sampled for cell in cells(cheap)]
    both = engine_run(compile_tables(cheap, dear), sampled, cheap.run, int(cheap.horizon)).tally
    for k, scenario in enumerate((cheap, dear)):
        alone = simulate(scenario).tally
        for name, mine, theirs in zip(Tally._fields, case_of(both, k), alone, strict=True):
            if name != "cash_square":  # each case has its own shift
                assert np.array_equal(mine, theirs), name


def test_a_progress_reader_sees_the_end() -> None:
    scenario = zoo.scenario("chain", customers=5000)
    seen: list[tuple[int, int]] = []
    sampled = [cell.sampled for cell in cells(scenario)]
    tally = engine_run(compile_tables(scenario), sampled, scenario.run, 14, lambda done, total: seen.append((done, total))).tally
    assert seen[-1] == (5000, 5000)
    assert_same(tally, simulate(scenario).tally)


DRIVERS = [("group", "run_groups"), ("period", "run_period")]


def slow(monkeypatch: pytest.MonkeyPatch, driver: str, wait: Callable[[], object], failing: int = 0) -> list[int]:
    """Let a driver only wait; return a list that grows with each call. failing: the call that raises MemoryError, from 1."""
    calls: list[int] = []

    def call(*_: Any) -> None:
        calls.append(len(calls) + 1)
        if calls[-1] == failing:
            raise MemoryError
        wait()

    monkeypatch.setattr(sys.modules["sim.engine.run"], driver, call)  # sim.engine.run is the function, as a name
    return calls


def nap() -> None:
    time.sleep(0.02)


def run_slowly(driver: str, progress: Callable[[int, int], None] | None, periods: int = 280) -> None:
    """Run what takes some 500 calls on two threads; by period twice as many as there are periods."""
    customers = 30_000_000 if driver == "group" else 3_000_000
    scenario = zoo.scenario("chain", customers=customers, threads=2, driver=driver)
    tables = compile_tables(scenario)
    engine_run(tables, [cell.sampled for cell in cells(scenario)], scenario.run, periods, progress)


@pytest.mark.parametrize(("driver", "kernel"), DRIVERS)
def test_an_interrupt_stops_the_run(monkeypatch: pytest.MonkeyPatch, driver: str, kernel: str) -> None:
    calls = slow(monkeypatch, kernel, nap)

    def interrupt(done: int, total: int) -> None:
        if done:
            assert done < total
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_slowly(driver, interrupt)
    assert len(calls) < 250


@pytest.mark.parametrize("progress", [None, lambda done, total: None])
@pytest.mark.parametrize(("driver", "kernel"), DRIVERS)
def test_a_thread_that_fails_stops_the_others(
    monkeypatch: pytest.MonkeyPatch, driver: str, kernel: str, progress: Callable[[int, int], None] | None
) -> None:
    calls = slow(monkeypatch, kernel, nap, failing=3)
    with pytest.raises(MemoryError):
        run_slowly(driver, progress)
    assert len(calls) < 250


@pytest.mark.parametrize(("driver", "kernel"), DRIVERS)
def test_progress_is_of_the_customers(monkeypatch: pytest.MonkeyPatch, driver: str, kernel: str) -> None:
    """Each time it is told, a tenth of the work is let through: what is done then is all that was let through before."""
    allowed, seen = threading.Semaphore(0), list[int]()
    calls = slow(monkeypatch, kernel, lambda: allowed.acquire(timeout=60))

    def tell(done: int, total: int) -> None:
        seen.append(done)
        allowed.release(50)

    run_slowly(driver, tell)
    assert seen == sorted(seen)
    assert seen[-1] == (30_000_000 if driver == "group" else 3_000_000)
    assert len(calls) > 400
    for k, done in enumerate(seen[:-1]):  # a call may have come back and not be counted yet
        assert done <= seen[-1] * 1.3 * (50 * k) / len(calls)
    assert any(0 < done < seen[-1] for done in seen)


def test_nobody_new_changes_nothing() -> None:
    """Of a run by period all of whose customers an earlier one has simulated."""
    scenario = zoo.scenario("chain", customers=500, driver="period")
    tables, sampled = compile_tables(scenario), [cell.sampled for cell in cells(scenario)]
    once = engine_run(tables, sampled, scenario.run, 14)
    assert_same(engine_run(tables, sampled, scenario.run, 14, before=once).tally, simulate(scenario).tally)


if __name__ == "__main__":
    found = {name: golden(name) for name in [*zoo.ZOO, *zoo.COUPLED]}
    GOLDEN.write_text(json.dumps(found, indent=2) + "\n")
