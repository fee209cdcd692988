"""Known optima are found, within limits too; fresh luck takes the winner's curse away."""

import builtins
import logging
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sim.scenario.errors import ScenarioError
from sim.studies.axes import Axis, Floats, Limit, Point, Runs
from sim.studies.search import Found, front, search

pytestmark = pytest.mark.jit

CEILING, SPEED, MARGIN = 0.4, 0.05, 200.0
BEST = math.log(SPEED * CEILING * MARGIN) / SPEED
"""Acquisition spending a prospect that is worth most (Blattberg and Deighton 1996): the rate is c (1 - exp(-k A)), so that
a' (A) m = 1 where A = ln(k c m) / k."""


def spending(points: list[Point], seed: int) -> Floats:
    """Return profit and cost of a prospect, 400 replicates: a margin and a cost of contact that luck moves."""
    luck = np.random.default_rng(seed).standard_normal((2, 400))
    spent = np.array([float(point["spend"]) for point in points])[:, None]
    profit = CEILING * (1.0 - np.exp(-SPEED * spent)) * (MARGIN + 10.0 * luck[0]) - spent + 3.0 * luck[1]
    return np.stack([profit, np.broadcast_to(spent, profit.shape)], axis=2)


def profit(points: list[Point], seed: int) -> Floats:
    return spending(points, seed)[:, :, :1]


def of(spent: float) -> float:
    """Return the true profit."""
    return CEILING * (1.0 - math.exp(-SPEED * spent)) * MARGIN - spent


@pytest.fixture(scope="module")
def spent() -> Found:
    return search([Axis("spend", 0.0, 100.0)], profit, {"profit": "max"}, 24, 5, start={"spend": 10.0})


def test_the_optimum_is_found_within_1_percent(spent: Found) -> None:
    """The optimum on common luck is off by the mean luck of the margin, 10 / sqrt(400) / 200 = 0.25 % of it, or 0.05 in spending."""
    assert spent.found is not None
    assert pytest.approx(27.726, abs=1e-3) == BEST
    assert spent.found["spend"] == pytest.approx(BEST, rel=0.01)
    assert spent.mean == pytest.approx(of(float(spent.found["spend"])), abs=4 * spent.se)
    assert (spent.objective, spent.direction) == ("profit", "max")


def test_what_is_reported_is_of_the_last_seed_alone(spent: Found) -> None:
    assert spent.found is not None
    runs = Runs([Axis("spend", 0.0, 100.0)], profit, {"profit": "max"}, 24, 5, (), None, 8)
    assert len({5, *runs.seeds}) == 4
    best, start = profit([spent.found, {"spend": 10.0}], runs.seeds[1])[:, :, 0]
    assert spent.mean == pytest.approx(best.mean())
    assert spent.se == pytest.approx(best.std(ddof=1) / 20.0)
    assert spent.optimism == pytest.approx(profit([spent.found], 5).mean() - best.mean())
    assert spent.difference is not None
    test = stats.ttest_rel(best, start)
    assert spent.difference.mean == pytest.approx((best - start).mean())
    assert spent.difference.se == pytest.approx(spent.difference.mean / test.statistic)
    assert spent.difference[2:] == pytest.approx(tuple(test.confidence_interval()))
    assert spent.difference.se < spent.se  # pairing pays


def test_every_point_simulated_is_in_the_frame(spent: Found) -> None:
    frame, seeds = spent.trials, Runs([Axis("spend")], profit, {"profit": "max"}, 1, 5, (), None, 1).seeds
    assert list(frame) == ["order", "step", "seed", "spend", "profit", "feasible"]
    assert frame["order"].tolist() == list(range(len(frame)))
    assert frame["spend"][0] == 10.0
    assert frame["step"].drop_duplicates().tolist() == ["search", "polish", "test", "final"]
    counts = frame["step"].value_counts()
    assert (counts["search"], counts["test"], counts["final"]) == (24, 5, 2)
    assert dict(zip(frame["step"], frame["seed"], strict=True)) == {"search": 5, "polish": 5, "test": seeds[0], "final": seeds[1]}
    assert frame["profit"][3] == pytest.approx(profit([{"spend": frame["spend"][3]}], 5).mean())
    polished = frame[frame["step"] == "polish"]["profit"].max()
    assert polished >= frame[frame["step"] == "search"]["profit"].max()


