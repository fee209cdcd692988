"""Our own elementary functions and samplers, against NumPy's and SciPy's in double precision."""

import math

import numpy as np
import pytest
from scipy import special, stats

from sim.compile import quantiles
from sim.kernels.maths import exp, exponent, exponent_64, exponential, log, log_64, normal
from sim.kernels.samplers import amount_node, look_up, poisson
from tests import naive

WORDS = np.unique(np.concatenate([np.linspace(0, 2**32 - 1, 4001), 2.0 ** np.arange(33) - 1, 2**32 - 2.0 ** np.arange(1, 32)]))
WORDS = WORDS[WORDS < 2**32].astype(np.uint32)
UNIFORM = WORDS.astype(float) / 2**32


def applied(function: object, words: np.ndarray) -> np.ndarray:
    u, v, out = (np.zeros(words.size, np.float32) for _ in range(3))
    function(words, u, v, out, words.size)  # type: ignore[operator]
    return out


def test_log() -> None:
    x = np.concatenate([np.geomspace(1e-30, 1e30, 3000), np.linspace(0.5, 2.0, 1001)]).astype(np.float32)
    out = np.zeros_like(x)
    log(x.copy(), out, x.size)
    exact = np.log(x.astype(float))
    assert np.all(np.abs(out - exact) <= 1.5 * np.spacing(np.abs(exact).astype(np.float32)))


def test_exponent() -> None:
    x = np.concatenate([np.linspace(-80, 80, 4001), np.linspace(-1, 1, 1001), [0.0, 1e9, -1e9]]).astype(np.float32)
    out = np.array([exponent(one) for one in x], np.float32)
    exact = np.exp(np.clip(x.astype(float), -80, 80))
    assert np.all(np.abs(out - exact) <= 2 * np.spacing(exact.astype(np.float32)))
    assert out[x == 0].tolist() == [1.0] * int((x == 0).sum())


def test_exponential_is_accurate_near_zero_and_in_the_tail() -> None:
    got = applied(exponential, WORDS).astype(float)
    exact = np.where(UNIFORM < 0.5, -np.log1p(-UNIFORM), -np.log((2**32 - 0.5 - WORDS.astype(float)) / 2**32))
    assert np.all(np.abs(got - exact) <= 4e-7 * exact)
    assert got[0] == 0.0
    assert np.all(np.isfinite(got))


def test_normal_quantile() -> None:
    got = applied(normal, WORDS).astype(float)
    exact = special.ndtri((WORDS.astype(float) + 0.5) / 2**32)
    assert np.all(np.abs(got - exact)[np.abs(exact) < 5] < 1e-5)
    assert np.all(np.abs(got - exact) < 3e-3)
    assert np.all(applied(normal, np.uint32(2**32 - 1) - WORDS) == -applied(normal, WORDS))


def test_log_64() -> None:
    x = np.array([*np.geomspace(1e-300, 1e300, 4001), *(1.0 + np.linspace(-0.5, 0.5, 1001)), 2.0**-33, 1.0 - 2.0**-33, 1.0, 2.0, 0.5])
    out = np.zeros_like(x)
    log_64(x.copy(), out, x.size)
    exact = np.log(x)
    assert np.all(np.abs(out - exact) <= 2 * np.spacing(np.abs(exact)))
    assert out[x == 1.0].tolist() == [0.0] * int((x == 1.0).sum())


def test_exp() -> None:
    for x in np.linspace(-600, 600, 801):
        assert exp(x) == pytest.approx(math.exp(x), rel=4e-15)


def test_exponent_64_is_exp_to_the_last_bit() -> None:
    x = np.concatenate([np.linspace(-699, 699, 997), np.linspace(-1, 1, 501), [0.0, -0.0]])
    out = np.zeros(x.size)
    exponent_64(x.copy(), out, x.size)
    assert out.tolist() == [exp(float(one)) for one in x]


