"""Existing customers: the same result to the last bit whatever the order, the threads and who stands beside them."""

from pathlib import Path

import numpy as np
import pytest

from sim.compile import compile_tables
from sim.engine import arrays
from sim.engine.run import groups
from sim.kernels.drivers import run_groups
from sim.kernels.types import BEFORE, Kept
from sim.scenario.model import Scenario
from sim.scenario.sample import cells
from tests import base, zoo
from tests.running import assert_same, simulate

pytestmark = pytest.mark.usefixtures("small_groups")

CHAIN_STAGES = ("investigation", "formation", "stability", "decline")


def many(folder: Path, repeated: int = 2_000, name: str = "mindful_orders") -> Scenario:
    """Return a scenario with existing customers of many stages, ages, levels and wallets, and some new ones."""
    rows = base.spread(CHAIN_STAGES, 8, segment=["keen", "cool"], level=[0.5, "", 0.1], wallet=["", 4.0, 0.25, 1.0])
    return base.scenario(name, base.table(folder, rows * repeated), {"customers": 3_000}, firm={"customers": 9_000})


@pytest.mark.jit
def test_threads_drivers_and_order(tmp_path: Path) -> None:
    scenario = many(tmp_path)
    tables = compile_tables(scenario)
    one = simulate(scenario, tables, threads=1).tally
    assert_same(one, simulate(scenario, tables, threads=8).tally)
    assert_same(one, simulate(scenario, tables, driver="period").tally)
    sampled = [cell.sampled for cell in cells(scenario)]
    every = np.array(list(groups([0] * len(sampled), sampled, 1, keep=False)), np.int64)
    shuffled, wide = np.random.default_rng(0).permutation(every), arrays.width(max(sampled))
    tally = arrays.empty_tally(tables, int(scenario.horizon), 1)
    run_groups(
        tables,
        tally,
        arrays.empty_kept(1, 0),
        arrays.empty_state(tables, 1, wide),
        arrays.empty_scratch(tables, wide),
        shuffled,
        arrays.empty_state(tables, 0, 0),
    )
    assert_same(one, arrays.canonical(tally))


def kept_of(scenario: Scenario) -> list[Kept]:
    """Return what is kept of each cell's customers."""
    kept = simulate(scenario, keep_customers=True).kept
    assert kept is not None
    ends = np.cumsum([cell.sampled for cell in cells(scenario)])
    return [Kept(*(part[0, start:end] for part in kept)) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def test_more_rows_move_no_draw(tmp_path: Path) -> None:
    rows = base.spread(CHAIN_STAGES, 8, wallet=["", 4.0, 1.0])
    few, many = (base.scenario("chain", base.table(tmp_path, rows * n, f"{n}.csv")) for n in (30, 70))
    [one], [other] = kept_of(few), kept_of(many)
    assert len(other.clv) > len(one.clv) > 4 * 256
    for less, more in zip(one, other, strict=True):
        np.testing.assert_array_equal(more[: len(less)], less)


def test_a_base_moves_no_draw_of_new_customers(tmp_path: Path) -> None:
    file = base.table(tmp_path, base.spread(CHAIN_STAGES, 3, segment=["small", "large"]))
    with_base = kept_of(base.scenario("frailty_seasons_cohorts", file, {"customers": 800}))
    without = kept_of(zoo.scenario("frailty_seasons_cohorts", customers=800))
    assert len(with_base) == len(without) + 2
    for mine, theirs in zip(with_base, without, strict=False):
        for part, other in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(part, other)


def test_a_row_says_who_somebody_is(tmp_path: Path) -> None:
    """What others in the table are changes nothing for a customer; what its own row says does."""
    rows = base.spread(CHAIN_STAGES, 8, wallet=["", 4.0, 1.0])
    changed = [{**row, "age": 0, "stage": "decline"} if k == 5 else row for k, row in enumerate(rows)]
    [one], [other] = (kept_of(base.scenario("chain", base.table(tmp_path, each, f"{k}.csv"))) for k, each in enumerate((rows, changed)))
    assert np.flatnonzero((one.clv != other.clv).any(axis=1)).tolist() == [5]


def test_acquisition_is_sunk(tmp_path: Path) -> None:
    file = base.table(tmp_path, base.spread(["potential", "new", "loyal"], 4) * 40)
    arrival = simulate(base.scenario("prospects_on_arrival", file), keep_customers=True)
    assert not arrival.tally.cash[..., 3, :].any()
    assert arrival.tally.conversions.sum() > 0
    found = base.scenario("prospects_and_win_back", file)
    due = simulate(found)
    cost = 7.0 * 2**20 * found.discount_factor ** np.arange(1, 11)
    paid = due.tally.cash[0, 0, :, 3, 0] * 2**32 + due.tally.cash[0, 0, :, 3, 1]
    np.testing.assert_allclose(paid, -cost * due.tally.conversions[0, 0], atol=1e3)
    assert due.tally.conversions.sum() == arrival.tally.conversions.sum()


def test_wallets_scale_what_is_bought(tmp_path: Path) -> None:
    """Customers who buy for their own wallet, on the same draws: twice the wallet is twice the money, up to rounding."""
    rows = [[{"stage": "stability", "age": 3, "wallet": wallet}] * 500 for wallet in (1.0, 2.0)]
    one, two = (kept_of(base.scenario("chain", base.table(tmp_path, each, f"{k}.csv"), stages=FREE))[0] for k, each in enumerate(rows))
    np.testing.assert_allclose(two.clv[:, BEFORE], 2 * one.clv[:, BEFORE], atol=20)
    assert one.clv[:, BEFORE].min() > 0


FREE = {key: {**stage, "cost_to_serve": 0.0} for key, stage in zoo.CHAIN["stages"].items()}
