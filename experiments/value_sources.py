"""Which dozen numbers of a lifecycle its value hangs on: python experiments/value_sources.py [key=value ...].

Were each of twelve numbers up to a fifth lower or higher, over half of the variance of customer equity would come from quality, what
customers get, and a fifth each from the margin and from what customers have to spend. How long stability lasts makes 5 %, acquisition cost
and discount rate 1 % each, and the other six, competition, trust and the cost of switching among them, less than 3 % together. Quality does
so mostly by itself, whatever the others are; a fifth of it is much on a scale that ends at 5, and all ranges are assumed.
"""

import sim
from showing import run, save, say, show

SPAN = {"low": 0.8, "high": 1.2, "scale": True}  # times what the scenario has; assumed, the same for all
OWN = ("", "segments.budget.", "segments.premium.")  # what some segments have of their own moves along
SOURCES = {
    "quality": ["satisfaction.quality"],
    "margin": [f"stages.{stage}.margin" for stage in ("investigation", "formation", "stability", "decline")],
    "customers' budget": [f"{of}purchases.wallet.mean" for of in OWN],
    "months of stability": [f"{of}stages.stability.mean_duration" for of in OWN],
    "months before it": ["stages.investigation.mean_duration", "stages.formation.mean_duration"],
    "acquisition cost": [f"{of}acquisition.cost" for of in OWN],
    "cost to serve": [f"stages.{stage}.cost_to_serve" for stage in ("investigation", "formation", "stability", "decline")],
    "discount rate": ["discount_rate_annual"],
    "competition": ["competition.intensity"],
    "growth of trust": ["trust.rise"],
    "switching cost": ["switching_cost.speed"],
    "word of mouth": ["word_of_mouth.reach"],
}
COLUMNS = {"total": "in all", "total_low": "from", "total_high": "to", "first": "by itself", "first_low": "from ", "first_high": "to "}


def main(*settings: str, points: int = 256) -> None:
    """Vary, print, draw and report; settings: as for ``clvsim simulate``."""
    scenario = sim.load("lifecycle", "run.customers=2000", *settings)
    found = sim.sensitivity(scenario, {name: {**SPAN, "paths": paths} for name, paths in SOURCES.items()}, points=points)
    table = found.table.set_index("factor").rename_axis(None).sort_values("total", ascending=False)
    shares = 100 * table[list(COLUMNS)]
    show({"% of the variance of customer equity": shares.rename(columns=COLUMNS).round(1).assign(told=table["told"])})
    rest = shares["total"].iloc[3:].sum()
    say(f"\n{', '.join(table.index[:3])} first; the other {len(table) - 3} come to {rest:.0f} %; luck is {found.noise:.1%} of what is seen")
    say(f"{len(found.plan.points):,} points; all told in {sim.write_study(found, 'results/value_sources')}")

    drawn = shares.iloc[::-1]
    ends = drawn[["total_low", "total_high"]].sub(drawn["total"], axis=0).abs().to_numpy().T
    axes = drawn["total"].plot.barh(xerr=ends, title="What customer equity hangs on", figsize=(7, 4))
    axes.set(xlabel="% of its variance, where each number is up to a fifth lower or higher", ylabel="")
    save(axes.figure, shares, "value_sources")


if __name__ == "__main__":
    run(main)
