"""Policies as numbers: who stands where they may be treated, what they cost by tenure, what they do to hazards and to all else.

What acts at full strength on everybody in force (no decay, no spread) is settled here: hazards are laid out once for every set of such
policies that can be in force, and a customer's set picks the copy. The rest are log-multipliers that the kernels weigh by strength.
"""

import hashlib
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sim.compile.hazards import StageHazards, ages, stage_hazards
from sim.compile.spending import wallet_of
from sim.kernels.addresses import POLICY_PURPOSES
from sim.kernels.types import (
    CONTACTS_LIFT,
    CROSS_SELL_LIFT,
    EXPECTATION_LIFT,
    LEVEL_LIFT,
    LIFTS,
    MARGIN_LIFT,
    ORDERS_LIFT,
    PERFORMANCE_LIFT,
    RANKS,
    SERVICE_LIFT,
    UNIT,
    WHEN,
    Z_MAX,
    Array,
)
from sim.scenario import Fault, Scenario, ScenarioError
from sim.scenario.base import at
from sim.scenario.policy import EdgeEffect, Policy
from sim.scenario.stages import Edge, Stage
from sim.scenario.world import OFFSET

NEVER = 2**31
FAR_DOWN, FAR_UP = -1e6, 1e6
WORDS = 2**32
SLACK = 1e-12


def purpose(policy: str) -> int:
    """Return where a policy draws: its id decides, so that other policies move nothing."""
    return POLICY_PURPOSES + int.from_bytes(hashlib.sha256(policy.encode()).digest()[:2]) % 0x8000


def desk(policy: str) -> str:
    """Return the name by which a policy's staff draw; no policy is called so."""
    return f"{policy}.turnover"


def steady(policy: Policy) -> bool:
    """Return whether a policy acts alike on all in force, for as long as it is."""
    return policy.decay == 1.0 and policy.effects.spread == 0.0 and policy.overload != "share"


def effects(scenario: Scenario, policy: Policy, stage_id: str) -> dict[str, EdgeEffect]:
    """Return what a policy does to the edges of a stage: by name, by cause and through the drivers of equity, multiplied."""
    found: dict[str, EdgeEffect] = {}
    for edge_id, edge in scenario.stages[stage_id].to.items():
        named = policy.effects.edges.get(stage_id, {}).get(edge_id)
        factor = policy.effects.causes.get(edge.cause, 1.0) if edge.cause else 1.0
        factor *= math.exp(-math.fsum(getattr(edge.effects, driver) * points for driver, points in policy.effects.drivers.items()))
        if named is not None or factor != 1.0:
            named = named or EdgeEffect()
            found[edge_id] = named.model_copy(update={"multiply": tuple(one * factor for one in named.multiply or (1.0,))})
    return found


def ages_needed(scenario: Scenario, stage_id: str, most: int) -> int:
    """Return how many stage ages must be told apart: by the stage itself, by whom policies treat, and by what they do."""
    lengths = [ages(scenario.stages[stage_id], most)]
    for policy in scenario.policies.values():
        if stage_id in treated_stages(scenario, policy):
            lengths += [policy.who.age_from + 1, (policy.who.age_until or 0) + 1]
        for effect in policy.effects.edges.get(stage_id, {}).values():
            lengths += [len(values) for values in (effect.set, effect.add, effect.multiply) if values]
    return min(max(lengths), most)


def treated_stages(scenario: Scenario, policy: Policy) -> tuple[str, ...]:
    """Return the stages in which a policy may treat: those named, else all active ones."""
    return policy.who.stages or tuple(key for key, stage in scenario.stages.items() if stage.kind == "active")


def altering(scenario: Scenario) -> list[str]:
    """Return the policies with a bit of their own: they act steadily on some hazard."""
    return [
        key for key, one in scenario.policies.items() if steady(one) and any(effects(scenario, one, stage) for stage in scenario.stages)
    ]


