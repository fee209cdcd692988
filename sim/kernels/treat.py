"""What the firm does to its customers: whom it contacts, who takes it up, what that costs, and what it changes while it is in force.

Off, nothing here is called. Policies see how customers stand at the end of the period before, cost at once, and act from this period on.
"""

import numpy as np

from sim.kernels.addresses import TRAIT_PERIOD
from sim.kernels.jit import inner
from sim.kernels.maths import TO_UNIT, exponent, normal
from sim.kernels.philox import counter
from sim.kernels.staff import enrolled, hand_over, waits
from sim.kernels.sums import add
from sim.kernels.talk import draw_for
from sim.kernels.types import (
    BY_CHANCE,
    BY_ORDERS,
    BY_TENURE,
    BY_VALUE,
    CONTACTED,
    COOLDOWN,
    EVERY,
    LASTS,
    LIFTS,
    MEMBERS,
    NEVER_ASKED,
    NOBODY,
    ORDERS_LIFT,
    PER_CONTACT,
    PER_MEMBER,
    PER_UPTAKE,
    POLICY_COST,
    SATISFACTION,
    START,
    STOP,
    TAKEN_UP,
    TENURE_FROM,
    TENURE_UNTIL,
    Array,
    Integer,
    Scratch,
    State,
    Tables,
    Tally,
)
from sim.kernels.vectors import list_places, take

ZERO, ONE = np.float32(0.0), np.float32(1.0)
BELOW, ABOVE, ERROR, RESPONSE = range(4)
CERTAIN = np.uint64(2**32)


@inner
def start_policies(tables: Tables, state: State, scratch: Scratch, q: int, who: tuple[int, int, int], identity: np.uint64) -> None:
    """Let new customers be members of nothing, and draw how strongly they respond and who is in a pilot; who: replicate, variant, count."""
    replicate, v, n = who
    state.spent[q, 0] = np.int64(0)
    if state.owed.shape[1] > 0:
        state.owed[q, 0] = np.int64(0)
    for p in range(tables.treating.shape[1]):
        since, asked, strength = state.since[q, p], state.asked[q, p], state.strength[q, p]
        since[:] = np.uint16(0)
        asked[:] = np.uint16(0)
        strength[:] = ONE
        if state.trail.shape[1] > 0:
            state.trail[q, p] = np.uint16(0)
        if state.vacant.shape[1] > 0:
            state.vacant[q, p] = np.uint16(0)
        if tables.treating[v, p] != 0 and (tables.policy_spread[v, p] > ZERO or tables.policy_share[v, p] < np.uint64(2**32)):
            draw_for(
                tables, scratch.policy_words, state.place[q], n, identity, counter(replicate, TRAIT_PERIOD, tables.policy_purpose[v, p])
            )
            normal(scratch.policy_words[0], scratch.floats[0], scratch.floats[1], scratch.floats[2], n)
            for i in range(n):
                strength[i] = ONE + tables.policy_spread[v, p] * scratch.floats[2, i]
                if np.uint64(scratch.policy_words[1, i]) >= tables.policy_share[v, p]:
                    asked[i] = np.uint16(NEVER_ASKED)


@inner
def treat(
    tables: Tables,
    tally: Tally,
    state: State,
    scratch: Scratch,
    q: int,
    who: tuple[int, int, int, int, np.uint64],
    when: tuple[int, int],
    n: int,
) -> None:
    """Contact customers, and say what is in force in this period (``force``, ``altered``, ``lifts``) and what it costs (``charge``).

    who: replicate, case, cell, variant, identity; when: tenure, calendar period.
    """
    replicate, k, g, v, identity = who
    t, y = when
    row, altered, charge = state.row[q], scratch.altered, scratch.charge
    for i in range(n):
        altered[i] = row[i]
        charge[i] = np.int64(0)
    if state.owed.shape[1] > 0:
        for i in range(n):
            charge[i] = state.owed[q, 0, i]
            state.owed[q, 0, i] = np.int64(0)
    for p in range(tables.treating.shape[1]):
        if tables.treating[v, p] == 0:
            continue
        counts = tally.policy[k, g, t, p]
        if state.owed.shape[1] == 0:
            hand_over(tables, state, scratch, q, (replicate, v, p, identity), t)
        if state.owed.shape[1] == 0 and due(tables.policy_when[v, p], t, y):
            listed = ask(tables, state, scratch, q, (replicate, v, p, identity), t)
            contact_listed(tables, counts, state, scratch, q, (v, p), t, listed)
        hold(tables, counts, state, scratch, q, (v, p), t, n)
    fill_lifts(tables, scratch, v, n)


