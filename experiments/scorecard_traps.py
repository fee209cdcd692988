"""Two figures that improve while the firm does not: python experiments/scorecard_traps.py [key=value ...].

Retention over all subscribers climbs from 60 to 79 % while every cohort's own rates stay what they were: new ones, who lapse most, become
fewer among them. Revenue per dollar spent on the relationship doubles when spending is halved, though customers grow dissatisfied, leave
sooner and are worth less. Judge loyalty by cohort and spending by CLV: a ratio improves by its denominator.
"""

from pathlib import Path

import pandas as pd

import sim
from showing import run, say, show

COST, QUALITY = "stages.customer.cost_to_serve", "satisfaction.quality"
SPENDING = {
    "as now": (),
    "a quarter less": (f"{COST}=1.5", f"{QUALITY}=3.8"),
    "half": (f"{COST}=1", f"{QUALITY}=3.4"),
}  # USD a month; points
TITLES = ["satisfaction after a year", "revenue per USD of service", "retention in the 2nd year, %", "CLV, USD", "SE"]


def spent(*settings: str) -> list[float]:
    """Return the scorecard of a level of spending, in the order of the titles."""
    result = sim.simulate(
        sim.load("subscriber", *settings, "stages.customer.margin=1", "purchases.wallet=10", configs=Path(__file__).parent)
    )
    ledger, survival = result.ledger.query("by == 'all'").set_index("column")["mean"], result.retention["survival"]
    felt = result.feelings.query("by == 'all' and measure == 'satisfaction' and t == 12")["mean"].iloc[0]
    return [felt, -ledger["purchase"] / ledger["service"], 100 * survival[24] / survival[12], *result.clv.loc[0, ["mean", "se"]]]


def main(*settings: str) -> None:
    """Simulate and print; settings: as for ``clvsim simulate``."""
    settings = ("run.customers=1e6", *settings)
    result = sim.simulate(sim.load("publisher_cohorts", *settings))
    pooled = result.calendar_retention.query("by == 'all'")["retention"][:9]
    cohorts = result.retention.query("by == 'cohort'").groupby("t")["retention"].agg(["min", "max"])[:9]
    rates = 100 * pd.DataFrame({"pooled, by calendar year": pooled, "cohorts, lowest": cohorts["min"], "highest": cohorts["max"]})
    scores = pd.DataFrame({name: spent(*settings, *more) for name, more in SPENDING.items()}, index=TITLES)
    show({"Subscribers who stay, %": rates.set_axis(rates.index + 1).rename_axis("year").round(1), "Spending on service": scores.round(2)})
    say("\nCohorts: by year with the magazine; all five renew by one schedule, and differ by luck alone")


if __name__ == "__main__":
    run(main)
