"""Revenue per user times length of stay, and what customers bring: python experiments/arpu_tenure.py [key=value ...].

A telecoms operator's rule takes a customer's revenue for ARPU, the mean spend of a month, times tenure, the mean months of a stay. It is
right where spend and stay have nothing to do with each other. Where heavy spenders stay longer customers bring more than it says, a fifth
more here, and where they are lured away first as much less: multiply customer by customer, and average then.
"""

from pathlib import Path

import pandas as pd

import sim
from showing import run, say, show

CORRELATIONS = {"heavy spenders stay longer": -0.7, "independent": 0.0, "heavy spenders leave sooner": 0.7}  # of wallet and frailty
SPREAD = ("purchases.wallet={mean: 20, cv: 0.8, distribution: lognormal}", "frailty.variance=0.5", "stages.customer.margin=1")
PLAIN = ("discount_rate_annual=0", "acquisition.cost=0", "stages.customer.cost_to_serve=0")


def main(*settings: str) -> None:
    """Simulate and print; settings: as for ``clvsim simulate``."""
    rows = {}
    for name, correlation in CORRELATIONS.items():
        more = (*SPREAD, *PLAIN, f"correlations.wallet.frailty={correlation}")
        result = sim.simulate(sim.load("subscriber", "run.customers=1e6", *settings, *more, configs=Path(__file__).parent))
        arpu = result.cash.query("by == 'all'")["purchase"].iloc[0]
        tenure = result.sojourns.query("by == 'all'").set_index("stage")["periods"]["customer"]
        rows[name] = [arpu, tenure, arpu * tenure, *result.clv.loc[0, ["mean", "se"]]]
    found = pd.DataFrame(rows, index=["ARPU, USD", "tenure, months", "ARPU x tenure", "true, USD", "SE"]).T
    found["true / rule"] = found["true, USD"] / found["ARPU x tenure"]
    show({"Revenue of a customer within ten years, not discounted": found.astype(float).round(2)})
    say("\nARPU: mean revenue of a new customer's month; tenure: mean months of a stay")


if __name__ == "__main__":
    run(main)
