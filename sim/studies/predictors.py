"""Ranks by the exact model: a table by stage, stage age, tenure and time in force for each segment, looked up between two kernels."""

import numpy as np

from sim.engine import Candidates, Judge
from sim.exact.scores import Scores, scores
from sim.kernels.types import Array, Tables
from sim.scenario.errors import Fault, ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.policy import Policy
from sim.scenario.sample import cells


def predictor(scenario: Scenario, key: str, policy: Policy, tables: Tables, k: int) -> Judge:
    """Return what ranks the customers of a policy of case k by ``rank.by``; raise ScenarioError where theory does not know it."""
    known: dict[tuple[int, int], Scores] = {}
    for slot, view in enumerate(scenario.by_segment.values()):
        for arrival in sorted({cell.arrival for cell in cells(scenario) if cell.slot == slot}):
            first = next((one for (s, _), one in known.items() if s == slot), None)
            known[slot, arrival] = first if first is not None and first.still else _scores(view, key, policy, arrival)
    rows = [_rows(scenario, one, tables, int(tables.variant[k, slot])) for (slot, _), one in known.items()]
    places = dict(zip(known, rows, strict=True))
    sign = -1.0 if policy.rank.lowest else 1.0

    def judged(found: Candidates) -> Array:
        out, segment, row, since = np.empty(found.at.size, np.float32), found.segment, found.row, found.periods_since
        for slot in np.unique(segment).tolist():
            one, mine = known[slot, found.period - found.tenure], segment == slot
            mode = np.minimum(since[mine] + 1, one.table.shape[1] - 1)
            out[mine] = sign * one.table[found.tenure, mode, places[slot, found.period - found.tenure][row[mine]]]
        return out

    return judged


def _scores(view: Scenario, key: str, policy: Policy, arrival: int) -> Scores:
    try:
        return scores(view, key, policy, policy.rank.by, arrival)
    except ScenarioError as error:
        fault = error.faults[0]
        rule = f"needs what the exact model does not know, {fault.where}: {fault.rule}"
        raise ScenarioError([Fault(f"policies.{key}.rank.by", policy.rank.by, rule, "rank by value, orders, tenure or survey")]) from None


def _rows(scenario: Scenario, one: Scores, tables: Tables, v: int) -> Array:
    """Return the exact model's row of each row of the tables in which periods are spent, 0 for the others."""
    first = [*tables.first_row[v].tolist(), int(tables.nowhere[v]) - len(scenario.stages)]
    found = np.zeros(tables.row_stage.shape[1], np.intp)
    for s, stage in enumerate(scenario.stages):
        found[first[s] : first[s + 1]] = one.rows(stage, first[s + 1] - first[s])
    return found
