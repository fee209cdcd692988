"""A crowd draws a crowd: python experiments/crowd_effect.py [key=value ...].

The firm plans the same 20 members a month in every case. Those who are there draw others (the imitation of Bass 1969): arrivals rise
while the crowd is small against the market, and level off as it fills, though nobody plans it. Delighted members recruit beside it, and
their recruits recruit: good talk multiplies. Bad talk subtracts, a share of each plan: it is who stays that disappointment decides.
"""

from pathlib import Path

import pandas as pd

import sim
from showing import run, save, say, show

CROWD = ("crowd.strength=0.12", "crowd.market=1500")
CASES = {
    "planned alone": ("word_of_mouth=null", "crowd.strength=0", "crowd.market=1"),
    "a crowd": ("word_of_mouth=null", *CROWD),
    "a crowd, delighted": ("satisfaction.initial=5", *CROWD),
    "a crowd, disappointed": ("satisfaction.initial=1", *CROWD),
}


def main(*settings: str) -> None:
    """Simulate, print and draw; settings: as for ``clvsim simulate``."""
    drawn, rows = pd.DataFrame(), {}
    for name, more in CASES.items():
        result = sim.simulate(sim.load("club", *settings, *more, configs=Path(__file__).parent))
        came = result.arrivals.set_index("y")
        drawn[name] = came["came"] + came["recruits"]
        equity = result.equity.iloc[0]
        rows[name] = [drawn[name].sum(), 100 * came["recruits"].sum() / drawn[name].sum(), equity["equity"] / 1000, equity["se"] / 1000]
    drawn = drawn.loc[:47]
    say("A club that plans 20 members a month for four years")
    worth = pd.DataFrame(rows, index=["members", "recruited, %", "equity, thousand USD", "SE"]).T
    show({"Members and equity": worth.round(1), "Arrivals in month": drawn.loc[[0, 6, 12, 18, 24, 30, 36, 42, 47]].round(1)})

    axes = drawn.plot(style=["k:", "-", "--", "-."], title="The same plan, and four ways that it goes")
    axes.set(xlabel="Calendar month", ylabel="Arrivals a month")
    save(axes.figure, drawn, "crowd_effect")


if __name__ == "__main__":
    run(main)
