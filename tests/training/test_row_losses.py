"""The losses of rows and sources, against those of each row alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.architectures import VOCAB, tiny
from tests.small import examples
from tests.training_jobs import job_of, plan_of, some_rows, store_of
from tutelage.loss import CROSS_ENTROPY, Objective
from tutelage.model.causal_lm import CausalLM
from tutelage.records import Batch
from tutelage.tokens.batches import packed_batch, padded_batch
from tutelage.training.checkpoint import TrainState
from tutelage.training.loop import Job, fit
from tutelage.training.row_losses import RowLosses
from tutelage.training.step import StepResult, Update, train_step

ROWS = examples((20, 9, 30, 14), vocab=VOCAB, weighted=True)


def batches_of(kind: str) -> list[Batch]:
    """The same rows in different batches, two to a step."""
    if kind == "packed":
        return [packed_batch(ROWS[:3], round_to=128), packed_batch(ROWS[3:])]
    return [padded_batch(ROWS[:3], pad_id=0, round_up=True), padded_batch(ROWS[3:], pad_id=0)]


def stepped(batches: list[Batch], *, fused: bool = True, objective: Objective, halvings: int = 0) -> StepResult:
    language_model = CausalLM(tiny("llama").requires_grad_(True).train(), torch.float32, fused)
    optimizer = torch.optim.SGD(language_model.model.parameters(), lr=0.0)
    return train_step(language_model, batches, update=Update(optimizer), objective=objective, halvings=halvings)


@pytest.mark.parametrize("halvings", [0, 2])
@pytest.mark.parametrize("objective", [CROSS_ENTROPY, Objective(label_smoothing=0.2, dft=True)], ids=["plain", "dft"])
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "the model's own head"])
@pytest.mark.parametrize("kind", ["packed", "padded"])
def test_a_row_has_the_loss_that_it_has_alone(kind: str, fused: bool, objective: Objective, halvings: int) -> None:
    result = stepped(batches_of(kind), fused=fused, objective=objective, halvings=halvings)
    found = result.rows
    assert found.rows.tolist() == [row.row for row in ROWS]
    for number, row in enumerate(ROWS):
        alone = stepped([packed_batch([row])], objective=objective)
        assert found.losses[number] / found.weights[number] == pytest.approx(alone.loss, rel=1e-4)
        assert found.weights[number] == pytest.approx(float(row.weights[1:].sum()))
    assert found.losses.sum() / found.weights.sum() == pytest.approx(result.loss, rel=1e-6)
    assert len({round(loss, 3) for loss in found.losses.tolist()}) == len(ROWS)


def test_sources_add_up_their_rows() -> None:
    found = RowLosses(np.array([4, 0, 4, 2]), np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 2.0, 0.5]))
    sources = np.array([0, 0, 2, 0, 1])
    once = found.by_source(sources)
    assert once == ((2.0, 1.0), (4.0, 3.0), (4.0, 0.5))
    assert found.by_source(sources, onto=once) == tuple((2 * loss, 2 * weight) for loss, weight in once)
    assert found.by_source(np.zeros(0, dtype=np.int64)) == ()
    assert RowLosses().by_source(sources) == ((0.0, 0.0),) * 3


class Hearing:
    """A listener that keeps what each state says of the sources."""

    def __init__(self) -> None:
        self.heard: list[tuple[tuple[float, float], ...]] = []
        self.rows: list[RowLosses] = []

    def step(self, state: TrainState, result: StepResult, **_: object) -> None:
        self.heard.append(state.source_losses)
        self.rows.append(result.rows)

    def evaluated(self, state: TrainState, loss: float) -> None: ...

    def note(self, text: str) -> None: ...


def listened(folder: Path, *, steps: int = 7) -> tuple[Job, Hearing]:
    store = store_of(folder / f"store {steps}", some_rows(12))
    plan = plan_of(store, packed=True, batch_size=1, batches_per_step=2)
    job = job_of(folder / "c", plan=plan, steps=steps, logging_steps=3, save_every=2, save_total_limit=9)
    hearing = Hearing()
    return replace(job, listener=hearing, source_of_row=np.arange(12) % 2), hearing


def test_losses_of_sources_are_summed_from_one_logging_to_the_next(tmp_path: Path) -> None:
    job, hearing = listened(tmp_path)
    fit(job)
    assert len(hearing.rows) == 7
    for first, end in ((0, 3), (3, 6), (6, 7)):
        for source in (0, 1):
            parts = [(rows.losses, rows.rows % 2 == source) for rows in hearing.rows[first:end]]
            wanted = sum(float(losses[own].sum()) for losses, own in parts)
            assert hearing.heard[end - 1][source][0] == pytest.approx(wanted)
            assert wanted > 0


def test_a_resumed_run_tells_the_same_losses_of_sources(tmp_path: Path) -> None:
    job, hearing = listened(tmp_path)
    fit(job)
    for step in (6, 7):
        folder = job.checkpoints.path(step)
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    start = job.checkpoints.newest()
    assert start.state.step == 4, "between two loggings"
    assert start.state.source_losses == hearing.heard[3]
    again, second = listened(tmp_path / "again")
    weights = type(again.language_model.model).from_pretrained(start.path).state_dict()
    again.language_model.model.load_state_dict(weights)
    fit(again, resume_from=start)
    assert second.heard == hearing.heard[4:]
