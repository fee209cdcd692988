"""Figures: what they draw is their frame, their text stays text, and they look the same wherever they are drawn."""

import io
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import sim
from sim.measures.sums import wilson
from sim.report import lives, style
from sim.report.figures import FIGURES, fitting
from sim.report.files import files, names
from sim.report.page import cards
from sim.report.panels import MOST_PERIODS, thinned, wrapped
from sim.report.style import FontWarning, shortened, spread, width_of
from sim.report.worth import MOST_BARS
from sim.studies.result import Result
from tests import zoo
from tests.measures import cases as measured
from tests.measures import followed as panels
from tests.measures import mindful
from tests.report import cases

PANEL = {"classes", "migration", "profit_curves", "forecast", "scorecard", "arpu_tenure"}
"""Figures of customers followed."""


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("minds", [False, True])
def test_every_figure_draws_its_frame(name: str, minds: bool) -> None:
    if name == "arrivals":
        drawn = FIGURES[name](sim.simulate(zoo.scenario("recruits" if minds else "crowd")))
    elif name in PANEL:
        drawn = FIGURES[name](panels.deepening() if minds else panels.ordering())
    else:
        drawn = FIGURES[name](mindful.result() if minds else cases.relationship())
    assert drawn.name == name
    assert drawn.caption.endswith((".", ")"))
    assert len(drawn.frame) > 0
    text = drawn.svg()
    assert drawn.title in text
    assert not re.search(r"<metadata|font-family: (?!'DejaVu Sans', Verdana, sans-serif)", text)
    for axes in drawn.figure.axes:
        assert axes.get_xlabel() or axes is not drawn.figure.axes[-1]
    assert drawn._repr_svg_() == text
    with Image.open(io.BytesIO(drawn.png())) as picture:
        assert picture.width == round(style.WIDTH * style.PNG_DPI)


def test_a_figure_draws_what_its_frame_says() -> None:
    result = cases.relationship()
    retention = FIGURES["retention"](result)
    upper = retention.figure.axes[0].get_lines()[0]
    np.testing.assert_array_equal(upper.get_ydata(), retention.frame["survival"])
    whole = result.retention[result.retention["by"] == "all"]
    np.testing.assert_array_equal(retention.frame["survival"], whole["survival"])
    free = whole["retention_se"].gt(0) & whole["at_risk"].ge(lives.FEW)
    assert free.sum() > 3
    ends = wilson(*(whole.loc[free, name].to_numpy() for name in ("retention", "retention_se", "at_risk")))
    np.testing.assert_array_equal(retention.frame.loc[free, ["retention_low", "retention_high"]].to_numpy().T, ends)
    flows = FIGURES["flows"](result).frame
    moves = result.flows[(result.flows["by"] == "all") & (result.flows["edge"] == "gone")]["per_customer"].sum()
    assert flows.loc[flows["edge"] == "gone", "per_100"].sum() == pytest.approx(100 * moves)
    equity = FIGURES["equity"](result).frame
    assert set(equity["by"]) == {"cohort"}
    np.testing.assert_array_equal(equity["equity"], result.equity.loc[result.equity["by"] == "cohort", "equity"])
    occupancy = FIGURES["occupancy"](result).frame
    np.testing.assert_allclose(occupancy.groupby("period")["share"].sum(), 1.0)
    cash = FIGURES["cash"](result)
    assert cash.frame["cumulative"].iloc[-1] == pytest.approx(result.clv["mean"].iloc[0])
    np.testing.assert_array_equal(cash.figure.axes[0].get_lines()[0].get_ydata(), cash.frame["cumulative"])


def test_a_share_of_1_is_not_certain_because_nobody_was_lost() -> None:
    stages = {"a": {"to": {"lost": {"probability": [0.0, 0.0, 0.5]}}}, "lost": {"kind": "lost"}}
    four, two = (sim.simulate(cases.chinese(stages=stages, start="a", horizon=horizon, run={"customers": 100})) for horizon in (4, 2))
    frame = FIGURES["retention"](four).frame
    low = 100 / (100 + 1.959963984540054**2)
    assert frame["survival"].tolist()[:3] == [1, 1, 1]
    assert frame["survival_low"].tolist()[:3] == pytest.approx([1, low, low])
    assert frame["retention_low"].tolist()[:2] == pytest.approx([low, low])
    assert frame[["survival_high", "retention_high"]].iloc[0].tolist() == [1, 1]
    assert cards(two)[1].value == "100.0"
    assert float(cards(two)[1].half) == pytest.approx(100 * (1 - low), rel=0.03)


