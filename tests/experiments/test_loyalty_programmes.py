"""Knowledge and community gain most, points for everybody nothing; together they gain less than each alone in sum."""

from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.running import run, told

NAME = "loyalty_programmes"


@pytest.mark.jit
def test_finding(tmp_path: Path) -> None:
    done = run(NAME, tmp_path, "run.customers=20000", columns=150)
    assert (done.returncode, done.stderr) == (0, "")
    found = pd.read_csv(tmp_path / "results" / f"{NAME}.csv", index_col="programme")
    gain, se = found["gain"], found["SE"]
    singles = gain.drop("all five")
    assert {*singles.nlargest(2).index} == {"Knowledge programme", "Community programme"}
    assert (singles.drop("Loyalty programme") > 2 * se.drop(["Loyalty programme", "all five"])).all()
    assert gain["Loyalty programme"] < -2 * se["Loyalty programme"]
    assert gain["all five"] < singles.sum() - se["all five"]
    assert found["before it"].to_numpy() == pytest.approx((found["cost"] + gain).to_numpy(), abs=0.01)
    needed = found["customers from which it pays"]
    points = needed["Loyalty programme"]  # a head they bring about what they cost
    assert points == "none" or float(points.replace(",", "")) > 10_000
    for programme in singles.drop("Loyalty programme").index:  # 10,000 customers gain what they gain above the number that pays
        share = 1 - float(needed[programme].replace(",", "")) / 10_000
        assert gain[programme] == pytest.approx(10 * found["USD a customer"][programme] * share, abs=0.1)


def test_a_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    assert told(NAME, tmp_path) == ["run.custmers", "run.seed"]
