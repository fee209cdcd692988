"""Values of information against closed forms of normal laws, variance split against layouts of known components; all seeds are fixed.

Where a mean over repeats is held against the truth, 4 of its standard errors are allowed: a false alarm of 6e-5 each, were they chosen
after the fact. A single estimate is allowed 4 of those that it tells itself.
"""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from sim.studies.information import acceptability, best, evpi, evppi, evsi, split

pytestmark = pytest.mark.jit

Floats = NDArray[np.float64]


def loss(mean: float, sd: float) -> float:
    """Return ``E max(0, x) - max(0, E x)`` of a normal x: the unit normal loss (Raiffa and Schlaifer 1961, 5.13)."""
    far = abs(mean) / sd
    return float(sd * (stats.norm.pdf(far) - far * stats.norm.cdf(-far)))


def nested(theta: Floats, replicates: int, noise: float, seed: int, shared: float = 0.0) -> Floats:
    """Return net (draws, R, A): what is true of each draw, noise, a replicate's luck in all draws (``shared``), and what moves all arms."""
    rng = np.random.default_rng(seed)
    draws, arms = theta.shape
    own = noise * rng.standard_normal((draws, replicates, arms)) + shared * rng.standard_normal((replicates, arms))
    return np.asarray(theta[:, None] + own + 50.0 + 20.0 * rng.standard_normal((draws, replicates, 1)))


def pair(draws: int, mean: float, sd: float, replicates: int, noise: float, seed: int, shared: float = 0.0) -> Floats:
    """Return net of two arms whose difference is normal, and whose inner noise in that has standard deviation ``noise``."""
    second = mean + sd * np.random.default_rng([seed, 9]).standard_normal(draws)
    return nested(np.stack([np.zeros(draws), second], axis=1), replicates, noise / math.sqrt(2.0), seed, shared)


def near(found: float, true: float, se: float) -> bool:
    return abs(found - true) < 4.0 * se


def unbiased(found: Any, true: float) -> bool:
    """Return whether repeats have a mean within 4 standard errors of the truth."""
    return near(float(np.mean(found)), true, float(np.std(found, ddof=1)) / math.sqrt(len(found)))


@pytest.mark.parametrize("shared", [False, True])
def test_split_is_unbiased(shared: bool) -> None:
    """Parameter 4, market 9, simulation 2, whether each draw has market paths of its own or all have the same; strong noise, few draws."""
    rng, found = np.random.default_rng(1), []
    for _ in range(400):
        paths = 3.0 * rng.standard_normal((1, 5) if shared else (40, 5))
        values = 2.0 * rng.standard_normal((40, 1)) + paths + math.sqrt(2.0) * rng.standard_normal((40, 5))
        found.append(split(values, np.full((40, 5), 2.0), rng.exponential(0.5, (40, 5))))
    assert unbiased([one.raw_parameter for one in found], 4.0)
    assert unbiased([one.raw_market for one in found], 9.0)
    assert unbiased([one.luck for one in found], 0.5)


def test_split_without_a_market() -> None:
    rng = np.random.default_rng(2)
    found = []
    for replicates in [1] * 200 + [3] * 200:
        values = rng.standard_normal((40, 1)) + 2.0 * rng.standard_normal((40, replicates))
        found.append(split(values, np.full(values.shape, 4.0), 7.0, market=False))
    assert unbiased([one.raw_parameter for one in found[:200]], 1.0)
    assert unbiased([one.raw_parameter for one in found[200:]], 1.0)
    assert {(one.market, one.raw_market, one.luck) for one in found} == {(0.0, 0.0, 7.0)}
    below = [one for one in found if one.raw_parameter < 0.0]
    assert 20 < len(below) < 200
    assert {one.parameter for one in below} == {0.0}


def test_split_by_hand() -> None:
    """Draws 1 and 3 by turns, replicates 1 lower and higher: means vary by 30/29, within draws by 2 less what simulation makes."""
    values = np.array([[0.0, 2.0], [2.0, 4.0]] * 15)
    assert split(values, np.full((30, 2), 0.5), 3.0) == pytest.approx((30 / 29, 1.5, 3.0, 30 / 29, 1.5))


