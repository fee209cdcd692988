"""The split of the surplus by stage, and the cost of a customer by calendar period, by hand."""

from typing import Any

import numpy as np
import pytest

from sim.report.figures import FIGURES, fitting
from sim.scenario import read
from sim.studies.simulate import simulate
from tests.zoo import ZOO, changed, scenario

FIXED, SETUP, SERVE = 30.0, 12.0, 2.0


def firm(customers: int = 10, **keys: Any) -> Any:
    """Run a firm whose two cohorts live four periods for certain, the second two periods after the first; money rounds to nothing."""
    leave = {"probability": [0.0, 0.0, 0.0, 1.0]}
    raw: dict[str, Any] = {
        "period": "year",
        "horizon": 5,
        "discount_rate_annual": 1.0,
        "start": "s",
        "timing": {"service": "end"},
        "stages": {"s": {"price": 64.0, "cost_to_serve": SERVE, "to": {"lost": leave}}, "lost": {"kind": "lost"}},
        "cohorts": {"one": {"customers": customers}, "two": {"first_period": 2, "customers": 2 * customers}},
        "firm": {"fixed_cost": FIXED, "setup_cost": SETUP},
        "run": {"customers": 30},
    }
    return simulate(read({**raw, **keys}))


def test_unit_cost_by_hand() -> None:
    frame = firm().unit_cost.set_index("y")
    active = np.array([10, 10, 30, 30, 20, 20, 0])
    assert frame.index.tolist() == list(range(7))
    assert frame["active"].tolist() == active.tolist()
    assert frame["fixed"].tolist()[:6] == pytest.approx((FIXED / active[:6]).tolist())
    assert frame["serve"].tolist()[:6] == pytest.approx([SERVE] * 6)
    assert frame["unit_cost"].tolist()[:6] == pytest.approx((FIXED / active[:6] + SERVE).tolist())
    assert frame.loc[6, ["fixed", "serve", "unit_cost"]].isna().all()


def test_unit_cost_falls_with_scale_and_rises_with_breadth() -> None:
    segments: dict[str, Any] = {"segments": {"a": {"share": 0.5}, "b": {"share": 0.5}}, "service": {"breadth": 0.25}}
    small, large = firm().unit_cost, firm(1000).unit_cost
    broad = firm(**segments).unit_cost
    living = small["active"] > 0
    assert (large["unit_cost"] < small["unit_cost"])[living].all()
    assert large["serve"][living].to_numpy() == pytest.approx(small["serve"][living].to_numpy())
    assert (broad["serve"] / small["serve"])[living].to_numpy() == pytest.approx(1.25, rel=1e-5)


def test_equity_pays_what_no_customer_causes() -> None:
    """Set-up cost at calendar 0, the fixed cost of every calendar period of the window; the exact answer says the same, to 1e-9."""
    with_costs, without = firm(), firm(firm={})
    whole = [found.equity.query("by == 'all'").iloc[0] for found in (with_costs, without)]
    paid = SETUP + sum(FIXED * 0.5**y for y in range(2 + 5))
    assert whole[0]["equity"] == pytest.approx(whole[1]["equity"] - paid, rel=1e-9)
    assert with_costs.clv.equals(without.clv)
    assert with_costs.exact.equity == pytest.approx(whole[0]["equity"], rel=1e-9)
    assert without.exact.equity == pytest.approx(whole[1]["equity"], rel=1e-9)


def test_offers_by_hand() -> None:
    frame = simulate(scenario("active", customers=50)).offers
    assert frame[["segment", "stage", "age"]].to_numpy().tolist() == [
        ["keen", "formation", 0],
        ["keen", "formation", 1],
        ["keen", "stability", 0],
        ["cool", "formation", 0],
        ["cool", "stability", 0],
    ]
    first = frame.iloc[0]
    assert first["price":"firm_share"].tolist() == pytest.approx([40, 20, 45, 25, 0.2, 0.8])
    assert (first["price_to_worth"], first["price_to_cost"]) == pytest.approx((40 / 45, 2))
    assert frame["customer_share"].tolist() == pytest.approx([0.2, 10 / 30, 30 / 54, -1 / 19, 30 / 54])
    assert (frame["customer_share"] + frame["firm_share"]).to_numpy() == pytest.approx(1)


def test_the_figure_of_unit_cost_is_stacked() -> None:
    result = simulate(read(changed(ZOO["active"], firm={"fixed_cost": 1000.0}, cohorts={"a": {"customers": 100, "periods": 5}})))
    drawn = FIGURES["unit_cost"](result)
    assert "unit_cost" in fitting(result)
    assert drawn.frame.equals(result.unit_cost)
    top = drawn.figure.axes[0].collections[1].get_paths()[0].get_extents().y1
    assert top == pytest.approx(drawn.frame["unit_cost"].max())
    assert "100" not in drawn.title
    assert drawn.caption.startswith("With ")
    assert "unit_cost" not in fitting(simulate(scenario("chain", customers=50)))
