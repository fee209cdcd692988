"""What a period in a row is worth, and the calendar that changes it."""

import math
from dataclasses import dataclass

import numpy as np

from sim.exact.chain import NEVER_ACTIVE, Chain, Flags, Floats, Index
from sim.scenario.behaviour import StageLevel
from sim.scenario.model import Scenario
from sim.scenario.purchases import Bernoulli, Subscription
from sim.scenario.streams import Knowledge
from sim.scenario.world import OFFSET, Season


@dataclass(frozen=True)
class Value:
    """Undiscounted money of a period, by row (r,).

    gain: price times unit margin, per unit of wallet or order value; orders: factor on the rate (1 for subscriptions);
    cap: where the ordering chance is a number q, 1/q, above which ``orders`` times its season cannot go;
    noise: second moment of one order over its mean squared (0 for subscriptions, which have no noise);
    single: at most one order a period; counted: orders are placed, not subscriptions paid; serve: cost to serve;
    streams: (3, r) information, transaction and sales, a cost; luck: variance of information, by the number of contacts;
    known: worth of the knowledge of a mean customer who has it;
    known_moments: first two moments of knowledge over its mean; level: where the level is heading, None where it is off;
    factor: discount factor of a period; purchase_at, serve_at, streams_at: place in the period (0 start, 1 end) at which the column is
    discounted;
    acquisition: currency; conversion: it is due when a prospect first turns active, not on arrival.
    """

    gain: Floats
    orders: Floats
    cap: float
    noise: Floats
    single: bool
    counted: bool
    serve: Floats
    streams: Floats
    luck: Floats
    known: Floats
    known_moments: tuple[float, float]
    level: "Level | None"
    factor: float
    purchase_at: float
    serve_at: float
    streams_at: float
    acquisition: float
    conversion: bool


def build(scenario: Scenario, chain: Chain) -> Value:
    """Spread prices, margins, costs and ordering over the rows."""
    stages, purchases = scenario.stages, scenario.purchases
    subscribed = isinstance(purchases, Subscription)
    chance = purchases.probability.value if isinstance(purchases, Bernoulli) else None
    knowledge = scenario.knowledge or Knowledge()
    contacts = chain.by_row({s: stages[s].contacts for s in stages})
    told = chain.by_row({s: stages[s].information_per_contact for s in stages})
    waits = chain.phase[chain.start] == NEVER_ACTIVE and scenario.acquisition.due == "conversion"
    return Value(
        gain=chain.by_row({s: stages[s].prices for s in stages}) * chain.by_row({s: stages[s].margin for s in stages}),
        orders=np.ones(chain.rows) if subscribed else chain.by_row({s: stages[s].order_factors for s in stages}),
        cap=1.0 / chance if chance else math.inf,
        noise=chain.by_row({s: (_noise(scenario, s),) for s in stages}),
        single=isinstance(purchases, Bernoulli),
        counted=not subscribed,
        serve=chain.by_row({s: stages[s].cost_to_serve for s in stages}) * scenario.breadth_factor,
        streams=np.stack(
            [
                chain.by_row({s: stages[s].information for s in stages}) + contacts * told,
                chain.by_row({s: stages[s].fees for s in stages}),
                -chain.by_row({s: stages[s].sales_cost for s in stages}),
            ]
        ),
        luck=contacts * told**2,
        known=chain.by_row({s: stages[s].knowledge for s in stages}),
        known_moments=(knowledge.share, knowledge.share * (1.0 + knowledge.cv**2)),
        level=_level(scenario, chain),
        factor=scenario.discount_factor,
        purchase_at=OFFSET[scenario.timing.purchase],
        serve_at=OFFSET[scenario.timing.service],
        streams_at=OFFSET[scenario.timing.streams],
        acquisition=scenario.acquisition.cost,
        conversion=bool(waits),
    )


@dataclass(frozen=True)
class Level:
    """The level w of the relationship: ``pull + keep * w`` after a period's start, by row (r,); again: w on the pairs ``back``."""

    first: float
    again: float
    back: Index
    pull: Floats
    keep: Floats


