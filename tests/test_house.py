"""The house around the engine: pins without addresses, one version, files that say nothing of the machine they were written on."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import sim

ROOT = Path(__file__).resolve().parents[1]
TEXT = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".json", ".cff", ""}
PINS = ("requirements.txt", "requirements-dev.txt")
NAME = r"[\w.-]+(?:\[[\w,-]+\])?"
PIN = re.compile(rf"^({NAME}==\S+)(?: ; (.+?))? \\$", re.MULTILINE)


def committed() -> Iterator[Path]:
    """Yield the text files of the project."""
    yield from (ROOT / name for name in ("Makefile", ".gitignore", "LICENSE", "CITATION.cff", "pyproject.toml", *PINS))
    yield from ROOT.glob("*.md")
    for folder in (".ci", "configs", "docs", "experiments", "sim", "tests"):
        yield from (path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix in TEXT)


@pytest.mark.parametrize("name", PINS)
def test_pins_are_hashed_and_hold_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not re.search(r"https?://|file:|--index|--find-links", text)
    assert len(PIN.findall(text)) == len(re.findall(rf"^{NAME}==", text, re.MULTILINE)) > 30
    for block in re.split(rf"\n(?={NAME}==)", text)[1:]:
        assert "--hash=sha256:" in block


def test_both_files_pin_the_same() -> None:
    runs, tests = (set(PIN.findall((ROOT / name).read_text())) for name in PINS)
    assert runs <= tests


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [need for extra in ("dev", "studies", "distributed") for need in extras[extra] if not need.startswith("clvsim[")]
    assert "clvsim[studies,distributed]" in extras["dev"]
    listed = [re.split("[>=<]", need)[0] for need in [*project["dependencies"], *needed]]
    pinned = {pin.partition("==")[0].partition("[")[0] for pin, _ in PIN.findall((ROOT / "requirements-dev.txt").read_text())}
    assert {"numpy", "numba", "pytest", "hatchling"} <= set(listed)
    assert {name.lower() for name in listed} <= pinned


def test_nothing_names_a_folder_of_this_machine() -> None:
    private = [re.escape(str(folder)) for folder in (ROOT, Path.home()) if len(folder.parts) > 1]
    pattern = re.compile(rf"(?<![\w.])(?:{'|'.join([*private, '/home/[a-z]+', '/Users/[a-z]+'])})/")
    found = [str(path.relative_to(ROOT)) for path in committed() if pattern.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_one_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == sim.__version__
    assert re.fullmatch(r"0\.\d+\.\d+", sim.__version__)


def test_modules_and_functions_stay_small() -> None:
    long = []
    for path in (ROOT / "sim").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > 400:
            long.append(f"{path.name}: {len(text.splitlines())} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                said = node.body[0].end_lineno or 0 if ast.get_docstring(node) else node.body[0].lineno - 1
                if (node.end_lineno or 0) - said > 40:
                    long.append(f"{path.name}: {node.name}")
    assert long == []