def test_sentence(spent: Found) -> None:
    gap = spent.difference
    assert gap is not None
    assert spent.found is not None
    first, second = spent.told.split(". From ")
    assert first.startswith(
        f"profit {spent.mean:.4g} ± {spent.se:.2g} (standard error, on fresh luck) at spend {spent.found['spend']:.4g}; "
    )
    assert first.endswith(f"the search had shown it {abs(spent.optimism):.2g} {'better' if spent.optimism >= 0 else 'worse'}")
    assert second == f"the start it differs by {gap.mean:.4g} ± {gap.se:.2g} (95 % interval {gap.low:.4g} to {gap.high:.4g})."


def test_same_seed_same_answer(spent: Found) -> None:
    again, other = (search([Axis("spend", 0.0, 100.0)], profit, {"profit": "max"}, 24, s, start={"spend": 10.0}) for s in (5, 6))
    pd.testing.assert_frame_equal(again.trials, spent.trials)
    assert again.told == spent.told
    assert other.mean != spent.mean


def test_points_are_asked_for_in_batches_and_never_simulated_twice() -> None:
    calls: list[tuple[int, int]] = []

    def counted(points: list[Point], seed: int) -> Floats:
        calls.append((len(points), seed))
        return np.array([[[float(point["k"])]] for point in points])

    found = search([Axis("k", 0, 3, integer=True)], counted, {"v": "max"}, 30, 1, batch=4)
    assert found.found == {"k": 3}
    assert math.isnan(found.se)  # one replicate
    assert found.mean == 3.0
    searched = found.trials[found.trials["step"] == "search"]
    assert sorted(searched["k"]) == [0, 1, 2, 3]
    assert [seed for _, seed in calls] == [1] * (len(calls) - 2) + found.trials["seed"].tolist()[-5::4]
    assert max(count for count, seed in calls if seed == 1) <= 4


def test_the_winners_curse_is_shown_and_taken_away() -> None:
    """100 searches among 40 choices that are all alike, means of 10 with a standard error of 0.316, independent between choices.

    The best shown is about two standard errors too high, that on fresh luck is within 4 of its own standard errors, 0.0316 each.
    """

    def noise(points: list[Point], seed: int) -> Floats:
        return np.stack([np.random.default_rng([seed, int(point["arm"])]).standard_normal((10, 1)) for point in points])

    found = [search([Axis("arm", values=tuple(range(40)))], noise, {"v": "max"}, 40, seed) for seed in range(100)]
    assert abs(np.mean([one.mean for one in found])) < 4 * math.sqrt(0.1 / 100)
    assert np.mean([one.optimism for one in found]) > 0.3
    shown = [one.trials[one.trials["step"] == "search"]["v"].max() for one in found]
    assert np.mean(shown) > 0.5
    mirrored = search([Axis("arm", values=tuple(range(40)))], lambda points, seed: -noise(points, seed), {"v": "min"}, 40, 3)
    assert mirrored.optimism == pytest.approx(found[3].optimism)  # above 0 is too good, whichever way is sought
    assert mirrored.mean == pytest.approx(-found[3].mean)


def test_a_limit_that_binds() -> None:
    found = search(
        [Axis("spend", 0.0, 100.0)],
        spending,
        {"profit": "max", "cost": "limited"},
        30,
        2,
        limits=[Limit("cost", 20.0)],
        start={"spend": 5.0},
    )
    assert found.found is not None
    assert found.found["spend"] == pytest.approx(20.0, rel=0.01)
    assert found.means["cost"] == pytest.approx(float(found.found["spend"]))
    assert found.means["cost"] <= 20.0 + 1e-6
    assert found.ses["cost"] == pytest.approx(0.0, abs=1e-9)
    trials = found.trials
    assert ((trials["cost"] <= 20.0 + 1e-6) == trials["feasible"]).all()
    assert 0 < trials["feasible"].sum() < len(trials)


