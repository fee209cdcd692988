"""The Tables of one scenario or several: a stack of numbers the kernels can run without knowing what they mean."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from operator import is_

import numpy as np

from sim.compile.existing import compile_existing, most
from sim.compile.hazards import edge_below, leave_below
from sim.compile.layout import edge_ends
from sim.compile.market import regime_paths
from sim.compile.pieces import compile_variant
from sim.compile.policy import desk, purpose
from sim.compile.quantiles import Library
from sim.compile.variant import LAST, Variant
from sim.kernels.addresses import BETA_PURPOSES
from sim.kernels.life import reached
from sim.kernels.types import AT_TOP, LIMIT, LOST_AT, STAGE_KINDS, WAS_ACTIVE, WAS_LOST, Array, Tables
from sim.scenario import Fault, Scenario, ScenarioError
from sim.scenario.memory import Memory, asking
from sim.scenario.sample import Cell, cells, recruited_before
from sim.scenario.stages import Stage

AMOUNT_NODES = (*range(1, 33), 40, 48, 64, 96, 128, 256, 1024)


def beta_edges(scenarios: Sequence[Scenario]) -> tuple[str, ...]:
    """Return ``stage.edge`` of all edges with a beta, in file order."""
    found = {
        f"{stage_id}.{edge_id}": None
        for scenario in scenarios
        for stage_id, stage in scenario.stages.items()
        for edge_id, edge in stage.to.items()
        if edge.beta is not None
    }
    return tuple(found)


def beta_purposes(edges: Sequence[str]) -> Array:
    """Return the purpose each beta edge draws at, (beta,) uint64: its name decides, so that other edges move nothing."""
    purposes = [BETA_PURPOSES + int.from_bytes(hashlib.sha256(edge.encode()).digest()[:2]) % 0x4000 for edge in edges]
    if len(set(purposes)) < len(purposes):
        clash = next(edge for edge, purpose in zip(edges, purposes, strict=True) if purposes.count(purpose) > 1)
        raise ScenarioError([Fault(f"stages.{clash}", "", "would share its random draws with another beta edge", "rename the edge")])
    return np.array(purposes, np.uint64)


def case_ids(scenario: Scenario, most: int) -> tuple[str, ...]:
    """Return a case's policies in the order of the p axis, which is as long as that of the case that has most."""
    ids = list(scenario.policies)
    names = [*ids, *(desk(key) for key, policy in scenario.policies.items() if policy.turnover)]
    purposes = [purpose(name) for name in names]
    if len(set(purposes)) < len(purposes):
        clash = next(name for name, one in zip(names, purposes, strict=True) if purposes.count(one) > 1)
        raise ScenarioError([Fault(f"policies.{clash}", "", "would share its random draws with another policy", "rename it")])
    return (*ids, *[""] * (most - len(ids)))


def compile_tables(*scenarios: Scenario, memory: Memory | None = None) -> Tables:
    """Return the tables of one case, or of several that share graph, horizon and sample: their k axis is in the order given.

    memory: of what is the same in many such tables, where they are compiled of scenarios that differ in few values.
    Raises ScenarioError where an amount could pass what the ledger holds, or a beta edge's draws clash with another's.
    """
    first = scenarios[0]
    by_case = [list(scenario.by_segment.values()) for scenario in scenarios]
    everything = [variant for case in by_case for variant in case]
    memory = memory if first.base is None else None  # what is known of existing customers lies in a file
    asks = [asking(memory, place, view) for place, view in enumerate(everything)]
    whole = asking(memory, "whole", first)
    betas, library = beta_edges(everything), Library()
    sampled: Sequence[Cell] = whole(cells, first)
    last = max(cell.arrival for cell in sampled) + int(first.horizon)
    nodes = AMOUNT_NODES if any(s.purchases.kind == "poisson" for s in everything) else (1,)
    known = [most(first.existing, segment, view) for case in by_case for segment, view in enumerate(case)]
    limit = LIMIT if len(scenarios) == 1 else LIMIT // 2  # differences between cases must fit too
    ids = [case_ids(scenario, max(len(one.policies) for one in scenarios)) for scenario in scenarios for _ in scenario.by_segment]
    variants = [
        compile_variant(view, betas, library, nodes, last, ends, mine, limit, one)
        for view, ends, mine, one in zip(everything, known, ids, asks, strict=True)
    ]
    padded = _alike(variants, own_wallets=first.existing is not None and first.existing.wallet.size > 0)
    segments = list(first.segment_shares)
    return Tables(
        variant=np.arange(len(everything), dtype=np.uint32).reshape(len(scenarios), len(segments)),
        reference=np.zeros(1, np.int64),
        apart=np.zeros(1, np.uint8),
        **_cells(sampled),
        regime=whole(regime_paths, first, last),
        recruits=np.empty(0, np.uint64),
        recruited_before=np.array([recruited_before(first)], np.int64),
        key=np.array([first.run.seed & 0xFFFFFFFF, first.run.seed >> 32], np.uint64),
        **whole(_graph, first),
        **whole(_edges, first),
        **_thresholds(padded),
        **_stacked(padded, {} if memory is None else memory.made),
        **compile_existing(scenarios, sampled, variants, library),
        beta_purpose=beta_purposes(betas),
        policy_rows=np.full(len(variants), padded[0].row_stage.size, np.uint32),
        kept_until=np.array([first.periods_per_year], np.int64),
        amount_nodes=np.array(nodes, np.int64),
        amount_roots=np.array([n**-0.5 for n in nodes]),
        quantiles=library.stacked(),
    )


