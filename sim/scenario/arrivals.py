"""Customers who come because of other customers: recruits of the satisfied, and the crowd that a crowd draws."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from sim.scenario.base import Cost, Count, Factor, Model, Positive

MOST_WAVES = 2_000
"""Calendar periods in which recruits may arrive: each has a cohort."""

MOST_PEOPLE = 20_000_000
"""Customers that one replicate may come to, recruits and all."""


class Recruits(Model):
    """Generative talk: a satisfied customer wins Poisson(influence * reach * f(s)) recruits a period, who arrive in the next one.

    A recruit starts as new customers do, in its parent's segment, and costs ``fee`` instead of acquisition. until: calendar period from
    which nobody is recruited any more; by default the horizon after the last planned arrival. The talk of the dissatisfied multiplies
    the next planned cohort by exp(-people reached / customers).
    """

    fee: Cost = 0.0
    until: Annotated[Count, Field(ge=1, le=MOST_WAVES)] | None = None


class Crowd(Model):
    """A crowd draws a crowd: each planned cohort grows by ``strength * n * (1 - n / market)``, n active customers at its arrival.

    The imitation of Bass (1969), of those who are customers now. strength: new customers a customer and period; market: customers at which
    nobody is left to come.
    """

    strength: Factor
    market: Positive


@dataclass(frozen=True)
class Coupling:
    """How many customers arrive, as the engine needs it.

    shares: of the segments; planned: customers by cohort; arrival: its calendar period; open: the firm acquires in it, so that crowd and
    bad talk move it; crowd: strength and market, or None.
    """

    shares: tuple[float, ...]
    planned: tuple[int, ...]
    arrival: tuple[int, ...]
    open: tuple[bool, ...]
    crowd: tuple[float, float] | None
