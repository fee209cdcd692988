"""Sweeps: the same table on any threads and in any order, and whatever kills one, it goes on to the same last bit."""

import errno
import itertools
import math
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sim
from sim.parts import Parts
from sim.scenario import Scenario, ScenarioError
from sim.scenario.study import read_study
from sim.studies import folder, running
from sim.studies import kept as keeping
from sim.studies import sweep as sweeps
from sim.studies.kept import kept
from sim.studies.planning import plan
from sim.studies.sweep import Sweep, sweep

pytestmark = pytest.mark.jit

ROOT = Path(__file__).resolve().parents[2]

VARY: dict[str, Any] = {"discount_rate_annual": {"low": 0.02, "high": 0.2}, "stages.renewed.price": {"low": 60, "high": 90}}


def publisher(*overrides: str, threads: int = 1) -> Scenario:
    return sim.load("publisher", "run.customers=80", f"run.threads={threads}", *overrides)


def same(one: Sweep, other: Sweep) -> None:
    """Assert that two sweeps agree to the last bit, replicates too."""
    pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)
    for mine, theirs in zip(one.rows, other.rows, strict=True):
        assert [dict(row) for row in mine] == [dict(row) for row in theirs]


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write every point as it is done."""
    monkeypatch.setattr(sweeps, "KEPT_EVERY", 0.0)


class Interrupted:
    """Progress that ends a sweep with Ctrl-C after so many points."""

    def __init__(self, after: int) -> None:
        self.after = after

    def __call__(self, done: int, whole: int) -> None:
        if done >= self.after:
            raise KeyboardInterrupt


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list that fills with the arms of every point as it is run."""
    ran, whole = list[Any](), running.simulated

    def noted(arms: Any, *rest: Any) -> Any:
        ran.append(arms)
        return whole(arms, *rest)

    monkeypatch.setattr(running, "simulated", noted)
    return ran


@pytest.mark.parametrize("policies", [(), pytest.param(("win_back",), marks=pytest.mark.jit)])
def test_the_same_on_one_thread_and_on_two(policies: Sequence[str]) -> None:
    scenario = sim.load("lifecycle", "run.customers=60", "horizon=12", "run.replicates=2")
    vary = {"discount_rate_annual": {"low": 0.02, "high": 0.2}}
    one, two = (
        sweep(scenario.model_copy(update={"run": scenario.run.model_copy(update={"threads": threads})}), vary, points=6, policies=policies)
        for threads in (1, 2)
    )
    assert (one.threads, two.threads) == (1, 2)
    same(one, two)


def test_the_same_where_points_are_large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """These are run in turn on all threads, and kept under way."""
    small = sweep(publisher(threads=2), VARY, points=5)
    monkeypatch.setattr(running, "LARGE", 1)
    monkeypatch.setattr(sys.modules["sim.engine.checkpoint"], "FIRST_STEP", 16)
    same(sweep(publisher(threads=2), VARY, points=5, out=tmp_path / "out"), small)
    assert not list((tmp_path / "out.parts").glob("*.npz"))


@pytest.mark.parametrize(
    ("vary", "most"),
    [({"run.customers": [20, 500, 30]}, 500), ({"run.replicates": [1, 4]}, 400), ({"discount_rate_annual": [0.1, 0.2]}, 100)],
)
def test_the_largest_point_says_how_all_are_run(vary: dict[str, Any], most: int) -> None:
    made = plan(publisher("run.customers=100"), read_study({"vary": vary}))
    assert running._largest(made, [(made.key(point), k) for k, point in enumerate(made.points)]) == most


def test_the_same_in_any_order() -> None:
    rates = [0.05, 0.1, 0.15, 0.2]
    straight = sweep(publisher(), {"discount_rate_annual": rates}).table.drop(columns="point")
    for order in itertools.islice(itertools.permutations(rates), 5, None, 7):
        found = sweep(publisher(threads=2), {"discount_rate_annual": list(order)}).table.drop(columns="point")
        pd.testing.assert_frame_equal(found.sort_values("discount_rate_annual", ignore_index=True), straight, check_exact=True)


