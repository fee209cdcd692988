"""Who is worth keeping, who is worth growing: python experiments/gold_silver_iron_lead.py [key=value ...].

Gold brings much and has room to grow, silver has the room, iron gives nearly all of its wallet already, lead neither. After two years over
a third of the customers left are gold and stand for two thirds of what is still to come. In a year three in ten of the silver turn gold or
iron and a third are lost, and a quarter of the gold is iron: grow silver before it goes, keep gold and iron, spend little on lead.
"""

import sim
from showing import run, save, say, show

NAMES = ["gold", "silver", "iron", "lead", "lost"]
TITLES = {"share": "customers, %", "current": "last year, USD", "growth": "potential, USD", "future": "expected, USD", "later": "came, USD"}


def main(*settings: str) -> None:
    """Simulate, print and draw; settings: as for ``clvsim simulate``."""
    result = sim.simulate(sim.load("lifecycle", "run.panel=50000", "classes=[metals]", *settings))
    classes = result.classes.query("by == 'all' and year == 2").set_index("class").loc[NAMES[:4]]
    rated = classes[list(TITLES)].rename(columns=TITLES)
    rated[TITLES["share"]] *= 100 / classes["share"].sum()
    rated["of value to come, %"] = 100 * classes["equity"] / classes["equity"].sum()
    moves = result.migration.query("by == 'all' and year == -1 and source in @NAMES and target in @NAMES")
    matrix = 100 * moves.pivot_table(index="source", columns="target", values="share").loc[NAMES[:4], NAMES]
    rated.index.name = matrix.index.name = "class"
    show({"After two years": rated.astype(float).round(1), "A year later, % of the class": matrix.round(1)})
    say("\nexpected: of what a firm can see; came: of what they brought until the horizon")
    save(result.plot.classes().figure, rated, "gold_silver_iron_lead")


if __name__ == "__main__":
    run(main)
