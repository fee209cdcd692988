"""Tables say what types.py says of them, and what cannot be held is refused."""

import inspect
import itertools
import re

import numpy as np
import pytest

from sim.compile import compile_tables
from sim.compile.tables import beta_purposes
from sim.engine.arrays import empty_kept, empty_scratch, empty_state, empty_tally
from sim.kernels import types
from sim.kernels.addresses import BETA_PURPOSES
from sim.scenario import ScenarioError
from sim.scenario.model import Scenario
from tests import zoo

FIELD = re.compile(r"^    (\w+): Array  # \(([^)]*)\) ?(\w+)?", re.MULTILINE)


@pytest.mark.parametrize("name", zoo.ZOO)
def test_every_array_has_the_axes_and_type_its_comment_gives(name: str) -> None:
    tables = compile_tables(zoo.scenario(name))
    state, scratch = empty_state(tables, 3, 32), empty_scratch(tables, 32)
    for arrays in (tables, state, scratch, empty_tally(tables, 5, 2), empty_kept(1, 10)):
        said = {field: (axes, kind) for field, axes, kind in FIELD.findall(inspect.getsource(type(arrays)))}
        assert set(said) == set(arrays._fields)
        for field, values in zip(arrays._fields, arrays, strict=True):
            axes, kind = said[field]
            assert values.ndim == len([axis for axis in axes.split(",") if axis.strip()]), field
            assert values.dtype == np.dtype(kind or "int64"), field


def test_state_of_a_customer_takes_at_most_64_bytes() -> None:
    tables = compile_tables(zoo.scenario("bgbb"))
    assert sum(values.nbytes for values in empty_state(tables, 7, types.GROUP)) <= 64 * 7 * types.GROUP


def test_two_beta_edges_may_not_share_their_draws() -> None:
    seen: dict[int, str] = {}
    for number in itertools.count():
        edge = f"customer.edge{number}"
        purpose = int(beta_purposes([edge])[0])
        assert BETA_PURPOSES <= purpose < 2 * BETA_PURPOSES
        if purpose in seen:
            break
        seen[purpose] = edge
    with pytest.raises(ScenarioError, match=rf"stages\.{seen[purpose]}: would share its random draws"):
        beta_purposes([seen[purpose], edge])


@pytest.mark.parametrize(
    "parts",
    [
        {"stages": {"customer": {"price": 1e9, "to": {"lost": {"probability": 0.1}}}, "lost": {"kind": "lost"}}},
        {"purchases": {"kind": "poisson", "rate": 300.0, "order_value": {"mean": 1e6, "cv": 3.0}}},
        {"acquisition": {"cost": 1e10}},
    ],
)
def test_amounts_the_ledger_cannot_hold_are_refused(parts: dict[str, object]) -> None:
    with pytest.raises(ScenarioError, match="discounted money over the horizon could reach"):
        compile_tables(Scenario.model_validate(zoo.one_stage({"probability": 0.1}, **parts)))


def test_variants_of_different_length_are_padded() -> None:
    stages = {"customer": {"to": {"lost": {"probability": [0.1, 0.2, 0.3]}}}}
    scenario = Scenario.model_validate(
        zoo.one_stage({"probability": 0.1}, segments={"a": {"share": 0.5}, "b": {"share": 0.5, "stages": stages}})
    )
    tables = compile_tables(scenario)
    assert tables.row_stage.shape == (2, 3 + 1 + 2 + 1)
    assert tables.nowhere.tolist() == [4, 6]
