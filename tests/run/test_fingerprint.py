"""What a run may change when it goes on, and what it may not."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.small import Listening, questions
from tutelage.errors import TrainingError
from tutelage.run.fingerprint import sampled_digest
from tutelage.run.training import train


def test_what_changes_no_weight_may_change(make_recipe, tmp_path: Path) -> None:
    rows = questions(20)
    train(make_recipe(rows, train={"max_steps": 4, "save_steps": 2}), terminal=Listening())
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "checkpoint-4")
    other = {"max_steps": 4, "save_steps": 1, "logging_steps": 2, "save_total_limit": 5}
    again = make_recipe(rows, train=other, evaluate={"num_questions": 1, "max_new_tokens": 2})
    terminal = Listening()
    assert train(again, terminal=terminal, resume=True).outcome.state.step == 4
    assert "resuming after step 2" in terminal.text
    with pytest.raises(TrainingError, match=r"train.weight_decay: then 0.0, now 0.5"):
        train(make_recipe(rows, train={**other, "weight_decay": 0.5}), terminal=Listening(), resume=True)


def test_other_weights_of_the_same_size_are_another_model(make_recipe, tiny_model: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)
    settings = {"model": {"name_or_path": str(base)}, "train": {"max_steps": 2, "save_steps": 2}}
    train(make_recipe(questions(20), **settings), terminal=Listening())
    train(make_recipe(questions(20), **settings), terminal=Listening(), resume=True)
    weights = load_file(base / "model.safetensors")
    save_file({name: weight * 1.001 for name, weight in weights.items()}, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(TrainingError, match=r"model files: then .*base/model.safetensors"):
        train(make_recipe(questions(20), **settings), terminal=Listening(), resume=True)


def test_the_base_under_an_adapter_counts(make_recipe, tiny_model: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)
    first = make_recipe(
        questions(20),
        output_dir=str(tmp_path / "first"),
        model={"name_or_path": str(base)},
        train={"method": "lora", "max_steps": 2},
    )
    train(first, terminal=Listening())
    settings = {
        "model": {"name_or_path": str(tmp_path / "first" / "model")},
        "train": {"method": "lora", "max_steps": 2, "save_steps": 2},
    }
    train(make_recipe(questions(20), **settings), terminal=Listening())
    weights = load_file(base / "model.safetensors")
    save_file({name: weight + 0.01 for name, weight in weights.items()}, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(TrainingError, match=r"model files: then .*adapter_model.safetensors.*base/model"):
        train(make_recipe(questions(20), **settings), terminal=Listening(), resume=True)


@pytest.mark.parametrize("size", [10, 70_000, 30_000_000])
def test_samples_see_a_training_step_and_the_ends(tmp_path: Path, size: int) -> None:
    file = tmp_path / "weights"
    content = torch.randint(0, 255, (size,), dtype=torch.uint8).numpy()
    found = set()
    for change in (lambda _: None, lambda c: c.__setitem__(0, c[0] ^ 1), lambda c: c.__setitem__(-1, c[-1] ^ 1)):
        change(content)
        file.write_bytes(content.tobytes())
        found.add(sampled_digest(file))
    file.write_bytes((content + 1).tobytes())
    assert len(found | {sampled_digest(file)}) == 4
