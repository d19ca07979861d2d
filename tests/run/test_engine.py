"""From prepared data to a run: its length, its batches, and what is refused before the first step."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from tests.small import Listening, questions, train_tokenizer
from tutelage.errors import ModelError, RecipeError
from tutelage.model.loading import load_model, stored_dtype
from tutelage.recipe import ModelSection, Recipe
from tutelage.run.answering import load_for_answers
from tutelage.run.assemble import DEFAULT_LENGTH, speech
from tutelage.run.device import has_fast_bf16
from tutelage.run.engine import Engine, build_engine, compute_dtype
from tutelage.run.prepare import prepare
from tutelage.run.training import train


def engine_of(recipe: Recipe) -> Engine:
    spoken = speech(recipe)
    prepared = prepare(recipe, spoken, terminal=Listening())
    return build_engine(recipe, spoken, prepared=prepared, terminal=Listening())


LENGTHS: list[tuple[dict[str, Any], int]] = [
    ({"num_train_epochs": 1}, 5),
    ({"num_train_epochs": 0.5}, 3),
    ({"num_train_epochs": 0.01}, 1),
    ({"num_train_epochs": 3, "gradient_accumulation_steps": 2}, 9),
    ({"max_steps": 7}, 7),
]


@pytest.mark.parametrize(("settings", "steps"), LENGTHS)
def test_the_length_of_a_run(make_recipe, settings: dict[str, Any], steps: int) -> None:
    """Nine unpacked rows in batches of two: five steps an epoch, three with two batches a step."""
    recipe = make_recipe(questions(9), train=settings, tokens={"packing": False}, data={"eval_share": 0})
    assert engine_of(recipe).total_steps == steps


@pytest.mark.parametrize(("method", "wanted"), [("full", True), ("lora", False)])
def test_trained_embeddings_gather_their_gradient_in_place(make_recipe, method: str, wanted: bool) -> None:
    engine = engine_of(make_recipe(questions(9), train={"method": method}))
    assert ("forward" in vars(engine.language_model.model.get_input_embeddings())) is wanted


def test_packing_fills_sequences(make_recipe) -> None:
    packed, padded = (
        engine_of(make_recipe(questions(40), tokens={"packing": wanted, "max_length": 128}, data={"eval_share": 0}))
        for wanted in (True, False)
    )
    assert (packed.packed, padded.packed) == (True, False)
    assert len(padded.plan.packs) == 40
    assert len(packed.plan.packs) <= 14
    assert all(pack.length <= 128 for pack in packed.plan.packs)
    for engine in (packed, padded):
        assert engine.held_out is None
        assert sorted(number for pack in engine.plan.packs for number in pack.examples) == list(range(40))


def test_both_halves_are_planned_by_their_own_numbers(make_recipe) -> None:
    engine = engine_of(make_recipe(questions(40), data={"eval_share": 0.2}))
    assert engine.held_out is not None
    trained, held = ({n for pack in plan.packs for n in pack.examples} for plan in (engine.plan, engine.held_out))
    assert trained | held == set(range(40))
    assert not trained & held
    assert len(held) == 8


def test_ids_that_the_model_does_not_know_are_refused(make_recipe, tiny_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "grown")
    grown = train_tokenizer()
    grown.add_special_tokens(["<|new|>"])
    PreTrainedTokenizerFast(tokenizer_object=grown, eos_token="<|new|>", pad_token="<|pad|>").save_pretrained(folder)
    recipe = make_recipe(questions(9), model={"name_or_path": str(folder)}, template={"name": "plain"})
    with pytest.raises(ModelError, match="writes the id 420, the model knows 420 tokens"):
        engine_of(recipe)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("dtype", "expected"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_arithmetic_is_the_recipes(make_recipe, dtype: str, expected: torch.dtype) -> None:
    recipe = make_recipe(questions(9), train={"dtype": dtype})
    assert compute_dtype(recipe) == expected
    engine = engine_of(recipe)
    assert {weight.dtype for weight in engine.language_model.trainable().values()} == {torch.float32}
    lora = engine_of(make_recipe(questions(9), train={"dtype": dtype, "method": "lora"}))
    frozen = {weight.dtype for weight in lora.model.parameters() if not weight.requires_grad}
    assert frozen == {expected}


def test_bf16_trains_as_fp32_does(make_recipe, tmp_path: Path) -> None:
    """Not bit for bit: the losses of a short run stay within a percent."""
    losses = {}
    for dtype in ("fp32", "bf16"):
        settings = {"dtype": dtype, "num_train_epochs": 4.0, "learning_rate": 5e-3}
        recipe = make_recipe(questions(30), train=settings, output_dir=str(tmp_path / dtype))
        losses[dtype] = train(recipe, terminal=Listening()).outcome.losses
    assert losses["fp32"][-1] < 0.9 * losses["fp32"][0]
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.01)


def test_the_context_limits_the_length(make_recipe) -> None:
    assert speech(make_recipe([], tokens={"max_length": 256})).max_length == 256
    with pytest.raises(RecipeError, match=r"tokens\.max_length is 257[\s\S]*tokens\.max_length=256"):
        speech(make_recipe([], tokens={"max_length": 257}))
    spoken = speech(make_recipe([], tokens={"max_length": None}))
    assert spoken.max_length == min(256, DEFAULT_LENGTH)
    assert spoken.decoding(max_new_tokens=300, batch_size=1).room([1] * 200) == 56


def test_answers_are_made_in_a_dtype_that_is_fast_here(tiny_model: Path, tmp_path: Path) -> None:
    section = ModelSection(name_or_path=str(tiny_model))
    load_model(section, dtype=torch.bfloat16).save_pretrained(tmp_path / "half")
    half = load_for_answers(ModelSection(name_or_path=str(tmp_path / "half")))
    expected = torch.bfloat16 if has_fast_bf16() else torch.float32
    assert {weight.dtype for weight in half.parameters()} == {expected}
    assert {weight.dtype for weight in load_for_answers(section).parameters()} == {torch.float32}
    assert stored_dtype(half.config) in (torch.bfloat16, torch.float32)


def test_the_best_weights_are_handed_over(make_recipe, tmp_path: Path) -> None:
    """A rate that ruins the model: with load_best_model_at_end its best state is the result, bit for bit."""
    settings = {"learning_rate": 0.5, "lr_scheduler_type": "constant", "max_steps": 6, "eval_steps": 1}
    recipe = make_recipe(questions(30), train={**settings, "load_best_model_at_end": True}, data={"eval_share": 0.2})
    result = train(recipe, terminal=Listening())
    best = result.outcome.state.best_step
    assert best is not None
    assert best < 6
    kept = load_model(ModelSection(name_or_path=str(tmp_path / "run" / "model")), dtype=torch.float32)
    checkpoint = tmp_path / "run" / "checkpoints" / f"checkpoint-{best}"
    saved = load_model(ModelSection(name_or_path=str(checkpoint)), dtype=torch.float32)
    last = load_model(ModelSection(name_or_path=str(checkpoint.with_name("checkpoint-6"))), dtype=torch.float32)
    pairs = zip(kept.parameters(), saved.parameters(), last.parameters(), strict=True)
    assert all(torch.equal(one, other) and not torch.equal(one, end) for one, other, end in pairs)


def test_a_run_that_asks_compares_base_and_tuned(make_recipe, tmp_path: Path) -> None:
    recipe = make_recipe(
        questions(40),
        data={"eval_share": 0.2},
        train={"num_train_epochs": 2.0},
        evaluate={"num_questions": 5, "max_new_tokens": 6, "batch_size": 2},
    )
    result = train(recipe, terminal=Listening())
    (comparison,) = result.comparisons
    assert comparison.names == ("base", "tuned")
    assert len(comparison.items) == 5
    held = set(result.prepared.store.rows[result.prepared.held_out].tolist())
    written = json.loads((tmp_path / "run" / "comparison.json").read_text(encoding="utf-8"))
    (suite,) = written["suites"]
    assert [one["row"] for one in suite["items"]] == [item.question.row for item in comparison.items]
    assert {one["row"] for one in suite["items"]} <= held
    figures = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert figures["ledger"]["rows"] == 40
    assert set(figures["base"]) >= {"exact_match", "stopped"}
