"""The mixture: shares within one row, whole repeats, no row more often than another by more than one."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.data import mixture
from tutelage.errors import DataError

SOURCES = st.lists(st.tuples(st.integers(1, 40), st.floats(0.01, 10)), min_size=1, max_size=5)


@given(SOURCES, st.integers(0, 3))
def test_shares_are_met_within_one_row(sources: list[tuple[int, float]], seed: int) -> None:
    counts, weights = [count for count, _ in sources], [weight for _, weight in sources]
    rows = mixture(counts, weights, seed=seed)
    assert rows.shape == (sum(counts), 2)
    assert rows.dtype == np.int64
    assert np.array_equal(rows, mixture(counts, weights, seed=seed))
    for source, (count, weight) in enumerate(sources):
        chosen = rows[rows[:, 0] == source, 1]
        assert abs(len(chosen) - sum(counts) * weight / sum(weights)) < 1
        times = Counter(chosen.tolist())
        assert set(times) <= set(range(count))
        assert max(times.values(), default=0) - min((times[row] for row in range(count)), default=0) <= 1


def test_without_weights_each_row_stands_once() -> None:
    assert mixture([2, 0, 1], [None] * 3, seed=1).tolist() == [[0, 0], [0, 1], [2, 0]]
    assert mixture([], [], seed=1).shape == (0, 2)


def test_a_source_without_weight_counts_by_its_size() -> None:
    rows = mixture([900, 100], [None, 0.9], seed=1)  # 900 of 1000 rows is a weight of 0.9: equal shares
    assert Counter(rows[:, 0].tolist()) == {0: 500, 1: 500}
    assert set(Counter(rows[rows[:, 0] == 1, 1].tolist()).values()) == {5}


def test_the_seed_draws_the_remainder() -> None:
    draws = {tuple(mixture([100, 100], [0.1, 0.9], seed=seed)[:20, 1].tolist()) for seed in range(3)}
    assert len(draws) == 3


def test_a_weight_on_nothing_is_refused() -> None:
    with pytest.raises(DataError, match=r"data\.sources\[1\]: weight 0\.5"):
        mixture([5, 0], [0.5, 0.5], seed=1)
