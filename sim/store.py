"""The only writer of run folders: a folder is there whole, with its manifest, or not at all.

Everything is written into a temporary folder beside ``out``, hashed, and renamed into place. Whatever goes wrong on the way,
Ctrl-C included, the temporary folder goes away and what stood at ``out`` before still stands.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from sim.scenario.errors import Fault, ScenarioError

MANIFEST = "manifest.json"

MADE_BY = "clvsim"
"""Value of ``made_by`` in a manifest: the mark of a folder that may be replaced."""

RUNS = "runs.csv"
"""The table of several runs, beside their folders."""

RUNS_COLUMNS = ("clv_mean", "clv_se", "kept", "kept_periods", "customer_equity", "folder")
"""Last columns of that table: the mark of one that may be replaced."""

Content = bytes | Callable[[Path], object]
"""What a file holds, or a function that writes it at the path it is given."""


def read_manifest(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the manifest of a run folder; raise ScenarioError where there is none of ours."""
    folder = Path(folder)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("made_by") != MADE_BY:
        raise ScenarioError([Fault(str(folder), "", f"must be a run folder, with a {MANIFEST} written by {MADE_BY}")])
    files = manifest.get("files")
    if not (isinstance(files, dict) and all(_is_name(name) and isinstance(digest, str) for name, digest in files.items())):
        raise ScenarioError([Fault(str(folder / MANIFEST), "", "files must map names of files in the folder to their SHA-256")])
    return manifest


def _is_name(name: str) -> bool:
    return "\0" not in name and not name.startswith("/") and not {"", ".", ".."} & set(name.split("/"))


