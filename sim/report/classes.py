"""Figures of classes: who is in which, what each is worth, and how customers migrate between them."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.report import words
from sim.report.panels import everybody, new_figure, percent, ticks
from sim.report.style import BLUE, GREY, INK, ORANGE, SKY, SMALL, Drawn, drawing, laid_out
from sim.report.words import SPACE
from sim.scenario.classes import GONE, UNRATED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sim.studies.result import Result

SHADES = ((BLUE, ""), (SKY, ""), ("#c9e4f5", "...."), ("#f0f0f0", "////"), (ORANGE, ""), (GREY, "\\\\\\\\"))
"""Colour and hatch of classes, the first one's the darkest; they repeat."""

CALLED = {UNRATED: "not yet rated", GONE: "lost"}


def called(name: str) -> str:
    """Return what a class is called."""
    said = CALLED.get(name, name.replace("_", " ").replace("-", " "))
    return said.upper() if len(said) == 1 else said


def shown(result: "Result") -> str:
    """Return the classification that is drawn: the first of the scenario's; the frames hold all."""
    return next(iter(result.scenario.classifications))


def _title(result: "Result") -> str:
    return result.scenario.classifications[shown(result)].label or called(shown(result))


def _rated(result: "Result") -> pd.DataFrame:
    """Return rows of those in a class of the classification drawn; ``of_rated``: share of them. Years without any are left out."""
    whole = everybody(result.classes)
    rows = whole[(whole["classification"] == shown(result)) & ~whole["class"].isin([UNRATED, GONE])]
    held = rows.groupby("year")["share"].transform("sum")
    rows = rows.assign(of_rated=rows["share"] / held.where(held > 0), equity=rows["equity"].fillna(0.0))
    return rows[held > 0].reset_index(drop=True)


def sorted_out(result: "Result") -> bool:
    """Return whether customers are in several classes at the end of some year."""
    rows = _rated(result)
    return bool((rows[rows["customers"] > 0].groupby("year")["class"].count() > 1).any())


def classes(result: "Result") -> Drawn:
    """Draw the classes of those still here by year, and of the first year judged each class's share of customers and of value to come.

    Frame: year, class, customers (of the panel), share (of those in a class), low and high (of all customers of the run), value (share of
    what those in a class still bring within the horizon).
    """
    rows = _rated(result)
    to_come = rows.groupby("year")["equity"].transform("sum")
    frame = rows[["year", "class", "customers", "low", "high"]].assign(
        share=rows["of_rated"], value=rows["equity"] / to_come.where(to_come > 0)
    )
    names, title = list(dict.fromkeys(frame["class"])), _title(result)
    several = frame[frame["customers"] > 0].groupby("year")["class"].count()
    first = frame[frame["year"] == min(several.index[several > 1], default=0)]
    with drawing(result.scenario):
        figure, (axes, bars) = new_figure(3.1 + 0.42 * len(names), 2, height_ratios=[2.0, 0.46 * max(len(names), 1)])
        years = np.unique(frame["year"])
        below = np.zeros(years.size)
        for name, (colour, hatch) in zip(names, SHADES * 3, strict=False):
            share = frame.loc[frame["class"] == name, "share"].to_numpy()
            look: dict[str, Any] = {"color": colour, "edgecolor": GREY if hatch == "////" else "white", "hatch": hatch, "linewidth": 0.4}
            axes.bar(years, share, 0.86, bottom=below, label=called(name), **look)
            below = below + share
        axes.set_ylim(0, 1)
        axes.set_xlim(0.5, max([1, *years]) + 0.5)
        axes.set_xlabel("years since arrival")
        axes.set_ylabel("share of those\nstill here")
        _whole(axes)
        percent(axes)
        _shares(bars, first)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(max(len(names), 1), 4))
        axes.set_title(title)
        laid_out(figure)
    return Drawn("classes", figure, frame, title, _caption(result, first))


def _whole(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(9, integer=True, steps=[1, 2, 5, 10]))


