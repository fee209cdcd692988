"""Exact sums, stratified estimates and histogram quantiles, against the raw values."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from sim.kernels.sums import fill_bins
from sim.kernels.types import BINS, SIDE, UNIT
from sim.measures.sums import (
    QUANTILE_RELATIVE_ERROR,
    QUANTILES,
    bin_edges,
    exact_quantiles,
    histogram_quantiles,
    mixture_sd,
    money,
    share_of,
    spread,
    squares,
    stratified,
    summed,
    wilson,
)
from sim.scenario.world import TWO_SIDED_95
from tests.measures.twin import bin_of, two_words

WORDS = st.lists(st.integers(-(2**80), 2**80), min_size=1, max_size=5)


@given(WORDS)
def test_two_words_give_back_the_sum(values: list[int]) -> None:
    assert money(np.array([two_words(value, 32) for value in values])).tolist() == values
    assert squares(np.array([two_words(value, 52) for value in values])).tolist() == values


@given(st.lists(st.integers(-(2**52), 2**52), min_size=1, max_size=20), st.integers(-(2**51), 2**51))
def test_spread_is_exact_where_floats_would_cancel(values: list[int], offset: int) -> None:
    moved = [value + offset for value in values]
    total, square = (np.array([sum(v**power for v in moved)], dtype=object) for power in (1, 2))
    mean = Fraction(sum(moved), len(moved))
    assert spread(total, square, np.array([len(moved)]))[0] == float(sum((v - mean) ** 2 for v in moved))


def cells_of_raw(raw: list[np.ndarray], chosen: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return top, base and deviation by cell, straight from raw values and who counts."""
    top = np.array([y[d].sum() for y, d in zip(raw, chosen, strict=True)])
    base = np.array([float(d.sum()) for d in chosen])
    deviation = np.array([((y[d] - y[d].mean()) ** 2).sum() if d.any() else 0.0 for y, d in zip(raw, chosen, strict=True)])
    return top, base, deviation


def test_one_cell_is_the_textbook_mean() -> None:
    y = np.random.default_rng(1).lognormal(size=200)
    value, se = stratified(*cells_of_raw([y], [np.ones(200, bool)]), np.array([200]), np.array([7.0]))
    np.testing.assert_allclose([value, se], [y.mean(), y.std(ddof=1) / np.sqrt(200)], rtol=1e-13)


def test_cells_are_weighted_by_the_population() -> None:
    generator = np.random.default_rng(2)
    raw = [generator.normal(5, 2, 40), generator.normal(-3, 1, 10), generator.normal(0, 9, 25)]
    share = np.array([0.5, 0.2, 0.3])
    sums = cells_of_raw(raw, [np.ones(y.size, bool) for y in raw])
    value, se = stratified(*sums, np.array([40, 10, 25]), share * 1e4)
    assert float(value) == pytest.approx(sum(w * y.mean() for w, y in zip(share, raw, strict=True)), rel=1e-13)
    assert float(se) == pytest.approx(np.sqrt(sum(w**2 * y.var(ddof=1) / y.size for w, y in zip(share, raw, strict=True))), rel=1e-13)


def test_domain_error_is_that_of_the_linearised_ratio() -> None:
    generator = np.random.default_rng(3)
    raw = [generator.normal(5, 2, 40), generator.normal(-3, 1, 30)]
    chosen = [generator.random(40) < 0.6, generator.random(30) < 0.3]
    weight, n = np.array([30.0, 70.0]), np.array([40, 30])
    value, se = stratified(*cells_of_raw(raw, chosen), n, weight)
    domain = sum(w * d.mean() for w, d in zip(weight, chosen, strict=True))
    ratio = sum(w * (y * d).mean() for w, y, d in zip(weight, raw, chosen, strict=True)) / domain
    z = [d * (y - ratio) for y, d in zip(raw, chosen, strict=True)]
    assert float(value) == pytest.approx(ratio, rel=1e-13)
    assert float(se) == pytest.approx(np.sqrt(sum(w**2 * one.var(ddof=1) / one.size for w, one in zip(weight, z, strict=True))) / domain)


def test_share_has_the_binomial_error() -> None:
    value, se = share_of(np.array([[30, 0]]), np.array([[120, 0]]), np.array([400]), np.array([1.0]))
    np.testing.assert_allclose(value, [0.25, np.nan])
    np.testing.assert_allclose(se, [np.sqrt(0.25 * 0.75 / 120 * 400 / 399), np.nan])


def test_error_is_undefined_where_a_cell_has_one_customer() -> None:
    top, base, deviation = np.array([6.0, 1.0]), np.array([3.0, 1.0]), np.array([2.0, 0.0])
    value, se = stratified(top, base, deviation, np.array([3, 1]), np.array([3.0, 1.0]))
    assert float(value) == 1.75
    assert np.isnan(se)
    value, se = stratified(top, base, deviation, np.array([3, 1]), np.array([3.0, 0.0]))
    assert float(value) == 2.0
    assert float(se) == pytest.approx(np.sqrt(2.0 / 2 / 3))


def test_ratios_of_cells_of_their_own_are_those_of_each_cell_alone() -> None:
    """To the last bit, with a cell of one customer and one that nobody was drawn from."""
    top, base, deviation = np.array([[6.5, -1.25, 0.0]]), np.array([[3.0, 1.0, 0.0]]), np.array([[2.3, 0.0, 0.0]])
    customers, weight = np.array([[5, 1, 0]]), np.array([[0.3, 700.0, 2.0]])
    together = np.array(stratified(top, base, deviation, customers, weight))
    one = [[part[:, g] for part in (top, base, deviation, customers, weight)] for g in range(3)]
    assert np.array_equal(together, np.array([stratified(*parts) for parts in one]).T, equal_nan=True)
    assert np.isfinite(together[1]).tolist() == [True, False, False]


