"""Rules between values of what is offered: contacts, products, what customers would pay; each has an example that breaks it."""

from typing import Any

import pytest

from sim.scenario import Scenario, read
from sim.scenario.checks import warnings
from sim.scenario.checks_offer import LISTS
from tests.scenario.cases import assert_refused, sound
from tests.scenario.test_checks_behaviour import TWO, WHERE, compiled

SOLD = {"maximum": 3, "worth": 0.5}
MOVED = {f"{WHERE}__effects": {"surplus": 2.0}}

BROKEN: list[tuple[dict[str, Any], str]] = [
    *(
        ({f"stages__lost__{name}": 0.5, "products": SOLD}, f"stages.lost.{name}: only in active stages, this one is lost (got 0.5); leave")
        for name in LISTS
    ),
    (
        {"stages__trial__kind": "prospect", "stages__trial__contacts": [1, 0]},
        "stages.trial.contacts: only in active stages, this one is pro",
    ),
    (
        {"stages__trial__cross_sell": [0.1, 0.2]},
        "stages.trial.cross_sell: needs products, which the scenario does not have (got [0.1, 0.2]); give products: its maximum and worth",
    ),
    (
        {"stages__trial__willing_to_pay": [2.0, 0.6], "stages__trial__margin": [0.5, 0.4]},
        "stages.trial.willing_to_pay: must be above the unit cost, price x (1 - margin), at every stage age, not at age 1: there is no",
    ),
    (MOVED, "stages.trial.to.lost.effects.surplus: needs stages.trial.willing_to_pay (got 2.0); say what the offer is worth"),
    (
        {**MOVED, "stages__trial__willing_to_pay": 0.1, "stages__trial__price": 10, "stages__trial__margin": 0.999},
        "stages.trial.to.lost.effects.surplus: the split of the surplus may multiply a hazard by at most 1,000,000 (got exp(221))",
    ),
    ({"stages__trial__contacts": 651}, "stages.trial.contacts: must be at most 650 (got 651)"),
    ({"stages__trial__contacts": [1.0] * 13}, "stages.trial.contacts: a list by stage age must not be longer than the horizon, 12 periods"),
    ({"products": {"maximum": 1, "worth": 0.5}}, "products.maximum: must be at least 2 (got 1)"),
    ({"products": {"maximum": 3}}, "products.worth: must be given"),
    ({"service": {"breadth": 0.1, "needs": 0.5}}, "service.needs: must be at least 1 (got 0.5)"),
    ({"fair_share": 1.5}, "fair_share: must be at most 1 (got 1.5)"),
    (
        {"segments": {**TWO, "a": {"share": 0.5, "products": {"worth": 2.0}}}},
        "segments.a.products: a segment changes mechanisms, it switches none on; the scenario has none of this name; give products",
    ),
]


@pytest.mark.parametrize(("changes", "said"), BROKEN)
def test_each_rule_is_told_in_a_line(changes: dict[str, Any], said: str) -> None:
    assert_refused(said, **changes)


def test_what_moves_nothing_is_said() -> None:
    raw = sound(products=SOLD, stages__trial__information_per_contact=1.0, fair_share=0.4, service={"breadth": 0.3})
    assert warnings(read(raw)) == (
        "products: no stage has cross_sell: nobody adds any",
        "stages.trial.information_per_contact: the stage has no contacts: it moves nothing",
        "fair_share: no edge has effects.surplus: it moves nothing",
        "service.breadth: there is one kind of needs: it moves nothing",
    )
    used = sound(
        products=SOLD,
        stages__trial__cross_sell=0.1,
        stages__trial__contacts=1.0,
        stages__trial__information_per_contact=1.0,
        stages__trial__willing_to_pay=1.5,
        fair_share=0.4,
        service={"breadth": 0.3, "needs": 2.0},
        **MOVED,
    )
    assert warnings(read(used)) == ()


def test_a_price_above_what_it_is_worth_is_legal_and_said() -> None:
    found = read(sound(stages__member__willing_to_pay=[0.9, 2.0], stages__member__margin=0.5))
    said = "stages.member.price: a price above willing_to_pay: customers pay more than the offer is worth to them, and their share of "
    assert warnings(found) == (f"{said}the surplus is -25 %",)
    stage = found.stages["member"]
    assert [stage.customer_share(age) for age in range(3)] == pytest.approx([-0.1 / 0.4, 1.0 / 1.5, 1.0 / 1.5])
    assert found.stages["trial"].customer_share(0) is None


def test_effective_number_of_segments() -> None:
    """One over the sum of squared shares: n for n equal ones, less for unequal ones, and nothing for a segment of nobody (Hill 1973)."""

    def effective(*shares: float) -> Scenario:
        return read(sound(segments={f"s{k}": {"share": share} for k, share in enumerate(shares)}, service={"breadth": 0.2}))

    assert effective(0.25, 0.25, 0.25, 0.25).effective_segments == pytest.approx(4, rel=1e-12)
    assert effective(0.5, 0.5, 0.0).effective_segments == 2.0
    found = effective(0.7, 0.2, 0.1)
    assert found.effective_segments == pytest.approx(1 / 0.54)
    assert {view.breadth_factor for view in found.by_segment.values()} == {found.breadth_factor}
    assert found.breadth_factor == pytest.approx(1 + 0.2 * (1 / 0.54 - 1))
    assert read(sound()).breadth_factor == 1.0


@pytest.mark.parametrize("junk", [None, True, "x", [], {}, -1, 0, 1e-300, 1e12, 1e300, float("inf")])
@pytest.mark.parametrize("path", ["contacts", "information_per_contact", "cross_sell", "willing_to_pay", "price", "margin"])
def test_junk_is_read_or_refused(path: str, junk: Any) -> None:
    raw = sound(products=SOLD, stages__trial__willing_to_pay=[1.5, 1.2], stages__trial__contacts=1, **MOVED)
    compiled({**raw, "stages": {**raw["stages"], "trial": {**raw["stages"]["trial"], path: junk}}})
