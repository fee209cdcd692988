"""Rules between values of behaviour and market: each has an example that breaks it and nothing else."""

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sim.compile.behaviour import correlation_factor
from sim.compile.hazards import ages
from sim.compile.tables import compile_tables
from sim.scenario import Scenario, ScenarioError, read
from sim.scenario.checks import warnings
from sim.scenario.customers import OVERRIDABLE, TRAITS, Segment
from tests.scenario.cases import assert_refused, sound
from tests.zoo import CHAIN, MINDFUL, changed

LEVEL = {"target": 0.8, "speed": 0.2}
LEVELLED: dict[str, Any] = {"level": {}, "stages__trial__level": LEVEL, "stages__member__level": LEVEL}
PROFILE: dict[str, Any] = {"price": {"own": [1.0, 2.0], "rival": 1.5}}
REGIMES: dict[str, Any] = {"calm": {"to": {"calm": 0.7, "war": 0.3}}, "war": {"to": {"calm": 1}}}
TALK = {"reach": 2, "value": 3}
TWO = {"a": {"share": 0.5}, "b": {"share": 0.5}}
WHERE = "stages__trial__to__lost"
LACKS = "which the scenario does not have"


def moved(**effects: float) -> dict[str, Any]:
    return {f"{WHERE}__effects": effects}


def market(war: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"market": {"regimes": {**REGIMES, "war": {**REGIMES["war"], **war}}}, **others}


def changing(**parts: Any) -> dict[str, Any]:
    return {"segments": {**TWO, "a": {"share": 0.5, **parts}}}


def correlated(one: str, other: str, **parts: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "satisfaction": {"spread": 1},
        "knowledge": {"cv": 1},
        "word_of_mouth": {**TALK, "influence": {"mean": 1, "cv": 1}},
    }
    return {**base, **parts, "stages__trial__knowledge": 1, "correlations": {one: {other: 0.5}}}


