"""What the kernels read and write: Tables (numbers of a scenario), Tally (integer results), State (customers under way).

Axes: k case, v variant (a distinct set of numbers; a case and segment name theirs), g cell (cohort x segment), t tenure in
periods, y calendar period, m regime of the market, r row (a stage at one stage age; the last age of a list holds on), s stage, j place
of an edge in its stage, e edge, c stream, b bin. Money is counted in units of 2**-20 of a currency unit.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.kernels.addresses import *  # noqa: F403 - of one piece with the rest, for whoever draws

Array = NDArray[Any]
Integer = int | np.integer[Any]

GROUP = 2048
"""Customers simulated together, at most: as many as their sums (``LIMIT``) and squares (``square_shift``) leave room for in an int64."""

UNIT = float(2**20)
"""Money units in a currency unit."""

LIMIT = 2**52
"""No customer's discounted money may reach this many units, so that sums over a group, and of products of halves, stay inside int64."""

PROSPECT, ACTIVE, LOST = 0, 1, 2
OVER, OVER_UNTREATED = 1, 2
"""Values of ``Tables.over``: done at once; done as soon as no policy is in force."""

STAGE_KINDS = ("prospect", "active", "lost")
SUBSCRIPTION, BERNOULLI, POISSON = 0, 1, 2
PURCHASE, SERVICE, TRANSITION, ACQUISITION, FIRST_STREAM = range(5)
STREAMS = ("word_of_mouth", "information", "knowledge", "transaction", "sales")
COLUMNS = ("purchase", "service", "transition", "acquisition", *STREAMS)
"""Ledger columns, in the order of ``Tally.cash``; streams are what a customer is worth beside purchases, and the cost of selling."""
WORD_OF_MOUTH, INFORMATION, KNOWLEDGE, TRANSACTION, SALES = range(len(STREAMS))

SATISFACTION, EXPECTATION, TRUST, LEVEL, INVESTED = range(5)
"""Rows of ``State.mind``."""

FEELINGS = ("satisfaction", "trust", "loyalty", "level")
"""Rows of ``Tally.feelings``."""

FELT = 2.0**12
"""Feelings are counted in steps of 1 / FELT."""

ACTIVITIES = ("contacts", "products", "added")
"""Rows of ``Tally.activity``: contacts that customers start, products held, products added."""

CONTACTS, HELD, ADDED = range(len(ACTIVITIES))

LOYALTY_SWAY, TRUST_SWAY, COST_SWAY = range(3)
"""Places on the last axis of ``Tables.sway``."""

INFLUENCE, KNOWN = 0, 1
"""Rows of ``State.gift``: the customer's influence, and the worth of what it knows, relative to the mean."""

PERFORMANCE_LIFT, EXPECTATION_LIFT, LEVEL_LIFT, MARGIN_LIFT, ORDERS_LIFT, CONTACTS_LIFT, CROSS_SELL_LIFT, SERVICE_LIFT = range(8)
LIFTS = 8
"""Rows of ``Scratch.lifts``: what policies in force add to performance, expectation, target of the level and margin; and what they
multiply by, from ``ORDERS_LIFT`` on: the chance or rate of orders and of contacts, the chance of adding a product, the cost to serve."""

CONTACTED, TAKEN_UP, MEMBERS, POLICY_COST = range(4)
"""Places on the last axis of ``Tally.policy``; the cost takes two, being money."""

PER_CONTACT, PER_UPTAKE, PER_MEMBER = range(3)
"""Places on the last axis of ``Tables.policy_units``."""

START, STOP, EVERY, COOLDOWN, TENURE_FROM, TENURE_UNTIL, LASTS = range(7)
WHEN = ("start", "stop", "every", "cooldown", "tenure_from", "tenure_until", "lasts")
"""Places on the last axis of ``Tables.policy_when``: calendar periods, periods, tenures; lasts is 0 for good."""

PAIRED = ("before", "after", "gross", "cost", "kept")
"""What is compared customer by customer between cases: CLV before and after acquisition cost, after it without the cost of policies, that
cost, and whether it was never lost within the first year."""

PATTERNS = ("unconverted", "early_lapse", "midway_lapse", "early_retreat", "long_lasting", "open")
"""Life patterns, in the order of ``Tally.moments``."""

BEFORE, AFTER = 0, 1
"""CLV before and after acquisition cost, in the order of every axis of length 2 named ``kind``."""

