"""Customers of the panel are those of the run, and each lives as the slow twin says, period by period."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import sim
from sim.compile import compile_tables
from sim.engine import Panel, follow
from sim.kernels.types import AFTER, BEFORE, FELT, LOST, Tables
from sim.scenario.model import Scenario
from sim.scenario.sample import cells
from tests import base, naive
from tests.running import simulate
from tests.zoo import ZOO, changed, scenario

pytestmark = pytest.mark.usefixtures("small_groups")


def few(name: str) -> tuple[Tables, list[int], int]:
    """Return tables, and two customers of each cell, more of each further one."""
    case = scenario(name, customers=400)
    tables = compile_tables(case)
    return tables, [min(cell.sampled, 2 + g) for g, cell in enumerate(cells(case))], int(case.horizon)


@pytest.mark.jit
@pytest.mark.parametrize("name", ZOO)
def test_panel_is_made_of_the_run_s_customers(name: str) -> None:
    case = scenario(name, customers=2600, keep_customers=True)
    tables = compile_tables(case)
    kept, sampled = simulate(case, tables).kept, np.array([cell.sampled for cell in cells(case)])
    assert kept is not None
    panel = follow(tables, [min(count, 1100 - 300 * (g % 3)) for g, count in enumerate(sampled)], int(case.horizon))
    at = (np.cumsum(sampled) - sampled)[panel.cell] + panel.serial
    assert np.array_equal(kept.clv[0, at, AFTER], panel.clv[-1])
    assert np.array_equal(kept.clv[0, at, BEFORE], panel.clv[-1] - panel.acquisition[-1])
    assert np.array_equal(kept.orders[0, at], panel.orders[-1])
    assert np.array_equal(kept.pattern[0, at], panel.pattern)


@pytest.mark.parametrize("name", ["lists_and_renewal", "prospects_and_win_back", "mindful", "mindful_orders", "pareto_nbd"])
def test_each_period_is_the_twin_s(name: str) -> None:
    tables, counts, horizon = few(name)
    panel = follow(tables, counts, horizon)
    for i, (cell, serial) in enumerate(zip(panel.cell, panel.serial, strict=True)):
        life = naive.live(tables, 0, int(cell), 0, int(serial), horizon)
        worth = [sum(amount for (t, _), amount in life.cash.items() if t < end) for end in range(horizon + 1)]
        assert panel.clv[:, i].tolist() == worth
        assert panel.orders[:, i].tolist() == [sum(n for t, n in life.orders.items() if t < end) for end in range(horizon + 1)]
        assert panel.stage[:, i].tolist() == stages(panel, tables, i, life)
        assert panel.stay[:, i].tolist() == stays(panel.stage[:, i].tolist())


def stages(panel: Panel, tables: Tables, i: int, life: naive.Life) -> list[int]:
    """Return the stage of each period, from the twin's moves."""
    moves, found = dict(life.moves), [int(panel.stage[0, i])]
    for t in range(len(panel.stage) - 1):
        edge = moves.get(t)
        row = found[-1] if edge is None else int(tables.row_stage[panel.variant[i], tables.edge_row[panel.variant[i], edge]])
        found.append(row)
    return found


def stays(held: list[int]) -> list[int]:
    found = [0]
    for before, after in pairwise(held):
        found.append(found[-1] + 1 if before == after else 0)
    return found


def test_minds_are_the_twin_s() -> None:
    tables, _, horizon = few("mindful")
    panel = follow(tables, [40], horizon)
    active = tables.stage_kind[panel.stage[:-1]] != LOST
    for i in range(40):
        felt = naive.live(tables, 0, 0, 0, i, horizon).felt
        for place, name in enumerate(("satisfaction", "trust", "level")):
            mine = [round(float(panel.mind[name][t, i]) * FELT) for t in range(horizon) if active[t, i]]
            theirs = [felt[t][(0, 1, 3)[place]] for t in range(horizon) if active[t, i]]
            assert np.abs(np.array(mine) - theirs).max() <= 1


@pytest.mark.parametrize("name", ["mindful", "mindful_orders", "wallet_by_chance", "pareto_nbd"])
def test_what_is_seen_of_those_who_are_done_is_theirs(name: str) -> None:
    """Who is lost for good is no longer computed; who could still come back, though nobody does, is: both look alike."""
    found = []
    for back in ({}, {"to": {next(iter(ZOO[name]["stages"])): {"hazard": 1e-30}}}):
        stages = {**ZOO[name]["stages"], "lost": {"kind": "lost", **back}}
        case = Scenario.model_validate(changed(ZOO[name], stages=stages, run={"customers": 240, "seed": 5}))
        tables = compile_tables(case)
        found.append(follow(tables, [min(120, cell.sampled) for cell in cells(case)], int(case.horizon)))
    gone, waiting = found
    assert (gone.stage == waiting.stage).all()
    lost = tables.stage_kind[gone.stage[-1]] == LOST
    assert lost.any()
    assert not lost.all()
    for field in ("clv", "acquisition", "orders", "spend", "pattern"):
        assert np.array_equal(getattr(gone, field), getattr(waiting, field)), field
    held = tables.stage_kind[gone.stage[:-1]] != LOST
    assert all(np.array_equal(values[held], waiting.mind[key][held]) for key, values in gone.mind.items())


def test_nobody_is_followed_where_nobody_is_asked_for() -> None:
    tables, _, horizon = few("chain")
    panel = follow(tables, [0], horizon)
    assert panel.clv.shape == (horizon + 1, 0)


def test_time_in_a_stage_goes_on_from_before() -> None:
    tables, _, horizon = few("chain")
    plain, later = follow(tables, [50], horizon), follow(tables, [50], horizon, np.full(50, 7))
    first = plain.stay == np.arange(horizon + 1)[:, None]
    assert (later.stay == plain.stay + np.where(first, 7, 0)).all()
    assert not first.all()


def test_existing_customers_are_followed_from_where_they_stand(tmp_path: Path) -> None:
    rows = base.spread(["investigation", "stability"], 8, wallet=["", 40.0])
    result = sim.simulate(base.scenario("chain", base.table(tmp_path, rows * 3), {"panel": 10, "keep_customers": True}))
    panel, kept, existing = result.followed.panel, result.outcome.kept, result.scenario.existing
    assert kept is not None
    assert existing is not None
    assert panel.counts == (10,)
    assert panel.stage[0].tolist() == existing.stage[:10].tolist()
    assert panel.stay[0].tolist() == existing.age[:10].tolist()
    assert panel.clv[-1].tolist() == kept.clv[0, :10, AFTER].tolist()
