"""KN keeps its promise and spends less where differences are larger; OCBA's shares against numbers by hand."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sim.scenario.errors import ScenarioError
from sim.studies.ranking import Floats, eta, ocba_next, ocba_shares, paired_variances, pick


class Normals:
    """Normal observations of given means and standard deviation 1, any two arms correlated by ``shared``."""

    def __init__(self, means: Sequence[float], shared: float, seed: int) -> None:
        self.means, self.shared, self.random = np.array(means), shared, np.random.default_rng(seed)
        self.calls: list[int] = []

    def __call__(self, arms: Sequence[int], count: int) -> Floats:
        self.calls.append(len(arms))
        own = self.random.standard_normal((count, len(self.means)))
        common = self.random.standard_normal((count, 1))
        found = self.means + math.sqrt(self.shared) * common + math.sqrt(1.0 - self.shared) * own
        return np.asarray(found[:, list(arms)], float)


DELTA = 0.5
RUNS = 500


@pytest.mark.parametrize("shared", [0.0, 0.6])
def test_the_best_is_picked_as_often_as_promised(shared: float) -> None:
    """Five arms, the best better than all others by exactly the indifference zone, where a mistake is likeliest; fixed seeds.

    Were the chance of a right pick .95, fewer than 455 of 500 would be right with a chance of 6.6e-5: the false alarm of each of both.
    """
    assert stats.binom.cdf(454, RUNS, 0.95) == pytest.approx(6.65e-5, rel=1e-2)
    means = [0.0, 0.0, DELTA, 0.0, 0.0]
    found = [pick(Normals(means, shared, seed), 5, DELTA, first=10) for seed in range(RUNS)]
    assert sum(one.winner == 2 for one in found) >= 455
    assert all(one.sure for one in found)


def test_larger_differences_and_more_common_luck_need_fewer_observations() -> None:
    def spent(gap: float, shared: float) -> float:
        return float(np.mean([pick(Normals([0.0, 0.0, gap], shared, seed), 3, DELTA, first=10).total for seed in range(60)]))

    near, far, paired = spent(DELTA, 0.0), spent(4 * DELTA, 0.0), spent(DELTA, 0.8)
    assert far < 0.5 * near
    assert paired < 0.5 * near


def test_constants_by_hand() -> None:
    """Two arms, n0 = 3, alpha = 1/8: (1/4)**-1 = 4, so that eta is 3/2; differences 1, 2, 3 have variance 1."""
    assert eta(2, 3, 0.125) == pytest.approx(1.5)
    assert 0.5 * (1.0 + 2.0 * eta(7, 12, 0.05)) ** (-(12 - 1) / 2) == pytest.approx(0.05 / 6)  # the equation that it solves
    assert paired_variances(np.array([[1.0, 0.0], [2.0, 0.0], [7.0, 4.0]])) == pytest.approx(np.array([[0.0, 1.0], [1.0, 0.0]]))


def listed(rows: list[list[float]]) -> Any:
    """Return a sampler that hands out these rows."""
    left = iter(rows)
    return lambda arms, count: np.array([[row[arm] for arm in arms] for _, row in zip(range(count), left, strict=False)])


def test_a_search_by_hand() -> None:
    """Variance of the difference 1, h2 = 6, delta 1: the width after r is max(0, (6 - r) / 2r), which is .5, .25, .1 after 3, 4, 5.

    Differences sum to 1.2 after 3 (mean .4), then to .9 (.225, not above the width), then to 1.4 (.28): the second arm goes after 5.
    """
    rows = [[-0.6, 0.0], [0.4, 0.0], [1.4, 0.0], [-0.3, 0.0], [0.5, 0.0]]
    found = pick(listed(rows), 2, 1.0, alpha=0.125, first=3)
    assert (found.winner, found.sure, found.total) == (0, True, 10)
    assert found.eliminated.tolist() == [0, 5]
    assert found.means == pytest.approx([0.28, 0.0])
    cut = pick(listed(rows), 2, 1.0, alpha=0.125, first=3, most=4)
    assert (cut.winner, cut.sure, cut.total, cut.eliminated.tolist()) == (0, False, 8, [0, 0])
    by_two = pick(listed(rows), 2, 1.0, alpha=0.125, first=3, step=2)
    assert by_two.observations.tolist() == found.observations.tolist()


def test_arms_that_are_out_are_not_observed_any_more() -> None:
    sampler = Normals([0.0, 5.0, 4.9], 0.5, seed=1)
    found = pick(sampler, 3, DELTA, first=10)
    assert found.eliminated[0] == 10 == found.observations[0]
    assert found.eliminated[found.winner] == 0
    assert sampler.calls == [3] + [2] * (found.observations[found.winner] - 10)


def test_trivial_searches() -> None:
    one = pick(Normals([1.0], 0.0, 1), 1, DELTA)
    assert (one.winner, one.total, one.sure) == (0, 0, True)
    alike = pick(lambda arms, count: np.ones((count, len(arms))), 3, DELTA, first=2)
    assert (alike.total, alike.sure) == (6, True)
    clear = pick(lambda arms, count: np.arange(3.0)[list(arms)] * np.ones((count, 1)), 3, DELTA, first=2)
    assert (clear.winner, clear.total, clear.eliminated.tolist()) == (2, 6, [2, 2, 0])


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"arms": 0}, "arms"),
        ({"delta": 0.0}, "delta"),
        ({"delta": math.nan}, "delta"),
        ({"alpha": 0.5}, "alpha"),
        ({"alpha": 0.0}, "alpha"),
        ({"first": 1}, "first"),
        ({"step": 0}, "step"),
        ({"most": 5}, "most"),
    ],
)
def test_faults(keys: dict[str, Any], where: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        pick(**{"sample": Normals([0.0, 1.0], 0.0, 1), "arms": 2, "delta": DELTA, **keys})
    assert [fault.where for fault in caught.value.faults] == [where]


def test_a_sampler_that_returns_something_else() -> None:
    with pytest.raises(ValueError, match="shape"):
        pick(lambda arms, count: np.zeros((count, 1)), 2, DELTA)
    with pytest.raises(ValueError, match="finite"):
        pick(lambda arms, count: np.full((count, 2), math.nan), 2, DELTA)


def test_ocba_shares_by_hand() -> None:
    """Means 0, 1, 2, 3, sds 1, 2, 1, 3: gaps 3, 2, 1 give N in the ratio 1/9 : 1 : 1, and N_b = 3 sqrt((1/9)**2 + (1/2)**2 + 1)."""
    best = 3.0 * math.sqrt(1 / 81 + 1 / 4 + 1)
    wanted = np.array([1 / 9, 1.0, 1.0, best])
    assert ocba_shares([0, 1, 2, 3], [1, 2, 1, 3]) == pytest.approx(wanted / wanted.sum(), rel=1e-12)
    assert ocba_shares([5.0, 4.0], [1.0, 3.0]) == pytest.approx([0.25, 0.75])  # two arms: in proportion to their sds
    assert ocba_shares([0.0, 0.2, 1.0], [1.0, 1.0, 1.0], least=1.0) == pytest.approx(np.array([1, 1, math.sqrt(2)]) / (2 + math.sqrt(2)))


def test_ocba_where_nothing_is_known_or_all_is() -> None:
    assert ocba_shares([1.0, 1.0, 0.0], [2.0, 2.0, 2.0]) == pytest.approx([0.5, 0.5, 0.0])
    assert ocba_shares([1.0, 2.0], [0.0, 0.0]) == pytest.approx([0.5, 0.5])
    assert ocba_shares([1.0, 2.0, 3.0], [0.0, 1.0, 1.0]) == pytest.approx([0.0, 0.5, 0.5])
    assert ocba_shares([4.0], [1.0]) == pytest.approx([1.0])


def test_ocba_hands_out_what_is_missing() -> None:
    """Shares 1/4 and 3/4: of 40 in all 10 and 30; who has more than its share keeps it, and the other gets everything."""
    assert ocba_next([5.0, 4.0], [1.0, 3.0], [5, 5], 30).tolist() == [5, 25]
    assert ocba_next([5.0, 4.0], [1.0, 3.0], [20, 5], 10).tolist() == [0, 10]
    found = ocba_next([0, 1, 2, 3], [1, 2, 1, 3], [10, 10, 10, 10], 7)
    assert (int(found.sum()), int(found.min())) == (7, 0)
    assert ocba_next([5.0, 4.0], [1.0, 3.0], [5, 5], 0).tolist() == [0, 0]


def test_ocba_finds_the_best_oftener_than_equal_shares() -> None:
    """Six arms of growing distance, 180 observations, 400 runs on fixed seeds: a comparison, not a guarantee."""
    means, right = np.array([1.0, 0.8, 0.5, 0.2, -0.2, -0.5]), np.zeros(2, int)
    for seed in range(400):
        random = np.random.default_rng(seed)
        pools = means[:, None] + random.standard_normal((6, 180))
        counts = np.full(6, 5)
        while counts.sum() < 180:
            so_far = [pools[i, :n] for i, n in enumerate(counts)]
            counts += ocba_next([one.mean() for one in so_far], [one.std(ddof=1) for one in so_far], counts, 15)
        right += [pools[:, :30].mean(axis=1).argmax() == 0, np.argmax([pools[i, :n].mean() for i, n in enumerate(counts)]) == 0]
    assert right[1] > right[0]


@pytest.mark.parametrize(
    "given", [([1.0], [1.0, 2.0]), ([], []), ([1.0, math.nan], [1.0, 1.0]), ([1.0, 2.0], [1.0, -1.0]), ([[1.0]], [[1.0]])]
)
def test_faults_of_ocba(given: tuple[Any, Any]) -> None:
    with pytest.raises(ScenarioError):
        ocba_shares(*given)


@pytest.mark.parametrize(("spent", "more"), [([1], 3), ([1, -1], 3), ([1, 1], -1)])
def test_faults_of_what_to_hand_out(spent: list[int], more: int) -> None:
    with pytest.raises(ScenarioError):
        ocba_next([1.0, 2.0], [1.0, 1.0], spent, more)
