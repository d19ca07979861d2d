"""The loop: when it evaluates, saves and stops, what it keeps, and what it refuses to go on with."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.small import gap
from tests.training_jobs import flat_weights, job_of, plan_of, some_rows, store_of
from tutelage.errors import TrainingError
from tutelage.records import Speed
from tutelage.tokens.batches import BatchPlan
from tutelage.training.checkpoint import TrainState
from tutelage.training.loop import Job, after_evaluation, fit, metrics_of
from tutelage.training.step import StepResult


@pytest.fixture
def plans(tmp_path: Path) -> dict[str, BatchPlan]:
    """Eight rows to train on and four others."""
    store, held = store_of(tmp_path / "store", some_rows(8)), store_of(tmp_path / "held", some_rows(4, seed=9))
    return {
        "plan": plan_of(store, packed=False, batch_size=4, batches_per_step=1),
        "held_out": plan_of(held, packed=False, batch_size=4, batches_per_step=1),
    }


def test_the_loss_falls_and_every_step_is_told(tmp_path: Path, plans: dict[str, Any]) -> None:
    job = job_of(tmp_path / "c", **plans, steps=20, eval_every=6, save_every=8, lr_scheduler_type="constant")
    outcome = fit(job)
    notebook = job.listener
    assert notebook.losses == list(outcome.losses)
    assert len(notebook.losses) == 20
    assert sum(notebook.losses[-4:]) < 0.9 * sum(notebook.losses[:4])
    assert [step for step, _ in notebook.evaluations] == [6, 12, 18, 20]
    assert job.checkpoints.steps() == [16, 20]
    assert outcome.tokens == outcome.state.tokens == 10 * sum(len(row.token_ids) for row in some_rows(8))
    assert outcome.state.trained_tokens == 10 * sum(int((row.weights[1:] > 0).sum()) for row in some_rows(8))
    assert outcome.seconds > 0
    assert all(speed.tokens_per_s > 0 and 0 < speed.loop_overhead < 1 for speed in notebook.speeds)
    assert min(speed.tokens_per_s for speed in notebook.speeds[1:]) < outcome.speed.tokens_per_s
    assert outcome.speed.tokens_per_s < max(speed.tokens_per_s for speed in notebook.speeds[1:])
    assert not outcome.stopped_early


def test_without_held_out_rows_nothing_is_evaluated(tmp_path: Path, plans: dict[str, Any]) -> None:
    job = job_of(tmp_path / "c", plan=plans["plan"], steps=3, eval_every=1, save_every=1)
    outcome = fit(job)
    assert job.listener.evaluations == []
    assert outcome.state.best_loss is None


@pytest.mark.parametrize("wanted", [{"early_stopping_patience": 3}, {"load_best_model_at_end": True}])
def test_the_best_weights_stay_however_old(tmp_path: Path, plans: dict[str, Any], wanted: dict[str, Any]) -> None:
    """A rate far too high: the held-out loss is lowest early, and the last checkpoints are not the best ones."""
    settings = {"learning_rate": 0.02, "lr_scheduler_type": "constant", "save_total_limit": 1, **wanted}
    job = job_of(tmp_path / "c", **plans, steps=12, eval_every=1, save_every=100, **settings)
    outcome = fit(job)
    losses = [loss for _, loss in job.listener.evaluations]
    best = int(np.argmin(losses)) + 1
    assert best < outcome.state.step - 1, "the run went on beyond its best"
    assert (outcome.state.best_step, outcome.state.best_loss) == (best, min(losses))
    assert job.checkpoints.steps() == [best, outcome.state.step]
    short = job_of(tmp_path / "short", **plans, steps=best, eval_every=1, **settings)
    short = replace(short, total_steps=best)
    fit(short)
    kept = type(job.language_model.model).from_pretrained(job.checkpoints.path(best))
    saved = torch.cat([weight.detach().flatten() for weight in kept.parameters()])
    assert torch.equal(saved, flat_weights(short))
    assert gap(saved, flat_weights(job)) > 1e-3


def test_early_stopping_counts_evaluations_without_a_lower_loss(tmp_path: Path, plans: dict[str, Any]) -> None:
    settings = {"learning_rate": 0.05, "early_stopping_patience": 2, "steps": 30, "eval_every": 2}
    job = job_of(tmp_path / "c", **plans, **settings)
    outcome = fit(job)
    losses = [loss for _, loss in job.listener.evaluations]
    assert outcome.stopped_early
    assert outcome.state.step < 30
    assert outcome.state.evaluations_since_best == 2
    assert len(losses) == int(np.argmin(losses)) + 3
    assert outcome.state.step in job.checkpoints.steps(), "where it stopped is saved"


def test_after_evaluation_keeps_the_first_of_equals() -> None:
    state = after_evaluation(TrainState(step=2), 1.0)
    assert (state.best_loss, state.best_step, state.evaluations_since_best) == (1.0, 2, 0)
    same = after_evaluation(replace(state, step=4), 1.0)
    assert (same.best_step, same.evaluations_since_best) == (2, 1)
    better = after_evaluation(replace(same, step=6), 0.5)
    assert (better.best_loss, better.best_step, better.evaluations_since_best) == (0.5, 6, 0)


def poison(job: Job, where: str) -> None:
    """Make the loss NaN, or only the gradient."""
    weight = next(job.language_model.model.parameters())
    if where == "loss":
        with torch.no_grad():
            weight[:] = float("nan")
    else:
        weight.register_hook(lambda grad: grad * float("inf"))


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_run_that_has_become_nan_stops_before_it_saves(tmp_path: Path, plans: dict[str, Any], where: str) -> None:
    job = job_of(tmp_path / "c", **plans, steps=2, save_every=1)
    poison(job, where)
    with pytest.raises(TrainingError) as refusal:
        fit(job)
    message = str(refusal.value)
    assert f"the {where} of step 1" in message
    rows = sorted(row for batch in job.plan.step(0) for row in batch.rows)
    assert f"rows {rows}" in message
    assert "lower train.learning_rate (now 0.001)" in message
    assert job.checkpoints.steps() == []


def test_the_numbers_of_a_step() -> None:
    result = StepResult(loss=1.5, grad_norm=2.0, tokens=75, trained_tokens=30, positions=100, seconds=0.5)
    speed = Speed(
        tokens_per_s=150,
        trained_tokens_per_s=60,
        padding_share=0.25,
        flops_per_s=4e9,
        peak_flops_per_s=8e9,
        share_of_peak=0.5,
        loop_overhead=0.01,
        peak_gib=1.5,
    )
    numbers = metrics_of(TrainState(step=4), result, learning_rate=1e-3, speed=speed)
    assert numbers == {
        "step": 4,
        "learning_rate": 1e-3,
        "loss": 1.5,
        "grad_norm": 2.0,
        "tokens": 75,
        "trained_tokens": 30,
        "seconds": 0.5,
        "tokens_per_s": 150,
        "trained_tokens_per_s": 60,
        "padding_share": 0.25,
        "flops_per_s": 4e9,
        "peak_flops_per_s": 8e9,
        "share_of_peak": 0.5,
        "loop_overhead": 0.01,
        "peak_gib": 1.5,
    }
