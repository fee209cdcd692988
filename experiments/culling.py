"""Keep, serve less, or let go those who lose money in decline: python experiments/culling.py [key=value ...].

Customers of the cheapest tariff who are half a year in decline bring little, and letting them go is common advice. At the assumed cost it
loses money: some recover, and what they are worth then is lost with them, though more customers are worth more for being let go than
less. It pays once a month in decline costs several times as much; serving them less saves less than it drives away.
"""

from typing import Any

import pandas as pd

import sim
from showing import run, save, say, show

COSTS = (3.5, 10, 16, 22, 28)  # USD a month, to serve a customer in decline
WHO = {"segments": ["budget"], "stages": ["decline"], "age_from": 6}  # months; assumed
ARMS: dict[str, dict[str, Any]] = {
    "let go": {"policies": ["culling"], "culling.who": WHO},
    "serve less": {"policies": ["service_reduction"], "service_reduction.who": WHO, "service_reduction.cost.setup": 0},
}


def main(*settings: str) -> None:
    """Compare, print and draw; settings: as for ``clvsim simulate``."""
    rows = {}
    for cost in COSTS:
        found = sim.compare(sim.load("lifecycle", *settings, f"stages.decline.cost_to_serve={cost}"), arms=ARMS)
        clv = found.differences.query("by == 'segment' and id == 'budget' and measure == 'clv'").set_index("arm")
        for arm in ARMS:
            rows[cost, arm] = [clv["difference"][arm], clv["se"][arm], 100 * clv["gain"][arm], 100 * clv["lose"][arm]]
    titles = ["gain, USD", "SE", "% worth more", "% worth less"]
    table = pd.DataFrame(rows, index=titles).T.rename_axis(["USD a month", "arm"])
    by = {str(arm): part.droplevel("arm") for arm, part in table.groupby(level="arm")}
    say("Budget customers: gain of one by what a month in decline costs, and how many are worth more or less for it")
    show({arm: part.round(2) for arm, part in by.items()})
    pays = {arm: part.index[part["gain, USD"] > 2 * part["SE"]] for arm, part in by.items()}
    say("\nPays from, USD a month in decline: " + ", ".join(f"{arm} {pays[arm][0] if len(pays[arm]) else 'never'}" for arm in ARMS))

    drawn = pd.DataFrame({arm: part["gain, USD"] for arm, part in by.items()})
    axes = drawn.plot(style=["o-", "s--"], title="Who is let go cannot recover")
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(xlabel="Cost of a month in decline, USD", ylabel="Gain against keeping, USD a budget customer")
    save(axes.figure, drawn, "culling")


if __name__ == "__main__":
    run(main)
