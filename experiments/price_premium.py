"""What a price premium rests on, fried dough on the street and in a restaurant: python experiments/price_premium.py [key=value ...].

A fried dough stick costs .5 yuan on the street and 3 at McDonald's, and both sell. A higher price takes away from what customers get, so
that they are less satisfied and leave sooner; the price at which a customer is worth most is therefore set by the benefit, and is several
times as high where place and service are part of it. Price follows delivered value: beyond the best one customers are lost faster than
margin is won.
"""

from pathlib import Path

import pandas as pd

import sim
from showing import run, save, say, show

PRICES = (0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4)  # yuan
BENEFITS = {"street": 1.0, "restaurant": 5.0}  # what a stick is worth to the customer with all that comes with it, yuan
PART = "Price / worth to the customer"
FIXED = ("satisfaction={quality: 3, speed: 1, delivered_value: 1}", "stages.customer.to.lost.effects.loyalty=12", "acquisition.cost=0")
OFFER = "price: {0}, margin: 1, willing_to_pay: {1}, delivered_value: {{benefit: {1}, money: {0}}}"
PRICED = f"stages.customer={{{{{OFFER}, cost_to_serve: 2}}}}"


def measured(price: float, benefit: float, *settings: str) -> tuple[float, float, float, float]:
    """Return satisfaction after a year, % still there then, CLV, price over worth; 20 sticks a month, which cost .1 each."""
    more = (*FIXED, PRICED.format(price, benefit))
    result = sim.simulate(sim.load("subscriber", "run.customers=2e5", *settings, *more, configs=Path(__file__).parent))
    felt = result.feelings.query("by == 'all' and measure == 'satisfaction' and t == 11")["mean"]
    return felt.iloc[0], 100 * result.retention["survival"][12], result.clv["mean"][0], result.offers["price_to_worth"][0]


def main(*settings: str) -> None:
    """Simulate, print and draw; settings: as for ``clvsim simulate``."""
    found = {(place, price): measured(price, benefit, *settings) for place, benefit in BENEFITS.items() for price in PRICES}
    table = pd.DataFrame(found, index=["Satisfaction after a year", "Here after a year, %", "CLV, CNY", PART]).T.rename_axis(
        ["place", "price"]
    )
    by = {title: table.pivot_table(title, "price", "place")[list(BENEFITS)] for title in map(str, table)}
    worth = by["CLV, CNY"]
    show({title: part.round(2) for title, part in by.items()})
    say("\nBest price, CNY: " + ", ".join(f"{place} {price:g}" for place, price in worth.idxmax().items()))

    best = {place: float(worth.index[int(worth[place].to_numpy().argmax())]) for place in BENEFITS}
    kept = ", ".join(f"{place} {1 - price / BENEFITS[place]:.0%}" for place, price in best.items())
    say(f"There the restaurant's premium is {best['restaurant'] / best['street']:.3g} times the street's price; customers keep {kept}")

    axes = worth.plot(style=["o-", "s--"], title="What a customer gets sets the price that pays")
    axes.set(xlabel="Price of a stick, CNY", ylabel="CLV, CNY")
    save(axes.figure, worth, "price_premium")


if __name__ == "__main__":
    run(main)
