"""Run folders are whole or not there."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sim import store
from sim.scenario import ScenarioError

FILES = {"summary.json": b"{}\n", "tables/客户 [1].csv": b"a,b\n1,2\n"}


def test_folder_holds_files_and_their_hashes(tmp_path: Path) -> None:
    out = store.write(tmp_path / "a run [1] 客户", {**FILES, "made.txt": lambda path: path.write_text("by a function")}, {"seed": 7})
    manifest = store.read_manifest(out)
    assert manifest["made_by"] == "clvsim"
    assert manifest["seed"] == 7
    assert manifest["files"] == {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in [*FILES, "made.txt"]}
    assert (out / "made.txt").read_text() == "by a function"
    assert {name: (out / name).read_bytes() for name in FILES} == FILES
    assert os.listdir(tmp_path) == ["a run [1] 客户"]


def test_missing_parents_are_made(tmp_path: Path) -> None:
    out = store.write(tmp_path / "a" / "b" / "run", FILES, {})
    assert out == tmp_path / "a" / "b" / "run"
    assert (out / "summary.json").is_file()


def test_own_folder_is_replaced_whole(tmp_path: Path) -> None:
    store.write(tmp_path / "run", {"old.csv": b""}, {"seed": 1})
    store.write(tmp_path / "run", {"new.csv": b""}, {"seed": 2})
    assert sorted(os.listdir(tmp_path / "run")) == ["manifest.json", "new.csv"]
    assert os.listdir(tmp_path) == ["run"]
    assert store.read_manifest(tmp_path / "run")["seed"] == 2


@pytest.mark.parametrize("name", ["notes.txt", "tables/mine.csv", "empty/"])
def test_own_folder_with_foreign_files_stays(tmp_path: Path, name: str) -> None:
    out = store.write(tmp_path / "run", FILES, {"seed": 1})
    if name.endswith("/"):
        (out / name).mkdir()
    else:
        (out / name).write_text("mine")
    with pytest.raises(
        ScenarioError, match=f"^out: holds {name.rstrip('/')}, which is not in its manifest.json, so it stays as it is"
    ) as caught:
        store.write(out, FILES, {"seed": 2})
    assert len(caught.value.faults) == 1
    assert store.read_manifest(out)["seed"] == 1
    assert (out / name).exists()


@pytest.mark.parametrize("below", ["tables", "new/run"])
def test_a_run_inside_a_run_is_refused(tmp_path: Path, below: str) -> None:
    out = store.write(tmp_path / "run", FILES, {})
    with pytest.raises(ScenarioError, match=r"^out: cannot lie inside a run folder, and .*run is one"):
        store.check(out / below)


def test_a_link_stays_and_its_folder_is_replaced(tmp_path: Path) -> None:
    store.write(tmp_path / "run", {}, {"seed": 1})
    (tmp_path / "link").symlink_to(tmp_path / "run")
    store.write(tmp_path / "link", {}, {"seed": 2})
    assert (tmp_path / "link").is_symlink()
    assert store.read_manifest(tmp_path / "run")["seed"] == 2


@pytest.mark.parametrize("manifest", [None, "{}", '{"made_by": "somebody"}', "[]", "{broken", '"clvsim"'])
def test_folder_that_is_not_ours_is_refused(tmp_path: Path, manifest: str | None) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    if manifest is not None:
        (folder / "manifest.json").write_text(manifest)
    before = os.listdir(folder)
    with pytest.raises(ScenarioError, match=r"^out: must be a new folder .* not ours.* \(got .*mine\); name another$"):
        store.write(folder, FILES, {})
    assert os.listdir(folder) == before
    with pytest.raises(ScenarioError, match=r"mine: must be a run folder, with a manifest\.json written by clvsim$"):
        store.read_manifest(folder)


@pytest.mark.parametrize(
    ("out", "rule"),
    [
        ("", "must name a folder"),
        ("file", "must be a folder, and this is a file"),
        ("file/run", "cannot lie below a file"),
        ("file/deep/run", "cannot lie below a file"),
        ("x" * 300, "file name too long"),
        ("new/" + "x" * 300, "file name too long"),
    ],
)
def test_unusable_out_is_refused_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, rule: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("text")
    with pytest.raises(ScenarioError, match=rule) as caught:
        store.check(out)
    assert [fault.where for fault in caught.value.faults] == ["out"]
    with pytest.raises(ScenarioError, match=rule):
        store.write(out, FILES, {})
    assert os.listdir(tmp_path) == ["file"]


def test_folder_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(ScenarioError, match="no permission to write in"):
        store.check(tmp_path / "run")


@pytest.mark.parametrize(
    ("error", "rule"),
    [
        (OSError(28, "No space left on device"), "no space left on device"),
        (KeyboardInterrupt("^C"), r"\^C"),
        (ZeroDivisionError("bug"), "bug"),
    ],
)
@pytest.mark.parametrize("existing", [False, True])
def test_failure_on_the_way_leaves_what_was_there(tmp_path: Path, error: BaseException, rule: str, existing: bool) -> None:
    def fail(path: Path) -> None:
        path.write_text("half of it")
        raise error

    out = tmp_path / "new" / "run"
    if existing:
        store.write(out, FILES, {"seed": 1})
    expected = ScenarioError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected, match=rule):
        store.write(out, {"half.csv": fail}, {"seed": 2})
    if existing:
        assert os.listdir(tmp_path / "new") == ["run"]
        assert store.read_manifest(out)["seed"] == 1
    else:
        assert os.listdir(tmp_path) == []


def test_old_run_comes_back_when_the_new_one_cannot_take_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = store.write(tmp_path / "run", FILES, {"seed": 1})
    rename = Path.rename

    def refuse_new(self: Path, target: Path) -> Path:
        if target == out and not self.name.endswith("-old"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_new)
    with pytest.raises(ScenarioError, match="input/output error"):
        store.write(out, FILES, {"seed": 2})
    assert store.read_manifest(out)["seed"] == 1
    assert os.listdir(tmp_path) == ["run"]


def test_parents_that_others_use_by_now_stay(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        (path.parents[1] / "somebody.txt").write_text("else")
        raise OSError(28, "No space left on device")

    with pytest.raises(ScenarioError):
        store.write(tmp_path / "new" / "run", {"half.csv": fail}, {})
    assert os.listdir(tmp_path / "new") == ["somebody.txt"]


def test_full_disk(tmp_path: Path) -> None:
    code = """
