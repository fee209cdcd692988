"""The figure of equity by driver: what a step in each attribute is worth."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sim.report import words
from sim.report.panels import beside, new_figure, scaled, ticks, wrapped
from sim.report.style import BLUE, GREY, INK, ORANGE, SKY, SMALL, Drawn, drawing, laid_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sim.scenario.model import Scenario

DRIVERS = {
    "value": ("Value", BLUE, ""),
    "brand": ("Brand", ORANGE, "////"),
    "relationship": ("Relationship", SKY, "...."),
    "satisfaction": ("Satisfaction", GREY, "\\\\\\\\"),
}
"""Name, colour and hatch of each driver."""


def drawn(scenario: "Scenario", found: pd.DataFrame, step: float) -> Drawn:
    """Draw customer equity's change by a step in each attribute, the largest first.

    found: as in ``Equity.frame``; its rows of all customers are drawn. Frame: driver, attribute, label, change, low, high (ends of the
    95 % interval, NaN where there is no error).
    """
    whole = found[found["of"] == "all"].sort_values("change", ascending=False, kind="stable").reset_index(drop=True)
    frame = whole[["driver", "attribute", "label", "change"]]
    frame = frame.assign(low=whole["change"] - words.LEVEL * whole["se"], high=whole["change"] + words.LEVEL * whole["se"])
    title = "What a step is worth"
    with drawing(scenario):
        figure, (axes,) = new_figure(1.5 + 0.4 * len(frame))
        scale, power = scaled(float(frame["change"].abs().max()))
        _bars(axes, frame, scale)
        axes.set_xlabel(f"{power}{words.unit(scenario)} by {step:g} point{'' if step == 1 else 's'} more")
        handles, labels = axes.get_legend_handles_labels()
        if len(labels) > 1:
            figure.legend(handles, labels, loc="outside lower center", ncols=2 if len(labels) > 3 else len(labels))
        axes.set_title(title)
        laid_out(figure)
    return Drawn("drivers", figure, frame, title, _caption(scenario, whole, step))


def _bars(axes: "Axes", frame: pd.DataFrame, scale: float) -> None:
    places, value = np.arange(len(frame))[::-1], frame["change"].to_numpy() / scale
    half = np.nan_to_num((frame["high"] - frame["change"]).to_numpy() / scale)
    for driver, (name, colour, hatch) in DRIVERS.items():
        mine = (frame["driver"] == driver).to_numpy()
        if mine.any():
            axes.barh(places[mine], value[mine], color=colour, edgecolor="white", hatch=hatch, height=0.62, linewidth=0, label=name)
    if half.any():
        axes.errorbar(value, places, xerr=half, fmt="none", ecolor=INK, capsize=3, linewidth=1.2)
    for place, at, error in zip(places, value, half, strict=True):
        beside(axes, max(at + error, 0.0), place, words.estimate(at, error / words.LEVEL)[0])
    axes.set_yticks(places, [wrapped(label) for label in frame["label"]], fontsize=SMALL)
    axes.axvline(0, color=INK, linewidth=0.9)
    low, high = min(0.0, *(value - half)), max(0.0, *(value + half))
    axes.set_xlim(low * 1.05, high + 0.22 * ((high - low) or 1.0))
    axes.tick_params(axis="y", length=0)
    ticks(axes.xaxis)


def _caption(scenario: "Scenario", whole: pd.DataFrame, step: float) -> str:
    by = whole.groupby("driver")["share"].sum()
    first = whole.iloc[0]
    worth = words.money(scenario, first["change"], first["se"] or None)
    points = f"{step:g} point{'' if step == 1 else 's'}"
    said = f"{points} more of {first['label']}, from {scenario.period} 1 on, {'is' if step == 1 else 'are'} worth {worth} to the firm."
    if len(by) > 1 and (whole["change"] > 0).all():
        shares = [f"{DRIVERS[driver][0].lower()} {words.percent(float(by[driver]))}" for driver in DRIVERS if driver in by.index]
        said += f" Of what a step in each is worth: {', '.join(shares)}."
    error = whole["se"]
    return said + (
        " Intervals: 95 %, of the same customers on both sides." if (error > 0).any() else " By theory." if (error == 0).all() else ""
    )