def test_a_limit_on_what_luck_moves_is_kept_on_every_seed() -> None:
    """At the limit a cost passes it on fresh luck every other time; then the next best points are tried."""

    def noisy(points: list[Point], seed: int) -> Floats:
        values = np.array([float(point["a"]) for point in points])[:, None]
        luck = np.random.default_rng(seed).standard_normal((1, 30))
        return np.stack([np.broadcast_to(values, (len(points), 30)), values * (1.0 + 0.1 * luck)], axis=2)

    waves = 0
    for seed in range(20):
        found = search([Axis("a", 0.0, 100.0)], noisy, {"v": "max", "cost": "limited"}, 30, seed, limits=[Limit("cost", 40.0)])
        assert found.found is not None
        assert 30.0 < float(found.found["a"]) < 43.0
        assert found.means["cost"] <= 40.0 * (1 + 1e-9)
        own = found.trials[found.trials["a"] == found.found["a"]]
        assert own["feasible"].all()
        assert set(own["step"]) >= {"test", "final"}
        waves += (found.trials["step"] == "test").sum() > 5
    assert waves > 0


def test_none_within_the_limit() -> None:
    found = search([Axis("spend", 30.0, 100.0)], spending, {"profit": "max", "cost": "limited"}, 20, 2, limits=[Limit("cost", 20.0)])
    assert found.found is None
    assert math.isnan(found.mean)
    assert math.isnan(found.se)
    assert found.difference is None
    nearest = found.trials["cost"].min()
    said = "kept to the limits (cost at most 20) on every seed; on that of the search the nearest had cost"
    assert found.told == f"None of {len(found.trials)} points {said} {nearest:.4g}."
    assert nearest == pytest.approx(30.0, rel=0.02)


def mixed(points: list[Point], seed: int) -> Floats:
    """Return a cost that is least at 3 contacts by mail and a size of 10, where it is 1."""
    luck = np.random.default_rng(seed).standard_normal(50)
    by = {"mail": 0.0, "phone": 2.0, "visit": 5.0}
    values = [
        (int(p["contacts"]) - 3) ** 2 + by[str(p["channel"])] + (2.0 * math.log10(float(p["size"]) / 10.0)) ** 2 + 1.0 for p in points
    ]
    return np.array(values)[:, None, None] + 0.1 * luck[None, :, None]


AXES = (Axis("contacts", 0, 12, integer=True), Axis("channel", values=("visit", "mail", "phone")), Axis("size", 1.0, 1000.0, log=True))


def test_whole_numbers_and_choices() -> None:
    plain, smooth = (search(AXES, mixed, {"cost": "min"}, 100, 1, smooth=smooth) for smooth in (None, True))
    for found in (plain, smooth):
        assert found.found is not None
        assert (found.found["contacts"], found.found["channel"]) == (3, "mail")
        assert isinstance(found.found["contacts"], int)
    assert "polish" not in set(plain.trials["step"])
    assert smooth.found is not None
    assert smooth.found["size"] == pytest.approx(10.0, rel=0.01)
    assert smooth.mean == pytest.approx(1.0, abs=4 * smooth.se)
    polished = smooth.trials[smooth.trials["step"] == "polish"]
    assert polished["contacts"].nunique() == polished["channel"].nunique() == 1
    only = search(
        AXES[:2], lambda points, seed: mixed([point | {"size": 10.0} for point in points], seed), {"cost": "min"}, 20, 1, smooth=True
    )
    assert "polish" not in set(only.trials["step"])  # nothing to polish


def test_several_axes_are_polished_together() -> None:
    """A valley that bends (Rosenbrock 1960, a milder one): least at (1, 1)."""

    def valley(points: list[Point], seed: int) -> Floats:
        x, y = (np.array([float(point[name]) for point in points])[:, None] for name in "xy")
        found = (1.0 - x) ** 2 + 5.0 * (y - x**2) ** 2 + 0.1 * np.random.default_rng(seed).standard_normal(20)
        return np.asarray(found[:, :, None], np.float64)

    found = search([Axis("x", -2.0, 2.0), Axis("y", -1.0, 3.0)], valley, {"v": "min"}, 40, 1)
    assert found.found is not None
    assert (found.found["x"], found.found["y"]) == pytest.approx((1.0, 1.0), abs=0.01)


