"""Policies by name: what ships loads and lies in the default scenario, a user's folder wins, and every mistake is one line."""

import re
from pathlib import Path
from typing import Any

import pytest

from sim.compile.tables import compile_tables
from sim.config import load, policies, policy
from sim.scenario import Scenario, ScenarioError, read
from sim.scenario.checks import warnings
from sim.scenario.checks_policy import acts
from tests import zoo
from tests.running import simulate
from tests.test_config import _has_number, folder

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
SHIPS = sorted(file.stem for file in (CONFIGS / "policy").glob("*.yaml"))
LEVELS = ("basic", "reactive", "accountable", "proactive", "partnership")
IDLE = ("basic", "nothing")
PRODUCTS = "+products={maximum: 3, worth: 0.4}", "+stages.stability.cross_sell=0.02"


def treated(*names: str, configs: Path | None = None) -> Scenario:
    """Return the default scenario, small, with policies."""
    scenario = load("lifecycle", "run.customers=1000", *(PRODUCTS if "cross_sell" in names else ()))
    raw = scenario.model_dump(exclude_unset=True)
    return read({**raw, "policies": {name: policy(name, configs) for name in names}})


def refused(name: str, configs: Path | None = None) -> str:
    with pytest.raises(ScenarioError) as caught:
        policy(name, configs)
    (fault,) = caught.value.faults
    assert "\n" not in str(fault)
    return str(fault)


class TestShipped:
    def test_all_are_listed_with_a_label_of_their_own(self) -> None:
        found = policies()
        assert list(found) == SHIPS
        assert len(SHIPS) == 29
        assert len(set(found.values())) == len(found)
        assert all(len(label) > 4 for label in found.values())

    @pytest.mark.parametrize("name", SHIPS)
    def test_lies_in_the_default_scenario(self, name: str) -> None:
        scenario = treated(name)
        found = scenario.policies[name]
        assert found.label == policies()[name]
        assert found.description
        assert found.source
        assert warnings(scenario) == ()
        assert (name in IDLE) == (not acts(scenario, found) and not found.cost.any and found.acquire is None)
        tables = compile_tables(scenario)
        assert tables.treating.shape == (3, 1)
        segments = (found.who.segments or tuple(scenario.segments)) if found.acquire is None else ()
        assert [bool(one) for one in tables.treating[:, 0]] == [key in segments for key in scenario.segments]

    def test_cross_selling_needs_products(self) -> None:
        scenario = load("lifecycle")
        with pytest.raises(ScenarioError, match=r"^policies\.cross_sell\.effects\.cross_sell: needs products, which the scenario does not"):
            read({**scenario.model_dump(exclude_unset=True), "policies": {"cross_sell": policy("cross_sell")}})

    @pytest.mark.parametrize("name", SHIPS)
    def test_each_number_has_a_unit_and_a_source(self, name: str) -> None:
        text = (CONFIGS / "policy" / f"{name}.yaml").read_text(encoding="utf-8")
        said = [line.partition("#")[2] for line in text.splitlines() if _has_number(line)]
        assert [comment for comment in said if not re.search(r"; (assumed|source)|assumed$", comment)] == []
        assert bool(said) == (name not in IDLE)

    @pytest.mark.parametrize("name", SHIPS)
    def test_acts_by_satisfaction_or_on_moves_and_never_both(self, name: str) -> None:
        done = treated(name).policies[name].effects
        felt = done.performance or done.expectation or done.delivered_value
        assert not (felt and (done.edges or done.causes or done.drivers))

    def test_levels_cost_more_and_lose_fewer_the_higher_they_are(self) -> None:
        scenario = treated(*LEVELS)
        found = [scenario.policies[name] for name in LEVELS]
        for cause in ("own", "rival"):
            factors = [one.effects.causes.get(cause, 1.0) for one in found]
            assert factors == sorted(factors, reverse=True)
        costs = [one.cost.per_member for one in found]
        assert costs == sorted(costs)
        assert len(set(costs)) == len(costs)
        assert all({*one.excludes, name} == set(LEVELS) for name, one in zip(LEVELS, found, strict=True))
        compile_tables(scenario)

    def test_several_stand_side_by_side(self) -> None:
        compile_tables(treated("win_back", "culling", "gifts", "loyalty_programme", "service_recovery"))


