"""Clusters of tests: a scheduler and workers, processes that can be killed; scenarios that are run on one, or on one thread."""

import contextlib
import importlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sim.engine.cluster import ONE_THREAD
from sim.scenario import ScenarioError
from sim.scenario.errors import Fault
from sim.scenario.model import Scenario

Process = subprocess.Popen[bytes]


def dask() -> Any:
    return importlib.import_module("distributed")


def waited(address: str) -> None:
    """Wait until two workers are there."""
    with dask().Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)


def run_with(scenario: Scenario, **changes: Any) -> Scenario:
    return scenario.model_copy(update={"run": scenario.run.model_copy(update=changes)})


def on(address: str, scenario: Scenario, **changes: Any) -> Scenario:
    """Return the scenario to be run on a cluster."""
    return run_with(scenario, executor="dask", cluster=address, **changes)


def alone(scenario: Scenario) -> Scenario:
    return run_with(scenario, executor="threads", threads=1)


def told(error: pytest.ExceptionInfo[ScenarioError], *parts: str) -> Fault:
    """Return the one fault of an error, which holds these parts, in one line."""
    [fault] = error.value.faults
    assert "\n" not in str(fault)
    for part in parts:
        assert part in str(fault)
    return fault


class Outside:
    """A scheduler and its workers, each a process of its own, whom nobody replaces; address: of the scheduler."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file, self.started = folder, folder / "scheduler.json", list[Process]()
        self.workers = list[Process]()
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0")

    def _start(self, kind: str, *options: str) -> Process:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--scheduler-file", str(self.file), "--no-dashboard", *options]
        with (self.folder / "log").open("ab") as log:
            self.started.append(subprocess.Popen(command, cwd=self.folder, env={**os.environ, **ONE_THREAD}, stdout=log, stderr=log))
        return self.started[-1]

    def worker(self) -> Process:
        """Start one more worker."""
        self.workers.append(self._start("worker", "--nthreads", "1", "--no-nanny", "--death-timeout", "60"))
        return self.workers[-1]

    @property
    def address(self) -> str:
        while True:
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):  # it is there before all is written
                return str(json.loads(self.file.read_text())["address"])
            assert self.scheduler.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)

    def end(self) -> None:
        for one in self.started:
            one.kill()
            one.wait()


@contextlib.contextmanager
def outside(folder: Path) -> Iterator[Outside]:
    """Give a scheduler of two workers, and end them all."""
    made = Outside(folder)
    try:
        made.worker()
        made.worker()
        yield made
    finally:
        made.end()


def ending(scheduler: Process, after: int) -> Callable[[int, int], None]:
    """Return progress that kills a scheduler at a call of it."""
    calls = itertools.count(1)

    def progress(done: int, whole: int) -> None:
        if next(calls) == after:
            scheduler.kill()

    return progress