def test_a_flat_objective_has_an_answer() -> None:
    found = search([Axis("x"), Axis("y")], lambda points, seed: np.ones((len(points), 2, 1)), {"v": "max"}, 10, 1, start={"x": 0, "y": 0})
    assert (found.mean, found.se, found.optimism) == (1.0, 0.0, 0.0)
    assert found.difference == (0.0, 0.0, 0.0, 0.0)


def test_a_start_that_is_best_is_kept() -> None:
    found = search(AXES, mixed, {"cost": "min"}, 12, 1, start={"contacts": 3, "channel": "mail", "size": 10.0}, again=1)
    assert found.found == {"contacts": 3, "channel": "mail", "size": 10.0}
    assert found.difference == (0.0, 0.0, 0.0, 0.0)


def bow(points: list[Point], seed: int) -> Floats:
    """Return two objectives whose front is (x, 1 - x**2) at y = 0, and what y costs."""
    luck = np.random.default_rng(seed).standard_normal(30)
    x, y = (np.array([float(point[name]) for point in points])[:, None] for name in "xy")
    return np.stack([x - y + 0.05 * luck, 1.0 - x**2 - y + 0.05 * luck, y + x + 0.0 * luck], axis=2)


def test_the_front_of_two_objectives() -> None:
    found = front([Axis("x"), Axis("y")], bow, {"a": "max", "b": "max", "c": "limited"}, 150, 4, limits=[Limit("c", 10.0)])
    frame = found.frame
    assert list(frame) == ["x", "y", "a", "a_se", "b", "b_se", "c", "c_se"]
    assert len(frame) >= 10
    assert frame["y"].median() < 0.02
    assert (frame["x"].min(), frame["x"].max()) == pytest.approx((0.0, 1.0), abs=0.15)
    assert frame["a"].is_monotonic_decreasing
    assert frame["b"].is_monotonic_increasing  # none is beaten by another
    seed = Runs([Axis("x"), Axis("y")], bow, {"a": "max", "b": "max"}, 1, 4, (), None, 1).seeds[1]
    values = bow([{"x": x, "y": y} for x, y in zip(frame["x"], frame["y"], strict=True)], seed)
    for k, name in enumerate("abc"):
        assert frame[name].to_numpy() == pytest.approx(values[:, :, k].mean(axis=1))
        assert frame[f"{name}_se"].to_numpy() == pytest.approx(values[:, :, k].std(axis=1, ddof=1) / math.sqrt(30), abs=1e-12)
    searched = found.trials[found.trials["step"] == "search"]
    for row in found.trials[found.trials["step"] == "test"].itertuples():
        own = searched[(searched["x"] == row.x) & (searched["y"] == row.y)].iloc[0]
        assert not ((searched["a"] > own["a"]) & (searched["b"] > own["b"])).any()
    assert found.told == f"Of {len(searched)} points within the limits, {len(frame)} are not beaten in a and b at once."


def test_a_front_on_independent_luck_is_filtered_again() -> None:
    """Where every point has luck of its own, some that the search took for unbeaten are beaten on fresh luck."""

    def own(points: list[Point], seed: int) -> Floats:
        return np.stack([np.random.default_rng([seed, int(point["arm"])]).standard_normal((4, 2)) for point in points])

    found = front([Axis("arm", values=tuple(range(60)))], own, {"a": "max", "b": "min"}, 60, 1)
    counts = found.trials["step"].value_counts()
    assert counts["search"] > counts["test"] > counts["final"] == len(found.frame) > 0
    tested = found.trials[found.trials["step"] == "test"]
    kept = found.trials[found.trials["step"] == "final"]["arm"]
    unbeaten = [not ((tested["a"] > row.a) & (tested["b"] < row.b)).any() for row in tested.itertuples()]
    assert sorted(kept) == sorted(tested["arm"][unbeaten])


