"""What an uncertainty analysis's report says: how sure the choice is, what it would be worth to know more, and where it would be wrong."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sim.report import words
from sim.report.naming import called, opening
from sim.report.panels import beside, new_figure, scaled, ticks, wrapped
from sim.report.study import Story, Table, told
from sim.report.style import BLUE, GREY, INK, ORANGE, SKY, SMALL, Drawn, drawing, laid_out, shortened
from sim.report.sweep_figures import LEGEND, STYLES, columns

if TYPE_CHECKING:
    from sim.studies.uncertainty import Uncertainty

NOISY = 0.1
"""Standard error of a probability of being best from which a reader is told to simulate more."""

SURE = 0.95
"""Probability of being best from which an arm counts as the best whatever the parameters are."""

SOURCES = {
    "parameter": ("parameters not known", BLUE, ""),
    "market": ("paths of the market, or of arrivals", ORANGE, "////"),
    "luck": ("luck of the firm's own customers", SKY, "...."),
}
"""Name, colour and hatch of each source of variance."""


def story(found: "Uncertainty") -> Story:
    """Return what the report of an uncertainty analysis says."""
    plan, several = found.plan, len(found.arms) > 1
    figures = [outcomes(found), spread(found)]
    if several:
        figures = [
            acceptability(found),
            figures[1],
            *([partial(found), *([trials(found)] if found.tries else [])] if matters(found) else []),
        ]
    receipt = [
        ("Draws of the parameters", f"{len(plan.points):,}, seed {plan.study.design_seed}"),
        ("Customers simulated in each", plan.customers),
        ("Seed of the customers", f"{plan.scenario.run.seed}, the same luck in every draw"),
    ]
    tables = [_arms(found), *([_lost(found)] if several and not noisy(found) and len(found.conditions.frame) else [])]
    mind = [
        *plan.warnings,
        "what is believed of the parameters is assumed" + (": a wider belief makes information worth more" if several else ""),
    ]
    return Story("how sure?", answer(found), notes(found), figures, tables, told(plan.study.vary), receipt, mind, called(plan).values())


def answer(found: "Uncertainty") -> str:
    """Return the answer in a sentence or two."""
    scenario, rows = found.plan.scenario, found.means
    if len(found.arms) == 1:
        row = rows.iloc[0]
        low, high = (words.roughly(scenario, row[end]) for end in ("low", "high"))
        return f"Customer equity is {words.money(scenario, row['equity'], row['se'])} on average; in 95 of 100 draws from {low} to {high}."
    row = rows[rows["arm"] == found.favoured].iloc[0]
    if noisy(found):
        ahead = f"{called(found.plan)[found.favoured]} is ahead on average, with a probability of being best anywhere"
        between = _ends(row["best"], row["best_se"])
        return f"The customers simulated leave open which arm is best: {ahead} {between}. Simulate more (run.customers)."
    chance = _chance(row["best"], row["best_se"])
    said = f"{opening(called(found.plan)[found.favoured])} is best on average, and with a probability of {chance}"
    if not matters(found):
        alike = "; no arm is told apart from it, and" if row["best"] < SURE else ", whatever the parameters are:"
        return f"{said}{alike} knowing them would not change the choice."
    value = words.money(scenario, found.perfect.corrected, found.perfect.se)
    return f"{said} once the parameters are known. Knowing them all before choosing would be worth {value}."


def noisy(found: "Uncertainty") -> bool:
    """Return whether the simulation's own noise leaves open which arm is best."""
    return bool(found.means["best_se"].max() > NOISY)


def matters(found: "Uncertainty") -> bool:
    """Return whether knowing the parameters is worth anything beyond rounding."""
    return found.perfect.corrected > 1e-9 * float(found.means["equity"].abs().max())