OCTAVE_BINS = 128
LOWEST_OCTAVE = 8
OCTAVES = 45
SIDE = OCTAVE_BINS * OCTAVES
BINS = 2 * SIDE + 1
"""Signed log-histogram: bin SIDE holds |v| < 2**LOWEST_OCTAVE units; above it 128 bins an octave; mirrored below."""


class Tables(NamedTuple):
    """A compiled scenario: arrays only. Made by ``sim.compile``."""

    variant: Array  # (k, segment) uint32: row of the v axis
    reference: Array  # (1,) int64: case that the others are held against
    follows: Array  # (k, g) int64: periods for which a case's customers go exactly the way of the reference's; 0 long on k where none do
    apart: Array  # (1,) uint8: cases stand for different numbers of customers: each is also held against a case that is worth nothing
    segment: Array  # (g,) uint32
    cohort: Array  # (g,) uint32
    arrival: Array  # (g,) uint32, calendar period
    address: Array  # (g,) uint64: cohort << 48 | segment slot << 40, the upper part of an identity
    key: Array  # (2,) uint64: lower and upper word of the seed
    # recruits, whose identities are no addresses
    recruits: Array  # (n + GROUP,) uint64: identities of the recruits whom this call simulates, cell by cell; of length 0 for all others
    recruit_first: Array  # (g,) int64: place of the cell's first in ``recruits``
    # existing customers; the w axis holds the distinct (segment, stage, stage age) at which some stand, variant by variant
    base_first: Array  # (g,) int64: place of the cell's first customer in ``base_*``, -1 for cells of new customers
    base_standing: Array  # (n,) uint32: w, from ``standing_first`` on
    base_level: Array  # (n,) float32: share of wallet, NaN where not known; of length 0 where nobody's is
    base_wallet: Array  # (n,) float32: own mean wallet or order value, currency, NaN where it is drawn; of length 0 where everybody's is
    base_alive: Array  # (k * n,) float32: chance of being there at calendar 0, given past orders; this and the next two 0 long without
    base_rate: Array  # (k * n,) uint32: table of the ordering rate given past orders, to be divided by alpha + T
    base_seen: Array  # (k * n,) float32: T, periods since acquisition
    buyers_first: Array  # (v,) int64: place of the case's first customer in the three above
    buyers: Array  # (v, 2) float32: alpha, and frailty's variance times the hazard of leaving
    standing_first: Array  # (v,) uint32
    standing_row: Array  # (w,) uint32
    standing_history: Array  # (w,) uint64: ``State.history`` at calendar 0
    standing_scale: Array  # (w,) float32: of frailty, given that it was survived so far
    standing_invested: Array  # (w,) float32
    standing_beta: Array  # (w, beta) uint32: 1 + table of the probability, given that it was survived so far
    # graph
    start_stage: Array  # (v,) uint32
    row_stage: Array  # (v, r) uint32
    stay_row: Array  # (v, r) uint32: row after a period without leaving
    first_row: Array  # (v, s) uint32: row on entry
    ageing: Array  # (v,) uint32: some list by stage age is longer than 1, so that rows follow each other
    over: Array  # (v, r) uint32: OVER or OVER_UNTREATED where nothing happens to who stands there any more, else 0
    ends: Array  # (v,) uint32: some stage ages into such a row
    nowhere: Array  # (v,) uint32: a row without cash and without a way out, for places where there is no customer
    stage_kind: Array  # (s,) uint32
    stage_rank: Array  # (s,) uint32, 0 for none
    edges: Array  # (s,) uint32: edges out of a stage
    edge: Array  # (v, r, j) uint32: index on the e axis
    # what a move along an edge does
    edge_source: Array  # (e,) uint32: stage it leads out of
    edge_row: Array  # (v, e) uint32: target's first row; where ageing, one in which no period is spent and that ``stay_row`` leads on from
    edge_does: Array  # (e,) uint64: 1 where it ends the stay, 1 << AT_TOP beside it where that was one in rank 3; its source from LOST_AT
    # on; the REACHED bit of its target's rank; WAS_ACTIVE and WAS_LOST where that is an active or a lost stage
    edge_drops: Array  # (v, e) uint32: leads into a stage without a way out, without cash and without orders
    winning: Array  # (1,) uint32: some move can be a customer's first into an active stage
    edge_cash: Array  # (v,) uint32: some edge has cash
    edge_units: Array  # (v, t, e) int64: cash of a move at the end of t, units, discounted
    # leaving
    plain: Array  # (v,) uint32: no modifier, the integer thresholds decide
    leave_below: Array  # (v, r) uint64: leave where the word is below
    edge_below: Array  # (v, r, j) uint64: take the first edge the word's second number is below
    hazard: Array  # (v, j, r) float32: cumulative hazard of a period (weights where certain; a factor of a beta edge's own)
    certain: Array  # (v, r) uint32: probabilities sum to 1
    sure: Array  # (v,) uint32: in some row they do
    frail: Array  # (v, j, s) float32: 1 where the customer's frailty multiplies it
    beta: Array  # (v, j, s) uint32: 1 + number of the beta trait, 0 for none
    until_exit: Array  # (v,) uint32
    timed: Array  # (v,) uint32: the calendar, the regime or a driver moves some hazard
    edge_factor: Array  # (v, m, y, j, s) float32: by how much; of length 0 on y where no variant is timed
    regime: Array  # (replicate, y) uint8: m; of length 0 where there is no market
    # behaviour
    minded: Array  # (v,) uint32: satisfaction, level or switching cost is on
    feels: Array  # (v,) uint32: satisfaction is on
    awake: Array  # (s,) float32: 1 in active stages, where minds move
    quality: Array  # (v, y) float32, points
    gain: Array  # (v, s) float32: points of performance from delivered value
    feeling: Array  # (v, 6) float32: first satisfaction and its spread, speed, drift, chance and size of a failure
    expectation: Array  # (v, 4) float32: first, norm, speed, habituation
    trust: Array  # (v, 6) float32: first, rise, fall, drop, inherit, reference
    loyalty: Array  # (v, m, 2) float32: l0, gamma
    loyalty_reference: Array  # (v,) float32
    level: Array  # (v, 2) float32: first, on re-entry
    level_target: Array  # (v, s) float32
    level_speed: Array  # (v, s) float32
    levelled: Array  # (v,) uint32: the level scales purchases
    invest: Array  # (v, s) float32: speed of investment
    sway: Array  # (v, j, 3, s) float32: coefficients of loyalty, trust and switching cost
    swayed: Array  # (v, j, 3) uint32: some edge in this place has one
    edge_returns: Array  # (e,) uint32: leads from a lost stage into one that is not
    # what customers do beside buying
    contacting: Array  # (v,) uint32: customers get in touch by themselves
    contacts: Array  # (v, r) float64: mean contacts of a period
    contact_units: Array  # (v, r) float64: units that the information of a contact is worth
    selling: Array  # (v,) uint32: customers may hold several products
    cross_sell: Array  # (v, r) float32: chance that a period adds a product
    products: Array  # (v, 2) float64: what a further product adds to the spend, and the most that are held
    # policies of the case, on the p axis; of length 0 where no case has any
    treating: Array  # (v, p) uint32: the policy is the case's, and its segment may be treated
    steering: Array  # (v,) uint32: some edge has a coefficient in ``policy_sway``
    altering: Array  # (v,) uint32: some policy has a bit
    lifted: Array  # (v, lift) uint32: some policy lifts it
    policy_bit: Array  # (v, p) uint32: what the policy adds to the number of the altered rows; 0 where it alters no hazard
    policy_rows: Array  # (v,) uint32: rows of each altered copy of ``hazard``, ``certain`` and the thresholds
    policy_purpose: Array  # (v, p) uint64: address of its draws
    policy_who: Array  # (v, p, r) uint32: who stands here may be treated
    policy_member: Array  # (v, p, r) uint32: it stays in force for who stands here
    policy_when: Array  # (v, p, WHEN) int64
    policy_uptake: Array  # (v, p) uint64: taken up where the word is below
    policy_share: Array  # (v, p) uint64: in the pilot where the word is below
    policy_survey: Array  # (v, p, 4) float32: below, above, error, response (-1: nobody is asked)
    policy_trail: Array  # (v, p) int64: periods in a row in which the margin must have been low, 0 where it is not asked for
    policy_floor: Array  # (v, p, t) int64: units, discounted, below which a margin is low
    policy_turnover: Array  # (v, p) uint64: who looks after a member leaves where the word is below
    policy_desk: Array  # (v, p) uint64: address of those draws
    policy_gap: Array  # (v, p) int64: periods without anybody
    policy_shaken: Array  # (v, p) float32: share of trust lost with who leaves
    policy_shared: Array  # (v, p) uint32: members beyond the capacity share it
    policy_excludes: Array  # (v, p, p) uint32
    policy_units: Array  # (v, p, t, 3) int64: cost, negative, discounted
    policy_fade: Array  # (v, p, t) float32: strength t periods after the contact
    policy_fades: Array  # (v, p) uint32: it has a decay
    policy_spread: Array  # (v, p) float32
    policy_sway: Array  # (v, p, j, r) float32: log-multipliers at full strength
    policy_lift: Array  # (v, p, lift) float32: factors, from orders on, as log-multipliers
    policy_rank: Array  # (v, p, 2) int64: by what customers are ranked (RANKS), and 1 or -1
    price_units: Array  # (v, r) float64: units of price
    kept_until: Array  # (1,) int64: periods of a year, the first
    # value
    purchase: Array  # (v,) uint32: SUBSCRIPTION, BERNOULLI or POISSON
    fixed: Array  # (v,) uint32: spending does not differ between customers; the two tables below hold it
    fixed_purchase: Array  # (v, t, r) int64, units, discounted
    fixed_service: Array  # (v, t, r) int64, units, discounted
    serving: Array  # (v,) uint32: serving customers costs something in some row
    purchase_units: Array  # (v, r) float64: units of profit at the mean wallet or order value
    service_units: Array  # (v, r) float64: units of cost to serve, negative
    orders: Array  # (v, r) float32: factor on the chance or rate of ordering
    amount_cv: Array  # (v, s) float32: coefficient of variation of one order, 0 for fixed amounts
    amount: Array  # (v, s, node) uint32: quantile table of a total of n orders, standardised to mean 0 and variance 1
    amount_nodes: Array  # (node,) int64: n, ascending from 1
    amount_roots: Array  # (node,) float64: n ** -1/2
    purchase_factor: Array  # (v, t) float64: discount factor
    service_factor: Array  # (v, t) float64
    acquisition_units: Array  # (v, t + 1) int64: cost of winning a customer at the start of t, negative, discounted
    acquisition_at_arrival: Array  # (v,) uint32: also set where customers start active
    season_orders: Array  # (v, m, y) float32
    season_margin: Array  # (v, m, y) float64
    streaming: Array  # (v, c) uint32: the stream is on
    stream_units: Array  # (v, c, r) float64: units a period at weight 1
    stream_factor: Array  # (v, t) float64: discount factor
    talk: Array  # (v,) float32: how much more the dissatisfied tell
    reach: Array  # (v,) float32: people a satisfied customer recruits a period, at influence 1; 0 where talk is worth money
    recruited_before: Array  # (1,) int64: calendar period from which nobody is recruited any more
    referral_units: Array  # (v, t + 1) int64: as ``acquisition_units``, of recruits
    trust_above: Array  # (v,) float32: threshold of transactions, negative for none
    square_shift: Array  # (v,) uint64: money is squared in units of 2**shift in ``Tally.cash_square``
    long_lasting: Array  # (v,) uint32, periods
    # traits
    quantiles: Array  # (table, node) float32: values at standard normal z from -Z_MAX to Z_MAX
    wallet_table: Array  # (v,) uint32: 1 + table, 0 for a number
    wallet_mean: Array  # (v,) float32: mean wallet or order value, currency
    rate_table: Array  # (v,) uint32
    rate_value: Array  # (v,) float32
    wallet_by_rate: Array  # (v,) uint32: an order is worth wallet / rate
    frailty_table: Array  # (v,) uint32
    beta_table: Array  # (v, beta) uint32
    beta_purpose: Array  # (beta,) uint64: address of the draw
    gifted: Array  # (v,) uint32: influence, knowledge or first satisfaction differ between customers
    influence_table: Array  # (v,) uint32
    known_table: Array  # (v,) uint32
    known_share: Array  # (v,) float32: share of customers who have knowledge
    mixing: Array  # (v, 6, 6) float32: Cholesky factor of the correlations of wallet, rate, frailty, influence, knowledge, satisfaction


