"""What mechanisms cost: nanoseconds a customer-period lived through, on one thread, and in blocks of Philox, four random words each.

    python experiments/mechanisms.py [customers=400000] [rounds=9]

As a program it times what a mechanism that is off costs: the chain as it is against the chain in a copy of the package from whose
``step.py`` and ``move.py`` every call of a mechanism was cut, each in a process of its own, turn by turn. benchmark.py times those on.
"""

import copy
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

import sim
from chain import live_periods
from chain import scenario as chain
from showing import run
from sim.scenario import Fault, read

HERE = Path(__file__).parent
ORDERS = {
    "kind": "poisson",
    "rate": {"mean": 1.4, "cv": 0.5},
    "order_value": 28,
    "amount": {"distribution": "gamma", "cv": 0.6},
}
"""Random orders in place of a subscription: a month's number, USD each; assumed."""

CALLS = ("find_stages", "think", "sell", "contact", "book_streams", "spread_word", "return_home", "time_last")
"""Functions that ``step.py`` and ``move.py`` call where a mechanism is on."""


def everything(customers: int, seed: int, driver: str = "group", orders: bool = False, offers: bool = True) -> sim.Scenario:
    """Return the scenario with every mechanism on; orders: random, not a subscription; offers: with products and contacts."""
    raw = yaml.safe_load((HERE / "scenario" / "everything.yaml").read_text(encoding="utf-8"))
    raw = copy.deepcopy(raw) | ({"purchases": ORDERS} if orders else {})
    if not offers:
        del raw["products"]
        for stage in raw["stages"].values():
            for key in ("contacts", "cross_sell", "information_per_contact"):
                stage.pop(key, None)
    return read({**raw, "run": {"customers": customers, "seed": seed, "threads": 1, "driver": driver}}, "everything")


def by_period(scenario: sim.Scenario) -> sim.Scenario:
    """Return a scenario run by the other driver."""
    return scenario.model_copy(update={"run": scenario.run.model_copy(update={"driver": "period"})})


BEHAVIOUR, ALL = "every mechanism of behaviour", "every mechanism"
CASES: Mapping[str, Callable[[int, int], sim.Scenario]] = {
    "the chain": lambda customers, seed: chain(customers, 1, seed),
    "the chain, by period": lambda customers, seed: by_period(chain(customers, 1, seed)),
    BEHAVIOUR: lambda customers, seed: everything(customers, seed, offers=False),
    f"{BEHAVIOUR}, by period": lambda customers, seed: everything(customers, seed, "period", offers=False),
    ALL: everything,
    f"{ALL}, random orders": lambda customers, seed: everything(customers, seed, orders=True),
}


def nanoseconds(scenario: sim.Scenario) -> float:
    """Return the nanoseconds a customer-period lived through takes."""
    started = time.perf_counter()
    result = sim.simulate(scenario)
    return (time.perf_counter() - started) / live_periods(result) * 1e9


def costs(customers: int, rounds: int, block: Callable[[], float]) -> dict[str, dict[str, float]]:
    """Time every case in turn in each round, and a block of Philox before it (``block``, ns); return medians, blocks those of ratios.

    over_groups: of a driver by period, the ratio to the same case by groups.
    """
    for make in CASES.values():
        sim.simulate(make(1000, 0))
    rows = [(block(), {name: nanoseconds(make(customers, seed)) for name, make in CASES.items()}) for seed in range(rounds)]
    found = {
        name: {
            "ns": statistics.median(row[name] for _, row in rows),
            "blocks": statistics.median(row[name] / one for one, row in rows),
        }
        for name in CASES
    }
    for name in CASES:
        base = name.removesuffix(", by period")
        if base != name:
            found[name]["over_groups"] = statistics.median(row[name] / row[base] for _, row in rows)
    return found


def told(found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return the lines of a table of costs, in Markdown."""
    lines = ["| on one thread | ns a customer-month lived | blocks of Philox | over the driver by groups |", "|---|--:|--:|--:|"]
    for name, one in found.items():
        over = f"{one['over_groups']:.2f}" if "over_groups" in one else ""
        lines.append(f"| {name} | {one['ns']:.3g} | {one['blocks']:.3g} | {over} |")
    return lines


def without_mechanisms(folder: Path) -> None:
    """Copy the package to a folder and cut every call of a mechanism out of its ``step.py`` and ``move.py``."""
    shutil.copytree(Path(sim.__file__).parent, folder / "sim", ignore=shutil.ignore_patterns("__pycache__"))
    files = {file: file.read_text(encoding="utf-8") for file in (folder / "sim" / "kernels" / name for name in ("step.py", "move.py"))}
    for call in CALLS:
        cut = re.compile(rf"^( +)if [^\n]*:\n +{call}\([^\n]*\)\n", flags=re.MULTILINE)
        if sum(len(cut.findall(text)) for text in files.values()) != 1:
            raise RuntimeError(f"{call} is not called once")
        files = {file: cut.sub("", text) for file, text in files.items()}
    for file, text in files.items():
        file.write_text(text, encoding="utf-8")


PLAYER = """
import sys
sys.path[:0] = sys.argv[1:]
import chain, mechanisms
for line in sys.stdin:
    customers, seed = map(int, line.split())
    print(mechanisms.nanoseconds(chain.scenario(customers, 1, seed)), flush=True)
"""


def player(package: Path) -> "subprocess.Popen[str]":
    """Return a process that times the chain in a package for each line of customers and seed that it reads."""
    command = [sys.executable, "-c", PLAYER, str(package), str(HERE)]
    environment = {**os.environ, "PYTHONPATH": str(package)}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def ask(process: "subprocess.Popen[str]", customers: int, seed: int) -> float:
    """Return what a player took."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{customers} {seed}\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def main(*settings: str) -> None:
    """Time what a mechanism that is off costs, and print it."""
    given = {"customers": "400000", "rounds": "9"}
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in given or not value.isdecimal() or int(value) == 0:
            raise sim.ScenarioError([Fault(setting, "", "must be customers=N or rounds=N, N a whole number above 0")])
        given[key] = value
    size, times = int(given["customers"]), int(given["rounds"])
    with tempfile.TemporaryDirectory() as folder:
        without_mechanisms(Path(folder))
        here, cut = player(Path(sim.__file__).parents[1]), player(Path(folder))
        for process in (here, cut):
            ask(process, 1000, 0)
        pairs = [(ask(here, size, seed), ask(cut, size, seed)) for seed in range(times)]
        for process in (here, cut):
            process.communicate()
    ratios = sorted(one / other for one, other in pairs)
    middle = statistics.median(one for one, _ in pairs), statistics.median(other for _, other in pairs)
    print(f"the chain: {middle[0]:.3g} ns a customer-month lived; with every mechanism cut out: {middle[1]:.3g}")
    print(f"ratio: {statistics.median(ratios):.4f}, {ratios[0]:.4f} to {ratios[-1]:.4f} over {times} rounds")


if __name__ == "__main__":
    run(main)
