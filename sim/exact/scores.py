"""What a customer is worth by the exact model to a firm that sees its stage: untreated, and by how much more if it is treated now.

With Q and V as in ``sim.exact.decisions`` and nobody treated from then on, V = Q: ``remaining_value`` is Q(r, m) at the start of a period,
``uplift`` is what a contact brings more, ``u (Q(r, i) - p - Q(r, m)) - c``. Other policies are in force for nobody; spending is that of a
mean customer.
"""

from dataclasses import dataclass

import numpy as np

from sim.exact import treated
from sim.exact.chain import Floats, Index
from sim.exact.decisions import laid_out
from sim.exact.dynamic import never, solved
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.policy import Policy


@dataclass(frozen=True)
class Scores:
    """Scores of customers of one segment and arrival under one policy.

    table: (t, m, r) at the start of tenure t, before the contact, currency of then; stage, age: (r,) of rows, an age holding on until the
    next of its stage; modes: m is 0 for who is not in force, 1 + k for who has been for k periods, the last holding on; still: whether all
    arrivals have the same.
    """

    table: Floats
    stage: tuple[str, ...]
    age: Index
    still: bool

    def rows(self, stage: str, ages: int) -> list[int]:
        """Return the row of a stage's customers at ages 0, 1 … ``ages`` - 1; the first row where nobody can stand there."""
        mine = [r for r, name in enumerate(self.stage) if name == stage] or [0]
        return [max((r for r in mine if self.age[r] <= age), key=lambda r: self.age[r], default=mine[0]) for age in range(ages)]


def scores(scenario: Scenario, key: str, policy: Policy, by: str, arrival: int = 0) -> Scores:
    """Return the scores of a policy's customers; scenario: without segments; by: ``remaining_value`` or ``uplift``.

    Raises ScenarioError where theory does not know them, see ``best_rule``; and of uplift where the policy does what theory leaves out.
    """
    left = [path for path in treated.left_out({key: policy}) if path.startswith(f"policies.{key}.effects.")]
    if by == "uplift" and left:
        raise ScenarioError([Fault(left[0], "", "an effect that the exact model leaves out")])
    bare = policy if by == "uplift" or not left else policy.model_copy(update={"effects": type(policy.effects)()})
    problem = laid_out(scenario.model_copy(update={"policies": {}}), {key: bare}, arrival)
    table = np.stack(solved(problem, never).worth)
    if by == "uplift":
        treating = table[:, problem.entry[0], None, :] - problem.per_uptake[0]
        table = problem.uptake[0] * (treating - table) - problem.per_contact[0]
    return Scores(table, tuple(problem.chain.stages[s] for s in problem.chain.stage), problem.chain.age, problem.still)