WHOLE = "label: Mine\ncost: {per_member: 1}\neffects: {causes: {rival: 0.5}}\n"


def mine(path: Path, **files: str) -> Path:
    """Return a user's folder with these policies."""
    (path / "policy").mkdir(parents=True)
    for name, text in files.items():
        (path / "policy" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return path


class TestOwnFolder:
    def test_wins(self, tmp_path: Path) -> None:
        own = mine(tmp_path, gifts=WHOLE, new="label: 新\n")
        assert set(policies(own)) == {*SHIPS, "new"}
        assert (policies(own)["gifts"], policies(own)["new"]) == ("Mine", "新")
        assert policy("gifts", own) == {"label": "Mine", "cost": {"per_member": 1}, "effects": {"causes": {"rival": 0.5}}}
        assert policy("culling", own) == policy("culling")
        assert policies()["gifts"] != "Mine"
        assert treated("gifts", configs=own).policies["gifts"].cost.per_member == 1

    def test_need_not_hold_policies(self, tmp_path: Path) -> None:
        own = folder(tmp_path)
        assert policies(own) == policies()
        assert policy("gifts", own) == policy("gifts")

    def test_no_such_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ScenarioError, match=r"--configs: no such folder \(got '"):
            policies(tmp_path / "none")

    def test_a_value_may_stand_for_another(self, tmp_path: Path) -> None:
        own = mine(tmp_path, one="lasts: 3\nwhen: {every: '${lasts}'}\n", two="lasts: ${nowhere}\n")
        assert policy("one", own) == {"lasts": 3, "when": {"every": 3}}
        assert refused("two", own).endswith("two.yaml: lasts: Interpolation key 'nowhere' not found")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("a: [1,\nb: 3\n", "bad.yaml:3:1: broken YAML: expected ',' or ']', but got '<stream end>'"),
            ("- 1\n", "bad.yaml: must be a mapping of keys to values"),
            ("3\n", "bad.yaml: must be a mapping of keys to values"),
            (
                "defaults: [gifts, _self_]\nlabel: Dear\n",
                'bad.yaml: defaults: a policy builds on no other (got ["gifts", "_self_"]); write all of it into one file',
            ),
        ],
    )
    def test_broken_files(self, tmp_path: Path, text: str, said: str) -> None:
        own = mine(tmp_path, bad=text)
        assert said in refused("bad", own)
        assert policies(own)["bad"] in ("Dear", "(cannot be read)")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gift", "policies: no such policy (got 'gift'); did you mean gifts?"),
        ("zzz", "policies: no such policy (got 'zzz')"),
        ("policy/gifts.yaml", "policies: a policy is named, not given as a path (got 'policy/gifts.yaml'); did you mean gifts?"),
    ],
)
def test_unknown_names(name: str, said: str) -> None:
    assert refused(name) == said


def test_overrides_reach_policies() -> None:
    body: dict[str, Any] = (
        load("publisher", "+policies.calls={cost: {per_contact: 2}}", "policies.calls.uptake=0.5").policies["calls"].model_dump()
    )
    assert (body["cost"]["per_contact"], body["uptake"]) == (2, 0.5)
    with pytest.raises(ScenarioError, match=r"^policies\.cals: no such policy; did you mean calls\?; \+policies\.cals\.… adds one$"):
        load("publisher", "+policies.calls={cost: {per_contact: 2}}", "policies.cals.uptake=0.5")


@pytest.mark.parametrize("timing", ["start", "mid", "end"])
@pytest.mark.parametrize(("below", "treated"), [(9.95, 0), (10.05, 100)])
def test_a_margin_is_judged_as_it_falls_due(timing: str, below: float, treated: int) -> None:
    """Who brings 10 a period, whenever that is paid, brings less than 10.05, and not less than 9.95."""
    raw = zoo.one_stage({"probability": 0.0}, horizon=5, firm={})
    raw["stages"]["customer"] = {"price": 10.0, "to": {"lost": {"probability": 0.0}}}
    raw |= {"timing": {"purchase": timing}, "discount_rate_annual": 0.2}
    raw["policies"] = {"p": {"who": {"margin": {"below": below, "periods": 2}}, "lasts": 1}}
    counts = simulate(Scenario.model_validate({**raw, "run": {"customers": 100}})).tally.policy[0, 0, :, 0, 0]
    assert counts.tolist() == [0, 0, treated, treated, treated]
