"""Runs in steps: what is taken up where it ended is one run, to the last bit of every sum and of every customer kept."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.engine import Checkpoint, Outcome
from sim.engine import checkpoint as module
from sim.parts import Parts
from sim.scenario import sample
from sim.scenario.model import Scenario
from sim.studies.compare import compared
from sim.studies.simulate import simulate
from tests import base, zoo
from tests.running import assert_same
from tests.studies.test_compare import zoo_arms

pytestmark = pytest.mark.jit

ROOT = Path(__file__).resolve().parents[2]

STEP = 64


class Killed(BaseException):
    """Stands for whatever ends a run."""


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the first step one of 64 customers, and looks at a precision early."""
    monkeypatch.setattr(module, "FIRST_STEP", STEP)
    monkeypatch.setattr(sample, "FIRST_LOOK", 128)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Give the customers of each cell that were there already before each call of the engine."""
    found, run = list[tuple[int, ...]](), sys.modules["sim.studies.simulate"].run

    def noted(tables: Any, sampled: Any, settings: Any, horizon: Any, told: Any = None, before: Outcome | None = None) -> Outcome:
        found.append(before.sampled if before else (0,) * len(sampled))
        done: Outcome = run(tables, sampled, settings, horizon, told, before)
        return done

    monkeypatch.setattr(sys.modules["sim.studies.simulate"], "run", noted)
    return found


def dying(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """End a run when it has been kept so many times."""
    calls, save = itertools.count(1), Checkpoint.save

    def saving(self: Checkpoint, outcome: Outcome) -> None:
        save(self, outcome)
        if next(calls) == after:
            raise Killed

    monkeypatch.setattr(Checkpoint, "save", saving)


def assert_one(found: Outcome, whole: Outcome) -> None:
    assert found.sampled == whole.sampled
    assert_same(found.tally, whole.tally)
    assert (found.kept is None) == (whole.kept is None)
    if found.kept is not None and whole.kept is not None:
        for name, mine, theirs in zip(whole.kept._fields, found.kept, whole.kept, strict=True):
            assert np.array_equal(mine, theirs), name


CASES: dict[str, Callable[[Path], Scenario]] = {
    "chain": lambda _: zoo.scenario("chain", customers=700),
    "replicates": lambda _: zoo.scenario("chain", customers=300, replicates=3),
    "segments, cohorts": lambda _: zoo.scenario("frailty_seasons_cohorts", customers=700, replicates=2),
    "kept": lambda _: zoo.scenario("mindful_orders", customers=300, keep_customers=True, replicates=2),
    "kept orders": lambda _: zoo.scenario("pareto_nbd", customers=300, keep_customers=True),
    "period by period": lambda _: zoo.scenario("chain", customers=300, driver="period"),
    "policies": lambda _: zoo.scenario("treated_minds", customers=300),
    "existing": lambda folder: base.scenario(
        "chain",
        base.table(folder, base.spread(["investigation", "formation", "stability"], 9)),
        {"customers": 300, "keep_customers": True},
        firm={"customers": 1000},
    ),
    "existing alone": lambda folder: base.scenario("chain", base.table(folder, base.spread(["formation", "stability"], 9)), {}),
    "a precision": lambda _: zoo.scenario("chain", customers=900, precision=0.11),
    "one out of reach": lambda _: zoo.scenario("chain", customers=500, precision_money=1e-3),
}


@pytest.mark.parametrize("name", CASES)
def test_steps_are_one_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: None, steps: list[tuple[int, ...]]) -> None:
    """Also where it is ended after its first step and taken up, and where a whole one is taken up once more."""
    scenario = CASES[name](tmp_path)
    whole = simulate(scenario).outcome
    steps.clear()
    checkpoint = Checkpoint(Parts(tmp_path / "out"), "run-1")
    assert_one(simulate(scenario, checkpoint=checkpoint).outcome, whole)
    if name == "existing alone":
        assert checkpoint.load() is None
        return
    assert len(steps) > 1
    checkpoint.done()
    assert not (tmp_path / "out.parts").exists()
    dying(monkeypatch, 1)
    with pytest.raises(Killed):
        simulate(scenario, checkpoint=checkpoint)
    there = checkpoint.load()
    assert there is not None
    assert 0 < sum(there.sampled) < sum(whole.sampled)
    steps.clear()
    assert_one(simulate(scenario, checkpoint=checkpoint).outcome, whole)
    assert steps[0] == there.sampled


def test_a_precision_ends_a_run_where_it_would_end_in_one(tmp_path: Path, short: None) -> None:
    scenario = CASES["a precision"](tmp_path)
    whole = simulate(scenario)
    assert whole.precise
    assert sum(whole.outcome.sampled) in (256, 512)
    stepped = simulate(scenario, checkpoint=Checkpoint(Parts(tmp_path / "out"), "run-1"))
    assert stepped.precise
    assert stepped.clv.equals(whole.clv)


def test_a_run_that_ends_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: None) -> None:
    scenario, checkpoint = zoo.scenario("chain", customers=1500, replicates=2), Checkpoint(Parts(tmp_path / "out"), "run-1")
    monkeypatch.setattr(module, "_stops", lambda done, customers, step: iter(range(min(done + 100, customers), customers + 1, 100)))
    save = Checkpoint.save
    ended = 0
    while True:
        monkeypatch.setattr(Checkpoint, "save", save)
        dying(monkeypatch, 2)
        try:
            found = simulate(scenario, checkpoint=checkpoint).outcome
            break
        except Killed:
            ended += 1
    assert ended == 7
    assert_one(found, simulate(scenario).outcome)


@pytest.mark.parametrize("name", ["treated_chain", pytest.param("treated_minds", marks=pytest.mark.jit)])
def test_arms_side_by_side_in_steps(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: None) -> None:
    scenario, every = zoo_arms(name, customers=300, replicates=2)
    whole, checkpoint = compared(scenario, every), Checkpoint(Parts(tmp_path / "out"), "run-1")
    dying(monkeypatch, 2)
    with pytest.raises(Killed):
        compared(scenario, every, checkpoint=checkpoint)
    found = compared(scenario, every, checkpoint=checkpoint)
    for mine, theirs in zip(found.results, whole.results, strict=True):
        assert_one(mine.outcome, theirs.outcome)
    assert found.table.equals(whole.table)


def test_steps_are_as_many_customers_as_take_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of its own: 0.25 s for a thousand customers is four thousand a second; a step grows at most fourfold."""
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    found, last = list[int](), 0
    for stop in module._stops(0, 20_000, 1000):
        clock[0] += 0.25 * (stop - last) / 1000
        found.append(stop)
        last = stop
    assert found == [1000, 5000, 9000, 13_000, 17_000, 20_000]
    assert list(module._stops(0, 0, 10)) == [0]
    assert list(module._stops(7, 7, 10)) == [7]


