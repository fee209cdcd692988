"""Designs: points where theory puts them, values of every distribution, and every rule of a study in a line of its own."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sim.scenario.errors import ScenarioError
from sim.scenario.study import MOST_POINTS, Factor, Study, correlation, levels, read_study
from sim.studies.design import POLICIES, TooMany, at, hypercube, points, sobol, unit, values


def study(**raw: Any) -> Study:
    return read_study(raw)


def factor(**raw: Any) -> Factor:
    return study(vary={"x": raw}).vary["x"]


def drawn(shares: Any, **raw: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(values(factor(**raw), np.asarray(shares, dtype=np.float64)), dtype=np.float64)


def column(raw: Mapping[str, Any], name: str) -> list[Any]:
    return [point[name] for point in points(read_study(raw))]


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 200), width=st.integers(1, 5), seed=st.integers(0, 2**31 - 1))
def test_a_hypercube_has_a_point_in_every_part(n: int, width: int, seed: int) -> None:
    found = hypercube(n, width, seed)
    assert found.shape == (n, width)
    assert ((found > 0) & (found < 1)).all()
    for k in range(width):
        assert sorted(np.floor(found[:, k] * n).astype(int).tolist()) == list(range(n))


@pytest.mark.parametrize("n", [1, 3, 5, 6, 8, 12, 64, 100])
def test_a_hypercube_twice_as_large_begins_with_it(n: int) -> None:
    short, long = hypercube(n, 3, 7), hypercube(2 * n, 3, 7)
    assert np.array_equal(long[:n], short)
    assert not np.array_equal(hypercube(n, 3, 8), short)


@pytest.mark.parametrize("n", [1, 2, 7, 64, 100])
def test_a_sobol_sequence_goes_on(n: int) -> None:
    assert np.array_equal(sobol(4 * n, 3, 5)[:n], sobol(n, 3, 5))
    assert np.array_equal(unit("sobol", n, 3, 5), sobol(n, 3, 5))
    assert np.array_equal(unit("lhs", n, 3, 5), hypercube(n, 3, 5))


@pytest.mark.parametrize("k", [3, 6, 8])
def test_a_sobol_sequence_is_a_net(k: int) -> None:
    """Scrambled points of a power of two have one in each of as many equal parts of every factor (Owen 1998)."""
    found = sobol(2**k, 4, 11)
    for column in found.T:
        assert sorted(np.floor(column * 2**k).astype(int).tolist()) == list(range(2**k))


@pytest.mark.parametrize("plan", ["lhs", "sobol"])
def test_points_of_a_longer_study_begin_with_those_of_a_shorter_one(plan: str) -> None:
    vary = {"a": {"low": 1, "high": 9, "integer": True}, "b": {"mean": 2.0, "sd": 1.0, "distribution": "gamma"}, "c": ["u", "v", "w"]}
    short, long = (points(study(vary=vary, design=plan, points=n, design_seed=3)) for n in (24, 48))
    assert long[:24] == short
    assert points(study(vary=vary, design=plan, points=24, design_seed=4)) != short


def test_a_grid_has_every_combination_the_last_factor_fastest() -> None:
    found = points(study(vary={"a": [1, 2], "b": ["x", "y", "z"]}, policies=["p", "none"], crossed=False))
    assert found == [dict(zip(("a", "b", POLICIES), one, strict=True)) for one in itertools.product([1, 2], "xyz", ["p", "none"])]
    assert [point["a"] for point in points(study(vary={"a": [1, 2], "b": [3]}, policies=["p"]))] == [1, 2]


def test_a_list_takes_the_first_values_then_the_second_ones() -> None:
    found = points(study(vary={"a": [1, 2], "b": ["x", True]}, policies=["p", "q"], crossed=False, design="list"))
    assert found == [{"a": 1, "b": "x", POLICIES: "p"}, {"a": 2, "b": True, POLICIES: "q"}]


def test_steps_of_a_grid() -> None:
    def steps(**raw: Any) -> list[Any]:
        return column({"vary": {"x": raw}}, "x")

    assert steps(low=0, high=0.2) == [0.0, 0.05, 0.1, 0.15, 0.2]
    assert steps(low=0.001, high=10, log=True) == [0.001, 0.01, 0.1, 1.0, 10.0]
    assert steps(low=1, high=3, integer=True) == [1, 2, 3]
    assert steps(low=1, high=3, integer=True, steps=9) == [1, 2, 3]
    assert steps(low=0, high=100, integer=True, steps=3) == [0, 50, 100]
    assert all(isinstance(one, int) for one in steps(low=0, high=100, integer=True))
    assert steps(distribution="normal", mean=0, sd=1, steps=3) == stats.norm.ppf(np.array([1 / 6, 1 / 2, 5 / 6])).tolist()


def test_a_grid_has_as_many_points_as_it_says() -> None:
    for raw in ({"low": 1, "high": 3, "integer": True, "steps": 9}, {"low": 1, "high": 30, "integer": True}, {"low": 1, "high": 2}):
        made = study(vary={"x": raw, "y": [1, 2]})
        assert len(points(made)) == made.size == 2 * levels(made.vary["x"])


EPSILON = 2.0**-53

SHARES = np.concatenate([[EPSILON], (np.arange(4001) + 0.5) / 4001, [1.0 - EPSILON]])
MIDDLES = (np.arange(400_000) + 0.5) / 400_000

DISTRIBUTIONS: list[tuple[dict[str, Any], Any]] = [
    ({"low": -2, "high": 5}, stats.uniform(-2, 7)),
    ({"low": 0.01, "high": 100, "log": True}, stats.loguniform(0.01, 100)),
    ({"distribution": "triangular", "low": -1, "mode": 2, "high": 3}, stats.triang(0.75, -1, 4)),
    ({"distribution": "triangular", "low": 0, "mode": 0, "high": 3}, stats.triang(0.0, 0, 3)),
    ({"distribution": "normal", "mean": 3, "sd": 0.5}, stats.norm(3, 0.5)),
    ({"distribution": "gamma", "mean": 3, "sd": 2}, stats.gamma(9 / 4, scale=4 / 3)),
    ({"distribution": "lognormal", "mean": 3, "sd": 2}, stats.lognorm(math.sqrt(math.log(13 / 9)), scale=3 / math.sqrt(13 / 9))),
    ({"distribution": "beta", "mean": 0.3, "sd": 0.1}, stats.beta(6, 14)),
    ({"distribution": "beta", "mean": 16, "sd": 2, "low": 10, "high": 30}, stats.beta(6, 14, 10, 20)),
]


@pytest.mark.parametrize(("raw", "twin"), DISTRIBUTIONS)
def test_quantiles_are_those_of_the_distribution(raw: dict[str, Any], twin: Any) -> None:
    found = drawn(SHARES, **raw)
    assert np.allclose(found, twin.ppf(SHARES), rtol=1e-9, atol=1e-12)
    assert (np.diff(found) >= 0).all()
    assert found.min() >= raw.get("low", -math.inf)
    assert found.max() <= raw.get("high", math.inf)


@pytest.mark.parametrize("raw", [raw for raw, _ in DISTRIBUTIONS if "mean" in raw])
def test_mean_and_standard_deviation_are_those_asked_for(raw: dict[str, Any]) -> None:
    """By the middles of 400,000 equal shares, which is an integral of the quantile function, off by the last of them alone."""
    found = drawn(MIDDLES, **raw)
    assert found.mean() == pytest.approx(raw["mean"], rel=1e-4)
    assert found.std() == pytest.approx(raw["sd"], rel=1e-2)


@pytest.mark.parametrize(
    ("raw", "twin"),
    [
        ({"distribution": "normal", "mean": 1, "sd": 2, "low": 0, "high": 4}, stats.truncnorm(-0.5, 1.5, 1, 2)),
        ({"distribution": "normal", "mean": 1, "sd": 2, "low": 0}, stats.truncnorm(-0.5, math.inf, 1, 2)),
    ],
)
def test_ends_cut_a_distribution_off(raw: dict[str, Any], twin: Any) -> None:
    found = drawn(SHARES[1:-1], **raw)
    assert np.allclose(found, twin.ppf(SHARES[1:-1]), rtol=1e-9, atol=1e-9)
    assert found.min() >= raw["low"]


@pytest.mark.parametrize("kind", ["gamma", "lognormal"])
def test_a_cut_distribution_keeps_its_shape_within(kind: str) -> None:
    """The share below x, of all that lies between the ends: (F(x) - F(low)) / (F(high) - F(low))."""
    whole = next(twin for raw, twin in DISTRIBUTIONS if raw.get("distribution") == kind)
    found = drawn(SHARES[1:-1], distribution=kind, mean=3, sd=2, low=1, high=6)
    inside = (whole.cdf(found) - whole.cdf(1)) / (whole.cdf(6) - whole.cdf(1))
    assert np.allclose(inside, SHARES[1:-1], atol=1e-12)
    assert 1 <= found.min() <= found.max() <= 6


@settings(max_examples=100, deadline=None)
@given(low=st.integers(-50, 50), width=st.integers(1, 40))
def test_whole_numbers_are_each_as_likely(low: int, width: int) -> None:
    n = width + 1
    shares = (np.arange(12 * n) + 0.5) / (12 * n)
    found = values(factor(low=low, high=low + width, integer=True), np.concatenate([[EPSILON], shares, [1 - EPSILON]]))
    assert all(isinstance(one, int) for one in found)
    assert found[0] == low
    assert found[-1] == low + width
    assert np.unique(np.array(found[1:-1]), return_counts=True)[1].tolist() == [12] * n


def test_whole_numbers_of_distributions_are_rounded() -> None:
    assert values(factor(distribution="normal", mean=10, sd=3, integer=True), SHARES[1:-1]) == [
        round(one) for one in stats.norm(10, 3).ppf(SHARES[1:-1]).tolist()
    ]
    found = values(factor(low=1, high=1000, log=True, integer=True), SHARES)
    assert [int(one) for one in found] == sorted(int(one) for one in found)
    assert (found[0], found[-1]) == (1, 1000)


def test_choices_are_each_as_likely() -> None:
    found = values(factor(values=["a", 2, True]), (np.arange(30) + 0.5) / 30)
    assert found == ["a"] * 10 + [2] * 10 + [True] * 10
    assert values(factor(values=["a", 2, True]), np.array([EPSILON, 1 - EPSILON])) == ["a", True]


@settings(max_examples=100, deadline=None)
@given(low=st.floats(1e-6, 1e3), ratio=st.floats(1.0001, 1e6), share=st.floats(EPSILON, 1 - EPSILON), log=st.booleans())
def test_no_value_leaves_its_range(low: float, ratio: float, share: float, log: bool) -> None:
    found = drawn([EPSILON, share, 1 - EPSILON], low=low, high=low * ratio, log=log)
    assert (found >= low).all()
    assert (found <= low * ratio).all()


@pytest.mark.parametrize("r", [-0.9, 0.3, 0.7])
@pytest.mark.parametrize("plan", ["sobol", "lhs"])
def test_a_copula_gives_the_rank_correlation(r: float, plan: str) -> None:
    """Spearman's rho of a Gaussian copula is 6/pi asin(r/2) (Kruskal 1958), whatever the margins; 4,096 points lie within 0.005 or 0.03."""
    vary = {
        "a": {"low": 1, "high": 100, "log": True},
        "between": {"low": 0, "high": 1},
        "b": {"mean": 3.0, "sd": 2.0, "distribution": "gamma"},
    }
    found = points(study(vary=vary, design=plan, points=4096, correlations={"a": {"b": r}}))
    a, between, b = ([float(point[name]) for point in found] for name in vary)
    near = 0.005 if plan == "sobol" else 0.03
    assert stats.spearmanr(a, b).statistic == pytest.approx(6 / math.pi * math.asin(r / 2), abs=near)
    assert stats.spearmanr(a, between).statistic == pytest.approx(0, abs=3 * near)
    assert sum(b) / len(b) == pytest.approx(3.0, rel=0.02)


