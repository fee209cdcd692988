"""Flags become places, and values are looked up: each way against the plainest."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.kernels import vectors
from sim.kernels.types import GROUP

by_sixteens = [pytest.mark.jit, pytest.mark.skipif(not vectors.AT_ONCE, reason="code for machines with AVX-512")]
SEEDS, SIZES = st.integers(0, 2**32 - 1), st.integers(0, GROUP)


@pytest.mark.parametrize("way", [vectors.list_plainly, vectors.list_by_numpy, pytest.param(vectors.list_by_sixteens, marks=by_sixteens)])
@settings(deadline=None)
@given(n=SIZES, share=st.sampled_from([0.0, 0.01, 0.3, 0.99, 1.0]), seed=SEEDS)
def test_places_are_those_flagged(way: Callable[..., int], n: int, share: float, seed: int) -> None:
    draw = np.random.default_rng(seed)
    flags = (draw.integers(1, 2**32, GROUP, dtype=np.uint32) * (draw.random(GROUP) < share)).astype(np.uint32)
    expected, beyond = np.flatnonzero(flags[:n]), flags[n:].copy()
    assert way(flags, n) == expected.size
    assert flags[: expected.size].tolist() == expected.tolist()
    np.testing.assert_array_equal(flags[n:], beyond)  # who is not asked for is left as they are


@pytest.mark.parametrize("way", [vectors.take_plainly, vectors.take_by_numpy, pytest.param(vectors.take_by_sixteens, marks=by_sixteens)])
@pytest.mark.parametrize("kind", [np.uint32, np.float32, np.int64, np.uint64, np.float64])
@settings(deadline=None)
@given(size=st.integers(1, 70), n=SIZES, seed=SEEDS)
def test_values_are_those_of_the_table(way: Callable[..., None], kind: Any, size: int, n: int, seed: int) -> None:
    """Tables shorter and longer than registers hold; the very bits, NaN among them; nothing is written beyond those asked for."""
    draw = np.random.default_rng(seed)
    table = draw.integers(0, 256, size * np.dtype(kind).itemsize, dtype=np.uint8).view(kind)
    index, out = draw.integers(0, size, GROUP, dtype=np.uint32), np.zeros(GROUP, kind)
    way(table, index, out, n)
    assert out[:n].tobytes() == table[index[:n]].tobytes()
    assert not out[n:].any()
