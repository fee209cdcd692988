"""Two-word totals: however many amounts are added, none is lost."""

import numpy as np
import pytest

from sim.kernels.sums import add, add_products, add_square

MANY = 6000  # groups: six million customers, whose lower words together pass 2**63


@pytest.mark.parametrize("amount", [2**52 - 1, 2**61 - 1, 3])
def test_squares_of_many_groups(amount: int) -> None:
    total = np.zeros(2, np.int64)
    for _ in range(MANY):
        add_square(total, np.int64(amount))
    assert int(total[0]) * 2**52 + int(total[1]) == MANY * amount
    assert 0 <= total[1] < 2**52


def test_products_of_many_groups() -> None:
    a, b = 1024 * (2**15 - 1) ** 2, 1024 * (2**26 - 1) ** 2  # sums over a group of values of some two million, by halves
    cross = 1024 * (2**15 - 1) * (2**26 - 1)
    total = np.zeros(2, np.int64)
    for _ in range(MANY):
        add_products(total, np.int64(a), np.int64(cross), np.int64(b))
    assert int(total[0]) * 2**52 + int(total[1]) == MANY * (a * 2**52 + 2 * cross * 2**26 + b)


def test_money_of_many_groups() -> None:
    total = np.zeros(2, np.int64)
    for _ in range(MANY):
        add(total, np.int64(-(2**61) - 1))
    assert int(total[0]) * 2**32 + int(total[1]) == MANY * (-(2**61) - 1)
