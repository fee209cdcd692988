"""The numbers of one variant, piece by piece: of the scenario alone, which may be remembered, then of what other pieces have made."""

import math
from collections.abc import Sequence

import numpy as np

from sim.compile.activity import activity, most_contacts
from sim.compile.behaviour import gifts, minds, mixing, stream_units
from sim.compile.hazards import stage_hazards
from sim.compile.layout import Layout, busy, edge_ends, layout, over
from sim.compile.market import market, named_edges
from sim.compile.policy import altered, most_lifted, policies
from sim.compile.posterior import drawable
from sim.compile.quantiles import Library
from sim.compile.remaining import worth_less
from sim.compile.spending import amounts, traits
from sim.compile.variant import Variant
from sim.kernels.types import COLUMNS, CONTACTS_LIFT, INFORMATION, LIMIT, MARGIN_LIFT, ORDERS_LIFT, SERVICE_LIFT, UNIT, Array
from sim.scenario import Fault, Scenario, ScenarioError
from sim.scenario.base import at
from sim.scenario.memory import Ask, ask
from sim.scenario.world import OFFSET

FIXED_CELLS = 2**20
"""Largest (t, r) for which discounted amounts are tabled; above it they are computed, with the same result."""


def _marked(shape: tuple[int, int], places: Sequence[tuple[int, int]]) -> Array:
    marks = np.zeros(shape, np.uint32)
    for place in places:
        marks[place] = 1
    return marks


def compile_variant(
    scenario: Scenario,
    betas: Sequence[str],
    library: Library,
    nodes: Sequence[int],
    last: int,
    most: tuple[int, float, float],
    ids: Sequence[str] = (),
    limit: int = LIMIT,
    ask: Ask = ask,
) -> Variant:
    """Return one variant's numbers.

    betas: names of all beta edges; nodes: counts of orders tabled; last: calendar periods; most: highest stage age, largest wallet
    (or order value) and highest ordering rate of existing customers; ids: policies of the case, as the p axis has them; limit: units that
    no customer's money may pass; ask: puts to the scenario what depends on it alone.
    """
    parts: dict[str, Array] = {}
    rows: Layout = ask(layout, scenario, most[0])
    parts |= ask(_rows, scenario, rows)
    parts |= ask(_sold, scenario, rows)
    parts |= ask(_beside, scenario, rows)
    parts |= ask(mixing, scenario)
    parts |= ask(_moves, scenario, rows, most[0])
    parts |= ask(_leaving, scenario, betas)
    parts |= ask(market, scenario, last)
    parts |= ask(minds, scenario, last)
    parts |= ask(activity, scenario, rows)
    parts |= ask(policies, scenario, rows, ids, last)
    parts |= ask(_time, scenario)
    parts["plain"] = np.array(not (parts.pop("modified") or parts["timed"] or parts["swayed"].any() or parts["steering"]), np.uint32)
    parts |= traits(scenario, betas, library, parts["purchase_units"])
    parts |= gifts(scenario, library)
    parts |= amounts(scenario, library, nodes)
    parts["streaming"] = np.any(parts["stream_units"] != 0, axis=0).astype(np.uint32)
    parts["streaming"][INFORMATION] |= np.any(parts["contact_units"] != 0)
    parts |= _fixed(scenario, parts)
    parts["policy_who"] = worth_less(scenario, parts, ids)
    parts |= over(rows, parts)
    parts["square_shift"] = _square_shift(scenario, parts, library, *most[1:], limit)
    return Variant(**{name: parts[name] for name in Variant._fields})


def _rows(scenario: Scenario, rows: Layout) -> dict[str, Array]:
    """Lay the stages out in rows."""
    last = (rows.first + rows.counts - 1)[rows.stage]
    stages = np.arange(rows.counts.size)
    stay = np.concatenate([np.minimum(np.arange(rows.total) + 1, last), rows.first, [rows.total + stages.size]])
    return {
        "start_stage": np.array(list(scenario.stages).index(scenario.start), np.uint32),
        "row_stage": np.concatenate([rows.stage, stages, [0]]).astype(np.uint32),
        "stay_row": stay.astype(np.uint32),
        "first_row": rows.first.astype(np.uint32),
        "ageing": np.array(rows.total > stages.size, np.uint32),
        "nowhere": np.array(rows.total + stages.size, np.uint32),
    }


def _sold(scenario: Scenario, rows: Layout) -> dict[str, Array]:
    """Say what is earned on each row by a unit of spending."""
    stages = list(scenario.stages.values())
    return {"purchase_units": rows.by_row(lambda s, age: at(stages[s].prices, age) * at(stages[s].margin, age)) * UNIT}