def _level(scenario: Scenario, chain: Chain) -> Level | None:
    if scenario.level is None:
        return None
    steps = [stage.level or StageLevel(target=0.0, speed=float(stage.kind != "prospect")) for stage in scenario.stages.values()]
    target, speed = (np.array([getattr(step, name) for step in steps])[chain.stage] for name in ("target", "speed"))
    back = (chain.edge >= 0) & chain.of_kind("lost")[chain.src] & ~chain.of_kind("lost")[chain.dst]
    return Level(scenario.level.initial, scenario.level.re_entry, np.flatnonzero(back), speed * target, 1.0 - speed)


def _noise(scenario: Scenario, stage: str) -> float:
    """Return 1 + cv**2 of one order in a stage."""
    purchases = scenario.purchases
    if isinstance(purchases, Subscription):
        return 0.0
    if purchases.amount.distribution == "fixed":
        return 1.0
    own = scenario.stages[stage].amount_cv
    return 1.0 + (purchases.amount.cv if own is None else own) ** 2


def varies(season: Season) -> bool:
    """Tell whether a season changes anything from one period to another."""
    return season.growth_annual != 0.0 or len(set(season.multiplier or (1.0,))) > 1


def factors(season: Season, periods: Floats, periods_per_year: int) -> Floats:
    """Return the factor of each calendar period, in the shape of ``periods``."""
    listed = np.array(season.multiplier or (1.0,))
    turn: Floats = listed[periods.astype(np.intp) % len(listed)]
    return np.asarray(turn * (1.0 + season.growth_annual) ** (periods / periods_per_year), float)


@dataclass(frozen=True)
class Worth:
    """Money of one tenure t, discounted, by row and phase (r, phase): ``alpha`` wallet part and ``beta`` its noise, and so on.

    orders: (r, phase) factor on the rate; flat: (r,) service and streams that are alike for all; columns: (4, r) its parts, service first;
    known: (r,) knowledge of a mean customer who has it; luck: (r,) variance by the number of contacts; end: discount factor of cash on
    moves; before, after: (pair,) cash on a pair without and with acquisition cost.
    """

    alpha: Floats
    beta: Floats
    orders: Floats
    flat: Floats
    columns: Floats
    known: Floats
    luck: Floats
    end: float
    before: Floats
    after: Floats


def worth(chain: Chain, value: Value, tenure: int, orders: Floats, margin: Floats) -> Worth:
    """Return what tenure t is worth. orders, margin: (phase,) calendar factors."""
    rate = np.minimum(value.orders[:, None] * (orders if value.counted else np.ones_like(orders)), value.cap)
    unit = value.gain[:, None] * margin * value.factor ** (tenure + value.purchase_at)
    end = value.factor ** (tenure + 1)
    due = chain.converts & value.conversion
    streamed = value.factor ** (tenure + value.streams_at)
    columns = np.vstack([-value.serve * value.factor ** (tenure + value.serve_at), value.streams * streamed])
    return Worth(
        alpha=rate * unit,
        beta=rate * value.noise[:, None] * unit**2,
        orders=rate,
        flat=columns.sum(0),
        columns=columns,
        known=value.known * streamed,
        luck=value.luck * streamed**2,
        end=end,
        before=chain.cash * end,
        after=(chain.cash - due * value.acquisition) * end,
    )


def paying(chain: Chain, value: Value, spending: Flags | None = None) -> Flags:
    """Return the rows that hold or lead to any money, (r,). spending: those that purchases give any."""
    live = value.gain * value.orders != 0 if spending is None else spending
    live = live | (value.serve != 0) | value.streams.any(0) | (value.known != 0)
    moved = (chain.cash != 0) | (chain.converts & value.conversion & (value.acquisition != 0))
    live[chain.src[moved]] = True
    return leading(chain, live, np.ones(len(chain.src), bool))


def leading(chain: Chain, rows: Flags, pairs: Flags) -> Flags:
    """Return these rows and all that lead to them along some pairs, (r,)."""
    src, dst, live = chain.src[pairs], chain.dst[pairs], rows.copy()
    for _ in range(chain.rows):
        before = live.sum()
        live[src[live[dst]]] = True
        if live.sum() == before:
            break
    return live
