"""The picture of the stages shows every stage and move, nothing lies on anything else, and its bytes are the same each time."""

import itertools
from pathlib import Path
from typing import Any

import pytest

import sim
from sim.report import graph
from sim.report.style import drawing
from sim.studies.explain import explain
from tests.measures import cases

NAMES = ["lifecycle", "markov_lifecycle", "publisher", "recency_chain", "four_stage_reference", "bgbb"]


@pytest.mark.parametrize("name", NAMES)
def test_no_label_lies_on_another_or_on_a_stage(name: str) -> None:
    drawn = explain(sim.load(name)).graph()
    figure = drawn.figure
    with drawing(sim.load(name)):
        figure.draw_without_rendering()
    (axes,) = figure.axes
    view = axes.get_window_extent()
    boxes = [text.get_window_extent() for text in axes.texts]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other), (one, other)
    for box in [*boxes, *(text.get_window_extent() for text in figure.texts)]:
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
    stages = [patch.get_window_extent() for patch in axes.patches if type(patch).__name__ == "FancyBboxPatch"]
    for one, other in itertools.combinations(stages, 2):
        assert not one.overlaps(other)
    inside = [sum(stage.contains(*box.min) and stage.contains(*box.max) for stage in stages) for box in boxes]
    touching = [sum(stage.overlaps(box) for stage in stages) for box in boxes]
    assert inside == touching  # a label is in its stage whole, or in none
    assert view.width > 0


@pytest.mark.parametrize("name", NAMES)
def test_every_stage_and_chance_stands_in_the_picture(name: str, tmp_path: Path) -> None:
    scenario = sim.load(name)
    explanation = explain(scenario)
    svg = explanation.draw(tmp_path / "x.svg").read_text(encoding="utf-8")
    texts = {text.get_text() for text in explanation.graph().figure.axes[0].texts}
    joined = " ".join(text.get_text() for text in explanation.graph().figure.axes[0].texts)
    for key, stage in scenario.stages.items():
        assert (stage.label or key).split()[0] in joined
    for row in explanation.edge_rows:
        if row.stage != row.target and row.age == 0:
            assert any(f"{row.chance:.3g}" in text for text in texts) or "to" in joined
    for text in texts:
        for line in text.split("\n"):
            assert f">{line}</text>" in svg
    assert {row.chance for row in explanation.edge_rows} == set(explanation.graph().frame["chance"])


@pytest.mark.parametrize(("kind", "first"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_bytes_are_the_same_each_time(tmp_path: Path, kind: str, first: bytes) -> None:
    scenario = sim.load("publisher")
    one = explain(scenario).draw(tmp_path / f"one.{kind}").read_bytes()
    other = explain(scenario).draw(tmp_path / f"other.{kind.upper()}").read_bytes()
    assert one == other
    assert one.startswith(first)


@pytest.mark.jit
def test_a_crowd_of_stages(tmp_path: Path) -> None:
    """Ten stages, nine of them with a way to every other."""
    names = [f"s{k}" for k in range(9)]
    everywhere: dict[str, Any] = {name: {"probability": 0.1} for name in [*names, "gone"]}
    stages = {name: {"label": f"第{name}阶段", "to": everywhere} for name in names} | {"gone": {"kind": "lost"}}
    explanation = explain(cases.publisher(stages=stages, start="s0"))
    assert len(graph._arrows(explanation, graph._places(explanation))) == 9 * 9
    assert explanation.draw(tmp_path / "x.svg").stat().st_size > 10_000


def test_a_name_takes_two_lines_at_most() -> None:
    assert graph._name("Lost") == ["Lost"]
    assert graph._name("Bought in the last year") == ["Bought in the last", "year"]
    assert graph._name("Never interested at all in what we have to offer") == ["Never interested at", "all in what we hav…"]
    assert graph._name("x" * 30) == ["x" * 19, "x" * 11]


def test_kinds_and_unreachable_stages_have_their_place() -> None:
    stages = {
        "lead": {"kind": "prospect", "to": {"buyer": {"probability": 0.5}, "gone": {"probability": 0.1}}},
        "buyer": {"to": {"gone": {"probability": 0.5}, "buyer": {"probability": 0.2}}},
        "island": {},
        "gone": {"kind": "lost"},
    }
    explanation = explain(cases.publisher(stages=stages, start="lead"))
    places = graph._places(explanation)
    assert places["lead"][0] < places["buyer"][0] < places["gone"][0] == places["island"][0]
    ends = {(arrow.source, arrow.target) for arrow in graph._arrows(explanation, places)}
    assert ends == {("lead", "buyer"), ("lead", "gone"), ("buyer", "gone")}
