"""A better service, and customers who get used to it: python experiments/habituation.py [key=value ...].

Quality rises by a point at month 24 for good. Where expectations stay by the norm, satisfaction stays up and so do loyalty and profit for
those still there; where customers get used to what they receive (habituation 1), satisfaction is almost back where it was after two
years, and most of what the point was worth is gone with it. Money spent once on quality buys a wave, not a level: only what outruns
expectation lasts.
"""

from pathlib import Path

import pandas as pd

import sim
from showing import run, save, say, show

BEFORE = "satisfaction.initial=3 satisfaction.quality=3 competition.reference_satisfaction=3"
BETTER = f"{BEFORE} satisfaction.quality=[{'3,' * 24}4] satisfaction.expectation.speed=0.15"
CASES = {
    "as before": BEFORE,
    "better, nobody gets used to it": f"{BETTER} satisfaction.expectation.habituation=0",
    "better, everybody does": f"{BETTER} satisfaction.expectation.habituation=1",
}
MONTHS = [12, 23, 24, 30, 36, 48, 72, 119]


def main(*settings: str) -> None:
    """Simulate, print and draw; settings: as for ``clvsim simulate``."""
    drawn, rows = pd.DataFrame(), {}
    for name, more in CASES.items():
        result = sim.simulate(sim.load("subscriber", "run.customers=1e6", *settings, *more.split(), configs=Path(__file__).parent))
        felt = result.feelings.query("by == 'all' and measure == 'satisfaction'")
        drawn[name] = felt.set_index("t")["mean"]
        kept = result.retention.query("by == 'all'")
        rows[name] = [*result.clv.loc[0, ["mean", "se"]], 100 * kept["survival"][24], 100 * kept["survival"][60]]
    say("Quality up by a point of satisfaction's scale at month 24; the same customers, on the same luck")
    worth = pd.DataFrame(rows, index=["CLV, USD", "SE", "here after 24 months, %", "after 60, %"]).T
    worth.insert(2, "gain", worth["CLV, USD"] - worth["CLV, USD"].iloc[0])
    show({"Mean satisfaction of those still there": drawn.loc[MONTHS].rename_axis("month").round(2), "Worth": worth.round(2)})

    axes = drawn.plot(style=["k:", "-", "--"], title="What customers get used to no longer pleases them")
    axes.set(xlabel="Months since arrival", ylabel="Mean satisfaction, 1 to 5")
    save(axes.figure, drawn, "habituation")


if __name__ == "__main__":
    run(main)
