"""Batches: what is shifted, what is padded, where positions restart, and which rows a step sees."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.small import examples, same_batches
from tests.training_jobs import plan_of, store_of
from tutelage.records import Batch, Example
from tutelage.tokens.batches import BatchPlan, BatchRow, packed_batch, padded_batch, rows_of

ROWS = [
    Example(7, np.asarray([5, 6, 7], np.int32), np.asarray([9, 0, 1], np.float32)),
    Example(3, np.asarray([8, 9], np.int32), np.asarray([0, 0.5], np.float32)),
]


def test_packed_rows_are_shifted_each_on_its_own() -> None:
    batch = packed_batch(ROWS)
    assert batch.token_ids_BT.tolist() == [[5, 6, 7, 8, 9]]
    assert batch.position_ids_BT.tolist() == [[0, 1, 2, 0, 1]]
    assert batch.target_weights_BT.tolist() == [[0, 1, 0, 0.5, 0]]
    trained = batch.target_weights_BT > 0
    assert batch.target_ids_BT[trained].tolist() == [7, 9], "the last token of a row predicts nothing of the next row"
    assert (batch.row_lengths, batch.rows, batch.tokens) == ((3, 2), (7, 3), 5)


def test_a_packed_sequence_may_be_rounded_up() -> None:
    """The padding stands behind the last row, is no row, and has no weight."""
    batch = packed_batch(ROWS, round_to=4)
    assert batch.token_ids_BT.tolist() == [[5, 6, 7, 8, 9, 0, 0, 0]]
    assert batch.position_ids_BT.tolist() == [[0, 1, 2, 0, 1, 0, 0, 0]]
    assert batch.target_weights_BT.tolist() == [[0, 1, 0, 0.5, 0, 0, 0, 0]]
    assert (batch.row_lengths, batch.rows, batch.tokens) == ((3, 2), (7, 3), 5)
    assert packed_batch(ROWS, round_to=5).token_ids_BT.shape == (1, 5)


@pytest.mark.parametrize("batch", [packed_batch(ROWS), packed_batch(ROWS, round_to=16), padded_batch(ROWS, pad_id=4)])
def test_rows_are_read_back_from_either_batch(batch: Batch) -> None:
    assert list(rows_of(batch)) == [
        BatchRow(7, (5, 6, 7), (0, 1, 2), (0, 0, 1)),
        BatchRow(3, (8, 9), (0, 1), (0, 0.5)),
    ]


def test_padded_rows_end_in_padding_without_weight() -> None:
    batch = padded_batch(ROWS, pad_id=4)
    assert batch.token_ids_BT.tolist() == [[5, 6, 7], [8, 9, 4]]
    assert batch.position_ids_BT.tolist() == [[0, 1, 2], [0, 1, 2]]
    assert batch.target_weights_BT.tolist() == [[0, 1, 0], [0.5, 0, 0]]
    assert batch.target_ids_BT[batch.target_weights_BT > 0].tolist() == [7, 9]
    assert (batch.row_lengths, batch.rows, batch.tokens) == ((3, 2), (7, 3), 5)
    assert {batch.token_ids_BT.dtype, batch.target_ids_BT.dtype, batch.position_ids_BT.dtype} == {torch.int64}
    assert batch.target_weights_BT.dtype == torch.float32


def pairs(batch: Batch) -> Counter[tuple[int, int, float]]:
    """(token, its target, weight) of every trained position."""
    trained = batch.target_weights_BT > 0
    fields = (batch.token_ids_BT[trained], batch.target_ids_BT[trained], batch.target_weights_BT[trained])
    return Counter(zip(*(field.tolist() for field in fields), strict=True))


def test_rows_are_padded_to_few_lengths() -> None:
    widths = {}
    for length in (*range(1, 300), 1000, 4095, 4096, 4097):
        (row,) = examples((length,))
        widths[length] = padded_batch([row], pad_id=0, round_up=True).token_ids_BT.shape[1]
    assert all(length <= width <= max(length * 9 / 8, length + 7) for length, width in widths.items())
    assert len(set(widths.values())) < 40
    assert widths[4096] == 4096


@given(st.lists(st.integers(2, 12), min_size=1, max_size=6), st.integers(0, 99))
def test_packed_and_padded_train_the_same(lengths: list[int], seed: int) -> None:
    rows = examples(lengths, seed=seed, weighted=True)
    expected = Counter(
        (int(row.token_ids[at - 1]), int(row.token_ids[at]), float(row.weights[at]))
        for row in rows
        for at in range(1, len(row.token_ids))
        if row.weights[at] > 0
    )
    assert expected
    assert pairs(packed_batch(rows)) == pairs(padded_batch(rows, pad_id=0)) == expected


def plan_with(folder: Path, rows: int, batch_size: int, batches_per_step: int, *, packed: bool = False) -> BatchPlan:
    lengths = [3 + n % 5 for n in range(rows)]
    store = store_of(folder / f"{rows}-{packed}", examples(lengths))
    return plan_of(store, packed=packed, batch_size=batch_size, batches_per_step=batches_per_step, capacity=9)


@settings(max_examples=40)
@given(
    rows=st.integers(1, 23), batch_size=st.integers(1, 5), accumulation=st.integers(1, 3), processes=st.integers(1, 3)
)
def test_an_epoch_sees_each_pack_once_whatever_the_sizes(
    tmp_path_factory: pytest.TempPathFactory, rows: int, batch_size: int, accumulation: int, processes: int
) -> None:
    folder = tmp_path_factory.mktemp("plan")
    for packed in (False, True):
        plan = plan_with(folder, rows, batch_size, accumulation * processes, packed=packed)
        seen: list[int] = []
        for step in range(plan.steps_per_epoch):
            batches = plan.step(step)
            assert 1 <= len(batches) <= accumulation * processes
            by_process = [batches[rank::processes] for rank in range(processes)]
            assert all(len(own) <= accumulation for own in by_process)
            seen += [row for own in by_process for batch in own for row in batch.rows]
        assert sorted(seen) == list(range(rows))


def test_the_order_is_the_seeds_and_the_epochs(tmp_path: Path) -> None:
    plan = plan_with(tmp_path, 12, 2, 1)
    epochs = [[plan.step(epoch * 6 + step)[0].rows for step in range(6)] for epoch in range(3)]
    assert len({tuple(epoch) for epoch in epochs}) == 3, "each epoch has an order of its own"
    assert epochs[0] != sorted(epochs[0])
    again = plan_with(tmp_path / "again", 12, 2, 1)
    assert all(same_batches(plan.step(step), again.step(step)) for step in range(18))


def test_evaluation_sees_each_pack_once_in_order(tmp_path: Path) -> None:
    plan = plan_with(tmp_path, 7, 3, 1)
    assert [numbers.tolist() for numbers in plan.in_order()] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [row for numbers in plan.in_order() for row in plan.batch(numbers).rows] == list(range(7))


def test_a_batch_moves_as_a_whole() -> None:
    moved = packed_batch(ROWS).to(torch.device("meta"))
    tensors = (moved.token_ids_BT, moved.position_ids_BT, moved.target_ids_BT, moved.target_weights_BT)
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert moved.rows == (7, 3)
