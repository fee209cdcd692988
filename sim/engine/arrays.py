"""Tallies, states and scratch: made empty, merged, made canonical."""

import numpy as np

from sim.kernels.sums import FULL
from sim.kernels.types import (
    ACTIVITIES,
    BINS,
    COLUMNS,
    FEELINGS,
    GROUP,
    LIFTS,
    PAIRED,
    PATTERNS,
    RECRUITS,
    Array,
    Kept,
    Scratch,
    State,
    Tables,
    Tally,
)
from sim.kernels.vectors import LANES
from sim.scenario.errors import Fault, ScenarioError

TWO_WORDS = {"cash": 32, "cash_square": 52, "replicates": 32, "paths": 32}
"""Tally fields whose last axis is (hi, lo), with the bits of lo."""

BY_REPLICATE = ("replicates", "gains", "paths")
"""Tally fields whose first axis is that of replicates."""

LARGEST = np.iinfo(np.int64).max


def cases_compared(tables: Tables) -> int:
    """Return how many cases are held against each other, one that is worth nothing among them where they stand for different numbers."""
    cases = len(tables.variant)
    return cases + int(tables.apart[0]) if cases > 1 else 0


def empty_tally(tables: Tables, horizon: int, replicates: int, shared: bool = False) -> Tally:
    """Return a tally of zeros for these tables; shared: customers of a replicate share luck even without a market."""
    k, segments = tables.variant.shape
    g = tables.segment.size
    cohorts = int(tables.cohort.max()) + 1
    groups = len(PATTERNS) + tables.stage_kind.size + 1
    pairs = cases_compared(tables) * (cases_compared(tables) - 1) // 2

    def zeros(*shape: int) -> Array:
        return np.zeros(shape, np.int64)

    extremes = zeros(k, g, 2, 2)
    extremes[..., 0], extremes[..., 1] = LARGEST, -LARGEST
    return Tally(
        flows=zeros(k, g, horizon, tables.edge_source.size),
        conversions=zeros(k, g, horizon),
        losses=zeros(k, g, horizon),
        sojourns=zeros(k, g, tables.stage_kind.size, horizon + 1),
        orders=zeros(k, g, horizon),
        cash=zeros(k, g, horizon, len(COLUMNS), 2),
        cash_square=zeros(k, g, horizon, 2),
        payback=zeros(k, g, horizon),
        moments=zeros(k, g, len(PATTERNS), 2, 6),
        extremes=extremes,
        by_segment=zeros(k, segments, 2, BINS),
        by_cohort=zeros(k, cohorts, 2, BINS),
        replicates=zeros(replicates, k, g, 2, 2),
        talk=zeros(k, g, horizon, 2 if tables.reach.any() else 0),
        gone=zeros(k, g, 1 if tables.base_alive.size > 0 else 0),
        feelings=zeros(k, g, horizon, len(FEELINGS) if tables.minded.any() else 0, 2),
        policy=zeros(k, g, horizon, tables.treating.shape[1], 5),
        paired=zeros(pairs, g, len(PAIRED), 7),
        against=zeros(k if k > 1 else 0, g, len(PATTERNS), tables.stage_kind.size + 1, 11),
        parted=zeros(k if k > 1 else 0, g, tables.stage_kind.size, horizon),
        gains=zeros(replicates, k if k > 1 else 0, g, groups if k > 1 and (shared or tables.regime.size > 0) else 0, 3),
        paths=zeros(replicates, k if k > 1 else 0, g, 3, 2),
        activity=zeros(k, g, horizon, len(ACTIVITIES) if tables.contacting.any() or tables.selling.any() else 0, 2),
    )


def merge(into: Tally, other: Tally, replicate: int | None = None) -> None:
    """Add another tally's counts; the order of merging changes nothing. replicate: the only one that it has counts of, if not None.

    Raises ScenarioError as ``refuse_full`` does.
    """
    for name, mine, theirs in zip(Tally._fields, into, other, strict=True):
        if replicate is not None and name in BY_REPLICATE:
            mine[replicate] += theirs[replicate]
        elif name == "extremes":
            np.minimum(mine[..., 0], theirs[..., 0], out=mine[..., 0])
            np.maximum(mine[..., 1], theirs[..., 1], out=mine[..., 1])
        else:
            mine += theirs
    refuse_full(into)


def _carry(words: Array, bits: int) -> None:
    if words.size == 0:
        return
    words[..., 0] += words[..., 1] >> bits
    words[..., 1] &= (1 << bits) - 1


def canonical(tally: Tally) -> Tally:
    """Carry the lower words of all two-word sums into the upper ones, so that equal sums are equal arrays; in place.

    Of a single cohort, the histogram is that of all segments. Raises ScenarioError as ``refuse_full`` does.
    """
    refuse_full(tally)
    for name, bits in TWO_WORDS.items():
        _carry(getattr(tally, name), bits)
    _carry(tally.policy[..., 3:], 32)
    _carry(tally.paired[..., 3:5], 32)
    _carry(tally.paired[..., 5:], 52)
    for first, bits in ((3, 32), (5, 52), (7, 32), (9, 52)):
        _carry(tally.against[..., first : first + 2], bits)
    _carry(tally.gains[..., 1:], 32)
    _carry(tally.moments[..., 2:4], 32)
    _carry(tally.moments[..., 4:6], 52)
    if tally.by_cohort.shape[1] == 1:
        tally.by_cohort[:, 0] = tally.by_segment.sum(axis=1)
    return tally