def test_progress_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: None) -> None:
    scenario, checkpoint = zoo.scenario("chain", customers=400, replicates=2), Checkpoint(Parts(tmp_path / "out"), "run-1")
    dying(monkeypatch, 1)
    with pytest.raises(Killed):
        simulate(scenario, checkpoint=checkpoint)
    there = checkpoint.load()
    assert there is not None
    told = list[tuple[int, int]]()
    simulate(scenario, lambda *now: told.append(now), checkpoint=checkpoint)
    assert {whole for _, whole in told} == {800}
    assert told[0][0] >= 2 * sum(there.sampled)
    assert told[-1] == (800, 800)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-7], lambda content: b"", lambda content: content[:200] + b"?" + content[201:]]
)
def test_a_damaged_checkpoint_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: None, steps: list[tuple[int, ...]], damage: Callable[[bytes], bytes]
) -> None:
    scenario, parts = zoo.scenario("chain", customers=400), Parts(tmp_path / "out")
    checkpoint = Checkpoint(parts, "run-1")
    dying(monkeypatch, 2)
    with pytest.raises(Killed):
        simulate(scenario, checkpoint=checkpoint)
    (file,) = parts.folder.glob("*.npz")
    file.write_bytes(damage(file.read_bytes()))
    steps.clear()
    found = simulate(scenario, checkpoint=checkpoint).outcome
    assert not any(steps[0])
    assert parts.damaged == [file.name]
    assert_one(found, simulate(scenario).outcome)


def test_a_checkpoint_is_of_its_own_run_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: None) -> None:
    parts = Parts(tmp_path / "out")
    dying(monkeypatch, 1)
    with pytest.raises(Killed):
        simulate(zoo.scenario("chain", customers=400), checkpoint=Checkpoint(parts, "run-1"))
    assert Checkpoint(parts, "run-2").load() is None
    assert Checkpoint(parts, "run-1").load() is not None
    Checkpoint(parts, "run-2").done()
    assert Checkpoint(parts, "run-1").load() is not None


def test_what_is_kept_reads_back_whole(tmp_path: Path) -> None:
    for name in ("mindful_orders", "treated_chain"):
        outcome = simulate(zoo.scenario(name, customers=50, keep_customers=True, replicates=2)).outcome
        checkpoint = Checkpoint(Parts(tmp_path / name), "run-1")
        checkpoint.save(outcome)
        found = checkpoint.load()
        assert found is not None
        assert_one(found, outcome)
        assert (found.threads, found.seconds, found.arrivals) == (outcome.threads, outcome.seconds, None)
        for mine, theirs in zip(found.tally, outcome.tally, strict=True):
            assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)


KILLED = """
import os, signal, sys
from sim.engine import Checkpoint, checkpoint
from sim.parts import Parts
from sim.studies.simulate import simulate
from tests import zoo

checkpoint.FIRST_STEP = 64
count, save = 0, Checkpoint.save

def saving(self, outcome):
    global count
    save(self, outcome)
    count += 1
    print(sum(outcome.sampled), flush=True)
    if count == 2:
        os.kill(os.getpid(), signal.SIGKILL)

Checkpoint.save = saving
simulate(zoo.scenario("chain", customers=2000, replicates=2), checkpoint=Checkpoint(Parts(sys.argv[1]), "run-1"))
"""


@pytest.mark.jit
def test_a_killed_run_goes_on(tmp_path: Path, short: None, steps: list[tuple[int, ...]]) -> None:
    out = tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", KILLED, str(out)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    scenario = zoo.scenario("chain", customers=2000, replicates=2)
    found = simulate(scenario, checkpoint=Checkpoint(Parts(out), "run-1")).outcome
    assert sum(steps[0]) == int(done.stdout.split()[-1]) > 0
    assert_one(found, simulate(scenario).outcome)
