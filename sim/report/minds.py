"""Figures of behaviour: what customers think by tenure, and by which cause they leave."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.measures.leaving import CAUSES
from sim.report import words
from sim.report.panels import everybody, new_figure, percent, tenure, thinned, ticks
from sim.report.style import BLUE, GREY, INK, ORANGE, SKY, Drawn, drawing, laid_out
from sim.report.words import LEVEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sim.scenario.model import Scenario
    from sim.studies.result import Result

FEW = 30
"""The mean of fewer simulated customers says nothing and is not drawn."""

MOST_STEPS = 48
"""Most steps in which losses are drawn: in longer runs a step is a mean over several periods, whose luck would hide what it shows."""

LOOKS = {
    "satisfaction": (BLUE, "-"),
    "trust": (ORANGE, "--"),
    "loyalty": (BLUE, "-"),
    "level": (INK, ":"),
    "retention": (GREY, "-."),
}
"""Colour and dashes of each line, told apart without colour."""

CALLED = {"loyalty": "loyalty (attitude)", "level": "share of wallet", "retention": "retention (behaviour)"}


def feelings(result: "Result") -> Drawn:
    """Draw what customers in active stages think by tenure, and beside the attitude how many stay.

    Frame: t, measure, mean, low, high (ends of the 95 % interval; NaN where there is none); see FEW.
    """
    scenario = result.scenario
    whole = thinned(everybody(result.feelings))
    whole = whole[whole["measure"].isin(LOOKS) & (whole["active"] >= FEW)]
    frame = whole[["t", "measure", "mean"]].assign(low=whole["mean"] - LEVEL * whole["se"], high=whole["mean"] + LEVEL * whole["se"])
    frame = frame.reset_index(drop=True)
    title = "What customers think"
    panels = [names for names in (["satisfaction"], ["trust", "loyalty", "level", "retention"]) if frame["measure"].isin(names).any()]
    panels = panels or [["satisfaction"]]
    with drawing(scenario):
        figure, drawn = new_figure(1.7 + 1.5 * len(panels), len(panels), sharex=True, height_ratios=[1.0, 1.5][-len(panels) :])
        for axes, names in zip(drawn, panels, strict=True):
            _lines(axes, frame, names)
        if panels[0] == ["satisfaction"]:
            drawn[0].set_ylabel("satisfaction,\n1 to 5")
            _no_closer(drawn[0])
            ticks(drawn[0].yaxis)
        if len(panels[-1]) > 1:
            drawn[-1].set_ylabel("0 to 1; retention:\nshare of the active")
            drawn[-1].set_ylim(0, 1.03)
            figure.legend(*drawn[-1].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        tenure(drawn[-1], result)
        drawn[0].set_title(title)
        laid_out(figure)
    return Drawn("feelings", figure, frame, title, _feelings_caption(result, frame))


def _no_closer(axes: "Axes") -> None:
    """Show a point of satisfaction at least, so that no trifle looks like a fall."""
    low, high = axes.get_ylim()
    missing = max(1.0 - (high - low), 0.0)
    axes.set_ylim(low - missing / 2, high + missing / 2)


def _lines(axes: "Axes", frame: pd.DataFrame, names: list[str]) -> None:
    for name in names:
        rows = frame[frame["measure"] == name]
        if len(rows):
            colour, dashes = LOOKS[name]
            axes.fill_between(rows["t"], rows["low"], rows["high"], color=colour, alpha=0.25, linewidth=0)
            axes.plot(rows["t"], rows["mean"], color=colour, linestyle=dashes, linewidth=1.6, label=CALLED.get(name, name))
    axes.grid(axis="y")


def _feelings_caption(result: "Result", frame: pd.DataFrame) -> str:
    scenario = result.scenario
    if frame.empty:
        return f"Fewer than {FEW} simulated customers are active."
    said: list[str] = []
    for name in ("satisfaction", "loyalty", "retention"):
        rows = frame[(frame["measure"] == name) & frame["mean"].notna()]
        if len(rows) > 1:
            first, last = rows["mean"].iloc[0], rows["mean"].iloc[-1]
            show = words.percent if name == "retention" else words.plain
            said.append(f"{CALLED.get(name, name)} {'goes' if not said else ''} from {show(first)} to {show(last)}".replace("  ", " "))
    last = words.periods(scenario, float(frame["t"].max() - frame["t"].min()))
    caption = f"Of those still active, over {last}: {', '.join(said)}." if said else "Of those still active."
    return caption + (" Bands: 95 % intervals." if frame["low"].notna().any() else "")


SHADES = {
    "own": (SKY, ""),
    "rival": (ORANGE, "////"),
    "natural": ("#f0f0f0", "...."),
    "unforeseen": (BLUE, ""),
    "not stated": (GREY, "\\\\"),
}
"""Colour and hatch of each cause."""

CAUSE_LABELS = {"own": "the firm itself", "rival": "a rival", "natural": "natural", "unforeseen": "unforeseen", "not stated": "not stated"}


def leaving(result: "Result") -> Drawn:
    """Draw by which causes customers are lost, by tenure, stacked.

    Frame: t (of a step's first period), cause, rate (losses a period per customer active); see FEW, MOST_STEPS.
    """
    scenario = result.scenario
    whole = everybody(result.leaving)
    active = everybody(result.retention).set_index("t")
    whole = whole[(whole["move"] == "lost") & (whole["t"].map(active["at_risk"]) >= FEW)]
    wide = max(-(-whole["t"].nunique() // MOST_STEPS), 1)
    frame = _stepped(whole[["t", "cause", "rate"]].reset_index(drop=True), active["active"], wide)
    title = "Why customers are lost"
    with drawing(scenario):
        figure, (axes,) = new_figure(3.4)
        periods = np.unique(frame["t"])
        below = np.zeros(periods.size)
        for cause in [cause for cause in CAUSES.values() if (frame["cause"] == cause).any()]:
            rate = frame.loc[frame["cause"] == cause, "rate"].to_numpy()
            _stack(axes, np.append(periods, whole["t"].max() + 1), below, rate, cause)
            below = below + rate
        axes.set_ylim(0, 1.08 * max([*below.tolist(), 1e-9]))
        axes.set_ylabel(f"share of the active lost\nin a {scenario.period}")
        percent(axes)
        axes.grid(axis="y")
        tenure(axes, result)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        axes.set_title(title)
        laid_out(figure)
    return Drawn("leaving", figure, frame, title, _leaving_caption(result, wide))


def _stepped(frame: pd.DataFrame, active: pd.Series, wide: int) -> pd.DataFrame:
    """Return the rates of steps of so many periods. active: share of customers active, by tenure."""
    if wide == 1:
        return frame
    frame = frame.assign(t=frame["t"] // wide * wide, active=frame["t"].map(active))
    frame["lost"] = frame["rate"] * frame["active"]
    sums = frame.groupby(["t", "cause"], sort=False)[["lost", "active"]].sum()
    return (sums["lost"] / sums["active"]).rename("rate").reset_index()


def _stack(axes: "Axes", ends: Any, below: Any, rate: Any, cause: str) -> None:
    """Draw a cause's part of the losses, step by step."""
    colour, hatch = SHADES[cause]
    low, high = np.append(below, below[-1]), np.append(below + rate, below[-1] + rate[-1])
    look: dict[str, Any] = {"facecolor": colour, "edgecolor": "white" if colour != "#f0f0f0" else GREY, "hatch": hatch, "linewidth": 0.4}
    axes.fill_between(ends, low, high, step="post", label=CAUSE_LABELS[cause], **look)


def _leaving_caption(result: "Result", wide: int) -> str:
    rows = everybody(result.causes)
    lost = rows[rows["move"] == "lost"].set_index("cause")
    shares = lost["share"].drop("premature").sort_values(ascending=False, kind="stable")
    said = ", ".join(f"{CAUSE_LABELS[str(cause)]} {_share(lost, str(cause))}" for cause in shares.index)
    either = rows[(rows["move"] == "either") & (rows["cause"] == "premature")].iloc[0]
    early = f" Of declines and losses together {words.percent(either['share'])} are premature, that is by a cause not natural."
    steps = f" Each step is the mean of {_span(result.scenario, wide)}." if wide > 1 else ""
    whole = f"Of the losses within {_span(result.scenario, result.sample.horizon)}: {said}."
    return whole + (early if "natural" in shares.index else "") + steps


def _share(lost: pd.DataFrame, cause: str) -> str:
    return words.percent(*(float(lost[column][cause]) for column in ("share", "share_se")))


def _span(scenario: "Scenario", horizon: int) -> str:
    return words.periods(scenario, horizon)


def told_by_cause(result: "Result") -> bool:
    """Return whether customers are lost by more than one cause."""
    rows = everybody(result.causes)
    return int(((rows["move"] == "lost") & (rows["cause"] != "premature") & (rows["per_customer"] > 0)).sum()) > 1
