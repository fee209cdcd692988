"""Policies compared: against theory, against runs of their own, and what must not differ does not."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sim
from sim.compile import compile_tables
from sim.kernels.types import AFTER, BEFORE, PAIRED, UNIT
from sim.measures.arms import course
from sim.measures.paired import case_of
from sim.measures.sums import money, squares
from sim.scenario import ScenarioError, read
from sim.scenario.model import Scenario
from sim.studies.arms import Arm, arms, with_policies
from sim.studies.compare import compared
from sim.studies.comparison import Comparison
from tests import zoo
from tests.exact.test_decisions import recency
from tests.running import assert_same, simulate

pytestmark = pytest.mark.usefixtures("small_groups")

PLUS: dict[str, Any] = {
    "effects": {"edges": {"introductory": {"renewed": {"add": 0.02}, "lapsed": {"add": -0.02}}, "renewed": {"lapsed": {"add": -0.02}}}},
}
"""Two points more of every renewal, as in the scenario publisher_plus2."""


def arm(scenario: Scenario, key: str, **bodies: dict[str, Any]) -> Arm:
    return Arm(key, tuple(bodies), with_policies(scenario, bodies))


def zoo_arms(name: str, **run: Any) -> tuple[Scenario, tuple[Arm, ...]]:
    """Return a treated scenario of the zoo without policies, and arms: none, each policy, and all together."""
    whole = zoo.scenario(name, **run)
    plain = whole.model_copy(update={"policies": {}})
    each = [Arm(key, (key,), plain.model_copy(update={"policies": {key: one}})) for key, one in whole.policies.items()]
    return plain, (Arm("none", (), plain), *each, Arm("all", tuple(whole.policies), whole))


@pytest.mark.jit
def test_publisher_two_points_more() -> None:
    """Closed forms: a customer is worth 5.0499 more; SD 24.396 on the same luck, 100.83 on luck apart. False alarm below 1e-4."""
    scenario = sim.load("publisher", "run.customers=1e6", "run.seed=11")
    found = compared(scenario, (Arm("none", (), scenario), arm(scenario, "plus", plus=PLUS)))
    row = found.table.iloc[1]
    assert abs(row["difference"] - 5.0499) < 4 * row["difference_se"]
    assert row["sd"] == pytest.approx(24.396, abs=0.35)
    assert row["sd_unpaired"] == pytest.approx(100.83, abs=0.5)
    assert row["saved"] == pytest.approx(1 - 24.396**2 / 100.83**2, abs=0.01)
    two = sim.exact(sim.load("publisher_plus2"))
    assert two.clv_mean is not None
    assert abs(row["clv"] - two.clv_mean) < 4 * row["clv_se"]
    assert found.best == 1
    assert found.confidence > 0.999


@pytest.mark.parametrize("name", zoo.TREATED)
def test_each_arm_is_a_run_of_its_own(name: str) -> None:
    """Side by side changes nothing: to the last bit each case is what it is alone."""
    scenario, every = zoo_arms(name, customers=600, replicates=2)
    found = compared(scenario, every)
    for one, result in zip(every, found.results, strict=True):
        alone = simulate(one.scenario).tally
        policies = len(one.policies)
        assert_same(alone, result.outcome.tally._replace(policy=result.outcome.tally.policy[:, :, :, :policies]))


@pytest.mark.parametrize("name", ["treated_chain", pytest.param("treated_orders", marks=pytest.mark.jit)])
def test_differences_are_those_of_the_customers(name: str) -> None:
    """Sums over pairs against the customers themselves, kept: exact, and in two batches as in one."""
    scenario, every = zoo_arms(name, customers=1500, keep_customers=True)
    found = compared(scenario, every)
    cell = found.results[0].sample.cell_of_row
    for k in range(len(every)):
        for other in range(len(every)):
            for measure, kind in (("clv", AFTER), ("clv_before_acquisition", BEFORE)):
                mine, theirs = (found.results[case].outcome.kept.clv[0, :, kind] for case in (k, other))  # type: ignore[union-attr]
                if k == other:
                    assert found.paired.difference(k, other, measure, found.paired.samples[0].groups[0]).mean == 0
                    continue
                counts, total, square = found.paired.sums(k, other, measure)
                for g in range(len(total)):
                    gap = (mine - theirs)[cell == g]
                    assert counts[g].tolist() == [(gap != 0).sum(), (gap > 0).sum(), (gap < 0).sum()]
                    assert total[g] == gap.sum()
                    assert square[g] == sum(int(value) ** 2 for value in gap)


def test_a_policy_that_does_nothing_changes_nothing() -> None:
    """No effect and no cost: every frame is the same to the last digit, whoever is contacted."""
    for name in ("treated_chain", "treated_minds"):
        scenario, _ = zoo_arms(name, customers=900, replicates=2)
        idle = {"who": {"share": 0.5}, "uptake": 0.6, "lasts": 3, "effects": {"spread": 0.3}}
        found = compared(scenario, (Arm("none", (), scenario), arm(scenario, "idle", idle=idle)))
        assert not found.paired.paired.any()
        assert found.treatments["contacts"].iloc[0] > 0
        mine, theirs = found.results[1], found.results[0]
        for frame in ("clv", "retention", "occupancy", "flows", "equity", "patterns", "concentration"):
            assert getattr(mine, frame).equals(getattr(theirs, frame)), frame
        assert found.table["difference"].tolist() == found.table["gain"].tolist() == [0.0, 0.0]
        assert found.table["difference_se"].tolist() == [0.0, 0.0]


@pytest.mark.jit
def test_cost_is_treatments_times_price() -> None:
    """To the unit: what the ledger says of policies is what was done times what it costs, period by period."""
    scenario, every = zoo_arms("treated_minds", customers=800)
    found = compared(scenario, every)
    horizon = int(scenario.horizon)
    for one, result in zip(every, found.results, strict=True):
        counts = result.outcome.tally.policy[0].sum(axis=0)
        for p, policy in enumerate(one.scenario.policies.values()):
            cost, factor = policy.cost, scenario.discount_factor
            for t in range(horizon):
                prices = [math.floor(-price * UNIT * factor**t + 0.5) for price in (cost.per_contact, cost.per_uptake, cost.per_member)]
                spent = sum(int(n) * price for n, price in zip(counts[t, p, :3], prices, strict=True))
                assert int(money(counts[t, p, None, 3:])[0]) == spent
        ledger = result.ledger[result.ledger["by"] == "all"]
        assert ledger["mean"].sum() == pytest.approx(result.clv.iloc[0]["mean"], rel=1e-12)
        gross, net, spent_on = (found.paired.at_firm(every.index(one), 0, name).mean for name in ("gross", "clv", "policy_cost"))
        assert gross == pytest.approx(net + spent_on, rel=1e-9, abs=1e-9)


def test_costs_of_the_firm_itself() -> None:
    """Set-up and fixed costs are the firm's: in equity and gain, in nobody's CLV; discounted from when they fall."""
    scenario, _ = zoo_arms("treated_chain", customers=500)
    body = {"when": {"start": 2, "stop": 5}, "cost": {"setup": 100.0, "per_period": 10.0}}
    found = compared(scenario, (Arm("none", (), scenario), arm(scenario, "dear", dear=body)))
    v = scenario.discount_factor
    owed = 100.0 * v**2 + 10.0 * (v**2 + v**3 + v**4)
    row = found.table.iloc[1]
    assert row["difference"] == 0
    assert row["gain"] == pytest.approx(-owed, rel=1e-12)
    assert row["cost"] == pytest.approx(owed, rel=1e-12)
    assert row["equity"] == pytest.approx(found.table.iloc[0]["equity"] - owed, rel=1e-12)
    assert found.best == 0
    assert found.confidence == 1.0
    assert row["payback"] is pd.NA  # what the firm itself spends comes back too, or does not


WALLETS: dict[str, dict[str, Any]] = {
    "subscription": {"kind": "subscription", "wallet": {"mean": 28.0, "cv": 0.4}},
    "wallet": {"kind": "bernoulli", "probability": 0.5, "wallet": 28.0},
    "order_value": {"kind": "bernoulli", "probability": {"a": 2.0, "b": 3.0}, "order_value": {"mean": 60.0, "cv": 0.5}},
    "poisson": {"kind": "poisson", "rate": 1.5, "order_value": 20.0, "amount": {"distribution": "gamma", "cv": 0.5}},
}


@pytest.mark.parametrize("how", WALLETS)
def test_price_and_margin_are_shares_of_what_each_customer_spends(how: str) -> None:
    """At a tenth off, the same unit cost and 5 points more margin, a margin of 0.4 becomes 0.4 + 0.05 - 0.1, whatever the wallet."""
    stages = {"a": {"price": 2.0, "margin": 0.4, "to": {"lost": {"probability": 0.2}}}, "lost": {"kind": "lost"}}
    raw = {"period": "month", "horizon": 5, "discount_rate_annual": 0.1, "start": "a", "stages": stages, "purchases": WALLETS[how]}
    scenario = Scenario.model_validate({**raw, "run": {"customers": 300}})
    body = {"effects": {"price": 0.9, "margin": 0.05}}
    found = compared(scenario, (Arm("none", (), scenario), arm(scenario, "cut", cut=body)))
    before, after = (float(result.clv["mean"][0]) for result in found.results)
    assert after == pytest.approx(before * 0.35 / 0.4, rel=1e-6)


@pytest.mark.jit
def test_market_paths() -> None:
    """Where a market is shared the path is the unit: equity path by path, and who wins on it, by hand."""
    scenario, every = zoo_arms("treated_minds", customers=300, replicates=25)
    found = compared(scenario, every)
    equity = np.stack([result.replicates["equity"] for result in found.results])
    np.testing.assert_allclose(np.stack([found.paired.path_equity(k) for k in range(len(every))]), equity, rtol=1e-9)
    top = equity.argmax(axis=0)
    assert found.paths["won"].tolist() == pytest.approx([(top == k).mean() for k in range(len(every))])
    assert found.paths["regret_max"].tolist() == pytest.approx((equity.max(axis=0) - equity).max(axis=1).tolist(), rel=1e-9, abs=1e-6)
    gap = equity[1] - equity[0]
    row = found.table.iloc[1]
    assert row["gain_se"] == pytest.approx(gap.std(ddof=1) / 5.0, rel=1e-9)
    assert row["gain"] == pytest.approx(gap.mean(), rel=1e-6)


def test_precision_of_the_difference() -> None:
    scenario = sim.load("publisher", "run.customers=1e6", "run.precision_money=0.2")
    if sim.simulate.__module__ and not _compiled():
        pytest.skip("a hundred thousand customers take too long without JIT")
    found = compared(scenario, (Arm("none", (), scenario), arm(scenario, "plus", plus=PLUS)))
    assert found.results[0].sample.simulated == 131_072
    assert found.table.iloc[1]["difference_se"] * found.paired.width <= 0.2


def _compiled() -> bool:
    import numba

    return not getattr(numba.config, "DISABLE_JIT")  # noqa: B009 - numba sets it on import


def test_arms_by_name_combined_and_varied() -> None:
    scenario = sim.load("lifecycle")
    found = arms(scenario, ["gifts", "gifts+win_back"], {"dear": {"policies": ["gifts"], "gifts.cost.per_contact": 77}})
    assert [one.id for one in found] == ["none", "gifts", "gifts+win_back", "dear"]
    assert list(found[2].scenario.policies) == ["gifts", "win_back"]
    assert found[3].scenario.policies["gifts"].cost.per_contact == 77
    assert found[1].scenario.policies["gifts"].cost.per_contact != 77
    assert found[2].label == "Gifts + Win back"


@pytest.mark.parametrize(
    ("policies", "variants", "said"),
    [
        (["giftz"], {}, "giftz"),
        (["gifts"], {"gifts": {"policies": ["gifts"]}}, "arms.gifts: an arm of this name is there already"),
        ([], {"x": {"policies": "gifts"}}, "arms.x.policies: must be a list of names of policies"),
        ([], {"x": {"policies": ["gifts"], "gift.cost.setup": 1}}, "arms.x.gift.cost.setup: must begin with one of the arm's policies"),
        ([], {"x": {"policies": ["gifts"], "gifts.cost.setup": -1}}, "x: policies.gifts.cost.setup: must be at least 0 (got -1)"),
        ([], {"x": {"policies": ["gifts"], "gifts.uptake": 1.5}}, "x: policies.gifts.uptake: must be at most 1 (got 1.5)"),
        ([], {"x": {"policies": ["gifts"], "gifts.who.stages": ["nowhere"]}}, "x: policies.gifts.who.stages"),
        ([f"gifts+{'win_back+' * k}none" for k in range(17)], {}, "must come to at most 15 arms beside none"),
    ],
)
def test_faults_of_arms(policies: list[str], variants: dict[str, Any], said: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        arms(sim.load("lifecycle"), policies, variants)
    assert said in str(refused.value)


def test_refused() -> None:
    coupled = zoo.scenario("recruits")
    with pytest.raises(ScenarioError, match=r"crowd: must be off: arrivals that depend"):
        sim.compare(coupled)
    with pytest.raises(ScenarioError, match=r"comparator: must be one of the arms \(got x\); there are none, gifts"):
        sim.compare(sim.load("lifecycle"), ["gifts"], comparator="x")
    with pytest.raises(ScenarioError, match=r"policies: must name an arm to compare with none \(got \[\]\)"):
        sim.compare(sim.load("lifecycle"))
    with pytest.raises(ScenarioError, match=r"run\.keep_customers: keeps a row of each customer in each arm"):
        sim.compare(sim.load("lifecycle", "run.customers=3e7", "run.keep_customers=true"), ["gifts"])
    own = with_policies(sim.load("lifecycle"), {"gifts": {"cost": {"setup": 9.0}}})
    with pytest.raises(ScenarioError, match=r"policies\.gifts: is the scenario's own already, in force in every arm"):
        sim.compare(own, ["gifts"])


def test_arms_that_are_alike() -> None:
    """A policy that does nothing comes to the same customer by customer, and no other arm is said to."""
    scenario = sim.load("publisher", "run.customers=500")
    every = (Arm("none", (), scenario), arm(scenario, "idle", idle={}), arm(scenario, "plus", plus=PLUS))
    assert compared(scenario, every[:2]).alike == ("idle",)
    assert compared(scenario, every).alike == ()


def test_value_beyond_the_horizon_is_told_of() -> None:
    """Of the comparator: more of a customer's value lies beyond ten years where ten points more stay."""
    scenario = sim.load("publisher", "run.customers=500")
    every = (Arm("none", (), scenario), arm(scenario, "plus", plus={"effects": {"edges": {"renewed": {"lapsed": {"add": -0.1}}}}}))
    told = [any("beyond the horizon" in text for text in compared(scenario, every, one).warnings) for one in ("none", "plus")]
    assert told == [False, True]


