"""One variant: one segment of one case, as arrays with no leading axis."""

from typing import NamedTuple

import numpy as np

from sim.kernels.types import Array

BY_ROW = (
    "row_stage", "stay_row", "edge", "purchase_units", "service_units", "orders", "stream_units", "contacts", "contact_units", "cross_sell",
    "price_units", "over",
)  # fmt: skip
BY_SECOND = ("fixed_purchase", "fixed_service", "hazard", "certain", "policy_who", "policy_member", "policy_sway")
"""Fields with their row axis first, and second."""

LAST = {"hazard": -2, "beta": -2, "stream_units": -2, "policy_sway": -2, "frail": -2, "edge_factor": -2, "sway": -3}
"""The axis of rows or stages, here, of fields that Tables has it last of, so that kernels look up in one piece of memory."""

COPIED = ("hazard", "certain")
"""Fields of which there is a copy for each set of altering policies, on their first axis."""


class Variant(NamedTuple):
    """Fields named as in Tables, without the v axis; see there for meanings. ``fixed_*`` are (t, r) or of length 0 on t; hazard and certain
    have an axis m of sets of altering policies before their rows.
    """

    start_stage: Array
    row_stage: Array
    stay_row: Array
    first_row: Array
    ageing: Array
    edge: Array
    edge_row: Array
    edge_drops: Array
    over: Array
    ends: Array
    edge_cash: Array
    nowhere: Array
    edge_units: Array
    plain: Array
    hazard: Array
    certain: Array
    sure: Array
    frail: Array
    beta: Array
    until_exit: Array
    timed: Array
    edge_factor: Array
    minded: Array
    feels: Array
    quality: Array
    gain: Array
    feeling: Array
    expectation: Array
    trust: Array
    loyalty: Array
    loyalty_reference: Array
    level: Array
    level_target: Array
    level_speed: Array
    levelled: Array
    invest: Array
    sway: Array
    swayed: Array
    contacting: Array
    contacts: Array
    contact_units: Array
    selling: Array
    cross_sell: Array
    products: Array
    treating: Array
    steering: Array
    altering: Array
    lifted: Array
    policy_bit: Array
    policy_purpose: Array
    policy_who: Array
    policy_member: Array
    policy_when: Array
    policy_uptake: Array
    policy_share: Array
    policy_survey: Array
    policy_trail: Array
    policy_floor: Array
    policy_turnover: Array
    policy_desk: Array
    policy_gap: Array
    policy_shaken: Array
    policy_shared: Array
    policy_excludes: Array
    policy_units: Array
    policy_fade: Array
    policy_fades: Array
    policy_spread: Array
    policy_sway: Array
    policy_lift: Array
    policy_rank: Array
    price_units: Array
    purchase: Array
    fixed: Array
    fixed_purchase: Array
    fixed_service: Array
    serving: Array
    purchase_units: Array
    service_units: Array
    orders: Array
    amount_cv: Array
    amount: Array
    purchase_factor: Array
    service_factor: Array
    acquisition_units: Array
    referral_units: Array
    acquisition_at_arrival: Array
    season_orders: Array
    season_margin: Array
    streaming: Array
    stream_units: Array
    stream_factor: Array
    talk: Array
    reach: Array
    trust_above: Array
    square_shift: Array
    long_lasting: Array
    wallet_table: Array
    wallet_mean: Array
    rate_table: Array
    rate_value: Array
    wallet_by_rate: Array
    frailty_table: Array
    beta_table: Array
    gifted: Array
    influence_table: Array
    known_table: Array
    known_share: Array
    mixing: Array

    def unfixed(self) -> "Variant":
        """Return the variant with its amounts to be computed, not looked up: the way of all where one must."""
        empty = self.fixed_purchase[:0]
        return self._replace(fixed=np.array(0, np.uint32), fixed_purchase=empty, fixed_service=empty)

    def padded(self, rows: int, copies: int) -> "Variant":
        """Return the variant with its row axis lengthened, and as many copies of the hazards; no customer ever stands in what is added."""
        longer = {name: _grown(getattr(self, name), rows) for name in BY_ROW}
        for name in BY_SECOND:
            values = getattr(self, name)
            longer[name] = _grown(values, copies if name in COPIED else len(values), rows)
        return self._replace(**longer | {name: longer[name].reshape(-1, *longer[name].shape[2:]) for name in COPIED})


def _grown(values: Array, *sizes: int) -> Array:
    """Return an array whose first axes are lengthened to these sizes, with zeros."""
    if values.shape[: len(sizes)] == sizes:
        return values
    found = np.zeros((*sizes, *values.shape[len(sizes) :]), values.dtype)
    found[tuple(map(slice, values.shape))] = values
    return found
