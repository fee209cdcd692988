"""Call an experiment's main with what a command line cannot set, such as fewer points."""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

Called = Callable[..., str]


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Called:
    """Call it in a folder of its own, on a terminal of 100 columns, and return what it prints."""
    mpl.use("agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def call(main: Callable[..., None], *settings: str, points: int) -> str:
        with mpl.rc_context():
            main(*settings, points=points)
        plt.close("all")
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return call
