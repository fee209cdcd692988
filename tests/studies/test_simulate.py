"""One call from a Scenario to its Result."""

import subprocess
import sys

import pytest

from sim.scenario import ScenarioError
from sim.studies.simulate import simulate
from tests.measures import cases


def test_simulated_customers_are_those_of_the_scenario() -> None:
    result = simulate(cases.relationship(run={"customers": 40, "replicates": 3}))
    assert result.clv["customers"].iloc[0] == 120
    assert result.sample.horizon == 9


def test_progress_is_told() -> None:
    heard: list[tuple[int, int]] = []
    simulate(cases.publisher(run={"customers": 100}), lambda done, total: heard.append((done, total)))
    assert heard[-1] == (100, 100)


def test_an_endless_horizon_is_refused() -> None:
    with pytest.raises(
        ScenarioError, match=r"^horizon: must be a whole number of periods .* \(got inf\); give a horizon, or ask for exact$"
    ):
        simulate(cases.publisher(horizon="inf"))


def test_frames_wait_until_they_are_asked_for() -> None:
    code = "import sys, sim.studies.simulate, sim.studies.result; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
