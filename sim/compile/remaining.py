"""What customers are still worth to the firm, by where they stand, as it can reckon beforehand: for policies that ask for it.

Over as many periods as the horizon from now on, of the mean customer with one product and no policy in force, minds at their references,
in a normal year and market, before what word of mouth brings. Where the share of wallet w moves, what is to come is linear in it,
a(r) + b(r) w, and w is what customers in row r have on average.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sim.kernels.types import INFORMATION, KNOWLEDGE, SALES, TRANSACTION, UNIT, Array
from sim.scenario import Scenario
from sim.scenario.purchases import Bernoulli
from sim.scenario.world import OFFSET


@dataclass(frozen=True)
class Chain:
    """A variant's rows as a chain. parts: of the variant, by name; rows are those in which periods are spent, (r,), and (r, j) by edge."""

    scenario: Scenario
    parts: dict[str, Array]

    @cached_property
    def total(self) -> int:
        """Rows in which periods are spent."""
        return int(self.parts["nowhere"]) - len(self.scenario.stages)

    @cached_property
    def stage(self) -> Array:
        """Stage of each row, (r,)."""
        return self.parts["row_stage"][: self.total].astype(np.intp)

    @cached_property
    def hazards(self) -> Array:
        """Hazards with frailty 1 and probabilities drawn from a beta at their mean, (r, j)."""
        found: Array = self.parts["hazard"][0, : self.total].astype(np.float64)
        for s, stage in enumerate(self.scenario.stages.values()):
            for j, edge in enumerate(stage.to.values()):
                if edge.beta is not None:
                    found[self.stage == s, j] *= -np.log1p(-edge.beta.a / (edge.beta.a + edge.beta.b))
        return found

    @cached_property
    def chances(self) -> Array:
        """Chances of the moves of a period, (r, j)."""
        whole = self.hazards.sum(axis=1, keepdims=True)
        leave = np.where(self.parts["certain"][0, : self.total, None] != 0, np.sign(whole), -np.expm1(-whole))
        return np.asarray(leave * self.hazards / np.where(whole > 0, whole, 1.0))

    @cached_property
    def to(self) -> Array:
        """Row that each move leads to, (r, j)."""
        return self.parts["stay_row"][self.parts["edge_row"][self.parts["edge"][: self.total]]].astype(np.intp)

    @cached_property
    def returns(self) -> Array:
        """Whether each move leads back from a lost stage, (r, j)."""
        lost = np.array([stage.kind == "lost" for stage in self.scenario.stages.values()])[self.stage]
        return np.asarray(lost[:, None] & ~lost[self.to])

    @cached_property
    def after(self) -> Array:
        """Row after a period without a move, (r,)."""
        return self.parts["stay_row"][: self.total].astype(np.intp)

    @cached_property
    def pull(self) -> tuple[Array, Array, float]:
        """How the level moves: w becomes keep w + pull, (r,) each, and is what it is on re-entry where customers return."""
        speed, target = (self.parts[name].astype(np.float64)[self.stage] for name in ("level_speed", "level_target"))
        return 1.0 - speed, speed * target, float(self.parts["level"][1])

    def cash(self) -> tuple[Array, Array]:
        """Return a period's cash, undiscounted moves apart, by unit of level and beside it, currency as at its start, (r,) each."""
        scenario, parts, v = self.scenario, self.parts, self.scenario.discount_factor
        at = {name: v ** OFFSET[getattr(scenario.timing, name)] for name in ("purchase", "service", "streams")}
        whole = self.hazards.sum(axis=1)
        shorter = bool(parts["until_exit"]) & (parts["certain"][0, : self.total] == 0) & (whole > 0)
        lived = np.where(shorter, -np.expm1(-whole) / np.where(whole > 0, whole, 1.0), 1.0)
        units = parts["stream_units"][: self.total]
        known = scenario.knowledge.share if scenario.knowledge else 1.0
        streams = units[:, [INFORMATION, TRANSACTION, SALES]].sum(axis=1) + known * units[:, KNOWLEDGE]
        streams += (parts["contacts"] * parts["contact_units"])[: self.total]
        flat = parts["service_units"][: self.total] * at["service"] + streams * at["streams"]
        bought = parts["purchase_units"][: self.total] * self.ordered * at["purchase"]
        return bought * lived / UNIT, flat * lived / UNIT

    @property
    def ordered(self) -> Array | float:
        """Mean orders of a period at level 1, or 1 where customers subscribe, (r,)."""
        how = self.scenario.purchases
        if how.kind == "subscription":
            return 1.0
        factor = self.parts["orders"][: self.total].astype(np.float64)
        rate = float(self.parts["rate_value"])
        if isinstance(how, Bernoulli):
            chance = how.probability
            rate = chance.value or 0.0 if chance.a is None or chance.b is None else chance.a / (chance.a + chance.b)
            ordered = np.minimum(rate * factor, 1.0)
            return ordered / rate if how.wallet is not None else ordered
        return rate * factor

    @cached_property
    def moved(self) -> Array:
        """Cash of the moves and of winning prospects, at a period's end, (r,), currency as then."""
        kinds = [stage.kind for stage in self.scenario.stages.values()]
        due = 0.0 if self.parts["acquisition_at_arrival"] else self.scenario.acquisition.cost
        found = np.zeros(self.total)
        for s, stage in enumerate(self.scenario.stages.values()):
            for j, (key, edge) in enumerate(stage.to.items()):
                target = kinds[list(self.scenario.stages).index(edge.target or key)]
                won = kinds[s] == "prospect" and target == "active"
                here = self.stage == s
                found[here] += self.chances[here, j] * (edge.cash - due * won)
        return found

    def ahead(self, values: Array) -> Array:
        """Return the mean over the next row of values by row, returns left out, (r,)."""
        stay = 1.0 - self.chances.sum(axis=1)
        return np.asarray((self.chances * ~self.returns * values[self.to]).sum(axis=1) + stay * values[self.after])

    def behind(self, values: Array, back: Array | float = 0.0) -> Array:
        """Return what values by row are spread to by a period's moves, (r,); back: per customer who returns."""
        found = np.zeros(self.total)
        np.add.at(found, self.after, values * (1.0 - self.chances.sum(axis=1)))
        np.add.at(found, self.to, self.chances * np.where(self.returns, back, values[:, None]))
        return found


