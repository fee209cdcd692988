"""What customers think, as numbers: loyalty under competition, regimes of the market, gaps of drivers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.compile import compile_tables
from sim.compile.behaviour import loyalty_at
from sim.compile.market import chances, gaps, regime_paths, stationary
from sim.scenario import ScenarioError, read, sample
from sim.scenario.behaviour import Competition
from sim.scenario.model import Scenario
from tests import zoo

UNIT = st.floats(0.0, 1.0)
SCORE = st.floats(1.0, 5.0)


@given(satisfaction=SCORE, weak=UNIT, fierce=UNIT, most=UNIT, steepness=st.floats(0.0, 3.0))
def test_loyalty_falls_with_competition_and_rises_with_satisfaction(
    satisfaction: float, weak: float, fierce: float, most: float, steepness: float
) -> None:
    weak, fierce = sorted((weak, fierce))
    found = Competition(loyalty_max=most, steepness=steepness)
    assert 0 <= loyalty_at(found, satisfaction, fierce) <= loyalty_at(found, satisfaction, weak) + 1e-12
    assert loyalty_at(found, satisfaction, weak) <= loyalty_at(found, 5.0, weak) == loyalty_at(found, 5.0, fierce) == 1.0
    spans = [loyalty_at(found, 5.0, c) - loyalty_at(found, 1.0, c) for c in (weak, fierce)]
    tops = [loyalty_at(found, 5.0, c) - loyalty_at(found, 4.0, c) for c in (weak, fierce)]
    assert spans[0] <= spans[1] + 1e-12
    assert tops[0] <= tops[1] + 1e-12


def mindful(**parts: Any) -> Scenario:
    return Scenario.model_validate({**zoo.ZOO["mindful"], "name": "mindful", **parts})


def test_regimes_follow_their_chain() -> None:
    scenario = mindful(run={"customers": 500, "replicates": 20_000})
    assert scenario.market is not None
    path, matrix = regime_paths(scenario, 6), chances(scenario.market)
    assert stationary(matrix) == pytest.approx([0.625, 0.375])  # 0.5 / (0.3 + 0.5)
    assert path[:, 0].mean() == pytest.approx(0.375, abs=4 * (0.375 * 0.625 / 20_000) ** 0.5)
    for before in (0, 1):
        moved = path[:, 1:][path[:, :-1] == before]
        share = matrix[before, 1]
        assert moved.mean() == pytest.approx(share, abs=4 * (share * (1 - share) / moved.size) ** 0.5)


def test_a_longer_path_and_more_replicates_begin_alike() -> None:
    few, many = mindful(run={"customers": 500, "replicates": 3}), mindful(run={"customers": 500, "replicates": 9})
    assert np.array_equal(regime_paths(few, 20), regime_paths(many, 40)[:3, :20])
    assert not np.array_equal(regime_paths(few, 20), regime_paths(mindful(run={"customers": 500, "replicates": 3, "seed": 2}), 20))


def test_a_market_that_cycles_has_a_stationary_start() -> None:
    assert stationary(np.array([[0.0, 1.0], [1.0, 0.0]])) == pytest.approx([0.5, 0.5])
    assert stationary(np.eye(3)) == pytest.approx([1 / 3] * 3)  # no way between them


def test_gaps_are_weighted_and_count_from_the_start() -> None:
    """Value: quality (weight 2) own +0.5 from period 2, price (weight 1) rival +0.5 from period 1; the war gives the rival 0.4."""
    found = gaps(mindful(), 4)
    calm = [0.0, -0.5 / 3, 2 * 0.5 / 3 - 0.5 / 3, 2 * 0.5 / 3 - 0.5 / 3]
    assert found[0, 0] == pytest.approx(calm)
    assert found[0, 1] == pytest.approx(np.array(calm) - 0.4)
    assert found[2].tolist() == [[0.0, 1.0, 1.0, 1.0]] * 2
    assert not found[1].any()


def test_gaps_go_on_as_the_longest_list_ends() -> None:
    """Whichever that is: the firm's own, the rival's, or one that is longer than the run."""
    points = {"own": (3.0, 3.5), "rival": (2.0, 2.5, 3.0, 2.0)}
    for value in (points, {"own": points["rival"], "rival": points["own"]}):
        found = gaps(mindful(drivers={"value": {"quality": value}}), 6)[0, 0]
        own, rival = ([*value[side], *[value[side][-1]] * 6] for side in ("own", "rival"))
        assert found.tolist() == [own[y] - rival[y] - (own[0] - rival[0]) for y in range(6)]
        assert gaps(mindful(drivers={"value": {"quality": value}}), 3)[0, 0].tolist() == found[:3].tolist()


def test_value_and_brand_bring_customers() -> None:
    """exp(0.8 x gap of value): -1/6 in period 1, 1/6 from period 2 on; relationship brings nobody."""
    drivers = {**zoo.MINDFUL["drivers"], "acquisition": {"value": 0.8}}
    cohorts = {"yearly": {"customers": 1000, "periods": 4}}
    found = mindful(drivers=drivers, cohorts=cohorts, run={"customers": 500})
    assert [cohort.customers for cohort in sample.cohorts(found)] == [1000, 875, 1143, 1143]


@pytest.mark.parametrize(("own", "customers"), [([5.0, 0.0], 1000), ([0.0, 5.0], 10**9)])
def test_drivers_that_bring_nobody_or_a_crowd_are_told(own: list[float], customers: int) -> None:
    drivers = {"value": {"quality": {"own": own}}, "acquisition": {"value": 2.5}}
    raw = {**zoo.CHAIN, "drivers": drivers, "cohorts": {"later": {"first_period": 3, "customers": customers}}, "run": {"customers": 500}}
    raw.pop("firm")
    with pytest.raises(ScenarioError, match=r"drivers\.acquisition"):
        read(raw)


def test_drivers_and_regimes_move_the_hazards_they_name() -> None:
    scenario = mindful()
    tables = compile_tables(scenario)
    factor = tables.edge_factor[0]
    gap = gaps(scenario, factor.shape[1])
    ids = list(scenario.stages)
    investigation, formation, stability = (ids.index(name) for name in ("investigation", "formation", "stability"))
    assert factor[:, :, 1, investigation] == pytest.approx(np.exp(-0.5 * gap[0]), rel=1e-6)  # to decline
    assert factor[0, :, 2, investigation] == pytest.approx(1.0)
    assert factor[1, :, 2, investigation] == pytest.approx(1.4)  # to lost, a rival's doing
    assert factor[1, :, 1, formation] == pytest.approx(1.4 * np.exp(-0.3 * gap[2, 1]), rel=1e-6)
    assert factor[..., stability] == pytest.approx(1.0)
