"""What a customer is worth who brings others: python experiments/referral.py [key=value ...].

A member wins kappa others in its life, discounted, who win others again: all who come by it are a tree, whose worth is that of a member
over 1 - kappa where all cost the same. The first half of the way to kappa 1 hardly shows, the second changes everything, and luck grows
with worth. Value talk or count the recruits, never both: whoever books a referral and the CLV of the one it brought counts it twice.
"""

from pathlib import Path

import pandas as pd

import sim
from showing import run, save, say, show

REACHES = (0.0, 0.01, 0.02, 0.03, 0.04)
PLAN = ("satisfaction.initial=5", "cohorts.members.periods=1", "cohorts.members.customers=200")
ENOUGH = ("word_of_mouth.recruits.until=240", "run.replicates=20")


def main(*settings: str) -> None:
    """Simulate, print and draw; settings: as for ``clvsim simulate``."""
    from sim.exact.referral import referral

    rows = []
    for reach in REACHES:
        scenario = sim.load("club", *PLAN, *ENOUGH, *settings, f"word_of_mouth.reach={reach}", configs=Path(__file__).parent)
        found, result = referral(scenario), sim.simulate(scenario)
        assert found is not None
        planned = sum(cohort.customers[0] for cohort in scenario.cohorts.values() if cohort.customers)
        equity, risk = result.equity.loc[0, ["equity", "se"]] / planned, result.equity_risk.iloc[0]
        rows.append((reach, found.kappa, found.clv, found.tree, equity["equity"], equity["se"], 100 * risk["sd"] / risk["mean"]))
    names = ["reach", "kappa", "CLV", "with its tree", "simulated", "SE", "SD of equity, %"]
    trees = pd.DataFrame(rows, columns=names).set_index("reach")
    say("What a member is worth alone and with all who come by it, USD; all rows share one luck")
    show({"By recruits a month": trees.round(2)})

    axes = trees.plot(x="kappa", y=["CLV", "with its tree", "simulated"], style=["k:", "-", "o"], title="More than its root")
    axes.set(xlabel="kappa: others won in a life, discounted", ylabel="USD a planned member")
    save(axes.figure, trees, "referral")


if __name__ == "__main__":
    run(main)
