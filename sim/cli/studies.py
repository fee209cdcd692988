"""Verbs of studies: sweep, and what lies in results."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from sim.cli.common import Configs, Settings, explained

app = typer.Typer()

NoReport = Annotated[bool, typer.Option("--no-report", help="Write tables and study.json alone.")]


@app.command()
def sweep(settings: Settings = None, configs: Configs = None, no_report: NoReport = False) -> None:
    """Run a scenario at every point of a design, and write one table of all.

    \b
    Settings, in any order:
      vary.PATH=[A,B]   values of a parameter
      vary.PATH={low: A, high: B}
                        a range; log, integer,
                        steps, scale: true
      design=NAME       grid, list, lhs, sobol
      points=N          of lhs and sobol
      policies=[A,B]    compared at each point;
                        crossed=false: one each
      study=NAME        all this from a file
                        study/NAME.yaml
      scenario=NAME     (default lifecycle)
      out=DIR           its folder; the same
                        again goes on where a
                        killed one ended
      KEY=VALUE         any of the scenario
    \b
    Examples:
      clvsim sweep points=64 \\
        "vary.discount_rate_annual={low: 0.05, \\
        high: 0.2}"
      clvsim sweep policies=[win_back] \\
        "vary.firm.customers=[1000,10000]"
    """
    _study("sweep", settings, configs, {}, report=not no_report)


def _study(kind: str, settings: list[str] | None, configs: str | None, verb: Mapping[str, Any], *, report: bool) -> None:
    """Read what is asked for, run it, write its folder, and print what was found."""
    with explained():
        from sim import store
        from sim.cli.reading import complain
        from sim.cli.showing import progress_bar, show_study
        from sim.cli.studying import read_asked
        from sim.studies import study_folder
        from sim.studies.points import plan

        scenario, study, more, out = read_asked(settings or [], configs, verb)
        made = plan(scenario, study, configs)
        folder = store.check(out if out is not None else study_folder.default_folder(made, kind, more))
        with progress_bar() as progress:
            found = study_folder.run(kind, made, more, folder, progress)
        for name in found.damaged:
            complain(f"warning: {folder.name}.parts/{name} was damaged; its points were run again")
        written = study_folder.write_study(found, folder, report)
        show_study(found, written)
