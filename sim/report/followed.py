"""Figures of customers followed: typical profit curves, what the past foretells, ARPU times tenure, the scorecard."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sim.report import words
from sim.report.panels import everybody, new_figure, percent, tenure, thinned, ticks, wrapped
from sim.report.style import BLUE, GREY, INK, ORANGE, SKY, SMALL, WIDTH, Drawn, drawing, laid_out
from sim.report.words import LEVEL, PATTERNS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sim.studies.result import Result

LOOKS = {
    "unconverted": (GREY, ":"),
    "early_lapse": (ORANGE, ":"),
    "midway_lapse": (ORANGE, "-."),
    "early_retreat": (SKY, "--"),
    "long_lasting": (BLUE, "-"),
    "open": (INK, "--"),
}
"""Colour and dashes of each pattern."""

FEW = 30
"""The mean of fewer customers says nothing and is not drawn."""

MOST_GROUPS = 12


def profit_curves(result: "Result") -> Drawn:
    """Draw the typical profit curve of each life pattern with its 95 % interval. Frame: pattern, t, share, mean, low, high; see FEW."""
    scenario, whole = result.scenario, thinned(everybody(result.profit_curves))
    whole = whole[whole["customers"] >= FEW]
    frame = whole[["pattern", "t", "share"]].assign(mean=whole["earned"], low=whole["low"], high=whole["high"]).reset_index(drop=True)
    title = "What typical lives bring"
    with drawing(scenario):
        figure, (axes,) = new_figure(3.7)
        for pattern in dict.fromkeys(frame["pattern"]):
            rows, (colour, dashes) = frame[frame["pattern"] == pattern], LOOKS[pattern]
            label = f"{PATTERNS[pattern][0]} ({words.percent(rows['share'].iloc[0])})"
            axes.fill_between(rows["t"], rows["low"], rows["high"], color=colour, alpha=0.25, linewidth=0)
            axes.plot(rows["t"], rows["mean"], color=colour, linestyle=dashes, linewidth=1.6, label=label)
        axes.axhline(0, color=INK, linewidth=0.9)
        axes.grid(axis="y")
        axes.set_ylabel(f"mean discounted cash a {scenario.period},\nbefore acquisition, {words.unit(scenario)}")
        ticks(axes.yaxis)
        tenure(axes, result)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
        axes.set_title(title)
        laid_out(figure)
    return Drawn("profit_curves", figure, frame, title, _curves_caption(result))


def _curves_caption(result: "Result") -> str:
    rows = everybody(result.profit_curves)
    total = rows.groupby("pattern", sort=False).agg(worth=("earned", "sum"), share=("share", "first"), customers=("customers", "first"))
    best = str(total["worth"].idxmax())
    worth, share = (float(total[name].to_dict()[best]) for name in ("worth", "share"))
    said = f"Mean over all customers of a pattern, those lost counting as 0; {int(total['customers'].sum()):,} customers followed. "
    said += f"“{PATTERNS[best][0]}” lives, {words.percent(share)} of all, bring {words.money(result.scenario, worth)} each "
    said += "before acquisition cost."
    return said


def several_patterns(result: "Result") -> bool:
    """Return whether there are lives of several patterns to tell apart."""
    rows = everybody(result.profit_curves)
    return len(set(rows.loc[rows["customers"] >= FEW, "pattern"])) > 1


def foretold(result: "Result") -> bool:
    """Return whether there are several lengths of history after which several patterns are still possible."""
    rows = everybody(result.forecast)
    return int(((rows["commonest"] < 1) & (rows["customers"] >= FEW)).sum()) > 1


def forecast(result: "Result") -> Drawn:
    """Draw how well a customer's past curve tells its pattern, and its cash to come, by length of history. Frame: see FEW and the frame."""
    rows = everybody(result.forecast)
    frame = rows[(rows["customers"] >= FEW)].drop(columns=["by", "id"]).reset_index(drop=True)
    scenario, title = result.scenario, "What the past foretells"
    with drawing(scenario):
        figure, (axes, below) = new_figure(4.4, 2, sharex=True, height_ratios=[1.4, 1.0])
        places = np.arange(len(frame))
        ends = np.abs(np.array([frame["right"] - frame["low"], frame["high"] - frame["right"]]))
        axes.errorbar(
            places, frame["right"], yerr=np.nan_to_num(ends), color=BLUE, marker="o", linewidth=1.6, capsize=3, label="likeliest curve"
        )
        axes.plot(places, frame["nearest"], color=SKY, marker="s", markersize=4, linestyle="-.", label="nearest curve alone")
        axes.plot(places, frame["commonest"], color=GREY, marker="x", linestyle=":", label="always the commonest")
        axes.set_ylim(0, 1.03)
        axes.set_ylabel("life patterns\ntold right")
        percent(axes)
        axes.grid(axis="y")
        below.bar(places, frame["explained"], 0.6, color=SKY)
        for place, share in zip(places, frame["explained"], strict=True):
            below.annotate(
                words.percent(share), (place, max(share, 0)), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=SMALL - 1
            )
        below.axhline(0, color=INK, linewidth=0.9)
        below.set_ylim(min([0.0, *frame["explained"].dropna()]), max([0.1, *(1.25 * frame["explained"].dropna())]))
        below.set_ylabel("variance of cash\nto come explained")
        percent(below)
        below.set_xlim(-0.5, max(len(frame), 1) - 0.5)
        below.set_xticks(places, [f"{periods:,}" for periods in frame["history"]])
        below.set_xlabel(f"{scenario.period}s of history, of customers still active")
        handles, labels = axes.get_legend_handles_labels()
        order = np.argsort(np.array(labels) != "likeliest curve", kind="stable")
        figure.legend([handles[k] for k in order], [labels[k] for k in order], loc="outside lower center", ncols=2)
        axes.set_title(title)
        laid_out(figure)
    return Drawn("forecast", figure, frame, title, _forecast_caption(result, frame))