BROKEN: list[tuple[dict[str, Any], str]] = [
    # who needs whom
    *(
        ({part: value}, f"{part}: needs satisfaction, {LACKS}; give satisfaction: {{}} for its defaults")
        for part, value in {"trust": {}, "competition": {}, "word_of_mouth": TALK}.items()
    ),
    (
        {"switching_cost": {}, "stages__member__rank": 2},
        "switching_cost: grows in stages of rank 3, and there is none; give a stage rank: 3",
    ),
    *(
        (moved(**{name: 1}), f"stages.trial.to.lost.effects.{name}: needs {needed}, {LACKS} (got 1); give {needed}: {{}} for its defaults")
        for name, needed in {"loyalty": "satisfaction", "trust": "trust", "switching_cost": "switching_cost"}.items()
    ),
    *(
        (moved(**{name: -1}), f"stages.trial.to.lost.effects.{name}: needs drivers.{name}, {LACKS} (got -1); give it an attribute")
        for name in ("value", "brand", "relationship")
    ),
    (
        {"drivers": {"brand": PROFILE, "acquisition": {"value": 1}}},
        f"drivers.acquisition.value: needs drivers.value, {LACKS} (got 1); give it an attribute",
    ),
    (
        {"transaction": {"trust_above": 0.5}, "stages__trial__fees": 1},
        f"transaction.trust_above: needs trust, {LACKS} (got 0.5); give trust, or leave it out: fees are then always earned",
    ),
    (
        {"satisfaction": {"delivered_value": 0.5}},
        "satisfaction.delivered_value: no stage has a delivered_value (got 0.5); give stages their delivered_value",
    ),
    # levels
    (
        {**LEVELLED, "stages__trial__level": {"target": 0.5}},
        "stages.trial.level.speed: must be given",
    ),
    (
        {"level": {}, "stages__trial__level": LEVEL},
        "stages.member.level: must be given for every active stage where the scenario has a level; give target and speed",
    ),
    ({"stages__trial__level": LEVEL}, f"stages.trial.level: needs level, {LACKS}; give level: {{}} for its defaults"),
    (
        {**LEVELLED, "stages__lost__level": LEVEL},
        "stages.lost.level: only active stages have a level, this one is lost; leave it out: it is 0 there",
    ),
    (
        {**LEVELLED, "stages__trial__kind": "prospect"},
        "stages.trial.level: only active stages have a level, this one is prospect; leave it out: it is 0 there",
    ),
    # the market
    ({"market": {"regimes": REGIMES, "start": "cal"}}, "market.start: must be one of the regimes (got 'cal'); did you mean calm?"),
    (market({"to": {"calm": 0.5, "wax": 0.5}}), "market.regimes.war.to.wax: no such regime; did you mean war?"),
    (
        market({"to": {"calm": 0.5, "war": 0.4}}),
        "market.regimes.war.to: chances of the next period's regime must sum to 1 (got 0.9); its own among them: war",
    ),
    (market({"to": {}}), "market.regimes.war.to: must not be empty"),
    (
        market({"hazards": 2}),
        "market.regimes.war.hazards: multiplies the hazards of edges with cause rival, and there is none (got 2); "
        "name the edges in market.regimes.war.edges, or give edges their cause",
    ),
    (
        market({"hazards": 2, "edges": ["trial.lots"]}),
        "market.regimes.war.edges: no such edge; edges are named stage.edge (got 'trial.lots'); did you mean trial.lost?",
    ),
    (
        market({"competition": 0.9}),
        f"market.regimes.war.competition: needs competition, {LACKS} (got 0.9); give competition: {{}} for its defaults",
    ),
    (
        market({"rival": {"brand": 1}}),
        f"market.regimes.war.rival.brand: needs drivers.brand, {LACKS} (got 1); give it an attribute",
    ),
    (market({"rival": {"value": 101}}, drivers={"value": PROFILE}), "market.regimes.war.rival.value: must be at most 100 (got 101)"),
    (
        market({}, horizon=5000, run={"replicates": 60000}),
        "run.replicates: replicates times calendar periods must be at most 268,435,456 where there is a market, not 300,000,000 "
        "(got 60000); give fewer replicates or a shorter horizon",
    ),
    # what the market does to orders
    (
        market({"orders": 2.5}, purchases={"kind": "bernoulli", "probability": 0.5, "order_value": 3}, stages__member__orders=0.5),
        "stages.trial.orders: purchases.probability times orders times calendar.orders must be at most 1 (got 1.25)",
    ),
    (
        market({"orders": 11}, purchases={"kind": "poisson", "rate": 60}),
        "purchases.rate: at most 650 orders a period (got 660); use a shorter period",
    ),
    # what would overflow
    (
        {"drivers": {"value": {"price": {"own": [0, -100], "rival": [0, 100]}}}, **moved(value=1)},
        "stages.trial.to.lost.effects: drivers, seasons and regimes may multiply a hazard by at most 1,000,000 in any calendar period "
        "(got exp(200) by drivers, 1 by the others); give smaller coefficients or gaps",
    ),
    (
        {"drivers": {"value": {"price": {"own": [0, 20]}}, "acquisition": {"value": 1}}},
        "drivers.acquisition: arrivals would be multiplied by more than 1,000,000 (got exp(20)); give smaller coefficients or gaps",
    ),
    (
        {"calendar": {"hazards": {"growth_annual": 100}}, "horizon": 60},
        "calendar.hazards: seasons, growth and regimes of the market may multiply hazards by at most 1,000,000 in any calendar period",
    ),
    (
        {"calendar": {"margin": {"growth_annual": 100}}, "horizon": 80},
        "calendar.margin: seasons, growth and regimes of the market may multiply it by at most 1,000,000,000,000 in any calendar period",
    ),
    # spreads of the new traits
    ({"knowledge": {"cv": 4.1}}, "knowledge.cv: the spread of a lognormal must be 0 or 0.001 to 4 (got 4.1)"),
    (
        {"satisfaction": {}, "word_of_mouth": {**TALK, "influence": {"mean": 1, "cv": 6}}},
        "word_of_mouth.influence.cv: the spread must be 0 or 0.001 to 5 (got 6)",
    ),
    (
        {"satisfaction": {}, "word_of_mouth": {**TALK, "influence": {"cv": 1}}},
        "word_of_mouth.influence: needs exactly mean, or shape and rate",
    ),
    (
        {"satisfaction": {}, "word_of_mouth": {**TALK, "influence": {"shape": 2, "rate": 1e-12}}},
        "word_of_mouth.influence: shape / rate must be at most 1,000,000,000,000 (got 2e+12)",
    ),
    # correlations
    *(
        (
            correlated(one, other, **{part: value}),
            f"correlations: only what differs between customers can be correlated (got '{one}'); {hint}",
        )
        for one, other, part, value, hint in (
            ("satisfaction", "knowledge", "satisfaction", {}, "give satisfaction.spread"),
            ("knowledge", "influence", "knowledge", {"share": 0.5}, "give knowledge.cv"),
            ("influence", "satisfaction", "word_of_mouth", {**TALK, "influence": 2}, "give word_of_mouth.influence.cv"),
        )
    ),
    (
        {**correlated("influence", "knowledge")}
        | {"correlations": {"influence": {"knowledge": 0.8, "satisfaction": 0.8}, "knowledge": {"satisfaction": -0.2}}},
        "correlations: traits cannot be correlated so, all at once; bring the numbers nearer to 0",
    ),
    # segments
    (
        changing(trust={"rise": 0.2}),
        "segments.a.trust: a segment changes mechanisms, it switches none on; the scenario has none of this name; "
        "give trust: {} at the top for its defaults",
    ),
    ({"satisfaction": {}, **changing(satisfaction={"speed": 2})}, "segments.a.satisfaction.speed: must be at most 1 (got 2)"),
    (
        {**LEVELLED, **changing(stages={"trial": {"level": None}})},
        "segments.a.stages.trial.level: must be given for every active stage where the scenario has a level; give target and speed",
    ),
    (
        changing(stages={"trial": {"to": {"lost": {"effects": {"loyalty": 1}}}}}),
        f"segments.a.stages.trial.to.lost.effects.loyalty: needs satisfaction, {LACKS} (got 1)",
    ),
]


