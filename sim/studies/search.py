"""The best parameters of a policy, sought by simulation: Optuna's search, a local polish, and a test on fresh luck.

All points are simulated on the same luck (common random numbers), so that they differ by what they are and not by whom they met. Yet the
best of many is also the luckiest: its value on the luck of the search is biased (the winner's curse; Smith and Winkler 2006, Management
Science 52(3)). So the best few are tried again on a second seed, which chooses among them, and the chosen one on a third, which no choice
has seen, but for whether it keeps to the limits: only that value is reported, and what the search had shown above it as ``optimism``.

The search is the tree-structured Parzen estimator (Bergstra, Bardenet, Bengio and Kégl 2011, NIPS 24; for several objectives Ozaki,
Tanigaki, Watanabe and Onishi 2020, GECCO) as Optuna has it (Akiba, Sano, Yanase, Ohta and Koyama 2019, KDD), asked for batches of points;
the polish is COBYQA (Ragonneau 2022, thesis), a trust-region method without derivatives that keeps to ranges and limits.
"""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sim.measures.paths import path_error
from sim.scenario.errors import Fault, ScenarioError
from sim.studies.axes import Axis, Direction, Evaluate, Floats, Limit, Point, Runs

if TYPE_CHECKING:
    import pandas as pd

POLISH = 30
"""Points to polish by, an axis."""


class Difference(NamedTuple):
    """A mean of paired differences, its standard error and 95 % interval (Student's t); NaN of one replicate."""

    mean: float
    se: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Found:
    """What a search has found.

    found: the point, None where none kept to the limits; objective: what was sought; direction: which way;
    means, ses: of every objective there, over the replicates of the last seed; optimism: how much better the search had shown this point;
    difference: from the start in what was sought, on the last seed, None where no start was given;
    trials: a row a point and seed, in the order simulated: order, step (search, polish, test, final), seed, each axis, each objective
    (mean over replicates), feasible; told: a sentence.
    """

    found: Point | None
    objective: str
    direction: Direction
    means: dict[str, float]
    ses: dict[str, float]
    optimism: float
    difference: Difference | None
    trials: "pd.DataFrame" = field(repr=False)
    told: str

    @property
    def mean(self) -> float:
        """The mean of what was sought, on luck that no choice had seen; NaN where nothing was found."""
        return self.means.get(self.objective, math.nan)

    @property
    def se(self) -> float:
        """Its standard error; NaN of one replicate."""
        return self.ses.get(self.objective, math.nan)


@dataclass(frozen=True, eq=False)
class Front:
    """Points none of which is better than another in every objective sought.

    frame: a row a point, the best in the first objective first: each axis, each objective and its standard error (``…_se``), on luck that
    no choice has seen, but for the limits; of two rows that chance has put in order one can be the better here; trials: as in ``Found``;
    told: a sentence.
    """

    frame: "pd.DataFrame"
    trials: "pd.DataFrame" = field(repr=False)
    told: str


def search(
    axes: Sequence[Axis],
    evaluate: Evaluate,
    objectives: Mapping[str, Direction],
    trials: int,
    seed: int,
    *,
    limits: Sequence[Limit] = (),
    start: Point | None = None,
    batch: int = 8,
    smooth: bool | None = None,
    again: int = 5,
) -> Found:
    """Find the point that is best in the one objective which is sought.

    Parameters
    ----------
    axes
        What is sought.
    evaluate
        Simulates points, see ``Evaluate``.
    objectives
        What ``evaluate`` returns, in its order: one to be ``max`` or ``min``, others ``limited``.
    trials
        Points to ask Optuna for. One asked for again is not simulated again.
    seed
        Of the luck of the search, 0 or more; the others and Optuna's are derived from it.
    limits
        What the objectives may be at most. A point must keep to them on each of the three seeds.
    start
        A point to begin with and to compare with; it is tried again with the best.
    batch
        Points asked for, and simulated, at once.
    smooth
        Whether to polish, with 30 more points an axis at most, one after the other; by default where every axis is continuous. Other axes
        then stay at the best found.
    again
        Points tried again at once, 1 or more. Where none of them keeps to the limits, the next best are.

    Returns
    -------
    Found
        See there. The same arguments give the same.

    Raises
    ------
    ScenarioError
        Where an argument cannot be used, or Optuna is missing.
    ValueError
        Where ``evaluate`` returns another shape, or what is not finite.
    """
    runs = Runs(axes, evaluate, objectives, trials, seed, limits, start, batch)
    if len(runs.signs) != 1 or again < 1:
        raise ScenarioError([Fault("objectives", "", "one to be max or min, and again of 1 or more", "seek several by front()")])
    _ask(runs)
    if smooth or (smooth is None and all(axis.smooth for axis in axes)):
        _polish(runs)
    return _confirmed(runs, again)


