"""The figures of a comparison: what each arm gains, what it costs, for whom, and when it comes back."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.measures.arms import course
from sim.report import words
from sim.report.classes import called as of_class
from sim.report.panels import MOST_PERIODS, beside, new_figure, scaled, tenure, ticks, wrapped
from sim.report.style import BLUE, GREY, INK, ORANGE, SKY, SMALL, Drawn, drawing, laid_out, shortened
from sim.scenario.classes import GONE, UNRATED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sim.scenario.model import Scenario
    from sim.studies.comparison import Comparison

SHOWN = 6
"""Arms that are drawn side by side, the best first."""

RARE = 0.01
"""Share of the customers below which a life pattern is not drawn."""

LINES = ((BLUE, "-"), (ORANGE, "--"), (SKY, "-."), (GREY, ":"), (INK, (0, (7, 2))), ("#E69F00", (0, (4, 1, 1, 1, 1, 1))))
"""Colour and dashes of each arm."""

LEGEND = 50
"""Letters of an arm's name below a figure."""

HATCHES = ("", "////", "....", "\\\\\\\\", "", "xxxx")


def lettered(found: "Comparison") -> "Scenario":
    """Return the scenario with the policies of all arms, whose labels figures show."""
    every = {key: policy for arm in found.arms for key, policy in arm.scenario.policies.items()}
    return found.scenario.model_copy(update={"policies": every})


def ranked(found: "Comparison") -> pd.DataFrame:
    """Return the arms but the comparator, the largest gain first."""
    table = found.table.drop(index=found.comparator)
    return table.sort_values("gain", ascending=False, kind="stable").reset_index(drop=True)


def side_by_side(found: "Comparison", there: Iterable[str] | None = None) -> list[str]:
    """Return the ids of the arms that are drawn side by side; there: those of which something is known, by default all."""
    known = None if there is None else set(there)
    return [arm for arm in ranked(found)["arm"] if known is None or arm in known][:SHOWN]


def _others(found: "Comparison", shown: Sequence[str], table: str) -> str:
    """Return which arms a figure leaves out, and which table has their numbers; "" where it leaves out none."""
    left = [found.labels[arm] for arm in ranked(found)["arm"] if arm not in shown]
    return f" Not drawn, but in tables/{table}.csv: {', '.join(left)}." if left else ""


def against(found: "Comparison") -> str:
    """Return what the arms are held against, in words."""
    return called(found)[found.ids[found.comparator]]


def called(found: "Comparison") -> dict[str, str]:
    """Return what arms are called within a sentence, by id."""
    nothing = "doing nothing more" if found.scenario.policies else "doing nothing"
    return {arm.id: found.labels[arm.id] if arm.policies else nothing for arm in found.arms}


def gains(found: "Comparison") -> Drawn:
    """Draw each arm's gain in customer equity with its interval. Frame: arm, label, gain, low, high."""
    rows = ranked(found)
    frame = rows[["arm", "label", "gain", "gain_low", "gain_high"]].rename(columns={"gain_low": "low", "gain_high": "high"})
    title = f"Gain against {against(found)}"
    with drawing(lettered(found)):
        figure, (axes,) = new_figure(1.3 + 0.36 * len(frame))
        scale, power = scaled(float(frame["gain"].abs().max()))
        places, value = np.arange(len(frame))[::-1], frame["gain"].to_numpy() / scale
        half = np.nan_to_num((frame["high"] - frame["gain"]).to_numpy() / scale)
        colours = [BLUE if gain >= 0 else ORANGE for gain in value]
        axes.barh(places, value, color=colours, height=0.62, linewidth=0)
        axes.errorbar(value, places, xerr=half, fmt="none", ecolor=INK, capsize=3, linewidth=1.2)
        for place, at, error in zip(places, value, half, strict=True):
            beside(axes, max(at + error, 0.0), place, words.estimate(at, error / words.LEVEL)[0])
        axes.set_yticks(places, [wrapped(label) for label in frame["label"]], fontsize=SMALL)
        axes.axvline(0, color=INK, linewidth=0.9)
        low, high = min(0.0, *(value - half)), max(0.0, *(value + half))
        axes.set_xlim(low * 1.05, high + 0.2 * ((high - low) or 1.0))
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"customer equity gained, {power}{words.unit(found.scenario)}", loc="right")
        axes.set_title(title)
        ticks(axes.xaxis)
        laid_out(figure)
    said = "What each arm adds to customer equity, its own cost taken off; intervals: 95 %, of the same customers on the same luck."
    return Drawn("gains", figure, frame, title, said)