@pytest.mark.parametrize(("changes", "said"), BROKEN, ids=[said.partition(":")[0] for _, said in BROKEN])
def test_rule(changes: dict[str, Any], said: str) -> None:
    assert_refused(said, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"satisfaction": {}, **moved(loyalty=2)},  # under the default competition
        moved(loyalty=0, trust=0, switching_cost=0, value=0),
        {"satisfaction": {}, "trust": {}, **moved(trust=1), "stages__trial__to__lost__probability": 1, "stages__trial__to__member": None},
        {"satisfaction": {}, "stages__lost__to": {"trial": {"probability": 0.1, "effects": {"loyalty": -1}}}},
        LEVELLED,
        {"switching_cost": {}, **moved(switching_cost=1)},
        {"stages__trial__knowledge": [1, 2]},
        {"satisfaction": {"delivered_value": 0.5}, "stages__trial__delivered_value": {"benefit": 2}},
        market({"hazards": 2}, **{f"{WHERE}__cause": "rival"}),
        market({"hazards": 2, "edges": ["trial.lost"]}),
        market({"to": {"calm": 0.1, "war": 0.9}}),
        market({}, horizon=4096, run={"replicates": 65536}),
        {"horizon": 5000, "run": {"replicates": 60000}},
        {"drivers": {"value": {"price": {"own": [0, -13.8]}}}, **moved(value=1)},
        correlated("influence", "knowledge"),
    ],
)
def test_allowed(changes: dict[str, Any]) -> None:
    assert read(sound(**changes)).by_segment


def test_drivers_and_regimes_are_refused_together_a_step_above_the_limit() -> None:
    shared = {"market": {"regimes": {**REGIMES, "war": {**REGIMES["war"], "hazards": 1000, "edges": ["trial.lost"]}}}}
    profile = {"value": {"price": {"own": [0.0, -6.9]}}}
    assert read(sound(drivers=profile, **shared, **moved(value=1))).drivers is not None
    with pytest.raises(ScenarioError, match="1000 by the others"):
        read(sound(drivers={"value": {"price": {"own": [0.0, -6.92]}}}, **shared, **moved(value=1)))


