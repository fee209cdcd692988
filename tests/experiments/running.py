"""Run an experiment as a user does, and read the numbers that it prints."""

import contextlib
import io
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import matplotlib as mpl
from matplotlib import pyplot as plt

ROOT = Path(__file__).resolve().parents[2]
Done = subprocess.CompletedProcess[str]


def script(name: str) -> str:
    """Return the file of an experiment."""
    return str(ROOT / "experiments" / f"{name}.py")


def process(name: str, folder: Path, *settings: str, columns: int = 40) -> Done:
    """Run an experiment in a folder, in a process of its own, on a terminal of so many columns; at 40 tables stand one below the other."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": str(columns), "MPLBACKEND": "agg"}
    command = [sys.executable, script(name), *settings]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def run(name: str, folder: Path, *settings: str, columns: int = 40) -> Done:
    """Run an experiment as ``process`` does, but in this process, which has imported and compiled what it takes; a warning is an error."""
    mpl.use("agg")
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
        mock.patch.object(sys, "argv", [script(name), *settings]),
        mock.patch.dict(os.environ, COLUMNS=str(columns)),
        mpl.rc_context(),
    ):
        try:
            runpy.run_path(script(name), run_name="__main__")
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        finally:
            plt.close("all")
    return Done([script(name), *settings], code, out.getvalue(), err.getvalue())


def tables(text: str) -> dict[str, list[list[str]]]:
    """Return the rows, as words, of each table by its title; a label that is broken over lines is left in pieces."""
    found = {}
    for part in filter(str.strip, re.split(r"^ *\n", text, flags=re.MULTILINE)):
        title, *rows = part.splitlines()
        found[title.strip()] = [row.split() for row in rows]
    return found


def number(word: str) -> float:
    """Return what a word says, without the mark of a misprint."""
    return float(word.replace(",", "").rstrip("*"))


def told(name: str, folder: Path, by: Callable[..., Done] = run) -> list[str]:
    """Return what is said of two mistakes, by key, when nothing else is printed and the exit code is 2."""
    done = by(name, folder, "run.custmers=5", "run.seed=-1")
    assert (done.returncode, done.stdout) == (2, "")
    assert list(folder.iterdir()) == []
    return [line.partition(":")[0] for line in done.stderr.splitlines()]
