"""Philox-4x32-10 (Salmon, Moraes, Dror and Shaw 2011): 128 bits of address and 64 of key to four random 32-bit words.

A draw is an address, not a position in a stream: nothing that happens before it can move it. Counter words 0 and 1 are the
customer's identity (cohort 16 bits, segment slot 8, serial 40), word 2 the replicate, word 3 half the
tenure or a quarter of it (upper 16 bits) and the purpose (lower 16); the key is the seed.
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

SPREADING = np.uint64(0x9E3778C1)
"""An odd number near 2**32 divided by the golden ratio; the continued fraction of its share of 2**32 has no term above 3."""


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


@jit
def second(word: np.uint64) -> np.uint64:
    """Return a word's second number, of 32 bits, by which those whom the first lets leave choose their edge.

    Over any T words in a row the second numbers are spread evenly: as many in any range as its share of T, give or take less than
    1 + ln T. (Multiples of a number whose continued fraction is bounded deviate in the order of ln T: Niederreiter 1992. The constant was
    computed for this one, for all T.) All words together give each number once.
    """
    return word * SPREADING & MASK


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
def counter(replicate: int, number: int, purpose: int) -> tuple[np.uint64, np.uint64]:
    """Return counter words 2 and 3; number: of the block, half the tenure or a quarter, as it serves two periods or four."""
    return np.uint64(replicate), (np.uint64(number) << np.uint64(16)) | np.uint64(purpose)
