"""The report of a comparison: the answer first, alone, escaped, the same for equal comparisons, and its files as named."""

import math
import re
import warnings
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from matplotlib.text import Text

import sim
from sim.report import arms as drawings
from sim.report import comparison, style, words
from sim.report.arms import FIGURES, fitting
from sim.report.policies import done, facts
from sim.report.style import FontWarning
from sim.scenario.model import Scenario
from sim.studies.arms import Arm, with_policies
from sim.studies.compare import compared
from sim.studies.comparison import Comparison
from tests.measures.test_comparison import comparison as treated
from tests.report import cases
from tests.report.reading import Reader

GIFT = "礼物 <b>&\"'"

GIFTS: dict[str, Any] = {
    "label": GIFT,
    "description": GIFT,
    "source": GIFT,
    "cost": {"per_contact": 1.0},
    "effects": {"causes": {"rival": 0.5}},
    "lasts": 6,
    "decay": 0.9,
}
DEAR: dict[str, Any] = {**GIFTS, "label": "贵 $5", "cost": {"setup": 1e9, "per_period": 1.0}}


def chinese(**changes: Any) -> Scenario:
    return cases.chinese(segments={"old": {"label": "老客户 <i>", "share": 0.6}, "new": {"label": "新客户", "share": 0.4}}, **changes)


def found(scenario: Scenario, comparator: str = "none", /, **bodies: Any) -> Comparison:
    """Compare no policy with each one and with all together."""
    every = [Arm("none", (), scenario), *(Arm(key, (key,), with_policies(scenario, {key: body})) for key, body in bodies.items())]
    if len(bodies) > 1:
        every.append(Arm("+".join(bodies), tuple(bodies), with_policies(scenario, bodies)))
    return compared(scenario, tuple(every), comparator)


@cache
def gifts() -> Comparison:
    return found(chinese(), gifts=GIFTS, dear=DEAR)


def report(result: Comparison) -> str:
    return comparison.page(result, [(drawn, drawn.svg()) for drawn in (FIGURES[name](result) for name in fitting(result))], draws=3)


def said(result: Comparison) -> str:
    return " ".join("".join(Reader(report(result)).said).split()).replace(words.SPACE, " ")


def test_the_page_opens_with_the_best_arm() -> None:
    result = gifts()
    assert result.ids[result.best] == "gifts"
    text = report(result)
    opening = re.search(r'<p class="answer"><strong>(.*?)</strong>', text, re.DOTALL)
    assert opening is not None
    assert Reader(opening[1]).said[0].startswith(f"{GIFT}: it adds ")
    row = result.table.iloc[result.best]
    gain, _, sure = comparison.cards(result)
    assert float(gain.value.replace(",", "")) == pytest.approx(row["gain"], abs=0.06 * words.LEVEL * row["gain_se"])
    assert gain.unit == "元"
    assert sure.value == "above 99.9"
    assert text.index(gain.value) < text.index('id="why"')


def test_every_arm_and_policy_is_in_it() -> None:
    result = gifts()
    text = said(result)
    assert all(arm.label in text for arm in result.arms)
    assert "新客户" in text
    for told in ("1 元 a contact", "1,000,000,000 元 once", "moves caused by a rival: hazard times 0.5", "6 months, fading to 90.0 %"):
        assert told in text, told


def test_the_scenario_is_told_as_a_run_tells_it() -> None:
    text = said(gifts())
    for told in (
        "(流失): 20 % a month, cause: rival",
        "acquisition.cost20",
        "segments.old.share0.6",
        "PriceMargin Cost to serve, 元 a month",
    ):
        assert told in text, told


def test_what_policies_did_is_told_by_arm() -> None:
    """A customer is contacted in each period it lives, and is in force in it: 1 元 a contact."""
    result = gifts()
    rows = result.treatments
    mine = rows[(rows["arm"] == "gifts") & (rows["policy"] == "gifts")].iloc[0]
    policy = result.arms[1].scenario.policies["gifts"]
    told = done(result, policy)
    assert [row[0] for row in told] == [GIFT, f"{GIFT} + 贵 $5"]
    assert [float(cell) for cell in told[0][1:]] == pytest.approx(
        mine[["contacts", "uptakes", "member_periods", "cost"]].tolist(), rel=0.01
    )
    assert f"A customer, on averagecontactstaken upmonths in forcecost, 元 {GIFT}{told[0][1]}" in said(result)


