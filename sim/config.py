"""From configs/ and overrides to a Scenario: the one module that knows Hydra, which composes; the gate judges.

A scenario is a file ``scenario/NAME.yaml`` of the folder that ships or of a user's own, which wins. It may build on others by a
defaults list (``defaults: [publisher, _self_]``). A policy is a file ``policy/NAME.yaml`` likewise, which builds on nothing. The Compose
API alone is used: nothing is written, no logging is touched, and nothing that a file names is ever instantiated. Hydra and YAML are
imported on use: listing and refusing stay fast.
"""

import itertools
import math
import os
import re
import shlex
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sim.files import content_of, files_in, first_line, folders_of, label_in, plain_in
from sim.scenario import Fault, Scenario, ScenarioError, read
from sim.scenario.frames import packed
from sim.scenario.raw import MANY, mapping, show, suggest

if TYPE_CHECKING:
    import pandas as pd

MOST_RUNS = 10_000
"""Runs that one multirun may ask for."""

_LOCK = threading.Lock()
"""Hydra keeps one composition a process in global state."""

_SEARCH: list[Path] = []
"""Folders that come before the one that ships, while a scenario is composed."""

_OVERRIDE = re.compile(r"(?P<sign>\+\+|\+|~|)(?P<key>[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)(?P<rest>=(?P<value>.*))?", re.DOTALL)
_NAMED = {"stages": "stage", "segments": "segment", "cohorts": "cohort", "policies": "policy"}
"""Sections whose keys a user names, so that a misspelt one would be a new one."""

_STRUCTURE = re.compile(r"[\[\]{}'\"\\,$]")
"""What makes a value more than plain text; text without it needs no quotes, in any language."""


def scenarios(configs: str | Path | None = None) -> dict[str, str]:
    """Return the label of every scenario that ships or lies in a user's folder, by name."""
    return {name: label_in(file) for name, file in sorted(files_in(folders_of(configs)).items())}


def shadowed(configs: str | Path | None = None) -> tuple[str, ...]:
    """Return a note for each file of a user's folder that takes the place of one that ships."""
    folders = folders_of(configs)
    ships = files_in(folders[1:])
    return tuple(f"{file}: used instead of the {name} that ships" for name, file in sorted(files_in(folders[:1]).items()) if name in ships)


def policies(configs: str | Path | None = None) -> dict[str, str]:
    """Return the label of every policy that ships or lies in a user's folder, by name."""
    return {name: label_in(file) for name, file in sorted(files_in(folders_of(configs, "policy")).items())}


