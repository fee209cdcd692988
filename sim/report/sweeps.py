"""What a sweep's report says: how far the outcome moves, with what, and at which points it is highest and lowest."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from sim.report import words
from sim.report.naming import called, opening
from sim.report.study import Story, Table, told
from sim.report.sweep_figures import (
    BINS,
    CURVES,
    MEASURES,
    bins,
    curves,
    heat,
    influence,
    measure,
    numeric,
    parallel,
    shown,
)

if TYPE_CHECKING:
    from sim.studies.sweep import Sweep


def story(found: "Sweep") -> Story:
    """Return what the report of a sweep says."""
    plan, table = found.plan, found.table
    every = [curves(found)]
    if len(numeric(found)) > 1:
        every += [heat(found), parallel(found)]
    simulated = int(plan.scenario.run.replicates)
    receipt = [
        (
            "Points",
            f"{len(plan.points):,}, {NAMES[plan.study.plan]}" + (f", seed {plan.study.design_seed}" if plan.study.plan in SEEDED else ""),
        ),
        ("Customers simulated at each point", plan.customers),
        ("Seed of the customers", plan.luck),
        *([("Replicates of each point", f"{simulated:,}")] if simulated > 1 else []),
    ]
    return Story(
        "what varies with what?",
        answer(found),
        notes(found),
        every,
        [_ends(found, table)],
        told(plan.study.vary),
        receipt,
        plan.warnings,
        called(plan).values(),
    )


NAMES = {"grid": "every combination", "list": "as listed", "lhs": "Latin hypercube", "sobol": "Sobol sequence"}

SEEDED = ("lhs", "sobol")


def answer(found: "Sweep") -> str:
    """Return the answer in a sentence or two."""
    scenario, table, names = found.plan.scenario, found.table, called(found.plan)
    if measure(found) == "gain":
        best = table.loc[table.groupby("point")["equity"].idxmax(), "arm"].value_counts()
        n = len(found.plan.points)
        told = ", ".join(f"{names[str(arm)]} at {words.percent(count / n)}" for arm, count in best.items())
        return (
            f"Which policy has the highest customer equity depends on the point: {told} of {n:,} points."
            if len(best) > 1
            else (f"{opening(names[str(best.index[0])])} has the highest customer equity at every one of {n:,} points.")
        )
    rows = table.iloc[int(table["equity"].argmin())], table.iloc[int(table["equity"].argmax())]
    least, most = (words.money(scenario, row["equity"], row["equity_se"]) for row in rows)
    return f"Customer equity runs from {least} to {most} over {len(found.plan.points):,} points."


def notes(found: "Sweep") -> list[str]:
    """Return what else is found, a sentence each."""
    frame, what, said, names = shown(found), measure(found), list[str](), called(found.plan)
    rest = " on average over the rest" if len(found.factors) > 1 else ""
    for name in influence(found)[:CURVES]:
        for arm, rows in frame.groupby("arm", sort=False) if what == "gain" else [("", frame)]:
            curve = rows.groupby(bins(rows[name], BINS)).agg(at=(name, "mean"), value=(what, "mean"))
            where = f"{name} from {curve['at'].iloc[0]:.3g} to {curve['at'].iloc[-1]:.3g}"
            told = [words.roughly(found.plan.scenario, value) for value in curve["value"]]
            alike = f"stays at {told[0]}" if len(set(told)) == 1 else f"is {told[0]} at both ends"
            ends = alike if told[0] == told[-1] else f"from {told[0]} to {told[-1]}"
            said.append(f"{where}: {f'{names[str(arm)]}, ' if arm else ''}{MEASURES[what]} {ends}{rest}.")
    losing = [f"On average {names[found.favoured]} is best. {found.where}"] if found.scattered else []
    return [*losing, *said[:6]]


def _ends(found: "Sweep", table: pd.DataFrame) -> Table:
    """Return the points at which the measure is highest and lowest."""
    what, scenario, names = measure(found), found.plan.scenario, called(found.plan)
    frame = shown(found).sort_values(what, ascending=False, kind="stable")
    chosen = pd.concat([frame.head(3), frame.tail(3)]).drop_duplicates(["point", *(["arm"] if "arm" in frame else [])])
    rows = []
    for row in chosen.to_dict("records"):
        number, half = words.estimate(row[what], row[f"{what}_se"])
        told = number if half in (words.DASH, "0") else f"{number} ± {half}"
        name = f"point {row['point']}" + (f", {names[row['arm']]}" if "arm" in row else "")
        rows.append([name, *(_value(row[factor]) for factor in found.factors), told, words.percent(row["kept"])])
    head = ["", *found.factors, f"{MEASURES[what]}, {words.unit(scenario)}", "kept a year"]
    note = f"The three highest and the three lowest of {len(table):,} rows; tables/points.csv has all. ±: half of a 95 % interval."
    return Table("Highest and lowest", head, rows, note)


def _value(value: Any) -> str:
    return (words.given if round(value, 4) == value else words.plain)(value) if isinstance(value, float) else str(value)
