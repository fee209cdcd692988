"""Options and settings of the whole test suite."""

import os

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--one-thread", action="store_true", help="run on one core, so that whatever picks its threads by cores takes one")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--one-thread"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        os.environ["NUMBA_NUM_THREADS"] = "1"