@pytest.mark.parametrize("name", ["information", "fees", "knowledge", "sales_cost"])
def test_lists_by_stage_age_are_not_cut(name: str) -> None:
    stage = read(sound(**{f"stages__trial__{name}": [1, 2, 3, 4]})).stages["trial"]
    assert ages(stage, 12) == 4
    assert ages(stage, 3) == 3


def test_every_worth_by_stage_age_reaches_its_row() -> None:
    worths = {"information": [1.0, 2.0, 4.0], "fees": [3.0, 5.0], "knowledge": [0.0, 0.0, 0.0, 7.0], "sales_cost": [2.0]}
    tables = compile_tables(read(sound(**{f"stages__member__{name}": values for name, values in worths.items()})))
    rows = np.flatnonzero(np.any(tables.stream_units[0] != 0, axis=0))
    found = tables.stream_units[0, :, rows] / 2**20
    # columns: word of mouth, information, knowledge, transaction, sales
    assert found.tolist() == [[0, 1, 0, 3, -2], [0, 2, 0, 5, -2], [0, 4, 0, 5, -2], [0, 4, 7, 5, -2]]


OVERRIDES: dict[str, Any] = {
    "satisfaction": {"initial": 4.5, "expectation": {"norm": 2.5}},
    "trust": {"rise": 0.3},
    "competition": {"intensity": 0.1},
    "switching_cost": {"speed": 0.9},
    "level": {"initial": 0.7},
    "word_of_mouth": {"influence": {"cv": 0.25}, "value": 9.0},
    "knowledge": {"share": 0.1},
    "transaction": {"trust_above": 0.9},
}
BASE = changed(CHAIN, **MINDFUL)


def test_a_segments_overrides_arrive() -> None:
    views = read({**BASE, **changing(**OVERRIDES)}).by_segment
    mine, other = views["a"], views["b"]
    assert mine.satisfaction is not None
    assert mine.word_of_mouth is not None
    assert mine.trust is not None
    assert (mine.satisfaction.initial, mine.satisfaction.expectation.norm, mine.satisfaction.speed) == (4.5, 2.5, 0.3)
    assert (mine.word_of_mouth.influence.mean, mine.word_of_mouth.influence.cv, mine.word_of_mouth.reach) == (1.5, 0.25, 2.0)
    assert (mine.trust.rise, mine.trust.fall, mine.transaction.trust_above) == (0.3, 0.3, 0.9)
    plain = read(BASE)
    for part in OVERRIDES:
        assert getattr(other, part) == getattr(plain, part)
        assert getattr(mine, part) != getattr(plain, part)
    tables = compile_tables(read({**BASE, **changing(**OVERRIDES)}))
    for field in ("feeling", "expectation", "trust", "loyalty", "level", "invest", "stream_units", "known_share", "trust_above"):
        first, second = getattr(tables, field)
        assert not np.array_equal(first, second), field


def test_segments_can_change_every_mechanism() -> None:
    assert set(Segment.model_fields) == {"label", "share", "match", *OVERRIDABLE}
    assert set(OVERRIDES) < set(OVERRIDABLE)


def test_a_trait_given_by_a_number_is_laid_over_in_a_segment() -> None:
    talk = {"satisfaction": {"spread": 1}, "word_of_mouth": {**TALK, "influence": 2}, "correlations": {"influence": {"satisfaction": 0.5}}}
    found = read(sound(**talk, **changing(word_of_mouth={"influence": {"cv": 0.5}}))).by_segment
    assert {
        key: (view.word_of_mouth.influence.mean, view.word_of_mouth.influence.cv) for key, view in found.items() if view.word_of_mouth
    } == {
        "a": (2, 0.5),
        "b": (2, 0),
    }


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.tuples(*[st.sampled_from(TRAITS)] * 2), st.floats(-0.99, 0.99), max_size=8))
def test_correlations_are_refused_exactly_where_they_are_impossible(table: dict[tuple[str, str], float]) -> None:
    pairs = {tuple(sorted(pair)): rho for pair, rho in table.items() if pair[0] != pair[1]}
    nested: dict[str, dict[str, float]] = {}
    matrix = np.eye(len(TRAITS))
    for (one, other), rho in pairs.items():
        nested.setdefault(one, {})[other] = rho
        i, j = TRAITS.index(one), TRAITS.index(other)
        matrix[i, j] = matrix[j, i] = rho
    raw = changed(BASE, purchases={"kind": "poisson", "rate": {"mean": 1, "cv": 1}, "order_value": {"mean": 1, "cv": 1}})
    raw = changed(raw, frailty={"variance": 1}, correlations=nested)
    if np.linalg.eigvalsh(matrix).min() > 0 and np.linalg.det(matrix) > 1e-9:
        factor = correlation_factor(read(raw))
        assert factor @ factor.T == pytest.approx(matrix)
    else:
        with pytest.raises(ScenarioError, match="traits cannot be correlated so"):
            read(raw)


