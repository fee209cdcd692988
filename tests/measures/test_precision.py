"""Runs that stop by precision: where they stop, what they say of it, and that they are plain runs of that size."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sim.measures.precision import precision
from sim.scenario import ScenarioError, read
from sim.scenario.sample import cells, looks
from sim.studies.result import Result
from sim.studies.simulate import simulate
from tests.measures import cases
from tests.measures.test_summary import checked
from tests.running import assert_same


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at a run after 64 customers already."""
    monkeypatch.setattr("sim.scenario.sample.FIRST_LOOK", 64)


def run(customers: int, **settings: Any) -> Result:
    return simulate(cases.publisher(run={"customers": customers, **settings}))


@pytest.mark.parametrize(
    ("customers", "expected"),
    [
        (5, [5]),
        (131_072, [131_072]),
        (131_073, [131_072, 131_073]),
        (10**6, [131_072, 262_144, 524_288, 10**6]),
    ],
)
def test_looks_are_few_and_never_before_100_000(customers: int, expected: list[int]) -> None:
    assert list(looks(cases.publisher(run={"customers": customers, "precision": 0.1}))) == expected
    assert list(looks(cases.publisher(run={"customers": customers, "precision_money": 0.1}))) == expected
    assert list(looks(cases.publisher(run={"customers": customers}))) == [customers]


def test_more_seats_only_add() -> None:
    scenario = cases.relationship(run={"precision": 0.1})
    found = [[cell.sampled for cell in cells(scenario, n)] for n in (8, 64, 128, 256, 700)]
    assert (np.diff(found, axis=0) >= 0).all()


@pytest.mark.usefixtures("early")
@pytest.mark.parametrize("make", [cases.publisher, cases.relationship])
def test_a_run_by_precision_is_the_plain_run_of_its_size(make: Any) -> None:
    more = {"replicates": 2, "keep_customers": True}
    found = simulate(make(run={"customers": 5_000, "precision": 0.1, **more}))
    size = sum(found.outcome.sampled)
    assert size in (64, 128, 256, 512, 1024, 2048)
    plain = simulate(make(run={"customers": size, **more}))
    assert_same(found.outcome.tally, plain.outcome.tally)
    for name, frame in plain.tables().items():
        pd.testing.assert_frame_equal(found.tables()[name], frame, check_exact=True)
    one, other = checked(found), checked(plain)
    assert {key for key in one if one[key] != other[key]} == {"precision", "timing"}
    assert one["customers"] == size
    assert one["precision"]["reached"] is True
    assert other["precision"] is None


@pytest.mark.usefixtures("early")
@pytest.mark.parametrize("threads", [1, 2])
def test_stops_at_the_first_look_that_suffices(threads: int) -> None:
    asked = 0.2
    found = run(10_000, precision=asked, threads=threads)
    row = found.clv.set_index("measure").loc["clv_before_acquisition"].iloc[0]
    half = found.summary()["precision"]["half_width"]
    assert half == pytest.approx(1.959963984540054 * row["se"] / row["mean"], rel=1e-12)
    assert half <= asked
    half_as_many = precision(run(sum(found.outcome.sampled) // 2, precision=asked).sample)
    assert half_as_many is not None
    assert half_as_many["half_width"] > asked


@pytest.mark.usefixtures("early")
def test_money_is_absolute() -> None:
    found = run(10_000, precision_money=6.0)
    row = found.clv[found.clv["measure"] == "clv_before_acquisition"].iloc[0]
    assert found.summary()["precision"] == {
        "asked": 6.0,
        "relative": False,
        "half_width": pytest.approx(1.959963984540054 * row["se"], rel=1e-12),
        "reached": True,
    }
    assert found.warnings == run(sum(found.outcome.sampled)).warnings


@pytest.mark.usefixtures("early")
def test_customers_are_the_most() -> None:
    found = run(300, precision=0.001)
    told = checked(found)
    assert told["customers"] == 300
    assert told["precision"]["reached"] is False
    (warning,) = (line for line in found.warnings if line.startswith("run.precision"))
    assert warning.startswith("run.precision: 0.001 was not reached: 300 customers give ± 0.1")
    assert warning.endswith("run.customers would do")


@pytest.mark.usefixtures("early")
def test_no_spread_stops_at_once() -> None:
    stages = {"subscribed": {"price": 100.0, "to": {"lapsed": {"probability": [*[0.0] * 9, 1.0]}}}, "lapsed": {"kind": "lost"}}
    told = checked(simulate(cases.publisher(stages=stages, run={"customers": 10_000, "precision": 0.001})))
    assert (told["customers"], told["precision"]["half_width"], told["precision"]["reached"]) == (64, 0.0, True)


@pytest.mark.usefixtures("early")
def test_a_mean_of_nothing() -> None:
    stages = {"subscribed": {"price": 0.0, "to": {"lapsed": {"probability": 0.5}}}, "lapsed": {"kind": "lost"}}
    assert checked(simulate(cases.publisher(stages=stages, run={"customers": 200, "precision": 0.1})))["precision"]["reached"] is True
    assert run(1, precision=0.1).summary()["precision"] == {"asked": 0.1, "relative": True, "half_width": None, "reached": False}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"precision": 0}, "run.precision: must be above 0 (got 0)"),
        ({"precision": -0.1}, "run.precision: must be above 0 (got -0.1)"),
        ({"precision": 1}, "run.precision: must be below 1 (got 1)"),
        ({"precision": "fast"}, "run.precision: must be a number (got 'fast')"),
        ({"precision_money": 0}, "run.precision_money: must be above 0 (got 0)"),
        (
            {"precision": 0.1, "precision_money": 2},
            "run.precision_money: a run stops by one precision, and run.precision is given too (got 2); leave one of them out",
        ),
    ],
)
def test_bad_precision_is_one_line(settings: dict[str, Any], said: str) -> None:
    raw = cases.publisher().model_dump(exclude_unset=True) | {"run": settings}
    with pytest.raises(ScenarioError) as caught:
        read(raw)
    assert [str(fault) for fault in caught.value.faults] == [said]


def test_no_error_is_told_in_words() -> None:
    [said] = [said for said in run(1, precision=0.1).warnings if "run.precision" in said]
    assert "fewer than two customers" in said
    assert "nan" not in said
