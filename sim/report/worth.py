"""Figures of value: how CLV is distributed, when customers pay back, what cohorts and segments are worth to the firm."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.measures.clv import density, payback
from sim.measures.paths import widening
from sim.measures.sums import QUANTILE_NAMES
from sim.report import words
from sim.report.panels import band, beside, everybody, interval, new_figure, percent, quantile, scaled, tenure, thinned, ticks, wrapped
from sim.report.style import BLUE, GREY, INK, ORANGE, SKY, SMALL, Drawn, drawing, laid_out, spread
from sim.report.words import LEVEL, SPACE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sim.scenario.model import Scenario
    from sim.studies.result import Result

MOST_BARS = 25
"""Most groups drawn as rows; more cohorts are drawn as a curve."""


def clv(result: "Result") -> Drawn:
    """Draw how CLV is distributed, with its mean and quantiles. Frame: see ``sim.measures.clv.density``."""
    scenario, row = result.scenario, result.clv.iloc[0]
    frame = density(result.sample)
    quantiles = {name: quantile(row, name, result.sample.kept is not None) for name in QUANTILE_NAMES}
    title = "What customers are worth"
    with drawing(scenario):
        figure, (axes, strip) = new_figure(3.9, 2, sharex=True, height_ratios=[3.4, 1])
        width = _bars(axes, frame, float(row["mean"]))
        per = f" per {width:,g} {words.unit(scenario)}" if width else ""
        axes.set_ylabel(f"share of customers{per}")
        percent(axes)
        _mean(axes, float(row["mean"]), float(row["se"]) * widening(result.sample))
        _quantiles(strip, row, list(quantiles.values()))
        strip.set_xlabel(f"CLV per customer, {words.unit(scenario)}")
        ticks(strip.xaxis)
        axes.set_title(title)
        laid_out(figure)
    return Drawn("clv", figure, frame, title, _clv_caption(scenario, row, quantiles, _hidden(axes, frame)))


def _clv_caption(scenario: "Scenario", row: pd.Series, quantiles: dict[str, tuple[float, str]], hidden: float) -> str:
    if row["min"] == row["max"]:
        return f"Every customer is worth {words.money(scenario, row['mean'])}."
    low, median, high = (quantiles[name][1] for name in ("q05", "q50", "q95"))
    unit = f"{SPACE}{scenario.currency}" if scenario.currency else ""
    losing = f"{words.percent(row['share_negative'])} bring a loss" if row["share_negative"] > 0 else "none brings a loss"
    many = words.percent(hidden) if hidden >= 5e-5 else "A few"
    beyond = f" {many} lie beyond the picture." if hidden > 0 else ""
    if low == high:
        return f"Nine in ten customers, if not more, are worth about {median}{unit}; {losing}.{beyond}"
    return f"Half of the customers are worth {median} or less, nine in ten between {low} and {high}{unit}; {losing}.{beyond}"


def _bars(axes: "Axes", frame: pd.DataFrame, mean: float) -> float:
    """Draw the distribution, losses hatched; return the width that its height is a share per, 0 for single values."""
    single = bool((frame["left"] == frame["right"]).all())
    loss = (frame["right"] < 0).to_numpy()
    width = 0.0 if single else _frame_middle(axes, frame, mean)
    below, beyond = frame["left"].iloc[0], frame["right"].iloc[-1]
    thick = 0.012 * (beyond - below) or 0.004 * max(abs(beyond), 1.0)
    for chosen, colour, hatch in ((~loss, SKY, ""), (loss, ORANGE, "////")):
        rows = frame[chosen]
        look: dict[str, Any] = {"facecolor": colour, "edgecolor": "white" if hatch else colour, "hatch": hatch, "linewidth": 0}
        if single:
            axes.bar(rows["left"], rows["share"], thick, **look)
        elif len(rows):
            axes.stairs(rows["density"] * width, [*rows["left"], rows["right"].iloc[-1]], fill=True, **look)
    if single:
        margin = (4 if beyond > below else 25) * thick
        axes.set_xlim(below - margin, beyond + margin)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    return width


def _frame_middle(axes: "Axes", frame: pd.DataFrame, mean: float) -> float:
    """Show the fullest bin, the mean's, and those of all other customers but the few lowest and highest.

    Returns how wide most of the bins are, rounded.
    """
    fullest = frame.index == frame["share"].idxmax()
    rest = frame["share"].mask(fullest, 0.0)
    running, total = rest.cumsum(), rest.sum()
    most = (running >= 0.005 * total) & (running - rest <= 0.985 * total)
    middle = frame[most | fullest | ((frame["left"] <= mean) & (mean < frame["right"]))]
    axes.set_xlim(middle["left"].iloc[0], middle["right"].iloc[-1])
    return float(f"{(middle['right'] - middle['left']).median():.1g}")


def _hidden(axes: "Axes", frame: pd.DataFrame) -> float:
    low, high = axes.get_xlim()
    return float(frame.loc[(frame["left"] >= high) | (frame["right"] <= low), "share"].sum())


def _mean(axes: "Axes", mean: float, se: float) -> None:
    axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
    low, high = axes.get_xlim()
    axes.axvline(mean, color=INK, linewidth=1.4, linestyle="--")
    if low < 0 < high:
        axes.axvline(0, color=GREY, linewidth=0.8)
    right = (mean - low) / (high - low) < 0.5
    half = LEVEL * float(np.nan_to_num(se))
    axes.axvspan(mean - half, mean + half, color=INK, alpha=0.2, linewidth=0)
    number, error = words.estimate(mean, se)
    text = f"mean {number}" + (f" ± {error}" if half > 0 else "")
    place, side = (5 if right else -5, -3), "left" if right else "right"
    top = ("data", "axes fraction")
    axes.annotate(text, (mean, 1.0), xycoords=top, xytext=place, textcoords="offset points", ha=side, va="top", fontweight="bold")


def _quantiles(strip: "Axes", row: pd.Series, quantiles: list[tuple[float, str]]) -> None:
    """Draw a box from 25 to 75 %, a line from 5 to 95 %, and the median; numbers below, moved apart where they are too near."""
    values, texts = [value for value, _ in quantiles], [text for _, text in quantiles]
    low, high = strip.get_xlim()
    inside = [min(max(value, low), high) for value in values]
    strip.set_ylim(-2.6, 1)
    strip.plot([inside[0], inside[-1]], [0.4, 0.4], color=BLUE, linewidth=1.2)
    strip.fill_between([inside[1], inside[3]], 0.0, 0.8, color=BLUE, alpha=0.35, linewidth=0)
    for value, tall in zip(inside, (0.2, 0.4, 0.55, 0.4, 0.2), strict=True):
        strip.plot([value, value], [0.4 - tall, 0.4 + tall], color=BLUE, linewidth=2.2 if tall > 0.5 else 1.2)
    if texts[0] == texts[-1]:
        said = "all customers" if row["min"] == row["max"] else f"5 to 95{SPACE}%\n{texts[0]}"
        place = spread([(inside[0] - low) / (high - low)], 0, 0.12, 0.88)[0]
        strip.text(low + place * (high - low), -0.72, said, ha="center", va="top", fontsize=SMALL)
        texts = []
    near = spread([(value - low) / (high - low) for value in inside], 0.15, 0.06, 0.94)
    for place, text, at, level in zip(near, texts, inside, ("5", "25", "50", "75", "95"), strict=False):
        x = low + place * (high - low)
        strip.plot([at, x], [-0.15, -0.65], color=GREY, linewidth=0.6)
        strip.text(x, -0.72, f"{level}{SPACE}%\n{text}", ha="center", va="top", fontsize=SMALL)
    strip.set_ylabel("")
    strip.set_yticks([])
    strip.spines["left"].set_visible(False)


def cash(result: "Result") -> Drawn:
    """Draw mean cumulative discounted cash, and who has paid back, by tenure.

    Frame: t, cumulative (to the end of t), paid_back with _low and _high (left out where everybody has paid back at once). The interval of
    ``cumulative`` at the horizon is that of CLV.
    """
    scenario = result.scenario
    whole = thinned(everybody(result.cash))
    paid_back = interval(whole, "paid_back", result.clv["customers"].iloc[0])
    frame = pd.DataFrame({"t": whole["t"], "cumulative": whole["cumulative"], **paid_back})
    found = payback(result.sample, result.cash)
    title = "When customers pay back"
    with drawing(scenario):
        trivial = bool((frame["paid_back"] == 1).all())
        frame = frame[["t", "cumulative"]] if trivial else frame
        figure, panels = new_figure(2.8 if trivial else 4.2, 1 if trivial else 2, sharex=True)
        upper, ends = panels[0], frame["t"] + 1
        upper.plot(ends, frame["cumulative"], color=BLUE, linewidth=1.6, marker="o" if len(frame) < 25 else "", markersize=3.5)
        upper.axhline(0, color=INK, linewidth=0.9)
        upper.grid(axis="y")
        upper.set_ylabel(f"cumulative cash per\ncustomer, {words.unit(scenario)}")
        ticks(upper.yaxis)
        _marks(upper, result, found["period"])
        for lower in panels[1:]:
            band(lower, ends, frame, "paid_back", ORANGE, "--")
            lower.set_ylim(0, 1.03)
            percent(lower)
            lower.set_ylabel("share of customers\npaid back")
        tenure(panels[-1], result)
        upper.set_title(title)
        laid_out(figure)
    return Drawn("cash", figure, frame, title, _cash_caption(result, found))


def _marks(axes: "Axes", result: "Result", period: int | None) -> None:
    """Mark the horizon's value with its interval, and when the curve crosses 0 for good or for the first time."""
    row, whole = result.clv.iloc[0], everybody(result.cash)
    half = LEVEL * widening(result.sample) * float(np.nan_to_num(row["se"]))
    if half > 0:
        axes.errorbar(result.sample.horizon, row["mean"], half, color=BLUE, capsize=4, linewidth=1.4, clip_on=False)
    axes.margins(y=0.15)
    if period is not None and whole["cumulative"].min() < 0:
        axes.plot(period + 1, 0, marker="D", color=ORANGE, markersize=6, zorder=4, clip_on=False)
        right = (period + 1) / result.sample.horizon < 0.6
        text = f"paid back by the end of {result.scenario.period} {period + 1}"
        side = "left" if right else "right"
        axes.annotate(text, (period + 1, 0), xytext=(8 if right else -8, -5), textcoords="offset points", ha=side, va="top")


