"""Best-fit packing: every row once, no sequence too long, few sequences, always the same ones."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tutelage.records import Pack
from tutelage.tokens.packing import one_each, pack

SETS = st.integers(4, 60).flatmap(
    lambda capacity: st.tuples(st.just(capacity), st.lists(st.integers(1, capacity), min_size=1, max_size=60))
)


def first_fit_decreasing(lengths: list[int], capacity: int) -> int:
    """How many sequences the textbook rule needs."""
    room: list[int] = []
    for length in sorted(lengths, reverse=True):
        fitting = next((place for place, left in enumerate(room) if left >= length), None)
        if fitting is None:
            room.append(capacity - length)
        else:
            room[fitting] -= length
    return len(room)


def packed(lengths: list[int], capacity: int) -> list[Pack]:
    return pack(np.asarray(lengths, dtype=np.int64), capacity=capacity)


@given(SETS)
def test_each_row_stands_in_one_pack_and_none_is_too_long(given_set: tuple[int, list[int]]) -> None:
    capacity, lengths = given_set
    packs = packed(lengths, capacity)
    assert sorted(example for one in packs for example in one.examples) == list(range(len(lengths)))
    for one in packs:
        assert one.length == sum(lengths[example] for example in one.examples) <= capacity


@given(SETS)
def test_it_is_about_as_tight_as_first_fit_decreasing(given_set: tuple[int, list[int]]) -> None:
    capacity, lengths = given_set
    count = len(packed(lengths, capacity))
    assert count >= -(-sum(lengths) // capacity)
    assert count <= first_fit_decreasing(lengths, capacity) + 1


@given(SETS)
def test_the_fullest_sequence_that_fits_is_taken(given_set: tuple[int, list[int]]) -> None:
    """Best fit, told by a second reading: rows in their order of length, each into the least room that is enough."""
    capacity, lengths = given_set
    room: list[int] = []
    for length in sorted(lengths, reverse=True):
        fitting = [left for left in room if left >= length]
        if fitting:
            room.remove(min(fitting))
        room.append((min(fitting) if fitting else capacity) - length)
    assert sorted(capacity - one.length for one in packed(lengths, capacity)) == sorted(room)


@given(SETS)
def test_the_same_rows_make_the_same_packs(given_set: tuple[int, list[int]]) -> None:
    capacity, lengths = given_set
    assert packed(lengths, capacity) == packed(lengths, capacity)


def test_real_lengths_leave_little_room() -> None:
    lengths = np.random.default_rng(0).lognormal(4.5, 0.8, 5000).clip(8, 1024).astype(np.int64)
    packs = pack(lengths, capacity=1024)
    assert sum(one.length for one in packs) > 0.99 * 1024 * len(packs)
    assert len(packs) < 0.2 * len(one_each(lengths))


def test_no_rows_make_no_packs() -> None:
    assert packed([], 8) == []


def test_unpacked_each_row_is_a_pack() -> None:
    assert one_each(np.asarray([3, 5])) == [Pack((0,), 3), Pack((1,), 5)]
