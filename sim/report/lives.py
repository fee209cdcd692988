"""Figures of lives: who stays, where customers are, who goes where."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.report import words
from sim.report.panels import band, beside, everybody, interval, new_figure, percent, tenure, thinned, wrapped
from sim.report.style import BLUE, ORANGE, SKY, SMALL, Drawn, drawing, laid_out, width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sim.scenario.model import Scenario
    from sim.studies.result import Result

MOST_FLOWS = 16
"""Most moves that are drawn one by one."""

FEW = 30
"""Retention of fewer simulated customers says nothing and is not drawn."""


def retention(result: "Result") -> Drawn:
    """Draw survival and retention by tenure, with 95 % intervals. Frame: t, both with _low and _high; see FEW."""
    scenario, horizon = result.scenario, result.sample.horizon
    whole = thinned(everybody(result.retention))
    hidden = whole["at_risk"] < FEW
    whole[["retention", "retention_se"]] = whole[["retention", "retention_se"]].mask(hidden)
    followed = whole["at_risk"].cummax().where(whole["t"] > 0, np.inf)  # nobody can be lost before 0
    frame = pd.DataFrame({"t": whole["t"], **interval(whole, "survival", followed), **interval(whole, "retention", whole["at_risk"])})
    title = "Who stays"
    with drawing(scenario):
        figure, (upper, lower) = new_figure(4.2, 2, sharex=True)
        band(upper, frame["t"], frame, "survival", BLUE)
        upper.set_ylim(0, 1.03)
        upper.set_ylabel("survival:\nshare never lost so far")
        band(lower, frame["t"], frame, "retention", ORANGE, "--")
        percent(upper)
        percent(lower)
        lower.set_ylabel(f"retention: share of the\nactive still so a {scenario.period} later")
        if frame["retention"].notna().any():
            lowest, highest = float(frame["retention_low"].min(skipna=True)), float(frame["retention_high"].max(skipna=True))
            lowest, highest = np.nan_to_num(lowest), np.nan_to_num(highest, nan=1.0)
            lower.set_ylim(max(0.0, lowest - 0.02), min(1.0, highest + 0.02) + 0.002)
        else:
            lower.text(0.5, 0.5, f"fewer than {FEW} simulated customers", ha="center", transform=lower.transAxes)
        tenure(lower, result)
        upper.set_title(title)
        laid_out(figure)
    return Drawn("retention", figure, frame, title, _retention_caption(result, horizon))


def _retention_caption(result: "Result", horizon: int) -> str:
    scenario, whole = result.scenario, everybody(result.retention)
    year = min(scenario.periods_per_year, horizon)
    survival, kept = whole["survival"], whole.loc[whole["at_risk"] >= FEW, "retention"].dropna()
    of = "Of those who became active, not" if words.newcomer(scenario) == "prospect" else "Not"
    said = f"{of} yet lost after {words.periods(scenario, year)}: {words.percent(survival.iloc[year])}"
    if horizon > year:
        said += f", after {words.periods(scenario, horizon)}: {words.percent(survival.iloc[horizon])}"
    said += ". "
    if kept.size > 1:
        first, last = int(kept.index[0]), int(kept.index[-1])
        of = f"Retention from one {scenario.period} to the next is {words.percent(kept.iloc[0])} at tenure {first}"
        said += f"{of} and {words.percent(kept.iloc[-1])} at tenure {last}. "
    return (said + ("Bands: 95 % intervals." if result.sample.independent else "")).strip()


def occupancy(result: "Result") -> Drawn:
    """Draw which share of the customers is in which stage, by tenure. Frame: period, stage, label, kind, share."""
    scenario = result.scenario
    whole = everybody(result.occupancy)
    whole = thinned(whole[whole["clock"] == "tenure"], "period")
    labels = [words.stage(scenario, key) for key in whole["stage"]]
    frame = whole[["period", "stage"]].assign(label=labels, kind=whole["kind"], share=whole["share"])
    title = "Where customers are"
    with drawing(scenario):
        figure, (axes,) = new_figure(3.4)
        _areas(axes, frame)
        axes.set_ylim(0, 1)
        axes.set_ylabel("share of customers")
        percent(axes)
        tenure(axes, result)
        axes.set_title(title)
        laid_out(figure)
    return Drawn("occupancy", figure, frame, title, _occupancy_caption(result, frame))


def _occupancy_caption(result: "Result", frame: pd.DataFrame) -> str:
    scenario, stays = result.scenario, everybody(result.sojourns)
    stays = stays[stays["stage"].map(lambda key: scenario.stages[key].kind != "lost")]
    lost = frame[(frame["kind"] == "lost") & (frame["period"] == frame["period"].max())]["share"].sum()
    end = f"in the end {words.percent(lost)} are lost."
    if stays.empty:
        return end.capitalize()
    longest = stays.sort_values("periods", kind="stable").iloc[-1]
    held = f"{words.periods(scenario, longest['periods'])} of {words.periods(scenario, result.sample.horizon)}"
    most = ", more than in any other before being lost" if len(stays) > 1 else ""
    return f"A customer spends {held} in “{words.stage(scenario, longest['stage'])}” on average{most}; {end}"


HATCHES = {"prospect": "\\\\", "active": "", "lost": "////"}


def _areas(axes: "Axes", frame: pd.DataFrame) -> None:
    """Stack the stages, active ones at the bottom; name each where it is high enough, the others in a legend."""
    from matplotlib import colormaps

    order = {"active": 0, "prospect": 1, "lost": 2}
    stages = sorted(dict.fromkeys(zip(frame["stage"], frame["label"], frame["kind"], strict=True)), key=lambda entry: order[entry[2]])
    living = [key for key, _, kind in stages if kind != "lost"]
    shades = dict(zip(living, colormaps["cividis"](np.linspace(0.18, 0.95, len(living))), strict=True))
    periods = np.unique(frame["period"])
    below, legend = np.zeros(periods.size), []
    for key, label, kind in stages:
        share = frame.loc[frame["stage"] == key, "share"].to_numpy()
        colour = shades.get(key, "#f4f4f4")
        edge = "#9a9a9a" if kind == "lost" else "white"
        area = axes.fill_between(
            periods, below, below + share, facecolor=colour, edgecolor=edge, hatch=HATCHES[kind], linewidth=0.6, label=label
        )
        if not _named(axes, periods, below, share, label):
            legend.append(area)
        below = below + share
    if legend:
        figure = axes.get_figure()
        assert figure is not None
        figure.legend(handles=legend, loc="outside lower center", ncols=2 if max(map(width_of, frame["label"])) > 16 else 3)


def _named(axes: "Axes", periods: Any, below: Any, share: Any, label: str) -> bool:
    """Write a stage's name into its area, if there is room for it."""
    fine = np.linspace(periods[0], periods[-1], 200)
    below, share, periods = np.interp(fine, periods, below), np.interp(fine, periods, share), fine
    width = (width_of(label) + 2) * 0.0195 * (periods[-1] - periods[0])  # of a letter at this size, as part of the axis
    centres = periods[(periods >= periods[0] + width / 2) & (periods <= periods[-1] - width / 2)]
    best, room, at = -1.0, 0.0, None
    for centre in centres:
        under = (periods >= centre - width / 2) & (periods <= centre + width / 2)
        bottom, top = below[under].max(), (below + share)[under].min()
        score = top - bottom - 0.2 * abs(centre / periods[-1] - 0.5)  # rather in the middle, where there is as much room
        if score > best:
            best, room, at = score, top - bottom, (centre, (bottom + top) / 2)
    if at is None or room < 0.075:
        return False
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "boxstyle": "round,pad=0.15"}
    axes.text(*at, label, ha="center", va="center", bbox=box)
    return True


