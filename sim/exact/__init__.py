"""The referee: exact answers from the Scenario's own probabilities, by a recursion that shares nothing with the simulation.

Given the traits that change a customer's hazards, a life is a Markov chain over stages and stage ages whose moments follow by
recursion (``forward``; ``infinite`` for a horizon without end); those traits are mixed by quadrature, and traits that only scale
spending enter through their moments (``traits``). Segments are separate chains; cohorts differ by the calendar alone.
"""

import math
from dataclasses import replace

import numpy as np

from sim.exact import chain, forward, infinite, market, reasons, traits, value
from sim.exact.chain import Floats
from sim.exact.forward import Part
from sim.exact.result import Exact, Graph, Moments, mix
from sim.scenario.model import Scenario
from sim.scenario.policy import Policy
from sim.scenario.purchases import Subscription
from sim.scenario.sample import Cell, bought, cells
from sim.scenario.sample import cohorts as arriving

__all__ = ["Exact", "Moments", "exact"]


def exact(scenario: Scenario) -> Exact:
    """Return what a scenario means for its customers, without simulation and without error beyond rounding and ``node_error``."""
    if scenario.base is not None:
        return Exact(reason="base: customers who have already lived through part of their lives")
    parts: dict[str, Part] = {}
    found = cells(scenario)
    phases, phase_of = _phases(scenario, [cell.arrival for cell in found])
    for key, segment in scenario.by_segment.items():
        part = _part(segment, phases)
        if isinstance(part, str):
            everywhere = not scenario.segments or part == _reason(scenario)
            return Exact(reason=part if everywhere else f"segments.{key}: {part}")
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
        tuple(stages),
        tuple(s.kind for s in stages.values()),
        tuple(f"{key}.{name}" for key, s in stages.items() for name in s.to),
        counted=not all(isinstance(view.purchases, Subscription) for view in scenario.by_segment.values()),
        levelled=scenario.level is not None,
    )
    answer = mix(parts, shares(list(found)), cohorts, graph)
    return replace(answer, equity=_equity(scenario, answer))


def _equity(scenario: Scenario, answer: Exact) -> float | None:
    """Return the CLV of all cohorts at calendar 0 less what the firm pays by itself, from then to the end of the last one's window.

    None where arrivals depend on customers.
    """
    if scenario.coupled:
        return None
    factor, firm = scenario.discount_factor, scenario.firm
    groups = arriving(scenario)
    total = -firm.setup_cost
    for place, group in enumerate(groups):
        entry = scenario.cohorts.get(group.id)
        spent = entry.budget or 0.0 if entry is not None else 0.0
        total += factor**group.arrival * (group.customers * answer.by_cohort[place].clv_mean - spent)
    last = math.inf if scenario.horizon == "inf" else groups[-1].arrival + scenario.horizon
    if firm.fixed_cost > 0:
        periods = last if factor == 1.0 else -math.expm1(last * math.log(factor)) / (1.0 - factor)
        total -= firm.fixed_cost * periods
    total -= math.fsum(_paid(policy, factor, last) + bought(scenario, policy, last)[1] for policy in scenario.policies.values())
    return total if math.isfinite(total) else None


def _paid(policy: Policy, factor: float, last: float) -> float:
    """Return what a policy costs the firm by itself up to calendar period ``last``, at calendar 0."""
    begin, end = policy.when.start, last if policy.when.stop is None else min(policy.when.stop, last)
    if begin >= last:
        return 0.0
    periods = end - begin if factor == 1.0 else -math.expm1((end - begin) * math.log(factor)) / (1.0 - factor)
    return factor**begin * (policy.cost.setup + (policy.cost.per_period * periods if policy.cost.per_period else 0.0))


def _phases(scenario: Scenario, arrivals: list[int]) -> tuple[Floats, dict[int, int]]:
    """Return the arrivals whose calendars differ, (p,), and which of them stands for each arrival."""
    calendar, calm = scenario.calendar, market.settled(scenario)
    seasons = (calendar.hazards, calendar.orders, calendar.margin)
    round_trip = math.lcm(*(len(season.multiplier or (1.0,)) for season in seasons))
    grows = any(season.growth_annual != 0.0 for season in seasons)
    stands = {one: one if grows or one < calm else calm + (one - calm) % round_trip for one in arrivals}
    distinct = sorted(set(stands.values()))
    return np.array(distinct, float), {arrival: distinct.index(one) for arrival, one in stands.items()}


def _reason(scenario: Scenario) -> str | None:
    """Return the feature that prevents an answer, as far as the scenario alone tells it."""
    return reasons.unsolved(scenario) or (reasons.unending(scenario) if scenario.horizon == "inf" else None)


def _part(scenario: Scenario, phases: Floats) -> Part | str:
    """Return one segment's answers, or the feature that prevents them."""
    reason = _reason(scenario)
    if reason is not None:
        return reason
    links = chain.build(scenario)
    nodes = traits.build(scenario, links.beta_edges, bool(links.frail.any()))
    if len(nodes.names) > traits.MIXED_AT_MOST:
        return f"more than two traits mixed: {', '.join(nodes.names)}"
    worth = value.build(scenario, links)
    reason = reasons.overflowing(scenario, worth, phases)
    if reason is not None:
        return reason
    if scenario.horizon == "inf":
        return infinite.infinite(scenario, links, worth, nodes)
    return forward.forward(scenario, links, worth, nodes, phases)
