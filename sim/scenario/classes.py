"""Classes of customers: ordered rules on what a firm can see at the end of a year. The first that holds gives the class, else the rest.

The classifications that ship are data, ``SHIPPED``; a scenario changes their cuts and rules, or writes its own.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from sim.scenario.base import Count, Id, Model, Probability, _listed

MEASURES = {
    "current": "current value: cash of the last year, currency",
    "cost": "cost to serve and to sell of the last year, currency",
    "burden": "share of all cost over share of all current value",
    "growth": "growth potential: wallet (1 - w) margin x expected remaining life, currency",
    "future": "future value: expected cash to come, discounted, currency",
    "worth": "current plus future value, currency",
    "remaining": "expected remaining life, years in active stages",
    "match": "strategic match: positioning + capability + values, 0 to 3",
    "orders": "orders of the last year",
    "idle": "years since the last purchase",
    "trend": "growth of current value over that of the year before, as a share",
    "credit": "credit, in the scenario's points",
    "satisfaction": "1 to 5",
    "trust": "0 to 1",
    "level": "share of wallet, 0 to 1",
    "score": "weighted sum of z-scores",
}
"""What a rule may look at, and its unit. What is not known of a customer reaches no cut."""

UNRATED, GONE = "unrated", "lost"
"""Where those are who are not in a class: not yet rated, in their first year; and lost."""


class Match(Model):
    """How well a segment fits the firm's strategy: in its positioning, its capabilities and its values."""

    positioning: Probability
    capability: Probability
    values: Probability

    @property
    def total(self) -> float:
        """Strategic match, 0 to 3."""
        return self.positioning + self.capability + self.values


class Cut(Model):
    """Where a measure is cut, ascending: at quantiles of those rated, or at values in the measure's unit.

    moving: quantiles of each year by itself, else of all years together. A cut is reached by what lies above it.
    """

    quantile: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], BeforeValidator(_listed), Field(min_length=1)] | None = None
    value: Annotated[tuple[float, ...], BeforeValidator(_listed), Field(min_length=1)] | None = None
    moving: bool = False

    @property
    def places(self) -> tuple[float, ...]:
        """Quantiles or values."""
        return self.quantile or self.value or ()


class Classification(Model):
    """A way to sort customers.

    cuts: of measures (MEASURES); score: weights of the measures whose z-scores make ``score``;
    rules: for each class in order, how many of a measure's cuts must be reached, of each measure named; rest: class of all others.
    """

    label: str = ""
    cuts: dict[Id, Cut] = {}
    score: dict[Id, float] = {}
    rules: dict[Id, dict[Id, Count]] = {}
    rest: Id = "rest"

    @property
    def names(self) -> tuple[str, ...]:
        """Classes in order, the rest last."""
        return (*self.rules, self.rest)


MEDIAN: dict[str, Any] = {"quantile": 0.5}

SHIPPED: dict[str, dict[str, Any]] = {
    "metals": {
        "label": "Gold, silver, iron, lead",
        "cuts": {"current": MEDIAN, "growth": MEDIAN},
        "rules": {"gold": {"current": 1, "growth": 1}, "silver": {"growth": 1}, "iron": {"current": 1}},
        "rest": "lead",
    },
    "strategic": {
        "label": "Value and strategic match",
        "cuts": {"worth": MEDIAN, "match": {"value": 1.5}},
        "rules": {"strategic": {"worth": 1, "match": 1}, "profit": {"worth": 1}, "potential": {"match": 1}},
        "rest": "ordinary",
    },
    "accounts": {
        "label": "Key, major, general, maintenance",
        "cuts": {"worth": {"quantile": [0.5, 0.8, 0.95]}},
        "rules": {"key": {"worth": 3}, "major": {"worth": 2}, "general": {"worth": 1}},
        "rest": "maintenance",
    },
    "abcd": {
        "label": "A, B, C, D by a weighted score",
        "cuts": {"score": {"quantile": [0.2, 0.5, 0.8]}},
        "score": {"current": 2.0, "orders": 1.0, "credit": 1.0},
        "rules": {"a": {"score": 3}, "b": {"score": 2}, "c": {"score": 1}},
        "rest": "d",
    },
    "loyalty": {
        "label": "Loyal, growing, sleeping, worth nurturing",
        "cuts": {"idle": {"value": 0.25}, "trend": {"value": 0.2}, "remaining": MEDIAN},
        "rules": {"sleeping": {"idle": 1}, "fast_growing": {"trend": 1}, "loyal": {"remaining": 1}},
        "rest": "worth_nurturing",
    },
    "attention": {
        "label": "Valuable, potential-rich, over-served, latent",
        "cuts": {"current": {"quantile": 0.8}, "growth": {"quantile": 0.8}, "burden": {"value": 1.2}},
        "rules": {"valuable": {"current": 1}, "potential_rich": {"growth": 1}, "over_served": {"burden": 1}},
        "rest": "latent",
    },
    "ends": {
        "label": "High, middle and low end",
        "cuts": {"current": {"quantile": [0.5, 0.8], "moving": True}},
        "rules": {"high_end": {"current": 2}, "middle_end": {"current": 1}},
        "rest": "low_end",
    },
}
"""The named classifications; a scenario's entry of the same name is laid over, cuts and rules one by one."""


def laid_over(entries: Any) -> Any:
    """Return what a scenario says of classes, a mapping or a list of names, laid over the classifications that ship."""
    if isinstance(entries, list | tuple) and all(isinstance(entry, str) for entry in entries):
        entries = dict.fromkeys(entries)
    if not isinstance(entries, dict):
        return entries
    return {key: _laid_over(SHIPPED.get(key, {}), entry) if isinstance(entry, dict | None) else entry for key, entry in entries.items()}


def _laid_over(shipped: dict[str, Any], entry: dict[str, Any] | None) -> dict[str, Any]:
    whole = {**shipped, **(entry or {})}
    for part in ("cuts", "rules", "score"):
        if isinstance(whole.get(part), dict):
            parts = {**shipped.get(part, {}), **whole[part]}
            whole[part] = {key: value for key, value in parts.items() if value is not None}
    return whole


Classes = Annotated[dict[Id, Classification], BeforeValidator(laid_over), Field(max_length=16)]