def test_summary_is_plain() -> None:
    scenario, every = zoo_arms("treated_chain", customers=400)
    found = compared(scenario, every)
    told = json.loads(json.dumps(found.summary(), allow_nan=False))
    assert told["comparator"] == "none"
    assert set(told["arms"]) == {one.id for one in every}
    assert set(told["arms"]["all"]) >= {"clv", "equity", "cost", "retention", "difference", "roi"}
    assert set(told["arms"]["all"]["difference"]) == {"mean", "se", "sd", "sd_unpaired", "interval"}
    assert told["best"] == every[found.best].id
    assert isinstance(found, Comparison)
    assert "Comparison of 6 arms" in repr(found)


def test_pairs_hold_every_measure() -> None:
    """Of kept and cost too: the sum of squares of a 0-1 measure is the number who differ."""
    scenario, every = zoo_arms("treated_chain", customers=700)
    tally = compared(scenario, every).paired.paired
    kept = tally[:, :, PAIRED.index("kept")]
    assert (squares(kept[..., 5:7]) == kept[..., 0]).all()
    assert case_of(simulate(scenario).tally, 0).paired.size == 0


@pytest.mark.jit
def test_recency_chain_by_theory_and_by_comparison() -> None:
    """Pfeifer and Carraway 2000: stopping after the third year without a purchase is best, worth 53.149; false alarm below 1e-3."""
    raw, mail = recency()
    case = {"period": "year", "discount_rate_annual": 0.2, "horizon": 60, **raw, "stage_observed": True, "firm": {"customers": 20_000}}
    scenario = read({**case, "run": {"customers": 20_000, "seed": 3}})
    every = [Arm("none", (), scenario)]
    for last in (1, 2, 3, 4):
        who = {"stages": [f"recency_{k}" for k in range(1, last + 1)]}
        every.append(Arm(f"until_{last}", ("mail",), with_policies(scenario, {"mail": {**mail, "who": who}})))
    found = compared(scenario, every)
    for (_, row), value in zip(found.table.iloc[1:].iterrows(), (48.000, 51.574, 53.149, 52.320), strict=True):
        assert abs(row["clv"] - value) < 4 * row["clv_se"] + 5e-4
    assert found.ids[found.best] == "until_3"
    assert found.referee.bound
    assert found.referee.value == pytest.approx(53.149, abs=1e-3)
    assert found.referee.nothing == pytest.approx(40.0)
    assert found.summary()["best_rule"]["bound"] is True


