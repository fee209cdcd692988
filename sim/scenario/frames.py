"""A DataFrame of existing customers as the content of a Parquet file, which a scenario holds and a run's folder keeps."""

import tempfile
from pathlib import Path
from typing import Any

from sim.scenario.columns import COLUMNS
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.raw import show, suggest

INDEX = "__index__"
"""Column that holds the frame's index, where that says more than the place of a row."""


def packed(frame: Any) -> bytes:
    """Return a DataFrame as a Parquet file: the columns that are read, those whose names look like them, and its index.

    Raises ScenarioError where it is no DataFrame, or a column holds what no column of a file can.
    """
    if not (hasattr(frame, "columns") and hasattr(frame, "reset_index")):
        raise ScenarioError([Fault("base", show(type(frame).__name__), "must be a pandas DataFrame, one row a customer")])
    names = [name for name in frame.columns if isinstance(name, str) and _meant(name)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ScenarioError([Fault("base", "", f"has two columns named {show(twice)}", "leave one of them out")])
    if not names:
        raise ScenarioError([Fault(f"base: {name}", "", "column is missing") for name in ("id", "stage")])
    chosen = frame[names].reset_index(drop=True)
    if not frame.index.equals(chosen.index):
        chosen[INDEX] = [str(label) for label in frame.index]
    return _written(chosen)


def _meant(name: str) -> bool:
    """Return whether a column is read, or its name may be that of one misspelt."""
    return name in COLUMNS or suggest(name.lower(), COLUMNS).startswith("did")


def _written(frame: Any) -> bytes:
    import duckdb

    with tempfile.TemporaryDirectory() as place, duckdb.connect(":memory:") as connection:
        file = Path(place) / "base.parquet"
        try:
            connection.execute("SET threads = 1")  # so that the rows keep their order, and the file its bytes
            connection.register("frame", frame)
            connection.execute(f"COPY frame TO '{file}' (FORMAT parquet, COMPRESSION zstd)")
        except duckdb.Error as error:
            said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
            raise ScenarioError([Fault("base", "", f"cannot be read as a table: {said}")]) from None
        return file.read_bytes()
