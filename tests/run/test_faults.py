"""What goes wrong under a run: a full disk, a second run, a damaged store, signals, memory that ends, a tracker that
fails. Nothing that was saved is lost, and one message says how it goes on."""

import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.tensorboard import SummaryWriter

from tests.small import Listening, questions
from tutelage import recipe as recipes
from tutelage.errors import DataError, Stopped, TrainingError
from tutelage.recipe import Recipe
from tutelage.run.folder import LOCK, claimed
from tutelage.run.metrics import read_metrics
from tutelage.run.training import train
from tutelage.tokens.store import TokenStore
from tutelage.training import step as training_step

STEPS = 6


def recipe_of(make_recipe: Callable[..., Recipe], **settings: Any) -> Recipe:
    return make_recipe(questions(30), train={"max_steps": STEPS, "save_steps": 2, **settings})


def command(make_recipe: Callable[..., Recipe], tmp_path: Path, *more: str, steps: int = STEPS) -> list[str]:
    """`tutelage train` on a recipe file."""
    recipe = recipe_of(make_recipe, max_steps=steps)
    (tmp_path / "recipe.yaml").write_text(recipes.dump(recipe), encoding="utf-8")
    return [sys.executable, "-m", "tutelage.cli", "train", str(tmp_path / "recipe.yaml"), *more]


def weights(output: Path) -> bytes:
    return (output / "model" / "model.safetensors").read_bytes()


