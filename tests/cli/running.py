"""Run the command in a process of its own, and say what was refused."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
CODE = "from sim.cli import main; main()"
SMALL = ("scenario=publisher", "run.customers=500")


class Done(NamedTuple):
    code: object
    out: str
    err: str


Clvsim = Callable[..., Done]


def process(code: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)


def refused(clvsim: Clvsim, *arguments: str) -> list[str]:
    """Return the lines on stderr of a command that must be refused and leave nothing."""
    before = sorted(Path.cwd().rglob("*"))
    done = clvsim(*arguments)
    assert (done.code, done.out) == (2, "")
    assert sorted(Path.cwd().rglob("*")) == before
    lines = done.err.splitlines()
    assert all(line.startswith("clvsim: ") for line in lines), done.err
    return [line.removeprefix("clvsim: ") for line in lines]
