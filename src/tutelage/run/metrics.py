"""Who listens to the loop: metrics.jsonl, TensorBoard, and the progress line."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from torch.utils.tensorboard import SummaryWriter

from tutelage.records import Speed
from tutelage.terminal import Update
from tutelage.training.checkpoint import TrainState
from tutelage.training.durable import writing
from tutelage.training.loop import metrics_of
from tutelage.training.step import StepResult

METRICS = "metrics.jsonl"
MANY_SOURCES = 4  # losses of more do not fit into the progress line
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
        note: where people read what they should know.
        sources: names of the sources, in the order of `TrainState.source_losses`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        done: int,
        logging_steps: int,
        update: Update,
        note: Callable[[str], None],
        sources: Sequence[str] = (),
    ) -> None:
        self._path = folder / METRICS
        with self._writing():
            _forget_after(self._path, done)
            self._file = self._path.open("a", encoding="utf-8")
        self._board = Board(folder / "tensorboard", done=done, note=note)
        self._every, self._update, self._note = logging_steps, update, note
        self._sources = tuple(sources)
        self._held_out = self._of_sources = ""

    def step(self, state: TrainState, result: StepResult, *, learning_rate: float, speed: Speed) -> None:
        """An optimizer step is done."""
        is_logged = state.step % self._every == 0
        by_source = mean_losses(state, self._sources) if is_logged else {}
        self._of_sources = in_brackets(by_source) or self._of_sources
        self._update(state.step, f"loss {result.loss:.3f}{self._of_sources}{self._held_out} {beside(speed)}")
        if is_logged:
            numbers = metrics_of(state, result, learning_rate=learning_rate, speed=speed)
            self._write({**numbers, "source_losses": by_source} if by_source else numbers)
            for name in CURVES:
                self._board.add(f"train/{name}", numbers[name], step=state.step)
            for source, loss in by_source.items():
                self._board.add(f"source_loss/{source}", loss, step=state.step)

    def evaluated(self, state: TrainState, loss: float) -> None:
        """The held-out loss has been measured."""
        self._held_out = f" held-out {loss:.3f}"
        self._write({"step": state.step, "eval_loss": loss})
        self._board.add("eval/loss", loss, step=state.step)

    def examined(self, state: TrainState, scores: Mapping[str, float]) -> None:
        """The model has been asked."""
        self._write({"step": state.step, "scores": dict(scores)})
        for suite, score in scores.items():
            self._board.add(f"score/{suite}", score, step=state.step)

    def note(self, text: str) -> None:
        """Something that the user should know."""
        self._note(text)

    def close(self) -> None:
        """Flush and close both."""
        self._file.close()
        self._board.close()

    def _write(self, numbers: Mapping[str, Any]) -> None:
        with self._writing():
            self._file.write(json.dumps(numbers) + "\n")
            self._file.flush()

    def _writing(self) -> AbstractContextManager[None]:
        return writing("the metrics", self._path, remedy="make room, then train with --resume")


class Board:
    """TensorBoard, as long as it works. The evidence is in metrics.jsonl: curves that cannot be drawn end no run.

    Args:
        done: steps that the run has behind it; what is there of later ones is taken out.
        note: told, once, that it has stopped working.
    """

    def __init__(self, folder: Path, *, done: int, note: Callable[[str], None]) -> None:
        self._note = note
        self._writer: SummaryWriter | None = None
        with self._surviving():
            self._writer = SummaryWriter(str(folder), purge_step=done + 1 if done else None)

    def add(self, name: str, value: float, *, step: int) -> None:
        """A point of a curve."""
        if self._writer is not None:
            with self._surviving():
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush and close."""
        if self._writer is not None:
            with self._surviving():
                self._writer.close()

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever it is, it is not the run's
            self._writer = None
            self._note(f"TensorBoard's files are no longer written ({type(error).__name__}: {error}); training goes on")


def beside(speed: Speed) -> str:
    """The speed in the progress line, as "1,234 tokens/s 45% of peak padding 10%"."""
    share = f" {speed.share_of_peak:.0%} of peak" if speed.peak_flops_per_s else ""
    padding = f" padding {speed.padding_share:.0%}" if speed.padding_share > 0.005 else ""
    return f"{speed.tokens_per_s:,.0f} tokens/s{share}{padding}"


def mean_losses(state: TrainState, sources: Sequence[str]) -> dict[str, float]:
    """Source -> mean loss per trained token since the last logging; only those that had such tokens."""
    sums = zip(sources, state.source_losses, strict=False)  # the last sources may have no row at all
    return {source: loss / weight for source, (loss, weight) in sums if weight > 0}


def in_brackets(losses: Mapping[str, float]) -> str:
    """The losses of a few sources in the progress line, as " (alpaca 1.234, gsm8k 2.345)"."""
    few = [f"{Path(source).name.split('.')[0]} {loss:.3f}" for source, loss in losses.items()][:MANY_SOURCES]
    more = ", ..." if len(losses) > MANY_SOURCES else ""
    return f" ({', '.join(few)}{more})" if few else ""


def _forget_after(path: Path, step: int) -> None:
    """Take out the lines of later steps, and a last line that was cut off when the run was killed."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
    work = path.with_suffix(".tmp")
    work.write_text("".join(kept), encoding="utf-8")
    os.replace(work, path)


class StepListener(Protocol):
    """Who hears of steps alone."""

    def step(self, state: TrainState, result: StepResult, *, learning_rate: float, speed: Speed) -> None:
        """An optimizer step is done."""

    def close(self) -> None:
        """The run has ended."""


class Listeners:
    """The metrics log, and others who hear of the steps."""

    def __init__(self, log: MetricsLog, *others: StepListener) -> None:
        self._log, self._others = log, others

    def step(self, state: TrainState, result: StepResult, *, learning_rate: float, speed: Speed) -> None:
        """An optimizer step is done."""
        for listener in (self._log, *self._others):
            listener.step(state, result, learning_rate=learning_rate, speed=speed)

    def evaluated(self, state: TrainState, loss: float) -> None:
        """The held-out loss has been measured."""
        self._log.evaluated(state, loss)

    def examined(self, state: TrainState, scores: Mapping[str, float]) -> None:
        """The model has been asked."""
        self._log.examined(state, scores)

    def note(self, text: str) -> None:
        """Something that the user should know."""
        self._log.note(text)

    def close(self) -> None:
        """Close them all."""
        for listener in (self._log, *self._others):
            listener.close()


class Silence:
    """Hears everything and writes nothing."""

    def step(self, state: TrainState, result: StepResult, *, learning_rate: float, speed: Speed) -> None:
        """An optimizer step is done."""

    def evaluated(self, state: TrainState, loss: float) -> None:
        """The held-out loss has been measured."""

    def examined(self, state: TrainState, scores: Mapping[str, float]) -> None:
        """The model has been asked."""

    def note(self, text: str) -> None:
        """Something that the user should know."""

    def close(self) -> None:
        """Nothing is open."""


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """All lines of a run's metrics.jsonl: numbers, and of several sources their losses by name (`source_losses`)."""
    with (folder / METRICS).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]
