"""The reference pages list every key, default and column; code and commands of all pages give what is shown; the site builds."""

import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import sim
from sim.cli import main
from sim.scenario.base import Model
from sim.scenario.purchases import Trait
from sim.scenario.study import Factor, Study
from sim.scenario.world import Firm
from tests import zoo

DOCS = Path(__file__).resolve().parents[1] / "docs"


def sections(name: str) -> dict[str, list[list[str]]]:
    """Return the rows of the first table under each heading of a page, by the heading's first word."""
    found: dict[str, list[list[str]]] = {}
    for part in re.split(r"^## ", (DOCS / name).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("| `")]
        found[re.split(r"\W", part, maxsplit=1)[0]] = rows
    return found


def models(base: type[BaseModel] = Model) -> dict[str, type[BaseModel]]:
    """Return every part of a scenario, and of a study, by its class's name."""
    assert issubclass(Study, Model)
    assert issubclass(Factor, Model)
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
        return str(default[0]) if default else "none given"
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


def keys_of_a_comparison() -> list[str]:
    """Return the keys of comparison.json as the page has them, those of an arm after the key that holds the arms."""
    schema = json.loads((Path(sim.__file__).parent / "measures" / "comparison.schema.json").read_text(encoding="utf-8"))
    own = [f"arms.ARM.{key}" for key in schema["$defs"]["arm"]["properties"]]
    return [row for key in schema["properties"] for row in [key, *(own if key == "arms" else [])]]


@pytest.mark.jit
def test_every_column() -> None:
    small = "run.customers=500", "run.keep_customers=true", "run.panel=100", "horizon=12"
    plain, mindful = (sim.simulate(sim.load(name, *small)).tables() for name in ("markov_lifecycle", "adoption"))
    mindful |= sim.simulate(sim.load("club", "horizon=12", configs=DOCS.parent / "experiments")).tables()
    active = sim.simulate(zoo.scenario("active", customers=50).model_copy(update={"firm": Firm(fixed_cost=1.0)})).tables()
    listed = {name: [row[0].strip("`") for row in rows] for name, rows in sections("frames.md").items()}
    assert listed.pop("comparison") == keys_of_a_comparison()
    levers = sim.drivers(sim.load("adoption", *small, "market=null", "run.replicates=1")).frame
    plain |= sim.compare(sim.load("adoption", *small, "run.replicates=2"), ["accountable"]).tables()
    frames = active | mindful | plain | {"drivers": levers} | frames_of_studies()
    assert listed == {name: list(frame.columns) for name, frame in frames.items()}


def frames_of_studies() -> dict[str, pd.DataFrame]:
    """Return the frames of all kinds of studies; of a table of points the columns but for the factors."""
    from sim.studies.optimise import optimise
    from sim.studies.sensitivity import sensitivity
    from sim.studies.uncertainty import uncertainty

    scenario = sim.load("publisher", "run.customers=400")
    low, high = {"discount_rate_annual": {"low": 0.05, "high": 0.2}}, {"discount_rate_annual": [0.05, 0.2]}
    body = "label: Free\neffects: {price: 0.9}\n"
    folder = Path(tempfile.mkdtemp())
    (folder / "policy").mkdir()
    (folder / "policy" / "free.yaml").write_text(body, encoding="utf-8")
    doubt = uncertainty(scenario, low, points=32, policies=["free"], configs=folder).tables()
    rows: dict[str, dict[str, Any]] = {"sobol": {"points": 8}, "morris": {"points": 4}, "tornado": {}}
    indices = {method: sensitivity(scenario, low, method=method, **more).table for method, more in rows.items()}
    best = optimise(scenario, high, trials=2, objectives={"equity": "max", "clv": "max"}).tables()
    points = doubt.pop("points").drop(columns="discount_rate_annual")
    front, search = (best[name].drop(columns="discount_rate_annual") for name in ("front", "search"))
    return doubt | indices | {"points": points, "front": front, "search": search}


BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = sorted(
    path.name for path in DOCS.glob("*.md") if re.search(r"^```(python|console)$", path.read_text(encoding="utf-8"), re.MULTILINE)
)
UNTRIED = {"make install", "source .venv/bin/activate"}  # they make the place that the tests run in


def as_shown(printed: str, shown: str) -> bool:
    """Say whether a page shows what was printed: … stands for any part of a line, and alone for any lines."""
    lines = (r"(?:.*\n)*" if line.strip() == "…" else re.escape(line).replace("…", ".*") + r" *\n" for line in shown.splitlines())
    return re.fullmatch("".join(lines), printed) is not None


def told(action: Callable[[], object]) -> str:
    """Return what an action prints, on stdout and stderr."""
    with io.StringIO() as stream, contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        with contextlib.suppress(SystemExit):
            action()
        return stream.getvalue()


@pytest.mark.jit
@pytest.mark.parametrize("page", PAGES)
def test_code_of_a_page(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Block by block in one empty folder, as a reader would: files are saved, commands and code run, and print what is shown."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    space: dict[str, Any] = {}
    code_printed = ""
    for kind, text in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")):
        if kind in ("yaml", "csv"):
            name = re.match(r"# (\S+\.(?:yaml|csv))\n", text)
            assert name, f"a reader must know where to save {text}"
            Path(name[1]).parent.mkdir(parents=True, exist_ok=True)
            Path(name[1]).write_text(text, encoding="utf-8")
        elif kind == "console":
            for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
                if command not in UNTRIED:
                    program, *arguments = shlex.split(command)
                    assert program == "clvsim"
                    monkeypatch.setattr("sys.argv", ["clvsim", *arguments])
                    printed = told(main)
                    assert as_shown(printed, shown), f"{command}\n{printed}"
        elif kind == "python":
            code_printed = told(lambda text=text: exec(text, space))  # type: ignore[misc]
        elif kind == "text" and code_printed:
            assert as_shown(code_printed, text), code_printed
            code_printed = ""


def test_the_comparison_finds_differences() -> None:
    assert as_shown("a 1\nb\nc\n", "a …\n…\n")
    assert as_shown("a 1\n", "a 1\n")
    assert not as_shown("a 1\nb\n", "a …\n")
    assert not as_shown("a 1\n", "a 2\n")


@pytest.mark.package
def test_site(tmp_path: Path) -> None:
    """It builds without a warning, links within it hold, and no page asks for anything from outside."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(tmp_path / "trees"), str(DOCS), str(tmp_path / "html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    pages = list((tmp_path / "html").rglob("*.html"))
    assert {path.stem for path in DOCS.glob("*.md")} <= {path.stem for path in pages}
    outside = re.compile(
        r"<(?:script|img|iframe|source|object)[^>]+(?:src|data)=.(?:https?:)?//|<link(?![^>]+canonical)[^>]+href=.(?:https?:)?//"
    )
    assert [path.name for path in pages if outside.search(path.read_text(encoding="utf-8"))] == []
    styles = re.compile(r"@import|url\([\"']?(?:https?:)?//")
    assert [path.name for path in (tmp_path / "html").rglob("*.css") if styles.search(path.read_text(encoding="utf-8"))] == []
    named = (tmp_path / "html" / "api.html").read_text(encoding="utf-8")
    assert [name for name in sim.__all__ if f'id="sim.{name}"' not in named] == []
