"""A market that turns for everybody at once: python experiments/value_shift.py [key=value ...].

Calm, price war and shifts of what buyers value are weather that all customers of a market share, so that their number does not average it
out: over 200 paths of the market equity spreads many times as far as it would if only the customers' own luck differed. A standard error
that takes customers for independent is that many times too small, however many there are. A point of value is worth more than one of
brand here, since it keeps more and wins more: on the same paths, so that the comparison is sharp though the level is not.
"""

from pathlib import Path

import pandas as pd

import sim
from showing import run, save, say, show

CASES = {
    "the market turns": (),
    "no market": ("market=null",),
    "value + 1": ("drivers.value.quality.own=[3,4.5]",),
    "brand + 1": ("drivers.brand.attitude.own=[3,4]",),
}
PERCENT = {0.05: "5 % of paths below", 0.5: "median", 0.95: "5 % above"}


def main(*settings: str) -> None:
    """Simulate, print and draw; settings: as for ``clvsim simulate``."""
    paths = pd.DataFrame()
    for name, more in CASES.items():
        result = sim.simulate(sim.load("television", *settings, *more, configs=Path(__file__).parent))
        paths[name] = result.replicates.set_index("replicate")["equity"] / 1000
    spread = pd.DataFrame({"mean": paths.mean(), "SD": paths.std(), **{PERCENT[q]: paths.quantile(q) for q in PERCENT}})
    gains = paths[["value + 1", "brand + 1"]].sub(paths["the market turns"], axis=0)
    levers = pd.DataFrame({"gain": gains.mean(), "SE": gains.sem(), "% of paths it gains on": 100 * (gains > 0).mean()})
    say(f"Customer equity on {len(paths)} paths of the market, thousand USD")
    show({"Equity": spread[:2].round(1), "A point more on average, from the second month on": levers.round(1)})
    ratio = spread["SD"].iloc[0] / spread["SD"].iloc[1]
    say(f"\nOne path's standard error, customers taken for independent: {spread['SD'].iloc[1]:,.1f}; true: {ratio:.1f} times that")

    axes = paths[["the market turns", "no market"]].plot.hist(bins=30, alpha=0.7, title="The market's luck is not averaged out")
    axes.set(xlabel="Customer equity of a path, thousand USD", ylabel="Paths")
    save(axes.figure, paths, "value_shift")


if __name__ == "__main__":
    run(main)
