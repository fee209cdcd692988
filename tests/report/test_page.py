"""The report: valid, alone, escaped, the same for equal results, and saying what the summary says."""

import math
import re
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

import sim
from sim.report import words
from sim.report.assumptions import settings, stage_rows
from sim.report.figures import FIGURES, fitting
from sim.report.files import names
from sim.report.page import cards, page
from sim.scenario import read
from sim.studies.result import Result
from tests.measures import cases as measured
from tests.report import cases
from tests.report.reading import Reader


def report(result: Result) -> str:
    return page(result, [(drawn, drawn.svg()) for drawn in (FIGURES[name](result) for name in fitting(result))], draws=3)


@cache
def shipped(name: str) -> str:
    """Return the report of a scenario that ships."""
    return report(cases.shipped(name))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "publisher_cohorts" else pytest.mark.jit) for name in cases.SHIPPED]
)
def test_every_scenario_has_a_report_that_needs_nothing_else(name: str) -> None:
    result = cases.shipped(name)
    text = shipped(name)
    read = Reader(text)
    assert len(text.encode()) < 1_000_000
    assert not re.search(r"https?:|//[a-z]|@import|<script|<iframe|<img|javascript:", text.replace("http://www.w3.org", "http:"))
    assert {tag for tag, _ in read.tags} & {"script", "img", "link", "iframe", "object"} == set()
    assert not {attribute for _, attrs in read.tags for attribute in attrs if attribute.startswith("on") or attribute == "src"}
    ids = read.all("id")
    assert len(ids) == len(set(ids))
    beside = {*names(result), "config.yaml", "summary.json", "manifest.json", "tables/", "figures/"}
    assert all(link[1:] in ids if link.startswith("#") else link in beside for link in read.all("href"))
    assert all(target in ids for target in re.findall(r"url\(#([^)]*)\)", text))
    assert [attrs["lang"] for tag, attrs in read.tags if tag == "html"] == ["en"]
    assert len([1 for tag, attrs in read.tags if tag == "svg" and attrs["role"] == "img" and attrs["aria-label"]]) == len(fitting(result))
    headings = [int(tag[1]) for tag, _ in read.tags if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(headings))
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", " ".join(read.said))


def test_the_first_screen_says_what_the_summary_says() -> None:
    result = cases.shipped("lifecycle")
    summary = result.summary()
    value, kept, equity = cards(result)

    def number(text: str) -> float:
        return float(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))

    half = words.LEVEL * summary["clv"]["se"]
    assert number(value.half) == pytest.approx(half, rel=0.05)
    assert number(value.value) == pytest.approx(summary["clv"]["mean"], abs=0.06 * half)
    assert kept.label == "First-year retention"
    assert number(kept.value) / 100 == pytest.approx(summary["survival"][12], abs=1e-3)
    assert number(equity.value) == pytest.approx(summary["customer_equity"]["mean"], abs=0.06 * number(equity.half))
    assert number(equity.half) == pytest.approx(words.LEVEL * summary["customer_equity"]["se"], rel=0.05)
    text = shipped("lifecycle")
    assert all(f'<span class="value">{card.value}</span>' in text for card in (value, kept, equity))


def test_short_runs_say_over_what_retention_is() -> None:
    result = sim.simulate(cases.chinese(horizon=3))
    assert cards(result)[1].label == "Retention over 3\N{NO-BREAK SPACE}months"


def test_labels_cannot_write_html() -> None:
    result = sim.simulate(cases.chinese())
    text = report(result)
    said = "".join(Reader(text).said)
    assert cases.LABEL in said
    assert "稳定期" in said
    assert "<b>" not in text
    assert "<script" not in text


@pytest.mark.jit
def test_equal_results_have_equal_reports() -> None:
    one, other = (sim.simulate(measured.relationship(run={"customers": 300, "threads": threads})) for threads in (1, 2))
    text = report(one)
    assert text == report(other)
    assert text == report(one)


def test_what_is_not_defined_is_a_dash_with_its_reason() -> None:
    result = sim.simulate(cases.chinese(run={"customers": 1}))
    value, kept, equity = cards(result)
    assert (value.half, kept.half, equity.half) == (words.DASH,) * 3
    assert "two simulated customers" in value.reason
    text = report(result)
    assert value.reason in text
    assert "no error to measure the distance by" in text


def test_nobody_who_became_active_has_no_retention() -> None:
    stages = {"lead": {"kind": "prospect", "to": {"gone": {"probability": 0.5}}}, "gone": {"kind": "lost"}}
    result = sim.simulate(cases.chinese(stages=stages, start="lead"))
    kept = cards(result)[1]
    assert (kept.value, kept.reason) == (words.DASH, "nobody is in this share")
    assert "nobody is in this share" in report(result)


