"""Sixteen at once: flags become the places of those who are flagged, and values are looked up in short tables.

LLVM finds neither by itself. Where the machine has AVX-512 the bodies of these loops are written for it here, in LLVM's own language;
elsewhere plain loops do the same, and NumPy where nothing is compiled.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from sim.kernels.jit import leaf
from sim.kernels.types import Array, Integer

LANES = 16
PAIR = 128
"""Bytes that two registers hold."""

CHOICES = 8
C1, C2, C3, C4, C5, C6, C7 = np.arange(1, CHOICES, dtype=np.uint32)


def _call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Return a call of one of LLVM's own functions."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)  # type: ignore[no-untyped-call]


def _squeeze(_: Any, flags: Any, start: Any, listed: Any) -> Any:
    """Type ``squeeze(flags, start, listed)`` and write its code.

    It takes the flags from ``start`` to ``start + 15``, writes the places of those that are not 0 from ``listed`` on, where all sixteen
    may be overwritten, and returns how many they are.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole, lanes = ir.IntType(32), ir.VectorType(ir.IntType(32), LANES)
        array = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        read, write = (builder.bitcast(builder.gep(array, [at]), lanes.as_pointer()) for at in arguments[1:])
        mask = builder.icmp_unsigned("!=", builder.load(read, align=4), ir.Constant(lanes, [0] * LANES))
        first = builder.insert_element(ir.Constant(lanes, ir.Undefined), builder.trunc(arguments[1], whole), ir.Constant(whole, 0))
        all_first = builder.shuffle_vector(first, ir.Constant(lanes, ir.Undefined), ir.Constant(lanes, [0] * LANES))
        sixteen = builder.add(all_first, ir.Constant(lanes, list(range(LANES))))
        squeezed = _call(builder, "llvm.experimental.vector.compress.v16i32", lanes, sixteen, mask, ir.Constant(lanes, ir.Undefined))
        builder.store(squeezed, write, align=4)
        return builder.zext(builder.ctpop(builder.bitcast(mask, ir.IntType(LANES))), arguments[2].type)

    return types.uintp(flags, types.uintp, types.uintp), generate


def _permute(_: Any, table: Any, index: Any, out: Any, blocks: Any) -> Any:
    """Type ``permute(table, index, out, blocks)`` and write its code: ``out = table[index]``, a block of sixteen after the other.

    table, out: of 32 or 64 bits, alike; table: at most PAIR bytes; index: uint32, all below the table's size.
    """
    return _looked_up(table, index, out, 1)


def _permute_long(_: Any, table: Any, index: Any, out: Any, blocks: Any) -> Any:
    """Type ``permute_long`` and write its code: ``permute`` of at most twice PAIR bytes."""
    return _looked_up(table, index, out, 2)


