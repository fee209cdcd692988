"""What a study leaves in its folder, and whether a folder still holds what its files give."""

import hashlib
import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from sim import store
from sim.scenario import Fault, Scenario, ScenarioError, read
from sim.scenario.customers import HELD
from sim.scenario.study import Study, read_study
from sim.studies.folder import (
    DRAWS,
    changed,
    config_of,
    csv_name,
    folder_name,
    json_bytes,
    manifest_of,
    parquet,
    result_hash,
    same_parquet,
    table_of,
    told_otherwise,
)
from sim.studies.planning import judge, plan
from sim.studies.points import Plan

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1

KINDS = {kind: f"sim.studies.{kind}" for kind in ("sweep", "sensitivity", "uncertainty", "optimise")}
"""Kinds of studies, and the module whose ``fit``, ``points`` and ``study`` make each."""

REPORTS = {
    "sweep": "sim.report.sweeps",
    "sensitivity": "sim.report.sensitivity",
    "uncertainty": "sim.report.uncertainty",
    "optimise": "sim.report.optimum",
}
"""Kinds of studies, and the module whose ``answer(found)``, ``notes(found)`` and ``story(found)`` make the report of each."""


class Found(Protocol):
    """What every study comes to. kind: of KINDS; plan: what was run; asked: what was asked for beside the plan; threads: used;
    damaged: names of parts that were thrown away.
    """

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def plan(self) -> Plan: ...  # noqa: D102
    @property
    def asked(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def threads(self) -> int: ...  # noqa: D102
    @property
    def damaged(self) -> Sequence[str]: ...  # noqa: D102
    def tables(self) -> "Mapping[str, pd.DataFrame]": ...  # noqa: D102
    def summary(self) -> Mapping[str, Any]: ...  # noqa: D102


def study_of(plan: Plan, kind: str, asked: Mapping[str, Any]) -> bytes:
    """Return the study as YAML that reads back as the same one, its policies written out."""
    whole = {
        "kind": kind,
        "study": plan.study.model_dump(mode="json", exclude_unset=True),
        "policies": {name: dict(body) for name, body in plan.bodies.items()},
        "asked": dict(asked),
    }
    return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120).encode()


def default_folder(plan: Plan, kind: str, asked: Mapping[str, Any]) -> Path:
    """Return ``results/NAME-KIND-SEED-HASH``, the hash being of the scenario, what varies, and what is asked.

    How many points there are does not count: a longer design goes on in the folder of a shorter one.
    """
    study = {key: value for key, value in plan.study.model_dump(mode="json", exclude_unset=True).items() if key != "points"}
    existing = plan.scenario.existing
    bodies = {name: dict(body) for name, body in plan.bodies.items()}
    told = [study, dict(asked), bodies, *([] if existing is None else [existing.digest])]
    whole = config_of(plan.scenario) + yaml.safe_dump(told).encode()
    return folder_name(f"{plan.scenario.name}-{kind}", plan.scenario.run.seed, whole)


def _texts(found: Found, frames: "Mapping[str, pd.DataFrame]") -> dict[str, bytes]:
    tables = {csv_name(name): frame.to_csv(index=False, lineterminator="\n").encode() for name, frame in frames.items()}
    return {"config.yaml": config_of(found.plan.scenario), "study.yaml": study_of(found.plan, found.kind, found.asked), **tables}


def run(
    kind: str, plan: Plan, asked: Mapping[str, Any], out: str | os.PathLike[str] | None, progress: Callable[[int, int], None] | None
) -> Found:
    """Make a study of a kind; out: folder beside which its points are kept, None for nowhere."""
    found: Found = importlib.import_module(KINDS[kind]).study(plan, asked, out, progress)
    return found


def asking(kind: str) -> Mapping[str, Any]:
    """Return what a study of a kind can be asked for beside what varies, with defaults."""
    asked: Mapping[str, Any] = importlib.import_module(KINDS[kind]).ASKED
    return asked


def planned(
    kind: str, scenario: Scenario, study: Study, asked: Mapping[str, Any], configs: str | Path | None
) -> tuple[Plan, Mapping[str, Any]]:
    """Return what a study of a kind runs, and what is asked of it; raise ScenarioError with all that is wrong."""
    module = importlib.import_module(KINDS[kind])
    scenario, study, asked = module.fit(scenario, study, asked, configs)
    return plan(scenario, study, configs, partial(module.points, asked=asked)), asked


def reporting(found: Found) -> Any:
    """Return the module that makes the report of a study."""
    return importlib.import_module(REPORTS[found.kind])