def test_the_same_in_two_calls(tmp_path: Path) -> None:
    whole = sweep(publisher(), VARY, points=16)
    first = sweep(publisher(), VARY, points=8, out=tmp_path / "out")
    assert (first.taken, len(first.rows)) == (0, 8)
    both = sweep(publisher(), VARY, points=16, out=tmp_path / "out")
    assert both.taken == 8
    same(both, whole)
    again = sweep(publisher(threads=2), VARY, points=16, out=tmp_path / "out")
    assert (again.taken, again.kernel_seconds) == (16, 0.0)
    same(again, whole)
    assert len(list((tmp_path / "out.parts").glob("*.parquet"))) == 1
    other = sweep(publisher("run.seed=2"), VARY, points=8, out=tmp_path / "out")
    assert other.taken == 0
    assert other.table["clv"].tolist() != first.table["clv"].tolist()
    assert sweep(publisher(), VARY, points=16, out=tmp_path / "out").taken == 16


def test_a_point_that_is_there_twice_is_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = counted(monkeypatch)
    told = list[tuple[int, int]]()
    found = sweep(publisher(), {"discount_rate_annual": [0.1, 0.2, 0.1, 0.1]}, progress=lambda *done: told.append(done))
    assert len(ran) == 2
    assert told == [(1, 2), (2, 2)]
    assert found.table["clv"].nunique() == 2
    assert found.table["discount_rate_annual"].tolist() == [0.1, 0.2, 0.1, 0.1]
    assert found.table["clv"][0] == found.table["clv"][2] == found.table["clv"][3]


def test_what_comes_back_from_parts_is_what_was_found(tmp_path: Path, often: None) -> None:
    """Replicates at some points alone, and what is not defined."""
    scenario = sim.load("lifecycle", "run.customers=40", "horizon=12", "run.threads=1")
    vary = {"run.replicates": [1, 3], "discount_rate_annual": [0.1, 0.2]}
    whole = sweep(scenario, vary, policies=["win_back"])
    for _ in range(2):
        again = sweep(scenario, vary, policies=["win_back"], out=tmp_path / "out")
        same(again, whole)
    assert again.taken == 4
    assert [len(row[1].get("equity_paths", ())) for row in again.rows] == [0, 0, 3, 3]


def test_paths_of_replicates() -> None:
    scenario = sim.load("lifecycle", "run.customers=40", "horizon=12", "run.replicates=3", "run.threads=1")
    found = sweep(scenario, {"discount_rate_annual": [0.1, 0.2]}, policies=["win_back"])
    for arm in ("none", "win_back"):
        rows = found.table[found.table["arm"] == arm]
        for name in ("equity", "clv", "spent"):
            paths = found.paths(name, arm)
            assert paths.shape == (2, 3)
            assert np.allclose(paths.mean(axis=1), rows[name], rtol=1e-9, atol=1e-6)
    assert np.array_equal(found.paths(), found.paths("equity", "none"))
    single = sweep(publisher(), {"horizon": [20]})
    assert single.paths("equity").tolist() == [[single.table["equity"][0]]]


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    whole, out = sweep(publisher(), VARY, points=8), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt) as caught:
        sweep(publisher(), VARY, points=8, out=out, progress=Interrupted(3))
    assert str(caught.value) == f"interrupted; 3 of 8 points are kept in {out}.parts, and the same again goes on there"
    assert len(kept(Parts(out))) == 3
    found = sweep(publisher(), VARY, points=8, out=out)
    assert found.taken == 3
    same(found, whole)
    with pytest.raises(KeyboardInterrupt) as caught:
        sweep(publisher(threads=2), VARY, points=8, progress=Interrupted(3))
    assert str(caught.value) == ""