def policies_told(configs: str | Path | None = None) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return of every policy, by name, label, first sentence of its description, and cost as its file has it, money to win by too."""
    found = {}
    for name, file in sorted(files_in(folders_of(configs, "policy")).items()):
        content = plain_in(file)
        cost, acquire = (part if isinstance(part := content.get(name), dict) else {} for name in ("cost", "acquire"))
        about = " ".join(str(content.get("description") or "").split())
        sentence = re.split(r"(?<=[.!?。])\s", about, maxsplit=1)[0]
        found[name] = str(content.get("label", "")), sentence, cost | {"budget": acquire.get("budget")}
    return found


def policy(name: str, configs: str | Path | None = None) -> dict[str, Any]:
    """Return what the file of a policy says, to be laid under ``policies.NAME`` of a scenario; the gate judges it there.

    Raises ScenarioError where there is no such file, or it is no mapping.
    """
    files = files_in(folders_of(configs, "policy"))
    if name not in files:
        rule = "a policy is named, not given as a path" if is_path(name) else "no such policy"
        raise ScenarioError([Fault("policies", show(name), rule, suggest(Path(name).stem, files))])
    file = files[name]
    content = content_of(file, resolve=True)
    if not isinstance(content, Fault) and "defaults" in content:
        content = Fault(f"{file}: defaults", show(content["defaults"]), "a policy builds on no other", "write all of it into one file")
    if isinstance(content, Fault):
        raise ScenarioError([content])
    return cast(dict[str, Any], content)


def load(name: str = "lifecycle", *overrides: str, configs: str | Path | None = None, base: "pd.DataFrame | None" = None) -> Scenario:
    """Return the scenario of this name with overrides such as ``run.seed=3`` or ``stages.renewed.price=80``.

    configs: a folder laid out like configs/, whose files win over those that ship. An override may begin with ``+`` (a key that
    is not there yet; a new stage, segment, cohort or policy needs it) or ``~`` (take a key out). base: the firm's existing customers, one
    row each, in the columns of a ``base.file`` and in its place; a run's folder keeps it. Raises ScenarioError with every fault found.
    """
    name, folders = str(name), folders_of(configs)
    files = files_in(folders)
    if name not in files:
        raise ScenarioError([_unknown(name, files, configs)])
    given = [_override(text) for text in overrides]
    found = [*_file_faults(name, files, ()), *(fault for fault in given if isinstance(fault, Fault))]
    if found:
        raise ScenarioError(sorted(found))
    content = {**_compose(name, [text for text in given if isinstance(text, str)], folders), "name": name}
    missing = list(_without_misspelt(content, name, overrides, folders))
    try:
        scenario = read(content, table=None if base is None else packed(base))
    except ScenarioError as error:
        raise ScenarioError(sorted([*missing, *error.faults]) if missing else error.faults) from None
    if missing:
        raise ScenarioError(missing)
    return scenario


def _unknown(name: str, files: dict[str, Path], configs: str | Path | None) -> Fault:
    """Return what is wrong with a name that no scenario has."""
    if is_path(name):
        return Fault("scenario", show(name), "a scenario is named, not given as a path", named(name) or suggest(Path(name).stem, files))
    if configs is not None and (Path(configs) / "scenario" / f"{name}.yml").is_file():
        return Fault("scenario", show(name), f"no such scenario, but there is {name}.yml", f"rename it to {name}.yaml")
    near = suggest(name, files)
    own = "for one of your own add --configs DIR (in Python: configs=DIR)"
    if configs is not None:
        mine = list(files_in(folders_of(configs)[:1]))
        there = f"has {', '.join(mine[:MANY])}{', …' if len(mine) > MANY else ''}" if mine else "has no scenario/NAME.yaml"
        own = "" if near.startswith("did") else f"{configs} {there}"
    hints = ["to run each of several add -m"] if "," in name else [near, own]
    return Fault("scenario", show(name), "no such scenario", "; ".join(filter(None, hints)))


def is_path(text: str) -> bool:
    """Return whether a text looks like a file's path, which no name of a scenario does."""
    return "/" in text or Path(text).suffix in (".yaml", ".yml")


def named(path: str) -> str:
    """Return how to name the scenario of a file that lies as in configs/, "" where there is no such file."""
    file = Path(path)
    name, folder = file.stem, file.absolute().parent
    if folder.name != "scenario" or file.suffix not in (".yaml", ".yml") or not file.is_file():
        return ""
    if file.resolve() == files_in(folders_of(None)).get(name):
        return f"write scenario={name}"
    rename = f"rename it to {name}.yaml and " if file.suffix == ".yml" else ""
    return f"{rename}write --configs {shlex.quote(os.path.relpath(folder.parent))} scenario={name}"


def origin(name: str = "lifecycle", configs: str | Path | None = None) -> tuple[Path, ...]:
    """Return the files that a scenario is made of: its own, then those it builds on."""
    files = files_in(folders_of(configs))
    waiting, found = [name], dict[str, Path]()
    for one in waiting:  # grows while it is read
        if one in files and one not in found:
            found[one] = files[one]
            content = content_of(files[one])
            listed = content.get("defaults", []) if isinstance(content, dict) else []
            waiting += listed if isinstance(listed, list) else []
    return tuple(found.values())


@dataclass(frozen=True)
class Point:
    """One run of several.

    varied: values of what differs between them, as text by key; settings: all that makes this run, in the form they were given in.
    """

    varied: dict[str, str]
    settings: tuple[str, ...]


def points(settings: Sequence[str]) -> tuple[Point, ...]:
    """Return every combination of the values that settings such as ``run.seed=1,2`` or ``horizon=range(1,5)`` list, as Hydra would.

    The last key changes fastest; of a key given twice the last counts. Values are read by Hydra's own parser: a list in brackets and
    a comma in quotes are one value. Raises ScenarioError with every list that cannot be run through.
    """
    given: dict[str, list[str] | None] = {}
    single: dict[str, str] = {}
    found: list[Fault] = []
    for setting in settings:
        key = setting.partition("=")[0]
        values = _sweep(setting)
        if isinstance(values, Fault):
            found.append(values)
        else:
            given[key], single[key] = values, setting
    swept = {key: values for key, values in given.items() if values is not None}
    runs = math.prod(map(len, swept.values()))
    if runs > MOST_RUNS:
        found.append(Fault("-m", f"{runs:,}", f"must come to at most {MOST_RUNS:,} runs", "list fewer values"))
    if found:
        raise ScenarioError(found)
    return tuple(
        Point(
            {key.lstrip("+"): re.sub(r"\\(.)", r"\1", value) for key, value in chosen.items()},
            tuple(_setting(key, chosen, single) for key in given),
        )
        for values in itertools.product(*swept.values())
        for chosen in [dict(zip(swept, values, strict=True))]
    )


