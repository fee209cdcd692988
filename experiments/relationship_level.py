"""How close to be to customers, by margin and by number: python experiments/relationship_level.py [key=value ...].

Kotler's map of five levels, basic to partnership, goes up with the margin of a customer and down with their number. By margin the
simulation agrees; by number it does not where a level has fixed costs, which many customers carry more easily than few. It agrees in both
where nothing is fixed and a customer is dearer to know among many: the map rests on that, and not on scale. All costs are assumed.
"""

from typing import Any

import pandas as pd

import sim
from showing import run, save, say, show
from sim.config import policy

BOOK = pd.DataFrame(
    {"low": ["basic", "reactive", "accountable"], "medium": ["reactive", "accountable", "proactive"]}
    | {"high": ["accountable", "proactive", "partnership"]},
    index=["many", "medium", "few"],
)
SPENDS = {"low": 15, "medium": 40, "high": 160}  # USD a month of one customer, of which margins are the same share; assumed
NUMBERS = {"many": 100_000, "medium": 5_000, "few": 250}  # new customers of one month; assumed
OWN = {"basic": 0, "reactive": 20, "accountable": 100, "proactive": 250, "partnership": 400}  # USD a month of the firm's own; assumed
CROWD = 0.25  # power of the number at which one customer is dearer to know among many; assumed


def best(number: int, spend: float, own: float, power: float, *settings: str) -> str:
    """Return the level with the highest customer equity; own: of what is fixed, the part that there is; power: see CROWD."""
    dearer, arms = (number / NUMBERS["medium"]) ** power, dict[str, Any]()
    for level, fixed in OWN.items():
        cost = {part: price * dearer for part, price in policy(level).get("cost", {}).items()}
        arms[f"{level} level"] = {"policies": [level], f"{level}.cost": {**cost, "per_period": own * fixed}}
    more = ("~segments", f"purchases.wallet.mean={spend}", f"firm.customers={number}")
    found = sim.compare(sim.load("lifecycle", "run.customers=20000", *settings, *more), arms=arms)
    return list(OWN)[int(found.table["equity"][1:].to_numpy().argmax())]


def main(*settings: str) -> None:
    """Compare, print and draw; settings: as for ``clvsim simulate``."""
    maps = {"By the textbook": BOOK}
    for title, own, power in (("With fixed costs", 1.0, 0.0), ("None fixed, each dearer among many", 0.0, CROWD)):
        cells = {name: [best(n, spend, own, power, *settings) for spend in SPENDS.values()] for name, n in NUMBERS.items()}
        maps[title] = pd.DataFrame(cells, index=list(SPENDS)).T
    show({title: cells.rename_axis("customers") for title, cells in maps.items()})
    for title in list(maps)[1:]:
        say(f"{title}: {int((maps[title] == BOOK).to_numpy().sum())} of 9 cells as in the textbook")

    places = pd.concat(maps, names=["map", "customers"]).map(list(OWN).index)
    axes = places.T.plot(style=["o-", "s-", "^-", "o--", "s--", "^--", "o:", "s:", "^:"], title="The best level by margin", yticks=range(5))
    axes.set(xlabel="Margin of a customer", yticklabels=list(OWN))
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    save(axes.figure, pd.concat(maps, names=["map", "customers"]), "relationship_level")


if __name__ == "__main__":
    run(main)
