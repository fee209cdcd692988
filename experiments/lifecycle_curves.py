"""Volume and profit over the lifecycle, and the shapes of lives: python experiments/lifecycle_curves.py [key=value ...].

A customer buys little while it investigates, more a month while the relationship forms, most where it is stable and least in decline; and
profit follows, three quarters of it from stability. Not every life gets there: a third ends in investigation, a sixth in formation. The
long-lasting quarter brings nine tenths of the value.
"""

import pandas as pd
from matplotlib.figure import Figure

import sim
from showing import beside, listed, run, save, say, show

MEASURES = {"Volume": "stages.{0}.margin=1 stages.{0}.cost_to_serve=0", "Profit": ""}  # what is set for the stage that counts
NOTHING = "stages.{0}.price=0 stages.{0}.cost_to_serve=0"  # and for the others
PATTERNS = ["early_lapse", "midway_lapse", "early_retreat", "long_lasting"]


def main(*settings: str) -> None:
    """Simulate, print and draw; settings: as for ``clvsim simulate``."""
    settings = ("run.customers=1e6", *settings)
    result = sim.simulate(sim.load("markov_lifecycle", *settings))
    stages = [stage for stage, one in result.scenario.stages.items() if one.kind == "active"]
    months = result.sojourns.query("by == 'all'").set_index("stage")["periods"]
    tables = {"Months in each stage": beside(None, pd.Series(result.exact.periods_per_stage), months, None).loc[stages]}
    curves = {}
    for title, counts in MEASURES.items():
        lives = []
        for stage in stages:
            question = " ".join((counts if stage == one else NOTHING).format(one) for one in stages)
            alone = sim.simulate(sim.load("markov_lifecycle", *settings, "discount_rate_annual=0", *question.split()))
            lives.append((stage, None, alone.exact.clv_before_mean, *alone.clv.loc[1, ["mean", "se"]]))
            curves[title, stage] = alone.cash.query("by == 'all'").set_index("t")[["purchase", "service"]].sum(axis=1)
        tables[f"{title} of a life, USD"] = listed(lives).assign(month=[f"{life[3] / months[life[0]]:.1f}" for life in lives])
    shares = result.patterns.query("by == 'all'").set_index("pattern").loc[PATTERNS]
    exact = pd.Series(result.exact.patterns)[PATTERNS]
    tables["Life patterns, % of customers"] = beside(None, 100 * exact, 100 * shares["share"], 100 * shares["share_se"])
    tables["Mean CLV of them, USD"] = beside(None, None, shares["clv"], shares["clv_se"])
    show(tables)
    say("\nSE: standard error; month: for each month in the stage")

    figure, drawn = Figure(figsize=(7, 8)), pd.DataFrame(curves)
    for axes, title in zip(figure.subplots(2, sharex=True), MEASURES, strict=True):
        drawn[title].plot(ax=axes, style=["-", "--", "-.", ":"], title=f"{title} by the stage that brings it")
        axes.set(xlabel="Months since arrival", ylabel="USD a month per new customer")
    save(figure, drawn, "lifecycle_curves")


if __name__ == "__main__":
    run(main)