def _cash_caption(result: "Result", found: dict[str, Any]) -> str:
    scenario, whole = result.scenario, everybody(result.cash)
    lowest = float(whole["cumulative"].min())
    if (whole["paid_back"] == 1).all():
        return f"Every customer's cash has reached 0 by the end of the first {scenario.period}. {_drawn_errors(result, False)}".strip()
    horizon = words.periods(scenario, result.sample.horizon)
    if lowest >= 0:
        said = f"Mean cumulative cash is not below 0 at the end of any {scenario.period}"
    elif found["period"] is None:
        said = f"On average customers do not pay back within {horizon}"
    else:
        said = f"On average customers have paid back what they cost by the end of {scenario.period} {found['period'] + 1}"
    return f"{said}; {words.percent(found['share'])} of them reach 0 themselves within {horizon}. {_drawn_errors(result, True)}".strip()


def _drawn_errors(result: "Result", band: bool) -> str:
    """Return which intervals the figure of cash holds; band: whether there is the panel of who has paid back."""
    if result.sample.independent:
        return "Error bar and band: 95 % intervals." if band else "Error bar: 95 % interval."
    return "Error bar: 95 % interval." if result.sample.replicates > 1 else ""


def equity(result: "Result") -> Drawn:
    """Draw customer equity by cohort, existing customers being one; where there is one by segment, where there is one of these as a whole.

    Frame: by, id, label, customers, equity, low, high (ends of the 95 % interval). A cohort's equity bears its budget, not the costs of
    the firm.
    """
    scenario, whole = result.scenario, result.equity
    by = equity_by(result)
    rows = whole[whole["by"].isin([by, "base"] if by == "cohort" else [by])]
    naming, half = {"cohort": words.cohort, "segment": words.segment}.get(by, words.everybody), LEVEL * widening(result.sample) * rows["se"]
    frame = rows[["by", "id"]].assign(
        label=[naming(scenario, key) for key in rows["id"]],
        customers=rows["customers"],
        equity=rows["equity"],
        low=rows["equity"] - half,
        high=rows["equity"] + half,
    )
    frame = frame.reset_index(drop=True)
    title = {"cohort": "Customer equity by cohort", "segment": "Customer equity by segment", "all": "Customer equity"}[by]
    with drawing(scenario):
        figure, (axes,) = new_figure(1.2 + 0.36 * len(frame) if len(frame) <= MOST_BARS else 3.2)
        scale, power = scaled(float(frame["equity"].abs().max()))
        label = f"customer equity, {power}{words.unit(scenario)}"
        (_equity_rows if len(frame) <= MOST_BARS else _equity_curve)(axes, frame, scale, label)
        axes.set_title(title)
        laid_out(figure)
    total = whole.iloc[0]
    caption = f"{words.plain(total['customers'])} {words.newcomer(scenario)}s are worth "
    caption += f"{words.money(scenario, total['equity'], total['se'] * widening(result.sample))} in all"
    if total["firm_cost"] > 0:
        caption += f", after {words.money(scenario, total['firm_cost'])} of {words.firm_costs(scenario)}, which the bars do not bear"
    return Drawn("equity", figure, frame, title, caption + (". Intervals: 95 %." if np.isfinite(frame["low"]).any() else "."))


