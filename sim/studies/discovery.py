"""Scenario discovery: under which conditions does a policy lose? (Bryant and Lempert 2010; with a tree Lempert, Bryant and Bankes 2008.)

Points of a study (parameters drawn, or set by a design) are halved at random. On one half a tree parts those where the policy loses from
the others; each of its leaves is a box, a set of ranges that a sentence can tell. On the other half, which the tree has not seen, every
box is judged: the best of many boxes looks better than it is on the points that it was chosen by.

The tree is CART's (Breiman, Friedman, Olshen and Stone 1984): splits by Gini's index; a choice is split by ordering its values by how often
each loses (their theorem 4.5); pruned by cost complexity, to the simplest tree that in cross-validation is within one standard error of
the best (their section 3.4.3). The loss there is the squared error of the chance of losing (Brier 1950), as a share of points wrongly told
is blind to boxes with less than half of losing points; the standard error is that of the difference between both trees on the same points.

Of a box, with L the losing points and B those inside (Bryant and Lempert 2010),

    coverage = |B and L| / |L|,    density = |B and L| / |B|,    mass = |B| / |all|.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.measures.sums import wilson
from sim.scenario.errors import Fault, ScenarioError

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

DEPTH = 3
LEAST_LEAF = 20
LEAF_SHARE = 0.02
FEW = 10
"""Losing points (or others) with fewer of which nothing is sought."""

FOLDS = 5
DIGITS = 3
SHIFT = 0.01
"""Of a parameter's range, by which rounding may move a limit; where 3 digits move it further, it has more."""

COLUMNS = ("box", "conditions", "coverage", "density", "mass", "low", "high")


class Condition(NamedTuple):
    """What one parameter must be: a number above ``low`` and below ``high``, or, where there are ``values``, one of them."""

    name: str
    low: float
    high: float
    values: tuple[str, ...]

    def holds(self, points: "pd.DataFrame") -> Flags:
        """Return where it holds, (rows,)."""
        if self.values:
            return np.asarray(points[self.name].astype(str).isin(self.values), bool)
        numbers = points[self.name].to_numpy(np.float64)
        return np.asarray((numbers > self.low) & (numbers < self.high), bool)

    def told(self, names: Mapping[str, str]) -> str:
        """Return it in words, a parameter by its own name where it has none in ``names``."""
        name = names.get(self.name, self.name)
        if self.values:
            return f"{name} is {' or '.join(filter(None, [', '.join(self.values[:-1]), self.values[-1]]))}"
        if math.isinf(self.low):
            return f"{name} below {self.high:.15g}"
        return f"{name} above {self.low:.15g}" if math.isinf(self.high) else f"{name} between {self.low:.15g} and {self.high:.15g}"


@dataclass(frozen=True)
class Box:
    """Conditions that hold together, and what the judging half says of them, by weight.

    coverage: share of all losing points that lie inside; density: share of the points inside that lose, low, high: its 95 % interval
    (Wilson 1927); mass: share of all points that lie inside.
    """

    conditions: tuple[Condition, ...]
    coverage: float
    density: float
    mass: float
    low: float
    high: float

    def holds(self, points: "pd.DataFrame") -> Flags:
        """Return which points lie inside, (rows,)."""
        return _inside(self.conditions, points)

    def told(self, names: Mapping[str, str]) -> str:
        """Return the conditions in words."""
        return " and ".join(one.told(names) for one in self.conditions)


@dataclass(frozen=True, eq=False)
class Discovery:
    """Where a policy loses.

    boxes: by density times coverage, the largest first; rate: share of all points where it loses, by weight; points: how many there are;
    losing: how many of them lose; judged: (points,) those of the half that the boxes were judged by.
    """

    boxes: tuple[Box, ...]
    rate: float
    points: int
    losing: int
    judged: Flags = field(repr=False)

    @property
    def frame(self) -> "pd.DataFrame":
        """Return a row a box: box (1, 2, …), conditions (words), coverage, density, mass, low, high, see ``Box``."""
        import pandas as pd

        rows = [(k, box.told({}), box.coverage, box.density, box.mass, box.low, box.high) for k, box in enumerate(self.boxes, 1)]
        return pd.DataFrame(rows, columns=list(COLUMNS))


