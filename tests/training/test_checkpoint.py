"""Checkpoints: whole or not at all, the last few and the best, and only for the run that wrote them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tutelage.errors import TrainingError
from tutelage.training.checkpoint import Checkpoints, Start, TrainState, load_optimizer

FINGERPRINT = {"train.learning_rate": 1e-3, "data and tokens": "abc", "model files": ["a: 1 bytes"]}


def small_model(seed: int = 0) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(3, 2)


def named(model: nn.Module) -> dict[str, nn.Parameter]:
    return dict(model.named_parameters())


def train(model: nn.Linear, optimizer: torch.optim.Optimizer, steps: int) -> None:
    for step in range(steps):
        optimizer.zero_grad()
        model(torch.full((1, 3), float(step + 1))).square().sum().backward()
        optimizer.step()


def save(checkpoints: Checkpoints, state: TrainState, model: nn.Linear | None = None) -> Path:
    """A checkpoint with one file for the model and the moments of a step of AdamW."""
    model = model or small_model()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    train(model, optimizer, 1)

    def write(folder: Path) -> None:
        (folder / "model.txt").write_text(str(state.step), encoding="utf-8")

    return checkpoints.save(state, write, optimizer=optimizer, weights=named(model))


def made(folder: Path, keep: int = 2, fingerprint: Mapping[str, Any] = FINGERPRINT) -> Checkpoints:
    return Checkpoints(folder, keep=keep, fingerprint=fingerprint)


def test_the_last_few_and_the_best_stay(tmp_path: Path) -> None:
    checkpoints = made(tmp_path)
    best = TrainState(step=20, best_step=20, best_loss=1.0)
    for step in (10, 20, 30, 40, 50):
        save(checkpoints, replace(best, step=step) if step >= 20 else TrainState(step=step))
    assert checkpoints.steps() == [20, 40, 50]
    save(checkpoints, TrainState(step=60, best_step=60, best_loss=0.5))
    assert checkpoints.steps() == [50, 60], "the old best one goes when there is a better one"
    assert (checkpoints.path(60) / "model.txt").read_text(encoding="utf-8") == "60"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-50", "checkpoint-60"]


def test_steps_are_ordered_as_numbers(tmp_path: Path) -> None:
    checkpoints = made(tmp_path, keep=9)
    for step in (9, 10, 100):
        save(checkpoints, TrainState(step=step))
    assert checkpoints.steps() == [9, 10, 100]
    assert checkpoints.newest().path.name == "checkpoint-100"


def test_the_state_comes_back_as_it_was(tmp_path: Path) -> None:
    state = TrainState(7, 1000, 300, best_loss=0.1 + 0.2, best_step=5, evaluations_since_best=1)
    path = save(made(tmp_path), state)
    assert made(tmp_path).newest() == Start(path, state)


def test_a_checkpoint_that_was_not_finished_does_not_count(tmp_path: Path) -> None:
    """The process dies while the model is being written: the checkpoint before it is the newest, and the next one of
    the same step is written afresh."""
    checkpoints = made(tmp_path)
    save(checkpoints, TrainState(step=1))

    class Killed(Exception):
        pass

    def dies(folder: Path) -> None:
        (folder / "half.txt").write_text("half", encoding="utf-8")
        raise Killed

    model = small_model()
    optimizer = torch.optim.AdamW(model.parameters())
    with pytest.raises(Killed):
        checkpoints.save(TrainState(step=2), dies, optimizer=optimizer, weights=named(model))
    assert checkpoints.steps() == [1]
    assert checkpoints.newest().state.step == 1
    again = save(checkpoints, TrainState(step=2))
    assert checkpoints.newest().state.step == 2
    assert not (again / "half.txt").exists()
    assert not list(tmp_path.glob(".*"))


def test_another_run_is_refused_with_what_differs(tmp_path: Path) -> None:
    save(made(tmp_path), TrainState(step=3))
    other = {**FINGERPRINT, "train.learning_rate": 2e-3, "processes": 2}
    with pytest.raises(TrainingError) as refusal:
        made(tmp_path, fingerprint=other).newest()
    message = str(refusal.value)
    assert "train.learning_rate: then 0.001, now 0.002" in message
    assert "processes: then None, now 2" in message
    assert "data and tokens" not in message
    assert message.startswith(str(tmp_path / "checkpoint-3"))


def test_a_fingerprint_survives_its_file(tmp_path: Path) -> None:
    """What JSON changes (tuples, numbers as keys) is no difference."""
    fingerprint = {"sources": ({"path": "a"},), "none": None, "rate": 1e-05}
    save(made(tmp_path, fingerprint=fingerprint), TrainState(step=1))
    assert made(tmp_path, fingerprint=fingerprint).newest().state.step == 1


def test_an_empty_folder_has_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no checkpoint to resume from[\s\S]*without --resume"):
        made(tmp_path / "none").newest()


def test_the_optimizer_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    model, twin = small_model(), small_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    train(model, optimizer, 3)
    checkpoints = made(tmp_path)
    path = checkpoints.save(TrainState(step=3), lambda _: None, optimizer=optimizer, weights=named(model))
    twin.load_state_dict(model.state_dict())
    resumed = torch.optim.AdamW(twin.parameters(), lr=0.1, fused=True)
    load_optimizer(resumed, named(twin), checkpoint=path)
    forgetful = small_model()
    forgetful.load_state_dict(model.state_dict())
    for one, its in (
        (model, optimizer),
        (twin, resumed),
        (forgetful, torch.optim.AdamW(forgetful.parameters(), lr=0.1)),
    ):
        train(one, its, 3)
    assert torch.equal(model.weight, twin.weight)
    assert torch.equal(model.bias, twin.bias)
    assert not torch.equal(model.weight, forgetful.weight), "the moments matter"


def test_a_weight_without_gradient_has_no_moments_and_none_are_missed(tmp_path: Path) -> None:
    model = small_model()
    idle = nn.Parameter(torch.ones(2))
    weights = {**named(model), "idle": idle}
    optimizer = torch.optim.AdamW(weights.values(), fused=True)
    train(model, optimizer, 1)
    path = made(tmp_path).save(TrainState(step=1), lambda _: None, optimizer=optimizer, weights=weights)
    fresh = torch.optim.AdamW(weights.values(), fused=True)
    load_optimizer(fresh, weights, checkpoint=path)
    train(model, fresh, 1)
    assert torch.equal(idle, torch.ones(2))
    assert json.loads((path / "state.json").read_text())["state"]["step"] == 1
