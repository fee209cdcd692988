"""What a comparison leaves in its folder, and whether a folder still holds what its configs give."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from sim import store
from sim.scenario import Fault, ScenarioError, read
from sim.scenario.customers import HELD
from sim.studies.arms import NONE, Arm, with_policies
from sim.studies.compare import compared
from sim.studies.comparison import Comparison
from sim.studies.folder import (
    DRAWS,
    changed,
    config_of,
    csv_name,
    folder_name,
    json_bytes,
    manifest_of,
    other_functions,
    parquet,
    result_hash,
    table_of,
    told_otherwise,
)

if TYPE_CHECKING:
    import pandas as pd

    from sim.studies.functions import Functions

KIND = "comparison"
"""Entry of the manifest that tells a comparison's folder from a run's."""


def arms_of(found: Comparison) -> bytes:
    """Return the arms as YAML that reads back as the same ones."""
    plain = {
        arm.id: {key: arm.scenario.policies[key].model_dump(mode="json", exclude_unset=True) for key in arm.policies} for arm in found.arms
    }
    whole = {"comparator": found.ids[found.comparator], "arms": plain}
    return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120).encode()


def default_folder(found_arms: "tuple[Arm, ...]") -> Path:
    """Return ``results/NAME-compared-SEED-HASH``, the hash being of the scenario and all arms."""
    whole = b"".join(config_of(arm.scenario) for arm in found_arms)
    return folder_name(f"{found_arms[0].scenario.name}-compared", found_arms[0].scenario.run.seed, whole)


def _texts(found: Comparison, frames: "Mapping[str, pd.DataFrame]") -> dict[str, bytes]:
    tables = {csv_name(name): frame.to_csv(index=False, lineterminator="\n").encode() for name, frame in frames.items()}
    return {"config.yaml": config_of(found.scenario), "arms.yaml": arms_of(found), **tables}


def write_comparison(found: Comparison, out: str | os.PathLike[str] | None = None, report: bool = True) -> Path:
    """Write a comparison's folder and return its path: config, arms, comparison.json, tables, figures with report.html, manifest.

    out: folder, by default that of ``default_folder``; as for ``write_run``. report: whether to draw figures and write report.html.
    """
    out = default_folder(found.arms) if out is None else out
    store.check(out)
    frames, summary = found.tables(), found.summary()
    texts = _texts(found, frames)
    files: dict[str, store.Content] = {**texts, "comparison.json": json_bytes(summary)}
    if found.scenario.base is not None and found.scenario.base.held is not None:
        files[HELD] = found.scenario.base.held
    for name, frame in frames.items():
        files[f"tables/{name}.parquet"] = parquet(frame)
    if report:
        from sim.report.comparison import files as drawn

        files |= drawn(found, DRAWS)
    threads, hashed = found.results[0].outcome.threads, result_hash(texts, summary)
    manifest = manifest_of(found.scenario, threads, summary["schema_version"], hashed, found.functions)
    return store.write(out, files, {**manifest, "kind": KIND})


def verify(
    folder: Path, manifest: Mapping[str, Any], progress: Callable[[int, int], None] | None, functions: "Functions | None"
) -> list[str]:
    """Compare again what a comparison's folder says; return each difference in words."""
    found = [*changed(folder, manifest), *other_functions(manifest, functions)]
    try:
        scenario = read(_yaml(folder / "config.yaml"), table=table_of(folder, manifest))
        written = _yaml(folder / "arms.yaml")
        bodies = written.get("arms")
        if not isinstance(bodies, dict) or not all(isinstance(one, dict) for one in bodies.values()):
            raise ScenarioError([Fault("arms", "", "must map arms to their policies")])
        arms = tuple(Arm(key, tuple(body), with_policies(scenario, body) if body else scenario) for key, body in bodies.items())
        again = compared(scenario, arms, str(written.get("comparator", NONE)), progress, functions)
    except ScenarioError as error:
        return [*found, *(f"cannot be run again: {fault}" for fault in error.faults)]
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return [*found, "config.yaml or arms.yaml: cannot be run again: is missing or no YAML"]
    frames, summary = again.tables(), again.summary()
    texts = _texts(again, frames)
    found += told_otherwise(scenario, manifest, _wanted(again, [*texts, *(f"tables/{name}.parquet" for name in frames)], manifest))
    told = {line.partition(": ")[0] for line in found}
    for name, content in {**texts, "comparison.json": json_bytes(summary)}.items():
        if name not in told and manifest["files"].get(name, "") not in ("", hashlib.sha256(content).hexdigest()):
            found.append(f"{name}: comes out differently")
    if not found and manifest.get("result_hash") != result_hash(texts, summary):
        found.append("manifest.json: result_hash comes out differently")
    return found


def _wanted(found: Comparison, written: Sequence[str], manifest: Mapping[str, Any]) -> set[str]:
    """Return the names of the files that a comparison leaves; a report's, where the manifest has one."""
    from sim.report.comparison import names
    from sim.report.files import PAGE

    held = found.scenario.base is not None and found.scenario.base.held is not None
    drawn = names(found) if PAGE in manifest["files"] else set()
    return {*written, "comparison.json", *([HELD] if held else []), *drawn}


def _yaml(path: Path) -> dict[str, Any]:
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    return raw if isinstance(raw, dict) else {}
