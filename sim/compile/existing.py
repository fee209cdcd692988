"""The existing customers as the kernels start them: where each stands, and what is known of its traits by what it has survived."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.compile.hazards import stage_hazards
from sim.compile.market import named_edges
from sim.compile.posterior import busiest, compile_buyers
from sim.compile.quantiles import Library, beta
from sim.compile.variant import Variant
from sim.kernels.life import reached
from sim.kernels.types import AT_TOP, SHORT, WAS_ACTIVE, Array
from sim.scenario import Fault, Scenario, ScenarioError
from sim.scenario.existing import Existing
from sim.scenario.sample import Cell


@dataclass(frozen=True)
class Standing:
    """The distinct stages and stage ages at which a segment's existing customers stand, w of them.

    stage, age: (w,); of: (n,) uint32, where each customer stands.
    """

    stage: Array
    age: Array
    of: Array


def standing(existing: Existing, segment: int) -> Standing:
    """Return where the customers of a segment stand."""
    mine = existing.of(segment)
    if mine.start == mine.stop:
        return Standing(*(np.zeros(0, np.int64) for _ in range(3)))
    ages = int(existing.age[mine].max()) + 1
    key = existing.stage[mine] * np.uint32(ages) + existing.age[mine]
    there = np.zeros(int(key.max()) + 1, bool)
    there[key] = True
    found = np.flatnonzero(there)
    place = np.cumsum(there, dtype=np.uint32) - np.uint32(1)
    return Standing(found // ages, found % ages, place[key])


def most(existing: Existing | None, segment: int, scenario: Scenario) -> tuple[int, float, float]:
    """Return the highest stage age, the largest wallet and the highest ordering rate that existing customers have or may have.

    Of a segment, whose scenario is given; 0 where there are none, or nothing is known.
    """
    if existing is None:
        return 0, 0.0, 0.0
    mine = existing.of(segment)
    wallets = existing.wallet[mine]
    return int(existing.age[mine].max(initial=0)), float(np.fmax.reduce(wallets, initial=0.0)), busiest(existing, segment, scenario)


def compile_existing(
    scenarios: Sequence[Scenario], cells: Sequence[Cell], variants: Sequence[Variant], library: Library
) -> dict[str, Array]:
    """Return the fields of Tables named ``base_*``, ``standing_*`` and ``buyers*``.

    scenarios: of each case; variants: case by case, segment by segment. Raises ScenarioError where nobody could be as old as somebody is.
    """
    existing = scenarios[0].existing
    cases = [list(scenario.by_segment.values()) for scenario in scenarios]
    every = [view for case in cases for view in case]
    if existing is None:
        held = [Standing(*(np.zeros(0, np.int64) for _ in range(3)))] * len(scenarios[0].segment_shares)
        level = wallet = np.zeros(0, np.float32)
    else:
        held = [standing(existing, segment) for segment in range(len(existing.counts))]
        level, wallet = existing.level, existing.wallet
    everywhere = held * len(scenarios)
    sizes = np.array([places.stage.size for places in everywhere])
    timed = existing is not None and existing.T.size > 0
    there = [0, *(place for place in range(1, len(every)) if sizes[place] > 0)]  # of the others there is nothing to say
    parts = [_standings(every[place], variants[place], everywhere[place], library, timed) for place in there]
    before = np.cumsum([0, *(cell.sampled if cell.base else 0 for cell in cells)])
    return {
        "base_first": np.array([place if cell.base else -1 for cell, place in zip(cells, before[:-1], strict=True)], np.int64),
        "base_standing": np.concatenate([places.of for places in held]).astype(np.uint32, copy=False),
        "base_level": level,
        "base_wallet": wallet,
        **compile_buyers(existing, cases, library),
        "standing_first": (np.cumsum(sizes) - sizes).astype(np.uint32),
        **{name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
    }


def _standings(scenario: Scenario, variant: Variant, held: Standing, library: Library, timed: bool) -> dict[str, Array]:
    """Return what is known of those who stand at each stage and age: row, history, frailty, investment, beta edges.

    All periods of the present stay were at risk of the stage's edges at their base rates: seasons, regimes and feelings of the past are
    not known. Frailty: Gamma(1/v, 1/v + H), the prior scaled by 1 / (1 + v H); a beta edge: Beta(a, b + n) after n renewals (in periods of
    its rate). References: Fader and Hardie 2010; Schmittlein, Morrison and Colombo 1987.
    """
    stages, horizon, n = list(scenario.stages.values()), int(scenario.horizon), held.stage.size
    frail = named_edges(scenario, scenario.frailty.edges) if scenario.frailty.variance > 0 else []
    scale, invested = np.ones(n), np.zeros(n)
    tables = np.tile(variant.beta_table, (n, 1))
    history = np.zeros(n, np.uint64)
    row = variant.first_row[held.stage].astype(np.int64)
    for s in np.unique(held.stage).tolist():
        stage, mine = stages[s], held.stage == s
        age = held.age[mine]
        exposed = _exposed(scenario, s, int(age.max()))[age]
        row[mine] += np.minimum(age, np.sum(variant.row_stage[: _rows(variant)] == s) - 1)
        past = exposed[:, [j for k, j in frail if k == s]].sum(axis=1)
        if not timed:  # else by each customer's own time since acquisition, to fractions of a period
            scale[mine] = 1.0 / (1.0 + scenario.frailty.variance * past)
        invested[mine] = 1.0 - (1.0 - float(variant.invest[s])) ** age
        top = np.minimum(age, int(SHORT) - horizon) if stage.rank == 3 else np.zeros_like(age)
        active = int(WAS_ACTIVE) if stage.kind == "active" else 0
        history[mine] = (top.astype(np.uint64) << AT_TOP) | np.uint64(int(reached(stage.rank or 0)) | active)
        for j, edge in enumerate(stage.to.values()):
            if edge.beta is not None:
                numbers = [1 + library.number(beta, edge.beta.a, edge.beta.b + float(survived)) for survived in exposed[:, j]]
                tables[mine, variant.beta[s, j] - 1] = numbers
    return {
        "standing_row": row.astype(np.uint32),
        "standing_history": history,
        "standing_scale": scale.astype(np.float32),
        "standing_invested": invested.astype(np.float32),
        "standing_beta": tables,
    }


def _rows(variant: Variant) -> int:
    """Return how many rows there are in which periods are spent."""
    return int(variant.nowhere) - variant.first_row.size


def _exposed(scenario: Scenario, s: int, oldest: int) -> Array:
    """Return the cumulative hazard of each edge of stage s by the time a stage age is reached, (oldest + 1, edge).

    Of a beta edge: the periods of its rate. Raises ScenarioError where everybody leaves before that age.
    """
    key, stage = list(scenario.stages.items())[s]
    found = stage_hazards(scenario, stage, oldest)
    passed = np.minimum(np.arange(oldest), len(found.hazard) - 1)
    if found.certain[passed].any():
        last = int(np.flatnonzero(found.certain[passed])[0])
        rule = f"nobody stays in {key} beyond age {last}, for its probabilities sum to 1 there"
        raise ScenarioError([Fault("base", f"a customer of age {oldest}", rule, "correct the table's age, or the stage's probabilities")])
    return np.concatenate([np.zeros((1, len(stage.to))), np.cumsum(found.hazard[passed], axis=0)])