def discover(points: "pd.DataFrame", loses: ArrayLike, weights: ArrayLike | None = None, seed: int = 0) -> Discovery:
    """Find boxes in which losing is more frequent than among all points.

    Parameters
    ----------
    points
        A row a point, a column a parameter: numbers, or anything else, whose values then are choices.
    loses
        Whether the policy loses there, (rows,).
    weights
        Of the points, (rows,), above 0; by default all alike.
    seed
        Of the halves, of cross-validation and of ties in the tree.

    Returns
    -------
    Discovery
        With those boxes whose density's interval lies above the rate of the judging half. A limit is rounded to 3 significant digits
        (more where that would move it by over 1 % of the parameter's range) before it is judged, so that what is told is what was
        measured. No box where fewer than 10 points lose, or fewer than 10 do not.

    Raises
    ------
    ValueError
        Where there is no point or no parameter, lengths differ, a parameter's name is no text or not its own, a value is missing or
        infinite, or a weight is not above 0.
    ScenarioError
        Where scikit-learn is missing.
    """
    lost = np.asarray(loses)
    weight = np.ones(len(points)) if weights is None else np.asarray(weights, np.float64)
    _check(points, lost, weight)
    losing, lost = int(lost.sum()), lost.astype(bool)
    judged, boxes = np.zeros(len(points), bool), list[Box]()
    if min(losing, len(points) - losing) >= FEW:
        judged = _half(lost, seed)
        found = _leaves(points[~judged], lost[~judged], weight[~judged], seed)
        rate = float(np.average(lost[judged], weights=weight[judged]))
        boxes = [box for box in (_judge(one, points[judged], lost[judged], weight[judged]) for one in found) if box.low > rate]
    order = sorted(boxes, key=lambda box: -box.density * box.coverage)
    return Discovery(tuple(order), float(np.average(lost, weights=weight)), len(points), losing, judged)


def told(found: Discovery, names: Mapping[str, str] | None = None) -> str:
    """Return one or two sentences on where it loses. names: of parameters, as to be told."""
    if found.losing == 0:
        return f"It loses in none of {found.points:,} points."
    if found.losing == found.points:
        return f"It loses in all of {found.points:,} points."
    if found.losing < FEW or found.points - found.losing < FEW:
        text = f"It loses in {found.losing:,} of {found.points:,} points"
        return f"{text}, too {'few' if found.losing < FEW else 'many'} to tell under which conditions."
    text = f"It loses in {_percent(found.rate)} % of all points"
    if not found.boxes:
        return f"{text}; no conditions were found under which it loses more often than that."
    (first, *rest), called = found.boxes, names or {}
    sentences = [f"{text}; of those, {_where(first, called)}.", *(f"Another {_where(box, called)}." for box in rest[:1])]
    return " ".join(sentences)


def _where(box: Box, names: Mapping[str, str]) -> str:
    coverage, density, low, high = (_percent(share) for share in (box.coverage, box.density, box.low, box.high))
    return f"{coverage} % lie where {box.told(names)}, where it loses in {density} % of the points (95 % interval {low} to {high} %)"


def _percent(share: float) -> str:
    return f"{100 * share:.{2 if share < 0.995 else 3}g}"


