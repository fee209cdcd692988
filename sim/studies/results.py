"""What lies below a folder of results: a table of the runs there, and SQL over the tables of all of them."""

import hashlib
import json
import math
import os
import re
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Any, NamedTuple

from sim import store
from sim.scenario.errors import Fault, ScenarioError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

RESULTS = "results"
"""Folder that runs lie in unless they are told otherwise."""

RUN, UNFINISHED, DAMAGED = "run", "unfinished", "damaged"
"""Kinds beside those of which a manifest tells: a simulation's folder, work under way, a folder of ours that cannot be read."""

RUNS = "runs"
"""Name of the list of runs in SQL; a table of that name is ``runs_`` there."""

WHOLE = ("seed", "customers", "points", "parts")
COLUMNS = (
    *("folder", "kind", "scenario", "seed", "created", "version", "customers"),
    *("arm", "clv", "clv_se", "equity", "equity_se", "points", "parts", "note"),
)

PART = re.compile(r"[^.].*-[0-9a-f]{16}(\.\w+)*")
TABLE = re.compile(r"tables/([^/]+)\.parquet")
LARGEST = 2**63 - 1
LISTED = 3
"""Files that a note names one by one."""


class _Place(NamedTuple):
    """A folder that is listed. path: where; files: SHA-256 by name, as its manifest lists them; row: what is listed of it."""

    path: Path
    files: Mapping[str, str]
    row: dict[str, Any]


def runs(folder: str | os.PathLike[str] = RESULTS) -> "pd.DataFrame":
    """Return a row a run below a folder, the newest last; raise ScenarioError where there is none.

    A run is a folder with a manifest of ours. Links to folders and hidden folders are left out, and so is what lies inside a run.

    folder: relative to the one asked for; kind: run, comparison, sweep …, unfinished (what a killed run kept, with its ``parts``) or
    damaged (``note`` says why); created: when it was written, UTC; customers: simulated; arm: the best one of a comparison, of which
    are clv and equity (the scenario's currency) with their standard errors; points: of a study. NaN or missing: there is none.
    """
    return _frame(_listed(folder))


def query(sql: str, folder: str | os.PathLike[str] = RESULTS) -> "pd.DataFrame":
    """Return what a SELECT gives over the runs below a folder; raise ScenarioError for what is no such statement, or where no run is.

    Beside ``runs`` there is a table for each name that any run has in its tables, its columns those of all runs by name, and before
    them ``run``: the run's folder, as in ``runs``. Nothing else can be read, and nothing written. Tables that are
    missing or were changed are left out with a UserWarning.
    """
    import duckdb

    if _text(sql) != sql:
        raise ScenarioError([Fault("query", _short(sql), "must be text, and holds bytes that are none")])
    listed = _listed(folder)
    with tempfile.TemporaryDirectory() as place, _connected() as connection:
        tables, names = _tables(listed, sql, Path(place))
        try:
            connection.register("listed", _frame(listed))
            connection.execute(f"CREATE TABLE {RUNS} AS SELECT * FROM listed")
            connection.unregister("listed")
            folders = [found.row["folder"] for found in listed]
            left = {name: _made(connection, name, files, folders) for name, files in tables.items()}
            tables = {name: files for name, files in tables.items() if len(files) > len(left[name])}
            connection.execute(f"SET allowed_paths = {_list(names)}")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            lost = [names[file] for name, files in left.items() if _asked(name, sql) for file in files]
            if lost:
                warnings.warn(f"missing or changed, so left out: {_some(lost)}", UserWarning, stacklevel=2)
            return _answer(connection, sql)
        except duckdb.InterruptException:
            raise KeyboardInterrupt from None
        except duckdb.Error as error:
            raise ScenarioError([_fault(str(error), [RUNS, *tables], names)]) from None


def _answer(connection: "duckdb.DuckDBPyConnection", sql: str) -> "pd.DataFrame":
    """Run the one SELECT that a text holds."""
    import duckdb

    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            rule = "must be one SELECT (or WITH, FROM, DESCRIBE, SUMMARIZE, SHOW TABLES)"
            pivot = "name the values: pivot … on … in (…)" if re.search(r"\bpivot\b", sql, re.IGNORECASE) else ""
            raise ScenarioError([Fault("query", _short(sql), rule, pivot or f'for example "select * from {RUNS}"')])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # how DuckDB calls pandas is its own affair
            found: pd.DataFrame = connection.execute(statements[0]).df()
    except RuntimeError as error:  # how DuckDB tells of Ctrl-C
        if "interrupted" in str(error):
            raise KeyboardInterrupt from None
        raise
    return found


def _short(sql: str) -> str:
    text = " ".join(_text(sql).split())
    return text if len(text) <= 60 else f"{text[:59]}…"


@contextmanager
def _connected() -> "Iterator[duckdb.DuckDBPyConnection]":
    """Give a database in memory that fetches nothing, spills nothing to disk, and sees none of our variables."""
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
        "temp_directory": "",
    }
    with duckdb.connect(":memory:", config=settings) as connection:
        yield connection


