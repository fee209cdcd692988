"""The benchmark runs at a small size: everyone does the same job, what it finds is whole, and the page's table is written from it."""

import importlib.util
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import benchmark
from tests.experiments.running import ROOT, Done, process, run

SMALL = ("customers=2000", "rounds=2", "peer_rounds=2", "threads=1", "mesa=200", "lifetimes=200", "large=4000", "each=0.05")
PEERS = all(importlib.util.find_spec(name) for name in ("mesa", "starsim", "lifetimes"))
PAGE = "# Before\n\n<!-- benchmark:begin -->\nold\n<!-- benchmark:end -->\n\nAfter\n"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Path]:
    """Return what one run printed, and its folder."""
    folder = tmp_path_factory.mktemp("benchmark")
    (folder / "page.md").write_text(PAGE, encoding="utf-8")
    return process("benchmark", folder, *SMALL, "out=found/b.json", "page=page.md"), folder


@pytest.mark.jit
def test_a_small_run(ran: tuple[Done, Path]) -> None:
    done, folder = ran
    assert done.returncode == 0, done.stderr
    found = json.loads((folder / "found" / "b.json").read_text(encoding="utf-8"))
    chain = found["jobs"]["the chain, 120 months"]
    assert set(chain["seconds"]) == {"clvsim", "clvsim, one thread", "NumPy, the living only", "NumPy, everybody"}
    assert chain["ratio"]["clvsim"] == 1
    assert all(value > 0 for job in found["jobs"].values() for value in job["seconds"].values())
    scaling = [row["clvsim, one thread"] / row["clvsim"] for row in chain["each"]]
    median, upper = statistics.median(scaling), statistics.quantiles(scaling, n=4)[2]
    assert found["threads_over_one"] == {"median": median, "upper_quartile": upper}
    assert 15 < found["live_periods_per_customer"] < 30
    assert ("the chain, 120 months, with peers" in found["jobs"]) == PEERS
    assert PEERS or len(done.stderr.splitlines()) == 1
    costs = found["mechanisms"]
    assert len(costs) == 6
    assert all(one["ns"] > 0 and one["blocks"] > 0 for one in costs.values())
    assert {name for name, one in costs.items() if "over_groups" in one} == {name for name in costs if name.endswith(", by period")}
    page = (folder / "page.md").read_text(encoding="utf-8")
    assert page.startswith("# Before\n\n<!-- benchmark:begin -->\n| job |")
    assert page.endswith("<!-- benchmark:end -->\n\nAfter\n")
    assert "old" not in page
    assert f" {median:.4g} times as fast as on one, {upper:.4g} at the upper quartile of the rounds." in page
    assert done.stdout.strip() in page


@pytest.mark.jit
@pytest.mark.skipif(not PEERS, reason="the extra peers is not installed")
def test_peers_do_the_same_job(ran: tuple[Done, Path]) -> None:
    """Means are checked by the benchmark itself, which fails where one is 5 standard errors off."""
    jobs = json.loads((ran[1] / "found" / "b.json").read_text(encoding="utf-8"))["jobs"]
    assert {"Mesa, as its examples", "Mesa, the living only", "Starsim"} <= set(jobs["the chain, 120 months, with peers"]["seconds"])
    for name in ("pareto_nbd", "bgbb"):
        assert jobs[f"a frame of customers, {name}"]["customers"] == {"clvsim": 200, "lifetimes": 200}


def test_a_copy_without_mechanisms(tmp_path: Path) -> None:
    """What is cut is what is off: the copy's chain is the chain."""
    code = (
        "import sys, pathlib; sys.path[:0] = sys.argv[1:2]; import mechanisms\n"
        "mechanisms.without_mechanisms(pathlib.Path('copy'))"
    )  # fmt: skip
    subprocess.run([sys.executable, "-c", code, str(ROOT / "experiments")], cwd=tmp_path, check=True)
    text = (tmp_path / "copy" / "sim" / "kernels" / "step.py").read_text(encoding="utf-8")
    assert " think(" not in text
    assert text.count("book_fixed(") == 1
    compile(text, "step.py", "exec")


def test_mistakes_are_told_in_a_line_each(tmp_path: Path) -> None:
    done = run("benchmark", tmp_path, "customers=many", "rounds=0", "speed=9", "page=nowhere.md")
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["customers", "rounds", "speed", "page"]
    assert list(tmp_path.iterdir()) == []


def test_what_is_found_lies_among_the_results() -> None:
    assert (benchmark.OPTIONS["out"], benchmark.OPTIONS["page"]) == ("results/benchmark.json", "")


def test_the_page_has_a_table() -> None:
    page = (ROOT / "docs" / "benchmark.md").read_text(encoding="utf-8")
    table = page.partition("<!-- benchmark:begin -->\n")[2].partition("<!-- benchmark:end -->")[0]
    assert table.startswith("| job |")
    median, upper = re.findall(r"([\d.]+) times as fast as on one, ([\d.]+) at the upper quartile", table)[0]
    assert 0 < float(median) <= float(upper)


@pytest.mark.parametrize("setting", ["round=3", "rounds=0", "customers=1e5", "3"])
def test_what_mechanisms_are_not_told(setting: str, tmp_path: Path) -> None:
    done = run("mechanisms", tmp_path, setting)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{setting}: must be customers=N or rounds=N, N a whole number above 0\n"