@pytest.mark.jit
def test_assumptions_are_the_scenarios_own() -> None:
    text = "".join(Reader(report(cases.relationship())).said)
    for said in (
        "→ steady: 20 % at stage age 0, 40 % from 1 on, a quarter",
        "cause: rival",
        "cash −2",
        "12 % a year, effective (a quarter: 2.874 %)",
        "later.response",
    ):
        assert said.replace(" %", "\N{NO-BREAK SPACE}%") in text, said
    assert "states no source" in text
    lifecycle = "".join(Reader(shipped("lifecycle")).said)
    assert "70\N{NO-BREAK SPACE}% of those who leave" in lifecycle
    assert "Numbers assumed" in lifecycle
    bgbb = "".join(Reader(shipped("bgbb")).said)
    assert "Beta(0.656718, 2.78344)" in bgbb


def chances(values: list[float]) -> str:
    """Return the way out of a stage with these chances by stage age, as a report tells it."""
    stages = {"bought": {"to": {"lost": {"probability": values}}}, "lost": {"kind": "lost"}}
    return stage_rows(cases.chinese(stages=stages))[0].ways[0].replace(words.SPACE, " ").removeprefix("→ lost: ")


def test_values_by_stage_age_are_told_to_the_last_which_holds() -> None:
    assert chances([0.06] * 6 + [0.03]) == "6 % at stage age 0 to 5, 3 % from 6 on, a month"
    assert chances([0.06, 0.06]) == "6 % a month"
    many = chances([0.35, 0.30, 0.25, 0.22, 0.21, 0.205, 0.20])
    assert many == "35 % at stage age 0, 30 % at 1, 25 % at 2, 22 % at 3, …, 20 % from 6 on, a month"


def test_long_lists_are_told_with_their_last_value() -> None:
    factors = [round(1 + k / 100, 2) for k in range(14)]
    told = dict(settings(cases.chinese(calendar={"orders": {"multiplier": factors}}))[0])
    assert told["calendar.orders.multiplier"].endswith("1.1, …, 1.13 (14 in all)")


@pytest.mark.jit
def test_checks_tell_why_there_is_no_exact_answer() -> None:
    text = "".join(Reader(shipped("lifecycle")).said)
    assert "no exact answer: hazards depend on satisfaction (stages.investigation.to.formation.effects.loyalty)" in text
    assert "customers whose loyalty is 0.1 below its reference" in text
    assert "below its reference" not in "".join(Reader(shipped("markov_lifecycle")).said)


def test_checks_tell_z_and_warnings() -> None:
    result = cases.shipped("markov_lifecycle")
    exact = result.summary()["exact"]
    text = "".join(Reader(shipped("markov_lifecycle")).said)
    assert f"z = {words.told_apart(exact['z'], 1.0)}" in text
    assert words.plain(exact["clv_mean"]) in text
    short = "".join(Reader(report(sim.simulate(cases.chinese(horizon=2)))).said)
    assert "lies beyond the horizon" in short


def test_the_receipt_says_nothing_of_the_machine() -> None:
    result = cases.shipped("publisher")
    text = shipped("publisher")
    assert f"<dt>Seed</dt><dd>{result.scenario.run.seed}</dd>" in text
    assert "clvsim verify ." in text
    assert sim.__version__ in text
    assert "thread" not in text


@pytest.mark.parametrize(
    ("value", "se", "said"),
    [
        (16.8634, 0.0697, ("16.86", "0.14")),
        (-44.0951, 0.5, ("−44.10", "0.98")),
        (2_089_998.0, 15_900.0, ("2,090,000", "31,000")),
        (0.0004, 0.1, ("0.00", "0.20")),
        (920.0, 0.0, ("920", "0")),
        (7.5, math.nan, ("7.50", "—")),
        (math.nan, 1.0, ("—", "—")),
        (9.96, 0.5098, ("9.96", "1.00")),
    ],
)
def test_estimates_have_the_digits_of_their_error(value: float, se: float, said: tuple[str, str]) -> None:
    assert words.estimate(value, se) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (1234.5, "1,234"), (-3.14159, "−3.14"), (0.012345, "0.0123"), (-1e-9, "−1.0e−09"), (None, "—"), (math.inf, "—")],
)
def test_plain_numbers(value: float | None, said: str) -> None:
    assert words.plain(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.5, "0.50"), (1.5, "1.50"), (1.0, "1"), (1000.0, "1,000"), (0.125, "0.125"), (-20.0, "\N{MINUS SIGN}20"), (0.0, "0")],
)
def test_given_numbers_are_told_as_they_are(value: float, said: str) -> None:
    assert words.given(value) == said


@pytest.mark.parametrize(
    ("value", "spread", "said"),
    [
        (240_877.0, None, "241,000"),
        (-12.3456, None, "\N{MINUS SIGN}12.3"),
        (493.7, 25_919.0, "500"),
        (0.0, None, "0"),
        (math.nan, None, "—"),
    ],
)
def test_numbers_of_unknown_error_have_three_digits(value: float, spread: float | None, said: str) -> None:
    assert words.short(value, spread) == said


