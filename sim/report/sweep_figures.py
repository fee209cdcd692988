"""Figures of a sweep: response curves with bands, a heat map, parallel coordinates."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.measures.paths import student
from sim.measures.row import ERRORS
from sim.report import words
from sim.report.naming import axis, called
from sim.report.panels import new_figure, scaled, ticks, wrapped
from sim.report.style import BLUE, GREY, INK, ORANGE, SKY, SMALL, Drawn, drawing, laid_out, shortened, width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from sim.studies.sweep import Sweep

BINS = 12
"""Parts of a factor's range over which a curve is averaged, where it takes more values."""

TILES = 10
"""Most parts of each range in a heat map of scattered points: as many as leave about six points in each."""

CURVES, LINES = 4, 250
"""Factors whose curves are drawn, those that matter most first; points drawn as lines."""

MEASURES = {"equity": "customer equity", "gain": "gain in customer equity"}

LEGEND = 50
"""Letters of an arm's name below a figure."""

STYLES = ((BLUE, "-"), (ORANGE, "--"), (SKY, "-."), (GREY, ":"), (INK, "-"))


def measure(found: "Sweep") -> str:
    """Return what is drawn: the gain of arms, without arms customer equity."""
    return "gain" if len(set(found.table.get("arm", ()))) > 1 else "equity"


def shown(found: "Sweep") -> pd.DataFrame:
    """Return the rows that are drawn: all, or those of arms that are held against another."""
    table = found.table
    return table[table["arm"] != found.plan.study.comparator].reset_index(drop=True) if measure(found) == "gain" else table


def numeric(found: "Sweep") -> list[str]:
    """Return the factors that are numbers, and take several."""
    table = found.table
    return [name for name in found.factors if _measured(table[name]) and len(table[name].unique()) > 1]


def _measured(values: "pd.Series[Any]") -> bool:
    """Return whether values lie on a scale: numbers, not text, nor true and false."""
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def influence(found: "Sweep") -> list[str]:
    """Return the numeric factors, those first of which a curve varies most."""
    frame, what = shown(found), measure(found)

    def spread(name: str) -> float:
        return float(frame.groupby(bins(frame[name], BINS))[what].mean().std(ddof=0))

    return sorted(numeric(found), key=lambda name: -np.nan_to_num(spread(name)))


