"""Start small, then scale: what a pilot tells, and when: python experiments/start_small.py [key=value ...].

Customers differ far more than a programme changes them: a pilot of a thousand, with as many beside it, is right about a gain that is
really there not much more often than a coin. Looked at after a year it sees a twelfth of the gain, for what is kept pays later; the
later it is looked at, the fewer customers it takes. A pilot of a tenth bears all of the fixed cost for a tenth of the gain, and loses money
where the whole gains: what it buys is knowing. Scaling pays from as many customers on as carry the fixed cost. All numbers are assumed.
"""

import math

import pandas as pd

import sim
from showing import returns, run, save, say, show

POLICY, SHARE = "knowledge_programme", 0.1  # of the customers in the pilot; assumed
PILOT = {"pilot": {"policies": [POLICY], f"{POLICY}.who.share": SHARE}}
WINDOWS = (12, 24, 36, 60, 120)  # months after which it is looked at
SIZES = (1_000, 10_000, 100_000)  # customers in the pilot, and as many beside it
SURE = 2 * 1.645  # standard errors: 5 % to scale what brings nothing, 5 % to miss what does


def main(*settings: str) -> None:
    """Compare, print and draw; settings: as for ``clvsim simulate``."""
    rows, yes = {}, {}
    for months in WINDOWS:
        found = sim.compare(sim.load("lifecycle", *settings, f"horizon={months}"), [POLICY], PILOT)
        whole, pilot = found.table.to_dict("records")[1:]
        gain, sd = whole["difference"], whole["sd_unpaired"]
        needed = f"{(SURE * sd / gain) ** 2:,.0f}" if gain > 0 else "it misleads"
        rows[months] = [round(gain, 2), round(whole["difference_se"], 2), round(pilot["difference"] / SHARE, 2), round(sd), needed]
        yes[months] = [50 * math.erfc(-gain / sd * math.sqrt(n / 2)) for n in SIZES]
    titles = ["gain", "SE", "by the pilot", "SD, luck apart", "customers needed"]
    chance = pd.DataFrame(yes, index=[f"{n:,}" for n in SIZES]).T.rename_axis("months")
    say("USD a customer, by months after which it is looked at, before the firm's own cost")
    show({"What is seen": pd.DataFrame(rows, index=titles).T.rename_axis("months"), "% that say yes, by customers": chance.round(1)})
    show({"Thousand USD, all told": returns(found, 1000).round(1)})
    own = whole["difference"] * found.results[0].equity["customers"].iloc[0] - whole["gain"]
    say(f"\nIt pays from {own / whole['difference']:,.0f} customers a month on; the firm's own cost is {own / 1000:,.1f} thousand USD")

    axes = chance.plot(style=["o-", "s--", "^:"], title="A pilot that is looked at too soon says no", ylim=(0, 100))
    axes.set(ylabel="Chance that it says yes, %", xlabel="Months after which it is looked at")
    axes.legend(title="customers in it")
    save(axes.figure, chance, "start_small")


if __name__ == "__main__":
    run(main)
