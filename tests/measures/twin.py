"""A slow, obvious simulator of simple scenarios (probability edges, subscriptions), and the tally of the lives it leaves.

It shares no code with the kernels and draws otherwise; what it gives is lives whose every measure can be taken one by one.
"""

import random
from dataclasses import dataclass, field

import numpy as np

from sim.kernels.types import BINS, COLUMNS, LOWEST_OCTAVE, OCTAVE_BINS, PAIRED, PATTERNS, SIDE, UNIT, Array, Kept, Tally
from sim.measures.sample import Sample
from sim.scenario.base import at
from sim.scenario.model import Scenario
from sim.scenario.purchases import Subscription
from sim.scenario.sample import cells


@dataclass
class Life:
    """One customer: stage at t = 0 … horizon, edge taken at the end of t (-1: none), money in units by t and ledger column.

    Of the columns, those left out at the end are 0.
    """

    cell: int
    replicate: int
    stages: list[int]
    edges: list[int] = field(default_factory=list)
    cash: list[list[int]] = field(default_factory=list)


def lives(scenario: Scenario, seed: int = 1) -> list[Life]:
    """Simulate every customer of every replicate, cell by cell."""
    chance = random.Random(seed)
    return [
        live(scenario.by_segment[cell.segment], Life(g, replicate, []), chance)
        for replicate in range(scenario.run.replicates)
        for g, cell in enumerate(cells(scenario))
        for _ in range(cell.sampled)
    ]


def live(scenario: Scenario, life: Life, chance: random.Random) -> Life:
    names = list(scenario.stages)
    numbers = {key: e for e, key in enumerate((s, k) for s, stage in scenario.stages.items() for k in stage.to)}
    assert isinstance(scenario.purchases, Subscription)
    factor, wallet = scenario.discount_factor, scenario.purchases.wallet
    spend = chance.lognormvariate(0.0, wallet.cv) * wallet.mean_value
    stage, age, was_active = scenario.start, 0, False
    life.stages.append(names.index(stage))
    assert isinstance(scenario.horizon, int)
    for t in range(scenario.horizon):
        body, cash = scenario.stages[stage], [0.0] * len(COLUMNS)
        cash[0] = spend * at(body.prices, age) * at(body.margin, age) * factor**t
        cash[1] = -at(body.cost_to_serve, age) * factor**t
        if t == 0 and (scenario.acquisition.due == "arrival" or body.kind == "active"):
            cash[3] = -scenario.acquisition.cost
        was_active = was_active or body.kind == "active"
        u, taken = chance.random(), -1
        for key, edge in body.to.items():
            assert edge.probability is not None
            u -= at(edge.probability, age)
            if u < 0 and taken < 0:
                taken = numbers[stage, key]
                cash[2] = edge.cash * factor ** (t + 1)
                stage, age = scenario.target(stage, key), -1
        age += 1
        if scenario.stages[stage].kind == "active" and not was_active and scenario.acquisition.due == "conversion":
            cash[3] = -scenario.acquisition.cost * factor ** (t + 1)
        life.stages.append(names.index(stage))
        life.edges.append(taken)
        life.cash.append([round(amount * UNIT) for amount in cash])
    return life


def worth(life: Life, before: bool = False) -> int:
    return sum(sum(cash[:3] if before else cash) for cash in life.cash)


def pattern(scenario: Scenario, life: Life) -> str:
    kinds = [scenario.stages[list(scenario.stages)[s]].kind for s in life.stages]
    ranks = [scenario.stages[list(scenario.stages)[s]].rank or 0 for s in life.stages]
    long = ranks[:-1].count(3) >= scenario.long_lasting_periods
    if "active" not in kinds:
        return "unconverted"
    if kinds[-1] != "lost":
        return "long_lasting" if long else "open"
    return {0: "early_lapse", 1: "early_lapse", 2: "midway_lapse"}.get(max(ranks), "long_lasting" if long else "early_retreat")


def bin_of(units: int) -> int:
    size = abs(units)
    if size < 2**LOWEST_OCTAVE:
        return SIDE
    octave = size.bit_length() - 1
    place = (octave - LOWEST_OCTAVE) * OCTAVE_BINS + int(size / 2**octave * OCTAVE_BINS) - OCTAVE_BINS + 1
    return SIDE + place if units > 0 else SIDE - place


def two_words(value: int, bits: int) -> list[int]:
    return [value >> bits, value & (2**bits - 1)]