def _shares(axes: "Axes", first: pd.DataFrame) -> None:
    """Draw each class's share of customers beside its share of what is still to come."""
    places = np.arange(len(first))[::-1].astype(float)
    value = first["value"].fillna(0.0)
    axes.barh(places + 0.2, first["share"], 0.36, color="#f0f0f0", edgecolor=GREY, hatch="////", linewidth=0.4)
    axes.barh(places - 0.2, value, 0.36, color=BLUE)
    for place, share, worth in zip(places, first["share"], value, strict=True):
        for at, height, what in ((share, place + 0.2, "customers"), (worth, place - 0.2, "value to come")):
            text = f"{100 * at:.0f}{SPACE}% of {what}"
            axes.annotate(text, (max(at, 0), height), xytext=(4, 0), textcoords="offset points", va="center", fontsize=SMALL - 1)
    axes.axvline(0, color=INK, linewidth=0.9)
    axes.set_yticks(places, [called(name) for name in first["class"]], fontsize=SMALL)
    low = min([0.0, *value])
    axes.set_xlim(low, 1.45 * max([0.01, *first["share"], *value]))
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("".join(f"after {year} year{'s' if year > 1 else ''}" for year in np.unique(first["year"])))
    ticks(axes.xaxis, 100.0, f"{SPACE}%")


def _caption(result: "Result", first: pd.DataFrame) -> str:
    if first.empty:
        return "At no year's end are customers in several classes."
    more = first["value"].fillna(0.0) / first["share"].where(first["share"] > 0, np.inf)
    best = first.iloc[int(np.argmax(more))]
    year = int(first["year"].iloc[0])
    said = f"Judged at the end of each year on what a firm can see, {int(first['customers'].sum()):,} customers followed after {year} "
    said += f"year{'s' if year > 1 else ''}. "
    said += f"“{called(best['class'])}” is then {words.percent(best['share'])} of them and "
    said += f"{words.percent(best['value'])} of what they still bring. "
    others = [how.label or key for key, how in list(result.scenario.classifications.items())[1:]]
    return said + (f"The tables hold {len(others)} more classification{'s' if len(others) > 1 else ''}." if others else "").strip()


def migration(result: "Result") -> Drawn:
    """Draw the matrix of migration from year to year, all years together. Frame: source, target, customers, share, low, high."""
    whole = everybody(result.migration)
    rows = whole[(whole["classification"] == shown(result)) & (whole["year"] == -1)]
    names = [UNRATED, *result.scenario.classifications[shown(result)].names, GONE]
    frame = rows[["source", "target", "customers", "share", "low", "high"]].reset_index(drop=True)
    back = frame[(frame["source"] == GONE) & (frame["target"] != GONE)]["share"].sum() > 0
    sources = [name for name in names if (frame["source"] == name).any() and (name != GONE or back)]
    targets = [name for name in names if (frame.loc[frame["target"] == name, "share"] > 0).any()]
    frame = frame[frame["source"].isin(sources) & frame["target"].isin(targets)].reset_index(drop=True)
    shares = frame.pivot_table(index="source", columns="target", values="share").reindex(index=sources, columns=targets)
    title = "Where customers go in a year"
    with drawing(result.scenario):
        figure, (axes,) = new_figure(1.7 + 0.42 * len(sources))
        if shares.size:
            axes.imshow(shares.to_numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for i, row in enumerate(shares.to_numpy()):
            for j, share in enumerate(row):
                text = f"{100 * share:.0f}" if share >= 0.005 else "<1" if share > 0 else "0"
                axes.text(j, i, text, ha="center", va="center", color="white" if share > 0.55 else INK, fontsize=SMALL)
        axes.set_xticks(range(len(targets)), [_broken(name) for name in targets], fontsize=SMALL - 1)
        axes.set_yticks(range(len(sources)), [called(name) for name in sources], fontsize=SMALL)
        axes.tick_params(length=0)
        axes.set_xlabel("class a year later, per cent of the row")
        axes.set_ylabel("class at a year's end")
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        axes.set_title(title)
        laid_out(figure)
    return Drawn("migration", figure, frame, title, _moved(frame, shares))


def _broken(name: str) -> str:
    return "\n".join(called(name).split(" "))


def _moved(frame: pd.DataFrame, shares: pd.DataFrame) -> str:
    rated = [name for name in shares.index if name not in (UNRATED, GONE)]
    table = shares.to_dict("index")
    kept = {name: float(table[name][name]) for name in rated if name in shares.columns}
    if not kept:
        return "Nobody is in a class."
    best = max(kept, key=lambda name: kept[name])
    row = frame[(frame["source"] == best) & (frame["target"] == best)].iloc[0]
    said = f"All years together. Of “{called(best)}” {words.percent(row['share'])} are the same a year later"
    if np.isfinite(row["low"]):
        said += f" (95 % interval {words.percent(row['low'])} to {words.percent(row['high'])})"
    if GONE in shares.columns:
        worst = max(rated, key=lambda name: float(table[name][GONE]))
        said += f"; of “{called(worst)}” {words.percent(float(table[worst][GONE]))} are lost"
    return said + "."
