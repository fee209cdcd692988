"""Policies: whom the firm treats, when, at what cost, with what effect, and for how long."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from sim.scenario.base import (
    Cost,
    Count,
    Factor,
    FactorByAge,
    Id,
    Model,
    Money,
    NonNegative,
    Positive,
    Probability,
    ProbabilityByAge,
    _listed,
)
from sim.scenario.behaviour import Points, Score
from sim.scenario.customers import Response
from sim.scenario.market import DriverName
from sim.scenario.stages import Cause

Period = Annotated[Count, Field(ge=0, le=65_534)]
Length = Annotated[Count, Field(ge=1, le=65_534)]
Share = Annotated[float, Field(ge=-1, le=1)]
ShareByAge = Annotated[tuple[Share, ...], BeforeValidator(_listed), Field(min_length=1)]

MOST_POLICIES = 8
"""Policies that one case can have in force."""


class Survey(Model):
    """What the firm learns by asking: satisfaction plus a normal error, from those who answer.

    below, above: whom it treats by the score; error: standard deviation, points; response: share of customers who answer each time.
    """

    below: Score | None = None
    above: Score | None = None
    error: Annotated[float, Field(ge=0, le=10)] = 0.5
    response: Probability = 1.0


class LowMargin(Model):
    """A margin that stays low: what the customer brought, before what policies cost, in each of its last periods.

    below: currency a period, as the ledger books it (purchases, service and streams); periods: in a row, up to the last one.
    """

    below: Money = 0.0
    periods: Length = 6


class Who(Model):
    """Whom a policy may treat: all conditions hold. What is left out asks for nothing.

    stages: by default all active ones; segments: ids; tenure_from, tenure_until: periods since arrival, the last excluded;
    age_from, age_until: stage age likewise; share: of customers, drawn once a customer (a pilot); survey: by what they say;
    margin: by what they brought; remaining_value_below: by what they are still expected to bring, currency (``sim.compile.remaining``);
    trigger: name of a function, given from Python, that says who of those who meet all other conditions is contacted.
    Whether a customer is a prospect, active or lost is seen by all; stages of one kind are told apart, and the time spent in them seen,
    where the scenario has ``stage_observed``, or by an oracle.
    """

    stages: tuple[Id, ...] | None = Field(default=None, strict=False, min_length=1)
    segments: tuple[Id, ...] | None = Field(default=None, strict=False, min_length=1)
    tenure_from: Period = 0
    tenure_until: Period | None = None
    age_from: Period = 0
    age_until: Period | None = None
    share: Probability = 1.0
    survey: Survey | None = None
    trigger: Id | None = None
    margin: LowMargin | None = None
    remaining_value_below: Money | None = None


class When(Model):
    """Calendar periods in which a policy treats: start, start + every … before stop; cooldown: periods before a customer's next contact."""

    start: Period = 0
    stop: Period | None = None
    every: Length = 1
    cooldown: Period = 0


PREDICTED = ("remaining_value", "uplift")
"""Ranks that are made by the exact model."""


class Rank(Model):
    """In which order customers are treated where capacity or budget do not reach all: by what the firm sees, the highest first.

    by: ``value`` (discounted cash so far), ``orders`` (so far), ``tenure``, ``survey`` (the answer; an oracle sees satisfaction itself),
    ``remaining_value`` or ``uplift`` (both exact, by stage and stage age: what the customer will be worth untreated, and what treating it
    now brings more), or ``random``; score: in its place, name of a function, given from Python; lowest: the lowest first. Ties go by
    address.
    """

    by: Literal["value", "orders", "tenure", "survey", "remaining_value", "uplift", "random"] = "random"
    score: Id | None = None
    lowest: bool = False

    @property
    def judged(self) -> bool:
        """Whether the rank is made between two kernels."""
        return self.score is not None or self.by in PREDICTED


class PolicyCost(Model):
    """What a policy costs: setup and per_period are the firm's (equity pays, no CLV), the others a customer's, due at once.

    setup: once, at the start of ``when.start``; per_period: each calendar period from then until its stop; per_contact: each contact;
    per_uptake: each contact that is taken up; per_member: each customer and period in force.
    """

    setup: Cost = 0.0
    per_period: Cost = 0.0
    per_contact: Cost = 0.0
    per_uptake: Cost = 0.0
    per_member: Cost = 0.0

    @property
    def any(self) -> bool:
        """Whether it costs anything."""
        return self.of_customers or self.setup > 0 or self.per_period > 0

    @property
    def of_customers(self) -> bool:
        """Whether a customer costs anything."""
        return self.per_contact > 0 or self.per_uptake > 0 or self.per_member > 0


class EdgeEffect(Model):
    """What a policy does to a move: ``set`` or ``add`` to its probability, before conversion, then ``multiply`` its hazard.

    Each a number or a list by stage age.
    """

    set: ProbabilityByAge | None = None
    add: ShareByAge | None = None
    multiply: FactorByAge | None = None


