"""Five values of a customer, of a household and its dentist: python experiments/value_streams.py [key=value ...].

A family of five, later with grandchildren, stays for 30 to 40 years and brings 200,000 USD and more for its treatment. It talks, too:
what its listeners bring is worth more than what it pays itself; information, knowledge and fees add little beside these two. Whoever
counts treatments alone sees less than half of the account.
"""

from pathlib import Path

import pandas as pd

import sim
from showing import beside, run, save, say, show

NAMES = {
    "purchase": "purchase value",
    "word_of_mouth": "word of mouth",
    "information": "information",
    "knowledge": "knowledge",
    "transaction": "transactions",
    "service": "cost to serve",
    "sales": "sales cost",
    "transition": "moves",
    "acquisition": "cost of winning",
}
RATES = {"as it comes": "0", "at 5 % a year": "0.05"}


def main(*settings: str) -> None:
    """Simulate, print and draw; settings: as for ``clvsim simulate``."""
    tables, drawn = {}, pd.DataFrame()
    for name, rate in RATES.items():
        result = sim.simulate(sim.load("household", *settings, f"discount_rate_annual={rate}", configs=Path(__file__).parent))
        ledger = result.ledger.query("by == 'all'").set_index("column")["mean"].rename(NAMES)
        whole = ledger.reindex(list(NAMES.values()))
        whole["sum of the columns"], whole["CLV"] = ledger.sum(), result.clv["mean"][0]
        tables[f"A family, USD, {name}"] = beside(None, None, whole, pd.Series({"CLV": result.clv["se"][0]}).reindex(whole.index))
        drawn[name] = ledger
    years = result.sojourns.query("by == 'all'").set_index("stage")["periods"]["family"]
    show(tables)
    say(f"\nA family stays {years:.1f} of 40 years on average")

    axes = drawn.loc[list(NAMES.values())[:7]].plot.barh(title="Talk is worth more than treatment")
    axes.set(xlabel="USD a family", ylabel="")
    axes.invert_yaxis()
    save(axes.figure, drawn.rename_axis("column"), "value_streams")


if __name__ == "__main__":
    run(main)