def _beside(scenario: Scenario, rows: Layout) -> dict[str, Array]:
    """Say what each row is worth beside, and how many orders there are on it."""
    stages = list(scenario.stages.values())
    service = rows.by_row(lambda s, age: -at(stages[s].cost_to_serve, age) * scenario.breadth_factor)
    found: dict[str, Array] = {
        "service_units": service * UNIT,
        "serving": np.array(np.any(service != 0), np.uint32),
        "orders": rows.by_row(lambda s, age: at(stages[s].order_factors, age)).astype(np.float32),
        "stream_units": np.stack([rows.by_row(worth) for worth in stream_units(scenario)], axis=1) * UNIT,
    }
    return found | busy(scenario, rows, found)


def _moves(scenario: Scenario, rows: Layout, oldest: int) -> dict[str, Array]:
    """Put on each row the edges out of its stage and their hazards; say of each edge where it leads and what it pays."""
    stages = list(scenario.stages.values())
    shape = (rows.total + len(stages) + 1, max(1, *(len(stage.to) for stage in stages)))
    base = [stage_hazards(scenario, stage, oldest, int(count)) for stage, count in zip(stages, rows.counts, strict=True)]
    copies = altered(scenario, oldest, rows.counts, base)
    hazard, certain = np.zeros((len(copies), *shape), np.float32), np.zeros((len(copies), shape[0]), np.uint32)
    edge = np.zeros(shape, np.uint32)
    before = 0
    for s, stage in enumerate(stages):
        mine = slice(rows.first[s], rows.first[s] + rows.counts[s])
        for m, found in enumerate(copies):
            hazard[m, mine, : len(stage.to)] = found[s].hazard
            certain[m, mine] = found[s].certain
        edge[mine, : len(stage.to)] = before + np.arange(len(stage.to))
        before += len(stage.to)
    entry = rows.total + np.arange(len(stages)) if rows.total > len(stages) else rows.first
    targets = [target for _, target in edge_ends(scenario)] or [0]
    pays = any(edge.cash != 0 for stage in stages for edge in stage.to.values())
    return {
        "hazard": hazard,
        "certain": certain,
        "sure": np.array(certain.any(), np.uint32),
        "edge": edge,
        "edge_row": entry[targets].astype(np.uint32),
        "targets": np.array(targets),
        "final": np.array([not stage.to for stage in stages]),
        "locked": np.asarray(~hazard.any(axis=(0, 2)) & ~certain.any(axis=0)),
        "edge_cash": np.array(pays, np.uint32),
    }


def _rounded(units: Array) -> Array:
    """Return amounts rounded once to whole units, half up, int64."""
    _check_range(float(np.abs(units).max()))
    return np.asarray(np.floor(units + 0.5).astype(np.int64))


def _leaving(scenario: Scenario, betas: Sequence[str]) -> dict[str, Array]:
    """Say which edges the customer's frailty and beta traits modify."""
    stages = scenario.stages
    shape = (len(stages), max(1, *(len(stage.to) for stage in stages.values())))
    frail = _marked(shape, named_edges(scenario, scenario.frailty.edges) if scenario.frailty.variance > 0 else [])
    beta_of = np.zeros(shape, np.uint32)
    for s, (stage_id, stage) in enumerate(stages.items()):
        for j, (edge_id, edge) in enumerate(stage.to.items()):
            if edge.beta is not None:
                beta_of[s, j] = 1 + betas.index(f"{stage_id}.{edge_id}")
    until_exit = scenario.exposure == "until_exit"
    return {
        "frail": frail.astype(np.float32),
        "beta": beta_of,
        "until_exit": np.array(until_exit, np.uint32),
        "modified": np.array(frail.any() or beta_of.any() or until_exit),
    }


def _time(scenario: Scenario) -> dict[str, Array]:
    """Discount factors by tenure, and what is paid at moves and on arrival."""
    horizon = int(scenario.horizon)
    t = np.arange(horizon)
    factor = scenario.discount_factor
    prospect = scenario.stages[scenario.start].kind == "prospect"
    recruits = scenario.word_of_mouth.recruits if scenario.word_of_mouth else None
    cash = np.array([edge.cash * UNIT for stage in scenario.stages.values() for edge in stage.to.values()] or [0.0])
    return {
        "edge_units": _rounded(np.outer(factor ** np.arange(1.0, horizon + 1), cash)),
        "purchase_factor": factor ** (t + OFFSET[scenario.timing.purchase]),
        "service_factor": factor ** (t + OFFSET[scenario.timing.service]),
        "stream_factor": factor ** (t + OFFSET[scenario.timing.streams]),
        "acquisition_units": _rounded(-scenario.acquisition.cost * UNIT * factor ** np.arange(horizon + 1.0)),
        "referral_units": _rounded(-(recruits.fee if recruits else 0.0) * UNIT * factor ** np.arange(horizon + 1.0)),
        "acquisition_at_arrival": np.array(not prospect or scenario.acquisition.due == "arrival", np.uint32),
        "long_lasting": np.array(min(scenario.long_lasting_periods, 2**31), np.uint32),
    }


