"""Policies that cannot treat everybody: nothing changes where nothing binds, limits are never passed, who comes first is treated first."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sim
from sim.engine.reach import Ration, ends, in_rank, reached
from sim.kernels.types import AFTER, MEMBERS
from sim.measures.sums import money
from sim.scenario import ScenarioError
from sim.scenario.model import Scenario
from sim.studies.arms import Arm, with_policies
from sim.studies.compare import compared
from tests import naive, zoo
from tests.naive_policies import choose
from tests.running import assert_same, simulate

pytestmark = pytest.mark.usefixtures("small_groups")


def limited(scenario: Scenario, policy: str, **limits: Any) -> Scenario:
    """Return the scenario with one policy's limits changed."""
    changed = {**scenario.policies, policy: scenario.policies[policy].model_copy(update=limits)}
    return scenario.model_copy(update={"policies": changed})


def whole(name: str, customers: int = 900, **run: Any) -> Scenario:
    """Return a scenario of the zoo whose firm is simulated whole."""
    found = zoo.scenario(name, customers=customers, **run)
    return found.model_copy(update={"firm": found.firm.model_copy(update={"customers": customers})})


@pytest.mark.parametrize("name", zoo.TREATED)
def test_what_never_binds_changes_nothing(name: str) -> None:
    """A capacity above the firm's customers and a budget beyond all cost: the same as without, to the last bit; on threads too."""
    scenario = whole(name, 1300, replicates=2, keep_customers=True)
    free = simulate(scenario)
    for threads in (1, 3):
        loose = limited(limited(scenario, "steady", capacity=10**6), "fading", budget=1e9)
        loose = loose.model_copy(update={"run": loose.run.model_copy(update={"threads": threads})})
        bound = sim.simulate(loose).outcome
        assert_same(free.tally, bound.tally)
        assert free.kept is not None
        assert bound.kept is not None
        for mine, theirs in zip(free.kept, bound.kept, strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.jit
@pytest.mark.parametrize(("name", "threads"), [("treated_chain", 1), ("treated_minds", 3), ("treated_orders", 2)])
def test_pairs_are_the_same_by_either_driver(name: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Differences, by life and by the stage where paths part, and when they do; however little room a trace begins with."""
    monkeypatch.setattr("sim.engine.rationed.TRACED", threads)
    scenario = whole(name, 1100, replicates=2, threads=threads)
    plain = scenario.model_copy(update={"policies": {}})
    loose = limited(scenario, "steady", capacity=10**6)
    one, other = (
        compared(plain, (Arm("none", (), plain), Arm("all", tuple(arm.policies), arm), Arm("again", (), plain)), "all")
        for arm in (scenario, loose)
    )
    assert one.paired.tally.parted.any()
    for field in ("paired", "against", "parted", "paths"):
        np.testing.assert_array_equal(getattr(one.paired.tally, field), getattr(other.paired.tally, field))
    for frame in ("who_gains", "parting"):
        pd.testing.assert_frame_equal(getattr(one, frame), getattr(other, frame))


def test_who_gains_adds_up_where_a_limit_binds() -> None:
    scenario = limited(whole("treated_chain", 600), "steady", capacity=40)
    plain = scenario.model_copy(update={"policies": {}})
    found = compared(plain, (Arm("none", (), plain), Arm("all", tuple(scenario.policies), scenario)))
    rows = found.who_gains[found.who_gains["by"] == "stage"]
    assert rows["share"].sum() == pytest.approx(1.0)
    assert rows["part"].sum() == pytest.approx(found.one("all", "clv")["difference"], rel=1e-9)
    assert found.parting["share"].sum() == pytest.approx(1.0 - rows[rows["id"] == "never"]["share"].sum())
    assert 0 < found.table["parted"].iloc[1] < 1
    assert np.isnan(found.table["perfect"].iloc[1])  # whom one policy leaves out, another customer replaces


RANKS = st.sampled_from(["value", "orders", "tenure", "random"])


@pytest.mark.jit
@settings(max_examples=12, deadline=None)
@given(st.integers(0, 200), st.floats(0, 300), RANKS, st.booleans(), st.integers(0, 2**40))
def test_limits_are_never_passed(capacity: int, budget: float, by: str, lowest: bool, seed: int) -> None:
    """Of any policy in any period, over all cohorts: customers in force and cost, undiscounted, within its limits."""
    scenario = zoo.scenario("treated_chain", seed=seed)
    cohorts = {"early": {"customers": 150, "periods": 2}, "late": {"first_period": 4, "customers": 80}}
    raw = scenario.model_dump(exclude_unset=True, exclude={"firm", "run"})
    raw |= {"cohorts": cohorts, "run": {"seed": seed}}
    for key in ("steady", "for_good"):
        raw["policies"][key] |= {"capacity": capacity, "budget": budget, "rank": {"by": by, "lowest": lowest}}
        raw["policies"][key]["cost"] = {"per_contact": 0.5, "per_uptake": 2.0, "per_member": 0.25}
    found = Scenario.model_validate(raw)
    result = sim.simulate(found)
    tally, arrival = result.outcome.tally, result.sample.arrival
    for p, key in enumerate(found.policies):
        if key not in ("steady", "for_good"):
            continue
        horizon = int(found.horizon)
        members, spent = np.zeros(horizon + 5), np.zeros(horizon + 5)
        for g, first in enumerate(arrival.tolist()):
            counts = tally.policy[0, g, :, p, :3]
            members[first : first + horizon] += counts[:, MEMBERS]
            spent[first : first + horizon] += counts @ np.array([0.5, 2.0, 0.25])
        assert members.max() <= capacity
        assert spent.max() <= budget * (1 + 1e-9)
        assert members.sum() > 0 or capacity == 0 or budget < 2.75


COSTS = [
    {"per_contact": 0.5, "per_uptake": 2.0, "per_member": 0.25},
    {"per_contact": 0.0, "per_uptake": 1.0, "per_member": 1.5},
    {"per_contact": 3.0, "per_uptake": 0.0, "per_member": 0.0},
]


def sharing(seed: int, draw: np.random.Generator) -> Scenario:
    """Return a scenario whose policies have limits by chance, and some draw on a budget together."""
    raw = zoo.scenario("treated_chain").model_dump(exclude_unset=True, exclude={"firm", "run"})
    raw |= {"cohorts": {"late": {"first_period": 3, "customers": 40}, "early": {"customers": 60, "periods": 2}}, "run": {"seed": seed}}
    raw["budgets"] = {"crm": float(draw.integers(0, 120)), "unused": 1.0}
    for policy in raw["policies"].values():
        limits = {"capacity": int(draw.integers(0, 50)), "budget": float(draw.integers(0, 60)), "shared_budget": "crm"}
        policy |= {name: value for name, value in limits.items() if draw.random() < (0.7 if name == "shared_budget" else 0.4)}
        policy["cost"] = COSTS[int(draw.integers(0, 3))]
        policy["rank"] = {"by": str(draw.choice(["value", "orders", "tenure"])), "lowest": bool(draw.random() < 0.5)}
    return Scenario.model_validate(raw)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**40))
def test_limits_and_shared_budgets_against_the_twin(seed: int) -> None:
    """Everybody's contacts, uptakes, members and worth, customer by customer in plain Python; and no shared budget is passed."""
    scenario = sharing(seed, np.random.default_rng(seed))
    result = sim.simulate(scenario.model_copy(update={"run": scenario.run.model_copy(update={"keep_customers": True, "threads": 2})}))
    tables, tally, horizon = result.tables_read, result.outcome.tally, int(scenario.horizon)
    arrival = tables.arrival.astype(int).tolist()
    living = {(g, i): naive.turns(tables, 0, g, 0, i, horizon) for g, count in enumerate(result.outcome.sampled) for i in range(count)}
    lives, policies = {}, list(scenario.policies.values())
    for y in range(horizon + max(arrival) + 1):
        turns = []
        for (g, i), life in living.items():
            try:
                if arrival[g] <= y <= arrival[g] + horizon:
                    turns.append(next(life))
            except StopIteration as end:
                lives[g, i] = end.value
        choose(turns, policies, scenario.budgets, lambda turn, p: 0.0)
        spent = 0.0
        for g, first in enumerate(arrival):
            for p, policy in enumerate(policies):
                if 0 <= y - first < horizon and policy.shared_budget == "crm":
                    cost = policy.cost
                    spent += float(tally.policy[0, g, y - first, p, :3] @ [cost.per_contact, cost.per_uptake, cost.per_member])
        assert spent <= scenario.budgets["crm"] * (1 + 1e-9)
    counts = np.zeros((*tally.policy.shape[1:4], 3), int)
    for (g, _), life in lives.items():
        for (t, p, what), times in life.treated.items():
            counts[g, t, p, what] += times
    np.testing.assert_array_equal(counts, tally.policy[0, ..., :3])
    assert result.outcome.kept is not None
    assert [life.clv for life in lives.values()] == result.outcome.kept.clv[0, :, 1].tolist()


def test_a_shared_budget_that_never_binds_changes_nothing() -> None:
    scenario = whole("treated_chain", 900)
    wide = limited(limited(scenario, "steady", shared_budget="crm"), "fading", shared_budget="crm")
    assert_same(simulate(scenario).tally, sim.simulate(wide.model_copy(update={"budgets": {"crm": 1e9}})).outcome.tally)


def test_the_first_in_rank_are_treated() -> None:
    """One period, half may be treated, ranked by value: exactly those of the highest value are."""
    raw: dict[str, Any] = zoo.one_stage(
        {"probability": 0.1},
        horizon=3,
        firm={"customers": 400},
        purchases={"kind": "subscription", "wallet": {"mean": 2.0, "cv": 0.7}},
        policies={"gift": {"when": {"start": 2}, "cost": {"per_contact": 1.0}, "capacity": 100, "rank": {"by": "value"}, "lasts": 1}},
    )
    treated = Scenario.model_validate({**raw, "run": {"keep_customers": True, "seed": 5}})
    plain = treated.model_copy(update={"policies": {}})
    found = compared(plain, (Arm("none", (), plain), Arm("gift", ("gift",), treated)))
    mine, theirs = (result.outcome.kept for result in found.results)
    assert mine is not None
    assert theirs is not None
    treated_ones = mine.clv[0, :, 1] != theirs.clv[0, :, 1]
    assert treated_ones.sum() == 100
    alive = mine.lost_at[0] != 0
    alive &= mine.lost_at[0] != 1
    # value by the start of period 2 goes with the wallet, hence with the value over three periods, among those still there
    values = mine.clv[0, :, 1]
    assert values[treated_ones].min() >= np.sort(values[alive & ~treated_ones])[-1] * (1 - 1e-9)


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(0, 30), st.integers(0, 40), st.floats(0, 200))
def test_reached_against_a_loop(takes: list[int], held: int, capacity: int, budget: float) -> None:
    """One customer after the other, who does not fit left out: room to join, and what it costs if it takes it up, can be paid."""
    ration, wanted, members, left = Ration(capacity, budget, (1.0, 2.0, 0.5)), [], held, budget * (1 + 1e-12) - held * 0.5
    for bits in takes:
        inside = bits >= 2
        chosen = (inside or members < capacity) and 3.0 + 0.5 * (not inside) <= left
        wanted.append(chosen)
        if chosen:
            joins = bits == 1
            left -= 1.0 + 2.0 * (bits & 1) + 0.5 * joins
            members += joins
    left = budget * (1 + 1e-12) - held * 0.5
    assert reached(np.array(takes, np.uint8), held, ration, left).tolist() == wanted


LIMITS = st.sampled_from([0.0, 3.0, 40.0, 700.0, math.inf])


@given(st.integers(0, 2**32), st.integers(0, 3000), LIMITS, LIMITS, st.sampled_from([(1.0, 2.0, 0.5), (0.0, 2.0, 0.0), (0.0, 0.0, 1.0)]))
def test_few_are_sorted_and_none_is_missed(seed: int, n: int, capacity: float, budget: float, each: tuple[float, float, float]) -> None:
    """Below the ends of their kinds are those whom the plain rule reaches, in whatever order they come; equals by address."""
    draw = np.random.default_rng(seed)
    score = draw.integers(-5, 5, n).astype(np.float32) * np.float32(0.25)
    score[score == 0] *= draw.choice([-1, 1], int((score == 0).sum())).astype(np.float32)
    takes, address = draw.choice(4, n, p=[0.3, 0.5, 0.1, 0.1]).astype(np.uint8), draw.permutation(n).astype(np.uint64)
    keys, order = in_rank(score, address), np.lexsort((address, -score))
    assert np.argsort(keys).tolist() == order.tolist()
    ration, wanted = Ration(capacity, budget, each), np.zeros(n, bool)
    wanted[order] = reached(takes[order], 5, ration, budget)
    limit = ends(keys, takes, 5, ration, budget)
    assert (keys < limit[(takes >= 2).astype(int)]).tolist() == wanted.tolist()


def test_a_sample_needs_scaling() -> None:
    scenario = limited(zoo.scenario("treated_chain", customers=300), "steady", capacity=100)
    told = r"policies.steady.capacity: is the firm's, whose 3,000 customers must then all be simulated, not 300 \(got 100\); give run."
    with pytest.raises(ScenarioError, match=told):
        sim.simulate(scenario)
    scaled = sim.simulate(limited(scenario, "steady", scale=True)).outcome
    p = list(scenario.policies).index("steady")
    assert 0 < scaled.tally.policy[0, :, :, p, MEMBERS].sum(axis=0).max() <= 10


def test_beside_what_it_cannot_stand() -> None:
    scenario = limited(whole("treated_chain", 300, precision=0.1), "steady", capacity=100)
    with pytest.raises(ScenarioError, match=r"run.precision: must be off beside a policy with a capacity, a budget or a trigger"):
        sim.simulate(scenario)
    many = limited(whole("treated_chain", 300, panel=10**6), "steady", capacity=100).model_copy(update={"horizon": 60})
    with pytest.raises(ScenarioError, match=r"run.panel: each arm's panel holds .* at most 50,000,000 \(got 1000000\); follow fewer"):
        sim.simulate(many)


@pytest.mark.jit
@pytest.mark.parametrize("name", ["treated_chain", "treated_minds", "treated_orders"])
def test_customers_followed_live_as_those_followed_alone(name: str) -> None:
    """Everything that a panel holds, in both cases, where nothing binds."""
    scenario = whole(name, 1500, panel=1200, threads=2, replicates=2)
    plain = scenario.model_copy(update={"policies": {}})
    one, other = (
        compared(plain, (Arm("none", (), plain), Arm("all", tuple(arm.policies), arm)))
        for arm in (scenario, limited(scenario, "steady", capacity=10**6))
    )
    for alone, coupled in zip(one.results, other.results, strict=True):
        assert not alone.outcome.panels
        assert len(coupled.outcome.panels) == 1
        mine, theirs = alone.followed.panel, coupled.followed.panel
        assert mine.counts == theirs.counts
        for field in ("cell", "serial", "row", "stage", "stay", "clv", "acquisition", "orders", "spend", "pattern"):
            np.testing.assert_array_equal(getattr(mine, field), getattr(theirs, field), err_msg=field)
        assert mine.mind.keys() == theirs.mind.keys()
        for feeling, values in mine.mind.items():
            np.testing.assert_array_equal(values, theirs.mind[feeling])


def test_customers_followed_are_those_of_the_run_where_a_limit_binds() -> None:
    scenario = limited(whole("treated_orders", 1300, panel=1100, keep_customers=True), "steady", capacity=30)
    found = sim.simulate(scenario)
    kept, panel = found.outcome.kept, found.followed.panel
    sampled = np.array(found.outcome.sampled)
    at = (np.cumsum(sampled) - sampled)[panel.cell] + panel.serial
    assert kept is not None
    np.testing.assert_array_equal(kept.clv[0, at, AFTER], panel.clv[-1])
    np.testing.assert_array_equal(kept.orders[0, at], panel.orders[-1])
    np.testing.assert_array_equal(kept.pattern[0, at], panel.pattern)
    free = simulate(limited(scenario, "steady", capacity=None)).kept
    assert free is not None
    assert (free.clv[0, at, AFTER] != panel.clv[-1]).any()


def test_costs_are_booked_as_they_are_spent() -> None:
    scenario = limited(whole("treated_chain", 700), "steady", capacity=25)
    result = sim.simulate(scenario)
    p, policy = list(scenario.policies).index("steady"), scenario.policies["steady"]
    counts = result.outcome.tally.policy[0, :, :, p].sum(axis=0)
    for t in range(int(scenario.horizon)):
        cost, factor = policy.cost, scenario.discount_factor**t
        prices = [math.floor(-price * 2**20 * factor + 0.5) for price in (cost.per_contact, cost.per_uptake, cost.per_member)]
        assert int(money(counts[t, None, 3:])[0]) == sum(int(n) * price for n, price in zip(counts[t, :3], prices, strict=True))
    ledger = result.ledger[result.ledger["by"] == "all"]
    assert ledger["mean"].sum() == pytest.approx(result.clv.iloc[0]["mean"], rel=1e-12)


@pytest.mark.parametrize("effects", [{"margin": 0.05}, {"margin": 0.05, "spread": 0.5}])
def test_what_members_share_stays_in_its_arm(effects: dict[str, Any]) -> None:
    """An arm beside one whose members share a capacity is that beside none."""
    scenario = whole("chain", 600)
    free, shared = {"effects": effects}, {"effects": effects, "capacity": 10, "overload": "share"}
    none, plain, crowded = (with_policies(scenario, {"p": body} if body else {}) for body in ({}, free, shared))
    arms = Arm("none", (), none), Arm("crowded", ("p",), crowded), Arm("plain", ("p",), plain)
    found, other = compared(scenario, arms), compared(scenario, (arms[0], arms[2], arms[1]))
    assert_same(found.results[2].outcome.tally, other.results[1].outcome.tally)
    assert found.table["clv"].iloc[1] < found.table["clv"].iloc[2]


def test_members_who_wait_cost_a_budget_nothing() -> None:
    """Of a policy whose staff all leave at once and are not replaced, the next on the budget has the money from then on."""
    raw = zoo.one_stage({"probability": 0.0}, horizon=6, firm={"customers": 200})
    raw["budgets"] = {"crm": 100.0}
    raw["policies"] = {
        "cover": {"capacity": 100, "shared_budget": "crm", "cost": {"per_member": 1.0}, "turnover": {"leaving": 1.0, "gap": 1000}},
        "call": {"shared_budget": "crm", "cost": {"per_contact": 1.0}, "lasts": 1},
    }
    contacts = sim.simulate(Scenario.model_validate({**raw, "run": {"customers": 200}})).outcome.tally.policy[0, 0, :, :, 0]
    assert contacts[:2].tolist() == [[100, 0], [0, 0]]  # money is set aside for those whose manager leaves in a period
    assert (contacts[2:] == [0, 100]).all()
