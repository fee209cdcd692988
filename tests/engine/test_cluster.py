"""Runs on a cluster: the bits of one thread, whoever dies; and each way in which a cluster fails, told in one line."""

import contextlib
import importlib
import itertools
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil  # type: ignore[import-untyped]
import pytest

import sim
from sim.compile import compile_tables
from sim.engine import Checkpoint, Outcome, checkpoint, cluster, shards
from sim.engine import run as engine_run
from sim.engine.cluster import ONE_THREAD, connected, handed_out, hands, reach
from sim.parts import Parts
from sim.scenario import ScenarioError, sample
from sim.scenario.errors import Fault
from sim.scenario.model import Scenario
from sim.scenario.world import Run
from sim.studies.compare import compared
from sim.studies.simulate import simulate
from sim.studies.sweep import sweep
from tests import base, zoo
from tests.cli.running import process
from tests.clusters import alone, dask, ending, on, outside, run_with, told, waited
from tests.running import assert_same
from tests.studies.test_compare import zoo_arms

pytestmark = pytest.mark.jit

ROOT = Path(__file__).resolve().parents[2]

LOOPBACK = {"scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"}}

COMMAND = "from sim.cli import main; main()"

VARY = {"discount_rate_annual": {"low": 0.02, "high": 0.2}, "stages.renewed.price": {"low": 60, "high": 90}}


@pytest.fixture(scope="module")
def local() -> Iterator[Any]:
    """Give a cluster of two workers, whom their nannies replace when they are killed; none of them is left at the end."""
    with dask().LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, env=ONE_THREAD, silence_logs=60, **LOOPBACK
    ) as made:
        yield made
        started = pids(made)
    assert not any(map(psutil.pid_exists, started))


