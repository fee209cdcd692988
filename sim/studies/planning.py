"""From what a study asks for to a Plan: every path is known and every point judged before any is run."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sim.config import policy as named
from sim.measures.row import ERRORS, MEASURES
from sim.scenario import Fault, Scenario, ScenarioError, read
from sim.scenario.gate import plain, sound
from sim.scenario.memory import Memory, memory_of
from sim.scenario.raw import show, suggest
from sim.scenario.sample import cells
from sim.scenario.study import Factor, Study
from sim.studies.arms import NONE, own_already
from sim.studies.design import POLICIES, Point, TooMany, points
from sim.studies.points import Plan, reachable

TOLD = 5
"""Faults of a design's points that are told, those of most points first."""

IDLE = ("name", "currency", *(f"run.{key}" for key in ("threads", "driver", "executor", "cluster", "workers", "slurm")))
"""What changes nothing of what is found."""

TEXTS = ("label", "description", "source")
"""What is said of a scenario and of its parts."""

COLUMNS = {"point", "arm", POLICIES, *MEASURES, *(f"{name}_se" for name in ERRORS)}
"""Columns of a sweep's table beside its factors."""


def plan(scenario: Scenario, study: Study, configs: str | Path | None = None, make: Callable[[Study], Sequence[Point]] = points) -> Plan:
    """Return what a study runs, every point of it read once.

    configs: a user's folder, whose policies win; make: makes the points, by default those of the study's design. Raises ScenarioError with
    all that is wrong, before anything runs.
    """
    bodies, arms, found = _arms(study, configs)
    found += own_already(scenario, bodies)
    whole = reachable(scenario, bodies)
    for name, factor in study.vary.items():
        if name in COLUMNS:
            found.append(Fault(f"vary.{name}", name, "is what a column of the table is called", "give it another name, beside its paths"))
            continue
        for path in factor.paths or (name,):
            found += _path_faults(whole, f"vary.{name}", path, factor)
    if study.comparator not in (arms or {NONE: ()}):
        found.append(
            Fault(
                "comparator",
                study.comparator,
                "must be one of the policies",
                f"there are {', '.join(arms)}" if arms else "add policies=[NAME]",
            )
        )
    if found:
        raise ScenarioError(found)
    try:
        every = make(study)
    except TooMany as error:
        told = _cost(scenario, error.count, len(arms) if study.crossed else 2)
        raise TooMany(error.where, error.count, told, "design=sobol with points=1024 covers the same ranges") from None
    made = Plan(scenario, study, every, bodies, arms)
    judge(made)
    return made


def _cost(scenario: Scenario, count: int, arms: int) -> str:
    """Return what so many points come to, in words: in customers, and in time at a microsecond each."""
    from sim.engine.run import available_threads

    customers, replicates = sum(cell.sampled for cell in cells(scenario)), scenario.run.replicates
    cores = scenario.run.threads or available_threads()
    parts = [f"{customers:,} customers each"] + [f"{n} {what}" for n, what in ((arms, "arms"), (replicates, "replicates")) if n > 1]
    whole = count * customers * max(arms, 1) * replicates
    return f"; these, of {' x '.join(parts)}, are {whole:,} lives, about {_duration(whole * 1e-6 / cores)} on {cores} cores"


