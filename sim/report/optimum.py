"""What an optimisation's report says: the best point, what it brings on fresh luck, and how the search went."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.measures.paths import student
from sim.report import words
from sim.report.naming import axis
from sim.report.panels import new_figure, scaled, ticks
from sim.report.study import Story, Table, told
from sim.report.style import BLUE, GREY, INK, ORANGE, SKY, SMALL, Drawn, drawing, laid_out

if TYPE_CHECKING:
    from sim.studies.optimise import Optimum

MEASURES = {
    "equity": "customer equity",
    "gain": "gain in customer equity",
    "clv": "mean CLV",
    "spent": "cost of policies",
    "downside": "shortfall of customer equity",
}

CURVES = 4
"""Parameters that the search is drawn over."""


def story(found: "Optimum") -> Story:
    """Return what the report of an optimisation says."""
    plan = found.plan
    several = len(found.asked["objectives"]) > 1
    receipt = [
        ("Points searched", f"{found.tried:,}"),
        ("Customers simulated at each", plan.customers),
        ("Seed of the search", f"{plan.scenario.run.seed}; the best were tried again on other seeds, see tables/search.csv"),
    ]
    figures = [front(found)] if several else [searched(found)]
    table = _front(found) if several else _best(found)
    return Story("what is best?", answer(found), notes(found), figures, [table] if table else [], told(plan.study.vary), receipt)


def answer(found: "Optimum") -> str:
    """Return the answer in a sentence or two."""
    scenario = found.plan.scenario
    if found.point is None:
        return found.found.told
    name = next(iter(found.asked["objectives"]))
    best: Any = found.found
    where = ", ".join(f"{key} {_value(value)}" for key, value in found.point.items())
    return f"Best is {where}: {MEASURES[name]} of {words.money(scenario, best.mean, best.se * _wide(found))}."


def notes(found: "Optimum") -> list[str]:
    """Return what else is found, a sentence each."""
    best: Any = found.found
    if found.point is None:
        return []
    scenario, said, wide = found.plan.scenario, [], _wide(found)
    if best.difference is not None:
        gap = words.money(scenario, best.difference.mean, best.difference.se * wide)
        looked = words.roughly(scenario, _looked(found))
        said.append(f"More than with what the scenario has now: {gap}; on the luck of the search it had looked like {looked}.")
    ends = [name for name, value in found.point.items() if _at_an_end(found, name, value)]
    if ends:
        said.append(f"Best lies at the end of the range of {' and '.join(ends)}: a wider one may do better still.")
    said.append("The best of many is often the luckiest: all figures told here are of customers simulated anew, whom no choice has seen.")
    for name, most in found.asked["limits"].items():
        said.append(
            f"{MEASURES[name].capitalize()}: {words.money(scenario, best.means[name], best.ses[name] * wide)}, of {most:,.0f} at most."
        )
    return said


def _at_an_end(found: "Optimum", name: str, value: Any) -> bool:
    """Return whether a value lies within a hundredth of its range's ends."""
    factor = found.plan.study.vary[name]
    if factor.low is None or factor.high is None:
        return False
    return bool(min(value - factor.low, factor.high - value) <= 0.01 * (factor.high - factor.low))


def _wide(found: "Optimum") -> float:
    """Return how much wider intervals over few replicates are than normal ones."""
    return student(found.plan.scenario.run.replicates)


def _looked(found: "Optimum") -> float:
    """Return by how much the best point had beaten the start on the luck of the search; NaN where the start was not run there."""
    name, trials = next(iter(found.asked["objectives"])), found.found.trials
    assert found.point is not None
    searched = trials[trials["step"].isin(["search", "polish"])]
    values = []
    for point in (found.point, {key: found.plan.standing(key) for key in found.point}):
        same = np.logical_and.reduce([(searched[key] == value).to_numpy() for key, value in point.items()])
        values.append(float(searched[name][same].iloc[0]) if same.any() else float("nan"))
    return values[0] - values[1]


