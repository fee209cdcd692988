"""The best rule of whom to treat, by stage, stage age and tenure: dynamic programming on the referee's chain.

A customer stands in a row r (a stage at one age) with a mode m: nothing in force, or policy i since k periods. With c and u the cost and
the chance of uptake of a contact, p the cost of an uptake, v the discount factor of a period, the value to come V solves (Bellman 1957;
Puterman 1994, 4.3 and 6.2)

    Q(r, m) = cash(r, m) + v sum_r' P_m(r, r') V(r', m + 1)            a period in mode m
    V(r, m) = max( Q(r, m), -c_i + u_i (Q(r, i) - p_i) + (1 - u_i) Q(r, m) for each policy i that may contact here )

In a period the contact is paid first, its effect acts from this period on, then comes the cash of the stage held, then the move. At
most one policy is in force at a time and one contact is made in a period: while one is in force no other may start, as if each excluded
all others; the same one may be started anew unless it is for good. A finite horizon is solved backward. Without end, rules that do not
change with tenure suffice (Puterman 1994, 6.2.10), and policy iteration (Howard 1960) solves a linear system a step; V then lies within
``max |T V - V| / (1 - v)`` of the optimum, T being the right side above (Puterman 1994, 6.2.4: T contracts by v).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from sim.exact import reasons, traits, treated, value
from sim.exact.chain import Flags, Floats, Index
from sim.exact.dynamic import Choice, Problem, always, greedy, mixing, never, solved
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.policy import Policy

ROOM = 20_000_000  # states: rows, modes and tenures told apart


@dataclass(frozen=True)
class BestRule:
    """The best rule for one customer, from its arrival on; currency, discounted to arrival, before acquisition cost.

    value: of the best rule; nothing: of treating nobody; always: policy id to the value of contacting whenever that policy may;
    rule: rows {stage, age, in_force, elapsed, tenure_from, tenure_until, action} for all states in which a customer may stand under it:
    ages hold on from the last listed, in_force and action are policy ids or None, elapsed is periods in force before this one,
    tenure_until is excluded, None for no end;
    bound: whether ``value`` is an upper bound on what any use of one of these policies at a time can bring; False where ``left_out``, the
    paths of conditions and effects that the chain does not know, names any: the rule is then the best one by stage;
    error: the largest difference of ``value`` and ``worth`` from the optimum that is not ruled out, currency; rounding alone, and not
    estimated, where the horizon is finite;
    policies: ids; stage, age: (r,) of rows; mode: (m, 2) place of the policy in force or -1, and periods elapsed;
    chosen: (t, m, r) place of the policy to contact with or -1; worth: (t, m, r) value to come at the start of tenure t, before the
    contact, currency of then. The last tenure holds on where the horizon is infinite.
    """

    value: float
    nothing: float
    always: dict[str, float]
    rule: tuple[dict[str, str | int | None], ...]
    bound: bool
    left_out: tuple[str, ...]
    error: float
    policies: tuple[str, ...]
    stage: tuple[str, ...]
    age: Index
    mode: Index
    chosen: Choice
    worth: Floats

    def at(self, stage: str, age: int = 0, tenure: int = 0) -> float:
        """Return what a customer there with nothing in force is worth under the rule, currency of that tenure.

        Raises KeyError where nobody can stand in that stage.
        """
        rows = [r for r, name in enumerate(self.stage) if name == stage and self.age[r] <= age]
        if not rows:
            raise KeyError(stage)
        return float(self.worth[min(tenure, len(self.worth) - 1), 0, max(rows, key=lambda r: self.age[r])])


def best_rule(scenario: Scenario, policies: Mapping[str, Policy | None] | None = None, arrival: int = 0) -> BestRule:
    """Find the rule by stage, stage age and tenure that maximises a customer's expected discounted value.

    Parameters
    ----------
    scenario
        A plain chain without segments (``scenario.by_segment`` has one scenario a segment): no minds that move hazards, no level, no
        trait that moves hazards, no market regimes. Its own policies are in force for nobody.
    policies
        Those that may be used, by id; None stands for doing nothing, which is always possible. By default the scenario's own. Of each
        count stages, ages and tenures (``who``), uptake, cost a contact, an uptake and a member, lasts, decay, and effects on edges,
        causes, drivers, price and margin; what else they say is listed in ``left_out``.
    arrival
        Calendar period in which the customer arrives; matters with a calendar only.

    Returns
    -------
    BestRule
        See there.

    Raises
    ------
    ScenarioError
        Where the chain has no exact answer, for the reasons ``sim.exact`` gives; where it has segments, a level or traits that move
        hazards; without discounting under an infinite horizon; where a policy names what there is not, or takes probabilities above 1;
        where there are more than ROOM states.

    Notes
    -----
    Bellman (1957), *Dynamic programming*; Howard (1960), *Dynamic programming and Markov processes*; Puterman (1994), *Markov decision
    processes*, 4.3, 6.2 and 6.4; of customers, Pfeifer and Carraway (2000), whose stopping rule it finds.
    """
    given = scenario.policies if policies is None else policies
    chosen = {key: one for key, one in given.items() if one is not None}
    problem = laid_out(scenario.model_copy(update={"policies": {}}), chosen, arrival)
    best = solved(problem, greedy)
    begin = (0, problem.chain.start)
    out = treated.left_out(chosen)
    return BestRule(
        value=float(best.worth[0][begin]),
        nothing=float(solved(problem, never).worth[0][begin]),
        always={key: float(solved(problem, always(i)).worth[0][begin]) for i, key in enumerate(chosen)},
        rule=tuple(_table(problem, best.chosen)),
        bound=not out,
        left_out=out,
        error=best.error,
        policies=tuple(chosen),
        stage=tuple(problem.chain.stages[s] for s in problem.chain.stage),
        age=problem.chain.age,
        mode=np.stack([problem.policy_of, problem.elapsed], axis=1),
        chosen=np.stack(best.chosen),
        worth=np.stack(best.worth),
    )


def _refused(scenario: Scenario) -> Fault | None:
    """Return why there is no rule, as far as the scenario alone tells it."""
    reason = reasons.unsolved(scenario) or (reasons.unending(scenario) if scenario.horizon == "inf" else None)
    if scenario.base is not None:
        reason = "base: customers who have already lived through part of their lives"
    elif scenario.segments:
        reason = "segments: each has a rule of its own; ask for that of scenario.by_segment[id]"
    elif reason is None and scenario.level is not None:
        reason = "level: what a customer is worth depends on the path, by the level of the relationship"
    elif reason is None and scenario.horizon == "inf" and scenario.discount_factor >= 1.0:
        reason = "discount_rate_annual: above 0, for a best rule under horizon: inf"
    return Fault(reason.partition(": ")[0], "", reason.partition(": ")[2]) if reason else None


def laid_out(scenario: Scenario, policies: Mapping[str, Policy], arrival: int) -> Problem:
    """Lay out rows and modes. Raises ScenarioError, see ``best_rule``."""
    fault = _refused(scenario)
    if fault is not None:
        raise ScenarioError([fault])
    treated.check(scenario, policies)
    laid = treated.padded(scenario, policies)
    plain = treated.build(laid)
    nodes = traits.build(laid, plain.beta_edges, bool(plain.frail.any()))
    if nodes.names or len(nodes.weights) != 1:
        raise ScenarioError([Fault(name, "", "hazards differ between customers, and so does the best rule") for name in nodes.names])
    worth = value.build(laid, plain)
    reason = reasons.overflowing(laid, worth, np.array([float(arrival)]))
    if reason is not None:
        raise ScenarioError([Fault(reason.partition(": ")[0], "", reason.partition(": ")[2])])
    problem = Problem(laid, dict(policies), arrival, plain, worth, nodes)
    size = problem.tenures * len(problem.policy_of) * plain.rows
    if size > ROOM:
        rule = f"{size:,} states of stage, age, tenure and time in force, at most {ROOM:,}"
        raise ScenarioError([Fault("horizon", str(scenario.horizon), rule, "a shorter horizon, or shorter effects")])
    return problem


def _reached(problem: Problem, chosen: list[Choice]) -> list[Flags]:
    """Return the states in which a customer may stand at the start of each tenure, by a list like ``chosen`` of (m, r)."""
    here = np.zeros(chosen[0].shape, bool)
    here[0, problem.chain.start] = True
    found = []
    for tenure, now in enumerate(chosen):
        step = mixing(problem, now) @ problem.period(tenure).moves
        if tenure == len(chosen) - 1 and problem.scenario.horizon == "inf":
            while True:
                further = here | (here.ravel() @ step > 0).reshape(here.shape)
                if np.array_equal(further, here):
                    break
                here = further
        found.append(here)
        here = (here.ravel() @ step > 0).reshape(here.shape)
    return found


def _table(problem: Problem, chosen: list[Choice]) -> Iterator[dict[str, str | int | None]]:
    """Yield the rule of every state that a customer may reach, tenures on which it says the same put together."""
    names: tuple[str | None, ...] = (*problem.policies, None)
    here, done, chain = np.stack(_reached(problem, chosen)), np.stack(chosen), problem.chain
    endless = problem.scenario.horizon == "inf"
    for r, m in np.argwhere(here.any(axis=0).T):
        for first, after, what in _spans(here[:, m, r], done[:, m, r]):
            yield {
                "stage": chain.stages[chain.stage[r]],
                "age": int(chain.age[r]),
                "in_force": names[problem.policy_of[m]],
                "elapsed": int(problem.elapsed[m]),
                "tenure_from": first,
                "tenure_until": None if endless and after == len(done) else after,
                "action": names[what],
            }


def _spans(here: Flags, done: Choice) -> Iterator[tuple[int, int, int]]:
    """Yield (first tenure, tenure after the last, what is done) of runs of tenures that say the same, leaving out those not reached."""
    said = [int(what) if is_here else None for is_here, what in zip(here, done, strict=True)]
    first = 0
    for tenure in range(1, len(said) + 1):
        if tenure == len(said) or said[tenure] != said[first]:
            if (what := said[first]) is not None:
                yield first, tenure, what
            first = tenure
