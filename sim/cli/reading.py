"""From what stands on the command line to scenarios, with all that is wrong told at once."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from sim.config import Point
    from sim.scenario import Fault, Scenario
    from sim.studies.arms import Arm

DEFAULT_SCENARIO = "lifecycle"

DEFAULT_POLICIES = (
    "loyalty_programme",
    "special_treatment",
    "service_recovery",
    "proactive_service",
    "win_back",
    "proactive_service+win_back",
)
"""Arms of a comparison that names none."""

OF_SCENARIO = ("scenario", "out")
OF_COMPARISON = (*OF_SCENARIO, "policies", "comparator", "pick", "indifference", "confidence")
"""Settings without dots that are none of the scenario's keys, of every verb and of ``compare``."""

_COMPARED = re.compile(r"(comparator|arms\.[A-Za-z0-9_-]+)=|policies=(?!\{|null)")
"""A setting of a comparison; a mapping of policies is the scenario's own."""

LISTED = 3
"""Runs that a fault names one by one."""


def complain(text: str) -> None:
    """Print a line on stderr."""
    typer.echo(f"clvsim: {text}", err=True)


def read(settings: Sequence[str], configs: str | None, *, keeps: bool) -> tuple["Scenario", str | None]:
    """Return the scenario that the settings describe, and ``out``; all faults of all of them are raised at once.

    keeps: the verb writes a folder.
    """
    from sim import store
    from sim.scenario import ScenarioError
    from sim.scenario.checks import warnings

    given, out, faults = _apart(settings, keeps=keeps)
    try:
        if out is not None and keeps:
            store.check(out)
    except ScenarioError as error:
        faults += error.faults
    try:
        scenario = _load(given, configs)
    except ScenarioError as error:
        faults += error.faults
    if faults:
        raise ScenarioError(faults)
    notes(configs)
    for warning in warnings(scenario):
        complain(f"warning: {warning}")
    return scenario, out


def read_points(
    settings: Sequence[str], configs: str | None, *, keeps: bool
) -> tuple[tuple["Point", ...], tuple["Scenario", ...], str | None]:
    """Return what varies between several runs, the scenario of each, and ``out``; all faults of all runs are raised at once."""
    from sim import store
    from sim.config import points
    from sim.scenario import ScenarioError
    from sim.scenario.checks import warnings

    given, out, faults = _apart(settings, keeps=keeps)
    try:
        runs = points(given)
    except ScenarioError as error:
        raise ScenarioError([*faults, *error.faults]) from None
    scenarios: list[Scenario] = []
    told: dict[Fault, list[int]] = {}
    for k, run in enumerate(runs):
        try:
            scenarios.append(_load(run.settings, configs))
        except ScenarioError as error:
            for fault in error.faults:
                told.setdefault(fault, []).append(k)
    try:
        if out is not None and keeps:
            store.check_runs(out, len(runs))
    except ScenarioError as error:
        faults += error.faults
    faults += placed(told, runs)
    if faults:
        raise ScenarioError(faults)
    notes(configs)
    warn({k: warnings(scenario) for k, scenario in enumerate(scenarios)}, runs)
    return runs, tuple(scenarios), out


def read_comparison(
    settings: Sequence[str], configs: str | None, told: "Sequence[Fault]" = ()
) -> tuple["Scenario", "tuple[Arm, ...]", str, str | None]:
    """Return the scenario, the arms, the comparator and ``out`` of a comparison; all faults, also those ``told``, are raised at once."""
    from sim.scenario import Fault, ScenarioError
    from sim.scenario.study import repeated
    from sim.studies.arms import NONE, arms

    given: dict[str, Any] = {}
    faults: list[Fault] = [*told, *twice(_joined(settings))]
    rest: list[str] = []
    for setting in _joined(settings):
        key, separator, value = setting.partition("=")
        if separator and (key in ("policies", "comparator") or re.fullmatch(r"arms\.[A-Za-z0-9_-]+", key)):
            found = _yaml(key, value)
            if isinstance(found, Fault):
                faults.append(found)
            else:
                given[key] = found
        elif separator and (near := misspelt(key, OF_COMPARISON)):
            faults.append(Fault(key, value, "no such setting", f"did you mean {near}?"))
        else:
            rest.append(setting)
    faults += _of_policies(rest, configs)
    default = "policies" not in given and not given.keys() - {"comparator"}
    listed = given.pop("policies", DEFAULT_POLICIES if default else ())
    listed = [part.strip() for part in listed.split(",")] if isinstance(listed, str) else listed
    faults += repeated(listed)
    comparator = str(given.pop("comparator", NONE))
    variants = {key.partition(".")[2]: body for key, body in given.items()}
    try:
        scenario, out = read(rest, configs, keeps=True)
    except ScenarioError as error:
        raise ScenarioError([*faults, *error.faults]) from None
    if faults:
        raise ScenarioError(faults)
    try:
        return scenario, arms(scenario, listed, variants, configs), comparator, out
    except ScenarioError as error:
        unfit = ("policies.", *(f"{arm}: " for arm in DEFAULT_POLICIES))
        if default and all(fault.where.startswith(unfit) for fault in error.faults):  # nobody named these policies
            raise ScenarioError([_unfit(scenario, configs)]) from None
        raise


