"""Keep customers, win them cheaper or borrow cheaper: what 1 % of each is worth: python experiments/elasticities.py [key=value ...].

Where nine in ten customers stay, a percent more retention is worth five times a percent of margin and fifty times one of acquisition cost,
as Gupta, Lehmann and Stuart (2004) found of five firms; where eight in ten stay, less than four and some twenty times. Of a customer who is
there it is worth more than nine times a percent of the discount rate, whatever the retention: (1 + i) / i, but for the size of the step. It
takes the newcomers of fifteen years, who lie further off, to come down to their five; acquisition cost and newcomers are assumed.
"""

import pandas as pd

import sim
from showing import run, save, say, show

SOURCE = "Gupta, Lehmann and Stuart 2004"  # Valuing customers, Journal of Marketing Research 41(1)
# % of value by 1 %; of the discount rate so that retention is worth five times as much
PUBLISHED = {"retention": 5, "margin": 1, "acquisition cost": 0.1, "discount rate": 1}
RATE, COST = 0.12, 0.4  # a year (Gupta and Lehmann 2003); to win a customer, years of margin, assumed
NEWCOMERS = "+cohorts.newcomers={periods: 15, customers: 1000}"  # of a year; assumed
CASES = {"a customer, 80 %": (0.8, ()), "a customer, 90 %": (0.9, ()), "newcomers, 90 %": (0.9, (NEWCOMERS,))}  # who stay


def improved(retention: float, *settings: str) -> pd.DataFrame:
    """Return by how many % a percent of each raises value: exact, and simulated on the same luck, with its standard error."""
    scenario = sim.load("gupta_lehmann", "~segments", "run.customers=50000", "run.replicates=8", *settings, f"acquisition.cost={COST}")
    vary = {
        "stages.customer.to.lost.probability": [1 - retention, 1 - 1.01 * retention, *[1 - retention] * 3],
        "margin": {"values": [1, 1, 1.01, 1, 1], "paths": ["stages.customer.price"], "scale": True},
        "acquisition.cost": [COST, COST, COST, 0.99 * COST, COST],
        "discount_rate_annual": [RATE, RATE, RATE, RATE, 0.99 * RATE],
    }
    found = sim.sweep(scenario, vary, design="list")
    exact = pd.Series([sim.exact(found.plan.at(point)[0].scenario).equity for point in found.plan.points], dtype=float).to_numpy()
    paths = 100 * (found.paths()[1:] / found.paths()[0] - 1)
    columns = 100 * (exact[1:] / exact[0] - 1), paths.mean(axis=1), paths.std(axis=1, ddof=1) / paths.shape[1] ** 0.5
    return pd.DataFrame(dict(zip(("exact", "simulated", "SE"), columns, strict=True)), index=list(PUBLISHED))


def main(*settings: str) -> None:
    """Simulate, print and draw; settings: as for ``clvsim simulate``."""
    found = {case: improved(retention, *more, *settings) for case, (retention, more) in CASES.items()}
    published = pd.Series(PUBLISHED)
    say(f"% of customer value by an improvement of 1 %, and as published: {SOURCE}")
    show({f"Of {case} stay": frame.round(3).assign(published=published) for case, frame in found.items()})
    exact = pd.DataFrame({case: frame["exact"] for case, frame in found.items()}).rename_axis("improved by 1 %")
    ratios = (exact.loc["retention"] / exact).round(1).assign(published=published["retention"] / published)
    show({"Retention is worth so many times": ratios.drop(index="retention").rename_axis(None)})

    axes = exact.plot.bar(rot=0, title="What an improvement of 1 % is worth", figsize=(7, 3.5))
    axes.set(ylabel="% of customer value", xlabel="")
    axes.plot(range(len(exact)), published, "k_", markersize=40, label=SOURCE)
    axes.legend(markerscale=0.5)
    save(axes.figure, exact, "elasticities")


if __name__ == "__main__":
    run(main)