def _forecast_caption(result: "Result", frame: pd.DataFrame) -> str:
    if frame.empty:
        return f"Fewer than {FEW} customers are followed so long."
    gain = (frame["right"] - frame["commonest"]).to_numpy()
    best = frame.iloc[int(np.argmax(gain))]
    said = "Each customer's cash so far is fitted to the typical curves of other customers. "
    when = words.periods(result.scenario, float(best["history"]))
    said += f"After {when} its pattern is told right for {words.percent(best['right'])}"
    said += f", where always naming the commonest is for {words.percent(best['commonest'])}; " if gain.max() > 0 else "; "
    said += f"foretold are {words.money(result.scenario, best['predicted'])} to come on average, "
    return said + f"and {words.money(result.scenario, best['actual'], best['actual_se'])} came."


def arpu_tenure(result: "Result") -> Drawn:
    """Draw ARPU times tenure beside what customers bring, by segment. Frame: id, label, product, value, low, high (of value, 95 %)."""
    scenario, whole = result.scenario, result.arpu_tenure
    rows = whole[whole["by"].isin(["all", "segment"])][:MOST_GROUPS]
    half = LEVEL * rows["value_se"]
    labels = ["all" if by == "all" else words.segment(scenario, key) for by, key in zip(rows["by"], rows["id"], strict=True)]
    frame = rows[["id"]].assign(
        label=labels, product=rows["product"], value=rows["value"], low=rows["value"] - half, high=rows["value"] + half
    )
    frame = frame.reset_index(drop=True)
    title = "ARPU times tenure, and the truth"
    with drawing(scenario):
        figure, (axes,) = new_figure(1.5 + 0.55 * len(frame))
        places = np.arange(len(frame))[::-1].astype(float)
        axes.barh(places + 0.2, frame["product"], 0.36, color="#f0f0f0", edgecolor=GREY, hatch="////", linewidth=0.4, label="ARPU x tenure")
        axes.barh(places - 0.2, frame["value"], 0.36, color=BLUE, label="what customers bring")
        axes.errorbar(frame["value"], places - 0.2, xerr=np.nan_to_num(half), fmt="none", ecolor=INK, capsize=2, linewidth=1.0)
        for place, (product, value, high) in zip(places, frame[["product", "value", "high"]].to_numpy(), strict=True):
            ends = ((product, place + 0.2, product), (value, place - 0.2, np.nan_to_num(high, nan=value)))
            for number, height, end in ends:
                text = words.told_apart(number, float(frame["value"].abs().max()) / 10)
                axes.annotate(text, (max(end, 0.0), height), xytext=(4, 0), textcoords="offset points", va="center", fontsize=SMALL - 1)
        axes.set_yticks(places, [wrapped(label) for label in frame["label"]], fontsize=SMALL)
        axes.axvline(0, color=INK, linewidth=0.9)
        low, high = min(0.0, float(frame["low"].min())), float(frame[["product", "value"]].max().max())
        axes.set_xlim(low, max(high, 0.0) * 1.25 or 1.0)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"per customer, not discounted, {words.unit(scenario)}")
        ticks(axes.xaxis)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        axes.set_title(title)
        laid_out(figure)
    return Drawn("arpu_tenure", figure, frame, title, _arpu_caption(result))


