"""What the firm does to its customers: whom it contacts, who takes it up, what that costs, and what it changes while it is in force.

Off, nothing here is called. Policies see how customers stand at the end of the period before, cost at once, and act from this period on.
"""

import numpy as np

from sim.kernels.jit import inner
from sim.kernels.maths import TO_UNIT, exponent, normal
from sim.kernels.philox import counter
from sim.kernels.sums import add
from sim.kernels.talk import draw_for
from sim.kernels.types import (
    CONTACTED,
    LIFTS,
    MEMBERS,
    NEVER_ASKED,
    ORDERS_LIFT,
    PER_CONTACT,
    PER_MEMBER,
    PER_UPTAKE,
    POLICY_COST,
    SATISFACTION,
    TAKEN_UP,
    TRAIT_PERIOD,
    Array,
    Integer,
    Scratch,
    State,
    Tables,
    Tally,
)

ZERO, ONE = np.float32(0.0), np.float32(1.0)
START, STOP, EVERY, COOLDOWN, TENURE_FROM, TENURE_UNTIL, LASTS = range(7)
BELOW, ABOVE, ERROR, RESPONSE = range(4)


@inner
def start_policies(tables: Tables, state: State, scratch: Scratch, q: int, who: tuple[int, int, int], identity: np.uint64) -> None:
    """Let new customers be members of nothing, and draw how strongly they respond and who is in a pilot; who: replicate, variant, count."""
    replicate, v, n = who
    state.spent[q, 0] = np.int64(0)
    for p in range(tables.treating.shape[1]):
        since, asked, strength = state.since[q, p], state.asked[q, p], state.strength[q, p]
        since[:] = np.uint16(0)
        asked[:] = np.uint16(0)
        strength[:] = ONE
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
    for p in range(tables.treating.shape[1]):
        if tables.treating[v, p] == 0:
            continue
        counts = tally.policy[k, g, t, p]
        if due(tables.policy_when[v, p], t, y):
            draw_for(tables, scratch.policy_words, state.place[q], n, identity, counter(replicate, t, tables.policy_purpose[v, p]))
            if tables.policy_survey[v, p, RESPONSE] >= ZERO:
                normal(scratch.policy_words[2], scratch.floats[0], scratch.floats[1], scratch.floats[2], n)
            contact_them(tables, counts, state, scratch, q, (v, p), t)
        hold(tables, counts, state, scratch, q, (v, p), t, n)
    fill_lifts(tables, scratch, v, n)


@inner
def due(when: Array, t: int, y: int) -> bool:
    """Return whether a policy contacts customers of tenure t in calendar period y."""
    in_calendar = when[START] <= y < when[STOP] and (y - when[START]) % when[EVERY] == 0
    return bool(in_calendar and when[TENURE_FROM] <= t < when[TENURE_UNTIL])


@inner
def contact_them(tables: Tables, counts: Array, state: State, scratch: Scratch, q: int, which: tuple[int, int], t: int) -> None:
    """Contact whom policy p may, and let them take it up or not; which: variant, policy."""
    v, p = which
    row, since, asked, words = state.row[q], state.since[q, p], state.asked[q, p], scratch.policy_words
    lasts, cooldown = tables.policy_when[v, p, LASTS], tables.policy_when[v, p, COOLDOWN]
    per_contact, per_uptake = tables.policy_units[v, p, t, PER_CONTACT], tables.policy_units[v, p, t, PER_UPTAKE]
    contacts, taken = np.int64(0), np.int64(0)
    for i in range(state.live[q]):
        before = np.int64(asked[i])
        if tables.policy_who[v, p, row[i]] == 0 or before == NEVER_ASKED or (before != 0 and t + 1 - before < cooldown):
            continue
        if (lasts == 0 and since[i] != 0) or left_alone(tables, state, q, which, t, i) or not says_so(tables, state, scratch, q, which, i):
            continue
        contacts += 1
        asked[i] = np.uint16(t + 1)
        scratch.charge[i] += per_contact
        if np.uint64(words[0, i]) < tables.policy_uptake[v, p]:
            taken += 1
            since[i] = np.uint16(t + 1)
            scratch.charge[i] += per_uptake
    counts[CONTACTED] += contacts
    counts[TAKEN_UP] += taken
    add(counts[POLICY_COST:], contacts * per_contact + taken * per_uptake)


