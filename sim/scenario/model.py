"""The Scenario: one frozen value that says all a run needs to know."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from sim.scenario import shown
from sim.scenario.arrivals import Crowd
from sim.scenario.base import MAX_HORIZON, PERIODS_PER_YEAR, Cost, Count, Id, Model, Period, Probability
from sim.scenario.behaviour import Competition, Level, Satisfaction, SwitchingCost, Trust
from sim.scenario.classes import SHIPPED, Classes, Classification, laid_over
from sim.scenario.customers import OVERRIDABLE, Acquisition, Base, Cohort, Credit, Frailty, Patterns, Segment
from sim.scenario.market import Drivers, Market
from sim.scenario.offer import Learning, Products, Service
from sim.scenario.overlaid import overlaid
from sim.scenario.policy import MOST_POLICIES, Policy
from sim.scenario.purchases import Purchases, Subscription
from sim.scenario.stages import Stage
from sim.scenario.streams import Knowledge, Transaction, WordOfMouth
from sim.scenario.world import Calendar, Firm, Run, Timing

if TYPE_CHECKING:
    from sim.scenario.existing import Existing


def _horizon(value: Any) -> Any:
    return "inf" if value == float("inf") else value


class Scenario(Model):
    """A case: stages, money, customers, time. Made by ``sim.load`` or ``sim.scenario.read``, never by hand.

    period, horizon: the step, and how many of them are simulated ("inf" for exact answers only);
    discount_rate_annual: effective annual rate; a period's factor is ``(1 + r) ** (-1 / periods_per_year)``;
    start: stage of a new customer; stages: up to 16, by id;
    exposure: ``whole``: a customer earns the whole of its last period; ``until_exit``: the fraction it lives through;
    correlations: of ``wallet`` (or order value), ``rate`` (or ordering chance), ``frailty``, ``influence``, ``knowledge`` and
    ``satisfaction`` (the first), in a Gaussian copula;
    crowd, satisfaction … service: mechanisms, each off where it is not given;
    fair_share: of the joint surplus, below which customers leave sooner by ``effects.surplus``;
    classes: how customers of the panel (``run.panel``) are classed, by id;
    stage_observed: whether the firm sees its customers' stage and its age; policies: what the firm does, by id.
    Sources: docs of the single parts, model conventions in DECISIONS.md.
    """

    name: str = "scenario"
    label: str = ""
    description: str = ""
    source: str = ""
    currency: str = ""
    period: Period
    horizon: Annotated[Annotated[Count, Field(ge=1, le=MAX_HORIZON)] | Literal["inf"], BeforeValidator(_horizon)]
    discount_rate_annual: float = Field(default=0.0, gt=-1)
    exposure: Literal["whole", "until_exit"] = "whole"
    timing: Timing = Timing()
    start: Id
    stages: dict[Id, Stage] = Field(min_length=1, max_length=16)
    purchases: Purchases = Subscription(kind="subscription")
    frailty: Frailty = Frailty()
    correlations: dict[str, dict[str, float]] = {}
    credit: Credit | None = None
    acquisition: Acquisition = Acquisition()
    segments: dict[Id, Segment] = Field(default={}, max_length=256)
    cohorts: dict[Id, Cohort] = {}
    crowd: Crowd | None = None
    base: Base | None = None
    calendar: Calendar = Calendar()
    satisfaction: Satisfaction | None = None
    trust: Trust | None = None
    competition: Competition | None = None
    switching_cost: SwitchingCost | None = None
    level: Level | None = None
    drivers: Drivers | None = None
    market: Market | None = None
    word_of_mouth: WordOfMouth | None = None
    knowledge: Knowledge | None = None
    transaction: Transaction = Transaction()
    products: Products | None = None
    learning: Learning | None = None
    service: Service | None = None
    fair_share: Probability = 0.5
    patterns: Patterns = Patterns()
    classes: Classes = {}
    stage_observed: bool = False
    policies: dict[Id, Policy] = Field(default={}, max_length=MOST_POLICIES)
    budgets: dict[Id, Cost] = {}
    firm: Firm = Firm()
    run: Run = Run()

    @property
    def periods_per_year(self) -> int:
        """Periods in a year."""
        return PERIODS_PER_YEAR[self.period]

    @property
    def discount_factor(self) -> float:
        """Value now of one currency unit a period from now."""
        return float((1.0 + self.discount_rate_annual) ** (-1.0 / self.periods_per_year))

    @property
    def minded(self) -> bool:
        """Whether customers have minds that move: satisfaction, level or switching cost is on."""
        return self.satisfaction is not None or self.level is not None or self.switching_cost is not None

    @property
    def recruiting(self) -> bool:
        """Whether customers bring others."""
        return self.word_of_mouth is not None and self.word_of_mouth.recruits is not None

    @property
    def coupled(self) -> bool:
        """Whether arrivals depend on those who are customers already."""
        return self.recruiting or self.crowd is not None

    @property
    def rationed(self) -> bool:
        """Whether some policy has a limit or a trigger, or the firm learns, so that all customers go through the calendar together."""
        return self.learning is not None or any(policy.rationed for policy in self.policies.values())

    @property
    def acting(self) -> bool:
        """Whether customers do more than buy: they get in touch, or add products."""
        return self.products is not None or any(any(stage.contacts) for stage in self.stages.values())

    @property
    def breadth_factor(self) -> float:
        """What the variety of needs multiplies cost to serve by."""
        if self.service is None:
            return 1.0
        return 1.0 + self.service.breadth * ((self.service.needs or self.effective_segments) - 1.0)

    @property
    def effective_segments(self) -> float:
        """Effective number of segments: 1 over the sum of their squared shares (Hill 1973, order 2)."""
        shares = list(self.segment_shares.values())
        return math.fsum(shares) ** 2 / math.fsum(share * share for share in shares)

    @property
    def long_lasting_periods(self) -> int:
        """Periods in rank 3 that make a life long-lasting."""
        return self.patterns.long_lasting or 2 * self.periods_per_year

    @property
    def classifications(self) -> dict[str, Classification]:
        """Ways to class customers: those given, else all that ship and say something: metals need a level, strategic a match."""
        if self.classes:
            return self.classes
        matched = any(segment.match is not None for segment in self.segments.values())
        told = {"metals": self.level is not None, "strategic": matched}
        shipped = laid_over({key: None for key in SHIPPED if told.get(key, True)})
        return {key: Classification.model_validate(entry) for key, entry in shipped.items()}

    @cached_property
    def by_segment(self) -> dict[str, "Scenario"]:
        """One Scenario a segment, its overrides laid over and its ``segments`` empty; {"all": self} where there are none."""
        if not self.segments:
            return {"all": self}
        base = self.model_copy(update={"segments": {}, "base": None, "purchases": self.purchases})
        if self.service is not None:  # a segment's own scenario knows no other segment
            service = self.service.model_copy(update={"needs": self.service.needs or self.effective_segments})
            base = base.model_copy(update={"service": service})
        changes = {key: {part: value for part in OVERRIDABLE if (value := getattr(one, part))} for key, one in self.segments.items()}
        return {key: overlaid(base._without(key, change), change) for key, change in changes.items()}

    def _without(self, segment: str, change: Mapping[str, Any]) -> "Scenario":
        """Return the scenario without the policies that leave a segment alone, and without purchases where its own are of another kind."""
        mine = {key: one for key, one in self.policies.items() if one.who.segments is None or segment in one.who.segments}
        other = change.get("purchases", {}).get("kind", self.purchases.kind) != self.purchases.kind
        return self.model_copy(update={"policies": mine, **({"purchases": None} if other else {})})

    @cached_property
    def existing(self) -> "Existing | None":
        """The customers in the table of ``base``, read when first asked for; None without a base. Raises ScenarioError, see there."""
        if self.base is None:
            return None
        from sim.scenario.existing import read

        return read(self)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> "Scenario":
        """Return a copy with some fields changed, and with nothing kept that was made from the old ones."""
        copy = super().model_copy(update=update, deep=deep)
        if set(update or ()) - {"run"}:
            for made in ("by_segment", "existing"):
                copy.__dict__.pop(made, None)
        return copy

    @property
    def segment_shares(self) -> dict[str, float]:
        """Share of each segment in every cohort, in file order; {"all": 1.0} where there are none."""
        return {key: s.share for key, s in self.segments.items()} or {"all": 1.0}

    def target(self, stage: str, edge: str) -> str:
        """Return the stage that an edge leads to."""
        return self.stages[stage].to[edge].target or edge

    def __repr__(self) -> str:
        return f"<Scenario {shown.headline(self)}>"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        return shown.stages(self)


def with_kind(base: dict[str, Any]) -> dict[str, Any]:
    """Return a scenario's mapping with the kind of its purchases, so that a segment that changes them need not repeat it."""
    return {"purchases": {"kind": "subscription"}, **base}


def overlay(base: Any, change: Any) -> Any:
    """Return ``base`` with the mappings of ``change`` laid over it, key by key; everything else is replaced.

    So is a mapping of another ``kind``: purchases by subscription have other keys than purchases by order.
    """
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return change
    if "kind" in base and change.get("kind", base["kind"]) != base["kind"]:
        return change
    return {**base, **{key: overlay(base.get(key), value) if key in base else value for key, value in change.items()}}