def notes(found: "Uncertainty") -> list[str]:
    """Return what else is found, a sentence each."""
    scenario, rows = found.plan.scenario, found.means
    row = rows[rows["arm"] == found.favoured].iloc[0]
    whole = row["parameter"] + row["market"] + row["luck"]
    shares = ", ".join(f"{words.percent(row[key] / whole)} {name}" for key, (name, _, _) in SOURCES.items() if whole > 0 and row[key] > 0)
    said = [f"Why customer equity may turn out otherwise: {shares}."] if shares else []
    if len(found.arms) == 1:
        return said
    if noisy(found):
        return said
    if not matters(found):
        return [*said, found.where]
    known = found.partial.sort_values("value", ascending=False, kind="stable").iloc[0]
    if known["value"] > words.LEVEL * np.nan_to_num(known["se"]):
        said.append(f"Most worth knowing: {known['group']}, {words.money(scenario, known['value'], known['se'])}.")
    else:
        said.append("Of no single parameter can it be told that it is worth anything to know.")
    if not found.tries:
        said.append("No trial is told of: it would not teach what a budget wins.")
    elif len(best := found.trials[found.trials["best"]]) and best.iloc[0]["net"] > 0:
        one = best.iloc[0]
        worth, cost = words.money(scenario, one["value"], one["se"]), words.money(scenario, one["cost"])
        size = f"A trial with {one['customers']:,.0f} customers in each arm"
        costs = f" and costs {cost}" if one["cost"] > 0 else ""
        said.append(f"{size} is worth {worth}{costs}, if its outcomes are seen over the whole horizon.")
    return [*said, f"The favoured arm is {called(found.plan)[found.favoured]}. {found.where}"]


def acceptability(found: "Uncertainty") -> Drawn:
    """Draw each arm's chance of being best against what the firm gives for what it brings. Frame: as acceptability."""
    frame, scenario, title = found.acceptability, found.plan.scenario, "Which is best, at what price"
    with drawing(scenario, called(found.plan).values()):
        figure, (axes,) = new_figure(3.4)
        for k, arm in enumerate(found.arms):
            mine = frame[frame["arm"] == arm]
            colour, dashes = STYLES[k % len(STYLES)]
            axes.plot(
                mine["willingness"],
                mine["best"],
                color=colour,
                linestyle=dashes,
                linewidth=1.6,
                marker="o",
                markersize=3,
                label=shortened(called(found.plan)[arm], LEGEND),
            )
        axes.axvline(1.0, color=GREY, linewidth=0.9, linestyle=":")
        axes.set_ylim(-0.02, 1.02)
        unit = words.unit(scenario)
        axes.set_xlabel(f"{unit} given today for 1 {unit} of expected customer equity")
        axes.set_ylabel("probability of being best")
        ticks(axes.yaxis, 100.0, f"{words.SPACE}%")
        ticks(axes.xaxis)
        axes.margins(x=0.03)
        axes.grid(axis="y")
        figure.legend(loc="outside lower center", ncols=columns(list(called(found.plan).values())))
        axes.set_title(title)
        laid_out(figure)
    said = "Dotted: what a policy brings counts as much as what it costs. Left of it the firm asks for more than its money back."
    return Drawn("acceptability", figure, frame, title, said)


def partial(found: "Uncertainty") -> Drawn:
    """Draw what it would be worth to know each parameter. Frame: group, value, se, share; the last row is all of them."""
    scenario, title = found.plan.scenario, "What is worth knowing"
    frame = found.partial.sort_values("value", ascending=False, kind="stable")
    perfect = {"group": "all of them", "value": found.perfect.corrected, "se": found.perfect.se, "share": 1.0}
    frame = pd.concat([frame, pd.DataFrame([perfect])], ignore_index=True)
    with drawing(scenario, called(found.plan).values()):
        figure, (axes,) = new_figure(1.3 + 0.4 * len(frame))
        scale, power = scaled(float(frame["value"].abs().max()))
        places, value = np.arange(len(frame))[::-1], frame["value"].to_numpy() / scale
        half = np.nan_to_num(words.LEVEL * frame["se"].to_numpy() / scale)
        whole = (frame["group"] == "all of them").to_numpy()
        for chosen, colour, hatch in ((~whole, BLUE, ""), (whole, SKY, "////")):
            axes.barh(places[chosen], value[chosen], color=colour, edgecolor="white", hatch=hatch, height=0.62, linewidth=0)
        axes.errorbar(value, places, xerr=half, fmt="none", ecolor=INK, capsize=3, linewidth=1.0)
        for place, at, error in zip(places, value, half, strict=True):
            beside(axes, max(at + error, 0.0), place, words.estimate(at, error / words.LEVEL)[0])
        axes.set_yticks(places, [wrapped(name) for name in frame["group"]], fontsize=SMALL)
        axes.axvline(0, color=INK, linewidth=0.9)
        low, high = min(0.0, float((value - half).min())), max(float((value + half).max()), 1e-12)
        axes.set_xlim(low - 0.04 * (high - low), high + 0.2 * (high - low))
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"worth to know before choosing, {power}{words.unit(scenario)}", loc="right")
        ticks(axes.xaxis)
        axes.set_title(title)
        laid_out(figure)
    said = "Expected value of perfect information about each parameter, the others still unknown; luck taken out; intervals: 95 %."
    if ((frame["value"] > found.perfect.corrected) | ((frame["value"] > 0) & (frame["value"] <= words.LEVEL * frame["se"]))).any():
        said += " That a bar is longer than that of all of them, or differs from 0 by less than its interval, is noise: no parameter is"
        said += " worth more to know than all together."
    return Drawn("information", figure, frame, title, said)


