"""What README shows runs as it stands there, in an empty folder."""

import gc
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sim.cli import main

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.jit
@pytest.mark.parametrize("code", re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
def test_python(tmp_path: Path, code: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.jit
def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One after the other in one folder, as a reader would, who has also written the files that are shown."""
    for name, text in re.findall(r"^```yaml\n# (\S+\.yaml)\n(.*?)^```", README, re.MULTILINE | re.DOTALL):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gc, "set_threshold", lambda _: None)
    lines = re.findall(r"^(?:\$ |    )?(clvsim .*)$", README, re.MULTILINE)
    assert lines
    for line in lines:
        monkeypatch.setattr(sys, "argv", shlex.split(line.partition("#")[0]))
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert not ended.value.code, f"{line}\n{err}"
        assert out, line


def test_both_are_shown() -> None:
    assert re.search(r"^```python\nimport sim\b", README, re.MULTILINE)
    assert "clvsim simulate" in README
    assert "make run" in README
    assert "make test" in README


@pytest.mark.jit
def test_what_make_run_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """To the last digit; the Makefile runs the verb without a setting."""
    assert "\t@$(BIN)/clvsim compare\n" in (ROOT / "Makefile").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(gc, "set_threshold", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["clvsim", "compare", "--no-report"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    shown = re.search(r"names the report that says why:\n\n```text\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert shown is not None
    *numbers, folder = printed
    assert shown[1].splitlines()[: len(numbers)] == numbers
    assert shown[1].splitlines()[len(numbers)].rpartition("/")[2] == folder.rpartition("/")[2]
