"""Work on a cluster: Dask's scheduler hands out pieces that are each good for a second or so, one thread a worker.

A piece is a function of what it is given, seeds by address among it, so that where and in which order it is run changes nothing; one whose
worker dies is run again elsewhere. Dask is imported on use (extra ``distributed``).
"""

import contextlib
import importlib
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.world import Run

Result = TypeVar("Result")

WAIT = 10
"""Seconds that a scheduler is waited for."""

ONE_THREAD = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment of a worker: Dask leaves Numba's threads alone, and each worker would take all cores."""


@contextlib.contextmanager
def connected(settings: Run, workers: int) -> Iterator[Any]:
    """Give a Dask client of the cluster that is asked for, and close what was started for it.

    workers: of a local cluster, where ``run.workers`` does not say. Raises ScenarioError where there is none.
    """
    distributed = _imported("distributed", "run.executor", "dask")
    with contextlib.ExitStack() as stack:
        address: Any = settings.cluster
        if address == "local":
            address = stack.enter_context(_local(distributed, settings.workers or workers))
        elif address == "slurm":
            address = stack.enter_context(_slurm(settings))
        try:
            client = stack.enter_context(distributed.Client(address, timeout=WAIT))
        except (OSError, ValueError, TimeoutError) as error:
            raise _unreachable(settings) from error
        yield client


def _imported(name: str, where: str, value: str) -> Any:
    """Return a module of the extra; raise ScenarioError where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ScenarioError([Fault(where, value, f"needs {name}", "pip install 'clvsim[distributed]'")]) from None


def _local(distributed: Any, workers: int) -> Any:
    return distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, env=ONE_THREAD, silence_logs=logging.CRITICAL
    )


def _slurm(settings: Run) -> Any:
    """Start jobs of one worker each by SLURM; settings.slurm: as ``dask_jobqueue.SLURMCluster`` takes them (queue, walltime, memory …)."""
    exports = [f"export {name}={value}" for name, value in ONE_THREAD.items()]
    options: dict[str, Any] = {"cores": 1, "processes": 1, "memory": "2GB", "walltime": "01:00:00", **settings.slurm}
    try:
        cluster = _imported("dask_jobqueue", "run.cluster", "slurm").SLURMCluster(job_script_prologue=exports, **options)
    except (TypeError, ValueError) as error:
        raise ScenarioError([Fault("run.slurm", str(settings.slurm), f"was refused by dask-jobqueue: {error}")]) from None
    cluster.scale(jobs=settings.workers or 1)
    return cluster


def _unreachable(settings: Run) -> ScenarioError:
    rule = f"no scheduler answered within {WAIT} seconds"
    return ScenarioError([Fault("run.cluster", settings.cluster, rule, "check the address, or take run.cluster=local")])


def handed_out(client: Any, work: Callable[..., Result], shared: Any, pieces: Iterable[tuple[Any, ...]]) -> Iterator[tuple[int, Result]]:
    """Yield number and result of each piece of work as it is done; work is called with ``shared``, which goes to each worker once, and it.

    Raises ScenarioError where the scheduler goes away, and what ``work`` raises.
    """
    from distributed.client import FutureCancelledError
    from distributed.comm.core import CommClosedError
    from distributed.scheduler import KilledWorker

    waiting = enumerate(pieces)
    try:
        held = client.scatter(shared, broadcast=True, hash=False)
        numbers: dict[str, int] = {}

        def submitted(most: int) -> list[Any]:
            made = []
            for number, piece in itertools.islice(waiting, most):
                future = client.submit(work, held, *piece, pure=False)
                numbers[future.key] = number
                made.append(future)
            return made

        queue = _imported("distributed", "run.executor", "dask").as_completed(submitted(2 * max(len(client.nthreads()), 1)))
        for future in queue:
            result = future.result()
            yield numbers.pop(future.key), result
            for another in submitted(1):
                queue.add(another)
    except (FutureCancelledError, CommClosedError, TimeoutError, OSError) as error:
        hint = "the same command goes on where this one ended"
        raise ScenarioError([Fault("run.cluster", str(client), "the scheduler has gone", hint)]) from error
    except KilledWorker as error:
        rule = "work was given up: several workers died at it, of too little memory above all"
        raise ScenarioError([Fault("run.cluster", str(client), rule, "give workers more memory, or fewer customers to a point")]) from error
