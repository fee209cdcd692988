"""Work on a cluster: Dask's scheduler hands out pieces that are each good for a second or so, one thread a worker.

A piece is a function of what it is given, seeds by address among it, so that where and in which order it is run changes nothing; one whose
worker dies is run again elsewhere. Dask is imported on use (extra ``distributed``).
"""

import asyncio
import contextlib
import importlib
import itertools
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.world import Run

Result = TypeVar("Result")

WAIT = 10
"""Seconds that a scheduler is waited for."""

COUNTED = 2.0
"""Seconds after which the workers are counted again."""

ONE_THREAD = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment of a worker: Dask leaves Numba's threads alone, and each worker would take all cores."""

STARTED = ("local", "slurm")
"""Clusters that are started for a run; others have an address."""

LOGGERS = ("distributed", "tornado", "asyncio")


def reach(settings: Run) -> None:
    """Raise ScenarioError where what a cluster needs is not installed, or nobody answers at its address."""
    distributed = _imported("distributed", "run.executor", "dask")
    if settings.cluster in STARTED:
        return
    with _quiet(), ThreadPoolExecutor(1) as apart:  # a notebook has a loop of its own
        try:
            apart.submit(asyncio.run, _answer(distributed, settings.cluster)).result()
        except (OSError, MemoryError) as error:  # the latter where something else answers, whose words are read as a length
            raise _unreachable(settings, f"no scheduler answered within {WAIT} seconds") from error
        except (ValueError, TypeError) as error:  # Dask's refusals of what is no address, or of a kind that is not installed
            raise _unreachable(settings, "must be local, slurm, or the address of a scheduler such as tcp://HOST:8786") from error


async def _answer(distributed: Any, address: str) -> None:
    """Connect once: a client waits without end for one that listens and says nothing."""
    comm = importlib.import_module("distributed.comm")
    arguments = distributed.Security().get_connection_args("client")
    talk = await asyncio.wait_for(comm.connect(address, timeout=WAIT, **arguments), WAIT)
    talk.abort()


@contextlib.contextmanager
def connected(settings: Run, workers: int) -> Iterator[Any]:
    """Give a Dask client of the cluster that is asked for, and close what was started for it.

    workers: of a local cluster, where ``run.workers`` does not say. Raises ScenarioError where there is none.
    """
    reach(settings)
    distributed, dask = (_imported(name, "run.executor", "dask") for name in ("distributed", "dask"))
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet())
        stack.enter_context(
            dask.config.set({"distributed.comm.timeouts.connect": WAIT, "distributed.admin.large-graph-warning-threshold": "1TB"})
        )
        address: Any = settings.cluster
        if address == "local":
            try:
                address = stack.enter_context(_local(distributed, settings.workers or workers))
            except RuntimeError as error:
                hint = "a script must call this under: if __name__ == '__main__':"
                raise ScenarioError([Fault("run.cluster", "local", "its processes could not be started", hint)]) from error
        elif address == "slurm":
            address = stack.enter_context(_slurm(settings))
            address.scale(jobs=settings.workers or 1)
        try:
            client = stack.enter_context(distributed.Client(address, timeout=WAIT, set_as_default=False))
        except OSError as error:
            raise _unreachable(settings, f"no scheduler answered within {WAIT} seconds") from error
        if settings.cluster not in STARTED:
            try:
                client.wait_for_workers(1, timeout=WAIT)
            except OSError as error:
                rule = "its scheduler has no workers"
                raise ScenarioError([Fault("run.cluster", address, rule, f"start some: dask worker {address} --nthreads 1")]) from error
        yield client


