"""What lies in a folder of results: ``clvsim results`` lists the runs, ``clvsim results query`` asks all of them at once."""

import math
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from sim.cli.common import explained

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 40
"""Rows that a terminal is given."""

LIST = "list"


class _Listing(typer.core.TyperGroup):
    """A group of verbs that lists where none of them is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the verb before arguments that name none."""
        asked = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if asked else [LIST, *args])


app = typer.Typer(cls=_Listing, subcommand_metavar="[DIR] | query SQL")

Csv = Annotated[str | None, typer.Option("--csv", metavar="FILE", help="Write all rows there as CSV, - for stdout.", show_default=False)]


@app.callback()
def _top() -> None:
    """List the runs in results, or ask all their tables in SQL.

    \b
    Examples:
      clvsim results
      clvsim results DIR --csv runs.csv
      clvsim results query "show tables"
      clvsim results query --help
    """  # noqa: D301


@app.command(LIST)
def listed(folder: Annotated[str, typer.Argument(metavar="DIR", help="Where runs lie.")] = "results", csv: Csv = None) -> None:
    """List the runs in a folder and below, the newest last.

    'list' may be left out. Unfinished work and damaged folders are listed as such.

    \b
    Examples:
      clvsim results
      clvsim results DIR --csv runs.csv
    """  # noqa: D301
    with explained():
        to = _file(csv)
        from sim.studies.results import runs

        found = runs(folder)
        if csv is not None:
            _write(found, to)
            return
        first = max(len(found) - SHOWN, 0) if sys.stdout.isatty() else 0
        if first:
            typer.echo(f"… {first} earlier; all with --csv FILE")
        rows = found.to_dict("records")[first:]
        _show([_told(row) for row in rows], named=False)
        for row in rows:
            if isinstance(row["note"], str):
                _wrapped(f"{row['folder']}: {row['note']}")


@app.command()
def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help='One SELECT, e.g. "select * from runs".', show_default=False)],
    folder: Annotated[str, typer.Option("--in", metavar="DIR", help="Where runs lie.")] = "results",
    csv: Csv = None,
) -> None:
    """Ask the tables of all runs in SQL (DuckDB).

    Each table of a run is a table of all runs: clv, retention, arms, points … with a column run, the folder; runs lists the folders. Names
    like words of SQL take double quotes: "by", "column". Only tables of the runs are read; nothing is written.

    \b
    Examples:
      clvsim results query "show tables"
      clvsim results query "describe clv"
      clvsim results query "select run, mean
        from clv where \\"by\\" = 'all'
        and measure = 'clv'"
      clvsim results query --in DIR \\
        --csv arms.csv "select * from arms"
    """  # noqa: D301
    with explained():
        to = _file(csv)
        from sim.studies.results import query as ask

        found = ask(sql, folder)
        if csv is not None:
            _write(found, to)
            return
        count = SHOWN if sys.stdout.isatty() else len(found)
        values = found.head(count).astype("object").itertuples(index=False, name=None)
        _show([dict(zip(map(_cell, found), map(_cell, row), strict=True)) for row in values], named=True)
        if len(found) > count:
            typer.echo(f"… {len(found) - count:,} more; add limit or --csv FILE")


def _told(row: Mapping[Any, Any]) -> dict[str, str]:
    """Return what is printed of one run."""
    from sim.cli.showing import UNDEFINED, number

    kind = str(row["kind"])
    for more, text in (("points", "{:,} points"), ("parts", "{:,} parts"), ("arm", "best {}")):
        value = row[more]
        if isinstance(value, int | str):
            kind += f", {text.format(value)}".replace(" 1 parts", " 1 part").replace(" 1 points", " 1 point")
    worth = {}
    for name, key, digits in (("CLV", "clv", 2), ("equity", "equity", 0)):
        error = row[f"{key}_se"]
        worth[name] = number(row[key], digits) + ("" if math.isnan(error) else f" ± {number(error, digits)}")
    return {
        "folder": str(row["folder"]),
        "kind": kind,
        "scenario": row["scenario"] if isinstance(row["scenario"], str) else UNDEFINED,
        "created": _cell(row["created"])[:16],
        **worth,
    }


def _cell(value: object) -> str:
    """Return a value of a table in one line, a dash where there is none."""
    import numpy as np

    from sim.cli.showing import UNDEFINED

    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if isinstance(value, float | np.floating):
        size = abs(float(value))
        return UNDEFINED if math.isnan(size) else f"{value:.0f}" if 1e6 <= size < 1e15 else f"{value:.6g}"
    text = UNDEFINED if value is None or str(value) in ("NaT", "<NA>") else str(value)
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _show(rows: Sequence[Mapping[str, str]], *, named: bool) -> None:
    """Print rows below their heads, or each on lines of its own where the terminal is too narrow. named: also the first column is."""
    from sim.cli.showing import UNDEFINED, columns

    if not rows:
        typer.echo("no rows")
    elif not columns(rows):
        for row in rows:
            (key, first), *more = row.items()
            if named:
                _wrapped(f"{key} {first}")
            else:
                typer.echo(first)  # never wrapped, so that it can be copied
                more = [(key, value) for key, value in more if value != UNDEFINED]
            _wrapped("  ".join(f"{key} {value}" for key, value in more), "  ")


def _wrapped(text: str, before: str = "") -> None:
    from sim.cli.showing import width

    if text:
        typer.echo(textwrap.fill(text, width(), initial_indent=before, subsequent_indent="  ", break_on_hyphens=False))


def _file(name: str | None) -> Path | None:
    """Return where CSV is to be written, None for stdout; raise ScenarioError where something is there already, or no folder."""
    if name is None or name == "-":
        return None
    from sim.scenario import Fault, ScenarioError

    path = Path(name)
    if path.exists() or path.is_symlink():
        raise ScenarioError([Fault("--csv", name, "is there already, so it stays as it is", "name another")])
    if not path.parent.is_dir():
        raise ScenarioError([Fault("--csv", name, "must lie in a folder that is there")])
    return path


def _write(found: "pd.DataFrame", path: Path | None) -> None:
    """Write all rows as CSV to a new file, or to stdout."""
    text = found.to_csv(index=False, lineterminator="\n")
    if path is None:
        typer.echo(text, nl=False)
        return
    with path.open("x", encoding="utf-8", newline="") as out:
        out.write(text)
    typer.echo(f"{len(found):,} rows in {path}")
