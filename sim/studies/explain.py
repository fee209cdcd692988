"""What a scenario says, before anything is simulated: its stages, chances and cash by stage age, and what theory can answer."""

import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.exact import chain, exact, traits, value
from sim.scenario.base import at
from sim.scenario.checks import warnings
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.shown import rate
from sim.scenario.stages import Edge, Stage
from sim.studies.folder import config_of
from sim.studies.told import amount, by_age, by_segment, heading, theory, what_changes
from sim.studies.told_behaviour import behaviour, edge_line, stage_lines

if TYPE_CHECKING:
    import pandas as pd

    from sim.report.style import Drawn

PICTURES = ("svg", "png", "pdf")

WIDTH = 100
"""Columns of the text, if nobody asks for others."""

YAML_BEYOND = 24
"""Columns by which YAML may pass the width it is given: it breaks a line after it is full."""

SHOWN_YEARS = 10
"""Stage ages that are looked at, in years, where a hazard changes for ever and the horizon does not end."""


class StageRow(NamedTuple):
    """A stage at one stage age, as a segment sees it; money a period, undiscounted; the last age listed holds on."""

    segment: str
    stage: str
    label: str
    kind: str
    rank: int | None
    age: int
    gain: float  # spend times unit margin, mean over customers
    service: float
    net: float  # gain less service
    leave: float  # chance


class EdgeRow(NamedTuple):
    """An edge at one stage age, as a segment sees it; the last age listed holds on."""

    segment: str
    stage: str
    age: int
    edge: str
    label: str
    target: str
    cause: str
    given: str  # the rate as the scenario gives it
    hazard: float  # cumulative, of a period; a weight where leaving is certain
    chance: float  # of this move in a period, beside all other edges
    cash: float  # on a move


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """What a scenario says. Made by ``sim.explain``; ``str`` of it is the whole as text.

    scenario: what is explained; origin: its files and what was set besides; stage_rows, edge_rows: the frames' rows, of what can be
    reached from the start. Chances and cash are those of a customer of frailty 1 and of the mean chance of a beta edge, at calendar
    factors of 1.
    """

    scenario: Scenario
    origin: tuple[str, ...]
    stage_rows: tuple[StageRow, ...]
    edge_rows: tuple[EdgeRow, ...]

    @cached_property
    def stages(self) -> "pd.DataFrame":
        """A row a segment, stage and stage age. Columns: those of StageRow."""
        import pandas as pd

        return pd.DataFrame(self.stage_rows, columns=StageRow._fields)

    @cached_property
    def edges(self) -> "pd.DataFrame":
        """A row a segment, edge and stage age. Columns: those of EdgeRow."""
        import pandas as pd

        return pd.DataFrame(self.edge_rows, columns=EdgeRow._fields)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed but seldom meant."""
        return warnings(self.scenario)

    def graph(self) -> "Drawn":
        """Return a picture of the stage graph; a notebook shows it."""
        from sim.report.graph import graph

        return graph(self)

    def draw(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture of the stage graph as SVG, PNG or PDF, by the path's suffix; raise ScenarioError for another one."""
        path = Path(path)
        kind = path.suffix.lower().removeprefix(".")
        if kind not in PICTURES:
            raise ScenarioError([Fault("--graph", str(path), f"must end in .{', .'.join(PICTURES)}")])
        from sim.report.graph import picture

        path.write_bytes(picture(self, kind))
        return path

    def text(self, width: int = WIDTH) -> str:
        """Return all of it as text of lines of this many columns."""
        settings = f"settings: {'; '.join(self.origin)}" if self.origin else "settings:"
        config = textwrap.indent(config_of(self.scenario, width - YAML_BEYOND).decode(), "  ")  # as YAML wraps it
        told = [f"warning: {warning}" for warning in self.warnings]
        parts = [*self._stages(), what_changes(self.scenario) + behaviour(self.scenario), [*theory(self.scenario, exact), *told]]
        top = "\n".join(_wrapped(line, width) for line in [*heading(self.scenario), "", settings])
        return top + "\n" + "\n".join([config, *("".join(f"{_wrapped(line, width)}\n" for line in part) for part in parts)])

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Explanation of {self.scenario.name}: print it, or see .stages, .edges and .graph()>"

    def _stages(self) -> Iterator[list[str]]:
        unit = f"a {self.scenario.period}"
        for key, stage in self.scenario.stages.items():
            kind = stage.kind if stage.rank is None else f"{stage.kind}, rank {stage.rank}"
            start = "; customers start here" if key == self.scenario.start else ""
            label = f"{stage.label}; " if stage.label.lower() not in ("", key) else ""
            lines = [f"{key}: {label}{kind}{start}"]
            rows = [row for row in self.stage_rows if row.stage == key]
            if not rows:
                yield [*lines, "  no way leads here from the start"]
                continue
            if any(row.gain or row.service for row in rows):
                lines.append(f"  cash {unit}: {self._told({row: _cash(row) for row in rows})}")
            lines += stage_lines(self.scenario, key)
            for edge in stage.to:
                along = [row for row in self.edge_rows if (row.stage, row.edge) == (key, edge)]
                lines.append(f"  {_way(along[0])}: {self._told({row: f'{row.chance:.4g}' for row in along})}{self._given(along)}")
                moved = edge_line(self.scenario, key, edge)
                lines += [moved] if moved else []
            lines.append(f"  stays: {self._told({row: f'{max(0.0, 1.0 - row.leave):.4g}' for row in rows})}")
            yield lines

    def _told(self, values: "Mapping[StageRow, str] | Mapping[EdgeRow, str]") -> str:
        found: dict[str, list[str]] = {}
        for row, text in values.items():
            found.setdefault(row.segment, []).append(text)
        return by_segment({segment: by_age(texts) for segment, texts in found.items()})

    def _given(self, rows: Sequence[EdgeRow]) -> str:
        """Return how the scenario gives a rate, where that is not the chance itself."""
        if all(row.given == f"{row.chance:.4g}" for row in rows):
            return ""
        found = {row.segment: row.given for row in rows if row.age == 0}
        listed = len({row.given for row in rows}) > len(set(found.values()))
        return "" if listed and not any(" " in given for given in found.values()) else f" (given as {by_segment(found)})"


