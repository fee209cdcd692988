"""What a search goes over: axes, objectives and limits; and the record of every point that it simulates."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.scenario.errors import Fault, ScenarioError

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Value = float | int | str
Point = dict[str, Value]
Direction = Literal["max", "min", "limited"]

ROUNDING = 1e-9
"""Of a limit, by which rounding may pass it."""

COLUMNS = ("order", "step", "seed", "feasible")


@dataclass(frozen=True)
class Axis:
    """A parameter that is sought: from low to high, by its logarithm (``log``), whole numbers only (``integer``); or one of ``values``."""

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    integer: bool = False
    values: tuple[Value, ...] = ()

    @property
    def smooth(self) -> bool:
        """Whether it goes through all numbers between its ends, so that it can be polished."""
        return not (self.integer or self.values)

    def holds(self, value: Value) -> bool:
        """Return whether it can have this value."""
        if self.values or isinstance(value, str):
            return value in self.values
        return self.low <= value <= self.high and (not self.integer or float(value).is_integer())

    def at(self, share: float) -> float:
        """Return the value at a share of the way from low to high."""
        value = self.low * math.pow(self.high / self.low, share) if self.log else self.low + share * (self.high - self.low)
        return min(max(value, self.low), self.high)

    def share(self, value: float) -> float:
        """Return how far from low to high a value lies, 0 to 1."""
        return math.log(value / self.low) / math.log(self.high / self.low) if self.log else (value - self.low) / (self.high - self.low)

    def faults(self) -> Iterator[Fault]:
        """Yield what is wrong with it."""
        where, ends = f"axes.{self.name}", f"{self.low:g} to {self.high:g}"
        if self.values:
            if len(set(self.values)) < len(self.values):
                yield Fault(where, str(self.values), "values that differ")
            return
        if not -math.inf < self.low < self.high < math.inf:
            yield Fault(where, ends, "low below high")
        if self.log and not self.low > 0.0:
            yield Fault(where, ends, "low above 0, for a logarithm")
        if self.integer and not (float(self.low).is_integer() and float(self.high).is_integer()):
            yield Fault(where, ends, "whole numbers")


@dataclass(frozen=True)
class Limit:
    """The mean of an objective may be ``most`` at most, in its unit."""

    objective: str
    most: float


class Evaluate(Protocol):
    """What simulates points: replicate r of one seed is on the same luck for every point, and on luck of its own for every seed."""

    def __call__(self, points: list[Point], seed: int) -> Floats:
        """Return the value of each objective, (points, replicates, objectives), in the order of the objectives."""


@dataclass(frozen=True, eq=False)
class Runs:
    """What is asked for, see ``search``, and all that was simulated.

    points, means: (objectives,) each, of those on the luck of the search, in order, by ``key``; rows: of ``frame``.
    """

    axes: Sequence[Axis]
    evaluate: Evaluate
    objectives: Mapping[str, Direction]
    trials: int
    seed: int
    limits: Sequence[Limit]
    start: Point | None
    batch: int
    points: dict[tuple[Value, ...], Point] = field(default_factory=dict)
    means: dict[tuple[Value, ...], Floats] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if faults := [*self._faults()]:
            raise ScenarioError(faults)

    def _faults(self) -> Iterator[Fault]:
        for axis in self.axes:
            yield from axis.faults()
        if self.start is not None:
            held = {axis.name for axis in self.axes if axis.name in self.start and axis.holds(self.start[axis.name])}
            for name in sorted({axis.name for axis in self.axes} ^ held | set(self.start) - held):
                yield Fault(f"start.{name}", str(self.start.get(name, "")), "one value of each axis, and nothing else")
        names = [axis.name for axis in self.axes] + [f"{name}{end}" for name in self.objectives for end in ("", "_se")]
        if not self.axes or len({*COLUMNS, *names}) < len(COLUMNS) + len(names):
            yield Fault(
                "axes", ", ".join(names), f"one or more, their names and those of objectives all different, none {', '.join(COLUMNS)}"
            )
        limited = {limit.objective for limit in self.limits}
        for name in sorted(limited - set(self.objectives)):
            yield Fault("limits", name, "an objective")
        if any(math.isnan(limit.most) for limit in self.limits):
            yield Fault("limits", "NaN", "numbers")
        for name, way in self.objectives.items():
            if way not in ("max", "min") and not (way == "limited" and name in limited):
                yield Fault(f"objectives.{name}", str(way), "max or min, or limited where a limit is set")
        for name, value, least in (("trials", self.trials, 1), ("batch", self.batch, 1), ("seed", self.seed, 0)):
            if value < least:
                yield Fault(name, str(value), f"{least} or more")

    @property
    def names(self) -> list[str]:
        """The objectives."""
        return list(self.objectives)

    @property
    def signs(self) -> dict[int, float]:
        """The place of each objective sought, with the sign by which the least is the best."""
        return {k: 1.0 if way == "min" else -1.0 for k, way in enumerate(self.objectives.values()) if way != "limited"}

    @property
    def seeds(self) -> list[int]:
        """Three seeds, of the test, the final and Optuna: derived from that of the search, below 2**31, all four different."""
        drawn = np.random.SeedSequence(self.seed).generate_state(8) >> 1
        return [one for one in dict.fromkeys(drawn.tolist()) if one != self.seed][:3]

    def key(self, point: Point) -> tuple[Value, ...]:
        """Return the values of a point in the order of the axes."""
        return tuple(point[axis.name] for axis in self.axes)

    def seen(self, points: list[Point], step: str) -> list[Floats]:
        """Return the means of points on the luck of the search, (objectives,) each; those not met before are simulated."""
        new = {self.key(point): point for point in points if self.key(point) not in self.means}
        if new:
            means = self.fresh(list(new.values()), self.seed, step).mean(axis=1)
            self.points.update(new)
            self.means.update(zip(new, means, strict=True))
        return [self.means[self.key(point)] for point in points]

    def fresh(self, points: list[Point], seed: int, step: str) -> Floats:
        """Simulate points, (points, replicates, objectives)."""
        values = np.asarray(self.evaluate([dict(point) for point in points], seed), np.float64)
        shape = (len(points), values.shape[1] if values.ndim == 3 else 1, len(self.objectives))
        if values.shape != shape or not values.size or not np.isfinite(values).all():
            raise ValueError(f"evaluate returned shape {values.shape}; finite numbers of (points, replicates, objectives) were asked for")
        for point, mean in zip(points, values.mean(axis=1), strict=True):
            row = {"order": len(self.rows), "step": step, "seed": seed} | {axis.name: point[axis.name] for axis in self.axes}
            self.rows.append(row | dict(zip(self.objectives, mean.tolist(), strict=True)) | {"feasible": self.excess(mean) == 0.0})
        return values

    def excess(self, mean: Floats) -> float:
        """Return by how much means, (objectives,), pass the limits, as a share of each; 0 where they keep to them."""
        over = [(mean[self.names.index(limit.objective)] - limit.most) / (abs(limit.most) or 1.0) for limit in self.limits]
        return float(sum(one for one in over if one > ROUNDING))

    def loss(self, mean: Floats) -> float:
        """Return the first objective sought, with its sign."""
        k, sign = next(iter(self.signs.items()))
        return sign * float(mean[k])

    def ranked(self) -> list[Point]:
        """Return the points seen on the luck of the search, the best first, those beyond the limits last."""
        return [self.points[key] for key in sorted(self.means, key=lambda key: (self.excess(self.means[key]), self.loss(self.means[key])))]

    def frame(self) -> "pd.DataFrame":
        """Return a row a point and seed, as ``Found.trials`` says."""
        import pandas as pd

        return pd.DataFrame(self.rows)
