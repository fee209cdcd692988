"""Win customers or keep them, and what winning one may cost: python experiments/offensive_defensive.py [key=value ...].

Where s wins ceiling (1 - exp(-k s)) customers (Blattberg and Deighton 1996, Harvard Business Review 74(4)) worth CLV each, the best s is
ln(ceiling k CLV) / k. A textbook's rule, that up to 40 % of CLV is spent on winning a customer, is right where the first customer costs a
fifth of CLV; it spends too much where customers are cheaper to win, and too little, or nothing, where they are dearer. Of a given sum a
first part is best spent on keeping, which makes every customer who is won worth more; more of it leaves nobody to keep.
"""

import math
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.special import lambertw

import sim
from showing import run, save, say, show

CONFIGS = Path(__file__).parent
CEILING, RULE = 10_000, 0.40  # customers who can be won at all; share of CLV that may be spent on winning one
FIRST = (20, 40, 60, 100, 150)  # USD that the first of them costs: 1 / (ceiling k)
TOTAL, COST = 600_000, 60  # USD to spend on both, and what the first costs
SHARES = (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of it, on keeping
DEFENCE, SOON = 0.6, 5e-6  # most that the logarithm of the hazard can fall, and how fast, per USD; assumed


def equity(winning: float, first: float, keeping: float, *settings: str) -> tuple[float, float]:
    """Return customer equity after what is spent on winning and on keeping, thousand USD, and a customer's CLV before either, USD."""
    cohort = f"+cohorts.won={{budget: {winning!r}, response: {{ceiling: {CEILING}, k: {1 / (CEILING * first)!r}}}}}"
    scenario = sim.load("subscriber", *settings, "firm.customers=null", "acquisition.cost=0", cohort, configs=CONFIGS)
    effect = {"rival": math.exp(-DEFENCE * (1.0 - math.exp(-SOON * keeping)))}
    arm: dict[str, Any] = {"policies": ["keeping"], "keeping.cost.setup": keeping, "keeping.effects.causes": effect}
    row = sim.compare(scenario, arms={"kept": arm}, configs=CONFIGS).table.iloc[1]
    return float(row["equity"]) / 1000, float(row["clv"])


def main(*settings: str) -> None:
    """Simulate, print and draw; settings: as for ``clvsim simulate``."""
    clv, rows = equity(1e5, COST, 0.0, *settings)[1], {}
    for first in FIRST:
        x, most = clv / first, RULE * clv / first  # s = RULE CLV n(s) at ceiling first (most + W(-most exp(-most))); nobody is won below 1
        parts = math.log(x), most + float(lambertw(-most * math.exp(-most)).real) if most > 1 else 0.0
        spends = [CEILING * first * part for part in parts]
        best, ruled = (equity(spent, first, 0.0, *settings)[0] if spent else 0.0 for spent in spends)
        rows[first] = [100 * math.log(x) / (x - 1), *(spent / 1000 for spent in spends), best, ruled, ruled - best]
    titles = ["best, % of CLV", "best spending", f"at {RULE:.0%} of CLV", "equity at best", "equity by the rule", "the rule costs"]
    winning = pd.DataFrame(rows, index=titles).T.rename_axis("the first costs, USD")
    say(f"A customer is worth {clv:.0f} USD; spending and equity in thousand USD")
    show({"Winning": winning.round(1)})

    split = {share: equity((1 - share) * TOTAL, COST, share * TOTAL, *settings) for share in SHARES}
    both = pd.DataFrame(split, index=["equity, thousand USD", "CLV, USD"]).T.rename_axis("share spent on keeping")
    show({f"{TOTAL / 1000:,.0f} thousand USD to spend": both.round(1)})
    say(f"\nBest share on keeping: {both['equity, thousand USD'].idxmax():.0%}")

    axes = both["equity, thousand USD"].plot(style="o-", title="Win customers or keep them")
    axes.set(xlabel="Share spent on keeping", ylabel="Customer equity, thousand USD")
    save(axes.figure, both, "offensive_defensive")


if __name__ == "__main__":
    run(main)
