"""The Result: every frame, made on demand, the same on any number of threads and by either driver."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from sim.report import words
from sim.report.figures import FIGURES
from sim.scenario.sample import cells
from sim.studies.result import FRAMES, Result
from sim.studies.simulate import simulate
from tests.measures import cases, mindful
from tests.zoo import scenario

RUN = {"customers": 60, "replicates": 2, "keep_customers": True}


def test_frames_are_tidy() -> None:
    result = simulate(cases.relationship(run={**RUN, "keep_customers": False}))
    tables = result.tables()
    assert tuple(tables) == (*FRAMES, "unit_cost")
    for name, frame in tables.items():
        assert not frame.empty, name
        assert frame.index.equals(pd.RangeIndex(len(frame))), name
        keys = [column for column in frame.columns if not pd.api.types.is_float_dtype(frame[column])] or list(frame.columns)
        assert not frame.duplicated(keys).any(), name
    assert result.clv is result.clv


def test_customers_where_they_were_kept() -> None:
    scenario = cases.relationship(run=RUN)
    result = simulate(scenario)
    frame = result.customers
    assert list(result.tables()) == [*FRAMES, "unit_cost", "customers"]
    assert len(frame) == 120
    assert frame.groupby(["replicate", "cohort", "segment"], sort=False).size().tolist() == [cell.sampled for cell in cells(scenario)] * 2
    assert (frame.groupby(["replicate", "cohort", "segment"])["serial"].max() + 1).sum() == 120
    assert (frame["pattern"] == "unconverted").sum() == result.clv.query("id == 'unconverted'")["customers"].iloc[0]
    assert set(frame["lost_at"].dropna()) <= set(range(9))
    assert frame.loc[frame["pattern"].isin(["early_lapse", "early_retreat"]), "lost_at"].notna().all()
    replicate = frame.groupby(["replicate", "cohort", "segment"], sort=False)["clv"].mean().to_numpy().reshape(2, -1)
    np.testing.assert_allclose(result.replicates["clv"], replicate @ [cell.share for cell in cells(scenario)])


def test_customers_are_refused_where_they_were_not() -> None:
    with pytest.raises(AttributeError, match=r"customers were not kept: simulate with run\.keep_customers=true"):
        _ = simulate(cases.publisher(run={"customers": 2})).customers


@pytest.mark.parametrize("run", [{"threads": 1}, {"threads": 2}, {"driver": "period"}])
def test_machine_settings_change_no_digit(run: dict[str, object]) -> None:
    first = simulate(cases.relationship(run=RUN))
    other = simulate(cases.relationship(run={**RUN, **run}))
    for name, frame in first.tables().items():
        pd.testing.assert_frame_equal(frame, other.tables()[name], check_exact=True)
    one, two = first.summary(), other.summary()
    assert {key for key in one if one[key] != two[key]} <= {"timing"}


def test_text_says_what_was_found() -> None:
    result = simulate(cases.publisher(run={"customers": 50}))
    row = result.clv.iloc[0]
    assert repr(result) == (
        f"<Result of magazine: 50 customers over 10 years, CLV {row['mean']:.2f} ± {row['se']:.2f} CNY (standard error)>"
    )
    assert repr(result.scenario) == str(result.scenario) == "<Scenario magazine: 2 stages, 10 years, 15 % a year>"


class Outline(HTMLParser):
    """Tags that are open, and the text of an HTML fragment."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.cells: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= {"style"}
        self.open.append(tag)
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.cells.append(data)


def test_a_notebook_shows_small_tables() -> None:
    scenario = cases.publisher(label="<i>News</i> & more", run={"customers": 50})
    result = simulate(scenario)
    allowed = {"div", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    found, exact, stages = (Outline(value._repr_html_()) for value in (result, result.exact, scenario))
    assert set(found.tags + exact.tags + stages.tags) <= allowed
    assert any(text.startswith("<i>News</i> & more") for text in stages.cells)
    assert set(scenario.stages) <= set(stages.cells)
    row = result.clv.iloc[0]
    number, half = words.estimate(row["mean"], row["se"])
    assert {f"{number} CNY", f"± {half}"} <= set(found.cells)
    where = found.cells[-1]
    assert all(name in where for name in (*FRAMES, "plot.clv()"))
    assert f"{result.exact.clv_mean:,.4f} (SD {result.exact.clv_sd:,.4f})" in exact.cells


def test_figures_by_name() -> None:
    result = simulate(cases.publisher(run={"customers": 50}))
    assert set(dir(result.plot)) == set(FIGURES)
    for name, draw in FIGURES.items():
        method = getattr(result.plot, name)
        assert method.__doc__ == draw.__doc__
        assert name in repr(result.plot)
    drawn = result.plot.retention()
    assert repr(drawn) == f"<figure retention: {drawn.caption}>"
    assert drawn._repr_svg_() == FIGURES["retention"](result).svg()
    with pytest.raises(AttributeError, match=f"no figure 'survival'; there are: {', '.join(FIGURES)}"):
        _ = result.plot.survival


def named(frame: pd.DataFrame) -> Iterator[str]:
    """Yield the columns of a frame; a run of quantiles by its ends."""
    yield from (column for column in frame.columns if not re.fullmatch(r"q\d\d", column) or column in ("q05", "q95"))


@pytest.mark.parametrize("name", [*FRAMES, "feelings", "equity_risk", "activity", "offers", "unit_cost", "customers"])
def test_every_frame_documents_its_columns(name: str) -> None:
    """In the docstring of what makes it, which is what ``help`` shows: after "Columns:", in their order, each an explanation or none."""
    tables = simulate(cases.relationship(run={**RUN, "customers": 5})).tables()
    active = simulate(scenario("active", customers=5)).tables() if name in ("activity", "offers") else {}
    frame = (mindful.result().tables() | tables | active)[name]
    said = getattr(Result, name).__doc__.partition("Columns:")[2]
    explained = re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*\)", "", said))
    listed = re.findall(r"[\w]+", explained.partition(".")[0])
    assert listed == list(named(frame))


@pytest.mark.parametrize("keep", [False, True])
def test_a_segment_of_nobody_is_undefined_and_changes_nothing(keep: bool) -> None:
    run = {"customers": 40, "keep_customers": keep}
    alone = simulate(cases.publisher(segments={"readers": {"share": 1.0}}, run=run))
    beside = simulate(cases.publisher(segments={"readers": {"share": 1.0}, "nobody": {"share": 0.0}}, run=run))
    for name, frame in beside.tables().items():
        mine = frame[frame["id"] != "nobody"].reset_index(drop=True) if "id" in frame else frame
        words = dict.fromkeys(mine.select_dtypes("category"), str)  # one list of segments is longer
        pd.testing.assert_frame_equal(mine.astype(words), alone.tables()[name].astype(words), check_exact=True)
    nobody = cases.part(beside.clv, "segment", "nobody")
    assert nobody[["mean", "se", "sd", "q50", "min", "share_negative"]].isna().all(axis=None)
    assert nobody[["customers", "share"]].to_numpy().tolist() == [[0, 0], [0, 0]]
    assert cases.part(beside.retention, "segment", "nobody")[["survival", "active", "retention"]].isna().all(axis=None)
    assert (cases.part(beside.occupancy, "segment", "nobody")["customers"] == 0).all()
