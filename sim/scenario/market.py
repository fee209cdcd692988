"""What all customers share: the drivers of equity against a rival's, and the regimes of the market."""

import math
from typing import Annotated, Literal

from pydantic import Field

from sim.scenario.base import MOST_FACTOR, Factor, Id, Model, Probability, at
from sim.scenario.behaviour import Coefficient, Points, PointsByPeriod

DriverName = Literal["value", "brand", "relationship"]
DRIVERS: tuple[DriverName, ...] = ("value", "brand", "relationship")


class Attribute(Model):
    """One line of a value proposition: its weight, the firm's score and the rival's, numbers or lists by calendar period."""

    label: str = ""
    weight: Annotated[float, Field(gt=0, le=MOST_FACTOR)] = 1.0
    own: PointsByPeriod
    rival: PointsByPeriod = (0.0,)


class Drivers(Model):
    """The three drivers of customer equity (Rust, Lemon and Zeithaml 2004), each a profile of attributes.

    A driver's gap is the weighted mean of own - rival over its attributes; what counts is how it differs from the gap at the start.
    acquisition: coefficients by which value and brand scale the arrivals of later cohorts, ``exp(sum b (gap - gap at the start))``.
    """

    value: dict[Id, Attribute] = {}
    brand: dict[Id, Attribute] = {}
    relationship: dict[Id, Attribute] = {}
    acquisition: dict[Literal["value", "brand"], Coefficient] = {}

    def gap(self, driver: DriverName, period: int) -> float:
        """Return the weighted mean of own - rival in a calendar period, 0 for a driver without attributes."""
        profile = getattr(self, driver).values()
        weight = math.fsum(one.weight for one in profile) or 1.0
        return math.fsum(one.weight * (at(one.own, period) - at(one.rival, period)) for one in profile) / weight

    def pull(self, period: int) -> float:
        """Return by how much value and brand scale the arrivals of a calendar period (regimes of the market do not)."""
        return math.exp(math.fsum(b * (self.gap(name, period) - self.gap(name, 0)) for name, b in self.acquisition.items()))


class Regime(Model):
    """A state of the market. ``to`` gives the chances of the next period's regime, its own among them, and sums to 1.

    hazards: multiplier of the named ``edges`` (``stage.edge``; default: all that a rival causes); orders, margin: multipliers of ordering
    and of the unit margin; competition: intensity while it lasts; rival: points added to the rival's scores by driver.
    """

    label: str = ""
    to: dict[Id, Probability] = Field(min_length=1)
    hazards: Factor = 1.0
    edges: tuple[str, ...] | None = Field(default=None, strict=False)
    orders: Factor = 1.0
    margin: Factor = 1.0
    competition: Probability | None = None
    rival: dict[DriverName, Points] = {}


class Market(Model):
    """Regimes that all customers of a replicate live through together: a Markov chain by calendar period.

    start: regime at calendar 0 (default: drawn from the chain's stationary distribution).
    """

    start: Id | None = None
    regimes: dict[Id, Regime] = Field(min_length=2, max_length=16)