def frontier(found: "Comparison") -> Drawn:
    """Draw what arms cost against what they bring before that, numbered. Frame: arm, label, cost, gross, efficient, in that order."""
    order = found.table.sort_values("gain", ascending=False, kind="stable")
    frame = order[["arm", "label", "cost", "gross", "efficient"]].reset_index(drop=True)
    title = "What is spent and what it brings"
    with drawing(lettered(found)):
        figure, (axes,) = new_figure(3.2 + 0.2 * len(frame))
        scale, power = scaled(float(max(frame["cost"].abs().max(), frame["gross"].abs().max())))
        cost, gross = (frame[name].to_numpy() / scale for name in ("cost", "gross"))
        widest = max(float(cost.max()), 1e-12)
        axes.plot([0, widest], [0, widest], color=GREY, linewidth=1.0, linestyle=":", label="spending just back")
        on = frame["efficient"].to_numpy()
        joined = np.flatnonzero(on)[np.argsort(cost[on], kind="stable")]
        axes.plot(cost[joined], gross[joined], color=BLUE, linewidth=1.4)
        span = (float(gross.max()) - min(float(gross.min()), 0.0)) or 1.0
        for k, label in enumerate(frame["label"]):
            look: dict[str, Any] = {"marker": "o", "color": BLUE} if on[k] else {"marker": "x", "color": ORANGE, "markeredgewidth": 1.8}
            axes.plot(cost[k], gross[k], linestyle="", markersize=6.5, label=f"{k + 1}  {shortened(label, LEGEND)}", **look)
        _numbered(axes, cost, gross, widest, span)
        axes.set_xlabel(f"cost of policies, {power}{words.unit(found.scenario)}")
        axes.set_ylabel(f"customer equity gained\nbefore cost, {power}{words.unit(found.scenario)}")
        axes.grid(axis="both")
        figure.legend(loc="outside lower center", ncols=1)
        axes.set_title(title)
        ticks(axes.xaxis)
        ticks(axes.yaxis)
        laid_out(figure)
    said = "Above the dotted line an arm earns more than it costs. On the line through the dots no other brings as much for as little."
    if not on.all():
        said += f" Crosses are not worth considering: another arm brings as much and costs no more ({', '.join(frame['label'][~on])})."
    return Drawn("frontier", figure, frame, title, said)


def _numbered(axes: "Axes", cost: Any, gross: Any, widest: float, span: float) -> None:
    """Write a number at each point of the frontier, and give its axes room for them."""
    tall, line = 0.1 * span, {"arrowstyle": "-", "color": GREY, "linewidth": 0.6}
    box = {"facecolor": "white", "linewidth": 0, "alpha": 0.8, "pad": 0.5}
    places = _beside(cost, gross, 0.055 * widest, tall)
    for k, (x, y, at) in enumerate(zip(cost, gross, places, strict=True)):
        led = line if at[1] > y + 1.5 * tall else None
        axes.annotate(f"{k + 1}", (x, y), xytext=at, arrowprops=led, va="center", ha="center", fontsize=SMALL, bbox=box)
    left, low = np.minimum(np.min([*places, (0.0, 0.0)], axis=0), (cost.min(), gross.min()))
    right, high = np.maximum(np.max(places, axis=0), (widest, gross.max()))
    axes.set_xlim(left - 0.03 * widest, right + 0.06 * widest)
    axes.set_ylim(low - 0.06 * span, high + 0.06 * span)


