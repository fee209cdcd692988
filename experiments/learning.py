"""A firm that learns from its users: python experiments/learning.py [key=value ...].

What users tell makes the product better for all who are there afterwards: the first users teach, the last ones find a good product. A firm
twice as large hears twice as much and learns sooner, so that the same user is worth more to it: an advantage of scale that no cost curve
shows.
"""

from pathlib import Path

import pandas as pd

import sim
from showing import run, save, say, show

FIRMS = {
    "nobody listens": ("learning=null",),
    "learns": (),
    "learns, twice as large": ("cohorts.users.customers=400",),
}


def main(*settings: str) -> None:
    """Simulate, print and draw; settings: as for ``clvsim simulate``."""
    drawn, rows = pd.DataFrame(), {}
    for name, changes in FIRMS.items():
        result = sim.simulate(sim.load("software", *changes, *settings, configs=Path(__file__).parent))
        cohorts = result.clv.query("by == 'cohort' and measure == 'clv'")
        drawn[name] = cohorts["mean"].to_numpy()
        rows[name] = [*result.clv.loc[0, ["mean", "se"]], drawn[name].iloc[0], drawn[name].iloc[-1]]
    worth = pd.DataFrame(rows, index=["CLV, EUR", "SE", "first users", "last users"]).T
    show({"A user is worth": worth.round(1)})
    gain = drawn["learns"] - drawn["nobody listens"]
    say(f"\nLearning adds {gain.iloc[0]:.0f} EUR to each of the first users, {gain.iloc[-1]:.0f} EUR to each of the last")

    drawn = drawn.rename_axis("quarter of arrival")
    axes = drawn.plot(marker=".", title="The first users teach, the last ones profit")
    axes.set(ylabel="CLV, EUR")
    save(axes.figure, drawn, "learning")


if __name__ == "__main__":
    run(main)