def front(
    axes: Sequence[Axis],
    evaluate: Evaluate,
    objectives: Mapping[str, Direction],
    trials: int,
    seed: int,
    *,
    limits: Sequence[Limit] = (),
    batch: int = 8,
) -> Front:
    """Find the points that no other is better than in every objective sought.

    The non-dominated points of the search are simulated again on a second seed; those which are still non-dominated, on a third.

    Parameters
    ----------
    axes, evaluate, trials, seed, limits, batch
        As in ``search``.
    objectives
        What ``evaluate`` returns, in its order: two or more to be ``max`` or ``min``, others ``limited``.

    Returns
    -------
    Front
        See there; without rows where no point kept to the limits.

    Raises
    ------
    ScenarioError, ValueError
        As ``search``.
    """
    import pandas as pd

    runs = Runs(axes, evaluate, objectives, trials, seed, limits, None, batch)
    if len(runs.signs) < 2:
        raise ScenarioError([Fault("objectives", "", "two or more to be max or min", "seek one by search()")])
    _ask(runs)
    points, rows = _best(runs, list(runs.points.values()), np.array(list(runs.means.values()))), list[list[Any]]()
    if points:
        points = _best(runs, points, runs.fresh(points, runs.seeds[0], "test").mean(axis=1))
    if points:
        values = runs.fresh(points, runs.seeds[1], "final")
        rows = [_row(runs, point, own) for point, own in zip(points, values, strict=True) if runs.excess(own.mean(axis=0)) == 0.0]
    columns = [axis.name for axis in axes] + [f"{name}{end}" for name in objectives for end in ("", "_se")]
    sought = [runs.names[k] for k in runs.signs]
    frame = pd.DataFrame(rows, columns=columns).sort_values(sought[0], ascending=objectives[sought[0]] == "min", ignore_index=True)
    if not len(frame):
        kept = ", ".join(f"{limit.objective} at most {_number(limit.most)}" for limit in limits)
        return Front(frame, runs.frame(), f"None of {len(runs.means)} points kept to the limits ({kept}) on every seed.")
    within = " within the limits" if limits else ""
    verb = "is" if len(frame) == 1 else "are"
    told = f"Of {len(runs.means)} points{within}, {len(frame)} {verb} not beaten in {' and '.join(sought)} at once."
    return Front(frame, runs.frame(), told)


@contextmanager
def _quiet() -> Iterator[Any]:
    """Give Optuna, without its messages and warnings."""
    try:
        import optuna
    except ImportError as error:
        raise ScenarioError([Fault("search", "", "needs optuna", "pip install 'clvsim[studies]'")]) from error
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield optuna
    finally:
        optuna.logging.set_verbosity(level)


def _distribution(kinds: Any, axis: Axis) -> Any:
    if axis.smooth:
        return kinds.FloatDistribution(axis.low, axis.high, axis.log)
    if axis.integer:
        return kinds.IntDistribution(int(axis.low), int(axis.high), axis.log)
    return kinds.CategoricalDistribution(axis.values)


def _ask(runs: Runs) -> None:
    """Simulate what Optuna asks for, batch by batch."""
    with _quiet() as optuna:
        sampler = optuna.samplers.TPESampler(seed=runs.seeds[2], constant_liar=True)
        study = optuna.create_study(directions=["minimize" if sign > 0.0 else "maximize" for sign in runs.signs.values()], sampler=sampler)
        space = {axis.name: _distribution(optuna.distributions, axis) for axis in runs.axes}
        if runs.start is not None:
            study.enqueue_trial({axis.name: runs.start[axis.name] for axis in runs.axes})
    for first in range(0, runs.trials, runs.batch):
        with _quiet():
            asked = [study.ask(space) for _ in range(min(runs.batch, runs.trials - first))]
        means = runs.seen([{axis.name: trial.params[axis.name] for axis in runs.axes} for trial in asked], "search")
        with _quiet():
            for trial, mean in zip(asked, means, strict=True):
                for number, limit in enumerate(runs.limits):
                    trial.set_constraint(str(number), mean[runs.names.index(limit.objective)] - limit.most)
                study.tell(trial, [float(mean[k]) for k in runs.signs])


def _polish(runs: Runs) -> None:
    """Simulate points around the best, where COBYQA looks for a better one; axes count from 0 to 1, values by their range so far."""
    from scipy import optimize

    smooth, best = [axis for axis in runs.axes if axis.smooth], runs.ranked()[0]
    if not smooth:
        return
    scale = np.ptp(np.array(list(runs.means.values())), axis=0)
    scale[scale == 0.0] = 1.0
    limited = [runs.names.index(limit.objective) for limit in runs.limits]
    most = np.array([limit.most for limit in runs.limits])

    ((sought, sign),) = runs.signs.items()

    def at(shares: Floats) -> Floats:
        found = {axis.name: axis.at(share) for axis, share in zip(smooth, shares.tolist(), strict=True)}
        return runs.seen([{**best, **found}], "polish")[0]

    def loss(shares: Floats) -> float:
        return float(sign * at(shares)[sought] / scale[sought])

    def over(shares: Floats) -> Floats:
        return np.asarray((at(shares)[limited] - most) / scale[limited], np.float64)

    optimize.minimize(
        loss,
        [axis.share(float(best[axis.name])) for axis in smooth],
        method="COBYQA",
        bounds=[(0.0, 1.0)] * len(smooth),
        constraints=[optimize.NonlinearConstraint(over, -np.inf, 0.0)] * bool(limited),
        options={"maxfev": POLISH * len(smooth), "initial_tr_radius": 0.1, "final_tr_radius": 1e-4},
    )