def _cells(sampled: Sequence[Cell]) -> dict[str, Array]:
    """Return whose customers are simulated in each cell; no case follows another until the engine says so."""
    return {
        "follows": np.zeros((0, len(sampled)), np.int64),
        "segment": np.array([cell.slot for cell in sampled], np.uint32),
        "cohort": np.array([cell.cohort for cell in sampled], np.uint32),
        "arrival": np.array([cell.arrival for cell in sampled], np.uint32),
        "address": np.array([cell.address for cell in sampled], np.uint64),
        "recruit_first": np.zeros(len(sampled), np.int64),
    }


def _alike(variants: list[Variant], *, own_wallets: bool) -> list[Variant]:
    """Return the variants with axes of the same length and amounts found in the same way, so that they can be stacked.

    own_wallets: some existing customers have a wallet of their own.
    """
    if own_wallets or not all(variant.fixed for variant in variants):
        variants = [variant.unfixed() for variant in variants]
    if not any(variant.timed for variant in variants):
        variants = [variant._replace(edge_factor=variant.edge_factor[:, :0]) for variant in variants]
    rows, copies = max(variant.row_stage.size for variant in variants), max(len(variant.hazard) for variant in variants)
    return [variant.padded(rows, copies) for variant in variants]


def _graph(scenario: Scenario) -> dict[str, Array]:
    """Return what all cases share of the stages."""
    stages = list(scenario.stages.values())
    return {
        "stage_kind": np.array([STAGE_KINDS.index(stage.kind) for stage in stages], np.uint32),
        "awake": np.array([stage.kind == "active" for stage in stages], np.float32),
        "stage_rank": np.array([stage.rank or 0 for stage in stages], np.uint32),
        "edges": np.array([len(stage.to) for stage in stages], np.uint32),
    }


def _edges(scenario: Scenario) -> dict[str, Array]:
    """Return what a move along each edge does; a scenario without edges has one that is never taken."""
    ends = edge_ends(scenario) or [(0, 0)]
    stages = list(scenario.stages.values())
    first = scenario.base is not None or any(stage.kind == "prospect" for stage in stages)
    return {
        "edge_source": np.array([source for source, _ in ends], np.uint32),
        "edge_does": np.array([_does(one, other, stages) for one, other in ends], np.uint64),
        "winning": np.array([first], np.uint32),
        "edge_returns": np.array([stages[one].kind == "lost" and stages[other].kind != "lost" for one, other in ends], np.uint32),
    }


def _does(source: int, target: int, stages: Sequence[Stage]) -> int:
    """Return what a move does, as ``Tables.edge_does`` packs it."""
    ends, into = source != target, stages[target]
    stay = ends | (ends and stages[source].rank == 3) << int(AT_TOP)
    kind = (into.kind == "active") * int(WAS_ACTIVE) | (into.kind == "lost") * int(WAS_LOST)
    return stay | source << int(LOST_AT) | int(reached(into.rank or 0)) | kind


def _thresholds(variants: Sequence[Variant]) -> dict[str, Array]:
    """Return the integer thresholds of all rows, from the float32 hazards that the kernels would add up."""
    hazard = np.stack([variant.hazard for variant in variants])
    certain = np.stack([variant.certain for variant in variants]) != 0
    leaves, edges = _below(hazard.tobytes(), certain.tobytes(), hazard.shape)
    return {"leave_below": leaves, "edge_below": edges}


@lru_cache(maxsize=8)
def _below(hazards: bytes, certainties: bytes, shape: tuple[int, int, int]) -> tuple[Array, Array]:
    """Return ``leave_below`` and ``edge_below`` of hazards (v, r, j) and of what is certain (v, r).

    The last ones are kept: many points of a sweep have the same.
    """
    hazard, certain = np.frombuffer(hazards, np.float32).reshape(shape), np.frombuffer(certainties, bool).reshape(shape[:2])
    total = np.zeros(certain.shape, np.float32)
    for j in range(hazard.shape[2]):
        total = total + hazard[:, :, j]
    leaves = leave_below(total.ravel(), certain.ravel()).reshape(total.shape)
    return leaves, edge_below(hazard.reshape(-1, hazard.shape[2])).reshape(hazard.shape)


def _stacked(variants: Sequence[Variant], before: dict[str, tuple[tuple[Array, ...], Array]]) -> dict[str, Array]:
    """Return the fields that each variant has of its own, stacked along the v axis.

    before: arrays that were stacked before, by field, and what came of them; new ones are added.
    """
    found = {}
    for field, every in zip(Variant._fields, zip(*variants, strict=True), strict=True):
        first, stacked = before.get(field, ((), None))
        if stacked is None or len(first) != len(every) or not all(map(is_, first, every)):
            stacked = np.concatenate([one[np.newaxis] for one in every])
            stacked = np.ascontiguousarray(np.moveaxis(stacked, LAST[field], -1)) if field in LAST else stacked
            before.setdefault(field, (every, stacked))
        found[field] = stacked
    return found
