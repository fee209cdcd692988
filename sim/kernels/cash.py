"""The cash of the stage held: from tables where everybody in a row spends the same, else customer by customer."""

import numpy as np

from sim.kernels.jit import inner, jit
from sim.kernels.maths import TO_UNIT, exp, ln, normal
from sim.kernels.philox import HALF, MASK, philox
from sim.kernels.samplers import amount_node, look_up, poisson
from sim.kernels.sums import add
from sim.kernels.types import (
    LEVEL,
    MARGIN_LIFT,
    ORDERS_LIFT,
    POISSON,
    PURCHASE,
    SERVICE,
    SUBSCRIPTION,
    Array,
    Scratch,
    State,
    Tables,
    Tally,
)

ONE = np.float32(1.0)
ZERO = np.float32(0.0)


@inner
def book_fixed(tables: Tables, cash: Array, state: State, scratch: Scratch, q: int, v: int, t: int, n: int) -> None:
    """Book the cash of the stage held where it does not differ between customers: two tables, already discounted and rounded."""
    purchase, service = tables.fixed_purchase[v, t], tables.fixed_service[v, t]
    row, net = state.row[q], scratch.net
    bought, served = np.int64(0), np.int64(0)
    for i in range(n):
        p = purchase[row[i]]
        s = service[row[i]]
        net[i] = p + s
        bought += p
        served += s
    add(cash[PURCHASE], bought)
    add(cash[SERVICE], served)


@inner
def book(
    tables: Tables, tally: Tally, state: State, scratch: Scratch, q: int, who: tuple[int, int, int], when: tuple[int, int, int], n: int
) -> None:
    """Book the cash of the stage held, customer by customer; who: case, cell, variant; when: tenure, calendar period, regime."""
    k, g, v = who
    t, y, m = when
    row, net, spend = state.row[q], scratch.net, scratch.value
    fill_spend(tables, tally.orders[k, g], state, scratch, q, v, when, n)
    if tables.selling[v] != 0:
        widen(spend, state.held[q, 0], tables.products[v, 0], n)
    margin = tables.purchase_factor[v, t] * tables.season_margin[v, m, y]
    cost = tables.service_factor[v, t]
    if tables.plain[v] != 0:
        scratch.exposure[:n] = ONE
    bought, served = np.int64(0), np.int64(0)
    worth = scratch.worth
    for i in range(n):
        worth[i] = tables.purchase_units[v, row[i]]
    if tables.lifted[v, MARGIN_LIFT] != 0:
        for i in range(n):
            worth[i] += np.float64(scratch.lifts[MARGIN_LIFT, i]) * tables.price_units[v, row[i]]
    for i in range(n):
        p = np.int64(np.floor(spend[i] * (worth[i] * margin) + 0.5))
        s = np.int64(np.floor(np.float64(scratch.exposure[i]) * (tables.service_units[v, row[i]] * cost) + 0.5))
        net[i] = p + s
        bought += p
        served += s
    cash = tally.cash[k, g, t]
    add(cash[PURCHASE], bought)
    add(cash[SERVICE], served)


@inner
def fill_spend(tables: Tables, orders: Array, state: State, scratch: Scratch, q: int, v: int, when: tuple[int, int, int], n: int) -> None:
    """Write each customer's spend at price 1 to ``value``, and count the orders; when: tenure, calendar period, regime."""
    t, y, m = when
    row, wallet, rate, spend, exposure = state.row[q], state.wallet[q], state.rate[q], scratch.value, scratch.exposure
    if tables.plain[v] != 0:
        exposure[:n] = ONE
    if tables.purchase[v] == SUBSCRIPTION:
        for i in range(n):
            spend[i] = np.float64(wallet[i] * exposure[i])
        if tables.levelled[v] != 0:
            scale(spend, state.mind[q, LEVEL], n)
        return
    season = tables.season_orders[v, m, y]
    level = scratch.floats[2]
    fill_level(tables, state, level, q, v, n)
    word = scratch.order_words[t % 2 * 2]
    normal(scratch.order_words[t % 2 * 2 + 1], scratch.floats[0], scratch.floats[1], scratch.floats[3], n)
    placed = 0
    if state.last.shape[1] > 0:
        scratch.after[:n] = np.uint32(0)
    for i in range(n):
        mean = rate[i] * tables.orders[v, row[i]] * season * exposure[i]
        if tables.lifted[v, ORDERS_LIFT] != 0:
            mean *= scratch.lifts[ORDERS_LIFT, i]
        count = 0
        if tables.purchase[v] == POISSON:
            count = poisson(word[i], np.float64(mean * level[i]))
        elif np.float32(word[i]) * TO_UNIT < mean:
            count = 1
        spend[i] = 0.0
        if count > 0:
            s = tables.row_stage[v, row[i]]
            spend[i] = np.float64(wallet[i]) * total_of(tables, v, s, count, scratch.floats[3, i])
            state.orders[q, i] += np.uint32(count)
            placed += count
            if state.last.shape[1] > 0:
                scratch.after[i] = np.uint32(count)
    orders[t] += placed
    if tables.levelled[v] != 0 and tables.purchase[v] != POISSON:
        scale(spend, level, n)


