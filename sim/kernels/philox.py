"""Philox-4x32-10 (Salmon, Moraes, Dror and Shaw 2011): 128 bits of address and 64 of key to four random 32-bit words.

A draw is an address, not a position in a stream: nothing that happens before it can move it. Counter words 0 and 1 are the
customer's identity (cohort 16 bits, segment slot 8, serial 40), word 2 the replicate, word 3 half the
tenure (upper 16 bits) and the purpose (lower 16); the key is the seed.
"""

import numpy as np

from sim.kernels.jit import jit, leaf
from sim.kernels.types import Array

MASK = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
MULTIPLIER_0 = np.uint64(0xD2511F53)
MULTIPLIER_1 = np.uint64(0xCD9E8D57)
WEYL_0 = np.uint64(0x9E3779B9)
WEYL_1 = np.uint64(0xBB67AE85)
ROUNDS = 10


@jit
def philox(c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64) -> tuple[np.uint64, ...]:
    """Return the four words at a counter under a key; all are uint64 holding 32 bits.

    On the way only what is multiplied is cut to 32 bits, which vector instructions do by themselves.
    """
    for _ in range(ROUNDS):
        product_0 = MULTIPLIER_0 * (c0 & MASK)
        product_1 = MULTIPLIER_1 * (c2 & MASK)
        c0 = (product_1 >> HALF) ^ c1 ^ k0
        c1 = product_1
        c2 = (product_0 >> HALF) ^ c3 ^ k1
        c3 = product_0
        k0 = (k0 + WEYL_0) & MASK
        k1 = (k1 + WEYL_1) & MASK
    return c0 & MASK, c1 & MASK, c2 & MASK, c3 & MASK


@leaf
def draw(words: Array, place: Array, n: int, identity: np.uint64, upper: tuple[np.uint64, np.uint64], key: Array) -> None:
    """Fill ``words`` (4, GROUP) uint32 for the first ``n`` customers of a group.

    identity: of the group's first customer, its serial a multiple of GROUP; place: (GROUP,) serials inside the group; upper: counter
    words 2 and 3; key: (2,) uint64.
    """
    low = identity & MASK
    high = identity >> HALF
    c2, c3 = np.uint64(upper[0]), np.uint64(upper[1])
    k0, k1 = key[0], key[1]
    w0, w1, w2, w3 = words[0], words[1], words[2], words[3]
    for i in range(n):
        a, b, c, d = philox(low | np.uint64(place[i]), high, c2, c3, k0, k1)
        w0[i] = np.uint32(a)
        w1[i] = np.uint32(b)
        w2[i] = np.uint32(c)
        w3[i] = np.uint32(d)


@leaf
def draw_each(words: Array, who: Array, place: Array, n: int, upper: tuple[np.uint64, np.uint64], key: Array) -> None:
    """Fill ``words`` for customers whose identities are no addresses; who: uint64, by place in the group, as far as any place goes."""
    c2, c3 = np.uint64(upper[0]), np.uint64(upper[1])
    k0, k1 = key[0], key[1]
    w0, w1, w2, w3 = words[0], words[1], words[2], words[3]
    for i in range(n):
        identity = who[place[i]]
        a, b, c, d = philox(identity & MASK, identity >> HALF, c2, c3, k0, k1)
        w0[i] = np.uint32(a)
        w1[i] = np.uint32(b)
        w2[i] = np.uint32(c)
        w3[i] = np.uint32(d)


@jit
def counter(replicate: int, half: int, purpose: int) -> tuple[np.uint64, np.uint64]:
    """Return counter words 2 and 3; half: half the tenure, as a block serves two periods."""
    return np.uint64(replicate), (np.uint64(half) << np.uint64(16)) | np.uint64(purpose)