def _beside(x: Any, y: Any, wide: float, tall: float) -> list[tuple[float, float]]:
    """Return where labels of points stand, clear of all points and of each other: beside their own, far above where there is no room."""
    taken, found = list(zip(x, y, strict=True)), dict[int, tuple[float, float]]()
    for k in np.argsort(y, kind="stable"):
        ways = chain(((0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0)), ((0.0, step / 4.0) for step in count(5)))
        tried = ((float(x[k] + 1.01 * wide * right), float(y[k] + 1.01 * tall * up)) for right, up in ways)
        free = (at for at in tried if not any(abs(at[0] - u) < wide and abs(at[1] - v) < tall for u, v in taken))
        found[int(k)] = next(free)
        taken.append(found[int(k)])
    return [found[k] for k in range(len(found))]


def segments(found: "Comparison") -> Drawn:
    """Draw by segment what each arm adds to a customer's CLV, net of policies. Frame: arm, segment, difference, low, high."""
    scenario = found.scenario
    shown = side_by_side(found)
    every = found.differences
    mine = every[(every["by"] == "segment") & (every["measure"] == "clv") & every["arm"].isin(shown)]
    frame = mine[["arm", "id", "difference", "low", "high"]].rename(columns={"id": "segment"}).reset_index(drop=True)
    title = "For whom"
    groups = {key: words.segment(scenario, key) for key in scenario.segments}
    half = (frame["high"] - frame["difference"]).to_numpy()
    with drawing(lettered(found)):
        figure = _bars(found, frame.rename(columns={"segment": "id", "difference": "value"}).assign(half=half), groups, title)
    said = "What a customer of each segment is worth more, after what policies cost on it."
    return Drawn("segments", figure, frame, title, said + _others(found, shown, "differences"))


def _bars(found: "Comparison", frame: pd.DataFrame, groups: dict[str, str], title: str) -> "Figure":
    """Draw bars by group and arm. Frame: arm, id, value, half (of the interval); groups: what they are called, by id."""
    shown = [arm for arm in ranked(found)["arm"] if arm in set(frame["arm"])]
    figure, (axes,) = new_figure(0.9 + 0.18 * len(shown) + max(0.18 * len(groups) * len(shown), 0.8))
    height = 0.8 / len(shown)
    for a, ((colour, _), hatch, arm) in enumerate(zip(LINES, HATCHES, shown, strict=False)):
        rows = frame[frame["arm"] == arm].set_index("id")[["value", "half"]].reindex(list(groups), fill_value=0.0)
        places = np.arange(len(groups))[::-1] + 0.4 - height * (a + 0.5)
        axes.barh(places, rows["value"], height=height * 0.9, color=colour, edgecolor="white", hatch=hatch, linewidth=0,
                  label=shortened(found.labels[arm], LEGEND))  # fmt: skip
        half = np.nan_to_num(rows["half"].to_numpy())
        axes.errorbar(rows["value"], places, xerr=half, fmt="none", ecolor=INK, capsize=2, linewidth=1.0)
    axes.set_yticks(np.arange(len(groups))[::-1], [wrapped(label) for label in groups.values()], fontsize=SMALL)
    axes.axvline(0, color=INK, linewidth=0.9)
    axes.margins(x=0.05)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"added to a customer's CLV, {words.unit(found.scenario)}")
    figure.legend(loc="outside lower center", ncols=1)
    axes.set_title(title)
    ticks(axes.xaxis)
    laid_out(figure)
    return figure