def _confirmed(runs: Runs, again: int) -> Found:
    """Choose among the best on the second seed and return the chosen one by the third."""
    start, searched = runs.start, {runs.key(row) for row in runs.rows if row["step"] == "search"}
    ranked = [point for point in runs.ranked() if runs.excess(runs.means[runs.key(point)]) == 0.0]
    order = ranked[:1] + [
        point for point in ranked[1:] if runs.key(point) in searched
    ]  # of the polish its best: the others are as good as it
    if start is not None and start in order[again:]:
        order.remove(start)
        order.insert(max(again - 1, 1), start)
    for place in range(0, len(order), again):
        wave = order[place : place + again]
        means = runs.fresh(wave, runs.seeds[0], "test").mean(axis=1)
        for k in sorted(range(len(wave)), key=lambda k: runs.loss(means[k])):
            if runs.excess(means[k]) == 0.0:
                values = runs.fresh([wave[k], start] if start is not None else [wave[k]], runs.seeds[1], "final")
                if runs.excess(values[0].mean(axis=0)) == 0.0:
                    return _found(runs, wave[k], values)
    return _none(runs)


def _number(value: float, digits: int = 4) -> str:
    """Return a number to so many digits, a large one with its thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.{digits}g}"


def _found(runs: Runs, point: Point, values: Floats) -> Found:
    """Return a point with its values, (1 or 2, replicates, objectives), the start's last."""
    (k,) = runs.signs
    name, means = runs.names[k], values[0].mean(axis=0)
    ses = [path_error(values[0, :, j]) for j in range(len(means))]
    optimism = runs.loss(means) - runs.loss(runs.means[runs.key(point)])
    where = ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in point.items())
    told = f"{name} {_number(means[k])} ± {_number(ses[k], 2)} (standard error, on fresh luck) at {where}; the search had shown it "
    told += f"{_number(abs(optimism), 2)} {'better' if optimism >= 0.0 else 'worse'}."
    gap = _difference(values[0, :, k] - values[1, :, k]) if len(values) > 1 else None
    if gap:
        between = f"(95 % interval {_number(gap.low)} to {_number(gap.high)})"
        told += f" From the start it differs by {_number(gap.mean)} ± {_number(gap.se, 2)} {between}."
    both = [dict(zip(runs.names, own, strict=True)) for own in (means.tolist(), ses)]
    return Found(point, name, runs.objectives[name], both[0], both[1], optimism, gap, runs.frame(), told)


def _none(runs: Runs) -> Found:
    (k,) = runs.signs
    nearest = dict(zip(runs.names, runs.means[runs.key(runs.ranked()[0])], strict=True))
    limits = ", ".join(f"{limit.objective} at most {_number(limit.most)}" for limit in runs.limits)
    had = ", ".join(f"{limit.objective} {_number(nearest[limit.objective])}" for limit in runs.limits)
    told = f"None of {len(runs.means)} points kept to the limits ({limits}) on every seed; on that of the search the nearest had {had}."
    return Found(None, runs.names[k], runs.objectives[runs.names[k]], {}, {}, math.nan, None, runs.frame(), told)


def _difference(gaps: Floats) -> Difference:
    from scipy.special import stdtrit

    mean, se = float(gaps.mean()), path_error(gaps)
    half = float(stdtrit(len(gaps) - 1, 0.975)) * se if len(gaps) > 1 else math.nan
    return Difference(mean, se, mean - half, mean + half)


def _best(runs: Runs, points: list[Point], means: Floats) -> list[Point]:
    """Return the points that keep to the limits and that no other such is at least as good as everywhere and better somewhere."""
    inside = [k for k in range(len(points)) if runs.excess(means[k]) == 0.0]
    loss = means[np.ix_(inside, list(runs.signs))] * np.array(list(runs.signs.values()))
    beaten = [bool(((loss <= own).all(axis=1) & (loss < own).any(axis=1)).any()) for own in loss]
    return [points[k] for k, lost in zip(inside, beaten, strict=True) if not lost]


def _row(runs: Runs, point: Point, values: Floats) -> list[Any]:
    """Return a row of the front, values: (replicates, objectives)."""
    pairs = [(float(values[:, k].mean()), path_error(values[:, k])) for k in range(values.shape[1])]
    return [*runs.key(point), *(one for pair in pairs for one in pair)]