def _duration(seconds: float) -> str:
    """Return a time in its largest unit of which there are two or more."""
    for size, name in ((365.25 * 86_400, "years"), (86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {name}"
    return f"{math.ceil(seconds)} seconds"


def _arms(study: Study, configs: str | Path | None) -> tuple[dict[str, Any], dict[str, tuple[str, ...]], list[Fault]]:
    """Return policies by name, and the arms, ``none`` among them where there are any."""
    bodies: dict[str, Any] = {}
    arms: dict[str, tuple[str, ...]] = {NONE: ()} if study.policies else {}
    found: list[Fault] = []
    for entry in study.policies:
        arms[entry] = tuple(dict.fromkeys(part for part in entry.split("+") if part != NONE))
        for name in arms[entry]:
            try:
                bodies[name] = bodies[name] if name in bodies else named(name, configs)
            except ScenarioError as error:
                found += error.faults
    return bodies, arms, found


def _path_faults(here: Any, where: str, path: str, factor: Factor) -> Iterator[Fault]:
    """Yield why a path leads nowhere, or to what cannot be scaled; here: what is ``reachable``."""
    parts = path.split(".")
    if parts == [POLICIES]:
        yield Fault(where, path, "is no value of a policy", "write policies.NAME and then a value of its file")
        return
    if parts[0] == POLICIES and parts[1] not in here[POLICIES]:
        known = here[POLICIES]
        yield Fault(where, path, "is of a policy that no arm has", suggest(parts[1], known) if known else "add policies=[NAME]")
        return
    if parts == ["scenario"]:
        yield Fault(where, path, "is no value of a scenario", "to run each of several: clvsim simulate -m scenario=A,B")
        return
    if ".".join(parts[:2]) in IDLE:
        yield Fault(where, path, "changes no result", "leave it out")
        return
    for k, part in enumerate(parts):
        if isinstance(here, list | tuple):
            if not (part.isdecimal() and int(part) < len(here)):
                yield Fault(where, path, f"has {len(here)} entries before .{part}", "count them from 0")
                return
            here = here[int(part)]
        elif isinstance(here, dict) and part in here:
            here = here[part]
        elif isinstance(here, dict) and here:
            yield Fault(where, path, "unknown parameter", _hint(parts, k, here))
            return
        elif here is None or here == {}:
            break  # a part that is off: the gate judges what is set there
        else:
            yield Fault(where, path, f"leads beyond {'.'.join(parts[:k])}, which is {show(here)}", "cut it short")
            return
    if factor.scale and not _numeric(here):
        yield Fault(where, path, f"leads to {show(here)}, which is no number to multiply", "leave scale out")
    elif parts[-1] in TEXTS and isinstance(here, str):
        yield Fault(where, path, "is text, which changes no result", "leave it out")


def _hint(parts: Sequence[str], k: int, here: Mapping[str, Any]) -> str:
    before = ".".join(parts[:k])
    told = suggest(parts[k], here)
    return f"{told} (in {before})" if before and told else told


def _numeric(value: Any) -> bool:
    listed = value if isinstance(value, list | tuple) else [value]
    return bool(listed) and all(isinstance(one, int | float) and not isinstance(one, bool) for one in listed)


def judge(made: Plan) -> None:
    """Read every point; raise ScenarioError with what is wrong with any, and with how many of them it is."""
    from sim.studies.compare import refuse
    from sim.studies.simulate import refuse_endless

    memories, wrong = defaultdict[str, Memory | None](partial(memory_of, len(made.points))), dict[tuple[str, str, str], list[int]]()
    first: dict[tuple[str, str, str], Fault] = {}
    for k, point in enumerate(made.points):
        try:
            found = _read(made, point, memories)
            for scenario in found:
                refuse_endless(scenario)
            if len(found) > 1:
                refuse(found[0])
        except ScenarioError as error:
            for fault in error.faults:
                kind = (fault.where, fault.rule, fault.suggestion)
                first.setdefault(kind, fault)
                if wrong.setdefault(kind, [])[-1:] != [k]:  # a rule may say the same twice
                    wrong[kind].append(k)
    if not wrong:
        return
    most = sorted(wrong, key=lambda kind: -len(wrong[kind]))
    raise ScenarioError(_placed(first[kind], wrong[kind], made) for kind in most[:TOLD])


def _read(made: Plan, point: Point, memories: dict[str, Memory | None]) -> list[Scenario]:
    """Return the scenario of each arm at a point, or raise ScenarioError with every fault in it; memories: of the rules, by arm."""
    raws, base, refused = made.raw_at(point), made.scenario.base, None
    try:
        arms = made.at(point)
        if (
            base is None
            and not plain(point)[1]
            and all(sound(raw, arm.scenario, memories[arm.id]) for raw, arm in zip(raws, arms, strict=True))
        ):
            return [arm.scenario for arm in arms]
    except ValidationError as error:
        refused = error
    found = [read(raw, made.scenario.name, base.held if base is not None else None) for raw in raws]
    if refused is not None:  # by the models, though not by the gate
        raise refused
    return found


def _placed(fault: Fault, which: Sequence[int], made: Plan) -> Fault:
    """Return a fault with the share of the points that have it."""
    n, first, vary = len(made.points), made.points[which[0]], made.study.vary
    if len(which) == n:
        return fault
    point = ", ".join(f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value}" for name, value in first.items())
    rule = f"{fault.rule} at {len(which):,} of {n:,} points ({len(which) / n:.2%}), first at point {which[0]} ({point})"
    own = [factor for name, factor in vary.items() if fault.where in (factor.paths or (name,))] or list(vary.values())
    ranged = any(factor.values is None for factor in own)
    hint = "narrow the range, or cut the distribution off with low and high" if ranged else "take such values out of the list"
    return Fault(fault.where, fault.value, rule, fault.suggestion or hint)