def test_correlation_leaves_the_first_factor_where_it_was() -> None:
    """The normal scores are mixed by a lower triangle: z_b = r z_a + sqrt(1 - r^2) z."""
    cube = sobol(64, 2, 1)
    made = study(vary={"a": {"low": 0, "high": 1}, "b": {"low": 0, "high": 1}}, points=64, correlations={"b": {"a": 0.6}})
    found = at(made, cube)
    assert np.allclose([float(point["a"]) for point in found], cube[:, 0], atol=1e-14)
    z = stats.norm.ppf(cube)
    assert np.allclose([float(point["b"]) for point in found], stats.norm.cdf(0.6 * z[:, 0] + 0.8 * z[:, 1]), atol=1e-12)
    assert correlation(made, ["a", "b"]) == [[1.0, 0.6], [0.6, 1.0]]


def test_policies_that_are_not_crossed_are_drawn_too() -> None:
    found = points(study(vary={"a": {"low": 0, "high": 1}}, policies=["p", "q"], crossed=False, points=64))
    assert sorted(str(point[POLICIES]) for point in found) == ["p"] * 32 + ["q"] * 32


def said(raw: dict[str, Any]) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        points(read_study(raw))
    return str(caught.value).split("\n")


TWO: dict[str, Any] = {"vary": {"a": {"low": 0, "high": 1}, "b": {"low": 0, "high": 1}, "c": {"low": 0, "high": 1}}, "points": 8}


