"""Keep, serve less, or let go customers who lose money: python experiments/culling.py [key=value ...].

A textbook lets go whose margin has been negative for some periods and whose remaining value is negative too. The first half alone loses
money at any cost: new customers and those in decline lose money for a while, and what they become is lost with them. Both halves let
nobody go until a month in decline costs several times as much as assumed, and pay a little later. Serving them less pays sooner.
"""

from typing import Any

import pandas as pd

import sim
from showing import run, save, say, show

COSTS = (3.5, 10, 16, 22, 28)  # USD a month, to serve a customer in decline
ARMS: dict[str, dict[str, Any]] = {
    "by the rule": {"policies": ["culling"]},
    "by margin alone": {"policies": ["culling"], "culling.who.remaining_value_below": None},
    "serve less": {"policies": ["service_reduction"], "service_reduction.cost.setup": 0},
}


def main(*settings: str) -> None:
    """Compare, print and draw; settings: as for ``clvsim simulate``."""
    rows = {}
    for cost in COSTS:
        found = sim.compare(sim.load("lifecycle", *settings, f"stages.decline.cost_to_serve={cost}"), arms=ARMS)
        clv = found.differences.query("by == 'all' and measure == 'clv'").set_index("arm")
        treated = found.treatments.set_index("arm")["contacts"]
        for arm in ARMS:
            rows[cost, arm] = [clv["difference"][arm], clv["se"][arm], treated[arm], 100 * clv["gain"][arm], 100 * clv["lose"][arm]]
    titles = ["gain, USD", "SE", "contacts", "% worth more", "% worth less"]
    table = pd.DataFrame(rows, index=titles).T.rename_axis(["USD a month", "arm"])
    by = {str(arm): part.droplevel("arm") for arm, part in table.groupby(level="arm")}
    say("Gain of a customer by what a month in decline costs, how often one is treated, and how many are worth more or less for it")
    show({arm: part.round(2) for arm, part in by.items()})
    pays = {arm: part.index[part["gain, USD"] > 2 * part["SE"]] for arm, part in by.items()}
    say("\nPays from, USD a month in decline: " + ", ".join(f"{arm} {pays[arm][0] if len(pays[arm]) else 'never'}" for arm in ARMS))

    drawn = pd.DataFrame({arm: part["gain, USD"] for arm, part in by.items()})
    axes = drawn.plot(style=["o-", "s--", "^:"], title="Let go only who will never pay")
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(xlabel="Cost of a month in decline, USD", ylabel="Gain against keeping, USD a customer")
    save(axes.figure, drawn, "culling")


if __name__ == "__main__":
    run(main)
