"""What survival so far says of existing customers, against closed forms worked out here."""

from pathlib import Path

import numpy as np
import pytest

from sim.compile import compile_tables
from sim.compile.quantiles import beta, moments
from sim.kernels.types import LOST, Tables
from sim.scenario import ScenarioError
from tests import base, zoo


def standing(tables: Tables, segment: int = 0) -> dict[tuple[int, int], int]:
    """Return the place on the w axis of each (stage, row past its first) of a segment of case 0."""
    v = int(tables.variant[0, segment])
    ends = [*map(int, tables.standing_first), tables.standing_row.size]
    rows = tables.standing_row[ends[v] : ends[v + 1]]
    stages = tables.row_stage[v, rows]
    return {(int(s), int(row - tables.first_row[v, s])): ends[v] + k for k, (s, row) in enumerate(zip(stages, rows, strict=True))}


def test_a_beta_edge_has_survived_its_renewals(tmp_path: Path) -> None:
    """Beta(a, b + n), tabled with that distribution's own first two moments."""
    tables = compile_tables(base.scenario("beta", base.table(tmp_path, base.spread(["customer"], 6))))
    assert tables.standing_beta.shape == (7, 1)
    for n, table in enumerate(tables.standing_beta[:, 0]):
        np.testing.assert_array_equal(tables.quantiles[table - 1], beta(0.7, 2.5 + n).astype(np.float32))
        a, b = 0.7, 2.5 + n
        mean = a / (a + b)
        assert moments(tables.quantiles[table - 1].astype(np.float64)) == pytest.approx((mean, mean * (a + 1) / (a + b + 1)), rel=2e-6)


def test_a_beta_edge_counts_in_periods_of_its_rate(tmp_path: Path) -> None:
    quarterly = {"customer": {"to": {"lost": {"beta": {"a": 0.7, "b": 2.5}, "rate_period": "month"}}}, "lost": {"kind": "lost"}}
    file = base.table(tmp_path, base.spread(["customer"], 2))
    tables = compile_tables(base.scenario("beta", file, period="quarter", stages=quarterly))
    for n, table in enumerate(tables.standing_beta[:, 0]):
        np.testing.assert_array_equal(tables.quantiles[table - 1], beta(0.7, 2.5 + 3 * n).astype(np.float32))


def test_frailty_has_been_survived(tmp_path: Path) -> None:
    """Mean 1 / (1 + v H), H being the hazard of frail edges (here: into lost) over the stage age."""
    chain = zoo.CHAIN["stages"]
    file = base.table(tmp_path, base.spread(list(chain)[:4], 5, segment=["small", "large"]))
    tables = compile_tables(base.scenario("frailty_seasons_cohorts", file))
    found = []
    for key, stage in chain.items():
        if stage.get("kind") == "lost":
            continue
        p = {edge: body["probability"] for edge, body in stage["to"].items()}
        total = sum(p.values())
        h = -np.log1p(-total) * sum(p[edge] for edge in p if edge == "lost") / total
        found += [(list(chain).index(key), age, 1.0 / (1.0 + 0.5 * h * age)) for age in range(6)]
    first = int(tables.standing_first[1])
    small = dict(zip([(s, age) for s, age, _ in found], [mean for *_, mean in found], strict=True))
    held = [place for place in small if (list(small).index(place)) % 2 == 0]
    np.testing.assert_allclose(tables.standing_scale[:first], [small[place] for place in held], rtol=1e-6)
    assert not np.any(tables.stage_kind[tables.row_stage[0, tables.standing_row[:first]]] == LOST)


def test_hazards_by_age_add_up(tmp_path: Path) -> None:
    """A Weibull's hazard over g periods is (g / scale) ** shape, beyond the horizon too."""
    file = base.table(tmp_path, base.spread(["customer"], 40))
    found = base.scenario("durations", file, frailty={"variance": 0.8})
    tables = compile_tables(found)
    g = np.arange(41)
    np.testing.assert_allclose(tables.standing_scale, 1.0 / (1.0 + 0.8 * (g / 4.0) ** 1.3), rtol=1e-6)
    rows = tables.standing_row
    np.testing.assert_array_equal(rows, tables.first_row[0, 0] + g)
    ages = np.arange(int(found.horizon) + 40)
    np.testing.assert_allclose(tables.hazard[0, 0, : ages.size], ((ages + 1) / 4.0) ** 1.3 - (ages / 4.0) ** 1.3, rtol=1e-5)


def test_investment_grows_with_the_stay(tmp_path: Path) -> None:
    file = base.table(tmp_path, base.spread(["formation", "stability"], 3))
    tables = compile_tables(base.scenario("mindful", file))
    places = np.array([[1.0 - 0.9**age if stage == "stability" else 0.0 for age in range(4)] for stage in ("formation", "stability")])
    np.testing.assert_allclose(tables.standing_invested, places.ravel(), atol=1e-6)


def test_wallets_widen_what_the_ledger_holds(tmp_path: Path) -> None:
    small = compile_tables(base.scenario("chain", base.table(tmp_path, [{"stage": "stability", "wallet": 1e3}])))
    large = compile_tables(base.scenario("chain", base.table(tmp_path, [{"stage": "stability", "wallet": 64e3}], "large.csv")))
    assert large.square_shift[0] == small.square_shift[0] + 6
    with pytest.raises(ScenarioError, match="discounted money over the horizon could reach"):
        compile_tables(base.scenario("chain", base.table(tmp_path, [{"stage": "stability", "wallet": 1e10}], "huge.csv")))


def test_nobody_is_older_than_anybody_can_be(tmp_path: Path) -> None:
    stages = {"customer": {"to": {"lost": {"probability": [0.1, 1.0, 0.5]}}}, "lost": {"kind": "lost"}}
    young = base.scenario("beta", base.table(tmp_path, [{"stage": "customer", "age": 1}]), stages=stages)
    assert compile_tables(young).standing_row.tolist() == [1]
    old = base.scenario("beta", base.table(tmp_path, [{"stage": "customer", "age": 2}], "old.csv"), stages=stages)
    with pytest.raises(ScenarioError, match="base: nobody stays in customer beyond age 1, for its probabilities sum to 1 there"):
        compile_tables(old)


def test_two_cases_share_the_base(tmp_path: Path) -> None:
    file = base.table(tmp_path, base.spread(["customer"], 3))
    one, other = base.scenario("beta", file, frailty={}), base.scenario("beta", file)
    both, alone = compile_tables(one, other), compile_tables(one)
    assert both.standing_first.tolist() == [0, 4]
    np.testing.assert_array_equal(both.standing_row, np.tile(alone.standing_row, 2))
    np.testing.assert_array_equal(both.base_standing, alone.base_standing)
