"""What functions of the API do not take, told in one line; and arrays, which a study does."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sim
from sim.scenario import ScenarioError
from sim.scenario.study import read_study

NO_SCENARIO = "scenario: must be a Scenario (got 'publisher'); sim.load(NAME) gives one"
NO_NAMES = "policies: must be a list of names of policies (got {}); for example ['win_back']"


@pytest.mark.parametrize("call", [sim.simulate, sim.exact, sim.explain, sim.compare, sim.sweep, sim.drivers])
def test_a_name_for_a_scenario(call: Callable[..., Any]) -> None:
    for given, named in ((("publisher",), {}), ((), {"scenario": "publisher"})):
        with pytest.raises(ScenarioError) as caught:
            call(*given, **named)
        assert str(caught.value) == NO_SCENARIO


@pytest.mark.parametrize(("policies", "shown"), [("win_back", "'win_back'"), (None, "null"), ([3], "[3]")])
def test_policies_that_are_no_list_of_names(policies: Any, shown: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        sim.compare(sim.load("lifecycle"), policies)
    assert str(caught.value) == NO_NAMES.format(shown)


def test_what_is_written_elsewhere() -> None:
    with pytest.raises(ScenarioError, match=r"^found: must be what a study found .*sim\.write_run$"):
        sim.write_study(sim.load("publisher"))  # type: ignore[arg-type]
    with pytest.raises(ScenarioError, match=r"^result: must be the Result of a run .*sim\.write_study$"):
        sim.write_run(sim.load("publisher"))  # type: ignore[arg-type]


def test_what_is_told_of_a_function_is_its_own() -> None:
    assert sim.compare.__doc__ == sim.studies.compare.compare.__doc__
    assert sim.compare is sim.compare
    assert isinstance(sim.Scenario, type)


@pytest.mark.parametrize("values", [np.array([3.0, 4.0]), pd.Series([3.0, 4.0]), (np.float64(3.0), np.int64(4)), range(3, 5)])
def test_arrays_are_lists_of_values(values: Any) -> None:
    assert read_study({"vary": {"horizon": values}}).vary["horizon"].values == (3, 4)


def test_a_misspelt_setting_of_a_verb() -> None:
    with pytest.raises(ScenarioError, match=r"^metod: unknown key; did you mean method\?$"):
        sim.sensitivity(sim.load("publisher"), {"horizon": [3]}, metod="sobol")