def test_shares_and_periods() -> None:
    space = "\N{NO-BREAK SPACE}"
    assert words.percent(0.6) == f"60.0{space}%"
    assert words.percent(1.0) == f"100{space}%"
    assert words.percent(0.6, 0.01) == f"60.0 ± 2.0{space}%"
    assert words.percent(math.nan) == "—"
    scenario = cases.shipped("publisher").scenario
    assert words.periods(scenario, 1) == f"1{space}year"
    assert words.periods(scenario, 2.5) == f"2.5{space}years"
    assert words.money(scenario, None) == "—"
    assert words.cohort(cases.shipped("publisher_cohorts").scenario, "intake.3") == "Yearly intake, year 3"


LOST = {"kind": "lost"}


def told(**changes: Any) -> str:
    """Return what the report of a small scenario says, of stages a and lost unless changed."""
    plain = {"period": "month", "horizon": 24, "discount_rate_annual": 0.1, "start": "a", "run": {"customers": 2000}}
    stages = {"a": {"price": 10.0, "to": {"lost": {"probability": 0.3}}}, "lost": LOST}
    text = report(sim.simulate(read({**plain, "stages": stages, **changes})))
    return " ".join("".join(Reader(text).said).split()).replace(words.SPACE, " ")


@pytest.mark.jit
def test_a_dollar_is_a_dollar() -> None:
    stages = {
        "a": {"label": "Basic $5", "price": 5.0, "to": {"b": {"probability": 0.3}}},
        "b": {"label": r"Plus $10 $\foo$", "price": 10.0, "to": {"lost": {"probability": 0.2}}},
        "lost": LOST,
    }
    assert r"Basic $5 → Plus $10 $\foo$" in told(stages=stages)


def test_losses_are_told_though_rarer_than_what_is_drawn() -> None:
    many = {f"s{i}": {"price": 1.0, "to": {f"s{(i + j) % 6}": {"probability": 0.1} for j in (1, 2, 3)}} for i in range(6)}
    many["s0"]["to"] = {**many["s0"]["to"], "lost": {"probability": 0.001}}  # type: ignore[dict-item]
    said = told(stages={**many, "lost": LOST}, start="s0")
    assert "rarer moves" in said
    assert "Nobody is lost" not in said


@pytest.mark.jit
def test_moves_are_not_taken_for_customers() -> None:
    back = {"price": 10.0, "to": {"lost": {"probability": 0.5}, "b": {"probability": 0.1}}}
    stages = {"a": back, "b": {**back, "to": {"lost": {"probability": 0.5}}}, "lost": {**LOST, "to": {"a": {"probability": 0.9}}}}
    said = told(stages=stages)
    moves = re.search(r"The most frequent loss is “a → lost”: ([\d.]+) moves\.", said)
    assert moves is not None
    assert float(moves[1]) > 100


@pytest.mark.jit
def test_a_loss_is_told_without_its_sign() -> None:
    said = told(acquisition={"cost": 100.0})
    assert re.search(r"to win: \d+\.\d+ ± [\d.]+ are lost", said)


def test_a_stay_is_told_in_its_own_periods() -> None:
    stages = {"a": {"price": 10.0, "to": {"lost": {"mean_duration": 2, "rate_period": "year"}}}, "lost": LOST}
    assert "mean stay of 2 years" in told(stages=stages)


def test_prospects_are_no_customers_yet() -> None:
    stages = {
        "p": {"kind": "prospect", "to": {"a": {"probability": 0.5}, "lost": {"probability": 0.5}}},
        "a": {"price": 10.0, "to": {"lost": {"probability": 0.3}}},
        "lost": LOST,
    }
    result = sim.simulate(read({"period": "month", "horizon": 24, "start": "p", "stages": stages, "run": {"customers": 2000}}))
    won = result.clv[(result.clv["by"] == "acquired") & (result.clv["measure"] == "clv")].iloc[0]
    said = told(stages=stages, start="p", discount_rate_annual=0.0)
    assert "a new prospect brings" in said
    assert f"{words.percent(won['share'])} become customers".replace(words.SPACE, " ") in said


def test_lives_are_not_sorted_by_ranks_that_are_not_there() -> None:
    """Without ranks every life that ended would be an early lapse, however long it was."""
    said = told()
    assert "no active stage has a rank above 1" in said
    assert "Early lapse" not in said
    ranked = {"a": {"rank": 3, "price": 10.0, "to": {"lost": {"probability": 0.3}}}, "lost": LOST}
    assert "Early retreat" in told(stages=ranked)


def test_what_lies_beyond_the_horizon_is_told_at_once() -> None:
    said = told(horizon=3)
    assert said.index("Mind:") < said.index("Why")
