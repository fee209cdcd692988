"""Reports of sensitivity, uncertainty and optimisation: figures draw their frames, pages stand alone and are the same twice."""

import re
from copy import copy
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sim
from sim.report import optimum, sensitivity, uncertainty
from sim.report.study import files
from sim.studies.optimise import optimise
from sim.studies.sensitivity import sensitivity as sense
from sim.studies.uncertainty import uncertainty as doubt
from tests.report.reading import Reader

pytestmark = pytest.mark.jit

RATE, PRICE = "discount_rate_annual", "stages.renewed.price"
VARY: dict[str, Any] = {RATE: {"low": 0.05, "high": 0.2}, PRICE: {"low": 60, "high": 90}}


def publisher() -> sim.Scenario:
    return sim.load("publisher", "run.customers=320")


@cache
def mine() -> str:
    folder = Path(mkdtemp())
    (folder / "policy").mkdir()
    text = "label: <b>Free\neffects: {price: 1.01}\ncost: {per_period: 50}\n"
    (folder / "policy" / "free.yaml").write_text(text, encoding="utf-8")
    return str(folder)


@cache
def found(kind: str) -> Any:
    if kind in ("sobol", "morris", "tornado"):
        more: dict[str, Any] = {} if kind == "tornado" else {"points": 8}
        return sense(publisher(), VARY, method=kind, **more)
    if kind == "doubt":
        vary = {**VARY, "policies.free.cost.per_period": {"distribution": "normal", "mean": 250, "sd": 100, "low": 0}}
        return doubt(publisher(), vary, points=40, policies=["free"], configs=mine(), trials=[10, 100], trial_price=1.0)
    if kind == "alone":
        return doubt(publisher(), VARY, points=32)
    several = {"equity": "max", "clv": "max"} if kind == "front" else {"equity": "max"}
    return optimise(publisher(), {PRICE: [60, 70, 80]} if kind == "front" else VARY, trials=4, objectives=several)


REPORT = dict.fromkeys(("sobol", "morris", "tornado"), sensitivity) | dict.fromkeys(("doubt", "alone"), uncertainty)
REPORT |= dict.fromkeys(("best", "front"), optimum)


@pytest.mark.parametrize("kind", REPORT)
def test_the_page_stands_alone_and_is_the_same_twice(kind: str) -> None:
    study = found(kind)
    made = files(REPORT[kind].story(study), study.plan.scenario, 2)
    page = made["report.html"].decode()
    assert made == files(REPORT[kind].story(study), study.plan.scenario, 2)
    reader = Reader(page)
    assert not [link for name in ("src", "href") for link in reader.all(name) if "//" in link]
    assert "<b>Free" not in page
    assert REPORT[kind].answer(study) in page.replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">")
    assert not any(word in page for word in ("nan", "None", "inf "))


@pytest.mark.parametrize("kind", REPORT)
def test_axes_have_words_and_units(kind: str) -> None:
    for drawn in REPORT[kind].story(found(kind)).figures:
        for axes in drawn.figure.axes:
            assert axes.get_xlabel()
            assert axes.get_ylabel() or all(label.get_text() for label in axes.get_yticklabels())
        assert len(drawn.frame) > 0
        assert drawn.title
        assert drawn.caption.endswith(".")


def test_bars_are_the_indices() -> None:
    figure = sensitivity.shares(found("sobol"))
    pd.testing.assert_frame_equal(figure.frame, sensitivity.ordered(found("sobol")))
    bars: list[Any] = list(figure.figure.axes[0].patches)
    widths = sorted(bar.get_width() for bar in bars)
    assert widths == pytest.approx(sorted([*figure.frame["total"], *figure.frame["first"]]))


def test_tornado_is_of_changes_from_the_middle() -> None:
    table = found("tornado").table
    values = found("tornado").values.mean(axis=1)
    row = table.set_index("factor").loc[PRICE]
    assert [row["low"], row["high"]] == pytest.approx([values[3], values[4]])
    assert row["swing"] == pytest.approx(abs(values[4] - values[3]))