def foreign(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Return what lies in a run folder without being in its manifest, names relative to the folder and sorted."""
    known = {MANIFEST, *manifest["files"]}
    known |= {str(parent) for name in manifest["files"] for parent in PurePosixPath(name).parents}
    return sorted(name for path in folder.rglob("*") if (name := path.relative_to(folder).as_posix()) not in known)


def check(out: str | os.PathLike[str]) -> Path:
    """Return the real path of ``out``; raise ScenarioError if no run folder can be written there. Writes nothing.

    To be asked before a simulation, so that nobody waits for results that cannot be kept.
    """
    if not os.fspath(out):
        raise ScenarioError([Fault("out", "", "must name a folder")])
    path = Path(os.path.realpath(out))
    try:
        _check(path)
    except OSError as error:
        raise _fault(path, _reason(error)) from error
    return path


def check_runs(out: str | os.PathLike[str], runs: int) -> tuple[Path, ...]:
    """Return the real paths of ``out/0``, ``out/1`` …; raise ScenarioError where some run folder cannot be written. Writes nothing."""
    if not os.fspath(out):
        check(out)
    path = Path(os.path.realpath(out))
    folders = tuple(path / str(k) for k in range(runs))
    if not path.is_dir():
        check(folders[0])
        return folders
    run = next((place for place in (path, *path.parents) if _is_run(place)), None)
    if run is not None:
        raise _fault(path, f"cannot hold several runs, for {run} is one", "name another")
    faults: list[Fault] = []
    for folder in folders:
        try:
            check(folder)
        except ScenarioError as error:
            faults += error.faults
    if os.path.lexists(path / RUNS) and not _is_table(path / RUNS):
        faults += _fault(path, f"holds {RUNS}, which is not ours, so it stays as it is", "name another").faults
    more = sorted(int(entry.name) for entry in path.iterdir() if entry.name.isdecimal() and int(entry.name) >= runs)
    if more:
        faults += _fault(path, f"holds {more[0]}, and the last run of this one is {runs - 1}, so it stays as it is", "name another").faults
    if faults:
        raise ScenarioError(faults)
    return folders


def write_runs(out: str | os.PathLike[str], text: str | None) -> None:
    """Write the table of several runs into the folder that holds them, or none (None: the runs that it tells of are being replaced)."""
    path = Path(os.path.realpath(out)) / RUNS
    temporary = path.with_name(f".{MADE_BY}-{os.urandom(8).hex()}")
    try:
        if text is None:
            path.unlink(missing_ok=True)
        else:
            temporary.write_text(text, encoding="utf-8", newline="")
            temporary.replace(path)
    except OSError as error:
        raise _fault(path, _reason(error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _is_table(path: Path) -> bool:
    """Return whether a file's first line is that of a table of several runs."""
    try:
        with path.open(encoding="utf-8") as lines:
            columns = lines.readline().rstrip("\n").split(",")
    except (OSError, ValueError):
        return False
    return columns[0] == "run" and tuple(columns[-len(RUNS_COLUMNS) :]) == RUNS_COLUMNS


def write(out: str | os.PathLike[str], files: Mapping[str, Content], manifest: Mapping[str, Any]) -> Path:
    """Write a run folder and return its path.

    files: content by name relative to the folder, slashes for subfolders;
    manifest: what the manifest says beside ``made_by`` and ``files`` (the SHA-256 of each file by name).
    An existing folder is replaced if its manifest is ours and lists all that is in it;
    missing parents are made, and removed again where writing fails.
    """
    path = check(out)
    made: list[Path] = []
    temporary = path.parent / f".{MADE_BY}-{os.urandom(8).hex()}"
    try:
        _make_parents(path, made)
        temporary.mkdir()
        _fill(temporary, files, manifest)
        _put(temporary, path)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        _remove_empty(made)
        if isinstance(error, OSError):
            raise _fault(path, _reason(error)) from error
        raise
    return path


def _fault(path: Path, rule: str, suggestion: str = "") -> ScenarioError:
    return ScenarioError([Fault("out", str(path), rule, suggestion)])


def _reason(error: OSError) -> str:
    return f"cannot be written there: {error.strerror.lower() if error.strerror else error}"


def _check(path: Path) -> None:
    standing = next(place for place in (path, *path.parents) if os.path.lexists(place))
    if not standing.is_dir():
        rule = "must be a folder, and this is a file" if standing == path else f"cannot lie below a file, and {standing} is one"
        raise _fault(path, rule, "name another")
    run = next((parent for parent in path.parents if _is_run(parent)), None)
    if run is not None:
        raise _fault(path, f"cannot lie inside a run folder, and {run} is one", "name another")
    if standing == path:
        _check_ours(path)
        standing = path.parent
    else:
        _try_names(standing, path)
    if not os.access(standing, os.W_OK | os.X_OK):
        raise _fault(path, f"cannot be written there: no permission to write in {standing}")


def _check_ours(path: Path) -> None:
    """Refuse to replace what is not a run, or holds anything that no run wrote."""
    try:
        manifest = read_manifest(path)
    except ScenarioError:
        rule = f"must be a new folder or one that {MADE_BY} wrote; this one is not ours, so it stays as it is"
        raise _fault(path, rule, "name another") from None
    others = foreign(path, manifest)
    if others:
        raise _fault(path, f"holds {others[0]}, which is not in its {MANIFEST}, so it stays as it is", "name another")


def _is_run(folder: Path) -> bool:
    try:
        read_manifest(folder)
    except ScenarioError:
        return False
    return True


def _try_names(standing: Path, path: Path) -> None:
    """Raise OSError for a name that no file can have (too long, say), which ``lexists`` takes for a missing file."""
    for name in path.relative_to(standing).parts:
        with contextlib.suppress(FileNotFoundError):
            (standing / name).lstat()


def _make_parents(path: Path, made: list[Path]) -> None:
    missing = [parent for parent in path.parents if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(exist_ok=True)
        made.append(parent)


def _remove_empty(made: list[Path]) -> None:
    for parent in reversed(made):
        try:
            parent.rmdir()
        except OSError:  # somebody else's by now
            return


def _fill(folder: Path, files: Mapping[str, Content], manifest: Mapping[str, Any]) -> None:
    hashes = {}
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(target)
        else:
            target.write_bytes(content)
        with target.open("rb") as written:
            hashes[name] = hashlib.file_digest(written, "sha256").hexdigest()
    text = json.dumps({"made_by": MADE_BY, **manifest, "files": hashes}, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _put(temporary: Path, path: Path) -> None:
    """Rename into place. An old run steps aside first and comes back should the second rename fail."""
    if not path.exists():
        temporary.rename(path)
        return
    aside = temporary.with_name(temporary.name + "-old")
    path.rename(aside)
    try:
        temporary.rename(path)
    except BaseException:
        aside.rename(path)
        raise
    shutil.rmtree(aside, ignore_errors=True)
