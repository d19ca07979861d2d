"""A rehearsal: real steps, an evaluation and a save of a run, before it begins.

The learning rate is zero and the optimizer is thrown away: the weights stay what they are, bit for bit, and memory,
disk and clock are met as the run will meet them.
"""

import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from tutelage.loss import Objective
from tutelage.records import Batch
from tutelage.tokens.batches import BatchPlan
from tutelage.training import distributed
from tutelage.training.checkpoint import Checkpoints, TrainState
from tutelage.training.loop import Job
from tutelage.training.meter import peak_gib
from tutelage.training.optimizer import build_optimizer, set_learning_rate
from tutelage.training.step import StepResult, Update, held_out_loss, train_step


@dataclass(frozen=True)
class Rehearsal:
    """What parts of a run take.

    Attributes:
        halvings: of the batches, after which the longest ones fit into memory.
        tokens_per_s: of the timed steps; the longest one's where none was timed.
        evaluation_seconds: of one evaluation, by its tokens; 0 where nothing is held out.
        save_seconds, save_bytes: of one checkpoint.
        model_bytes: its share that is not the optimizer's.
        peak_gib: highest memory of the process, all this included.
    """

    halvings: int
    tokens_per_s: float
    evaluation_seconds: float
    save_seconds: float
    save_bytes: int
    model_bytes: int
    peak_gib: float


def rehearse(job: Job, *, timed_steps: int, memory_gib: float | None = None) -> Rehearsal:
    """Try the longest batches, some ordinary steps, a part of the evaluation, and a save.

    Args:
        timed_steps: how many of the run's first steps are timed.
        memory_gib: what the process may take: the largest batches that stay below it are found by trying, from single
            rows up. None: batches are what the recipe says, and halved only where memory runs out.

    Raises:
        TrainingError: memory does not hold a row, or the disk a checkpoint.
    """
    model = job.language_model.model
    weights = job.language_model.trainable()
    layer_weights = job.language_model.layer_weights() if job.section.optim == "muon" else ()
    optimizer = build_optimizer(weights, job.section, layer_weights=layer_weights)
    set_learning_rate(optimizer, 0.0)
    on_fp16 = job.language_model.compute_dtype == torch.float16
    scaler = torch.amp.GradScaler(job.language_model.device.type, enabled=on_fp16)
    trial = _Trial(job, Update(optimizer, job.section.max_grad_norm, scaler))
    model.train()
    longest = longest_batches(job.plan)
    halvings = 0 if memory_gib is None else trial.fitting(longest, memory_gib=memory_gib)
    first = trial.step(longest, halvings)
    timed = [trial.step(_own(job.plan, number), first.halvings) for number in range(min(timed_steps, job.total_steps))]
    evaluation = _evaluation_seconds(job)
    model.train()
    seconds, sizes = trial.save() if distributed.rank() == 0 else (0.0, {"optimizer.safetensors": 0})
    model.zero_grad(set_to_none=True)
    counted = timed or [first]
    return Rehearsal(
        halvings=max(one.halvings for one in (first, *timed)),
        tokens_per_s=sum(one.tokens for one in counted) / sum(one.seconds for one in counted),
        evaluation_seconds=evaluation,
        save_seconds=seconds,
        save_bytes=sum(sizes.values()),
        model_bytes=sum(sizes.values()) - sizes["optimizer.safetensors"],
        peak_gib=peak_gib(job.language_model.device),
    )


def longest_batches(plan: BatchPlan) -> list[Batch]:
    """The batch that asks for most memory, and one more where gradients are accumulated."""
    order = sorted(range(len(plan.packs)), key=lambda number: -plan.packs[number].length)
    count = min(2, plan.batches_per_step)
    parts = [order[at * plan.batch_size : (at + 1) * plan.batch_size] for at in range(count)]
    return [plan.batch(part) for part in parts if part]


@dataclass(frozen=True)
class _Trial:
    """Steps that change no weight."""

    job: Job
    update: Update

    def step(self, batches: Sequence[Batch], halvings: int) -> StepResult:
        """One step."""
        section = self.job.section
        objective = Objective(section.label_smoothing_factor, dft=section.loss_type == "dft")
        language_model = self.job.language_model
        return train_step(language_model, batches, update=self.update, objective=objective, halvings=halvings)

    def save(self) -> tuple[float, dict[str, int]]:
        """Seconds of a checkpoint, and the sizes of its files."""
        folder = self.job.checkpoints.folder / ".checkpoint-rehearsal.tmp"  # the next save removes what a kill leaves
        started = time.perf_counter()
        try:
            target = Checkpoints(folder, keep=1, fingerprint={}).save(
                TrainState(),
                self.job.write_model,
                optimizer=self.update.optimizer,
                weights=self.job.language_model.trainable(),
                scaler=self.update.scaler,
            )
            seconds = time.perf_counter() - started
            return seconds, {file.name: file.stat().st_size for file in target.rglob("*") if file.is_file()}
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def fitting(self, batches: Sequence[Batch], *, memory_gib: float) -> int:
        """The fewest halvings with which the process stays below so much memory.

        On a GPU memory that ends is an error, and the step halves by itself. On a CPU it is the end of the process:
        what twice the rows would take is foretold from what they take.
        """
        device = self.job.language_model.device
        if device.type == "cuda":
            return 0
        plan = self.job.plan
        shortest = min(range(len(plan.packs)), key=lambda number: plan.packs[number].length)
        self.step([plan.batch([shortest])], 0)  # gradients and moments are there from now on
        halvings = 1 + math.ceil(math.log2(max(len(batch.row_lengths) for batch in batches)))
        grown = 0.0
        while halvings and peak_gib(device) + 2 * grown < memory_gib:
            before = peak_gib(device)
            halvings -= 1
            self.step(batches, halvings)
            grown = peak_gib(device) - before
        return halvings


def _own(plan: BatchPlan, step: int) -> list[Batch]:
    """The batches of a step that fall to this process."""
    return [plan.batch(numbers) for numbers in plan.step_packs(step)[distributed.rank() :: distributed.world_size()]]


def _evaluation_seconds(job: Job) -> float:
    """Seconds of a whole evaluation, from its first batches."""
    if job.held_out is None:
        return 0.0
    packs = job.held_out.packs
    some = packs[: 2 * job.held_out.batch_size * distributed.world_size()]
    part = replace(job.held_out, packs=some)
    started = time.perf_counter()
    held_out_loss(job.language_model, part)
    share = sum(pack.length for pack in some) / sum(pack.length for pack in packs)
    return (time.perf_counter() - started) / share
