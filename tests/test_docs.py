"""The reference pages list every key with its default and every column, and what they compute comes out as they say."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import sim
from sim.scenario.base import Model
from sim.scenario.purchases import Trait

DOCS = Path(__file__).resolve().parents[1] / "docs"


def sections(name: str) -> dict[str, list[list[str]]]:
    """Return the rows of the first table under each heading of a page, by the heading's first word."""
    found: dict[str, list[list[str]]] = {}
    for part in re.split(r"^## ", (DOCS / name).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("| `")]
        found[re.split(r"\W", part, maxsplit=1)[0]] = rows
    return found


def models(base: type[BaseModel] = Model) -> dict[str, type[BaseModel]]:
    """Return every part of a scenario by its class's name."""
    found: dict[str, type[BaseModel]] = {}
    for model in base.__subclasses__():
        found |= {model.__name__: model, **models(model)}
    return found


def written(field: FieldInfo) -> str:
    """Return a field's default as the pages write it."""
    default: Any = field.default
    if field.is_required():
        return "required"
    if isinstance(default, Trait):
        return f"{default.mean:g}"
    if isinstance(default, BaseModel):
        return f"see {type(default).__name__}"
    if isinstance(default, tuple):
        return str(default[0])
    if isinstance(default, str) and default:
        return f"`{default}`"
    return {None: "none", "": "empty"}[default] if default in (None, "") else "none given" if default == {} else str(default)


@pytest.mark.parametrize("name", sorted(set(models()) - {"Scenario"}))
def test_every_key_and_its_default(name: str) -> None:
    rows = sections("scenario.md")[name]
    fields = models()[name].model_fields
    assert [row[:2] for row in rows] == [[f"`{key}`", written(field)] for key, field in fields.items()]


def test_every_key_at_the_top() -> None:
    rows = sections("scenario.md")["Scenario"]
    assert [row[0] for row in rows] == [f"`{key}`" for key in sim.Scenario.model_fields]
    defaults = {key.strip("`"): default for key, default, _ in rows}
    own = {"purchases": "subscription, wallet 1"}
    assert defaults == {key: own.get(key, written(field)) for key, field in sim.Scenario.model_fields.items()}


def test_every_section_is_a_model() -> None:
    assert set(sections("scenario.md")) == {*models(), "Correlations"}


@pytest.mark.jit
def test_every_column() -> None:
    result = sim.simulate(sim.load("lifecycle", "run.customers=500", "run.keep_customers=true", "horizon=3"))
    listed = {name: [row[0].strip("`") for row in rows] for name, rows in sections("frames.md").items()}
    assert listed == {name: list(frame.columns) for name, frame in result.tables().items()}


@pytest.mark.jit
@pytest.mark.parametrize(
    "code", re.findall(r"^```python\n(.*?)^```", (DOCS / "model.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
)
def test_code_of_the_model_page(code: str) -> None:
    exec(code, {})
