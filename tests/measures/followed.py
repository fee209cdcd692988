"""Panels for tests: made by hand, and of small runs."""

from functools import cache
from typing import Any

import numpy as np

from sim.compile import compile_tables
from sim.engine import Panel
from sim.kernels.types import PATTERNS, UNIT, Array
from sim.measures.followed import Followed
from sim.measures.sample import Sample
from sim.scenario.model import Scenario
from sim.scenario.sample import cells
from sim.studies.result import Result
from sim.studies.simulate import simulate
from tests.measures import twin
from tests.zoo import ZOO

STAGES: dict[str, Any] = {
    "new": {"rank": 1, "to": {"loyal": {"probability": 0.3}, "gone": {"probability": 0.2}}},
    "loyal": {"rank": 3, "price": 2.0, "to": {"gone": {"probability": 0.1}}},
    "gone": {"kind": "lost"},
}


def yearly(customers: int, horizon: int = 4, **changes: Any) -> Scenario:
    """Return a scenario in years of two stages and a lost one, everybody of it followed."""
    return Scenario.model_validate(
        {
            "period": "year",
            "horizon": horizon,
            "start": "new",
            "stages": STAGES,
            "firm": {"customers": customers},
            "run": {"panel": customers},
            **changes,
        }
    )


def by_hand(stages: list[str], cash: list[list[float]], scenario: Scenario | None = None, **more: Array) -> Followed:
    """Return a panel of customers whose stages and cash by year are given: stages as "nnlg", one letter a year and one at the end.

    more: fields of Panel that differ from those of customers who pay by subscription and have no minds.
    """
    horizon, n = len(cash[0]), len(cash)
    scenario = scenario or yearly(n, horizon)
    tables, everywhere = compile_tables(scenario), cells(scenario)
    letters = [name[0] for name in scenario.stages]
    stage = np.array([[letters.index(letter) for letter in life] for life in stages]).T
    stay = np.zeros_like(stage)
    for t in range(1, horizon + 1):
        stay[t] = np.where(stage[t] == stage[t - 1], stay[t - 1] + 1, 0)
    counts = tuple(cell.sampled for cell in everywhere)
    cell = np.repeat(np.arange(len(counts)), counts)
    variant = tables.variant[0, tables.segment[cell]].astype(np.int64)
    first = np.concatenate([np.arange(count) for count in counts])
    units = np.round(np.array(cash, dtype=float).T * UNIT).astype(np.int64)
    clv = np.concatenate([np.zeros((1, n), np.int64), np.cumsum(units, axis=0)])
    nothing = np.zeros((horizon + 1, n), np.int64)
    parts: dict[str, Any] = {
        "counts": counts, "cell": cell, "variant": variant, "serial": first, "row": tables.first_row[variant, stage].astype(np.int64),
        "stage": stage, "stay": stay, "clv": clv, "acquisition": nothing, "orders": nothing, "mind": {}, "spend": np.ones(n),
        "pattern": np.full(n, PATTERNS.index("open")), **more,
    }  # fmt: skip
    lives = [twin.Life(int(g), 0, [0] * (horizon + 1), [-1] * horizon, [[0] * 9] * horizon) for g in cell]
    sample = Sample(scenario, everywhere, twin.count(scenario, lives), np.zeros(len(counts), np.int64))
    return Followed(sample, Panel(**parts), tables)


@cache
def deepening(customers: int = 600) -> Result:
    """Return a run of two years and a half with levels, satisfaction and segments, in which everybody is followed."""
    mindful = ZOO["mindful"]
    parts = {
        **mindful,
        "name": "deepening",
        "horizon": 30,
        "market": None,
        "segments": {
            "keen": {"share": 0.6, "match": {"positioning": 0.9, "capability": 0.8, "values": 0.5}},
            "cool": {
                "share": 0.4,
                "stages": {"stability": {"price": 50.0}},
                "match": {"positioning": 0.1, "capability": 0.5, "values": 0.2},
            },
        },
        "firm": {"customers": customers},
        "run": {"panel": customers, "keep_customers": True},
    }
    return simulate(Scenario.model_validate({key: value for key, value in parts.items() if value is not None}))


@cache
def ordering(customers: int = 500) -> Result:
    """Return a run in which customers order now and then."""
    parts = {
        **ZOO["chain"],
        "horizon": 36,
        "purchases": {"kind": "poisson", "rate": {"mean": 0.4, "cv": 0.6}, "order_value": 2.0},
        "firm": {"customers": customers},
        "run": {"panel": customers},
    }
    return simulate(Scenario.model_validate(parts))