def counts_of(words: np.ndarray, means: np.ndarray) -> list[int]:
    """Return the counts of a group, those of 0 included."""
    places, work, counts = np.zeros(words.size + 1, np.uint32), np.zeros((5, words.size)), np.zeros(words.size, int)
    some = poisson(words, means, places, work, words.size)
    counts[places[:some]] = work[0, :some]
    return list(counts)


def test_poisson_counts_a_group_as_one_by_one() -> None:
    """Of means near the count of the rounds that all take, of 0, and of more than the exponential bears."""
    means = np.random.default_rng(1).choice([0.0, 1e-12, 1e-3, 0.3, 1.4, 3.0, 5.0, 60.0, 699.0, 701.0, 720.0], WORDS.size)
    for part in np.array_split(np.arange(WORDS.size), 5):
        expected = [naive.poisson(word, float(mean)) for word, mean in zip(WORDS[part], means[part], strict=True)]
        assert counts_of(WORDS[part], means[part]) == expected


@pytest.mark.parametrize("mean", [0.01, 0.7, 5.0, 60.0, 480.0])
def test_poisson_inverts_the_distribution(mean: float) -> None:
    words = WORDS[::37].copy()
    for word, count in zip(words, counts_of(words, np.full(words.size, mean)), strict=True):
        u = (float(word) + 0.5) / 2**32
        assert stats.poisson.cdf(count, mean) >= u - 1e-9
        assert count == 0 or stats.poisson.cdf(count - 1, mean) <= u + 1e-9


@pytest.mark.parametrize(
    ("table", "ppf", "mean", "second"),
    [
        (quantiles.positive("gamma", 1.4), stats.gamma(1.4**-2, scale=1.4**2).ppf, 1.0, 1 + 1.4**2),
        (quantiles.positive("gamma", 0.3), stats.gamma(0.3**-2, scale=0.3**2).ppf, 1.0, 1.09),
        (quantiles.positive("lognormal", 1.5), stats.lognorm(math.log1p(2.25) ** 0.5, scale=3.25**-0.5).ppf, 1.0, 3.25),
        (quantiles.beta(0.668, 3.806), stats.beta(0.668, 3.806).ppf, 0.668 / 4.474, 0.668 / 4.474 * 1.668 / 5.474),
        (quantiles.beta(1.204, 0.75), stats.beta(1.204, 0.75).ppf, 1.204 / 1.954, 1.204 / 1.954 * 2.204 / 2.954),
    ],
    ids=["gamma wide", "gamma narrow", "lognormal", "beta low", "beta high"],
)
def test_quantile_tables_match_theory(table: np.ndarray, ppf: object, mean: float, second: float) -> None:
    """Mean and second moment within 1e-6, by the table as it is looked up, in float32 as the kernels have it; monotone; right values."""
    stored = table.astype(np.float32)
    got = quantiles.moments(stored.astype(float))
    assert got == pytest.approx((mean, second), rel=1e-6)
    assert np.all(np.diff(stored) >= 0)
    for z in (-3.1, -1.0, 0.2, 1.7, 3.3):
        value = look_up(stored[None, :], 0, np.float32(z))
        assert value == pytest.approx(ppf(special.ndtr(z)), rel=3e-4)  # type: ignore[operator]


def test_moments_of_a_table_are_what_sampling_it_gives() -> None:
    table = quantiles.positive("gamma", 0.8)
    z = special.ndtri((np.arange(400_000) + 0.5) / 400_000)
    sampled = np.interp(z, quantiles.Z, table)
    assert quantiles.moments(table) == pytest.approx((sampled.mean(), np.mean(sampled**2)), rel=2e-4)


def test_amount_node() -> None:
    nodes = np.array([1, 2, 5, 9])
    assert [amount_node(nodes, count) for count in (1, 2, 4, 5, 8, 9, 1000)] == [0, 1, 1, 2, 2, 3, 3]
