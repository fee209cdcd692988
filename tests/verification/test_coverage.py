"""What the standard errors are worth: 2,000 runs at 2,000 seeds, each with an interval of its own."""

import numpy as np
import pytest

from sim.compile import compile_tables
from sim.config import load
from sim.engine import run
from sim.exact import exact
from sim.kernels.types import AFTER
from sim.measures.clv import estimate
from sim.measures.sums import money, squares
from sim.scenario.model import Scenario, overlay
from sim.scenario.sample import cells
from sim.studies.result import Result

pytestmark = pytest.mark.jit

SEEDS = 2000
CUSTOMERS = 20_000
SEGMENTS = {
    "loyal": {"share": 0.7, "stages": {"introductory": {"to": {"renewed": {"probability": 0.9}, "lapsed": {"probability": 0.1}}}}},
    "fickle": {"share": 0.3, "stages": {"introductory": {"to": {"renewed": {"probability": 0.1}, "lapsed": {"probability": 0.9}}}}},
}
"""A fifth of the variance is between them, which an error that forgets the strata would count."""


def case(name: str) -> Scenario:
    scenario = load("publisher" if name == "two_segments" else name, f"run.customers={CUSTOMERS}", "run.threads=1")
    segments = {"segments": SEGMENTS} if name == "two_segments" else {}
    return Scenario.model_validate(overlay(scenario.model_dump(exclude_unset=True), segments))


def mean_and_error(result: Result) -> tuple[float, float]:
    """Return what the frame ``clv`` says of all customers, without making its other rows."""
    moments = result.sample.tally.moments[0, :, :, AFTER]
    total, square = money(moments[..., 2:4]).sum(axis=1), squares(moments[..., 4:6]).sum(axis=1)
    mean, se, _ = estimate(total, square, result.sample.customers, result.sample.customers, result.sample.firm)
    return float(mean), float(se)


@pytest.mark.parametrize("name", ["publisher", "sbg_regular", "two_segments"])
def test_intervals_cover_and_errors_are_normal(name: str) -> None:
    """Of intervals of 95 %, 93.5 to 96.5 % hold the exact mean, and the z have variance .87 to 1.13.

    At other seeds right standard errors would fail the first 1 time in 480 (3.1 standard errors of a share) and the second 1 time in
    16,000 (4.1 of a variance).
    """
    scenario = case(name)
    tables, sampled = compile_tables(scenario), [cell.sampled for cell in cells(scenario)]
    expected = exact(scenario).clv_mean
    assert expected is not None
    z = np.empty(SEEDS)
    for seed in range(SEEDS):
        keyed = tables._replace(key=np.array([seed, 0], np.uint64))
        result = Result(scenario, run(keyed, sampled, scenario.run, int(scenario.horizon)), keyed)
        mean, se = mean_and_error(result)
        assert seed or (mean, se) == tuple(result.clv.loc[0, ["mean", "se"]])
        z[seed] = (mean - expected) / se
    assert 0.935 <= np.mean(np.abs(z) <= 1.959964) <= 0.965
    assert 0.87 <= z.var(ddof=1) <= 1.13
    assert abs(z.mean()) < 4.0 / SEEDS**0.5
