"""Sweeps on a cluster: the table of one thread, to the last bit, whoever is killed."""

import itertools
import random
import time
from pathlib import Path

import pandas as pd
import pytest

import sim
from sim.parts import Parts
from sim.scenario import ScenarioError
from sim.studies.kept import kept
from sim.studies.sweep import sweep
from tests import base
from tests.clusters import Outside, alone, ending, on, outside, told, waited

pytestmark = pytest.mark.jit

VARY = {"discount_rate_annual": {"low": 0.02, "high": 0.2}, "stages.renewed.price": {"low": 60, "high": 90}}


class Killer:
    """Progress that at some of its calls, a random moment later, kills one of a cluster's workers and has another one start."""

    def __init__(self, made: Outside, calls: set[int], luck: random.Random) -> None:
        self.made, self.calls, self.luck, self.killed = made, calls, luck, 0
        self.count = itertools.count(1)

    def __call__(self, done: int, whole: int) -> None:
        if next(self.count) in self.calls:
            time.sleep(self.luck.uniform(0.0, 0.1))
            one = self.luck.choice([one for one in self.made.workers if one.poll() is None])
            one.kill()
            one.wait()
            self.killed += 1
            self.made.worker()


def test_workers_killed_at_twenty_random_moments_change_no_sweep(tmp_path: Path) -> None:
    """Two in each of ten sweeps: what the workers hold is lost with them, the scenario too, and each piece they were at is done anew."""
    scenario, luck, kills = sim.load("publisher", "run.customers=20000"), random.Random(20260607), 0
    one = sweep(alone(scenario), VARY, points=24).table
    with outside(tmp_path) as made:
        for _ in range(10):
            waited(made.address)
            killer = Killer(made, set(luck.sample(range(1, 20), 2)), luck)
            found = sweep(on(made.address, scenario), VARY, points=24, progress=killer)
            pd.testing.assert_frame_equal(one, found.table, check_exact=True)
            kills += killer.killed
    assert kills == 20


def test_a_sweep_on_a_cluster(tmp_path: Path) -> None:
    """Arms, replicates and existing customers, whose table goes to the workers."""
    rows = base.spread(("investigation", "formation", "stability", "decline"), 3)
    scenario = base.scenario("chain", base.table(tmp_path, rows * 20), {"replicates": 2})
    lifecycle = sim.load("lifecycle", "run.customers=60", "horizon=12")
    vary = {"discount_rate_annual": {"low": 0.02, "high": 0.2}}
    with outside(tmp_path) as made:
        one, other = (sweep(each, vary, points=9) for each in (alone(scenario), on(made.address, scenario)))
        pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)
        one, other = (sweep(each, vary, points=9, policies=["win_back"]) for each in (alone(lifecycle), on(made.address, lifecycle)))
        pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)


def test_a_dead_scheduler_leaves_a_sweep_to_go_on_with(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    scenario = sim.load("publisher", "run.customers=20000", "run.threads=1")
    with outside(tmp_path) as made, pytest.raises(ScenarioError) as error:
        sweep(on(made.address, scenario), VARY, points=24, out=tmp_path / "out", progress=ending(made.scheduler, 6))
    told(error, "its scheduler has gone", "the same command goes on where this one ended")
    assert 6 <= len(kept(Parts(tmp_path / "out"))) < 24
    assert capfd.readouterr().err == ""
    again = sweep(scenario, VARY, points=24, out=tmp_path / "out")
    assert again.taken >= 6
    pd.testing.assert_frame_equal(again.table, sweep(scenario, VARY, points=24).table, check_exact=True)
