"""The command line: verbs, key=value in any order, one line a fault.

Everything heavy is imported inside the verbs, so that help and refusals come at once. A user's mistake ends with exit code 2, Ctrl-C
with 130, both without a traceback; a bug keeps its own.
"""

import contextlib
import gc
import math
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import TyperException

if TYPE_CHECKING:
    from sim.exact import Exact
    from sim.studies.result import Result
    from sim.scenario import Scenario

DEFAULT_SCENARIO = "lifecycle"

USAGE, INTERRUPTED, DIFFERENT = 2, 130, 1
"""Exit codes."""

LABEL, SHOWN, ROWS = 11, 12, 24
"""Columns that the names of a summary's lines take; periods of retention shown; periods of exact answers shown one by one."""

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Settings = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="scenario=NAME and any value of it, e.g. run.customers=50000.", show_default=False),
]
Configs = Annotated[
    str | None,
    typer.Option("--configs", metavar="DIR", help="A folder laid out like configs/ that wins over what ships.", show_default=False),
]


def main() -> None:
    """Run the command line and exit."""
    gc.set_threshold(200_000)  # what is imported stays: looking for garbage in it takes a seventh of the time to a refusal
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # no label or path may fail for want of a character
    try:
        code = app(prog_name="clvsim", standalone_mode=False)
    except TyperException as error:
        _complain(" ".join(error.format_message().split()))
        code = USAGE
    sys.exit(code)


def _version(wanted: bool) -> None:
    if wanted:
        from sim import __version__

        typer.echo(f"clvsim {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")] = False,
) -> None:
    """Simulate the customer relationship lifecycle and compare with exact answers.

    \b
    Examples:
      clvsim scenarios
      clvsim simulate scenario=publisher
      clvsim exact scenario=publisher horizon=10
      clvsim simulate --help
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def simulate(settings: Settings = None, configs: Configs = None) -> None:
    """Simulate a scenario, write its folder and print a summary.

    \b
    Settings, in any order:
      scenario=NAME      which one (default lifecycle)
      out=DIR            its folder (default
                         results/NAME-SEED-HASH)
      run.customers=N    how many are simulated
      run.seed=N         another seed, other draws
      run.threads=N      1 to 256, same results
      KEY=VALUE          any value of the scenario
    \b
    Examples:
      clvsim simulate
      clvsim simulate scenario=publisher run.seed=7
      clvsim simulate scenario=publisher \\
        stages.renewed.margin=0.5 out=half
      clvsim simulate --configs mine scenario=my_case
    """
    with _explained():
        scenario, out = _read(settings or [], configs, keeps=True)
        from sim import store
        from sim.scenario.checks import warnings
        from sim.studies.folder import default_folder, write_run
        from sim.studies.simulate import simulate as run

        folder = store.check(out if out is not None else default_folder(scenario))
        with _progress() as progress:
            result = run(scenario, progress)
        written = write_run(result, folder)
        for warning in result.warnings:
            if warning not in warnings(scenario):  # those were told before the run
                _complain(f"warning: {warning}")
        _show_result(result, written)


@app.command()
def exact(settings: Settings = None, configs: Configs = None) -> None:
    """Print the exact answers of a scenario, without simulating.

    \b
    Examples:
      clvsim exact scenario=publisher
      clvsim exact scenario=publisher horizon=inf
      clvsim exact --configs mine scenario=my_case
    """
    with _explained():
        scenario, _ = _read(settings or [], configs, keeps=False)
        from sim.exact import exact as answer

        _show_exact(scenario, answer(scenario))


@app.command()
def scenarios(configs: Configs = None) -> None:
    """List the scenarios: name and label, a line each.

    \b
    Examples:
      clvsim scenarios
      clvsim scenarios --configs mine
    """
    with _explained():
        from sim.config import scenarios as found

        listed = found(configs)
        _notes(configs)
        width = max(map(len, listed))
        for name, label in listed.items():
            typer.echo(f"{name:<{width}}  {label}".rstrip())


@app.command()
def verify(folder: Annotated[str, typer.Argument(metavar="DIR", help="A folder that clvsim wrote.", show_default=False)]) -> None:
    """Run a folder again and compare it with what it holds.

    Exit code 0: the same to the last byte; 1: the differences are printed.

    \b
    Example:
      clvsim verify results/publisher-1-0a1b2c3d
    """
    with _explained():
        from sim import store

        store.read_manifest(folder)  # refuse at once what is no run
        from sim.studies.folder import verify as compare

        with _progress() as progress:
            differences = compare(Path(folder), progress)
    for difference in differences:
        typer.echo(difference)
    if differences:
        raise typer.Exit(DIFFERENT)
    typer.echo(f"{folder}: the same")


def _complain(text: str) -> None:
    typer.echo(f"clvsim: {text}", err=True)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn what a user can mend, and Ctrl-C, into lines on stderr and an exit code."""
    from sim.scenario.errors import ScenarioError

    try:
        yield
    except ScenarioError as error:
        for fault in error.faults:
            _complain(" ".join(str(fault).split()))
        raise typer.Exit(USAGE) from None
    except BrokenPipeError:
        raise  # the reader has gone: typer ends quietly
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _complain(f"{place}{error.strerror or error}")
        raise typer.Exit(USAGE) from None
    except MemoryError:
        _complain("run: must fit into memory; ask for fewer run.customers, or none of run.keep_customers")
        raise typer.Exit(USAGE) from None
    except KeyboardInterrupt:
        _complain("interrupted; nothing was written")
        raise typer.Exit(INTERRUPTED) from None