def outcomes(found: "Uncertainty") -> Drawn:
    """Draw how customer equity differs over the draws, luck taken out. Frame: left, right, share (of the draws)."""
    scenario, title = found.plan.scenario, "What it may turn out to be"
    values = found.draws
    counts, edges = np.histogram(values, bins=min(30, max(5, int(2 * values.size ** (1 / 3)))))
    frame = pd.DataFrame({"left": edges[:-1], "right": edges[1:], "share": counts / values.size})
    with drawing(scenario, called(found.plan).values()):
        figure, (axes,) = new_figure(3.0)
        scale, power = scaled(float(np.abs(edges).max()))
        axes.stairs(frame["share"], edges / scale, fill=True, facecolor=SKY, edgecolor=SKY, linewidth=0)
        for level, dashes in ((0.025, ":"), (0.5, "-"), (0.975, ":")):
            axes.axvline(float(np.quantile(values, level)) / scale, color=INK, linewidth=1.0, linestyle=dashes)
        axes.set_ylim(0, None)
        axes.set_xlabel(f"customer equity, {power}{words.unit(scenario)}")
        axes.set_ylabel("share of the draws")
        ticks(axes.yaxis, 100.0, f"{words.SPACE}%")
        ticks(axes.xaxis)
        axes.set_title(title)
        laid_out(figure)
    loss = f" In {words.percent(float((values < 0).mean()))} of them it is a loss." if (values < 0).any() else ""
    return Drawn("outcomes", figure, frame, title, f"Line: median; dotted: the middle 95 % of the draws.{loss}")


def spread(found: "Uncertainty") -> Drawn:
    """Draw the variance of the firm's outcome by its source. Frame: arm, parameter, market, luck."""
    frame, scenario = found.means[["arm", *SOURCES]], found.plan.scenario
    title = "Why it may turn out otherwise"
    with drawing(scenario, called(found.plan).values()):
        figure, (axes,) = new_figure(1.4 + 0.55 * len(frame))
        whole = frame[list(SOURCES)].sum(axis=1).replace(0, 1).to_numpy()
        places, left = np.arange(len(frame))[::-1], np.zeros(len(frame))
        for key, (name, colour, hatch) in SOURCES.items():
            part = frame[key].to_numpy() / whole
            axes.barh(places, part, left=left, color=colour, edgecolor="white", hatch=hatch, height=0.6, linewidth=0, label=name)
            left = left + part
        labels = [
            f"{wrapped(called(found.plan)[arm], 22)}\nSD {words.roughly(scenario, sd)}"
            for arm, sd in zip(frame["arm"], found.means["sd"], strict=True)
        ]
        axes.set_yticks(places, labels if len(found.arms) > 1 else [labels[0].partition("\n")[2]], fontsize=SMALL)
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, 1)
        axes.set_xlabel("share of the variance of the firm's customer equity", loc="right")
        ticks(axes.xaxis, 100.0, f"{words.SPACE}%")
        figure.legend(loc="outside lower center", ncols=1)
        axes.set_title(title)
        laid_out(figure)
    said = "The luck of simulating some customers and not others is taken out; what the firm's own number of customers causes is left in."
    return Drawn("spread", figure, frame, title, said)


