"""Points of a study as scenarios: values set at dotted paths, in mappings for the gate and in models for the run."""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from pydantic import ValidationError

from sim.scenario import Scenario
from sim.scenario.customers import OVERRIDABLE
from sim.scenario.overlaid import overlaid
from sim.scenario.policy import Policy
from sim.scenario.sample import cells
from sim.scenario.study import Study
from sim.studies.arms import NONE, Arm
from sim.studies.design import POLICIES, Point
from sim.studies.folder import code, given


@dataclass(frozen=True)
class Plan:
    """What a study runs. Made by ``plan``, which has found every point fit to run.

    scenario: what does not vary; study: as asked for; points: values by factor, in order; bodies: policies of its arms, by name, as
    their files have them; arms: policies of each arm by id, empty without any.
    """

    scenario: Scenario
    study: Study
    points: Sequence[Point]
    bodies: Mapping[str, Mapping[str, Any]]
    arms: Mapping[str, tuple[str, ...]]

    @cached_property
    def raw(self) -> dict[str, Any]:
        """The scenario as a mapping, without what was not given, nor a table that it holds itself."""
        held = self.scenario.base is not None and self.scenario.base.held is not None
        return self.scenario.model_dump(mode="json", exclude_unset=True, exclude={"base"} if held else set())

    @cached_property
    def whole(self) -> dict[str, Any]:
        """The scenario and the policies of its arms as a mapping, with all that paths can lead to; see ``reachable``."""
        return reachable(self.scenario, self.bodies)

    def arms_at(self, point: Point) -> Mapping[str, tuple[str, ...]]:
        """Return the arms that are run at a point."""
        if self.study.crossed:
            return self.arms
        other = self.study.comparator
        return {one: self.arms[one] for one in (other, str(point[POLICIES]))}

    def at(self, point: Point, threads: int | None = None) -> tuple[Arm, ...]:
        """Return the arms at a point; without policies one. They share with the scenario what does not vary.

        threads: for each of them, where given. Raises ValidationError where a model refuses a value, as ``judge`` has found of none.
        """
        change, changed = dict[str, Any](), dict[str, dict[str, Any]]()
        for path, value in self._set(point):
            if path[0] == POLICIES and path[1] in self.bodies:
                changed = put(changed, path[1:], value, self.whole[POLICIES])
            else:
                change = put(change, path, value, self.whole)
        base = overlaid(self.scenario if threads is None else self._on(threads), change)
        every = self.arms_at(point) or {NONE: ()}
        policies = {name: self._policy(name, changed.get(name)) for name in dict.fromkeys(itertools.chain(*every.values()))}
        found = []
        for key, names in every.items():
            mine = {name: policies[name] for name in names}
            found.append(Arm(key, names, overlaid(base, {POLICIES: mine}) if names else base))
        return tuple(found)

    def _policy(self, name: str, change: Mapping[str, Any] | None) -> Policy:
        """Return a policy of the arms, with a change laid over it. Raises ValidationError where it is refused."""
        if name not in self._policies:
            self._policies[name] = Policy.model_validate(self.bodies[name])
        return overlaid(self._policies[name], change) if change else self._policies[name]

    @cached_property
    def _policies(self) -> dict[str, Policy]:
        return {}

    def _on(self, threads: int) -> Scenario:
        """Return the scenario as it is run on some threads of this machine."""
        if threads not in self._by_threads:
            run = self.scenario.run.model_copy(update={"threads": threads, "executor": "threads"})
            self._by_threads[threads] = self.scenario.model_copy(update={"run": run})
        return self._by_threads[threads]

    @cached_property
    def _by_threads(self) -> dict[int, Scenario]:
        return {}

    def raw_at(self, point: Point) -> list[dict[str, Any]]:
        """Return the arms at a point as mappings, which share what does not vary, for the gate to judge."""
        raw, bodies = self.raw, dict(self.bodies)
        for path, value in self._set(point):
            if path[0] == POLICIES and path[1] in bodies:
                bodies = put(bodies, path[1:], value, self.whole[POLICIES])
            else:
                raw = put(raw, path, value, self.whole)
        every = (self.arms_at(point) or {NONE: ()}).values()
        return [{**raw, POLICIES: {**raw.get(POLICIES, {}), **{name: bodies[name] for name in names}}} if names else raw for names in every]

    def _set(self, point: Point) -> Iterator[tuple[list[str], Any]]:
        """Yield each path that is set at a point, and the value there."""
        for name, factor in self.study.vary.items():
            for path in factor.paths or (name,):
                parts, value = path.split("."), cast(Any, point[name])
                yield parts, scaled(_find(self.whole, parts), value) if factor.scale else value

    def standing(self, name: str) -> Any:
        """Return what stands at present where a factor is set, None where that is no single value."""
        factor = self.study.vary[name]
        if factor.scale:
            return 1.0
        try:
            every = [_find(self.whole, path.split(".")) for path in factor.paths or (name,)]
        except (KeyError, IndexError, TypeError):
            return None
        if any(one != every[0] for one in every):
            return None
        found = every[0]
        found = found[0] if isinstance(found, list | tuple) and len(found) == 1 else found
        return found if isinstance(found, int | float | str) else None

    @property
    def customers(self) -> str:
        """How many customers are simulated at each point, in words."""
        replicates = self.scenario.run.replicates
        several = f" in each of {replicates:,} replicates" if replicates > 1 else ""
        return f"{sum(cell.sampled for cell in cells(self.scenario)):,}{several}"

    @property
    def luck(self) -> str:
        """Which luck the points are run on, in words."""
        if any("run.seed" in (factor.paths or (name,)) for name, factor in self.study.vary.items()):
            return "varies from point to point"
        return f"{self.scenario.run.seed}, the same luck at every point"

    @property
    def warnings(self) -> list[str]:
        """What a user should know of what varies: segments with numbers of their own, which a path at the top does not reach."""
        segments = self.raw.get("segments", {})
        found = []
        for name, factor in self.study.vary.items():
            for path in factor.paths or (name,):
                own = [key for key, body in segments.items() if _stands(body, path.split("."))]
                if own:
                    others = ", ".join(f"segments.{key}.{path}" for key in own)
                    found.append(f"{name} does not reach segment {', '.join(own)}, which has its own: vary {others} too, by paths")
        return found

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that a row depends on beside its point: code, scenario, existing customers, policies, comparator."""
        existing = self.scenario.existing
        scenario = json.dumps(given(self.scenario))  # in its own order, which is that of the draws
        whole = hashlib.sha256(f"{code()}{scenario}{existing.digest if existing is not None else ''}".encode())
        paths = {name: (factor.paths or (name,), factor.scale) for name, factor in self.study.vary.items()}
        arms = {key: {name: self.bodies[name] for name in names} for key, names in self.arms.items()}
        told = {"paths": paths, "arms": arms, "crossed": self.study.crossed, "comparator": self.study.comparator}
        whole.update(json.dumps(told, sort_keys=True, default=str).encode())
        return whole.hexdigest()

    def key(self, point: Point) -> str:
        """Return the name of a point's rows: of all that they depend on."""
        return hashlib.sha256((self.digest + json.dumps(point, sort_keys=True)).encode()).hexdigest()[:32]