def write_study(found: Found, out: str | os.PathLike[str] | None = None, report: bool = True) -> Path:
    """Write a study's folder and return its path: config, study.yaml, study.json, tables, figures with report.html, manifest.

    out: folder, by default that of ``default_folder``; as for ``write_run``. report: whether to draw figures and write report.html.
    """
    out = default_folder(found.plan, found.kind, found.asked) if out is None else out
    store.check(out)
    frames, summary = found.tables(), {"schema_version": SCHEMA_VERSION, "kind": found.kind, **found.summary()}
    texts = _texts(found, frames)
    files: dict[str, store.Content] = {**texts, "study.json": json_bytes(summary)}
    base = found.plan.scenario.base
    if base is not None and base.held is not None:
        files[HELD] = base.held
    for name, frame in frames.items():
        files[f"tables/{name}.parquet"] = parquet(frame)
    if report:
        from sim.report.study import files as drawn

        files |= drawn(reporting(found).story(found), found.plan.scenario, DRAWS)
    manifest = manifest_of(found.plan.scenario, found.threads, SCHEMA_VERSION, result_hash(texts, summary), {})
    return store.write(out, files, {**manifest, "kind": found.kind})


def refuse_other(folder: Path, kind: str, scenario: str) -> None:
    """Raise ScenarioError where a folder holds anything but a study of this kind and scenario, which would be replaced."""
    if not folder.is_dir():
        return
    manifest = store.read_manifest(folder)
    there = manifest.get("kind", "run"), manifest.get("scenario")
    if there != (kind, scenario):
        raise ScenarioError([Fault("out", str(folder), f"holds a {there[0]} of {there[1]}, which stays as it is", "name another")])


def verify(folder: Path, manifest: Mapping[str, Any], progress: Callable[[int, int], None] | None) -> list[str]:
    """Run again what a study's folder says; return each difference in words."""
    found = [*changed(folder, manifest)]
    try:
        written = yaml.safe_load((folder / "study.yaml").read_text(encoding="utf-8"))
        raw = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        scenario = read(raw if isinstance(raw, dict) else {}, table=table_of(folder, manifest))
        kind, asked, made = _plan(written, scenario)
        again = run(kind, made, asked, None, progress)
    except ScenarioError as error:
        return [*found, *(f"cannot be run again: {fault}" for fault in error.faults)]
    except (OSError, ValueError, RecursionError, yaml.YAMLError, KeyError, TypeError):
        return [*found, "config.yaml or study.yaml: cannot be run again: is missing, or not as it was written"]
    frames, summary = again.tables(), {"schema_version": SCHEMA_VERSION, "kind": kind, **again.summary()}
    texts = _texts(again, frames)
    found += told_otherwise(scenario, manifest, _wanted(again, [*texts, *(f"tables/{name}.parquet" for name in frames)], manifest))
    told = {line.partition(": ")[0] for line in found}
    for name, content in {**texts, "study.json": json_bytes(summary)}.items():
        if name not in told and manifest["files"].get(name, "") not in ("", hashlib.sha256(content).hexdigest()):
            found.append(f"{name}: comes out differently")
    for name, frame in frames.items():
        if (stored := f"tables/{name}.parquet") not in told and not same_parquet(folder / stored, frame):
            found.append(f"{stored}: comes out differently")
    if not found and manifest.get("result_hash") != result_hash(texts, summary):
        found.append("manifest.json: result_hash comes out differently")
    return found


def _wanted(found: Found, written: Sequence[str], manifest: Mapping[str, Any]) -> set[str]:
    """Return the names of the files that a study leaves; a report's, where the manifest has one."""
    from sim.report.files import PAGE

    base = found.plan.scenario.base
    figures = [figure.name for figure in reporting(found).story(found).figures] if PAGE in manifest["files"] else []
    drawn = {PAGE, *(f"figures/{name}.{kind}" for name in figures for kind in ("svg", "png", "csv"))} if figures else set()
    return {*written, "study.json", *([HELD] if base is not None and base.held is not None else []), *drawn}


def _plan(written: Any, scenario: Any) -> tuple[str, Mapping[str, Any], Plan]:
    """Return kind, what was asked, and the plan, as ``study.yaml`` tells."""
    if not isinstance(written, dict) or written.get("kind") not in KINDS or not isinstance(written.get("study"), dict):
        raise ScenarioError([Fault("study.yaml", "", "must hold kind and study, as it was written")])
    kind, asked = str(written["kind"]), {**asking(str(written["kind"])), **(written.get("asked") or {})}
    study, bodies = read_study(written["study"]), dict(written.get("policies") or {})
    arms = {"none": ()} | {entry: tuple(part for part in entry.split("+") if part in bodies) for entry in study.policies}
    every = importlib.import_module(KINDS[kind]).points(study, asked)
    made = Plan(scenario, study, every, bodies, arms if study.policies else {})
    judge(made)
    return kind, asked, made
