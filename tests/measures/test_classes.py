"""Classes: by hand, against a slow twin, and exclusive and exhaustive whatever the rules."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.kernels.types import UNIT
from sim.measures.classes import Ratings, classed, classes, migration, quantile, states
from sim.measures.followed import Followed
from sim.scenario.classes import SHIPPED, Classification, laid_over
from sim.studies.result import Result
from tests.measures import followed as panels
from tests.measures.cases import part


def shipped(name: str, **entry: Any) -> Classification:
    return Classification.model_validate(laid_over({name: entry})[name])


HAND = {
    "money": {"cuts": {"current": {"value": [10.0, 20.0]}}, "rules": {"big": {"current": 2}, "middle": {"current": 1}}, "rest": "small"}
}


def hand() -> Followed:
    """Six customers over three years; their cash a year decides."""
    stages = ["nnnn", "nnlg", "nggg", "llln", "nnnn", "nlll"]
    cash = [[5.0, 15.0, 25.0], [15.0, 15.0, 5.0], [30.0, 0.0, 0.0], [25.0, 25.0, 25.0], [10.0, 20.0, 20.5], [12.0, 8.0, 8.0]]
    return panels.by_hand(stages, cash, panels.yearly(6, 3, classes=HAND))


def test_by_hand() -> None:
    found = classes(hand())
    counts = part(found).pivot_table(index="year", columns="class", values="customers", sort=False).astype(int)
    assert counts.loc[0].to_dict() == {"unrated": 6, "big": 0, "middle": 0, "small": 0, "lost": 0}
    assert counts.loc[1].to_dict() == {"unrated": 0, "big": 1, "middle": 2, "small": 2, "lost": 1}
    assert counts.loc[2].to_dict() == {"unrated": 0, "big": 1, "middle": 3, "small": 1, "lost": 1}
    assert counts.loc[3].to_dict() == {"unrated": 0, "big": 3, "middle": 0, "small": 1, "lost": 2}
    big = part(found)[(found["year"] == 3) & (found["class"] == "big")].iloc[0]
    assert big["current"] == pytest.approx((25 + 25 + 20.5) / 3)
    assert big["clv"] == pytest.approx((45 + 75 + 50.5) / 3)
    first = part(found)[(found["year"] == 1) & (found["class"] == "middle")].iloc[0]
    assert (first["later"], first["firm"], first["equity"]) == pytest.approx((18.0, 2.0, 36.0))


def test_migration_by_hand() -> None:
    found = migration(hand())
    rows = part(found)[found["year"] == 1].set_index(["source", "target"])["moved"]
    assert rows[rows > 0].to_dict() == {
        ("big", "big"): 1, ("middle", "middle"): 1, ("middle", "small"): 1, ("small", "middle"): 2, ("lost", "lost"): 1,
    }  # fmt: skip
    pooled = part(found)[found["year"] == -1].set_index(["source", "target"])
    assert pooled.loc[("middle", "big"), "moved"] == 2
    assert pooled.loc[("middle", "big"), "customers"] == 5
    assert pooled.loc[("middle", "big"), "share"] == pytest.approx(0.4)


@pytest.mark.jit
def test_shares_of_a_source_add_up() -> None:
    for result in (panels.deepening(), panels.ordering()):
        rows = result.migration
        sums = rows.groupby(["by", "id", "classification", "year", "source"])["share"].sum()
        assert sums.to_numpy() == pytest.approx(np.ones(len(sums)))
        assert (rows["low"] <= rows["share"] + 1e-12).all()
        assert (rows["share"] <= rows["high"] + 1e-12).all()
        whole = result.classes.groupby(["by", "id", "classification", "year"])[["share", "customers"]].sum()
        assert whole["share"].to_numpy() == pytest.approx(np.ones(len(whole)))
        everybody = part(result.classes).groupby(["classification", "year"])["customers"].sum()
        assert (everybody == result.followed.panel.cell.size).all()


@pytest.mark.jit
def test_migration_carries_one_year_s_classes_into_the_next_s() -> None:
    result = panels.deepening()
    counts = part(result.classes).set_index(["classification", "year", "class"])["customers"]
    moved = part(result.migration)
    for year in range(result.followed.years):
        into = moved[moved["year"] == year].groupby(["classification", "target"])["moved"].sum().reset_index()
        for row in into.to_dict("records"):
            assert counts[row["classification"], year + 1, row["target"]] == row["moved"]


@pytest.mark.jit
def test_multinomial_errors() -> None:
    rows = part(panels.ordering().migration)
    rows = rows[rows["year"] == 1]
    plain = np.sqrt(rows["share"] * (1 - rows["share"]) / rows["customers"])
    np.testing.assert_allclose(rows["share_se"], plain, rtol=2e-3, atol=1e-9)  # one cell: (n - 1) in the place of n


def slow(result: Result, name: str) -> list[list[str]]:
    """Class every customer at the end of each year, one by one, from what the panel holds and what the run expects of it."""
    followed, how = result.followed, result.scenario.classifications[name]
    panel, year = followed.panel, followed.year
    factor, seen = result.scenario.discount_factor, Ratings(followed).outlook
    known: dict[tuple[int, int], dict[str, float]] = {}
    fates: dict[tuple[int, int], str] = {}
    for i in range(panel.cell.size):
        kinds = [list(result.scenario.stages.values())[s].kind for s in panel.stage[:, i]]
        for k in range(followed.years + 1):
            end = k * year
            if kinds[end] == "lost":
                fates[k, i] = "lost"
            elif k == 0 or kinds[end] != "active" or "active" not in kinds[: end - year + 1]:
                fates[k, i] = "unrated"
            else:
                earned = [
                    (panel.clv[t + 1, i] - panel.clv[t, i] - panel.acquisition[t + 1, i] + panel.acquisition[t, i]) / UNIT / factor**t
                    for t in range(end)
                ]
                bought = [
                    t
                    for t in range(end)
                    if (panel.orders[t + 1, i] > panel.orders[t, i] or (followed.subscribed[i] and kinds[t] == "active"))
                ]
                level = panel.mind["level"][end - 1, i] if panel.mind else 1.0
                current, before = sum(earned[-year:]), sum(earned[-2 * year : -year])
                known[k, i] = {
                    "current": current,
                    "growth": followed.full[end, i] * (1 - level) * seen.remaining[k, i],
                    "future": seen.future[k, i],
                    "worth": current + seen.future[k, i],
                    "remaining": seen.remaining[k, i] / year,
                    "orders": float(panel.orders[end, i] - panel.orders[end - year, i]),
                    "idle": (end - 1 - max(bought, default=-1)) / year,
                    "trend": current / before - 1 if k > 1 and before > 0 else float("nan"),
                    "cost": sum(followed.served[t, i] for t in range(end - year, end)),
                    "match": match(result, int(panel.cell[i])),
                    "credit": float("nan"),
                }
    for k in range(followed.years + 1):
        mine = [key for key in known if key[0] == k]
        costs, values = (sum(known[key][what] * followed.weight[key[1]] for key in mine) for what in ("cost", "current"))
        for key in mine:
            cost, value = known[key]["cost"], known[key]["current"]
            known[key]["burden"] = (cost / (costs or 1.0)) / (value / values) if value > 0 else np.inf if cost > 0 else 0.0
    frame = pd.DataFrame(known).T
    for what, weight in how.score.items():
        heavy = followed.weight[[i for _, i in frame.index]]
        mean = np.average(frame[what], weights=heavy)
        spread = np.average((frame[what] - mean) ** 2, weights=heavy) ** 0.5
        frame["score"] = frame.get("score", 0.0) + (weight * (frame[what] - mean) / spread if spread > 1e-12 else 0.0)
    for key in frame.index:
        fates[key] = next(
            (label for label, rule in how.rules.items() if all(above(frame, key, what, how) >= n for what, n in rule.items())), how.rest
        )
    return [[fates[k, i] for i in range(panel.cell.size)] for k in range(followed.years + 1)]


def match(result: Result, cell: int) -> float:
    segment = result.scenario.segments.get(result.sample.cells[cell].segment)
    return segment.match.total if segment and segment.match else 0.0


def above(frame: pd.DataFrame, key: Any, what: str, how: Classification) -> int:
    """Count the places of a cut that a customer is above; all customers of a panel weigh nearly alike."""
    cut = how.cuts[what]
    rows = frame[[k == key[0] for k, _ in frame.index]] if cut.moving else frame
    places = [np.quantile(rows[what].dropna(), q, method="inverted_cdf") for q in cut.quantile] if cut.quantile else cut.value
    assert places is not None
    return sum(bool(frame.loc[[key], what].iloc[0] > place) for place in places)


@pytest.mark.jit
@pytest.mark.parametrize("name", SHIPPED)
def test_against_customers_one_by_one(name: str) -> None:
    result = panels.deepening(150)
    how = result.scenario.classifications[name]
    found = classed(Ratings(result.followed), how)
    theirs = slow(result, name)
    mine = [[states(how)[place] for place in row] for row in found]
    assert sum(a != b for one, other in zip(mine, theirs, strict=True) for a, b in zip(one, other, strict=True)) == 0
    assert len({name for row in mine for name in row}) >= 4


@pytest.mark.jit
def test_orders_against_customers_one_by_one() -> None:
    result = panels.ordering(120)
    for name in ("abcd", "loyalty", "ends"):
        how = result.scenario.classifications[name]
        mine = [[states(how)[place] for place in row] for row in classed(Ratings(result.followed), how)]
        assert mine == slow(result, name)
    assert {"sleeping", "loyal"} <= set(result.classes["class"][result.classes["customers"] > 0])


class Given(Ratings):
    """Ratings of measures that are given."""

    def __init__(self, measures: dict[str, Any], rated: Any, lost: Any, weight: Any) -> None:
        self.measures = {name: np.where(rated, values, np.nan) for name, values in measures.items()}
        self.rated, self.lost, self.ends = rated, lost & ~rated, np.arange(len(rated))
        self.followed = type("Weighed", (), {"weight": weight})()


@st.composite
def judged(draw: st.DrawFn) -> tuple[Given, Classification]:
    years, n = draw(st.integers(1, 3)), draw(st.integers(1, 12))
    names = draw(st.lists(st.sampled_from(["current", "growth", "worth"]), min_size=1, unique=True))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    measures = {name: np.where(rng.random((years, n)) < 0.1, np.nan, rng.integers(-3, 4, (years, n))) for name in names}
    cuts: dict[str, Any] = {}
    for name in names:
        places = sorted(draw(st.sets(st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9]), min_size=1, max_size=3)))
        kind = draw(st.sampled_from(["quantile", "value"]))
        cuts[name] = {kind: places, "moving": kind == "quantile" and draw(st.booleans())}
    rules = {
        f"class{k}": {name: draw(st.integers(1, len(next(v for v in cuts[name].values() if isinstance(v, list))))) for name in draw(
            st.lists(st.sampled_from(names), min_size=1, unique=True))}
        for k in range(draw(st.integers(1, 4)))
    }  # fmt: skip
    how = Classification.model_validate({"cuts": cuts, "rules": rules})
    return Given(measures, rng.random((years, n)) < 0.8, rng.random((years, n)) < 0.5, rng.random(n) + 0.1), how


@settings(deadline=None, max_examples=80)
@given(judged())
def test_everybody_is_in_one_class(case: tuple[Given, Classification]) -> None:
    """Of the first rule that holds; those not rated in none."""
    ratings, how = case
    found = classed(ratings, how)
    reached = {name: ratings.reached(ratings.measures[name], cut) for name, cut in how.cuts.items()}
    assert ((found >= 0) & (found < len(states(how)))).all()
    assert ((found == 0) == ~(ratings.rated | ratings.lost)).all()
    for place, rule in enumerate(how.rules.values()):
        holds = np.all([reached[name] >= least for name, least in rule.items()], axis=0) & ratings.rated
        assert (found[holds] <= 1 + place).all()
        assert holds[found == 1 + place].all()


def test_quantiles_by_weight() -> None:
    values = np.array([4.0, 1.0, 2.0, 3.0, 9.0])
    assert [quantile(values, np.array([1.0, 1.0, 1.0, 1.0, 0.0]), q) for q in (0.25, 0.5, 0.75)] == [1.0, 2.0, 3.0]
    assert quantile(values, np.array([7.0, 1.0, 1.0, 1.0, 0.0]), 0.5) == 4.0
    assert np.isnan(quantile(values, np.zeros(5), 0.5))


@pytest.mark.jit
def test_a_median_halves_those_rated() -> None:
    followed = panels.ordering().followed
    ratings = Ratings(followed)
    found = classed(
        ratings,
        shipped("ends", cuts={"current": {"quantile": 0.5, "moving": True}}, rules={"middle_end": None, "high_end": {"current": 1}}),
    )
    for k in range(1, followed.years + 1):
        assert abs((found[k] == 1).sum() - (found[k] == 2).sum()) <= 1
