"""What the outcome is sensitive to: a scenario run over a cube of its parameters, and how much of the variance each of them makes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.measures.sums import Floats
from sim.scenario import Fault, Scenario, ScenarioError
from sim.scenario.raw import show
from sim.scenario.sample import cells
from sim.scenario.study import MOST_POINTS, Study, read_study
from sim.studies import indices, sweep
from sim.studies.answered import Answered
from sim.studies.arms import NONE
from sim.studies.design import Point, TooMany, at
from sim.studies.planning import plan
from sim.studies.points import Plan
from sim.studies.sweep import OnSweep, Progress, Sweep

if TYPE_CHECKING:
    import pandas as pd

REPLICATES = 8
"""Parts that a run of one replicate is taken apart into, so that luck can be told from what parameters do."""

METHODS = ("sobol", "morris", "tornado")

ASKED: Mapping[str, Any] = {"method": "sobol", "measure": "equity", "level": 0.95}
"""What can be asked for beside what varies: method; measure: equity, clv, spent or, with one policy, gain; level of the intervals."""

MEASURES = ("equity", "clv", "spent", "gain")

ROWS = {"sobol": 64, "morris": 20}
"""Rows of a Sobol design (of each of its matrices), trajectories of Morris, unless ``points`` says."""


@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity(Answered, OnSweep):
    """What a sensitivity analysis found. Made by ``sim.sensitivity``.

    plan: the points; asked: method, measure, level; sweep: the runs. Correlated factors go together, as one.
    """

    plan: Plan
    asked: Mapping[str, Any]
    sweep: Sweep

    kind = "sensitivity"

    @property
    def names(self) -> list[str]:
        """Names of what moves by itself: a factor, or several that are correlated."""
        factors = list(self.plan.study.vary)
        return [" + ".join(factors[k] for k in group) for group in groups(self.plan.study)]

    @property
    def rows(self) -> int:
        """Rows of the design, see ROWS."""
        return self.plan.study.points or ROWS.get(self.asked["method"], 0)

    @cached_property
    def values(self) -> Floats:
        """The measure at every point and replicate (points, replicates)."""
        measure, study = self.asked["measure"], self.plan.study
        if measure != "gain":
            return self.sweep.paths(measure, _arm(study) if study.policies else None)
        return self.sweep.paths("equity", _arm(study)) - self.sweep.paths("equity", study.comparator)

    @cached_property
    def table(self) -> "pd.DataFrame":
        """One row a factor (or several that are correlated); columns by method, see ``sim.studies.indices``: sobol, morris, tornado."""
        method, level, names = self.asked["method"], self.asked["level"], self.names
        seed = self.plan.study.design_seed
        if method == "sobol":
            return indices.sobol(self.values, self.rows, names, seed, level)
        if method == "morris":
            cube = indices.morris_points(self.rows, groups(self.plan.study), seed)
            return indices.morris(cube, self.values, names, groups(self.plan.study), seed, level)
        return indices.tornado(self.values, names)

    @cached_property
    def noise(self) -> float:
        """Share of the variance between points that is luck; NaN where it cannot be told."""
        if self.asked["method"] != "sobol":
            return float("nan")
        return indices.spread(self.values, self.rows, self.names).share

    def tables(self) -> "dict[str, pd.DataFrame]":
        """Return every frame by name."""
        return {self.asked["method"]: self.table, "points": self.sweep.table}

    def summary(self) -> dict[str, Any]:
        """Return what ``study.json`` holds: plain values."""
        asked = dict(self.asked)
        told = dict(zip(self.table["factor"], self.table["told"], strict=True)) if "told" in self.table else {}
        return {"scenario": self.plan.scenario.name, **asked, "points": len(self.plan.points), "told": told}

    def __repr__(self) -> str:
        return f"<Sensitivity of {self.plan.scenario.name}'s {self.asked['measure']}, {self.asked['method']}: {', '.join(self.names)}>"


def groups(study: Study) -> indices.Groups:
    """Return the factors that move together, by place: those that are correlated, directly or by others."""
    names = list(study.vary)
    root = list(range(len(names)))
    for first, others in study.correlations.items():
        for second in others:
            mine, theirs = root[names.index(first)], root[names.index(second)]
            root = [min(mine, theirs) if one in (mine, theirs) else one for one in root]
    return tuple(tuple(k for k, one in enumerate(root) if one == head) for head in dict.fromkeys(root))


def _arm(study: Study) -> str:
    return study.policies[0]


def sensitivity(
    scenario: Scenario,
    vary: Mapping[str, Any],
    *,
    out: str | os.PathLike[str] | None = None,
    configs: str | Path | None = None,
    progress: Progress | None = None,
    **rest: Any,
) -> Sensitivity:
    """Return which parameters make the outcome vary.

    vary: factors as of ``sim.sweep``, ranges or distributions; rest: method (sobol, morris, tornado), measure (equity, clv, spent, gain),
    level; correlations, policies (one, for gain), design_seed; points, rows of the design (a power of two of Sobol's), trajectories of
    Morris. A run of one replicate is taken apart into REPLICATES. Raises ScenarioError with every fault, before anything runs.
    """
    asked = {key: rest.pop(key, value) for key, value in ASKED.items()}
    made = plan(in_replicates(scenario, REPLICATES), read_study({"vary": vary, **rest}, ASKED), configs, partial(points, asked=asked))
    return study(made, asked, out, progress)


def study(made: Plan, asked: Mapping[str, Any], out: str | os.PathLike[str] | None, progress: Progress | None) -> Sensitivity:
    """Run a sensitivity analysis, as every kind of study is run."""
    return Sensitivity(made, asked, sweep.run(made, out, progress))


def fit(
    scenario: Scenario, study: Study, asked: Mapping[str, Any], configs: str | Path | None
) -> tuple[Scenario, Study, Mapping[str, Any]]:
    """Return scenario and study as they are run: in several replicates."""
    return in_replicates(scenario, REPLICATES), study, asked


def in_replicates(scenario: Scenario, replicates: int) -> Scenario:
    """Return a scenario of one replicate as one of several, of as many new customers together; others as they are.

    Where arrivals depend on customers a replicate is of the whole firm, and an existing base is in each whole. No segment is left without
    anybody.
    """
    if scenario.run.replicates > 1:
        return scenario

    def of(update: Mapping[str, int]) -> Scenario:
        return scenario.model_copy(update={"run": scenario.run.model_copy(update={"replicates": replicates, **update})})

    customers = sum(cell.sampled for cell in cells(scenario) if not cell.base)
    if scenario.coupled or not customers:
        return of({})
    each = -(-customers // replicates)
    while each < customers and any(cell.firm > 0 and cell.sampled == 0 for cell in cells(of({"customers": each}))):
        each = min(2 * each, customers)
    return of({"customers": each})


def points(study: Study, asked: Mapping[str, Any]) -> list[Point]:
    """Return the points that are run; raise ScenarioError with all that is wrong with what is asked."""
    found = list(_faults(study, asked))
    if found:
        raise ScenarioError(found)
    method, together = asked["method"], groups(study)
    count = (study.points or ROWS.get(method, 1)) * (len(together) + (2 if method == "sobol" else 1))
    if count > MOST_POINTS:
        raise TooMany("points", count)
    if method == "sobol":
        return at(study, np.clip(indices.saltelli(study.points or ROWS[method], together, study.design_seed), 2.0**-53, 1 - 2.0**-53))
    if method == "morris":
        cube = indices.morris_points(study.points or ROWS[method], together, study.design_seed)
        return at(study, 0.5 / LEVELS + cube * (1.0 - 1.0 / LEVELS))
    return at(study, indices.tornado_points(len(study.vary)))


def own_faults(study: Study) -> list[Fault]:
    """Return what is wrong with a study whose points are run side by side on the same replicates."""
    found = [Fault("crossed", "false", "must be true here", "leave it out")] if not study.crossed else []
    paths = [(name, path) for name, factor in study.vary.items() for path in factor.paths or (name,)]
    rule, hint = "must be the same at every point", "set it for all of them"
    return [*found, *(Fault(f"vary.{name}", path, rule, hint) for name, path in paths if path.startswith("run."))]


def nothing(study: Study, where: str, measure: str) -> list[Fault]:
    """Return a fault where a measure is 0 at every point: the gain of an arm over itself, or what no policy costs."""
    if measure == "gain" and study.policies[:1] == (study.comparator,):
        rule = f"is of {study.comparator} over itself, which is always 0"
        return [Fault(where, measure, rule, "take a policy other than the comparator: policies=[win_back]")]
    if measure == "spent" and study.policies[:1] == (NONE,):
        return [Fault(where, measure, "is of no policy, which costs nothing", "policies=[win_back]")]
    return []


LEVELS = 4
"""Levels of Morris's grid, at the middles of as many equal shares of each factor's distribution: its ends may be infinite."""


def _faults(study: Study, asked: Mapping[str, Any]) -> list[Fault]:
    found = []
    if asked["method"] not in METHODS:
        found.append(Fault("method", show(asked["method"]), f"must be one of {', '.join(METHODS)}"))
    if asked["measure"] not in MEASURES:
        found.append(Fault("measure", show(asked["measure"]), f"must be one of {', '.join(MEASURES)}"))
    if not (isinstance(asked["level"], float) and 0 < asked["level"] < 1):
        found.append(Fault("level", show(asked["level"]), "must be between 0 and 1, such as 0.95"))
    if study.design is not None:
        found.append(Fault("design", study.design, "is the method's own here", "leave it out; points=N says how large"))
    if len(study.policies) > 1 or (asked["measure"] == "gain" and not study.policies):
        found.append(Fault("policies", show(list(study.policies)), "must be one policy, whose gain varies", "policies=[win_back]"))
    if asked["measure"] == "spent" and not study.policies:
        found.append(Fault("measure", "spent", "needs a policy, whose cost it is", "policies=[win_back]"))
    found += [*own_faults(study), *nothing(study, "measure", asked["measure"])]
    if asked["method"] == "tornado" and study.correlations:
        found.append(
            Fault("correlations", "", "cannot be kept where one factor moves alone", "take method=sobol, which moves them together")
        )
    if asked["method"] == "sobol" and study.points is not None and (study.points < indices.LEAST or study.points & (study.points - 1)):
        found.append(Fault("points", show(study.points), f"must be a power of two from {indices.LEAST} on", "points=64"))
    if asked["method"] == "tornado" and study.points is not None:
        found.append(Fault("points", show(study.points), "is not for a tornado, which has two a factor and the middle", "leave it out"))
    return found