def _fixed(scenario: Scenario, parts: dict[str, Array]) -> dict[str, Array]:
    """Tabulate the discounted amounts where every customer in a row spends the same."""
    horizon, rows = int(scenario.horizon), parts["row_stage"].size
    fixed = (
        scenario.purchases.kind == "subscription"
        and not parts["wallet_table"]
        and not parts["until_exit"]
        and not parts["levelled"]
        and not parts["selling"]
        and not np.any(parts["season_margin"] != 1)
        and not parts["lifted"][[MARGIN_LIFT, SERVICE_LIFT]].any()
        and horizon * rows <= FIXED_CELLS
    )
    if not fixed:
        empty = np.zeros((0, rows), np.int64)
        return {"fixed": np.array(0, np.uint32), "fixed_purchase": empty, "fixed_service": empty}
    bought = np.floor(parts["purchase_units"] * parts["purchase_factor"][:, None] + 0.5)
    served = np.floor(parts["service_units"] * parts["service_factor"][:, None] + 0.5)
    largest = float(np.abs(bought).max() + np.abs(served).max())
    _check_range(largest * horizon)
    return {"fixed": np.array(1, np.uint32), "fixed_purchase": bought.astype(np.int64), "fixed_service": served.astype(np.int64)}


def _square_shift(scenario: Scenario, parts: dict[str, Array], library: Library, wallet: float, rate: float, limit: int) -> Array:
    """Return how far a period's money is shifted before it is squared, and check that no sum of a life can overflow.

    wallet: the largest of an existing customer; rate: the highest at which one can order.
    """

    def highest(table: str) -> float:
        number = int(parts[table])
        return library.top(number - 1) if number else 1.0

    reach = most_lifted(parts)
    spend = max(highest("wallet_table"), wallet / float(parts["wallet_mean"]))
    count = 1.0
    if scenario.purchases.kind == "poisson":
        factor = float(parts["orders"].max()) * float(parts["season_orders"].max()) * math.exp(reach[ORDERS_LIFT])
        mean = max(highest("rate_table") * float(parts["rate_value"]) * factor, drawable(rate * factor))
        count = mean + 12.0 * mean**0.5 + 40.0
    if parts["wallet_by_rate"]:
        number = int(parts["rate_table"])
        spend /= library.bottom(number - 1) if number else float(parts["rate_value"])
    spread = [library.top(int(table)) * cv for table, cv in zip(parts["amount"][:, 0], parts["amount_cv"], strict=True) if cv > 0]
    noise = 1.0 + max(spread, default=0.0)
    factors = max(1.0, scenario.discount_factor ** int(scenario.horizon)), float(parts["season_margin"].max())
    spend *= 1.0 + parts["products"][0] * max(parts["products"][1] - 1.0, 0.0)
    unit = float(np.abs(parts["purchase_units"]).max()) + reach[MARGIN_LIFT] * float(np.abs(parts["price_units"]).max())
    period = spend * count * noise * unit * factors[0] * factors[1]
    period += float(np.abs(parts["service_units"]).max()) * math.exp(reach[SERVICE_LIFT]) * factors[0]
    gift = max(highest("influence_table") * max(1.0, float(parts["talk"])), highest("known_table"))
    streams = float(np.abs(parts["stream_units"]).sum(axis=1).max()) * gift * factors[0]
    streams += float(np.abs(parts["contact_units"]).max()) * most_contacts(parts["contacts"] * math.exp(reach[CONTACTS_LIFT])) * factors[0]
    _check_range(2.0 * streams)  # one amount stays below 2**51, as its conversion needs (sim.kernels.streams)
    period += streams + float(np.abs(parts["policy_units"]).max(axis=1, initial=0.0).sum())
    once = float(np.abs(parts["edge_units"]).max() + np.abs(parts["acquisition_units"]).max())
    _check_range((period + once) * int(scenario.horizon), limit)
    most = int(period + once) + len(COLUMNS)  # each column is rounded by itself
    return np.array(max(0, (most + (most >> 26) + 1).bit_length() - 26), np.uint64)  # squares of a whole GROUP stay below 2**63


def _check_range(units: float, limit: int = LIMIT) -> None:
    """Refuse amounts that a life's sum could not hold."""
    if not units < limit:
        rule = f"a customer's discounted money over the horizon could reach {units / UNIT:.3g}; at most {limit / UNIT:.3g} can be counted"
        raise ScenarioError([Fault("purchases", "", rule, "count money in thousands, or use a shorter horizon")])
