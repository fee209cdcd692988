"""Who the customers are: segments, cohorts, frailty, acquisition."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr

from sim.scenario.base import Cost, Count, Id, Model, NonNegative, Positive, _listed
from sim.scenario.classes import Match


class Segment(Model):
    """A share of every cohort that overrides what it likes: ``segments.<id>.stages.<id>.price`` and so on.

    The overrides have the shape of the scenario's own keys of the same name and are laid over them; stages and edges can be
    changed, not added or removed, and mechanisms changed, not switched on or off. match: how well its customers fit the firm's strategy.
    """

    label: str = ""
    share: float = Field(ge=0, le=1)
    match: Match | None = None
    stages: dict[str, Any] = {}
    purchases: dict[str, Any] = {}
    frailty: dict[str, Any] = {}
    acquisition: dict[str, Any] = {}
    satisfaction: dict[str, Any] = {}
    trust: dict[str, Any] = {}
    competition: dict[str, Any] = {}
    switching_cost: dict[str, Any] = {}
    level: dict[str, Any] = {}
    word_of_mouth: dict[str, Any] = {}
    knowledge: dict[str, Any] = {}
    products: dict[str, Any] = {}
    transaction: dict[str, Any] = {}


MECHANISMS = ("satisfaction", "trust", "competition", "switching_cost", "level", "word_of_mouth", "knowledge", "products")
"""What a segment can change only where the scenario has it."""

OVERRIDABLE = ("stages", "purchases", "frailty", "acquisition", *MECHANISMS, "transaction")

TRAITS = ("wallet", "rate", "frailty", "influence", "knowledge", "satisfaction")
"""What can be correlated between customers, in the order of the correlations' axes."""


class Response(Model):
    """Customers bought by a budget: ``ceiling * (1 - exp(-k * spend))``."""

    ceiling: Positive  # customers
    k: Positive  # per currency unit


class Cohort(Model):
    """Customers who arrive in calendar periods ``first_period … first_period + periods - 1``, one cohort each.

    customers: arrivals of a period, a number or a list by period (the last value holds on), times ``(1 + growth) ** k`` in the
    k-th; or ``budget`` (currency a period, a cost of the firm) with its ``response``. Rounded to whole customers.
    """

    label: str = ""
    first_period: Annotated[Count, Field(ge=0, le=65_000)] = 0
    periods: Annotated[Count, Field(ge=1, le=65_000)] = 1
    customers: Annotated[tuple[NonNegative, ...], BeforeValidator(_listed), Field(min_length=1)] | None = None
    growth: float = Field(default=0.0, gt=-1)  # per period
    budget: NonNegative | None = None
    response: Response | None = None


HELD = "base.parquet"
"""File in a run's folder that holds the table of a base given as a DataFrame."""


class Base(Model):
    """The customers that the firm has at calendar 0 already, from a table; ``sim.scenario.existing`` says how it is read.

    file: CSV or Parquet, relative to the working directory; of a base given as a DataFrame, the file in a run's folder that holds it.
    """

    file: Annotated[str, Field(min_length=1)]
    _held: bytes | None = PrivateAttr(default=None)

    @property
    def held(self) -> bytes | None:
        """The table itself, as a Parquet file, where it was given as a DataFrame."""
        return self._held

    @classmethod
    def holding(cls, table: bytes) -> "Base":
        """Return a base that holds its own table, a Parquet file."""
        found = cls(file=HELD)
        found._held = table
        return found


class Frailty(Model):
    """Gamma multiplier of the hazards, mean 1, one a customer, on the named edges (``stage.edge``; default: all into lost)."""

    variance: NonNegative = 0.0
    edges: tuple[str, ...] | None = Field(default=None, strict=False)


class Credit(Model):
    """A customer's credit as the firm sees it, in its own points: normal, one draw a customer, for classes alone.

    correlations: of its normal score with those of TRAITS. It moves nothing.
    """

    mean: float = 0.0
    sd: Positive = 1.0
    correlations: dict[str, float] = {}


class Acquisition(Model):
    """Cost of winning a customer, due on arrival or when a prospect turns active (for others the same), at the period's start."""

    cost: Cost = 0.0
    due: Literal["arrival", "conversion"] = "conversion"


class Patterns(Model):
    """Periods in stages of rank 3 that make a life long-lasting (default: two years)."""

    long_lasting: Annotated[Count, Field(ge=1)] | None = None


__all__ = [
    "MECHANISMS",
    "OVERRIDABLE",
    "TRAITS",
    "Acquisition",
    "Base",
    "Cohort",
    "Credit",
    "Frailty",
    "Id",
    "Patterns",
    "Response",
    "Segment",
]
