"""What a pilot of a loyalty programme is worth before it is run: python experiments/pilot_value.py [key=value ...].

Five years' newcomers are to be invited or not by a firm that believes the programme to take a fifth, give or take 8 points, off the hazard
of going to a rival, and is not sure of costs, competition and quality either: on average it loses a little, yet it pays with a chance of
nearly 40 %, and to know all is worth 0.7 million USD (SE 0.15), nine tenths of it by its effect alone. Customers differ so much that a
pilot of a thousand is worth less than a tenth of that and half of it takes more than twenty thousand: where each who is followed
costs 5 USD, twenty thousand are best; where each costs 50, no pilot pays. It is taken to see whole lives, and all numbers are assumed.
"""

import pandas as pd

import sim
from showing import run, save, say, show

POLICY = "loyalty_programme"
MONTHS = 60  # whose newcomers, ten thousand a month, the decision is about; assumed
EFFECT, COST = f"policies.{POLICY}.effects.causes.rival", f"policies.{POLICY}.cost"
FIXED = {"scale": True, "paths": [f"{COST}.setup", f"{COST}.per_period"]}  # the file has one month's share
BELIEFS = {  # assumed
    "hazard of a rival, times": {"distribution": "beta", "mean": 0.80, "sd": 0.08, "paths": [EFFECT]},
    "points a month, USD": {"distribution": "gamma", "mean": 0.70, "sd": 0.14, "paths": [f"{COST}.per_member"]},
    "fixed cost, months' shares": {"distribution": "normal", "mean": MONTHS, "sd": 0.2 * MONTHS, "low": 0, **FIXED},
    "competition": {"distribution": "beta", "mean": 0.6, "sd": 0.1, "paths": ["competition.intensity"]},
    "quality": {"distribution": "normal", "mean": 3.9, "sd": 0.15, "paths": ["satisfaction.quality"]},
}
SIZES = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)  # customers in the pilot, and as many beside it
PRICES = (1, 2, 5, 10, 20, 50)  # USD, of following one of them; assumed


def main(*settings: str, points: int = 512) -> None:
    """Draw, print and report; settings: as for ``clvsim simulate``."""
    scenario = sim.load("lifecycle", f"firm.customers={10_000 * MONTHS}", "run.customers=40000", *settings)
    found = sim.uncertainty(scenario, BELIEFS, policies=[POLICY], points=points, trials=list(SIZES), trial_price=PRICES[2])
    means, trials = found.means.set_index("arm"), found.trials.set_index("customers")
    gain, most, se = (value / 1e3 for value in (means["equity"].diff()[POLICY], found.perfect.corrected, found.perfect.se))
    say(f"Gain: {gain:,.0f} thousand USD on average, above 0 with a chance of {means['best'][POLICY]:.0%}")
    say(f"To know all is worth {most:,.0f} thousand USD (SE {se:,.0f})")
    one = found.partial.set_index("group").rename_axis(None)
    known = pd.DataFrame({"value": one["value"] / 1e3, "SE": one["se"] / 1e3, "% of all": 100 * one["share"]})
    nets = [f"net at {price}" for price in PRICES]
    worth = (trials[["value", "se"]] / 1e3).rename(columns={"se": "SE"})
    worth[nets] = pd.DataFrame({price: worth["value"] - 2 * price * trials.index / 1e3 for price in PRICES})
    worth.index = pd.Index([f"{size:,.0f}" for size in trials.index], name="customers")
    tables = {"To know one of them, thousand USD": known, "A pilot, thousand USD; net at so many USD a customer": worth}
    show({title: frame.round(0).astype(int) for title, frame in tables.items()})
    best = [f"{worth[net].idxmax() if worth[net].max() > 0 else 'nobody'} {net[4:]} USD" for net in nets]
    say(f"\nBest in it: {', '.join(best)}. All told in {sim.write_study(found, 'results/pilot_value')}")

    axes = worth[nets].plot(style="o-", title="What a pilot is worth, by its price in USD a customer", ylim=(-most, most))
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(xlabel="Customers in the pilot, and as many beside it", ylabel="Value net of price, thousand USD")
    save(axes.figure, worth, "pilot_value")


if __name__ == "__main__":
    run(main)
