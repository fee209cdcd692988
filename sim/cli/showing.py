"""What the verbs print: a summary's lines, exact answers, a table of several runs, wrapped to the terminal."""

import contextlib
import math
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from sim.config import Point
    from sim.exact import Exact
    from sim.scenario import Scenario
    from sim.studies.comparison import Comparison
    from sim.studies.multirun import Row
    from sim.studies.result import Result
    from sim.studies.study_folder import Found

LABEL, SHOWN, ROWS = 11, 12, 24
"""Columns that the names of a summary's lines take; periods of retention shown; periods of exact answers shown one by one."""

WIDEST = 100
"""Columns that text is wrapped to at most."""

UNDEFINED = "–"
"""Stands for a number that there is none of, such as a share of nobody."""

NAMED = ("stages", "segments", "cohorts")
"""Sections whose keys say whose a value is: the last part of a path into them alone would not tell much."""


def width() -> int:
    """Return how many columns text may take."""
    return min(shutil.get_terminal_size().columns, WIDEST)


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with its thousands apart, a dash where there is none."""
    return UNDEFINED if value is None or math.isnan(value) else f"{value:,.{digits}f}"


def line(name: str, *values: str) -> None:
    """Print a name and its values, wrapped to the terminal and set below each other."""
    text = "  ".join(value for value in values if value)
    indent = " " * LABEL
    typer.echo(
        textwrap.fill(
            text, width(), initial_indent=f"{name:<{LABEL}}", subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    )


def show_result(result: "Result", folder: Path) -> None:
    """Print what a run came to, and where it lies."""
    summary: Mapping[str, Any] = result.summary()
    clv, answer, retention, equity = (summary[key] for key in ("clv", "exact", "retention", "customer_equity"))
    more = f"… {len(retention) - SHOWN} more in the folder" if len(retention) > SHOWN else ""
    line("scenario", summary["scenario"], result.scenario.label)
    line("customers", f"{summary['customers']:,}", f"seed {summary['seed']}", f"{summary['periods']:,} periods")
    if summary["precision"]:
        line("precision", *_precision(summary["precision"], result.scenario.currency))
    one_path = summary["market"] is not None and summary["market"]["paths"] == 1
    worth, whole = (f"on this {result.sample.shared}" if one_path else f"± {number(found['se'])} SE" for found in (clv, equity))
    line("CLV", f"{number(clv['mean'])} {worth}", f"SD {number(clv['sd'])}", result.scenario.currency)
    if answer:
        line("exact", number(answer["clv_mean"]), f"SD {number(answer['clv_sd'])}", f"z {number(answer['z'])}")
    else:
        line("exact", f"none: {summary['exact_reason']}")
    if result.scenario.run.control:
        line("controlled", *_controlled(summary))
    kept = [number(value, 4) for value in retention[:SHOWN]]
    line("retention", *kept, more, f"({UNDEFINED} where nobody is active)" if UNDEFINED in kept else "")
    if summary["response_rate"] is not None:
        line("contacts", f"{number(summary['response_rate'], 4)} started by an active customer a {result.scenario.period}")
    firm = f"for {number(float(result.sample.firm.sum()), 0)} customers"
    line("equity", f"{number(equity['mean'])} {whole}", result.scenario.currency, firm)
    _copied("folder", folder)
    if (folder / "report.html").exists():
        _copied("report", folder / "report.html")


def _controlled(summary: Mapping[str, Any]) -> list[str]:
    """Return the mean by control variate, what it saves, and beside what case."""
    found = summary["controlled"]
    if found is None:
        return [f"none: {summary['controlled_reason']}"]
    saved = f"variance saved {100 * found['variance_saved']:.0f} %"
    return [
        f"{number(found['mean'])} ± {number(found['se'])} SE",
        saved,
        f"beside {number(found['exact'])} exact without {', '.join(found['without'])}",
    ]


def _precision(found: Mapping[str, Any], currency: str) -> list[str]:
    if found["half_width"] is None:
        return ["undefined", "not reached"]
    unit = "of mean CLV before acquisition" if found["relative"] else currency
    asked, half = (f"{100 * value:.3g} %" if found["relative"] else f"{value:.4g}" for value in (found["asked"], found["half_width"]))
    return [f"± {half} {unit} (95 %)".replace("  ", " "), f"asked ± {asked}", "reached" if found["reached"] else "not reached"]


def show_exact(scenario: "Scenario", answer: "Exact") -> None:
    """Print a scenario's exact answers, or why there are none."""
    line("scenario", scenario.name, scenario.label)
    if answer.reason is not None:
        line("exact", f"none: {answer.reason}")
        return
    line("CLV", number(answer.clv_mean, 4), f"SD {number(answer.clv_sd, 4)}", scenario.currency)
    line("before", number(answer.clv_before_mean, 4), f"SD {number(answer.clv_before_sd, 4)}", "before acquisition cost")
    if answer.sd_reason is not None:
        line("no SD", answer.sd_reason)
    for key, one in answer.by_segment.items() if scenario.segments else ():
        line("CLV", number(one.clv_mean, 4), f"SD {number(one.clv_sd, 4)}", scenario.currency, f"segment {key}")
    _show_course(scenario, answer)