def test_ctrl_c_ends_the_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = counted(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        sweep(publisher(threads=2), VARY, points=64, out=tmp_path / "out", progress=Interrupted(4))
    ended = len(ran)
    assert ended <= 1 + 2 * 2 * running.TOGETHER
    found = sweep(publisher(threads=2), VARY, points=4, out=tmp_path / "out")
    assert len(ran) == ended + 4 - found.taken


def test_an_error_keeps_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, measured = itertools.count(), running.simulated

    def failing(*given: Any) -> Any:
        if next(calls) == 2:
            raise MemoryError
        return measured(*given)

    monkeypatch.setattr(running, "simulated", failing)
    with pytest.raises(MemoryError):
        sweep(publisher(), VARY, points=4, out=tmp_path / "out")
    assert sweep(publisher(), VARY, points=4, out=tmp_path / "out").taken == 2


def parts_of(out: Path) -> list[Path]:
    return sorted(Path(f"{out}.parts").glob("*.parquet"))


@pytest.mark.parametrize("damage", [lambda content: content[:-9], lambda content: b"", lambda content: content[:50] + b"x" + content[51:]])
def test_a_damaged_part_is_named_and_run_again(tmp_path: Path, often: None, damage: Callable[[bytes], bytes]) -> None:
    whole, out = sweep(publisher(), VARY, points=8), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        sweep(publisher(), VARY, points=8, out=out, progress=Interrupted(4))
    part = parts_of(out)[2]
    part.write_bytes(damage(part.read_bytes()))
    found = sweep(publisher(), VARY, points=8, out=out)
    assert (found.damaged, found.taken) == ((part.name,), 3)
    same(found, whole)
    assert not part.exists()
    again = sweep(publisher(), VARY, points=8, out=out)
    assert (again.damaged, again.taken) == ((), 8)


def test_a_folder_is_swept_into_once_at_a_time(tmp_path: Path) -> None:
    with Parts(tmp_path / "out").held(), pytest.raises(ScenarioError) as caught:
        sweep(publisher(), VARY, points=2, out=tmp_path / "out")
    told = f"out: is being written by another run just now (got {tmp_path / 'out'}.parts); wait for it, or name another out"
    assert str(caught.value) == told
    sweep(publisher(), VARY, points=2, out=tmp_path / "out")


def test_a_file_in_the_way_of_the_parts_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "out.parts").write_text("mine")
    with pytest.raises(ScenarioError) as caught:
        sweep(publisher(), VARY, points=2, out=tmp_path / "out")
    assert len(caught.value.faults) == 1
    assert str(caught.value).startswith("out: cannot be written there: file exists")
    assert (tmp_path / "out.parts").read_text() == "mine"


