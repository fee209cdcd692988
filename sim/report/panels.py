"""What the figures of a run have in common: panels, scales, units, bands, labels."""

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.measures.clv import located
from sim.measures.sums import wilson
from sim.report.style import SMALL, WIDTH, shortened, width_of
from sim.report.words import SPACE, told_apart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from sim.studies.result import Result

MOST_PERIODS = 240
"""Most tenures that a curve is drawn through; the tables hold all."""


def new_figure(height: float, rows: int = 1, **options: Any) -> "tuple[Figure, list[Axes]]":
    """Return a figure and its panels, one below the other. height: inches; options: as for ``Figure.subplots``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, list(figure.subplots(rows, 1, squeeze=False, **options)[:, 0])


def everybody(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of all customers together."""
    return frame[frame["by"] == "all"].reset_index(drop=True)


def thinned(frame: pd.DataFrame, period: str = "t") -> pd.DataFrame:
    """Keep MOST_PERIODS periods, evenly spaced, the first and the last among them."""
    periods = np.unique(frame[period])
    kept = periods[np.unique(np.linspace(0, max(periods.size - 1, 0), MOST_PERIODS).round().astype(int))] if periods.size else periods
    return frame[frame[period].isin(kept)].reset_index(drop=True)


def quantile(row: "Mapping[Any, Any] | pd.Series", name: str, kept: bool) -> tuple[float, str]:
    """Return a quantile of a row of the frame ``clv``, and how it reads: to the digits that are known.

    kept: whether every customer was kept, so that the quantile is exact; else it is as fine as the histogram.
    """
    value, error = (row[name], 0.0) if kept else located(row[name], row["min"], row["max"])
    return value, told_apart(value, row["sd"], error)


def interval(frame: pd.DataFrame, name: str, base: "float | pd.Series") -> dict[str, Any]:
    """Return a column of shares and the ends of its 95 % interval; base: simulated customers that it is the share of."""
    low, high = wilson(frame[name].to_numpy(), frame[f"{name}_se"].to_numpy(), np.asarray(base))
    return {name: frame[name], f"{name}_low": low, f"{name}_high": high}


def percent(axes: "Axes") -> None:
    """Mark a y axis of shares in per cent."""
    ticks(axes.yaxis, 100.0, f"{SPACE}%")


def ticks(axis: "Axis", scale: float = 1.0, unit: str = "") -> None:
    """Mark an axis at few round numbers, times ``scale`` and with their unit."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    def say(value: float, _: int | None) -> str:
        return f"{scale * value:,.10g}{unit}".replace("-", "\N{MINUS SIGN}")

    axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(say))


def tenure(axes: "Axes", result: "Result") -> None:
    """Give an x axis the tenures of a run."""
    from matplotlib.ticker import MaxNLocator

    per_year, horizon = result.scenario.periods_per_year, result.sample.horizon
    axes.set_xlim(0, horizon)
    axes.xaxis.set_major_locator(MaxNLocator(9, integer=True, steps=[1, 2, 3, 6, 10] if per_year == 12 else [1, 2, 5, 10]))
    axes.set_xlabel(f"tenure: {result.scenario.period}s since arrival")


def band(axes: "Axes", x: Any, frame: pd.DataFrame, name: str, colour: str, dashes: str = "-") -> None:
    """Draw a column as a line within its interval."""
    axes.fill_between(x, frame[f"{name}_low"], frame[f"{name}_high"], color=colour, alpha=0.25, linewidth=0)
    axes.plot(x, frame[name], color=colour, linestyle=dashes, linewidth=1.6)
    axes.grid(axis="y")


def scaled(largest: float) -> tuple[float, str]:
    """Return by what to divide amounts up to ``largest``, and what that is called."""
    powers = ((1e9, 1e9, "billion "), (1e6, 1e6, "million "), (1e4, 1e3, "thousand "))
    return next(((size, name) for least, size, name in powers if largest >= least), (1.0, ""))


def beside(axes: "Axes", x: float, y: float, text: str) -> None:
    """Write right of a bar's end."""
    axes.annotate(text, (x, y), xytext=(4, 0), textcoords="offset points", va="center", ha="left", fontsize=SMALL)


def wrapped(label: str, most: int = 28) -> str:
    """Break a label much as wide as ``most`` letters, or wider, into two lines, at the arrow, or a dot of a path, where that helps."""
    if width_of(label) <= most - 4:
        return label
    dots = [place for place, letter in enumerate(label) if letter == "."]
    if dots and " " not in label:
        middle = min(dots, key=lambda place: abs(place - len(label) / 2))
        return f"{shortened(label[: middle + 1], most)}\n{shortened(label[middle + 1 :], most)}"
    source, arrow, target = label.partition(" → ")
    if not arrow:
        first, *rest = textwrap.wrap(label, most)
        return "\n".join(shortened(line, most) for line in [first, *([" ".join(rest)] if rest else [])])
    return f"{shortened(source, most)}\n→ {shortened(target, most)}"
