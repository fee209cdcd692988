"""Five programmes of relationship equity on the same customers: python experiments/loyalty_programmes.py [key=value ...].

Loyalty, special treatment, affinity, community and knowledge are five ways to hold customers beyond value and brand (Rust, Zeithaml and
Lemon 2000). At the assumed costs and effects knowledge and community gain most, since many are reached at a stage that matters, while
points for everybody cost more than those who stay for them bring. Their effects overlap: all five together gain less than the sum of each
alone, and what is the firm's own to pay decides from how many customers on each pays.
"""

import pandas as pd

import sim
from showing import returns, run, save, say, show

PROGRAMMES = ("loyalty_programme", "special_treatment", "affinity_programme", "community_programme", "knowledge_programme")
ALL = "all five"


def main(*settings: str) -> None:
    """Compare, print and draw; settings: as for ``clvsim simulate``."""
    found = sim.compare(sim.load("lifecycle", *settings), PROGRAMMES, {ALL: {"policies": list(PROGRAMMES)}})
    gains = returns(found, 1000)
    table = found.table.set_index("label").loc[gains.index]
    customers = found.results[0].equity["customers"].iloc[0]
    own = customers * table["difference"] - table["gain"]  # the firm's own: set-up and upkeep, whatever the number of customers
    needed = (own / table["difference"]).where(table["difference"] > 0)
    size = pd.DataFrame({"USD a customer": table["difference"].round(2), "firm's own, thousand USD": (own / 1000).round(1)})
    size["customers from which it pays"] = needed.map("{:,.0f}".format, na_action="ignore").fillna("none")
    say(f"{customers:,.0f} new customers of one month")
    show({"Thousand USD": gains.round(2), "Before the firm's own cost": size})
    singles = gains["gain"].drop(ALL).sum()
    say(f"\nAll five gain {gains['gain'][ALL]:,.1f} thousand USD, each alone {singles:,.1f} together")

    axes = gains["gain"].plot.barh(xerr=1.96 * gains["SE"], title="Programmes of relationship equity", figsize=(7, 3))
    axes.set(xlabel="Gain of customer equity, thousand USD, and its 95 % interval")
    save(axes.figure, pd.concat([gains, size], axis=1).rename_axis("programme"), "loyalty_programmes")


if __name__ == "__main__":
    run(main)
