"""The job of the benchmark: customers in five stages over 120 months, in clvsim and in plain NumPy.

The NumPy functions return each customer's CLV (customers,) and the customers of each stage by month (121, 5), no more.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import sim
from sim.scenario import read

Array = NDArray[Any]

HORIZON = 120
STAGES = ("investigation", "formation", "stability", "decline", "lost")
LOST = STAGES.index("lost")
MATRIX = np.array(
    [
        [0.75, 0.15, 0.00, 0.02, 0.08],
        [0.00, 0.82, 0.12, 0.04, 0.02],
        [0.00, 0.00, 0.95, 0.04, 0.01],
        [0.00, 0.05, 0.03, 0.72, 0.20],
        [0.00, 0.00, 0.00, 0.00, 1.00],
    ]
)
BELOW = MATRIX.cumsum(axis=1)[:, :-1]
"""A uniform number in [0, 1) leads from stage i to the number of entries of row i that it is not below."""
PROFIT = np.array([5.0, 40.0, 60.0, 12.0, 0.0])
ACQUISITION = 40.0
FACTOR = 1.1 ** (-1 / 12)


def scenario(customers: int, threads: int, seed: int) -> sim.Scenario:
    """Return the chain as a scenario."""
    stages: dict[str, Any] = {
        stage: {
            "price": float(PROFIT[i]),
            "to": {target: {"probability": float(p)} for target, p in zip(STAGES, MATRIX[i], strict=True) if p and target != stage},
        }
        for i, stage in enumerate(STAGES[:-1])
    }
    stages["lost"] = {"kind": "lost"}
    return read(
        {
            "period": "month",
            "horizon": HORIZON,
            "discount_rate_annual": 0.1,
            "start": "investigation",
            "stages": stages,
            "acquisition": {"cost": ACQUISITION},
            "run": {"customers": customers, "threads": threads, "seed": seed},
        },
        "benchmark",
    )


def numpy_everybody(customers: int, seed: int) -> tuple[Array, Array]:
    """Step everybody through every period, as one writes it first; return each customer's CLV and the stage counts."""
    rng = np.random.default_rng(seed)
    stage = np.zeros(customers, np.int64)
    clv = np.full(customers, -ACQUISITION)
    counts = np.zeros((HORIZON + 1, len(STAGES)), np.int64)
    for t in range(HORIZON):
        counts[t] = np.bincount(stage, minlength=len(STAGES))
        clv += PROFIT[stage] * FACTOR**t
        stage = (rng.random(customers)[:, None] >= BELOW[stage]).sum(axis=1)
    counts[HORIZON] = np.bincount(stage, minlength=len(STAGES))
    return clv, counts


def numpy_living(customers: int, seed: int) -> tuple[Array, Array]:
    """Step only the living, in 8-bit stages and column by column, which is about the best that NumPy does."""
    rng = np.random.default_rng(seed)
    below = [np.ascontiguousarray(column) for column in BELOW.T]
    stage = np.zeros(customers, np.int8)
    clv = np.full(customers, -ACQUISITION)
    counts = np.zeros((HORIZON + 1, len(STAGES)), np.int64)
    gone = []
    for t in range(HORIZON):
        counts[t] = np.bincount(stage, minlength=len(STAGES))
        clv += (PROFIT * FACTOR**t)[stage]
        drawn = rng.random(stage.size)
        stage_after = np.zeros(stage.size, np.int8)
        for column in below:
            stage_after += drawn >= column[stage]
        stays = stage_after < LOST
        gone.append(clv[~stays])
        stage, clv = stage_after[stays], clv[stays]
    counts[HORIZON] = np.bincount(stage, minlength=len(STAGES))
    counts[:, -1] = customers - counts[:, :-1].sum(axis=1)
    return np.concatenate([*gone, clv]), counts


def live_periods(result: Any) -> int:
    """Return how many customer-periods were lived through outside the lost stage."""
    customers = int(result.outcome.tally.moments[0, :, :, 1, 0].sum())
    lost = result.outcome.tally.losses[0].sum(axis=0).cumsum()
    return int(customers * HORIZON - lost[:-1].sum())
