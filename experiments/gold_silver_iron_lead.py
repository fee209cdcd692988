"""Who is worth keeping, who is worth growing: python experiments/gold_silver_iron_lead.py [key=value ...].

Gold brings much and has room to grow, silver has the room, iron gives nearly all of its wallet already, lead neither. After two years four
in ten of the customers left are gold and stand for three quarters of what is still to come. In a year four in ten of the silver turn gold
or iron, as many of the lead are lost, and a fifth of the gold is iron: grow silver, keep gold and iron, spend little on lead.
"""

import sim
from showing import run, save, say, show

LEVELS = {"investigation": (0.3, 0.2), "formation": (0.8, 0.1), "stability": (1.0, 0.03), "decline": (0.0, 0.3)}  # target, speed a month
DEEPENING = [f"stages.{key}.level={{target: {target}, speed: {speed}}}" for key, (target, speed) in LEVELS.items()]
WHOLE = [f"stages.{key}.price=1" for key in LEVELS]
NAMES = {"gold": "gold", "silver": "silver", "iron": "iron", "lead": "lead", "lost": "lost"}
TITLES = {"share": "customers, %", "current": "last year, USD", "growth": "potential, USD", "future": "expected, USD", "later": "came, USD"}


def main(*settings: str) -> None:
    """Simulate, print and draw; settings: as for ``clvsim simulate``."""
    more = ("level={initial: 0.1, re_entry: 0.1}", *DEEPENING, *WHOLE, "run.panel=50000", "classes=[metals]")
    result = sim.simulate(sim.load("lifecycle", *more, *settings))
    classes = result.classes.query("by == 'all' and year == 2").set_index("class").loc[list(NAMES)[:4]]
    rated = classes[list(TITLES)].rename(columns=TITLES)
    rated[TITLES["share"]] *= 100 / classes["share"].sum()
    rated["of value to come, %"] = 100 * classes["equity"] / classes["equity"].sum()
    moves = result.migration.query("by == 'all' and year == -1 and source in @NAMES and target in @NAMES")
    matrix = 100 * moves.pivot_table(index="source", columns="target", values="share").loc[list(NAMES)[:4], list(NAMES)]
    show({"After two years": rated.astype(float).round(1), "A year later, % of the class": matrix.round(1)})
    say("\nexpected: of what a firm can see; came: of what they brought until the horizon")
    save(result.plot.classes().figure, rated, "gold_silver_iron_lead")


if __name__ == "__main__":
    run(main)