@pytest.mark.parametrize("shared", [0.0, 1.0])
@pytest.mark.parametrize("mean", [0.4, 1.0])
def test_evpi_of_two_arms(mean: float, shared: float) -> None:
    """Noise of an inner mean 1.5 times as large as what parameters do: naive is of sd 1.8; shared luck is no such noise.

    The mean over repeats is held to 4 standard errors and 3% of the value, for covariances are estimated.
    """
    true = loss(mean, 1.0)
    found = [evpi(pair(600, mean, 1.0, 4, 3.0, seed)) for seed in range(60)]
    assert np.mean([one.naive for one in found]) == pytest.approx(loss(mean, math.sqrt(3.25)), rel=0.06)
    corrected = np.array([one.corrected for one in found])
    assert abs(corrected.mean() - true) < 4.0 * corrected.std() / math.sqrt(60) + 0.03 * true
    assert np.mean([near(one.corrected, true, one.se) for one in found]) > 0.9
    assert all(one.removed == one.naive - one.corrected for one in found)
    assert all(one.naive > 1.6 * true for one in found)
    one = evpi(pair(600, mean, 1.0, 64, 3.0, 5, shared))
    assert near(one.corrected, true, one.se)


def test_shared_luck_is_part_of_the_error_and_not_of_the_noise() -> None:
    """Luck that all draws share moves the mean difference by sd .5, which estimates vary by and errors tell; it is no noise to take off.

    Without other luck only extrapolation is left, of what a moved mean does: twice the value less that of halves.
    """
    found = [evpi(pair(400, 1.0, 1.0, 16, 0.5, seed, shared=math.sqrt(2.0))) for seed in range(60)]
    spread = np.std([one.corrected for one in found])
    assert 0.7 * spread < np.mean([one.se for one in found]) < 1.4 * spread
    alone = evpi(pair(400, 1.0, 1.0, 16, 0.5, 0)).se
    assert spread > 3.0 * alone
    net = pair(400, 0.5, 1.0, 4, 0.0, 1, shared=0.7)
    whole, *halves = (evpi(each).naive for each in (net, net[:, :2], net[:, 2:]))
    assert max(halves) - min(halves) > 0.05
    assert evpi(net).corrected == pytest.approx(2.0 * whole - sum(halves) / 2.0)


def test_evpi_where_parameters_are_skew() -> None:
    """Lognormal differences, with noise of inner means half as large as theirs."""
    rng, found = np.random.default_rng(4), []
    shape = 0.5
    for seed in range(80):
        second = np.exp(shape * rng.standard_normal(1000)) - 1.5
        found.append(evpi(nested(np.stack([np.zeros(1000), second], axis=1), 8, 0.6, seed)))
    half = shape**2 / 2.0
    edge = -math.log(1.5)  # E max(0, X - 1.5) of a lognormal X, whose mean is below 1.5 (Black 1976)
    above = math.exp(half) * stats.norm.cdf((edge + 2 * half) / shape) - 1.5 * stats.norm.cdf(edge / shape)
    corrected = np.array([one.corrected for one in found])
    assert abs(corrected.mean() - above) < 4.0 * corrected.std() / math.sqrt(80) + 0.03 * above
    assert np.mean([one.naive for one in found]) > 1.15 * above


def test_errors_are_as_estimates_spread() -> None:
    """Over 80 repeats the spread is known to 8%, so that 30% are 4 standard errors, the bootstrap's own noise being averaged."""
    nets = [pair(400, 0.6, 1.0, 4, 1.0, seed) for seed in range(80)]
    one, two = [evpi(net) for net in nets], [best(net) for net in nets]
    assert np.mean([each.se for each in one]) == pytest.approx(np.std([each.corrected for each in one]), rel=0.3)
    assert np.mean([each.se[0] for each in two]) == pytest.approx(np.std([each.probability[0] for each in two]), rel=0.3)


