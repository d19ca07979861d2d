"""What a run will take, from a rehearsal of it; refused where memory or disk will not do."""

import math
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from tutelage.errors import TrainingError
from tutelage.machine.storage import available_memory
from tutelage.model.causal_lm import CausalLM
from tutelage.posix import address_space_bytes
from tutelage.recipe import Recipe
from tutelage.run.engine import Engine
from tutelage.terminal import Terminal
from tutelage.training.loop import Job
from tutelage.training.rehearsal import Rehearsal

GIB = 1 << 30
ROOM = 0.95  # of free memory or disk that a run may take
HOLES = 1.05  # on a CPU a run takes 0 to 10 % more than its rehearsal: the heap gets holes (see `allocator.Heap`)


@dataclass(frozen=True)
class Forecast:
    """What a run will take.

    Attributes:
        steps: optimizer steps to go.
        tokens: that they see.
        rows: sequences in the longest forward pass, after halvings.
        halvings: of the batches, for want of memory.
        parts: seconds of each part of the run.
        save_seconds: of one checkpoint.
        peak_gib: memory of the process (CPU) or of its tensors on the GPU; memory_gib: what there is for it.
        disk_gib: that the output folder will hold at most; free_gib: what there is.
    """

    steps: int
    tokens: int
    tokens_per_s: float
    rows: int
    halvings: int
    parts: Mapping[str, float]
    save_seconds: float
    peak_gib: float
    memory_gib: float
    disk_gib: float
    free_gib: float

    @property
    def seconds(self) -> float:
        """To the end."""
        return sum(self.parts.values())

    def summary(self) -> dict[str, Any]:
        """The last line of `tutelage preflight --json`."""
        numbers = {name: round(value, 3) for name, value in asdict(self).items() if isinstance(value, int | float)}
        parts = {name: round(seconds, 2) for name, seconds in self.parts.items()}
        return {**numbers, "parts": parts, "seconds": round(self.seconds, 2)}


def forecast(job: Job, rehearsed: Rehearsal, *, done: int = 0, others: Mapping[str, float]) -> Forecast:
    """The whole run from its parts.

    Args:
        done: steps that the run has behind it.
        others: seconds of what lies outside the loop.
    """
    steps = job.total_steps - done
    epochs = steps / job.plan.steps_per_epoch
    tokens = round(sum(pack.length for pack in job.plan.packs) * epochs)
    evaluations = _times(steps, job.eval_every) if job.held_out is not None else 0
    saves = _times(steps, job.save_every)
    kept = min(saves, job.checkpoints.keep) + 1  # one is written before the oldest goes
    kept += bool(job.section.load_best_model_at_end or job.section.early_stopping_patience)
    folder = existing(job.checkpoints.folder)
    longest = max(min(job.plan.batch_size, len(job.plan.packs)) >> rehearsed.halvings, 1)
    return Forecast(
        steps=steps,
        tokens=tokens,
        tokens_per_s=rehearsed.tokens_per_s,
        rows=longest,
        halvings=rehearsed.halvings,
        parts={
            **others,
            "training": tokens / rehearsed.tokens_per_s,
            "evaluation": evaluations * rehearsed.evaluation_seconds,
            "saving": saves * rehearsed.save_seconds,
        },
        save_seconds=rehearsed.save_seconds,
        peak_gib=rehearsed.peak_gib * (HOLES if job.language_model.device.type == "cpu" else 1.0),
        memory_gib=memory_gib(job.language_model.device),
        disk_gib=(kept * rehearsed.save_bytes + rehearsed.model_bytes) / GIB,
        free_gib=shutil.disk_usage(folder).free / GIB,
    )