def rare(**changes: Any) -> Result:
    """Return customers nearly all of whom are worth 0."""
    orders = {"kind": "poisson", "rate": {"mean": 0.0005}, "order_value": {"mean": 50.0, "cv": 2.0}}
    given = {"stages": {"a": {}}, "start": "a", "acquisition": {"cost": 0.0}, "purchases": orders, "run": {"customers": 20000, **changes}}
    return sim.simulate(cases.chinese(**given))


@pytest.mark.jit
def test_customers_unlike_most_are_drawn_and_so_is_the_mean() -> None:
    result = rare()
    row, drawn = result.clv.iloc[0], FIGURES["clv"](result)
    assert row["q05"] == pytest.approx(row["q95"], abs=0.001)
    axes = drawn.figure.axes[0]
    low, high = axes.get_xlim()
    assert low <= row["mean"] < high
    seen = drawn.frame[(drawn.frame["left"] < high) & (drawn.frame["right"] > low)]
    assert 8 <= len(seen) <= len(drawn.frame) < 200
    assert seen["share"].iloc[1:].sum() > 0.9 * (drawn.frame["left"] >= 0.001).mul(drawn.frame["share"]).sum() > 0
    assert drawn.caption.startswith("Nine in ten customers, if not more, are worth about 0.0")
    box = axes.texts[0].get_window_extent()
    assert axes.bbox.x0 <= box.x0 < box.x1 <= drawn.figure.bbox.x1


@pytest.mark.jit
def test_quantiles_have_the_digits_that_are_known() -> None:
    stages = {"a": {"price": 1.0, "to": {"lost": {"probability": 0.001}}}, "lost": {"kind": "lost"}}
    scenario = {"start": "a", "stages": stages, "acquisition": {"cost": 0.0}, "horizon": 12, "discount_rate_annual": 0.1}
    told = [
        FIGURES["clv"](sim.simulate(cases.chinese(**scenario, run={"customers": 2000, "keep_customers": kept}))).caption
        for kept in (False, True)
    ]
    assert told[0].startswith("Nine in ten customers, if not more, are worth about 11.5\N{NO-BREAK SPACE}元;")
    assert re.search(r"about 11\.49\d*\N{NO-BREAK SPACE}元;", told[1])


def test_what_a_label_says_is_not_taken_for_markup() -> None:
    label = 'id="a" url(#b) font-family: serif'
    stages = {"bought": {"label": label, "to": {"lost": {"probability": 0.2}}}, "lost": {"kind": "lost"}}
    svg = FIGURES["occupancy"](sim.simulate(cases.chinese(stages=stages))).svg()
    page = style.inline(svg, "here", "label")
    for text in (svg, page):
        assert label in text
    ids = re.findall(r'<[^>]*\bid="([^"]*)"', page)
    assert ids
    assert all(name.startswith("here-") for name in ids)
    assert set(re.findall(r"<[^>]*url\(#([^)]*)\)", page)) <= set(ids)


def test_stages_are_named_in_any_script() -> None:
    result = sim.simulate(cases.chinese())
    text = FIGURES["occupancy"](result).svg() + FIGURES["flows"](result).svg()
    assert "稳定期" in text
    assert "<script" not in text
    assert "元" in FIGURES["clv"](result).svg()


def test_segments_are_drawn_where_there_is_one_cohort_and_nothing_where_there_is_neither() -> None:
    assert FIGURES["equity"](cases.shipped("lifecycle")).frame["label"].tolist() == ["Budget", "Mainstream", "Premium"]
    assert "equity" not in fitting(cases.shipped("publisher"))
    assert FIGURES["equity"](cases.shipped("publisher")).frame["by"].tolist() == ["all"]


def test_many_cohorts_are_drawn_as_a_curve() -> None:
    many = {"month": {"periods": MOST_BARS + 1, "customers": 10}}
    drawn = FIGURES["equity"](sim.simulate(measured.publisher(cohorts=many, firm={}, run={"customers": 260})))
    assert len(drawn.frame) == MOST_BARS + 1
    assert len(drawn.figure.axes[0].patches) == 0


def test_a_stage_that_nobody_leaves_has_no_flows() -> None:
    result = sim.simulate(cases.chinese(stages={"bought": {"price": 10.0}}))
    assert "flows" not in fitting(result)
    with pytest.raises(KeyError):
        FIGURES["nothing"]
    assert FIGURES["flows"](result).caption == "Nobody is lost."