def searched(found: "Optimum") -> Drawn:
    """Draw every point of the search over each parameter. Frame: the rows of trials that are drawn."""
    name, scenario = next(iter(found.asked["objectives"])), found.plan.scenario
    trials = found.found.trials
    frame = trials[trials["step"].isin(["search", "polish"])].reset_index(drop=True)
    names = list(found.plan.study.vary)[:CURVES]
    title = "Where the search went"
    with drawing(scenario):
        figure, panels = new_figure(1.0 + 2.1 * len(names), len(names))
        scale, power = scaled(float(frame[name].abs().max()))
        for axes, key in zip(panels, names, strict=True):
            good = frame["feasible"].to_numpy(dtype=bool)
            axes.plot(frame[key][good], frame[name][good] / scale, "o", color=SKY, markersize=4, label="tried")
            if not good.all():
                axes.plot(frame[key][~good], frame[name][~good] / scale, "x", color=GREY, markersize=5, label="beyond a limit")
            if found.point is not None:
                best: Any = found.found
                axes.errorbar(
                    found.point[key],
                    best.mean / scale,
                    yerr=_wide(found) * words.LEVEL * best.se / scale,
                    fmt="D",
                    color=ORANGE,
                    ecolor=INK,
                    label="best",
                )
            axes.set_xlabel(axis(found.plan, key))
            axes.set_ylabel(f"{power}{words.unit(scenario)}")
            axes.grid(axis="y")
            axes.margins(x=0.04)
            ticks(axes.yaxis)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        panels[0].set_title(title)
        laid_out(figure)
    said = f"{MEASURES[name].capitalize()} at each point of the search, on the same luck; diamond: on fresh luck, with its 95 % interval."
    return Drawn("search", figure, frame, title, said)


def front(found: "Optimum") -> Drawn:
    """Draw the front over its first two objectives. Frame: that of the front."""
    frame: pd.DataFrame = found.tables()["front"]
    first, second = list(found.asked["objectives"])[:2]
    scenario, title = found.plan.scenario, "What can be had together"
    with drawing(scenario):
        figure, (axes,) = new_figure(3.6)
        (x_scale, x_power), (y_scale, y_power) = (scaled(float(np.nan_to_num(frame[name].abs().max()))) for name in (second, first))
        order = np.argsort(frame[second].to_numpy())
        axes.errorbar(
            frame[second].to_numpy()[order] / x_scale,
            frame[first].to_numpy()[order] / y_scale,
            xerr=_wide(found) * words.LEVEL * frame[f"{second}_se"].to_numpy()[order] / x_scale,
            yerr=_wide(found) * words.LEVEL * frame[f"{first}_se"].to_numpy()[order] / y_scale,
            fmt="o-",
            color=BLUE,
            ecolor=GREY,
            markersize=4,
            linewidth=1.0,
        )
        axes.set_xlabel(f"{MEASURES[second]}, {x_power}{words.unit(scenario)}")
        axes.set_ylabel(f"{MEASURES[first]}, {y_power}{words.unit(scenario)}", fontsize=SMALL)
        axes.grid(axis="both")
        ticks(axes.xaxis)
        ticks(axes.yaxis)
        axes.set_title(title)
        laid_out(figure)
    return Drawn("front", figure, frame, title, "Points that no other beats in every objective, on fresh luck; bars: 95 % intervals.")


def _front(found: "Optimum") -> Table:
    frame, names = found.tables()["front"], list(found.plan.study.vary)
    every = found.asked["objectives"]
    rows = [
        [
            f"point {k + 1}",
            *(_value(row[name]) for name in names),
            *(words.money(found.plan.scenario, row[name], row[f"{name}_se"] * _wide(found)) for name in every),
        ]
        for k, row in enumerate(frame.to_dict("records"))
    ]
    return Table("The front", ["", *names, *(MEASURES[name] for name in every)], rows)


def _best(found: "Optimum") -> Table | None:
    if found.point is None:
        return None
    rows = [[name, _value(value), _value(found.plan.standing(name))] for name, value in found.point.items()]
    return Table("The best point", ["", "best", "now"], rows)


def _value(value: Any) -> str:
    return words.DASH if value is None else words.plain(value) if isinstance(value, float) else str(value)
