"""Retention over everybody climbs though nobody changes: python experiments/cohort_retention.py [key=value ...].

A magazine wins 1,000 subscribers in each of five years and none afterwards; all renew by the same schedule, 60 % after the first year, then
more. Retention over all of them climbs from 60.0 to 79.2 %, because new ones, who lapse most, become fewer among them. It tells how old the
customers are and not how loyal: within each cohort the rates stay what they were.
"""

import numpy as np
import pandas as pd

import sim
from showing import beside, run, save, say, show

PRINTED = pd.Series([60, 61.9, 63.5, 64.9, 66.0, 70.9, 75.0, 77.8, 79.2])  # %; the publisher's cohorts in the textbook, years 1 to 9


def main(*settings: str) -> None:
    """Simulate, print and draw; settings: as for ``clvsim simulate``."""
    result = sim.simulate(sim.load("publisher_cohorts", "run.customers=1e6", *settings))
    found = result.calendar_retention.query("by == 'all'")
    here, stay = (np.convolve(found["new"], part)[: len(found)] for part in (result.exact.active[:-1], result.exact.active[1:]))
    rates = beside(PRINTED, pd.Series(100 * stay / here), 100 * found["retention"], 100 * found["se"], digits=(1, 2))[: len(PRINTED)]
    cohorts = result.retention.query("by == 'cohort'").pivot_table(index="t", columns="id", values="retention") * 100
    cohorts = cohorts.rename(columns=lambda cohort: f"c{cohort.rpartition('.')[2]}")
    cohorts.insert(0, "exact", 100 * result.exact.retention)
    say("Subscribers who stay to the next year, %")
    tables = {"all, by calendar year": rates, "each cohort, by year with the magazine": cohorts.round(1)}
    show({title: table.set_axis(table.index + 1).rename_axis("year") for title, table in tables.items()})
    say("\n* The book divides whole subscribers.")

    drawn = result.calendar_retention.query("by != 'segment'").pivot_table(index="y", columns="id", values="retention").mul(100)
    axes = drawn.drop(columns="all").plot(color="0.6", marker=".")
    whole = axes.errorbar(drawn.index, drawn["all"], 196 * found["se"], color="black", capsize=3)
    axes.legend([axes.lines[0], whole], ["a cohort", "all subscribers, 95 % interval"])
    axes.set(
        xlabel="Calendar year from 0", ylabel="Stay to the next year, %", title="Cohorts climb the same stairs; the mix moves the whole"
    )
    save(axes.figure, drawn, "cohort_retention")


if __name__ == "__main__":
    run(main)
