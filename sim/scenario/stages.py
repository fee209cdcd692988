"""Stages and the edges between them: the lifecycle as data."""

from typing import Annotated, Literal

from pydantic import Field

from sim.scenario.base import (
    CostByAge,
    FactorByAge,
    Id,
    Model,
    Money,
    MoneyByAge,
    NonNegative,
    Period,
    Positive,
    Probability,
    ProbabilityByAge,
    at,
)
from sim.scenario.behaviour import DeliveredValue, Effects, StageLevel
from sim.scenario.offer import ContactsByAge

Cause = Literal["own", "rival", "natural", "unforeseen"]


class Weibull(Model):
    """Hazard by stage age g: ``((g + 1) / scale) ** shape - (g / scale) ** shape`` (a discrete Weibull, Nakagawa and Osaki 1975)."""

    shape: Positive
    scale: Annotated[float, Field(ge=1e-6)]  # periods


class Beta(Model):
    """A probability drawn once per customer and kept: shifted beta-geometric (Fader and Hardie 2007)."""

    a: Positive
    b: Positive


class Edge(Model):
    """A way out of a stage. Exactly one of the six rates is given.

    probability: a period's chance of this move, by stage age, as it holds without the stage's hazard edges;
    hazard: cumulative hazard of a period, by stage age;
    mean_duration: mean stay in periods were this the only edge, ``h = -ln(1 - 1/D)``;
    share: share of the stage's own ``mean_duration``, ``p = share / D``;
    weibull, beta: see there.

    ``target`` is the stage it leads to, by default the one named like the edge: parallel edges need their own names. An edge
    to its own stage is a renewal: stage age goes back to 0.
    ``cash`` (currency, negative for a cost) is booked once per move, at the end of the period, in the column ``transition``.
    ``rate_period`` is the period the rate is quoted for, by default the scenario's; hazards are converted by the ratio.
    ``effects``: how satisfaction, trust, switching cost, the drivers of equity and the split of the surplus multiply its hazard.
    """

    label: str = ""
    target: Id | None = None
    cause: Cause | None = None
    probability: ProbabilityByAge | None = None
    hazard: FactorByAge | None = None
    mean_duration: float | None = Field(default=None, gt=1)
    share: Probability | None = None
    weibull: Weibull | None = None
    beta: Beta | None = None
    rate_period: Period | None = None
    cash: Money = 0.0
    effects: Effects = Effects()


RATES = ("probability", "hazard", "mean_duration", "share", "weibull", "beta")


class Stage(Model):
    """A stage of the relationship and what a period in it is worth.

    kind: ``prospect`` (not buying yet), ``active`` or ``lost``;
    rank: 1 investigation, 2 formation, 3 stability; none for the others (decline is a reversal, not a level);
    mean_duration: mean stay in periods, divided among the edges by their ``share``;
    price: money per unit of wallet or order value (default 1 in active stages, 0 elsewhere);
    margin: share of the spend that is profit (unit margin);
    cost_to_serve: currency a period;
    orders: factor on the chance or rate of ordering;
    amount_cv: coefficient of variation of one order's amount, over that of ``purchases.amount``.
    information, fees, knowledge: currency a period that the customer's information, transactions and knowledge are worth;
    sales_cost: currency a period;
    contacts: mean number a period that the customer starts by itself (Poisson); information_per_contact: currency that each is worth;
    cross_sell: chance that a period adds a product to those held, see ``products``;
    willing_to_pay: what the offer is worth to the customer, in the money of ``price``;
    level: where the share of wallet is heading; delivered_value: what the customer gets.
    Price, margin, costs, orders, worths, contacts and ``cross_sell`` are numbers or lists by stage age.
    """

    label: str = ""
    kind: Literal["prospect", "active", "lost"] = "active"
    rank: Literal[1, 2, 3] | None = None
    mean_duration: float | None = Field(default=None, ge=1)
    price: CostByAge | None = None
    margin: MoneyByAge = (1.0,)
    cost_to_serve: MoneyByAge = (0.0,)
    orders: FactorByAge = (1.0,)
    amount_cv: NonNegative | None = None
    information: MoneyByAge = (0.0,)
    fees: MoneyByAge = (0.0,)
    knowledge: MoneyByAge = (0.0,)
    sales_cost: MoneyByAge = (0.0,)
    contacts: ContactsByAge = (0.0,)
    information_per_contact: MoneyByAge = (0.0,)
    cross_sell: ProbabilityByAge = (0.0,)
    willing_to_pay: CostByAge | None = None
    level: StageLevel | None = None
    delivered_value: DeliveredValue = DeliveredValue()
    to: dict[Id, Edge] = {}

    @property
    def prices(self) -> tuple[float, ...]:
        """Price by stage age, with the default of the stage's kind filled in."""
        if self.price is not None:
            return self.price
        return (1.0,) if self.kind == "active" else (0.0,)

    @property
    def offer_ages(self) -> int:
        """Stage ages at which price, margin or what customers would pay may differ; the last one holds on."""
        return max(len(self.prices), len(self.margin), len(self.willing_to_pay or ()))

    def customer_share(self, age: int) -> float | None:
        """Return the customer's share of the joint surplus: (willing to pay - price) / (willing to pay - unit cost); None where not said.

        Unit cost is price * (1 - margin).
        """
        if self.willing_to_pay is None:
            return None
        worth, price = at(self.willing_to_pay, age), at(self.prices, age)
        return (worth - price) / (worth - price * (1.0 - at(self.margin, age)))

    @property
    def order_factors(self) -> tuple[float, ...]:
        """Factor on ordering by stage age: 0 in a prospect or lost stage that lists no price, for nothing can be ordered there."""
        return self.orders if self.kind == "active" or self.price is not None else (0.0,)
