"""Options and settings of the whole test suite."""

import importlib
import os
from collections.abc import Iterator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--one-thread", action="store_true", help="run on one core, so that whatever picks its threads by cores takes one")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--one-thread"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        os.environ["NUMBA_NUM_THREADS"] = "1"


@pytest.fixture(scope="module")
def small_groups() -> Iterator[None]:
    """Let groups hold 256 customers, so that a thousand of them are several groups."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("arrays", "run", "rationed"):
            patch.setattr(importlib.import_module(f"sim.engine.{module}"), "GROUP", 256)
        yield
