"""What a report adds to a run's folder."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sim.report import figures, style
from sim.report.page import page

if TYPE_CHECKING:
    from sim.studies.result import Result

PAGE = "report.html"


def names(result: "Result") -> set[str]:
    """Return the names, relative to the run's folder, that ``files`` makes of this result; draws nothing."""
    return {PAGE, *(f"figures/{name}.{kind}" for name in figures.fitting(result) for kind in ("svg", "png", "csv"))}


def files(result: "Result", draws: int) -> dict[str, bytes]:
    """Return the report's files by name: ``report.html``, and each figure as SVG, PNG and the CSV of what it draws.

    draws: as for ``page``. May warn with ``style.FontWarning``.
    """
    style.warn_of_missing_letters(result.scenario)
    drawn = [figures.FIGURES[name](result) for name in figures.fitting(result)]
    pictures = [(figure, figure.svg()) for figure in drawn]
    return {PAGE: page(result, pictures, draws).encode(), **figure_files(pictures)}


def figure_files(pictures: Sequence[tuple[style.Drawn, str]]) -> dict[str, bytes]:
    """Return the files of figures, each with its SVG: that, PNG, and the CSV of what it draws."""
    found: dict[str, bytes] = {}
    for figure, svg in pictures:
        found[f"figures/{figure.name}.svg"] = svg.encode()
        found[f"figures/{figure.name}.png"] = figure.png()
        found[f"figures/{figure.name}.csv"] = figure.frame.to_csv(index=False, lineterminator="\n").encode()
    return found
