"""The referee: exact answers from the Scenario's own probabilities, by a recursion that shares nothing with the simulation.

Given the traits that change a customer's hazards, a life is a Markov chain over stages and stage ages whose moments follow by
recursion (``forward``; ``infinite`` for a horizon without end); those traits are mixed by quadrature, and traits that only scale
spending enter through their moments (``traits``). Segments are separate chains; cohorts differ by the calendar alone.
"""

import math

import numpy as np

from sim.exact import chain, forward, infinite, traits, value
from sim.exact.chain import Floats
from sim.exact.forward import Part
from sim.exact.result import Exact, Graph, Moments, mix
from sim.scenario.model import Scenario
from sim.scenario.purchases import Bernoulli, Subscription
from sim.scenario.sample import Cell, cells

__all__ = ["Exact", "Moments", "exact"]


def exact(scenario: Scenario) -> Exact:
    """Return what a scenario means for its customers, without simulation and without error beyond rounding and ``node_error``."""
    parts: dict[str, Part] = {}
    found = cells(scenario)
    phases, phase_of = _phases(scenario, [cell.arrival for cell in found])
    for key, segment in scenario.by_segment.items():
        part = _part(segment, phases)
        if isinstance(part, str):
            return Exact(reason=part if key == "all" and not scenario.segments else f"segments.{key}: {part}")
        parts[key] = part
    limits = all(len(part.patterns) for part in parts.values())
    for part in parts.values():
        part.patterns = part.patterns if limits else part.patterns[:0]

    def shares(chosen: list[Cell]) -> dict[str, Floats]:
        weights = {key: np.zeros(len(phases)) for key in parts}
        whole = sum(cell.share for cell in chosen)
        for cell in chosen:
            weights[cell.segment][phase_of[cell.arrival]] += cell.share / whole if whole > 0 else 0.0
        return weights

    cohorts = {c: shares([cell for cell in found if cell.cohort == c]) for c in dict.fromkeys(cell.cohort for cell in found)}
    stages = scenario.stages
    graph = Graph(
        tuple(stages), tuple(s.kind for s in stages.values()), tuple(f"{key}.{name}" for key, s in stages.items() for name in s.to)
    )
    counted = not all(isinstance(view.purchases, Subscription) for view in scenario.by_segment.values())
    return mix(parts, shares(list(found)), cohorts, graph, counted)


def _phases(scenario: Scenario, arrivals: list[int]) -> tuple[Floats, dict[int, int]]:
    """Return the arrivals whose calendars differ, (p,), and which of them stands for each arrival."""
    calendar = scenario.calendar
    seasons = (calendar.hazards, calendar.orders, calendar.margin)
    round_trip = math.lcm(*(len(season.multiplier or (1.0,)) for season in seasons))
    grows = any(season.growth_annual != 0.0 for season in seasons)
    stands = {arrival: arrival if grows else arrival % round_trip for arrival in arrivals}
    distinct = sorted(set(stands.values()))
    return np.array(distinct, float), {arrival: distinct.index(one) for arrival, one in stands.items()}


def _part(scenario: Scenario, phases: Floats) -> Part | str:
    """Return one segment's answers, or the feature that prevents them."""
    if scenario.horizon == "inf":
        reason = _unending(scenario)
        if reason is not None:
            return reason
    links = chain.build(scenario)
    nodes = traits.build(scenario, links.beta_edges, bool(links.frail.any()))
    if len(nodes.names) > traits.MIXED_AT_MOST:
        return f"more than two traits mixed: {', '.join(nodes.names)}"
    worth = value.build(scenario, links)
    reason = _overflowing(scenario, worth, phases)
    if reason is not None:
        return reason
    if scenario.horizon == "inf":
        return infinite.infinite(scenario, links, worth, nodes)
    return forward.forward(scenario, links, worth, nodes, phases)


def _unending(scenario: Scenario) -> str | None:
    """Name what changes for ever."""
    for key in chain.endless(scenario):
        stage, name = key.split(".")
        return f"stages.{stage}.to.{name}.weibull: changes with stage age for ever, under horizon: inf"
    for name in ("hazards", "orders", "margin"):
        if value.varies(getattr(scenario.calendar, name)):
            return f"calendar.{name}: changes for ever, under horizon: inf"
    return None


def _overflowing(scenario: Scenario, worth: value.Value, phases: Floats) -> str | None:
    """Name ordering chances that differ between customers and are cut at 1 for some of them."""
    if not isinstance(scenario.purchases, Bernoulli) or scenario.purchases.probability.value is not None:
        return None
    horizon = 1 if scenario.horizon == "inf" else scenario.horizon
    season = value.factors(scenario.calendar.orders, phases[:, None] + np.arange(horizon), scenario.periods_per_year)
    if worth.orders.max() * season.max() > 1.0 + 1e-12:
        return "orders: a factor above 1 on an ordering chance that differs between customers"
    return None
