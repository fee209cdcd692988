"""Rows of points, kept as they are done, in parts beside the folder they are for."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from sim.measures.row import Row
from sim.parts import Parts
from sim.studies.folder import parquet

ENDING = ".parquet"


def keep(parts: Parts, done: Mapping[str, Sequence[Row]]) -> Path:
    """Write the rows of points as a part, and return its path."""
    import pandas as pd

    frame = pd.DataFrame([{"key": key, "arm": k, **one} for key, every in done.items() for k, one in enumerate(every)])
    return parts.add(f"rows-{sorted(done)[0][:8]}", ENDING, parquet(frame))


def kept(parts: Parts) -> dict[str, list[Row]]:
    """Return the rows of all points that are kept, by key."""
    import duckdb

    paths = [str(path) for path in parts.found(ENDING)]
    if not paths:
        return {}
    with duckdb.connect(":memory:") as connection:
        reader = connection.read_parquet(paths, union_by_name=True)
        columns, held = reader.columns, reader.fetchall()
    found: dict[str, dict[int, Row]] = {}
    for values in held:
        told = {name: value for name, value in zip(columns, values, strict=True) if value is not None}
        found.setdefault(told.pop("key"), {})[told.pop("arm")] = told
    return {key: [every[k] for k in sorted(every)] for key, every in found.items()}


def together(parts: Parts, every: Mapping[str, list[Row]]) -> None:
    """Make one part of all: a sweep of a thousand seconds leaves one file, not a thousand."""
    before = parts.found(ENDING)
    if len(before) > 1:
        whole = keep(parts, every)
        for path in before:
            if path != whole:  # one that was killed here had written it already
                path.unlink(missing_ok=True)


def defined(found: Row) -> Row:
    """Return a row without what is not defined, as it comes back from a part."""
    return {name: value for name, value in found.items() if not isinstance(value, float) or math.isfinite(value)}
