"""What is not known of the parameters: outer draws of them, inner customers, and what that doubt is worth to a decision."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.measures.sums import Floats
from sim.scenario import Fault, Scenario, ScenarioError
from sim.scenario.raw import show
from sim.scenario.sample import cells
from sim.scenario.study import MOST_POINTS, Study, read_study
from sim.studies import information, sweep
from sim.studies.answered import Answered
from sim.studies.arms import NONE
from sim.studies.design import Point, TooMany, at, sobol
from sim.studies.discovery import Discovery
from sim.studies.planning import plan
from sim.studies.points import Plan
from sim.studies.sensitivity import groups, in_replicates, own_faults
from sim.studies.sweep import OnSweep, Progress, Sweep

if TYPE_CHECKING:
    import pandas as pd

ASKED: Mapping[str, Any] = {
    "willingness": [0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0],
    "trials": [100, 1000, 10_000],
    "trial_price": 0.0,
    "seconds": None,
}
"""What can be asked for beside what is not known. willingness: money that the firm gives today for one of expected customer equity; trials:
customers in each arm of a trial; trial_price: what a customer in a trial costs, currency; seconds: choose draws and customers to fit."""

DRAWS, REPLICATES = 256, 16
"""Draws unless ``points`` says; replicates that a run of one is taken apart into."""

PILOT, LEAST = 32, 50
"""Draws of the pilot that a time budget is divided by; customers of a replicate at least."""


@dataclass(frozen=True, eq=False, repr=False)
class Uncertainty(Answered, OnSweep):
    """What doubt about parameters does to a decision. Made by ``sim.uncertainty``.

    plan: the draws; asked: willingness, trials, trial_price; sweep: the runs. Money is customer equity of the firm.
    """

    plan: Plan
    asked: Mapping[str, Any]
    sweep: Sweep

    kind = "uncertainty"

    @property
    def arms(self) -> list[str]:
        """Ids of the arms; one without policies."""
        return list(self.plan.arms) or [NONE]

    @cached_property
    def net(self) -> Floats:
        """Customer equity, after what policies cost (draws, replicates, arms)."""
        return self._paths("equity")

    def _paths(self, measure: str) -> Floats:
        return np.stack([self.sweep.paths(measure, arm if self.plan.arms else None) for arm in self.arms], axis=2)

    @cached_property
    def means(self) -> "pd.DataFrame":
        """One row an arm.

        Columns: arm, equity (mean over draws), se (of draws, and of the luck that they share), low, high (middle 95 % of the draws, luck
        taken out), best, best_se (probability of being best under what is not known of the parameters, inner luck taken out; NaN of one
        arm), then the variance of the firm's outcome by its source: parameter,
        market, luck (of its own customers), and sd, the root of their sum.
        """
        import pandas as pd

        inner, shared = self.net.mean(axis=1), self.net.mean(axis=0).std(axis=0, ddof=1) / math.sqrt(self.net.shape[1])
        chance = information.best(self.net, self._seed) if len(self.arms) > 1 else None
        rows = []
        for k, arm in enumerate(self.arms):
            parts, spread, mean = self._split(k), float(inner[:, k].std(ddof=1)), float(inner[:, k].mean())
            narrowed = math.sqrt(parts.parameter) / spread if spread > 0 else 1.0  # luck is taken out of the draws
            low, high = (mean + min(narrowed, 1.0) * (np.quantile(inner[:, k], [0.025, 0.975]) - mean)).tolist()
            row = {
                "arm": arm,
                "equity": mean,
                "se": math.hypot(spread / math.sqrt(len(inner)), float(shared[k])),
                "low": low,
                "high": high,
            }
            row |= {"best": chance.probability[k] if chance else math.nan, "best_se": chance.se[k] if chance else math.nan}
            row |= {name: getattr(parts, name) for name in ("parameter", "market", "luck")}
            rows.append(row | {"sd": math.sqrt(parts.parameter + parts.market + parts.luck)})
        return pd.DataFrame(rows)

    def _split(self, k: int) -> information.Split:
        """Return the variance of an arm's customer equity by its source."""
        scenario, replicates = self.plan.scenario, self.net.shape[1]
        if scenario.coupled or scenario.learning is not None:  # a replicate is the whole firm
            nothing = np.zeros(self.net.shape[:2])
            return information.split(self.net[:, :, k], nothing, nothing, market=True)
        rows = [every[k] for every in self.sweep.rows]
        within = np.array([[float(row["luck"]) ** 2 * replicates] * replicates for row in rows])
        firm = np.array([[float(row["firm_luck"]) ** 2] * replicates for row in rows])
        return information.split(self.net[:, :, k], within, firm, market=scenario.market is not None)

    @property
    def _seed(self) -> int:
        return self.plan.study.design_seed

    @cached_property
    def acceptability(self) -> "pd.DataFrame":
        """Chance of each arm to be best as the firm gives more for what it brings; see ``sim.studies.information.acceptability``."""
        cost = self._paths("spent")
        found = information.acceptability(self.net + cost, cost, self.asked["willingness"], self._seed)
        return found.assign(arm=[self.arms[k] for k in found["arm"]])

    @cached_property
    def perfect(self) -> information.Evpi:
        """Expected value of perfect information."""
        return information.evpi(self.net, self._seed)

    @cached_property
    def partial(self) -> "pd.DataFrame":
        """Expected value of knowing each parameter (those that are correlated together); see ``sim.studies.information.evppi``."""
        names = list(self.plan.study.vary)
        together = groups(self.plan.study)
        known = [" + ".join(names[k] for k in group) for group in together]
        return information.evppi(self.net, self._parameters(), together, known, self._seed)

    def _parameters(self) -> Floats:
        """Return the draws (draws, factors); of a list the place of each value."""
        columns = []
        for name, factor in self.plan.study.vary.items():
            drawn = [point[name] for point in self.plan.points]
            columns.append([factor.values.index(one) for one in drawn] if factor.values is not None else drawn)
        return np.array(columns, dtype=np.float64).T

    @property
    def tries(self) -> bool:
        """Whether a trial teaches what the firm does not know: not what a budget would win, and how many customers it comes to."""
        return not any(body.get("acquire") for body in self.plan.bodies.values())

    @cached_property
    def trials(self) -> "pd.DataFrame":
        """Expected value of trials with so many customers in each arm; see ``sim.studies.information.evsi``."""
        spread = np.array([[float(row["clv_sd"]) for row in every] for every in self.sweep.rows])
        firm = _customers(self.plan.scenario)
        sizes = [size for size in self.asked["trials"] if size <= firm] or [firm]  # nobody tries on more than there are
        return information.evsi(self.net, spread, sizes, firm, self.asked["trial_price"], self._seed)

    @property
    def draws(self) -> Floats:
        """Customer equity of the first arm in every draw, luck taken out (draws,)."""
        inner = self.net[:, :, 0].mean(axis=1)
        spread = float(inner.std(ddof=1))
        narrowed = min(math.sqrt(self._split(0).parameter) / spread, 1.0) if spread > 0 else 1.0
        return np.asarray(inner.mean() + narrowed * (inner - inner.mean()))

    def gain(self, arm: str) -> tuple[float, float]:
        """Return how much more customer equity an arm has than the comparator, on the same luck, and its standard error."""
        apart = self.net[:, :, self.arms.index(arm)] - self.net[:, :, self.arms.index(self.plan.study.comparator)]
        shared = apart.mean(axis=0).std(ddof=1) / math.sqrt(apart.shape[1])
        return float(apart.mean()), math.hypot(apart.mean(axis=1).std(ddof=1) / math.sqrt(len(apart)), float(shared))

    @property
    def favoured(self) -> str:
        """The arm with the highest mean customer equity."""
        return self.sweep.favoured if self.plan.arms else NONE

    @property
    def conditions(self) -> Discovery:
        """Under which conditions the favoured arm is not the best; see ``sim.studies.discovery``."""
        return self.sweep.conditions

    @property
    def where(self) -> str:
        """The conditions in a sentence or two."""
        return self.sweep.where

    def tables(self) -> "dict[str, pd.DataFrame]":
        """Return every frame by name."""
        found = {"uncertainty": self.means, "points": self.sweep.table}
        if len(self.arms) > 1:
            found |= {"acceptability": self.acceptability, "partial_information": self.partial}
            found |= {"trials": self.trials} if self.tries else {}
            found["conditions"] = self.conditions.frame
        return found

    def summary(self) -> dict[str, Any]:
        """Return what ``study.json`` holds: plain values."""
        rows = {row.pop("arm"): {str(key): _plain(value) for key, value in row.items()} for row in self.means.to_dict("records")}
        whole: dict[str, Any] = {"scenario": self.plan.scenario.name, **self.asked, "draws": len(self.plan.points), "arms": rows}
        if len(self.arms) > 1:
            whole["favoured"] = self.favoured
            whole["perfect_information"] = {key: _plain(value) for key, value in self.perfect._asdict().items()}
        return whole

    def __repr__(self) -> str:
        return f"<Uncertainty of {self.plan.scenario.name}: {len(self.plan.points):,} draws of {', '.join(self.plan.study.vary)}>"


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def uncertainty(
    scenario: Scenario,
    vary: Mapping[str, Any],
    *,
    out: str | os.PathLike[str] | None = None,
    configs: str | Path | None = None,
    progress: Progress | None = None,
    **rest: Any,
) -> Uncertainty:
    """Return what doubt about parameters does to the outcome, and to the choice of a policy.

    vary: distributions by dotted path, as of ``sim.sweep``; rest: willingness, trials, trial_price, seconds (ASKED), points (draws),
    correlations, policies, design_seed. All draws share their luck. Raises ScenarioError with every fault, before anything runs.
    """
    wanted = {key: rest.pop(key, value) for key, value in ASKED.items()}
    scenario, given, asked = fit(scenario, read_study({"vary": vary, **rest}, ASKED), wanted, configs)
    return study(plan(scenario, given, configs, partial(points, asked=asked)), asked, out, progress)


