"""Logarithm, exponential and normal quantile of our own: NumPy's and the C library's differ with the machine and with JIT on or off.

In float32, for loops that vectorise: functions of arrays where a loop of one would be too long, else of numbers. Accuracies are tested
against SciPy.
"""

import math

import numpy as np

from sim.kernels.jit import jit, leaf
from sim.kernels.types import Array, Integer

ONE = np.float32(1.0)
HALF = np.float32(0.5)
TWO = np.float32(2.0)
TO_UNIT = np.float32(2.0**-32)
LN2_HIGH = np.float32(0.693359375)
LN2_LOW = np.float32(-2.12194440e-4)
SQRT_HALF_BITS = np.int32(0x3F3504F3)
MANTISSA = np.int32(0x007FFFFF)
MANTISSA_BITS = np.int32(23)
SQRT2 = np.float32(1.41421356237)
TOP = np.uint32(0xFFFFFFFF)

LOG2_E_32 = np.float32(1.44269504088896341)
LARGEST_POWER = np.float32(80.0)
BIAS = np.int32(127)

SQRT_HALF_BITS_64 = np.int64(np.float64(0.7071067811865476).view(np.int64))
LOG2_E = 1.4426950408889634
LN2_HIGH_64 = 6.93147180369123816490e-01
LN2_LOW_64 = 1.90821492927058770002e-10
BIAS_64 = np.int64(1023)
MANTISSA_BITS_64 = np.int64(52)
MANTISSA_64 = np.int64(2**52 - 1)


@leaf
def log(x: Array, out: Array, n: Integer) -> None:
    """Write the natural logarithm of x > 0 (float32, normal numbers) to ``out``; x is overwritten. Within 1.5 ulp.

    x = m 2**e with m in [sqrt(1/2), sqrt(2)); the polynomial is that of Moshier's Cephes library (1989).
    """
    bits = x.view(np.int32)
    for i in range(n):
        b = bits[i] - SQRT_HALF_BITS
        out[i] = np.float32(b >> MANTISSA_BITS)
        bits[i] = (b & MANTISSA) + SQRT_HALF_BITS
    for i in range(n):
        m = x[i] - ONE
        e = out[i]
        z = m * m
        p = np.float32(7.0376836292e-2)
        p = p * m - np.float32(1.1514610310e-1)
        p = p * m + np.float32(1.1676998740e-1)
        p = p * m - np.float32(1.2420140846e-1)
        p = p * m + np.float32(1.4249322787e-1)
        p = p * m - np.float32(1.6668057665e-1)
        p = p * m + np.float32(2.0000714765e-1)
        p = p * m - np.float32(2.4999993993e-1)
        p = p * m + np.float32(3.3333331174e-1)
        y = p * m * z + e * LN2_LOW - HALF * z
        out[i] = (m + y) + e * LN2_HIGH


@leaf
def minus_log_complement(u: Array, v: Array, out: Array, n: Integer) -> None:
    """Write ``-ln(1 - u)`` to ``out``, with relative accuracy also near u = 0; v holds 1 - u > 0 and is overwritten.

    Below 1/2 the rounding of f = 1 - u is undone by the factor u / (1 - f) (Kahan's log1p).
    """
    for i in range(n):
        v[i] = ONE - u[i] if u[i] < HALF else v[i]
    log(v, out, n)
    for i in range(n):
        gap = ONE - (ONE - u[i])
        small = u[i] / gap if gap > np.float32(0.0) else ONE
        out[i] = -out[i] * (small if u[i] < HALF else ONE) if gap > np.float32(0.0) else u[i]


@leaf
def exponential(words: Array, u: Array, v: Array, out: Array, n: Integer) -> None:
    """Write standard exponential variates ``-ln(1 - word / 2**32)`` to ``out`` (float32); u and v are scratch.

    From the middle on, 1 - u is taken at the middle of the word's cell: the largest word gives 22.9, not infinity.
    """
    for i in range(n):
        u[i] = np.float32(words[i]) * TO_UNIT
        v[i] = (np.float32(TOP - words[i]) + HALF) * TO_UNIT
    minus_log_complement(u, v, out, n)


