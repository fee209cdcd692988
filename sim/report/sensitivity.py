"""What a sensitivity analysis's report says: which parameters matter, how much, and of which it cannot be told."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.measures.paths import student
from sim.report import words
from sim.report.panels import beside, new_figure, scaled, ticks, wrapped
from sim.report.study import Story, Table, told
from sim.report.style import BLUE, GREY, INK, ORANGE, SKY, SMALL, Drawn, drawing, laid_out

if TYPE_CHECKING:
    from sim.studies.sensitivity import Sensitivity

MEASURES = {"equity": "customer equity", "clv": "CLV of a customer", "spent": "the cost of policies", "gain": "the gain in customer equity"}

METHODS = {"sobol": "Sobol indices", "morris": "Morris screening", "tornado": "each factor alone, from its 10 % to its 90 % quantile"}

SIZE = {"sobol": "total", "morris": "mu_star", "tornado": "swing"}
"""The column that tells how much a factor matters."""


def story(found: "Sensitivity") -> Story:
    """Return what the report of a sensitivity analysis says."""
    plan, method = found.plan, found.asked["method"]
    figure = {"sobol": shares, "morris": screening, "tornado": tornado}[method](found)
    receipt = [
        ("Method", METHODS[method]),
        ("Points", f"{len(plan.points):,}, of {plan.scenario.run.replicates} replicates, the same luck at each"),
        ("Customers simulated at each point", plan.customers),
        ("Seed of the customers", str(plan.scenario.run.seed)),
        ("Seed of the design", str(plan.study.design_seed)),
    ]
    mind = [*plan.warnings, "bars are of the ranges and distributions given: a wider range makes a parameter matter more"]
    return Story("what matters?", answer(found), notes(found), [figure], [_table(found)], told(plan.study.vary), receipt, mind)


def ordered(found: "Sensitivity") -> pd.DataFrame:
    """Return the table, those first of which it can be told that they matter, and of them those that matter most."""
    rows = found.table.sort_values(SIZE[found.asked["method"]], ascending=False, kind="stable")
    told = np.array([tells(found, row) for _, row in rows.iterrows()])
    return pd.concat([rows[told], rows[~told]], ignore_index=True)


def tells(found: "Sensitivity", row: "pd.Series[Any]") -> bool:
    """Return whether a parameter moves the outcome by more than luck."""
    if found.asked["method"] != "tornado":
        return not str(row["told"]).startswith(("cannot be told", "the outcome does not vary"))
    return any(abs(row[f"{end}_change"]) > words.LEVEL * _wide(found) * np.nan_to_num(row[f"{end}_change_se"]) for end in ("low", "high"))


def _wide(found: "Sensitivity") -> float:
    """Return how much wider intervals over few replicates are than normal ones."""
    return student(found.plan.scenario.run.replicates)


def answer(found: "Sensitivity") -> str:
    """Return the answer in a sentence or two."""
    rows, what, scenario = ordered(found), MEASURES[found.asked["measure"]], found.plan.scenario
    first = rows.iloc[0]
    if not tells(found, first):
        return f"Of no parameter can it be told that it moves {what} over these ranges."
    if found.asked["method"] == "tornado":
        low, high = (
            f"{words.roughly(scenario, first[end], first['swing'])} at {_point(at)}, its {share}{words.SPACE}% point"
            for end, at, share in zip(("low", "high"), ends(found)[first["factor"]], (10, 90), strict=True)
        )
        return f"{first['factor']} moves {what} most, as far as can be told: {low}, {high}."
    if found.asked["method"] == "morris":
        return f"{first['factor']} moves {what} most: {words.money(scenario, first['mu_star'])} from low to high, on average."
    if len(rows) == 1:
        return f"{first['factor']} alone varies: all of the variance of {what} over its range is its own."
    close = rows[(rows["total_high"] >= first["total_low"]) & (rows.index > 0)]
    close = close[[tells(found, row) for _, row in close.iterrows()]]
    if len(close):
        names = " and ".join([first["factor"], *close["factor"]]) if len(close) < 3 else f"{first['factor']} and {len(close)} more"
        return f"{names} matter most; which of them more cannot be told from so few points. {first['factor']}: {_share(first, 'total')}."
    return f"{first['factor']} matters most: it has a part in {_share(first, 'total')} of the variance of {what} over these ranges."


def notes(found: "Sensitivity") -> list[str]:
    """Return what else is found, a sentence each."""
    said = []
    rows = ordered(found)
    if "told" in rows:
        said = [f"{row['factor']}: {row['told']}{_size(found, row)}." for row in rows.to_dict("records")]
    if np.isfinite(found.noise):
        said.append(f"Of the variance between points {words.percent(max(found.noise, 0.0))} is luck, which is taken out.")
    if found.asked["method"] == "morris":
        said.append("Low and high are the 12.5 % and the 87.5 % quantiles: the middles of the first and the last quarter of each range.")
    if any(" + " in name for name in found.names):
        said.append("Correlated parameters are told together: what each of them does alone cannot be taken apart.")
    return said


def _size(found: "Sensitivity", row: dict[Any, Any]) -> str:
    """Return how large the part of a parameter is, with its interval, nothing where it does not vary."""
    if found.asked["method"] != "sobol" or not np.isfinite(row["total"]) or len(found.names) == 1:
        return ""
    return f", {_share(row, 'total')} of the variance with all it does together with others"


def shares(found: "Sensitivity") -> Drawn:
    """Draw first-order and total Sobol indices with their intervals. Frame: as the table of indices."""
    frame, title = ordered(found), "What makes the outcome vary"
    with drawing(found.plan.scenario):
        figure, (axes,) = new_figure(1.6 + 0.5 * len(frame))
        places = np.arange(len(frame))[::-1].astype(float)
        for name, shift, colour, hatch, label in (
            ("total", 0.19, BLUE, "", "with all it does together with others"),
            ("first", -0.19, SKY, "////", "by itself"),
        ):
            value = frame[name].to_numpy()
            ends = np.abs(np.stack([value - frame[f"{name}_low"], frame[f"{name}_high"] - value]))
            axes.barh(places + shift, value, height=0.36, color=colour, edgecolor="white", hatch=hatch, linewidth=0, label=label)
            axes.errorbar(value, places + shift, xerr=ends, fmt="none", ecolor=INK, capsize=2.5, linewidth=1.0)
        axes.set_yticks(places, [wrapped(name) for name in frame["factor"]], fontsize=SMALL)
        axes.tick_params(axis="y", length=0)
        axes.axvline(0, color=INK, linewidth=0.9)
        ends = frame[["first_low", "total_low", "first_high", "total_high"]].to_numpy()
        low, high = min(0.0, float(np.nanmin(ends))), max(1.0, float(np.nanmax(ends)))
        axes.set_xlim(low - 0.03 * (high - low), high + 0.03 * (high - low))
        axes.set_xlabel(f"share of the variance of {MEASURES[found.asked['measure']]}", loc="right")
        ticks(axes.xaxis, 100.0, f"{words.SPACE}%")
        figure.legend(loc="outside lower center", ncols=1)
        axes.set_title(title)
        laid_out(figure)
    level = words.percent(found.asked["level"])
    return Drawn("indices", figure, frame, title, f"Sobol indices; intervals hold together at {level}, luck taken out.")


def screening(found: "Sensitivity") -> Drawn:
    """Draw Morris's mean absolute effects against their spread. Frame: as the table of indices."""
    frame, title, scenario = ordered(found), "Which parameters to keep", found.plan.scenario
    with drawing(scenario):
        figure, (axes,) = new_figure(3.6)
        scale, power = scaled(float(frame[["mu_star", "sigma"]].abs().max().max()))
        x, y = frame["mu_star"] / scale, frame["sigma"] / scale
        half = np.abs(np.stack([x - frame["mu_star_low"] / scale, frame["mu_star_high"] / scale - x]))
        axes.errorbar(x, y, xerr=half, fmt="o", color=BLUE, ecolor=GREY, markersize=6, linewidth=1.0)
        right = float(x.max()) / 2
        for name, at, up in zip(frame["factor"], x, y, strict=True):
            side: dict[str, Any] = {"ha": "right", "xytext": (-7, 6)} if at > right else {"ha": "left", "xytext": (7, 6)}
            axes.annotate(name, (at, up), textcoords="offset points", fontsize=SMALL, **side)
        axes.set_xlim(0, 1.15 * float((x + half[1]).max()))
        axes.set_ylim(0, 1.25 * max(float(y.max()), 1e-12))
        axes.set_xlabel(f"mean absolute effect from low to high, {power}{words.unit(scenario)}")
        axes.set_ylabel(f"its spread, {power}{words.unit(scenario)}")
        axes.grid(axis="both")
        ticks(axes.xaxis)
        ticks(axes.yaxis)
        axes.set_title(title)
        laid_out(figure)
    said = "Right: matters. Up: bent, or together with others. Intervals: of the mean effect."
    return Drawn("screening", figure, frame, title, said)


