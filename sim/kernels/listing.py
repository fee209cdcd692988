"""Which of a group: flags become the places of those who are flagged.

Where an instruction squeezes a vector (AVX-512), sixteen places are listed at once: LLVM does not find that by itself, so the loop's body
is written for it here. It is the same list either way; elsewhere, and without compiling, a plain loop makes it.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from sim.kernels.jit import leaf
from sim.kernels.types import Array, Integer

LANES = 16
SQUEEZE = "llvm.experimental.vector.compress.v16i32"


def _squeeze(_: Any, flags: Any, start: Any, listed: Any) -> Any:
    """Type ``squeeze(flags, start, listed)`` and write its code.

    It takes the flags from ``start`` to ``start + 15``, writes the places of those that are not 0 from ``listed`` on, where all sixteen
    may be overwritten, and returns how many they are.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole, lanes = ir.IntType(32), ir.VectorType(ir.IntType(32), LANES)
        array = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        read, write = (builder.bitcast(builder.gep(array, [at]), lanes.as_pointer()) for at in arguments[1:])
        found = builder.load(read, align=4)
        mask = builder.icmp_unsigned("!=", found, ir.Constant(lanes, [0] * LANES))
        first = builder.insert_element(ir.Constant(lanes, ir.Undefined), builder.trunc(arguments[1], whole), ir.Constant(whole, 0))
        all_first = builder.shuffle_vector(first, ir.Constant(lanes, ir.Undefined), ir.Constant(lanes, [0] * LANES))
        sixteen = builder.add(all_first, ir.Constant(lanes, list(range(LANES))))
        kind = ir.FunctionType(lanes, [lanes, mask.type, lanes])
        function = cgutils.get_or_insert_function(builder.module, kind, SQUEEZE)  # type: ignore[no-untyped-call]
        builder.store(builder.call(function, [sixteen, mask, ir.Constant(lanes, ir.Undefined)]), write, align=4)
        return builder.zext(builder.ctpop(builder.bitcast(mask, ir.IntType(LANES))), arguments[2].type)

    return types.uintp(flags, types.uintp, types.uintp), generate


squeeze: Any = intrinsic(_squeeze)


@leaf
def list_plainly(flags: Array, n: Integer) -> Integer:
    """Write the places of the first n ``flags`` (uint32) that are not 0 over them, ascending, and return their number."""
    listed = np.uintp(0)
    for i in range(n):
        flagged = np.uintp(flags[i] != 0)
        flags[listed] = np.uint32(i)
        listed += flagged
    return np.int64(listed)


@leaf
def list_by_sixteens(flags: Array, n: Integer) -> Integer:
    """Do as ``list_plainly`` does."""
    listed, whole = np.uintp(0), n // LANES * LANES
    for start in range(0, whole, LANES):
        listed += squeeze(flags, np.uintp(start), listed)
    for i in range(whole, n):
        flagged = np.uintp(flags[i] != 0)
        flags[listed] = np.uint32(i)
        listed += flagged
    return np.int64(listed)


SETTINGS: Any = numba.config
list_places = list_by_sixteens if not SETTINGS.DISABLE_JIT and binding.get_host_cpu_features().get("avx512f", False) else list_plainly
