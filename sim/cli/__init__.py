"""The command line: verbs, key=value in any order, one line a fault.

Everything heavy is imported inside the verbs, so that help and refusals come at once. A user's mistake ends with exit code 2, Ctrl-C
with 130, both without a traceback; a bug keeps its own.
"""

import gc
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from sim.cli import results, studies
from sim.cli.common import DIFFERENT, USAGE, Configs, Multirun, Settings, explained, kept_beside
from sim.cli.reading import complain, notes, origin, placed, read, read_comparison, read_points, tell, warn
from sim.cli.showing import progress_bar, show_comparison, show_exact, show_exact_points, show_names, show_result, show_results, width

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def main() -> None:
    """Run the command line and exit."""
    gc.set_threshold(200_000)  # what is imported stays: looking for garbage in it takes a seventh of the time to a refusal
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # no label or path may fail for want of a character
    try:
        code = app(prog_name="clvsim", standalone_mode=False)
    except TyperException as error:
        complain(" ".join(error.format_message().split()))
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
      clvsim explain scenario=publisher
      clvsim simulate scenario=publisher
      clvsim exact scenario=publisher horizon=10
      clvsim simulate --help
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def simulate(
    settings: Settings = None,
    configs: Configs = None,
    multirun: Multirun = False,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write tables and summary alone.")] = False,
) -> None:
    """Simulate a scenario, write its folder and print a summary.

    \b
    Settings, in any order:
      scenario=NAME     (default lifecycle)
      out=DIR           its folder (default
                        results/NAME-SEED-HASH)
      run.customers=N   how many
      run.precision=P   stop once the 95 %
                        interval of mean CLV is
                        within P of it (0.01 is
                        1 %); run.customers is
                        then the most
      run.control=true  estimate mean CLV also
                        beside the nearest case
                        with an exact answer
      run.seed=N        other draws
      run.threads=N     1 to 256, same results
      KEY=VALUE         any of the scenario
    \b
    With -m, KEY=A,B or KEY=range(1,5) runs
    each; all combinations, the last key
    fastest; run k goes to DIR/k (default
    results/multirun-HASH/k), the table to
    DIR/runs.csv.
    \b
    Examples:
      clvsim simulate
      clvsim simulate scenario=publisher \\
        stages.renewed.margin=0.5 out=half
      clvsim simulate run.precision=0.005 \\
        run.customers=1e8
      clvsim simulate -m run.seed=1,2,3 \\
        scenario=publisher,fixed_life
      clvsim simulate --configs mine \\
        scenario=my_case
    """
    with explained():
        if multirun:
            _simulate_each(settings or [], configs, report=not no_report)
            return
        scenario, out = read(settings or [], configs, keeps=True)
        from sim import store
        from sim.studies.folder import checkpoint, default_folder, write_run
        from sim.studies.simulate import simulate as run

        folder = store.check(out if out is not None else default_folder(scenario))
        under_way = checkpoint([scenario], folder)
        with kept_beside(folder, f"{under_way.key}-*"):
            with progress_bar() as progress:
                result = run(scenario, progress, checkpoint=under_way)
            written = write_run(result, folder, report=not no_report)
        under_way.done()
        tell(result.warnings, scenario)
        show_result(result, written)


def _simulate_each(settings: list[str], configs: str | None, *, report: bool) -> None:
    """Simulate one scenario after the other; those that are done stay if a later one fails."""
    points, scenarios, out = read_points(settings, configs, keeps=True)
    from sim import store
    from sim.scenario import ScenarioError
    from sim.scenario.checks import warnings as unusual
    from sim.studies import multirun
    from sim.studies.folder import write_run
    from sim.studies.simulate import simulate as run

    folders = store.check_runs(multirun.default_out(scenarios) if out is None else out, len(scenarios))
    told = multirun.refused(scenarios)
    if told:
        raise ScenarioError(placed(told, points))
    rows: list[multirun.Row] = []
    said: dict[int, list[str]] = {}
    try:
        for k, (scenario, folder) in enumerate(zip(scenarios, folders, strict=True)):
            with progress_bar() as progress:
                result = run(scenario, progress)
            if k == 0:
                store.write_runs(folder.parent, None)  # an earlier table does not outlive a run that it tells of
            write_run(result, folder, report=report)
            rows.append(multirun.row(result))
            said[k] = [warning for warning in result.warnings if warning not in unusual(scenario)]
    except BaseException as error:
        done = f"{len(rows)} of {len(folders)} runs are whole, in {folders[0].parent}" if rows else "nothing was written"
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(f"interrupted; {done}") from None
        complain(f"run {len(rows)} failed; {done}")
        raise
    store.write_runs(folders[0].parent, multirun.table(points, rows))
    warn(said, points)
    show_results(points, rows, folders[0].parent)


