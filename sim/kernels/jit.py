"""How kernels are compiled: cached, without the interpreter lock, and with C's division, which lets loops vectorise.

No fastmath: results must not depend on the machine. Each kernel also runs as plain Python (NUMBA_DISABLE_JIT=1) with the same bits,
so every constant is typed, no unsigned value wraps around, and bits are cast by array views.
"""

from collections.abc import Callable
from typing import TypeVar

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def jit(function: Kernel) -> Kernel:
    """Compile a kernel on its first call."""
    compiled: Kernel = numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False, forceinline=True)(function)
    return compiled
