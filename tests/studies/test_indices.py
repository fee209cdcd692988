"""Sobol indices against closed forms and SciPy's, luck taken out, intervals that cover; Morris and tornado by hand."""

import itertools
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sim.scenario.errors import ScenarioError
from sim.studies import indices
from sim.studies.indices import (
    STILL,
    UNSURE,
    Floats,
    alone,
    morris,
    morris_points,
    saltelli,
    sobol,
    spread,
    tornado,
    tornado_points,
)

pytestmark = pytest.mark.jit

N = 1024
DRAWN = 3000
SLOPES = np.array([3.0, 2.0, 1.0, 0.0])
SHARES = SLOPES**2 / 14.0
LINEAR = 14.0 / 12.0  # variance of the linear outcome over the cube


def ishigami(points: Floats) -> Floats:
    """Return Ishigami and Homma's (1990) outcome, a = 7, b = 0.1, of points of the unit cube."""
    x, y, z = (np.pi * (2.0 * points - 1.0)).T
    return np.asarray(np.sin(x) + 7.0 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x), float)


def linear(points: Floats) -> Floats:
    return np.asarray(points @ SLOPES, float)


ISHIGAMI = {"first": [0.3139, 0.4424, 0.0], "total": [0.5576, 0.4424, 0.2437]}
ADDITIVE = {"first": list(SHARES), "total": list(SHARES)}
CASES: list[Any] = [(ishigami, "xyz", ISHIGAMI), (linear, "abcd", ADDITIVE)]


def independent(n: int, k: int, random: np.random.Generator) -> Floats:
    """Return a design whose rows are independent draws, as the intervals take them to be."""
    a, b = random.random((2, n, k))
    mixed = [np.where(np.arange(k) == g, b, a) for g in range(k)]
    return np.concatenate([a, b, *mixed])


def covers(found: pd.DataFrame, truth: dict[str, list[float]], slack: float = 1e-4) -> bool:
    """Whether all intervals hold the truth, which is known to so many digits."""
    return all(
        bool(((found[f"{key}_low"] - slack <= value) & (value <= found[f"{key}_high"] + slack)).all()) for key, value in truth.items()
    )


def test_points_of_a_design() -> None:
    groups = ((2, 0), (1,))
    points = saltelli(16, groups, seed=3)
    a, b, first, second = points.reshape(4, 16, 3)
    assert ((points >= 0.0) & (points < 1.0)).all()
    assert np.array_equal(first, np.column_stack([b[:, 0], a[:, 1], b[:, 2]]))
    assert np.array_equal(second, np.column_stack([a[:, 0], b[:, 1], a[:, 2]]))
    for column in np.column_stack([a, b]).T:  # a scrambled sequence has a point in each sixteenth
        assert sorted(np.floor(16 * column)) == list(range(16))
    assert not np.array_equal(points, saltelli(16, groups, seed=4))


def test_a_design_is_extended_by_its_double() -> None:
    short, long = (saltelli(n, alone(3), seed=5).reshape(5, n, 3) for n in (32, 64))
    assert np.array_equal(short, long[:, :32])


