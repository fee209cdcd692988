"""The publisher case, printed, exact and simulated: python experiments/publisher_ltv.py [key=value ...], such as run.customers=20000.

Every figure of the book's table stands beside its exact and its simulated value, each from a run of its own question. A star marks what is
misprinted: years 6 and 7 go by rounded subscribers, the last present value is cut off, and 25 % more is 29.8 %. A subscriber is worth
66.94, and two points of renewal in every year add 5.05 to it.
"""

import os
from pathlib import Path

import pandas as pd

import sim
from showing import beside, listed, run, say, show

PRINTED = pd.read_csv(Path(__file__).with_name("publisher.csv"), comment="#", index_col="year")
UNDISCOUNTED = ("discount_rate_annual=0", "acquisition.cost=0")
FREE = ("stages.introductory.cost_to_serve=0", "stages.renewed.cost_to_serve=0")
QUESTIONS = {  # each makes net cash what the column asks for
    "active": (*UNDISCOUNTED, *FREE, "stages.introductory.price=1", "stages.renewed.price=1"),
    "revenue": (*UNDISCOUNTED, *FREE),
    "cost": (*UNDISCOUNTED, "stages.introductory.price=0", "stages.renewed.price=0"),
    "profit": UNDISCOUNTED,
    "present value": ("acquisition.cost=0",),
}


def main(*settings: str) -> None:
    """Simulate and print; settings: as for ``clvsim simulate``."""
    years = {}
    for column, question in QUESTIONS.items():
        result = sim.simulate(sim.load("publisher", "run.customers=1e6", *settings, *question))
        scale = -1000 if column == "cost" else 1000  # a cost is negative cash; the table counts 1,000 subscribers
        found = result.cash.assign(exact=sum(result.exact.cash.values())).set_index(result.cash["t"] + 1).rename_axis("year")
        years[column] = beside(PRINTED[column], scale * found["exact"], scale * found["net"], 1000 * found["net_se"])
    base, plus = (sim.simulate(sim.load(name, "run.customers=1e6", *settings)) for name in ("publisher", "publisher_plus2"))
    gain = [100 * (plus.summary()[a][b] / base.summary()[a][b] - 1) for a, b in (("exact", "clv_mean"), ("clv", "mean"))]
    worth = [
        ("lifetime value", 67, base.exact.clv_before_mean, *base.clv.loc[1, ["mean", "se"]]),
        ("after the cost of winning", 17, base.exact.clv_mean, *base.clv.loc[0, ["mean", "se"]]),
        ("its standard deviation", None, base.exact.clv_sd, base.clv.loc[0, "sd"], None),
        ("+2 points, after the cost", 22, plus.exact.clv_mean, *plus.clv.loc[0, ["mean", "se"]]),
        ("% gained by these", 25, *gain, None),
    ]
    say("1,000 new subscribers: printed, exact and simulated (SE: its standard error)")
    show(years)
    show({"one subscriber": listed(worth, digits=(0, 2))})
    say("\n* Misprints: years 6 and 7 go by 159.9 and 126 subscribers, 842 is 843 cut off, 25 % is 29.8 %.")
    print(f"Report: {os.path.relpath(sim.write_run(base))}/report.html")


if __name__ == "__main__":
    run(main)
