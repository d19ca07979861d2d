"""The loss of every trained row at every step, kept as the run goes: `row_losses.bin` in its folder.

A header of 16 bytes (the mark, then the steps of an epoch as a 64-bit number), then 16 bytes for each row of each step,
in their order: all numbers little-endian. A million rows over three epochs are 48 MB; nothing of it stays in memory.
"""

import os
from bisect import bisect_right
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError
from tutelage.records import Speed
from tutelage.training.checkpoint import TrainState
from tutelage.training.durable import writing
from tutelage.training.step import StepResult

ROW_LOG = "row_losses.bin"
RECORD = np.dtype([("step", "<u4"), ("row", "<u4"), ("loss", "<f4"), ("weight", "<f4")])
_MARK, _HEADER = b"rowloss1", 16

Records = npt.NDArray[np.void]


class RowLog:
    """Appends what the rows of each step cost before its update. It is on the disk's side before a checkpoint is
    written, so a resumed run goes on exactly: what stands there of steps after its checkpoint is cut off.

    Args:
        done: steps that the run has behind it.
        steps_per_epoch: kept in the header, to tell the passes over a row apart.
    """

    def __init__(self, folder: Path, *, done: int, steps_per_epoch: int) -> None:
        self._path = folder / ROW_LOG
        with self._writing():
            self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115 (open as long as the run)
            kept = _end_of(self._path, done)
            self._file.truncate(kept)
            if not kept:
                self._file.write(_MARK + steps_per_epoch.to_bytes(8, "little"))

    def step(self, state: TrainState, result: StepResult, *, learning_rate: float, speed: Speed) -> None:
        """An optimizer step is done."""
        weighed = result.rows.weights > 0
        records = np.empty(np.count_nonzero(weighed), RECORD)
        records["step"], records["row"] = state.step, result.rows.rows[weighed]
        records["weight"] = result.rows.weights[weighed]
        records["loss"] = result.rows.losses[weighed] / result.rows.weights[weighed]
        with self._writing():
            self._file.write(records.tobytes())

    def close(self) -> None:
        """Nothing waits to be written."""
        self._file.close()

    def _writing(self) -> AbstractContextManager[None]:
        return writing("the losses of the rows", self._path, remedy="make room, then train with --resume")


def _end_of(path: Path, step: int) -> int:
    """Bytes up to the end of a step's last whole record; 0 where nothing of the file can be kept."""
    with path.open("rb") as file:
        head = file.read(_HEADER)
    if not step or len(head) < _HEADER or not head.startswith(_MARK):
        return 0
    records = _mapped(path)
    return _HEADER + RECORD.itemsize * bisect_right(range(len(records)), step, key=lambda at: int(records["step"][at]))


def _mapped(path: Path) -> Records:
    """The whole records of a file, read as they are asked for."""
    count = (os.path.getsize(path) - _HEADER) // RECORD.itemsize
    if not count:
        return np.empty(0, RECORD)
    return np.memmap(path, RECORD, mode="r", offset=_HEADER, shape=(count,))


def read_row_log(folder: Path) -> tuple[Records, int]:
    """All records of a run's row log in the order of their steps, and the steps of an epoch. A record that was cut off
    by a kill is left out.

    Returns:
        records: of dtype `RECORD`: `step` (from 1), `row` (as in the ledger), `loss` (mean over the row's trained
            tokens, in nats, before the step's update), `weight` (of these tokens together).

    Raises:
        DataError: there is no such file, or it is something else.
    """
    path = folder / ROW_LOG
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER)
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from None
    if len(head) < _HEADER or not head.startswith(_MARK):
        raise _unreadable(path, "is no log of row losses")
    return _mapped(path), int.from_bytes(head[8:], "little")


def _unreadable(path: Path, problem: str) -> DataError:
    return DataError(
        f"the losses of the rows: the file {problem}",
        code="unreadable-file",
        place=str(path),
        expected=f"the {ROW_LOG} that tutelage train writes",
        remedy="train again: this version of tutelage keeps the loss of every row",
    )