import resource, sys
from sim import store
from sim.scenario import ScenarioError
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    store.write(sys.argv[1], {"small.csv": bytes(1000), "large.csv": bytes(10_000)}, {})
except ScenarioError as error:
    print(error)
"""
    out = tmp_path / "客户 [1]" / "run"
    done = subprocess.run([sys.executable, "-c", code, str(out)], capture_output=True, text=True, check=False)
    assert done.stdout == f"out: cannot be written there: file too large (got {out})\n", done.stderr
    assert os.listdir(tmp_path) == []


def test_manifest_is_strict_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write(tmp_path / "run", FILES, {"time": float("nan")})
    assert os.listdir(tmp_path) == []
    out = store.write(tmp_path / "run", {}, {"label": "客户"})
    assert "客户" in (out / "manifest.json").read_text(encoding="utf-8")
    assert list(json.loads((out / "manifest.json").read_text(encoding="utf-8"))) == ["made_by", "label", "files"]


def test_a_table_of_runs_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = ",".join(["run", *store.RUNS_COLUMNS]) + "\n"
    store.write_runs(tmp_path, table)
    assert store.check_runs(tmp_path, 1) == (tmp_path / "0",)

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ScenarioError, match=r"runs\.csv"):
        store.write_runs(tmp_path, table + "0\n")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("runs.csv", table)]
    store.write_runs(tmp_path, None)
    assert list(tmp_path.iterdir()) == []