def test_impossible_correlations_are_one_fault() -> None:
    lines = said({**TWO, "correlations": {"a": {"b": 0.9, "c": 0.9}, "b": {"c": -0.9}}})
    assert lines == ["correlations: cannot be true of all pairs at once; make them smaller, or give those between the others too"]


RANGE = {"low": 0, "high": 1}

FAULTS: list[tuple[dict[str, Any], str]] = [
    ({}, "vary: must name something that varies; for example vary.discount_rate_annual=[0.05,0.1]"),
    ({"vary": 3}, "vary: must be a mapping of keys to values (got 3)"),
    (
        {"vary": {"x": 3}},
        "vary.x: must be a list of values or a range (got 3); [0.1, 0.2] or {low: 0.1, high: 0.2}",
    ),
    ({"vary": {"x": []}}, "vary.x.values: must list a value"),
    ({"vary": {"x": [1, [2]]}}, "vary.x.values.1: must be a finite number, text, true or false (got [2])"),
    ({"vary": {"x": [math.nan]}}, "vary.x.values.0: must be a finite number, text, true or false (got NaN)"),
    ({"vary": {"x": {"values": [1], "low": 2}}}, "vary.x.low: says nothing beside a list of values (got 2.0); leave one of them out"),
    ({"vary": {"x": {"values": ["a"], "scale": True}}}, "vary.x.scale: needs numbers to multiply by"),
    ({"vary": {"x": {"values": [True], "scale": True}}}, "vary.x.scale: needs numbers to multiply by"),
    ({"vary": {"x": {"low": 1}}}, "vary.x.high: must be given: uniform has low, high; or list the values: [1, 2, 3]"),
    (
        {"vary": {"x": {**RANGE, "distribution": "triangular"}}},
        "vary.x.mode: must be given: triangular has low, mode, high; or list the values: [1, 2, 3]",
    ),
    ({"vary": {"x": {**RANGE, "mean": 2}}}, "vary.x.mean: is no part of uniform: low, high (got 2.0); leave it out"),
    ({"vary": {"x": {"low": 2, "high": 2}}}, "vary.x.high: must be above low, which is 2: the range is empty (got 2.0)"),
    ({"vary": {"x": {**RANGE, "log": True}}}, "vary.x.low: must be above 0 on a log scale (got 0.0)"),
    (
        {"vary": {"x": {"mean": 1, "sd": 1, "distribution": "gamma", "log": True}}},
        "vary.x.log: is for a range from low to high; a lognormal distribution is one on a log scale",
    ),
    ({"vary": {"x": {"low": 0.5, "high": 2, "integer": True}}}, "vary.x.integer: needs whole numbers as low and high"),
    (
        {"vary": {"x": {**RANGE, "mode": 2, "distribution": "triangular"}}},
        "vary.x.mode: must lie between low and high, 0 and 1 (got 2.0)",
    ),
    ({"vary": {"x": {"mean": -1, "sd": 1, "distribution": "lognormal"}}}, "vary.x.mean: must be above 0 for lognormal (got -1.0)"),
    ({"vary": {"x": {"mean": 1, "sd": 0, "distribution": "normal"}}}, "vary.x.sd: must be above 0 (got 0)"),
    ({"vary": {"x": {"mean": 2, "sd": 1, "distribution": "beta"}}}, "vary.x.mean: must lie between 0 and 1 (got 2.0)"),
    (
        {"vary": {"x": {"mean": 0.5, "sd": 0.5, "distribution": "beta"}}},
        "vary.x.sd: must be below 0.5 for this mean of a beta distribution (got 0.5)",
    ),
    (
        {"vary": {"x": {**RANGE, "distribution": "norml"}}},
        "vary.x.distribution: must be one of 'uniform', 'triangular', 'normal', 'lognormal', 'gamma' or 'beta' (got 'norml')",
    ),
    ({"vary": {"x": {**RANGE, "steps": 1}}}, "vary.x.steps: must be at least 2 (got 1)"),
    ({"vary": {"x": {"lo": 0, "high": 1, "low": 0}}}, "vary.x.lo: unknown key; did you mean low?"),
    ({"vary": {"x": RANGE}, "pionts": 8}, "pionts: unknown key; did you mean points?"),
    ({"vary": {"x": RANGE}, "points": 0}, "points: must be at least 1 (got 0)"),
    ({"vary": {"x": RANGE}, "design": "gird"}, "design: must be one of 'grid', 'list', 'lhs' or 'sobol' (got 'gird')"),
    ({"vary": {"x": RANGE}, "design": "lhs"}, "points: must be given: how many points of the lhs design; points=256"),
    (
        {"vary": {"x": RANGE}, "design": "grid", "points": 4},
        "points: is for lhs and sobol: a grid has those that its values make (got 4); leave it out",
    ),
    ({"vary": {"x": RANGE}, "design": "list"}, "vary.x: must be a list of values in a list design; [1, 2, 3]"),
    (
        {"vary": {"x": [1, 2], "y": [1]}, "design": "list"},
        "design: needs lists of the same length (got list); they have vary.x 2, vary.y 1",
    ),
    ({"vary": {"x": RANGE}, "crossed": False}, "crossed: needs policies to vary (got false); policies=[none,win_back]"),
    ({**TWO, "correlations": {"a": {"bb": 0.5}}}, "correlations.a.bb: bb does not vary (got 0.5); did you mean b?"),
    ({**TWO, "correlations": {"a": {"b": 1.0}}}, "correlations.a.b: must lie between -1 and 1, for two factors (got 1.0)"),
    ({**TWO, "correlations": {"a": {"a": 0.5}}}, "correlations.a.a: must lie between -1 and 1, for two factors (got 0.5)"),
    (
        {"vary": {"a": [1, 2], "b": RANGE}, "points": 4, "correlations": {"a": {"b": 0.5}}},
        "correlations.a.b: a is a list of values, which has no order (got 0.5); give it a range",
    ),
]