def width(customers: int) -> int:
    """Return the room that a group needs in a run of cells of at most so many customers: what kernels step, rounded up as they do."""
    return -(-min(customers, GROUP) // LANES) * LANES


def refuse_full(tally: Tally) -> None:
    """Raise ScenarioError where squares of CLV, or of differences between cases, add up to more than their two words hold."""
    for uppers in (tally.moments[..., 4], tally.paired[..., 5], tally.against[..., 5], tally.against[..., 9]):
        if ((uppers < 0) | (uppers >= FULL)).any():
            rule = "squares of so many customers' money add up to more than can be counted"
            raise ScenarioError([Fault("purchases", "", rule, "count money in thousands")])


def empty_state(
    tables: Tables, groups: int, wide: int, timed: bool = False, rationed: bool = False, compared: bool = False, traced: int = 0
) -> State:
    """Return room for ``groups`` groups of customers, each as ``wide``.

    timed: the time of the last order is kept; rationed: customers are contacted before the step; compared: what each comes to in each
    case is wanted; traced: stages that a customer's trace in each case has room for.
    """
    cases = len(tables.variant)

    def room(kind: type, *more: int) -> Array:
        return np.zeros((groups, *more, wide), kind)

    return State(
        live=np.zeros(groups, np.int64),
        row=room(np.uint32),
        place=room(np.uint16),
        history=room(np.uint64),
        orders=room(np.uint32),
        clv=room(np.int64),
        acquisition=room(np.int64),
        wallet=room(np.float32),
        rate=room(np.float32),
        frailty=room(np.float32),
        beta=room(np.float32, tables.beta_purpose.size),
        mind=room(np.float32, 5 if tables.minded.any() else 0),
        gift=room(np.float32, 2 if tables.gifted.any() or tables.streaming.any() or tables.reach.any() else 0),
        last=np.zeros((groups, wide if timed else 0)),
        held=room(np.float32, 1 if tables.selling.any() else 0),
        since=room(np.uint16, tables.treating.shape[1]),
        asked=room(np.uint16, tables.treating.shape[1]),
        strength=room(np.float32, tables.treating.shape[1]),
        trail=room(np.uint16, tables.treating.shape[1] if tables.policy_trail.any() else 0),
        vacant=room(np.uint16, tables.treating.shape[1] if tables.policy_turnover.any() else 0),
        spent=room(np.int64, 1 if tables.treating.shape[1] > 0 else 0),
        owed=room(np.int64, int(rationed)),
        score=room(np.float32, int(rationed)),
        takes=room(np.uint8, int(rationed)),
        cases=room(np.int64, max(cases, cases_compared(tables)) if compared else 0, len(PAIRED) + 1),
        trace=room(np.uint32, cases if traced else 0, traced),
        steps=room(np.uint16, cases if traced else 0),
    )


def empty_scratch(tables: Tables, wide: int) -> Scratch:
    """Return one thread's scratch, for groups as ``wide``."""
    return Scratch(
        words=np.zeros((4, wide), np.uint32),
        order_words=np.zeros((4, wide), np.uint32),
        mind_words=np.zeros((4, wide), np.uint32),
        talk_words=np.zeros((4, wide), np.uint32),
        product_words=np.zeros((4, wide), np.uint32),
        contacted=np.zeros(wide),
        stage=np.zeros(wide, np.uint32),
        awake=np.zeros(wide, np.float32),
        loyalty=np.zeros(wide, np.float32),
        floats=np.zeros((6, wide), np.float32),
        exposure=np.ones(wide, np.float32),
        net=np.zeros(wide, np.int64),
        value=np.zeros(wide),
        work=np.zeros((5, wide)),
        moved=np.zeros(wide, np.uint32),
        places=np.zeros(wide, np.uint32),
        edge=np.zeros(wide, np.uint32),
        after=np.zeros(wide, np.uint32),
        dropped=np.zeros(wide, np.uint32),
        hazards=np.zeros((1 + tables.edge.shape[2], wide), np.float32),
        lives=np.zeros((len(PATTERNS), 2, 6), np.int64),
        policy_words=np.zeros((4, wide), np.uint32),
        picked=np.zeros(wide, np.uint16),
        force=np.zeros((tables.treating.shape[1], wide), np.float32),
        load=np.ones(tables.treating.shape[1] if tables.policy_shared.any() else 0, np.float32),
        altered=np.zeros(wide, np.uint32),
        charge=np.zeros(wide, np.int64),
        lifts=np.zeros((LIFTS, wide), np.float32),
        groups=np.zeros((len(PATTERNS), tables.stage_kind.size + 1, 11), np.int64),
        recruited=np.zeros((RECRUITS if tables.reach.any() else 0, 3), np.uint64),
        made=np.zeros(1, np.int64),
    )


def empty_kept(cases: int, customers: int, ordering: bool = False) -> Kept:
    """Return room for one entry a customer; ordering: orders are random, and the last one's time is kept."""
    return Kept(
        clv=np.zeros((cases, customers, 2), np.int64),
        pattern=np.zeros((cases, customers), np.uint8),
        lost_at=np.zeros((cases, customers), np.int32),
        orders=np.zeros((cases, customers), np.int32),
        last_order=np.full((cases, customers if ordering else 0), -1.0),
    )
