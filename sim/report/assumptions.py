"""A scenario in words and rows: what a report says it assumed. Nothing is simulated here."""

from collections.abc import Iterator, Mapping
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from sim.report import words
from sim.scenario.customers import MECHANISMS
from sim.scenario.model import Scenario
from sim.scenario.sample import existing_customers
from sim.scenario.shown import effects, rate, streams
from sim.scenario.stages import Edge, Stage

MOST_SETTINGS = 80
"""Most single settings that are listed; config.yaml holds all."""

MOST_AGES = 6
"""Most runs of equal values by stage age that are listed."""

MOST_LISTED = 12
"""Most entries of a list that are listed."""

WHEN = {"start": "start of the period", "mid": "middle of the period", "end": "end of the period"}


class StageRow(NamedTuple):
    """A stage as a table shows it."""

    label: str
    kind: str
    price: str
    margin: str
    service: str
    orders: str
    beside: list[str]
    ways: list[str]


def parts(scenario: Scenario, horizon: int) -> dict[str, Any]:
    """Return what ``assumptions.html.j2`` shows, by name."""
    rows, left_out = settings(scenario)
    told = {"conventions": conventions(scenario, horizon), "stages": stage_rows(scenario)}
    return {**told, "settings": rows, "settings_left_out": left_out}


def conventions(scenario: Scenario, horizon: int) -> list[tuple[str, str]]:
    """Return the conventions behind every number, as name and words."""
    monthly = scenario.discount_factor**-1 - 1
    rate = f"{_percent(scenario.discount_rate_annual)} a year, effective"
    if scenario.periods_per_year > 1:
        rate += f" (a {scenario.period}: {_percent(monthly)})"
    timing, due = scenario.timing, scenario.acquisition.due
    later = due == "conversion" and scenario.stages[scenario.start].kind == "prospect"
    acquisition = "when the prospect becomes active" if later else "on arrival"
    exposure = "the whole of it" if scenario.exposure == "whole" else "the part of it that was lived through"
    held = existing_customers(scenario)
    return [
        ("Period", scenario.period + (f"; {scenario.periods_per_year} a year" if scenario.periods_per_year > 1 else "")),
        ("Horizon", f"{words.periods(scenario, horizon)} from each customer's arrival"),
        ("Discount rate", rate),
        ("Purchases fall", f"at the {WHEN[timing.purchase]}"),
        ("Cost to serve falls", f"at the {WHEN[timing.service]}"),
        ("Cash on moves falls", "at the end of the period"),
        ("Acquisition cost falls", f"at the start of the period, {acquisition}"),
        ("Period of leaving", f"earns {exposure}"),
        ("Start", f"every {'customer' if held == 0 else 'new customer'} starts in “{words.stage(scenario, scenario.start)}”"),
        *([("Existing customers", f"{words.plain(held)}, each where its table has it, from calendar 0 on")] if held else []),
    ]


def _percent(rate: float) -> str:
    return f"{100 * rate:.4g}{words.SPACE}%"


def stage_rows(scenario: Scenario) -> list[StageRow]:
    """Return what each stage brings in a period, and the ways out of it, as the scenario says it."""
    return [
        StageRow(
            words.stage(scenario, key),
            _kind(scenario, stage),
            _listed(stage.prices),
            _listed(stage.margin),
            _listed(stage.cost_to_serve),
            _orders(stage),
            _beside(stage),
            [_way(scenario, key, name, edge) for name, edge in stage.to.items()] or ["none"],
        )
        for key, stage in scenario.stages.items()
    ]


def _kind(scenario: Scenario, stage: Stage) -> str:
    said: list[str] = [stage.kind]
    if stage.rank is not None:
        said.append(f"rank {stage.rank}")
    if stage.mean_duration is not None:
        said.append(f"mean stay {words.periods(scenario, stage.mean_duration)}")
    return ", ".join(said)


