"""Rows that are passed over are those, and only those, that comparing all with all would pass over."""

import random
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.curate import alike
from tutelage.curate.alike import SIZE, Signatures, Unlike
from tutelage.curate.selection import signature


def taken(signatures: Signatures, above: int) -> tuple[list[int], int]:
    """The rows that are taken where each is that can be, and for how many not all was read."""
    unlike = Unlike(signatures, above)
    found = []
    for place in range(len(signatures)):
        if not unlike.passed[place]:
            unlike.take(place)
            found.append(place)
    return found, unlike.cut_short


def by_hand(signatures: Signatures, above: int) -> list[int]:
    """Each row compared with every row that was taken."""
    found = list[int]()
    for place, one in enumerate(signatures):
        if all(np.count_nonzero(one == signatures[other]) <= above for other in found):
            found.append(place)
    return found


def of(prompts: list[str]) -> Signatures:
    return np.frombuffer(b"".join(map(signature, prompts)), dtype=np.uint8).reshape(-1, SIZE)


def patterned(rows: int, seed: int) -> Signatures:
    """Prompts of one pattern, some of which are nearly the same."""
    draw = random.Random(seed)
    words = ["".join(draw.choices("abdeiklmnorstu", k=draw.randint(3, 8))) for _ in range(40)]
    form = "Write a short and cheerful poem about {} and {}, with {} in the last line"
    return of([form.format(*draw.choices(words, k=3)) for _ in range(rows)])


@pytest.mark.parametrize("above", [0, 2, 31, 44, 57, 63])
def test_rows_of_one_pattern_are_chosen_as_by_comparing_all(above: int) -> None:
    rows = patterned(400, seed=above)
    expected = by_hand(rows, above)
    assert taken(rows, above) == (expected, 0)
    assert len(expected) < len(rows) or above == 63


@given(st.integers(0, 2**32), st.integers(0, 63), st.integers(1, 5))
def test_rows_of_few_bytes_are_chosen_as_by_comparing_all(seed: int, above: int, values: int) -> None:
    """Every byte is common, and most rows are like many others."""
    rows = np.random.default_rng(seed).integers(0, values, (60, SIZE), dtype=np.uint8)
    rows[30:] = np.where(np.random.default_rng(seed + 1).random((30, SIZE)) < 0.75, rows[:30], rows[30:])
    assert taken(rows, above) == (by_hand(rows, above), 0)


def test_where_too_much_would_be_read_rows_are_missed_and_told_but_none_is_passed_over_wrongly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = patterned(400, seed=1)
    expected = by_hand(rows, 44)
    monkeypatch.setattr(alike, "_READ", 20)
    monkeypatch.setattr(alike, "_AHEAD", 0)
    found, cut_short = taken(rows, 44)
    assert 0 < cut_short <= len(found)
    assert len(expected) < len(found) < len(rows)
    unlike = Unlike(rows, 44)
    unlike.take(0)
    passed = np.flatnonzero(unlike.passed)
    assert all(np.count_nonzero(rows[place] == rows[0]) > 44 for place in passed)


def test_copies_go_with_the_first() -> None:
    rows = np.repeat(patterned(1, seed=2), 5_000, axis=0)
    assert taken(rows, 44) == ([0], 0)


def test_no_rows_are_no_error() -> None:
    assert taken(np.empty((0, SIZE), dtype=np.uint8), 44) == ([], 0)


def test_many_rows_of_one_pattern_take_no_time() -> None:
    draw = random.Random(5)
    rows = of([f"Write a poem about {''.join(draw.choices('abcdefghij', k=9))}" for _ in range(20_000)])
    start = time.process_time()
    found, cut_short = taken(rows, 44)
    assert time.process_time() - start < 12  # comparing all that share the pattern took 45 s
    assert len(found) > 10_000
    assert not cut_short