@inner
def ask(tables: Tables, state: State, scratch: Scratch, q: int, who: tuple[int, int, int, np.uint64], t: int) -> Integer:
    """List whom policy p could contact in period t (``places``) and return their number; draw what a contact comes to, in the order listed:
    uptake, answers to a survey, a rank by chance; who: replicate, variant, policy, identity.
    """
    replicate, v, p, identity = who
    listed = list_open(tables, state, scratch, q, (v, p), t)
    asks = tables.policy_survey[v, p, RESPONSE] >= ZERO
    by_chance = state.owed.shape[1] > 0 and tables.policy_rank[v, p, 0] == BY_CHANCE
    if listed == 0 or not (asks or tables.policy_uptake[v, p] < CERTAIN or by_chance):
        return listed
    place, picked = state.place[q], scratch.picked
    for c in range(listed):
        picked[c] = place[np.uintp(scratch.places[c])]
    draw_for(tables, scratch.policy_words, picked, int(listed), identity, counter(replicate, t, tables.policy_purpose[v, p]))
    if asks:
        normal(scratch.policy_words[2], scratch.floats[0], scratch.floats[1], scratch.floats[2], listed)
    return listed


@inner
def list_open(tables: Tables, state: State, scratch: Scratch, q: int, which: tuple[int, int], t: int) -> Integer:
    """List in ``places`` who stands where policy p treats, has had no contact too lately, and could still join; which: variant, policy."""
    v, p = which
    row, asked, since, fits = state.row[q], state.asked[q, p], state.since[q, p], scratch.places
    who, once = tables.policy_who[v, p], np.uint16(0 if tables.policy_when[v, p, LASTS] == 0 else NEVER_ASKED)
    now, cooldown, never = np.int32(t + 1), np.int32(tables.policy_when[v, p, COOLDOWN]), np.int32(NEVER_ASKED)
    live = state.live[q]
    take(who, row, fits, live)
    for i in range(live):
        before = np.int32(asked[i])
        rested = (before == 0) | ((before != never) & (now - before >= cooldown))
        fits[i] *= np.uint32(rested & (since[i] <= once))
    if state.vacant.shape[1] > 0:
        for i in range(live):
            fits[i] *= np.uint32(t >= np.int64(state.vacant[q, p, i]))
    if state.trail.shape[1] > 0:
        for i in range(live):
            fits[i] *= np.uint32(np.int64(state.trail[q, p, i]) >= tables.policy_trail[v, p])
    return list_places(fits, live)


@inner
def due(when: Array, t: int, y: int) -> bool:
    """Return whether a policy contacts customers of tenure t in calendar period y."""
    in_calendar = when[START] <= y < when[STOP] and (y - when[START]) % when[EVERY] == 0
    return bool(in_calendar and when[TENURE_FROM] <= t < when[TENURE_UNTIL])


@inner
def contact_listed(
    tables: Tables, counts: Array, state: State, scratch: Scratch, q: int, which: tuple[int, int], t: int, listed: Integer
) -> None:
    """Contact those ``listed`` whom policy p may, and let them take it up or not; which: variant, policy."""
    contacts, taken = np.int64(0), np.int64(0)
    for c in range(listed):
        i = np.uintp(scratch.places[c])
        if may(tables, state, scratch, q, which, t, c):
            takes = would(tables, scratch, which, c)
            contacts += 1
            taken += takes
            contact_one(tables, state, scratch.charge, q, which, t, i, takes)
    count_contacts(tables, counts, which, t, contacts, taken)


@inner
def contact_chosen(tables: Tables, counts: Array, state: State, q: int, which: tuple[int, int], t: int) -> None:
    """Contact those who are left in ``score``; which: variant, policy."""
    contacts, taken = np.int64(0), np.int64(0)
    for i in range(state.live[q]):
        if state.score[q, 0, i] != NOBODY:
            takes = state.takes[q, 0, i] & np.uint8(1) != 0
            contacts += 1
            taken += takes
            contact_one(tables, state, state.owed[q, 0], q, which, t, i, takes)
    count_contacts(tables, counts, which, t, contacts, taken)


@inner
def contact_one(tables: Tables, state: State, charge: Array, q: int, which: tuple[int, int], t: int, i: Integer, takes: bool) -> None:
    """Contact customer i; which: variant, policy."""
    v, p = which
    units = tables.policy_units[v, p, t]
    state.asked[q, p, i] = np.uint16(t + 1)
    charge[i] += units[PER_CONTACT]
    if takes:
        state.since[q, p, i] = np.uint16(t + 1)
        charge[i] += units[PER_UPTAKE]