def _looked_up(table: Any, index: Any, out: Any, pairs: int) -> Any:
    """Return type and code of looking up in a table held in so many pairs of registers."""
    bits = table.dtype.bitwidth
    lanes = 512 // bits
    whole, vector, narrow = ir.IntType(64), ir.VectorType(ir.IntType(bits), lanes), ir.VectorType(ir.IntType(32), lanes)
    wide = ir.VectorType(whole, lanes)
    suffix = "q" if bits == 64 else "d"

    def every(builder: Any, one: Any) -> Any:
        first = builder.insert_element(ir.Constant(wide, ir.Undefined), one, ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(first, ir.Constant(wide, ir.Undefined), ir.Constant(narrow, [0] * lanes))

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held, indices, found = (
            context.make_array(kind)(context, builder, one) for kind, one in zip(signature.args[:3], arguments[:3], strict=True)
        )
        size, registers = every(builder, held.nitems), []
        for first in range(0, 2 * pairs * lanes, lanes):
            there = builder.icmp_unsigned("<", ir.Constant(wide, list(range(first, first + lanes))), size)
            where = builder.bitcast(builder.gep(held.data, [ir.Constant(whole, first)]), vector.as_pointer())
            align, nothing = ir.Constant(ir.IntType(32), bits // 8), ir.Constant(vector, [0] * lanes)
            registers.append(_call(builder, f"llvm.masked.load.v{lanes}i{bits}.p0", vector, where, align, there, nothing))
        rounds = builder.mul(arguments[3], ir.Constant(whole, LANES // lanes))
        with cgutils.for_range(builder, rounds) as loop:
            place = builder.mul(loop.index, ir.Constant(whole, lanes))
            wanted = builder.load(builder.bitcast(builder.gep(indices.data, [place]), narrow.as_pointer()), align=4)
            wanted = builder.zext(wanted, vector) if bits > 32 else wanted
            name = f"llvm.x86.avx512.vpermi2var.{suffix}.512"
            values = _call(builder, name, vector, registers[0], wanted, registers[1])
            if pairs == 2:
                beyond = builder.icmp_unsigned(">=", wanted, ir.Constant(vector, [2 * lanes] * lanes))
                values = builder.select(beyond, _call(builder, name, vector, registers[2], wanted, registers[3]), values)
            builder.store(values, builder.bitcast(builder.gep(found.data, [place]), vector.as_pointer()), align=bits // 8)
        return context.get_dummy_value()

    return types.void(table, index, out, types.intp), generate


def _prefetch(_: Any, values: Any, place: Any) -> Any:
    """Type ``prefetch(values, place)`` and write its code: ask for an entry of an array that is soon read, which changes nothing else."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word, data = ir.IntType(32), context.make_array(signature.args[0])(context, builder, arguments[0]).data
        where = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        reads, into_second_level, data_cache = (ir.Constant(word, number) for number in (0, 2, 1))
        kind = ir.FunctionType(ir.VoidType(), [where.type, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")  # type: ignore[no-untyped-call]
        builder.call(function, [where, reads, into_second_level, data_cache])
        return context.get_dummy_value()

    return types.void(values, types.intp), generate


squeeze: Any = intrinsic(_squeeze)
permute: Any = intrinsic(_permute)
permute_long: Any = intrinsic(_permute_long)


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


@leaf
def take_plainly(table: Array, index: Array, out: Array, n: Integer) -> None:
    """Write ``table[index]`` to the first n places of ``out``. Of a very short table by choices, which vectorise."""
    last = table.size - 1
    if last >= CHOICES:
        for i in range(n):
            out[i] = table[index[i]]
        return
    a, b, c, d = table[0], table[min(1, last)], table[min(2, last)], table[min(3, last)]
    e, f, g, h = table[min(4, last)], table[min(5, last)], table[min(6, last)], table[min(7, last)]
    for i in range(n):
        at = index[i]
        x = b if at == C1 else a
        x = c if at == C2 else x
        x = d if at == C3 else x
        x = e if at == C4 else x
        x = f if at == C5 else x
        x = g if at == C6 else x
        out[i] = h if at == C7 else x


@leaf
def take_by_sixteens(table: Array, index: Array, out: Array, n: Integer) -> None:
    """Do as ``take_plainly`` does."""
    size = table.size * table.itemsize
    if size > 2 * PAIR:
        for i in range(n):
            out[i] = table[index[i]]
        return
    if size <= PAIR:
        permute(table, index, out, n // LANES)
    else:
        permute_long(table, index, out, n // LANES)
    for i in range(n // LANES * LANES, n):
        out[i] = table[index[i]]


def list_by_numpy(flags: Array, n: Integer) -> Integer:
    """Do as ``list_plainly`` does."""
    places = np.flatnonzero(flags[:n])
    flags[: places.size] = places
    return places.size


def take_by_numpy(table: Array, index: Array, out: Array, n: Integer) -> None:
    """Do as ``take_plainly`` does."""
    out[:n] = table[index[:n]]


def prefetch_nothing(values: Array, place: Integer) -> None:
    """Stand in for ``prefetch`` where nothing is compiled."""


SETTINGS: Any = numba.config
prefetch: Any = prefetch_nothing if SETTINGS.DISABLE_JIT else intrinsic(_prefetch)
AT_ONCE = not SETTINGS.DISABLE_JIT and "+avx512f" in cpu_target.target_context.codegen().magic_tuple()[2]
"""Whether code is compiled for a machine that does sixteen at once."""

Lists = Callable[[Array, Integer], Integer]
Takes = Callable[[Array, Array, Array, Integer], None]
PLAIN: tuple[Lists, Takes] = (list_by_numpy, take_by_numpy) if SETTINGS.DISABLE_JIT else (list_plainly, take_plainly)
list_places: Lists
take: Takes
list_places, take = (list_by_sixteens, take_by_sixteens) if AT_ONCE else PLAIN
