"""How customers spend, and how they differ in it."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from sim.scenario.base import MOST_MONEY, Model, NonNegative, Period, Positive, Probability, _chance, _mean


class Trait(Model):
    """A positive number, one a customer: fixed (``cv`` 0), gamma or lognormal with this mean and coefficient of variation.

    A gamma may be given by ``shape`` and ``rate`` instead (mean shape / rate), as in the literature on buying.
    """

    mean: Annotated[float, Field(gt=0, le=MOST_MONEY)] | None = None
    cv: NonNegative = 0.0
    distribution: Literal["gamma", "lognormal"] = "gamma"
    shape: Positive | None = None
    rate: Positive | None = None

    @property
    def mean_value(self) -> float:
        """Mean over customers."""
        if self.shape is not None and self.rate is not None:
            return self.shape / self.rate
        assert self.mean is not None
        return self.mean

    @property
    def cv_value(self) -> float:
        """Coefficient of variation over customers."""
        return self.shape**-0.5 if self.shape is not None else self.cv


class Chance(Model):
    """A probability: fixed (``value``) or Beta(a, b) over customers."""

    value: Probability | None = None
    a: Positive | None = None
    b: Positive | None = None


class Amount(Model):
    """One order's amount around the customer's order value, mean kept: fixed, gamma or lognormal with coefficient of variation ``cv``.

    A period with n orders draws one total of mean n a and variance n v: exact for gamma, moment-matched for lognormal.
    """

    distribution: Literal["fixed", "gamma", "lognormal"] = "fixed"
    cv: NonNegative = 0.0


AnyTrait = Annotated[Trait, BeforeValidator(_mean)]
AnyChance = Annotated[Chance, BeforeValidator(_chance)]
ONE = Trait(mean=1.0)


class Subscription(Model):
    """Every active period is paid for: ``wallet * price``."""

    kind: Literal["subscription"] = "subscription"
    wallet: AnyTrait = ONE


class Bernoulli(Model):
    """At most one order a period, with chance q: of ``wallet / q * price`` (wallet given) or ``order_value * price``.

    The chance in a stage is ``q * orders``; the amount keeps the customer's q.
    """

    kind: Literal["bernoulli"]
    probability: AnyChance
    wallet: AnyTrait | None = None
    order_value: AnyTrait | None = None
    amount: Amount = Amount()


class Poisson(Model):
    """Poisson(rate * orders * exposure) orders a period, each of mean ``order_value * price``; a gamma rate gives NBD counts."""

    kind: Literal["poisson"]
    rate: AnyTrait
    rate_period: Period | None = None
    order_value: AnyTrait = ONE
    amount: Amount = Amount()


Purchases = Annotated[Subscription | Bernoulli | Poisson, Field(discriminator="kind")]