def _times(steps: int, every: int) -> int:
    """How often something is done that happens every so many steps and at the end."""
    return -(-steps // every)


def existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def memory_gib(device: torch.device) -> float:
    """What this process may take in all: of a GPU, or of main memory with the limits set on it; without end where the
    system does not tell (Windows)."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return (free + torch.cuda.memory_reserved(device)) / GIB
    if sys.platform == "win32":
        return math.inf
    statm, memory = Path("/proc/self/statm"), available_memory()
    own = int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    there = whole if memory is None else own + memory.available
    return min(there, address_space_bytes() or there) / GIB


def refuse_too_large(language_model: CausalLM, optim: str) -> None:
    """Refuse weights whose gradients and moments alone exceed the memory that is left, before a system without memory
    ends the process without a word.

    Raises:
        TrainingError: they do.
    """
    trained = sum(weight.numel() for weight in language_model.trainable().values())
    moments = {"adamw": 8, "adamw_8bit": 2, "paged_adamw_8bit": 2, "muon": 4, "adafactor": 0, "sgd": 0}[optim]
    frozen_and_trained = sum(weight.numel() * weight.element_size() for weight in language_model.model.parameters())
    needed = (frozen_and_trained + trained * (4 + moments)) / GIB
    there = memory_gib(language_model.device)
    if needed > ROOM * there:
        raise TrainingError(
            f"weights, gradients and the optimizer's moments take {needed:.1f} GiB; there are {there:.1f} GiB",
            code="not-enough-memory",
            place="train",
            expected=f"at most {ROOM:.0%} of what there is, and room for activations",
            remedy="--set train.method=lora, a smaller model, or train.optim=adafactor",
        )


def refuse_what_will_not_do(expected: Forecast, output: Path) -> None:
    """Refuse a run whose checkpoints the disk will not hold, or that comes too near to the end of memory.

    Raises:
        TrainingError: it would fail later.
    """
    if expected.disk_gib > ROOM * expected.free_gib:
        raise TrainingError(
            f"the run needs {expected.disk_gib:.2f} GiB of disk; {expected.free_gib:.2f} GiB are free",
            code="not-enough-disk",
            place=str(output),
            expected=f"at most {ROOM:.0%} of what is free",
            remedy="--set output_dir=ANOTHER/DISK, or a smaller train.save_total_limit",
        )
    if expected.peak_gib > ROOM * expected.memory_gib:
        raise TrainingError(
            f"the run takes {expected.peak_gib:.2f} GiB of memory; there are {expected.memory_gib:.2f} GiB",
            code="not-enough-memory",
            place="train",
            expected=f"at most {ROOM:.0%} of what there is",
            remedy="--set train.per_device_train_batch_size=auto, or train.gradient_checkpointing=full",
        )


def show_forecast(expected: Forecast, terminal: Terminal) -> None:
    """The forecast for people: what it takes, and where the time goes."""
    table = Table("what", "takes", "there is", title=f"{expected.steps:,} steps, {expected.tokens:,} tokens", box=None)
    table.add_row("time to the end", in_words(expected.seconds), "")
    for name, seconds in expected.parts.items():
        table.add_row(f"  {name}", in_words(seconds), "")
    table.add_row("speed", f"{expected.tokens_per_s:,.0f} tokens/s", "")
    table.add_row("memory at its peak", f"{expected.peak_gib:.2f} GiB", f"{expected.memory_gib:.1f} GiB")
    table.add_row("disk", f"{expected.disk_gib:.2f} GiB", f"{expected.free_gib:.1f} GiB")
    halved = f", halved {expected.halvings} times" if expected.halvings else ""
    table.add_row("one forward pass", f"{expected.rows} sequences{halved}", "")
    terminal.show(table)


def in_words(seconds: float) -> str:
    """A duration, as 3 h 05 min, 4 min 10 s or 12.3 s."""
    if seconds >= 3600:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
    if seconds >= 60:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{seconds:.1f} s"


def memory_limit(recipe: Recipe, engine: Engine) -> float | None:
    """GiB that a run may take whose recipe leaves the size of its batches to us; None where it does not."""
    if recipe.train.per_device_train_batch_size != "auto":
        return None
    return ROOM * memory_gib(engine.language_model.device)
