"""What a notebook shows of a value: small HTML tables, escaped, that need nothing from outside; and rates in words, for all pages."""

import html
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.scenario.model import Scenario
    from sim.scenario.stages import Edge, Stage

Say = Callable[[tuple[float, ...], bool], str]

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
        ways = [", ".join(filter(None, (f"{name} {rate(scenario, stage, edge)}", effects(edge)))) for name, edge in stage.to.items()]
        rank = f", rank {stage.rank}" if stage.rank else ""
        stay = f", mean stay {stage.mean_duration:g}" if stage.mean_duration else ""
        rows.append((key, stage.label, f"{stage.kind}{rank}{stay}", "; ".join(ways)))
    note = f"{scenario.label}. Chances and stays are by the {scenario.period}; several stand for stage ages 0, 1, 2 …"
    return table(headline(scenario), ("stage", "label", "kind", "ways out and their chances"), rows, note.removeprefix(". "))


def listed(values: tuple[float, ...]) -> str:
    """Return the first few values, more of them as an ellipsis."""
    return ", ".join(f"{value:g}" for value in values[:FEW]) + (", …" if len(values) > FEW else "")


def _listed(values: tuple[float, ...], _: bool) -> str:
    return listed(values)


TERMS = {
    "loyalty": (1, "loyalty lacking"),
    "trust": (1, "trust lacking"),
    "switching_cost": (-1, "investment"),
    "value": (-1, "gain in value"),
    "brand": (-1, "gain in brand"),
    "relationship": (-1, "gain in relationship"),
    "surplus": (1, "share of surplus lacking"),
}
"""Sign and name of what each effect's coefficient multiplies in the exponent."""


def effects(edge: "Edge") -> str:
    """Return in words by what an edge's hazard is multiplied, "" where nothing moves it."""
    terms = [(sign * getattr(edge.effects, key), name) for key, (sign, name) in TERMS.items() if getattr(edge.effects, key)]
    if not terms:
        return ""
    first, *others = terms
    told = f"{first[0]:g} {first[1]}" + "".join(f" {'+' if value > 0 else '-'} {abs(value):g} {name}" for value, name in others)
    return f"hazard times exp({told})"


def streams(stage: "Stage") -> list[tuple[str, tuple[float, ...]]]:
    """Return name and worth by stage age of what a stage brings beside purchases and word of mouth, of those that are not 0."""
    every = {"information": stage.information, "knowledge": stage.knowledge, "fees": stage.fees, "sales cost": stage.sales_cost}
    every["information a contact"] = stage.information_per_contact
    return [(name, values) for name, values in every.items() if any(values)]


def rate(scenario: "Scenario", stage: "Stage", edge: "Edge", say: Say = _listed, period_told: bool = False) -> str:
    """Return in words at which rate an edge out of a stage is taken, as the scenario gives it.

    say: puts values by stage age into words, told whether they are shares; period_told: name also the scenario's own period.
    """
    period = edge.rate_period or scenario.period
    a_period = f" a {period}" if period_told or period != scenario.period else ""
    if edge.probability is not None:
        return f"{say(edge.probability, True)}{a_period}"
    if edge.hazard is not None:
        return f"hazard {say(edge.hazard, False)}{a_period}"
    if edge.weibull is not None:
        return f"Weibull hazard of shape {edge.weibull.shape:g} and scale {_span(edge.weibull.scale, period)}"
    if edge.beta is not None:
        return f"each customer's own, Beta({edge.beta.a:g}, {edge.beta.b:g}){a_period}"
    if edge.share is not None and stage.mean_duration is not None:
        return f"{say((edge.share,), True)} of those who leave, after {_span(stage.mean_duration, period)} on average"
    assert edge.mean_duration is not None  # one of the six is given
    return f"a mean stay of {_span(edge.mean_duration, period)} were this the only way"


def _span(count: float, period: str) -> str:
    return f"{count:g} {period}{'' if count == 1 else 's'}"