def pids(made: Any) -> list[int]:
    """Return the processes of workers who are at work: one that is killed while it starts is not replaced."""
    here = [one for one in made.workers.values() if one.worker_address in made.scheduler.workers]
    return [one.process.pid for one in here if one.process is not None and one.process.pid is not None]


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make shards small and many, and give the numbers of those that a cluster has counted."""
    found, handing = list[int](), cluster.handed_out

    def noted(*arguments: Any) -> Iterator[tuple[int, Any]]:
        for number, one in handing(*arguments):
            found.append(number)
            yield number, one

    monkeypatch.setattr(shards, "FIRST_STEP", 2048)
    monkeypatch.setattr(sample, "FIRST_LOOK", 4096)
    monkeypatch.setattr(shards, "hands", lambda client: 6)
    monkeypatch.setattr(shards, "handed_out", noted)
    return found


def many(folder: Path) -> Scenario:
    """Return a scenario with existing customers, and some new ones, in segments."""
    stages = ("investigation", "formation", "stability", "decline")
    rows = base.spread(stages, 8, segment=["keen", "cool"], level=[0.5, "", 0.1], wallet=["", 4.0, 0.25, 1.0])
    return base.scenario("mindful_orders", base.table(folder, rows * 200), {"customers": 9_000}, firm={"customers": 9_000})


def assert_outcome(mine: Outcome, theirs: Outcome) -> None:
    assert mine.sampled == theirs.sampled
    assert_same(mine.tally, theirs.tally)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("chain", {"customers": 30_000}),
        ("frailty_seasons_cohorts", {"customers": 9_000, "replicates": 3}),
        ("mindful_orders", {"customers": 12_000, "driver": "period"}),
        ("pareto_nbd", {"customers": 40_000, "precision": 0.02}),
    ],
)
def test_a_run_is_that_of_one_thread(local: Any, pieces: list[int], name: str, settings: dict[str, Any]) -> None:
    scenario, seen = zoo.scenario(name, **settings), list[tuple[int, int]]()
    found = simulate(on(local.scheduler_address, scenario), lambda done, whole: seen.append((done, whole))).outcome
    assert_outcome(found, simulate(alone(scenario)).outcome)
    assert len(pieces) >= 8
    assert seen[-1][0] == seen[-1][1] == sum(found.sampled) * scenario.run.replicates
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_existing_customers_are_handed_out_too(local: Any, pieces: list[int], tmp_path: Path) -> None:
    scenario = many(tmp_path)
    assert_outcome(simulate(on(local.scheduler_address, scenario)).outcome, simulate(alone(scenario)).outcome)
    assert len(pieces) >= 8
    pieces.clear()
    only = scenario.model_copy(update={"cohorts": {}, "firm": scenario.firm.model_copy(update={"customers": None})})
    assert all(cell.base for cell in sample.cells(only))
    assert_outcome(simulate(on(local.scheduler_address, only)).outcome, simulate(alone(only)).outcome)
    assert len(pieces) >= 8


def test_the_first_so_many(tmp_path: Path) -> None:
    """Existing customers come first, cell by cell; then new ones, as a run of so many has them."""
    scenario = many(tmp_path)
    at, everywhere = shards.in_line(scenario), sample.cells(scenario)
    existing = sum(cell.sampled for cell in everywhere if cell.base)
    line = [at(count) for count in (0, 1, existing // 2, existing - 1, existing, existing + 1, existing + 77, existing + 9_000)]
    assert [sum(one) for one in line] == [0, 1, existing // 2, existing - 1, existing, existing + 1, existing + 77, existing + 9_000]
    assert all((np.array(low) <= high).all() for low, high in itertools.pairwise(line))
    assert line[-1] == tuple(cell.sampled for cell in everywhere)
    assert line[-2] == tuple(cell.sampled for cell in sample.cells(scenario, 77))


def test_arms_are_compared(local: Any, pieces: list[int]) -> None:
    scenario, arms = zoo_arms("treated_chain", customers=12_000)
    one = compared(alone(scenario), arms)
    other = compared(on(local.scheduler_address, scenario), arms)
    assert len(pieces) >= 8
    np.testing.assert_array_equal(one.paired.paired, other.paired.paired)
    for mine, theirs in zip(one.results, other.results, strict=True):
        assert_outcome(mine.outcome, theirs.outcome)
    for name, frame in one.tables().items():
        pd.testing.assert_frame_equal(frame, other.tables()[name], check_exact=True)


class Stopped(BaseException):
    """Stands for whatever ends a run."""


def stop(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """End a run when it is kept for the so-manieth time."""
    calls, save = itertools.count(1), Checkpoint.save

    def saving(self: Checkpoint, outcome: Outcome) -> None:
        save(self, outcome)
        if next(calls) == after:
            raise Stopped

    monkeypatch.setattr(Checkpoint, "save", saving)


@pytest.mark.parametrize("existing", [False, True])
def test_a_run_is_taken_up_by_the_other_executor(
    local: Any, pieces: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool
) -> None:
    scenario = many(tmp_path) if existing else zoo.scenario("frailty_seasons_cohorts", customers=20_000, replicates=2)
    monkeypatch.setattr(checkpoint, "FIRST_STEP", 256)
    monkeypatch.setattr(shards, "KEPT_EVERY", 0.0)
    whole = simulate(alone(scenario)).outcome
    orders = [(alone(scenario), on(local.scheduler_address, scenario)), (on(local.scheduler_address, scenario), alone(scenario))]
    for number, (first, then) in enumerate(orders):
        at = Checkpoint(Parts(tmp_path / f"out{number}"), "run")
        with monkeypatch.context() as during:
            stop(during, 2)
            with pytest.raises(Stopped):
                simulate(first, checkpoint=at)
        left = at.load()
        assert left is not None
        assert 0 < sum(left.sampled) < sum(whole.sampled)
        pieces.clear()
        assert_outcome(simulate(then, checkpoint=at).outcome, whole)
        assert (len(pieces) >= 8) == (then.run.executor == "dask")


def test_sums_come_in_any_order() -> None:
    """Shards that come before their turn are held as one sum a gap; each sum that is yielded is that of the first so many."""
    scenario = zoo.scenario("chain", customers=3_000)
    tables, settings, horizon, at = compile_tables(scenario), scenario.run, int(scenario.horizon), shards.in_line(scenario)
    ends = list(range(0, 3_001, 250))
    whole = engine_run(tables, at(3_000), settings, horizon)
    for seed in range(6):
        first, *found = (shards.shard(tables, settings, horizon, at(low), at(high)) for low, high in itertools.pairwise(ends))
        shuffled = random.Random(seed).sample(list(enumerate(found)), len(found))
        sums = list(shards.in_order(first, iter(shuffled)))
        done = [sum(one.sampled) for one in sums]
        assert done == sorted(set(done))
        assert set(done) <= set(ends)
        assert_outcome(sums[-1], whole)


def test_rows_are_kept_of_few_customers_only(local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = zoo.scenario("chain", customers=2_000, keep_customers=True, replicates=2)
    few, same = simulate(on(local.scheduler_address, scenario)).outcome, simulate(alone(scenario)).outcome
    assert few.kept is not None
    assert same.kept is not None
    for mine, theirs in zip(few.kept, same.kept, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    monkeypatch.setattr(shards, "run", None)  # nothing is run
    monkeypatch.setattr(shards, "KEPT", 3_999)
    with pytest.raises(ScenarioError) as error:
        simulate(on(local.scheduler_address, scenario))
    assert told(error, "executor=dask above 3,999", "these are 4,000").where == "run.keep_customers"


def test_control_variates_beside_a_cluster(local: Any, pieces: list[int]) -> None:
    """These keep customers of a second run of theirs."""
    scenario = zoo.scenario("frailty_seasons_cohorts", customers=9_000, control=True)
    one, other = (simulate(made) for made in (alone(scenario), on(local.scheduler_address, scenario)))
    pd.testing.assert_frame_equal(one.clv, other.clv, check_exact=True)


@pytest.mark.parametrize("name", ["recruits", "treated_chain"])
def test_coupled_customers_stay_here(local: Any, name: str) -> None:
    scenario = zoo.scenario(name)
    if name == "treated_chain":
        scarce = scenario.policies["steady"].model_copy(update={"capacity": 20})
        scenario = scenario.model_copy(
            update={
                "policies": {**scenario.policies, "steady": scarce},
                "firm": scenario.firm.model_copy(update={"customers": 900}),
                "run": scenario.run.model_copy(update={"customers": 900}),
            }
        )
        assert scenario.rationed
    with pytest.warns(UserWarning, match="executor=dask is of no use"):
        found = simulate(on(local.scheduler_address, scenario)).outcome
    assert_same(found.tally, simulate(alone(scenario)).outcome.tally)


class Killer:
    """Progress that kills a worker at some of its calls, a random moment later."""

    def __init__(self, made: Any, calls: set[int], seed: int) -> None:
        self.made, self.calls, self.chance, self.killed = made, calls, random.Random(seed), list[int]()
        self.count = itertools.count(1)

    def __call__(self, done: int, whole: int) -> None:
        if next(self.count) in self.calls:
            time.sleep(self.chance.uniform(0.0, 0.1))
            while not (there := pids(self.made)):
                time.sleep(0.05)
            self.killed.append(self.chance.choice(there))
            os.kill(self.killed[-1], signal.SIGKILL)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_worker_changes_nothing(local: Any, pieces: list[int], seed: int) -> None:
    """Two workers, two deaths: what all of them hold, the scenario too, is lost between them."""
    scenario = zoo.scenario("mindful_orders", customers=200_000)
    waited(local.scheduler_address)
    killer = Killer(local, {1 + seed, 4}, seed)
    assert_outcome(simulate(on(local.scheduler_address, scenario), killer).outcome, simulate(run_with(scenario, threads=2)).outcome)
    assert len(killer.killed) == 2
    assert len(set(pieces)) == len(pieces) >= 8


def test_a_dead_scheduler_leaves_a_run_to_go_on_with(
    pieces: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    scenario, at = zoo.scenario("mindful_orders", customers=200_000), Checkpoint(Parts(tmp_path / "out"), "run")
    monkeypatch.setattr(shards, "KEPT_EVERY", 1e9)  # what is kept is kept at the end
    with outside(tmp_path) as made:
        there = on(made.address, scenario)
        with pytest.raises(ScenarioError) as error:
            simulate(there, ending(made.scheduler, 3), checkpoint=at)
    assert told(error, "its scheduler has gone", made.address).suggestion == "start it again: the same command goes on where this one ended"
    left = at.load()
    assert left is not None
    assert 2048 <= sum(left.sampled) < 200_000
    assert capfd.readouterr().err == ""
    assert_outcome(simulate(run_with(scenario, threads=2), checkpoint=at).outcome, simulate(run_with(scenario, threads=2)).outcome)


def test_each_worker_has_one_thread() -> None:
    with connected(Run(executor="dask", workers=2), 9) as client:
        assert set(client.nthreads().values()) == {1}
        assert hands(client) == 2
        for found in client.run(lambda names: {name: os.environ.get(name) for name in names}, list(ONE_THREAD)).values():
            assert found == ONE_THREAD
        assert all(address.startswith("tcp://127.0.0.1:") for address in (client.scheduler.address, *client.nthreads()))
        started = list(client.run(os.getpid).values())
        for one in (psutil.Process(), *psutil.Process().children(recursive=True)):
            assert {at.laddr.ip for at in one.net_connections() if at.status == psutil.CONN_LISTEN} <= {"127.0.0.1"}
    assert not any(map(psutil.pid_exists, started))


def test_no_more_is_under_way_than_two_pieces_a_thread(local: Any) -> None:
    most, done = list[int](), 0

    def given() -> Iterator[tuple[int]]:
        for k in range(40):
            most.append(k + 1 - done)
            yield (k,)

    with connected(Run(executor="dask", cluster=local.scheduler_address), 2) as client:
        for number, found in handed_out(client, lambda shared, k: shared * k, 3, given()):
            done += 1
            assert found == 3 * number
    assert done == 40
    assert max(most) <= 5  # one that is done is in hand


def test_what_goes_wrong_in_the_work_is_told_as_it_is(local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = (Fault("a.b", "1", "must be 2", "write 2"), Fault("c", "", "must be there"))

    def refusing(shared: Any, k: int) -> None:
        raise ScenarioError(shared)

    def failing(shared: Any, k: int) -> None:
        raise FileNotFoundError(2, "no such file", "table.csv")

    with connected(Run(executor="dask", cluster=local.scheduler_address), 2) as client:
        with pytest.raises(ScenarioError) as error:
            list(handed_out(client, refusing, faults, [(1,)]))
        assert error.value.faults == faults
        with pytest.raises(FileNotFoundError, match=r"table\.csv"):
            list(handed_out(client, failing, None, [(1,)]))
        monkeypatch.setattr(cluster, "_version", lambda: "0.0.7")
        with pytest.raises(ScenarioError) as error:
            list(handed_out(client, failing, None, [(1,)]))
        told(error, f"its workers have clvsim {sim.__version__}, and this is 0.0.7")


def test_workers_without_what_is_needed(local: Any) -> None:
    def lacking(shared: Any) -> None:
        import no_such_module_anywhere  # type: ignore[import-not-found]  # noqa: F401

    with connected(Run(executor="dask", cluster=local.scheduler_address), 2) as client, pytest.raises(ScenarioError) as error:
        list(handed_out(client, lacking, None, [()]))
    told(error, "its workers have no no_such_module_anywhere", "install the same clvsim there")


def test_work_that_kills_workers_is_given_up(local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(shared: Any) -> None:
        import os

        os._exit(3)

    monkeypatch.setattr(local.scheduler, "allowed_failures", 1)
    with connected(Run(executor="dask", cluster=local.scheduler_address), 2) as client, pytest.raises(ScenarioError) as error:
        list(handed_out(client, dying, None, [()]))
    told(error, "several workers died at it", "more memory")


def silent(taken: socket.socket) -> None:
    """Listen, and say nothing."""


def chatting(taken: socket.socket) -> None:
    """Answer as what is no scheduler does."""
    with contextlib.suppress(OSError), taken.accept()[0] as talk:
        talk.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        talk.recv(4096)


@pytest.mark.parametrize("answer", [None, silent, chatting], ids=["closed", "silent", "http"])
def test_nobody_is_at_the_address(monkeypatch: pytest.MonkeyPatch, answer: Callable[[socket.socket], None] | None) -> None:
    """Each wait is bounded by WAIT, which leaves room in the 15 seconds that are promised."""
    comm: Any = importlib.import_module("distributed.comm")
    assert cluster.WAIT <= 10
    monkeypatch.setattr(cluster, "WAIT", 0.5)
    asked, connect = list[float](), comm.connect

    def noted(address: str, timeout: float, **rest: Any) -> Any:
        asked.append(timeout)
        return connect(address, timeout=timeout, **rest)

    monkeypatch.setattr(comm, "connect", noted)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        thread = threading.Thread(target=answer, args=(server,)) if answer is not None else None
        if thread is None:
            server.close()
        else:
            thread.start()
        scenario = run_with(zoo.scenario("chain", customers=50), executor="dask", cluster=address)
        with pytest.raises(ScenarioError) as error:
            simulate(scenario)
        with pytest.raises(ScenarioError) as again:
            sweep(run_with(sim.load("publisher"), executor="dask", cluster=address), VARY, points=3)
        if thread is not None:
            thread.join()
    fault = told(error, "no scheduler answered within 0.5 seconds", "check the address")
    assert (fault.where, fault.value) == ("run.cluster", address)
    assert again.value.faults == error.value.faults
    assert asked == [0.5, 0.5]


@pytest.mark.parametrize("address", ["nonsense", "tcp://nonsense", "udp://127.0.0.1:8786", "inproc://here", "", " "])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ScenarioError) as error:
        reach(Run(executor="dask", cluster=address))
    told(error, "must be local, slurm, or the address of a scheduler such as tcp://HOST:8786")


def test_a_cluster_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "WAIT", 0.5)
    with dask().LocalCluster(n_workers=0, dashboard_address=None, silence_logs=60, **LOOPBACK) as made:
        with pytest.raises(ScenarioError) as error, connected(Run(executor="dask", cluster=made.scheduler_address), 2):
            raise AssertionError("it has no workers")
        told(error, "its scheduler has no workers", f"start some: dask worker {made.scheduler_address} --nthreads 1")


@pytest.mark.parametrize(("name", "settings"), [("distributed", {}), ("dask_jobqueue", {"cluster": "slurm"})])
def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, name: str, settings: dict[str, Any]) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ScenarioError) as error, connected(Run(executor="dask", **settings), 2):
        raise AssertionError("there is nothing to connect with")
    told(error, f"needs {name}", "pip install 'clvsim[distributed]'")


def test_the_command_tells_it_in_a_line(tmp_path: Path) -> None:
    for given, part in (("run.cluster=nonsense", "run.cluster: must be local, slurm, or the address"), ("run.workers=0", "run.workers: ")):
        settings = ("scenario=publisher", "run.customers=500", "run.executor=dask", given)
        done = process(COMMAND, "simulate", *settings, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"clvsim: {part}")
        assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def script(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> tuple[str, dict[str, Any]]:
    """Return the script of a job that would be handed to SLURM, and how many are asked for."""
    asked: dict[str, Any] = {}
    made = list[str]()

    def scale(self: Any, n: int | None = None, **rest: Any) -> None:
        if rest:
            made.append(self.job_script())
            asked.update(rest)

    monkeypatch.setattr(importlib.import_module("dask_jobqueue").SLURMCluster, "scale", scale)
    with connected(Run(executor="dask", cluster="slurm", **settings), 2) as client:
        assert client.nthreads() == {}
    return made[0], asked


def test_a_job_of_slurm_is_a_worker_of_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    text, asked = script(monkeypatch, workers=7, slurm={"queue": "long", "walltime": "00:20:00", "memory": "3GB", "account": "clv"})
    assert asked == {"jobs": 7}
    for line in (
        "#SBATCH -p long",
        "#SBATCH -A clv",
        "#SBATCH -n 1",
        "#SBATCH --cpus-per-task=1",
        "#SBATCH --mem=3G",
        "#SBATCH -t 00:20:00",
    ):
        assert line in text.splitlines(), text
    for name in ONE_THREAD:
        assert f"export {name}=1" in text.splitlines()
    assert "--nthreads 1 " in text
    assert "--nworkers" not in text
    assert "--no-dashboard" in text


def test_a_job_of_several_cores_has_a_worker_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    text, asked = script(monkeypatch, slurm={"cores": 8, "memory": "16GB"})
    assert asked == {"jobs": 1}
    assert "--nthreads 1 " in text
    assert "--nworkers 8 " in text
    assert "#SBATCH --cpus-per-task=8" in text


@pytest.mark.parametrize("wrong", [{"partition": "long"}, {"memory": "plenty"}, {"job_script_prologue": "module load python"}])
def test_an_option_that_slurm_does_not_take(wrong: dict[str, Any]) -> None:
    with pytest.raises(ScenarioError) as error, connected(Run(executor="dask", cluster="slurm", slurm=wrong), 2):
        raise AssertionError("it was taken")
    assert told(error, "was refused by dask-jobqueue", next(iter(wrong.values()))).where == "run.slurm"