@pytest.mark.parametrize("mean", [0.0, 0.8])
def test_best_of_two_arms(mean: float) -> None:
    """A difference of mean .8 and sd 1 is above 0 with probability .788; with noise of sd 2 in inner means, .640 is counted."""
    found = [best(pair(600, mean, 1.0, 4, 4.0, seed)) for seed in range(60)]
    assert np.mean([one.naive[1] for one in found]) == pytest.approx(stats.norm.cdf(mean / math.sqrt(5.0)), abs=0.01)
    probability = np.array([one.probability[1] for one in found])
    assert abs(probability.mean() - stats.norm.cdf(mean)) < 4.0 * probability.std() / math.sqrt(60) + 0.005
    assert 0.7 * probability.std() < np.mean([one.se[1] for one in found])  # where noise is that strong it errs upwards
    assert all(one.probability.sum() == pytest.approx(1.0) for one in found)


def test_best_of_three_arms() -> None:
    """Three arms of independent normals against quadrature: P(i best) = integral of the density of i times the others' distributions."""
    means, sds = np.array([0.0, 0.5, 0.2]), np.array([1.0, 0.6, 1.5])
    x = np.linspace(-9.0, 9.0, 20001)
    each = [
        np.trapezoid(
            stats.norm.pdf(x, means[i], sds[i]) * np.prod([stats.norm.cdf(x, means[j], sds[j]) for j in range(3) if j != i], axis=0), x
        )
        for i in range(3)
    ]
    found = [
        best(nested(means + sds * np.random.default_rng([seed, 1]).standard_normal((800, 3)), 4, 3.0, seed)).probability
        for seed in range(60)
    ]
    assert sum(each) == pytest.approx(1.0)
    for arm in range(3):
        values = np.array([one[arm] for one in found])
        assert abs(values.mean() - each[arm]) < 4.0 * values.std() / math.sqrt(60) + 0.005


def test_arms_that_are_alike_share() -> None:
    """The same arm twice has the probability that it has once, which depends on what draws are told apart by alone."""
    net = pair(100, 0.0, 1.0, 3, 0.5, 1)[:, :, [0, 1, 1]]
    found, once = best(net).probability, best(net[:, :, :2]).probability
    assert found == pytest.approx([once[0], once[1] / 2.0, once[1] / 2.0])
    same = best(net[:, :, [1, 2]])
    assert same.probability == pytest.approx([0.5, 0.5])
    assert evpi(net[:, :, [1, 2]])[:3] == pytest.approx((0.0, 0.0, 0.0))


def test_without_noise_all_is_counted() -> None:
    """Replicates alike: corrected is naive, the share of draws is the probability."""
    theta = np.random.default_rng(3).standard_normal((90, 3))
    net = np.repeat(theta[:, None], 5, axis=1)
    found = best(net)
    assert found.probability == pytest.approx(np.bincount(theta.argmax(axis=1), minlength=3) / 90)
    assert found.naive == pytest.approx(found.probability)
    value = evpi(net)
    assert value.naive == pytest.approx(theta.max(axis=1).mean() - theta.mean(axis=0).max())
    assert value.corrected == pytest.approx(value.naive)


def test_acceptability() -> None:
    """Effect of arm 1 normal(2, 1), cost 3: its net is w x - 3, best with probability Phi(2 - 3 / w), on the frontier above w = 1.5."""
    rng = np.random.default_rng(6)
    gross = np.stack([np.zeros(2000), 2.0 + rng.standard_normal(2000)], axis=1)
    effect = nested(gross, 4, 1.0, 2)
    cost = np.broadcast_to([0.0, 3.0], effect.shape)
    worth = [0.0, 1.0, 1.4, 1.6, 3.0]
    frame = acceptability(effect, cost, worth)
    assert list(frame.columns) == ["willingness", "arm", "net", "best", "se", "frontier"]
    assert frame["frontier"].tolist() == [w <= 1.5 if arm == 0 else w > 1.5 for w in worth for arm in (0, 1)]
    for row in frame[frame["arm"] == 1].to_dict("records"):
        w = row["willingness"]
        true = stats.norm.cdf(2.0 - 3.0 / w) if w else 0.0
        assert abs(row["best"] - true) <= 4.0 * row["se"]
        assert row["net"] == pytest.approx((w * effect - cost).mean(axis=(0, 1))[1])
    assert frame.groupby("willingness")["best"].sum().to_numpy() == pytest.approx(np.ones(5))