def _setting(key: str, chosen: dict[str, str], single: dict[str, str]) -> str:
    return f"{key}={chosen[key]}" if key in chosen else single[key]


def _sweep(setting: str) -> list[str] | Fault | None:
    """Return the values that a setting lists, None where it is a single one."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import ChoiceSweep, RangeSweep, Sweep
    from hydra.errors import HydraException

    key, _, text = setting.partition("=")
    if key != key.strip():
        return None  # blanks around = are refused by ``load``
    try:
        parsed = OverridesParser.create().parse_override(setting)
    except HydraException:
        return None  # text that ``load`` reads in its own way, or refuses
    value: Any = parsed.value()
    if not parsed.is_sweep_override() or parsed.is_delete():
        return None
    if not isinstance(value, ChoiceSweep | RangeSweep) or value.shuffle:
        return Fault(key, text, "only values with commas between them, choice() and range() can be run through, in their order")
    if isinstance(value, ChoiceSweep) and any(isinstance(one, Sweep) for one in value.list):
        return Fault(key, text, "a list cannot hold range() or choice()", "list the values themselves")
    try:
        if isinstance(value, RangeSweep):  # 12 digits: a step of 0.05 leads to 0.15, not to 0.15000000000000002
            values = [f"{step:.12g}" if isinstance(step, float) else str(step) for step in itertools.islice(value.range(), MOST_RUNS + 1)]
        else:
            values = list(parsed.sweep_string_iterator())
    except (HydraException, ValueError):
        return Fault(key, text, "must lead from its start to its end in steps that are not 0")
    return values or Fault(key, text, "lists no value", "range(1,4) is 1, 2, 3")


def _without_misspelt(content: dict[str, Any], name: str, overrides: Sequence[str], folders: tuple[Path, ...]) -> Iterator[Fault]:
    """Take out stages, segments, cohorts and policies that plain overrides alone made, and yield a Fault for each."""
    given = [parts for text in overrides if (parts := _OVERRIDE.fullmatch(text.strip()))]
    paths = [(parts["sign"], parts["key"].split(".")) for parts in given]
    suspects = dict.fromkeys((path[0], path[1]) for sign, path in paths if sign == "" and path[0] in _NAMED and len(path) > 2)
    if not suspects:
        return
    # a section given whole, or anything with a +, is meant to be new
    meant = [_override(parts[0]) for parts in given if _is_meant(parts["sign"], parts["key"])]
    otherwise = _compose(name, [f"++{line.lstrip('+')}" for line in meant if isinstance(line, str)], folders, resolve=False)
    for section, key in suspects:
        there = mapping(otherwise, section)
        if key in there or key not in mapping(content, section):
            continue
        del content[section][key]
        if section not in otherwise:
            content.pop(section, None)
        hint = "; ".join(filter(None, [suggest(key, map(str, there)), f"+{section}.{key}.… adds one"]))
        yield Fault(f"{section}.{key}", "", f"no such {_NAMED[section]}", hint)


def _is_meant(sign: str, key: str) -> bool:
    return key.split(".")[0] in _NAMED and (sign in ("+", "++") or (sign == "" and key.count(".") < 2))


def _file_faults(name: str, files: dict[str, Path], above: tuple[str, ...]) -> Iterator[Fault]:
    """Yield what is wrong with a scenario's file, or with those it builds on, before any value is looked at."""
    content = content_of(files[name])
    if isinstance(content, Fault):
        yield content
        return
    if "hydra" in content:
        yield Fault("hydra", "", "unknown key", f"take it out of {files[name]}")
    if content.get("name", name) != name:
        yield Fault("name", show(content["name"]), f"a scenario is named by its file, here {name}", "leave it out; the label is free")
    if "defaults" in content:
        yield from _defaults_faults(content["defaults"], name, files, (*above, name))


