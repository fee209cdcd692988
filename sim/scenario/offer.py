"""What is offered to customers: further products, a share of the joint surplus, service to many kinds of needs."""

import math
from typing import Annotated

from pydantic import BeforeValidator, Field

from sim.scenario.base import Count, Factor, Model, _listed

MOST_CONTACTS = 650.0
"""A period's Poisson mean at most: e to the minus it must be a number."""

ContactsByAge = Annotated[tuple[Annotated[float, Field(ge=0, le=MOST_CONTACTS)], ...], BeforeValidator(_listed), Field(min_length=1)]


class Products(Model):
    """Products held: one in the first period of an active stay, then more by the stage's ``cross_sell``; outside active stages none.

    maximum: the most a customer holds; worth: what each beyond the first adds to its spend, as a share of it.
    """

    maximum: Annotated[Count, Field(ge=2, le=100)]
    worth: Factor


class Learning(Model):
    """The firm learns from contacts that customers start: performance rises for all by ``most * (1 - exp(-told / contacts))``.

    most: points; contacts: of the firm, by which 63 % of it is learned; told: those started before the calendar period.
    """

    most: Annotated[float, Field(gt=0, le=4)]
    contacts: Annotated[float, Field(gt=0, le=1e12)]

    def points(self, told: float) -> float:
        """Return the points of performance that so many contacts are worth."""
        return -self.most * math.expm1(-told / self.contacts)


class Service(Model):
    """Cost to serve rises with the variety of needs: it is multiplied by ``1 + breadth * (needs - 1)``.

    needs: effective number of kinds of needs (default: of the segments, 1 / sum of squared shares of new customers; Hill 1973).
    """

    breadth: Factor = 0.0
    needs: Annotated[float, Field(ge=1, le=1e6)] | None = None