def lives(found: "Comparison") -> Drawn:
    """Draw by life pattern under the comparator what its customers add to the arm's difference. Frame: arm, pattern, part, half."""
    shown = side_by_side(found)
    every = found.who_gains
    mine = every[(every["by"] == "pattern") & every["arm"].isin(shown)]
    mine = mine.assign(half=found.paired.width * mine["part_se"]).reset_index(drop=True)
    there = mine.groupby("id", sort=False)["share"].max()
    groups = {
        key: f"{name} ({words.percent(there[key])})" for key, (name, _) in words.PATTERNS.items() if key in there and there[key] >= RARE
    }
    title = "Who gains"
    with drawing(lettered(found)):
        figure = _bars(found, mine.rename(columns={"part": "value"}), groups, title)
    frame = mine[["arm", "id", "part", "half"]].rename(columns={"id": "pattern"})
    said = f"By how a life would have gone under {against(found)}, in brackets how often. An arm's bars add up to its gain a head."
    if not found.same_customers:
        said = said.removesuffix(".") + ", without what those bring whom it wins."
    if left := [name for key, (name, _) in words.PATTERNS.items() if key in there and key not in groups]:
        said += f" Not drawn: {', '.join(left).lower()}, below {words.percent(RARE)} of the customers."
    return Drawn("lives", figure, frame, title, said + _others(found, shown, "who_gains"))


def classes(found: "Comparison") -> Drawn:
    """Draw by class at the end of the first year judged what its customers add to the arm's difference.

    Of the scenario's first classification. Frame: arm, class, share, part, half.
    """
    how, label = next((key, one.label or of_class(key)) for key, one in found.scenario.classifications.items())
    every = found.class_gains[found.class_gains["classification"] == how]
    year = int(every[~every["class"].isin([UNRATED, GONE])]["year"].min())
    shown = side_by_side(found)
    mine = every[(every["year"] == year) & every["arm"].isin(shown)]
    frame = mine.assign(half=found.paired.width * mine["part_se"])[["arm", "class", "share", "part", "half"]]
    shares = frame.groupby("class", sort=False)["share"].max()
    common = shares[shares >= RARE]
    groups = {key: f"{of_class(key)} ({words.percent(common[key])})" for key in map(str, common.index)}
    title = "Which classes gain"
    with drawing(lettered(found)):
        figure = _bars(found, frame.rename(columns={"class": "id", "part": "value"}), groups, title)
    said = f"{label}: by class under {against(found)} after {year} year{'s' if year > 1 else ''}, in brackets how many are in it."
    return Drawn("classes", figure, frame.reset_index(drop=True), title, f"{said} Of those followed.{_others(found, shown, 'class_gains')}")


def parting(found: "Comparison") -> Drawn:
    """Draw the share of customers whose path has parted from that under the comparator. Frame: arm, tenure, so_far."""
    shown = side_by_side(found, found.parting["arm"])
    every = found.parting[found.parting["arm"].isin(shown)].drop_duplicates(["arm", "tenure"])
    frame = every[["arm", "tenure", "so_far"]].reset_index(drop=True)
    horizon, title = found.results[0].sample.horizon, "Where paths part"
    with drawing(lettered(found)):
        figure, (axes,) = new_figure(2.7 + 0.18 * len(shown))
        for (colour, dashes), arm in zip(LINES, shown, strict=False):
            rows = frame[frame["arm"] == arm]
            times, shares = [0, *rows["tenure"], horizon], [0.0, *rows["so_far"], rows["so_far"].iloc[-1]]
            axes.plot(times, 100 * np.array(shares), color=colour, linestyle=dashes, linewidth=1.7,
                      label=shortened(found.labels[arm], LEGEND))  # fmt: skip
        axes.set_xlim(0, horizon)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(f"{found.scenario.period}s since the customer arrived")
        axes.set_ylabel("customers on another path, %")
        axes.grid(axis="y")
        figure.legend(loc="outside lower center", ncols=1)
        axes.set_title(title)
        laid_out(figure)
    row = found.table[found.table["arm"] == shown[0]].iloc[0]
    stages = found.parting[found.parting["arm"] == shown[0]].groupby("stage", sort=False)["share"].sum()
    where = words.stage(found.scenario, str(stages.idxmax()))
    half = f"half of them by {found.scenario.period} {row['parted_at']:.0f}, most often from {where}"
    said = f"With {row['label']} {words.percent(row['parted'])} of the customers ever take another way than under {against(found)}: {half}."
    said += " For the others only what they pay and cost can differ."
    return Drawn("parting", figure, frame, title, said + _others(found, shown, "parting"))