def altered(scenario: Scenario, oldest: int, counts: Array, plain: Sequence[StageHazards]) -> list[list[StageHazards]]:
    """Return the hazards of each stage under every set of altering policies, the empty set first (``plain``).

    Policy b of ``altering`` is in set m where m has bit b. counts: (s,) stage ages told apart.
    """
    names = altering(scenario)
    found = [list(plain)]
    for mask in range(1, 2 ** len(names)):
        chosen = [key for b, key in enumerate(names) if mask >> b & 1]
        if any(apart(scenario, one, other) for one, other in itertools.combinations(chosen, 2)):
            found.append(list(plain))  # nobody is ever in such a set
            continue
        found.append([_stage(scenario, stage_id, chosen, oldest, int(counts[s])) for s, stage_id in enumerate(scenario.stages)])
    return found


def apart(scenario: Scenario, one: str, other: str) -> bool:
    """Return whether two policies are never in force together, as each leaves the other's members alone."""
    return other in scenario.policies[one].excludes and one in scenario.policies[other].excludes


def _stage(scenario: Scenario, stage_id: str, chosen: Sequence[str], oldest: int, count: int) -> StageHazards:
    """Return a stage's hazards with some policies in force: probabilities set, then added to, then hazards multiplied."""
    stage = scenario.stages[stage_id]
    by_policy = {key: effects(scenario, scenario.policies[key], stage_id) for key in chosen}
    edges = {}
    for edge_id, edge in stage.to.items():
        mine = [(key, found[edge_id]) for key, found in by_policy.items() if edge_id in found]
        edges[edge_id] = _edge(stage, edge, f"{stage_id}.{edge_id}", mine, count)
    changed = stage.model_copy(update={"to": edges})
    for age in range(count):
        total = math.fsum(at(edge.probability, age) for edge in edges.values() if edge.probability is not None)
        if total > 1.0 + SLACK:
            told = f"with {' and '.join(chosen)} in force probabilities to leave {stage_id} sum to {total:.6g} at stage age {age}"
            raise ScenarioError([Fault(f"policies.{chosen[-1]}.effects", "", f"{told}; at most 1", "take less from staying")])
        if total >= 1.0 - SLACK and any(edge.probability is None for edge in edges.values()):
            told = f"with {' and '.join(chosen)} in force everybody leaves {stage_id} at stage age {age}, beside edges with a hazard"
            raise ScenarioError([Fault(f"policies.{chosen[-1]}.effects", "", told, "let some stay")])
    found = stage_hazards(scenario, changed, oldest, count)
    for j, edge_id in enumerate(stage.to):
        for one in by_policy.values():
            if edge_id in one:
                found.hazard[:, j] *= [at(one[edge_id].multiply or (1.0,), age) for age in range(count)]
    return found


def _edge(stage: Stage, edge: Edge, where: str, effects: Sequence[tuple[str, EdgeEffect]], count: int) -> Edge:
    """Return an edge whose probability policies have set or added to; one that is given as a share is written as a probability."""
    base = edge.probability
    if edge.share is not None and stage.mean_duration is not None:
        base = (edge.share / stage.mean_duration,)
    if base is None:
        return edge
    chances = [at(base, age) for age in range(count)]
    given = [effect.set for _, effect in effects if effect.set is not None]
    if given:
        chances = [at(given[-1], age) for age in range(count)]
    adds = [effect.add for _, effect in effects if effect.add is not None]
    if adds:  # all together, then cut, so that their order changes nothing
        chances = [min(max(chance + math.fsum(at(add, age) for add in adds), 0.0), 1.0) for age, chance in enumerate(chances)]
    return edge.model_copy(update={"probability": tuple(chances), "share": None})


