"""Law 6: a run killed at any instant continues to the same weights, bit for bit; onto anything else it is refused."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.small import Listening, gap, questions
from tests.training_jobs import flat_weights, job_of, plan_of, some_rows, store_of
from tutelage.errors import TrainingError
from tutelage.recipe import Recipe
from tutelage.records import Speed
from tutelage.run.metrics import read_metrics
from tutelage.run.training import train
from tutelage.terminal import Update
from tutelage.training.loop import fit

METHODS: dict[str, dict[str, Any]] = {
    "full": {},
    "lora": {"train": {"method": "lora"}, "lora": {"r": 4, "lora_dropout": 0.3}},
    "freeze": {"train": {"method": "freeze"}, "freeze": {"trainable_layers": 1}},
    "muon": {"train": {"optim": "muon", "lr_scheduler_type": "inverse_sqrt", "neftune_noise_alpha": 5.0}},
    "adafactor": {"train": {"optim": "adafactor", "gradient_checkpointing": "full"}},
}
STEPS = 6


class Killed(Exception):
    """Stands for the signal that ends a process."""


class Deadly(Listening):
    """A terminal at which a run dies while it reports step `at`."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    @contextmanager
    def progress(self, title: str, total: int | None, *, start: int = 0) -> Iterator[Update]:
        def update(done: int, beside: str) -> None:
            if title == "training" and done == self.at:
                raise Killed

        yield update


def recipe_of(make_recipe, output: str, method: str = "full", **changes: Any) -> Recipe:
    sections = {
        **METHODS[method],
        "output_dir": output,
        "data": {"eval_share": 0.2},
        "tokens": {"max_length": 64, "packing": method == "full"},
    }
    settings = {"max_steps": STEPS, "save_steps": 2, "eval_steps": 3, **METHODS[method].get("train", {}), **changes}
    return make_recipe(questions(30), **{**sections, "train": settings})


def weights_file(output: Path) -> bytes:
    (file,) = (output / "model").glob("*model.safetensors")
    return file.read_bytes()


CLOCK = {"seconds", *(field.name for field in fields(Speed))} - {"padding_share"}


def steady(folder: Path) -> list[dict[str, float]]:
    """What was logged, without the clock."""
    return [{key: value for key, value in line.items() if key not in CLOCK} for line in read_metrics(folder)]


@pytest.mark.parametrize("method", list(METHODS))
def test_a_killed_run_ends_in_the_same_weights(make_recipe, tmp_path: Path, method: str) -> None:
    unbroken = tmp_path / "unbroken"
    whole = train(recipe_of(make_recipe, str(unbroken), method), terminal=Listening())
    assert [line["step"] for line in steady(unbroken) if "loss" in line] == list(range(1, STEPS + 1))
    assert len({line["loss"] for line in steady(unbroken) if "loss" in line}) == STEPS
    assert whole.outcome.state.best_loss is not None
    for at in (4, STEPS):
        broken = tmp_path / f"broken-{at}"
        with pytest.raises(Killed):
            train(recipe_of(make_recipe, str(broken), method), terminal=Deadly(at))
        assert not (broken / "model").exists()
        assert [line["step"] for line in read_metrics(broken)][-1] == at - 1, "a step after the checkpoint was logged"
        terminal = Listening()
        again = train(recipe_of(make_recipe, str(broken), method), terminal=terminal, resume=True)
        assert f"resuming after step {at - 2}" in terminal.text
        assert again.outcome.losses == whole.outcome.losses[at - 2 :]
        assert again.outcome.state == whole.outcome.state
        assert weights_file(broken) == weights_file(unbroken)
        assert steady(broken) == steady(unbroken), "each step stands once in metrics.jsonl"


def test_the_same_seed_gives_the_same_run_and_another_seed_another(make_recipe, tmp_path: Path) -> None:
    outputs = [str(tmp_path / name) for name in "abc"]
    first, second = (train(recipe_of(make_recipe, output), terminal=Listening()) for output in outputs[:2])
    other = recipe_of(make_recipe, outputs[2]).model_copy(update={"seed": 7})
    third = train(other, terminal=Listening())
    assert first.outcome.losses == second.outcome.losses != third.outcome.losses
    assert weights_file(Path(outputs[0])) == weights_file(Path(outputs[1])) != weights_file(Path(outputs[2]))


def test_dropout_is_really_on(make_recipe, tmp_path: Path) -> None:
    """Else the resumed adapters above would have had nothing to reproduce."""
    still = recipe_of(make_recipe, str(tmp_path / "still"), "lora")
    still = still.model_copy(update={"lora": still.lora.model_copy(update={"lora_dropout": 0.0})})
    moving = recipe_of(make_recipe, str(tmp_path / "moving"), "lora")
    losses = [train(recipe, terminal=Listening()).outcome.losses for recipe in (still, moving)]
    assert losses[0][0] == losses[1][0], "an adapter that has not moved adds nothing"
    assert losses[0][-1] != losses[1][-1]


