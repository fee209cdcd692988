"""What policies do to products, cost to serve and whom they cover, against what follows from it by hand."""

from typing import Any

import numpy as np
import pytest

import sim
from sim.kernels.types import MEMBERS
from sim.scenario.model import Scenario
from tests import zoo
from tests.running import assert_same


def simulated(customers: int = 2000, **parts: Any) -> sim.Result:
    """Return a run of one stage that nobody leaves, unless told otherwise."""
    return sim.simulate(Scenario.model_validate({**zoo.one_stage({"hazard": 0.0}), "run": {"customers": customers}, **parts}))


def test_cross_selling_multiplies_the_chance_of_another_product() -> None:
    """Twice a chance of 0.1 is one of 0.2: 1 + 0.2 t products before anybody has all, the same ones as where the scenario says 0.2."""

    def sold(chance: float) -> dict[str, Any]:
        return {"customer": {"cross_sell": chance, "to": {"lost": {"hazard": 0.0}}}, "lost": {"kind": "lost"}}

    products = {"maximum": 20, "worth": 0.5}
    twice = {"more": {"effects": {"cross_sell": 2.0}}}
    treated = simulated(stages=sold(0.1), products=products, policies=twice).activity.query("measure == 'products' and by == 'all'")
    plain = simulated(stages=sold(0.2), products=products).activity.query("measure == 'products' and by == 'all'")
    assert treated["mean"].to_numpy() == pytest.approx(plain["mean"].to_numpy(), abs=1e-3)
    wanted = 1.0 + 0.2 * treated["t"].to_numpy()
    assert (abs(treated["mean"] - wanted) < 4 * treated["se"].clip(lower=1e-9)).all()


def test_cost_to_serve_is_multiplied() -> None:
    """By the power of the effect's strength, which a decay lessens: 0.5 of 0.5 a period, then 0.5 ** 0.5 …; purchases stay as they are."""
    less = {"less": {"effects": {"cost_to_serve": 0.5}, "decay": 0.5}}
    treated, plain = simulated(policies=less).cash, simulated().cash
    each = {key: frame.query("by == 'all'") for key, frame in {"treated": treated, "plain": plain}.items()}
    assert (each["treated"]["purchase"] == each["plain"]["purchase"]).all()
    wanted = [0.5 * 0.5 ** (0.5**t) for t in range(9)]
    assert (-each["treated"]["service"]).tolist() == pytest.approx(wanted, abs=1e-6)  # money is whole 2**-20


LEAVING, GAP = 0.2, 3


@pytest.mark.jit
def test_members_without_anybody() -> None:
    """In the long run a share of q g / (1 + q g); before it by the renewal equation of who is looked after; each one covered by dealers."""
    managers = {"turnover": {"leaving": LEAVING, "gap": GAP}, "effects": {"price": 1.1}}
    dealers = {"excludes": ["managers"], "lasts": 1, "effects": {"price": 1.05}}
    result = simulated(20_000, horizon=60, policies={"managers": managers, "dealers": dealers})
    with_manager, with_dealer = (result.outcome.tally.policy[0, 0, :, p, MEMBERS] for p in (0, 1))
    assert (with_manager + with_dealer == 20_000).all()
    assert with_manager[0] == 20_000
    begun = [1.0]  # chance that somebody begins to look after a member in t, and then stays at least for that period
    served = [1.0]
    for t in range(1, 60):
        left = [begun[s] * LEAVING * (1 - LEAVING) ** (t - GAP - s - 1) for s in range(max(t - GAP, 0))]
        begun.append(sum(left))
        served.append(sum(begun[s] * (1 - LEAVING) ** (t - s) for s in range(t + 1)))
    error = (np.array(served) * (1 - np.array(served)) / 20_000) ** 0.5
    assert (abs(with_manager / 20_000 - served) < 4.5 * error + 1e-12).all()
    assert 1 - served[-1] == pytest.approx(LEAVING * GAP / (1 + LEAVING * GAP), abs=1e-3)


def test_who_leaves_takes_trust_along() -> None:
    """Trust stands at 0.5 where nothing moves it, and is halved once, in the second period, where managers leave for certain."""
    mind = {"satisfaction": {"initial": 3, "quality": 3, "drift": 0}, "trust": {"initial": 0.5, "rise": 0, "fall": 0, "drop": 0}}
    staff = {"staff": {"turnover": {"leaving": 1.0, "gap": 40, "trust": 0.5}}}
    trust = simulated(300, policies=staff, **mind).feelings.query("by == 'all' and measure == 'trust'")
    assert trust["mean"].tolist() == [0.5] + [0.25] * 8


@pytest.mark.parametrize("capacity", [1000, 1600, 5000])
def test_members_share_a_capacity(capacity: int) -> None:
    """All 2,000 are members, and the effect has the strength capacity / 2,000: a margin lower by that much, a hazard to that power."""
    share = min(1.0, capacity / 2000)
    effects = {"margin": -0.5, "causes": {"rival": 0.2}}
    shared = {"staff": {"capacity": capacity, "overload": "share", "effects": effects}}
    stays = {"customer": {"price": 2.0, "to": {"lost": {"hazard": 0.0, "cause": "rival"}}}, "lost": {"kind": "lost"}}
    found = simulated(policies=shared, stages=stays, firm={"customers": 2000})
    assert found.cash.query("by == 'all'")["purchase"].to_numpy() == pytest.approx(2.0 * (1 - 0.5 * share), abs=1e-5)
    leave = {"customer": {"to": {"lost": {"hazard": 0.3, "cause": "rival"}}}, "lost": {"kind": "lost"}}
    one = simulated(policies=shared, stages=leave, firm={"customers": 2000}, horizon=1)
    plain = {"customer": {"to": {"lost": {"hazard": 0.3 * 0.2**share}}}, "lost": {"kind": "lost"}}
    other = simulated(stages=plain, firm={"customers": 2000}, horizon=1)
    assert one.outcome.tally.losses.tolist() == other.outcome.tally.losses.tolist()


def test_a_capacity_that_is_shared_without_being_reached_changes_nothing() -> None:
    scenario = zoo.scenario("treated_by_staff", customers=700)
    scenario = scenario.model_copy(update={"firm": scenario.firm.model_copy(update={"customers": 700})})
    callers = scenario.policies["callers"]
    loose = callers.model_copy(update={"capacity": 700, "overload": "share"})
    policies = {**scenario.policies, "callers": loose}
    assert_same(sim.simulate(scenario).outcome.tally, sim.simulate(scenario.model_copy(update={"policies": policies})).outcome.tally)
