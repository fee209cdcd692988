"""Figures of what value is made of and how it is spread: by stream, over customers, over market paths."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sim.measures.concentration import gini
from sim.measures.paths import widening
from sim.report import words
from sim.report.panels import beside, everybody, new_figure, percent, scaled, ticks
from sim.report.style import BLUE, GREY, INK, ORANGE, SKY, SMALL, Drawn, drawing, laid_out, spread
from sim.report.words import SPACE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sim.studies.result import Result

COLUMNS = {
    "purchase": "Purchases, at their margin",
    "word_of_mouth": "Word of mouth",
    "information": "Information",
    "knowledge": "Knowledge",
    "transaction": "Fees of transactions",
    "service": "Cost to serve",
    "sales": "Cost of sales",
    "policy": "Cost of policies",
    "transition": "Cash on moves between stages",
    "acquisition": "Cost of acquisition",
    "referral": "Fees for recruits",
}
"""What the ledger's columns are called, in the order in which they are shown."""


def ledger(result: "Result") -> Drawn:
    """Draw what CLV is made of, column by column of the ledger. Frame: column, label, mean; the last row is CLV, their sum."""
    scenario = result.scenario
    means = everybody(result.ledger).set_index("column")["mean"]
    columns = [column for column in COLUMNS if column in means.index and means[column]]
    total = float(result.clv["mean"].iloc[0])
    labels = [*(COLUMNS[column] for column in columns), "CLV"]
    frame = pd.DataFrame({"column": [*columns, "clv"], "label": labels, "mean": [*means[columns], total]})
    title = "Where value comes from"
    with drawing(scenario):
        figure, (axes,) = new_figure(1.2 + 0.34 * len(frame))
        places, size = np.arange(len(frame))[::-1], float(frame["mean"].abs().max()) / 10
        value = frame["mean"].to_numpy()
        whole = (frame["column"] == "clv").to_numpy()
        for chosen, colour, hatch in ((~whole & (value >= 0), SKY, ""), (~whole & (value < 0), ORANGE, "////"), (whole, INK, "")):
            axes.barh(places[chosen], value[chosen], color=colour, edgecolor="white", hatch=hatch, height=0.68, linewidth=0)
        for place, at in zip(places, value, strict=True):
            beside(axes, max(at, 0.0), place, words.told_apart(at, size))
        axes.set_yticks(places, labels, fontsize=SMALL)
        axes.axvline(0, color=INK, linewidth=0.9)
        low, high = min(0.0, *value), max(0.0, *value)
        axes.set_xlim(low * 1.05, high + 0.24 * ((high - low) or 1.0))
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"per customer, discounted, {words.unit(scenario)}")
        ticks(axes.xaxis)
        axes.set_title(title)
        laid_out(figure)
    return Drawn("ledger", figure, frame, title, _ledger_caption(result, means))


def _ledger_caption(result: "Result", means: pd.Series) -> str:
    scenario, earned = result.scenario, means[means > 0]
    beyond = [column for column in COLUMNS if column in earned.index and column not in ("purchase", "transition")]
    said = "Hatched: costs. "
    if beyond and earned.sum() > 0:
        share = words.percent(float(earned[beyond].sum() / earned.sum()))
        most = COLUMNS[str(earned[beyond].idxmax())].lower()
        said += f"Of all that a customer brings, {share} is not from purchases" + (f", most of it from {most}" if len(beyond) > 1 else "")
        said += ". "
    row = result.clv.iloc[0]
    return f"{said}Together: {words.money(scenario, row['mean'], row['se'] * widening(result.sample))} per customer."


def streams(result: "Result") -> bool:
    """Return whether customers are worth something beside their purchases."""
    return len(result.sample.columns) > 4


