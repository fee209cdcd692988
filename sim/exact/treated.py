"""Chains with a policy in force: the rows of the plain chain, one phase for all, with other hazards, prices and costs.

What a policy does to a move (model: set or add, in points, before conversion; then multiply the hazard) is written into a scenario of
its own, whose hazards ``sim.exact.chain`` then makes as it makes all others; multipliers fade as ``factor ** decay ** k``.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from sim.exact import chain as chains
from sim.exact.chain import Chain, Flags, Floats, leaving
from sim.exact.market import hazard_factors
from sim.exact.traits import Nodes
from sim.exact.value import Value, factors, worth
from sim.scenario.base import Model, at
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.policy import EdgeEffect, Policy, PolicyEffects, When, Who
from sim.scenario.stages import Edge, Stage

MODELLED = ("edges", "causes", "price", "margin", "cost_to_serve", "drivers")
SEEN = ("stages", "tenure_from", "tenure_until", "age_from", "age_until")
SLACK = 1e-12


def left_out(policies: Mapping[str, Policy]) -> tuple[str, ...]:
    """Return what a rule by stage, age and tenure leaves out of these policies, as dotted paths.

    Conditions on anything else, and effects on anything but hazards, price, margin and cost to serve. Costs of the firm's own enter no CLV.
    """
    found = []
    for key, policy in policies.items():
        parts: tuple[tuple[str, Model, Model, tuple[str, ...]], ...] = (
            ("who", policy.who, Who(), SEEN),
            ("effects", policy.effects, PolicyEffects(), MODELLED),
        )
        for part, given, plain, known in parts:
            names = [name for name in type(plain).model_fields if name not in known]
            found += [f"policies.{key}.{part}.{name}" for name in names if getattr(given, name) != getattr(plain, name)]
        found += [f"policies.{key}.turnover"] * (policy.turnover is not None)
        found += [f"policies.{key}.overload"] * (policy.overload == "share")
        found += [f"policies.{key}.when"] * (policy.when != When()) + [f"policies.{key}.excludes"] * bool(policy.excludes)
    return tuple(found)


def treated_stages(scenario: Scenario, policy: Policy) -> tuple[str, ...]:
    """Return the stages in which a policy may contact: those named, else all active ones."""
    return policy.who.stages or tuple(key for key, stage in scenario.stages.items() if stage.kind == "active")


def check(scenario: Scenario, policies: Mapping[str, Policy]) -> None:
    """Raise ScenarioError with every fault of the policies that would leave the chain without an answer."""
    faults = [fault for key, policy in policies.items() for fault in _faults(scenario, key, policy)]
    if faults:
        raise ScenarioError(faults)


def _faults(scenario: Scenario, key: str, policy: Policy) -> Iterator[Fault]:
    where, stages = f"policies.{key}", scenario.stages
    for stage in policy.who.stages or ():
        if stage not in stages:
            yield Fault(f"{where}.who.stages", stage, "a stage of the scenario", f"one of {', '.join(stages)}")
    for stage, entries in policy.effects.edges.items():
        for name, effect in entries.items():
            path = f"{where}.effects.edges.{stage}.{name}"
            edge = stages[stage].to.get(name) if stage in stages else None
            if edge is None:
                yield Fault(path, "", "an edge of the scenario")
            elif (effect.set, effect.add) == (None, None):
                continue
            elif _chances(stages[stage], edge) is None:
                yield Fault(path, "", "set and add need an edge that is given as a probability", "multiply its hazard")
            elif policy.decay < 1.0:
                yield Fault(path, "", "set and add cannot fade", "multiply the hazard, or leave decay out")
    if policy.lasts is None and policy.decay < 1.0 and scenario.horizon == "inf":
        rule = "an effect that fades for ever has no end under horizon: inf"
        yield Fault(f"{where}.decay", str(policy.decay), rule, "say how long it lasts")
    for stage in policy.effects.edges.keys() & stages.keys():
        most, age = _most(stages[stage], policy.effects.edges[stage])
        if most > 1.0 + SLACK:
            rule = f"probabilities to leave {stage} sum to {most:.6g} at stage age {age}; at most 1"
            yield Fault(f"{where}.effects.edges.{stage}", "", rule, "take less from staying")


def _most(stage: Stage, effects: Mapping[str, EdgeEffect]) -> tuple[float, int]:
    """Return the largest sum of a stage's probabilities with a policy in force, and its first stage age."""
    lists = [found for name, edge in stage.to.items() if (found := _chances(stage, edge, effects.get(name))) is not None]
    sums = [math.fsum(at(one, age) for one in lists) for age in range(max(map(len, lists), default=1))]
    return max(sums), sums.index(max(sums))


def _chances(stage: Stage, edge: Edge, effect: EdgeEffect | None = None) -> tuple[float, ...] | None:
    """Return an edge's probabilities by stage age, set and added to; None for an edge that is not given as one."""
    base = edge.probability
    if edge.share is not None and stage.mean_duration is not None:
        base = (edge.share / stage.mean_duration,)
    if base is None or effect is None:
        return base
    chances = effect.set or base
    add = effect.add or (0.0,)
    count = max(len(base), len(chances), len(add))
    return tuple(min(max(at(chances, age) + at(add, age), 0.0), 1.0) for age in range(count))


