"""The slow, obvious twin of the kernels: one customer at a time, plain Python, no groups, no scratch, no thresholds.

It shares with the kernels what they read (Tables), the elementary functions (tested on their own against SciPy) and the types, so
that its results are equal to the last bit, not close. It decides everything on the hazard scale, as model texts state it.
"""

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from sim.kernels.addresses import BETA_PURPOSES, TRAIT_PERIOD
from sim.kernels.maths import exp, exponent, exponential, log, log_64, minus_log_complement, normal
from sim.kernels.samplers import look_up
from sim.kernels.types import (
    ACQUISITION,
    CONTACTS_LIFT,
    COST_SWAY,
    CROSS_SELL_LIFT,
    EXPECTATION_LIFT,
    FIRST_STREAM,
    INFORMATION,
    KNOWLEDGE,
    LEVEL_LIFT,
    LOYALTY_SWAY,
    MARGIN_LIFT,
    ORDERS_LIFT,
    PERFORMANCE_LIFT,
    POISSON,
    PURCHASE,
    SERVICE,
    SERVICE_LIFT,
    STREAMS,
    SUBSCRIPTION,
    TRANSACTION,
    TRANSITION,
    TRUST_SWAY,
    WORD_OF_MOUTH,
    Tables,
)
from tests.naive_policies import LEDGER, Treated, Turn

F = np.float32


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Return the block, in Python's integers; Salmon et al. 2011."""
    c, k, mask = list(counter), list(key), 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & mask, (p0 >> 32) ^ c[3] ^ k[1], p0 & mask]
        k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
    return c


def twofold(word: int) -> tuple[int, int]:
    """Return a word and its second number."""
    return word, word * 0x9E3778C1 % 2**32


@dataclass
class Life:
    """One customer's life: what it left in the ledger, where it stood, what it did."""

    cash: Counter[tuple[int, int]] = field(default_factory=Counter)  # (t, column) -> units
    moves: list[tuple[int, int]] = field(default_factory=list)  # (t, edge)
    sojourns: list[tuple[int, int]] = field(default_factory=list)  # (stage, periods)
    orders: Counter[int] = field(default_factory=Counter)  # t -> orders
    felt: dict[int, list[int]] = field(default_factory=dict)  # t -> steps of satisfaction, trust, loyalty, level
    done: dict[int, list[int]] = field(default_factory=dict)  # t -> contacts, products held, products added
    converted: int | None = None
    lost: int | None = None
    last_order: float = -1.0
    paid_back: int | None = None
    recruits: list[tuple[int, int]] = field(default_factory=list)  # (t, identity)
    treated: Counter[tuple[int, int, int]] = field(default_factory=Counter)  # (t, policy, contacted, taken up or in force) -> 1
    dissuaded: Counter[int] = field(default_factory=Counter)  # t -> people reached, in steps
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


def _log_64(x: float) -> float:
    out = np.zeros(1)
    log_64(np.array([x]), out, 1)
    return float(out[0])


def poisson(word: np.uint32, mean: float) -> int:
    """Return a Poisson count by inversion, summing the probabilities from 0."""
    u = (float(word) + 0.5) * 2.0**-32
    p = below = exp(-mean)
    count = 0
    while u > below and count < mean + 12.0 * mean**0.5 + 40.0:
        count += 1
        p *= mean / count
        below += p
    return count


def units(amount: float) -> int:
    return int(np.floor(amount + 0.5))


def live(tables: Tables, case: int, cell: int, replicate: int, serial: int, horizon: int, who: int | None = None) -> Life:
    """Return the life of one customer; who: identity of a recruit."""

    def whole() -> Generator[Turn, None, None]:
        found.append((yield from turns(tables, case, cell, replicate, serial, horizon, who)))

    found: list[Life] = []
    for _ in whole():
        pass
    return found[0]


