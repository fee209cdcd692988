"""How the experiments show: tables side by side where the terminal is wide enough, a figure with its numbers, a mistake in a line."""

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.columns import Columns
from rich.console import Console
from rich.table import Table

import sim
from sim.scenario import Fault


def beside(printed: Any, exact: Any, simulated: Any, se: Any, *, digits: tuple[int, int] = (0, 1)) -> pd.DataFrame:
    """Return the four, numbers or Series of one index, as columns of text, NaN and columns of it left out.

    digits: of what is printed, and of the rest. A star marks what is printed otherwise than the exact value, rounded.
    """
    frame = pd.DataFrame({"printed": printed, "exact": exact, "simulated": simulated, "SE": se}).astype(float)
    star = (frame["printed"] - frame["exact"]).abs() > 0.5 * 10.0 ** -digits[0] + 1e-9
    forms = {name: f"{{:,.{digits[name != 'printed']}f}}".format for name in frame}
    text = pd.DataFrame({name: frame[name].map(form, na_action="ignore") for name, form in forms.items()}).astype(object)
    text["printed"] += star.map({True: "*", False: ""})
    return text.dropna(axis="columns", how="all").fillna("")


def listed(rows: Iterable[tuple[Any, ...]], digits: tuple[int, int] = (0, 1)) -> pd.DataFrame:
    """Return rows of label, printed, exact, simulated and SE as ``beside`` does."""
    found = pd.DataFrame(rows, columns=["label", "printed", "exact", "simulated", "SE"]).set_index("label").rename_axis(None)
    return beside(found["printed"], found["exact"], found["simulated"], found["SE"], digits=digits)


def returns(found: "sim.Comparison", per: float = 1.0) -> pd.DataFrame:
    """Return what each arm of a comparison costs and brings the firm against the comparator, by label; money in units of ``per``."""
    table = found.table.set_index("label").rename_axis(None)
    money = {name: table[key] / per for name, key in {"cost": "cost", "before it": "gross", "gain": "gain", "SE": "gain_se"}.items()}
    shown = pd.DataFrame({**money, "gain / cost": table["roi"], "kept a year, %": 100 * table["kept"]})
    return shown[table["arm"] != found.ids[found.comparator]]


def show(tables: Mapping[str, pd.DataFrame]) -> None:
    """Print tables under their titles, as many in a row as the terminal is wide for; labels (the index) break, numbers do not."""
    drawn = []
    for title, frame in tables.items():
        table = Table(title=f"\n{title}", title_justify="left", title_style="bold", box=None, padding=(0, 0, 0, 1), pad_edge=False)
        table.add_column(str(frame.index.name) if frame.index.name is not None else "", overflow="fold")
        for name in frame:
            table.add_column(str(name), justify="right", no_wrap=True)
        for row in frame.itertuples():
            table.add_row(*map(str, row))
        drawn.append(table)
    Console(highlight=False).print(Columns(drawn, padding=(0, 2)))


def say(text: str) -> None:
    """Print a sentence, broken between words where the terminal is narrow."""
    Console(highlight=False, markup=False).print(text)


def save(figure: Any, frame: pd.DataFrame, name: str) -> None:
    """Write a figure and the numbers drawn in it as results/NAME.png and .csv, and say where."""
    path = Path("results") / name
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path.with_suffix(".png"), dpi=150, bbox_inches="tight")
    frame.to_csv(path.with_suffix(".csv"))
    print(f"Drawn in {path}.png, numbers in {path}.csv")


def options(
    arguments: Iterable[str], defaults: Mapping[str, Any], more: Callable[[Mapping[str, Any]], Iterable[Fault]] = lambda _: ()
) -> dict[str, Any]:
    """Return the defaults with those given as ``key=value``, of the same types, numbers above 0.

    more: further faults of what was found. Raises ScenarioError with every fault.
    """
    found, faults = dict(defaults), []
    for argument in arguments:
        key, _, value = argument.partition("=")
        try:
            found[key] = type(defaults[key])(value)
            if not isinstance(found[key], str) and not found[key] > 0:
                raise ValueError
        except KeyError:
            faults.append(Fault(key, value, "is no option", f"there are {', '.join(defaults)}"))
        except ValueError:
            kind = "a number" if isinstance(defaults[key], float) else "a whole number"
            faults.append(Fault(key, value, f"must be {kind} above 0", f"such as {defaults[key]}"))
    faults += more(found)
    if faults:
        raise sim.ScenarioError(faults)
    return found


def run(main: Callable[..., None]) -> None:
    """Call ``main`` with the command line's settings; a user's mistake is told in one line, with exit code 2."""
    try:
        main(*sys.argv[1:])
    except (sim.ScenarioError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
