"""The right treatment for each: by hand, against every choice there is, and within the bound of the relaxation."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.scenario.errors import ScenarioError
from sim.studies.assignment import assign

GAIN = [[60.0, 100.0], [50.0, 55.0], [10.0, 90.0]]
COST = [[20.0, 50.0], [10.0, 30.0], [40.0, 60.0]]


def test_by_hand() -> None:
    """Budget 80. Steps by what a unit brings: 5 (segment 1, first policy, 10), 3 (segment 0, first, 20), 1.5 (segment 2, second, 60),
    1.33 (segment 0 on to the second, 30), .25. The third does not fit into the 50 left: bound 110 + 50 x 1.5 = 185, greedy goes on to
    100 + 50 = 150 for 60, then 155 for 80. Of all choices the best is 60 + 90 = 150 for 80, or 100 + 55 = 155 for 80.
    """
    found = assign(GAIN, COST, 80.0)
    assert found.chosen.tolist() == [1, 1, -1]
    assert (found.gain, found.cost, found.exact) == (155.0, 80.0, True)
    assert (found.bound, found.efficiency) == pytest.approx((185.0, 1.5))
    assert (found.single, found.single_gain, found.single_cost) == (0, 120.0, 70.0)
    assert found.advantage == 35.0
    greedy = assign(GAIN, COST, 80.0, most_exact=0)
    assert (greedy.chosen.tolist(), greedy.gain, greedy.exact) == ([1, 1, -1], 155.0, False)
    assert greedy.bound == pytest.approx(185.0)


def test_greedy_is_not_the_best_but_within_its_bound() -> None:
    """A small thing that brings more a unit keeps the large one out: 6 instead of 10, bound 6 + 9."""
    keys: dict[str, Any] = {"gain": [[6.0], [10.0]], "cost": [[1.0], [10.0]], "budget": 10.0}
    best, greedy = assign(**keys), assign(**keys, most_exact=1)
    assert (best.chosen.tolist(), best.gain, best.exact) == ([-1, 0], 10.0, True)
    assert (greedy.chosen.tolist(), greedy.gain, greedy.exact, greedy.bound) == ([0, -1], 6.0, False, 15.0)


def test_no_budget_buys_what_is_free_or_saves() -> None:
    none = assign(GAIN, COST, 0.0)
    assert (none.chosen.tolist(), none.gain, none.cost, none.single, none.single_gain) == ([-1, -1, -1], 0.0, 0.0, -1, 0.0)
    free = assign([[1.0, 9.0], [2.0, 9.0]], [[0.0, 1.0], [0.0, 1.0]], 0.0)
    assert (free.chosen.tolist(), free.gain) == ([0, 0], 3.0)
    saved = assign([[-1.0, 3.0], [5.0, 8.0]], [[-4.0, 1.0], [2.0, 4.0]], 0.0)
    assert (saved.chosen.tolist(), saved.gain, saved.cost) == ([0, 1], 7.0, 0.0)


def test_everything_affordable_is_the_best_of_each() -> None:
    for budget in (140.0, math.inf):
        found = assign(GAIN, COST, budget, gain_se=[[3.0, 4.0], [1.0, 0.0], [2.0, 3.0]], cost_se=[[0.0, 1.0]] * 3)
        assert found.chosen.tolist() == [1, 1, 1]
        assert (found.gain, found.cost, found.exact, found.efficiency, found.bound) == (245.0, 140.0, True, 0.0, 245.0)
        assert (found.gain_se, found.cost_se) == pytest.approx((5.0, math.sqrt(3.0)))
        assert (found.single, found.advantage) == (1, 0.0)
    thirds = assign([[1.0]] * 3, [[0.1]] * 3, 0.3)  # the costs sum to a little more than .3
    assert thirds.chosen.tolist() == [0, 0, 0]


def test_harmful_and_dominated_policies_are_left_alone() -> None:
    found = assign([[-5.0, 2.0, 2.0], [0.0, -1.0, -2.0]], [[0.0, 3.0, 2.0], [1.0, 1.0, -1.0]], 10.0)
    assert (found.chosen.tolist(), found.gain, found.cost, found.single) == ([2, -1], 2.0, 2.0, 1)


NUMBER = st.one_of(st.integers(-3, 12).map(float), st.floats(-2.0, 10.0))


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], float]:
    s, p = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    gain, cost = (np.array([[draw(NUMBER) for _ in range(p)] for _ in range(s)]) for _ in range(2))
    return gain, cost, draw(st.one_of(st.just(0.0), st.integers(0, 30).map(float), st.floats(0.0, 30.0)))


@settings(max_examples=60, deadline=None)
@given(cases())
def test_no_choice_is_better(case: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], float]) -> None:
    gain, cost, budget = case
    rows = [[(0.0, 0.0), *zip(one, other, strict=True)] for one, other in zip(gain, cost, strict=True)]
    totals = [np.sum(choice, axis=0) for choice in itertools.product(*rows)]
    best = max(gained for gained, paid in totals if paid <= budget)
    slack = 2e-9 * (1.0 + budget - min(paid for _, paid in totals))
    nearly = max(gained for gained, paid in totals if paid <= budget + slack)
    found, greedy = assign(gain, cost, budget), assign(gain, cost, budget, most_exact=0)
    assert found.exact
    assert best - 1e-7 <= found.gain <= nearly + 1e-7
    for one in (found, greedy):
        picked = [(s, p) for s, p in enumerate(one.chosen) if p >= 0]
        assert one.gain == pytest.approx(sum(gain[s, p] for s, p in picked), abs=1e-12)
        assert one.cost == pytest.approx(sum(cost[s, p] for s, p in picked), abs=1e-12)
        assert one.cost <= budget + slack
        assert one.gain <= one.bound + 1e-9
        assert best <= one.bound + 1e-7
    assert found.gain >= found.single_gain - 1e-7
    singles = [gain[:, p].sum() for p in range(gain.shape[1]) if cost[:, p].sum() <= budget]
    assert found.single_gain >= max([0.0, *singles]) - 1e-9


def test_greedy_is_near_its_bound_where_there_are_many_segments() -> None:
    """A step of one segment is small beside all of them; the exact answer lies between."""
    random = np.random.default_rng(7)
    cost = random.uniform(1.0, 10.0, (600, 4))
    gain = np.sqrt(cost) * random.uniform(0.5, 3.0, (600, 4))
    greedy = assign(gain, cost, 800.0, most_exact=0)
    exact = assign(gain, cost, 800.0, most_exact=10_000)
    assert greedy.bound - greedy.gain <= gain.max()
    assert greedy.gain <= exact.gain <= greedy.bound
    assert exact.gain > exact.single_gain


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"budget": -1.0}, "budget"),
        ({"budget": math.nan}, "budget"),
        ({"gain": [[1.0, math.nan]]}, "gain"),
        ({"cost": [[1.0, math.inf]]}, "cost"),
        ({"cost": [[1.0]]}, "cost"),
        ({"gain": [1.0, 2.0]}, "gain"),
        ({"gain": [[]], "cost": [[]]}, "gain"),
        ({"gain_se": [[1.0, -1.0]]}, "gain_se"),
        ({"cost_se": [[1.0]]}, "cost_se"),
    ],
)
def test_faults(keys: dict[str, Any], where: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        assign(**{"gain": [[1.0, 2.0]], "cost": [[1.0, 1.0]], "budget": 1.0, **keys})
    assert where in [fault.where for fault in caught.value.faults]