def padded(scenario: Scenario, policies: Mapping[str, Policy]) -> Scenario:
    """Return the scenario with as many stage ages told apart as the policies need."""
    stages = {}
    for key, stage in scenario.stages.items():
        lengths = [len(stage.cost_to_serve)]
        for policy in policies.values():
            if key in treated_stages(scenario, policy):
                lengths += [policy.who.age_from + 1, (policy.who.age_until or 0) + 1]
            for effect in policy.effects.edges.get(key, {}).values():
                lengths += [len(values) for values in (effect.set, effect.add, effect.multiply) if values]
        most = max(lengths) if scenario.horizon == "inf" else min(max(lengths), scenario.horizon)
        cost = stage.cost_to_serve
        stages[key] = stage.model_copy(update={"cost_to_serve": cost + cost[-1:] * (most - len(cost))})
    return scenario.model_copy(update={"stages": stages, "policies": {}})


def build(scenario: Scenario, policy: Policy | None = None) -> Chain:
    """Return the chain by stage and stage age alone, with what a policy sets and adds; its multipliers are apart (``multipliers``)."""
    if policy is not None and policy.alters:
        stages = dict(scenario.stages)
        for key, entries in policy.effects.edges.items():
            changed = {}
            for name, one in entries.items():
                edge = stages[key].to[name]
                if (one.set, one.add) != (None, None):
                    changed[name] = edge.model_copy(update={"probability": _chances(stages[key], edge, one), "share": None})
            stages[key] = stages[key].model_copy(update={"to": {**stages[key].to, **changed}})
        scenario = scenario.model_copy(update={"stages": stages})
    return _merged(chains.build(scenario))


def _merged(chain: Chain) -> Chain:
    """Return a chain whose rows are told apart by stage and age, not by phase, which moves neither hazards nor cash."""
    cells = list(zip(chain.stage.tolist(), chain.age.tolist(), strict=True))
    first = {cell: r for r, cell in reversed(list(enumerate(cells)))}
    rows = np.array(sorted(first.values()))
    place = {cells[r]: i for i, r in enumerate(rows)}
    to = np.array([place[cell] for cell in cells])
    pairs = np.isin(chain.src, rows)
    moves = pairs[chain.rows :]
    by_move = {name: getattr(chain, name)[moves] for name in ("base", "frail", "seasonal", "beta")}
    by_pair = {name: getattr(chain, name)[pairs] for name in ("edge", "cash", "converts")}
    by_row = {name: getattr(chain, name)[rows] for name in ("stage", "age", "phase", "certain")}
    src, dst = to[chain.src[pairs]], to[chain.dst[pairs]]
    return replace(chain, src=src, dst=dst, driven=chain.driven[:, moves], start=int(to[chain.start]), **by_move, **by_pair, **by_row)


def multipliers(scenario: Scenario, chain: Chain, policy: Policy) -> Floats:
    """Return what a policy at full strength multiplies each move's hazard by, (move,): by name, by cause and through the drivers."""
    found = []
    for e, src in zip(chain.edge[chain.rows :], chain.src[chain.rows :], strict=True):
        stage, name = chain.edges[e].split(".")
        edge, effect = scenario.stages[stage].to[name], policy.effects.edges.get(stage, {}).get(name, EdgeEffect())
        swayed = math.fsum(getattr(edge.effects, driver) * points for driver, points in policy.effects.drivers.items())
        cause = policy.effects.causes.get(edge.cause, 1.0) if edge.cause else 1.0
        found.append(at(effect.multiply or (1.0,), int(chain.age[src])) * cause * math.exp(-swayed))
    return np.array(found, float)


def gainless(scenario: Scenario, chain: Chain, value: Value) -> Flags:
    """Return the rows of customers who are done, (r,): no way out and no cash, so that nobody is contacted there."""
    prices = chain.by_row({key: stage.prices for key, stage in scenario.stages.items()})
    earns = (prices * value.orders != 0) | (value.serve != 0) | value.streams.any(0) | (value.known != 0)
    return np.asarray(~earns & np.array([not scenario.stages[chain.stages[s]].to for s in chain.stage], bool))


@dataclass(frozen=True)
class Held:
    """A period with a policy in force, or none: chances: (pair,); cash: (r,) mean of a period, currency, as at its start."""

    chances: Floats
    cash: Floats


def held(scenario: Scenario, chain: Chain, value: Value, nodes: Nodes, period: int) -> Held:
    """Return what happens in a calendar period: chances of each pair, and mean cash before acquisition cost by row."""
    when, seasons = np.array([float(period)]), scenario.calendar
    orders, margin = (factors(season, when, scenario.periods_per_year) for season in (seasons.orders, seasons.margin))
    gone = leaving(chain, nodes, hazard_factors(scenario, chain)(when), scenario.exposure == "until_exit")
    money = worth(chain, value, 0, orders, margin)
    lived = (gone.stay + gone.leave * gone.lived)[:, 0, 0]
    cash = (money.alpha[:, 0] * nodes.scale[0] + money.flat + money.known * value.known_moments[0]) * lived
    chances = gone.pairs[:, 0, 0]
    return Held(chances, cash + np.bincount(chain.src, chances * money.before, chain.rows))
