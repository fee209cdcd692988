"""Random words: the published vectors, and that a draw is an address."""

import numpy as np
import pytest

from sim.kernels.philox import counter, draw, philox
from sim.kernels.types import GROUP
from tests import naive

# Known-answer vectors of Random123 (Salmon et al. 2011, kat_vectors, philox4x32 10).
VECTORS = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("at", "key", "words"), VECTORS)
def test_known_answers(at: list[int], key: list[int], words: list[int]) -> None:
    assert [int(word) for word in philox(*(np.uint64(word) for word in at + key))] == words
    assert naive.philox(at, key) == words


def test_group_draws_are_addressed_by_customer() -> None:
    words, shuffled = np.zeros((4, GROUP), np.uint32), np.zeros((4, GROUP), np.uint32)
    key = np.array([7, 9], np.uint64)
    place = np.arange(GROUP, dtype=np.uint16)
    identity = np.uint64(3 << 48 | 2 << 40 | 5 * GROUP)
    draw(words, place, 200, identity, counter(4, 11, 2), key)
    draw(shuffled, place[::-1].copy(), GROUP, identity, counter(4, 11, 2), key)
    for i in (0, 1, 77, 199):
        address = [5 * GROUP + i, 3 << 16 | 2 << 8, 4, 11 << 16 | 2]
        assert [int(word) for word in words[:, i]] == naive.philox(address, [7, 9])
        assert np.array_equal(words[:, i], shuffled[:, GROUP - 1 - i])
