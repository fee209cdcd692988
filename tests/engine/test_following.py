"""Arms that begin later start from where the reference is then: to the last bit as if each had been through all of it."""

from typing import Any

import numpy as np
import pytest

from sim.compile import compile_tables
from sim.engine.following import following
from sim.engine.run import Outcome, run
from sim.kernels.types import EVERY, START, STOP, TENURE_FROM, TENURE_UNTIL, Array
from sim.scenario.model import Scenario
from sim.scenario.sample import cells
from tests import zoo
from tests.running import assert_same

pytestmark = pytest.mark.usefixtures("small_groups")

COHORTS = zoo.changed(zoo.ZOO["frailty_seasons_cohorts"], **zoo.SEEN, policies=zoo.POLICIES)
OFFER: dict[str, Any] = {"offer": {"effects": {"margin": 0.1}, "cost": {"per_contact": 0.1}, "lasts": 2}}
OFFERED = ("wallet_by_chance", "pareto_nbd", "contacts_alone", "mindful_orders", "prospects_and_win_back")
"""Scenarios which, between them, have all that differs between customers. They get a policy that fits anywhere, and the lost are done, so
that customers change places."""
MORE = [
    pytest.param(name, marks=pytest.mark.jit) for name in ("cohorts", "treated_by_staff", "treated_service", "treated_margins", *OFFERED)
]


def arms(name: str, start: int, **settings: Any) -> list[Scenario]:
    """Return a scenario of the zoo without policies, with each of them, and with all, which treat from calendar ``start`` on."""
    raw = {**(COHORTS if name == "cohorts" else zoo.ZOO[name]), "name": name, "run": settings}
    raw |= {"policies": OFFER, "stages": {**raw["stages"], "lost": {"kind": "lost"}}} if name in OFFERED else {}
    whole = Scenario.model_validate(raw)
    later = {
        key: one.model_copy(update={"when": one.when.model_copy(update={"start": start, "stop": None})})
        for key, one in whole.policies.items()
    }
    return [whole.model_copy(update={"policies": policies}) for policies in ({}, *({key: one} for key, one in later.items()), later)]


def compared(every: list[Scenario], reference: int, follow: bool) -> Outcome:
    tables, horizon = compile_tables(*every)._replace(reference=np.array([reference])), int(every[0].horizon)
    tables = tables._replace(follows=following(tables, horizon)) if follow else tables
    return run(tables, [cell.sampled for cell in cells(every[0])], every[0].run, horizon)


def due(when: Array, t: int, y: int) -> bool:
    """Return whether a policy contacts customers of tenure t in calendar period y, as it says."""
    return y in range(when[START], min(when[STOP], 10_000), when[EVERY]) and when[TENURE_FROM] <= t < when[TENURE_UNTIL]


@pytest.mark.parametrize("start", [4, 5])
@pytest.mark.parametrize("reference", [0, 1])
@pytest.mark.parametrize("name", [*zoo.TREATED, *MORE])
def test_to_the_last_bit(name: str, reference: int, start: int) -> None:
    """Words serve two periods, and four: arms begin at the start of a block and within it."""
    every = arms(name, start, customers=300, replicates=2, keep_customers=True, threads=2)
    found, whole = compared(every, reference, follow=True), compared(every, reference, follow=False)
    assert_same(found.tally, whole.tally)
    assert found.kept is not None
    assert whole.kept is not None
    for mine, theirs in zip(found.kept, whole.kept, strict=True):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("start", [0, 3, 5, 99])
@pytest.mark.parametrize(("name", "alike"), [("cohorts", [3]), ("treated_minds", [2, 3, 5]), ("treated_by_staff", [1, 2, 3, 4])])
def test_arms_follow_until_somebody_can_be_contacted(name: str, alike: list[int], start: int) -> None:
    """Period by period; alike: arms that have the same rows."""
    every = arms(name, start)
    tables, horizon = compile_tables(*every), int(every[0].horizon)
    expected = np.zeros((len(every), tables.segment.size), np.int64)
    for k in alike:
        for g in range(tables.segment.size):
            v = tables.variant[k, tables.segment[g]]
            policies, arrival = tables.policy_when[v, tables.treating[v] != 0], int(tables.arrival[g])
            expected[k, g] = next((t for t in range(horizon - 1) if any(due(when, t, arrival + t) for when in policies)), horizon - 1)
    found = following(tables, horizon)
    assert np.array_equal(found, expected if expected.any() else expected[:0])
    assert found.any() or start == 0


@pytest.mark.parametrize(("name", "reference"), [("treated_minds", 1), ("treated_margins", 0)])
def test_who_follows_nobody(name: str, reference: int) -> None:
    """Of a reference with policies; where it is asked what customers brought before."""
    every = arms(name, 4)
    tables = compile_tables(*every)._replace(reference=np.array([reference]))
    assert following(tables, int(every[0].horizon)).size == 0


def test_who_is_done_in_the_reference_alone() -> None:
    """The lost are, a period after, but for an arm that calls them later."""
    stages = {**zoo.CHAIN["stages"], "lost": {"kind": "lost", "to": {"investigation": {"probability": [0.05, 0.0]}}}}
    calls = {"call": {"who": {"stages": ["lost"]}, "when": {"start": 4}, "cost": {"per_contact": 1.0}}}
    raw = {**zoo.CHAIN, **zoo.SEEN, "name": "lost", "stages": stages}
    every = [Scenario.model_validate({**raw, "policies": policies}) for policies in ({}, calls)]
    tables = compile_tables(*every)
    assert np.array_equal(tables.row_stage[0], tables.row_stage[1])
    assert following(tables, int(every[0].horizon)).size == 0
