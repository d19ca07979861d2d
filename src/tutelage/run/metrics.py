"""Who listens to the loop: metrics.jsonl, TensorBoard, and the progress line."""

import json
import os
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from tutelage.records import Speed
from tutelage.terminal import Update
from tutelage.training.checkpoint import TrainState
from tutelage.training.loop import metrics_of
from tutelage.training.step import StepResult

METRICS = "metrics.jsonl"
CURVES = (
    "loss",
    "grad_norm",
    "learning_rate",
    "tokens_per_s",
    "trained_tokens_per_s",
    "padding_share",
    "flops_per_s",
    "share_of_peak",
    "loop_overhead",
    "peak_gib",
)


class MetricsLog:
    """Writes every step's numbers as they come. A resumed run goes on in the same files: what they hold of steps after
    its checkpoint is taken out, so that each step stands there once.

    Args:
        done: steps that the run has behind it.
    """

    def __init__(self, folder: Path, *, done: int, logging_steps: int, update: Update) -> None:
        _forget_after(folder / METRICS, done)
        self._file = (folder / METRICS).open("a", encoding="utf-8")
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1 if done else None)
        self._every, self._update = logging_steps, update
        self._held_out = ""

    def step(self, state: TrainState, result: StepResult, *, learning_rate: float, speed: Speed) -> None:
        """An optimizer step is done."""
        self._update(state.step, f"loss {result.loss:.3f}{self._held_out} {beside(speed)}")
        if state.step % self._every == 0:
            numbers = metrics_of(state, result, learning_rate=learning_rate, speed=speed)
            self._write(numbers)
            for name in CURVES:
                self._board.add_scalar(f"train/{name}", numbers[name], state.step)

    def evaluated(self, state: TrainState, loss: float) -> None:
        """The held-out loss has been measured."""
        self._held_out = f" held-out {loss:.3f}"
        self._write({"step": state.step, "eval_loss": loss})
        self._board.add_scalar("eval/loss", loss, state.step)

    def close(self) -> None:
        """Flush and close both."""
        self._file.close()
        self._board.close()

    def _write(self, numbers: dict[str, float]) -> None:
        self._file.write(json.dumps(numbers) + "\n")
        self._file.flush()


def beside(speed: Speed) -> str:
    """The speed in the progress line, as "1,234 tokens/s 45% of peak padding 10%"."""
    share = f" {speed.share_of_peak:.0%} of peak" if speed.peak_flops_per_s else ""
    padding = f" padding {speed.padding_share:.0%}" if speed.padding_share > 0.005 else ""
    return f"{speed.tokens_per_s:,.0f} tokens/s{share}{padding}"


def _forget_after(path: Path, step: int) -> None:
    """Take out the lines of later steps, and a last line that was cut off when the run was killed."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
    work = path.with_suffix(".tmp")
    work.write_text("".join(kept), encoding="utf-8")
    os.replace(work, path)


class Silence:
    """Hears everything and writes nothing."""

    def step(self, state: TrainState, result: StepResult, *, learning_rate: float, speed: Speed) -> None:
        """An optimizer step is done."""

    def evaluated(self, state: TrainState, loss: float) -> None:
        """The held-out loss has been measured."""

    def close(self) -> None:
        """Nothing is open."""


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """All lines of a run's metrics.jsonl."""
    with (folder / METRICS).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]