def explain(scenario: Scenario, origin: Sequence[str] = ()) -> Explanation:
    """Return what a scenario says: its stages, chances and cash by stage age, warnings, and what theory can answer.

    origin: files and settings that it was made from, to be told.
    """
    stage_rows: list[StageRow] = []
    edge_rows: list[EdgeRow] = []
    for segment, view in scenario.by_segment.items():
        stages, edges = _rows(segment, view)
        stage_rows += stages
        edge_rows += edges
    return Explanation(scenario, tuple(origin), tuple(stage_rows), tuple(edge_rows))


def _rows(segment: str, scenario: Scenario) -> tuple[list[StageRow], list[EdgeRow]]:
    """Return a segment's stages and edges by stage age, from the chain that the exact answers are made from."""
    if scenario.horizon == "inf" and chain.endless(scenario):  # it has no row at which they stop to change
        plain = scenario.model_dump(exclude_unset=True) | {"horizon": SHOWN_YEARS * scenario.periods_per_year}
        scenario = Scenario.model_validate(plain)
    links = chain.build(scenario)
    worth = value.build(scenario, links)
    spend = traits.build(scenario, (), frail=False).scale[0]  # of a mean customer, at price and ordering factor 1
    gain = spend * np.minimum(worth.orders, worth.cap) * worth.gain
    first = {(int(s), int(age)): r for r, (s, age) in reversed(list(enumerate(zip(links.stage, links.age, strict=True))))}
    moves = np.arange(links.rows, len(links.src))
    hazard = _hazards(scenario, links)
    owner = links.src[moves]
    total = np.bincount(owner, hazard, links.rows)
    leave = np.where(links.certain & (total > 0), 1.0, -np.expm1(-total))
    share = np.divide(hazard, total[owner], out=np.zeros(len(moves)), where=total[owner] > 0)
    stages, edges = [], list[EdgeRow]()
    for (s, age), r in sorted(first.items()):
        key = links.stages[s]
        stage = scenario.stages[key]
        money = float(gain[r]), float(worth.serve[r]), float(gain[r] - worth.serve[r])
        stages.append(StageRow(segment, key, stage.label, stage.kind, stage.rank, age, *money, float(leave[r])))
        for move in range(*np.searchsorted(owner, [r, r + 1])):  # moves are in the order of their rows
            name = links.edges[links.edge[moves[move]]].partition(".")[2]
            edge = stage.to[name]
            named = (name, edge.label, scenario.target(key, name), edge.cause or "", _given(scenario, stage, edge, age))
            edges.append(EdgeRow(segment, key, age, *named, float(hazard[move]), float(leave[r] * share[move]), edge.cash))
    return stages, edges


def _hazards(scenario: Scenario, links: chain.Chain) -> chain.Floats:
    """Return the hazard of every move (move,), of a beta edge that of its mean chance."""
    hazard = links.base.copy()
    for place, key in enumerate(links.beta_edges):
        stage, _, name = key.partition(".")
        law = scenario.stages[stage].to[name].beta
        assert law is not None
        hazard[links.beta == place] *= -np.log1p(-law.a / (law.a + law.b))
    return hazard


def _given(scenario: Scenario, stage: Stage, edge: Edge, age: int) -> str:
    """Return an edge's rate at a stage age as the scenario gives it."""
    return rate(scenario, stage, edge, lambda values, _: f"{at(values, age):.4g}")


def _cash(row: StageRow) -> str:
    parts = f" ({amount(row.gain)} margin - {amount(row.service)} service)" if row.service else ""
    return f"{amount(row.net)}{parts}"


def _way(row: EdgeRow) -> str:
    target = row.edge if row.target == row.edge else f"{row.target}, as {row.edge}"
    cause = f" ({row.cause})" if row.cause else ""
    cash = f", {amount(row.cash)} on the move" if row.cash else ""
    return f"-> {target}{cause}{cash}"


def _wrapped(line: str, width: int) -> str:
    """Wrap a line, what follows set in from its beginning."""
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