def flows(result: "Result") -> Drawn:
    """Draw how often customers go from stage to stage.

    Frame: stage, edge, target, cause, label, kind (of the target), per_100 (moves per 100 customers within the horizon).
    """
    scenario = result.scenario
    keys = ["stage", "edge", "target", "cause"]
    moves = everybody(result.flows).groupby(keys, sort=False)["per_customer"].sum().reset_index()
    label = [_move(result, stage, edge, target) for stage, edge, target in zip(moves["stage"], moves["edge"], moves["target"], strict=True)]
    kind = [scenario.stages[target].kind for target in moves["target"]]
    frame = moves[keys].assign(label=label, kind=kind, per_100=100 * moves["per_customer"])
    made = frame[frame["per_100"] > 0].sort_values("per_100", ascending=False, kind="stable").reset_index(drop=True)
    frame = made.iloc[:MOST_FLOWS]
    title = "Who goes where"
    with drawing(scenario):
        figure, (axes,) = new_figure(1.1 + 0.34 * max(len(frame), 1))
        _rows(axes, frame)
        axes.set_xlabel(f"moves per 100 {words.newcomer(scenario)}s in {words.periods(scenario, result.sample.horizon)}")
        axes.set_title(title)
        laid_out(figure)
    return Drawn("flows", figure, frame, title, _flows_caption(scenario, made))


