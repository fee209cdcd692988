"""Where winning back pays, at a thousand points: python experiments/thousand_points.py [key=value ...].

Whether the lost are worth a call is mostly a matter of what a call costs: below 4 USD it pays at every point, above 16 at none, and the
2.50 of the scenario are on the safe side. In between quality decides, for whoever comes back to a good firm stays; the discount
rate comes second, and competition hardly matters. Points are kept beside the folder of the report, and the same again simulates
nothing; all ranges are assumed.
"""

from itertools import pairwise

import numpy as np
import pandas as pd

import sim
from showing import run, save, say, show

POLICY, POINTS, PARTS, OUT = "win_back", 1000, 5, "results/thousand_points"
RANGES = {  # assumed
    "cost of a call": (f"policies.{POLICY}.cost.per_contact", 0.0, 20.0),  # USD
    "quality": ("satisfaction.quality", 3.4, 4.4),  # points of 5
    "competition": ("competition.intensity", 0.3, 0.9),  # of 1
    "discount rate": ("discount_rate_annual", 0.05, 0.20),  # a year
}


def main(*settings: str, points: int = POINTS) -> None:
    """Sweep, print, draw and report; settings: as for ``clvsim simulate``."""
    scenario = sim.load("lifecycle", "run.customers=12000", *settings)
    vary = {name: {"paths": [path], "low": low, "high": high} for name, (path, low, high) in RANGES.items()}
    found = sim.sweep(scenario, vary, points=points, policies=[POLICY], out=OUT)
    arm = found.table[found.table["arm"] == POLICY].set_index("point")
    arm["pays, %"], arm["gain, thousand USD"] = 100.0 * (arm["gain"] > 0), arm["gain"] / 1000
    parts = {}
    for name, (_, low, high) in RANGES.items():
        ends = np.linspace(low, high, PARTS + 1).tolist()
        parts[name] = pd.cut(arm[name], ends, labels=[f"{a:.3g} to {b:.3g}" for a, b in pairwise(ends)])
    measures = ["gain, thousand USD", "pays, %"]
    show({f"By {name}": arm.groupby(part, observed=True)[measures].mean().round(1).rename_axis(name) for name, part in parts.items()})
    both = arm.pivot_table("pays, %", parts["cost of a call"], parts["quality"], observed=True).round(0)
    show({"Pays at so many %, by cost of a call and quality": both})
    say(f"\nIt pays at {arm['pays, %'].mean():.0f} % of the points. Best on average: {found.favoured}. {found.where}")
    say(f"{len(arm) - found.taken:,} points were run, {found.taken:,} were kept from before; all told in {sim.write_study(found, OUT)}")

    axes = arm.plot.scatter("cost of a call", "quality", c=["tab:blue" if gain > 0 else "tab:orange" for gain in arm["gain"]], s=8)
    axes.set(title="Where winning back pays (blue), at a thousand points", xlabel="Cost of a call, USD", ylabel="Quality, points of 5")
    save(axes.figure, arm, "thousand_points")


if __name__ == "__main__":
    run(main)
