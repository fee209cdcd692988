"""What policies do to products, cost to serve and whom they cover, against what follows from it by hand."""

from typing import Any

import pytest

import sim
from sim.scenario.model import Scenario
from tests import zoo


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