def tornado(found: "Sensitivity") -> Drawn:
    """Draw how far each factor alone moves the outcome. Frame: as the table of indices."""
    frame, title, scenario = ordered(found), "Each parameter alone", found.plan.scenario
    with drawing(scenario):
        figure, (axes,) = new_figure(1.5 + 0.4 * len(frame))
        scale, power = scaled(float(frame[["low_change", "high_change"]].abs().max().max()))
        places = np.arange(len(frame))[::-1].astype(float)
        value = frame[["low_change", "high_change"]].to_numpy() / scale
        half = np.nan_to_num(_wide(found) * words.LEVEL * frame[["low_change_se", "high_change_se"]].to_numpy() / scale)
        for k, (share, colour, hatch) in enumerate(((10, ORANGE, "////"), (90, BLUE, ""))):
            label = f"at its {share}{words.SPACE}% point"
            axes.barh(places, value[:, k], color=colour, edgecolor="white", hatch=hatch, height=0.62, linewidth=0, label=label)
            axes.errorbar(value[:, k], places + (0.1, -0.1)[k], xerr=half[:, k], fmt="none", ecolor=INK, capsize=2.5, linewidth=1.0)
        for place, swing, right in zip(places, frame["swing"] / scale, (value + half).max(axis=1), strict=True):
            beside(axes, max(float(right), 0.0), place, words.told_apart(swing, float(np.abs(value).max())))
        low, high = min(float((value - half).min()), 0.0), max(float((value + half).max()), 0.0)
        axes.set_xlim(low - 0.06 * (high - low), high + 0.22 * ((high - low) or 1.0))
        axes.set_yticks(places, [wrapped(name) for name in frame["factor"]], fontsize=SMALL)
        axes.axvline(0, color=INK, linewidth=0.9)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"change of {MEASURES[found.asked['measure']]}, {power}{words.unit(scenario)}", loc="right")
        ticks(axes.xaxis)
        figure.legend(loc="outside lower center", ncols=2)
        axes.set_title(title)
        laid_out(figure)
    said = "From the middle of its distribution to its 10 % and 90 % points, the others in the middle; right of the bars: how far apart the"
    said += " two are; intervals: 95 %."
    return Drawn("tornado", figure, frame, title, said)


