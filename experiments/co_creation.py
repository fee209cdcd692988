"""Customers who take part: python experiments/co_creation.py [key=value ...].

Who assembles furniture at home pays a fifth less, and yet is worth more to the house: it saves the cost of assembly and delivery, keeps
more of the joint surplus than the ready-made customer and stays longer for it, and some of what participants tell makes the offer better.
Sharing the surplus fairly is no gift: both sides gain. No mechanism of its own is needed: participants are a segment with numbers of their
own.
"""

from pathlib import Path

import pandas as pd

import sim
from showing import beside, run, save, say, show

NAMES = {"purchase": "margin of purchases", "knowledge": "what they teach", "service": "cost to serve", "acquisition": "cost of winning"}


def main(*settings: str) -> None:
    """Simulate, print and draw; settings: as for ``clvsim simulate``."""
    result = sim.simulate(sim.load("furniture", *settings, configs=Path(__file__).parent))
    exact, segments = result.exact.by_segment, result.scenario.segments
    clv = result.clv.query("by == 'segment' and measure == 'clv'").set_index("id")
    ledger = result.ledger.query("by == 'segment'").pivot_table("mean", "column", "id").rename(NAMES).loc[list(NAMES.values())]
    tables, drawn = {}, pd.DataFrame()
    for key, segment in segments.items():
        found = pd.concat([ledger[key], pd.Series({"CLV": clv["mean"][key]})])
        tables[f"{segment.label}, EUR a customer"] = beside(None, pd.Series({"CLV": exact[key].clv_mean}).reindex(found.index), found, None)
        drawn[segment.label] = ledger[key]
    show(tables)
    split = result.offers.set_index("segment")
    stays = result.retention.query("by == 'segment' and t == 5").set_index("id")["survival"]
    for key, segment in segments.items():
        paid, kept = split["price"][key], 100 * split["customer_share"][key]
        say(f"{segment.label}: pays {paid:g} a unit, keeps {kept:.0f} % of the surplus; {100 * stays[key]:.0f} % stay five years")

    axes = drawn.T.plot.bar(stacked=True, rot=0, title="Taking part: less paid, more worth")
    axes.set(ylabel="EUR a customer, discounted")
    save(axes.figure, drawn.rename_axis("column"), "co_creation")


if __name__ == "__main__":
    run(main)