def _copied(name: str, path: Path) -> None:
    typer.echo(f"{name:<{LABEL}}{path}")  # never wrapped, so that it can be copied


def show_results(points: "Sequence[Point]", rows: "Sequence[Row]", folder: Path) -> None:
    """Print a table of several runs: what varies, CLV with its standard error, the share kept a year, customer equity."""
    from sim.store import RUNS

    money = _currency([row.currency for row in rows])
    kept = "kept a year" if all(row.whole_year for row in rows) else "kept"
    found = [
        {
            f"CLV{money}": f"{number(row.clv)} ± {number(row.se)}",
            kept: number(row.kept, 4),
            "equity": number(row.equity, 0),
        }
        for row in rows
    ]
    _table(points, found)
    _copied("folders", folder / (f"0 to {len(rows) - 1}" if len(rows) > 1 else "0"))
    _copied("table", folder / RUNS)


def show_exact_points(points: "Sequence[Point]", scenarios: "Sequence[Scenario]", answers: "Sequence[Exact]") -> None:
    """Print a table of the exact answers of several scenarios."""
    money = _currency([scenario.currency for scenario in scenarios])
    found = [
        {f"CLV{money}": number(answer.clv_mean, 4), "SD": number(answer.clv_sd, 4), "before": number(answer.clv_before_mean, 4)}
        for answer in answers
    ]
    _table(points, found)
    for k, answer in enumerate(answers):
        if answer.reason is not None:
            typer.echo(textwrap.fill(f"no exact {k}: {answer.reason}", width(), subsequent_indent="  "))


def _currency(found: Sequence[str]) -> str:
    return f" {found[0]}" if found[0] and len(set(found)) == 1 else ""


def _short(keys: Iterable[str]) -> dict[str, str]:
    """Return the last part of each dotted key, two where it ends like another or is a stage's, and as many more as tell all apart."""
    parts = {key: key.split(".") for key in keys}
    last = [path[-1] for path in parts.values()]
    taken = {key: 2 if path[0] in NAMED or last.count(path[-1]) > 1 else 1 for key, path in parts.items()}
    while True:
        short = {key: ".".join(path[-taken[key] :]) for key, path in parts.items()}
        alike = [key for key in parts if list(short.values()).count(short[key]) > 1 and taken[key] < len(parts[key])]
        if not alike:
            return short
        for key in alike:
            taken[key] += 1


def _table(points: "Sequence[Point]", values: Sequence[Mapping[str, str]]) -> None:
    """Print a row a run, or below each other where the terminal is too narrow."""
    names = _short(points[0].varied)
    rows = [
        {"run": str(k), **{names[key]: text for key, text in point.varied.items()}, **value}
        for k, (point, value) in enumerate(zip(points, values, strict=True))
    ]
    if not columns(rows):
        for row in rows:
            line(f"run {row.pop('run')}", *(f"{key} {value}" for key, value in row.items()))


def columns(rows: Sequence[Mapping[str, str]]) -> bool:
    """Print rows below their heads and return True, or print nothing and return False where the terminal is too narrow for them."""
    widths = [max(len(key), *(len(row[key]) for row in rows)) for key in rows[0]]
    if sum(widths) + 2 * len(widths) - 2 > shutil.get_terminal_size((200, 24)).columns:
        return False
    for one in [dict(zip(rows[0], rows[0], strict=True)), *rows]:
        typer.echo("  ".join(f"{value:>{wide}}" for value, wide in zip(one.values(), widths, strict=True)))
    return True


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
        kept = number(answer.retention[period], 6) if period < len(answer.retention) else ""
        typer.echo(f"{period:>6} {number(share, 6):>12} {kept:>12}".rstrip())