@inner
def time_last(
    state: State, scratch: Scratch, q: int, identity: np.uint64, upper: tuple[np.uint64, np.uint64], key: Array, t: int, n: int
) -> None:
    """Note when each customer placed the last order of period t, of which ``fill_spend`` has left the number in ``after``.

    n orders come at any times of the part of the period lived through: the last of them at its U ** (1 / n). identity: of the group;
    upper: counter words 2 and 3. Only those who ordered are drawn for.
    """
    counts, place, last, exposure = scratch.after, state.place[q], state.last[q], scratch.exposure
    low, high = identity & MASK, identity >> HALF
    for i in range(n):
        if counts[i] > 0:
            words = philox(low | np.uint64(place[i]), high, upper[0], upper[1], key[0], key[1])
            word = words[0] if t % 2 == 0 else words[2]
            u = (np.float64(word) + 0.5) * 2.0**-32
            last[i] = np.float64(t) + np.float64(exposure[i]) * exp(ln(u) / np.float64(counts[i]))


@inner
def fill_level(tables: Tables, state: State, level: Array, q: int, v: int, n: int) -> None:
    """Write each customer's level, 1 where it is off."""
    level[:n] = ONE
    if tables.levelled[v] != 0:
        held = state.mind[q, LEVEL]
        for i in range(n):
            level[i] = held[i]


@inner
def scale(values: Array, by: Array, n: int) -> None:
    """Multiply values (float64) by shares (float32)."""
    for i in range(n):
        values[i] *= np.float64(by[i])


@inner
def widen(spend: Array, held: Array, worth: float, n: int) -> None:
    """Multiply spends (float64) by 1 + worth for each product held beyond the first."""
    for i in range(n):
        spend[i] *= 1.0 + worth * np.float64(max(held[i], ONE) - ONE)


@inner
def total_of(tables: Tables, v: int, s: int, count: int, z: np.float32) -> float:
    """Return the total of ``count`` orders of mean 1, at standard normal ``z``.

    Mean and variance are those of a sum. Between the tabled counts the standardised quantile is linear in count ** -1/2, above the
    last one that one's is used.
    """
    cv = tables.amount_cv[v, s]
    if cv == ZERO:
        return float(count)
    nodes = tables.amount_nodes
    at = amount_node(nodes, count)
    x = np.float64(look_up(tables.quantiles, tables.amount[v, s, at], z))
    root = count**-0.5
    if nodes[at] != count and at + 1 < nodes.size:
        left, right = nodes[at] ** -0.5, nodes[at + 1] ** -0.5
        part = (left - root) / (left - right)
        x += part * (np.float64(look_up(tables.quantiles, tables.amount[v, s, at + 1], z)) - x)
    return max(float(count * (1.0 + np.float64(cv) * root * x)), 0.0)


@jit
def book_acquisition(cash: Array, acquisition: Array, net: Array, n: int) -> None:
    """Book the cost of winning each customer, due on arrival."""
    total = np.int64(0)
    for i in range(n):
        net[i] += acquisition[i]
        total += acquisition[i]
    add(cash, total)