def concentration(result: "Result") -> Drawn:
    """Draw the cumulative profit curve: what part of all CLV the most valuable customers bring. Frame: customers, value."""
    scenario, frame = result.scenario, result.concentration
    title = "Who brings the value"
    fifth = _at_fifth(result)
    with drawing(scenario):
        figure, (axes,) = new_figure(3.2)
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.9, linestyle=":")
        axes.plot(frame["customers"], frame["value"], color=BLUE, linewidth=1.6)
        axes.plot([0.2, 0.2, 0.0], [0.0, fifth, fifth], color=ORANGE, linewidth=1.0, linestyle="--")
        axes.plot(0.2, fifth, marker="D", color=ORANGE, markersize=6, zorder=4)
        low = fifth > 0.55 * float(frame["value"].max())
        text = f"best 20{SPACE}%: {_whole(fifth)} of the value"
        axes.annotate(text, (0.2, fifth), xytext=(9, -4 if low else 4), textcoords="offset points", va="top" if low else "bottom")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.05 * max(1.0, float(frame["value"].max())))
        axes.set_xlabel("share of customers, the most valuable first")
        axes.set_ylabel("share of all CLV so far")
        ticks(axes.xaxis, 100.0, f"{SPACE}%")
        percent(axes)
        axes.grid(axis="y")
        axes.set_title(title)
        laid_out(figure)
    return Drawn("concentration", figure, frame, title, _concentration_caption(result, fifth))


def _at_fifth(result: "Result") -> float:
    frame = result.concentration
    return float(frame.loc[frame["customers"] == 0.2, "value"].iloc[0])


def _concentration_caption(result: "Result", fifth: float) -> str:
    frame = result.concentration
    if not np.isfinite(fifth):
        return "Customers bring no value in all, of which there could be shares."
    said = f"The most valuable fifth of the customers brings {_whole(fifth)} of all CLV."
    top = frame.iloc[int(frame["value"].to_numpy().argmax())]
    if top["value"] > 1.0005:
        said += f" The best {_whole(float(top['customers']))} bring {_whole(float(top['value']))}, of which the rest lose a part."
    found = gini(result.sample)
    return said + (f" Coefficient of Gini: {words.plain(found)}." if np.isfinite(found) else "") + " Dotted: if all were worth the same."


def _whole(share: float) -> str:
    """Return a share in whole per cent: of a few customers who bring much, more is not known."""
    return f"{100 * share:,.0f}{SPACE}%"


def concentrated(result: "Result") -> bool:
    """Return whether the best fifth of the customers brings half of the value or more."""
    return _at_fifth(result) >= 0.5


def equity_risk(result: "Result") -> Drawn:
    """Draw how customer equity differs between paths: a histogram. Frame: left, right, share (of the paths)."""
    scenario, row = result.scenario, result.equity_risk.iloc[0]
    values = result.replicates["equity"].to_numpy()
    counts, edges = np.histogram(values, bins=min(30, max(5, int(2 * values.size ** (1 / 3)))))  # the rule of Rice, as in Lane 2015
    frame = pd.DataFrame({"left": edges[:-1], "right": edges[1:], "share": counts / values.size})
    title = "What the market may bring" if scenario.market else "What arrivals may bring"
    with drawing(scenario):
        figure, (axes,) = new_figure(3.0)
        scale, power = scaled(float(np.abs(edges).max()))
        axes.stairs(frame["share"], edges / scale, fill=True, facecolor=SKY, edgecolor=SKY, linewidth=0)
        axes.vlines(edges[1:-1] / scale, 0, np.minimum(frame["share"][1:], frame["share"].shift()[1:]), color="white", linewidth=0.8)
        _marked(axes, [float(row[name]) / scale for name in ("q05", "q50", "q95")], float(row["mean"]) / scale)
        if edges[0] < 0 < edges[-1]:
            axes.axvline(0, color=INK, linewidth=0.9)
        axes.set_xlabel(f"customer equity, {power}{words.unit(scenario)}")
        axes.set_ylabel(f"share of {result.sample.shared}s")
        percent(axes)
        axes.grid(axis="y")
        ticks(axes.xaxis)
        axes.set_title(title)
        laid_out(figure)
    return Drawn("equity_risk", figure, frame, title, _risk_caption(result, row))


