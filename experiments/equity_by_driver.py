"""Value, brand or relationship: what a step in each is worth, in two industries: python experiments/equity_by_driver.py [key=value ...].

A car rental and a car dealer have the same coefficients here: a point of each driver keeps and wins customers to the same degree. And yet
their best levers differ. Who rents comes back every other month, most of the firm's future lies with customers whom it has, and only what
keeps them pays: relationship leads. A car is bought every fifth year, the future lies with those yet to be won, whom no loyalty programme
reaches: value leads, chiefly quality, which weighs most. Weights of an industry follow from how its customers live.
"""

from pathlib import Path

import pandas as pd

import sim
from showing import run, save, say, show

INDUSTRIES = {"car rental": "car_rental", "car sale": "car_sale"}


def main(*settings: str) -> None:
    """Work out, print and draw; settings: as for ``clvsim simulate``."""
    found = {name: sim.drivers(sim.load(key, *settings, configs=Path(__file__).parent)) for name, key in INDUSTRIES.items()}
    for name, one in found.items():
        frame = one.frame.set_index("label")[["change", "se", "share"]]
        table = pd.DataFrame({"thousand USD": frame["change"] / 1000, "SE": frame["se"] / 1000, "share, %": 100 * frame["share"]})
        show({f"In {name} 0.1 points more of": table.round(1).rename_axis(None)})
    shares = pd.DataFrame({name: 100 * one.frame.groupby("driver")["share"].sum() for name, one in found.items()})
    show({"Share of each driver, %": shares.round(1).rename_axis(None)})
    say(f"\nMost: {', '.join(f'{shares[name].idxmax()} in {name}' for name in shares)}")

    axes = shares.T.plot.barh(stacked=True, title="Relationship where customers return, value where they are won", figsize=(7, 2.6))
    axes.set(xlabel="Share of what a step in each driver is worth, %")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.25), ncols=3)
    save(axes.figure, shares, "equity_by_driver")


if __name__ == "__main__":
    run(main)