def show_names(listed: Mapping[str, str]) -> None:
    """Print names and labels, a line each."""
    longest = max(map(len, listed))
    for name, label in listed.items():
        typer.echo(f"{name:<{longest}}  {label}".rstrip())


COSTS = {
    "setup": "once",
    "per_period": "a period",
    "per_contact": "a contact",
    "per_uptake": "an uptake",
    "per_member": "a member and period",
    "budget": "to win customers of a period",
}


def show_policies(configs: str | None) -> None:
    """Print of each policy its name, label and cost, and below them what it is."""
    from sim.config import policies_told

    listed = policies_told(configs)
    longest = max(map(len, listed))
    indent = " " * (longest + 2)
    for name, (label, about, cost) in listed.items():
        spent = ", ".join(f"{_shown(cost[key])} {how}" for key, how in COSTS.items() if cost.get(key))
        for first, text in ((f"{name:<{longest}}  ", f"{label} ({spent or 'free'})"), (indent, about)):
            typer.echo(textwrap.fill(text, width(), initial_indent=first, subsequent_indent=indent, break_on_hyphens=False))


def _shown(value: object) -> str:
    """Return a number of a file as short as it can be; the file has not been checked."""
    return f"{value:,.6g}" if isinstance(value, int | float) else str(value)


def show_comparison(found: "Comparison", folder: Path) -> None:
    """Print a table of the arms, the best first, and where it lies."""
    table = found.table.sort_values("equity", ascending=False, kind="stable")
    unit = found.scenario.currency
    line("scenario", found.scenario.name, found.scenario.label)
    sample = found.results[0].sample
    several = f"on each of {sample.replicates:,} {sample.shared}s" if not sample.independent and sample.replicates > 1 else ""
    line("customers", f"{sample.simulated:,} simulated, the same in every arm", several, f"seed {found.scenario.run.seed}")
    rows = []
    for row in table.to_dict("records"):
        one_path = math.isnan(row["gain_se"])
        gain = number(row["gain"], 0) + ("" if one_path else f" ± {number(row['gain_high'] - row['gain'], 0)}")
        told = {f"gain {unit}".strip(): UNDEFINED if row["arm"] == found.ids[found.comparator] else gain, "cost": number(row["cost"], 0)}
        rows.append(
            {
                "arm": row["arm"],
                **told,
                f"back per {unit or 'unit'}": number(row["roi"] + 1.0 if row["roi"] >= -1.0 else None),
                "CLV": number(row["clv"]),
            }
        )
    if not columns(rows):
        for one in rows:
            line("arm", one.pop("arm"), *(f"{key} {value}" for key, value in one.items()))
    if found.results[0].sample.independent or sample.replicates > 1:
        line("±", "half of a 95 % interval")
    sure = "above 99.9" if found.confidence > 0.999 else f"{100 * found.confidence:.1f}"
    same = f"no better than {', '.join(found.alike)}, to the last cent" if found.alike else ""
    doubtful = not math.isnan(found.confidence) and len(found.alike) < len(found.arms) - 1
    line("best", found.ids[found.best], same, f"confidence {sure} %" if doubtful else "")
    _copied("folder", folder)
    if (folder / "report.html").exists():
        _copied("report", folder / "report.html")


def show_study(found: "Found", folder: Path) -> None:
    """Print what a study found, and where it lies."""
    from sim.studies.study_folder import reporting

    told, scenario, points = reporting(found), found.plan.scenario, getattr(found, "tried", len(found.plan.points))
    line("scenario", scenario.name, scenario.label)
    line("points", f"{points:,}", f"seed {found.plan.luck}")
    taken = getattr(getattr(found, "sweep", found), "taken", 0)
    if taken:
        line("kept", f"{taken:,} points were there already")
    line("found", told.answer(found))
    for note in told.notes(found):
        line("", note)
    _copied("folder", folder)
    if (folder / "report.html").exists():
        _copied("report", folder / "report.html")


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None] | None]:
    """Give a function (done, total) that moves a bar on a terminal's stderr, or None where there is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    columns = BarColumn(), TaskProgressColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")
        yield lambda done, total: bar.update(task, completed=done, total=total)
