"""Suites asked while a model trains change nothing, and are what the same weights answer later."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import MakeRecipe
from tests.small import Listening, questions
from tutelage.recipe import Recipe
from tutelage.run.evaluating import evaluate
from tutelage.run.metrics import read_metrics
from tutelage.run.training import train


def run(make_recipe: MakeRecipe, folder: Path, *, method: str, suite: str | None, steps: int) -> tuple[Recipe, Path]:
    asked: dict[str, Any] = {"num_questions": 6, "max_new_tokens": 3}
    if suite:
        asked |= {"suites": [suite], "suite_steps": 2}
    recipe = make_recipe(
        questions(16),
        output_dir=str(folder),
        data={"eval_share": 0.2},
        train={"max_steps": steps, "method": method, "learning_rate": 0.01, "lr_scheduler_type": "constant"},
        evaluate=asked,
    )
    train(recipe, terminal=Listening())
    return recipe, folder


@pytest.mark.parametrize("method", ["full", "lora"])
def test_asking_changes_no_weight_and_no_loss(make_recipe: MakeRecipe, tmp_path: Path, method: str) -> None:
    _, asked = run(make_recipe, tmp_path / "asked", method=method, suite="world_en", steps=5)
    _, quiet = run(make_recipe, tmp_path / "quiet", method=method, suite=None, steps=5)
    losses = [[line["loss"] for line in read_metrics(folder) if "loss" in line] for folder in (asked, quiet)]
    assert len(losses[0]) == 5
    assert losses[0] == losses[1]
    for file in (asked / "model").glob("*.safetensors"):
        ours, theirs = load_file(file), load_file(quiet / "model" / file.name)
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_scores_stand_in_the_metrics_by_step(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    _, folder = run(make_recipe, tmp_path / "run", method="full", suite="world_en", steps=5)
    told = [(line["step"], line["scores"]) for line in read_metrics(folder) if "scores" in line]
    assert [step for step, _ in told] == [2, 4], "after the last step the tuned model is asked anyhow"
    assert all(set(scores) == {"world_en"} and 0 <= scores["world_en"] <= 1 for _, scores in told)


def test_the_score_is_what_the_same_weights_get_later(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    """A suite whose references are what the model says: chrF is far from 0, and tells models apart."""
    items = [f"  - {{question: 'Say {n}.', expected: 'the the {n}', metric: chrf}}" for n in range(6)]
    (tmp_path / "said.yaml").write_text("\n".join(["items:", *items]) + "\n", encoding="utf-8")
    suite = str(tmp_path / "said.yaml")
    recipe, longer = run(make_recipe, tmp_path / "longer", method="full", suite=suite, steps=4)
    midway = next(line["scores"]["said"] for line in read_metrics(longer) if "scores" in line)
    _, short = run(make_recipe, tmp_path / "short", method="full", suite=suite, steps=2)
    later = evaluate(
        str(short / "model"),
        recipe.model_copy(update={"data": recipe.data.model_copy(update={"sources": ()})}),
        terminal=Listening(),
    )
    assert midway == pytest.approx(later.comparisons[0].mean(str(short / "model")).value, abs=2e-4)
    assert json.loads((short / "result.json").read_text())["suites"]["said"]["n"] == 6
