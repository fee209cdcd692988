"""Behaviour and market in words: every mechanism that is on is told, with its numbers, and none that is off."""

from typing import Any

import pytest

from sim.report.assumptions import settings, stage_rows
from sim.scenario import read
from sim.scenario.shown import effects, stages
from sim.studies.explain import explain
from sim.studies.told_behaviour import behaviour, stage_lines
from tests.zoo import ACTIVE, CHAIN, MINDFUL, changed

BASE: dict[str, Any] = changed(CHAIN, **MINDFUL)
ALL = read(BASE)


def test_an_explanation_tells_every_mechanism() -> None:
    text = " ".join(explain(read(changed(BASE, correlations={}))).text().split())
    for said in (
        "beside purchases a month: information 0.10; sales cost 0.50",
        "information 0.20 at age 0, 0.30 from 1 on",
        "share of wallet goes 5 % of the way a month to 1 ",
        "delivered value: 0.5 (3 benefit - 2 money - 0.5 time - 0 effort)",
        "-> lost (rival): 0.15 hazard times exp(1.5 loyalty lacking + 1 trust lacking) stays:",
        "Satisfaction: 3.4 at first (SD 0.6 between customers), then 30 % of the way a month",
        "quality 3, 3.2, 3.6 by calendar period plus 0.5 times delivered value plus drift of SD 0.4, less 1.5 by a failure of chance 0.1.",
        "Expectation: 2.9 at first, then 20 % of the way a month to 60 % what was received and 40 % the norm of 3.1.",
        "Trust: 0.5 at first, then 10 % of the way up and 30 % of the way down a month",
        "a failure takes 40 % of it; who comes back keeps 50 %; reference 0.5.",
        "Competition: intensity 0.7: the wholly dissatisfied are loyal to 0.18,",
        "reference intensity 0.7, satisfaction 3.4.",
        "Switching cost: investment goes 10 % of the way a month to 1 in stages of rank 3.",
        "Level: share of wallet is 0.1 before the first month, 0.2 on coming back",
        "Word of mouth: influence 1.5 (CV 0.8) times reach 2 times 0.70 a month",
        "Knowledge: 40 % of customers have any, of CV 1.2 among them.",
        "Fees: earned while trust is above 0.52.",
        "Driver value: quality own 3, 3, 3.5 by calendar period, rival 3.1, weight 2; "
        "price own 2, rival 2, 2.5 by calendar period, weight 1.",
        "Driver relationship: programme own 0, 1 by calendar period, rival 0, weight 1.",
        "at first drawn by the regimes' long-run shares",
        "calm: next month calm 0.7, war 0.3; changes nothing war: next month calm 0.5, war 0.5; "
        "hazards of edges caused by a rival times 1.4, orders times 0.9, margin times 0.8, competition 0.9, rival's value +0.4",
    ):
        assert said in text, said


def test_an_explanation_tells_what_is_offered() -> None:
    found = read(changed(CHAIN, **ACTIVE))
    text = " ".join(explain(found).text().split())
    for said in (
        "beside purchases a month: information 0.20; information a contact 5.00 at age 0, 3.00 from 1 on",
        "contacts started by the customer a month: 2.5 at age 0, 1 from 1 on",
        "chance to add a product a month: 0.1 at age 0, 0.5 from 1 on",
        "share of the surplus that the customer keeps: keen 20 % at age 0, 33.33 % from 1 on "
        "(worth to it 45.00 at age 0, 50.00 from 1 on); cool -5.263 % (worth to it 39.00)",
        "-> decline: 0.1136 (given as 0.1) hazard times exp(3 share of surplus lacking)",
        "cash a month: 21.54 (24.00 margin - 2.46 service)",
        "Products: keen one at first, up to 3; each further one adds 60 % to the spend; cash shown is with one; cool one at first",
        "Breadth: cost to serve times 1.231, for 1.923 kinds of needs; cash shown has it.",
        "Fair share: 60 % of the surplus for the customer; what is lacking moves hazards, and chances shown have it.",
        "warning: stages.formation.price: a price above willing_to_pay: customers pay more than the offer is worth to them",
    ):
        assert said in text, said
    assert "Effects on edges are 1" not in text
    beside = [[said.replace("\N{NO-BREAK SPACE}", " ") for said in row.beside] for row in stage_rows(found)]
    assert beside[0] == ["information a contact 0.4", "contacts 2.5 at stage age 0, 1 from 1 on", "adds a product 20 %"]
    assert beside[2][-1] == "worth to the customer 90, its share of the surplus 55.56 %"
    told = dict(settings(found)[0])
    assert (told["products.maximum"], told["service.breadth"], told["fair_share"]) == ("3", "0.25", "0.6")


def test_what_is_off_is_not_told() -> None:
    plain = read(CHAIN)
    assert behaviour(plain) == []
    assert [line for key in plain.stages for line in stage_lines(plain, key)] == []


def test_segments_are_told_apart() -> None:
    change = {"stages": {"stability": {"fees": 2.0, "to": {"lost": {"effects": {"trust": 3.0}}}}}, "trust": {"inherit": 1.0}}
    raw = changed(BASE, correlations={}, segments={"a": {"share": 0.5}, "b": {"share": 0.5, **change}})
    text = " ".join(explain(read(raw)).text().split())
    assert "a knowledge 1.50; fees 0.80; b knowledge 1.50; fees 2.00" in text
    assert "a hazard not moved; b hazard times exp(3 trust lacking)" in text
    assert "who comes back keeps 50 %; reference 0.5; b 0.5 at first" in text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, ""),
        ({"loyalty": 1.0}, "hazard times exp(1 loyalty lacking)"),
        ({"switching_cost": 1.2}, "hazard times exp(-1.2 investment)"),
        ({"trust": -2.0, "brand": -0.5}, "hazard times exp(-2 trust lacking + 0.5 gain in brand)"),
    ],
)
def test_effects_in_words(given: dict[str, float], said: str) -> None:
    edge = ALL.stages["stability"].to["lost"]
    assert effects(edge.model_validate({"probability": 0.1, "effects": given})) == said


def test_a_notebook_and_a_report_tell_them_too() -> None:
    assert "lost 0.15, hazard times exp(1.5 loyalty lacking + 1 trust lacking)" in stages(ALL)
    first = stage_rows(ALL)[0]
    beside = [said.replace("\N{NO-BREAK SPACE}", " ") for said in first.beside]
    assert beside == ["information 0.1", "sales cost 0.5", "share of wallet 20 % of the way to 30 %", "delivered value 0.500"]
    assert first.ways[2].endswith("cause: rival, hazard times exp(1.5 loyalty lacking + 1 trust lacking)")
    found = dict(settings(ALL)[0])
    assert found["market.regimes.war.rival.value"] == "0.4"
    assert found["satisfaction.expectation.habituation"] == "0.6"
    assert found["transaction.trust_above"] == "0.52"
    assert all(not row.beside for row in stage_rows(read(CHAIN)))