@pytest.mark.parametrize(
    ("when", "who", "told"),
    [
        ({}, {}, "the next month, where the above still holds"),
        ({"cooldown": 1}, {}, "the next month, where the above still holds"),
        ({"cooldown": 3, "every": 2}, {}, "after 4 months, where the above still holds"),
        ({"start": 2, "stop": 3}, {}, None),
        ({}, {"tenure_from": 1, "tenure_until": 2}, None),
        ({"cooldown": 24}, {}, None),
    ],
)
def test_who_declines_is_asked_again(when: dict[str, Any], who: dict[str, Any], told: str | None) -> None:
    scenario = chinese()
    policy = with_policies(scenario, {"gifts": {**GIFTS, "uptake": 0.5, "when": when, "who": who}}).policies["gifts"]
    again = f"asked again {told}" if told else "not asked again"
    assert dict(facts(scenario, policy))["Taken up"].replace(words.SPACE, " ") == f"at 50.0 % of the contacts; who declines is {again}"


def test_prices_are_told_alike() -> None:
    scenario = chinese()
    policy = with_policies(scenario, {"gifts": {**GIFTS, "cost": {"per_contact": 0.5, "per_uptake": 1.5, "setup": 1}}}).policies["gifts"]
    assert dict(facts(scenario, policy))["Cost"].replace(words.SPACE, " ") == "1 元 once, 0.50 元 a contact, 1.50 元 an uptake"


def test_lives_are_not_drawn_where_no_stage_has_a_rank() -> None:
    assert "lives" not in fitting(gifts())
    assert "lives" in fitting(treated("treated_minds"))


@cache
def many() -> Comparison:
    """Return seven arms and all of them together."""
    return found(chinese(), **{f"gift{k}": {**GIFTS, "label": f"Gift {k}", "cost": {"per_contact": 0.5 * k}} for k in range(7)})


def test_arms_that_are_not_drawn_are_named() -> None:
    result = many()
    left = [result.labels[arm] for arm in drawings.ranked(result)["arm"]][drawings.SHOWN :]
    assert len(left) == 2
    for name, table in (("segments", "differences"), ("parting", "parting"), ("courses", "arms")):
        drawn = FIGURES[name](result)
        assert drawn.frame["arm"].nunique() == drawings.SHOWN
        assert drawn.caption.endswith(f"Not drawn, but in tables/{table}.csv: {', '.join(left)}.")
        assert table in result.tables()
    assert "Not drawn" not in "".join(FIGURES[name](gifts()).caption for name in ("segments", "parting", "courses"))


def test_points_of_the_frontier_are_numbered_and_named_below() -> None:
    result = many()
    drawn = FIGURES["frontier"](result)
    named = [text.get_text() for text in drawn.figure.legends[0].get_texts()]
    assert named[1:] == [f"{k + 1}  {style.shortened(label, drawings.LEGEND)}" for k, label in enumerate(drawn.frame["label"])]
    (axes,) = drawn.figure.axes
    numbers = {text.get_text(): Text.get_window_extent(text) for text in axes.texts}  # without the lines that lead to them
    assert sorted(numbers, key=int) == [f"{k + 1}" for k in range(len(drawn.frame))]
    assert not any(one.overlaps(other) for key, one in numbers.items() for name, other in numbers.items() if key < name)


def test_multiples_have_no_false_digits() -> None:
    assert comparison._times(2.5342) == "2.5 times"
    assert comparison._times(6.0) == "6.0 times"
    text = said(gifts())
    assert not re.search(r"\d\.\d0 times", text)


def test_one_column_has_as_many_decimals() -> None:
    rows = [comparison._row(many(), row) for row in many().table.to_dict("records")]
    told = [re.findall(r"\d+\.\d+", row["back"]) for row in rows if row["back"] != words.DASH]
    assert {len(number.partition(".")[2]) for numbers in told for number in numbers} == {2}