def _fault(message: str, tables: Sequence[str], names: Mapping[str, str]) -> Fault:
    """Return what DuckDB says in one line. tables: those there are; names: whose table each file in its message is."""
    for file, name in names.items():
        message = message.replace(file, name)
    first, *more = message.split("\n\nLINE ")[0].splitlines() or [""]
    first = re.sub(r"^[A-Z][A-Za-z -]* Error: ", "", first).strip().removesuffix("!")
    unknown = re.fullmatch(r"Table with name (.*) does not exist.*", first)
    if unknown:
        return Fault("query", unknown[1], "no such table", f"there are {', '.join(tables)}")
    closed = re.fullmatch(r'Cannot access (?:file|directory) "(.*)" - file system operations are disabled by configuration', first)
    if closed:
        return Fault("query", closed[1], "reads the tables of the runs alone, and writes nothing")
    if first.startswith("syntax error"):
        return Fault("query", "", first, 'columns named like words of SQL take double quotes: "by", "column"')
    hint = next((line.strip() for line in more if line.startswith(("Candidate ", "Did you mean"))), "")
    return Fault("query", "", first, hint.replace("Candidate bindings: ", "there are "))


def _tables(listed: Sequence[_Place], sql: str, place: Path) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return files in ``place`` that are the tables of all runs, by the table's name, and whose each of them is.

    Tables that SQL names are copied, so that whatever it does, runs stay as they are; others are links. A file that is not there is
    missing, or was changed after it was written.
    DuckDB expands no letter in the files' names, which end in the number of the run.
    """
    tables: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for run, (path, files, row) in enumerate(listed):
        for file, table in sorted((found[0], _text(found[1]).lower()) for name in files if (found := TABLE.fullmatch(name))):
            name = f"{RUNS}_" if table == RUNS else table
            copy, real = str(place / f"{len(names)}-{run}.parquet"), os.path.realpath(path / file)
            names[copy] = f"{row['folder']}/{_text(file)}"
            tables.setdefault(name, []).append(copy)
            with suppress(FileNotFoundError, IsADirectoryError, PermissionError):  # told below
                if not _asked(name, sql):
                    os.symlink(real, copy)
                elif _digest(copyfile(real, copy)) != files[file]:
                    os.unlink(copy)
    return dict(sorted(tables.items())), names


def _asked(name: str, sql: str) -> bool:
    """Return whether SQL may read a table: it names it, or names what it reads by a text."""
    return name in sql.lower() or "query_table" in sql.lower()


def _digest(path: str) -> str:
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _made(connection: "duckdb.DuckDBPyConnection", name: str, files: Sequence[str], folders: Sequence[str]) -> list[str]:
    """Make the view of one table over the runs that have it; return the files that hold no table. folders: of all runs."""
    import duckdb

    def reads(file: str) -> bool:
        try:
            connection.execute(f"SELECT * FROM read_parquet('{file}') LIMIT 0")
        except duckdb.Error:
            return False
        return True

    try:
        connection.execute(_view(name, files, folders))
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        sound = [file for file in files if reads(file)]
        if len(sound) == len(files):
            raise
        if sound:
            connection.execute(_view(name, sound, folders))
        return [file for file in files if file not in sound]
    return []


def _view(name: str, files: Sequence[str], folders: Sequence[str]) -> str:
    """Return SQL that makes the view of one table over the runs that have it. folders: of all runs."""
    quoted = name.replace('"', '""')
    run = f"({_list(folders)})[split_part(parse_filename(clvsim_file, true), '-', 2)::INTEGER + 1]"
    read = f"read_parquet({_list(files)}, union_by_name = true, filename = 'clvsim_file')"
    return f'CREATE VIEW "{quoted}" AS SELECT {run} AS run, * EXCLUDE (clvsim_file) FROM {read}'


def _list(texts: Iterable[str]) -> str:
    return "[" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts) + "]"


def _frame(listed: Iterable[_Place]) -> "pd.DataFrame":
    import pandas as pd

    rows = [place.row for place in listed]
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        values = [row.get(name) for row in rows]
        if name in WHOLE:
            columns[name] = pd.array(values, dtype="Int64")
        elif name == "created":
            columns[name] = pd.Series(values, dtype="datetime64[us]")
        elif name in ("clv", "clv_se", "equity", "equity_se"):
            columns[name] = pd.Series(values, dtype="float64")
        else:
            columns[name] = pd.array(values, dtype="string")  # one that knows its kind also where nothing is in it
    return pd.DataFrame(columns)


def _listed(folder: str | os.PathLike[str]) -> list[_Place]:
    """Return what is listed of a folder, the newest last; raise ScenarioError where that is nothing."""
    root = Path(folder)
    if not os.path.isdir(root):
        raise ScenarioError([Fault(str(folder), "", "must be a folder that holds runs", "clvsim simulate writes one into results")])
    found = sorted(_places(root), key=lambda place: (place.row["created"] or datetime.min, _natural(place.row["folder"])))
    if not found:
        raise ScenarioError([Fault(str(folder), "", "holds no run", "clvsim simulate writes one into results")])
    return found


def _natural(name: str) -> list[tuple[str, int]]:
    """Return a key that sorts run 2 before run 10."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"([^0-9]*)([0-9]{0,300})", name)]