def courses(found: "Comparison") -> Drawn:
    """Draw how the best arms' spending comes back in time. Frame: arm, y, difference (cumulative by its end, a customer of the firm)."""
    scenario, shown = found.scenario, side_by_side(found)
    labels, theirs = found.labels, found.results[found.comparator]
    frames = []
    for arm in shown:
        values = course(found.results[found.ids.index(arm)].sample, theirs.sample)
        kept = np.unique(np.linspace(0, values.size - 1, min(values.size, MOST_PERIODS)).round().astype(int))
        frames.append(pd.DataFrame({"arm": arm, "y": kept, "difference": values[kept]}))
    frame = pd.concat(frames, ignore_index=True)
    title = "When it comes back"
    with drawing(lettered(found)):
        figure, (axes,) = new_figure(2.7 + 0.18 * len(shown))
        for (colour, dashes), arm in zip(LINES, shown, strict=False):
            rows = frame[frame["arm"] == arm]
            label = shortened(labels[arm], LEGEND)
            axes.plot(rows["y"] + 1, rows["difference"], color=colour, linestyle=dashes, linewidth=1.7, label=label)
        axes.axhline(0, color=INK, linewidth=0.9)
        tenure(axes, theirs)
        axes.set_xlim(0, int(frame["y"].max()) + 1)
        axes.set_xlabel(f"{scenario.period}s from the start of the calendar")
        axes.set_ylabel(f"cumulative, a customer, {words.unit(scenario)}")
        axes.grid(axis="y")
        figure.legend(loc="outside lower center", ncols=1)
        axes.set_title(title)
        ticks(axes.yaxis)
        laid_out(figure)
    said = f"By how much each arm is ahead of {against(found)} by then, after all that its policies cost, discounted; the end is the gain."
    return Drawn("courses", figure, frame, title, said + _others(found, shown, "arms"))


def paths(found: "Comparison") -> Drawn:
    """Draw the share of market paths on which each arm is the best. Frame: arm, label, won."""
    labels = found.labels
    frame = found.paths[["arm", "won"]].sort_values("won", ascending=False, kind="stable").reset_index(drop=True)
    frame.insert(1, "label", [labels[arm] for arm in frame["arm"]])
    title = "Who wins on which market path"
    with drawing(lettered(found)):
        figure, (axes,) = new_figure(1.3 + 0.32 * len(frame))
        places = np.arange(len(frame))[::-1]
        axes.barh(places, 100 * frame["won"], color=BLUE, height=0.62, linewidth=0)
        for place, share in zip(places, frame["won"], strict=True):
            beside(axes, 100 * share, place, words.percent(share))
        axes.set_yticks(places, [wrapped(label) for label in frame["label"]], fontsize=SMALL)
        axes.set_xlim(0, 118)
        axes.set_xlabel(f"share of {found.paired.samples[0].replicates:,} {found.paired.samples[0].shared}s, %")
        axes.tick_params(axis="y", length=0)
        axes.set_title(title)
        laid_out(figure)
    return Drawn("paths", figure, frame, title, "On how many paths of the market each arm brings the highest customer equity.")


FIGURES: dict[str, Callable[["Comparison"], Drawn]] = {
    "gains": gains,
    "frontier": frontier,
    "segments": segments,
    "lives": lives,
    "classes": classes,
    "parting": parting,
    "courses": courses,
    "paths": paths,
}
"""The figures of a comparison by name, in the order in which its report shows them."""


def _judged(found: "Comparison") -> bool:
    """Return whether a customer followed is in a class at the end of some year."""
    return not set(found.class_gains["class"]) <= {UNRATED, GONE}


def fitting(found: "Comparison") -> tuple[str, ...]:
    """Return the names of the figures that say something of this comparison."""
    there: dict[str, Any] = {"segments": found.scenario.segments, "paths": not found.results[0].sample.independent}
    there |= {"lives": len(found.arms) > 1 and words.patterned(found.scenario)}
    there |= {"classes": found.classed and _judged(found), "parting": len(found.parting)}
    return tuple(name for name in FIGURES if there.get(name, True))
