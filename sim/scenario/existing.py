"""The customers that the firm already has, read from a table (CSV or Parquet) to arrays by type; or every fault in the table.

DuckDB reads and checks; what comes back is a few bytes a customer, in order of segment and then of row. Imported where a scenario has
a ``base`` only.
"""

import codecs
import csv
import hashlib
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.scenario import buyers
from sim.scenario.columns import COLUMNS, PAST, Column, amount, choice, plain, quoted, time, together, wallet, whole
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.frames import INDEX
from sim.scenario.raw import show, suggest

if TYPE_CHECKING:
    import duckdb

    from sim.scenario.model import Scenario

LISTED = 20
"""Faults of a table that are told one by one."""

CHUNK = 2**20
PIECE = 2**18
"""Customers read at once from Parquet."""


@dataclass(frozen=True, eq=False)
class Existing:
    """Existing customers, segment by segment and in each by row; n of them.

    stage, segment: (n,) uint8, places in the scenario's; age: (n,) uint16, periods spent in the stage; tenure: (n,) uint16, since
    acquisition; level: (n,) float32 share of wallet, wallet: (n,) float32 currency, NaN where not known, of length 0 without the column;
    x: (n,) uint16 past orders, t_x, T: (n,) float32 periods since acquisition at the last of them and now, of length 0 without;
    order: (n,) uint32, place in the file from 0, of length 0 where it is the file's; counts: (segment, stage) int64 customers;
    digest: SHA-256 of the file;
    warnings: what is allowed but seldom meant.
    """

    stage: NDArray[np.uint8]
    segment: NDArray[np.uint8]
    age: NDArray[np.uint16]
    tenure: NDArray[np.uint16]
    level: NDArray[np.float32]
    wallet: NDArray[np.float32]
    x: NDArray[np.uint16]
    t_x: NDArray[np.float32]
    T: NDArray[np.float32]
    order: NDArray[np.uint32]
    counts: NDArray[np.int64]
    digest: str
    warnings: tuple[str, ...]

    @property
    def row(self) -> NDArray[np.uint32]:
        """Place of each customer in the file, from 0, (n,)."""
        return self.order if self.order.size else np.arange(self.stage.size, dtype=np.uint32)

    def of(self, segment: int) -> slice:
        """Return where the customers of a segment lie."""
        ends = [0, *np.cumsum(self.counts.sum(axis=1)).tolist()]
        return slice(ends[segment], ends[segment + 1])


@dataclass(frozen=True)
class Table:
    """A table as it is read.

    name: in what is said of it; source: in SQL; given: its columns; pieces: in SQL where any rows of it can be read by themselves, else "";
    word, label: how its rows are named, and what names one, in SQL.
    """

    name: str
    source: str
    given: list[str]
    pieces: str = ""
    word: str = "row"
    label: str = "row"

    @property
    def numbered(self) -> str:
        """The table with its rows, from 1."""
        return f"(SELECT row_number() OVER () AS row, * FROM {self.source})"


def read(scenario: "Scenario") -> Existing:
    """Return the existing customers of a scenario that has a base; raises ScenarioError with up to LISTED faults of its table."""
    assert scenario.base is not None
    if scenario.base.held is None:
        return _read(scenario, Path(scenario.base.file), _source)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "base.parquet"
        file.write_bytes(scenario.base.held)
        return _read(scenario, file, _held)


def _read(scenario: "Scenario", file: Path, opened: "Callable[[duckdb.DuckDBPyConnection, Path], Table]") -> Existing:
    import duckdb

    digest = _digest(file)
    settings: dict[str, str | bool | int | float | list[str]] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    with duckdb.connect(":memory:", config=settings) as connection:
        try:
            table = opened(connection, file)
            columns = _columns(scenario, table)
            _refuse(_misplaced(connection, table, columns))
            _refuse(_twice(connection, table, columns[0]))
            found = _fetched(connection, table, [column for column in columns[1:] if column.value])
        except duckdb.Error as error:
            raise ScenarioError([_broken("base" if scenario.base and scenario.base.held else str(file), str(error))]) from None
    counts = np.zeros((len(scenario.segment_shares), len(scenario.stages)), np.int64)
    return _sorted(found, counts, digest, tuple(_unused(scenario, table)))


