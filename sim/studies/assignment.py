"""The right treatment for each: one policy or none for every segment, so that all gain most within one budget.

The multiple-choice knapsack (Sinha and Zoltners 1979, Operations Research 27(3); Kellerer, Pferschy and Pisinger 2004, Knapsack problems,
chapter 11): with g_sp and c_sp gain and cost of policy p on segment s, and 0 for doing nothing,

    maximise sum g_sp x_sp    subject to    sum c_sp x_sp <= budget,    sum over p of x_sp <= 1 for each s,    x_sp 0 or 1.

Its relaxation (x between 0 and 1) goes along the upper hull of each segment's points (cost, gain), steps of all segments in the order of
what a unit of budget brings, until one does not fit (Dantzig 1957; Zemel 1980); that gives the bound, and the greedy answer, which is
below the bound by less than that one step brings. Exact answers come from HiGHS's branch and bound (``scipy.optimize.milp``).
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.scenario.errors import Fault, ScenarioError

Floats = NDArray[np.float64]
Choice = NDArray[np.intp]

NONE = -1
SLACK = 1e-9  # of what can be spent, the budget and what the cheapest choices save, by which rounding may pass the budget
SCALE = 1e3  # size that the solver sees: its tolerances of 1e-6 are then 1e-9 of the budget and of the largest gain
MOST_EXACT = 2000
MOST_NODES = 20_000


@dataclass(frozen=True)
class Assignment:
    """One policy or none for each of s segments; currency, whole segments.

    chosen: (s,) place of the policy, -1 for none; gain, cost: totals; gain_se, cost_se: standard errors of the totals;
    bound: what no choice within the budget can pass, given these gains; exact: whether ``chosen`` is the best there is, up to 1e-9 of
    the largest gain a segment; efficiency: what one unit of budget more would bring, by the relaxation, 0 where all fits;
    single: place of the best single policy for all within the budget, -1 where none is best; single_gain, single_cost: its totals;
    budget: as given.
    """

    chosen: Choice
    gain: float
    gain_se: float
    cost: float
    cost_se: float
    bound: float
    exact: bool
    efficiency: float
    single: int
    single_gain: float
    single_cost: float
    budget: float

    @property
    def advantage(self) -> float:
        """What choosing by segment gains over the best single policy for all (or none), currency."""
        return self.gain - self.single_gain


def assign(
    gain: ArrayLike,
    cost: ArrayLike,
    budget: float,
    gain_se: ArrayLike | None = None,
    cost_se: ArrayLike | None = None,
    most_exact: int = MOST_EXACT,
) -> Assignment:
    """Choose at most one policy for each segment, so that the total gain is largest and the total cost within the budget.

    Parameters
    ----------
    gain, cost
        Of every policy on every whole segment (mean a customer times its customers), (s, p), currency. Either may be negative; doing
        nothing gains and costs 0. A gain that holds the cost already is net of it, and the budget then only limits.
    budget
        Currency, 0 or more; infinite where there is no limit.
    gain_se, cost_se
        Standard errors, (s, p), by default 0. Segments count as independent: their customers are different ones.
    most_exact
        Choices worth considering (dominated ones are left out first) up to which the exact answer is sought; greedy beyond.

    Returns
    -------
    Assignment
        See there. Gains are estimates, and the largest of several is more likely to be overestimated: what was chosen should be
        simulated again on luck of its own.

    Raises
    ------
    ScenarioError
        Where shapes differ, there is no segment or no policy, a number is not finite, a standard error or the budget is negative.
    """
    lists = [np.asarray(one, float) for one in (gain, cost)]
    lists += [np.zeros(lists[0].shape) if one is None else np.asarray(one, float) for one in (gain_se, cost_se)]
    faults = list(_faults(dict(zip(("gain", "cost", "gain_se", "cost_se"), lists, strict=True)), budget))
    if faults:
        raise ScenarioError(faults)
    gains, costs, gains_se, costs_se = (np.column_stack([one, np.zeros(len(one))]) for one in lists)  # doing nothing comes last
    worth_it = _undominated(gains, costs)
    with np.errstate(over="ignore"):  # a gain for next to nothing
        chosen, bound, efficiency = _greedy(gains, costs, budget, worth_it)
    solved = bool(efficiency == 0.0)
    if not solved and worth_it.sum() <= most_exact:
        found = _solved(gains, costs, budget, worth_it)
        if found is not None:
            solved = found[1]
            chosen = max(found[0], chosen, key=lambda one: _total(gains, one))
    single = _single(gains, costs, budget)
    alone = np.full(len(gains), single)
    return Assignment(
        chosen=np.where(chosen == gains.shape[1] - 1, NONE, chosen),
        gain=_total(gains, chosen),
        gain_se=math.sqrt(_total(gains_se**2, chosen)),
        cost=_total(costs, chosen),
        cost_se=math.sqrt(_total(costs_se**2, chosen)),
        bound=max(bound, _total(gains, chosen)),
        exact=solved,
        efficiency=efficiency,
        single=NONE if single == gains.shape[1] - 1 else single,
        single_gain=_total(gains, alone),
        single_cost=_total(costs, alone),
        budget=float(budget),
    )


def _faults(lists: dict[str, Floats], budget: float) -> Iterator[Fault]:
    shape = lists["gain"].shape
    if len(shape) != 2 or 0 in shape:
        yield Fault("gain", str(shape), "segments by policies, 1 or more of each")
    for name, values in lists.items():
        if values.shape != shape:
            yield Fault(name, str(values.shape), f"the shape of gain, {shape}")
        if not np.isfinite(values).all():
            yield Fault(name, "", "finite numbers", "leave out a policy that a segment cannot have by giving it a gain below 0")
        if name.endswith("_se") and (values < 0.0).any():
            yield Fault(name, f"{values.min():g}", "0 or more")
    if math.isnan(budget) or budget < 0.0:
        yield Fault("budget", f"{budget:g}", "0 or more")


def _total(values: Floats, chosen: Choice) -> float:
    return math.fsum(values[np.arange(len(values)), chosen])


def _slack(costs: Floats, budget: float) -> float:
    return SLACK * (min(budget, 1e300) - math.fsum(costs.min(axis=1)))


def _single(gains: Floats, costs: Floats, budget: float) -> int:
    """Return the best policy for all segments that fits, doing nothing among them and preferred where alike."""
    fits = costs.sum(axis=0) <= budget + _slack(costs, budget)
    totals = np.where(fits, gains.sum(axis=0), -np.inf)
    return int(gains.shape[1] - 1 - totals[::-1].argmax())


def _undominated(gains: Floats, costs: Floats) -> NDArray[np.bool_]:
    """Return the choices that gain more than every one of their segment that costs no more, (s, p + 1); of like ones the last."""
    found = np.zeros(gains.shape, bool)
    for s in range(len(gains)):
        best = -math.inf
        for p in np.lexsort((-np.arange(gains.shape[1]), -gains[s], costs[s])):
            if gains[s, p] > best:
                found[s, p], best = True, gains[s, p]
    return found


def _hull(gains: Floats, costs: Floats, places: Choice) -> list[int]:
    """Return the places of a segment's choices on the upper hull of (cost, gain), from the cheapest on."""
    found: list[int] = []
    for p in places[np.argsort(costs[places], kind="stable")].tolist():
        while len(found) > 1:
            one, two = found[-2:]
            if (gains[two] - gains[one]) * (costs[p] - costs[two]) > (gains[p] - gains[two]) * (costs[two] - costs[one]):
                break
            found.pop()
        found.append(p)
    return found