def test_a_tornado_stays_within_its_figure() -> None:
    """The axis holds the intervals, the numbers stand beyond them, and no label is cut."""
    study = sense(
        publisher(), {**VARY, "fair_share": {"low": 0.4, "high": 0.6}}, method="tornado", measure="gain", policies=["free"], configs=mine()
    )
    drawn = sensitivity.tornado(study)
    axes, frame = drawn.figure.axes[0], drawn.frame
    low, high = axes.get_xlim()
    scale = 1e3 if "thousand" in axes.get_xlabel() else 1.0
    for end in ("low", "high"):
        half = sensitivity._wide(study) * 1.96 * frame[f"{end}_change_se"]
        assert (frame[f"{end}_change"] - half).min() / scale > low
        assert (frame[f"{end}_change"] + half).max() / scale < high
    whole = drawn.figure.bbox
    for text in (axes.xaxis.label, *axes.texts, *axes.get_yticklabels()):
        box = text.get_window_extent()
        assert whole.x0 <= box.x0 < box.x1 <= whole.x1, text.get_text()
    for text, row in zip(axes.texts, frame.to_dict("records"), strict=True):
        ends = [row[f"{end}_change"] + sensitivity._wide(study) * 1.96 * row[f"{end}_change_se"] for end in ("low", "high")]
        assert text.get_window_extent().x0 >= axes.transData.transform((max(ends) / scale, 0))[0]


def test_a_tornado_tells_at_which_values() -> None:
    study = found("tornado")
    assert sensitivity.ends(study)[PRICE] == pytest.approx((63, 87))
    said = sensitivity.answer(study).replace("\N{NO-BREAK SPACE}", " ")
    assert re.search(r"^stages.renewed.price moves customer equity most, .* at 63, its 10 % point, .* at 87, its 90 % point\.$", said)
    (table,) = sensitivity.story(study).tables
    assert table.rows[0][:2] == [PRICE, "63"]
    assert table.rows[0][3] == "87"


def test_what_is_noise_is_not_said_to_be_worth_knowing() -> None:
    study = found("doubt")
    worth = study.perfect.corrected
    for value, se, noise in ((2 * worth, 0.0, True), (0.5 * worth, worth, True), (0.5 * worth, 0.0, False)):
        told = copy(study)
        told.__dict__["partial"] = study.partial.assign(value=value, se=se)
        told.__dict__["means"] = study.means.assign(best_se=0.01)
        told.__dict__["perfect"] = study.perfect._replace(se=0.0)
        assert ("is noise" in uncertainty.partial(told).caption) == noise
        said = " ".join(uncertainty.notes(told))
        assert ("Of no single parameter can it be told" in said) == (se > 0)


def test_where_information_is_worth_nothing_it_says_so() -> None:
    vary = {"policies.free.effects.price": [1.01, 1.02]}
    sure = doubt(publisher(), vary, points=32, policies=["free"], configs=mine())
    assert uncertainty.answer(sure).endswith("knowing them would not change the choice.")
    assert not any("worth knowing" in note for note in uncertainty.notes(sure))
    assert [drawn.name for drawn in uncertainty.story(sure).figures] == ["acceptability", "spread"]


def test_variance_bars_fill_the_axis() -> None:
    bars: list[Any] = list(uncertainty.spread(found("doubt")).figure.axes[0].patches)
    ends = np.array([bar.get_width() for bar in bars]).reshape(3, 2).sum(axis=0)
    assert ends == pytest.approx(1.0)


def test_where_luck_leaves_the_choice_open_it_says_so() -> None:
    """Two policies that few customers cannot tell apart: no condition, no certainty."""
    scenario = sim.load("lifecycle", "run.customers=480")
    open_ = doubt(scenario, {RATE: {"low": 0.08, "high": 0.12}}, points=32, policies=["special_treatment"])
    assert uncertainty.noisy(open_)
    said = uncertainty.answer(open_).replace("\N{NO-BREAK SPACE}", " ")
    assert re.fullmatch(
        r"The customers simulated leave open which arm is best: .* is ahead on average, with a probability of being best anywhere "
        r"from \d+ to \d+ %\. Simulate more \(run.customers\)\.",
        said,
    )
    assert not any("loses" in note for note in uncertainty.notes(open_))


def test_what_cannot_be_told_is_not_said_to_matter() -> None:
    flat = sense(publisher(), {"fair_share": {"low": 0.4, "high": 0.6}}, method="tornado")
    assert sensitivity.answer(flat) == "Of no parameter can it be told that it moves customer equity over these ranges."
    mixed = sense(publisher(), {"fair_share": {"low": 0.4, "high": 0.6}, PRICE: {"low": 60, "high": 90}}, points=16)
    assert sensitivity.ordered(mixed)["factor"].iloc[0] == PRICE


def test_the_gain_over_the_start_is_told_on_both_lucks() -> None:
    study = found("best")
    (said, *_) = optimum.notes(study)
    trials = study.found.trials
    start = trials[(trials["step"] == "search") & (trials[PRICE] == 75.9)].iloc[0]
    at_best = trials[
        trials["step"].isin(["search", "polish"]) & (trials[PRICE] == study.point[PRICE]) & (trials[RATE] == study.point[RATE])
    ]
    assert optimum._looked(study) == pytest.approx(at_best["equity"].iloc[0] - start["equity"])
    assert said.startswith("More than with what the scenario has now: ")
