"""The stage graph as a picture, made from what an explanation says: stages in columns by their distance from the start, lost ones last."""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.report.style import BLUE, GREY, INK, Drawn, drawing, shortened, warn_of_missing_letters, width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sim.studies.explain import EdgeRow, Explanation

COLUMN, ROW, NODE = 2.6, 1.2, (1.55, 0.64)
"""Inches from column to column and from row to row, and width and height of a node."""

LONGEST = 19
"""Latin letters that fit into a line of a node."""

LETTER, LINE = 0.078, 0.15
"""Inches that a letter of a label is wide and high."""

BENDS = (0.0, 0.12, -0.12, 0.25, -0.25, 0.4, -0.4, 0.6, -0.6, 0.85, -0.85)
"""How far an arrow's middle may be off the straight line, as a part of its length."""

PARTS = (0.5, 0.4, 0.6, 0.3, 0.7)
"""Where on an arrow its label may be."""

FILLS = {"prospect": "#ffffff", "active": "#e8eef4", 1: "#d6e6f2", 2: "#a9cce6", 3: "#7db3da", "lost": "#dddddd"}
"""Fill of a node by rank or kind: the higher the rank the darker; the text says it too."""

POINTS = 25
"""Points of a curve that are looked at."""

Point = tuple[float, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Arrow:
    """A curve from node to node by three control points, and the middle of its label."""

    source: str
    target: str
    text: str
    label: Point
    path: tuple[Point, Point, Point]


def graph(explanation: "Explanation") -> Drawn:
    """Return the picture of a scenario's stages: arrows carry the chance of a period, ranges over stage ages and segments."""
    from matplotlib.figure import Figure

    scenario = explanation.scenario
    places = _places(explanation)
    arrows = _arrows(explanation, places)
    xs, ys = zip(*places.values(), strict=True)
    points = [point for arrow in arrows for point in (*_curve(arrow.path), arrow.label)]
    left, right = min([*xs, *(x for x, _ in points)]) - 0.9, max([*xs, *(x for x, _ in points)]) + 0.9
    low, high = min([*ys, *(y for _, y in points)]) - 0.5, max([*ys, *(y for _, y in points)]) + 0.5
    title = scenario.label or scenario.name
    caption = f"Chance of a move in a {scenario.period}; ranges are over stage ages and segments.\nWho makes no move stays."
    with drawing(scenario):
        figure = Figure(figsize=(max(right - left, 4.8), high - low + 0.9))
        size = figure.get_size_inches()
        spare = (float(size[0]) - (right - left)) / 2
        axes = figure.add_axes((0.0, 0.45 / size[1], 1.0, (high - low) / size[1]))
        axes.set(xlim=(left - spare, right + spare), ylim=(low, high))
        axes.set_axis_off()
        for arrow in arrows:
            _draw_arrow(axes, arrow)
        for key, place in places.items():
            _draw_node(axes, explanation, key, place)
        figure.text(0.12 / size[0], 1 - 0.3 / size[1], shortened(title, int(size[0] / 0.095)), weight="bold", size=10.5)
        figure.text(0.12 / size[0], 0.12 / size[1], caption, size=7.5, color=GREY)
    return Drawn("graph", figure, explanation.edges, title, caption.replace("\n", " "))


def picture(explanation: "Explanation", kind: str) -> bytes:
    """Return the picture as a file's bytes. kind: svg, png or pdf."""
    drawn = graph(explanation)
    if kind == "svg":
        return drawn.svg().encode()
    warn_of_missing_letters(explanation.scenario)
    if kind == "png":
        return drawn.png()
    buffer = io.BytesIO()
    with drawing(explanation.scenario):
        drawn.figure.savefig(buffer, format="pdf", metadata={"CreationDate": None})
    return buffer.getvalue()


def _places(explanation: "Explanation") -> dict[str, Point]:
    """Return the middle of each stage, inches: columns by moves from the start, lost and unreachable stages after all others."""
    stages, ways = explanation.scenario.stages, {(row.stage, row.target) for row in explanation.edge_rows}
    distance, ahead = {explanation.scenario.start: 0}, [explanation.scenario.start]
    for here in ahead:  # grows while it is walked
        for key in stages:
            if (here, key) in ways and key not in distance:
                distance[key] = distance[here] + 1
                ahead.append(key)
    last = 1 + max(column for key, column in distance.items() if stages[key].kind != "lost")
    columns: dict[int, list[str]] = {}
    for key, stage in stages.items():
        columns.setdefault(last if stage.kind == "lost" or key not in distance else distance[key], []).append(key)
    tallest = max(map(len, columns.values()))
    places = {}
    for x, column in enumerate(columns[key] for key in sorted(columns)):
        # a column of one stands a little off the line, lest arrows to farther columns run through it
        shift = 0.35 * ROW * (1 if x % 2 else -1) if len(columns) > 2 and len(column) < tallest and 0 < x < len(columns) - 1 else 0.0
        for y, key in enumerate(column):
            places[key] = (x * COLUMN, ((len(column) - 1) / 2 - y) * ROW * (1.5 if len(column) > 1 else 1.0) + shift)
    return places


def _texts(explanation: "Explanation") -> dict[tuple[str, str], str]:
    """Return the label of each arrow: the chance, and of parallel edges one a line; no arrow for a renewal."""
    found: dict[tuple[str, str], dict[str, list[EdgeRow]]] = {}
    for row in explanation.edge_rows:
        if row.stage != row.target:
            found.setdefault((row.stage, row.target), {}).setdefault(row.edge, []).append(row)
    return {ends: "\n".join(_chance(rows, len(edges) > 1) for rows in edges.values()) for ends, edges in found.items()}


def _chance(rows: "list[EdgeRow]", named: bool) -> str:
    low, high = min(row.chance for row in rows), max(row.chance for row in rows)
    chance = f"{low:.3g}" if f"{low:.3g}" == f"{high:.3g}" else f"{low:.3g} to {high:.3g}"
    return f"{shortened(rows[0].label or rows[0].edge, LONGEST)} {chance}" if named else chance


def _arrows(explanation: "Explanation", places: Mapping[str, Point]) -> list[_Arrow]:
    """Bend each arrow so that it keeps off other nodes, arrows and labels as far as it can, the short ones first."""
    texts = _texts(explanation)
    found: list[_Arrow] = []
    for ends in sorted(texts, key=lambda ends: (math.dist(places[ends[0]], places[ends[1]]), ends)):
        nodes = np.array([(*place, NODE[0] + 0.1, NODE[1] + 0.1) for place in places.values()])
        ours = np.array([stage in ends for stage in places])
        curves = np.array([_curve(other.path) for other in found]).reshape(-1, POINTS, 2)
        boxes = np.array([_box(other) for other in found]).reshape(-1, 4)
        options = []
        for bend in BENDS:
            path = _path(places[ends[0]], places[ends[1]], bend)
            wrong = _bend_cost(path, bend, nodes[~ours], curves, boxes)
            arrows = [_Arrow(*ends, texts[ends], _at(path, part), path) for part in PARTS]
            options += [(wrong + _label_cost(arrow, nodes, curves, boxes), arrow) for arrow in arrows]
        found.append(min(options, key=lambda option: option[0])[1])
    return found


def _path(start: Point, end: Point, bend: float) -> tuple[Point, Point, Point]:
    """Return the control points of a curve whose middle is off the straight line."""
    (x0, y0), (x1, y1) = start, end
    return start, ((x0 + x1) / 2 - 2 * bend * (y1 - y0), (y0 + y1) / 2 + 2 * bend * (x1 - x0)), end


def _at(path: tuple[Point, Point, Point], s: float) -> Point:
    a, b, c = (1 - s) ** 2, 2 * s * (1 - s), s * s
    return a * path[0][0] + b * path[1][0] + c * path[2][0], a * path[0][1] + b * path[1][1] + c * path[2][1]


def _curve(path: tuple[Point, Point, Point]) -> list[Point]:
    return [_at(path, k / (POINTS - 1)) for k in range(POINTS)]


def _bend_cost(path: tuple[Point, Point, Point], bend: float, others: Floats, curves: Floats, boxes: Floats) -> float:
    """Return how much is wrong with a curve: nodes in its way, labels and arrows that it crosses or runs along, its bend.

    others: boxes of the nodes that it does not join (node, 4); curves (arrow, POINTS, 2) and boxes (arrow, 4): of the arrows that are
    there.
    """
    curve = np.array(_curve(path))
    cost = 1.5 * abs(bend) + 6 * _overlaps(_boxed(curve, 0.12), others).sum() + 2.5 * _overlaps(_boxed(curve, 0.0), boxes).sum()
    gaps = curve[6:-6, None, :] - curves[:, None, 4:-4, :]
    return float(cost + 0.35 * (np.hypot(gaps[..., 0], gaps[..., 1]) < 0.12).sum())


def _label_cost(arrow: _Arrow, nodes: Floats, curves: Floats, boxes: Floats) -> float:
    """Return how much is wrong with a label: nodes and labels that it lies on, arrows that cross it, how far it is from the middle."""
    box = np.array([_box(arrow)])
    along = math.dist(arrow.label, arrow.path[0]) / math.dist(arrow.path[0], arrow.path[2])
    cost = 0.2 * abs(along - 0.5) + 20 * (_overlaps(box, nodes).sum() + _overlaps(box, boxes).sum())
    return float(cost + 2.5 * _overlaps(_boxed(curves.reshape(-1, 2), 0.0), box).sum())


def _boxed(points: Floats, size: float) -> Floats:
    return np.column_stack([points, np.full((len(points), 2), size)])


def _overlaps(one: Floats, other: Floats) -> Floats:
    """Return which of some boxes (m, 4) overlap which others (n, 4), middle, width and height each: (m, n) of 0 and 1."""
    gaps = np.abs(one[:, None, :2] - other[None, :, :2]) < (one[:, None, 2:] + other[None, :, 2:]) / 2
    return np.asarray(gaps.all(axis=2), float)


def _box(arrow: _Arrow) -> tuple[float, float, float, float]:
    """Return middle, width and height of an arrow's label, inches."""
    lines = arrow.text.split("\n")
    return *arrow.label, max(map(width_of, lines)) * LETTER + 0.06, len(lines) * LINE + 0.04


def _draw_arrow(axes: "Axes", arrow: _Arrow) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    s, e = _outside(arrow)
    (x0, y0), (x1, y1), (x2, y2) = arrow.path
    a, b, c = (1 - s) * (1 - e), s + e - 2 * s * e, s * e  # of the control point of the part of the curve from s to e
    middle = (a * x0 + b * x1 + c * x2, a * y0 + b * y1 + c * y2)
    curve = Path([_at(arrow.path, s), middle, _at(arrow.path, e)], [Path.MOVETO, Path.CURVE3, Path.CURVE3])
    axes.add_patch(FancyArrowPatch(path=curve, arrowstyle="-|>", mutation_scale=9, color=INK, linewidth=0.9, zorder=1))
    back: dict[str, Any] = {"boxstyle": "square,pad=0.12", "facecolor": "white", "edgecolor": "none"}
    axes.text(*arrow.label, arrow.text, ha="center", va="center", size=8, bbox=back, zorder=2)


def _outside(arrow: _Arrow) -> Point:
    """Return the parts of the curve at which it leaves its first node and reaches its last one."""
    steps = [k / 400 for k in range(401)]

    def free(s: float, place: Point, gap: float) -> bool:
        x, y = _at(arrow.path, s)
        return abs(x - place[0]) >= (NODE[0] + gap) / 2 or abs(y - place[1]) >= (NODE[1] + gap) / 2

    first = next(s for s in steps if free(s, arrow.path[0], 0.0))
    return first, next(s for s in reversed(steps) if free(s, arrow.path[2], 0.06))


def _draw_node(axes: "Axes", explanation: "Explanation", key: str, place: Point) -> None:
    from matplotlib.patches import FancyBboxPatch

    stage = explanation.scenario.stages[key]
    corner = (place[0] - NODE[0] / 2 + 0.06, place[1] - NODE[1] / 2 + 0.06)
    start = key == explanation.scenario.start
    look: dict[str, Any] = {
        "facecolor": FILLS[stage.rank or stage.kind],
        "edgecolor": BLUE if start else INK,
        "linewidth": 2.0 if start else 0.9,
        "linestyle": "--" if stage.kind == "prospect" else "-",
    }
    box = FancyBboxPatch(corner, NODE[0] - 0.12, NODE[1] - 0.12, boxstyle="round,pad=0.06", zorder=3, **look)
    axes.add_patch(box)
    about = f"rank {stage.rank}" if stage.rank else stage.kind
    name = _name(stage.label or key)
    above = 0.1 if len(name) == 1 else 0.19
    for line, text in enumerate(name):
        axes.text(place[0], place[1] + above - 0.16 * line, text, ha="center", va="center", size=8.5, weight="bold", zorder=4)
    below = place[1] + above - 0.16 * len(name) - 0.05
    axes.text(place[0], below, f"start, {about}" if start else about, ha="center", va="center", size=7.5, zorder=4)


def _name(text: str) -> list[str]:
    """Return a name in one or two lines that fit into a node."""
    if width_of(text) <= LONGEST:
        return [text]
    first = shortened(text, LONGEST + 1).removesuffix("…")
    first = first[: first.rfind(" ")] if " " in first and text[len(first)] != " " else first
    return [first.rstrip(), shortened(text[len(first) :].lstrip(), LONGEST)]