def fit(
    scenario: Scenario, study: Study, asked: Mapping[str, Any], configs: str | Path | None
) -> tuple[Scenario, Study, Mapping[str, Any]]:
    """Return scenario and study as they are run: in several replicates; within ``seconds`` where they are given.

    The time goes to draws and customers so that the mean over draws is known best: customers of a draw are the root of (cost of a draw x
    variance by luck) over (cost of a customer x variance by parameters), after a pilot of PILOT draws (two-stage sampling; Cochran 1977,
    10.6). What is chosen is written down, and a rerun takes it as it is.
    """
    found = _faults(study, asked) or _too_large(scenario, asked)
    if found:
        raise ScenarioError(found)
    ready, rest = in_replicates(scenario, REPLICATES), {**asked, "seconds": None}
    if asked["seconds"] is None:
        return ready, study, rest
    draws, customers = _divided(ready, study, rest, configs, float(asked["seconds"]))
    run = ready.run.model_copy(update={"customers": customers})
    return ready.model_copy(update={"run": run}), study.model_copy(update={"points": draws}), rest


def _divided(ready: Scenario, study: Study, asked: Mapping[str, Any], configs: str | Path | None, seconds: float) -> tuple[int, int]:
    """Return how many draws, and customers of each replicate, a time is best spent on."""
    pilot = plan(ready, study.model_copy(update={"points": PILOT}), configs, partial(points, asked=asked))
    few, many = 4 * LEAST, 16 * LEAST

    def tried(customers: int) -> Sweep:
        run = ready.run.model_copy(update={"customers": customers})
        return sweep.run(replace(pilot, scenario=ready.model_copy(update={"run": run})))

    tried(LEAST)  # compiles what is not compiled yet
    short, long = tried(few), tried(many)
    each = max((long.seconds - short.seconds) / PILOT / (many - few), 1e-9)
    fixed = max(short.seconds / PILOT - each * few, 1e-4)
    net = np.stack([long.paths("equity", arm if pilot.arms else None) for arm in (pilot.arms or [NONE])], axis=2)
    outcome = net[:, :, -1] - net[:, :, 0] if net.shape[2] > 1 else net[:, :, 0]
    by_luck = float(outcome.var(axis=1, ddof=1).mean()) / outcome.shape[1]
    by_parameters = max(float(outcome.mean(axis=1).var(ddof=1)) - by_luck, 1e-6 * by_luck)
    best = math.sqrt(fixed / each * by_luck * many / by_parameters) if by_luck > 0 else LEAST
    customers = int(min(max(best, LEAST), 10**6))
    return int(min(max(seconds / (fixed + each * customers), 2 * PILOT), 65_536)), customers