class Tally(NamedTuple):
    """Everything counted in a run. All int64, all sums: tallies merge by addition in any order (``extremes`` by min and max).

    Two-word sums hold ``hi * 2**32 + lo`` (money) or ``hi * 2**52 + lo`` (squares).
    """

    flows: Array  # (k, g, t, e): moves along edge e at the end of period t
    conversions: Array  # (k, g, t): customers who turned active for the first time at the end of t (0 where they start active)
    losses: Array  # (k, g, t): customers once active who were lost for the first time at the end of t
    sojourns: Array  # (k, g, s, t + 1): stays that ended, by their length in periods (renewals do not end one)
    orders: Array  # (k, g, t): orders placed (0 for subscriptions)
    cash: Array  # (k, g, t, column, 2): discounted money; edge cash in the period of the move; two words
    cash_square: Array  # (k, g, t, 2): sum of (a customer's discounted money of the period >> square_shift) ** 2; two words
    payback: Array  # (k, g, t): customers whose discounted money so far first reached 0 in t, acquisition cost included
    moments: Array  # (k, g, pattern, kind, 6): customers, with CLV < 0, sum (2 words), sum of squares (2 words)
    extremes: Array  # (k, g, kind, 2): smallest and largest CLV, units
    by_segment: Array  # (k, segment, kind, b): histogram of CLV
    by_cohort: Array  # (k, cohort, kind, b); counted only where there are several cohorts, else summed from the segments'
    replicates: Array  # (replicate, k, g, kind, 2): sum of CLV, two words
    talk: Array  # (k, g, t, 2 or 0): recruits made, and talk of the dissatisfied in people reached, in steps of 1 / FELT
    gone: Array  # (k, g, 1 or 0): existing customers who were lost by calendar 0, as past orders let guess; 0 long where nobody is
    feelings: Array  # (k, g, t, feeling, 2): sum over customers in active stages, in steps of 1 / FELT, and of squares; 0 long where off
    policy: Array  # (k, g, t, p or 0, 5): customers contacted, who took it up, in force; cost of them, two words
    paired: Array  # (pair or 0, g, PAIRED, 7): customers who differ, gain, lose; sum of differences (2 words), of squares (2 words)
    against: Array  # (k or 0, g, pattern, s + 1, 11): of CLV less the reference case's, by the life there and the stage where paths part
    parted: Array  # (k or 0, g, s, t): customers whose path first parted from that in the reference case at the end of t, out of stage s
    gains: Array  # (replicate, k or 0, g, pattern + s + 1 or 0, 3): who, and what they gain, by life, then by stage of parting
    paths: Array  # (replicate, k or 0, g, 3, 2): sums of cost and kept, and of what customers gain against the reference; two words
    activity: Array  # (k, g, t, activity, 2): sum over customers in active stages, and of squares; 0 long where off


