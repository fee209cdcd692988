"""Types shared by all parts of a scenario. Ranges of one value live here and in the models; rules between values in checks.py."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Period = Literal["day", "week", "month", "quarter", "year"]

PERIODS_PER_YEAR: dict[str, int] = {"day": 365, "week": 52, "month": 12, "quarter": 4, "year": 1}

MAX_HORIZON = 65_534  # a draw's period is a 16-bit word, and 65,535 addresses the traits


class Model(BaseModel):
    """Frozen, strict and closed: no unknown key, no text for a number, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _mean(value: Any) -> Any:
    return {"mean": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


def _chance(value: Any) -> Any:
    return {"value": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=64)]
"""The name of a stage, edge, segment or cohort in paths, files and frames: ASCII, so that it needs no quoting."""

Count = Annotated[int, BeforeValidator(_whole)]
"""A whole number; 1e6 is one."""

MOST_MONEY = 1e12
MOST_FACTOR = 1e6

Money = Annotated[float, Field(ge=-MOST_MONEY, le=MOST_MONEY)]
"""An amount, a price or a margin: bounded, so that no product or sum of a life overflows."""
Cost = Annotated[float, Field(ge=0, le=MOST_MONEY)]
Factor = Annotated[float, Field(ge=0, le=MOST_FACTOR)]

NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Probability = Annotated[float, Field(ge=0, le=1)]

MoneyByAge = Annotated[tuple[Money, ...], BeforeValidator(_listed), Field(min_length=1)]
"""A number, or a list by stage age 0, 1, 2 … whose last value holds on. Always a tuple after reading."""

CostByAge = Annotated[tuple[Cost, ...], BeforeValidator(_listed), Field(min_length=1)]
FactorByAge = Annotated[tuple[Factor, ...], BeforeValidator(_listed), Field(min_length=1)]
ProbabilityByAge = Annotated[tuple[Probability, ...], BeforeValidator(_listed), Field(min_length=1)]


def at(values: tuple[float, ...], index: int) -> float:
    """Return the value at an age or period; the last one holds on."""
    return values[min(index, len(values) - 1)]