def additive(seed: int, noise: float = 1.0, draws: int = 1500) -> tuple[Floats, Floats]:
    """Return net of two arms that differ by .3 + .8 a + .6 b, and parameters a, b and c, the last of no effect."""
    known = np.random.default_rng([seed, 3]).standard_normal((draws, 3))
    theta = np.stack([np.zeros(draws), 0.3 + known @ [0.8, 0.6, 0.0]], axis=1)
    return nested(theta, 4, noise, seed), known


GROUPS: list[list[int]] = [[0], [1], [2], [0, 1], [0, 1, 2]]


def test_evppi_of_normal_parameters() -> None:
    """What a group does is normal, so its value is a loss integral: sd .8, .6, none, 1, 1. It is told too low by 3% at most."""
    found = []
    for seed in range(40):
        frame = evppi(*additive(seed), GROUPS, list("abcde"))
        assert frame["group"].tolist() == list("abcde")
        value = evpi(additive(seed)[0])
        assert frame["share"].to_numpy() == pytest.approx(frame["value"].to_numpy() / value.corrected)
        assert (frame["value"] < value.corrected + 4.0 * np.hypot(frame["se"], value.se)).all()
        found.append(frame[["value", "se"]].to_numpy())
    value, se = np.array(found).transpose(2, 0, 1)
    for place, sd in enumerate([0.8, 0.6, 0.0, 1.0, 1.0]):
        true = loss(0.3, sd) if sd else 0.0
        assert abs(value[:, place].mean() - true) < 4.0 * value[:, place].std() / math.sqrt(40) + 0.03 * true
        assert 0.6 * value[:, place].std() <= se[:, place].mean() + 1e-12
    assert (se[:, [0, 1, 3, 4]].mean(axis=0) < 1.6 * value[:, [0, 1, 3, 4]].std(axis=0)).all()


def test_evppi_finds_curves_and_products() -> None:
    """A difference of a**2 - 1 has value 4 phi(1) / 2, by parts; one of a b, of mean 0, E|a b| / 2 = 1 / pi, and of a alone nothing."""
    known = np.random.default_rng(8).standard_normal((4000, 2))
    for gain, true, groups in (
        (known[:, 0] ** 2 - 1.0, 2.0 * stats.norm.pdf(1.0), [[0], [0, 1]]),
        (known.prod(axis=1), 1 / math.pi, [[0, 1]]),
    ):
        net = nested(np.stack([np.zeros(4000), gain], axis=1), 4, 1.0, 3)
        for row in evppi(net, known, groups, ["x"] * len(groups)).to_dict("records"):
            assert near(row["value"], true, row["se"])
    alone = evppi(net, known, [[0]], ["a"])
    assert alone["value"][0] < 4.0 * alone["se"][0] + 0.01


def test_few_draws_do_not_drown_a_group_of_many_terms() -> None:
    """80 draws for 37 terms: of the .267 that all parameters are worth .22 is found on average; with the least penalty, .10."""
    found = [evppi(*additive(seed, noise=2.0, draws=80), [[0, 1, 2]], ["all"])["value"][0] for seed in range(60)]
    assert np.mean(found) > 0.6 * loss(0.3, 1.0)


