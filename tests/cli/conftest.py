"""The command, run in an empty folder."""

import gc
import sys
from pathlib import Path

import pytest

from sim.cli import main
from tests.cli.running import Clvsim, Done


@pytest.fixture
def clvsim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Clvsim:
    """Give a function that runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gc, "set_threshold", lambda _: None)

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["clvsim", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(ended.value.code or 0, *capsys.readouterr())

    return run