def template(scenario: "Scenario") -> str:
    """Return a table to fill in, as CSV: the columns that the scenario can use, and a customer in each stage that one can be in."""
    rows: list[dict[str, str]] = []
    past = buyers.past(scenario, PAST) and not any(buyers.faults(scenario))
    for k, stage in enumerate(_stages(scenario)):
        row = {"id": f"customer-{k + 1}", "stage": stage, **dict.fromkeys(PAST if past else ("age", "tenure"), "0")}
        if scenario.level is not None:
            row["level"] = f"{scenario.level.initial:g}"
        if scenario.segments:
            row["segment"] = list(scenario.segments)[k % len(scenario.segments)]
        rows.append({**row, "wallet": ""})
    return "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]) + "\n"


def _stages(scenario: "Scenario") -> tuple[str, ...]:
    """Return the stages that an existing customer can be in: no prospects where customers start active, for none is ever acquired."""
    kinds = ("prospect", "active") if scenario.stages[scenario.start].kind == "prospect" else ("active",)
    return tuple(key for key, stage in scenario.stages.items() if stage.kind in kinds)


def _digest(file: Path) -> str:
    """Return the SHA-256 of a file, and refuse text that is not UTF-8."""
    found, line, text = hashlib.sha256(), 1, file.suffix.lower() != ".parquet"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with file.open("rb") as content:
            while chunk := content.read(CHUNK):
                found.update(chunk)
                if text:
                    decoder.decode(chunk)
                    line += chunk.count(b"\n")
            decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        line += error.object[: error.start].count(b"\n")
        raise ScenarioError([Fault(f"{file}: line {line}", "", "must be text in UTF-8", "save it as CSV in UTF-8")]) from None
    except OSError as error:
        hint = "paths are relative to the working directory" if not file.is_absolute() else ""
        raise ScenarioError([Fault("base.file", str(file), f"cannot be read: {(error.strerror or str(error)).lower()}", hint)]) from None
    return found.hexdigest()


def _source(connection: "duckdb.DuckDBPyConnection", file: Path) -> Table:
    """Return the table of a file."""
    if file.suffix.lower() == ".parquet":
        return _parquet(connection, file)
    with file.open(encoding="utf-8-sig", newline="") as text:
        first = text.readline()
        separator = max(",;\t", key=first.count)
        header = [name.strip() for name in next(csv.reader([first], delimiter=separator), [])]
    if not header:
        raise ScenarioError([Fault(str(file), "", "is empty", f"begin with a line of column names: {','.join(COLUMNS[:-3])}")])
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise ScenarioError([Fault(str(file), "", f"has two columns named {show(twice)}", "leave one of them out")])
    types = ", ".join(f"{quoted(name or 'column')}: 'VARCHAR'" for name in header)
    how = f"delim={quoted(separator)}, header=true, auto_detect=false, quote='\"', escape='\"'"
    return Table(str(file), f"read_csv({quoted(str(file))}, {how}, columns={{{types}}})", header)