def equity_by(result: "Result") -> str:
    """Return the group that customer equity is drawn by."""
    counts = result.equity["by"].replace("base", "cohort").value_counts()
    return next((by for by in ("cohort", "segment") if counts.get(by, 0) > 1), "all")


def _equity_rows(axes: "Axes", frame: pd.DataFrame, scale: float, label: str) -> None:
    places = np.arange(len(frame))[::-1]
    value, half = frame["equity"] / scale, (frame["high"] - frame["equity"]) / scale
    axes.barh(places, value, color=SKY, height=0.62)
    axes.errorbar(value, places, xerr=np.nan_to_num(half), fmt="none", ecolor=INK, capsize=3, linewidth=1.2)
    for place, at, error in zip(places, value, half, strict=True):
        beside(axes, max(at + float(np.nan_to_num(error)), 0.0), place, words.estimate(at, error / LEVEL)[0])
    axes.set_yticks(places, [wrapped(name) for name in frame["label"]], fontsize=SMALL)
    axes.axvline(0, color=INK, linewidth=0.9)
    low, high = min(0.0, *(value - half.fillna(0))), max(0.0, *(value + half.fillna(0)))
    axes.set_xlim(low * 1.05, high + 0.22 * ((high - low) or 1.0))
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(label)
    ticks(axes.xaxis)


def _equity_curve(axes: "Axes", frame: pd.DataFrame, scale: float, label: str) -> None:
    places = np.arange(len(frame)) + 1
    axes.fill_between(places, frame["low"] / scale, frame["high"] / scale, color=BLUE, alpha=0.25, linewidth=0)
    axes.plot(places, frame["equity"] / scale, color=BLUE, linewidth=1.4)
    axes.set_xlabel("cohort, in order of arrival")
    axes.set_ylabel(label)
    axes.grid(axis="y")
    ticks(axes.yaxis)
