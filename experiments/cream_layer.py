"""Four fifths of the profit from a fifth of the customers: python experiments/cream_layer.py [key=value ...].

Where spending is lognormal with a sigma of 1.6832, the top 20 % of customers bring 80 % of the profit: the pyramid of customers stands on
its head in money. A cost to serve that is the same for everybody turns it over altogether: the top brings more than all of the profit,
and those at the bottom eat the rest. The mean customer says nothing of either; look at the curve before deciding whom to serve how.
"""

from pathlib import Path

import pandas as pd

import sim
from showing import run, save, say, show

WALLET = "purchases.wallet={mean: 20, cv: 4, distribution: lognormal}"  # cv = (exp(sigma^2) - 1)^(1/2)
PLAIN = ("horizon=12", "acquisition.cost=0", "discount_rate_annual=0", "run.keep_customers=true", "stages.customer.to.lost.hazard=0")
COSTS = {"nothing": 0, "2 USD a month": 2, "5 USD a month": 5}
TOP = (0.01, 0.05, 0.2, 0.5, 0.8)


def main(*settings: str) -> None:
    """Simulate, print and draw; settings: as for ``clvsim simulate``."""
    curves, rows = pd.DataFrame(), {}
    for name, cost in COSTS.items():
        more = (WALLET, *PLAIN, f"stages.customer.cost_to_serve={cost}")
        result = sim.simulate(sim.load("subscriber", "run.customers=1e6", *settings, *more, configs=Path(__file__).parent))
        curves[name] = 100 * result.concentration.set_index("customers")["value"]
        rows[name] = [*curves[name].loc[list(TOP)], 100 * result.clv["share_negative"][0], result.clv["mean"][0]]
    titles = [*(f"top {100 * share:g} % bring, %" for share in TOP), "bring losses, %", "profit of a year, USD"]
    found = pd.DataFrame(rows, index=titles).round(1)
    say("A customer costs to serve")
    show({"Profit, most valuable customers first": found})

    axes = curves.plot(style=["-", "--", ":"], title="Costs to serve turn the pyramid over")
    axes.set(xlabel="Share of customers, most valuable first", ylabel="Of all profit, %")
    save(axes.figure, curves, "cream_layer")


if __name__ == "__main__":
    run(main)
