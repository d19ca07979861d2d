"""Proof of sameness: same data, order and settings give TRL's loss in each of the first 20 steps, in fp32."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from tests.small import Listening, questions
from tests.training_jobs import Notebook
from tutelage.model import attention
from tutelage.run.assemble import speech
from tutelage.run.engine import Engine, build_engine
from tutelage.run.prepare import prepare
from tutelage.training.checkpoint import Checkpoints
from tutelage.training.loop import Job, fit

trl = pytest.importorskip("trl", reason="TRL is not installed: pip install 'tutelage[peers]'")

STEPS, BATCH, ACCUMULATE, RATE = 20, 2, 2, 2e-3
TOLERANCE = 2e-3


def engine_of(make_recipe: Any, method: str, *, packing: bool) -> tuple[Engine, Any]:
    train = {
        "method": method,
        "per_device_train_batch_size": BATCH,
        "gradient_accumulation_steps": ACCUMULATE,
        "max_steps": STEPS,
        "learning_rate": RATE,
        "lr_scheduler_type": "constant",
        "warmup_ratio": 0.0,
    }
    recipe = make_recipe(questions(90), train=train, tokens={"packing": packing}, data={"eval_share": 0.0})
    spoken = speech(recipe)
    prepared = prepare(recipe, spoken, terminal=Listening())
    return build_engine(recipe, spoken, prepared=prepared, terminal=Listening()), recipe


def our_losses(engine: Engine, recipe: Any, folder: Path) -> list[float]:
    job = Job(
        language_model=engine.language_model,
        plan=engine.plan,
        held_out=None,
        section=recipe.train,
        total_steps=STEPS,
        eval_every=STEPS,
        save_every=STEPS,
        seed=recipe.seed,
        checkpoints=Checkpoints(folder / "checkpoints", keep=1, fingerprint={}),
        write_model=lambda place: None,
        listener=Notebook(),
    )
    return list(fit(job).losses)


def rows_in_order(engine: Engine) -> list[dict[str, list[int]]]:
    """The examples of our batches, in the order in which a step sees them."""
    plan = engine.plan
    numbers = [number for step in range(STEPS) for batch in plan.step_packs(step) for number in batch]
    rows = [plan.store[example] for number in numbers for example in plan.packs[number].examples]
    return [
        {"input_ids": row.token_ids.tolist(), "assistant_masks": (row.weights > 0).astype(int).tolist()} for row in rows
    ]


def their_losses(model: Any, rows: list[dict[str, list[int]]], folder: Path, tokenizer: Any) -> list[float]:
    config = trl.SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=BATCH,
        gradient_accumulation_steps=ACCUMULATE,
        max_steps=STEPS,
        learning_rate=RATE,
        lr_scheduler_type="constant",
        weight_decay=0.0,
        max_grad_norm=1.0,
        logging_steps=1,
        bf16=False,
        gradient_checkpointing=False,
        train_sampling_strategy="sequential",
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = trl.SFTTrainer(
        model=model, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
    )
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_first_losses_are_those_of_trl(method: str, make_recipe: Any, tmp_path: Path) -> None:
    engine, recipe = engine_of(make_recipe, method, packing=False)
    theirs_model = copy.deepcopy(engine.model)
    base = theirs_model.get_base_model() if method == "lora" else theirs_model
    attention.switch(base, "sdpa")
    rows = rows_in_order(engine)
    assert len(rows) == STEPS * BATCH * ACCUMULATE
    ours = our_losses(engine, recipe, tmp_path)
    theirs = their_losses(theirs_model, rows, tmp_path / "trl", speech(recipe).tokenizer.wrapped)
    assert len(ours) == len(theirs) == STEPS
    assert ours[-1] < ours[0] - 0.1, "something is learned, so that the later losses compare updates too"
    for step, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        assert math.isclose(mine, other, abs_tol=TOLERANCE), f"step {step + 1}: {mine} and {other}"
