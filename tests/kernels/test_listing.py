"""Flags become places: both ways, against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.kernels.listing import list_by_sixteens, list_places, list_plainly
from sim.kernels.types import GROUP

WAYS = [list_plainly, pytest.param(list_by_sixteens, marks=pytest.mark.jit)]


@pytest.mark.parametrize("way", WAYS)
@settings(deadline=None)
@given(n=st.integers(0, GROUP), share=st.sampled_from([0.0, 0.01, 0.3, 0.99, 1.0]), seed=st.integers(0, 2**32 - 1))
def test_places_are_those_flagged(way: object, n: int, share: float, seed: int) -> None:
    draw = np.random.default_rng(seed)
    flags = (draw.integers(1, 2**32, GROUP, dtype=np.uint32) * (draw.random(GROUP) < share)).astype(np.uint32)
    expected, beyond = np.flatnonzero(flags[:n]), flags[n:].copy()
    assert callable(way)
    assert way(flags, n) == expected.size
    assert flags[: expected.size].tolist() == expected.tolist()
    np.testing.assert_array_equal(flags[n:], beyond)  # who is not asked for is left as they are


def test_one_of_both_is_in_use() -> None:
    assert list_places in (list_plainly, list_by_sixteens)
