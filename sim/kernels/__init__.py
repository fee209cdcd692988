"""Everything compiled. Importing this package compiles nothing; it decides where compiled code is kept.

Numba's cache notices an edit of the file a kernel stands in, not of a function that it calls from another file, and would run the
old callee. So the folder is named by a hash of all sources here and of numba's version. It is set only while the kernels are
imported (numba reads it when a function is decorated), and a user's own NUMBA_CACHE_DIR is honoured as the base.
"""

import hashlib
import os
import pathlib
import shutil
import stat
import tempfile
from importlib import metadata
from typing import Any

KEPT_CACHES = 4


def _writable(base: pathlib.Path) -> pathlib.Path:
    """Return ``base``, or a folder of this user's under the temporary one where ``base`` cannot be written."""
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=base):
            return base
    except OSError:
        spare = pathlib.Path(tempfile.gettempdir()) / f"clvsim-cache-{os.getuid()}"
        spare.mkdir(mode=0o700, exist_ok=True)
        found = spare.lstat()  # compiled code is loaded from there: it must be ours alone
        mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
        return spare if mine else pathlib.Path(tempfile.mkdtemp(prefix="clvsim-cache-"))


def cache_folder() -> pathlib.Path:
    """Return this version's folder of compiled code, made if missing; all but the newest few others are removed."""
    home = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    base = _writable(pathlib.Path(os.environ.get("NUMBA_CACHE_DIR") or home / "clvsim"))
    digest = hashlib.sha256(metadata.version("numba").encode())
    for source in sorted(pathlib.Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    folder = base / f"kernels-{digest.hexdigest()[:16]}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.utime(folder)
    others = sorted(base.glob("kernels-*"), key=lambda found: found.stat().st_mtime)
    for old in others[:-KEPT_CACHES]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def _import_kernels() -> None:
    import numba

    settings: Any = numba.config
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(cache_folder())
    try:
        from sim.kernels import drivers  # noqa: F401
    finally:
        settings.CACHE_DIR = before


_import_kernels()
