"""Figures of mechanisms: drawn only where they are on, and what they draw is their frame."""

import numpy as np
import pytest

import sim
from sim.measures.paths import widening
from sim.report.figures import FIGURES, fitting
from sim.report.minds import FEW, MOST_STEPS
from sim.report.page import SHARED, cards, page
from sim.report.words import LEVEL, estimate
from tests.measures import mindful
from tests.report import cases

NEW = {"equity_risk", "ledger", "concentration", "feelings", "leaving"}


def test_only_what_is_on_is_drawn() -> None:
    assert set(fitting(mindful.result())) >= NEW
    assert set(fitting(mindful.one_path())) & NEW == NEW - {"equity_risk"}
    assert set(fitting(mindful.calm())) & NEW == NEW - {"equity_risk"}
    assert not set(fitting(cases.shipped("fixed_life"))) & NEW


def test_ledger_adds_up_to_clv() -> None:
    result = mindful.result()
    frame = FIGURES["ledger"](result).frame.set_index("column")["mean"]
    assert frame["clv"] == result.clv["mean"].iloc[0] == pytest.approx(frame.drop("clv").sum())
    assert set(frame.index) == {*result.sample.columns, "clv"} - {"transition"}
    share = frame[frame.index.isin(["word_of_mouth", "information", "knowledge", "transaction"]) & (frame > 0)].sum()
    assert share > 0
    assert f"{100 * share / (share + frame['purchase']):.1f}" in FIGURES["ledger"](result).caption


def test_feelings_are_drawn_with_their_errors() -> None:
    result = mindful.calm()
    frame = FIGURES["feelings"](result).frame
    whole = result.feelings[(result.feelings["by"] == "all") & (result.feelings["active"] >= FEW)]
    for measure in ("satisfaction", "trust", "loyalty", "level", "retention"):
        drawn, rows = frame[frame["measure"] == measure], whole[whole["measure"] == measure]
        np.testing.assert_array_equal(drawn["mean"], rows["mean"])
        np.testing.assert_allclose(drawn["high"] - drawn["low"], 2 * LEVEL * rows["se"])
    assert "Bands" in FIGURES["feelings"](result).caption
    assert "Bands" not in FIGURES["feelings"](mindful.result()).caption


def test_few_customers_think_nothing_that_is_drawn() -> None:
    few = sim.simulate(mindful.scenario(market=None, cohorts=None, firm={"customers": 8}, run={}))
    for name in ("feelings", "leaving"):
        drawn = FIGURES[name](few)
        assert drawn.frame.empty
        assert drawn.svg()


def test_losses_are_stacked_to_all_that_are_lost() -> None:
    result = mindful.calm()
    frame = FIGURES["leaving"](result).frame
    moves = result.flows[(result.flows["by"] == "all") & (result.flows["target"] == "lost")].groupby("t")["per_customer"].sum()
    active = result.retention[result.retention["by"] == "all"].set_index("t")["active"]
    np.testing.assert_allclose(frame.groupby("t")["rate"].sum(), (moves / active).dropna(), rtol=1e-9)


def test_steps_of_long_runs_are_means_over_the_customers_of_several_periods() -> None:
    result = cases.shipped("lifecycle")
    frame = FIGURES["leaving"](result).frame
    wide = int(np.diff(frame["t"].unique())[0])
    assert wide > 1
    assert frame["t"].nunique() <= MOST_STEPS
    assert f"the mean of {wide}" in FIGURES["leaving"](result).caption
    moves = result.flows[(result.flows["by"] == "all") & (result.flows["target"] == "lost")].groupby("t")["per_customer"].sum()
    active = result.retention[result.retention["by"] == "all"].set_index("t")["active"].loc[moves.index]
    step = moves.index // wide * wide
    expected = (moves.groupby(step).sum() / active.groupby(step).sum()).loc[frame["t"].unique()[:-1]]
    np.testing.assert_allclose(frame.groupby("t")["rate"].sum().iloc[:-1], expected, rtol=1e-9)


def test_trifles_do_not_look_like_a_fall() -> None:
    low, high = FIGURES["feelings"](cases.shipped("lifecycle")).figure.axes[0].get_ylim()
    assert high - low >= 1


def test_market_paths_are_counted() -> None:
    result = mindful.result()
    drawn = FIGURES["equity_risk"](result)
    assert drawn.frame["share"].sum() == pytest.approx(1)
    ends = result.replicates["equity"]
    assert (drawn.frame["left"].iloc[0], drawn.frame["right"].iloc[-1]) == (ends.min(), ends.max())
    assert "3 market paths" in drawn.caption


def test_the_curve_is_the_frame() -> None:
    result = mindful.result()
    drawn = FIGURES["concentration"](result)
    np.testing.assert_array_equal(drawn.figure.axes[0].get_lines()[1].get_ydata(), result.concentration["value"])
    assert "of which the rest lose a part" in drawn.caption
    assert "." not in drawn.caption.split(" of all CLV")[0]  # whole per cents
    assert "of which the rest" not in FIGURES["concentration"](cases.shipped("bgbb")).caption


def test_cards_have_intervals_of_paths() -> None:
    found, result = cards(mindful.result()), mindful.result()
    row = result.clv.iloc[0]
    assert found[0].half == estimate(row["mean"], row["se"] * widening(result.sample))[1]
    assert widening(result.sample) > 2
    assert (found[1].half, found[1].reason) == ("—", SHARED)
    assert {card.reason for card in cards(mindful.one_path())} == {"conditional on this market path"}


def test_pages_say_on_which_market() -> None:
    one = page(mindful.one_path(), [], 2)
    assert "conditional on this market path" in one
    assert "±" not in one.split("<main>")[1].split("± is half")[0]
    assert "conditional on this market path" not in page(mindful.result(), [], 2)
