"""What customers think and are worth beside purchases, as numbers: minds, sways of hazards, streams, gifts."""

import math
from collections.abc import Callable

import numpy as np

from sim.compile.market import regimes
from sim.compile.quantiles import Library, positive
from sim.kernels.types import STREAMS, Array
from sim.scenario import Scenario
from sim.scenario.base import at
from sim.scenario.behaviour import Competition, Satisfaction, StageLevel, Trust
from sim.scenario.customers import TRAITS

GONE = StageLevel(target=0.0, speed=1.0)
WAITING = StageLevel(target=0.0, speed=0.0)


def loyalty(found: Competition, intensity: float) -> tuple[float, float]:
    """Return l0 and gamma of loyalty under competition of this intensity."""
    return found.loyalty_max * (1.0 - intensity), math.exp(found.steepness * (2.0 * intensity - 1.0))


def loyalty_at(found: Competition, satisfaction: float, intensity: float) -> float:
    """Return ``L = l0 + (1 - l0) * ((s - 1) / 4) ** gamma`` (model after Jones and Sasser 1995)."""
    base, gamma = loyalty(found, intensity)
    return base + (1.0 - base) * float(((satisfaction - 1.0) / 4.0) ** gamma)


def minds(scenario: Scenario, last: int) -> dict[str, Array]:
    """Return how minds start and move, and how they sway the hazards."""
    mind, trust = scenario.satisfaction or Satisfaction(), scenario.trust or Trust(rise=0.0, fall=0.0)
    stages, expect = list(scenario.stages.values()), mind.expectation
    levelled = scenario.level is not None
    elsewhere = {"lost": GONE, "prospect": WAITING}
    steps = [stage.level or elsewhere.get(stage.kind, GONE) if levelled else StageLevel(target=1.0, speed=1.0) for stage in stages]
    invest = [scenario.switching_cost.speed if scenario.switching_cost and stage.rank == 3 else 0.0 for stage in stages]
    sway = np.zeros((len(stages), max(1, *(len(stage.to) for stage in stages)), 3), np.float32)
    for s, stage in enumerate(stages):
        for j, edge in enumerate(stage.to.values()):
            sway[s, j] = edge.effects.loyalty, edge.effects.trust, edge.effects.switching_cost
    quality = np.array(mind.quality)[np.minimum(np.arange(last), len(mind.quality) - 1)]
    floats = {
        "quality": quality,
        "gain": [mind.delivered_value * stage.delivered_value.net for stage in stages],
        "feeling": [mind.initial, mind.spread, mind.speed, mind.drift, mind.failure.probability, mind.failure.size],
        "expectation": [expect.initial, expect.norm, expect.speed, expect.habituation],
        "trust": [
            trust.initial if scenario.trust else 0.0,
            trust.rise,
            trust.fall,
            trust.drop,
            trust.inherit,
            trust.initial if trust.reference is None else trust.reference,
        ],
        **_loyalty(scenario, mind),
        "level": [scenario.level.initial, scenario.level.re_entry] if scenario.level else [1.0, 1.0],
        "level_target": [step.target for step in steps],
        "level_speed": [step.speed for step in steps],
        "invest": invest,
    }
    flags = {"minded": scenario.minded, "feels": scenario.satisfaction is not None, "levelled": levelled}
    return {
        **{name: np.array(values, np.float32) for name, values in floats.items()},
        **{name: np.array(flag, np.uint32) for name, flag in flags.items()},
        "sway": sway,
        "swayed": np.any(sway != 0, axis=0).astype(np.uint32),
    }


def _loyalty(scenario: Scenario, mind: Satisfaction) -> dict[str, object]:
    found = scenario.competition or Competition()
    by_regime = [found.intensity if regime.competition is None else regime.competition for regime in regimes(scenario)]
    intensity = found.intensity if found.reference_intensity is None else found.reference_intensity
    satisfaction = mind.initial if found.reference_satisfaction is None else found.reference_satisfaction
    return {
        "loyalty": [loyalty(found, intensity) for intensity in by_regime],
        "loyalty_reference": loyalty_at(found, satisfaction, intensity),
    }


def stream_units(scenario: Scenario) -> list[Callable[[int, int], float]]:
    """Return for each stream what it is worth at weight 1, currency a period, by stage and stage age."""
    stages, talk = list(scenario.stages.values()), scenario.word_of_mouth
    talked = talk.reach * (talk.value or 0.0) * talk.influence.mean_value if talk else 0.0
    worths: dict[str, Callable[[int, int], float]] = {
        "word_of_mouth": lambda s, age: talked if stages[s].kind == "active" else 0.0,
        "information": lambda s, age: at(stages[s].information, age),
        "knowledge": lambda s, age: at(stages[s].knowledge, age),
        "transaction": lambda s, age: at(stages[s].fees, age),
        "sales": lambda s, age: -at(stages[s].sales_cost, age),
    }
    return [worths[stream] for stream in STREAMS]


def gifts(scenario: Scenario, library: Library) -> dict[str, Array]:
    """Return the traits behind streams and minds."""
    talk, knowledge, mind = scenario.word_of_mouth, scenario.knowledge, scenario.satisfaction
    spread = talk.influence.cv_value if talk else 0.0
    influence = 1 + library.number(positive, talk.influence.distribution, spread) if talk and spread > 0 else 0
    known = 1 + library.number(positive, "lognormal", knowledge.cv) if knowledge and knowledge.cv > 0 else 0
    share = knowledge.share if knowledge else 1.0
    differs = influence or known or share < 1 or (mind is not None and mind.spread > 0)
    above = scenario.transaction.trust_above
    return {
        "gifted": np.array(bool(differs), np.uint32),
        "influence_table": np.array(influence, np.uint32),
        "known_table": np.array(known, np.uint32),
        "known_share": np.array(share, np.float32),
        "reach": np.array(talk.reach * talk.influence.mean_value if talk and talk.recruits else 0.0, np.float32),
        "talk": np.array(talk.negativity if talk else 1.0, np.float32),
        "trust_above": np.array(-1.0 if above is None else above, np.float32),
    }


def mixing(scenario: Scenario) -> dict[str, Array]:
    """Return how traits hang together."""
    return {"mixing": correlation_factor(scenario).astype(np.float32)}


def correlation_factor(scenario: Scenario) -> Array:
    """Return the Cholesky factor of the traits' correlations, (6, 6)."""
    matrix = np.eye(len(TRAITS))
    for one, others in scenario.correlations.items():
        for other, rho in others.items():
            i, j = TRAITS.index(one), TRAITS.index(other)
            matrix[i, j] = matrix[j, i] = rho
    return np.linalg.cholesky(matrix)