def test_evppi_of_one_replicate_and_of_parameters_that_do_not_vary() -> None:
    net, known = additive(1)
    known[:, 2] = 5.0
    known[:, 1] = known[:, 1] > 0.0
    one, many = (evppi(net[:, :count], known, GROUPS, list("abcde")) for count in (1, 4))
    assert one["share"].isna().all()
    assert near(one["value"][0], loss(0.3, 0.8), one["se"][0])
    assert many["value"][2] == pytest.approx(0.0, abs=1e-12)
    split_in_two = 0.6 * math.sqrt(2.0 / math.pi)  # E b of each half
    assert near(many["value"][1], (split_in_two - 0.3) / 2.0, many["se"][1])


@pytest.mark.parametrize("mean", [0.0, 0.5])
def test_evsi_of_two_arms(mean: float) -> None:
    """Firm of 20, sd 3 and 4 a customer: noise of a trial 100 / n**.5. Preposterior sd by conjugacy (Raiffa and Schlaifer 1961, 5.5)."""
    sizes = [0, 1000, 10_000, 40_000, 10**12]
    net = pair(1500, mean * 100.0, 100.0, 4, 100.0, 11)
    frame = evsi(net, [3.0, 4.0], sizes, firm=1000.0, price=0.0001)
    assert list(frame.columns) == ["customers", "value", "se", "cost", "net", "best"]
    assert tuple(frame.loc[0, ["value", "se", "cost", "best"]]) == (0.0, 0.0, 0.0, False)
    for row in frame.iloc[1:].to_dict("records"):
        noise = 1000.0 * 5.0 / math.sqrt(row["customers"])
        before = 100.0**2 / math.hypot(100.0, noise)
        assert near(row["value"], loss(mean * 100.0, before), row["se"])
    steps = np.diff(frame["value"])
    assert (steps > -4.0 * frame["se"].to_numpy()[1:]).all()
    assert frame["value"].to_numpy()[-1] == pytest.approx(evpi(net).corrected, rel=1e-6)
    assert frame["cost"].to_numpy() == pytest.approx(np.array(sizes) * 2 * 0.0001)
    assert frame["net"].to_numpy() == pytest.approx(frame["value"] - frame["cost"])
    assert frame["best"].sum() == 1
    assert frame["best"].idxmax() == frame["net"].idxmax()


def test_evsi_of_three_arms_on_average() -> None:
    """Three arms alike but for one's mean, of independent normals: what a trial leaves is normal again, sd x**2 / hypot(x, noise).

    ``E max`` of three normals by quadrature. Arms have one variance, so that differences tell as much of differences as levels do.
    """
    means, noise = np.array([0.0, 0.4, 0.0]), 1.5
    before = 1.0 / math.hypot(1.0, noise)
    x = np.linspace(-8.0, 8.0, 8001)
    true = float(np.trapezoid(1.0 - np.prod(stats.norm.cdf((x[:, None] - means) / before), axis=1) - (x < 0.0), x)) - 0.4
    found = []
    for seed in range(8):
        theta = means + np.random.default_rng([seed, 1]).standard_normal((1000, 3))
        found.append(evsi(nested(theta, 4, 1.0, seed), np.full((1000, 3), noise), [100], firm=10.0)["value"][0])
    assert abs(np.mean(found) - true) < 4.0 * np.std(found) / math.sqrt(8) + 0.03 * true


def test_no_trial_is_best_where_all_cost_too_much() -> None:
    frame = evsi(pair(100, 0.5, 1.0, 2, 0.5, 1), [1.0, 1.0], [10, 100], firm=10.0, price=5.0)
    assert not frame["best"].any()


