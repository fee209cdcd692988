"""How kernels are compiled: cached, without the interpreter lock, and with C's division, which lets loops vectorise.

No reference counts (``_nrt``) and everything inlined into the two drivers: Tables and Tally are some hundred arrays, and counting
references to them at each call, or passing them at all, took most of the time (DECISIONS.md has the figures). So kernels cannot
allocate: what they need is in Scratch. No fastmath: results must not depend on the machine. Each kernel also runs as plain Python
(NUMBA_DISABLE_JIT=1) with the same bits, so every constant is typed, no unsigned value wraps around, bits are cast by array views.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., object])

LEAF: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False, "no_cfunc_wrapper": True}
OPTIONS: dict[str, Any] = {**LEAF, "forceinline": True}
INNER: dict[str, Any] = {**OPTIONS, "no_cpython_wrapper": True}


def jit(function: Kernel) -> Kernel:
    """Compile a kernel on its first call, and keep it."""
    compiled: Kernel = numba.njit(cache=True, **OPTIONS)(function)
    return compiled


def inner(function: Kernel) -> Kernel:
    """Compile a kernel that only kernels call: a way in from Python, which unpacks all of Tables, costs more than all else to compile."""
    compiled: Kernel = numba.njit(**INNER)(function)
    return compiled


def leaf(function: Kernel) -> Kernel:
    """Compile a loop over a few plain arrays, as ``jit`` does, but once: it is called, not copied into each of its callers."""
    compiled: Kernel = numba.njit(cache=True, **LEAF)(function)
    return compiled