def _flows_caption(scenario: "Scenario", made: pd.DataFrame) -> str:
    """Return what is to be said of all moves made, the most frequent first."""
    lost = made["kind"] == "lost"
    early = made["stage"].map(lambda key: scenario.stages[key].kind == "prospect")  # who goes then was no customer yet
    caption = "Hatched: moves into a lost stage. " if lost.any() else "Nobody is lost. "
    before, late = made.loc[lost & early, "per_100"].sum(), made[lost & ~early]
    if before:
        caption += f"{words.told_apart(before, 10.0)} in 100 leave before they are customers. "
    if len(late) > 1:
        top, more = late.iloc[0], "of customers " if before else ""
        caption += f"The most frequent loss {more}is “{top['label']}”: {words.told_apart(top['per_100'], 10.0)} moves. "
    others = made.iloc[MOST_FLOWS:]
    if len(others):
        rarer = "1 rarer move is" if len(others) == 1 else f"{len(others)} rarer moves are"
        caption += f"{rarer} not drawn, {words.told_apart(others['per_100'].sum(), 10.0)} in all."
    return caption.strip()


def _move(result: "Result", stage: str, edge: str, target: str) -> str:
    """Return what a move is called: from where to where, and by what where several ways lead there."""
    scenario = result.scenario
    source = scenario.stages[stage]
    name = f"{words.stage(scenario, stage)} → {words.stage(scenario, target)}"
    parallel = sum(scenario.target(stage, other) == target for other in source.to) > 1
    way = source.to[edge].label or (edge if edge != target else "")
    return f"{name} ({way})" if parallel and way else name


CAUSES = {"own": "the firm itself", "rival": "a rival", "natural": "natural", "unforeseen": "unforeseen", "": ""}


def _rows(axes: "Axes", frame: pd.DataFrame) -> None:
    places = np.arange(len(frame))[::-1]
    lost = (frame["kind"] == "lost").to_numpy()
    for chosen, colour, hatch in ((~lost, SKY, ""), (lost, ORANGE, "////")):
        axes.barh(places[chosen], frame["per_100"][chosen], color=colour, edgecolor="white", hatch=hatch, height=0.72, linewidth=0)
    for place, value, cause in zip(places, frame["per_100"], frame["cause"], strict=True):
        beside(axes, value, place, words.told_apart(value, 10.0) + (f", {CAUSES[cause]}" if cause else ""))
    axes.set_yticks(places, [wrapped(label) for label in frame["label"]], fontsize=SMALL, linespacing=1.0)
    axes.set_ylim(-0.6, len(frame) - 0.4)
    axes.set_xlim(0, 1.45 * max([*frame["per_100"], 0.01]))
    axes.tick_params(axis="y", length=0)
    if frame.empty:
        axes.text(0.5, 0.5, "nobody moves", ha="center", transform=axes.transAxes)
