"""What customers think and how it moves them: satisfaction, trust, loyalty under competition, switching cost, share of wallet."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from sim.scenario.base import Factor, Model, Probability, _listed

Score = Annotated[float, Field(ge=1, le=5)]
"""A survey's scale: 1 very dissatisfied, 5 delighted."""

Points = Annotated[float, Field(ge=-100, le=100)]
"""Performance and expectation, in points of the same scale, not bounded to it."""

PointsByPeriod = Annotated[tuple[Points, ...], BeforeValidator(_listed), Field(min_length=1)]
"""A number, or a list by calendar period whose last value holds on."""

Coefficient = Annotated[float, Field(ge=-20, le=20)]


class Expectation(Model):
    """What a customer expects, E: first ``initial``, then ``E += speed * (h P + (1 - h) norm - E)`` after each period's performance P.

    habituation h: 1 means that expectation follows what was received, so that no improvement lasts (Oliver 1980; Johnson, Anderson
    and Fornell 1995); 0 that it stays by the norm.
    """

    initial: Points = 3.0
    norm: Points = 3.0
    speed: Probability = 0.0
    habituation: Probability = 0.0


class Failure(Model):
    """A service failure: its chance a period in active stages, and the points of performance it takes away in that period."""

    probability: Probability = 0.0
    size: Annotated[float, Field(ge=0, le=100)] = 1.0


class Satisfaction(Model):
    """Satisfaction s in [1, 5] by disconfirmation: ``s += speed * (clip(3 + P - E, 1, 5) - s)`` in active stages (Oliver 1980).

    Performance ``P = quality + delivered_value * DV + drift - failure``: quality by calendar period, DV of the stage's
    ``delivered_value``, normal drift of that standard deviation, and failures. initial, spread: mean and standard deviation of the
    first s, cut to [1, 5].
    """

    initial: Score = 3.0
    spread: Annotated[float, Field(ge=0, le=4)] = 0.0
    speed: Probability = 0.2
    quality: PointsByPeriod = (3.0,)
    delivered_value: Coefficient = 0.0  # points of performance per unit of delivered value
    drift: Annotated[float, Field(ge=0, le=10)] = 0.0
    failure: Failure = Failure()
    expectation: Expectation = Expectation()


class Trust(Model):
    """Trust T in [0, 1]: moves toward (s - 1) / 4, by the share ``rise`` up and ``fall`` down; a failure multiplies it by 1 - drop.

    inherit: share of it that a customer who comes back has kept; reference: trust at which ``effects.trust`` changes nothing
    (default: initial).
    """

    initial: Probability = 0.5
    rise: Probability = 0.05
    fall: Probability = 0.15
    drop: Probability = 0.0
    inherit: Probability = 1.0
    reference: Probability | None = None


class Competition(Model):
    """How satisfaction s becomes loyalty where competition has intensity c (after Jones and Sasser 1995).

    ``L = l0 + (1 - l0) * x ** gamma`` with x = (s - 1) / 4, l0 = loyalty_max * (1 - c) and gamma = exp(steepness * (2c - 1)): where
    competition is weak even the dissatisfied stay, where it is fierce only the delighted do.
    reference_intensity, reference_satisfaction: where ``effects.loyalty`` changes nothing (default: intensity, satisfaction.initial).
    """

    intensity: Probability = 0.5
    loyalty_max: Probability = 0.6
    steepness: Annotated[float, Field(ge=0, le=3)] = 1.4
    reference_intensity: Probability | None = None
    reference_satisfaction: Score | None = None


class SwitchingCost(Model):
    """Investment in the relationship, I in [0, 1]: in stages of rank 3 ``I += speed * (1 - I)`` a period; it starts at 0 and is kept."""

    speed: Probability = 0.05


class Level(Model):
    """Level of the relationship w, the customer's share of wallet: ``w += speed * (target - w)`` by stage, before the period's cash.

    initial: of a new customer; re_entry: of one who comes back. Every active stage names its target and speed; a prospect keeps w
    as it is, in a lost stage it is 0.
    """

    initial: Probability = 0.0
    re_entry: Probability = 0.0


class StageLevel(Model):
    """Where the level is heading in a stage, and the share of the way that it goes in a period."""

    target: Probability
    speed: Probability


class DeliveredValue(Model):
    """Customer delivered value of a period: benefit - money - time - effort, in units of the user's own (Kotler 1997)."""

    benefit: Factor = 0.0
    money: Factor = 0.0
    time: Factor = 0.0
    effort: Factor = 0.0

    @property
    def net(self) -> float:
        """Benefit less all costs."""
        return self.benefit - self.money - self.time - self.effort


class Effects(Model):
    """What moves the hazard of an edge, as coefficients of its logarithm.

    loyalty: times L(reference) - L; trust: times T(reference) - T; switching_cost: times -I;
    value, brand, relationship: times -(gap - gap at the start), see ``drivers``;
    surplus: times what the customer's share of the joint surplus lacks of a fair one, see ``willing_to_pay``.
    """

    loyalty: Coefficient = 0.0
    trust: Coefficient = 0.0
    switching_cost: Coefficient = 0.0
    value: Coefficient = 0.0
    brand: Coefficient = 0.0
    relationship: Coefficient = 0.0
    surplus: Coefficient = 0.0
