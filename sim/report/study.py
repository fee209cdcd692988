"""The report of a study: its answer, figures, tables, what was varied, and the receipt. What they say is made by each kind of study."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sim.report.files import PAGE, figure_files
from sim.report.page import inlined, template
from sim.report.style import Drawn, warn_of_missing_letters

if TYPE_CHECKING:
    from sim.scenario.model import Scenario
    from sim.scenario.study import Factor

TEMPLATE = "study.html.j2"


@dataclass(frozen=True)
class Table:
    """A table of a report. head: names of its columns, the first of which names the rows; rows: as text; note: stands below."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Story:
    """What a study's report says.

    question: stands behind the scenario's label in the title; answer: a sentence or two; notes: what else is found, a sentence each;
    warnings: what a reader must mind; tables, figures: in their order; varied: what varies and how; receipt: names and values; letters:
    what figures show beside the scenario's labels.
    """

    question: str
    answer: str
    notes: Sequence[str]
    figures: Sequence[Drawn]
    tables: Sequence[Table]
    varied: Sequence[tuple[str, str]]
    receipt: Sequence[tuple[str, str]]
    warnings: Sequence[str] = field(default=())
    letters: Iterable[str] = field(default=())


def files(story: Story, scenario: "Scenario", draws: int) -> dict[str, bytes]:
    """Return the report's files by name: ``report.html``, and each figure as SVG, PNG and the CSV of what it draws."""
    from importlib.metadata import version

    from sim import __version__

    warn_of_missing_letters(scenario, story.letters)
    pictures = [(figure, figure.svg()) for figure in story.figures]
    made = [("clvsim", __version__), ("Scheme of the random numbers", str(draws)), ("Figures by", f"matplotlib {version('matplotlib')}")]
    page = template(TEMPLATE).render(
        title=f"{scenario.label or scenario.name}: {story.question}",
        story=story,
        scenario=scenario,
        figures=[(figure, inlined(figure, svg)) for figure, svg in pictures],
        receipt=[("Scenario", scenario.name), *story.receipt, *made],
    )
    return {PAGE: page.encode(), **figure_files(pictures)}


def told(factors: "Mapping[str, Factor]") -> list[tuple[str, str]]:
    """Return what varies and how, in words."""
    return [(name, _told(factor) + _whither(name, factor)) for name, factor in factors.items()]


def _told(factor: "Factor") -> str:
    if factor.values is not None:
        return ", ".join(str(value) for value in factor.values[:12]) + (" …" if len(factor.values) > 12 else "")
    ends = " to ".join(f"{end:g}" for end in (factor.low, factor.high) if end is not None)
    if factor.distribution == "uniform":
        return f"{ends}{', evenly on a log scale' if factor.log else ''}{', whole numbers' if factor.integer else ''}"
    if factor.distribution == "triangular":
        return f"triangular, {ends}, most likely {factor.mode:g}"
    cut = "" if not ends else f", between {ends}" if factor.low is not None and factor.high is not None else f", cut off at {ends}"
    return f"{factor.distribution}, mean {factor.mean:g}, standard deviation {factor.sd:g}{cut.replace(' to ', ' and ')}"


def _whither(name: str, factor: "Factor") -> str:
    if factor.paths == (name,) or not factor.paths:
        return " times what the scenario has" if factor.scale else ""
    return f"{'; multiplies ' if factor.scale else '; sets '}{', '.join(factor.paths)}"