@inner
def count_contacts(tables: Tables, counts: Array, which: tuple[int, int], t: int, contacts: Integer, taken: Integer) -> None:
    """Count contacts and what they cost; which: variant, policy."""
    units = tables.policy_units[which[0], which[1], t]
    counts[CONTACTED] += contacts
    counts[TAKEN_UP] += taken
    add(counts[POLICY_COST:], contacts * units[PER_CONTACT] + taken * units[PER_UPTAKE])


@inner
def may(tables: Tables, state: State, scratch: Scratch, q: int, which: tuple[int, int], t: int, c: Integer) -> bool:
    """Return whether policy p may contact the c-th of those listed; which: variant, policy."""
    i = np.uintp(scratch.places[c])
    return bool(not left_alone(tables, state, q, which, t, i) and says_so(tables, state, scratch, q, which, c))


@inner
def would(tables: Tables, scratch: Scratch, which: tuple[int, int], c: Integer) -> bool:
    """Return whether the c-th of those listed takes policy p up; which: variant, policy."""
    below = tables.policy_uptake[which[0], which[1]]
    return bool(below >= CERTAIN or np.uint64(scratch.policy_words[0, c]) < below)


@inner
def rank_listed(tables: Tables, state: State, scratch: Scratch, q: int, which: tuple[int, int], t: int, listed: Integer) -> None:
    """Write how those ``listed`` whom policy p may contact rank for it (``score``), and whether they would take it up (``takes``)."""
    v, p = which
    by, sign = tables.policy_rank[v, p, 0], np.float32(tables.policy_rank[v, p, 1])
    asked = tables.policy_survey[v, p, RESPONSE] >= ZERO
    for c in range(listed):
        if not may(tables, state, scratch, q, which, t, c):
            continue
        i, found = np.uintp(scratch.places[c]), ZERO
        if by == BY_VALUE:
            found = np.float32(state.clv[q, i])
        elif by == BY_ORDERS:
            found = np.float32(state.orders[q, i])
        elif by == BY_TENURE:
            found = np.float32(t)
        elif by == BY_CHANCE:
            found = np.float32(scratch.policy_words[3, c])
        elif state.mind.shape[1] > 0:
            found = state.mind[q, SATISFACTION, i]
            if asked:
                found += tables.policy_survey[v, p, ERROR] * scratch.floats[2, c]
        state.score[q, 0, i] = sign * found
        inside = np.uint8(2) if in_force(tables, state, q, which, t, i) else np.uint8(0)
        state.takes[q, 0, i] = inside | (np.uint8(1) if would(tables, scratch, which, c) else np.uint8(0))


@inner
def in_force(tables: Tables, state: State, q: int, which: tuple[int, int], t: int, i: Integer) -> bool:
    """Return whether a policy is in force for customer i; which: variant, policy."""
    return bool(enrolled(tables, state, q, which, t, i) and not waits(state, q, which[1], t, i))


@inner
def treated_still(tables: Tables, state: State, q: int, v: int, t: int, i: Integer) -> bool:
    """Return whether customer i will be a member of a policy in the period after t."""
    still = False
    for p in range(tables.treating.shape[1]):
        still |= tables.treating[v, p] != 0 and enrolled(tables, state, q, (v, p), t + 1, i)
    return still


@inner
def left_alone(tables: Tables, state: State, q: int, which: tuple[int, int], t: int, i: Integer) -> bool:
    """Return whether customer i is a member of a policy that this one excludes."""
    v, p = which
    for other in range(tables.treating.shape[1]):
        if tables.policy_excludes[v, p, other] != 0 and in_force(tables, state, q, (v, other), t, i):
            return True
    return False


@inner
def says_so(tables: Tables, state: State, scratch: Scratch, q: int, which: tuple[int, int], c: Integer) -> bool:
    """Return whether the c-th of those listed answers a survey with a score at which it is to be treated; True where nobody is asked."""
    v, p = which
    survey = tables.policy_survey[v, p]
    if survey[RESPONSE] < ZERO:
        return True
    if not np.float32(scratch.policy_words[1, c]) * TO_UNIT < survey[RESPONSE]:
        return False
    score = state.mind[q, SATISFACTION, np.uintp(scratch.places[c])] + survey[ERROR] * scratch.floats[2, c]
    return bool(survey[ABOVE] <= score < survey[BELOW])


