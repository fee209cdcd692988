"""Where compiled kernels are kept: compiled once, never stale, nobody else's settings touched."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from sim.kernels import KEPT_CACHES, cache_folder

ROOT = Path(__file__).resolve().parents[2]

SIMULATE = """
import sim
from sim.kernels.drivers import run_groups as kernel
from sim.scenario import read
stages = {"customer": {"to": {"lost": {"probability": 0.3}}}, "lost": {"kind": "lost"}}
scenario = read({"period": "year", "horizon": 5, "start": "customer", "stages": stages, "run": {"customers": 5000}})
found = sim.simulate(scenario).clv["mean"][0]
"""
ADD_UP = """
import numpy as np
import sim
from sim.kernels.cash import book_acquisition as kernel
total, amounts = np.zeros(2, np.int64), np.array([2**40 + 5, -7])
kernel(total, amounts, np.zeros(2, np.int64), 2)
found = total.tolist()
"""
FRAME = """
import json, os
import numba
before = numba.config.CACHE_DIR, os.environ.get("NUMBA_CACHE_DIR")
{code}
assert (numba.config.CACHE_DIR, os.environ.get("NUMBA_CACHE_DIR")) == before
hits, misses = (sum(counts.values()) for counts in (kernel.stats.cache_hits, kernel.stats.cache_misses))
print(json.dumps(dict(found=found, hits=hits, misses=misses, home=sim.__file__)))
"""


def run(code: str, package: Path, **changed: str) -> tuple[Any, int, int]:
    """Run code in a process of its own, on the package in a folder; return what it found, and how often a kernel was read and compiled."""
    environment = {key: value for key, value in os.environ.items() if key not in ("NUMBA_DISABLE_JIT", "PYTHONPATH")}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1"} | changed
    done = subprocess.run(
        [sys.executable, "-c", FRAME.format(code=code)], cwd=package, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert Path(told["home"]).is_relative_to(package)
    return told["found"], told["hits"], told["misses"]


def compiled(cache: Path) -> dict[Path, int]:
    """Return the files of compiled code with the times they were written at."""
    return {path: path.stat().st_mtime_ns for path in cache.rglob("*.nb?")}


@pytest.mark.package
@pytest.mark.timeout(900)
def test_nothing_is_compiled_twice(tmp_path: Path) -> None:
    """The whole simulation, in two processes: the first compiles it where no test before has, the second finds what is there by then."""
    found, *counts = run(SIMULATE, ROOT)
    assert sum(counts) == 1
    cache = tmp_path / "cache"
    shutil.copytree(cache_folder(), cache / cache_folder().name)  # other tests write to the first one meanwhile
    files = compiled(cache)
    assert files
    assert run(SIMULATE, ROOT, NUMBA_CACHE_DIR=str(cache)) == (found, 1, 0)
    assert compiled(cache) == files


@pytest.mark.package
def test_nothing_is_stale_after_an_edit(tmp_path: Path) -> None:
    """An edit in one file of a function that a kernel in another calls is obeyed, and so is its undoing, from the cache."""
    copy, cache = tmp_path / "a copy [1]", str(tmp_path / "cache")
    shutil.copytree(ROOT / "sim", copy / "sim", ignore=shutil.ignore_patterns("__pycache__"))
    assert run(ADD_UP, copy, NUMBA_CACHE_DIR=cache) == ([255, 2**32 - 2], 0, 1)
    callee = copy / "sim" / "kernels" / "sums.py"
    text = callee.read_text()
    callee.write_text(text.replace("WORD = np.int64(0xFFFFFFFF)", "WORD = np.int64(0xFF)"))
    assert run(ADD_UP, copy, NUMBA_CACHE_DIR=cache) == ([255, 0xFE], 0, 1)
    callee.write_text(text)
    assert run(ADD_UP, copy, NUMBA_CACHE_DIR=cache) == ([255, 2**32 - 2], 1, 0)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a home that can be written, and name it as the one for caches."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_folder_lies_in_the_home_of_caches(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cache_folder()
    assert folder.parent == elsewhere / "home" / "clvsim"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert cache_folder() == folder
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(elsewhere / "own 客户"))
    assert cache_folder() == elsewhere / "own 客户" / folder.name


def test_a_home_that_cannot_be_written_is_done_without(elsewhere: Path) -> None:
    (elsewhere / "home").write_text("a file, not a folder")
    assert cache_folder().parent == elsewhere / f"clvsim-cache-{os.getuid()}"


def test_old_folders_go_away(elsewhere: Path) -> None:
    base = elsewhere / "home" / "clvsim"
    now = time.time()
    for age in range(1, KEPT_CACHES + 3):
        old = base / f"kernels-{age:016x}"
        (old / "inside").mkdir(parents=True)
        os.utime(old, (now - 1000 * age, now - 1000 * age))
    (base / "other").mkdir()
    folder = cache_folder()
    kept = {folder.name, "other", *(f"kernels-{age:016x}" for age in range(1, KEPT_CACHES))}
    assert {found.name for found in base.iterdir()} == kept
