"""The cash of the stage held: from tables where everybody in a row spends the same, else customer by customer."""

import numpy as np

from sim.kernels.jit import inner, jit, leaf
from sim.kernels.maths import TO_UNIT, exponent_64, log_64, normal
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
    SERVICE_LIFT,
    SUBSCRIPTION,
    Array,
    Integer,
    Scratch,
    State,
    Tables,
    Tally,
)
from sim.kernels.vectors import list_places, take

ONE = np.float32(1.0)
ZERO = np.float32(0.0)


@inner
def book_fixed(tables: Tables, cash: Array, state: State, scratch: Scratch, q: int, v: int, t: int, n: int) -> None:
    """Book the cash of the stage held where it does not differ between customers: two tables, already discounted and rounded."""
    net = scratch.net
    add(cash[PURCHASE], book_table(tables.fixed_purchase[v, t], state.row[q], net, n))
    if tables.serving[v] != 0:
        more = scratch.value.view(np.int64)
        add(cash[SERVICE], book_table(tables.fixed_service[v, t], state.row[q], more, n))
        for i in range(n):
            net[i] += more[i]


@leaf
def book_table(amounts: Array, row: Array, net: Array, n: int) -> np.int64:
    """Write the amount (int64) of each customer's row to ``net`` and return their sum."""
    take(amounts, row, net, n)
    total = np.int64(0)
    for i in range(n):
        total += net[i]
    return total


@inner
def book(
    tables: Tables, tally: Tally, state: State, scratch: Scratch, q: int, who: tuple[int, int, int], when: tuple[int, int, int], n: int
) -> Integer:
    """Book the cash of the stage held, customer by customer; who: case, cell, variant; when: tenure, calendar period, regime.

    Return how many order, as ``place_orders`` does.
    """
    k, g, v = who
    t, y, m = when
    row, net, spend = state.row[q], scratch.net, scratch.value
    buyers = fill_spend(tables, tally.orders[k, g], state, scratch, q, v, when, n)
    if tables.selling[v] != 0:
        widen(spend, state.held[q, 0], tables.products[v, 0], n)
    margin = tables.purchase_factor[v, t] * tables.season_margin[v, m, y]
    cost = tables.service_factor[v, t]
    if tables.plain[v] != 0:
        scratch.exposure[:n] = ONE
    bought, served, price, service = np.int64(0), np.int64(0), scratch.work[1], scratch.work[2]
    take(tables.purchase_units[v], row, price, n)
    if tables.lifted[v, MARGIN_LIFT] != 0:
        take(tables.price_units[v], row, service, n)
        for i in range(n):
            price[i] += np.float64(scratch.lifts[MARGIN_LIFT, i]) * service[i]
    take(tables.service_units[v], row, service, n)
    if tables.lifted[v, SERVICE_LIFT] != 0:
        for i in range(n):
            service[i] *= np.float64(scratch.lifts[SERVICE_LIFT, i])
    for i in range(n):
        p = np.int64(np.floor(spend[i] * (price[i] * margin) + 0.5))
        s = np.int64(np.floor(np.float64(scratch.exposure[i]) * (service[i] * cost) + 0.5))
        net[i] = p + s
        bought += p
        served += s
    cash = tally.cash[k, g, t]
    add(cash[PURCHASE], bought)
    add(cash[SERVICE], served)
    return buyers


@inner
def fill_spend(
    tables: Tables, orders: Array, state: State, scratch: Scratch, q: int, v: int, when: tuple[int, int, int], n: int
) -> Integer:
    """Write each customer's spend at price 1 to ``value``, count the orders and return how many place any.

    when: tenure, calendar period, regime.
    """
    t = when[0]
    wallet, spend, exposure = state.wallet[q], scratch.value, scratch.exposure
    if tables.plain[v] != 0:
        exposure[:n] = ONE
    if tables.purchase[v] == SUBSCRIPTION:
        if tables.levelled[v] != 0:
            level = state.mind[q, LEVEL]
            for i in range(n):
                spend[i] = np.float64(wallet[i] * exposure[i]) * np.float64(level[i])
        else:
            for i in range(n):
                spend[i] = np.float64(wallet[i] * exposure[i])
        return np.int64(0)
    level = scratch.floats[2]
    fill_level(tables, state, level, q, v, n)
    buyers = place_orders(tables, state, scratch, q, v, when, n)
    spend_each(tables, state, scratch, q, v, t, buyers, n)
    placed = 0
    for k in range(buyers):
        placed += int(scratch.work[0, k])
    orders[t] += placed
    if tables.levelled[v] != 0 and tables.purchase[v] != POISSON:
        scale(spend, level, n)
    return buyers


