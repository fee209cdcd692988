"""The kernels against their slow twin, customer by customer and count by count: equal, not close."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.compile import compile_tables
from sim.kernels.types import AFTER, BEFORE, PATTERNS
from sim.scenario.model import Scenario
from sim.scenario.sample import cells
from tests import base, zoo
from tests.naive import live
from tests.naive_policies import LEDGER
from tests.running import simulate

pytestmark = pytest.mark.usefixtures("small_groups")

CUSTOMERS = 40
RUN: dict[str, Any] = {"seed": 2**40 + 7, "replicates": 2, "keep_customers": True, "threads": 1}
CHAIN_STAGES = ("investigation", "formation", "stability", "decline")


@pytest.mark.parametrize("name", zoo.ZOO)
def test_kernels_equal_their_twin(name: str) -> None:
    assert_equal_twin(zoo.scenario(name, **RUN, customers=CUSTOMERS))


BASES: dict[str, dict[str, Any]] = {
    "mindful": {"stages": CHAIN_STAGES, "oldest": 4, "level": (0.3, "", 1.0), "wallet": ("", 0.5, 7.0)},
    "mindful_orders": {"stages": CHAIN_STAGES, "oldest": 2, "segment": ("keen", "cool"), "level": (0.8, 0.2, 0.0), "wallet": (3.0, "")},
    "frailty_seasons_cohorts": {"stages": CHAIN_STAGES, "oldest": 3, "segment": ("large", "small")},
    "lists_and_renewal": {"stages": ("member",), "oldest": 9},
    "beta": {"stages": ("customer",), "oldest": 30},
    "durations": {"stages": ("customer",), "oldest": 30},
    "wallet_by_chance": {"stages": ("customer",), "oldest": 5, "wallet": (2.0, "", 9.5)},
    "pareto_nbd": {"stages": ("customer",), "oldest": 30, "correlations": {"wallet": {"rate": 0.4}}},
    "prospects_and_win_back": {"stages": ("potential", "new", "loyal"), "oldest": 12},
    "prospects_on_arrival": {"stages": ("potential", "new", "loyal"), "oldest": 3},
    "active": {"stages": CHAIN_STAGES, "oldest": 3, "segment": ("keen", "cool")},
}


def test_customers_with_past_orders_equal_their_twin(tmp_path: Path) -> None:
    """One is gone by calendar 0, in every combination of segments with laws of their own, lists by age and moves with cash."""
    past: list[dict[str, Any]] = [
        {"x": 0, "t_x": 0, "T": 3.25},
        {"x": 0, "t_x": 0, "T": 0},
        {"x": 9, "t_x": 6.5, "T": 11.0},
        {"x": 2, "t_x": 2.5, "T": 9.75},
    ]
    rows = [{"stage": "customer", "segment": segment, "wallet": wallet, **row} for row in past for segment, wallet in SEGMENTS] * 3
    assert_equal_twin(base.scenario("pareto_nbd", base.table(tmp_path, rows), {**RUN, "customers": 15}, **PAST))


SEGMENTS = (("keen", ""), ("cool", 2.0), ("cool", ""))
PAST: dict[str, Any] = {
    "firm": {"customers": 20},
    "correlations": {},
    "segments": {"keen": {"share": 0.3}, "cool": {"share": 0.7, "frailty": {"variance": 0.4}, "purchases": {"rate": {"rate": 0.9}}}},
    "stages": {
        "customer": {"rank": 3, "price": [2.0, 3.0], "cost_to_serve": 0.1, "to": {"lost": {"hazard": 0.08, "cash": -1.0}}},
        "lost": {"kind": "lost"},
    },
}


@pytest.mark.parametrize("name", BASES)
def test_existing_customers_equal_their_twin(name: str, tmp_path: Path) -> None:
    rows = {key: value for key, value in BASES[name].items() if key != "correlations"}
    changes = {key: value for key, value in BASES[name].items() if key == "correlations"}
    file = base.table(tmp_path, base.spread(rows.pop("stages"), rows.pop("oldest"), **rows))
    kept = {"firm": {"customers": 20}} if "cohorts" not in zoo.ZOO[name] else {}
    assert_equal_twin(base.scenario(name, file, {**RUN, "customers": 15}, **kept, **changes))


def assert_equal_twin(scenario: Scenario) -> None:
    tables = compile_tables(scenario)
    outcome = simulate(scenario, tables)
    tally, kept = outcome.tally, outcome.kept
    assert kept is not None
    horizon = int(scenario.horizon)
    at = 0
    cash: Counter[tuple[int, ...]] = Counter()
    flows: Counter[tuple[int, ...]] = Counter()
    sojourns: Counter[tuple[int, ...]] = Counter()
    events: Counter[tuple[str, int, int | None]] = Counter()
    squares: Counter[tuple[int, int]] = Counter()
    felt: Counter[tuple[int, ...]] = Counter()
    gone: Counter[tuple[int, ...]] = Counter()
    done: Counter[tuple[int, ...]] = Counter()
    treated: Counter[tuple[int, ...]] = Counter()
    for replicate in range(2):
        for g, cell in enumerate(cells(scenario)):
            for serial in range(cell.sampled):
                life = live(tables, 0, g, replicate, serial, horizon)
                assert kept.clv[0, at, AFTER] == life.clv, (g, serial)
                assert kept.clv[0, at, BEFORE] == life.before
                assert PATTERNS[kept.pattern[0, at]] == life.pattern
                assert kept.lost_at[0, at] == (-1 if life.lost is None else life.lost)
                gone[g, 0] += life.lost == -2
                assert kept.orders[0, at] == life.orders.total()
                if kept.last_order.size:
                    assert kept.last_order[0, at] == life.last_order
                cash.update({(g, t, column): amount for (t, column), amount in life.cash.items()})
                treated.update({(g, *place): n for place, n in life.treated.items()})
                flows.update((g, t, edge) for t, edge in life.moves)
                sojourns.update((g, stage, periods) for stage, periods in life.sojourns)
                lost_in = None if life.lost == -2 else life.lost
                events.update([("converted", g, life.converted), ("lost", g, lost_in), ("paid_back", g, life.paid_back)])
                for t, steps in life.felt.items():
                    felt.update({(g, t, part, power): step ** (power + 1) for part, step in enumerate(steps) for power in (0, 1)})
                for t, counts in life.done.items():
                    done.update({(g, t, part, power): count ** (power + 1) for part, count in enumerate(counts) for power in (0, 1)})
                shift = int(tables.square_shift[tables.variant[0, tables.segment[g]]])
                for t in range(horizon):
                    net = sum(amount for (when, _), amount in life.cash.items() if when == t)
                    squares[g, t] += (net >> shift) ** 2
                at += 1
    assert at == len(kept.clv[0])
    assert {place: n for place, n in np.ndenumerate(tally.policy[0, ..., :3]) if n} == treated
    for (g, t, column), amount in cash.items():
        high, low = tally.cash[0, g, t, column] if column != LEDGER else tally.policy[0, g, t, :, 3:].sum(axis=0)
        assert int(high) * 2**32 + int(low) == amount
    for (g, t), square in squares.items():
        high, low = tally.cash_square[0, g, t]
        assert int(high) * 2**52 + int(low) == square
    assert {place: n for place, n in np.ndenumerate(tally.flows[0]) if n} == flows
    assert {place: n for place, n in np.ndenumerate(tally.sojourns[0]) if n} == sojourns
    assert {place: n for place, n in np.ndenumerate(tally.feelings[0]) if n} == {place: n for place, n in felt.items() if n}
    assert {place: n for place, n in np.ndenumerate(tally.gone[0]) if n} == {place: n for place, n in gone.items() if n}
    if tally.activity.size:
        assert {place: n for place, n in np.ndenumerate(tally.activity[0]) if n} == {place: n for place, n in done.items() if n}
    else:
        assert not any(done.values())
    for what, counted in (("converted", tally.conversions), ("lost", tally.losses), ("paid_back", tally.payback)):
        assert {place: n for place, n in np.ndenumerate(counted[0]) if n} == {
            (g, t): n for (kind, g, t), n in events.items() if kind == what and t is not None
        }


@pytest.mark.no_cover
@pytest.mark.parametrize("name", zoo.ZOO)
def test_sums_hold_together(name: str) -> None:
    """Moments, ledger, histograms, extremes and replicates are five views of the same customers."""
    scenario = zoo.scenario(name, customers=700, seed=3, replicates=2, keep_customers=True)
    outcome = simulate(scenario)
    tally, kept = outcome.tally, outcome.kept
    assert kept is not None

    def two_words(words: np.ndarray, bits: int) -> int:
        flat = words.reshape(-1, 2)
        return sum(int(high) * 2**bits + int(low) for high, low in flat)

    for kind in (BEFORE, AFTER):
        values = [int(value) for value in kept.clv[0, :, kind]]
        moments = tally.moments[0, :, :, kind]
        assert moments[..., 0].sum() == len(values) == 1400
        assert moments[..., 1].sum() == sum(value < 0 for value in values)
        assert two_words(moments[..., 2:4], 32) == sum(values) == two_words(tally.replicates[:, 0, :, kind], 32)
        assert two_words(moments[..., 4:6], 52) == sum(value**2 for value in values)
        assert tally.extremes[0, :, kind, 0].min() == min(values)
        assert tally.extremes[0, :, kind, 1].max() == max(values)
        assert tally.by_segment[0, :, kind].sum() == tally.by_cohort[0, :, kind].sum() == len(values)
    assert two_words(tally.cash, 32) + two_words(tally.policy[..., 3:], 32) == sum(int(value) for value in kept.clv[0, :, AFTER])