def _unfit(scenario: "Scenario", configs: str | None) -> "Fault":
    """Return what is told where the arms that are taken by default do not fit a scenario: which policies do."""
    from sim.config import policies
    from sim.scenario import Fault, ScenarioError
    from sim.scenario.raw import suggest
    from sim.studies.arms import arms

    fitting = []
    for name in policies(configs):
        try:
            arms(scenario, [name], None, configs)
            fitting.append(name)
        except ScenarioError:
            continue
    rule = "must be given: the arms taken by default are made for lifecycle, and do not fit this scenario"
    several = suggest("", fitting) or "clvsim policies lists them"
    own = f"{configs or 'DIR'}/policy/NAME.yaml{'' if configs else ' with --configs DIR'}"
    return Fault("policies", "", rule, f"policies=[…]: {several}, or write your own, {own}")


def _of_policies(settings: list[str], configs: str | None) -> "list[Fault]":
    """Return a Fault for each setting that is of a policy's file, such as ``win_back.cost.setup=9``, and take it out of the settings."""
    from sim.config import policies
    from sim.scenario import Fault

    found, dotted = [], [setting for setting in settings if "." in setting.partition("=")[0]]
    names = policies(configs) if dotted else {}
    for setting in dotted:
        key, _, value = setting.partition("=")
        name = key.partition(".")[0]
        if name in names:
            hint = f"write 'arms.NAME={{policies: [{name}], {key}: {value}}}', with a name of your own"
            found.append(Fault(key, value, "is of a policy, not of the scenario", hint))
            settings.remove(setting)
    return found


def _yaml(key: str, value: str) -> Any:
    """Return what a setting of a comparison says, in YAML, or what is wrong with it."""
    import yaml

    from sim.scenario import Fault
    from sim.scenario.raw import show

    kinds = {"policies": ((str, list), "a list of names", "policies=[gifts,win_back,gifts+win_back]"), "comparator": ((str,), "a name", "")}
    wanted, rule, hint = kinds.get(key, ((dict,), "a mapping", f"{key}={{policies: [gifts], gifts.cost.per_contact: 2}}"))
    example = f"for example {hint}" if hint else ""
    try:
        found = yaml.safe_load(value)
    except yaml.YAMLError:
        return Fault(key, value, unreadable(value), example)
    good = isinstance(found, wanted) and (key != "policies" or isinstance(found, str) or all(isinstance(one, str) for one in found))
    if not good:
        return Fault(key, value, f"must be {rule}", example)
    if apart := unspaced(found):
        return Fault(key, value, "needs a blank after the colon", f"write {apart}")
    if isinstance(found, dict) and "policies" not in found:
        near = get_close_matches("policies", map(str, found), 1)
        if near:
            return Fault(f"{key}.{near[0]}", show(found[near[0]]), "unknown key", "did you mean policies?")
        return Fault(key, value, "must name its policies", example)
    return found


def unreadable(text: str) -> str:
    """Return why a text is no YAML."""
    empty = re.search(r",\s*,|[\[{]\s*,", text)
    return "cannot be read: nothing stands beside a comma" if empty else "cannot be read: close brackets and quotes"


def unspaced(value: Any) -> str:
    """Return how to write a key that was read together with its value, for want of a blank between them; "" where none was."""
    for key, item in value.items() if isinstance(value, dict) else ():
        if item is None and ":" in str(key):
            return str(key).replace(":", ": ", 1)
        if found := unspaced(item):
            return found
    return ""


def twice(settings: Sequence[str]) -> "list[Fault]":
    """Return a Fault for each key that is given more than once."""
    from sim.scenario import Fault

    given: dict[str, list[str]] = {}
    for key, separator, value in (setting.partition("=") for setting in settings):
        if separator:
            given.setdefault(key.strip().lstrip("+"), []).append(value)
    return [Fault(key, ", ".join(values), "is given more than once", "give it once") for key, values in given.items() if len(values) > 1]


def misspelt(key: str, known: Iterable[str]) -> str:
    """Return the setting of a verb that a key is near to which is none, nor the scenario's; "" where it is near to none."""
    from sim.scenario import Scenario

    strange = re.fullmatch(r"[A-Za-z0-9_-]+", key) and key not in {*known, *Scenario.model_fields}
    return next(iter(get_close_matches(key, known, 1, 0.75)), "") if strange else ""


