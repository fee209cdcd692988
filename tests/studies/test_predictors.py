"""Ranks by the exact model: the numbers are theory's, the run looks them up, and treating those who gain most brings most."""

from typing import Any

import numpy as np
import pytest

import sim
from sim.exact.decisions import best_rule
from sim.exact.scores import scores
from sim.scenario import ScenarioError, read
from sim.scenario.model import Scenario
from sim.scenario.policy import Policy, Who
from sim.studies.arms import Arm, with_policies
from sim.studies.compare import compared
from sim.studies.functions import Score
from tests.running import assert_same

HORIZON = 24
SAVES = {"effects": {"edges": {"solid": {"lost": {"multiply": 0.4}}, "shaky": {"lost": {"multiply": 0.4}}}}, "lasts": 1}
STAGES: dict[str, Any] = {
    "solid": {"price": 12.0, "to": {"shaky": {"probability": 0.08}, "lost": {"probability": 0.01}}},
    "shaky": {"price": 8.0, "to": {"solid": {"probability": 0.25}, "lost": {"probability": [0.2, 0.3, 0.4]}}},
    "lost": {"kind": "lost"},
}


def firm(customers: int = 4000, seed: int = 3, **more: Any) -> Scenario:
    """Return a firm whose customers waver now and then, which it sees."""
    raw = {"period": "month", "horizon": HORIZON, "discount_rate_annual": 0.1, "start": "solid", "stages": STAGES, "stage_observed": True}
    return read({**raw, "firm": {"customers": customers}, "run": {"seed": seed}, **more})


def calls(**more: Any) -> dict[str, Any]:
    return {"uptake": 0.8, "cost": {"per_contact": 0.5, "per_uptake": 0.3, "per_member": 0.2}, **SAVES, **more}


@pytest.mark.parametrize("tenure", [0, 5, HORIZON - 1])
@pytest.mark.parametrize("stage", ["solid", "shaky"])
def test_scores_are_theorys(stage: str, tenure: int) -> None:
    """A customer with so many periods to come: worth what exact says; a contact now and none later adds what the rule's value says."""
    policy = Policy.model_validate(calls(lasts=3, decay=0.7))
    alone = firm(stages=STAGES).model_copy(update={"start": stage, "horizon": HORIZON - tenure})
    for by in ("remaining_value", "uplift"):
        found = scores(firm(), "calls", policy, by)
        value = found.table[tenure, 0, found.rows(stage, 1)[0]]
        if by == "remaining_value":
            assert value == pytest.approx(sim.exact(alone).clv_before_mean, rel=1e-12)
        else:
            once = policy.model_copy(update={"who": Who(tenure_until=1)})
            rule = best_rule(alone, {"calls": once})
            assert value == pytest.approx(rule.always["calls"] - rule.nothing, rel=1e-9)


def test_a_member_gains_less_by_a_new_contact() -> None:
    found = scores(firm(), "calls", Policy.model_validate(calls(lasts=6)), "uplift")
    shaky = found.rows("shaky", 3)
    assert len(set(shaky)) == 3
    assert (found.table[2, 1:, shaky] < found.table[2, 0, shaky][:, None]).all()


@pytest.mark.parametrize("by", ["remaining_value", "uplift"])
def test_the_run_looks_them_up(by: str) -> None:
    """As a function of the user's that holds the table, by tenure and stage, to the last bit; a stage's ages are worth the same here."""
    flat = {**STAGES, "shaky": {**STAGES["shaky"], "to": {**STAGES["shaky"]["to"], "lost": {"probability": 0.25}}}}
    cohorts = {"one": {"customers": 300, "periods": 2}, "late": {"first_period": 4, "customers": 200}}
    segments = {"a": {"share": 0.5}, "b": {"share": 0.5, "stages": {"solid": {"price": 20.0}}}}
    scenario = read({**firm().model_dump(exclude_unset=True, exclude={"firm"}), "stages": flat, "cohorts": cohorts, "segments": segments})
    body = calls(capacity=40, rank={"by": by})
    treated = with_policies(scenario, {"calls": body})
    tables = [scores(view, "calls", treated.policies["calls"], by) for view in treated.by_segment.values()]
    table = np.stack([one.table[:, 0][:, [one.rows(stage, 1)[0] for stage in ("solid", "shaky", "lost")]] for one in tables])
    globals()["TABLE"] = np.concatenate([table, np.zeros((2, 120 - HORIZON, 3))], axis=1)  # made-up customers are older
    own = with_policies(scenario, {"calls": {**body, "rank": {"score": "mine"}}})
    wanted = sim.simulate(own, functions={"mine": Score(from_table)}).outcome.tally
    assert_same(wanted, sim.simulate(treated).outcome.tally)
    other = with_policies(scenario, {"calls": {**body, "rank": {"by": "value"}}})
    assert not np.array_equal(wanted.policy, sim.simulate(other).outcome.tally.policy) or not np.array_equal(
        wanted.flows, sim.simulate(other).outcome.tally.flows
    )


TABLE = np.zeros((2, 120, 3))


def from_table(seen: Any) -> Any:
    out = np.empty(seen.tenure.size)
    for i in range(out.size):
        out[i] = TABLE[seen.segment[i], seen.tenure[i], seen.stage[i]]
    return out


@pytest.mark.jit
def test_treating_those_who_gain_most_brings_most() -> None:
    """One in twenty can be called: those about to leave gain most, those worth most hardly any. Five standard errors apart."""
    scenario = firm(20_000)
    arms = [Arm("none", (), scenario)]
    for by in ("uplift", "value", "random"):
        body = calls(capacity=1000, rank={"by": by})
        arms.append(Arm(by, ("calls",), with_policies(scenario, {"calls": body})))
    found = compared(scenario, arms)
    assert found.arms[found.best].id == "uplift"
    for other in (2, 3):
        ahead = found.ahead(1, other)
        assert ahead.mean > 5 * ahead.se > 0
    assert float(found.table["cost"].iloc[1]) > 0


@pytest.mark.parametrize(
    ("more", "body", "said"),
    [
        ({"frailty": {"variance": 0.4}}, {}, "needs what the exact model does not know, frailty: "),
        ({}, {"effects": {"orders": 1.2}}, "needs what the exact model does not know, policies.calls.effects.orders: "),
        ({"policies": {"other": {"effects": {"causes": {}}}}}, None, ""),
    ],
)
def test_where_theory_ends(more: dict[str, Any], body: dict[str, Any] | None, said: str) -> None:
    """One line; policies beside it are taken not to be there."""
    purchases: dict[str, Any] = {"purchases": {"kind": "poisson", "rate": 2.0}} if body and "effects" in body else {}
    scenario = firm(100, **more, **purchases)
    policy = calls(**(body or {}), capacity=5, rank={"by": "uplift"})
    treated = with_policies(scenario, {"calls": policy})
    if body is None:
        assert sim.simulate(treated).outcome.tally.policy.any()
        return
    with pytest.raises(ScenarioError) as caught:
        sim.simulate(treated)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"policies.calls.rank.by: {said}")
    assert line.endswith("(got uplift); rank by value, orders, tenure or survey")
