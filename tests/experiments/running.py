"""Run an experiment as a user does, and read the numbers that it prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(name: str, folder: Path, *settings: str, columns: int = 40) -> "subprocess.CompletedProcess[str]":
    """Run an experiment in a folder, on a terminal of so many columns; at 40 its tables stand one below the other."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": str(columns), "MPLBACKEND": "agg"}
    command = [sys.executable, str(ROOT / "experiments" / f"{name}.py"), *settings]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


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


def told(name: str, folder: Path) -> list[str]:
    """Return what is said of two mistakes, by key, when nothing else is printed and the exit code is 2."""
    done = run(name, folder, "run.custmers=5", "run.seed=-1")
    assert (done.returncode, done.stdout) == (2, "")
    assert list(folder.iterdir()) == []
    return [line.partition(":")[0] for line in done.stderr.splitlines()]
