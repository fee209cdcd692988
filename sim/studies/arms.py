"""Arms of a comparison: which policies each has in force, read by name, combined, varied, and put before the one gate."""

import copy
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.config import policy as named
from sim.scenario import Fault, Scenario, ScenarioError, read
from sim.scenario.checks_acquire import NOBODY_ARRIVES
from sim.scenario.raw import show
from sim.scenario.sample import bought
from sim.scenario.study import repeated

NONE = "none"
"""The arm without any policy, which is always there."""

MOST_ARMS = 16


@dataclass(frozen=True)
class Arm:
    """One course of action. id: ``a+c``, or the name of a variant; policies: ids; scenario: with them in force."""

    id: str
    policies: tuple[str, ...]
    scenario: Scenario

    @property
    def label(self) -> str:
        """What tables and figures show."""
        if not self.policies:
            return "No further policy" if self.scenario.policies else "No policy"
        if self.id != "+".join(self.policies):
            return self.id
        return " + ".join(self.scenario.policies[key].label or key for key in self.policies)


def arms(
    scenario: Scenario, policies: Sequence[str], variants: Mapping[str, Mapping[str, Any]] | None = None, configs: str | Path | None = None
) -> tuple[Arm, ...]:
    """Return the arms of a comparison: ``none`` first, then each of ``policies`` (``a+c`` has both in force), then the variants.

    scenario: whose own policies are in force in every arm; variants: by name, each ``{"policies": ["a"], "a.cost.per_contact": 2}``: the
    other keys are dotted paths into its policies. configs: a user's folder, whose policies win. Raises ScenarioError with every fault of
    every arm, each with the arm's name.
    """
    wanted: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {NONE: ((), {})}
    found: list[Fault] = [*repeated(policies)]
    for entry in policies:
        wanted[entry] = (tuple(dict.fromkeys(part for part in entry.split("+") if part != NONE)), {})
    for key, body in (variants or {}).items():
        listed = body.get("policies")
        if not isinstance(listed, list | tuple) or not all(isinstance(one, str) for one in listed):
            near = difflib.get_close_matches("policies", body, n=1) if listed is None else []
            hint = f"did you mean policies in place of {near[0]}?" if near else ""
            found.append(Fault(f"arms.{key}.policies", show(listed), "must be a list of names of policies", hint))
            continue
        if key in wanted:
            found.append(Fault(f"arms.{key}", "", "an arm of this name is there already", "give it another name"))
        wanted[key] = (tuple(dict.fromkeys(listed)), {path: value for path, value in body.items() if path != "policies"})
    if len(wanted) == 1 and not found:
        found.append(Fault("policies", show(list(policies)), "must name an arm to compare with none", "such as policies=[win_back]"))
    found += own_already(scenario, dict.fromkeys(name for names, changes in wanted.values() if not changes for name in names))
    if len(wanted) > MOST_ARMS:
        rule = f"must come to at most {MOST_ARMS - 1} arms beside none"
        found.append(Fault("policies", f"{len(wanted) - 1} and none", rule, "compare fewer"))
    if found:
        raise ScenarioError(found)
    made = [_arm(scenario, key, names, changes, configs, found) for key, (names, changes) in wanted.items()]
    if found:
        raise ScenarioError(found)
    return tuple(arm for arm in made if arm is not None)


def own_already(scenario: Scenario, names: Iterable[str]) -> Iterator[Fault]:
    """Yield a fault for each policy, taken as its file has it, that the scenario has itself under the same name: which one holds?"""
    for name in names:
        if name in scenario.policies:
            rule = "is the scenario's own already, in force in every arm"
            yield Fault(f"policies.{name}", "", rule, f"take it out there, or vary it: arms.NAME={{policies: [{name}], {name}.…: …}}")


def _arm(
    scenario: Scenario, key: str, names: Sequence[str], changes: Mapping[str, Any], configs: str | Path | None, found: list[Fault]
) -> Arm | None:
    """Return an arm, or None and add to ``found`` what is wrong with it."""
    bodies: dict[str, Any] = {}
    for name in names:
        try:
            bodies[name] = copy.deepcopy(named(name, configs))
        except ScenarioError as error:
            found += error.faults
            return None
    for path, value in changes.items():
        fault = _set(bodies, key, path, value)
        if fault is not None:
            found.append(fault)
            return None
    try:
        return Arm(key, tuple(names), with_policies(scenario, bodies))
    except ScenarioError as error:
        found += [Fault(f"{key}: {fault.where}", fault.value, fault.rule, fault.suggestion) for fault in error.faults]
        return None


def _set(bodies: dict[str, Any], arm: str, path: str, value: Any) -> Fault | None:
    """Set a dotted path in the policies of an arm."""
    first, *rest = path.split(".")
    if first not in bodies or not rest:
        near = difflib.get_close_matches(first, bodies, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(bodies) or 'none'}"
        return Fault(f"arms.{arm}.{path}", show(value), "must begin with one of the arm's policies", hint)
    here = bodies[first]
    for step in rest[:-1]:
        here = here.setdefault(step, {})
        if not isinstance(here, dict):
            return Fault(f"arms.{arm}.{path}", show(value), f"{step} is no mapping")
    here[rest[-1]] = value
    return None


def with_policies(scenario: Scenario, bodies: Mapping[str, Any]) -> Scenario:
    """Return the scenario with more policies in force, given as mappings; raise ScenarioError with every fault in them."""
    raw = scenario.model_dump(exclude_unset=True, exclude={"base"})
    raw["policies"] = {**raw.get("policies", {}), **bodies}
    checked = read(raw, scenario.name)
    found = scenario.model_copy(update={"policies": checked.policies})
    idle = [key for key in bodies if found.policies[key].acquire is not None and bought(found, found.policies[key])[1] == 0.0]
    if idle:  # a base was left out above, without which some customers arrive
        raise ScenarioError([Fault(f"policies.{key}.when", "", *NOBODY_ARRIVES) for key in idle])
    return found