@leaf
def normal(words: Array, u: Array, v: Array, out: Array, n: Integer) -> None:
    """Write standard normal variates by inversion to ``out`` (float32); u and v are scratch.

    Within 1e-5 for |z| < 5, 3e-3 at the end, 6.34.

    Giles, Approximating the erfinv function (2011), single precision; the smaller tail is worked on, so both are exact mirrors.
    """
    for i in range(n):
        low = min(words[i], TOP - words[i])
        s = (np.float32(low) + HALF) * TO_UNIT
        u[i] = np.float32(4.0) * s * (ONE - s)
        v[i] = ONE - TWO * s
    log(u, out, n)
    for i in range(n):
        w = -out[i]
        c = w - np.float32(2.5)
        p = np.float32(2.81022636e-08)
        p = p * c + np.float32(3.43273939e-07)
        p = p * c - np.float32(3.5233877e-06)
        p = p * c - np.float32(4.39150654e-06)
        p = p * c + np.float32(0.00021858087)
        p = p * c - np.float32(0.00125372503)
        p = p * c - np.float32(0.00417768164)
        p = p * c + np.float32(0.246640727)
        p = p * c + np.float32(1.50140941)
        d = np.float32(math.sqrt(max(w, np.float32(0.0)))) - np.float32(3.0)
        q = np.float32(-0.000200214257)
        q = q * d + np.float32(0.000100950558)
        q = q * d + np.float32(0.00134934322)
        q = q * d - np.float32(0.00367342844)
        q = q * d + np.float32(0.00573950773)
        q = q * d - np.float32(0.0076224613)
        q = q * d + np.float32(0.00943887047)
        q = q * d + np.float32(1.00167406)
        q = q * d + np.float32(2.83297682)
        z = SQRT2 * v[i] * (p if w < np.float32(5.0) else q)
        out[i] = z if words[i] > TOP - words[i] else -z


@jit
def exponent(x: np.float32) -> np.float32:
    """Return e**x (within 2 ulp), x being cut to -80 … 80. Polynomial of Moshier's Cephes (1989)."""
    power = min(max(x, -LARGEST_POWER), LARGEST_POWER)
    whole = np.float32(np.floor(power * LOG2_E_32 + HALF))
    r = (power - whole * LN2_HIGH) - whole * LN2_LOW
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    return (p * (r * r) + r + ONE) * np.int32((np.int32(whole) + BIAS) << MANTISSA_BITS).view(np.float32)


@leaf
def exponent_64(x: Array, out: Array, n: Integer) -> None:
    """Write e**x (float64) for -700 < x < 700 to ``out``, as ``exp`` has it; x is overwritten."""
    bits = out.view(np.int64)
    for i in range(n):
        k = np.floor(x[i] * LOG2_E + 0.5)
        x[i] = (x[i] - k * LN2_HIGH_64) - k * LN2_LOW_64
        bits[i] = (np.int64(np.int32(k)) + BIAS_64) << MANTISSA_BITS_64
    for i in range(n):
        r = x[i]
        p = 1.0 + r / 13.0
        p = 1.0 + p * r / 12.0
        p = 1.0 + p * r / 11.0
        p = 1.0 + p * r / 10.0
        p = 1.0 + p * r / 9.0
        p = 1.0 + p * r / 8.0
        p = 1.0 + p * r / 7.0
        p = 1.0 + p * r / 6.0
        p = 1.0 + p * r / 5.0
        p = 1.0 + p * r / 4.0
        p = 1.0 + p * r / 3.0
        p = 1.0 + p * r / 2.0
        out[i] = (1.0 + p * r) * out[i]


@leaf
def log_64(x: Array, out: Array, n: Integer) -> None:
    """Write the natural logarithm of x > 0 (float64, normal numbers) to ``out``; x is overwritten. Within 2 ulp.

    x = m 2**e with m in [sqrt(1/2), sqrt(2)); the series is that of the artanh of (m - 1) / (m + 1).
    """
    bits = x.view(np.int64)
    for i in range(n):
        b = bits[i] - SQRT_HALF_BITS_64
        out[i] = np.float64(np.int32(b >> MANTISSA_BITS_64))
        bits[i] = (b & MANTISSA_64) + SQRT_HALF_BITS_64
    for i in range(n):
        e = out[i]
        s = (x[i] - 1.0) / (x[i] + 1.0)
        square = s * s
        total = 1.0 / 23.0
        for j in range(21, 0, -2):
            total = total * square + 1.0 / j
        out[i] = e * LN2_HIGH_64 + (2.0 * s * total + e * LN2_LOW_64)


@leaf
def exp(x: float) -> float:
    """Return e**x for -700 < x < 700 (float64, within 2 ulp): range reduction by ln 2 and a Taylor series of 13 terms."""
    k = math.floor(x * LOG2_E + 0.5)
    r = (x - k * LN2_HIGH_64) - k * LN2_LOW_64
    total = 1.0
    for j in range(13, 0, -1):
        total = 1.0 + total * r / j
    return math.ldexp(total, int(k))