def test_sums_are_added_one_after_the_other() -> None:
    values = np.random.default_rng(6).normal(size=(2000, 3)) * np.exp2(np.arange(2000) % 40)[:, None]
    total = np.zeros(3)
    for value in values:
        total += value
    assert np.array_equal(summed(values), total)
    assert not np.signbit(summed(np.array([-0.0, -0.0])))


def test_mixture_sd_of_a_proportional_sample_is_that_of_the_sample() -> None:
    generator = np.random.default_rng(4)
    raw = [generator.normal(5, 2, 40), generator.normal(-3, 1, 9), np.array([50.0])]
    sums = cells_of_raw(raw, [np.ones(y.size, bool) for y in raw])
    sd = mixture_sd(*sums, np.array([40, 9, 1]), np.array([400.0, 90.0, 10.0]))
    assert float(sd) == pytest.approx(np.concatenate(raw).std(ddof=1), rel=1e-13)


def money_of_many_sizes(n: int = 4000) -> np.ndarray:
    generator = np.random.default_rng(5)
    size = np.exp2(generator.uniform(0, 51.9, n)) * generator.choice([-1, 1, 1, 1], n)
    return np.concatenate([size.astype(np.int64), [0, 1, -1, 255, 256, -255, -256, 2**52 - 1, 1 - 2**52]])


def test_bins_of_kernel_and_edges_agree() -> None:
    values = money_of_many_sizes()
    bins = np.zeros(values.size, dtype=np.int64)
    fill_bins(values, np.zeros(values.size), bins, values.size)
    edges = bin_edges() * UNIT
    assert bins.tolist() == [bin_of(int(value)) for value in values]
    assert np.all((edges[bins] <= values) & (values <= edges[bins + 1]))
    assert edges[SIDE] == -256
    assert edges[SIDE + 1] == 256
    upper = edges[SIDE + 1 :]
    assert np.all(np.diff(upper) / upper[:-1] <= QUANTILE_RELATIVE_ERROR)


def histogram_of(values: np.ndarray) -> np.ndarray:
    return np.bincount([bin_of(int(value)) for value in values], minlength=BINS)


def test_quantiles_keep_their_stated_error() -> None:
    generator = np.random.default_rng(6)
    values = np.concatenate([generator.lognormal(3, 2, 3000) * UNIT, np.zeros(300), -generator.lognormal(1, 1, 500) * UNIT]).astype(
        np.int64
    )
    levels = (0.0, 0.01, *QUANTILES, 0.999, 1.0)
    found = histogram_quantiles(histogram_of(values), values.min() / UNIT, values.max() / UNIT, levels)
    raw = np.quantile(values / UNIT, levels)
    assert np.all(np.abs(found - raw) <= QUANTILE_RELATIVE_ERROR * np.abs(raw) + 256 / UNIT)
    assert found[0] == pytest.approx(raw[0], rel=QUANTILE_RELATIVE_ERROR)
    np.testing.assert_array_equal(exact_quantiles(values, levels), np.quantile(values, levels) / UNIT)


def test_quantiles_of_equal_values_are_exact_and_of_none_undefined() -> None:
    values = np.full(50, 920 * 2**20)
    np.testing.assert_array_equal(histogram_quantiles(histogram_of(values), 920.0, 920.0), np.full(5, 920.0))
    assert np.isnan(histogram_quantiles(np.zeros(BINS, dtype=np.int64), 0.0, 0.0)).all()
    assert np.isnan(exact_quantiles(values[:0])).all()


@pytest.mark.parametrize(("count", "n"), [(0, 20), (1, 20), (7, 20), (20, 20), (0, 1), (3, 1000), (1000, 1000)])
def test_shares_have_wilsons_interval(count: int, n: int) -> None:
    share = np.array([count / n])
    low, high = wilson(share, np.sqrt(share * (1 - share) / n), np.array([n]))
    known = binomtest(count, n).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose([low[0], high[0]], [known.low, known.high], rtol=1e-9, atol=1e-15)


def test_an_interval_takes_the_error_of_the_sample_it_is_from() -> None:
    """Its ends are where the share lies 1.96 errors off, an end's error being to the share's as those of binomials are."""
    share, se = share_of(np.array([[30], [4]]), np.array([[90], [60]]), np.array([100, 60]), np.array([700.0, 100.0]))
    ends = np.array(wilson(share, se, np.array([150])))
    error = se * np.sqrt(ends * (1 - ends) / (share * (1 - share)))
    np.testing.assert_allclose((ends - share) / error, [[-TWO_SIDED_95], [TWO_SIDED_95]], rtol=1e-9)


def test_certain_and_unknown_shares() -> None:
    shares = np.array([1.0, 0.5, 0.5, np.nan])
    low, high = wilson(shares, np.array([0.0, 0.0, np.nan, np.nan]), np.array([np.inf, 50.0, 50.0, 0.0]))
    known = binomtest(25, 50).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose(low, [1.0, known.low, np.nan, np.nan])
    np.testing.assert_allclose(high, [1.0, known.high, np.nan, np.nan])