@inner
def place_orders(tables: Tables, state: State, scratch: Scratch, q: int, v: int, when: tuple[int, int, int], n: int) -> Integer:
    """Let customers order; return how many do, their places in ``places`` and their orders in ``work[0]``; level: floats 2."""
    t, y, m = when
    row, rate, exposure, level = state.row[q], state.rate[q], scratch.exposure, scratch.floats[2]
    factor, means, word, count = scratch.floats[0], scratch.value, scratch.order_words[t % 2 * 2], scratch.work[0]
    season = tables.season_orders[v, m, y]
    take(tables.orders[v], row, factor, n)
    for i in range(n):
        factor[i] = rate[i] * factor[i] * season * exposure[i]
    if tables.lifted[v, ORDERS_LIFT] != 0:
        for i in range(n):
            factor[i] *= scratch.lifts[ORDERS_LIFT, i]
    if tables.purchase[v] == POISSON:
        for i in range(n):
            means[i] = np.float64(factor[i] * level[i])
        return poisson(word, means, scratch.places, scratch.work, n)
    for i in range(n):
        scratch.places[i] = np.uint32(np.float32(word[i]) * TO_UNIT < factor[i])
    buyers = list_places(scratch.places, n)
    for k in range(buyers):
        count[k] = 1.0
    return buyers


@inner
def spend_each(tables: Tables, state: State, scratch: Scratch, q: int, v: int, t: int, buyers: Integer, n: int) -> None:
    """Write the spends of those who order (``places``, ``work[0]``), and 0 for everybody else; count their orders."""
    row, wallet, orders, spend, places = state.row[q], state.wallet[q], state.orders[q], scratch.value, scratch.places
    words, mine, z = scratch.order_words[t % 2 * 2 + 1], scratch.edge, scratch.floats[3]
    for k in range(buyers):
        mine[k] = words[np.uintp(places[k])]
    normal(mine, scratch.floats[0], scratch.floats[1], z, buyers)
    spend[:n] = 0.0
    for k in range(buyers):
        i, count = np.uintp(places[k]), np.uint32(scratch.work[0, k])
        s = tables.row_stage[v, row[i]]
        spend[i] = np.float64(wallet[i]) * total_of(tables, v, s, np.int64(count), z[k])
        orders[i] += count


@inner
def time_last(
    state: State, scratch: Scratch, q: int, identity: np.uint64, upper: tuple[np.uint64, np.uint64], key: Array, t: int, buyers: Integer
) -> None:
    """Note when each customer who ordered in period t (``places``, ``work[0]``) placed the last order of it.

    n orders come at any times of the part of the period lived through: the last of them at its U ** (1 / n). identity: of the group;
    upper: counter words 2 and 3.
    """
    place, last, exposure, places = state.place[q], state.last[q], scratch.exposure, scratch.places
    count, u, power, part, serial = scratch.work[0], scratch.work[1], scratch.work[2], scratch.work[3], scratch.edge
    for k in range(buyers):
        serial[k] = np.uint32(place[np.uintp(places[k])])
    draw_late(serial, identity, upper, key, t % 2 * 2, u, buyers)
    log_64(u, power, buyers)
    for k in range(buyers):
        power[k] /= count[k]
    exponent_64(power, part, buyers)
    for k in range(buyers):
        i = np.uintp(places[k])
        last[i] = np.float64(t) + np.float64(exposure[i]) * part[k]


@leaf
def draw_late(serial: Array, identity: np.uint64, upper: tuple[np.uint64, np.uint64], key: Array, word: int, u: Array, n: Integer) -> None:
    """Write a uniform variate (float64) to ``u`` for each ``serial`` in the group: the middle of word 0 or 2 of its block."""
    low, high = identity & MASK, identity >> HALF
    c2, c3, k0, k1 = upper[0], upper[1], key[0], key[1]
    for k in range(n):
        words = philox(low | np.uint64(serial[k]), high, c2, c3, k0, k1)
        u[k] = (np.float64(np.uint32(words[0] if word == 0 else words[2])) + 0.5) * 2.0**-32


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
def total_of(tables: Tables, v: int, s: int, count: Integer, z: np.float32) -> float:
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
    root = tables.amount_roots[at]
    if nodes[at] != count:
        root = count**-0.5
    if nodes[at] != count and at + 1 < nodes.size:
        left, right = tables.amount_roots[at], tables.amount_roots[at + 1]
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