def _orders(stage: Stage) -> str:
    """Return what the stage does to orders: a factor on their number, and the variation of their amounts where it has its own."""
    own = f"; amounts vary by {_percent(stage.amount_cv)}" if stage.amount_cv is not None else ""
    return f"{_listed(stage.orders)}{own}"


def _beside(stage: Stage) -> list[str]:
    """Return what a stage brings and does beside purchases: streams, share of wallet, delivered value, contacts, products, surplus."""
    said = [f"{name} {_listed(values)}" for name, values in streams(stage)]
    if stage.level is not None:
        said.append(f"share of wallet {_percent(stage.level.speed)} of the way to {_percent(stage.level.target)}")
    if stage.delivered_value.model_fields_set:
        said.append(f"delivered value {words.plain(stage.delivered_value.net)}")
    if any(stage.contacts):
        said.append(f"contacts {_listed(stage.contacts)}")
    if any(stage.cross_sell):
        said.append(f"adds a product {_listed(stage.cross_sell, percent=True)}")
    if stage.willing_to_pay is not None:
        shares = tuple(stage.customer_share(age) or 0.0 for age in range(stage.offer_ages))
        said.append(f"worth to the customer {_listed(stage.willing_to_pay)}, its share of the surplus {_listed(shares, percent=True)}")
    return said


def _listed(values: tuple[float, ...], percent: bool = False) -> str:
    """Return values by stage age, those that hold told once: ``6 % at stage age 0 to 5, 3 % from 6 on``; of many the first and the last."""
    said = [_percent(value) if percent else f"{value:,.6g}" for value in values]
    runs = [(next(group)[0], value) for value, group in groupby(enumerate(said), key=lambda item: item[1])]
    if len(runs) == 1:
        return said[0]
    told = []
    for (age, value), (after, _) in pairwise(runs):
        span = f"{age}" if after - age == 1 else f"{age} to {after - 1}"
        told.append(f"{value} at {span}" if age else f"{value} at stage age {span}")
    if len(runs) > MOST_AGES:
        told = [*told[: MOST_AGES - 2], "…"]
    return ", ".join([*told, f"{runs[-1][1]} from {runs[-1][0]} on"])


def _way(scenario: Scenario, stage: str, name: str, edge: Edge) -> str:
    target = scenario.target(stage, name)
    way = f"→ {words.stage(scenario, target)}" + (f" ({edge.label})" if edge.label else "")
    said = [rate(scenario, scenario.stages[stage], edge, _shown, period_told=True)]
    if edge.cause is not None:
        said.append(f"cause: {edge.cause}")
    if edge.cash:
        said.append(f"cash {words.plain(edge.cash)}")
    if moved := effects(edge):
        said.append(moved)
    return f"{way}: {', '.join(said)}"


def _shown(values: tuple[float, ...], share: bool) -> str:
    said = _listed(values, percent=share)
    return f"{said}," if said.endswith(" on") else said


def settings(scenario: Scenario) -> tuple[list[tuple[str, str]], int]:
    """Return what else the scenario sets, dotted key and value, and how many of these settings are left out for length."""
    chosen = {"purchases", "frailty", "correlations", "credit", "acquisition", "segments", "cohorts", "calendar", "patterns", "firm"}
    chosen |= {*MECHANISMS, "transaction", "drivers", "market", "crowd", "learning", "service", "fair_share", "policies", "budgets"}
    plain = scenario.model_dump(mode="json", exclude_unset=True, include=chosen)
    found = [(key, value) for key, value in _flat(plain) if not key.endswith(".label")]
    return found[:MOST_SETTINGS], max(len(found) - MOST_SETTINGS, 0)


def _flat(value: Any, above: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{above}.{key}" if above else str(key))
    elif isinstance(value, list):
        shown = [f"{item:,.6g}" if isinstance(item, int | float) else str(item) for item in value]
        few = shown if len(shown) <= MOST_LISTED else [*shown[: MOST_LISTED - 1], "…", f"{shown[-1]} ({len(shown)} in all)"]
        yield above, ", ".join(few)
    elif value is not None:
        yield above, f"{value:,.10g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
