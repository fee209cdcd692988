"""Existing customers in tests: tables written to a folder, and scenarios that read them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sim.scenario import Scenario
from tests import zoo


def table(folder: Path, rows: Iterable[Mapping[str, Any]], name: str = "base.csv") -> str:
    """Write a table of customers and return its path; a row without an id is given its number."""
    numbered = [{"id": k, **row} for k, row in enumerate(rows)]
    columns = list(numbered[0])
    lines = [",".join(columns), *(",".join(str(row[column]) for column in columns) for row in numbered)]
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def scenario(name: str, file: str, run: Mapping[str, Any] | None = None, **changes: Any) -> Scenario:
    """Return one of the zoo with existing customers, and without new ones unless ``changes`` bring them."""
    raw = {**zoo.ZOO[name], "firm": {}, "base": {"file": file}, **changes}
    return Scenario.model_validate({**raw, "name": name, "run": dict(run or {})})


def spread(stages: Iterable[str], oldest: int, **more: Iterable[Any]) -> list[dict[str, Any]]:
    """Return a customer of each stage and stage age 0 … oldest; more: values of other columns, taken in turn."""
    places = [(stage, age) for stage in stages for age in range(oldest + 1)]
    extra = {key: list(values) for key, values in more.items()}
    return [
        {"stage": stage, "age": age, **{key: values[k % len(values)] for key, values in extra.items()}}
        for k, (stage, age) in enumerate(places)
    ]
