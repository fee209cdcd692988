"""Plan, do, check, act: choosing anew every year from what a pilot shows: python experiments/plan_do_check_act.py [key=value ...].

Nobody knows whether an offer works, hardly works or does harm, and on average it does not pay, so that a firm that never looks again
never makes it. Who tries it on a few each year, and acts on how many more of them were kept, loses less against knowing the truth, though
a small pilot is often wrong. Who remembers all pilots so far loses less still than who looks at the last one alone, least so where
pilots are large. A plan was needed all the same: it says how many more must be kept for the offer to pay.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import sim
from showing import run, save, say, show

CONFIGS = Path(__file__).parent
TRUTHS = {"it works": 0.75, "it hardly works": 0.97, "it does harm": 1.10}  # times the hazard of going to a rival; alike likely, assumed
YEARS, PATHS, FIRM = 6, 200, 10_000  # years, courses of them, new customers a year
SIZES = (50, 200, 1000)  # customers in a year's pilot, and as many beside it
SEEN = ("horizon=13", "discount_rate_annual=0", "acquisition.cost=0", "purchases.wallet=1")  # so that CLV is the chance of being there
THERE = f"stages.customer={{price: [{'0,' * 12}1], margin: 1, cost_to_serve: 0}}"  # a year later


def arms(cost: float) -> dict[str, Any]:
    """Return an arm for each truth about the yearly offer; cost: USD a month and customer."""
    shared = {"policies": ["yearly_offer"], "yearly_offer.cost.per_member": cost}
    return {name: {**shared, "yearly_offer.effects.causes": {"rival": factor}} for name, factor in TRUTHS.items()}


def gaps(size: int, *settings: str) -> list[Any]:
    """Return by truth how many more are kept in each year's pilot than beside it, as shares (course, year)."""
    runs = f"run={{customers: {size}, replicates: {2 * YEARS * PATHS}}}"
    found = sim.compare(sim.load("subscriber", *settings, *SEEN, THERE, runs, configs=CONFIGS), arms=arms(0), configs=CONFIGS)
    there = [result.replicates["clv"].to_numpy().reshape(2, PATHS, YEARS) for result in found.results]
    return [one[1] - there[0][0] for one in there[1:]]  # pilot and control are other customers, on other luck


def main(*settings: str) -> None:
    """Simulate, choose year by year, print and draw; settings: as for ``clvsim simulate``."""
    plan = sim.compare(sim.load("subscriber", *settings, configs=CONFIGS), arms=arms(0.40), configs=CONFIGS).table.set_index("arm")
    gain, kept = plan["difference"][list(TRUTHS)], plan["kept"][list(TRUTHS)] - plan["kept"]["none"]
    need = float(np.interp(0.0, gain[::-1], kept[::-1]))  # by the plan, how many more must be kept for the offer to pay
    show({"Plan": pd.DataFrame({"gain, USD a customer": gain.round(1), "kept a year more, %": (100 * kept).round(1)}).rename_axis(None)})
    rows: dict[int, dict[str, float]] = {}
    for size in SIZES:
        found, part = gaps(size, *settings), size / FIRM  # of all; half of the pilot is treated wrongly in any case
        rows[size] = {"never again": float(np.mean(gain.abs() * ((gain > 0) != (gain.mean() > 0))))}
        rules = {"last year's pilot": found, "all pilots so far": [one.cumsum(1) / np.arange(1, YEARS + 1) for one in found]}
        for rule, seen in rules.items():
            wrong = [np.mean((one[:, :-1] > need) != (worth > 0)) for one, worth in zip(seen, gain, strict=True)]
            rows[size][rule] = float(np.mean(gain.abs() * (part + (1 - 2 * part) * np.array(wrong))))
    regret = pd.DataFrame(rows).T.rename_axis("customers in a pilot")
    show({"Regret from the second year on, USD a new customer": regret.round(2)})
    say(f"\nThe offer pays where {100 * need:.1f} % more are kept; least regret: {regret.min().min():.2f} USD, by {regret.min().idxmin()}")

    axes = regret.plot(style=["--", "o-", "s-"], logx=True, title="Check and act")
    axes.set(ylabel="Regret, USD a new customer", ylim=(0, None))
    save(axes.figure, regret, "plan_do_check_act")


if __name__ == "__main__":
    run(main)
