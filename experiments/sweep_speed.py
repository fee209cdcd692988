"""How fast sweeps are: the share of the time that is spent in kernels, beside Hydra's multirun, and in how much memory.

    python experiments/sweep_speed.py [points=1000] [many=10000] [hydra=50] [out=results/sweep_speed.json]

Points of ``lifecycle`` over discount rate and margin, 120 months, on all cores: ``points`` of 100,000 and of 10,000 customers; the share is
processor time inside the kernels, over the threads, of wall clock from the plan to the table: reading and judging every point is in it,
and so is waiting for the interpreter. Hydra: the same
rows of ``hydra`` points of 1,000 customers from ``--multirun`` in one process (its own sweeper and launcher), where a job reads its
composed config by the same gate. Memory: the peak of a process that sweeps ``many`` points of 100 customers.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import sim
from showing import options, run
from sim.scenario.study import read_study
from sim.studies.planning import plan
from sim.studies.sweep import run as run_plan

OPTIONS: dict[str, Any] = {"points": 1000, "many": 10_000, "hydra": 50, "out": "results/sweep_speed.json"}

VARY = {"discount_rate_annual": {"low": 0.05, "high": 0.2}, "stages.stability.margin": {"low": 0.4, "high": 0.7}}

JOB = """
import json, sys, time
import hydra
from omegaconf import OmegaConf
from sim.scenario import read
from sim.studies.simulate import simulate
from sim.measures.row import row

@hydra.main(version_base="1.3", config_path={configs!r}, config_name="lifecycle")
def job(config):
    raw = OmegaConf.to_container(config, resolve=True)
    told = row(simulate(read(raw, "lifecycle")).sample)
    with open({rows!r}, "a") as rows:
        rows.write(json.dumps({{"discount_rate_annual": raw["discount_rate_annual"], **told}}) + "\\n")

started = time.perf_counter()
job()
print("seconds", time.perf_counter() - started)
"""


@contextmanager
def watched() -> Iterator[list[float]]:
    """Give a list that fills with the processor seconds of each call of the kernels."""
    engine, spent = sys.modules["sim.engine.run"], list[float]()
    kernels = engine.run_groups

    def timed(*given: Any) -> None:
        before = time.thread_time()
        kernels(*given)
        spent.append(time.thread_time() - before)

    vars(timed)["overloads"] = getattr(kernels, "overloads", True)
    with mock.patch.object(engine, "run_groups", timed):
        yield spent


def swept(points: int, customers: int) -> dict[str, float]:
    """Return seconds and the kernels' share of a sweep."""
    scenario = sim.load("lifecycle", f"run.customers={customers}")
    with watched() as spent:
        started = time.perf_counter()
        found = run_plan(plan(scenario, read_study({"vary": VARY, "points": points})))
        assert len(found.table) == points
        seconds = time.perf_counter() - started
    return {"points": points, "customers": customers, "seconds": seconds, "kernels": sum(spent) / found.threads / seconds}


def beside_hydra(points: int) -> dict[str, float]:
    """Return how many times as long Hydra's multirun takes for the same rows."""
    rates = [round(0.05 + 0.15 * k / points, 6) for k in range(points)]
    scenario = sim.load("lifecycle", "run.customers=1000")
    run_plan(plan(scenario, read_study({"vary": {"discount_rate_annual": rates[:2]}})))
    started = time.perf_counter()
    own = run_plan(plan(scenario, read_study({"vary": {"discount_rate_annual": rates}})))
    seconds = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as place:
        configs = next(
            path for path in (Path(sim.__file__).parent / "_configs", Path(sim.__file__).parents[1] / "configs") if path.is_dir()
        )
        rows, app = Path(place) / "rows.jsonl", Path(place) / "app.py"
        app.write_text(JOB.format(configs=str(configs / "scenario"), rows=str(rows)))
        listed = ",".join(map(str, rates))
        command = [
            sys.executable,
            str(app),
            "--multirun",
            f"discount_rate_annual={listed}",
            "run.customers=1000",
            f"hydra.sweep.dir={place}/out",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=place)
        theirs = {one["discount_rate_annual"]: one["equity"] for one in map(json.loads, rows.read_text().splitlines())}
    assert theirs == dict(zip(own.table["discount_rate_annual"], own.table["equity"], strict=True)), "they do another job"
    hydra = float(next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("seconds")))
    return {"points": points, "seconds": seconds, "hydra_seconds": hydra, "ratio": hydra / seconds}


def peak(points: int) -> dict[str, float]:
    """Return the peak memory (MB) of a process that sweeps so many points of 100 customers, and its seconds."""
    code = (
        "import sys, time\n"
        f"sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(sim.__file__).parents[1])!r}]\n"
        "import sweep_speed\n"
        "started = time.perf_counter()\n"
        f"sweep_speed.swept({points}, 100)\n"
        "lines = open('/proc/self/status').read().splitlines()\n"
        "print(time.perf_counter() - started, next(int(line.split()[1]) for line in lines if line.startswith('VmHWM')) / 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, megabytes = map(float, done.stdout.split())
    return {"points": points, "seconds": seconds, "peak_mb": megabytes}


def main(*arguments: str) -> None:
    """Run the benchmark, print and write what it found."""
    given = options(arguments, OPTIONS)
    swept(4, 1000)  # compiles what is not compiled yet
    found = {"shares": [swept(given["points"], customers) for customers in (100_000, 10_000)]}
    found |= {"hydra": beside_hydra(given["hydra"]), "memory": peak(given["many"])}  # type: ignore[dict-item]
    text = json.dumps(found, indent=2)
    print(text)
    Path(given["out"]).parent.mkdir(parents=True, exist_ok=True)
    Path(given["out"]).write_text(text + "\n")


if __name__ == "__main__":
    run(main)
