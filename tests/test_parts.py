"""Parts: whole or not there, damaged ones thrown away, a folder held by one run at a time."""

import errno
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from sim.parts import DIGITS, Parts
from sim.scenario.errors import ScenarioError

ROOT = Path(__file__).resolve().parents[1]


def writes(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def names(parts: Parts) -> list[str]:
    return sorted(path.name for path in parts.folder.iterdir())


def test_a_part_is_named_by_key_and_content(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "a [1]" / "out 客户")
    path = parts.add("rows-12ab", ".bin", writes(b"content"))
    assert parts.folder == tmp_path / "a [1]" / "out 客户.parts"
    assert path == parts.folder / f"rows-12ab-{hashlib.sha256(b'content').hexdigest()[:DIGITS]}.bin"
    assert parts.add("rows-12ab", ".bin", writes(b"content")) == path
    other = parts.add("rows-12ab", ".bin", writes(b"other"))
    assert parts.found(".bin") == sorted([path, other])
    assert parts.found(".npz") == []
    assert parts.damaged == []
    assert [one.read_bytes() for one in (path, other)] == [b"content", b"other"]


def test_damaged_parts_are_named_and_thrown_away(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "out")
    good, bad = parts.add("a", ".bin", writes(b"good")), parts.add("b", ".bin", writes(b"bad"))
    bad.write_bytes(b"ba")
    (parts.folder / "mine-and-not-a-part.bin").write_bytes(b"x")
    assert parts.found(".bin") == [good]
    assert parts.damaged == [bad.name, "mine-and-not-a-part.bin"]
    assert names(parts) == [good.name]


def test_the_last_part_takes_the_place_of_earlier_ones(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "out")
    for content in (b"one", b"two", b"two", b"three"):
        parts.last("run-1", ".bin", writes(content))
        parts.last("run-2", ".bin", writes(content))
    assert [path.read_bytes() for path in parts.found(".bin")] == [b"three", b"three"]
    parts.drop("run-1", ".bin")
    assert [path.name.rpartition("-")[0] for path in parts.found(".bin")] == ["run-2"]
    parts.drop("run-2", ".bin")
    assert not parts.folder.exists()
    parts.drop("run-2", ".bin")


def test_a_folder_is_held_by_one_run_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Parts(out).held() as parts:
        with pytest.raises(ScenarioError) as caught, Parts(tmp_path / "." / "out").held():
            pytest.fail("held twice")
        told = f"out: is being written by another run just now (got {parts.folder}); wait for it, or name another out"
        assert str(caught.value) == told
        assert names(parts) == ["lock"]  # whoever was refused has not removed it
        with pytest.raises(ScenarioError), Parts(out).held():
            pytest.fail("held twice")
    with Parts(out).held() as parts:
        parts.add("a", ".bin", writes(b""))
    with Parts(out).held() as parts:
        assert len(parts.found(".bin")) == 1


def test_a_lock_that_was_removed_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run removes the lock as it ends, just after another has opened it: a third would hold the new one."""
    parts = Parts(tmp_path / "out")
    flock = fcntl.flock

    def late(lock: IO[str], how: int) -> None:
        (parts.folder / "lock").unlink()
        flock(lock, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(ScenarioError, match="is being written by another run just now"), parts.held():
        pytest.fail("held")


def test_a_folder_without_parts_is_removed_with_those_made_for_it(tmp_path: Path) -> None:
    with Parts(tmp_path / "a" / "b" / "out").held() as parts:
        assert names(parts) == ["lock"]
    assert os.listdir(tmp_path) == []
    (tmp_path / "a").mkdir()
    with Parts(tmp_path / "a" / "out").held():
        pass
    assert os.listdir(tmp_path) == ["a"]
    with Parts(tmp_path / "a" / "out").held() as parts:
        parts.add("a", ".bin", writes(b""))
    assert names(parts) != []


def test_it_is_let_go_whatever_happens_within(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Parts(tmp_path / "out").held():
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


def test_a_link_and_what_it_leads_to_are_one_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert Parts(tmp_path / "link").folder == Parts(tmp_path / "real").folder == tmp_path / "real.parts"


def test_what_cannot_be_written_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "out.parts").write_text("mine")
    for out, reason in ((tmp_path / "out", "file exists"), (tmp_path / "file" / "out", "not a directory")):
        told = f"out: cannot be written there: {reason} (got {out}.parts); what was done so far is kept"
        with pytest.raises(ScenarioError) as caught, Parts(out).held():
            pytest.fail("held")
        assert str(caught.value) == told
        with pytest.raises(ScenarioError) as caught:
            Parts(out).add("a", ".bin", writes(b""))
        assert str(caught.value) == told


def test_a_full_disk_leaves_no_half_of_a_part(tmp_path: Path) -> None:
    def full(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def unnamed(path: Path) -> None:
        raise OSError("no room")

    parts = Parts(tmp_path / "out")
    kept = parts.add("a", ".bin", writes(b"whole"))
    for write, reason in ((full, "no space left on device"), (unnamed, "no room")):
        with pytest.raises(ScenarioError, match=f"^out: cannot be written there: {reason} "):
            parts.last("a", ".bin", write)
    assert names(parts) == [kept.name]


def test_an_error_of_the_writer_s_own_leaves_nothing(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "out")
    with pytest.raises(ZeroDivisionError):
        parts.add("a", ".bin", lambda path: path.write_bytes(b"half") // 0)
    assert names(parts) == []


KILLED = """
import os, signal, sys
from sim.parts import Parts

def write(path):
    path.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)

with Parts(sys.argv[1]).held() as parts:
    parts.add("a", ".bin", lambda path: path.write_bytes(b"whole"))
    parts.add("b", ".bin", write)
"""


def test_one_that_was_killed_holds_nothing_and_leaves_whole_parts(tmp_path: Path) -> None:
    out = tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", KILLED, str(out)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert any(name.endswith(".tmp") for name in names(Parts(out)))
    with Parts(out).held() as parts:
        assert [path.read_bytes() for path in parts.found(".bin")] == [b"whole"]
        assert parts.damaged == []
        assert not any(name.endswith(".tmp") for name in names(parts))