def points(study: Study, asked: Mapping[str, Any]) -> list[Point]:
    """Return the draws that are run, from a scrambled Sobol sequence; raise ScenarioError with all that is wrong with what is asked."""
    found = _faults(study, asked)
    if found:
        raise ScenarioError(found)
    if (study.points or DRAWS) > MOST_POINTS:
        raise TooMany("points", study.points or DRAWS)
    return at(study, sobol(study.points or DRAWS, len(study.vary), study.design_seed))


def _faults(study: Study, asked: Mapping[str, Any]) -> list[Fault]:
    found = []
    if study.design is not None:
        found.append(Fault("design", study.design, "is drawn here", "leave it out; points=N says how many draws"))
    found += own_faults(study)
    if (study.points or DRAWS) < information.LEAST:
        found.append(Fault("points", show(study.points), f"must be at least {information.LEAST} draws", f"points={DRAWS}"))
    for key, least in (("willingness", 0), ("trials", 1)):
        value = asked[key]
        if not (isinstance(value, list | tuple) and value and all(_number(one, least) for one in value)):
            found.append(Fault(key, show(value), f"must be a list of numbers from {least} on", f"{key}={list(ASKED[key])}"))
    if not _number(asked["trial_price"], 0):
        found.append(Fault("trial_price", show(asked["trial_price"]), "must be a number from 0 on"))
    if asked["seconds"] is not None and not (_number(asked["seconds"], 0) and asked["seconds"] > 0):
        found.append(Fault("seconds", show(asked["seconds"]), "must be above 0", "seconds=60"))
    if study.policies and find_spec("sklearn") is None:
        found.append(
            Fault("policies", show(list(study.policies)), "needs scikit-learn, to say where one loses", "pip install 'clvsim[studies]'")
        )
    if asked["seconds"] is not None and study.points is not None:
        found.append(Fault("seconds", show(asked["seconds"]), "chooses how many points there are", "leave out points, or seconds"))
    return found


def _too_large(scenario: Scenario, asked: Mapping[str, Any]) -> list[Fault]:
    """Return a fault where trials are asked for that have more customers in an arm than the firm has; the sizes by default are not."""
    firm, most = _customers(scenario), max(asked["trials"])
    if most <= firm or list(asked["trials"]) == list(ASKED["trials"]):
        return []
    rule = f"must be at most {firm:,.0f} customers, all that the firm has (those who come later count discounted)"
    return [Fault("trials", show(asked["trials"]), rule, "give smaller trials")]


def _customers(scenario: Scenario) -> float:
    """Return a firm's customers, each discounted from arrival to calendar 0."""
    factor = scenario.discount_factor
    return float(sum(cell.firm * factor**cell.arrival for cell in cells(scenario)))


def _number(value: Any, least: float) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and value >= least and math.isfinite(value)


def study(made: Plan, asked: Mapping[str, Any], out: str | os.PathLike[str] | None, progress: Progress | None) -> Uncertainty:
    """Run the draws, as every kind of study is run."""
    return Uncertainty(made, asked, sweep.run(made, out, progress))