def _parquet(connection: "duckdb.DuckDBPyConnection", file: Path) -> Table:
    source = f"read_parquet({quoted(str(file))})"
    given = [name for name, *_ in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
    return Table(str(file), source, given, f"read_parquet({quoted(str(file))}, file_row_number=true)")


def _held(connection: "duckdb.DuckDBPyConnection", file: Path) -> Table:
    """Return the table of a DataFrame, whose rows are named by its index."""
    found = _parquet(connection, file)
    given = [name for name in found.given if name != INDEX]
    return Table("base", found.source, given, found.pieces, "index", INDEX if INDEX in found.given else "row - 1")


def _columns(scenario: "Scenario", table: Table) -> list[Column]:
    """Return the columns that a table has, or should have; raises ScenarioError where one that it must have is missing."""
    given = table.given
    missing = [name for name in ("id", "stage") if name not in given]
    if len(scenario.segments) > 1 and "segment" not in given:
        missing.append("segment")
    missing += buyers.missing(given)
    if missing:
        others = [name for name in given if name not in COLUMNS]
        raise ScenarioError([Fault(f"{table.name}: {name}", "", "column is missing", _near(name, others)) for name in missing])
    past = buyers.past(scenario, given)
    _refuse(buyers.faults(scenario) if past else iter(()))
    stages = (scenario.start,) if past else _stages(scenario)
    found = [Column("id", f"hash({plain('id')})", f"coalesce({plain('id')}, '') <> ''", "must be given")]
    found.append(choice("stage", stages, list(scenario.stages), scenario))
    if "segment" in given and scenario.segments:
        segments = list(scenario.segment_shares)
        found.append(choice("segment", segments, segments, scenario))
    found += [whole(name) for name in ("age", "tenure") if name in given]
    if "level" in given and scenario.level is not None:
        found.append(amount("level", 1.0, "must be from 0 to 1"))
    if "wallet" in given:
        found.append(wallet())
    if past:
        found += [whole("x", "a whole number of orders"), time("t_x"), time("T")]
    return [*found, *together(given, past)]


def _near(name: str, others: Sequence[str]) -> str:
    """Return which of a table's own columns is meant, where one looks like it."""
    near = next((other for other in others if suggest(other.lower(), [name]).startswith("did")), None)
    return f"rename {show(near)} to {name}" if near else ""


def _refuse(faults: Iterator[Fault]) -> None:
    found = list(faults)
    if found:
        raise ScenarioError(found)


def _misplaced(connection: "duckdb.DuckDBPyConnection", table: Table, columns: Sequence[Column]) -> Iterator[Fault]:
    """Yield what is wrong with the values of a table: the first LISTED, then how many more."""
    wrong = ", ".join(f"count(*) FILTER (NOT ({column.good}))" for column in columns)
    customers, *counts = connection.execute(f"SELECT count(*), {wrong} FROM {table.source}").fetchall()[0]
    if customers == 0:
        yield Fault(table.name, "", "holds no customers")
    if not any(counts):
        return
    listed = []
    for k, (column, count) in enumerate(zip(columns, counts, strict=True)):
        if count:
            query = f"SELECT row, {table.label}, {column.name} FROM {table.numbered} WHERE NOT ({column.good}) ORDER BY row LIMIT {LISTED}"
            listed += [(row, k, label, value) for row, label, value in connection.execute(query).fetchall()]
    for _, k, label, value in sorted(listed, key=lambda fault: fault[:2])[:LISTED]:
        blank = value is None or str(value).strip() == ""
        where, column = f"{table.name}: {table.word} {label}, {columns[k].name}", columns[k]
        if blank:
            yield Fault(where, "", "must be given")
        else:
            yield Fault(where, show(value), column.rule, suggest(str(value), column.choices) if column.choices else "")
    if sum(counts) > LISTED:
        yield Fault(table.name, "", f"and {sum(counts) - LISTED:,} more such faults")


def _fetched(connection: "duckdb.DuckDBPyConnection", table: Table, columns: Sequence[Column]) -> dict[str, NDArray[Any]]:
    """Return the values of a table without fault, by column: of Parquet piece by piece, so that none is in memory twice."""
    read_as = ", ".join(f"{column.value} AS {column.name}" for column in columns)
    if not table.pieces:
        found = connection.execute(f"SELECT {read_as} FROM {table.source}").fetchnumpy()
        return {name: np.ma.getdata(values) for name, values in found.items()}
    [(customers,)] = connection.execute(f"SELECT count(*) FROM {table.source}").fetchall()
    whole_table: dict[str, NDArray[Any]] = {}
    for first in range(0, customers, PIECE):
        rows = f"file_row_number >= {first} AND file_row_number < {first + PIECE}"
        piece = connection.execute(f"SELECT {read_as} FROM {table.pieces} WHERE {rows}").fetchnumpy()
        for name, values in piece.items():
            into = whole_table.setdefault(name, np.empty(customers, np.ma.getdata(values).dtype))
            into[first : first + PIECE] = np.ma.getdata(values)
    return whole_table


def _twice(connection: "duckdb.DuckDBPyConnection", table: Table, column: Column) -> Iterator[Fault]:
    """Yield customers whose id another one has: those with equal hashes of 64 bits, told by the ids themselves."""
    ordered = _fetched(connection, table, [column])["id"]
    ordered.sort()
    suspects = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not suspects.size:
        return
    hashes = _fetched(connection, table, [column])["id"]
    rows = np.flatnonzero(np.isin(hashes, suspects)) + 1
    first: dict[str, Any] = {}
    repeated = []
    numbered = f"(SELECT row, {table.label} AS label, {plain('id')} AS id FROM {table.numbered})"
    connection.execute("CREATE TEMP TABLE suspects (row BIGINT)")
    connection.executemany("INSERT INTO suspects VALUES (?)", [[int(row)] for row in rows[: 50 * LISTED]])
    for label, value in connection.execute(f"SELECT label, id FROM {numbered} SEMI JOIN suspects USING (row) ORDER BY row").fetchall():
        if value in first:
            repeated.append((label, value))
        first.setdefault(value, label)
    for label, value in repeated[:LISTED]:
        rule = f"must be unique, and {table.word} {first[value]} has it too"
        yield Fault(f"{table.name}: {table.word} {label}, id", show(value), rule)
    more = hashes.size - np.unique(ordered).size - LISTED
    if more > 0:
        yield Fault(table.name, "", f"and {more:,} more such faults")


def _broken(file: str, said: str) -> Fault:
    """Return what DuckDB says of a file that is no table, in one line."""
    line = re.search(r"CSV Error on Line: (\d+)", said)
    counts = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", said)
    if line and counts:
        return Fault(f"{file}: line {line[1]}", f"{counts[2]} values", f"must have a value for each of the {counts[1]} columns")
    first = next(part for part in (*(text.strip() for text in said.splitlines()), "") if not part.endswith(":"))
    return Fault(f"{file}: line {line[1]}" if line else file, "", f"cannot be read as a table: {first}")


def _unused(scenario: "Scenario", table: Table) -> Iterator[str]:
    """Yield a warning for each column that is not read and may be meant to be."""
    given = table.given
    for name, used, what in (("level", scenario.level, "level"), ("segment", scenario.segments, "segments")):
        if name in given and not used:
            yield f"{table.name}: the column {name} is not used: the scenario has no {what}"
    if set(PAST) <= set(given) and not buyers.past(scenario, given):
        yield f"{table.name}: the columns x, t_x and T are not used: orders are not Poisson"
    for name in given:
        near = suggest(name.lower(), COLUMNS)
        if name not in COLUMNS and near.startswith("did"):
            yield f"{table.name}: the column {show(name)} is not used; {near}"


def _sorted(found: dict[str, NDArray[Any]], counts: NDArray[np.int64], digest: str, warnings: tuple[str, ...]) -> Existing:
    """Return the customers in order of segment, rows of a segment in file order; counts: (segment, stage), filled here."""
    customers, segments = found["stage"].size, counts.shape[0]
    segment = found.pop("segment", np.zeros(customers, np.uint8))
    for first in range(0, customers, PIECE):
        mine = slice(first, first + PIECE)
        places = np.bincount(segment[mine].astype(np.uint16) * counts.shape[1] + found["stage"][mine], minlength=counts.size)
        counts += places.reshape(counts.shape)
    order = np.concatenate([np.flatnonzero(segment == s).astype(np.uint32) for s in range(segments)]) if segments > 1 else None
    nothing = np.zeros(0, np.float32)

    def arranged(name: str, default: NDArray[Any]) -> NDArray[Any]:
        values = found.pop(name, None)
        return default if values is None else values if order is None else values[order]

    since = arranged("T", nothing)
    age = arranged("age", since.astype(np.uint16) if since.size else np.zeros(customers, np.uint16))
    return Existing(
        stage=arranged("stage", nothing),
        segment=segment if order is None else segment[order],
        age=age,
        tenure=arranged("tenure", age),
        level=arranged("level", nothing),
        wallet=arranged("wallet", nothing),
        x=arranged("x", nothing),
        t_x=arranged("t_x", nothing),
        T=since,
        order=np.zeros(0, np.uint32) if order is None else order,
        counts=counts,
        digest=digest,
        warnings=warnings,
    )
