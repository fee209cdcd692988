"""What a study says: which values vary, how, together with which policies; read here, and judged with every fault at once."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from sim.scenario.base import Count, Model, Positive
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.gate import RULES
from sim.scenario.raw import show, suggest

MOST_POINTS = 1_000_000
"""Points of a design at most."""

STEPS = 5
"""Values of a range in a grid, unless it says how many."""

Value = bool | int | float | str


def _values(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else value


class Factor(Model):
    """Something that varies. A list of values stands for ``values``.

    values: to choose from; otherwise a number between ``low`` and ``high`` or of a ``distribution``:
    uniform (low, high), triangular (low, mode, high), normal, lognormal, gamma (mean, sd: of the number itself), beta (mean, sd; between
    low and high, 0 and 1 by default); of normal, lognormal and gamma low and high cut off the ends;
    log: evenly on a log scale; integer: whole numbers, each as likely; steps: how many of them a grid has;
    paths: what it sets (default: the factor's own name), all to the same number; scale: it multiplies what stands there instead.
    """

    values: Annotated[tuple[Value, ...] | None, BeforeValidator(_values)] = None
    distribution: Literal["uniform", "triangular", "normal", "lognormal", "gamma", "beta"] = "uniform"
    low: float | None = None
    high: float | None = None
    mode: float | None = None
    mean: float | None = None
    sd: Positive | None = None
    log: bool = False
    integer: bool = False
    steps: Annotated[Count, Field(ge=2, le=MOST_POINTS)] | None = None
    paths: Annotated[tuple[str, ...], BeforeValidator(_values)] = ()
    scale: bool = False


def _factors(value: Any) -> Any:
    """Write out lists that stand for ``values``."""
    if not isinstance(value, Mapping):
        return value
    return {key: {"values": item} if isinstance(item, list | tuple) else item for key, item in value.items()}


class Study(Model):
    """Points of a design, each a scenario of its own.

    vary: factors by name, which is a dotted path into the scenario (``discount_rate_annual``, ``stages.stability.price``) or into a policy
    (``policies.win_back.cost.per_contact``), unless ``paths`` are given; design: grid (every combination), list (first values, second
    values …), lhs (Latin hypercube), sobol (Sobol sequence); by default a grid, or a Sobol sequence where ``points`` are asked for;
    points: how many, of lhs and sobol; design_seed: of these; correlations: of factors, by pairs, in a Gaussian copula;
    policies: arms of a comparison at every point, or (``crossed: false``) one more list of the design; comparator: held against.
    """

    vary: Annotated[dict[str, Factor], BeforeValidator(_factors)] = {}
    design: Literal["grid", "list", "lhs", "sobol"] | None = None
    points: Annotated[Count, Field(ge=1)] | None = None
    design_seed: Annotated[Count, Field(ge=0, le=2**31 - 1)] = 1
    correlations: dict[str, dict[str, float]] = {}
    policies: Annotated[tuple[str, ...], BeforeValidator(_values)] = ()
    crossed: bool = True
    comparator: str = "none"

    @property
    def plan(self) -> str:
        """The design that is meant."""
        return self.design or ("grid" if self.points is None else "sobol")

    @property
    def size(self) -> int:
        """Points of the design."""
        lengths = [levels(factor) for factor in self.vary.values()]
        if not self.crossed:
            lengths.append(len(self.policies))
        if self.plan == "grid":
            return math.prod(lengths)
        if self.plan == "list":
            return max(lengths, default=0)
        return self.points or 0


def levels(factor: Factor) -> int:
    """Return how many values a factor has in a grid."""
    if factor.values is not None:
        return len(factor.values)
    steps = factor.steps or STEPS
    if factor.integer and factor.low is not None and factor.high is not None:
        return min(steps, int(factor.high) - int(factor.low) + 1)
    return steps


def read_study(raw: Mapping[str, Any], beside: Iterable[str] = ()) -> Study:
    """Return the Study that a mapping describes, or raise ScenarioError with every fault in it.

    beside: what a verb can be asked for beside a study, for whoever misspells it. Arrays are read as lists of their numbers.
    """
    try:
        study = Study.model_validate(_plain(raw))
    except ValidationError as error:
        raise ScenarioError(_told(error, beside)) from None
    found = [*_factor_faults(study), *_design_faults(study), *_correlation_faults(study), *repeated(study.policies)]
    if found:
        raise ScenarioError(found)
    return study


def _plain(value: Any) -> Any:
    """Return a value in mappings, lists and numbers: those of NumPy and pandas are neither."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def repeated(policies: Iterable[str]) -> Iterator[Fault]:
    """Yield a Fault for each arm that is named twice, and for each that names a policy twice, as ``a+a`` does."""
    seen = set[str]()
    for arm in policies:
        names = arm.split("+")
        if arm in seen or len(set(names)) < len(names):
            yield Fault("policies", show(arm), "is named twice", "name it once")
        seen.add(arm)


def _told(error: ValidationError, beside: Iterable[str]) -> Iterator[Fault]:
    for one in error.errors(include_url=False):
        place = [str(part) for part in one["loc"] if not (isinstance(part, str) and "[" in part)]
        rule = RULES.get(one["type"], one["msg"])
        if place[:1] == ["vary"] and len(place) == 2 and one["type"] in ("model_type", "model_attributes_type"):
            yield Fault(".".join(place), show(one["input"]), "must be a list of values or a range", "[0.1, 0.2] or {low: 0.1, high: 0.2}")
            continue
        context = {key: f"{item:g}" if isinstance(item, float) else item for key, item in one.get("ctx", {}).items()}
        hint = ""
        if one["type"] == "extra_forbidden":
            known = Factor.model_fields if place[0] == "vary" else (*Study.model_fields, *beside)
            hint = suggest(place[-1], known)
        elif place[:1] == ["vary"] and one["type"] == "model_type":
            hint = "give a list of values, or a range such as {low: 1, high: 2}"
        if place[:1] == ["vary"] and place[2:3] == ["values"] and len(place) > 3:  # every branch of the union complains
            place, rule = place[:4], "must be a finite number, text, true or false"
        value = show(one["input"]) if one["type"] not in ("missing", "extra_forbidden") else ""
        yield Fault(".".join(place), value, rule.format(**context) if context else rule, hint)


NEEDS: dict[str, tuple[str, ...]] = {
    "uniform": ("low", "high"),
    "triangular": ("low", "mode", "high"),
    "normal": ("mean", "sd"),
    "lognormal": ("mean", "sd"),
    "gamma": ("mean", "sd"),
    "beta": ("mean", "sd"),
}
"""What each distribution is told by."""


def _factor_faults(study: Study) -> Iterator[Fault]:
    for name, factor in study.vary.items():
        for fault in _one(factor):
            yield Fault(".".join(filter(None, (f"vary.{name}", fault.where))), fault.value, fault.rule, fault.suggestion)


def _one(factor: Factor) -> Iterator[Fault]:
    """Yield what is wrong within a factor, ``where`` relative to it."""
    given = factor.model_fields_set - {"paths", "scale"}
    if factor.values is not None:
        if not factor.values:
            yield Fault("values", "", "must list a value")
        for key in sorted(given - {"values"}):
            yield Fault(key, show(getattr(factor, key)), "says nothing beside a list of values", "leave one of them out")
        if factor.scale and not all(isinstance(value, int | float) and not isinstance(value, bool) for value in factor.values):
            yield Fault("scale", "", "needs numbers to multiply by")
        return
    needed = NEEDS[factor.distribution]
    missing = [key for key in needed if getattr(factor, key) is None]
    for key in missing:
        hint = "or list the values: [1, 2, 3]" if "low" in needed else ""
        yield Fault(key, "", f"must be given: {factor.distribution} has {', '.join(needed)}", hint)
    allowed = {*needed, "low", "high", "distribution", "steps", "integer", "log"}
    for key in sorted(given - allowed):
        yield Fault(key, show(getattr(factor, key)), f"is no part of {factor.distribution}: {', '.join(needed)}", "leave it out")
    if not missing:
        yield from _range(factor)


def _range(factor: Factor) -> Iterator[Fault]:
    low, high, mean, sd = factor.low, factor.high, factor.mean, factor.sd
    if low is not None and high is not None and not low < high:
        yield Fault("high", show(high), f"must be above low, which is {low:g}: the range is empty")
        return
    if factor.log and factor.distribution != "uniform":
        yield Fault("log", "", "is for a range from low to high", "a lognormal distribution is one on a log scale")
    if factor.log and low is not None and low <= 0:
        yield Fault("low", show(low), "must be above 0 on a log scale")
    if factor.integer and any(end is not None and not float(end).is_integer() for end in (low, high)):
        yield Fault("integer", "", "needs whole numbers as low and high")
    if factor.distribution == "triangular" and low is not None and high is not None and not low <= (factor.mode or 0.0) <= high:
        yield Fault("mode", show(factor.mode), f"must lie between low and high, {low:g} and {high:g}")
    if factor.distribution in ("lognormal", "gamma") and mean is not None and mean <= 0:
        yield Fault("mean", show(mean), f"must be above 0 for {factor.distribution}")
    if factor.distribution == "beta" and mean is not None and sd is not None:
        start, end = low if low is not None else 0.0, high if high is not None else 1.0
        if not start < mean < end:
            yield Fault("mean", show(mean), f"must lie between {start:g} and {end:g}")
        elif sd**2 >= (mean - start) * (end - mean):
            yield Fault(
                "sd", show(sd), f"must be below {math.sqrt((mean - start) * (end - mean)):.4g} for this mean of a beta distribution"
            )


def _design_faults(study: Study) -> Iterator[Fault]:
    if not study.vary and study.crossed:
        yield Fault("vary", "", "must name something that varies", "for example vary.discount_rate_annual=[0.05,0.1]")
    if not study.crossed and not study.policies:
        yield Fault("crossed", "false", "needs policies to vary", "policies=[none,win_back]")
    if study.design in ("grid", "list") and study.points is not None:
        yield Fault("points", show(study.points), f"is for lhs and sobol: a {study.design} has those that its values make", "leave it out")
    if study.design in ("lhs", "sobol") and study.points is None:
        yield Fault("points", "", f"must be given: how many points of the {study.design} design", "points=256")
    if study.plan == "list":
        yield from _list_faults(study)


def _list_faults(study: Study) -> Iterator[Fault]:
    lengths: dict[str, int] = {}
    for name, factor in study.vary.items():
        if factor.values is None:
            yield Fault(f"vary.{name}", "", "must be a list of values in a list design", "[1, 2, 3]")
        else:
            lengths[f"vary.{name}"] = len(factor.values)
    if not study.crossed:
        lengths["policies"] = len(study.policies)
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        yield Fault("design", "list", "needs lists of the same length", f"they have {told}")


TRAITS = ("wallet", "rate", "frailty", "influence", "knowledge", "satisfaction")
"""What a scenario's own correlations are of."""


def _correlation_faults(study: Study) -> Iterator[Fault]:
    for first, others in study.correlations.items():
        for second, value in others.items():
            where = f"correlations.{first}.{second}"
            for name in (first, second):
                if name not in study.vary:
                    own = f"for the scenario's own traits write {where}={value:g}" if name in TRAITS else ""
                    yield Fault(where, show(value), f"{name} does not vary", suggest(name, study.vary) or own)
                elif study.vary[name].values is not None:
                    yield Fault(where, show(value), f"{name} is a list of values, which has no order", "give it a range")
            if first == second or not -1 < value < 1:
                yield Fault(where, show(value), "must lie between -1 and 1, for two factors")
            elif study.correlations.get(second, {}).get(first, value) != value:
                yield Fault(where, show(value), f"is not what correlations.{second}.{first} says", "give each pair once")


def correlation(study: Study, names: Sequence[str]) -> list[list[float]]:
    """Return the correlation matrix of factors, in their order."""
    place = {name: k for k, name in enumerate(names)}
    found = [[float(row == column) for column in range(len(names))] for row in range(len(names))]
    for first, others in study.correlations.items():
        for second, value in others.items():
            found[place[first]][place[second]] = found[place[second]][place[first]] = value
    return found
