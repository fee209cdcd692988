"""The report of a sweep: what is drawn is what its frames hold, with units on the axes; the page is alone, escaped and the same twice."""

import re
import warnings
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sim
from sim.report import sweeps as report
from sim.report import words
from sim.report.naming import axis, called
from sim.report.study import files, told
from sim.report.style import Drawn, FontWarning
from sim.report.sweep_figures import BINS, LINES, bins, curves, heat, influence, numeric, parallel
from sim.scenario.model import Scenario
from sim.scenario.study import read_study
from sim.studies.sweep import Sweep, sweep
from tests.report import cases
from tests.report.reading import Reader

pytestmark = pytest.mark.jit

GIFTS: dict[str, Any] = {"label": "礼物 <b>&\"'", "cost": {"per_contact": 1.0}, "effects": {"causes": {"rival": 0.5}}, "lasts": 6}


def chinese(**changes: Any) -> Scenario:
    return cases.chinese(run={"customers": 60}, **changes)


RATE, PRICE = "discount_rate_annual", "stages.bought.price"

CHINESE = {RATE: {"low": 0.01, "high": 0.3}, PRICE: {"low": 5, "high": 15}}


@cache
def alone() -> Sweep:
    return sweep(chinese(), {RATE: [0.05, 0.1, 0.2]})


@cache
def two() -> Sweep:
    return sweep(chinese(), {RATE: [0.05, 0.1, 0.3], PRICE: [8, 10, 15]})


@cache
def scattered() -> Sweep:
    return sweep(chinese(), CHINESE, points=64)


@cache
def arms() -> Sweep:
    scenario = sim.load("lifecycle", "run.customers=60", "horizon=24", "currency=EUR")
    vary = {RATE: [0.05, 0.2], "policies.win_back.cost.per_contact": [0, 3]}
    return sweep(scenario, vary, policies=["win_back", "service_recovery"])


@cache
def worded() -> Sweep:
    scenario = sim.load("publisher", "run.customers=60")
    return sweep(scenario, {"timing.purchase": ["start", "end"], "run.keep_customers": [True, False]})


@cache
def lists() -> Sweep:
    scenario = sim.load("lifecycle", "run.customers=60", "horizon=12")
    return sweep(scenario, policies=["win_back", "service_recovery"], crossed=False)


@cache
def single() -> Sweep:
    return sweep(chinese(), {RATE: [0.1]})


EVERY = {"alone": alone, "two": two, "scattered": scattered, "arms": arms, "worded": worded, "lists": lists, "single": single}


def axes_of(drawn: Drawn) -> list[Any]:
    return [axes for axes in drawn.figure.axes if axes.get_label() != "<colorbar>"]


def size(label: str) -> float:
    """Return what an axis counts in."""
    return {"thousand": 1e3, "million": 1e6, "billion": 1e9}.get(label.partition(" ")[0], 1.0)


def made(found: Sweep) -> dict[str, bytes]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FontWarning)  # this machine may have no Chinese font
        return files(report.story(found), found.plan.scenario, 2)


def page(found: Sweep) -> str:
    return made(found)["report.html"].decode()


def test_a_curve_of_one_factor_has_the_points_with_their_intervals() -> None:
    found = alone()
    drawn = curves(found)
    table, frame = found.table, drawn.frame
    assert frame["factor"].unique().tolist() == [RATE]
    assert frame["at"].tolist() == pytest.approx([0.05, 0.1, 0.2], rel=1e-12)
    assert frame["mean"].tolist() == table["equity"].tolist()
    assert np.allclose(frame["high"] - frame["mean"], words.LEVEL * table["equity_se"], rtol=1e-12)
    assert np.allclose(frame["mean"] - frame["low"], words.LEVEL * table["equity_se"], rtol=1e-12)
    (axes,) = axes_of(drawn)
    (line,) = axes.get_lines()
    assert np.array_equal(line.get_xdata(), frame["at"])
    assert np.allclose(np.asarray(line.get_ydata()) * size(axes.get_ylabel()), frame["mean"], rtol=1e-12)
    assert axes.get_xlabel() == RATE
    assert axes.get_ylabel() == "million 元"
    band = axes.collections[0].get_paths()[0].vertices
    assert np.isclose(band[:, 1].max() * 1e6, frame["high"].max(), rtol=1e-12)
    assert "95 %" in drawn.caption


