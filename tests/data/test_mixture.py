"""The mixture: shares within one row, whole repeats, no row more often than another by more than one."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.data import epoch_rows, mixture
from tutelage.errors import DataError
from tutelage.recipe import DataSection

WEIGHTED = st.lists(st.tuples(st.integers(1, 40), st.floats(0.01, 10)), min_size=1, max_size=5)


def section(*sources: dict[str, Any], **settings: Any) -> DataSection:
    named = [{"path": f"{number}.jsonl", **source} for number, source in enumerate(sources)]
    return DataSection.model_validate({"sources": named, **settings})


def rows_of(counts: list[int], *sources: dict[str, Any], **settings: Any) -> list[int]:
    return list(epoch_rows(section(*sources, **settings), counts).tolist())


@given(WEIGHTED)
def test_weights_are_met_within_one_row(sources: list[tuple[int, float]]) -> None:
    counts, weights = [count for count, _ in sources], [weight for _, weight in sources]
    wanted = rows_of(counts, *({"weight": weight} for weight in weights))
    assert sum(wanted) == sum(counts)
    for rows, weight in zip(wanted, weights, strict=True):
        assert abs(rows - sum(counts) * weight / sum(weights)) < 1


def test_without_settings_each_row_stands_once() -> None:
    assert rows_of([2, 0, 1], {}, {}, {}) == [2, 0, 1]
    assert mixture([2, 0, 1], [2, 0, 1], seed=1).tolist() == [[0, 0], [0, 1], [2, 0]]
    assert mixture([], [], seed=1).shape == (0, 2)
    assert rows_of([]) == []


def test_a_source_without_weight_counts_by_its_size() -> None:
    assert rows_of([900, 100], {}, {"weight": 0.9}) == [500, 500]  # 900 of 1000 rows is a weight of 0.9: equal shares


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=5), st.floats(0.05, 100))
def test_a_temperature_raises_the_rows_to_its_inverse(counts: list[int], temperature: float) -> None:
    wanted = rows_of(counts, *({} for _ in counts), temperature=temperature)
    logs = np.log(counts) / temperature
    shares = np.exp(logs - logs.max())
    assert sum(wanted) == sum(counts)
    assert np.abs(np.array(wanted) - sum(counts) * shares / shares.sum()).max() < 1.001


def test_temperature_one_changes_nothing_and_a_high_one_levels() -> None:
    assert rows_of([900, 90, 10], {}, {}, {}, temperature=1) == [900, 90, 10]
    level = rows_of([900, 90, 10], {}, {}, {}, temperature=1e6)
    assert sum(level) == 1000
    assert max(level) - min(level) <= 1
    low, high = (rows_of([900, 100], {}, {}, temperature=one)[1] for one in (2, 5))
    assert 100 < low < high < 500


def test_fixed_numbers_stand_beside_shares_of_the_rest() -> None:
    assert rows_of([100, 30, 10], {"rows": 250}, {}, {}) == [250, 30, 10]
    assert rows_of([100, 30, 10], {"rows": 7}, {"weight": 1}, {"weight": 3}) == [7, 10, 30]
    assert rows_of([100, 900, 100], {"rows": 7}, {}, {}, temperature=1e9) == [7, 500, 500]
    assert rows_of([5, 5], {"rows": 1}, {"rows": 12}) == [1, 12]


GENERAL, DOMAIN = {"role": "general"}, {"role": "domain"}


def test_a_mode_trains_its_sources() -> None:
    for mode in ("general", "domain"):
        chosen = section(GENERAL, DOMAIN, DOMAIN, mode=mode)
        assert {source.role for source in chosen.trained} == {mode}
        held = [40] * len(chosen.trained)
        assert epoch_rows(chosen, held).tolist() == held
    shares = ({**GENERAL, "weight": 1}, {**DOMAIN, "weight": 3})
    assert rows_of([60, 20], *shares, mode="mixed") == [20, 60]
    assert section(GENERAL, DOMAIN).trained == section(GENERAL, DOMAIN).sources


@given(
    st.lists(st.integers(20, 5000), min_size=1, max_size=3),
    st.lists(st.integers(1, 5000), min_size=1, max_size=3),
    st.floats(0.01, 0.9),
)
def test_continual_replays_a_share_of_the_epoch(domain: list[int], general: list[int], share: float) -> None:
    sources = [*({**DOMAIN} for _ in domain), *({**GENERAL} for _ in general)]
    wanted = rows_of([*domain, *general], *sources, mode="continual", replay_share=share)
    assert wanted[: len(domain)] == domain, "the domain's rows stand there once each"
    replayed = sum(wanted[len(domain) :])
    assert abs(replayed - share * sum(wanted)) <= 1
    assert replayed >= 1


def test_replay_is_five_percent_and_shared_by_weights() -> None:
    sources = (DOMAIN, {**GENERAL, "weight": 1}, {**GENERAL, "weight": 3})
    assert rows_of([1900, 8000, 50], *sources, mode="continual") == [1900, 25, 75]
    assert rows_of([1900, 60, 40], {**DOMAIN, "rows": 380}, GENERAL, GENERAL, mode="continual") == [380, 12, 8]


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 100)), min_size=1, max_size=4), st.integers(0, 3))
def test_rows_are_repeated_as_a_whole_and_the_rest_is_drawn(sources: list[tuple[int, int]], seed: int) -> None:
    counts, wanted = [count for count, _ in sources], [rows for _, rows in sources]
    rows = mixture(counts, wanted, seed=seed)
    assert rows.shape == (sum(wanted), 2)
    assert rows.dtype == np.int64
    assert np.array_equal(rows, mixture(counts, wanted, seed=seed))
    for source, (count, number) in enumerate(sources):
        times = Counter(rows[rows[:, 0] == source, 1].tolist())
        assert times.total() == number
        assert set(times) <= set(range(count))
        assert max(times.values(), default=0) - min(times[row] for row in range(count)) <= 1


def test_the_seed_draws_the_remainder() -> None:
    draws = {tuple(mixture([100, 100], [20, 180], seed=seed)[:20, 1].tolist()) for seed in range(3)}
    assert len(draws) == 3


@pytest.mark.parametrize(("key", "value"), [("weight", 0.5), ("rows", 3)])
def test_a_share_of_nothing_is_refused(key: str, value: float) -> None:
    with pytest.raises(DataError, match=rf"data\.sources\[1\]: {key} {value}, but no usable row"):
        rows_of([5, 0], {}, {key: value})


def test_a_replay_of_nothing_is_refused() -> None:
    with pytest.raises(DataError, match=r"replay of 5\.0%[\s\S]*data\.mode=domain"):
        rows_of([5, 0], DOMAIN, GENERAL, mode="continual")