class PolicyEffects(Model):
    """What is different for a customer while a policy is in force.

    edges: by stage and edge; causes: of all moves with that cause; performance, expectation: points (satisfaction); delivered_value: units
    of it; level: share of wallet added to the target; price: factor of the price at the same unit cost; margin: share of the spend;
    orders, contacts: factors of the chance or rate; cross_sell: of the chance that a period adds a product; cost_to_serve: factor of it;
    drivers: points of value, brand or relationship, which move hazards by the scenario's
    coefficients. spread: standard deviation between customers of the effect's strength, whose mean is 1.
    """

    edges: dict[Id, dict[Id, EdgeEffect]] = {}
    causes: dict[Cause, Annotated[Factor, Field(gt=0)]] = {}
    performance: Points = 0.0
    expectation: Points = 0.0
    delivered_value: Annotated[float, Field(ge=-1e6, le=1e6)] = 0.0
    level: Share = 0.0
    price: Annotated[float, Field(gt=0, le=10)] = 1.0
    margin: Share = 0.0
    orders: Annotated[float, Field(gt=0, le=1000)] = 1.0
    contacts: Annotated[float, Field(gt=0, le=1000)] = 1.0
    cross_sell: Annotated[float, Field(gt=0, le=1000)] = 1.0
    cost_to_serve: Annotated[float, Field(gt=0, le=1000)] = 1.0
    drivers: dict[DriverName, Points] = {}
    spread: Annotated[NonNegative, Field(le=10)] = 0.0


class Turnover(Model):
    """Staff who leave: whoever looks after a member does so with chance ``leaving`` a period, from the second one on.

    gap: periods in which nobody looks after it, that of leaving the first: the policy is then not in force, and costs nothing for it;
    trust: share of the customer's trust that is lost with who leaves, the records being kept badly.
    """

    leaving: Probability
    gap: Length = 1
    trust: Probability = 0.0


class Acquire(Model):
    """Customers bought beside those who are planned: in each calendar period of ``when`` in which a cohort arrives it grows by them.

    budget: currency in each such period, a cost of the firm (``sim.measures.equity``); response: what it wins, whole customers, of the
    cohort's segments, or of those in ``who.segments``, by their shares. They are like all others of their cohort, and cost what
    ``acquisition`` says on top.
    """

    budget: Positive
    response: Response


class Policy(Model):
    """A policy of the firm, in the order of a period: effects that have expired lapse, customers are treated, cost is booked, effects act.

    It also lapses where a customer is lost, unless it treats the lost: who comes back is a newcomer to it.

    uptake: chance that a contact is taken up; lasts: periods in force from the contact on (default: for good; who is in force for good is
    not contacted again, whoever else is treated again starts anew); decay: a period's factor on the strength of the effect; excludes:
    policies whose members it leaves alone; oracle: it may see the stage, which the firm cannot.
    capacity: customers in force at most at any time; budget: currency that its contacts, uptakes and members may cost in a calendar period;
    shared_budget: one of the scenario's ``budgets``, on which it draws with others; all the firm's, so that every customer of the firm must
    be simulated, or ``scale`` be true, which divides them by how many customers one simulated customer stands for; rank: whom to treat
    first; overload: ``refuse`` whoever is beyond the capacity, or let all members ``share`` it: their effect has then the strength capacity
    over members, and they are as many as there are. turnover: of the staff who look after members. acquire: it wins customers, and then
    treats nobody: beside it go who.segments, when.start, stop and every, and the firm's own costs.
    """

    label: str = ""
    description: str = ""
    source: str = ""
    who: Who = Who()
    when: When = When()
    uptake: Probability = 1.0
    cost: PolicyCost = PolicyCost()
    effects: PolicyEffects = PolicyEffects()
    lasts: Length | None = None
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    excludes: tuple[Id, ...] = Field(default=(), strict=False)
    oracle: bool = False
    capacity: Annotated[Count, Field(ge=0, le=10**12)] | None = None
    budget: Cost | None = None
    shared_budget: Id | None = None
    scale: bool = False
    rank: Rank = Rank()
    overload: Literal["refuse", "share"] = "refuse"
    turnover: Turnover | None = None
    acquire: Acquire | None = None

    @property
    def limited(self) -> bool:
        """Whether it cannot treat everybody whom it may."""
        return self.capacity is not None or self.budget is not None or self.shared_budget is not None

    @property
    def rationed(self) -> bool:
        """Whether not all of those whom it may treat are: limits or a function choose among them."""
        return self.limited or self.who.trigger is not None

    @property
    def answers(self) -> bool:
        """Whether answers to its survey are at hand where functions choose and rank."""
        free = self.rank.judged or self.rank.by == "survey" or not self.limited
        return self.who.survey is not None and self.rationed and free

    @property
    def alters(self) -> bool:
        """Whether it sets or adds to a probability."""
        return any(effect.set is not None or effect.add is not None for stage in self.effects.edges.values() for effect in stage.values())
