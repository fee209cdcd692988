"""From what stands on the command line to a study: what varies and how, taken apart from the settings of the scenario."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sim.cli.reading import OF_SCENARIO, misspelt, read, twice, unreadable, unspaced
from sim.files import content_of, files_in, folders_of
from sim.scenario import Fault, Scenario, ScenarioError
from sim.scenario.raw import show, suggest

if TYPE_CHECKING:
    from sim.scenario.study import Study

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")

_LIST = re.compile(r"[A-Za-z0-9_+-]+(,[A-Za-z0-9_+-]+)*")


class Asked(NamedTuple):
    """What was asked for. scenario; study; more: settings of the verb, by name; out: folder, None where none was named."""

    scenario: Scenario
    study: "Study"
    more: dict[str, Any]
    out: str | None


def read_asked(settings: Sequence[str], configs: str | None, verb: Mapping[str, Any]) -> Asked:
    """Return what the settings of a study ask for; all faults of all of them are raised at once.

    verb: settings of the verb itself, with their defaults.
    """
    from sim.scenario.study import Study, read_study

    faults: list[Fault] = []
    given, varied, rest = _sorted(settings, {*Study.model_fields, *verb, "study"}, faults)
    try:
        body = _file(given.pop("study", None), configs)
    except ScenarioError as error:
        raise ScenarioError([*faults, *error.faults]) from None
    merged = {**body, **given, "vary": {**_mapping(body, "vary", faults), **_mapping(given, "vary", faults), **varied}}
    named = merged.pop("scenario", None)
    if named is not None and not any(setting.startswith("scenario=") for setting in rest):
        rest.insert(0, f"scenario={named}")
    more = {**verb, **{key: merged.pop(key) for key in verb if key in merged}}
    scenario, study, out = None, None, None
    try:
        scenario, out = read(rest, configs, keeps=True)
    except ScenarioError as error:
        faults += error.faults
    try:
        study = read_study(merged, verb)
    except ScenarioError as error:
        told = any(fault.where.startswith("vary") for fault in faults)  # what varies is not missing, but cannot be read
        faults += [fault for fault in error.faults if not (told and fault.where == "vary")]
    if faults or scenario is None or study is None:
        raise ScenarioError(faults)
    return Asked(scenario, study, more, out)


def _sorted(settings: Sequence[str], known: set[str], faults: list[Fault]) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Return what is asked of the study, what varies, and the other settings; a Fault for each that cannot be read."""
    given, varied, rest = dict[str, Any](), dict[str, Any](), list[str]()
    whole = _whole(settings, faults)
    faults += twice(whole)
    for setting in whole:
        key, separator, text = setting.partition("=")
        if separator and (near := misspelt(key, [*known, *OF_SCENARIO])):
            faults.append(Fault(key, text, "no such setting", f"did you mean {near}?"))
        elif not separator or not (key in known or key.startswith("vary.")):
            rest.append(setting)
        elif isinstance(value := _value(key, text), Fault):
            faults.append(value)
        elif key.startswith("vary."):
            varied[key.removeprefix("vary.")] = value
        else:
            given[key] = value
    return given, varied, rest


def _whole(settings: Sequence[str], faults: list[Fault]) -> list[str]:
    """Return the settings that came whole; of one that the shell took apart at its blanks a Fault says so, once."""
    found, rest = list[str](), list(settings)
    while rest:
        first = rest.pop(0)
        more = next((k + 1 for k in range(len(rest)) if _closed(" ".join([first, *rest[: k + 1]]))), 0)
        if _OPEN.match(first) and not _closed(first) and more:
            whole = " ".join([first, *rest[:more]])
            del rest[:more]
            faults.append(Fault(first.partition("=")[0], "", "was taken apart at its blanks by the shell", f'put it in quotes: "{whole}"'))
        else:
            found.append(first)
    return found


def _closed(text: str) -> bool:
    return all(text.count(first) == text.count(last) for first, last in ("{}", "[]"))


_OPEN = re.compile(r"[\w.-]+=[\[{]")


def _mapping(body: Mapping[str, Any], key: str, faults: list[Fault]) -> dict[str, Any]:
    found = body.get(key, {})
    if isinstance(found, dict):
        return found
    faults.append(Fault(key, show(found), "must be a mapping of parameters to values or ranges"))
    return {}


def _value(key: str, text: str) -> Any:
    """Return what a setting of a study says, in YAML, where 1e-3 is a number; or what is wrong with it."""
    import yaml

    if key == "policies" and _LIST.fullmatch(text):
        return text.split(",")
    try:
        found = _numbers(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError, RecursionError):  # a date that there is none of, a list within itself
        return Fault(key, text, unreadable(text), "for example {low: 1, high: 2}" if "vary" in key else "")
    apart = unspaced(found)
    return Fault(key, text, "needs a blank after the colon", f"write {apart}") if apart else found


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return value


def _file(name: Any, configs: str | None) -> dict[str, Any]:
    """Return what the file of a study says, nothing without a name."""
    if name is None:
        return {}
    if not isinstance(name, str):
        raise ScenarioError([Fault("study", show(name), "must be a name", "study=NAME of a file study/NAME.yaml")])
    files = files_in(folders_of(configs, "study"))
    if name not in files:
        raise ScenarioError([Fault("study", show(name), "no such study", suggest(str(name), files) or "a file study/NAME.yaml")])
    content = content_of(files[name], resolve=True)
    if isinstance(content, Fault):
        raise ScenarioError([content])
    found = _numbers(content)
    assert isinstance(found, dict)
    return {key: value for key, value in found.items() if key not in ("label", "description", "source")}
