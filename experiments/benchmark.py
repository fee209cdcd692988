"""How fast: clvsim against NumPy, Mesa, Starsim and lifetimes at the same jobs, as ratios measured in one run.

    python experiments/benchmark.py [customers=1000000] [rounds=15] [peer_rounds=5] [threads=2] [mesa=20000] [lifetimes=100000] [each=1.0]
                                    [large=100000000] [out=results/benchmark.json] [page=docs/benchmark.md]

The chain: five stages, one matrix, 120 months, discounted profit (chain.py; peers.py with the extra ``peers``). clvsim is timed from
``sim.simulate`` to the Tally with all its default tallies (flows, sojourns, cash by column, payback, distribution of CLV …); the others
count stages and sum each customer's profit, no more. Rounds are paired: each times all contestants in turn, so that a machine that is busy
for a while slows them alike. Everyone's mean is held against the exact one. What mechanisms cost beside is timed by mechanisms.py. each:
seconds that clvsim is timed for in a round; page: whose table is written anew.
"""

import importlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numba
import numpy as np

import sim
from chain import HORIZON, Array, live_periods, numpy_everybody, numpy_living, scenario
from mechanisms import costs, told
from showing import options, run
from sim.kernels.vectors import AT_ONCE
from sim.scenario import Fault

OPTIONS: dict[str, Any] = {
    "customers": 1_000_000,
    "rounds": 15,
    "peer_rounds": 5,
    "threads": 2,
    "mesa": 20_000,
    "lifetimes": 100_000,
    "each": 1.0,
}
OPTIONS |= {"large": 100_000_000, "out": "results/benchmark.json", "page": ""}
NUMPY = {
    "NumPy, the living only": lambda customers, seed: numpy_living(customers, seed)[0],
    "NumPy, everybody": lambda customers, seed: numpy_everybody(customers, seed)[0],
}


def seconds(work: Callable[[], object]) -> float:
    """Return the wall-clock seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def checked(name: str, values: Any, exact: float) -> None:
    """Raise RuntimeError if the mean of customers' values is 5 standard errors from the exact one: it is another job then."""
    z = (np.mean(values) - exact) / (np.std(values) / len(values) ** 0.5)
    if not abs(z) < 5:
        raise RuntimeError(f"{name} does another job: its mean {np.mean(values):.3f} is {z:.1f} standard errors from {exact:.3f}")


def compared(sizes: Mapping[str, int], timers: Mapping[str, Callable[[int], float]], rounds: int, base: str = "clvsim") -> dict[str, Any]:
    """Time all contestants in turn in each round; return medians of seconds and of each round's ratio to ``base``, a customer.

    sizes: customers of each; timers: from the number of the round to seconds.
    """
    rows = [{name: timer(number) for name, timer in timers.items()} for number in range(rounds)]
    return {
        "customers": dict(sizes),
        "rounds": rounds,
        "seconds": {name: statistics.median(row[name] for row in rows) for name in timers},
        "ratio": {name: statistics.median(row[name] / sizes[name] / (row[base] / sizes[base]) for row in rows) for name in timers},
        "each": rows,
    }


def philox_timer() -> Callable[[], float]:
    """Return a timer of one Philox block on one core, in nanoseconds: of a loop's own, over groups as the kernels draw them."""
    from sim.kernels.philox import counter, draw
    from sim.kernels.types import GROUP

    @numba.njit(nogil=True, error_model="numpy")
    def loop(words: Array, place: Array, key: Array, blocks: int) -> None:
        for t in range(blocks):
            draw(words, place, GROUP, np.uint64(5), counter(0, t, 0), key)

    words, place, key = np.zeros((4, GROUP), np.uint32), np.arange(GROUP, dtype=np.uint16), np.array([1, 0], np.uint64)
    loop(words, place, key, 1)
    return lambda: seconds(lambda: loop(words, place, key, 4000)) / 4000 / GROUP * 1e9


def clvsim(customers: int, threads: int, at_least: float) -> Callable[[int], float]:
    """Return a timer of ``sim.simulate`` on ready scenarios, with new seeds, for about ``at_least`` seconds; it gives the mean."""

    def timed(times: int) -> float:
        ready = [scenario(customers, threads, seed) for seed in range(times)]
        return seconds(lambda: [sim.simulate(one) for one in ready]) / times

    times = max(1, round(at_least / min(timed(1), timed(1))))
    return lambda number: timed(times)


def timed(play: Callable[[int, int], object], customers: int) -> Callable[[int], float]:
    """Return a timer of a function of customers and seed."""
    return lambda number: seconds(partial(play, customers, number))