@pytest.fixture
def killed(make_recipe, tmp_path: Path) -> Path:
    """The folder of a run that was killed at its fourth step."""
    output = tmp_path / "run"
    with pytest.raises(Killed):
        train(recipe_of(make_recipe, str(output)), terminal=Deadly(4))
    return output


def test_resuming_with_another_recipe_is_refused_with_the_difference(make_recipe, killed: Path) -> None:
    before = (killed / "recipe.yaml").read_bytes(), (killed / "metrics.jsonl").read_bytes()
    with pytest.raises(TrainingError) as refusal:
        train(recipe_of(make_recipe, str(killed), learning_rate=2e-3), terminal=Listening(), resume=True)
    assert "train.learning_rate: then 0.001, now 0.002" in str(refusal.value)
    assert "seed" not in str(refusal.value), "only what differs is named"
    assert before == ((killed / "recipe.yaml").read_bytes(), (killed / "metrics.jsonl").read_bytes())


def test_resuming_on_other_data_is_refused(make_recipe, killed: Path, tmp_path: Path) -> None:
    ledger = (killed / "ledger.jsonl").read_bytes()
    recipe = recipe_of(make_recipe, str(killed))
    rows = (tmp_path / "rows.jsonl").read_text(encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text(rows.replace("says 7", "says 8"), encoding="utf-8")
    with pytest.raises(TrainingError, match=r"data and tokens: then .*, now "):
        train(recipe, terminal=Listening(), resume=True)
    assert (killed / "ledger.jsonl").read_bytes() == ledger


def test_resuming_nothing_is_refused(make_recipe, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no checkpoint to resume from"):
        train(recipe_of(make_recipe, str(tmp_path / "new")), terminal=Listening(), resume=True)
    assert not (tmp_path / "new").exists()


def test_the_resolved_recipe_of_a_run_starts_the_same_run(make_recipe, killed: Path, tmp_path: Path) -> None:
    from tutelage import recipe as recipes

    saved = recipes.load(killed / "recipe.yaml")
    assert saved == recipe_of(make_recipe, str(killed))
    resumed = train(saved, terminal=Listening(), resume=True)
    assert resumed.outcome.state.step == STEPS
    assert yaml.safe_load((killed / "recipe.yaml").read_text())["train"]["max_steps"] == STEPS
    assert json.loads((killed / "result.json").read_text())["steps"] == STEPS


def test_a_run_that_had_stopped_early_does_not_go_on(tmp_path: Path) -> None:
    """Killed between its last checkpoint and the finished model, it must not train beyond where it had stopped."""
    store, held = store_of(tmp_path / "store", some_rows(8)), store_of(tmp_path / "held", some_rows(4, seed=9))
    plans = {
        "plan": plan_of(store, packed=False, batch_size=4, batches_per_step=1),
        "held_out": plan_of(held, packed=False, batch_size=4, batches_per_step=1),
    }
    settings = {"steps": 20, "eval_every": 1, "early_stopping_patience": 2, "learning_rate": 0.05}
    job = job_of(tmp_path / "checkpoints", **plans, **settings)
    stopped = fit(job)
    assert stopped.stopped_early
    assert stopped.state.step < 20
    again = job_of(tmp_path / "checkpoints", **plans, **settings)
    resumed = fit(again, resume_from=again.checkpoints.newest())
    assert resumed.stopped_early
    assert (resumed.state, resumed.losses) == (stopped.state, ())
    assert gap(flat_weights(job), flat_weights(job_of(tmp_path / "new", **plans))) > 0.01


def mixture_of(make_recipe, folder: Path, output: str, *, rows: int = 24) -> Recipe:
    (folder / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions(8, start=60)))
    sources = [str(folder / "rows.jsonl"), {"path": str(folder / "more.jsonl"), "rows": rows}]
    settings = {"max_steps": STEPS, "save_steps": 2, "logging_steps": 3, "per_device_train_batch_size": 2}
    data = {"sources": sources, "eval_share": 0.2}
    return make_recipe(questions(30), output_dir=str(folder / output), data=data, train=settings)


def test_a_mixture_goes_on_with_the_losses_of_its_sources(make_recipe, tmp_path: Path) -> None:
    train(mixture_of(make_recipe, tmp_path, "unbroken"), terminal=Listening())
    logged = [line for line in steady(tmp_path / "unbroken") if "loss" in line]
    assert [(line["step"], len(line["source_losses"])) for line in logged] == [(3, 2), (6, 2)]
    with pytest.raises(Killed):
        train(mixture_of(make_recipe, tmp_path, "broken"), terminal=Deadly(5))
    with pytest.raises(TrainingError, match=r"data\.sources: then .*'rows': 24.*'rows': 25"):
        train(mixture_of(make_recipe, tmp_path, "broken", rows=25), terminal=Listening(), resume=True)
    train(mixture_of(make_recipe, tmp_path, "broken"), terminal=Listening(), resume=True)
    assert steady(tmp_path / "broken") == steady(tmp_path / "unbroken"), "the sums of step 4, before the kill, count"
    assert weights_file(tmp_path / "broken") == weights_file(tmp_path / "unbroken")