@inner
def in_force(tables: Tables, state: State, q: int, which: tuple[int, int], t: int, i: Integer) -> bool:
    """Return whether a policy is in force for customer i; which: variant, policy."""
    v, p = which
    since, lasts = np.int64(state.since[q, p, i]), tables.policy_when[v, p, LASTS]
    return bool(since != 0 and (lasts == 0 or t + 1 - since < lasts))


@inner
def left_alone(tables: Tables, state: State, q: int, which: tuple[int, int], t: int, i: Integer) -> bool:
    """Return whether customer i is a member of a policy that this one excludes."""
    v, p = which
    for other in range(tables.treating.shape[1]):
        if tables.policy_excludes[v, p, other] != 0 and in_force(tables, state, q, (v, other), t, i):
            return True
    return False


@inner
def says_so(tables: Tables, state: State, scratch: Scratch, q: int, which: tuple[int, int], i: Integer) -> bool:
    """Return whether customer i answers a survey, and with a score at which it is to be treated; True where nobody is asked."""
    v, p = which
    survey = tables.policy_survey[v, p]
    if survey[RESPONSE] < ZERO:
        return True
    if not np.float32(scratch.policy_words[1, i]) * TO_UNIT < survey[RESPONSE]:
        return False
    score = state.mind[q, SATISFACTION, i] + survey[ERROR] * scratch.floats[2, i]
    return bool(survey[ABOVE] <= score < survey[BELOW])


@inner
def hold(tables: Tables, counts: Array, state: State, scratch: Scratch, q: int, which: tuple[int, int], t: int, n: int) -> None:
    """Write at which strength a policy acts on each customer, count those in force and charge their cost; which: variant, policy."""
    v, p = which
    row, since, strength, force = state.row[q], state.since[q, p], state.strength[q, p], scratch.force[p]
    inside, altered, charge, pays = scratch.after, scratch.altered, scratch.charge, scratch.moved
    lasts = np.int32(tables.policy_when[v, p, LASTS])
    now, longest = np.int32(t + 1), lasts if lasts > 0 else np.int32(NEVER_ASKED + 1)
    shift = np.uint32(tables.policy_bit[v, p] * tables.policy_rows[v])
    for i in range(n):
        inside[i] = np.uint32((since[i] != 0) & (now - np.int32(since[i]) < longest))
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
    for i in range(n):
        pays[i] = tables.policy_member[v, p, row[i]]
    per_member, members = tables.policy_units[v, p, t, PER_MEMBER], np.int64(0)
    for i in range(state.live[q]):
        member = np.int64(inside[i] & pays[i])
        members += member
        charge[i] += member * per_member
    counts[MEMBERS] += members
    add(counts[POLICY_COST:], members * per_member)


@inner
def fill_lifts(tables: Tables, scratch: Scratch, v: int, n: int) -> None:
    """Add up what the policies in force lift, in the rows that some policy lifts; orders and contacts become factors."""
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
            power = scratch.floats[0]
            for i in range(n):
                power[i] = total[i]
            exponent(power, total, n)


@inner
def steer(tables: Tables, row: Array, scratch: Scratch, v: int, j: int, n: int) -> None:
    """Multiply the hazards of the edges in place j by what fades, or differs between customers, of the policies in force."""
    power, factor, hazard = scratch.floats[0], scratch.floats[1], scratch.hazards[1 + j]
    power[:n] = ZERO
    for p in range(tables.treating.shape[1]):
        if tables.treating[v, p] != 0 and tables.policy_sway[v, p, :, j].any():
            for i in range(n):
                factor[i] = tables.policy_sway[v, p, row[i], j]
            for i in range(n):
                power[i] += factor[i] * scratch.force[p, i]
    exponent(power, factor, n)
    for i in range(n):
        hazard[i] *= factor[i]


@inner
def pay(state: State, scratch: Scratch, q: int, n: int) -> None:
    """Take the cost of policies off what each customer brings."""
    net, charge, spent = scratch.net, scratch.charge, state.spent[q, 0]
    for i in range(n):
        net[i] += charge[i]
        spent[i] += charge[i]
