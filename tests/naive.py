"""The slow, obvious twin of the kernels: one customer at a time, plain Python, no groups, no scratch, no thresholds.

It shares with the kernels what they read (Tables), the elementary functions (tested on their own against SciPy) and the types, so
that its results are equal to the last bit, not close. It decides everything on the hazard scale, as model texts state it.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from sim.kernels.maths import exponential, minus_log_complement, normal
from sim.kernels.samplers import look_up, poisson
from sim.kernels.types import (
    ACQUISITION,
    BETA_PURPOSES,
    POISSON,
    PURCHASE,
    SERVICE,
    SUBSCRIPTION,
    TRAIT_PERIOD,
    TRANSITION,
    Tables,
)

F = np.float32


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Return the block, in Python's integers; Salmon et al. 2011."""
    c, k, mask = list(counter), list(key), 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & mask, (p0 >> 32) ^ c[3] ^ k[1], p0 & mask]
        k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
    return c


@dataclass
class Life:
    """One customer's life: what it left in the ledger, where it stood, what it did."""

    cash: Counter[tuple[int, int]] = field(default_factory=Counter)  # (t, column) -> units
    moves: list[tuple[int, int]] = field(default_factory=list)  # (t, edge)
    sojourns: list[tuple[int, int]] = field(default_factory=list)  # (stage, periods)
    orders: Counter[int] = field(default_factory=Counter)  # t -> orders
    converted: int | None = None
    lost: int | None = None
    paid_back: int | None = None
    pattern: str = ""

    @property
    def clv(self) -> int:
        return sum(self.cash.values())

    @property
    def before(self) -> int:
        return sum(amount for (_, column), amount in self.cash.items() if column != ACQUISITION)


def _one(function: object, word: int) -> np.float32:
    out, u, v = (np.zeros(1, F) for _ in range(3))
    function(np.array([word], np.uint32), u, v, out, 1)  # type: ignore[operator]
    return np.float32(out[0])


def units(amount: float) -> int:
    return int(np.floor(amount + 0.5))