def trials(found: "Uncertainty") -> Drawn:
    """Draw what trials are worth and cost. Frame: as trials."""
    frame, scenario, title = found.trials, found.plan.scenario, "What a trial is worth"
    with drawing(scenario, called(found.plan).values()):
        figure, (axes,) = new_figure(3.2)
        scale, power = scaled(float(max(frame["value"].abs().max(), found.perfect.corrected)))
        half = np.nan_to_num(words.LEVEL * frame["se"].to_numpy() / scale)
        axes.errorbar(
            frame["customers"], frame["value"] / scale, yerr=half, color=BLUE, marker="o", capsize=3, linewidth=1.6, label="worth"
        )
        if (frame["cost"] > 0).any():
            axes.plot(frame["customers"], frame["cost"] / scale, color=ORANGE, linestyle="--", linewidth=1.4, label="costs")
        axes.axhline(found.perfect.corrected / scale, color=GREY, linestyle=":", linewidth=1.2, label="perfect information")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.xaxis.set_minor_formatter(lambda *_: "")
        low, high = float((frame["value"] / scale - half).min()), float((frame["value"] / scale + half).max())
        axes.set_ylim(min(0.0, 1.1 * low), 1.3 * max(high, found.perfect.corrected / scale) or None)  # dear trials run out of the picture
        axes.set_xlabel("customers in each arm of the trial")
        axes.set_ylabel(f"{power}{words.unit(scenario)}")
        ticks(axes.yaxis)
        axes.grid(axis="y")
        axes.margins(x=0.04)
        figure.legend(loc="outside lower center", ncols=3)
        axes.set_title(title)
        laid_out(figure)
    said = "Expected value of a trial before choosing, for the firm's customers; its outcomes are taken to be seen over the whole horizon."
    return Drawn("trials", figure, frame, title, said)


def _arms(found: "Uncertainty") -> Table:
    scenario = found.plan.scenario
    rows = [
        [
            called(found.plan)[row["arm"]],
            words.money(scenario, row["equity"], row["se"]),
            words.DASH if row["arm"] == found.plan.study.comparator else words.money(scenario, *found.gain(row["arm"])),
            f"{words.short(row['low'])} to {words.short(row['high'])}",
            _chance(row["best"], row["best_se"]),
        ]
        for row in found.means.to_dict("records")
    ]
    against = called(found.plan)[found.plan.study.comparator]
    head = ["", "customer equity", f"more than {against}", f"95 of 100 draws, {words.unit(scenario)}", "probability of being best"]
    if len(found.arms) == 1:
        head, rows = [head[0], head[1], head[3]], [[cells[0], cells[1], cells[3]] for cells in rows]
    return Table("Each arm over all draws", head, rows, "±: half of a 95 % interval of the mean over draws.")


def _chance(best: float, se: float) -> str:
    """Return a probability with the ends of its interval, within 0 and 1."""
    if not np.isfinite(se) or se < 0.0005:
        return words.percent(best)
    return f"{100 * best:.0f}{words.SPACE}% ({_ends(best, se).removeprefix('from ')})"


def _ends(best: float, se: float) -> str:
    """Return the ends of a probability's interval, within 0 and 1."""
    low, high = max(best - words.LEVEL * se, 0.0), min(best + words.LEVEL * se, 1.0)
    return f"from {100 * low:.0f} to {100 * high:.0f}{words.SPACE}%"


def _lost(found: "Uncertainty") -> Table:
    rows = [
        [row["conditions"], words.percent(row["density"]), words.percent(row["coverage"]), words.percent(row["mass"])]
        for row in found.conditions.frame.to_dict("records")
    ]
    head = ["where", "it loses in", "of all its losses", "of all draws"]
    return Table(
        f"Where {called(found.plan)[found.favoured]} is not the best", head, rows, "Found on one half of the draws, told of the other."
    )
