"""A planted box is found and measured as said; noise shows none."""

import builtins
import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sim.scenario.errors import ScenarioError
from sim.studies.discovery import COLUMNS, Condition, Discovery, Flags, discover, rounded, told

pytestmark = pytest.mark.jit

INSIDE, OUTSIDE = 0.9, 0.03
RANGES = {"rate": (0.0, 0.2), "margin": (0.0, 10.0), "churn": (0.0, 1.0), "size": (100.0, 1000.0)}


def planted(seed: int, count: int = 3000) -> tuple[pd.DataFrame, Flags]:
    """Return points in four dimensions, where a policy loses at a high rate, a low margin and a size above 400."""
    random = np.random.default_rng(seed)
    points = pd.DataFrame({name: random.uniform(*ends, count) for name, ends in RANGES.items()})
    inside = (points["rate"] > 0.12) & (points["margin"] < 5.0) & (points["size"] > 400.0)
    return points, random.random(count) < np.where(inside, INSIDE, OUTSIDE)


def read(words: str, points: pd.DataFrame) -> Flags:
    """Return where conditions hold, by their words alone."""
    inside = np.ones(len(points), bool)
    for words_of_one in re.split(r" and (?=[a-z]+ (?:above|below|between|is) )", words):
        name, kind, limits = words_of_one.split(" ", 2)
        if kind == "is":
            inside &= points[name].astype(str).isin(re.split(", | or ", limits)).to_numpy()
            continue
        ends = [float(limit) for limit in limits.split(" and ")]
        low, high = ends if kind == "between" else (ends[0], math.inf) if kind == "above" else (-math.inf, ends[0])
        inside &= ((points[name] > low) & (points[name] < high)).to_numpy()
    return inside


@pytest.mark.parametrize("seed", range(4))
def test_a_planted_box_is_found(seed: int) -> None:
    """With its limits within 5 % of their ranges."""
    found = discover(*planted(seed), seed=seed)
    assert len(found.boxes) == 1
    conditions = {one.name: one for one in found.boxes[0].conditions}
    assert set(conditions) == {"rate", "margin", "size"}
    assert conditions["rate"].low == pytest.approx(0.12, abs=0.05 * 0.2)
    assert conditions["margin"].high == pytest.approx(5.0, abs=0.05 * 10.0)
    assert conditions["size"].low == pytest.approx(400.0, abs=0.05 * 900.0)
    assert found.boxes[0].coverage > 0.7
    assert found.boxes[0].density > 0.8


@pytest.mark.parametrize("weighted", [False, True])
def test_measures_are_those_of_the_words(weighted: bool) -> None:
    points, lost = planted(1)
    weight = np.random.default_rng(5).uniform(0.5, 2.0, len(points)) if weighted else np.ones(len(points))
    found = discover(points, lost, weight if weighted else None)
    assert 2 * found.judged.sum() == pytest.approx(len(points), abs=2)
    assert found.rate == pytest.approx((weight * lost).sum() / weight.sum())
    assert tuple(found.frame.columns) == COLUMNS
    judged = found.judged
    for row in found.frame.to_dict("records"):
        inside = read(row["conditions"], points)[judged]
        own, loses = weight[judged], lost[judged]
        top = own[inside & loses].sum()
        assert row["coverage"] == pytest.approx(top / own[loses].sum(), rel=1e-12)
        assert row["density"] == pytest.approx(top / own[inside].sum(), rel=1e-12)
        assert row["mass"] == pytest.approx(own[inside].sum() / own.sum(), rel=1e-12)
        many = own[inside].sum() ** 2 / (own[inside] ** 2).sum()
        wilson = stats.binomtest(round(row["density"] * round(many)), round(many)).proportion_ci(method="wilson")
        assert (row["low"], row["high"]) == pytest.approx((wilson.low, wilson.high), rel=2e-2 if weighted else 1e-6)


def test_the_interval_holds_as_often_as_it_says() -> None:
    """Of points that the tree has not seen, inside the limits found, the density of new ones lies in 95 % of intervals.

    At least 83 of 100: fewer have a chance of 3e-6, were it .95; the new points are 100,000.
    """
    assert stats.binom.cdf(82, 100, 0.95) < 5e-6
    fresh = planted(99, 100_000)
    hits = 0
    for seed in range(100):
        box = discover(*planted(seed, 1500), seed=seed).boxes[0]
        hits += box.low < fresh[1][box.holds(fresh[0])].mean() < box.high
    assert hits >= 83


def test_a_range_within_one_parameter_is_told_as_between() -> None:
    random = np.random.default_rng(3)
    points = pd.DataFrame({"price": random.uniform(0.0, 100.0, 2000), "other": random.random(2000)})
    inside = points["price"].between(30.0, 50.0)
    frame = discover(points, inside).frame
    assert re.fullmatch(r"price between \d+(\.\d+)? and \d+(\.\d+)?", frame["conditions"][0])
    low, high = map(float, re.findall(r"\d+(?:\.\d+)?", frame["conditions"][0]))
    assert (low, high) == pytest.approx((30.0, 50.0), abs=1.0)


