"""What a notebook shows of a value: small HTML tables, escaped, that need nothing from outside."""

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.scenario.model import Scenario
    from sim.scenario.stages import Edge

FEW = 4
"""Values by stage age that are shown; more end in an ellipsis."""


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], note: str = "") -> str:
    """Return a table as HTML. title stands above it, note below; all of it is text and is escaped here."""
    left = ' style="text-align:left"'
    cells = [f"<th{left}>{html.escape(name)}</th>" for name in head]
    body = ["".join(f"<td{left}>{html.escape(cell)}</td>" for cell in row) for row in rows]
    top = f"<thead><tr>{''.join(cells)}</tr></thead>" if head else ""
    lines = "".join(f"<tr>{line}</tr>" for line in body)
    below = f"<div>{html.escape(note)}</div>" if note else ""
    return f"<div><strong>{html.escape(title)}</strong><table>{top}<tbody>{lines}</tbody></table>{below}</div>"


def headline(scenario: "Scenario") -> str:
    """Return name, size, horizon and rate of a scenario in one line."""
    span = "without end" if scenario.horizon == "inf" else f"{scenario.horizon:,} {scenario.period}{'' if scenario.horizon == 1 else 's'}"
    said = [f"{len(scenario.stages)} stages", span, f"{100 * scenario.discount_rate_annual:.6g} % a year"]
    if scenario.segments:
        said.insert(1, f"{len(scenario.segments)} segments")
    return f"{scenario.name}: {', '.join(said)}"


def stages(scenario: "Scenario") -> str:
    """Return a scenario's stages and their ways out as an HTML table."""
    rows = []
    for key, stage in scenario.stages.items():
        ways = [f"{name} {_rate(edge)}" for name, edge in stage.to.items()]
        rank = f", rank {stage.rank}" if stage.rank else ""
        stay = f", mean stay {stage.mean_duration:g}" if stage.mean_duration else ""
        rows.append((key, stage.label, f"{stage.kind}{rank}{stay}", "; ".join(ways)))
    note = f"{scenario.label}. Chances and stays are by the {scenario.period}; several stand for stage ages 0, 1, 2 …"
    return table(headline(scenario), ("stage", "label", "kind", "ways out and their chances"), rows, note.removeprefix(". "))


def _rate(edge: "Edge") -> str:
    a_period = f" a {edge.rate_period}" if edge.rate_period else ""
    if edge.probability is not None:
        return _listed(edge.probability) + a_period
    if edge.hazard is not None:
        return f"hazard {_listed(edge.hazard)}{a_period}"
    if edge.weibull is not None:
        return f"Weibull({edge.weibull.shape:g}, {edge.weibull.scale:g}){a_period}"
    if edge.beta is not None:
        return f"Beta({edge.beta.a:g}, {edge.beta.b:g}){a_period}"
    if edge.share is not None:
        return f"{edge.share:g} of those who leave" + (f", the stay counted in {edge.rate_period}s" if edge.rate_period else "")
    return f"mean stay {edge.mean_duration:g}" + (f" {edge.rate_period}s" if edge.rate_period else "")


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values[:FEW]) + (", …" if len(values) > FEW else "")
