"""A vendor's failure, and a recovery that offers a rival's system at cost: python experiments/exchange_at_cost.py [key=value ...].

After a textbook's case of EMC, whose disks failed in 1988 and who offered customers a new system of its own or of IBM's: most took IBM's,
and came back later. Here too most of those who are offered both have a rival's system in the first year; some stay with it, and yet after
five years twice as many buy as if nothing had been done. That pays where a customer is large enough to be worth the system, and loses money
on small ones; all numbers are assumed, the case gives none.
"""

from pathlib import Path

import pandas as pd

import sim
from showing import run, save, say, show
from sim.exact.decisions import best_rule

CONFIGS, POLICIES = Path(__file__).parent, ("own_system", "rivals_system")
SPENDS = (25, 50, 100, 200)  # thousand USD a quarter of one customer; the vendor's own case is 100
QUARTERS = [1, 2, 4, 8, 12, 20, 32]


def main(*settings: str) -> None:
    """Compare, print and draw; settings: as for ``clvsim simulate``."""
    rows, found = {}, {}
    for spend in SPENDS:
        scenario = sim.load("vendor", *settings, f"purchases.wallet={spend}", configs=CONFIGS)
        found[spend] = sim.compare(scenario, POLICIES, configs=CONFIGS)
        for arm, row in zip(found[spend].arms[1:], found[spend].table.to_dict("records")[1:], strict=True):
            exact = best_rule(arm.scenario)
            rows[spend, arm.label] = [exact.always[arm.id] - exact.nothing, row["difference"], row["difference_se"]]
    worth = pd.DataFrame(rows, index=["exact", "simulated", "SE"]).T.rename_axis(["spend", "recovery"])
    say("Gain over doing nothing, thousand USD a customer who was struck, by spend a quarter")
    show({str(label): part.droplevel("recovery").round(1) for label, part in worth.groupby(level="recovery")})

    drawn, stands = pd.DataFrame(), {}
    for arm, result in zip(found[100].arms, found[100].results, strict=True):
        held = 100 * result.occupancy.query("by == 'all' and clock == 'tenure'").pivot_table("share", "period", "stage")
        stands[f"{arm.label}, %"] = held.loc[QUARTERS, ["customer", "partner", "lost"]].rename_axis("quarter").round(1)
        drawn[arm.label] = held["customer"]
    show(stands)

    axes = drawn.plot(style=["-", "--", ":"], title="Who was lent a rival's system comes back")
    axes.set(xlabel="Quarters since the failure", ylabel="Customers who buy, % of those struck")
    save(axes.figure, drawn, "exchange_at_cost")


if __name__ == "__main__":
    run(main)
