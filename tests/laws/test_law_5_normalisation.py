"""Law 5: a step's loss is the sum over its trained tokens divided by their number, over all batches and processes."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as processes

from tests.architectures import tiny
from tests.small import gap, gradients
from tests.training_jobs import flat_weights, job_of, plan_of, some_rows, store_of
from tutelage.model.causal_lm import CausalLM
from tutelage.records import Batch
from tutelage.tokens.batches import ROUND, BatchPlan
from tutelage.training import distributed
from tutelage.training.loop import fit
from tutelage.training.step import StepResult, Update, held_out_loss, train_step

SPLITS = [(batch, accumulation, packed) for batch, accumulation in ((8, 1), (4, 2), (1, 8)) for packed in (False, True)]


def one_step(batches: Sequence[Batch], max_grad_norm: float = 0.0) -> tuple[StepResult, torch.Tensor]:
    """A step's result and its gradients."""
    language_model = CausalLM(tiny("llama").requires_grad_(True).train(), torch.float32)
    optimizer = torch.optim.SGD(language_model.model.parameters(), lr=0.0)
    result = train_step(language_model, batches, update=Update(optimizer, max_grad_norm))
    return result, gradients(language_model.model)


def by_definition() -> tuple[float, torch.Tensor]:
    """Loss and gradients from transformers' own logits, row by row, written as the law is."""
    model = tiny("llama").requires_grad_(True)
    rows = some_rows(8)
    total = torch.zeros(())
    for row in rows:
        ids = torch.from_numpy(row.token_ids).long()
        losses = torch.nn.functional.cross_entropy(model(ids[None]).logits[0, :-1], ids[1:], reduction="none")
        total = total + (losses * torch.from_numpy(row.weights[1:])).sum()
    loss = total / sum(float(row.weights[1:].sum()) for row in rows)
    loss.backward()
    return float(loss.detach()), gradients(model)


@pytest.mark.parametrize(("batch_size", "accumulation", "packed"), SPLITS)
def test_however_a_step_is_cut_its_gradients_are_the_same(tmp_path, batch_size, accumulation, packed) -> None:
    rows = some_rows(8)
    store = store_of(tmp_path / "store", rows)
    capacity = 28 if packed else 48
    plan = plan_of(store, packed=packed, batch_size=batch_size, batches_per_step=accumulation, capacity=capacity)
    batches = plan.step(0)
    assert sorted(row for batch in batches for row in batch.rows) == list(range(8))
    assert len(batches) == accumulation or packed
    assert any(batch.token_ids_BT.shape[0] == 1 and len(batch.rows) > 1 for batch in batches) == packed
    result, found = one_step(batches)
    loss, expected = by_definition()
    assert len({weight for row in rows for weight in row.weights.tolist()}) == 4
    assert result.loss == pytest.approx(loss, rel=1e-6)
    assert gap(found, expected) < 1e-5
    assert result.grad_norm == pytest.approx(float(expected.norm()), rel=1e-5)
    assert result.trained_tokens == sum(int((row.weights[1:] > 0).sum()) for row in rows)
    assert result.tokens == sum(len(row.token_ids) for row in rows) <= result.positions
    assert result.positions % (ROUND if packed else 8) == 0, "few lengths for the kernels"


def test_clipping_sees_the_whole_step(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", some_rows(8))
    plan = plan_of(store, packed=False, batch_size=1, batches_per_step=8)
    _, free = one_step(plan.step(0))
    result, clipped = one_step(plan.step(0), max_grad_norm=0.01)
    assert float(free.norm()) > 0.02
    assert result.grad_norm == pytest.approx(float(free.norm()), rel=1e-6), "the norm before clipping is told"
    assert gap(clipped, free * (0.01 / free.norm())) < 1e-4


@pytest.mark.parametrize("packed", [False, True])
def test_evaluation_does_not_depend_on_the_batch_size(tmp_path: Path, packed: bool) -> None:
    store = store_of(tmp_path / "store", some_rows(9))
    language_model = CausalLM(tiny("llama").train(), torch.float32)
    plans = [plan_of(store, packed=packed, batch_size=size, batches_per_step=1) for size in (1, 2, 5, 9)]
    losses = [held_out_loss(language_model, plan) for plan in plans]
    assert language_model.model.training, "the model goes on training"
    assert losses == pytest.approx([losses[0]] * 4, rel=1e-6)
    assert abs(mean_of_means(language_model, plans[1]) / losses[0] - 1) > 1e-3, "rows are unequal enough to tell"


def mean_of_means(language_model: CausalLM, plan: BatchPlan) -> float:
    batches = [plan.batch(numbers) for numbers in plan.in_order()]
    with torch.no_grad():
        means = [float(language_model.loss_sum(one)) / float(one.target_weights_BT.sum()) for one in batches]
    return sum(means) / len(means)


def train_two_steps(folder: Path, *, accumulation: int) -> tuple[torch.Tensor, list[float], list[tuple[int, float]]]:
    """Two steps over ten rows; the second step has a single batch."""
    store = store_of(folder / f"store-{distributed.rank()}", some_rows(10))
    held = store_of(folder / f"held-{distributed.rank()}", some_rows(3, seed=2))
    per_step = accumulation * distributed.world_size()
    plan = plan_of(store, packed=False, batch_size=2, batches_per_step=per_step)
    assert [len(plan.step(number)) for number in range(2)] == [4, 1]
    held_out = plan_of(held, packed=False, batch_size=1, batches_per_step=1)
    job = job_of(folder / "checkpoints", plan=plan, held_out=held_out, max_grad_norm=0.5)
    outcome = fit(job)
    return flat_weights(job), list(outcome.losses), job.listener.evaluations


def worker(rank: int, port: int, folder: Path) -> None:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    distributed.start()
    assert (distributed.rank(), distributed.world_size()) == (rank, 2)
    torch.save(train_two_steps(folder, accumulation=2), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the two processes are forked")
def test_two_processes_train_the_same_weights_as_one(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "two").mkdir()
    processes.start_processes(worker, args=(port, tmp_path / "two"), nprocs=2, start_method="fork")
    alone, losses, evaluations = train_two_steps(tmp_path / "one", accumulation=4)
    start = flat_weights(job_of(tmp_path / "none", plan=None))
    assert float((alone - start).abs().max()) > 1e-4, "the two steps moved the weights"
    for rank in range(2):
        weights, told, evaluated = torch.load(tmp_path / "two" / f"{rank}.pt")
        assert told == pytest.approx(losses, rel=1e-6)
        assert evaluated[0] == pytest.approx(evaluations[0], rel=1e-6)
        assert gap(weights - start, alone - start) < 1e-3
        assert gap(weights, alone) < 1e-6
    assert (tmp_path / "two" / "checkpoints" / "checkpoint-2" / "state.json").is_file()
