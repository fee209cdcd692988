"""The exact referee of a comparison: what the best rule by stage, stage age and tenure would bring, where theory knows."""

import math
from dataclasses import dataclass

from sim.exact.decisions import best_rule
from sim.scenario.errors import ScenarioError
from sim.scenario.model import Scenario
from sim.scenario.policy import Policy
from sim.scenario.sample import cohorts


@dataclass(frozen=True)
class Referee:
    """Means a customer, currency, before acquisition cost, discounted to arrival; weighted by the segments' shares.

    value: under the best rule of whom to treat with which of the policies, one at a time; nothing: without any; bound: whether no use of
    them, one at a time, can bring more (else it is the best rule by stage, and what it leaves out is in ``left_out``); reason: why there
    is none in theory (the rest is then NaN, False and empty), or None.
    """

    value: float = math.nan
    nothing: float = math.nan
    bound: bool = False
    left_out: tuple[str, ...] = ()
    reason: str | None = None


def referee(scenario: Scenario, policies: dict[str, Policy]) -> Referee:
    """Return the best rule's worth; scenario: without the policies. Firm-level costs of policies are left out."""
    if scenario.policies:
        return Referee(reason="policies: the scenario's own are in force beside them")
    if scenario.base is not None:
        return Referee(reason="base: existing customers do not start alike")
    arriving = cohorts(scenario)
    if len(arriving) != 1:
        return Referee(reason="cohorts: a rule is found for one time of arrival")
    try:
        rules = {key: best_rule(view, _of(policies, key), arriving[0].arrival) for key, view in scenario.by_segment.items()}
    except ScenarioError as error:
        fault = error.faults[0]
        return Referee(reason=f"{fault.where}: {fault.rule}")
    shares = scenario.segment_shares
    whole = math.fsum(shares.values())

    def mean(name: str) -> float:
        return math.fsum(shares[key] * getattr(rule, name) for key, rule in rules.items()) / whole

    left = tuple(dict.fromkeys(path for rule in rules.values() for path in rule.left_out if not path.endswith(".who.segments")))
    return Referee(mean("value"), mean("nothing"), not left, left)


def _of(policies: dict[str, Policy], segment: str) -> dict[str, Policy]:
    return {key: one for key, one in policies.items() if one.who.segments is None or segment in one.who.segments}
