"""A rehearsal changes nothing, and a forecast is refused before it comes true."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.small import Listening, questions
from tests.training_jobs import flat_weights, job_of, plan_of, some_rows, store_of
from tutelage.errors import TrainingError
from tutelage.run import forecast as forecasts
from tutelage.run.forecast import Forecast, in_words, memory_gib, refuse_what_will_not_do, show_forecast
from tutelage.run.preflighting import preflight
from tutelage.run.training import train
from tutelage.tokens.batches import BatchPlan
from tutelage.training import rehearsal, step
from tutelage.training.rehearsal import longest_batches, rehearse


@pytest.fixture
def plan(tmp_path: Path) -> BatchPlan:
    store = store_of(tmp_path / "store", some_rows(20))
    return plan_of(store, packed=False, batch_size=4, batches_per_step=2)


@pytest.mark.parametrize("optim", ["adamw", "adafactor", "muon", "sgd"])
def test_weights_stay_and_nothing_is_left(tmp_path: Path, plan: BatchPlan, optim: str) -> None:
    job = job_of(tmp_path / "c", plan=plan, held_out=plan, optim=optim, weight_decay=0.1)
    before = flat_weights(job).clone()
    found = rehearse(job, timed_steps=2)
    assert torch.equal(flat_weights(job), before)
    assert all(weight.grad is None for weight in job.language_model.model.parameters())
    assert found.halvings == 0
    assert found.save_bytes > found.model_bytes > 4 * before.numel()
    assert min(found.tokens_per_s, found.save_seconds, found.evaluation_seconds) > 0
    assert not list((tmp_path / "c").iterdir())


def test_the_longest_rows_are_tried(plan: BatchPlan) -> None:
    batches = longest_batches(plan)
    lengths = sorted((pack.length for pack in plan.packs), reverse=True)
    assert [length for batch in batches for length in batch.row_lengths] == lengths[:8]


def test_the_batches_are_the_largest_that_memory_holds(
    tmp_path: Path, plan: BatchPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is made to grow with the rows of a batch: a GiB each."""
    job, seen = job_of(tmp_path / "c", plan=replace(plan, batch_size=8)), [1.0]
    accumulate = step._accumulate

    def growing(language_model: Any, batches: Any, **rest: Any) -> torch.Tensor | str:
        seen.append(max(seen[-1], 1.0 + max(len(batch.row_lengths) for batch in batches)))
        return accumulate(language_model, batches, **rest)

    monkeypatch.setattr(step, "_accumulate", growing)
    monkeypatch.setattr(rehearsal, "peak_gib", lambda _: seen[-1])
    assert rehearse(job, timed_steps=0, memory_gib=100.0).halvings == 0
    assert seen[-1] == 9.0
    seen[:] = [1.0]
    assert 1 <= rehearse(job, timed_steps=0, memory_gib=8.0).halvings <= 2
    assert 3.0 <= seen[-1] <= 6.0, "eight rows were never tried"


def test_a_run_with_auto_sees_the_rows_of_its_step(make_recipe, tmp_path: Path) -> None:
    settings = {"gradient_accumulation_steps": 6, "max_steps": 4, "lr_scheduler_type": "constant"}
    rows, tokens = questions(30), {"packing": False}
    runs = {}
    for size in (1, "auto"):
        recipe = make_recipe(rows, train={**settings, "per_device_train_batch_size": size}, tokens=tokens)
        runs[size] = train(recipe.model_copy(update={"output_dir": str(tmp_path / str(size))}), terminal=Listening())
    assert runs["auto"].outcome.tokens == runs[1].outcome.tokens
    assert runs["auto"].outcome.losses == pytest.approx(runs[1].outcome.losses, rel=1e-4)


def test_a_forecast_of_a_run(make_recipe, tmp_path: Path) -> None:
    recipe = make_recipe(
        questions(40),
        train={"max_steps": 30, "eval_steps": 10, "save_steps": 15},
        data={"eval_share": 0.2},
        evaluate={"num_questions": 3, "max_new_tokens": 4},
    )
    expected = preflight(recipe, terminal=Listening())
    assert not (tmp_path / "run").exists()
    assert not list(tmp_path.glob(".preflight*"))
    assert expected.steps == 30
    assert set(expected.parts) == {"starting", "questions", "training", "evaluation", "saving"}
    assert min(expected.parts.values()) > 0
    assert json.loads(json.dumps(expected.summary()))["seconds"] == pytest.approx(expected.seconds, abs=0.01)
    found = train(recipe, terminal=Listening())
    assert expected.tokens == pytest.approx(found.outcome.tokens, rel=0.1)
    checkpoints = sum(file.stat().st_size for file in (tmp_path / "run").rglob("*.safetensors")) / (1 << 30)
    assert 0.9 * checkpoints < expected.disk_gib < 2.5 * checkpoints
    terminal = Listening()
    show_forecast(expected, terminal)
    assert "30 steps" in terminal.text
    assert "memory at its peak" in terminal.text


EXPECTED = Forecast(100, 1000, 10.0, 4, 0, {"training": 100.0}, 1.0, 3.0, 4.0, 8.0, 10.0)


def test_what_will_not_do_is_refused() -> None:
    refuse_what_will_not_do(EXPECTED, Path("run"))
    with pytest.raises(TrainingError, match=r"run: the run needs 8.00 GiB of disk; 8.10 GiB[\s\S]*save_total_limit"):
        refuse_what_will_not_do(replace(EXPECTED, free_gib=8.1), Path("run"))
    with pytest.raises(TrainingError, match=r"takes 3.00 GiB of memory; there are 3.10[\s\S]*batch_size=auto"):
        refuse_what_will_not_do(replace(EXPECTED, memory_gib=3.1), Path("run"))


def test_weights_that_do_not_fit_are_refused_before_a_step(make_recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasts, "memory_gib", lambda _: 1e-4)
    with pytest.raises(TrainingError, match=r"moments take[\s\S]*train.method=lora"):
        train(make_recipe(questions(9), train={"max_steps": 2}), terminal=Listening())


def test_limits_on_memory_count() -> None:
    code = """
import resource, torch
from tutelage.run.forecast import memory_gib
resource.setrlimit(resource.RLIMIT_AS, (5 << 30, 5 << 30))
print(memory_gib(torch.device("cpu")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert 0 < float(done.stdout) <= 5, done.stderr
    assert memory_gib(torch.device("cpu")) > 0


def test_durations_in_words() -> None:
    assert [in_words(seconds) for seconds in (3.14, 70, 3700)] == ["3.1 s", "1 min 10 s", "1 h 01 min"]
