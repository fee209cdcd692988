"""The benchmark of comparisons, at a size that says nothing of speed: it does what it says, and tells what is left of lives."""

import pytest

import arms_speed
import sim

pytestmark = pytest.mark.jit


def test_share_is_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    arms_speed.main("customers=400", "rounds=1")
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line[:1].isdigit()]
    assert [int(row[0]) for row in rows] == list(arms_speed.STARTS)
    shares = [float(row[1]) for row in rows]
    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)
    assert 0.1 < shares[3] < 0.3  # of five years of ten
    assert all(float(row[2]) > 1 for row in rows)


def test_a_wrong_option_is_told() -> None:
    with pytest.raises(sim.ScenarioError) as told:
        arms_speed.main("foo", "rounds=x", "customers=0")
    assert str(told.value).splitlines() == [
        "foo: is no option; there are customers, rounds",
        "rounds: must be a whole number above 0 (got x); such as 5",
        "customers: must be a whole number above 0 (got 0); such as 50000",
    ]
