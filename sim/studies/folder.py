"""What a run leaves in its folder, and whether a folder still holds what its config gives."""

import hashlib
import json
import os
import platform
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Set
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from sim import store
from sim.parts import Parts
from sim.scenario import Scenario, ScenarioError, read
from sim.scenario.customers import HELD
from sim.scenario.raw import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from sim.engine import Checkpoint
    from sim.studies.functions import Functions
    from sim.studies.result import Result

DRAWS = 3
"""Number of the map from customer, period and purpose to random numbers; another map is another number."""

LIBRARIES = ("numpy", "numba", "scipy", "pandas", "duckdb", "pydantic")


def config_of(scenario: Scenario, width: int = 120) -> bytes:
    """Return the scenario as YAML that reads back as the same one, without what changes no result: threads, or a cluster."""
    return yaml.safe_dump(given(scenario), sort_keys=False, allow_unicode=True, default_flow_style=None, width=width).encode()


def given(scenario: Scenario) -> dict[str, Any]:
    """Return the scenario as a mapping, without what was not given and what changes no result."""
    # a default laid under a segment's override could contradict it
    return scenario.model_dump(mode="json", exclude_unset=True, exclude={"run": {"threads", "executor", "cluster", "workers", "slurm"}})


def default_folder(scenario: Scenario) -> Path:
    """Return ``results/NAME-SEED-HASH``, the hash being of the whole config, and of the table of existing customers where there is one."""
    return folder_name(scenario.name, scenario.run.seed, config_of(scenario) + (_base(scenario) or "").encode())


def folder_name(name: str, seed: int, whole: bytes) -> Path:
    """Return ``results/NAME-SEED-HASH``; whole: what is hashed."""
    name = re.sub(r"[^\w.-]+", "_", name).strip(".")[:60] or "scenario"
    return Path("results") / f"{name}-{seed}-{hashlib.sha256(whole).hexdigest()[:8]}"


def _base(scenario: Scenario) -> str | None:
    """Return the SHA-256 of the table of existing customers, None without one."""
    return None if scenario.existing is None else scenario.existing.digest


def code() -> str:
    """Return a hash of the code that numbers depend on, and of the map of draws: what other code left half-done is not gone on with."""
    whole = hashlib.sha256(str(DRAWS).encode())
    here = Path(__file__).resolve().parents[1]
    parts = [source for part in ("scenario", "compile", "kernels", "engine", "measures") for source in sorted((here / part).glob("*.py"))]
    for source in (*parts, *(here / "studies" / f"{name}.py" for name in ("arms", "compare", "points", "predictors", "simulate"))):
        whole.update(source.read_bytes())
    return whole.hexdigest()


def checkpoint(scenarios: "Sequence[Scenario]", out: str | os.PathLike[str]) -> "Checkpoint":
    """Return where the run of a scenario, or of the arms of a comparison, is kept under way: beside its folder."""
    from sim.engine import Checkpoint

    whole = hashlib.sha256(code().encode() + b"".join(config_of(one) + (_base(one) or "").encode() for one in scenarios))
    return Checkpoint(Parts(out), f"run-{whole.hexdigest()[:32]}")


def write_run(result: "Result", out: str | os.PathLike[str] | None = None, report: bool = True) -> Path:
    """Write a run's folder and return its path: config, summary, tables as CSV and Parquet, figures with report.html, manifest.

    out: folder, by default that of ``default_folder``. One that is there is replaced if its manifest is ours and
    lists all that is in it; else ScenarioError. report: whether to draw figures and write report.html.
    """
    out = default_folder(result.scenario) if out is None else out
    store.check(out)
    frames, summary = result.tables(), result.summary()
    texts = _texts(result.scenario, frames)
    files: dict[str, store.Content] = {"config.yaml": texts["config.yaml"], "summary.json": json_bytes(summary)}
    if result.scenario.base is not None and result.scenario.base.held is not None:
        files[HELD] = result.scenario.base.held
    for name, frame in frames.items():
        files[csv_name(name)] = texts[csv_name(name)]
        files[f"tables/{name}.parquet"] = parquet(frame)
    if report:
        from sim.report.files import files as drawn

        files |= drawn(result, DRAWS)
    hashed = result_hash(texts, summary)
    manifest = manifest_of(result.scenario, result.outcome.threads, summary["schema_version"], hashed, result.functions)
    return store.write(out, files, manifest)


