"""How fast: clvsim against two plain NumPy simulations of the same chain, as ratios measured in one run.

    python experiments/benchmark.py [customers=1000000] [rounds=15] [threads=2] [large=100000000] [out=results/benchmark.json]

The chain: five stages, one matrix, 120 months, discounted profit. clvsim is timed from ``sim.simulate`` to the Tally with all its default
tallies (flows, sojourns, cash by column, payback, distribution of CLV …); the NumPy loops count stages and sum each customer's
profit, no more. Rounds are paired: each times all contestants in turn, so that a machine that is busy for a while slows them alike.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

import sim
from sim.scenario import read

Array = NDArray[Any]

HORIZON = 120
STAGES = ("investigation", "formation", "stability", "decline", "lost")
MATRIX = np.array(
    [
        [0.75, 0.15, 0.00, 0.02, 0.08],
        [0.00, 0.82, 0.12, 0.04, 0.02],
        [0.00, 0.00, 0.95, 0.04, 0.01],
        [0.00, 0.05, 0.03, 0.72, 0.20],
        [0.00, 0.00, 0.00, 0.00, 1.00],
    ]
)
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
    below = MATRIX.cumsum(axis=1)[:, :-1]
    stage = np.zeros(customers, np.int64)
    clv = np.full(customers, -ACQUISITION)
    counts = np.zeros((HORIZON + 1, len(STAGES)), np.int64)
    for t in range(HORIZON):
        counts[t] = np.bincount(stage, minlength=len(STAGES))
        clv += PROFIT[stage] * FACTOR**t
        stage = (rng.random(customers)[:, None] >= below[stage]).sum(axis=1)
    counts[HORIZON] = np.bincount(stage, minlength=len(STAGES))
    return clv, counts


def numpy_living(customers: int, seed: int) -> tuple[Array, Array]:
    """Step only the living, in 8-bit stages and column by column, which is about the best that NumPy does."""
    rng = np.random.default_rng(seed)
    below = [np.ascontiguousarray(column) for column in MATRIX.cumsum(axis=1)[:, :-1].T]
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
        stays = stage_after < len(STAGES) - 1
        gone.append(clv[~stays])
        stage, clv = stage_after[stays], clv[stays]
    counts[HORIZON] = np.bincount(stage, minlength=len(STAGES))
    counts[:, -1] = customers - counts[:, :-1].sum(axis=1)
    return np.concatenate([*gone, clv]), counts


def seconds(work: Callable[[], object]) -> float:
    """Return the wall-clock seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def live_periods(result: Any) -> int:
    """Return how many customer-periods were lived through outside the lost stage."""
    customers = int(result.outcome.tally.moments[0, :, :, 1, 0].sum())
    lost = result.outcome.tally.losses[0].sum(axis=0).cumsum()
    return int(customers * HORIZON - lost[:-1].sum())


def philox_nanoseconds(rounds: int) -> float:
    """Return the nanoseconds of one Philox block on one core: this loop's own, over groups as the kernels draw them."""
    from sim.kernels.philox import counter, draw
    from sim.kernels.types import GROUP

    @numba.njit(nogil=True, error_model="numpy")
    def loop(words: Array, place: Array, key: Array, blocks: int) -> None:
        for t in range(blocks):
            draw(words, place, GROUP, np.uint64(5), counter(0, t, 0), key)

    words, place, key = np.zeros((4, GROUP), np.uint32), np.arange(GROUP, dtype=np.uint16), np.array([1, 0], np.uint64)
    loop(words, place, key, 1)
    return statistics.median(seconds(lambda: loop(words, place, key, 4000)) for _ in range(rounds)) / 4000 / GROUP * 1e9


def repeated(customers: int, threads: int, at_least: float) -> Callable[[], float]:
    """Return a timer of ``sim.simulate`` on ready scenarios, with new seeds, for about ``at_least`` seconds; it gives the mean."""

    def timed(times: int) -> float:
        ready = [scenario(customers, threads, seed) for seed in range(times)]
        return seconds(lambda: [sim.simulate(one) for one in ready]) / times

    return partial(timed, max(1, round(at_least / min(timed(1), timed(1)))))


def child(customers: int) -> dict[str, float]:
    """Return the median time of runs of this size, and peak memory (MB), in a process of its own, its compiled code loaded before."""
    code = (
        "import json, resource, sys, time\n"
        f"sys.path[:0] = [r'{Path(__file__).parent}', r'{Path(__file__).parents[1]}']\n"
        "import benchmark, sim\n"
        "sim.simulate(benchmark.scenario(10_000, 2, 1))\n"
        "taken = []\n"
        f"for seed in range({max(1, min(9, 10_000_000 // customers))}):\n"
        f"    scenario = benchmark.scenario({customers}, 2, seed)\n"
        "    started = time.perf_counter()\n"
        "    result = sim.simulate(scenario)\n"
        "    taken.append((time.perf_counter() - started) / benchmark.live_periods(result))\n"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "print(json.dumps([sorted(taken)[len(taken) // 2], peak]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    nanoseconds, megabytes = json.loads(done.stdout)
    return {"ns_per_live_period": nanoseconds * 1e9, "peak_mb": megabytes}


def main(*arguments: str) -> None:
    """Run the benchmark and print and write its figures."""
    options: dict[str, Any] = {"customers": 1_000_000, "rounds": 15, "threads": 2, "large": 100_000_000, "out": "results/benchmark.json"}
    options |= {key: type(options[key])(value) for key, value in (argument.split("=", 1) for argument in arguments)}
    customers, threads = int(options["customers"]), int(options["threads"])

    compiling = seconds(lambda: sim.simulate(scenario(1000, 1, 1)))
    result: Any = sim.simulate(scenario(customers, threads, 1))
    live = live_periods(result)
    timers = {"clvsim": repeated(customers, threads, 1.0), "clvsim, one thread": repeated(customers, 1, 1.0)}
    rounds: list[dict[str, float]] = []
    for number in range(int(options["rounds"])):
        row = {name: timer() for name, timer in timers.items()}
        row["numpy, everybody"] = seconds(partial(numpy_everybody, customers, number))
        row["numpy, the living"] = seconds(partial(numpy_living, customers, number))
        rounds.append(row)
    median = {name: statistics.median(row[name] for row in rounds) for name in rounds[0]}
    ratio = {name: statistics.median(row[name] / row["clvsim"] for row in rounds) for name in rounds[0]}
    scaling = sorted(row["clvsim, one thread"] / row["clvsim"] for row in rounds)
    nominal = customers * HORIZON
    found = {
        "customers": customers,
        "threads": threads,
        "rounds": len(rounds),
        "live_periods_per_customer": live / customers,
        "seconds": median,
        "ratio_to_clvsim": ratio,
        "two_threads_over_one": {"median": statistics.median(scaling), "upper_quartile": statistics.quantiles(scaling, n=4)[2]},
        "nominal_periods_per_second": {name: nominal / value for name, value in median.items()},
        "live_periods_per_second": {name: live / value for name, value in median.items()},
        "first_call_seconds": compiling,
        "philox_block_ns": philox_nanoseconds(len(rounds)),
        "by_customers": {str(n): child(n) for n in (100_000, 1_000_000, int(options["large"]))},
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    text = json.dumps(found, indent=2)
    print(text)
    out = Path(options["out"])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