def test_a_gain_within_its_error_does_not_pay_back() -> None:
    row = {**gifts().table.to_dict("records")[1], "gain": 4000.0, "gain_low": -2900.0, "gain_high": 10900.0, "payback": 94}
    told = comparison._row(gifts(), row)
    assert told["payback"] == words.DASH
    assert "its gain cannot be told from 0" in told["note"]
    assert comparison._row(gifts(), {**row, "gain_low": 100.0})["payback"].startswith("94")


def test_theory_is_told_in_plain_words() -> None:
    scenario = sim.load("markov_lifecycle", "run.customers=200", "horizon=12")
    bodies = {"mail": {**GIFTS, "label": "Mail", "when": {"every": 2}, "who": {"share": 0.5}}, "call": {**GIFTS, "label": "Call"}}
    text = said(found(scenario, **bodies))
    left = "The rule takes no account of all that the policies say (Mail: whom it treats, by share; Mail: when it treats)"
    assert f"{left} and never treats with two policies at once, so that an arm may do better." in text
    assert "policies.mail" not in text
    assert "No arm can bring more." in said(found(scenario, call=bodies["call"]))


def test_labels_cannot_write_html() -> None:
    text = report(gifts())
    assert GIFT in "".join(Reader(text).said)
    assert "贵 $5" in "".join(Reader(text).said)
    assert not re.search(r"<b>|<i>|<script", text)


@pytest.mark.parametrize("name", ["treated_chain", "treated_minds"])
def test_it_needs_nothing_else(name: str) -> None:
    result = treated(name)
    text = report(result)
    read = Reader(text)
    assert len(text.encode()) < 1_000_000
    assert not re.search(r"https?:|//[a-z]|@import|<script|<iframe|<img|javascript:", text.replace("http://www.w3.org", "http:"))
    assert {tag for tag, _ in read.tags} & {"script", "img", "link", "iframe", "object"} == set()
    assert not {attribute for _, attrs in read.tags for attribute in attrs if attribute.startswith("on") or attribute == "src"}
    ids = read.all("id")
    assert len(ids) == len(set(ids))
    beside = {*comparison.names(result), "config.yaml", "arms.yaml", "comparison.json", "manifest.json", "tables/", "figures/"}
    assert all(link[1:] in ids if link.startswith("#") else link in beside for link in read.all("href"))
    assert all(target in ids for target in re.findall(r"url\(#([^)]*)\)", text))
    headings = [int(tag[1]) for tag, _ in read.tags if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(headings))
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", " ".join(read.said))


def test_equal_comparisons_have_equal_reports() -> None:
    one, other = (found(chinese(run={"customers": 200, "threads": threads}), gifts=GIFTS) for threads in (1, 2))
    assert report(one) == report(other)


def test_files_are_those_that_are_named() -> None:
    result = gifts()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FontWarning)  # this machine may have no Chinese font
        made = comparison.files(result, 2)
    assert set(made) == comparison.names(result)
    assert {"report.html", "figures/gains.svg", "figures/segments.csv"} <= set(made)
    assert "figures/paths.svg" not in made
    assert all(content for content in made.values())


def test_figures_have_units() -> None:
    result = gifts()
    for name in fitting(result):
        drawn = FIGURES[name](result)
        assert ("%" if name == "parting" else "元") in drawn.svg(), name
        assert len(drawn.frame) > 0
        assert drawn.caption.endswith(".")
    assert drawings.gains(result).frame["arm"].tolist()[0] == "gifts"


def test_which_classes_gain() -> None:
    """Drawn where customers are followed, by the first year in which some are judged: all who are in a class, or lost."""
    result = found(chinese(run={"customers": 400, "panel": 400}), gifts=GIFTS)
    assert "classes" in fitting(result)
    drawn = FIGURES["classes"](result)
    assert drawn.frame.groupby("arm")["share"].sum().tolist() == pytest.approx([1.0])
    assert drawn.frame["part"].sum() == pytest.approx(result.one("gifts", "clv")["difference"], rel=1e-6)
    assert "after 1 year, in brackets" in drawn.caption
    assert "元" in drawn.svg()
    assert drawn.title in said(result)
    assert "classes" not in fitting(gifts())