def _arpu_caption(result: "Result") -> str:
    scenario, row = result.scenario, result.arpu_tenure.iloc[0]
    period = scenario.period
    said = f"Mean cash of an active {period} times mean {period}s active, {words.plain(row['arpu'])} x {words.plain(row['tenure'])}, "
    more = "less" if row["gap"] > 0 else "more"
    said += f"is {words.money(scenario, abs(row['gap']), row['gap_se'])} {more} than customers bring: "
    return said + ("those who bring more stay longer." if row["gap"] > 0 else "those who bring more leave sooner.")


def uneven(result: "Result") -> bool:
    """Return whether ARPU times tenure is off by 2 % or more."""
    return abs(float(result.arpu_tenure["ratio"].iloc[0]) - 1.0) >= 0.02


CARDS = {
    "cross_sell_growth": ("Growth of products held a year", "%"),
    "cost_per_transaction": ("Cost per transaction", "money"),
    "churn": ("Churn a year", "%"),
    "purchase_cycle": ("Purchase cycle", "periods"),
    "satisfaction": ("Satisfaction, 1 to 5", ""),
    "revenue_per_cost": ("Revenue per unit of cost", ""),
    "share_of_wallet": ("Share of wallet", "%"),
    "response_rate": ("Contacts and responses by customer and period", ""),
    "retention": ("Retention a year", "%"),
    "value_to_come": ("Value to come", "money"),
}
"""What each line of the scorecard is called, and its unit where it has one."""


def scorecard(result: "Result") -> Drawn:
    """Draw the scorecard by year: left what shows soon, right what shows late. Frame: term, measure, year, value, low, high."""
    from matplotlib.figure import Figure

    whole = everybody(result.scorecard).dropna(subset=["value"])
    half = LEVEL * whole["se"]
    frame = whole[["term", "measure", "year", "value"]].assign(low=whole["value"] - half, high=whole["value"] + half).reset_index(drop=True)
    terms = {term: list(dict.fromkeys(frame.loc[frame["term"] == term, "measure"])) for term in ("short", "long")}
    rows, title = max(1, *map(len, terms.values())), "Scorecard by year since arrival"
    with drawing(result.scenario):
        figure = Figure(figsize=(WIDTH, 0.7 + 1.05 * rows), layout="constrained")
        grid = figure.subplots(rows, 2, squeeze=False, sharex=True)
        for column, names in enumerate(terms.values()):
            for place in range(rows):
                if place < len(names):
                    _line(result, grid[place, column], frame[frame["measure"] == names[place]], names[place])
                else:
                    grid[place, column].set_visible(False)
            grid[max(len(names), 1) - 1, column].set_xlabel("year", fontsize=SMALL)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=11)
        laid_out(figure)
    return Drawn("scorecard", figure, frame, title, _scorecard_caption(result, frame))


def _line(result: "Result", axes: "Axes", rows: pd.DataFrame, name: str) -> None:
    from matplotlib.ticker import MaxNLocator

    label, unit = CARDS.get(name, (name.replace("_", " ").capitalize(), ""))
    named = {"%": f"{words.SPACE}%", "periods": f"{result.scenario.period}s", "money": words.unit(result.scenario)}
    label += f", {named[unit]}" if unit else ""
    scale = 100.0 if unit == "%" else 1.0
    axes.fill_between(rows["year"], scale * rows["low"], scale * rows["high"], color=BLUE, alpha=0.25, linewidth=0)
    axes.plot(rows["year"], scale * rows["value"], color=BLUE, linewidth=1.6, marker="o" if len(rows) < 2 else None)
    axes.set_title(label, fontsize=SMALL, fontweight="normal", pad=3)
    axes.tick_params(labelsize=SMALL - 1, labelbottom=True)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.margins(y=0.25)
    axes.grid(axis="y")
    ticks(axes.yaxis)
    axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 2.5, 5, 10]))


def _scorecard_caption(result: "Result", frame: pd.DataFrame) -> str:
    said = "Left what shows soon, right what shows late; value to come is that of a customer still active, within the horizon. "
    rows = frame[frame["measure"] == "retention"]
    if len(rows) > 1:
        first, middle = rows.iloc[0], rows.iloc[len(rows) // 2]
        said += f"Retention goes from {words.percent(first['value'])} in year {int(first['year'])} "
        said += f"to {words.percent(middle['value'])} in year {int(middle['year'])}. "
    return said + "A ratio of revenue to cost also rises when spending is cut: read it beside retention."