def test_what_moves_nothing_is_told() -> None:
    raw = sound(
        satisfaction={},
        trust={},
        knowledge={},
        transaction={"trust_above": 0.4},
        drivers={"value": PROFILE, "brand": PROFILE},
        **moved(value=1),
    )
    assert warnings(read(raw)) == (
        "drivers.brand: no edge has effects.brand: it moves nothing",
        "knowledge: no stage has a worth of knowledge: it moves nothing",
        "transaction.trust_above: no stage has fees: it moves nothing",
    )
    assert warnings(read(BASE)) == ()


JUNK = st.sampled_from(
    [
        None,
        True,
        "x",
        "calm",
        [],
        [1.0],
        [1.0, "x"],
        {},
        {"calm": 1.0},
        -1,
        -1e-300,
        0,
        1e-300,
        0.5,
        1,
        3,
        99,
        1e6,
        1e12,
        1e300,
        float("inf"),
    ]
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in _paths(item, (*path, key)))]


def spoil(raw: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return a copy with one value replaced; taken out where the value is Ellipsis."""
    found = here = deepcopy(raw)
    for key in path[:-1]:
        here = here[key]
    if value is ...:
        del here[path[-1]]
    else:
        here[path[-1]] = value
    return found


def compiled(raw: dict[str, Any]) -> Scenario | None:
    """Return what is read, None where it is refused; nothing may be anything but a number in its tables."""
    try:
        scenario = read(raw)
        tables = compile_tables(scenario) if scenario.horizon != "inf" else None
    except ScenarioError:
        return None
    for field in tables._fields if tables else ():
        assert np.isfinite(getattr(tables, field)).all(), field
    return scenario


POLICIES: dict[str, Any] = {
    "calls": {
        "who": {"segments": ["cool"], "survey": {"below": 3.0}},
        "effects": {"edges": {"investigation": {"lost": {"set": 0.1}}}, "causes": {"rival": 0.8}, "performance": 0.2, "level": 0.05},
    },
    "club": {
        "effects": {"edges": {"investigation": {"formation": {"multiply": [1.2, 1.1]}}}, "drivers": {"value": 0.1}, "spread": 0.3},
        "decay": 0.9,
    },
}
WHOLE = changed(BASE, segments={"keen": {"share": 0.6}, "cool": {"share": 0.4, **OVERRIDES}}, frailty={"variance": 0.4}, policies=POLICIES)


@pytest.mark.filterwarnings("error")
@settings(deadline=None, max_examples=150)
@given(st.sampled_from(_paths(WHOLE)[1:]), JUNK | st.just(...))
@example(("purchases", "kind"), [])
def test_whatever_is_spoiled_is_read_or_refused(path: tuple[Any, ...], junk: Any) -> None:
    compiled(spoil(WHOLE, path, junk))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("law", [{"shape": 1000, "scale": 4}, {"shape": 3, "scale": 1e-6}, {"shape": 1e-300, "scale": 1e300}])
def test_steep_weibulls_lead_out_for_certain(law: dict[str, float]) -> None:
    scenario = read(sound(stages__trial__to={"lost": {"weibull": law}}))
    tables = compile_tables(scenario)
    assert np.isfinite(tables.hazard).all()
    rows = tables.hazard[0, 0, :12]
    assert rows[-1] == (1e6 if law["shape"] > 1 else 0)
