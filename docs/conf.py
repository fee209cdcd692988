"""Settings of the documentation; `make docs` builds it, without a network."""

import json
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from pygments.lexers.special import TextLexer
from typer.main import get_command
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import sim  # noqa: E402  (found where this file lies, installed or not)
from sim.cli import app  # noqa: E402

project = "clvsim"
author = "clvsim developers"
copyright = "clvsim developers, BSD 3-Clause"
version = release = sim.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown", ".ipynb": "markdown"}
exclude_patterns = ["_build"]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"

html_theme = "furo"
html_title = f"clvsim {version}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sphinx = False


class Verbs(Directive):
    """Show the help of every verb under a heading of its own."""

    def run(self) -> list[nodes.Node]:
        """Ask the command line what verbs there are."""
        shown: list[nodes.Node] = []
        for verb in get_command(app).commands:
            section = nodes.section(ids=[f"clvsim-{verb}"], names=[f"clvsim {verb}"])
            section += nodes.title(text=f"clvsim {verb}")
            printed = CliRunner().invoke(app, [verb, "--help"], prog_name="clvsim", terminal_width=80)
            section += nodes.literal_block(printed.stdout, printed.stdout.strip(), language="text")
            shown.append(section)
        return shown


def _page_of_notebook(app: Any, name: str, source: list[str]) -> None:
    """Turn a notebook into a page: its text and code."""
    if app.env.doc2path(name).suffix != ".ipynb":
        return
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(source[0])["cells"]]
    parts = [f"```python\n{text}\n```" if kind == "code" else text for kind, text in cells]
    source[0] = "\n\n".join([*parts, "---\n\nThis is the notebook `docs/quickstart.ipynb`, without what it prints and draws."])


def setup(app: Any) -> None:
    """Tell Sphinx of what is above."""
    app.add_directive("clvsim-verbs", Verbs)
    app.add_lexer("csv", TextLexer)
    app.connect("source-read", _page_of_notebook)