def child(customers: int) -> dict[str, float]:
    """Return the median time of runs of this size, and peak memory (MB), in a process of its own, its compiled code loaded before."""
    code = (
        "import json, sys, time\n"
        f"sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(sim.__file__).parents[1])!r}]\n"
        "import chain, sim\n"
        "sim.simulate(chain.scenario(10_000, 2, 1))\n"
        "taken = []\n"
        f"for seed in range({max(1, min(100, 100_000_000 // customers))}):\n"
        f"    scenario = chain.scenario({customers}, 2, seed)\n"
        "    started = time.perf_counter()\n"
        "    result = sim.simulate(scenario)\n"
        "    taken.append((time.perf_counter() - started) / chain.live_periods(result))\n"
        "lines = open('/proc/self/status').read().splitlines()\n"  # ru_maxrss of a child begins with its parent's
        "peak = next(int(line.split()[1]) for line in lines if line.startswith('VmHWM')) / 1024\n"
        "print(json.dumps([sorted(taken)[len(taken) // 2], peak]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    nanoseconds, megabytes = json.loads(done.stdout)
    return {"ns_per_live_period": nanoseconds * 1e9, "peak_mb": megabytes}


def the_chain(
    plays: Mapping[str, tuple[Callable[[int, int], Array], int]], customers: int, threads: int, rounds: int, each: float
) -> dict[str, Any]:
    """Time the chain in clvsim (for ``each`` seconds a round) and in others, given with their number of customers and checked first."""
    exact = sim.exact(scenario(customers, 1, 1)).clv_mean
    assert exact is not None
    for name, (play, size) in plays.items():
        checked(name, play(min(size, 100_000), 1), exact)
    own = {"clvsim": clvsim(customers, threads, each), "clvsim, one thread": clvsim(customers, 1, each)}
    sizes = dict.fromkeys(own, customers) | {name: size for name, (_, size) in plays.items()}
    return compared(sizes, own | {name: timed(play, size) for name, (play, size) in plays.items()}, rounds)


def generated(name: str, lifetimes: Callable[[int, int], Any], customers: int, threads: int, rounds: int) -> dict[str, Any]:
    """Time clvsim and lifetimes at making a frame of customers, a row each, of one of the scenarios pareto_nbd and bgbb."""
    own = ("horizon=39",) if name == "pareto_nbd" else ("discount_rate_annual=0",)
    configs = str(Path(__file__).parent) if name == "pareto_nbd" else None
    settings = (*own, "run.keep_customers=true", f"run.customers={customers}", f"run.threads={threads}")
    ready = [sim.load(name, *settings, f"run.seed={seed}", configs=configs) for seed in range(rounds)]
    plays = {"clvsim": lambda _, seed: sim.simulate(ready[seed]).customers, "lifetimes": lifetimes}
    found, exact = {one: play(customers, 0) for one, play in plays.items()}, sim.exact(ready[0])
    assert exact.orders is not None
    checked(f"clvsim, {name}", found["clvsim"]["orders"], exact.orders.sum())
    checked(f"lifetimes, {name}", found["lifetimes"]["frequency"], exact.orders.sum())
    checked(f"lifetimes, {name}, alive", found["lifetimes"]["alive"].astype(float), exact.survival[-1])
    return compared(dict.fromkeys(plays, customers), {one: timed(play, customers) for one, play in plays.items()}, rounds)


def figures_drawn(customers: int, rounds: int) -> dict[str, Any]:
    """Time drawing all figures of a fresh Result as SVG, and drawing them again from the frames that it then has."""
    from sim.report.figures import FIGURES, fitting

    def draw(result: Any) -> None:
        for name in fitting(result):
            FIGURES[name](result).svg()

    results = [sim.simulate(sim.load("markov_lifecycle", f"run.customers={customers}", f"run.seed={seed}")) for seed in range(rounds + 1)]
    draw(results.pop())  # imports, and reads the fonts
    timers = {name: lambda number: seconds(partial(draw, results[number])) for name in ("from a fresh Result", "from ready frames")}
    return compared(dict.fromkeys(timers, customers), timers, rounds, base="from ready frames")


def table(found: Mapping[str, Any]) -> str:
    """Return what the page shows, in Markdown."""
    lines = ["| job | with | customers | seconds | ratio a customer |", "|---|---|--:|--:|--:|"]
    for job, one in found["jobs"].items():
        for name, taken in one["seconds"].items():
            ratio = float(f"{one['ratio'][name]:.3g}")
            lines.append(f"| {job} | {name} | {one['customers'][name]:,} | {taken:.3g} | {ratio:,g} |")
    lines += ["", "| customers, each size in a process of its own | ns a customer-month lived | peak memory, MB |", "|--:|--:|--:|"]
    lines += [f"| {int(n):,} | {one['ns_per_live_period']:.2f} | {one['peak_mb']:.0f} |" for n, one in found["by_customers"].items()]
    lines += ["", *told(found["mechanisms"])]
    packages = ", ".join(f"{name} {number}" for name, number in found["packages"].items())
    wide = ", AVX-512" if found["wide"] else ""
    system = f"{found['cores']} cores{wide}, Python {found['python']}, clvsim {found['version']} on {found['threads']} threads, {packages}"
    over = found["threads_over_one"]
    nominal, lived = (f"{found[f'{kind}_periods_per_second']:.3g}" for kind in ("nominal", "live"))
    speed = f"clvsim: {nominal} nominal customer-months a second, {lived} of them lived through"
    threads = f"On {found['threads']} threads it is {over['median']:.4g} times as fast as on one"
    quartile = f"{over['upper_quartile']:.4g} at the upper quartile of the rounds"
    return "\n".join([*lines, "", f"{speed}. {threads}, {quartile}. {system}."])


def write_page(page: Path, text: str) -> None:
    """Put a text between the marks of a page."""
    begin, end = "<!-- benchmark:begin -->", "<!-- benchmark:end -->"
    before, mark, rest = page.read_text(encoding="utf-8").partition(begin)
    if not mark or end not in rest:
        raise sim.ScenarioError([Fault("page", str(page), f"must hold {begin} and {end}", "give docs/benchmark.md")])
    page.write_text(f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}", encoding="utf-8")


def page_faults(given: Mapping[str, Any]) -> list[Fault]:
    """Say what is wrong with the page that is asked for."""
    missing = given["page"] and not Path(given["page"]).is_file()
    return [Fault("page", given["page"], "must be a page that is there", "give docs/benchmark.md")] if missing else []


def installed_peers() -> Any:
    """Return the module of the peers, or None and say so where one of them is not installed."""
    try:
        return importlib.import_module("peers")
    except ImportError as missing:
        print(f"{missing.name} is not installed: Mesa, Starsim and lifetimes are left out; pip install '.[peers]'", file=sys.stderr)
        return None


def main(*arguments: str) -> None:
    """Run the benchmark, print and write what it found."""
    given = options(arguments, OPTIONS, page_faults)
    customers, threads, rounds, fewer = (int(given[key]) for key in ("customers", "threads", "rounds", "peer_rounds"))
    each, out = float(given["each"]), Path(given["out"])
    out.parent.mkdir(parents=True, exist_ok=True)
    compiling = seconds(lambda: sim.simulate(scenario(1000, 1, 1)))
    result: Any = sim.simulate(scenario(customers, threads, 1))
    chain = "the chain, 120 months"
    jobs = {chain: the_chain({name: (play, customers) for name, play in NUMPY.items()}, customers, threads, rounds, each)}
    packages = ["numba", "numpy", "pandas"]
    peers = installed_peers()
    if peers is not None:
        packages += ["mesa", "starsim", "lifetimes"]
        sizes = {name: customers if name == "Starsim" else int(given["mesa"]) for name in peers.CHAIN}
        jobs[f"{chain}, with peers"] = the_chain(
            {name: (play, sizes[name]) for name, play in peers.CHAIN.items()}, customers, threads, fewer, each
        )
        for name, play in peers.LIFETIMES.items():
            jobs[f"a frame of customers, {name}"] = generated(name, play, int(given["lifetimes"]), threads, fewer)
    jobs["all figures of a run"] = figures_drawn(customers, fewer)
    block = philox_timer()
    scaling = [row["clvsim, one thread"] / row["clvsim"] for row in jobs[chain]["each"]]
    upper = statistics.quantiles(scaling, n=4)[2] if len(scaling) > 1 else scaling[0]
    found = {
        "version": sim.__version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "wide": AT_ONCE,
        "packages": {name: version(name) for name in packages},
        "threads": threads,
        "live_periods_per_customer": live_periods(result) / customers,
        "nominal_periods_per_second": customers * HORIZON / jobs[chain]["seconds"]["clvsim"],
        "live_periods_per_second": live_periods(result) / jobs[chain]["seconds"]["clvsim"],
        "threads_over_one": {"median": statistics.median(scaling), "upper_quartile": upper},
        "first_call_seconds": compiling,
        "philox_block_ns": statistics.median(block() for _ in range(rounds)),
        "mechanisms": costs(max(customers // 5, 1), fewer, block),
        "by_customers": {str(n): child(n) for n in (customers // 10, customers, int(given["large"]))},
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "jobs": jobs,
    }
    print(table(found))
    out.write_text(json.dumps(found, indent=2) + "\n")
    if given["page"]:
        write_page(Path(given["page"]), table(found))


if __name__ == "__main__":
    run(main)