def _table(found: "Sensitivity") -> Table:
    rows, unit, what = ordered(found), words.unit(found.plan.scenario), MEASURES[found.asked["measure"]]
    if found.asked["method"] == "sobol":
        head = ["", "by itself", "with others too", "in words"]
        cells = [[row["factor"], _share(row, "first"), _share(row, "total"), row["told"]] for row in rows.to_dict("records")]
        note = f"Shares of the variance of {what}, with the ends of their intervals. What is below 0 is noise."
        return Table("Shares of the variance", head, cells, note)
    if found.asked["method"] == "morris":
        head = ["", f"mean effect, {unit}", f"absolute, {unit}", f"spread, {unit}", "in words"]
        cells = [
            [row["factor"], *(words.plain(row[key]) for key in ("mu", "mu_star", "sigma")), row["told"]] for row in rows.to_dict("records")
        ]
        return Table("Effects from low to high", head, cells)
    head = ["", "10 % point", f"there, {unit}", "90 % point", f"there, {unit}", f"apart, {unit}"]
    cells = []
    for row in rows.to_dict("records"):
        low, high, apart = (words.short(row[key], row["swing"]) for key in ("low", "high", "swing"))
        first, last = map(_point, ends(found)[row["factor"]])
        cells.append([row["factor"], first, low, last, high, apart])
    note = f"{what[:1].upper()}{what[1:]} at the points that a tenth, and nine tenths, of a parameter's distribution lie below."
    return Table("Each parameter alone", head, cells, note)


def ends(found: "Sensitivity") -> dict[str, tuple[Any, Any]]:
    """Return at which value of each parameter a tornado has its low and its high end."""
    points = found.plan.points  # the middle first
    return {name: (points[1 + 2 * k][name], points[2 + 2 * k][name]) for k, name in enumerate(found.plan.study.vary)}


def _point(value: Any) -> str:
    """Return a parameter's value to four digits."""
    return f"{float(f'{value:.4g}'):,.10g}" if isinstance(value, float) else str(value)


def _share(row: Any, name: str) -> str:
    value, low, high = (words.percent(row[key]) for key in (name, f"{name}_low", f"{name}_high"))
    return f"{value} ({low} to {high})" if value != words.DASH else words.DASH