@pytest.mark.parametrize(("function", "names", "truth"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_closed_forms(function: Callable[[Floats], Floats], names: str, truth: dict[str, list[float]], seed: int) -> None:
    """The error allowed is small, and the intervals at 99.9 % hold the truth; they take no account of how even the points are."""
    values = function(saltelli(N, alone(len(names)), seed))[:, None]
    found = sobol(values, N, list(names), seed, level=0.999)
    assert covers(found, truth)
    for key, value in truth.items():
        assert found[key].to_numpy() == pytest.approx(value, abs=0.05)
    assert (found["total_high"] - found["total_low"] < 0.6).all()


def test_what_is_told() -> None:
    values = ishigami(saltelli(4 * N, alone(3), 1))[:, None] * np.ones(2)
    assert sobol(values, 4 * N, list("xyz"), 1)["told"].tolist() == [
        "matters",  # .3139 beside half of .5576
        "matters, mostly by itself",
        "matters, mostly together with others",
    ]
    without = linear(saltelli(N, alone(4), 1))[:, None] * np.ones(2)
    expected = ["matters, mostly by itself", "matters, mostly by itself", "matters", UNSURE]  # c has 1/14: too little to tell how
    assert sobol(without, N, list("abcd"), 1)["told"].tolist() == expected
    single = sobol(without[:, :1], N, list("abcd"), 1)["told"]
    assert single.tolist() == [f"{told}; luck is not taken out (one replicate)" for told in expected]


def test_groups() -> None:
    """x and z of Ishigami together have all but what y has, and no part with y; the order of groups is that of the names."""
    groups = ((1,), (2, 0))
    found = sobol(ishigami(saltelli(N, groups, 2))[:, None], N, ["y", "xz"], 1, level=0.999)
    assert covers(found, {"first": [0.4424, 0.5576], "total": [0.4424, 0.5576]})
    assert found["total"].to_numpy() == pytest.approx([0.4424, 0.5576], abs=0.05)
    assert found["factor"].tolist() == ["y", "xz"]


@pytest.mark.parametrize(("function", "names"), [case[:2] for case in CASES])
def test_scipy_says_the_same(function: Callable[[Floats], Floats], names: str) -> None:
    """Total indices are SciPy's own estimator, up to the variance it divides by; its first-order ones are of another kind."""
    k = len(names)
    values = function(saltelli(N, alone(k), 7))
    a, b, mixed = values[:N], values[N : 2 * N], values[2 * N :].reshape(k, 1, N)
    theirs = stats.sobol_indices(func={"f_A": a[None], "f_B": b[None], "f_AB": mixed}, n=N)
    ours = sobol(values[:, None], N, list(names), 1)
    pooled = np.var(values[: 2 * N])
    assert ours["total"].to_numpy() * np.var(values[: 2 * N], ddof=1) / pooled == pytest.approx(theirs.total_order.ravel(), rel=1e-9)
    assert ours["first"].to_numpy() == pytest.approx(theirs.first_order.ravel(), abs=0.05)


def test_estimates_are_means_over_pairs_of_different_replicates() -> None:
    """The slow twin: mean(D)**2 - s2 / R is the mean of D_r D_q over r other than q, and so it is for the variance between rows."""
    n, count, replicates = 8, 2, 3
    values = np.random.default_rng(1).standard_normal(((count + 2) * n, replicates)) + np.arange(32)[:, None] % 8
    parts = values.reshape(count + 2, n, replicates)
    pairs = list(itertools.permutations(range(replicates), 2))
    both = np.concatenate(parts[:2])
    variance = np.mean([np.cov(both[:, r], both[:, q])[0, 1] for r, q in pairs])

    def half(one: Floats) -> float:
        return float(np.mean([np.mean(one[:, r] * one[:, q]) for r, q in pairs])) / 2.0

    found = sobol(values, n, ["a", "b"], 1)
    assert found["total"].to_numpy() == pytest.approx([half(parts[0] - one) / variance for one in parts[2:]])
    assert found["first"].to_numpy() == pytest.approx([1.0 - half(parts[1] - one) / variance for one in parts[2:]])
    seen = spread(values, n, ["a", "b"])
    assert seen.variance == pytest.approx(variance)
    assert seen.variance + seen.noise == pytest.approx(np.var(both.mean(axis=1), ddof=1))
    assert seen.share == pytest.approx(seen.noise / (seen.variance + seen.noise))


def test_independent_luck_is_taken_out() -> None:
    """Luck of as much variance as the outcome's: the total of a factor without effect is 0, and would be 1/2 were nothing taken out."""
    replicates, points = 20, saltelli(N, alone(4), 3)
    luck = np.random.default_rng(3).standard_normal((len(points), replicates)) * math.sqrt(replicates * LINEAR)
    values = linear(points)[:, None] + luck
    found, blind = (sobol(one, N, list("abcd"), 1, level=0.999) for one in (values, values.mean(axis=1, keepdims=True)))
    assert covers(found, ADDITIVE)
    assert found["total"][3] == pytest.approx(0.0, abs=0.1)
    assert found["told"][3] == UNSURE
    assert blind["total"][3] == pytest.approx(0.5, abs=0.1)
    assert blind["told"][3] != f"{UNSURE}; luck is not taken out (one replicate)"
    seen = spread(values, N, list("abcd"))
    assert (seen.variance, seen.noise) == pytest.approx((LINEAR, LINEAR), rel=0.15)
    assert seen.share == pytest.approx(0.5, abs=0.05)
    alone_ = spread(values[:, :1], N, list("abcd"))
    assert alone_.variance == pytest.approx(21 * LINEAR, rel=0.15)
    assert math.isnan(alone_.noise)
    assert math.isnan(alone_.share)


def test_luck_shared_by_all_rows_changes_nothing() -> None:
    random = np.random.default_rng(4)
    points = saltelli(64, alone(4), 3)
    values = linear(points)[:, None] + 0.3 * random.standard_normal((len(points), 5))
    plain, moved = (sobol(one, 64, list("abcd"), 1) for one in (values, values + 100.0 * random.standard_normal(5)))
    pd.testing.assert_frame_equal(plain, moved, rtol=1e-9, atol=1e-9)
    assert spread(values, 64, list("abcd")) == pytest.approx(spread(values - 50.0, 64, list("abcd")))


def test_replicates_of_luck_that_moves_rows_alike_widen_intervals() -> None:
    """The slope of d differs between replicates and is the same for all rows: rows say that it is sure, and only replicates that it is not.

    Its total index by four replicates is as sure as the square of their mean slope, whatever the number of rows.
    """
    points = saltelli(N, alone(4), 3)
    slope = np.array([2.4, 1.6, 0.2, 0.6])
    values = linear(points)[:, None] + points[:, 3:] * slope
    found = sobol(values, N, list("abcd"), 1)
    assert found["total"][3] > 0.02
    assert found["told"][3] == UNSURE
    blind = sobol(values.mean(axis=1, keepdims=True), N, list("abcd"), 1)
    assert blind["total_low"][3] > 0.02
    sure = sobol(linear(points)[:, None] + points[:, 3:] * (slope.mean() + 0.1 * (slope - slope.mean())), N, list("abcd"), 1)
    assert sure["told"][3] != UNSURE


def test_influences_of_replicates_spread_as_a_bootstrap_over_them_does() -> None:
    """The share of replicates in an interval is the standard error that drawing replicates anew, 3,000 times, finds for the same index."""
    random, points, count = np.random.default_rng(5), independent(128, 4, np.random.default_rng(4)), 48
    slopes = SLOPES + 0.5 * random.standard_normal((count, 4))
    whole = (points @ slopes.T).reshape(6, 128, count)
    gaps, ab = whole[0] - whole[2:], whole[:2]

    def totals(chosen: Any) -> Floats:
        return np.asarray(indices._squares(gaps[..., chosen]).rows.mean(axis=1) / indices._variance(ab[..., chosen])[0].rows.mean())

    drawn = np.array([totals(random.integers(0, count, count)) for _ in range(DRAWN)])
    over, part = indices._variance(ab)[0], indices._squares(gaps)
    ratio, variance = totals(np.arange(count)), over.rows.mean()
    influence = (part.cells.mean(axis=1) - ratio[:, None] * over.cells.mean(axis=0)) / variance
    error = np.sqrt((influence**2).sum(axis=1) / (count * (count - 1)))
    assert error == pytest.approx(drawn.std(axis=0), rel=0.05)


TRIALS = 200


@pytest.mark.parametrize(("replicates", "luck"), [(1, 0.0), (5, 1.0), (10, 4.0)])
@pytest.mark.parametrize(("function", "names", "truth"), CASES)
def test_intervals_cover_all_indices_at_once(
    replicates: int, luck: float, function: Callable[[Floats], Floats], names: str, truth: dict[str, list[float]]
) -> None:
    """Independent rows, 512 of A, and a level of 90 %; luck of each row, its variance beside the outcome's; fixed seeds.

    Were the chance .9, fewer than 164 of 200 would be covered, or more than 193, with a chance of 1.9e-4 and 1.5e-4: the false alarms.
    """
    assert stats.binom.cdf(163, TRIALS, 0.9) == pytest.approx(1.86e-4, rel=0.01)
    assert stats.binom.sf(193, TRIALS, 0.9) == pytest.approx(1.48e-4, rel=0.01)
    covered, k, n = 0, len(names), 512
    for trial in range(TRIALS):
        random = np.random.default_rng(trial)
        points = independent(n, k, random)
        values = function(points)[:, None] * np.ones(replicates)
        values += math.sqrt(luck) * values.std() * random.standard_normal(values.shape)
        covered += covers(sobol(values, n, list(names), 1, level=0.9), truth, slack=1e-3 if not luck else 0.0)
    assert 164 <= covered <= 193


@pytest.mark.parametrize("replicates", [1, 4])
def test_an_outcome_that_does_not_vary(replicates: int) -> None:
    names, shape = list("ab"), (4 * 16, replicates)
    rounding = np.random.default_rng(1).choice([0.3, 0.1 + 0.2], shape)
    for values in (np.zeros(shape), np.full(shape, 7.0), np.full(shape, 7.0) + np.arange(replicates), rounding):
        found = sobol(values, 16, names, 1)
        assert found["told"].tolist() == [STILL, STILL]
        assert found.drop(columns=["factor", "told"]).isna().all(axis=None)
    assert spread(np.zeros((64, 4)), 16, names) == (0.0, 0.0, 0.0)


def test_nothing_but_luck() -> None:
    """A false alarm has a chance below 5 % each: 13 or more of 100 would have one of 1.5e-3 at most; fixed seeds."""
    values = [np.random.default_rng(seed).standard_normal((6 * 64, 10)) for seed in range(100)]
    told = [sobol(one, 64, list("abcd"), 1)["told"][0] for one in values]
    assert sum(one == f"{STILL}, as far as can be told from luck" for one in told) > 87
    assert spread(values[0], 64, list("abcd")).share > 0.5


def test_a_single_factor_and_a_design_without_any_error() -> None:
    """Rows of A and B are 1 and -1 by turns, opposite to each other: every row says the same, so that intervals have no width."""
    a = np.tile([1.0, -1.0], 8)
    found = sobol(np.concatenate([a, -a, -a])[:, None], 16, ["a"], 1)
    assert found.iloc[0, 1:7].astype(float).to_numpy() == pytest.approx([1.0, 1.0, 1.0, *[2.0 * 31 / 32] * 3])


def test_seeds_repeat() -> None:
    values = ishigami(saltelli(64, alone(3), 1))[:, None]
    one, two = (sobol(values, 64, list("xyz"), seed) for seed in (1, 2))
    pd.testing.assert_frame_equal(one, sobol(values, 64, list("xyz"), 1))
    assert not one["total_low"].equals(two["total_low"])
    assert one["total_low"].to_numpy() == pytest.approx(two["total_low"].to_numpy(), abs=0.02)  # quantiles of 50 000 draws


@pytest.mark.parametrize(
    ("call", "where"),
    [
        (lambda: saltelli(12, alone(2), 1), "n"),
        (lambda: saltelli(4, alone(2), 1), "n"),
        (lambda: saltelli(8, ((0,), (0, 1)), 1), "groups"),
        (lambda: saltelli(8, ((0,), (2,)), 1), "groups"),
        (lambda: saltelli(8, ((0,), ()), 1), "groups"),
        (lambda: saltelli(8, (), 1), "groups"),
        (lambda: sobol(np.zeros((32, 1)), 8, ["a"], 1), "values"),
        (lambda: sobol(np.zeros(24), 8, ["a"], 1), "values"),
        (lambda: sobol(np.zeros((24, 0)), 8, ["a"], 1), "values"),
        (lambda: sobol(np.full((24, 1), math.inf), 8, ["a"], 1), "values"),
        (lambda: sobol(np.zeros((32, 1)), 8, ["a", "a"], 1), "names"),
        (lambda: sobol(np.zeros((12, 1)), 4, ["a"], 1), "n"),
        (lambda: sobol(np.zeros((24, 1)), 8, ["a"], 1, level=1.0), "level"),
        (lambda: morris_points(1, alone(2), 1), "trajectories"),
        (lambda: morris_points(4, alone(2), 1, levels=3), "levels"),
        (lambda: morris(np.eye(2, 1), np.zeros((2, 1)), ["a", "b"]), "names"),
        (lambda: morris(np.zeros((6, 2)), np.zeros((6, 1)), ["a", "b"]), "points"),
        (lambda: morris(np.zeros((7, 2)), np.zeros((7, 1)), ["a", "b"]), "points"),
        (lambda: morris(np.zeros((6, 2)), np.zeros((6, 1)), ["a"], ((0,),)), "points"),
        (lambda: morris(np.zeros((6, 2)), np.zeros((5, 1)), ["a", "b"]), "values"),
        (lambda: morris(np.eye(2, 1), np.zeros((2, 1)), ["a"], level=0.0), "level"),
        (lambda: tornado_points(0), "low"),
        (lambda: tornado_points(2, 0.9, 0.1), "low"),
        (lambda: tornado(np.zeros((4, 1)), ["a"]), "values"),
        (lambda: tornado(np.zeros((1, 1)), []), "names"),
    ],
)
def test_faults(call: Callable[[], object], where: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        call()
    assert [fault.where for fault in caught.value.faults] == [where]


def test_morris_needs_salib(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SALib", "SALib.sample", "SALib.sample.morris"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ScenarioError, match=r"method: needs SALib \(got morris\); pip install 'clvsim\[studies\]'"):
        morris_points(4, alone(2), 1)


@pytest.mark.parametrize("levels", [2, 4, 6])
def test_morris_of_a_linear_outcome_is_exact(levels: int) -> None:
    pytest.importorskip("SALib")
    points = morris_points(10, alone(4), 1, levels=levels)
    assert points.shape == (50, 4)
    slopes = np.array([3.0, -2.0, 1.0, 0.0])
    found = morris(points, (points @ slopes)[:, None] + np.array([0.0, 5.0]), list("abcd"))
    assert found["factor"].tolist() == list("abcd")
    assert found["mu"].to_numpy() == pytest.approx(slopes)
    for key in ("mu_star", "mu_star_low", "mu_star_high"):
        assert found[key].to_numpy() == pytest.approx(np.abs(slopes))
    assert found["sigma"].to_numpy() == pytest.approx(0.0, abs=1e-12)
    assert found["told"].tolist() == ["matters, nearly along a straight line"] * 3 + [UNSURE]


def test_morris_with_luck_by_hand_and_in_groups() -> None:
    """x y: a change of x is y, which is a level from 0 to 1; z is luck only, whose mean absolute change is far from 0."""
    pytest.importorskip("SALib")
    points = morris_points(40, alone(3), 2)
    luck = np.random.default_rng(5).standard_normal((len(points), 6))
    values = 4.0 * (points[:, 0] * points[:, 1])[:, None] + 0.4 * luck
    found = morris(points, values, list("xyz"), seed=1)
    mean, at = values.mean(axis=1).reshape(40, 4), points.reshape(40, 4, 3)
    change = np.array(
        [[(two - one) / (b - a)[(b != a)].item() for one, two, a, b in steps(mean[t], at[t], z)] for t in range(40) for z in [2]]
    )
    assert found["mu"][2] == pytest.approx(change.mean())
    assert found["mu_star"][2] == pytest.approx(np.abs(change).mean())
    assert found["sigma"][2] == pytest.approx(change.std(ddof=1))
    assert found["mu_star_low"][2] > 0.1
    assert found["told"].tolist() == ["matters, bent or together with others"] * 2 + [UNSURE]
    assert morris(points, values[:, :1], list("xyz"))["told"][2] != UNSURE
    straight = morris(points, 2.0 * points[:, :1] + 0.4 * luck, list("xyz"))
    assert straight["sigma"][0] > 0.1 * straight["mu_star"][0]  # by luck
    assert straight["told"].tolist() == ["matters, nearly along a straight line", UNSURE, UNSURE]
    groups = ((2,), (0, 1))
    points = morris_points(20, groups, 3)
    found = morris(points, (10.0 * points[:, 2] + points[:, 0])[:, None], ["z", "xy"], groups)
    assert found["mu_star"].to_numpy() == pytest.approx([10.0, 1.0])
    assert found["sigma"].isna().tolist() == [False, True]
    assert found["told"].tolist() == ["matters, nearly along a straight line", "matters"]


def steps(mean: Floats, at: Floats, column: int) -> list[Any]:
    """Return outcomes and points before and after the step of a trajectory in which a column moves alone."""
    pairs = zip(mean[:-1], mean[1:], at[:-1], at[1:], strict=True)
    return [one for one in pairs if one[2][column] != one[3][column]]


def test_tornado_by_hand() -> None:
    assert tornado_points(2).tolist() == [[0.5, 0.5], [0.1, 0.5], [0.9, 0.5], [0.5, 0.1], [0.5, 0.9]]
    assert tornado_points(1, 0.0, 1.0).tolist() == [[0.5], [0.0], [1.0]]
    values = [[10.0, 20.0], [9.0, 19.0], [12.0, 20.0], [14.0, 26.0], [7.0, 15.0]]
    found = tornado(values, ["a", "b"])
    assert found["factor"].tolist() == ["b", "a"]
    expected = {
        "low": [20.0, 14.0],
        "high": [11.0, 16.0],
        "low_change": [5.0, -1.0],
        "low_change_se": [1.0, 0.0],
        "high_change": [-4.0, 1.0],
        "high_change_se": [1.0, 1.0],
        "swing": [9.0, 2.0],
    }
    for key, value in expected.items():
        assert found[key].to_numpy() == pytest.approx(value), key
    single = tornado(np.array(values)[:, :1], ["a", "b"])
    assert single[["low_change_se", "high_change_se"]].isna().all(axis=None)
    assert single["swing"].tolist() == [7.0, 3.0]