def turns(
    tables: Tables, case: int, cell: int, replicate: int, serial: int, horizon: int, who: int | None = None
) -> Generator[Turn, None, Life]:
    """Live one customer's life, and stop at the start of each period, where somebody else may contact it."""
    v = int(tables.variant[case, tables.segment[cell]])
    identity = int(tables.address[cell]) | serial if who is None else who
    key = [int(word) for word in tables.key]

    def words(period: int, purpose: int) -> list[int]:
        return philox([identity & 0xFFFFFFFF, identity >> 32, replicate, period << 16 | purpose], key)

    z = [_one(normal, word) for word in words(TRAIT_PERIOD, 0)[:3]] + [_one(normal, word) for word in words(TRAIT_PERIOD, 1)[:3]]
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
    mind = Mind(tables, v, z, words(TRAIT_PERIOD, 1)[3])
    firm = Treated(tables, v, words, lambda word: _one(normal, word))
    gone = False
    known = int(tables.base_first[cell]) + serial if tables.base_first[cell] >= 0 else None
    w = 0
    if known is not None:
        w = int(tables.standing_first[v]) + int(tables.base_standing[known])
        frailty = frailty * tables.standing_scale[w]
        if tables.base_alive.size:
            past = known + int(tables.buyers_first[v])
            alpha, spread = tables.buyers[v]
            rate = look_up(tables.quantiles, int(tables.base_rate[past]), z[1]) / (alpha + tables.base_seen[past])
            frailty = frailty / (F(1.0) + spread * tables.base_seen[past])
            gone = not words(TRAIT_PERIOD, 5)[0] * 2.0**-32 < float(tables.base_alive[past])
        if tables.base_wallet.size and not np.isnan(tables.base_wallet[known]):
            wallet = tables.base_wallet[known] / tables.wallet_mean[v]
            wallet = wallet / rate if tables.wallet_by_rate[v] else wallet
        if tables.minded[v]:
            mind.invested = tables.standing_invested[w]
            if tables.base_level.size and not np.isnan(tables.base_level[known]):
                mind.level = tables.base_level[known]
    betas = []
    for number, purpose in enumerate(tables.beta_purpose):
        assert purpose >= BETA_PURPOSES
        p, q, h = (np.zeros(1, F) for _ in range(3))
        if tables.beta_table[v, number]:
            table = int(tables.beta_table[v, number]) if known is None else int(tables.standing_beta[w, number])
            p[0] = look_up(tables.quantiles, table - 1, _one(normal, words(TRAIT_PERIOD, int(purpose))[0]))
            q[0] = max(F(1.0) - p[0], F(2.0**-33))
            minus_log_complement(p, q, h, 1)
        betas.append(h[0])

    life = Life()
    stage = int(tables.start_stage[v])
    age = at_top = 0
    if known is not None:
        stage = int(tables.row_stage[v, tables.standing_row[w]])
        age = int(tables.standing_row[w]) - int(tables.first_row[v, stage])
        at_top = 0 if gone else int(tables.standing_history[w]) >> 16 & 0xFFFF
    entered, highest = 0, int(tables.stage_rank[stage])
    active = int(tables.stage_kind[stage]) == 1
    was_active = active
    if gone:
        edge = int(tables.edge[v, int(tables.standing_row[w]), 0])
        stage, age, life.lost = int(tables.row_stage[v, tables.edge_row[v, edge]]), 0, -2
    total = held = 0
    for t in range(horizon):
        y = int(tables.arrival[cell]) + t
        rows = np.flatnonzero(tables.row_stage[v] == stage)
        first = int(tables.first_row[v, stage])
        real_rows = int(tables.nowhere[v]) - tables.stage_kind.size
        last_age = int(np.sum((rows >= first) & (rows < real_rows))) - 1
        row = first + min(age, last_age)
        moves, ordering = twofold(words(t // 4, 0)[t % 4]), words(t // 2, 1)[t % 2 * 2 :]
        m = int(tables.regime[replicate, y]) if tables.regime.size else 0
        yield Turn(firm, row, t, y, mind.satisfaction, life.clv, life.orders.total(), (cell, serial))
        if spent := firm.act(row, t, y, mind.satisfaction):
            life.cash[t, LEDGER] += spent
        for share in firm.shaken:
            mind.trust = mind.trust * share
        hazard_row = row + firm.copy * int(tables.policy_rows[v])
        if tables.minded[v]:
            mind.move(stage, y, m, words(t // 2, 2)[t % 2 * 2 :], firm)
            if tables.awake[stage]:
                life.felt[t] = mind.steps()
        kept, held = held, 0
        if tables.selling[v] and tables.awake[stage]:
            chance = tables.cross_sell[v, row] * (firm.lift(CROSS_SELL_LIFT) if tables.lifted[v, CROSS_SELL_LIFT] else F(1.0))
            adds = F(words(t // 4, 4)[t % 4]) * F(2.0**-32) < chance and 1 <= kept < tables.products[v, 1]
            held = max(kept, 1) + int(adds)
        # who leaves, and how much of the period it lives through
        hazards = []
        for j in range(int(tables.edges[stage])):
            h = tables.hazard[v, j, hazard_row]
            h = h * betas[int(tables.beta[v, j, stage]) - 1] if tables.beta[v, j, stage] else h
            h = h * frailty if tables.frail[v, j, stage] else h
            h = h * tables.edge_factor[v, m, y, j, stage] if tables.timed[v] else h
            h = h * mind.sway(stage, j) if tables.swayed[v, j].any() else h
            hazards.append(h * firm.sway(row, j) if tables.steering[v] else h)
        hazard = F(0.0)
        for h in hazards:
            hazard = hazard + h
        wait = _one(exponential, moves[0])
        certain = bool(tables.certain[v, hazard_row])
        leaves = bool(hazard > 0) if certain else bool(wait < hazard)
        exposure = wait / hazard if tables.until_exit[v] and leaves and not certain else F(1.0)
        # cash of the stage held
        if tables.purchase[v] == SUBSCRIPTION:
            spend = np.float64(wallet * exposure) * np.float64(mind.level)
        else:
            mean = rate * tables.orders[v, row] * tables.season_orders[v, m, y] * exposure
            mean = mean * firm.lift(ORDERS_LIFT) if tables.lifted[v, ORDERS_LIFT] else mean
            count = (
                poisson(np.uint32(ordering[0]), np.float64(mean * mind.level))
                if tables.purchase[v] == POISSON
                else int(F(ordering[0]) * F(2.0**-32) < mean)
            )
            share = F(1.0) if tables.purchase[v] == POISSON else mind.level
            life.orders[t] += count
            if count > 0:
                late = (words(t // 2, 5)[t % 2 * 2] + 0.5) * 2.0**-32
                life.last_order = t + float(exposure) * exp(_log_64(late) / count)
            spend = np.float64(0.0)
            if count > 0:
                cv = np.float64(tables.amount_cv[v, stage])
                noise = standardised_total(tables, v, stage, count, _one(normal, ordering[1])) if cv > 0 else 0.0
                spend = np.float64(wallet) * np.float64(max(count * (1.0 + cv * count**-0.5 * noise), 0.0))
                spend = spend * np.float64(share)
        spend = spend * (1.0 + tables.products[v, 0] * max(held - 1, 0))
        margin = tables.purchase_factor[v, t] * tables.season_margin[v, m, y]
        worth = tables.purchase_units[v, row] + np.float64(firm.lift(MARGIN_LIFT)) * tables.price_units[v, row]
        life.cash[t, PURCHASE] += units(spend * (worth * margin))
        dearer = np.float64(firm.lift(SERVICE_LIFT)) if tables.lifted[v, SERVICE_LIFT] else 1.0
        life.cash[t, SERVICE] += units(np.float64(exposure) * (tables.service_units[v, row] * dearer * tables.service_factor[v, t]))
        contacts = 0
        if tables.contacts[v, row] > 0:
            more = np.float64(firm.lift(CONTACTS_LIFT)) if tables.lifted[v, CONTACTS_LIFT] else 1.0
            contacts = poisson(np.uint32(words(t // 2, 3)[t % 2 * 2 + 1]), tables.contacts[v, row] * more * np.float64(exposure))
        if tables.awake[stage]:
            life.done[t] = [contacts, held, int(held > kept > 0)]
        for c in range(len(STREAMS)):
            amount = np.float64(exposure * mind.weight(c)) * (tables.stream_units[v, c, row] * tables.stream_factor[v, t])
            if c == INFORMATION:
                amount = amount + np.float64(contacts) * (tables.contact_units[v, row] * tables.stream_factor[v, t])
            life.cash[t, FIRST_STREAM + c] += units(amount)
        firm.note(t, sum(amount for (when, column), amount in life.cash.items() if when == t and column not in (LEDGER, ACQUISITION)))
        if t == 0 and tables.acquisition_at_arrival[v] and known is None:
            life.cash[0, ACQUISITION] += int(tables.acquisition_units[v, 0])
        if tables.reach[v] > 0 and tables.awake[stage]:
            heard = np.float64(exposure * mind.weight(WORD_OF_MOUTH) * tables.reach[v])
            if heard < 0:
                life.dissuaded[t] += int(np.floor(0.5 - heard * 2.0**12))
            elif heard > 0 and y + 1 < tables.recruited_before[0]:
                for number in range(poisson(np.uint32(words(t // 2, 3)[t % 2 * 2]), heard)):
                    low, high, _, _ = philox([identity & 0xFFFFFFFF, identity >> 32, number, t << 16 | 0x3FFE], key)
                    life.recruits.append((t, high << 32 | low))
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
            if tables.stage_kind[stage] == 2 and tables.stage_kind[to] != 2:
                mind.return_home()
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
    life.treated = firm.counts
    life.pattern = pattern(was_active, int(tables.stage_kind[stage]) == 2, highest, at_top >= int(tables.long_lasting[v]))
    return life


class Mind:
    """What one customer thinks, and what it is worth by that beside its purchases."""

    def __init__(self, tables: Tables, v: int, z: list[np.float32], holder: int) -> None:
        self.tables, self.v = tables, v
        mixed = []
        for trait in range(6):
            total = F(0.0)
            for source in range(trait + 1):
                total = total + tables.mixing[v, trait, source] * z[source]
            mixed.append(total)
        first, spread = tables.feeling[v, :2]
        self.satisfaction = F(min(max(first + spread * mixed[5], F(1.0)), F(5.0))) if tables.minded[v] else F(0.0)
        self.expectation, self.trust = tables.expectation[v, 0], tables.trust[v, 0]
        self.level = tables.level[v, 0] if tables.minded[v] else F(1.0)
        self.invested, self.loyalty = F(0.0), F(0.0)
        one = F(1.0)
        self.influence = look_up(tables.quantiles, int(tables.influence_table[v]) - 1, mixed[3]) if tables.influence_table[v] else one
        self.known = look_up(tables.quantiles, int(tables.known_table[v]) - 1, mixed[4]) if tables.known_table[v] else one
        if tables.known_share[v] < one and not F(holder) * F(2.0**-32) < tables.known_share[v]:
            self.known = F(0.0)

    def move(self, stage: int, y: int, m: int, words: list[int], firm: Treated) -> None:
        """Live through a period in a stage: satisfaction, expectation, trust, loyalty, level, investment."""
        tables, v, one = self.tables, self.v, F(1.0)
        if tables.feels[v]:
            self._feel(stage, y, words, firm)
            x = F(max((self.satisfaction - one) * F(0.25), F(2.0**-100)))
            base, gamma = tables.loyalty[v, m]
            rising = F(exponent(_elementary(log, x) * gamma))
            self.loyalty = base + (one - base) * rising if self.satisfaction > one else base
        target = tables.level_target[v, stage]
        if tables.lifted[v, LEVEL_LIFT]:
            target = F(min(max(target + tables.awake[stage] * firm.lift(LEVEL_LIFT), F(0.0)), one))
        self.level = self.level + tables.level_speed[v, stage] * (target - self.level)
        self.invested = self.invested + tables.invest[v, stage] * (one - self.invested)

    def _feel(self, stage: int, y: int, words: list[int], firm: Treated) -> None:
        tables, v, one = self.tables, self.v, F(1.0)
        if not tables.awake[stage]:
            return
        _, _, speed, deviation, chance, size = tables.feeling[v]
        _, norm, follow, habit = tables.expectation[v]
        _, rise, fall, drop, _, _ = tables.trust[v]
        drift = _one(normal, words[0]) if deviation else F(0.0)
        failed = one if F(words[1]) * F(2.0**-32) < chance else F(0.0)
        performance = tables.quality[v, y] + tables.gain[v, stage] + deviation * drift - size * failed
        performance = performance + firm.lift(PERFORMANCE_LIFT)
        promised = self.expectation + firm.lift(EXPECTATION_LIFT)
        heading = F(min(max(F(3.0) + performance - promised, one), F(5.0)))
        self.satisfaction = self.satisfaction + speed * (heading - self.satisfaction)
        self.expectation = self.expectation + follow * (habit * performance + (one - habit) * norm - self.expectation)
        gap = (self.satisfaction - one) * F(0.25) - self.trust
        self.trust = (self.trust + (rise if gap > 0 else fall) * gap) * (one - drop * failed)

    def steps(self) -> list[int]:
        """Return satisfaction, trust, loyalty and level in whole steps."""
        return [int(value * F(2.0**12) + F(0.5)) for value in (self.satisfaction, self.trust, self.loyalty, self.level)]

    def sway(self, stage: int, j: int) -> np.float32:
        """Return by how much what it thinks multiplies a hazard."""
        tables, v = self.tables, self.v
        by = tables.sway[v, j, :, stage]
        power = by[LOYALTY_SWAY] * (tables.loyalty_reference[v] - self.loyalty) + by[TRUST_SWAY] * (tables.trust[v, 5] - self.trust)
        return F(exponent(power - by[COST_SWAY] * self.invested))

    def weight(self, c: int) -> np.float32:
        """Return how much of a stream the customer is worth."""
        if c == WORD_OF_MOUTH:
            gap = (self.satisfaction - F(3.0)) * F(0.5)
            return self.influence * (gap if gap > 0 else self.tables.talk[self.v] * gap)
        if c == KNOWLEDGE:
            return self.known
        above = self.tables.trust_above[self.v]
        return F(0.0) if c == TRANSACTION and above >= 0 and not self.trust > above else F(1.0)

    def return_home(self) -> None:
        """Come back from a lost stage."""
        self.trust = self.trust * self.tables.trust[self.v, 4]
        self.level = self.tables.level[self.v, 1] if self.tables.minded[self.v] else F(1.0)


def _elementary(function: object, x: np.float32) -> np.float32:
    out = np.zeros(1, F)
    function(np.array([x], F), out, 1)  # type: ignore[operator]
    return np.float32(out[0])


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
