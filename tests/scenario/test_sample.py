"""From cohorts and segments to cells: counts by Sainte-Laguë, against the slow obvious way."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.scenario import read
from sim.scenario.sample import DEFAULT_CUSTOMERS, cells, cohorts, sainte_lague
from tests.scenario.cases import sound

SHARES = st.lists(st.integers(0, 50), min_size=1, max_size=12).filter(any)


def quotient_by_quotient(shares: list[int], seats: int) -> tuple[int, ...]:
    """Give one seat after another to the largest share / (2 seats + 1), the first of equals."""
    counts = [0] * len(shares)
    for _ in range(seats):
        quotients = [share / (2 * count + 1) for share, count in zip(shares, counts, strict=True)]
        counts[quotients.index(max(quotients))] += 1
    return tuple(counts)


@given(SHARES, st.integers(0, 300))
def test_as_quotient_by_quotient(shares: list[int], seats: int) -> None:
    assert sainte_lague(shares, seats) == quotient_by_quotient(shares, seats)


@given(SHARES, st.integers(0, 10**12))
def test_one_more_only_adds(shares: list[int], seats: int) -> None:
    before, after = sainte_lague(shares, seats), sainte_lague(shares, seats + 1)
    assert sum(before) == seats
    assert sorted(b - a for a, b in zip(before, after, strict=True)) == [0] * (len(shares) - 1) + [1]
    assert all(count == 0 for share, count in zip(shares, after, strict=True) if share == 0)


@given(SHARES, st.integers(0, 10**6))
def test_near_its_share(shares: list[int], seats: int) -> None:
    for share, count in zip(shares, sainte_lague(shares, seats), strict=True):
        assert abs(count - seats * share / sum(shares)) <= max(1, len(shares) / 2)


def test_many_cohorts_are_no_burden() -> None:
    assert sainte_lague([1.0] * 60_000, 90_000) == (2,) * 30_000 + (1,) * 30_000


def test_without_cohorts_the_firm_arrives_at_once() -> None:
    (cell,) = cells(read(sound(firm__customers=1000, run__customers=50)))
    assert (cell.cohort, cell.arrival, cell.segment, cell.slot, cell.share, cell.firm, cell.sampled) == (0, 0, "all", 0, 1.0, 1000, 50)
    assert cells(read(sound()))[0].sampled == DEFAULT_CUSTOMERS


def test_cohorts_in_order_of_arrival() -> None:
    raw = sound(
        cohorts={
            "late": {"first_period": 3, "periods": 2, "budget": 100, "response": {"ceiling": 1000, "k": 0.01}},
            "early": {"periods": 3, "customers": [10, 21], "growth": 0.5},
        }
    )
    found = [(group.id, group.arrival, group.customers) for group in cohorts(read(raw))]
    bought = round(1000 * (1 - math.exp(-1)))
    assert found == [("early", 0, 10), ("early", 1, 32), ("early", 2, 47), ("late", 3, bought), ("late", 4, bought)]


@pytest.mark.parametrize("customers", [7, 100, 12_345])
def test_cells_share_out_firm_and_sample(customers: int) -> None:
    segments = {"a": {"share": 0.6}, "b": {"share": 0.4}}
    found = cells(read(sound(segments=segments, cohorts={"c": {"periods": 3, "customers": 100}}, run__customers=customers)))
    assert [(cell.cohort, cell.segment) for cell in found] == [(c, s) for c in range(3) for s in "ab"]
    assert math.fsum(cell.share for cell in found) == pytest.approx(1.0)
    assert math.fsum(cell.firm for cell in found) == pytest.approx(300.0)
    assert sum(cell.sampled for cell in found) == customers
