"""The gate: everything wrong at once, each fault at its place, in plain words; what is right comes through unchanged."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.scenario import Fault, Scenario, ScenarioError, read
from sim.scenario.gate import RULES
from tests.scenario.cases import sound

POISSON = {"kind": "poisson", "rate": 2}
TWO = {"a": {"share": 0.5}, "b": {"share": 0.5}}


def faults(raw: dict[str, Any]) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        read(raw)
    assert str(caught.value) == "\n".join(map(str, caught.value.faults))
    assert list(caught.value.faults) == sorted(caught.value.faults)
    return [str(fault) for fault in caught.value.faults]


def test_sound_comes_through() -> None:
    scenario = read(sound(run__customers=1e6), "mine")
    assert isinstance(scenario, Scenario)
    assert scenario.name == "mine"
    assert scenario.run.customers == 1_000_000
    assert scenario.stages["trial"].to["lost"].probability == (0.2, 0.1)
    assert scenario.stages["trial"].to["member"].probability == (0.3,)
    assert scenario.target("trial", "lost") == "lost"


def test_a_name_in_the_mapping_stays() -> None:
    assert read(sound(name="own"), "other").name == "own"


def test_customers_kept_fit_into_memory() -> None:
    most = {"run__keep_customers": True, "run__customers": 5e7}
    assert read(sound(**most)).run.keep_customers
    said = "run.keep_customers: keeps a row of each customer, 50,000,000 at most; these are 100,000,000, some 26 GB of memory (got true)"
    assert faults(sound(**most, run__replicates=2)) == [f"{said}; give fewer run.customers, or leave it out"]
    assert read(sound(run__customers=1e12)).run.customers == 10**12


def test_horizon_without_end() -> None:
    assert read(sound(horizon="inf")).horizon == read(sound(horizon=float("inf"))).horizon == "inf"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stages__trial__to__lost__probability": 1.5}, "stages.trial.to.lost.probability: must be at most 1 (got 1.5)"),
        ({"stages__trial__to__lost__probability": [0.1, 1.5]}, "stages.trial.to.lost.probability.1: must be at most 1 (got 1.5)"),
        ({"stages__trial__to__lost__probability": "high"}, "stages.trial.to.lost.probability: must be a number (got 'high')"),
        ({"stages__trial__to__lost__probability": []}, "stages.trial.to.lost.probability: must not be empty (got [])"),
        ({"stages__member__to__lost__hazard": -0.1}, "stages.member.to.lost.hazard: must be at least 0 (got -0.1)"),
        ({"stages__member__to__lost__hazard": float("nan")}, "stages.member.to.lost.hazard: must be a finite number (got NaN)"),
        ({"stages__member__margin": "0.2"}, "stages.member.margin: must be a number (got '0.2'); write it without quotes"),
        ({"stages__member__kind": "activ"}, "must be one of prospect, active, lost (got 'activ'); did you mean active?"),
        ({"stages__member": 3}, "stages.member: must be a mapping of keys to values (got 3)"),
        (
            {"stages__Member": {}},
            "stages.Member: must be lower-case letters a to z, digits, _ and -, and start with a letter",
        ),
        ({"stages__" + "m" * 65: {}}, "must have at most 64 characters"),
        ({"stages": {f"s{k}": {} for k in range(17)}, "start": "s1"}, "stages: must have at most 16 entries"),
        ({"discount_rate_annual": -1}, "discount_rate_annual: must be above -1 (got -1)"),
        ({"horizon": 0}, "horizon: must be a whole number of periods from 1 to 65,534, or inf (got 0)"),
        ({"horizon": 1.5}, "horizon: must be a whole number of periods from 1 to 65,534, or inf (got 1.5)"),
        ({"horizon": 10**400}, "horizon: must be a whole number of periods from 1 to 65,534, or inf"),
        ({"run__customers": 0}, "run.customers: must be at least 1 (got 0)"),
        ({"run__customers": 10**15}, "run.customers: must be at most 1,000,000,000,000 (got 1000000000000000)"),
        ({"run__seed": -1}, "run.seed: must be at least 0 (got -1)"),
        ({"run__seed": 1.5}, "run.seed: must be a whole number (got 1.5)"),
        ({"run__threads": 0}, "run.threads: must be at least 1 (got 0)"),
        ({"run__keep_customers": "yes"}, "run.keep_customers: must be true or false (got 'yes')"),
        ({"period": "monthly"}, "period: must be one of day, week, month, quarter, year (got 'monthly'); did you mean month?"),
        ({"period": None}, "period: must be given"),
        ({"start": "???"}, "start: must be given (??? stands for a missing value)"),
        ({"frailty__edges": "trial.lost"}, "frailty.edges: must be a list (got 'trial.lost')"),
        ({"cohorts": [1]}, "cohorts: must be a mapping of keys to values (got [1])"),
        ({"purchases": 3}, "purchases: must be a mapping of keys to values (got 3)"),
        ({"purchases": {"wallet": 3}}, "purchases.kind: must be given: one of subscription, bernoulli, poisson"),
        ({"purchases": {"kind": "poison"}}, "must be one of subscription, bernoulli, poisson (got 'poison'); did you mean poisson?"),
        ({"purchases": {**POISSON, "rate": -2}}, "purchases.rate: must be above 0 (got -2)"),
        ({"purchases": {**POISSON, "rate": {"mean": -2}}}, "purchases.rate.mean: must be above 0 (got -2)"),
        ({"purchases": {**POISSON, "rat": 3}}, "purchases.rat: unknown key (got 3); did you mean rate?"),
        ({"stages__member__to__lost__hazrd": 1}, "stages.member.to.lost.hazrd: unknown key (got 1); did you mean hazard?"),
        ({"discount_rate": 0.1}, "discount_rate: unknown key (got 0.1); did you mean discount_rate_annual?"),
        ({"seed": 3}, "seed: unknown key (got 3); did you mean run.seed?"),
        ({"stages__trial__price": 2e12}, "stages.trial.price: must be at most 1,000,000,000,000 (got 2000000000000.0)"),
        ({"stages__trial__margin": -2e12}, "stages.trial.margin: must be at least -1,000,000,000,000 (got -2000000000000.0)"),
        ({"stages__trial__cost_to_serve": [0, 2e12]}, "stages.trial.cost_to_serve.1: must be at most 1,000,000,000,000"),
        ({"stages__trial__to__lost__cash": -2e12}, "stages.trial.to.lost.cash: must be at least -1,000,000,000,000"),
        ({"stages__trial__orders": 2e6}, "stages.trial.orders: must be at most 1,000,000 (got 2000000.0)"),
        ({"acquisition": {"cost": 2e12}}, "acquisition.cost: must be at most 1,000,000,000,000"),
        ({"purchases": {"kind": "subscription", "wallet": 2e12}}, "purchases.wallet: must be at most 1,000,000,000,000"),
        ({"purchases": {**POISSON, "order_value": {"mean": 2e12}}}, "purchases.order_value.mean: must be at most 1,000,000,000,000"),
        (
            {"calendar": {"margin": {"multiplier": [*[1.0] * 11, 2e6]}}},
            "calendar.margin.multiplier.11: must be at most 1,000,000 (got 2000000.0)",
        ),
        ({"calendar": {"hazards": {"growth_annual": 101}}}, "calendar.hazards.growth_annual: must be at most 100 (got 101)"),
        ({"frobnicate": 3}, "frobnicate: unknown key (got 3)"),
        ({"start": False}, "start: must be text (got false); YAML reads unquoted no, off, yes and on as false and true"),
        ({"discount_rate_annual": True}, "discount_rate_annual: must be a number (got true); YAML reads unquoted no,"),
        ({"_target_": "os.system"}, "_target_: _target_ means nothing here: clvsim never instantiates anything (got 'os.system')"),
        ({"stages__member___partial_": True}, "stages.member._partial_: _partial_ means nothing here: clvsim never instantiates"),
    ],
)
def test_one_fault(changes: dict[str, Any], said: str) -> None:
    found = faults(sound(**changes))
    assert len(found) == 1, found
    assert said in found[0]


def test_a_key_read_as_false_or_as_a_number() -> None:
    raw = sound()
    raw["stages"][False] = {}
    raw["stages"][7] = {}
    hint = "YAML reads unquoted no, off, yes and on as false and true; put text in quotes"
    assert faults(raw) == [
        "stages.7: a key must be text (got 7); put it in quotes",
        f"stages.false: a key must be text (got false); {hint}",
    ]


def test_all_faults_at_once() -> None:
    raw = sound(
        seeed=1, run__custmers=5, horizon=0, start="trail", stages__trial__to__lost__probability=[1.5], segments={"a": {"share": 0.4}}
    )
    assert [line.partition(":")[0] for line in faults(raw)] == [
        "horizon",
        "run.custmers",
        "seeed",
        "segments",
        "stages.trial.to.lost.probability.0",
        "start",
    ]
    assert faults({}) == [
        "horizon: must be a whole number of periods from 1 to 65,534, or inf",
        "period: must be given",
        "stages: must be given",
        "start: must be given",
    ]


def test_values_are_shown_on_one_short_line() -> None:
    (found,) = faults(sound(label=["x\ny" * 100]))
    assert "\n" not in found
    assert found.startswith('label: must be text (got ["x\\ny')
    assert len(found) < 100


class TestSegments:
    def test_overrides_reach_the_segment_alone(self) -> None:
        raw = sound(segments={**TWO, "a": {"share": 0.5, "stages": {"trial": {"to": {"lost": {"probability": 0.4}}}}}})
        views = read(raw).by_segment
        assert views["a"].stages["trial"].to["lost"].probability == (0.4,)
        assert views["b"].stages["trial"].to["lost"].probability == (0.2, 0.1)

    def test_faults_have_the_segments_place(self) -> None:
        change = {"stages": {"trial": {"to": {"lost": {"probability": 1.5}}, "pric": 3}}, "frailty": {"variance": -1}}
        assert faults(sound(segments={**TWO, "a": {"share": 0.5, **change}})) == [
            "segments.a.frailty.variance: must be at least 0 (got -1)",
            "segments.a.stages.trial.pric: unknown key (got 3); did you mean price?",
            "segments.a.stages.trial.to.lost.probability: must be at most 1 (got 1.5)",
        ]

    def test_rules_between_values_hold_in_the_segment(self) -> None:
        change = {"stages": {"trial": {"to": {"lost": {"probability": 0.8}}}}}
        (found,) = faults(sound(segments={**TWO, "a": {"share": 0.5, **change}}))
        assert found.startswith("segments.a.stages.trial.to: probabilities to leave a stage must sum to at most 1")

    def test_what_all_segments_see_is_told_once(self) -> None:
        found = faults(sound(segments=TWO, stages__trial__to__lost__probability=0.8, horizn=3))
        assert [line.partition(":")[0] for line in found] == ["horizn", "stages.trial.to"]

    def test_a_trait_that_no_segment_changes_is_told_once(self) -> None:
        change = {"share": 0.5, "frailty": {"variance": 1}}
        found = faults(sound(purchases={"kind": "subscription", "wallet": -2}, segments={**TWO, "a": change}))
        assert found == ["purchases.wallet: must be above 0 (got -2)"]

    def test_what_every_segment_mends_is_no_fault(self) -> None:
        mend = {"stages": {"trial": {"to": {"lost": {"probability": 0.3}}}}}
        raw = sound(segments={key: {**body, **mend} for key, body in TWO.items()}, stages__trial__to__lost__probability=0.8)
        assert read(raw).by_segment["b"].stages["trial"].to["lost"].probability == (0.3,)

    def test_a_number_and_a_mapping_for_one_trait(self) -> None:
        raw = sound(
            purchases={"kind": "subscription", "wallet": 40}, segments={**TWO, "a": {"share": 0.5, "purchases": {"wallet": {"cv": 0.5}}}}
        )
        purchases = read(raw).by_segment["a"].purchases
        assert purchases.kind == "subscription"
        assert (purchases.wallet.mean, purchases.wallet.cv) == (40, 0.5)

    @pytest.mark.parametrize("wallet", [{"mean": 10, "cv": 0.4}, {"shape": 2, "rate": 0.2}])
    def test_a_number_replaces_a_trait(self, wallet: dict[str, float]) -> None:
        change = {"share": 0.5, "purchases": {"wallet": 12}}
        raw = sound(purchases={"kind": "subscription", "wallet": wallet}, segments={**TWO, "a": change})
        purchases = read(raw).by_segment["a"].purchases
        assert purchases.kind == "subscription"
        assert (purchases.wallet.mean_value, purchases.wallet.cv_value) == (12, 0)

    def test_a_trait_replaced_in_every_segment_does_not_vary(self) -> None:
        segments = {key: {**body, "purchases": {"wallet": 12}} for key, body in TWO.items()}
        raw = sound(purchases={"kind": "subscription", "wallet": {"mean": 10, "cv": 0.4}}, frailty={"variance": 1}, segments=segments)
        (found,) = faults({**raw, "correlations": {"wallet": {"frailty": 0.5}}})
        assert found.startswith("correlations: only what differs between customers can be correlated (got 'wallet')")

    def test_a_number_replaces_a_chance(self) -> None:
        change = {"share": 0.5, "purchases": {"probability": 0.2}}
        chances = {"kind": "bernoulli", "probability": {"a": 1, "b": 2}, "order_value": 3}
        purchases = read(sound(purchases=chances, segments={**TWO, "a": change})).by_segment["a"].purchases
        assert purchases.kind == "bernoulli"
        assert (purchases.probability.value, purchases.probability.a) == (0.2, None)

    @pytest.mark.parametrize("base", [{}, {"purchases": {"kind": "subscription", "wallet": 7}}])
    def test_a_segment_need_not_repeat_the_kind_of_purchases(self, base: dict[str, Any]) -> None:
        raw = sound(**base, segments={**TWO, "a": {"share": 0.5, "purchases": {"wallet": 28}}})
        views = {key: view.purchases for key, view in read(raw).by_segment.items()}
        assert {key: found.kind == "subscription" and found.wallet.mean for key, found in views.items()} == {
            "a": 28,
            "b": base.get("purchases", {}).get("wallet", 1),
        }

    def test_another_kind_of_purchases_replaces(self) -> None:
        raw = sound(purchases={"kind": "subscription", "wallet": 40}, segments={**TWO, "a": {"share": 0.5, "purchases": POISSON}})
        assert {key: view.purchases.kind for key, view in read(raw).by_segment.items()} == {"a": "poisson", "b": "subscription"}

    @pytest.mark.parametrize("part", ["stages", "purchases"])
    def test_malformed_overrides(self, part: str) -> None:
        assert faults(sound(segments={**TWO, "a": {"share": 0.5, part: 3}})) == [
            f"segments.a.{part}: must be a mapping of keys to values (got 3)"
        ]

    def test_a_segment_too_small_for_the_sample(self) -> None:
        segments = {"big": {"share": 0.999}, "tiny": {"share": 0.001}}
        (found,) = faults(sound(segments=segments, run__customers=100))
        assert found == "run.customers: too few to simulate anybody of segment tiny (got 100); give 800 or more"
        assert read(sound(segments=segments, run__customers=800)).run.customers == 800
        assert read(sound(segments={"big": {"share": 1.0}, "none": {"share": 0}}, run__customers=1)).run.customers == 1

    def test_a_cohort_too_small_for_the_sample(self) -> None:
        cohorts = {"all": {"periods": 3, "customers": 5}}
        (found,) = faults(sound(cohorts=cohorts, run__customers=2))
        assert found == "run.customers: too few to simulate anybody of the cohort of period 2 (got 2); give 4 or more"


def test_every_rule_speaks_of_what_it_was_given() -> None:
    assert not any("{" in rule.format(gt=0, ge=0, lt=0, le=0, expected="", expected_tags="", max_length=0) for rule in RULES.values())


def test_faults_are_told_once() -> None:
    fault = Fault("a.b", "3", "must be 4", "write 4")
    assert str(ScenarioError([fault, fault])) == "a.b: must be 4 (got 3); write 4"
    assert str(Fault("a", "", "must be given")) == "a: must be given"


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["trial", "lost", "inf", "poisson"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.sampled_from(["to", "kind", "share"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else ()
    return [path, *(place for key, item in inner for place in _paths(item, (*path, key)))]


FULL = sound(
    purchases={"kind": "poisson", "rate": {"mean": 2, "cv": 1}, "order_value": 3, "amount": {"distribution": "gamma", "cv": 1}},
    frailty={"variance": 0.5, "edges": ["trial.lost"]},
    correlations={"rate": {"frailty": 0.5}},
    segments=TWO,
    cohorts={"c": {"periods": 3, "customers": [1, 2], "growth": 0.1}},
    calendar={"orders": {"multiplier": [1] * 12, "growth_annual": 0.1}},
    timing={"purchase": "mid"},
)


@settings(deadline=None)
@given(st.sampled_from(_paths(FULL)[1:]), JUNK)
def test_nothing_but_a_scenario_or_its_faults(path: tuple[Any, ...], junk: Any) -> None:
    """Whatever stands anywhere, the gate answers with a Scenario that its segments can use, or with faults."""
    raw = here = deepcopy(FULL)
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = junk
    found: tuple[Fault, ...] = ()
    try:
        scenario = read(raw)
    except ScenarioError as error:
        found = error.faults
    else:
        assert set(scenario.by_segment) == set(scenario.segment_shares)
        return
    assert found
    assert all(str(fault).isprintable() for fault in found)


@pytest.mark.parametrize("label", ["a\x07b", "\ud83d", "\x00"])
def test_text_that_no_file_can_hold(label: str) -> None:
    [said] = faults(sound(label=label))
    assert "control characters" in said