def live(tables: Tables, case: int, cell: int, replicate: int, serial: int, horizon: int) -> Life:
    """Return the life of one customer."""
    v = int(tables.variant[case, tables.segment[cell]])
    identity = int(tables.address[cell]) | serial
    key = [int(word) for word in tables.key]

    def words(period: int, purpose: int) -> list[int]:
        return philox([identity & 0xFFFFFFFF, identity >> 32, replicate, period << 16 | purpose], key)

    z = [_one(normal, word) for word in words(TRAIT_PERIOD, 0)]
    mix = tables.mixing[v]
    wallet, rate, frailty = F(1.0), F(tables.rate_value[v]), F(1.0)
    if tables.wallet_table[v]:
        wallet = wallet * look_up(tables.quantiles, int(tables.wallet_table[v]) - 1, z[0])
    if tables.rate_table[v]:
        rate = rate * look_up(tables.quantiles, int(tables.rate_table[v]) - 1, mix[1, 0] * z[0] + mix[1, 1] * z[1])
    if tables.frailty_table[v]:
        both = mix[2, 0] * z[0] + mix[2, 1] * z[1]
        frailty = frailty * look_up(tables.quantiles, int(tables.frailty_table[v]) - 1, both + mix[2, 2] * z[2])
    if tables.wallet_by_rate[v]:
        wallet = wallet / rate
    betas = []
    for number, purpose in enumerate(tables.beta_purpose):
        assert purpose >= BETA_PURPOSES
        p, q, h = (np.zeros(1, F) for _ in range(3))
        if tables.beta_table[v, number]:
            p[0] = look_up(tables.quantiles, int(tables.beta_table[v, number]) - 1, _one(normal, words(TRAIT_PERIOD, int(purpose))[0]))
            q[0] = max(F(1.0) - p[0], F(2.0**-33))
            minus_log_complement(p, q, h, 1)
        betas.append(h[0])

    life = Life()
    stage = int(tables.start_stage[v])
    age, entered, highest, at_top = 0, 0, int(tables.stage_rank[stage]), 0
    active = int(tables.stage_kind[stage]) == 1
    was_active = active
    total = 0
    for t in range(horizon):
        y = int(tables.arrival[cell]) + t
        rows = np.flatnonzero(tables.row_stage[v] == stage)
        first = int(tables.first_row[v, stage])
        real_rows = int(tables.nowhere[v]) - tables.stage_kind.size
        last_age = int(np.sum((rows >= first) & (rows < real_rows))) - 1
        row = first + min(age, last_age)
        moves, ordering = words(t // 2, 0)[t % 2 * 2 :], words(t // 2, 1)[t % 2 * 2 :]
        # who leaves, and how much of the period it lives through
        hazards = []
        for j in range(int(tables.edges[stage])):
            h = tables.hazard[v, row, j]
            h = h * betas[int(tables.beta[v, stage, j]) - 1] if tables.beta[v, stage, j] else h
            h = h * frailty if tables.frail[v, stage, j] else h
            hazards.append(h * tables.season_hazard[v, y] if tables.seasonal[v, stage, j] else h)
        hazard = F(0.0)
        for h in hazards:
            hazard = hazard + h
        wait = _one(exponential, moves[0])
        certain = bool(tables.certain[v, row])
        leaves = bool(hazard > 0) if certain else bool(wait < hazard)
        exposure = wait / hazard if tables.until_exit[v] and leaves and not certain else F(1.0)
        # cash of the stage held
        if tables.purchase[v] == SUBSCRIPTION:
            spend = np.float64(wallet * exposure)
        else:
            mean = rate * tables.orders[v, row] * tables.season_orders[v, y] * exposure
            count = (
                poisson(np.uint32(ordering[0]), np.float64(mean))
                if tables.purchase[v] == POISSON
                else int(F(ordering[0]) * F(2.0**-32) < mean)
            )
            life.orders[t] += count
            spend = np.float64(0.0)
            if count > 0:
                cv = np.float64(tables.amount_cv[v, stage])
                noise = standardised_total(tables, v, stage, count, _one(normal, ordering[1])) if cv > 0 else 0.0
                spend = np.float64(wallet) * np.float64(max(count * (1.0 + cv * count**-0.5 * noise), 0.0))
        margin = tables.purchase_factor[v, t] * tables.season_margin[v, y]
        life.cash[t, PURCHASE] += units(spend * (tables.purchase_units[v, row] * margin))
        life.cash[t, SERVICE] += units(np.float64(exposure) * (tables.service_units[v, row] * tables.service_factor[v, t]))
        if t == 0 and tables.acquisition_at_arrival[v]:
            life.cash[0, ACQUISITION] += int(tables.acquisition_units[v, 0])
        # the move
        if leaves:
            target, below, j = F(moves[1]) * F(2.0**-32) * hazard, F(0.0), -1
            for place, h in enumerate(hazards):
                below = below + h
                if h > 0:
                    j = place
                    if target < below:
                        break
            edge = int(tables.edge[v, row, j])
            to = int(tables.row_stage[v, tables.edge_row[v, edge]])
            life.moves.append((t, edge))
            life.cash[t, TRANSITION] += int(tables.edge_units[v, t, edge])
            if to != stage:
                life.sojourns.append((stage, t + 1 - entered))
                entered = t + 1
            if tables.stage_rank[stage] == 3:
                at_top += 1
            stage, age = to, 0
            highest = max(highest, int(tables.stage_rank[stage]))
            if tables.stage_kind[stage] == 1 and not was_active:
                was_active, life.converted = True, t
                if not tables.acquisition_at_arrival[v]:
                    life.cash[t, ACQUISITION] += int(tables.acquisition_units[v, t + 1])
            if tables.stage_kind[stage] == 2 and was_active and life.lost is None:
                life.lost = t
        else:
            at_top += int(tables.stage_rank[stage] == 3)
            age += 1
        total = sum(amount for (when, _), amount in life.cash.items() if when <= t)
        if was_active and life.paid_back is None and total >= 0:
            life.paid_back = t
    life.pattern = pattern(was_active, int(tables.stage_kind[stage]) == 2, highest, at_top >= int(tables.long_lasting[v]))
    return life


def standardised_total(tables: Tables, v: int, stage: int, count: int, z: np.float32) -> float:
    """Return the standardised quantile of a total of ``count`` orders, between the tabled counts linear in count ** -1/2."""
    nodes = [int(n) for n in tables.amount_nodes]
    at = max(place for place, n in enumerate(nodes) if n <= count)
    low = np.float64(look_up(tables.quantiles, int(tables.amount[v, stage, at]), z))
    if nodes[at] == count or at + 1 == len(nodes):
        return float(low)
    high = np.float64(look_up(tables.quantiles, int(tables.amount[v, stage, at + 1]), z))
    left, right = nodes[at] ** -0.5, nodes[at + 1] ** -0.5
    return float(low + (left - count**-0.5) / (left - right) * (high - low))


def pattern(was_active: bool, lost: bool, highest: int, long: bool) -> str:
    """Return a life's pattern by the definitions of Chen."""
    if not was_active:
        return "unconverted"
    if not lost:
        return "long_lasting" if long else "open"
    if highest < 3:
        return "early_lapse" if highest < 2 else "midway_lapse"
    return "long_lasting" if long else "early_retreat"