def policies(scenario: Scenario, rows: Any, ids: Sequence[str], last: int) -> dict[str, Array]:
    """Return the numbers of a variant's policies; ids: those of the case, in the order of the p axis; rows: its ``Layout``."""
    horizon, stages = int(scenario.horizon), list(scenario.stages)
    most, edges = len(ids), max(1, *(len(stage.to) for stage in scenario.stages.values()))
    size = rows.total + len(stages) + 1
    bits = {key: 1 << b for b, key in enumerate(altering(scenario))}
    found: dict[str, Array] = {
        "treating": np.zeros(most, np.uint32), "policy_bit": np.zeros(most, np.uint32), "policy_purpose": np.zeros(most, np.uint64),
        "policy_who": np.zeros((most, size), np.uint32), "policy_member": np.zeros((most, size), np.uint32),
        "policy_when": np.zeros((most, len(WHEN)), np.int64), "policy_uptake": np.zeros(most, np.uint64),
        "policy_share": np.full(most, WORDS, np.uint64), "policy_survey": np.full((most, 4), -1.0, np.float32),
        "policy_trail": np.zeros(most, np.int64), "policy_floor": np.zeros((most, horizon), np.int64),
        "policy_turnover": np.zeros(most, np.uint64), "policy_desk": np.zeros(most, np.uint64), "policy_gap": np.zeros(most, np.int64),
        "policy_shaken": np.zeros(most, np.float32), "policy_shared": np.zeros(most, np.uint32),
        "policy_excludes": np.zeros((most, most), np.uint32), "policy_units": np.zeros((most, horizon, 3), np.int64),
        "policy_fade": np.ones((most, horizon), np.float32),
        "policy_fades": np.zeros(most, np.uint32), "policy_spread": np.zeros(most, np.float32),
        "policy_sway": np.zeros((most, size, edges), np.float32), "policy_lift": np.zeros((most, LIFTS), np.float32),
        "policy_rank": np.zeros((most, 2), np.int64),
    }  # fmt: skip
    for p, key in enumerate(ids):
        if key in scenario.policies:
            _one(scenario, scenario.policies[key], rows, {name: values[p] for name, values in found.items()}, last)
            found["treating"][p] = scenario.policies[key].acquire is None
            found["policy_bit"][p], found["policy_purpose"][p] = bits.get(key, 0), purpose(key)
            found["policy_excludes"][p] = [other in scenario.policies[key].excludes for other in ids]
            found["policy_uptake"][p] = math.floor(scenario.policies[key].uptake * WORDS + 0.5)
            found["policy_share"][p] = math.floor(scenario.policies[key].who.share * WORDS + 0.5)
            found["policy_rank"][p] = _rank(scenario.policies[key])
            _staff(scenario.policies[key], key, found, p)
            margin = scenario.policies[key].who.margin
            found["policy_trail"][p] = 0 if margin is None else margin.periods
            found["policy_fades"][p] = scenario.policies[key].decay < 1.0
            found["policy_spread"][p] = scenario.policies[key].effects.spread
    prices = rows.by_row(lambda s, age: at(scenario.stages[stages[s]].prices, age))
    return {
        **found,
        "altering": np.array(bool(bits), np.uint32),
        "steering": np.array(np.any(found["policy_sway"] != 0), np.uint32),
        "lifted": np.any(found["policy_lift"] != 0, axis=0).astype(np.uint32) if most else np.zeros(LIFTS, np.uint32),
        "price_units": prices * UNIT * wallet_of(scenario).mean_value,  # as purchase_units: a customer's wallet is relative to the mean
    }


def _rank(policy: Policy) -> tuple[int, int]:
    """Return by what the kernels rank customers, and 1 or -1; where ranks are made elsewhere, by what functions are shown."""
    by = "survey" if policy.answers else "random" if policy.rank.judged else policy.rank.by
    return RANKS.index(by), -1 if policy.rank.lowest else 1