@app.command()
def compare(
    settings: Settings = None,
    configs: Configs = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write tables and comparison.json alone.")] = False,
) -> None:
    """Compare policies on the same customers with the same luck.

    \b
    Settings, in any order:
      scenario=NAME     (default lifecycle)
      policies=[A,B,A+B]
                        an arm each, + for both
                        at once; by default
                        some that ship; "none"
                        is always there
      arms.NAME={policies: [A], A.cost.setup: 9}
                        a variant by name
      comparator=ARM    held against (none)
      out=DIR           its folder (default
                        results/NAME-compared-…)
      pick=kn           only pick the best (or
                        pick=ocba, without a
                        guarantee), with
      indifference=N    the least difference
                        of equity that matters
      confidence=P      of kn (0.95)
      KEY=VALUE         any of the scenario
    \b
    Examples:
      clvsim compare
      clvsim compare policies=[gifts,win_back]
      clvsim compare policies=[gifts] \\
        "arms.dear={policies: [gifts], \\
        gifts.cost.per_contact: 9}"
    """
    with explained():
        from sim import store
        from sim.cli import picking
        from sim.studies.compare import compared
        from sim.studies.comparison_folder import default_folder, write_comparison
        from sim.studies.folder import checkpoint

        rest, how, told = picking.apart(settings or [])
        scenario, arms, comparator, out = read_comparison(rest, configs, told)
        if how is not None:
            picking.settle(scenario, arms, how)
            return
        folder = store.check(out if out is not None else default_folder(arms))
        under_way = checkpoint([arm.scenario for arm in arms], folder)
        with kept_beside(folder, f"{under_way.key}-*"):
            with progress_bar() as progress:
                found = compared(scenario, arms, comparator, progress, checkpoint=under_way)
            written = write_comparison(found, folder, report=not no_report)
        under_way.done()
        tell(found.warnings, scenario)
        show_comparison(found, written)


app.add_typer(studies.app)
app.add_typer(results.app, name="results")


@app.command()
def policies(configs: Configs = None) -> None:
    """List the policies: name and label, what they cost, and what they are."""
    with explained():
        from sim.cli.showing import show_policies

        show_policies(configs)


@app.command()
def exact(settings: Settings = None, configs: Configs = None, multirun: Multirun = False) -> None:
    """Print the exact answers of a scenario, without simulating.

    With -m, of every combination of values with commas between them.

    \b
    Examples:
      clvsim exact scenario=publisher
      clvsim exact scenario=publisher \\
        horizon=inf
      clvsim exact -m scenario=publisher \\
        discount_rate_annual=0.05,0.10
      clvsim exact --configs mine \\
        scenario=my_case
    """
    with explained():
        from sim.exact import exact as answer

        if multirun:
            points, scenarios, _ = read_points(settings or [], configs, keeps=False)
            show_exact_points(points, scenarios, [answer(scenario) for scenario in scenarios])
        else:
            scenario, _ = read(settings or [], configs, keeps=False)
            show_exact(scenario, answer(scenario))


@app.command()
def explain(
    settings: Settings = None,
    configs: Configs = None,
    graph: Annotated[
        str | None, typer.Option("--graph", metavar="FILE", help="Draw the stages too: FILE.svg, .png or .pdf.", show_default=False)
    ] = None,
    template: Annotated[
        str | None,
        typer.Option("--template", metavar="FILE", help="Write a table of existing customers to fill in: FILE.csv.", show_default=False),
    ] = None,
) -> None:
    """Show what a scenario says, without simulating.

    Its settings, stages, chances by stage age, cash, and what exact answers there are.

    \b
    Examples:
      clvsim explain scenario=publisher
      clvsim explain --graph stages.svg
      clvsim explain --template base.csv
      clvsim explain --configs mine \\
        scenario=my_case horizon=24
    """
    with explained():
        picture = _written("--graph", graph, (".svg", ".png", ".pdf"))
        table = _written("--template", template, (".csv",), new=True)
        scenario, _ = read(settings or [], configs, keeps=False)
        from sim.studies.explain import explain as understand

        explanation = understand(scenario, origin(settings or [], configs))
        if picture is not None:
            explanation.draw(picture)
        typer.echo(explanation.text(width()), nl=False)
        if picture is not None:
            typer.echo(f"graph      {picture}")
        if table is not None:
            from sim.scenario.existing import template as to_fill_in

            table.write_text(to_fill_in(scenario), encoding="utf-8")
            typer.echo(f"template   {table}")


def _written(option: str, name: str | None, endings: tuple[str, ...], *, new: bool = False) -> Path | None:
    """Return where to write, or raise ScenarioError where no such file can be written there; new: it must not be there yet."""
    if name is None:
        return None
    from sim.scenario import Fault, ScenarioError

    path = Path(name)
    if path.suffix.lower() not in endings:
        *others, last = endings
        raise ScenarioError([Fault(option, name, f"must end in {', '.join(others)}{' or ' if others else ''}{last}")])
    if not path.parent.is_dir():
        raise ScenarioError([Fault(option, name, "must lie in a folder that is there")])
    if new and path.exists():
        raise ScenarioError([Fault(option, name, "is there already, so it stays as it is", "name another")])
    return path


@app.command()
def scenarios(configs: Configs = None) -> None:
    """List the scenarios: name and label, a line each.

    \b
    Examples:
      clvsim scenarios
      clvsim scenarios --configs mine
    """
    with explained():
        from sim.config import scenarios as found

        listed = found(configs)
        notes(configs)
        show_names(listed)


@app.command()
def verify(folder: Annotated[str, typer.Argument(metavar="DIR", help="A folder that clvsim wrote.", show_default=False)]) -> None:
    """Run a folder again and compare it with what it holds.

    Exit code 0: every file is as it was written, and a new run comes to the same numbers to the last digit
    (Parquet files may be packed otherwise); 1: the differences are printed.

    \b
    Example:
      clvsim verify results/publisher-1-0a1b2c3d
    """
    with explained():
        from sim import store

        store.read_manifest(folder)  # refuse at once what is no run
        from sim.studies.folder import verify as compare

        with progress_bar() as progress:
            differences = compare(Path(folder), progress)
    for difference in differences:
        typer.echo(difference)
    if differences:
        raise typer.Exit(DIFFERENT)
    typer.echo(f"{folder}: the same")
