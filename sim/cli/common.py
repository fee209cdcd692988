"""What the verbs share: their arguments, exit codes, and how a fault, Ctrl-C or a warning is told."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from sim.cli.reading import complain

USAGE, INTERRUPTED, DIFFERENT = 2, 130, 1
"""Exit codes."""

Settings = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="scenario=NAME and any value of it, e.g. run.customers=50000.", show_default=False),
]
Configs = Annotated[
    str | None,
    typer.Option("--configs", metavar="DIR", help="A folder laid out like configs/ that wins over what ships.", show_default=False),
]
Multirun = Annotated[bool, typer.Option("-m", "--multirun", help="Run every combination of values with commas between them.")]


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn what a user can mend, and Ctrl-C, into lines on stderr and an exit code."""
    from sim.scenario.errors import ScenarioError

    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            yield
    except ScenarioError as error:
        for fault in error.faults:
            complain(" ".join(str(fault).split()))
        raise typer.Exit(USAGE) from None
    except BrokenPipeError:
        raise  # the reader has gone: typer ends quietly
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        complain(f"{place}{error.strerror or error}")
        raise typer.Exit(USAGE) from None
    except MemoryError:
        complain("run: must fit into memory; ask for fewer run.customers, or none of run.keep_customers")
        raise typer.Exit(USAGE) from None
    except KeyboardInterrupt as error:
        complain(str(error) or "interrupted; nothing was written")
        raise typer.Exit(INTERRUPTED) from None


@contextlib.contextmanager
def kept_beside(folder: Path, names: str) -> Iterator[None]:
    """Say on Ctrl-C that what is done so far is kept beside a folder, where there are parts of these names."""
    from sim.parts import Parts

    parts = Parts(folder).folder
    try:
        yield
    except KeyboardInterrupt as error:
        if str(error) or not any(parts.glob(names)):
            raise
        raise KeyboardInterrupt(f"interrupted; what was done is kept in {parts}, and the same command goes on there") from None


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: object = None, line: str | None = None
) -> None:
    """Print a warning that is meant for users in one line, another one with its place."""
    complain(f"warning: {message}" if issubclass(category, UserWarning) else f"{filename}:{lineno}: {category.__name__}: {message}")