class Kept(NamedTuple):
    """One entry a customer, in order of case, replicate, cell and serial; of length 0 unless asked for."""

    clv: Array  # (k, n, kind) int64, units
    pattern: Array  # (k, n) uint8
    lost_at: Array  # (k, n) int32: period at whose end first lost, -1 for never, -2 for before calendar 0
    orders: Array  # (k, n) int32
    last_order: Array  # (k, n) float64: time of the last order in periods of tenure, -1 without one; 0 long where none is random


class State(NamedTuple):
    """Customers under way, in groups. A group's first ``live`` places are still computed; the rest is done.

    GROUP stands for the width of the widest (``sim.engine.arrays.width``), here and in Scratch.
    """

    live: Array  # (group,) int64
    row: Array  # (group, GROUP) uint32
    place: Array  # (group, GROUP) uint16: serial inside the group
    history: Array  # (group, GROUP) uint64: packed, see WAS_ACTIVE and below
    orders: Array  # (group, GROUP) uint32
    clv: Array  # (group, GROUP) int64, units, after acquisition
    acquisition: Array  # (group, GROUP) int64, units
    wallet: Array  # (group, GROUP) float32
    rate: Array  # (group, GROUP) float32
    frailty: Array  # (group, GROUP) float32
    beta: Array  # (group, beta, GROUP) float32: hazard
    mind: Array  # (group, 5 or 0, GROUP) float32: SATISFACTION … INVESTED
    gift: Array  # (group, 2 or 0, GROUP) float32: INFLUENCE, KNOWN
    last: Array  # (group, GROUP) float64: time of the last order, -1 before the first; (group, 0) where it is not kept
    held: Array  # (group, 1 or 0, GROUP) float32: products held
    since: Array  # (group, p, GROUP) uint16: 1 + tenure in which a policy was last taken up, 0 for never
    asked: Array  # (group, p, GROUP) uint16: 1 + tenure of the last contact; NEVER_ASKED for who is not in the pilot
    strength: Array  # (group, p, GROUP) float32: of the effect on this customer
    trail: Array  # (group, p or 0, GROUP) uint16: periods in a row, up to the last, in which the margin was below ``policy_floor``
    vacant: Array  # (group, p or 0, GROUP) uint16: tenure from which a member is looked after again, 0 before anybody left
    spent: Array  # (group, 1 or 0, GROUP) int64, units: cost of policies so far, negative
    owed: Array  # (group, 1 or 0, GROUP) int64, units: of this period, where customers are contacted before the step
    score: Array  # (group, 1 or 0, GROUP) float32: rank for the policy in turn, NOBODY for who is not to be contacted
    takes: Array  # (group, 1 or 0, GROUP) uint8: 1 where it would take the policy up, 2 where it is in force already, 3 for both
    # where cases are compared, by case and place in the group
    cases: Array  # (group, k or 0, PAIRED + 1, GROUP) int64: results and life pattern
    trace: Array  # (group, k or 0, stages, GROUP) uint32: each stage held, period of entry << 16 | stage
    steps: Array  # (group, k or 0, GROUP) uint16: how many of them


