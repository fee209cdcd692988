"""A run that goes on where an earlier one ended is the run of all its customers, to the last bit."""

import numpy as np
import pytest

from sim.compile import compile_tables
from sim.engine import Outcome, run
from sim.engine.run import groups
from sim.scenario.sample import cells
from tests import zoo
from tests.running import assert_same

pytestmark = pytest.mark.usefixtures("small_groups")


def outcome(name: str, sizes: tuple[int, ...], **settings: object) -> Outcome:
    """Return the outcome of a scenario simulated up to each of these numbers of customers in turn."""
    scenario = zoo.scenario(name, **settings)
    tables = compile_tables(scenario)
    found: Outcome | None = None
    for size in sizes:
        sampled = [cell.sampled for cell in cells(scenario, size)]
        found = run(tables, sampled, scenario.run, int(scenario.horizon), before=found)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["chain", "beta", "frailty_seasons_cohorts", "pareto_nbd", "prospects_and_win_back"])
@pytest.mark.parametrize("settings", [{"threads": 1}, {"driver": "period", "replicates": 2}], ids=["group", "period"])
def test_batches_are_one_run(name: str, settings: dict[str, object]) -> None:
    parts = outcome(name, (37, 1100, 1101, 2500), keep_customers=True, **settings)
    whole = outcome(name, (2500,), keep_customers=True, replicates=settings.get("replicates", 1))
    assert parts.sampled == whole.sampled
    assert_same(parts.tally, whole.tally)
    assert parts.kept is not None
    assert whole.kept is not None
    for mine, theirs in zip(parts.kept, whole.kept, strict=True):
        assert np.array_equal(mine, theirs)


def test_what_went_before_stays_as_it_was() -> None:
    scenario = zoo.scenario("chain", customers=900)
    tables = compile_tables(scenario)
    first = run(tables, [300], scenario.run, int(scenario.horizon))
    flows = first.tally.flows.copy()
    second = run(tables, [900], scenario.run, int(scenario.horizon), before=first)
    assert np.array_equal(first.tally.flows, flows)
    assert second.seconds > first.seconds


def test_groups_hold_each_new_customer_once() -> None:
    done, sampled = (0, 1030, 2048, 500), (3, 2100, 2048, 500)
    found: list[tuple[int, int]] = []
    for _, cell, serial, skip, count, _ in groups(done, sampled, 1, False):
        assert serial % 256 == 0
        assert 0 < skip + count <= 256
        found += [(cell, serial + skip + k) for k in range(count)]
    assert found == [(cell, k) for cell, (low, high) in enumerate(zip(done, sampled, strict=True)) for k in range(low, high)]
