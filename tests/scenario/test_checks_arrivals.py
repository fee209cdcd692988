"""Rules where arrivals depend on customers: each has an example that breaks it and nothing else."""

from typing import Any

import pytest

from sim.scenario import read
from sim.scenario.sample import cohorts, coupling
from tests.scenario.cases import assert_refused, sound

TALK: dict[str, Any] = {"satisfaction": {}, "word_of_mouth": {"reach": 0.1, "recruits": {}}}
CROWD: dict[str, Any] = {"crowd": {"strength": 0.1, "market": 100}}
TWO = {"a": {"share": 0.5}, "b": {"share": 0.5}}
YEARS = {"all": {"customers": 10, "periods": 5}}

BROKEN: list[tuple[dict[str, Any], str]] = [
    (
        {"satisfaction": {}, "word_of_mouth": {"reach": 1}},
        "word_of_mouth: needs exactly one of value (talk is worth money) and recruits (it brings customers)",
    ),
    (
        {"satisfaction": {}, "word_of_mouth": {"reach": 1, "value": 2, "recruits": {}}},
        "word_of_mouth: needs exactly one of value (talk is worth money) and recruits (it brings customers) (got value, recruits)",
    ),
    (
        {"satisfaction": {}, "word_of_mouth": {"reach": 1, "recruits": {"fee": -1}}},
        "word_of_mouth.recruits.fee: must be at least 0 (got -1)",
    ),
    (
        {"satisfaction": {}, "word_of_mouth": {"reach": 1, "recruits": {"until": 2001}}},
        "word_of_mouth.recruits.until: must be at most 2,000 (got 2001)",
    ),
    (
        {"satisfaction": {}, "word_of_mouth": {"reach": 1, "recruits": {"until": 4}}, "cohorts": YEARS},
        "word_of_mouth.recruits.until: must come after the last planned arrival, in calendar period 4 (got 4); leave it out",
    ),
    (
        {**TALK, "segments": {**TWO, "a": {"share": 0.5, "word_of_mouth": {"recruits": {"until": 9}}}}},
        "segments.a.word_of_mouth.recruits.until: is the same for all segments (got 9); give word_of_mouth.recruits.until",
    ),
    (
        {
            "satisfaction": {},
            "word_of_mouth": {"reach": 1, "value": 2},
            "segments": {**TWO, "a": {"share": 0.5, "word_of_mouth": {"recruits": {"fee": 1}}}},
        },
        'segments.a.word_of_mouth.recruits: a segment may change it, but not switch it on (got {"fee": 1}); give word_of_mouth.recruits',
    ),
    (
        {"satisfaction": {}, "word_of_mouth": {"reach": 700, "recruits": {}}},
        "word_of_mouth.reach: the most influential customers would win 700 others a period, and 650 is the most that can be drawn",
    ),
    (
        {"satisfaction": {}, "word_of_mouth": {"reach": 5, "influence": {"mean": 2, "cv": 4, "distribution": "lognormal"}, "recruits": {}}},
        "word_of_mouth.reach: the most influential customers would win 136882 others a period",
    ),
    ({"crowd": {"strength": -1, "market": 100}}, "crowd.strength: must be at least 0 (got -1)"),
    ({"crowd": {"strength": 1, "market": 0}}, "crowd.market: must be above 0 (got 0)"),
    ({"crowd": {"strength": 1}}, "crowd.market: must be given"),
    (
        {**CROWD, "cohorts": {"all": {"customers": 1, "periods": 2001}}},
        "cohorts: where arrivals depend on customers, the last may be in calendar period 1,999 (got 2000); give fewer cohorts",
    ),
    *(
        ({**kind, **setting}, said)
        for kind in (TALK, CROWD)
        for setting, said in (
            ({"run": {"keep_customers": True}}, "run.keep_customers: customers cannot be kept where it depends on others how many come"),
            ({"run": {"panel": 5}}, "run.panel: customers are not followed where it depends on others how many come (got 5); leave it out"),
            ({"run": {"customers": 5}}, "run.customers: the firm itself is simulated where arrivals depend on customers (got 5)"),
            ({"run": {"driver": "period"}}, "run.driver: arrivals that depend on customers are simulated cohort by cohort (got period)"),
            ({"run": {"precision": 0.1}}, "run.precision: more customers do not make a run precise where all share luck"),
        )
    ),
]


@pytest.mark.parametrize(("changes", "said"), BROKEN)
def test_rule(changes: dict[str, Any], said: str) -> None:
    assert_refused(said, **changes)


def test_recruits_have_a_cohort_in_every_period_until_the_last() -> None:
    scenario = read(sound(**TALK, cohorts={"first": {"customers": 10}, "later": {"first_period": 3, "customers": 5}}))
    found = cohorts(scenario)
    assert [cohort.arrival for cohort in found] == list(range(3 + 12))
    assert [(cohort.id, cohort.customers) for cohort in found[:4]] == [("first", 10), ("referred", 0), ("referred", 0), ("later", 5)]
    assert coupling(scenario).open == (True, False, False, True, *[False] * 11)


def test_a_crowd_comes_to_planned_cohorts_alone() -> None:
    scenario = read(sound(**CROWD, cohorts=YEARS))
    assert [cohort.arrival for cohort in cohorts(scenario)] == [0, 1, 2, 3, 4]
    assert coupling(scenario).crowd == (0.1, 100.0)
