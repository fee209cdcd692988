"""The same money for value, brand or relationship, in two industries: python experiments/drivers_by_industry.py [key=value ...].

A textbook says that relationship drives equity in car rental, and value, chiefly quality, in car sale. The same spending on each driver,
with the same points for the same money, agrees: a loyalty programme leads where customers return, better value where they are won. What
each brings by keeping and by winning tells why; of value, quality is half in car sale and a fifth in car rental.
"""

import math
from pathlib import Path

import pandas as pd

import sim
from showing import run, save, say, show

CONFIGS = Path(__file__).parent
INDUSTRIES = {"car rental": "car_rental", "car sale": "car_sale"}
VALUE = ("value.quality", "value.price", "value.convenience")
PROGRAMMES = {"value": VALUE, "brand": ("brand.attitude",), "relationship": ("relationship.programme",), "quality alone": VALUE[:1]}
SHARES = (0.5, 1, 2, 4, 8)  # % of customer equity, spent on one programme at the outset; assumed
MOST, SOON = 1.0, 3.0  # points that no spending passes; % of equity that brings 63 % of them; assumed, the same for all
UNMOVED = "drivers.acquisition.value=0", "drivers.acquisition.brand=0"  # arrivals as they are: what keeping alone brings
SPENT = 2  # of SHARES, told apart into keeping and winning


def equity(industry: str, attributes: tuple[str, ...], points: float, *settings: str) -> float:
    """Return customer equity, thousand USD, with so many points more of some attributes from the second period on."""
    scores = [f"drivers.{one}.own=[3, {3 + points!r}]" for one in attributes]
    found = sim.exact(sim.load(INDUSTRIES[industry], *settings, *scores, configs=CONFIGS)).equity
    assert found is not None
    return found / 1000


def main(*settings: str) -> None:
    """Work out, print and draw; settings: as for ``clvsim simulate``."""
    nets, tables = {}, {}
    for industry in INDUSTRIES:
        base, rows = equity(industry, (), 0.0, *settings), {}
        for name, driver in PROGRAMMES.items():
            points = {share: MOST * (1.0 - math.exp(-share / SOON)) for share in SHARES}
            gains = {share: equity(industry, driver, points[share], *settings) - base for share in SHARES}
            kept = equity(industry, driver, points[SPENT], *settings, *UNMOVED) - base
            rows[name] = [kept, gains[SPENT] - kept, SPENT / 100 * base, gains[SPENT] - SPENT / 100 * base]
            nets[industry, name] = {share: 100 * gains[share] / base - share for share in SHARES}
        titles = ["by keeping", "by winning", "spent", "net"]
        tables[f"In {industry}, thousand USD"] = pd.DataFrame(rows, index=titles).T.round(0).astype(int)
    show(tables)
    net = pd.DataFrame(nets)
    each = {industry: pd.DataFrame(net[industry]) for industry in INDUSTRIES}
    show({f"In {industry}, net % of equity": frame.round(2).rename_axis("% spent") for industry, frame in each.items()})
    say("\nBest use of the same money: " + ", ".join(f"{frame.loc[SPENT].idxmax()} in {industry}" for industry, frame in each.items()))

    axes = net.plot(style=["o-", "s-", "^-", "o:", "o--", "s--", "^--", "o-."], title="The same money for value, brand or relationship")
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(xlabel="Spent, % of customer equity", ylabel="Net gain, % of customer equity")
    axes.legend([": ".join(pair) for pair in nets], fontsize=8)
    save(axes.figure, net, "drivers_by_industry")


if __name__ == "__main__":
    run(main)