def _check(points: "pd.DataFrame", lost: NDArray[Any], weight: Floats) -> None:
    rows = (len(points),)
    if 0 in points.shape or lost.shape != rows or weight.shape != rows:
        raise ValueError(f"points {points.shape}, loses {lost.shape}, weights {weight.shape}: 1 or more, as many of each")
    if not points.columns.is_unique or not all(isinstance(name, str) for name in points):
        raise ValueError(f"parameters need names, each its own: {', '.join(map(str, points))}")
    missing = [str(name) for name in points if _missing(points[name])]
    if missing or (lost.dtype != bool and not np.isin(lost, (0, 1)).all()):
        raise ValueError(f"no value may be missing or infinite, and loses is True or False: {', '.join(missing) or 'loses'}")
    if not (np.isfinite(weight) & (weight > 0.0)).all():
        raise ValueError("weights must be finite numbers above 0")


def _numeric(column: "pd.Series[Any]") -> bool:
    from pandas.api import types

    return bool(types.is_numeric_dtype(column) and not types.is_bool_dtype(column))


def _missing(column: "pd.Series[Any]") -> bool:
    return bool(column.isna().any() or (_numeric(column) and not np.isfinite(column.to_numpy(np.float64)).all()))


def _half(lost: Flags, seed: int) -> Flags:
    """Return a random half of the points, (rows,), which holds half of the losing ones."""
    random, found = np.random.default_rng(seed), np.zeros(len(lost), bool)
    for side in (True, False):
        rows = random.permutation(np.flatnonzero(lost == side))
        found[rows[len(rows) // 2 :]] = True
    return found


def _inside(conditions: tuple[Condition, ...], points: "pd.DataFrame") -> Flags:
    return np.asarray(np.logical_and.reduce([one.holds(points) for one in conditions]), bool)


def _judge(conditions: tuple[Condition, ...], points: "pd.DataFrame", lost: Flags, weight: Floats) -> Box:
    """Return a box with its measures; an empty one has a density of NaN."""
    inside = _inside(conditions, points)
    own = weight[inside]
    if not len(own):
        return Box(conditions, 0.0, math.nan, 0.0, math.nan, math.nan)
    density, many = float(np.average(lost[inside], weights=own)), own.sum() ** 2 / (own**2).sum()  # as many as alike ones (Kish 1965)
    low, high = wilson(np.array(density), np.sqrt(density * (1.0 - density) / many), np.array(many))
    coverage = weight[inside & lost].sum() / weight[lost].sum()
    return Box(conditions, float(coverage), density, float(own.sum() / weight.sum()), float(low), float(high))


class _Codes:
    """Numbers for the tree: parameters as they are, a choice as the place of its value among all, the one that loses least first."""

    def __init__(self, points: "pd.DataFrame", lost: Flags, weight: Floats) -> None:
        self.orders: dict[str, list[str]] = {}
        self.unseen: dict[str, float] = {}
        rate = np.average(lost, weights=weight)
        for name in points:
            if not _numeric(points[name]):
                texts = points[name].astype(str).to_numpy()
                shares = {text: np.average(lost[texts == text], weights=weight[texts == text]) for text in sorted(set(texts))}
                self.orders[str(name)] = sorted(shares, key=lambda text: shares[text])
                self.unseen[str(name)] = sum(share < rate for share in shares.values()) - 0.5

    def code(self, points: "pd.DataFrame") -> Floats:
        """Return them, (rows, parameters); a value not seen before lies in the middle."""
        columns = []
        for name in points:
            if order := self.orders.get(str(name)):
                place = {text: float(k) for k, text in enumerate(order)}
                columns.append(np.array([place.get(text, self.unseen[str(name)]) for text in points[name].astype(str)]))
            else:
                columns.append(points[name].to_numpy(np.float64))
        return np.column_stack(columns)


def _tree(leaf: int, seed: int, alpha: float = 0.0) -> Any:
    try:
        from sklearn.tree import DecisionTreeClassifier  # type: ignore[import-untyped]
    except ImportError as error:
        raise ScenarioError([Fault("conditions", "", "needs scikit-learn", "pip install 'clvsim[studies]'")]) from error
    return DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=leaf, ccp_alpha=alpha, random_state=seed)


def _leaves(points: "pd.DataFrame", lost: Flags, weight: Floats, seed: int) -> list[tuple[Condition, ...]]:
    """Return the conditions of each leaf of the pruned tree; none where all is pruned."""
    leaf = max(LEAST_LEAF, math.ceil(LEAF_SHARE * len(points)))
    codes = _Codes(points, lost, weight)
    alpha = _alpha(points, lost, weight, leaf, seed)
    tree = _tree(leaf, seed, alpha).fit(codes.code(points), lost, sample_weight=weight).tree_
    found, paths = list[tuple[Condition, ...]](), [(0, dict[int, tuple[float, float]]())]
    while paths:
        node, ranges = paths.pop()
        k, limit = int(tree.feature[node]), float(tree.threshold[node])
        if k < 0:
            found += [tuple(_condition(points, points.columns[j], low, high, codes) for j, (low, high) in ranges.items())]
            continue
        low, high = ranges.get(k, (-math.inf, math.inf))
        paths.append((int(tree.children_left[node]), ranges | {k: (low, limit)}))
        paths.append((int(tree.children_right[node]), ranges | {k: (limit, high)}))
    return [one for one in found if one]


def _condition(points: "pd.DataFrame", name: str, low: float, high: float, codes: _Codes) -> Condition:
    if order := codes.orders.get(name):
        return Condition(name, -math.inf, math.inf, tuple(sorted(text for k, text in enumerate(order) if low < k <= high)))
    span = float(points[name].max() - points[name].min())
    return Condition(name, rounded(low, span), rounded(high, span), ())


def rounded(limit: float, span: float) -> float:
    """Return a limit with 3 significant digits, or with as many as it takes to move it by 1 % of ``span`` at most."""
    if math.isinf(limit):
        return limit
    return next((value for k in range(DIGITS, 16) if abs((value := float(f"{limit:.{k}g}")) - limit) <= SHIFT * span), limit)


def _alpha(points: "pd.DataFrame", lost: Flags, weight: Floats, leaf: int, seed: int) -> float:
    """Return the price of a leaf by which to prune: the highest whose error in cross-validation is within one standard error of the least.

    Candidates are between those of the whole tree (Breiman, Friedman, Olshen and Stone 1984, section 3.4.2).
    """
    path = _tree(leaf, seed).cost_complexity_pruning_path(_Codes(points, lost, weight).code(points), lost, sample_weight=weight)
    steps = np.unique(np.maximum(path.ccp_alphas, 0.0))
    prices = np.append(np.sqrt(steps[:-1] * steps[1:]), 2.0 * steps[-1] + 1.0)  # the last one leaves the root alone
    errors = np.zeros((len(prices), len(lost)))
    for rows in _folds(lost, seed):
        rest = np.setdiff1d(np.arange(len(lost)), rows)
        codes = _Codes(points.iloc[rest], lost[rest], weight[rest])
        seen, other = codes.code(points.iloc[rest]), codes.code(points.iloc[rows])
        for k, price in enumerate(prices):
            chance = _tree(leaf, seed, price).fit(seen, lost[rest], sample_weight=weight[rest]).predict_proba(other)[:, 1]
            errors[k, rows] = (chance - lost[rows]) ** 2
    gaps = errors - errors[np.argmin(errors @ weight)]
    mean = gaps @ weight / weight.sum()
    se = np.sqrt(((gaps - mean[:, None]) ** 2) @ weight**2) / weight.sum()
    return float(prices[np.flatnonzero(mean <= se).max()])


def _folds(lost: Flags, seed: int) -> Sequence[NDArray[np.intp]]:
    """Return the rows of each fold, with losing points spread over all."""
    place = np.empty(len(lost), np.intp)
    order = np.random.default_rng(seed + 1).permutation(len(lost))
    place[order[np.argsort(lost[order], kind="stable")]] = np.arange(len(lost)) % FOLDS
    return [np.flatnonzero(place == k) for k in range(FOLDS)]