def _marked(axes: "Axes", quantiles: list[float], mean: float) -> None:
    """Mark the mean and the quantiles, the numbers above the bars."""
    top = axes.get_ylim()[1]
    axes.set_ylim(0, 1.42 * top)
    axes.plot(quantiles, [1.12 * top] * 3, color=BLUE, linewidth=1.2, marker="|", markersize=9)
    low, high = axes.get_xlim()
    near = spread([(value - low) / (high - low) for value in quantiles], 0.17, 0.08, 0.92)
    for place, value, level in zip(near, quantiles, ("5", "50", "95"), strict=True):
        text = f"{level}{SPACE}%\n{words.told_apart(value, quantiles[2] - quantiles[0])}"
        at = (low + place * (high - low), 1.12 * top)
        axes.annotate(text, at, xytext=(0, 6), textcoords="offset points", ha="center", va="bottom", fontsize=SMALL)
    axes.plot([mean, mean], [0, 1.05 * top], color=INK, linewidth=1.4, linestyle="--")


def _risk_caption(result: "Result", row: pd.Series) -> str:
    scenario, half = result.scenario, float(row["sd"])
    low, middle, high = (words.estimate(float(row[name]), half / words.LEVEL)[0] for name in ("q05", "q50", "q95"))
    unit = f"{SPACE}{scenario.currency}" if scenario.currency else ""
    below = float(row["share_negative"])
    loss = f"{words.percent(below)} of them end below 0" if below > 0 else "none of them ends below 0"
    said = f"On half of {int(row['replicates']):,} {result.sample.shared}s customer equity is {middle}{unit} or less, "
    said += f"on nine in ten between {low} and {high}{unit}; {loss}. "
    return f"{said}Dashed: mean, {words.money(scenario, row['mean'], row['se'] * widening(result.sample))}."


def arrivals(result: "Result") -> Drawn:
    """Draw who arrives when: of their own accord, and by others; planned arrivals as a line. Frame: y, planned, came, recruits."""
    scenario, frame = result.scenario, result.arrivals
    title = "Who comes, and by whom"
    with drawing(scenario):
        figure, (axes,) = new_figure(3.0)
        edges = np.append(frame["y"], frame["y"].iloc[-1] + 1)
        together = frame["came"] + frame["recruits"]
        axes.stairs(frame["came"], edges, fill=True, facecolor=SKY, linewidth=0, label="came to the firm")
        if scenario.recruiting:
            axes.stairs(
                together,
                edges,
                baseline=frame["came"],
                fill=True,
                facecolor=ORANGE,
                hatch="////",
                edgecolor="white",
                linewidth=0,
                label="came by customers",
            )
        axes.stairs(frame["planned"], edges, baseline=None, color=INK, linewidth=1.2, linestyle="--", label="planned")
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(0, 1.05 * max(1.0, float(together.max()), float(frame["planned"].max())))
        axes.set_xlabel(f"calendar {scenario.period}")
        axes.set_ylabel(f"arrivals a {scenario.period}")
        axes.legend(loc="upper right")
        ticks(axes.xaxis)
        ticks(axes.yaxis)
        axes.grid(axis="y")
        axes.set_title(title)
        laid_out(figure)
    return Drawn("arrivals", figure, frame, title, _arrivals_caption(result))


def _arrivals_caption(result: "Result") -> str:
    frame = result.arrivals
    planned, came, recruits = (float(frame[name].sum()) for name in ("planned", "came", "recruits"))
    said = f"Planned: {words.plain(planned)} customers; came: {words.plain(round(came + recruits))}"
    if not result.scenario.recruiting:
        return f"{said}, the rest drawn by those who were there (or kept away by them)."
    row = result.referral.iloc[0]
    won = f"A customer wins {words.told_apart(float(row['kappa_0']), 1.0)} others in its life"
    won += ", who are customers of their own: what they are worth is not in its CLV"
    return f"{said}, {words.percent(recruits / (came + recruits)) if came + recruits else '0'} of them by other customers. {won}."


def risky(result: "Result") -> bool:
    """Return whether there are several paths."""
    return not result.sample.independent and result.sample.replicates > 1