def test_what_theory_cannot_say() -> None:
    scenario, every = zoo_arms("treated_minds", customers=60, replicates=2)
    assert compared(scenario, every).referee.reason is not None
    scenario, every = zoo_arms("treated_chain", customers=60)
    known = compared(scenario, every).referee
    assert known.reason is None
    assert not known.bound  # windows, pilots and two at once are beyond a rule by stage
    assert "policies.fading.who.share" in known.left_out
    assert known.value >= known.nothing


def test_theory_keeps_to_its_case() -> None:
    """Lists shorter than the edge's own; a cohort that arrives in another season; none where policies are in force in every arm."""
    raw = zoo.one_stage({"probability": [0.3, 0.2, 0.1]}, horizon=8, stage_observed=True)
    raw |= {
        "calendar": {"margin": {"multiplier": [0.2, 0.2, 1.8, 1.8]}},
        "period": "quarter",
        "cohorts": {"later": {"first_period": 2, "customers": 3000}},
        "firm": {},
    }
    scenario = read({**raw, "run": {"customers": 3000, "seed": 9}})
    kept = {"effects": {"edges": {"customer": {"lost": {"set": 0.05}}}}}
    found = compared(scenario, (Arm("none", (), scenario), arm(scenario, "kept", kept=kept)))
    assert found.referee.bound
    for row, value in zip(found.results, (found.referee.nothing, found.referee.value), strict=True):
        before = row.clv.iloc[1]
        assert abs(before["mean"] - value) < 4 * before["se"]
    own = with_policies(scenario, {"kept": kept})
    again = compared(own, (Arm("none", (), own), arm(own, "idle", idle={})))
    assert again.referee.reason is not None
    assert again.arms[0].label == "No further policy"


