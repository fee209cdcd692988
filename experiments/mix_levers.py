"""Four levers of the mix, alone and together: python experiments/mix_levers.py [key=value ...].

Product answers needs, price is the customer's cost, place its convenience, promotion its communication (McCarthy 1960, Lauterborn 1990).
At the assumed costs and effects product and place gain most: satisfaction keeps customers, and what it costs is spread over all of them. A
price 3 % lower is given to everybody, those too who would have stayed, and does no more than pay for itself; beside the other three, which
keep customers by themselves, it does not even that.
"""

import pandas as pd

import sim
from showing import returns, run, save, say, show

LEVERS = {
    "lever_product": "product, needs",
    "lever_price": "price, cost",
    "lever_place": "place, convenience",
    "lever_promotion": "promotion, communication",
}
ALL = "all four"


def main(*settings: str) -> None:
    """Compare, print and draw; settings: as for ``clvsim simulate``."""
    arms = {name: [key] for key, name in LEVERS.items()}
    arms |= {f"without {name}": [one for one in LEVERS if one != key] for key, name in LEVERS.items()} | {ALL: list(LEVERS)}
    found = sim.compare(sim.load("lifecycle", *settings), arms={name: {"policies": keys} for name, keys in arms.items()})
    table, gains = found.table.set_index("label"), returns(found, 1000)
    alone = gains.loc[list(LEVERS.values())]
    last = pd.Series({name: gains["gain"][ALL] - gains["gain"][f"without {name}"] for name in LEVERS.values()})
    told = pd.DataFrame({"alone": alone["gain"], "as the last of four": last, "kept a year, %": alone["kept a year, %"]})
    told["USD a customer, alone"] = table["difference"]
    show({"Thousand USD": gains.loc[[*LEVERS.values(), ALL]].round(2), "Gain, thousand USD": told.round(2)})
    whole, parts = gains["gain"][ALL], told["alone"].sum()
    say(f"\nBest alone: {told['alone'].idxmax()}; all four gain {whole:,.1f}, the four alone {parts:,.1f} thousand USD")

    axes = told[["alone", "as the last of four"]].plot.barh(title="Levers of the mix", figsize=(7, 3))
    axes.set(xlabel="Gain of customer equity, thousand USD")
    save(axes.figure, told.rename_axis("lever"), "mix_levers")


if __name__ == "__main__":
    run(main)