def test_a_full_disk_is_told_and_what_was_kept_stays(tmp_path: Path, often: None, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, parquet = itertools.count(), folder.parquet

    def filling(frame: pd.DataFrame) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            path.write_bytes(b"half a file")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return write if next(calls) >= 2 else parquet(frame)

    out = tmp_path / "out"
    monkeypatch.setattr(keeping, "parquet", filling)
    with pytest.raises(ScenarioError) as caught:
        sweep(publisher(), VARY, points=6, out=out)
    told = f"out: cannot be written there: no space left on device (got {out}.parts); what was done so far is kept"
    assert str(caught.value) == told
    assert len(parts_of(out)) == 2
    assert sorted(path.suffix for path in Path(f"{out}.parts").iterdir()) == ["", ".parquet", ".parquet"]
    monkeypatch.setattr(keeping, "parquet", parquet)
    found = sweep(publisher(), VARY, points=6, out=out)
    assert found.taken == 2
    same(found, sweep(publisher(), VARY, points=6))


def test_one_part_is_made_of_all_even_where_that_was_done_before(tmp_path: Path, often: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the writing of the whole and the removal of its parts: the whole is not removed with them."""
    out, unlink = tmp_path / "out", Path.unlink

    def killed(self: Path, missing_ok: bool = False) -> None:
        if self.suffix == ".parquet":
            raise KeyboardInterrupt
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        sweep(publisher(), VARY, points=3, out=out)
    monkeypatch.setattr(Path, "unlink", unlink)
    assert len(parts_of(out)) == 4
    for _ in range(2):
        assert sweep(publisher(), VARY, points=3, out=out).taken == 3
        assert len(parts_of(out)) == 1


KILLED = """
import os, signal, sys
from pathlib import Path
import sim
from sim.studies import folder
from sim.studies import sweep as sweeps

out, moment, after, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
sweeps.KEPT_EVERY = 0.0
count = 0

def dies(at):
    global count
    if at == moment:
        count += 1
        if count > after:
            os.kill(os.getpid(), signal.SIGKILL)

def progress(done, whole):
    print(done, flush=True)
    dies("told")

replace, unlink = Path.replace, Path.unlink

def replacing(self, target):
    dies("written")
    replace(self, target)
    dies("named")

def unlinking(self, missing_ok=False):
    dies("together" if self.suffix == ".parquet" else "")
    unlink(self, missing_ok)

Path.replace, Path.unlink = replacing, unlinking
scenario = sim.load("publisher", "run.customers=80", f"run.threads={threads}")
vary = {"discount_rate_annual": {"low": 0.02, "high": 0.2}, "stages.renewed.price": {"low": 60, "high": 90}}
sweeps.sweep(scenario, vary, points=int(sys.argv[5]), out=out, progress=progress)
"""


def killed(out: Path, moment: str, after: int, threads: int, points: int) -> int:
    """Run a sweep that is killed at a moment; return how many points it told of."""
    command = [sys.executable, "-c", KILLED, str(out), moment, str(after), str(threads), str(points)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return len(done.stdout.split())


@pytest.mark.jit
def test_killed_at_twenty_random_moments_a_sweep_comes_to_the_same_last_bit(tmp_path: Path) -> None:
    """During the work, before a part has its name, and after it; each run goes on where the one before was killed."""
    luck, out, points, there = random.Random(20240607), tmp_path / "out", 128, 0
    for _ in range(20):
        told = killed(out, luck.choice(["told", "written", "named"]), luck.randrange(5), luck.choice([1, 2]), points)
        before, there = there, len(kept(Parts(out)))
        assert before + told <= there < points  # every point that was told, with KEPT_EVERY of 0
    found = sweep(publisher(), VARY, points=points, out=out)
    assert (found.taken, found.damaged) == (there, ())
    same(found, sweep(publisher(), VARY, points=points))


@pytest.mark.jit
def test_a_sweep_that_is_killed_while_its_parts_are_put_together_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert killed(out, "together", 3, 2, 12) == len(kept(Parts(out))) == 12
    found = sweep(publisher(), VARY, points=12, out=out)
    assert (found.taken, found.damaged) == (12, ())
    same(found, sweep(publisher(), VARY, points=12))
    assert len(parts_of(out)) == 1
    assert sorted(path.name for path in Path(f"{out}.parts").iterdir() if path.suffix != ".parquet") == ["lock"]


@pytest.mark.jit
def test_parts_are_kept_every_second_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of its own, on which a point takes 0.3 s: of 10 points those of each second are written together."""
    ticks = itertools.count()
    monkeypatch.setattr(sweeps, "perf_counter", lambda: 0.3 * next(ticks))
    sizes, keep = list[int](), keeping.keep

    def noted(parts: Parts, done: dict[str, Any]) -> Path:
        sizes.append(len(done))
        return keep(parts, done)

    for module in (sweeps, keeping):
        monkeypatch.setattr(module, "keep", noted)
    sweep(publisher(), VARY, points=10, out=tmp_path / "out")
    *each, last, together = sizes
    assert sum([*each, last]) == together == 10
    assert max(each) * 0.3 <= sweeps.KEPT_EVERY + 0.3
    assert len(each) >= 2


def test_what_a_sweep_says_of_itself() -> None:
    found = sweep(sim.load("lifecycle", "run.customers=40", "horizon=12"), {"horizon": [12]}, policies=["win_back"])
    assert repr(found) == "<Sweep of lifecycle: 1 points x 2 arms, grid design of horizon>"
    assert found.summary() == {"scenario": "lifecycle", "design": "grid", "points": 1, "factors": ["horizon"]}
    assert list(found.tables()) == ["points"]
    assert all(not isinstance(value, float) or math.isfinite(value) for row in found.rows[0] for value in row.values())


def test_names_of_folders_are_taken_as_they_are(tmp_path: Path) -> None:
    out = tmp_path / "a [1] it's 客户" / "out*"
    sweep(publisher(), VARY, points=2, out=out)
    assert sweep(publisher(), VARY, points=2, out=str(out)).taken == 2


def test_a_plan_is_run_as_it_is() -> None:
    found = sweep(publisher(), {"horizon": [12, 20]})
    again = sweeps.study(plan(publisher(), found.plan.study), {}, None, None)
    same(found, again)