def _greedy(gains: Floats, costs: Floats, budget: float, worth_it: NDArray[np.bool_]) -> tuple[Choice, float, float]:
    """Return a choice along the hulls, (s,), the bound of the relaxation, and the efficiency of the first step that does not fit, or 0."""
    chosen, steps = np.zeros(len(gains), np.intp), list[tuple[float, int, int, int, float, float]]()
    for s in range(len(gains)):
        hull = _hull(gains[s], costs[s], np.flatnonzero(worth_it[s]))
        chosen[s] = hull[0]
        for one, two in itertools.pairwise(hull):
            more, paid = gains[s, two] - gains[s, one], costs[s, two] - costs[s, one]
            steps.append((-more / paid, s, len(steps), two, more, paid))
    left, bound, efficiency = budget - _total(costs, chosen), _total(gains, chosen), 0.0
    slack, stuck = _slack(costs, budget), set[int]()
    for worth, s, _, two, more, paid in sorted(steps):
        fits = paid <= left + slack
        if efficiency == 0.0:
            part = 1.0 if fits else max(left, 0.0) / paid
            bound, efficiency = bound + part * more, 0.0 if fits else -worth
        if fits and s not in stuck:
            chosen[s] = two
            left -= paid
        else:
            stuck.add(s)
    return chosen, bound, efficiency


def _solved(gains: Floats, costs: Floats, budget: float, worth_it: NDArray[np.bool_]) -> tuple[Choice, bool] | None:
    """Return HiGHS's choice, (s,), and whether it is proven to be the best; None where it found none within the budget."""
    from scipy import optimize, sparse

    segment, policy = np.nonzero(worth_it)
    cheapest = np.where(worth_it, costs, np.inf).min(axis=1)
    base_gain = np.where(worth_it, gains, np.inf).min(axis=1)  # the cheapest undominated choice gains least
    more, paid = gains[segment, policy] - base_gain[segment], costs[segment, policy] - cheapest[segment]
    left = budget - math.fsum(cheapest)
    fits = paid <= left + _slack(costs, budget)
    scale = SCALE / left if left > 1e-290 else 1.0
    segment, policy, more, paid = segment[fits], policy[fits], more[fits], paid[fits]
    count = len(segment)
    one_each = sparse.csr_array((np.ones(count), (segment, np.arange(count))), shape=(len(gains), count))
    within = sparse.csr_array((paid * scale)[None, :])
    result = optimize.milp(
        c=-more * (SCALE / max(float(more.max()), 1e-300)),
        integrality=np.ones(count, int),
        bounds=optimize.Bounds(0.0, 1.0),
        constraints=[
            optimize.LinearConstraint(one_each, 1.0, 1.0),
            optimize.LinearConstraint(within, -np.inf, left * scale),
        ],
        options={"mip_rel_gap": 0.0, "node_limit": MOST_NODES},
    )
    if result.x is None:
        return None
    chosen = np.zeros(len(gains), np.intp)
    taken = result.x > 0.5
    chosen[segment[taken]] = policy[taken]
    if taken.sum() != len(gains) or _total(costs, chosen) > budget + 2.0 * _slack(costs, budget):
        return None
    return chosen, result.status == 0