def _places(root: Path) -> Iterator[_Place]:
    shut: list[OSError] = []
    for place, folders, files in os.walk(root, onerror=shut.append):
        path = Path(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))  # a hidden one is being written, or no run's
        row = {"folder": _text(path.relative_to(root).as_posix()), "created": None}
        if store.MANIFEST in files and (found := _run(path, row)) is not None:
            folders.clear()
            yield found
        elif place.endswith(".parts") and (kept := _kept(path, files)) is not None:
            folders.clear()
            if not _is_run(path.with_name(path.name.removesuffix(".parts"))):
                yield _Place(path, {}, {**row, "kind": UNFINISHED, **kept})
    for error in shut:
        name = _text(Path(error.filename).relative_to(root).as_posix())
        yield _Place(
            Path(error.filename), {}, {"folder": name, "created": None, "kind": DAMAGED, "note": f"cannot be read: {error.strerror}"}
        )


def _is_run(folder: Path) -> bool:
    try:
        store.read_manifest(folder)
    except ScenarioError:
        return False
    return True


def _kept(folder: Path, files: Sequence[str]) -> dict[str, Any] | None:
    """Return how many parts a folder of unfinished work holds, and when the last was kept; None where it is none."""
    parts = [name for name in files if PART.fullmatch(name)]
    if not parts and "lock" not in files:
        return None
    try:
        last = max((folder / name).stat().st_mtime for name in parts or ["lock"])
        created = datetime.fromtimestamp(int(last), UTC).replace(tzinfo=None)
    except (OSError, ValueError, OverflowError):  # it has gone on, or ended, meanwhile
        created = None
    return {"parts": len(parts), "created": created}


def _run(path: Path, row: dict[str, Any]) -> _Place | None:
    """Return what is listed of a folder with a manifest, None where that is somebody else's."""
    try:
        manifest = store.read_manifest(path)
    except ScenarioError as error:
        other = _json(path / store.MANIFEST)
        if other is not None and other.get("made_by") != store.MADE_BY:
            return None
        rule = error.faults[0].rule if other is not None else f"{store.MANIFEST} cannot be read"
        return _Place(path, {}, {**row, "kind": DAMAGED, "note": rule})
    kind = _string(manifest.get("kind")) or RUN
    name, told = _summary(path, kind, tuple(manifest["files"]))
    lost = [_text(file) for file in manifest["files"] if not os.path.isfile(path / file)]
    notes = [f"missing: {_some(lost)}"] if lost else []
    notes += [f"{name} cannot be read"] if told is None and name not in lost else []
    row |= {
        "kind": kind,
        "scenario": _string(manifest.get("scenario")),
        "seed": _whole(manifest.get("seed")),
        "created": _time(manifest.get("created")),
        "version": _string(manifest.get("version")),
        "note": "; ".join(notes) or None,
    }
    return _Place(path, manifest["files"], {**row, **_numbers(told or {})})


def _summary(path: Path, kind: str, files: Sequence[str]) -> tuple[str, dict[str, Any] | None]:
    """Return the name of the file that holds what a run came to, and what it says; None where it cannot be read."""
    usual = {RUN: "summary.json", "comparison": "comparison.json"}.get(kind, "study.json")
    name = usual if usual in files else next((file for file in files if file.endswith(".json") and "/" not in file), usual)
    return name, _json(path / name)


def _numbers(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a summary says of CLV and equity; a comparison's, of its best arm."""
    arms, best = told.get("arms"), _string(told.get("best"))
    of = arms.get(best) if isinstance(arms, dict) and best is not None else told
    clv, equity = _part(of, "clv"), _part(of, "customer_equity") or _part(of, "equity")
    return {
        "customers": _whole(told.get("customers")),
        "arm": best if isinstance(arms, dict) else None,
        "clv": _number(clv.get("mean")),
        "clv_se": _number(clv.get("se")),
        "equity": _number(equity.get("mean")),
        "equity_se": _number(equity.get("se")),
        "points": _whole(told.get("points")),
    }


def _part(of: Any, key: str) -> dict[str, Any]:
    found = of.get(key) if isinstance(of, dict) else None
    return found if isinstance(found, dict) else {}


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else {}


def _string(value: Any) -> str | None:
    return _text(value) if isinstance(value, str) else None


def _text(value: str) -> str:
    """Return a text with a mark for each byte and half of a letter that is none."""
    return value.encode("utf-8", "replace").decode()


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST else None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if abs(value) <= 1e308 else math.nan


def _time(value: Any) -> datetime | None:
    """Return a time of a manifest, UTC."""
    try:
        found = datetime.fromisoformat(value)
        return (found.astimezone(UTC) if found.tzinfo else found).replace(tzinfo=None)
    except (TypeError, ValueError, OverflowError):
        return None


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