def remaining(scenario: Scenario, parts: dict[str, Array], seen: bool) -> Array:
    """Return the value still to come by row, (r,), currency as at the start of a period; the rows in which none is spent are worth 0.

    seen: the firm tells stages, and the time spent in them, apart; else it knows the mean over all customers of a stage's kind.
    """
    chain, v = Chain(scenario, parts), scenario.discount_factor
    keep, pull, again = chain.pull
    gain, flat = chain.cash()
    a, b = np.zeros(chain.total), np.zeros(chain.total)
    here, level = np.zeros(chain.total), np.zeros(chain.total)
    here[parts["first_row"][parts["start_stage"]]] = 1.0
    level = here * float(parts["level"][0])
    stood, held = np.zeros(chain.total), np.zeros(chain.total)
    for _ in range(int(scenario.horizon)):
        slope = gain + v * chain.ahead(b)
        back = (chain.chances * chain.returns * (a[chain.to] + b[chain.to] * again)).sum(axis=1)
        a, b = flat + slope * pull + v * (chain.moved + chain.ahead(a) + back), slope * keep
        stood, held = stood + here, held + level
        spread = chain.behind(keep * level + pull * here, here[:, None] * again)
        here, level = chain.behind(here, here[:, None]), spread
    target = parts["level_target"].astype(np.float64)[chain.stage]
    value = a + b * np.where(stood > 0, held / np.where(stood > 0, stood, 1.0), target)
    if not seen:
        kinds = np.array([stage.kind for stage in scenario.stages.values()])[chain.stage]
        for kind in set(kinds.tolist()):
            mine = kinds == kind
            value[mine] = np.average(value[mine], weights=stood[mine] if stood[mine].any() else None)
    return np.concatenate([value, np.zeros(len(parts["row_stage"]) - chain.total)])


def worth_less(scenario: Scenario, parts: dict[str, Array], ids: Sequence[str]) -> Array:
    """Return ``policy_who`` where policies treat only those whose value to come is below what they say."""
    found = parts["policy_who"].copy()
    for p, key in enumerate(ids):
        policy = scenario.policies.get(key)
        if policy is not None and policy.who.remaining_value_below is not None:
            worth = remaining(scenario, parts, scenario.stage_observed or policy.oracle)
            found[p] &= (worth < policy.who.remaining_value_below).astype(np.uint32)
    return found
