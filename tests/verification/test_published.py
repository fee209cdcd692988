"""What others published, reached by theory and by simulation with 1,000,000 customers: experiments/validation.py, and two closer looks.

At another seed one of the simulated numbers would be beyond 4 standard errors 6 times in 100,000; there are about 300, so that 1 run in
50 would fail.
"""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sim
from sim.kernels.types import AFTER, BEFORE, UNIT
from tests.verification.comparing import sd_error
from validation import CASES, HEAD, Figure, figures, section

pytestmark = pytest.mark.jit

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "validation.md").read_text(encoding="utf-8")
N = 1_000_000
Z = 4.0


def is_right(figure: Figure) -> bool:
    """Say whether theory gives what was printed, to its last digit."""
    return abs(figure.exact - figure.published) <= (0.5 + 1e-6) * 10.0**-figure.digits


@pytest.mark.parametrize("case", CASES, ids=[case["title"] for case in CASES])
def test_published_numbers(case: dict[str, Any]) -> None:
    """Theory gives every number but those marked as misprints, simulation gives theory, and the page shows what comes out."""
    found = list(figures(case))
    assert [f for f in found if not math.isnan(f.exact) and is_right(f) == f.misprint] == []
    assert [f for f in found if not (math.isnan(f.z) or abs(f.z) <= Z)] == []
    assert [f for f in found if not f.varies and not math.isclose(f.simulated, f.exact, rel_tol=1e-5)] == []
    assert section(case, found) in PAGE


def test_top_of_the_page() -> None:
    """It counts what stands below it, and below it are all cases and nothing else."""
    rows = [line.split(" | ") for line in re.findall(r"^\| (.*\d.*) \|$", PAGE, re.MULTILINE)]
    z = [abs(float(row[4].replace("−", "-"))) for row in rows if row[4] != "–"]
    counts = {"all": len(rows), "derived": sum("°" in row[1] for row in rows), "misprints": sum("*" in row[1] for row in rows)}
    top = HEAD.format(N=N, **counts, compared=len(z), beyond=sum(value > 2 for value in z), largest=f"{max(z):.2f}", luck=0.0455 * len(z))
    assert PAGE.startswith(top)
    assert re.findall("^## (.*)$", PAGE[len(top) :], re.MULTILINE) == [case["title"] for case in CASES]


# A magazine's subscribers, by its publisher's table, as recomputed from the printed inputs.

SURVIVORS = np.array([1000, 600, 390, 273, 204.75, 159.705, 126.16695, 100.93356, 80.746848, 64.5974784]) / 1000
YEARS = (0.4, 0.21, 0.117, 0.06825, 0.045045, 0.0335381, 0.0252334, 0.0201867, 0.0161494, 0.0645975)
VALUE_OF_YEARS = (5.90, 45.81, 80.52, 110.70, 136.94, 159.76, 179.61, 196.86, 211.87, 224.92)
TOTALS = (1000, 1600, 1990, 2263, 2467.75, 1627.455, 1153.622, 864.556, 672.302, 532.150)


def test_publisher_from_customer_to_customer() -> None:
    customers = sim.simulate(sim.load("publisher", f"run.customers={N}", "run.seed=1", "run.keep_customers=true")).outcome.kept
    assert customers is not None
    value = customers.clv[0] / UNIT
    assert abs(value[:, AFTER].std() - 69.7026) <= Z * sd_error(value[:, AFTER]) + 5e-5
    lost_at = customers.lost_at[0]
    years = np.where(lost_at < 0, 10, lost_at + 1)
    shares = np.array(YEARS)
    assert np.all(np.abs(np.bincount(years, minlength=11)[1:] / N - shares) <= Z * np.sqrt(shares * (1 - shares) / N) + 5e-8)
    for n, published in enumerate(VALUE_OF_YEARS, 1):
        found = value[years == n, BEFORE]
        assert found.min() == found.max() == pytest.approx(published, abs=5.1e-3)
    assert abs(years.mean() - 2.99990) <= Z * years.std() / N**0.5 + 5e-6


def test_subscribers_of_all_cohorts() -> None:
    years = sim.simulate(sim.load("publisher_cohorts", f"run.customers={N}", "run.seed=1")).calendar_retention
    active = years.loc[years["by"] == "all", "active"].to_numpy()[:10]
    spread = [sum(SURVIVORS[y - c] * (1 - SURVIVORS[y - c]) for c in range(5) if 0 <= y - c < 10) for y in range(10)]
    assert np.all(np.abs(active - TOTALS) <= Z * 1000 * np.sqrt(np.array(spread) / (N / 5)) + 5e-4)