def test_a_full_disk_is_one_message_and_the_last_checkpoint_stays(make_recipe, tmp_path: Path) -> None:
    """The limit on the size of files stands for the disk: above it, writing fails as it does there."""
    recipe = recipe_of(make_recipe)
    whole = recipe.model_copy(update={"output_dir": str(tmp_path / "whole")})
    train(whole, terminal=Listening())
    moments = max(file.stat().st_size for file in (tmp_path / "whole").rglob("optimizer.safetensors"))
    run = command(make_recipe, tmp_path)
    cut = subprocess.run(
        run,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (moments - 1, moments - 1)),
    )
    assert cut.returncode == 1, cut.stderr
    assert "the checkpoint cannot be written" in cut.stderr
    assert "to do: make room" in cut.stderr
    assert "Traceback" not in cut.stderr
    assert not list((tmp_path / "run" / "checkpoints").iterdir())
    again = subprocess.run(run, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_a_disk_that_fills_up_later_costs_the_steps_since_the_last_checkpoint(make_recipe, tmp_path: Path) -> None:
    whole = recipe_of(make_recipe).model_copy(update={"output_dir": str(tmp_path / "whole")})
    train(whole, terminal=Listening())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    class FullAtThree(SummaryWriter):
        def add_scalar(self, name: str, value: float, step: int) -> None:
            if step == 3:
                resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tutelage.run.metrics.SummaryWriter", FullAtThree)
        try:
            with pytest.raises(TrainingError, match=r"cannot be written[\s\S]*goes on after step 2"):
                train(recipe_of(make_recipe), terminal=Listening())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["checkpoint-2"]
    again = Listening()
    train(recipe_of(make_recipe), terminal=again, resume=True)
    assert "resuming after step 2" in again.text
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_a_second_run_is_refused_and_the_first_is_named(make_recipe, tmp_path: Path) -> None:
    recipe = recipe_of(make_recipe)
    with claimed(recipe, resume=False, terminal=Listening()) as output:
        (output / "mine").touch()
        for resume in (False, True):
            with (
                pytest.raises(TrainingError, match=rf"another run is at work in this folder \(process {os.getpid()}\)"),
                claimed(recipe, resume=resume, terminal=Listening()),
            ):
                pass
        assert (output / "mine").exists(), "it was not moved aside"
    with claimed(recipe, resume=True, terminal=Listening()):
        pass


def test_a_dead_run_holds_nothing(make_recipe, tmp_path: Path) -> None:
    output = Path(recipe_of(make_recipe).output_dir)
    output.mkdir()
    child = os.fork()
    if not child:
        lock = os.open(output / LOCK, os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    with claimed(recipe_of(make_recipe), resume=False, terminal=Listening()):
        pass


def test_a_run_that_is_asked_to_stop_saves_and_goes_on_bit_for_bit(make_recipe, tmp_path: Path) -> None:
    steps = 400
    run = command(make_recipe, tmp_path, "--set=train.save_steps=1000", steps=steps)
    output = tmp_path / "run"
    process = subprocess.Popen(run, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (
        (output / "metrics.jsonl").exists() and (output / "metrics.jsonl").stat().st_size
    ):
        time.sleep(0.01)
    process.terminate()
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130, errors
    done = read_metrics(output)[-1]["step"]
    assert 0 < done < steps
    assert f"stopped after step {done} of {steps}, which is saved" in errors
    assert errors.rstrip().splitlines()[-1].strip().endswith("--set=train.save_steps=1000 --resume")
    again = subprocess.run([*run, "--resume"], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert [line["step"] for line in read_metrics(output) if "loss" in line] == list(range(1, steps + 1))
    whole = recipe_of(make_recipe, max_steps=steps, save_steps=1000)
    train(whole.model_copy(update={"output_dir": str(tmp_path / "whole")}), terminal=Listening())
    assert weights(output) == weights(tmp_path / "whole")


def test_a_stop_is_an_exception_for_programs(make_recipe) -> None:
    class Impatient(Listening):
        def say(self, *parts: str | tuple[str, str]) -> None:
            super().say(*parts)
            if str(parts[0]).startswith("training: 1 "):
                os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tutelage.terminal.PLAIN_EVERY", 0.0)
        with pytest.raises(Stopped, match="stopped after step"):
            train(recipe_of(make_recipe, max_steps=50), terminal=Impatient())
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_store_that_is_deleted_under_a_run_is_read_to_its_end(make_recipe, tmp_path: Path) -> None:
    whole = recipe_of(make_recipe).model_copy(update={"output_dir": str(tmp_path / "whole")})
    train(whole, terminal=Listening())

    class Deleting(Listening):
        def say(self, *parts: str | tuple[str, str]) -> None:
            super().say(*parts)
            for file in (tmp_path / "cache").rglob("*.i32"):
                file.unlink()

    train(recipe_of(make_recipe), terminal=Deleting())
    assert not list((tmp_path / "cache").rglob("*.i32"))
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_a_store_that_is_cut_short_is_told_and_not_a_dead_process(make_recipe, tmp_path: Path) -> None:
    train(recipe_of(make_recipe), terminal=Listening())
    (file,) = (tmp_path / "cache").rglob("tokens.i32")
    store = TokenStore(file.parent)
    assert len(store[len(store) - 1].token_ids) > 0
    os.truncate(file, file.stat().st_size // 2)
    assert len(store[0].token_ids) > 0
    with pytest.raises(DataError, match=r"tokens.i32: the token store is damaged: it was cut short[\s\S]*rm -r"):
        store[len(store) - 1]


def test_a_broken_checkpoint_is_named_and_passed_over(make_recipe, tmp_path: Path) -> None:
    recipe = recipe_of(make_recipe)
    train(recipe, terminal=Listening())
    expected, checkpoints = weights(tmp_path / "run"), tmp_path / "run" / "checkpoints"
    with (checkpoints / f"checkpoint-{STEPS}" / "model.safetensors").open("r+b") as file:
        file.seek(-3, os.SEEK_END)
        file.write(b"bad")
    terminal = Listening()
    train(recipe, terminal=terminal, resume=True)
    assert f"checkpoint-{STEPS} is broken: model.safetensors is not what was written" in terminal.text
    assert f"resuming after step {STEPS - 2}" in terminal.text
    assert weights(tmp_path / "run") == expected
    for checkpoint in checkpoints.iterdir():
        (checkpoint / "state.json").unlink()
    with pytest.raises(TrainingError, match=r"state.json is missing[\s\S]*without --resume"):
        train(recipe, terminal=Listening(), resume=True)


class Scarce:
    """Memory for so many tokens at once: what asks for more is told so as torch tells it."""

    def __init__(self, tokens: int) -> None:
        self.tokens, self.seen = tokens, list[int]()

    def __call__(self, language_model: Any, batches: Any, **rest: Any) -> torch.Tensor | str:
        largest = max(batch.token_ids_BT.numel() for batch in batches)
        self.seen.append(largest)
        return "no memory" if largest > self.tokens else ACCUMULATE(language_model, batches, **rest)


ACCUMULATE = training_step._accumulate


def test_when_memory_runs_out_the_same_rows_go_in_smaller_batches(
    make_recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"per_device_train_batch_size": 8, "lr_scheduler_type": "constant"}
    expected = train(recipe_of(make_recipe, **settings), terminal=Listening()).outcome.losses
    scarce, terminal = Scarce(tokens=256), Listening()
    monkeypatch.setattr(training_step, "_accumulate", scarce)
    outcome = train(recipe_of(make_recipe, **settings), terminal=terminal).outcome
    assert max(scarce.seen) > 256 >= scarce.seen[-1]
    assert outcome.losses == pytest.approx(expected, rel=1e-5)
    assert outcome.state.halvings >= 1
    assert terminal.text.count("memory ran out in step 1") == 1
    state = json.loads((tmp_path / "run" / "checkpoints" / f"checkpoint-{STEPS}" / "state.json").read_text())
    assert state["state"]["halvings"] == outcome.state.halvings, "a resumed run goes on with small batches"


def test_a_row_that_memory_does_not_hold_ends_the_run(make_recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_step, "_accumulate", Scarce(tokens=4))
    with pytest.raises(
        TrainingError, match=r"memory runs out on a single row .*: no memory[\s\S]*gradient_checkpointing=full"
    ):
        train(recipe_of(make_recipe), terminal=Listening())


def test_a_real_limit_on_memory_is_understood(make_recipe, tmp_path: Path) -> None:
    """A child asks for more memory than it may have, with torch's and with numpy's allocator."""
    code = """
import resource, torch, numpy
from tutelage.training.memory import ran_out
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
for ask in (lambda: torch.empty(2 << 33), lambda: numpy.ones(2 << 33), lambda: torch.zeros(1).reshape(2)):
    try:
        ask()
    except Exception as error:
        print(ran_out(error))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "True", "False"], done.stderr


def test_a_tracker_that_fails_is_told_once_and_training_goes_on(
    make_recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(SummaryWriter):
        def add_scalar(self, name: str, value: float, step: int) -> None:
            raise ConnectionError("no route to the tracker")

    monkeypatch.setattr("tutelage.run.metrics.SummaryWriter", Broken)
    terminal = Listening()
    outcome = train(recipe_of(make_recipe), terminal=terminal).outcome
    assert outcome.state.step == STEPS
    assert len(read_metrics(tmp_path / "run")) >= STEPS
    assert terminal.text.count("no longer written (ConnectionError: no route to the tracker)") == 1