def test_long_curves_are_thinned_with_their_ends() -> None:
    frame = thinned(pd.DataFrame({"t": np.repeat(np.arange(5000), 2)}))
    assert frame["t"].nunique() == MOST_PERIODS
    assert frame["t"].iloc[[0, -1]].tolist() == [0, 4999]
    short = pd.DataFrame({"t": np.arange(5)})
    pd.testing.assert_frame_equal(thinned(short), short)


def test_settings_of_the_user_neither_matter_nor_change() -> None:
    result = cases.shipped("publisher")
    before = FIGURES["cash"](result).svg()
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.grid": True, "lines.linewidth": 9}):
        mine = dict(matplotlib.rcParams)
        assert FIGURES["cash"](result).svg() == before
        assert dict(matplotlib.rcParams) == mine


@pytest.mark.jit
def test_files_are_the_names_told_and_the_frames_drawn() -> None:
    result = cases.shipped("publisher")
    found = files(result, draws=3)
    assert set(found) == names(result)
    for name in fitting(result):
        written = pd.read_csv(io.BytesIO(found[f"figures/{name}.csv"]), keep_default_na=False, na_values=[""] if name != "flows" else [])
        pd.testing.assert_frame_equal(written, FIGURES[name](result).frame, check_dtype=False, check_exact=True)
    assert found == files(sim.simulate(result.scenario), draws=3)


def test_letters_without_a_font_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "installed", frozenset)
    style._warn.cache_clear()
    scenario = cases.chinese()
    assert style.fonts_for(["稳定期"]) == (style.PLAIN_FONT,)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        style.warn_of_missing_letters(scenario)
        style.warn_of_missing_letters(scenario)
        FIGURES["occupancy"](sim.simulate(scenario)).png()
    assert [warning.category for warning in told] == [FontWarning]
    assert "fonts-noto-cjk" in str(told[0].message)
    with pytest.warns(FontWarning, match="fonts-noto-core"):
        style.warn_of_missing_letters(cases.chinese(label="ሀሁ", currency="", stages={"bought": {}}))
    style._warn.cache_clear()


def test_letters_that_a_font_has_are_not_told() -> None:
    style._warn.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        style.warn_of_missing_letters(cases.shipped("publisher").scenario)
        style.warn_of_missing_letters(cases.chinese(label="Größe → Ελλάδα", currency="€", stages={"bought": {}}))


def test_the_first_font_that_helps_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = {style.PLAIN_FONT: frozenset("abc"), style.FONTS[0]: frozenset("客"), style.FONTS[1]: frozenset("客户")}
    monkeypatch.setattr(style, "installed", lambda: frozenset(letters))
    monkeypatch.setattr(style, "_letters", letters.__getitem__)
    assert style.fonts_for(["客户"]) == (style.PLAIN_FONT, style.FONTS[1])
    assert style.fonts_for(["客"]) == (style.PLAIN_FONT, style.FONTS[0])
    assert style.fonts_for(["abc"]) == (style.PLAIN_FONT,)


@pytest.mark.jit
def test_a_machine_without_home_or_display_draws_in_silence(tmp_path: Path) -> None:
    nowhere = "/dev/null/home"
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")}
    environment |= {"HOME": nowhere, "XDG_CACHE_HOME": nowhere, "XDG_CONFIG_HOME": nowhere, "MPLCONFIGDIR": nowhere}
    code = "from sim.report import style\nwith style._settings(): pass\nprint(style.fonts_for(['abc']))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "('DejaVu Sans',)\n")


def test_places_are_moved_apart_within_bounds() -> None:
    assert spread([0.1, 0.5, 0.9], 0.15, 0.0, 1.0) == [0.1, 0.5, 0.9]
    moved = spread([0.5, 0.5, 0.5], 0.15, 0.06, 0.94)
    assert np.diff(moved) == pytest.approx([0.15, 0.15])
    assert spread([0.9, 0.95, 0.99], 0.2, 0.0, 1.0) == pytest.approx([0.6, 0.8, 1.0])
    assert spread([], 0.1, 0.0, 1.0) == []


def test_labels_are_cut_and_broken_by_their_width() -> None:
    assert width_of("客户a") == 5
    assert shortened("客户关系", 6) == "客户…"
    assert shortened("short", 5) == "short"
    assert wrapped("A → B") == "A → B"
    assert wrapped("a long stage of many words → another long stage") == "a long stage of many words\n→ another long stage"
    assert max(width_of(line) for line in wrapped("word " * 30).split("\n")) <= 28
