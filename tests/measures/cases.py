"""Small scenarios with something of everything, and the publisher's cohorts."""

from typing import Any

import pandas as pd

from sim.scenario.model import Scenario


def part(frame: pd.DataFrame, by: str = "all", identity: str | None = None) -> pd.DataFrame:
    """Return the rows of one kind of group, or of one group."""
    rows = frame[frame["by"] == by]
    return rows if identity is None else rows[rows["id"] == identity]


def relationship(**changes: Any) -> Scenario:
    """Prospects, two ranks, win-back, a renewal, edge cash, two segments, three cohorts, replicates."""
    return Scenario.model_validate(
        {
            "name": "relationship",
            "period": "quarter",
            "horizon": 9,
            "discount_rate_annual": 0.12,
            "start": "lead",
            "stages": {
                "lead": {"kind": "prospect", "cost_to_serve": 0.5, "to": {"trial": {"probability": 0.5}, "gone": {"probability": 0.1}}},
                "trial": {
                    "rank": 1,
                    "price": 3.0,
                    "to": {"steady": {"probability": [0.2, 0.4]}, "gone": {"probability": 0.2, "cause": "own"}},
                },
                "steady": {
                    "rank": 3,
                    "margin": 0.8,
                    "price": [9.0, 11.0],
                    "to": {"gone": {"probability": 0.15, "cash": -2.0, "cause": "rival"}, "steady": {"probability": 0.3}},
                },
                "gone": {"kind": "lost", "to": {"trial": {"probability": 0.1}}},
            },
            "purchases": {"kind": "subscription", "wallet": {"mean": 2.0, "cv": 0.4, "distribution": "lognormal"}},
            "acquisition": {"cost": 12.0},
            "patterns": {"long_lasting": 4},
            "segments": {"thrifty": {"share": 0.7}, "grand": {"share": 0.3, "purchases": {"wallet": {"mean": 5.0}}}},
            "cohorts": {
                "launch": {"first_period": 0, "customers": 300},
                "later": {"first_period": 2, "periods": 2, "budget": 500.0, "response": {"ceiling": 250.0, "k": 0.004}},
            },
            "firm": {"setup_cost": 100.0, "fixed_cost": 10.0},
            "run": {"customers": 150, "replicates": 2, "keep_customers": True},
            **changes,
        }
    )


RENEWAL = (0.60, 0.65, 0.70, 0.75, 0.78, 0.79, 0.80, 0.80, 0.80, 0.80)


def publisher(**changes: Any) -> Scenario:
    """A magazine's subscribers: first year 35.90, renewals 75.90, variable cost 30, acquisition 50, discount 15 %."""
    return Scenario.model_validate(
        {
            "name": "magazine",
            "currency": "CNY",
            "period": "year",
            "horizon": 10,
            "discount_rate_annual": 0.15,
            "start": "subscribed",
            "stages": {
                "subscribed": {
                    "price": [35.9, 75.9],
                    "cost_to_serve": 30.0,
                    "to": {"lapsed": {"probability": [round(1 - rate, 2) for rate in RENEWAL]}},
                },
                "lapsed": {"kind": "lost"},
            },
            "acquisition": {"cost": 50.0},
            "firm": {"customers": 1000},
            **changes,
        }
    )