def placed(told: Mapping["Fault", Sequence[int]], runs: Sequence["Point"]) -> "list[Fault]":
    """Return each fault once, with the runs that have it unless all do."""
    from dataclasses import replace

    return [
        fault if len(which) == len(runs) else replace(fault, where=f"{_named(which, runs)}: {fault.where}") for fault, which in told.items()
    ]


def tell(found: Iterable[str], scenario: "Scenario") -> None:
    """Print warnings of a run, but those that its scenario gave before it."""
    from sim.scenario.checks import warnings

    known = set(warnings(scenario))
    for warning in found:
        if warning not in known:
            complain(f"warning: {warning}")


def warn(said: Mapping[int, Iterable[str]], runs: Sequence["Point"]) -> None:
    """Print each warning once, with the runs it is about unless it is about all."""
    found = dict[str, list[int]]()
    for k, warnings in said.items():
        for warning in warnings:
            found.setdefault(warning, []).append(k)
    for warning, which in found.items():
        complain(f"warning: {warning}" if len(which) == len(runs) else f"warning: {_named(which, runs)}: {warning}")


def _named(which: Sequence[int], runs: Sequence["Point"]) -> str:
    if len(which) == 1:
        varied = ", ".join(f"{key}={value}" for key, value in runs[which[0]].varied.items())
        return f"run {which[0]} ({varied})"
    more = f" and {len(which) - LISTED} more" if len(which) > LISTED else ""
    return f"runs {', '.join(map(str, which[:LISTED]))}{more}"


def notes(configs: str | None) -> None:
    """Print which of a user's scenarios take the place of one that ships."""
    if configs is not None:
        from sim.config import shadowed

        for note in shadowed(configs):
            complain(f"note: {note}")


def origin(settings: Sequence[str], configs: str | None) -> tuple[str, ...]:
    """Return where a scenario's values come from: its files, then what was set on the command line."""
    from sim import config

    name, overrides = _name(settings)
    return (*map(str, config.origin(name, configs)), *overrides)


def _apart(settings: Sequence[str], *, keeps: bool) -> tuple[list[str], str | None, "list[Fault]"]:
    """Return the settings of the scenario, ``out``, and a Fault for each that is none."""
    from sim.scenario import Fault

    out: str | None = None
    given: list[str] = []
    faults = twice(_joined(settings))
    for setting in _joined(settings):
        key, separator, value = setting.partition("=")
        if setting not in settings and re.search(r"\s,|,\s", setting):  # the shell took it apart
            written = re.sub(r"\s*([,=])\s*", r"\1", setting)
            faults.append(Fault(key.strip(), value.strip(), "no blank after a comma", f"write {written}"))
        elif key == "out" and separator:
            out = value
            if not keeps:
                faults.append(Fault("out", out, "is for simulate alone: this verb writes no folder", "leave it out"))
        elif separator and (near := misspelt(key, OF_SCENARIO)):
            faults.append(Fault(key, value, "no such setting", f"did you mean {near}?"))
        elif _COMPARED.match(setting):
            hint = f"clvsim compare {shlex.quote(setting)}"
            faults.append(Fault(key, value, "is for compare and for studies: this verb takes the scenario as it is", hint))
        elif separator or setting.startswith("~"):
            given.append(setting)
        else:
            from sim.config import is_path, named

            suggestion = f"for a scenario write scenario={setting}"
            if is_path(setting):
                suggestion = f"a scenario is named, not given as a path: {named(setting) or 'write scenario=NAME'}"
            faults.append(Fault(setting, "", "must read KEY=VALUE", suggestion))
    return given, out, faults


def _joined(settings: Sequence[str]) -> list[str]:
    """Put together ``key = value`` and ``key=1, 2`` that the shell took apart, so that each is told in one line."""
    found: list[str] = []
    for setting in settings:
        if found and setting.startswith("=") and "=" not in found[-1]:
            found[-1] = f"{found[-1]} {setting}"
        elif found and found[-1].endswith("=") and "=" not in setting and not setting.startswith("~"):
            found[-1] = f"{found[-1].rstrip('= ')} = {setting}"
        elif found and "=" in found[-1] and "=" not in setting and (found[-1].endswith(",") or setting.startswith(",")):
            found[-1] = f"{found[-1]} {setting}"
        else:
            found.append(setting)
    return found


def _load(given: Sequence[str], configs: str | None) -> "Scenario":
    from sim.config import load

    name, overrides = _name(given)
    return load(name, *overrides, configs=configs)


def _name(given: Sequence[str]) -> tuple[str, list[str]]:
    """Return a scenario's name and its overrides."""
    chosen = [setting.partition("=")[2] for setting in given if setting.startswith("scenario=")]
    return [DEFAULT_SCENARIO, *chosen][-1], [setting for setting in given if not setting.startswith("scenario=")]
