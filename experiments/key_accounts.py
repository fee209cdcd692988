"""What one key-account manager more is worth: python experiments/key_accounts.py [key=value ...].

A PC maker had 300 managers for 20,000 key accounts, some 67 each, and more than 1,000 dealers behind them. Where accounts share the time
that their managers have, one more is worth the less the more there are; here the 301st is worth more than its salary, and the 401st is not.
Turnover takes more of the gain than the share of time without anybody, for salaries are paid all the same; dealers bring a part back.
"""

from pathlib import Path
from typing import Any

import pandas as pd

import sim
from showing import run, save, say, show

CONFIGS = Path(__file__).parent
EACH, SALARY = 20_000 / 300, 15.0  # accounts of a manager; thousand USD a quarter, travel and all, assumed
STEP = 50  # managers between two arms
STAFF = range(200, 451, STEP)
LEAVING, GAP = (0.0, 0.05, 0.15), 2  # of managers, a quarter; quarters before another one knows the account; assumed


def arm(managers: int, leaving: float = 0.0, *, dealers: bool = False) -> dict[str, Any]:
    """Return so many managers, of whom a share leaves each quarter, with dealers behind them or not."""
    staff = {"capacity": round(managers * EACH), "overload": "share", "cost.per_period": managers * SALARY}
    staff |= {"turnover": {"leaving": leaving, "gap": GAP}} if leaving else {}
    policies = ["account_managers", "account_dealers"] if dealers else ["account_managers"]
    return {"policies": policies, **{f"account_managers.{key}": value for key, value in staff.items()}}


def main(*settings: str) -> None:
    """Compare, print and draw; settings: as for ``clvsim simulate``."""
    scenario = sim.load("accounts", *settings, configs=CONFIGS)
    found = sim.compare(scenario, arms={f"{n}": arm(n) for n in STAFF}, configs=CONFIGS)
    rows, cost = {}, found.table["cost"]
    for k, n in enumerate(list(STAFF)[1:], start=2):
        more, paid = found.ahead(k, k - 1), (cost[k] - cost[k - 1]) / STEP
        rows[n - STEP] = [20_000 / (n - STEP), more.mean / STEP + paid, paid, more.mean / STEP, more.se / STEP]
    worth = pd.DataFrame(rows, index=["accounts each", "one more brings", "its salary", "net", "SE"]).T.rename_axis("managers")
    show({"One manager more, thousand USD over ten years": worth.round(1)})
    arms = {f"{q} {cover}": arm(300, q, dealers=cover) for q in LEAVING for cover in (False, True)}
    gross = sim.compare(scenario, arms=arms, configs=CONFIGS).table["gain"].to_numpy()[1:].reshape(-1, 2) / 1000
    gap = [100 * q * GAP / (1 + q * GAP) for q in LEAVING]
    staff = pd.DataFrame({"% of time without": gap, "managers": gross[:, 0], "and dealers": gross[:, 1]}, index=list(LEAVING))
    show({"Gain of 300 managers, million USD": staff.round(1).rename_axis("leave a quarter")})
    most = STEP + worth.index[worth["net"] > 2 * worth["SE"]].max()
    say(f"\nThe 301st brings {worth['net'][300]:,.0f} thousand USD more than its salary; one more is worth having up to {most:.0f}")

    axes = worth[["one more brings", "its salary"]].plot(style=["o-", "--"], title="One key-account manager more")
    axes.set(xlabel="Managers", ylabel="Thousand USD over ten years", ylim=(0, None))
    save(axes.figure, worth, "key_accounts")


if __name__ == "__main__":
    run(main)