def bins(values: "pd.Series[Any]", most: int) -> "pd.Series[Any]":
    """Return the number of the part of the range that each value is in: of its own where there are few, of about equal counts else."""
    if values.nunique() <= most:
        return values.rank(method="dense").astype(int)
    return ((values.rank(method="first") - 1) * most // len(values)).astype(int)


def curves(found: "Sweep") -> Drawn:
    """Draw how the measure answers to each factor. Frame: factor, arm, at, mean, low, high (95 %, or of the middle 80 % of the points)."""
    frame, what = shown(found), measure(found)
    names = influence(found)[:CURVES] or found.factors[:1]
    alone = len(found.factors) == 1
    rows = [row for name in names for row in _curve(frame, name, what, alone, _wide(found))]
    drawn = pd.DataFrame(rows)
    title = f"How {MEASURES[what]} answers"
    with drawing(found.plan.scenario, called(found.plan).values()):
        figure, panels = new_figure(1.0 + 2.0 * len(names), len(names))
        scale, power = scaled(float(np.nanmax(np.abs(drawn[["mean", "low", "high"]].to_numpy()))))
        for axes, name in zip(panels, names, strict=True):
            _answering(axes, drawn[drawn["factor"] == name], scale, called(found.plan))
            axes.set_xlabel(axis(found.plan, name))
            axes.set_ylabel(f"{power}{words.unit(found.plan.scenario)}")
        handles, arms = panels[0].get_legend_handles_labels()
        if len(arms) > 1:
            figure.legend(handles, arms, loc="outside lower center", ncols=columns(arms))
        panels[0].set_title(title)
        laid_out(figure)
    said = "Bands: 95 % intervals." if alone else "Lines: means over all other factors; bands: the middle 80 % of the points there."
    if what == "gain":
        said += f" Against {called(found.plan)[found.plan.study.comparator]}, the same customers on the same luck."
    return Drawn("curves", figure, drawn, title, said)


def _wide(found: "Sweep") -> float:
    """Return how much wider 95 % intervals are than normal ones: where customers share few paths."""
    scenario = found.plan.scenario
    shared = scenario.market is not None or scenario.coupled or scenario.learning is not None
    return student(scenario.run.replicates) if shared else 1.0


def _curve(frame: pd.DataFrame, name: str, what: str, alone: bool, wide: float) -> list[dict[str, Any]]:
    found = []
    for arm, rows in frame.groupby("arm", sort=False) if "arm" in frame else [("", frame)]:
        for _, part in rows.groupby(bins(rows[name], BINS) if _measured(rows[name]) else name, sort=True):
            mean = float(part[what].mean())
            half = wide * words.LEVEL * float(part[f"{what}_se"].iloc[0]) if what in ERRORS else math.nan
            ends = (mean - half, mean + half) if alone else tuple(np.quantile(part[what], [0.1, 0.9]).tolist())
            at = part[name].mean() if _measured(part[name]) else part[name].iloc[0]
            found.append({"factor": name, "arm": arm, "at": at, "mean": mean, "low": ends[0], "high": ends[1]})
    return found


def _answering(axes: "Axes", drawn: pd.DataFrame, scale: float, names: dict[str, str]) -> None:
    words_on_axis, of_arms = not _measured(drawn["at"]), drawn["factor"].iloc[0] == "policies"
    places = list(dict.fromkeys(drawn["at"]))
    if words_on_axis:
        axes.set_xticks(range(len(places)), [wrapped(names.get(str(value), str(value)) if of_arms else str(value)) for value in places])
    for k, (arm, rows) in enumerate(drawn.groupby("arm", sort=False)):
        colour, dashes = STYLES[k % len(STYLES)]
        at = np.array([places.index(value) for value in rows["at"]] if words_on_axis else rows["at"], dtype=float)
        low, high = (rows[name].to_numpy() / scale for name in ("low", "high"))
        axes.fill_between(at, low, high, color=colour, alpha=0.2, linewidth=0)
        label = shortened(names.get(str(arm), ""), LEGEND)
        axes.plot(at, rows["mean"] / scale, color=colour, linestyle=dashes, linewidth=1.6, marker="o", markersize=3, label=label)
    axes.grid(axis="y")
    ticks(axes.yaxis)
    if not words_on_axis:
        axes.margins(x=0.02)


def heat(found: "Sweep") -> Drawn:
    """Draw the measure over the two factors that matter most, or which arm does best there; where one does everywhere, what it gains.

    Frame: the two factors, then it.
    """
    first, second = influence(found)[:2]
    ends = [_edges(found.table[name]) for name in (first, second)]
    what, ids = measure(found), list(dict.fromkeys(found.table["arm"])) if measure(found) == "gain" else []
    frame = _placed(found.table, (first, second), ends)
    value = _best(frame, ids) if ids else _mean(frame, what)
    title = "Which arm does best where" if ids else f"{MEASURES[what].capitalize()} over two factors"
    if len(best := {ids[k] for k in value["value"]} if ids else set()) == 1:
        (arm,) = best
        arm = _second(found) if arm == found.plan.study.comparator else arm
        value, ids, title = _mean(frame[frame["arm"] == arm], what), [], f"What {called(found.plan)[arm]} gains"
    grid = np.full((len(ends[1]) - 1, len(ends[0]) - 1), np.nan)
    grid[value["_y"], value["_x"]] = value["value"]
    middles = [_middles(edges, found.table[name]) for edges, name in zip(ends, (first, second), strict=True)]
    drawn = pd.DataFrame({first: middles[0][value["_x"]], second: middles[1][value["_y"]]})
    drawn["arm" if ids else what] = [ids[k] for k in value["value"]] if ids else value["value"].to_numpy()
    with drawing(found.plan.scenario, called(found.plan).values()):
        figure, (axes,) = new_figure(3.6)
        if ids:
            _choices(axes, figure, ends, grid, [called(found.plan)[arm] for arm in ids])
        else:
            scale, power = scaled(float(np.nanmax(np.abs(grid))))
            bar = figure.colorbar(axes.pcolormesh(*ends, grid / scale, cmap="cividis", linewidth=0), ax=axes)
            bar.set_label(f"{power}{words.unit(found.plan.scenario)}")
            bar.outline.set_visible(False)
        axes.set_xlabel(axis(found.plan, first))
        axes.set_ylabel(axis(found.plan, second, 34))
        for side, edges, name in zip((axes.xaxis, axes.yaxis), ends, (first, second), strict=True):
            _centred(side, edges, found.table[name])
        axes.set_title(title)
        laid_out(figure)
    return Drawn("heat", figure, drawn, title, "The two factors that matter most; means over the points in each tile.")


def _placed(frame: pd.DataFrame, names: tuple[str, str], ends: list[Any]) -> pd.DataFrame:
    """Return the points with the tile that each lies in."""
    places = [
        np.clip(np.searchsorted(edges, frame[name], side="right") - 1, 0, len(edges) - 2) for edges, name in zip(ends, names, strict=True)
    ]
    return frame.assign(_x=places[0], _y=places[1])


def _mean(frame: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return the mean of a measure in every tile with points."""
    return frame.groupby(["_x", "_y"])[what].mean().rename("value").reset_index()


def _best(frame: pd.DataFrame, ids: list[str]) -> pd.DataFrame:
    """Return the place among ``ids`` of the arm with the highest mean equity in every tile with points."""
    mean = frame.groupby(["_x", "_y", "arm"], sort=False)["equity"].mean().reset_index()
    best = mean.loc[mean.groupby(["_x", "_y"])["equity"].idxmax()]
    return best.assign(value=[ids.index(arm) for arm in best["arm"]])


def _second(found: "Sweep") -> str:
    """Return the arm with the highest mean gain, the comparator left out."""
    return str(shown(found).groupby("arm", sort=False)["gain"].mean().idxmax())


def _choices(axes: "Axes", figure: Any, ends: list[Any], grid: Any, names: list[str]) -> None:
    """Draw which arm is best, told apart by lightness and hatches too; names: what the arms of the grid's numbers are."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    colours, hatches = ["#eeeeee", BLUE, ORANGE, SKY, GREY, INK, "#E69F00", "#CC79A7"], ["", "", "////", "....", "\\\\\\\\", "", "xx", "++"]
    met = [k for k in range(len(names)) if (grid == k).any()]
    axes.pcolormesh(*ends, grid, cmap=ListedColormap([colours[k % 8] for k in range(len(names))]), vmin=-0.5, vmax=len(names) - 0.5)
    for k in met:
        if hatches[k % 8]:
            for y, x in zip(*np.nonzero(grid == k), strict=True):
                place, size = (ends[0][x], ends[1][y]), (ends[0][x + 1] - ends[0][x], ends[1][y + 1] - ends[1][y])
                axes.add_patch(_tile(place, size, hatches[k % 8]))
    keys = [Patch(facecolor=colours[k % 8], hatch=hatches[k % 8], edgecolor="white", label=shortened(names[k], LEGEND)) for k in met]
    figure.legend(handles=keys, loc="outside lower center", ncols=columns([names[k] for k in met]))


def _centred(side: "Axis", edges: np.ndarray[Any, Any], values: "pd.Series[Any]") -> None:
    """End an axis with its tiles; name these by their values where each has one, those left out that stand too near to the one before."""
    side.set_view_interval(edges[0], edges[-1], ignore=True)
    first, *rest = np.sort(values.unique().astype(float))
    if len(rest) + 2 != len(edges):
        ticks(side)
        return
    shown = [first]
    for value in rest:
        if value - shown[-1] >= 0.1 * (edges[-1] - edges[0]):
            shown.append(value)
    side.set_ticks(shown, [f"{value:,.4g}" for value in shown])


def columns(names: list[str]) -> int:
    """Return in how many columns a legend of these names stands."""
    return 2 if max(map(width_of, names)) <= 22 else 1


def _tile(place: tuple[float, float], size: tuple[float, float], hatch: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(place, *size, fill=False, hatch=hatch, edgecolor="white", linewidth=0)


def _middles(edges: np.ndarray[Any, Any], values: "pd.Series[Any]") -> np.ndarray[Any, Any]:
    """Return what a heat map's tiles stand for: each a value where these are few, else its middle."""
    met = np.sort(values.unique().astype(float))
    return met if met.size == len(edges) - 1 else (edges[:-1] + edges[1:]) / 2


def _edges(values: "pd.Series[Any]") -> np.ndarray[Any, Any]:
    """Return the edges of a heat map's tiles: around the values where they are few, evenly over their range else."""
    met = np.sort(values.unique().astype(float))
    if met.size > 2 * TILES:
        return np.linspace(met[0], met[-1], max(3, min(TILES, math.isqrt(len(values) // 6))) + 1)
    gaps = np.diff(met) / 2
    return np.concatenate([[met[0] - gaps[0]], met[:-1] + gaps, [met[-1] + gaps[-1]]])


def parallel(found: "Sweep") -> Drawn:
    """Draw each point as a line through its factors and the measure, scaled to their ranges. Frame: the points drawn, unscaled."""
    what, names = measure(found), influence(found)
    table = shown(found)
    if what == "gain":
        table = table.loc[table.groupby("point")["gain"].idxmax()]
    table = table.iloc[np.unique(np.linspace(0, len(table) - 1, LINES).astype(int))]
    drawn = table[["point", *names, what]].reset_index(drop=True)
    columns = [*names, what]
    low, high = drawn[columns].min(), drawn[columns].max()
    height = ((drawn[columns] - low) / (high - low).replace(0, 1)).to_numpy()
    title = "Every point"
    with drawing(found.plan.scenario, called(found.plan).values()):
        figure, (axes,) = new_figure(3.4)
        colours = _map()(0.1 + 0.85 * height[:, -1])
        for k in np.argsort(height[:, -1], kind="stable"):
            axes.plot(range(len(columns)), height[k], color=colours[k], linewidth=0.7, alpha=0.6)
        for k, name in enumerate(columns):
            _upright(axes, k, low[name], high[name])
        unit = words.unit(found.plan.scenario)
        axes.set_xticks(range(len(columns)), [*map(_broken, names), f"{what}\n{unit}"], fontsize=SMALL)
        axes.set_yticks([])
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        axes.set_ylim(-0.12, 1.12)
        axes.margins(x=0.08)
        axes.tick_params(axis="x", length=0)
        axes.set_title(title)
        laid_out(figure)
    some = f" {len(drawn):,} of {len(found.plan.points):,} points are drawn." if len(drawn) < len(found.plan.points) else ""
    best = ", of the best arm" if what == "gain" else ""
    return Drawn("parallel", figure, drawn, title, f"A line a point; lighter: higher {MEASURES[what]}{best}.{some}")


def _upright(axes: "Axes", k: int, low: float, high: float) -> None:
    """Draw the axis of a column, with its ends."""
    axes.plot([k, k], [0.0, 1.0], color=INK, linewidth=0.8)
    for at, end, va, away in ((0.0, low, "top", -3), (1.0, high, "bottom", 3)):
        told = words.told_apart(end, high - low)
        axes.annotate(told, (k, at), ha="center", va=va, fontsize=SMALL - 1, xytext=(0, away), textcoords="offset points")


def _map() -> Any:
    from matplotlib import colormaps

    return colormaps["cividis"]


def _broken(name: str) -> str:
    """Return a dotted path in up to three short lines, its last parts; a long one breaks at an underscore."""
    lines = [line for part in name.split(".") for line in (part if len(part) <= 14 else part.replace("_", "_\n", 1)).split("\n")]
    return "\n".join(shortened(line, 14) for line in lines[-3:])
