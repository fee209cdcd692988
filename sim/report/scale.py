"""Figure of the cost of a customer: it falls as the base grows, and is what the firm pays anyhow and what it takes to serve."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sim.report import words
from sim.report.panels import new_figure, thinned, ticks
from sim.report.style import GREY, ORANGE, SKY, Drawn, drawing, laid_out

if TYPE_CHECKING:
    from sim.studies.result import Result

PARTS = {"serve": ("cost to serve", SKY, ""), "fixed": ("the firm's fixed cost", ORANGE, "////")}
"""Label, colour and hatch of each part, the lowest first."""


def unit_cost(result: "Result") -> Drawn:
    """Draw what an active customer costs by calendar period, stacked, and below it how many there are. Frame: see the frame unit_cost."""
    scenario = result.scenario
    frame = thinned(result.unit_cost, "y")
    title = "What a customer costs"
    with drawing(scenario):
        figure, (upper, lower) = new_figure(4.2, 2, sharex=True, height_ratios=[2.2, 1.0])
        below = np.zeros(len(frame))
        for name, (label, colour, hatch) in PARTS.items():
            part = frame[name].fillna(0.0).to_numpy()
            upper.fill_between(frame["y"], below, below + part, facecolor=colour, edgecolor="white", hatch=hatch, linewidth=0, label=label)
            below = below + part
        upper.set_ylim(0, 1.08 * max(float(below.max()), 1e-9))
        upper.set_ylabel(f"an active customer\na {scenario.period}, {words.unit(scenario)}")
        lower.plot(frame["y"], frame["active"], color=GREY, linewidth=1.6)
        lower.set_ylim(0, None)
        lower.set_ylabel("active\ncustomers")
        for axes in (upper, lower):
            ticks(axes.yaxis)
            axes.grid(axis="y")
        lower.set_xlabel(f"calendar {scenario.period}")
        ticks(lower.xaxis)
        figure.legend(*upper.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        upper.set_title(title)
        laid_out(figure)
    return Drawn("unit_cost", figure, frame, title, _caption(result, frame))


def _caption(result: "Result", frame: pd.DataFrame) -> str:
    scenario, known = result.scenario, frame.dropna()
    if known.empty:
        return "Nobody is active."
    row = known.iloc[int(known["active"].to_numpy().argmax())]
    most = f"{words.plain(row['active'])} customers in calendar {scenario.period} {int(row['y'])}"
    cost, fixed = (words.money(scenario, row[name]) for name in ("unit_cost", "fixed"))
    said = f"With {most}, the most there are, one costs {cost}, of which {fixed} would be paid without it."
    return f"{said} Customers are counted as long as they are simulated: from arrival for {words.periods(scenario, result.sample.horizon)}."