def test_payback_is_the_firms_and_ends_in_the_gain() -> None:
    """Over cohorts and the firm's own costs: what never earns its cost never comes back; by hand where it does."""
    raw = zoo.one_stage({"probability": 0.2}, horizon=4, stage_observed=True, firm={}, cohorts={"all": {"customers": 50, "periods": 3}})
    scenario = read({**raw, "run": {"seed": 2}})
    late = {"when": {"start": 4}, "cost": {"setup": 1000.0}, "effects": {"margin": 0.1}}
    early = {"cost": {"setup": 20.0}, "effects": {"margin": 0.1}}
    found = compared(scenario, (Arm("none", (), scenario), arm(scenario, "late", late=late), arm(scenario, "early", early=early)))
    for k in (1, 2):
        ahead = course(found.results[k].sample, found.results[0].sample)
        assert ahead[-1] * 150 == pytest.approx(found.table["gain"].iloc[k], rel=1e-9)
    assert found.table["payback"].iloc[1] is pd.NA
    # 50 customers earn 0.2 more each in year 0: 10 of the 20; some 90 of 100 in year 1
    assert found.table["payback"].iloc[2] == 2


def test_policies_commute() -> None:
    """What is added is added together, then cut: in whatever order; sets that exclude each other are never laid out."""
    base = read({**zoo.one_stage({"probability": 0.10}), "stage_observed": True, "run": {"customers": 400}})
    less = {"effects": {"edges": {"customer": {"lost": {"add": -0.15}}}}}
    more = {"effects": {"edges": {"customer": {"lost": {"add": 0.10}}}}}
    one, other = (with_policies(base, bodies) for bodies in ({"a": less, "b": more}, {"b": more, "a": less}))
    assert simulate(one).tally.moments.tolist() == simulate(other).tally.moments.tolist()
    chain = zoo.changed(zoo.CHAIN, stage_observed=True)
    steal = {"excludes": ["b"], "effects": {"edges": {"formation": {"stability": {"set": 0.7}}}}}
    lose = {"excludes": ["a"], "effects": {"edges": {"formation": {"lost": {"set": 0.55}}}}}
    assert simulate(read({**chain, "policies": {"a": steal, "b": lose}, "run": {"customers": 300}})).tally.flows.sum() > 0


def test_alike_arms_leave_no_doubt_between_them() -> None:
    scenario, _ = zoo_arms("treated_chain", customers=300)
    found = compared(scenario, (Arm("none", (), scenario), arm(scenario, "one", one={}), arm(scenario, "two", two={})))
    assert found.confidence == 1.0
    assert found.table["efficient"].all()


def test_prospects_are_not_kept() -> None:
    scenario = zoo.scenario("prospects_and_win_back", customers=300)
    found = compared(scenario, (Arm("none", (), scenario), arm(scenario, "idle", idle={})))
    assert found.table["kept"].isna().all()
    assert found.one("idle", "kept")[["difference", "se"]].isna().all()


def test_money_leaves_room_for_differences() -> None:
    """Half of what a single run may count: a difference between two cases can be twice as large."""
    stage = {"price": 3e8, "to": {"lost": {"probability": 0.2}}}
    scenario = read({**zoo.one_stage({"probability": 0.2}), "stages": {"customer": stage, "lost": {"kind": "lost"}}})
    compile_tables(scenario)
    with pytest.raises(ScenarioError, match=r"a customer's discounted money .* at most 2.15e\+09 can be counted"):
        compared(scenario, (Arm("none", (), scenario), arm(scenario, "idle", idle={})))