def test_money_of_another_unit_and_a_constant_for_all_arms() -> None:
    net, known = additive(2, draws=300)
    other = 1000.0 * (net + np.random.default_rng(1).standard_normal((300, 4, 1)) + 7.0)
    assert np.array(evpi(other)) == pytest.approx(1000.0 * np.array(evpi(net)), rel=1e-6)
    assert best(other).probability == pytest.approx(best(net).probability)
    one, two = (evppi(each, known, GROUPS, list("abcde")) for each in (net, other))
    assert two["value"].to_numpy() == pytest.approx(1000.0 * one["value"].to_numpy(), rel=1e-6)
    assert two["share"].to_numpy() == pytest.approx(one["share"].to_numpy(), rel=1e-6)
    one, two = (evsi(each, [sd, sd], [10, 100], 5.0) for each, sd in ((net, 1.0), (other, 1000.0)))
    assert two["value"].to_numpy() == pytest.approx(1000.0 * one["value"].to_numpy(), rel=1e-6)


def test_the_seed_tells_all() -> None:
    net, known = additive(3, draws=200)
    assert evpi(net, seed=4) == evpi(net, seed=4)
    assert evpi(net, seed=4).se != evpi(net, seed=5).se
    assert evppi(net, known, GROUPS, list("abcde"), seed=4).equals(evppi(net, known, GROUPS, list("abcde"), seed=4))
    one, two, three = (evsi(net, [1.0, 1.0], [50], 5.0, seed=seed) for seed in (4, 4, 5))
    assert one.equals(two)
    assert one["value"][0] != three["value"][0]


NET = np.random.default_rng(0).standard_normal((40, 3, 2))
HOLE = np.where(np.arange(240).reshape(40, 3, 2) == 7, np.nan, NET)


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (HOLE, "holds what is not a finite number"),
        (NET[:29], "29 draws: 30 or more"),
        (NET[:, :, :1], "one arm"),
        (NET[:, :1], "1 replicate a draw: 2 or more"),
        (NET[:, :, 0], "3 dimensions"),
        (NET[:, :, :0], "none of them empty"),
    ],
)
def test_net_that_will_not_do(net: Floats, said: str) -> None:
    for ask in (best, evpi, lambda net: evsi(net, [1.0, 1.0], [10], 5.0), lambda net: acceptability(net, 0.0 * net, [1.0])):
        with pytest.raises(ValueError, match=said) as caught:
            ask(net)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: acceptability(NET, NET[:, :2], [1.0]), "must be of one shape"),
        (lambda: acceptability(NET, NET, [math.nan]), "willingness holds"),
        (lambda: evppi(NET, np.zeros((39, 2)), [[0]], ["a"]), "unequal"),
        (lambda: evppi(NET, np.zeros((40, 2)), [[0]], ["a", "b"]), "unequal"),
        (lambda: evppi(NET, np.zeros((40, 2)), [[2]], ["a"]), "places 0 to 1"),
        (lambda: evppi(NET, np.zeros((40, 2)), [[]], ["a"]), "places 0 to 1"),
        (lambda: evppi(NET, np.full((40, 2), math.inf), [[0]], ["a"]), "parameters holds"),
        (lambda: evsi(NET, [1.0, 1.0, 1.0], [10], 5.0), r"sd is \(3,\)"),
        (lambda: evsi(NET, [1.0, -1.0], [10], 5.0), "0 or more"),
        (lambda: evsi(NET, [1.0, math.nan], [10], 5.0), "0 or more"),
        (lambda: evsi(NET, [1.0, 1.0], [-1], 5.0), "0 or more"),
        (lambda: evsi(NET, [1.0, 1.0], [10], 0.0), "above 0"),
        (lambda: evsi(NET, [1.0, 1.0], [10], 5.0, price=math.nan), "0 or more"),
        (lambda: split(NET[:, :, 0], NET[:, :2, 0], 1.0), "of one shape"),
        (lambda: split(NET[:, :, 0], -np.ones((40, 3)), 1.0), "variances"),
        (lambda: split(NET[:, :, 0], np.ones((40, 3)), math.nan), "variances"),
        (lambda: split(NET[:, :1, 0], np.ones((40, 1)), 1.0), "2 or more"),
        (lambda: split(HOLE[:, :, 1], np.ones((40, 3)), 1.0), "finite"),
    ],
)
def test_what_else_will_not_do(ask: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        ask()
    assert "\n" not in str(caught.value)