def count(scenario: Scenario, found: list[Life], shift: int = 0) -> Tally:
    """Count lives into a tally, one by one."""
    assert isinstance(scenario.horizon, int)
    horizon, everywhere = scenario.horizon, cells(scenario)
    kinds, starts_active = [stage.kind for stage in scenario.stages.values()], scenario.stages[scenario.start].kind == "active"
    n_edges = sum(len(stage.to) for stage in scenario.stages.values())
    g, cohorts = len(everywhere), 1 + max(cell.cohort for cell in everywhere)

    def room(*shape: int) -> Array:
        return np.zeros(shape, dtype=object)

    cash, square = room(g, horizon, len(COLUMNS)), room(g, horizon)
    total, squares = room(g, len(PATTERNS), 2), room(g, len(PATTERNS), 2)
    sums = room(scenario.run.replicates, g, 2)
    tally = Tally(
        flows=room(1, g, horizon, max(n_edges, 1)), conversions=room(1, g, horizon), losses=room(1, g, horizon),
        sojourns=room(1, g, len(kinds), horizon + 1), orders=room(1, g, horizon), cash=room(1, g, horizon, len(COLUMNS), 2),
        cash_square=room(1, g, horizon, 2), payback=room(1, g, horizon), moments=room(1, g, len(PATTERNS), 2, 6),
        extremes=room(1, g, 2, 2), by_segment=room(1, len(scenario.segment_shares), 2, BINS), by_cohort=room(1, cohorts, 2, BINS),
        replicates=room(scenario.run.replicates, 1, g, 2, 2), talk=room(1, g, horizon, 0), feelings=room(1, g, horizon, 0, 2),
        gone=room(1, g, 0),
        activity=room(1, g, horizon, 0, 2), policy=room(1, g, horizon, 0, 5), paired=room(0, g, len(PAIRED), 7),
        against=room(0, g, len(PATTERNS), len(kinds) + 1, 11), gains=room(1, 0, g, 0, 3), parted=room(0, g, len(kinds), horizon),
        paths=room(scenario.run.replicates, 0, g, 3, 2),
    )  # fmt: skip
    tally.extremes[..., 0], tally.extremes[..., 1] = 2**62, -(2**62)
    for life in found:
        c, active, entered, so_far, paid = life.cell, [kinds[s] == "active" for s in life.stages], 0, 0, False
        lost = [kinds[s] == "lost" for s in life.stages]
        for t in range(horizon):
            if life.edges[t] >= 0:
                tally.flows[0, c, t, life.edges[t]] += 1
            if life.stages[t] != life.stages[t + 1]:
                tally.sojourns[0, c, life.stages[t], t + 1 - entered] += 1
                entered = t + 1
            tally.conversions[0, c, t] += not starts_active and active[t + 1] and not any(active[: t + 1])
            tally.losses[0, c, t] += lost[t + 1] and any(active[: t + 1]) and not any(lost[active.index(True) : t + 1])
            net = sum(life.cash[t])
            cash[c, t, : len(life.cash[t])] += np.array(life.cash[t], dtype=object)
            square[c, t] += (net >> shift) ** 2
            so_far += net
            if so_far >= 0 and any(active[: t + 2]) and not paid:
                tally.payback[0, c, t] += 1
                paid = True
        p = PATTERNS.index(pattern(scenario, life))
        for kind, value in enumerate((worth(life, before=True), worth(life))):
            tally.moments[0, c, p, kind, :2] += np.array([1, int(value < 0)], dtype=object)
            total[c, p, kind] += value
            squares[c, p, kind] += value**2
            sums[life.replicate, c, kind] += value
            ends = tally.extremes[0, c, kind]
            ends[:] = min(ends[0], value), max(ends[1], value)
            tally.by_segment[0, everywhere[c].slot, kind, bin_of(value)] += 1
            tally.by_cohort[0, everywhere[c].cohort, kind, bin_of(value)] += 1
    for target, values, bits in (
        (tally.cash[0], cash, 32), (tally.cash_square[0], square, 52), (tally.replicates[:, 0], sums, 32),
        (tally.moments[0, ..., 2:4], total, 32), (tally.moments[0, ..., 4:6], squares, 52),
    ):  # fmt: skip
        for place in np.ndindex(values.shape):
            target[place] = two_words(int(values[place]), bits)
    return Tally(*(array.astype(np.int64) for array in tally))


def keep(scenario: Scenario, found: list[Life]) -> Kept:
    """Return one entry a life, as the engine keeps them."""
    first_lost = []
    for life in found:
        kinds = [list(scenario.stages.values())[s].kind for s in life.stages]
        from_active = kinds.index("active") if "active" in kinds else len(kinds)
        first_lost.append(next((t - 1 for t in range(from_active, len(kinds)) if kinds[t] == "lost"), -1))
    return Kept(
        clv=np.array([[[worth(life, before=True), worth(life)] for life in found]], dtype=np.int64),
        pattern=np.array([[PATTERNS.index(pattern(scenario, life)) for life in found]], dtype=np.uint8),
        lost_at=np.array([first_lost], dtype=np.int32),
        orders=np.zeros((1, len(found)), dtype=np.int32),
        last_order=np.zeros((1, 0)),
    )


def sample(scenario: Scenario, found: list[Life], shift: int = 0, kept: bool = False) -> Sample:
    """Return what the measures read."""
    everywhere = cells(scenario)
    shifts = np.full(len(everywhere), shift)
    return Sample(scenario, everywhere, count(scenario, found, shift), shifts, keep(scenario, found) if kept else None)