class Scratch(NamedTuple):
    """Room for one group's step, one a thread."""

    words: Array  # (4, GROUP) uint32: leave and, by its second number, edge, of four periods in a row
    order_words: Array  # (4, GROUP) uint32: number of orders and amount, of an even period and of the next
    mind_words: Array  # (4, GROUP) uint32: drift and failure, likewise
    talk_words: Array  # (4, GROUP) uint32: number of recruits and of contacts, likewise
    product_words: Array  # (4, GROUP) uint32: adding a product, of four periods in a row
    contacted: Array  # (GROUP,) float64: contacts of the period
    stage: Array  # (GROUP,) uint32: stage of each customer; this and the next two only where something asks for them
    awake: Array  # (GROUP,) float32: 1 in active stages
    loyalty: Array  # (GROUP,) float32
    floats: Array  # (6, GROUP) float32
    exposure: Array  # (GROUP,) float32: fraction of the period lived through
    net: Array  # (GROUP,) int64: discounted money of the period, units
    value: Array  # (GROUP,) float64
    work: Array  # (5, GROUP) float64
    moved: Array  # (GROUP,) uint32: places that leave
    places: Array  # (GROUP,) uint32: of a few, within one phase
    edge: Array  # (GROUP,) uint32: edge that each of them takes
    after: Array  # (GROUP,) uint32: rows of the next period
    dropped: Array  # (GROUP,) uint32: places that are done
    hazards: Array  # (1 + j, GROUP) float32: of each edge, and before them their sum
    lives: Array  # (pattern, kind, 6) int64: a group's moments
    recruited: Array  # (RECRUITS or 0, 3) uint64: segment, calendar period of arrival and identity of each recruit made
    policy_words: Array  # (4, GROUP) uint32: uptake, whether a survey is answered, its error, a rank; of those listed in ``places``
    picked: Array  # (GROUP,) uint16: places in the group of those listed
    force: Array  # (p, GROUP) float32: strength at which each policy acts, 0 where it is not in force
    load: Array  # (p or 0,) float32: part of the strength of each policy that is left where members share its capacity
    altered: Array  # (GROUP,) uint32: rows of the hazards that hold
    charge: Array  # (GROUP,) int64: cost of policies in this period
    lifts: Array  # (LIFTS, GROUP) float32
    groups: Array  # (pattern, s + 1, 11) int64: a group's part of ``Tally.against``
    made: Array  # (1,) int64: recruits made; more than there is room for, where some were not written


