"""Random words: the published vectors, and that a draw is an address."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.kernels.philox import MASK, SPREADING, counter, draw, philox, second
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


def seconds(first: int, count: int) -> NDArray[np.uint64]:
    """Return the second numbers of words in a row."""
    return np.arange(first, first + count, dtype=np.uint64) * SPREADING & MASK


@given(first=st.integers(0, 2**32 - 1), count=st.integers(1, 200_000), low=st.floats(0, 1), width=st.floats(0, 1))
def test_second_numbers_are_spread_over_any_range_of_words(first: int, count: int, low: float, width: float) -> None:
    """Of T words in a row as many second numbers fall into a range as its share of T, give or take less than 1 + ln T; chance gives √T."""
    count = min(count, 2**32 - first)
    numbers = seconds(first, count) / 2**32
    inside = int(np.sum((numbers >= low) & (numbers < low + width)))
    assert abs(inside - count * (min(low + width, 1.0) - low)) < 1 + log(count)


def test_each_second_number_is_that_of_one_word() -> None:
    """An odd factor has an inverse. The twin, which knows the factor by itself, has the same numbers."""
    for word in (0, 1, 2, 2**31, 2**32 - 1):
        number = int(second(np.uint64(word)))
        assert (word, number) == naive.twofold(word)
        assert number * pow(int(SPREADING), -1, 2**32) % 2**32 == word
    assert seconds(5, 3).tolist() == [naive.twofold(word)[1] for word in (5, 6, 7)]


def test_second_numbers_of_any_share_of_words_are_spread() -> None:
    """At the largest deviation there is, from all ranges that begin at 0, over ever more of the words."""
    for count in (10, 1_000, 100_000, 5_000_000):
        numbers = np.sort(seconds(0, count)) / 2**32
        place = np.arange(count)
        assert max(np.max(np.abs(place - count * numbers)), np.max(np.abs(place + 1 - count * numbers))) < (1 + log(count)) / 2