def _staff(policy: Policy, key: str, found: dict[str, Array], p: int) -> None:
    """Fill in who looks after a policy's members, and for how long nobody does."""
    found["policy_shared"][p] = policy.overload == "share"
    if policy.turnover is not None:
        found["policy_turnover"][p] = math.floor(policy.turnover.leaving * WORDS + 0.5)
        found["policy_desk"][p] = purpose(desk(key))
        found["policy_gap"][p] = policy.turnover.gap
        found["policy_shaken"][p] = policy.turnover.trust


def _one(scenario: Scenario, policy: Policy, rows: Any, mine: dict[str, Array], last: int) -> None:
    """Fill in what one policy's numbers are, but for single values."""
    who, when, stages, horizon = policy.who, policy.when, list(scenario.stages), int(scenario.horizon)
    seen, until = treated_stages(scenario, policy), NEVER if who.age_until is None else who.age_until
    mine["policy_who"][:] = rows.by_row(lambda s, age: stages[s] in seen and who.age_from <= age < until)
    lives = [stage.kind != "lost" or key in seen for key, stage in scenario.stages.items()]
    mine["policy_member"][:] = rows.by_row(lambda s, age: lives[s])
    stop, tenure = when.stop, who.tenure_until
    mine["policy_when"][:] = (
        when.start, last if stop is None else stop, when.every, when.cooldown,
        who.tenure_from, horizon if tenure is None else tenure, policy.lasts or 0,
    )  # fmt: skip
    if who.survey is not None:
        survey = who.survey
        above, below = FAR_DOWN if survey.above is None else survey.above, FAR_UP if survey.below is None else survey.below
        mine["policy_survey"][:] = below, above, survey.error, survey.response
    factor = scenario.discount_factor ** np.arange(horizon)
    if who.margin is not None:
        due = scenario.discount_factor ** OFFSET[scenario.timing.purchase]
        mine["policy_floor"][:] = np.floor(who.margin.below * UNIT * factor * due + 0.5)
    for place, cost in enumerate((policy.cost.per_contact, policy.cost.per_uptake, policy.cost.per_member)):
        mine["policy_units"][:, place] = np.floor(-cost * UNIT * factor + 0.5)
    mine["policy_fade"][:] = policy.decay ** np.arange(horizon)
    if not steady(policy):
        _sway(scenario, policy, rows, mine["policy_sway"])
    satisfaction, done = scenario.satisfaction, policy.effects
    gained = done.delivered_value * satisfaction.delivered_value if satisfaction else 0.0
    mine["policy_lift"][PERFORMANCE_LIFT] = done.performance + gained
    mine["policy_lift"][EXPECTATION_LIFT] = done.expectation
    mine["policy_lift"][LEVEL_LIFT] = done.level
    mine["policy_lift"][MARGIN_LIFT] = done.margin + done.price - 1.0
    factors = {
        ORDERS_LIFT: done.orders, CONTACTS_LIFT: done.contacts, CROSS_SELL_LIFT: done.cross_sell, SERVICE_LIFT: done.cost_to_serve,
    }  # fmt: skip
    for lift, times in factors.items():
        mine["policy_lift"][lift] = math.log(times)


def _sway(scenario: Scenario, policy: Policy, rows: Any, sway: Array) -> None:
    """Fill in the logarithm of what a policy multiplies each row's hazards by, (r, j)."""
    for s, stage_id in enumerate(scenario.stages):
        found = effects(scenario, policy, stage_id)
        for (j, edge_id), age in itertools.product(enumerate(scenario.stages[stage_id].to), range(int(rows.counts[s]))):
            if edge_id in found:
                sway[rows.first[s] + age, j] = math.log(at(found[edge_id].multiply or (1.0,), age))


def most_lifted(parts: dict[str, Array]) -> Array:
    """Return by how much policies could lift each of LIFTS together on the customer on whom they act most, (lift,)."""
    strongest = 1.0 + Z_MAX * parts["policy_spread"].astype(np.float64)
    return np.asarray((np.abs(parts["policy_lift"]) * strongest[:, None]).sum(axis=0))
