"""Runs of the loop on a tiny model and a handful of rows, without files of data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tests.architectures import VOCAB, tiny
from tests.small import examples
from tutelage.model.causal_lm import CausalLM
from tutelage.recipe import TrainSection
from tutelage.records import Example, Speed
from tutelage.tokens.batches import BatchPlan
from tutelage.tokens.packing import one_each, pack
from tutelage.tokens.store import StoreWriter, TokenStore
from tutelage.training.checkpoint import Checkpoints, TrainState
from tutelage.training.loop import Job
from tutelage.training.step import StepResult


class Notebook:
    """A listener that writes everything down."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.rates: list[float] = []
        self.evaluations: list[tuple[int, float]] = []
        self.speeds: list[Speed] = []
        self.notes: list[str] = []

    def step(self, state: TrainState, result: StepResult, *, learning_rate: float, speed: Speed) -> None:
        assert state.step == len(self.losses) + 1 or self.losses == []
        self.losses.append(result.loss)
        self.rates.append(learning_rate)
        self.speeds.append(speed)

    def evaluated(self, state: TrainState, loss: float) -> None:
        self.evaluations.append((state.step, loss))

    def note(self, text: str) -> None:
        self.notes.append(text)


def store_of(folder: Path, rows: Sequence[Example]) -> TokenStore:
    with StoreWriter(folder) as writer:
        for row in rows:
            writer.add(row)
        return writer.finish({})


def plan_of(
    store: TokenStore, *, packed: bool, batch_size: int, batches_per_step: int, capacity: int = 48
) -> BatchPlan:
    return BatchPlan(
        store=store,
        packs=pack(store.lengths, capacity=capacity) if packed else one_each(store.lengths),
        batch_size=batch_size,
        batches_per_step=batches_per_step,
        packed=packed,
        pad_id=0,
        seed=5,
    )


def job_of(folder: Path, *, plan: BatchPlan, held_out: BatchPlan | None = None, steps: int = 2, **changes: Any) -> Job:
    """A job on a tiny Llama; keywords beyond these are keys of the train section, or `eval_every`, `save_every`."""
    language_model = CausalLM(tiny("llama").requires_grad_(True), torch.float32)
    every = {name: changes.pop(name, steps) for name in ("eval_every", "save_every")}
    section = TrainSection.model_validate({"learning_rate": 1e-3, "save_total_limit": 2, **changes})

    def write_model(place: Path) -> None:
        language_model.model.save_pretrained(place)

    return Job(
        language_model=language_model,
        plan=plan,
        held_out=held_out,
        section=section,
        total_steps=steps,
        seed=3,
        checkpoints=Checkpoints(folder, keep=section.save_total_limit, fingerprint={"recipe": "a"}),
        write_model=write_model,
        listener=Notebook(),
        **every,
    )


def some_rows(count: int, *, seed: int = 1) -> list[Example]:
    lengths = [5 + (7 * n + seed) % 23 for n in range(count)]
    return examples(lengths, vocab=VOCAB, seed=seed, weighted=True)


def flat_weights(job: Job) -> torch.Tensor:
    """All weights of a job's model in one vector."""
    return torch.cat([weight.detach().flatten() for weight in job.language_model.model.parameters()])