def test_planted_choices_are_found() -> None:
    """Two of five policies lose in half of all points, on a high rate; one split of the tree takes both."""
    random = np.random.default_rng(4)
    points = pd.DataFrame({"policy": random.choice(list("vwxyz"), 2000), "rate": random.random(2000), "loyal": random.random(2000) < 0.5})
    inside = points["policy"].isin(["x", "v"]) & (points["rate"] > 0.5)
    found = discover(points, random.random(2000) < np.where(inside, 0.9, 0.05))
    box = {one.name: one for one in found.boxes[0].conditions}
    assert set(box) == {"policy", "rate"}
    assert box["policy"][3] == ("v", "x")
    assert box["rate"].low == pytest.approx(0.5, abs=0.05)
    assert "policy is v or x" in found.frame["conditions"][0]
    assert read(found.frame["conditions"][0], points).sum() == found.boxes[0].holds(points).sum() > 300


def test_flags_are_choices() -> None:
    random = np.random.default_rng(4)
    points = pd.DataFrame({"loyal": random.random(400) < 0.5, "rate": random.random(400)})
    assert discover(points, ~points["loyal"]).frame["conditions"].tolist() == ["loyal is False"]


def test_noise_shows_no_box() -> None:
    """60 sets of points where nothing matters: 3 boxes or fewer.

    By the interval alone, which a box passes by chance with 2.5 %, more than 5 would be expected of four leaves in each of 60.
    """
    found = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        points = pd.DataFrame(random.random((600, 4)), columns=list("abcd")).assign(p=random.choice(list("stuvwxyz"), 600))
        found += len(discover(points, random.random(600) < 0.2, seed=seed).boxes)
    assert found <= 3


def test_same_seed_same_boxes() -> None:
    points, lost = planted(2)
    pd.testing.assert_frame_equal(discover(points, lost, seed=7).frame, discover(points, lost, seed=7).frame)
    assert (discover(points, lost, seed=7).judged != discover(points, lost, seed=8).judged).any()


def test_nothing_to_find() -> None:
    points = planted(1)[0]
    few = np.arange(len(points)) < 9
    said = {
        "It loses in none of 3,000 points.": np.zeros(3000, bool),
        "It loses in all of 3,000 points.": np.ones(3000, bool),
        "It loses in 9 of 3,000 points, too few to tell under which conditions.": few,
        "It loses in 2,991 of 3,000 points, too many to tell under which conditions.": ~few,
    }
    for sentence, lost in said.items():
        found = discover(points, lost)
        assert found.frame.empty
        assert told(found) == sentence
    constant = pd.DataFrame({"rate": np.full(3000, 0.1), "policy": "a"})
    found = discover(constant, np.arange(3000) % 4 == 0)
    assert found.frame.empty
    assert told(found) == "It loses in 25 % of all points; no conditions were found under which it loses more often than that."
    assert discover(points[:20], np.arange(20) < 10).frame.empty  # too few for any leaf


def test_sentences() -> None:
    found = discover(*planted(1), seed=1)
    box = found.boxes[0]
    text = told(found, {"rate": "the discount rate"})
    assert text.startswith(f"It loses in {100 * found.rate:.2g} % of all points; of those, {100 * box.coverage:.2g} % lie where ")
    assert f"the discount rate above {box.conditions[0].low:g} and " in text
    density, low, high = (f"{100 * share:.2g}" for share in (box.density, box.low, box.high))
    assert text.endswith(f", where it loses in {density} % of the points (95 % interval {low} to {high} %).")
    twice = Discovery((box, box, box), found.rate, found.points, found.losing, found.judged)
    assert told(twice).count(". Another ") == 1
    assert Condition("a", -math.inf, math.inf, ("x", "y", "z")).told({}) == "a is x, y or z"
    assert Condition("a", -math.inf, math.inf, ("x",)).told({"a": "b"}) == "b is x"
    assert Condition("a", 1.5, 2.0, ()).told({}) == "a between 1.5 and 2"


def test_limits_are_rounded_by_a_small_part_of_the_range() -> None:
    assert rounded(0.123456, 1.0) == 0.123
    assert rounded(1234.56, 1000.0) == 1230.0
    assert rounded(1234.56, 100.0) == 1235.0
    assert rounded(math.inf, 1.0) == math.inf
    assert rounded(1000.04, 1e-20) == pytest.approx(1000.04)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda points: points.assign(rate=math.nan), "rate"),
        (lambda points: points.assign(rate=math.inf), "rate"),
        (lambda points: points.assign(policy=[None] + ["a"] * 99), "policy"),
        (lambda points: points[:50], "50"),
        (lambda points: points[[]], "100, 0"),
        (lambda points: points.set_axis(["a", "a", "b", "c"], axis=1), "a, a"),
    ],
)
def test_points_that_cannot_be_used(change: Any, message: str) -> None:
    points, lost = planted(1, 100)
    with pytest.raises(ValueError, match=message) as raised:
        discover(change(points), lost)
    assert "\n" not in str(raised.value)


def test_other_input_that_cannot_be_used() -> None:
    points, lost = planted(1, 100)
    with pytest.raises(ValueError, match="loses"):
        discover(points, np.where(lost, 2.0, 0.0) + 1.0)
    for weight in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="above 0"):
            discover(points, lost, np.full(100, weight))


def test_scikit_learn_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ScenarioError, match="needs scikit-learn; pip install"):
        discover(*planted(1, 200))