def _read(settings: list[str], configs: str | None, *, keeps: bool) -> tuple["Scenario", str | None]:
    """Return the scenario that the settings describe, and ``out``; all faults of all of them are raised at once."""
    from sim import store
    from sim.config import load
    from sim.scenario import Fault, ScenarioError
    from sim.scenario.checks import warnings

    name, out, overrides, faults = DEFAULT_SCENARIO, None, [], []
    for setting in settings:
        key, separator, value = setting.partition("=")
        if key == "scenario" and separator:
            name = value
        elif key == "out" and separator:
            out = value
        elif separator or setting.startswith("~"):
            overrides.append(setting)
        else:
            faults.append(Fault(setting, "", "must read KEY=VALUE", f"for a scenario write scenario={setting}"))
    if out is not None:
        try:
            if not keeps:
                raise ScenarioError([Fault("out", out, "is for simulate alone: this verb writes no folder", "leave it out")])
            store.check(out)
        except ScenarioError as error:
            faults += error.faults
    try:
        scenario = load(name, *overrides, configs=configs)
    except ScenarioError as error:
        faults += error.faults
    if faults:
        raise ScenarioError(faults)
    _notes(configs)
    for warning in warnings(scenario):
        _complain(f"warning: {warning}")
    return scenario, out


def _notes(configs: str | None) -> None:
    if configs is not None:
        from sim.config import shadowed

        for note in shadowed(configs):
            _complain(f"note: {note}")


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """Give a function (done, total) that moves a bar on a terminal's stderr, or None where there is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    with Progress(BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _number(value: float | None, digits: int = 2) -> str:
    return "undefined" if value is None or math.isnan(value) else f"{value:,.{digits}f}"


def _line(name: str, *values: str) -> None:
    """Print a name and its values, wrapped to the terminal and set below each other."""
    width = min(shutil.get_terminal_size().columns, 100)
    text = "  ".join(value for value in values if value)
    indent = " " * LABEL
    typer.echo(
        textwrap.fill(
            text, width, initial_indent=f"{name:<{LABEL}}", subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    )


def _show_result(result: "Result", folder: Path) -> None:
    summary: Mapping[str, Any] = result.summary()
    clv, answer, retention, equity = (summary[key] for key in ("clv", "exact", "retention", "customer_equity"))
    more = f"… {len(retention) - SHOWN} more in the folder" if len(retention) > SHOWN else ""
    _line("scenario", summary["scenario"], result.scenario.label)
    _line("customers", f"{summary['customers']:,}", f"seed {summary['seed']}", f"{summary['periods']:,} periods")
    _line("CLV", f"{_number(clv['mean'])} ± {_number(clv['se'])} SE", f"SD {_number(clv['sd'])}", result.scenario.currency)
    if answer:
        _line("exact", _number(answer["clv_mean"]), f"SD {_number(answer['clv_sd'])}", f"z {_number(answer['z'])}")
    else:
        _line("exact", f"none: {summary['exact_reason']}")
    _line("retention", *(_number(value, 4) for value in retention[:SHOWN]), more)
    firm = f"for {_number(float(result.sample.firm.sum()), 0)} customers"
    _line("equity", f"{_number(equity['mean'])} ± {_number(equity['se'])} SE", result.scenario.currency, firm)
    typer.echo(f"{'folder':<{LABEL}}{folder}")  # never wrapped, so that it can be copied


def _show_exact(scenario: "Scenario", answer: "Exact") -> None:
    _line("scenario", scenario.name, scenario.label)
    if answer.reason is not None:
        _line("exact", f"none: {answer.reason}")
        return
    _line("CLV", _number(answer.clv_mean, 4), f"SD {_number(answer.clv_sd, 4)}", scenario.currency)
    _line("before", _number(answer.clv_before_mean, 4), f"SD {_number(answer.clv_before_sd, 4)}", "before acquisition cost")
    if answer.sd_reason is not None:
        _line("no SD", answer.sd_reason)
    for key, one in answer.by_segment.items() if scenario.segments else ():
        _line("CLV", _number(one.clv_mean, 4), f"SD {_number(one.clv_sd, 4)}", scenario.currency, f"segment {key}")
    _show_course(scenario, answer)


def _show_course(scenario: "Scenario", answer: "Exact") -> None:
    """Print survival and retention by period, of many periods the first of each year."""
    periods = len(answer.survival) - 1
    step = scenario.periods_per_year if periods > ROWS else 1
    if step > 1:
        typer.echo(f"\nof {periods} periods, every {step}th (a year) is shown")
    if periods >= 0:
        typer.echo(f"\n{'period':>6} {'survival':>12} {'retention':>12}")
    for period in range(0, periods + 1, step):
        share = answer.survival[period]
        kept = _number(answer.retention[period], 6) if period < len(answer.retention) else ""
        typer.echo(f"{period:>6} {_number(share, 6):>12} {kept:>12}".rstrip())


if __name__ == "__main__":
    main()
