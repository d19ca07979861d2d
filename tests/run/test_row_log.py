"""The losses of rows on the disk: complete, in order, and exact after a kill."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training_jobs import Notebook, job_of, plan_of, some_rows, store_of
from tutelage.errors import DataError, TrainingError
from tutelage.records import Speed
from tutelage.run.row_log import RECORD, ROW_LOG, RowLog, read_row_log
from tutelage.training.checkpoint import TrainState
from tutelage.training.loop import fit
from tutelage.training.row_losses import RowLosses
from tutelage.training.step import StepResult

SPEED = Speed(1, 1, 0, 1, 1, 1, 0, 0)


def result_of(rows: list[int], losses: list[float], weights: list[float]) -> StepResult:
    found = RowLosses(np.array(rows, np.int64), np.array(losses), np.array(weights))
    return StepResult(2.5, 1.0, tokens=9, trained_tokens=3, positions=10, seconds=0.5, rows=found)


def logged(folder: Path, steps: range, *, done: int = 0) -> None:
    """Each step has as many rows as its number says, up to three."""
    log = RowLog(folder, done=done, steps_per_epoch=4)
    for step in steps:
        rows = list(range(step, step + min(step, 3)))
        result = result_of(rows, [6.0 * step] * len(rows), [2.0] * len(rows))
        log.step(TrainState(step=step), result, learning_rate=1e-3, speed=SPEED)
    log.close()


def test_a_record_is_a_row_of_a_step(tmp_path: Path) -> None:
    logged(tmp_path, range(1, 4))
    records, steps_per_epoch = read_row_log(tmp_path)
    assert steps_per_epoch == 4
    assert records["step"].tolist() == [1, 2, 2, 3, 3, 3]
    assert records["row"].tolist() == [1, 2, 3, 3, 4, 5]
    assert records["loss"].tolist() == [3.0, 6.0, 6.0, 9.0, 9.0, 9.0]
    assert set(records["weight"].tolist()) == {2.0}
    assert (tmp_path / ROW_LOG).stat().st_size == 16 + 6 * 16


def test_rows_without_weight_are_no_visit(tmp_path: Path) -> None:
    log = RowLog(tmp_path, done=0, steps_per_epoch=1)
    log.step(TrainState(step=1), result_of([4, 5], [0.0, 3.0], [0.0, 1.5]), learning_rate=1.0, speed=SPEED)
    assert read_row_log(tmp_path)[0].tolist() == [(1, 5, 2.0, 1.5)], "it can be read while the run goes on"
    log.close()


@pytest.mark.parametrize("cut", range(17))
def test_what_a_kill_left_of_later_steps_is_cut_off(tmp_path: Path, cut: int) -> None:
    logged(tmp_path, range(1, 9))
    whole = (tmp_path / ROW_LOG).read_bytes()
    (tmp_path / ROW_LOG).write_bytes(whole[: len(whole) - cut])  # killed halfway through a record
    logged(tmp_path, range(6, 9), done=5)
    assert (tmp_path / ROW_LOG).read_bytes() == whole


def test_a_new_run_begins_anew_and_a_lost_log_does_not_stop_a_resumed_one(tmp_path: Path) -> None:
    logged(tmp_path, range(1, 4))
    logged(tmp_path, range(1, 3))
    assert read_row_log(tmp_path)[0]["step"].tolist() == [1, 2, 2]
    for content in (b"", b"rowl", b"something else that is longer than a header"):
        (tmp_path / ROW_LOG).write_bytes(content)
        logged(tmp_path, range(3, 4), done=2)
        records, steps_per_epoch = read_row_log(tmp_path)
        assert (records["step"].tolist(), steps_per_epoch) == ([3, 3, 3], 4)


@pytest.mark.parametrize("content", [None, b"", b"rowloss1", b"x" * 400])
def test_what_is_no_row_log_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / ROW_LOG).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_row_log(tmp_path)
    assert caught.value.code == "unreadable-file"
    assert ROW_LOG in str(caught.value)


def test_a_log_cut_within_a_record_is_read_up_to_it(tmp_path: Path) -> None:
    logged(tmp_path, range(1, 4))
    whole = (tmp_path / ROW_LOG).read_bytes()
    for kept, count in ((len(whole) - 1, 5), (16 + 31, 1), (16 + 15, 0), (16, 0)):
        (tmp_path / ROW_LOG).write_bytes(whole[:kept])
        assert len(read_row_log(tmp_path)[0]) == count


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / ROW_LOG).mkdir()
    with pytest.raises(TrainingError, match="losses of the rows"):
        RowLog(tmp_path, done=0, steps_per_epoch=1)


class Both(Notebook):
    """Writes down what the log hears."""

    def __init__(self, log: RowLog) -> None:
        super().__init__()
        self._log = log

    def step(self, state: TrainState, result: StepResult, *, learning_rate: float, speed: Speed) -> None:
        super().step(state, result, learning_rate=learning_rate, speed=speed)
        self._log.step(state, result, learning_rate=learning_rate, speed=speed)


@pytest.mark.parametrize("packed", [True, False])
def test_the_log_of_a_real_run_adds_up(tmp_path: Path, packed: bool) -> None:
    plan = plan_of(store_of(tmp_path / "store", some_rows(24)), packed=packed, batch_size=2, batches_per_step=2)
    steps = plan.steps_per_epoch + 2
    log = RowLog(tmp_path, done=0, steps_per_epoch=plan.steps_per_epoch)
    heard = Both(log)
    fit(replace(job_of(tmp_path / "checkpoints", plan=plan, steps=steps), listener=heard))
    log.close()
    records, _ = read_row_log(tmp_path)
    assert records.dtype == RECORD
    for step, loss in enumerate(heard.losses, start=1):
        of_step = records[records["step"] == step]
        assert float(np.average(of_step["loss"], weights=of_step["weight"])) == pytest.approx(loss, rel=1e-5)
        assert sorted(of_step["row"].tolist()) == sorted(row for batch in plan.step(step - 1) for row in batch.rows)
    assert len(heard.losses) == steps
