"""Figures of customers followed: drawn only where there is a panel, and what they draw is their frame."""

import numpy as np
import pytest

import sim
from sim.report.classes import shown
from sim.report.figures import FIGURES, fitting
from sim.report.page import page
from sim.scenario.classes import GONE, UNRATED
from tests.measures import followed as panels
from tests.report import cases

pytestmark = pytest.mark.jit

NEW = {"classes", "migration", "profit_curves", "forecast", "scorecard", "arpu_tenure"}


def test_only_where_customers_are_followed() -> None:
    assert set(fitting(panels.deepening())) >= NEW
    assert set(fitting(panels.ordering())) >= NEW
    assert not set(fitting(cases.shipped("lifecycle"))) & NEW
    with pytest.raises(AttributeError, match=r"run\.panel"):
        _ = cases.shipped("lifecycle").classes


def test_what_says_nothing_is_left_out() -> None:
    """Nobody differs: no class is above a cut, one pattern, ARPU times tenure is the truth."""
    alike = sim.simulate(sim.load("fixed_life", "run.customers=200", "run.panel=200"))
    assert set(fitting(alike)) & NEW == {"scorecard"}
    few = sim.simulate(sim.load("lifecycle", "horizon=24", "run.customers=60", "run.panel=60"))
    short = sim.simulate(sim.load("lifecycle", "horizon=11", "run.customers=60", "run.panel=60"))
    for name in NEW:
        for result in (alike, few, short):
            assert FIGURES[name](result).svg()
    assert not set(fitting(short)) & {"classes", "migration", "scorecard"}


def test_classes_drawn_are_those_of_the_frame() -> None:
    result = panels.deepening()
    drawn, whole = FIGURES["classes"](result), result.classes
    rows = whole[(whole["by"] == "all") & (whole["classification"] == shown(result)) & ~whole["class"].isin([UNRATED, GONE])]
    assert drawn.frame.groupby("year")["share"].sum().to_numpy() == pytest.approx(1)
    assert drawn.frame.groupby("year")["value"].sum().to_numpy() == pytest.approx(1)
    first = rows[rows["year"] == 1].set_index("class")
    gold = drawn.frame[(drawn.frame["year"] == 1) & (drawn.frame["class"] == "gold")].iloc[0]
    assert gold["share"] == pytest.approx(first["share"]["gold"] / first["share"].sum())
    assert gold["value"] == pytest.approx(first["equity"]["gold"] / first["equity"].sum())
    assert "“gold” is then" in drawn.caption


def test_migration_drawn_is_that_of_all_years() -> None:
    result = panels.deepening()
    frame = FIGURES["migration"](result).frame
    rows = result.migration.query("by == 'all' and classification == 'metals' and year == -1").set_index(["source", "target"])["share"]
    for row in frame.to_dict("records"):
        assert row["share"] == rows[row["source"], row["target"]]
    assert {"gold", "silver", "iron", "lead", UNRATED} <= set(frame["source"])


def test_curves_and_scorecard_have_their_errors() -> None:
    result = panels.ordering()
    frame = FIGURES["profit_curves"](result).frame
    assert ((frame["low"] <= frame["mean"]) & (frame["mean"] <= frame["high"])).all()
    card = FIGURES["scorecard"](result).frame
    kept = card[card["measure"] == "retention"]
    np.testing.assert_array_less(kept["low"], kept["high"])
    assert {"purchase_cycle", "cost_per_transaction"} <= set(card["measure"])


def test_the_page_says_how_many_were_followed() -> None:
    result = panels.ordering()
    assert "Of them followed</dt><dd>500<" in page(result, [], 2).replace("\n", "")
    assert "Of them followed" not in page(cases.shipped("lifecycle"), [], 2)


def test_labels_of_classes() -> None:
    own = {"own": {"label": "价值 <b>", "cuts": {"current": {"quantile": 0.5}}, "rules": {"good": {"current": 1}}, "rest": "bad"}}
    scenario = sim.Scenario.model_validate(
        {**panels.ordering().scenario.model_dump(exclude_unset=True), "classes": own, "run": {"panel": 200, "customers": 200}}
    )
    drawn = FIGURES["classes"](sim.simulate(scenario))
    assert drawn.title == "价值 <b>"
    assert "&lt;b&gt;" in drawn.svg()