def csv_name(name: str) -> str:
    """Return where a frame lies in a folder, as CSV."""
    return f"tables/{name}.csv"


def _texts(scenario: Scenario, frames: "Mapping[str, pd.DataFrame]") -> dict[str, bytes]:
    """Return the files that are the same on every machine: the config, and the tables with all digits of their numbers."""
    tables = {csv_name(name): frame.to_csv(index=False, lineterminator="\n").encode() for name, frame in frames.items()}
    return {"config.yaml": config_of(scenario), **tables}


def json_bytes(summary: Mapping[str, Any]) -> bytes:
    """Return plain values as JSON."""
    return (json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def result_hash(texts: Mapping[str, bytes], summary: Mapping[str, Any]) -> str:
    """Return one SHA-256 over config, CSV tables and summary without ``timing``: equal for equal results."""
    timeless = {key: value for key, value in summary.items() if key != "timing"}
    whole = hashlib.sha256()
    for name, content in sorted({**texts, "summary.json": json_bytes(timeless)}.items()):
        whole.update(f"{name}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()


def manifest_of(scenario: Scenario, threads: int, schema_version: int, result_hash: str, functions: "Functions") -> dict[str, Any]:
    """Return a manifest without its files: versions, seed, threads, hashes of the user's own functions and of the result."""
    from sim import __version__
    from sim.studies.functions import hashes

    return {
        "version": __version__,
        "schema_version": schema_version,
        "draws": DRAWS,
        "scenario": scenario.name,
        "seed": scenario.run.seed,
        **({"base": digest} if (digest := _base(scenario)) else {}),
        **({"functions": hashes(functions)} if functions else {}),
        "threads": threads,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "result_hash": result_hash,
    }


def parquet(frame: "pd.DataFrame") -> Callable[[Path], None]:
    """Return a function that writes a frame as Parquet to a path."""

    def write(path: Path) -> None:
        import duckdb

        quoted = str(path).replace("'", "''")
        # nothing is fetched, and one thread keeps the order of the rows and the bytes of the file
        settings: dict[str, str | bool | int | float | list[str]] = {
            "threads": 1,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        try:
            with duckdb.connect(":memory:", config=settings) as connection:
                connection.register("frame", frame)
                connection.execute(f"COPY frame TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)")
        except duckdb.Error as error:  # a full disk, above all
            raise OSError(str(error)) from error

    return write


def verify(
    folder: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None, functions: "Functions | None" = None
) -> list[str]:
    """Rerun a run's or a comparison's folder from its config; return each difference in words, none if all is as it was.

    Raises ScenarioError where the folder is not a run's. progress, functions: as for ``simulate``.
    """
    folder = Path(folder)
    manifest = store.read_manifest(folder)
    if manifest.get("kind") == "comparison":
        from sim.studies import comparison_folder

        return comparison_folder.verify(folder, manifest, progress, functions)
    if "kind" in manifest:
        from sim.studies import study_folder

        return study_folder.verify(folder, manifest, progress)
    found = [*changed(folder, manifest), *other_functions(manifest, functions)]
    try:
        raw = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        scenario = read(raw if isinstance(raw, dict) else {}, table=table_of(folder, manifest))
    except ScenarioError as error:
        return [*found, *(f"config.yaml: cannot be run again: {fault}" for fault in error.faults)]
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return [*found, "config.yaml: cannot be run again: is missing or no YAML"]
    told = {line.partition(": ")[0] for line in found}
    try:
        return found + list(_rerun(folder, scenario, manifest, told, progress, functions))
    except ScenarioError as error:
        return [*found, *(f"config.yaml: cannot be run again: {fault}" for fault in error.faults)]


def table_of(folder: Path, manifest: Mapping[str, Any]) -> bytes | None:
    """Return the table of existing customers that a run's folder keeps, None where it keeps none."""
    return (folder / HELD).read_bytes() if HELD in manifest["files"] else None


def other_functions(manifest: Mapping[str, Any], functions: "Functions | None") -> Iterator[str]:
    """Yield functions that are not those of which a manifest tells."""
    from sim.studies.functions import hashes

    written = manifest.get("functions", {})
    for name, body in hashes(functions or {}).items():
        if written.get(name) != body:
            yield f"functions.{name}: is not the one that the folder was written with"


def changed(folder: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield what in a folder is not as its manifest says."""
    for name, digest in manifest["files"].items():
        try:
            now = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError:
            yield f"{name}: is missing"
        else:
            if now != digest:
                yield f"{name}: was changed after it was written"
    for name in store.foreign(folder, manifest):
        yield f"{name}: is not in the manifest"


def _rerun(
    folder: Path,
    scenario: Scenario,
    manifest: Mapping[str, Any],
    told: Set[str],
    progress: Callable[[int, int], None] | None,
    functions: "Functions | None",
) -> Iterator[str]:
    """Simulate again and yield what differs. told: files that are known to be missing or changed.

    A report is not drawn again: it shows what the tables hold, and another version of matplotlib draws otherwise.
    """
    from sim import __version__
    from sim.report.files import PAGE, names
    from sim.studies.simulate import simulate

    result = simulate(scenario, progress, functions)
    frames, summary = result.tables(), result.summary()
    texts = _texts(scenario, frames)
    wanted = {*texts, "summary.json", *(f"tables/{name}.parquet" for name in frames)}
    wanted |= {HELD} if scenario.base is not None and scenario.base.held is not None else set()
    wanted |= names(result) if PAGE in manifest["files"] else set()
    found = list(told_otherwise(scenario, manifest, wanted))
    differing = [
        name for name, content in texts.items() if manifest["files"].get(name, "") not in ("", hashlib.sha256(content).hexdigest())
    ]
    if "summary.json" not in told and not _same_summary(folder / "summary.json", summary):
        differing.append("summary.json")
    for name, frame in frames.items():
        if (stored := f"tables/{name}.parquet") not in told and not same_parquet(folder / stored, frame):
            differing.append(stored)
    found += [f"{name}: comes out differently" for name in differing]
    if not found and manifest.get("result_hash") != result_hash(texts, summary):
        found.append("manifest.json: result_hash comes out differently")
    yield from found
    if found and manifest.get("version") != __version__:
        yield f"manifest.json: written by version {manifest.get('version')}, verified with {__version__}"


def told_otherwise(scenario: Scenario, manifest: Mapping[str, Any], wanted: Set[str]) -> Iterator[str]:
    """Yield what the manifest says of draws, seed and files that is not so. wanted: files that the run leaves."""
    for name, value in (("draws", DRAWS), ("seed", scenario.run.seed), ("base", _base(scenario))):
        if manifest.get(name) != value:
            yield f"manifest.json: {name} is {show(manifest.get(name))}, and here {value}"
    for name in sorted(wanted - set(manifest["files"])):
        yield f"{name}: is missing from the manifest"
    for name in sorted(set(manifest["files"]) - wanted):
        yield f"{name}: is in the manifest, and no such run writes it"


def _same_summary(path: Path, summary: Mapping[str, Any]) -> bool:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    # through JSON, so that 1 and true or 1.0 are told apart
    return isinstance(stored, dict) and json_bytes({**stored, "timing": None}) == json_bytes({**summary, "timing": None})


def same_parquet(path: Path, frame: "pd.DataFrame") -> bool:
    """Return whether a Parquet file holds what this frame comes to in Parquet; another version may have packed it otherwise."""
    import duckdb

    with tempfile.TemporaryDirectory() as place, duckdb.connect(":memory:") as connection:
        fresh, stored = Path(place) / "fresh.parquet", Path(place) / "stored.parquet"  # names without letters that DuckDB expands
        parquet(frame)(fresh)
        try:
            stored.write_bytes(path.read_bytes())
            if stored.read_bytes() == fresh.read_bytes():
                return True
            one, other = (connection.execute("SELECT * FROM read_parquet(?)", [str(file)]).df() for file in (fresh, stored))
        except (OSError, duckdb.Error):
            return False
    return one.equals(other)
