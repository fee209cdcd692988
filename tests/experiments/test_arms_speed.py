"""The benchmark of comparisons, at a size that says nothing of speed: it does what it says, and tells what is left of lives."""

import pytest

import arms_speed

pytestmark = pytest.mark.jit


def test_share_is_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    arms_speed.main("customers=400", "rounds=1", "start=0,60,119")
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line[:1].isdigit()]
    assert [row[0] for row in rows] == ["0", "60", "119"]
    shares = [float(row[1]) for row in rows]
    assert shares[0] == 1.0
    assert 0.1 < shares[1] < 0.3
    assert shares[2] < 0.01
    assert all(float(row[2]) > 1 for row in rows)
