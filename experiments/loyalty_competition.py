"""Satisfaction and loyalty where competition is weak and where it is fierce: python experiments/loyalty_competition.py [key=value ...].

Under weak competition even the dissatisfied mostly stay: a customer who is merely satisfied (4 of 5) is hardly more likely to leave than
one who is delighted. Under fierce competition it is six times as likely, the ratio that Xerox found in buying again (Jones and Sasser
1995), and is worth a sixth of a delighted one. Where rivals are near, the step from 4 to 5 is the one that pays, and an average hides it.
"""

from pathlib import Path

import pandas as pd

import sim
from showing import run, save, say, show

SCORES = (1, 2, 3, 4, 5)
COMPETITION = {"weak": 0.1, "middling": 0.5, "fierce": 0.9}
FIXED = "satisfaction.speed=0"  # everybody keeps the first


def measured(*settings: str) -> tuple[float, float, float, float]:
    """Return loyalty, % staying to the next year, % leaving in a month, and CLV."""
    result = sim.simulate(sim.load("subscriber", "run.customers=2e5", *settings, FIXED, configs=Path(__file__).parent))
    kept, loyalty = result.retention, result.feelings.query("by == 'all' and measure == 'loyalty'")["mean"]
    return loyalty.iloc[0], 100 * kept["survival"][12], 100 - 100 * kept["retention"][0], result.clv["mean"][0]


def main(*settings: str) -> None:
    """Simulate, print and draw; settings: as for ``clvsim simulate``."""
    cases = {(name, s): (f"competition.intensity={c}", f"satisfaction.initial={s}") for name, c in COMPETITION.items() for s in SCORES}
    found = pd.DataFrame({case: measured(*settings, *more) for case, more in cases.items()}).T.rename_axis(["competition", "of 5"])
    found.columns = pd.Index(["Loyalty", "Still here after a year, %", "Leave in a month, %", "CLV, USD"])
    by = {title: found.pivot_table(title, "of 5", "competition")[list(COMPETITION)] for title in map(str, found)}
    by["4 against 5"] = pd.DataFrame({"loyalty lost": by["Loyalty"].loc[5] - by["Loyalty"].loc[4]})
    by["4 against 5"]["times as likely to leave"] = by["Leave in a month, %"].loc[4] / by["Leave in a month, %"].loc[5]
    say("By satisfaction (1 to 5) and competition")
    show({title: table.round(2) for title, table in by.items()})

    axes = by["Still here after a year, %"].plot(style=["o-", "s--", "^:"], xticks=SCORES)
    axes.set(xlabel="Satisfaction", ylabel="Still here after a year, %", title="Fierce competition keeps only the delighted")
    save(axes.figure, found, "loyalty_competition")


if __name__ == "__main__":
    run(main)