def test_curves_of_several_factors_are_means_over_the_others() -> None:
    found = two()
    frame = curves(found).frame
    for name in (RATE, PRICE):
        rows = frame[frame["factor"] == name]
        groups = found.table.groupby(name)["equity"]
        assert np.allclose(rows["mean"], groups.mean())
        assert np.allclose(rows["low"], groups.quantile(0.1))
        assert np.allclose(rows["high"], groups.quantile(0.9))
    assert set(influence(found)) == set(numeric(found)) == {RATE, PRICE}
    spread = [found.table.groupby(name)["equity"].mean().std(ddof=0) for name in influence(found)]
    assert spread == sorted(spread, reverse=True)


def test_curves_of_scattered_points_are_means_of_parts_of_the_range() -> None:
    found = scattered()
    frame = curves(found).frame
    assert len(frame) == 2 * BINS
    order = found.table.sort_values(RATE)["equity"].to_numpy()
    at = [place * BINS // 64 for place in range(64)]
    expected = pd.Series(order).groupby(at).mean()
    assert np.allclose(frame[frame["factor"] == RATE]["mean"], expected)


def test_bins() -> None:
    assert bins(pd.Series([3.0, 1.0, 3.0, 2.0]), 12).tolist() == [3, 1, 3, 2]
    parts = bins(pd.Series(np.random.default_rng(1).permutation(60)), 12)
    assert parts.value_counts().tolist() == [5] * 12


def test_curves_of_arms_are_their_gains() -> None:
    found = arms()
    drawn = curves(found)
    assert set(drawn.frame["arm"]) == {"win_back", "service_recovery"}
    for (name, arm), rows in drawn.frame.groupby(["factor", "arm"]):
        own = found.table[found.table["arm"] == arm]
        assert np.allclose(rows["mean"], own.groupby(str(name))["gain"].mean())
    assert "Against doing nothing" in drawn.caption
    labels = [text.get_text() for text in drawn.figure.legends[0].get_texts()]
    assert labels == ["Win back", "Service recovery"]
    assert all(axes.get_ylabel().endswith("EUR") for axes in axes_of(drawn))


def test_curves_of_words_name_them() -> None:
    found = worded()
    assert numeric(found) == []
    drawn = curves(found)
    assert drawn.frame["at"].tolist() == ["end", "start"]
    (axes,) = axes_of(drawn)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["end", "start"]
    means = found.table.groupby("timing.purchase")["equity"].mean()
    assert drawn.frame["mean"].tolist() == pytest.approx(means.tolist())
    drawn = curves(lists())
    assert drawn.frame["at"].tolist() == ["win_back", "service_recovery"]
    (axes,) = axes_of(drawn)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["Win back", "Service recovery"]
    assert [line.get_xdata().tolist() for line in axes.get_lines()] == [[0.0], [1.0]]  # each where its word stands


def test_a_heat_map_of_a_grid_has_its_values() -> None:
    """Each tile a point, named by the factors' values, though these do not lie evenly."""
    found = two()
    drawn = heat(found)
    first, second = influence(found)
    assert list(drawn.frame.columns) == [first, second, "equity"]
    both = drawn.frame.merge(found.table, on=[first, second], suffixes=("", "_told"))
    assert len(both) == 9
    assert both["equity"].tolist() == both["equity_told"].tolist()
    axes = axes_of(drawn)[0]
    assert {axes.get_xlabel(), axes.get_ylabel()} == {RATE, f"{PRICE}, 元"}
    for name, side, limits in ((first, axes.xaxis, axes.get_xlim()), (second, axes.yaxis, axes.get_ylim())):
        values = sorted(found.table[name].unique())
        assert set(side.get_majorticklocs()) <= set(values)
        assert {values[0], values[-1]} <= set(side.get_majorticklocs())
        assert limits == pytest.approx((values[0] - (values[1] - values[0]) / 2, values[-1] + (values[-1] - values[-2]) / 2))
    bar = next(one for one in drawn.figure.axes if one.get_label() == "<colorbar>")
    assert bar.get_ylabel().endswith("元")
    mesh = np.asarray(axes.collections[0].get_array()).ravel() * size(bar.get_ylabel())
    assert sorted(mesh) == pytest.approx(sorted(drawn.frame["equity"]), rel=1e-12)


def test_a_heat_map_of_scattered_points_has_the_mean_of_each_tile() -> None:
    found = scattered()
    drawn = heat(found)
    first, second = influence(found)
    table, frame = found.table, drawn.frame
    middles = [np.unique(frame[name]) for name in (first, second)]
    steps = [np.diff(one)[0] for one in middles]
    seen = 0
    for row in frame.to_dict("records"):
        inside = (table[first] - row[first]).abs().le(steps[0] / 2 * (1 + 1e-9)) & (table[second] - row[second]).abs().le(
            steps[1] / 2 * (1 + 1e-9)
        )
        seen += int(inside.sum())
        assert row["equity"] == pytest.approx(table[inside]["equity"].mean())
    assert seen == 64


def test_a_heat_map_of_arms_says_which_is_best() -> None:
    found = arms()
    drawn = heat(found)
    first, second = influence(found)
    best = found.table.loc[found.table.groupby("point")["equity"].idxmax()].set_index([first, second])["arm"]
    assert {(row[first], row[second]): row["arm"] for row in drawn.frame.to_dict("records")} == best.to_dict()
    labels = {text.get_text() for text in drawn.figure.legends[0].get_texts()}
    assert labels == {called(found.plan)[arm] for arm in best}


@pytest.mark.parametrize("best", [0, 1])
def test_a_heat_map_where_one_arm_is_best_says_what_it_gains(best: int) -> None:
    """What the comparator gains over itself says nothing: then it is the best of the others that is drawn."""
    rows = [[{**one, "equity": float(k == best)} for k, one in enumerate(every)] for every in arms().rows]
    found = replace(arms(), rows=rows)
    treated = found.table[found.table["arm"] != "none"]
    arm = treated.groupby("arm")["gain"].mean().idxmax() if best == 0 else list(arms().plan.arms)[1]
    drawn = heat(found)
    assert drawn.title == f"What {called(found.plan)[str(arm)]} gains"
    first, second = influence(found)
    wanted = treated[treated["arm"] == arm].set_index([first, second])["gain"]
    assert {(row[first], row[second]): row["gain"] for row in drawn.frame.to_dict("records")} == wanted.to_dict()


def test_parallel_lines_are_the_points() -> None:
    found = two()
    drawn = parallel(found)
    columns = [*influence(found), "equity"]
    assert drawn.frame["point"].tolist() == found.table["point"].tolist()
    assert drawn.frame[columns].equals(found.table[columns])
    (axes,) = axes_of(drawn)
    lines = sorted(tuple(np.asarray(line.get_ydata())) for line in axes.get_lines() if len(line.get_xdata()) == 3)
    low, high = drawn.frame[columns].min(), drawn.frame[columns].max()
    assert lines == sorted(map(tuple, ((drawn.frame[columns] - low) / (high - low)).to_numpy()))
    best = parallel(arms()).frame
    treated = arms().table[arms().table["arm"] != "none"]
    assert best["gain"].tolist() == treated.groupby("point")["gain"].max().tolist()


def test_few_of_many_points_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    assert LINES >= 100
    monkeypatch.setattr("sim.report.sweep_figures.LINES", 10)
    drawn = parallel(scattered())
    assert len(drawn.frame) == 10
    assert "10 of 64 points are drawn" in drawn.caption


@pytest.mark.parametrize("name", EVERY)
def test_the_page_needs_nothing_else(name: str) -> None:
    found = EVERY[name]()
    text = page(found)
    read = Reader(text)
    assert not re.search(r"https?:|//[a-z]|@import|<script|<iframe|<img|javascript:", text.replace("http://www.w3.org", "http:"))
    assert {tag for tag, _ in read.tags} & {"script", "img", "link", "iframe", "object"} == set()
    assert not {attribute for _, attrs in read.tags for attribute in attrs if attribute.startswith("on") or attribute == "src"}
    ids = read.all("id")
    assert len(ids) == len(set(ids))
    beside = {*made(found), "config.yaml", "study.yaml", "study.json", "manifest.json", "tables/", "figures/"}
    assert all(link[1:] in ids if link.startswith("#") else link in beside for link in read.all("href"))
    assert all(target in ids for target in re.findall(r"url\(#([^)]*)\)", text))
    headings = [int(tag[1]) for tag, _ in read.tags if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(headings))
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", " ".join(read.said))
    assert len(text.encode()) < 1_000_000


@pytest.mark.parametrize("name", EVERY)
def test_figures_have_words_and_a_frame(name: str) -> None:
    story = report.story(EVERY[name]())
    drawn = [one.name for one in story.figures]
    assert drawn == (["curves", "heat", "parallel"] if name in ("two", "scattered", "arms") else ["curves"])
    for one in story.figures:
        assert len(one.frame) > 0
        assert one.caption.endswith(".")
        for axes in axes_of(one):
            assert one.name == "parallel" or (axes.get_xlabel() and axes.get_ylabel()), one.name


def test_equal_sweeps_have_equal_reports() -> None:
    one = sweep(chinese(), CHINESE, points=8)
    scenario = cases.chinese(run={"customers": 60, "threads": 1})
    other = sweep(scenario, CHINESE, points=8)
    assert made(one) == made(other)


def test_files_are_those_that_are_named() -> None:
    found = made(two())
    drawn = {f"figures/{name}.{kind}" for name in ("curves", "heat", "parallel") for kind in ("svg", "png", "csv")}
    assert set(found) == {"report.html", *drawn}
    assert all(found.values())
    assert found["figures/heat.csv"].decode().splitlines()[0] == ",".join(heat(two()).frame.columns)


def test_labels_cannot_write_html() -> None:
    found = sweep(chinese(), {"<b>&\"'": {"values": [1, 2], "paths": [PRICE]}})
    text = page(found)
    assert "<b>" not in text
    assert "<b>&\"'" in "".join(Reader(text).said)
    assert cases.LABEL in "".join(Reader(text).said)


def test_the_answer_without_arms_is_how_far_equity_runs() -> None:
    found = two()
    least, most = found.table["equity"].min(), found.table["equity"].max()
    said = report.answer(found).replace(words.SPACE, " ")
    assert said.startswith("Customer equity runs from ")
    assert said.endswith(" over 9 points.")
    ends = [float(one.replace(",", "").replace("\N{MINUS SIGN}", "-")) for one in re.findall(r"([\N{MINUS SIGN}\d,.]+) ±", said)]
    halves = found.table.set_index("equity")["equity_se"]
    assert ends == [pytest.approx(one, abs=0.06 * words.LEVEL * halves[one]) for one in (least, most)]
    assert len(report.notes(found)) == 2
    assert report.notes(found)[0].startswith(f"{influence(found)[0]} from ")


def test_the_answer_of_arms_is_which_is_best_where() -> None:
    found = arms()
    best = found.table.loc[found.table.groupby("point")["equity"].idxmax(), "arm"]
    said = report.answer(found).replace(words.SPACE, " ")
    if len(set(best)) == 1:
        opening = called(found.plan)[best.iloc[0]]
        assert said == f"{opening[0].upper()}{opening[1:]} has the highest customer equity at every one of 4 points."
    else:
        assert all(f"{called(found.plan)[arm]} at " in said for arm in best)
    (table,) = report.story(found).tables
    highest = found.table[found.table["arm"] != "none"].sort_values("gain", ascending=False).iloc[0]
    assert table.rows[0][0] == f"point {highest['point']}, {called(found.plan)[highest['arm']]}"
    assert len(table.rows) == 6
    assert len(table.head) == len(table.rows[0])


def test_what_does_not_move_is_not_said_to_go_from_itself_to_itself() -> None:
    """A policy does not answer to the cost of another: its curve is told once."""
    said = " ".join(report.notes(arms())).replace(words.SPACE, " ")
    told = re.search(
        r"policies.win_back.cost.per_contact from 0 to 3: Service recovery, gain in customer equity stays at ([^ ]+) EUR", said
    )
    assert told is not None
    assert not re.search(r"from ([^ ]+ EUR) to \1 ", said)


def test_a_heat_map_of_scattered_points_ends_where_they_do() -> None:
    found = scattered()
    (axes, *_) = axes_of(heat(found))
    first, second = influence(found)
    for name, limits, ticks in ((first, axes.get_xlim(), axes.get_xticks()), (second, axes.get_ylim(), axes.get_yticks())):
        assert limits == pytest.approx((found.table[name].min(), found.table[name].max()))
        assert len(ticks) > 2


def test_arms_are_called_by_their_labels() -> None:
    plan = arms().plan
    assert called(plan) == {"none": "doing nothing", "win_back": "Win back", "service_recovery": "Service recovery"}
    twice = replace(plan, bodies={key: {**body, "label": "X"} for key, body in plan.bodies.items()})
    assert called(twice)["win_back"] == "X (win_back)"


def test_axes_of_money_have_its_unit() -> None:
    assert axis(arms().plan, "policies.win_back.cost.per_contact") == "policies.win_back.cost.per_contact, EUR"
    assert axis(two().plan, PRICE) == f"{PRICE}, 元"
    assert axis(two().plan, RATE) == RATE
    factors = {"dear": {"values": [1, 2], "scale": True, "paths": [PRICE]}, "policies.x.effects.price": [0.9, 1.0]}
    plan = replace(two().plan, study=read_study({"vary": factors}))
    assert [axis(plan, name) for name in factors] == list(factors)


def test_what_varies_in_words() -> None:
    factors = {
        "a": [1, "b", True],
        "b": {"low": 1, "high": 100, "log": True, "integer": True},
        "c": {"low": 0, "mode": 1, "high": 2, "distribution": "triangular"},
        "d": {"mean": 1.5, "sd": 0.5, "distribution": "gamma", "low": 1, "high": 3},
        "e": {"mean": 1.5, "sd": 0.5, "distribution": "normal", "low": 1, "scale": True},
        "f": {"values": [1], "scale": True, "paths": ["x.y", "z"]},
        "g": {"values": [1], "paths": ["x.y", "z"]},
        "h": list(range(20)),
    }
    assert dict(told(read_study({"vary": factors}).vary)) == {
        "a": "1, b, True",
        "b": "1 to 100, evenly on a log scale, whole numbers",
        "c": "triangular, 0 to 2, most likely 1",
        "d": "gamma, mean 1.5, standard deviation 0.5, between 1 and 3",
        "e": "normal, mean 1.5, standard deviation 0.5, cut off at 1 times what the scenario has",
        "f": "1; multiplies x.y, z",
        "g": "1; sets x.y, z",
        "h": "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 …",
    }


def test_the_receipt_says_nothing_of_the_machine() -> None:
    text = page(scattered())
    assert "Sobol sequence, seed 1" in text
    assert "clvsim verify ." in text
    assert "thread" not in text