@pytest.mark.parametrize(("raw", "line"), FAULTS, ids=[line[:40] for _, line in FAULTS])
def test_each_rule_is_told_in_a_line(raw: dict[str, Any], line: str) -> None:
    assert said(raw) == [line]


def test_listed_points_are_not_correlated() -> None:
    study = read_study({"vary": {"x": RANGE, "y": RANGE}, "correlations": {"x": {"y": 0.5}}})  # as a sensitivity analysis has it
    with pytest.raises(ScenarioError, match="correlations: say nothing in a grid, whose points are given; design=sobol with points=256"):
        points(study)


def test_a_pair_is_correlated_one_way() -> None:
    lines = said({**TWO, "correlations": {"a": {"b": 0.5}, "b": {"a": 0.4}}})
    assert lines[0] == "correlations.a.b: is not what correlations.b.a says (got 0.5); give each pair once"
    assert len(lines) == 2
    assert points(read_study({**TWO, "correlations": {"a": {"b": 0.5}, "b": {"a": 0.5}}}))


def test_all_faults_are_told_at_once() -> None:
    raw = {"vary": {"x": {"low": 2, "high": 1}, "y": {"low": 0, "high": 1, "log": True}, "z": []}, "design": "lhs", "crossed": False}
    assert [line.partition(":")[0] for line in said(raw)] == ["vary.x.high", "vary.y.low", "vary.z.values", "crossed", "points"]
    assert [line.partition(":")[0] for line in said({"vary": {"x": {"hihg": 1}}, "desing": "lhs", "points": "a"})] == [
        "vary.x.hihg",
        "points",
        "desing",
    ]


def test_too_many_points_are_refused_before_they_are_made() -> None:
    wide = {f"x{k}": {**RANGE, "steps": 1000} for k in range(3)}
    with pytest.raises(TooMany) as caught:
        points(study(vary=wide))
    assert str(caught.value) == f"design: must have at most {MOST_POINTS:,} points (got 1,000,000,000 points)"
    assert caught.value.count == 10**9
    with pytest.raises(TooMany) as caught:
        points(study(vary={"x": RANGE}, points=MOST_POINTS + 1))
    assert str(caught.value) == "points: must have at most 1,000,000 points (got 1,000,001 points)"
    assert study(vary=wide).size == 10**9