@inner
def hold(tables: Tables, counts: Array, state: State, scratch: Scratch, q: int, which: tuple[int, int], t: int, n: int) -> None:
    """Write at which strength a policy acts on each customer, count those in force and charge their cost; which: variant, policy.

    It lapses where a customer is lost, unless it treats the lost.
    """
    v, p = which
    row, since, strength, force = state.row[q], state.since[q, p], state.strength[q, p], scratch.force[p]
    inside, altered, charge = scratch.after, scratch.altered, scratch.charge
    lasts = np.int32(tables.policy_when[v, p, LASTS])
    now, longest = np.int32(t + 1), lasts if lasts > 0 else np.int32(NEVER_ASKED + 1)
    shift = np.uint32(tables.policy_bit[v, p] * tables.policy_rows[v])
    take(tables.policy_member[v, p], row, inside, n)
    for i in range(n):
        since[i] *= np.uint16(inside[i])
    for i in range(n):
        inside[i] = np.uint32((since[i] != 0) & (now - np.int32(since[i]) < longest))
    if state.vacant.shape[1] > 0:
        for i in range(n):
            inside[i] *= np.uint32(np.int64(state.vacant[q, p, i]) <= t)
    for i in range(n):
        altered[i] += shift * inside[i]
    if tables.policy_fades[v, p] != 0:
        for i in range(n):
            force[i] = tables.policy_fade[v, p, np.uintp(now - np.int32(since[i]))] if inside[i] != 0 else ZERO
        for i in range(n):
            force[i] *= strength[i]
    else:
        for i in range(n):
            force[i] = strength[i] if inside[i] != 0 else ZERO
    if scratch.load.size > 0:
        for i in range(n):
            force[i] *= scratch.load[p]
    per_member, members = tables.policy_units[v, p, t, PER_MEMBER], np.int64(0)
    for i in range(state.live[q]):
        members += np.int64(inside[i])
        charge[i] += np.int64(inside[i]) * per_member
    counts[MEMBERS] += members
    add(counts[POLICY_COST:], members * per_member)


@inner
def fill_lifts(tables: Tables, scratch: Scratch, v: int, n: int) -> None:
    """Add up what the policies in force lift, in the rows that some policy lifts; from orders on they become factors."""
    for lift in range(LIFTS):
        if tables.lifted[v, lift] == 0:
            continue
        total = scratch.lifts[lift]
        total[:n] = ZERO
        for p in range(tables.treating.shape[1]):
            worth, force = tables.policy_lift[v, p, lift], scratch.force[p]
            if tables.treating[v, p] != 0 and worth != ZERO:
                for i in range(n):
                    total[i] += worth * force[i]
        if lift >= ORDERS_LIFT:
            for i in range(n):
                total[i] = exponent(total[i])


@inner
def steer(tables: Tables, row: Array, scratch: Scratch, v: int, j: int, n: int) -> None:
    """Multiply the hazards of the edges in place j by what fades, or differs between customers, of the policies in force."""
    power, factor, hazard = scratch.floats[0], scratch.floats[1], scratch.hazards[1 + j]
    power[:n] = ZERO
    for p in range(tables.treating.shape[1]):
        if tables.treating[v, p] != 0 and tables.policy_sway[v, p, j].any():
            take(tables.policy_sway[v, p, j], row, factor, n)
            for i in range(n):
                power[i] += factor[i] * scratch.force[p, i]
    for i in range(n):
        hazard[i] *= exponent(power[i])


@inner
def note_margins(tables: Tables, state: State, scratch: Scratch, q: int, v: int, t: int, n: int) -> None:
    """Count for how many periods in a row each customer's margin (``net``, before what policies cost) has been as low as a policy asks."""
    net = scratch.net
    for p in range(state.trail.shape[1]):
        if tables.policy_trail[v, p] != 0:
            trail, floor = state.trail[q, p], tables.policy_floor[v, p, t]
            for i in range(n):
                trail[i] = np.uint16(np.uint16(trail[i] + np.uint16(1)) * np.uint16(net[i] < floor))


@inner
def pay(tables: Tables, state: State, scratch: Scratch, q: int, v: int, t: int, n: int) -> None:
    """Note what each customer brings, where a policy asks for it, and take the cost of policies off."""
    note_margins(tables, state, scratch, q, v, t, n)
    net, charge, spent = scratch.net, scratch.charge, state.spent[q, 0]
    for i in range(n):
        net[i] += charge[i]
        spent[i] += charge[i]
