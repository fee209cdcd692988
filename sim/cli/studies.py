"""Verbs of studies: sweep, and what lies in results."""

from typing import Annotated

import typer

from sim.cli.common import Configs, Settings, explained, kept_beside

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
    _study("sweep", settings, configs, report=not no_report)


@app.command()
def sensitivity(settings: Settings = None, configs: Configs = None, no_report: NoReport = False) -> None:
    """Say which parameters make the outcome vary, and how much of it each.

    \b
    Settings, in any order:
      vary.PATH={low: A, high: B}
                        a parameter's range, or
                        a distribution: normal
                        ... with mean and sd
      method=NAME       sobol, morris, tornado
      points=N          rows of the design:
                        sobol's a power of two
                        from 8 on (64);
                        morris's (20)
      measure=NAME      equity, clv, spent, gain
      policies=[A]      whose gain varies
      level=P           of intervals (0.95)
      scenario=NAME, study=NAME, out=DIR,
      KEY=VALUE         as for sweep
    \b
    Example:
      clvsim sensitivity run.customers=20000 \\
        "vary.discount_rate_annual={low: 0.05, \\
        high: 0.2}" \\
        "vary.satisfaction.quality={low: 3.5, \\
        high: 4.2}"
    """
    _study("sensitivity", settings, configs, report=not no_report)


@app.command()
def uncertainty(settings: Settings = None, configs: Configs = None, no_report: NoReport = False) -> None:
    """Say what not knowing the parameters does to the outcome and the choice.

    \b
    Settings, in any order:
      vary.PATH={distribution: normal,
        mean: M, sd: S} what is believed of a
                        parameter; or low and
                        high, beta, gamma,
                        lognormal, triangular
      correlations={A: {B: 0.5}}
      policies=[A,B]    to choose between
      points=N          draws, 30 or more
                        (256)
      seconds=S         or: as many draws and
                        customers as fit
      trials=[100,1000] customers in each arm
                        of a trial
      trial_price=P     each of them costs
      willingness=[0.5,1]
      scenario=NAME, study=NAME, out=DIR,
      KEY=VALUE         as for sweep
    \b
    Example:
      clvsim uncertainty policies=[win_back] \\
        "vary.satisfaction.quality=\\
        {distribution: normal, mean: 3.9, \\
        sd: 0.2}" run.customers=20000
    """
    _study("uncertainty", settings, configs, report=not no_report)


@app.command()
def optimise(settings: Settings = None, configs: Configs = None, no_report: NoReport = False) -> None:
    """Find the best values of parameters that the firm can choose.

    \b
    Settings, in any order:
      vary.PATH={low: A, high: B}
                        what is chosen; or a
                        list; log, integer
      objectives={equity: max}
                        several give a front:
                        equity, gain, clv,
                        spent, downside
      limits={spent: N} the most of one
      aspiration=N      downside counts from it
      trials=N          points to search by (64)
      policies=[A]      whose parameters
      out=DIR           its folder; a search
                        that was killed begins
                        anew
      scenario=NAME, study=NAME, KEY=VALUE
                        as for sweep
    \b
    Example:
      clvsim optimise policies=[acquisition] \\
        "vary.policies.acquisition.acquire.budget=\\
        {low: 5e4, high: 1e6}" run.customers=20000
    """
    _study("optimise", settings, configs, report=not no_report)


def _study(kind: str, settings: list[str] | None, configs: str | None, *, report: bool) -> None:
    """Read what is asked for, run it, write its folder, and print what was found."""
    with explained():
        from sim import store
        from sim.cli.reading import complain
        from sim.cli.showing import progress_bar, show_study
        from sim.cli.studying import read_asked
        from sim.studies import study_folder

        scenario, study, asked, out = read_asked(settings or [], configs, study_folder.asking(kind))
        made, more = study_folder.planned(kind, scenario, study, asked, configs)
        for warning in made.warnings:
            complain(f"warning: {warning}")
        folder = store.check(out if out is not None else study_folder.default_folder(made, kind, more))
        study_folder.refuse_other(folder, kind, scenario.name)
        with kept_beside(folder, "rows-*" if kind != "optimise" else "-"):  # a search begins anew
            with progress_bar() as progress:
                found = study_folder.run(kind, made, more, folder, progress)
            for name in found.damaged:
                complain(f"warning: {folder.name}.parts/{name} was damaged; its points were run again")
            written = study_folder.write_study(found, folder, report)
        show_study(found, written)
