"""What customers do beside buying, against closed forms: contacts are Poisson in the time active, products a bounded pure-birth chain."""

from math import comb
from typing import Any

import numpy as np
import pytest

import sim
from sim.kernels.types import ACTIVITIES
from sim.scenario import read

pytestmark = pytest.mark.jit

CUSTOMERS = 200_000
LEAVE, ADD, MOST, WORTH = 0.1, 0.15, 4, 0.3


def simulated(stage: dict[str, Any], horizon: int = 12, **keys: Any) -> sim.Result:
    stages = {"s": stage, "lost": {"kind": "lost", **keys.pop("lost", {})}}
    raw = {"period": "month", "start": "s", "stages": stages, "horizon": horizon, **keys}
    return sim.simulate(read({**raw, "run": {"customers": CUSTOMERS, "seed": 11}}))


def rows(result: sim.Result, measure: str) -> Any:
    frame = result.activity
    return frame[(frame["by"] == "all") & (frame["measure"] == measure)].set_index("t")


def binomial(t: int) -> np.ndarray:
    """Return the chances of 1 … MOST products after t chances to add one: 1 + Binomial(t, ADD), held at MOST."""
    chances = [comb(t, k) * ADD**k * (1 - ADD) ** (t - k) for k in range(t + 1)]
    return np.array([*(chances[k] if k <= t else 0.0 for k in range(MOST - 1)), sum(chances[MOST - 1 :])])


def test_contacts_are_rate_times_active_periods() -> None:
    result = simulated({"contacts": [2.0, 0.5], "to": {"lost": {"probability": LEAVE}}})
    found = rows(result, "contacts")
    rate = np.array([2.0] + [0.5] * 11)
    assert (np.abs(found["mean"] - rate) < 4.5 * found["se"]).all()
    assert found["se"].to_numpy() == pytest.approx(np.sqrt(rate / found["active"]), rel=0.05)  # variance of a Poisson is its mean
    periods = result.sample.active[:, :-1].sum()
    expected = float(rate @ result.sample.active[0, :-1])
    counted = result.outcome.tally.activity[0, :, :, ACTIVITIES.index("contacts"), 0].sum()
    assert counted == pytest.approx(expected, abs=4.5 * expected**0.5)
    assert result.summary()["response_rate"] == pytest.approx(counted / periods, rel=1e-12)


def test_contacts_until_exit_take_the_time_lived() -> None:
    h, rate = 0.5, 3.0
    result = simulated({"contacts": rate, "to": {"lost": {"hazard": h}}}, exposure="until_exit")
    lived = (1 - np.exp(-h)) / h  # of a period, on average
    found = rows(result, "contacts")
    assert (np.abs(found["mean"] - rate * lived) < 4.5 * found["se"]).all()


def test_information_of_contacts_against_exact() -> None:
    stage = {"contacts": [0.4, 1.5], "information": 0.2, "information_per_contact": 2.0, "to": {"lost": {"hazard": 0.2}}}
    for exposure in ("whole", "until_exit"):
        result = simulated(stage, exposure=exposure, discount_rate_annual=0.2)
        row, exact = result.clv.iloc[0], result.exact
        assert row["mean"] == pytest.approx(exact.clv_mean, abs=4.5 * row["se"])
        assert row["sd"] == pytest.approx(exact.clv_sd, rel=0.01)


def test_products_are_a_bounded_pure_birth_chain() -> None:
    """Those still there hold min(1 + Binomial(t, p), most): mean, spread and additions, whoever has left."""
    result = simulated({"cross_sell": ADD, "to": {"lost": {"probability": LEAVE}}}, products={"maximum": MOST, "worth": WORTH})
    held, added = rows(result, "products"), rows(result, "added")
    number = np.arange(1, MOST + 1)
    for t in range(12):
        chances = binomial(t)
        mean = chances @ number
        assert held["mean"][t] == pytest.approx(mean, abs=max(4.5 * held["se"][t], 1e-12))
        deviation = (chances @ number**2 - mean**2) ** 0.5
        assert held["se"][t] == pytest.approx(deviation / held["active"][t] ** 0.5, rel=0.05)
        rate = ADD * binomial(t - 1)[:-1].sum() if t else 0.0
        assert added["mean"][t] == pytest.approx(rate, abs=max(4.5 * added["se"][t], 1e-12))
    assert binomial(11)[-1] > 0.2  # the bound is met


@pytest.mark.parametrize(
    "purchases",
    [
        {"kind": "subscription", "wallet": 10.0},
        {"kind": "bernoulli", "probability": 0.4, "wallet": 10.0},
        {"kind": "poisson", "rate": 2.0, "order_value": 5.0, "amount": {"distribution": "gamma", "cv": 0.6}},
    ],
)
def test_spend_grows_by_what_is_held(purchases: dict[str, Any]) -> None:
    """Mean spend in t of those there is 10 (1 + worth (E[held] - 1)), however they buy."""
    stage = {"cross_sell": ADD, "to": {"lost": {"probability": LEAVE}}}
    result = simulated(stage, products={"maximum": MOST, "worth": WORTH}, purchases=purchases)
    cash = result.cash[result.cash["by"] == "all"].set_index("t")
    for t in range(12):
        held = binomial(t) @ np.arange(1, MOST + 1)
        expected = 10.0 * (1 - LEAVE) ** t * (1 + WORTH * (held - 1))
        assert cash["purchase"][t] == pytest.approx(expected, abs=4.5 * cash["net_se"][t] + 1e-5)


def test_who_comes_back_starts_again_with_one() -> None:
    """Everybody leaves after four periods of sure additions, is away for one and comes back: 1 2 3 3, then 1 2 3 3 again."""
    stays = {"probability": [0.0, 0.0, 0.0, 1.0]}
    stage = {"cross_sell": 1.0, "to": {"lost": stays}}
    result = simulated(stage, lost={"to": {"s": {"probability": 1.0}}}, products={"maximum": 3, "worth": 1.0}, horizon=10)
    held = rows(result, "products")
    assert held["mean"].tolist() == pytest.approx([1, 2, 3, 3, np.nan, 1, 2, 3, 3, np.nan], nan_ok=True)
    assert rows(result, "added")["mean"].dropna().tolist() == [0, 1, 1, 0, 0, 1, 1, 0]
    assert result.cash.query("by == 'all'")["purchase"].tolist() == pytest.approx([1, 2, 3, 3, 0, 1, 2, 3, 3, 0])


def test_contacts_and_products_move_no_other_draw() -> None:
    """Who leaves when, and what a first product brings, is the same with and without: draws have addresses."""
    stage = {"price": 3.0, "to": {"lost": {"probability": LEAVE}}}
    poisson = {"kind": "poisson", "rate": 1.5}
    plain = simulated(stage, purchases=poisson)
    busy = simulated({**stage, "contacts": 1.0, "cross_sell": 0.5}, purchases=poisson, products={"maximum": 9, "worth": 0.0})
    assert plain.clv.equals(busy.clv)
    assert plain.flows.equals(busy.flows)