def test_a_front_within_a_limit() -> None:
    found = front([Axis("x"), Axis("y")], bow, {"a": "max", "b": "max", "c": "limited"}, 100, 4, limits=[Limit("c", 0.5)])
    assert 0.35 < found.frame["x"].max() <= 0.5
    assert (found.frame["c"] <= 0.5).all()
    none = front([Axis("x"), Axis("y")], bow, {"a": "max", "b": "max", "c": "limited"}, 20, 4, limits=[Limit("c", -1.0)])
    assert none.frame.empty
    assert list(none.frame) == list(found.frame)
    assert none.told == "None of 20 points kept to the limits (c at most -1) on every seed."


def test_optuna_is_quiet_and_left_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.DEBUG)
    try:
        search([Axis("x")], lambda points, seed: np.ones((len(points), 2, 1)), {"v": "max"}, 4, 1)
        assert optuna.logging.get_verbosity() == logging.DEBUG
        assert capfd.readouterr() == ("", "")
    finally:
        optuna.logging.set_verbosity(before)


@pytest.mark.parametrize(
    ("axes", "change", "message"),
    [
        ([], {}, "axes: one or more"),
        ([Axis("x"), Axis("x")], {}, "all different"),
        ([Axis("seed")], {}, "none order, step, seed, feasible"),
        ([Axis("v_se")], {}, "all different"),
        ([Axis("x", 1.0, 1.0)], {}, "axes.x: low below high (got 1 to 1)"),
        ([Axis("x", 0.0, math.inf)], {}, "low below high"),
        ([Axis("x", log=True)], {}, "low above 0"),
        ([Axis("x", 0.5, 2.0, integer=True)], {}, "whole numbers"),
        ([Axis("x", values=("a", "a"))], {}, "values that differ"),
        ([Axis("x")], {"objectives": {"v": "up"}}, "objectives.v: max or min"),
        ([Axis("x")], {"objectives": {"v": "max", "w": "limited"}}, "objectives.w: max or min, or limited"),
        ([Axis("x")], {"objectives": {"v": "max", "w": "max"}}, "one to be max or min"),
        ([Axis("x")], {"limits": [Limit("w", 1.0)]}, "limits: an objective (got w)"),
        ([Axis("x")], {"limits": [Limit("v", math.nan)]}, "limits: numbers"),
        ([Axis("x")], {"start": {}}, "start.x: one value of each axis"),
        ([Axis("x")], {"start": {"x": 2.0}}, "start.x: one value of each axis, and nothing else (got 2.0)"),
        ([Axis("x")], {"start": {"x": 0.5, "y": 1.0}}, "start.y"),
        ([Axis("x", 0, 4, integer=True)], {"start": {"x": 1.5}}, "start.x"),
        ([Axis("x", values=("a", "b"))], {"start": {"x": "c"}}, "start.x"),
        ([Axis("x")], {"trials": 0}, "trials: 1 or more"),
        ([Axis("x")], {"batch": 0}, "batch: 1 or more"),
        ([Axis("x")], {"again": 0}, "again of 1 or more"),
        ([Axis("x")], {"seed": -1}, "seed: 0 or more"),
    ],
)
def test_what_cannot_be_sought(axes: list[Axis], change: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        search(axes, profit, **{"objectives": {"v": "max"}, "trials": 2, "seed": 1, **change})
    assert message in str(raised.value)


def test_a_front_needs_two_objectives() -> None:
    with pytest.raises(ScenarioError, match="two or more to be max or min"):
        front([Axis("x")], profit, {"v": "max"}, 2, 1)


@pytest.mark.parametrize(
    "values", [np.ones((2, 3)), np.ones((2, 3, 2)), np.ones((3, 3, 1)), np.ones((2, 0, 1)), np.full((2, 3, 1), np.nan)]
)
def test_what_is_no_answer(values: Floats) -> None:
    with pytest.raises(ValueError, match=r"finite numbers of \(points, replicates, objectives\)"):
        search([Axis("x")], lambda points, seed: values, {"v": "max"}, 2, 1)


def test_optuna_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("optuna"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ScenarioError, match="needs optuna; pip install"):
        search([Axis("spend")], profit, {"profit": "max"}, 2, 1)