def hands(client: Any) -> int:
    """Return how many pieces can be worked on at once, of workers that are there so far; at least one."""
    return max(sum(map(int, client.nthreads().values())), 1)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leave Dask's logs unsaid: what a user can mend is told in one line."""
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in LOGGERS]
    before = {name: logging.getLogger(name).level for name in (*LOGGERS, *names)}
    for name in before:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _imported(name: str, where: str, value: str) -> Any:
    """Return a module of the extra; raise ScenarioError where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ScenarioError([Fault(where, value, f"needs {name}", "pip install 'clvsim[distributed]'")]) from None


def _local(distributed: Any, workers: int) -> Any:
    """Start processes that listen to this machine only."""
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # else at 8787, with a warning where that is taken
        env=ONE_THREAD,
        silence_logs=logging.CRITICAL,
    )


def _slurm(settings: Run) -> Any:
    """Make a cluster whose jobs SLURM starts, a worker a core; settings.slurm: as ``dask_jobqueue.SLURMCluster`` takes it."""
    jobqueue = _imported("dask_jobqueue", "run.cluster", "slurm")
    try:
        options: dict[str, Any] = {"cores": 1, "memory": "2GB", "walltime": "01:00:00", **settings.slurm}
        options = dict(
            job_script_prologue=[f"export {name}={value}" for name, value in ONE_THREAD.items()],
            worker_extra_args=["--no-dashboard"],
            processes=options["cores"],
            **options,
        )
        jobqueue.slurm.SLURMJob("tcp://HOST:8786", name="clvsim", **options)  # refuses options before there is a cluster to close
        quiet = {"dashboard": False, "dashboard_address": ":0"}
        return jobqueue.SLURMCluster(scheduler_options=quiet, silence_logs=logging.CRITICAL, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        rule = f"was refused by dask-jobqueue: {error}"
        raise ScenarioError([Fault("run.slurm", str(settings.slurm), rule, "give what its SLURMCluster takes")]) from error


def _unreachable(settings: Run, rule: str) -> ScenarioError:
    return ScenarioError([Fault("run.cluster", settings.cluster, rule, "check the address, or take run.cluster=local")])


def handed_out(client: Any, work: Callable[..., Result], shared: Any, pieces: Iterable[tuple[Any, ...]]) -> Iterator[tuple[int, Result]]:
    """Yield number and result of each piece of work as it is done; work is called with ``shared``, which goes to each worker once, and it.

    No more than two pieces a thread of the cluster are taken and under way at a time. Raises ScenarioError where the scheduler goes away,
    or workers die of a piece, and what ``work`` raises.
    """
    distributed = _imported("distributed", "run.executor", "dask")
    waiting, numbers = enumerate(pieces), dict[str, int]()
    queue = distributed.as_completed(loop=client.loop)
    told, place = (_version(), work), str(client.scheduler.address)
    with _explained(place):
        # Not scattered: what is scattered is lost with the workers that hold it, and Dask keeps no more copies of it than one.
        held = client.submit(_itself, shared, pure=False)
        most, counted = 2 * hands(client), time.perf_counter()

    def hand_out() -> None:
        for number, piece in itertools.islice(waiting, max(most - len(numbers), 0)):
            future = client.submit(_guarded, told, held, *piece, pure=False)
            numbers[future.key] = number
            queue.add(future)

    with _explained(place):
        hand_out()
    for future in queue:
        with _explained(place, future):
            found, faults = future.result()
            if faults:
                raise ScenarioError(faults)
            number = numbers.pop(future.key)
            del future
            if time.perf_counter() - counted >= COUNTED:
                most, counted = 2 * hands(client), time.perf_counter()
            hand_out()
        yield number, found


def _itself(shared: Any) -> Any:
    return shared


def _version() -> str:
    return str(importlib.import_module("sim").__version__)


def _guarded(told: tuple[str, Callable[..., Result]], shared: Any, *piece: Any) -> tuple[Result | None, tuple[Fault, ...]]:
    """Return a piece's result, or what a user can mend of it; told: the version of the one who asks, and the work."""
    version, work = told
    if version != _version():
        rule = f"its workers have clvsim {_version()}, and this is {version}"
        return None, (Fault("run.cluster", "", rule, "install the same on both"),)
    try:
        return work(shared, *piece), ()
    except ScenarioError as error:
        return None, error.faults


@contextlib.contextmanager
def _explained(place: str, future: Any = None) -> Iterator[None]:
    """Tell what went wrong between here and the workers as a fault; future: whose own error is the work's, and stays as it is."""
    distributed, client = (importlib.import_module(name) for name in ("distributed", "distributed.client"))
    try:
        yield
    except distributed.KilledWorker as error:
        rule = "work was given up: several workers died at it, mostly of too little memory"
        raise ScenarioError([Fault("run.cluster", place, rule, "give workers more memory, or points fewer customers")]) from error
    except ModuleNotFoundError as error:
        raise ScenarioError([Fault("run.cluster", place, f"its workers have no {error.name}", "install the same clvsim there")]) from error
    except (OSError, distributed.CancelledError, client.ClosedClientError) as error:
        if future is not None and future.status == "error":
            raise
        rule, hint = "its scheduler has gone", "start it again: the same command goes on where this one ended"
        raise ScenarioError([Fault("run.cluster", place, rule, hint)]) from error
