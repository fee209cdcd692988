"""The best values of parameters that the firm can choose, under limits: searched by simulation, told from luck that no choice has seen."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.measures.sums import Floats
from sim.scenario import Fault, Scenario, ScenarioError
from sim.scenario.raw import show
from sim.scenario.study import MOST_POINTS, Factor, Study, read_study
from sim.studies import search, sweep
from sim.studies.answered import Answered
from sim.studies.axes import Axis, Limit
from sim.studies.design import Point, at, sobol
from sim.studies.planning import judge, plan
from sim.studies.points import Plan
from sim.studies.sensitivity import REPLICATES, in_replicates, nothing, own_faults
from sim.studies.sweep import Progress

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ASKED", "Optimum", "fit", "optimise", "points", "study"]

ASKED: Mapping[str, Any] = {"objectives": {"equity": "max"}, "limits": {}, "trials": 64, "aspiration": 0.0}
"""What can be asked for beside what varies. objectives: max or min, of MEASURES; limits: the most that the mean of one may be; trials:
points to search by; aspiration: customer equity that ``downside`` counts from."""

MEASURES = {
    "equity": "customer equity",
    "gain": "customer equity above that of doing nothing, on the same luck",
    "clv": "mean CLV of a customer",
    "spent": "cost of policies",
    "downside": "by how much customer equity falls short of the aspiration, on average (Fishburn 1977)",
}
"""What can be sought or limited, a number of each replicate."""

CHECKED = 64
"""Points of the ranges that are read before anything runs, beside their corners."""

MOST_CORNERS = 8
"""Parameters up to whose number all corners are read."""


@dataclass(frozen=True, eq=False, repr=False)
class Optimum(Answered):
    """What an optimisation found. Made by ``sim.optimise``.

    plan: what varies; asked: objectives, limits, trials, aspiration; found: the best point with one objective, or the front with several
    (``sim.studies.search``); threads: used.
    """

    plan: Plan
    asked: Mapping[str, Any]
    found: search.Found | search.Front
    threads: int
    damaged: Sequence[str] = ()

    kind = "optimise"

    @property
    def tried(self) -> int:
        """Points that the search has run."""
        return int(self.found.trials["step"].isin(["search", "polish"]).sum())

    @property
    def point(self) -> Point | None:
        """The best point, None where none keeps to the limits, or several objectives were sought."""
        return dict(self.found.found) if isinstance(self.found, search.Found) and self.found.found is not None else None

    def tables(self) -> "dict[str, pd.DataFrame]":
        """Return every frame by name: search, every point tried, and with several objectives the front."""
        front = {"front": self.found.frame} if isinstance(self.found, search.Front) else {}
        return {**front, "search": self.found.trials}

    def summary(self) -> dict[str, Any]:
        """Return what ``study.json`` holds: plain values."""
        told: dict[str, Any] = {"scenario": self.plan.scenario.name, **self.asked, "told": self.found.told}
        if isinstance(self.found, search.Front):
            return told
        means = {name: {"mean": mean, "se": _plain(self.found.ses[name])} for name, mean in self.found.means.items()}
        gap = self.found.difference
        against = None if gap is None else {key: _plain(value) for key, value in gap._asdict().items()}
        return told | {"best": self.point, "objectives_there": means, "optimism": _plain(self.found.optimism), "against_start": against}

    def __repr__(self) -> str:
        return f"<Optimum of {self.plan.scenario.name}: {self.found.told}>"


def _plain(value: float) -> float | None:
    return value if np.isfinite(value) else None


def optimise(
    scenario: Scenario,
    vary: Mapping[str, Any],
    *,
    configs: str | Path | None = None,
    progress: Progress | None = None,
    **rest: Any,
) -> Optimum:
    """Return the best values of parameters.

    vary: ranges or lists of values by dotted path, as of ``sim.sweep``; rest: objectives, limits, trials, aspiration (ASKED); policies
    (one, whose parameters are sought). Every point is run on the same luck; what is reported is from luck that the search has not seen. A
    run of one replicate is taken apart into several, for their errors. Raises ScenarioError with every fault, before anything runs.
    """
    asked = {key: rest.pop(key, value) for key, value in ASKED.items()}
    ready, given, wanted = fit(scenario, read_study({"vary": vary, **rest}, ASKED), asked, configs)
    return study(plan(ready, given, configs, partial(points, asked=wanted)), wanted, None, progress)


def fit(
    scenario: Scenario, study: Study, asked: Mapping[str, Any], configs: str | Path | None
) -> tuple[Scenario, Study, Mapping[str, Any]]:
    """Return scenario and study as they are run: in several replicates; raise ScenarioError where ``downside`` would tell of nothing."""
    places = [place for place in ("objectives", "limits") if "downside" in _mapping(asked[place])]
    if places and scenario.market is None and not scenario.coupled:
        rule = "needs a market, or arrivals that depend on customers: else what differs between replicates is whom they happen to simulate"
        raise ScenarioError([Fault(place, "downside", rule) for place in places])
    return in_replicates(scenario, REPLICATES), study, asked


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def points(study: Study, asked: Mapping[str, Any]) -> list[Point]:
    """Return points all over the ranges, to be read before anything runs; raise ScenarioError with all that is wrong."""
    found = list(_faults(study, asked))
    if found:
        raise ScenarioError(found)
    width = len(study.vary)
    corners = np.array(list(product((2.0**-53, 1.0 - 2.0**-53), repeat=min(width, MOST_CORNERS))))
    corners = np.concatenate([corners, np.full((len(corners), width - corners.shape[1]), 0.5)], axis=1)
    every = at(study, np.concatenate([corners, sobol(CHECKED, width, 0)]))
    lists = {name: factor.values for name, factor in study.vary.items() if factor.values is not None}
    return [*every, *({**every[-1], name: value} for name, values in lists.items() for value in values)]


def _faults(study: Study, asked: Mapping[str, Any]) -> list[Fault]:
    found = own_faults(study)
    for name, factor in study.vary.items():
        if factor.values is None and factor.distribution != "uniform":
            found.append(Fault(f"vary.{name}", factor.distribution, "must be a range or a list: what is chosen is not drawn"))
    others = [key for key in ("design", "points", "correlations") if getattr(study, key)]
    found += [Fault(key, show(getattr(study, key)), "is no part of a search", "trials=N says how many points") for key in others]
    if len(study.policies) > 1:
        found.append(Fault("policies", show(list(study.policies)), "must be one, whose parameters are sought", "policies=[win_back]"))
    objectives, limits = asked["objectives"], asked["limits"]
    for key, value in (("objectives", objectives), ("limits", limits)):
        if not isinstance(value, Mapping):
            found.append(Fault(key, show(value), "must be a mapping", "objectives={equity: max} limits={spent: 100000}"))
            return found
    for where, key in (*(("objectives", key) for key in objectives), *(("limits", key) for key in limits)):
        if key not in MEASURES:
            found.append(Fault(where, show(key), f"must be one of {', '.join(MEASURES)}"))
        elif key in ("gain", "spent") and not study.policies:
            found.append(Fault(where, key, f"needs a policy, whose {'gain' if key == 'gain' else 'cost'} it is", "policies=[win_back]"))
        else:
            found += nothing(study, where, key)
    found += [Fault(f"objectives.{key}", show(way), "must be max or min") for key, way in objectives.items() if way not in ("max", "min")]
    for key, most in limits.items():
        if isinstance(most, bool) or not isinstance(most, int | float) or math.isnan(most):
            found.append(Fault(f"limits.{key}", show(most), "must be a number"))
        elif key in ("spent", "downside") and most < 0:
            found.append(Fault(f"limits.{key}", show(most), "must be at least 0: it is never less"))
    if not objectives:
        found.append(Fault("objectives", "{}", "must name what is sought", "objectives={equity: max}"))
    trials, aspiration = asked["trials"], asked["aspiration"]
    if isinstance(trials, bool) or not isinstance(trials, int | float) or not 1 <= trials <= MOST_POINTS or trials != int(trials):
        found.append(Fault("trials", show(trials), f"must be a whole number from 1 to {MOST_POINTS:,}", "trials=64"))
    if isinstance(aspiration, bool) or not isinstance(aspiration, int | float) or not math.isfinite(aspiration):
        found.append(Fault("aspiration", show(aspiration), "must be a number"))
    return found


def study(made: Plan, asked: Mapping[str, Any], out: str | os.PathLike[str] | None, progress: Progress | None) -> Optimum:
    """Run an optimisation, as every kind of study is run."""
    axes = [_axis(name, factor) for name, factor in made.study.vary.items()]
    limits = [Limit(name, float(most)) for name, most in asked["limits"].items()]
    objectives: dict[str, Any] = {**dict.fromkeys(asked["limits"], "limited"), **asked["objectives"]}
    several, start = len(asked["objectives"]) > 1, _start(made, axes)
    trials, done, threads = int(asked["trials"]), 0, 1

    def evaluate(points: list[Any], seed: int) -> Floats:
        nonlocal done, threads
        run = made.scenario.run.model_copy(update={"seed": seed})
        ready = replace(made, points=[dict(point) for point in points], scenario=made.scenario.model_copy(update={"run": run}))
        judge(ready)
        found = sweep.run(ready)
        done, threads = done + len(points), found.threads
        if progress is not None:
            progress(min(done, trials), trials)
        arm = made.study.policies[0] if made.study.policies else None
        return np.stack([_measured(found, name, arm, made.study.comparator, float(asked["aspiration"])) for name in objectives], axis=2)

    seed = made.scenario.run.seed
    if several:
        return Optimum(made, asked, search.front(axes, evaluate, objectives, trials, seed, limits=limits), threads)
    return Optimum(made, asked, search.search(axes, evaluate, objectives, trials, seed, limits=limits, start=start), threads)


def _measured(found: sweep.Sweep, name: str, arm: str | None, comparator: str, aspiration: float) -> Floats:
    """Return a measure of each replicate at every point (points, replicates)."""
    if name == "gain":
        return found.paths("equity", arm) - found.paths("equity", comparator)
    if name == "downside":
        return np.maximum(aspiration - found.paths("equity", arm), 0.0)
    return found.paths(name, arm)


def _axis(name: str, factor: Factor) -> Axis:
    if factor.values is not None:
        return Axis(name, values=tuple(factor.values))
    assert factor.low is not None and factor.high is not None
    return Axis(name, factor.low, factor.high, factor.log, factor.integer)


def _start(made: Plan, axes: Sequence[Axis]) -> dict[str, Any] | None:
    """Return what the scenario has at present, None where that is not within the ranges."""
    found = {axis.name: made.standing(axis.name) for axis in axes}
    return found if all(value is not None and axis.holds(value) for axis, value in zip(axes, found.values(), strict=True)) else None