def reachable(scenario: Scenario, bodies: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return scenario and policies as a mapping with all defaults; a segment has all that it may override, as it holds for it."""
    found = scenario.model_dump(exclude={"base"})
    for key in scenario.segments:
        view = scenario.by_segment[key].model_dump(include=set(OVERRIDABLE))
        found["segments"][key] = {**found["segments"][key], **view}
    return {**found, POLICIES: {**found[POLICIES], **{name: _whole_policy(body) for name, body in bodies.items()}}}


def _whole_policy(body: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return Policy.model_validate(body).model_dump()
    except ValidationError:  # the gate says why
        return {**dict.fromkeys(Policy.model_fields), **body}


def put(raw: Any, path: Sequence[str], value: Any, whole: Any = None) -> Any:
    """Return a copy of a mapping with a path set; what lies beside the path is shared.

    whole: the mapping with its defaults: an entry is set of the list that stands there.
    """
    if not path:
        return value
    if isinstance(whole, list | tuple) and not isinstance(raw, list | tuple):
        raw = whole
    if isinstance(raw, list | tuple):
        place = int(path[0])
        return [*raw[:place], put(raw[place], path[1:], value), *raw[place + 1 :]]
    body = raw if isinstance(raw, Mapping) else {}
    below = whole.get(path[0]) if isinstance(whole, Mapping) else None
    return {**body, path[0]: put(body.get(path[0]), path[1:], value, below)}


def scaled(base: Any, factor: float) -> Any:
    """Return a number, or each of a list, times a factor."""
    return [one * factor for one in base] if isinstance(base, list | tuple) else base * factor


def _find(raw: Any, path: Sequence[str]) -> Any:
    for part in path:
        raw = raw[int(part)] if isinstance(raw, list | tuple) else raw[part]
    return raw


def _stands(body: Any, path: Sequence[str]) -> bool:
    """Return whether a segment gives a value at a path, or along it."""
    for part in path:
        if not isinstance(body, Mapping):
            return True
        if part not in body:
            return False
        body = body[part]
    return True
