"""Work that is done, kept beside the folder it is for until that can be written: whatever kills a run, what is here need not be done again.

In ``OUT.parts`` lie parts, each a file named by a hash of what was run and by one of what it holds, written under another name and renamed.
A part whose content is not what its name says is damaged, and is thrown away. Removing the folder costs time only.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from sim.scenario.errors import Fault, ScenarioError

DIGITS = 16


class Parts:
    """The parts beside a run's folder. damaged: names of those found to be so."""

    def __init__(self, out: str | os.PathLike[str]) -> None:
        real = Path(os.path.realpath(out))
        self.folder = real.with_name(f"{real.name}.parts")
        self.damaged: list[str] = []

    @contextlib.contextmanager
    def held(self) -> Iterator["Parts"]:
        """Make the folder and hold it against other runs until the block ends; raise ScenarioError where one of them has it.

        The lock goes with the process, however that ends. A folder without parts is removed at the end.
        """
        made = [parent for parent in (self.folder, *self.folder.parents) if not parent.exists()]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / "lock").open("w")
        except OSError as error:
            raise _fault(self.folder, error) from error
        with lock:
            if not self._locked(lock):
                rule = "is being written by another run just now"
                raise ScenarioError([Fault("out", str(self.folder), rule, "wait for it, or name another out")])
            try:
                for left in self.folder.glob(".*.tmp"):  # of a run that was killed while it wrote
                    left.unlink(missing_ok=True)
                yield self
            finally:
                with contextlib.suppress(OSError):
                    if [entry.name for entry in self.folder.iterdir()] == ["lock"]:
                        (self.folder / "lock").unlink()
                        for place in made:
                            place.rmdir()

    def _locked(self, lock: IO[str]) -> bool:
        """Take the lock; return whether it is this run's, and still the one in the folder, not one that another run has removed."""
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.path.samestat(os.fstat(lock.fileno()), (self.folder / "lock").stat())
        except OSError:
            return False

    def found(self, ending: str) -> list[Path]:
        """Return the sound parts with an ending, by name; damaged ones are named in ``damaged`` and removed."""
        sound = []
        for path in sorted(self.folder.glob(f"*-*{ending}")):
            if _digest(path) == path.name.removesuffix(ending).rpartition("-")[2]:
                sound.append(path)
            else:
                self.damaged.append(path.name)
                path.unlink(missing_ok=True)
        return sound

    def add(self, key: str, ending: str, write: Callable[[Path], object]) -> Path:
        """Write a part of this key and return its path; write: writes it at the path it is given. Earlier parts of the key stay."""
        temporary = self.folder / f".{os.urandom(8).hex()}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write(temporary)
            path = self.folder / f"{key}-{_digest(temporary)}{ending}"
            temporary.replace(path)
        except OSError as error:
            raise _fault(self.folder, error) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        return path

    def last(self, key: str, ending: str, write: Callable[[Path], object]) -> None:
        """Write a part in place of earlier ones of its key."""
        path = self.add(key, ending, write)
        for other in self.folder.glob(f"{key}-*{ending}"):
            if other != path:
                other.unlink(missing_ok=True)

    def drop(self, key: str, ending: str) -> None:
        """Remove the parts of a key, and the folder with the last of them."""
        for path in self.folder.glob(f"{key}-*{ending}"):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:DIGITS]


def _fault(folder: Path, error: OSError) -> ScenarioError:
    reason = error.strerror.lower() if error.strerror else str(error)
    return ScenarioError([Fault("out", str(folder), f"cannot be written there: {reason}", "what was done so far is kept")])
