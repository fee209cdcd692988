"""How long a comparison takes, in single runs: eight policies and none on the same customers, begun now and later.

    python experiments/arms_speed.py [customers=50000] [rounds=5]

Times are those in the kernels, medians of ratios of runs side by side, on ``lifecycle`` and one thread. An arm that begins in month m
starts from where the one without policies is then, so that it costs what is left: share is that of months in active stages from m on.
"""

from typing import Any

import pandas as pd

import sim
from showing import options, run, show

OPTIONS = {"customers": 50_000, "rounds": 5}
STARTS = (0, 12, 36, 60, 90)
POLICIES = ("accountable", "partnership", "proactive", "price_cut", "loyalty_programme", "community_programme", "personalisation", "gifts")


def main(*arguments: str) -> None:
    """Print how many single runs each comparison takes."""
    given, rows = options(arguments, OPTIONS), list[dict[str, Any]]()
    sim.compare(sim.load("lifecycle", "run.customers=100"), ["gifts"])  # compiles what is not compiled yet
    for seed in range(given["rounds"]):
        scenario = sim.load("lifecycle", f"run.customers={given['customers']}", "run.threads=1", f"run.seed={seed}")
        single = sim.simulate(scenario)
        active = single.occupancy.query("by == 'all' and clock == 'tenure' and kind == 'active'").groupby("period")["customers"].sum()
        for month in STARTS:
            arms = {f"{policy}_{month}": {"policies": [policy], f"{policy}.when.start": month} for policy in POLICIES}
            seconds = sim.compare(scenario, arms=arms).results[0].outcome.seconds
            rows.append({"start": month, "share": active[month:].sum() / active.sum(), "runs": seconds / single.outcome.seconds})
    show({"Comparisons in single runs": pd.DataFrame(rows).groupby("start").median().round(2)})


if __name__ == "__main__":
    run(main)