def test_none_may_be_the_best() -> None:
    result = found(chinese(), dear=DEAR)
    assert result.best == 0
    text = said(result)
    assert "贵 $5 does no better than doing nothing. It loses 99" in text
    assert "Were the cost of 贵 $5 99" in text
    gain, back, _ = comparison.cards(result)
    assert (gain.value, back.value) == (words.DASH, words.DASH)
    assert "nothing more is spent" in text
    two = found(chinese(), dear=DEAR, dearer={**DEAR, "label": "更贵"})
    assert "None of the 3 arms does better than doing nothing." in said(two)


def test_a_variant_is_told_beside_what_it_varies() -> None:
    scenario = chinese()
    varied = Arm("dearer", ("gifts",), with_policies(scenario, {"gifts": {**GIFTS, "cost": {"per_contact": 7.0}}}))
    every = (Arm("none", (), scenario), Arm("gifts", ("gifts",), with_policies(scenario, {"gifts": GIFTS})), varied)
    text = said(compared(scenario, every))
    assert "1 元 a contact" in text
    assert f"{GIFT}, in dearer" in text
    assert "7 元 a contact" in text


def test_limits_are_told() -> None:
    scenario = chinese()
    policy = {**GIFTS, "capacity": 50, "budget": 20.5, "rank": {"by": "value", "lowest": True}}
    told = dict(facts(scenario, with_policies(scenario, {"gifts": policy}).policies["gifts"]))
    assert (
        told["At most"].replace(words.SPACE, " ")
        == "50 customers in force at a time, 20.50 元 spent on customers a month; by value, the lowest first"
    )


def test_functions_and_shared_budgets_are_told() -> None:
    scenario = chinese().model_copy(update={"budgets": {"crm": 99.0}})
    policy = {**GIFTS, "shared_budget": "crm", "who": {"trigger": "quiet"}, "rank": {"score": "margin"}}
    told = dict(facts(scenario, with_policies(scenario, {"gifts": policy}).policies["gifts"]))
    assert told["Whom"].endswith("; those whom the function quiet chooses")
    limits = told["At most"].replace(words.SPACE, " ")
    assert limits == "99 元 spent on customers a month, shared by all who draw on crm; by the function margin, the highest first"


def test_staff_are_told() -> None:
    scenario = chinese()
    staff = {"capacity": 50, "overload": "share", "turnover": {"leaving": 0.02, "gap": 3}}
    policy = {**GIFTS, **staff, "who": {"margin": {"below": 2, "periods": 4}, "remaining_value_below": 1}}
    found = with_policies(scenario, {"gifts": policy}).policies["gifts"]
    told = {key: text.replace(words.SPACE, " ") for key, text in facts(scenario, found)}
    assert "At most" not in told
    assert told["At full strength"] == "up to 50 customers in force at a time; more of them share it"
    assert told["Turnover"] == "2.0 % of those who look after members leave each month; a member then waits 3 months"
    assert told["Whom"].endswith("margin below 2 元 in each of the last 4 months; expected to bring less than 1 元 from now on")


def test_another_comparator() -> None:
    result = found(chinese(), "dear", gifts=GIFTS, dear=DEAR)
    text = said(result)
    assert "against 贵 $5" in text
    assert "No policy" in text


def test_one_path_of_a_market() -> None:
    result = treated("treated_minds", replicates=1)
    assert math.isnan(result.confidence)
    text = said(result)
    assert "conditional on this market path" in text
    assert not re.search(r"\bnan\b", text)
    assert "confidence is" not in text


@pytest.mark.jit
def test_several_paths_of_a_market() -> None:
    result = treated("treated_minds", replicates=12)
    assert "paths" in fitting(result)
    assert set(comparison.names(result)) >= {"figures/paths.svg", "figures/paths.csv"}
    frame = drawings.paths(result).frame
    assert frame["won"].sum() == pytest.approx(1)
    assert "12 market paths" in drawings.paths(result).svg()


def test_the_receipt_says_nothing_of_the_machine() -> None:
    text = report(gifts())
    assert "clvsim verify ." in text
    assert "thread" not in text
    assert "none, gifts, dear, gifts+dear" in text