def _defaults_faults(listed: Any, name: str, files: dict[str, Path], above: tuple[str, ...]) -> Iterator[Fault]:
    """Yield what is wrong with a defaults list and the files that it names."""
    where = f"{files[name]}: defaults"
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        yield Fault(where, show(listed), "must be a list of names of scenarios and _self_")
        return
    if "_self_" not in listed:
        yield Fault(where, show(listed), "must have _self_ after what this file changes", "end the list with _self_")
    for item in listed:
        if item in above:
            yield Fault(where, show(item), "a scenario cannot build on itself", "give the file another name")
        elif item in files:
            yield from _file_faults(item, files, above)
        elif item != "_self_":
            yield Fault(where, show(item), "no such scenario", suggest(item, files))


def _override(text: Any) -> str | Fault:
    """Return an override in Hydra's terms, where ``++`` sets what may or may not be there, so that no unknown key hides another."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    if not isinstance(text, str):
        pairs = ", ".join(f"'{key}={value}'" for key, value in text.items()) if isinstance(text, dict) else "'run.seed=3'"
        return Fault("overrides", show(text), "must be text, one key=value each", f"write {pairs}")
    parts = _OVERRIDE.fullmatch(text.strip())
    key, _, value = map(str.strip, text.partition("="))
    if not parts and _OVERRIDE.fullmatch(f"{key}={value}"):
        return Fault(f"{key} = {value}", "", "must be key=value without blanks around =", f"write {key}={value}")
    if not parts or (parts["rest"] is None and parts["sign"] != "~"):
        return Fault(text.strip() or "''", "", "must be key=value with a dotted key", "for example run.seed=3")
    key, value = parts["key"], (parts["value"] or "").strip()
    if key.split(".")[0] == "hydra":
        return Fault(key, value, "unknown key")
    if key == "name":
        return Fault(key, show(value), "a scenario is named by its file", "the label is free: label=…")
    if parts["rest"] is None:
        return text.strip()
    sign = parts["sign"] or "++"
    tries = [f"{sign}{key}={value}"] if _STRUCTURE.search(value) else [f"{sign}{key}={value}", f"{sign}{key}='{value}'"]
    for line in tries:
        try:
            parsed = OverridesParser.create().parse_override(line)
        except HydraException:
            continue
        if parsed.is_sweep_override():
            return Fault(key, value, "must be one value", "put a list in brackets: [1,2]; to run each value by itself add -m")
        return line
    return Fault(key, value, "cannot be read", "close brackets and quotes, and quote text twice, as in 'key=\"a, b\"'")


def _compose(name: str, overrides: Sequence[str], folders: tuple[Path, ...], *, resolve: bool = True) -> dict[str, Any]:
    """Return the scenario's files and overrides as one mapping."""
    from hydra import compose
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        with _hydra(folders):
            content = OmegaConf.to_container(compose(name, overrides=list(overrides)), resolve=resolve)
    except OmegaConfBaseException as error:
        raise ScenarioError([Fault(error.full_key or name, "", first_line(error))]) from None
    except (HydraException, ValueError, OSError) as error:
        raise ScenarioError([Fault(name, "", first_line(error))]) from None
    return cast(dict[str, Any], content)  # the files were read as mappings


@contextmanager
def _hydra(folders: tuple[Path, ...]) -> Iterator[None]:
    """Set Hydra up for one composition, and leave its global state as it was."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    _register()
    with _LOCK:
        outside = GlobalHydra.instance().hydra
        GlobalHydra.instance().clear()
        _SEARCH[:] = folders[:-1]
        version = {"version_base": "1.3"} if hydra.__version__.startswith("1.3") else {}  # 1.4 does away with it
        try:
            with hydra.initialize_config_dir(str(folders[-1]), job_name="clvsim", **version):
                yield
        finally:
            _SEARCH.clear()
            GlobalHydra.instance().hydra = outside


@cache
def _register() -> None:
    """Make Hydra look into a user's folder first: its own search path option only appends, and what ships would win."""
    from hydra.core.config_search_path import ConfigSearchPath
    from hydra.core.plugins import Plugins
    from hydra.plugins.search_path_plugin import SearchPathPlugin

    class UserScenarios(SearchPathPlugin):
        def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
            for folder in _SEARCH:
                search_path.prepend("clvsim", f"file://{folder}", anchor="main")

    Plugins.instance().register(UserScenarios)