AT_TOP = np.uint64(16)
"""A customer's history is one word, read and written as one. Its lowest 16 bits are tenure on entry to the stage; here begin the periods
in stages of rank 3, the present stay left out (16 bits);"""
LOST_AT = np.uint64(32)
"""the period at whose end it was first lost (16);"""
REACHED = np.uint64(48)
"""the ranks reached, one bit each (3); and three flags:"""
SHORT = np.uint64(0xFFFF)
WAS_ACTIVE = np.uint64(1 << 52)
WAS_LOST = np.uint64(1 << 53)
PAID_BACK = np.uint64(1 << 54)
GONE = np.uint64(0xFFFF << 32)
"""Period of loss of those who were lost before calendar 0: all bits of ``LOST_AT``, which no period has."""

Z_MAX, NODES = 6.5, 2048
"""Quantile tables: NODES values at equal steps of z; 32-bit uniforms never pass |z| = 6.4."""

RECRUITS = 2**18
"""Recruits that one call of a driver can make, by a few groups of customers."""

NEVER_ASKED = 0xFFFF

RANKS = ("value", "orders", "tenure", "survey", "random")
BY_VALUE, BY_ORDERS, BY_TENURE, BY_SURVEY, BY_CHANCE = range(len(RANKS))
NOBODY = np.float32(-np.inf)
