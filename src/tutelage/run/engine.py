"""From prepared data to an engine that can be run: model, trained weights, packing by law 4, batches, length."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from peft import PeftModel
from transformers import PreTrainedModel

from tutelage.errors import ModelError
from tutelage.model import adapters, freezing, loading, quantised, vocabulary
from tutelage.model.causal_lm import CausalLM, head_agrees
from tutelage.model.checkpointing import checkpoint_layers
from tutelage.model.compiling import compiled
from tutelage.model.lookup import look_up_in_place
from tutelage.recipe import Recipe
from tutelage.records import Example, Pack
from tutelage.run import allocator
from tutelage.run.assemble import Speech
from tutelage.run.device import device, has_fast_bf16
from tutelage.run.prepare import Numbers, Prepared
from tutelage.terminal import Terminal
from tutelage.tokens.batches import BatchPlan, packed_batch
from tutelage.tokens.packing import one_each, pack
from tutelage.tokens.store import TokenStore
from tutelage.training import distributed
from tutelage.training.packing_law import beginnings, packing_problem, rows_problem
from tutelage.training.schedule import learning_rates

FEW_STEPS = 20


@dataclass(frozen=True)
class Engine:
    """A run of the loop before its first step.

    Attributes:
        model: what is saved: the model, or the adapters around it.
        language_model: the same weights as the loop sees them.
        packed: whether several rows share a sequence; decided by the recipe and law 4.
        plan, held_out: batches to train on and to evaluate on.
        total_steps: length of the run.
    """

    model: PreTrainedModel | PeftModel
    language_model: CausalLM
    packed: bool
    plan: BatchPlan
    held_out: BatchPlan | None
    total_steps: int


def build_engine(recipe: Recipe, spoken: Speech, *, prepared: Prepared, terminal: Terminal) -> Engine:
    """Load the model, choose what is trained, and check the laws that speak of the user's own model.

    Raises:
        ModelError: no such model, ids that it does not know, or no module for adapters.
    """
    quantised.refuse_without_adapters(recipe)
    if device().type == "cpu":
        allocator.keep_freed_memory()
    new_ids = spoken.tokenizer.new_ids
    _refuse_unknown_ids(recipe, prepared, new_ids=new_ids)
    probes = _probes(prepared)
    model, language_model = _checked_model(recipe, probes, terminal=terminal, new_ids=new_ids)
    packed = recipe.tokens.packing and _may_pack(language_model, probes, terminal)
    plan, held_out = (
        plan_batches(numbers, prepared.store, spoken=spoken, recipe=recipe, packed=packed)
        for numbers in (prepared.train, prepared.held_out)
    )
    epochs = recipe.train.num_train_epochs
    total_steps = recipe.train.max_steps or max(1, math.ceil(plan.steps_per_epoch * epochs - 1e-9))
    if total_steps < FEW_STEPS:
        terminal.note(
            f"only {total_steps} optimizer steps: little will be learned; "
            "more epochs or a smaller train.per_device_train_batch_size give more"
        )
    learning_rates(recipe.train, total_steps=total_steps)  # arguments that do not fit are told before training
    language_model = _equipped(language_model, recipe, plan=plan, terminal=terminal)
    return Engine(model, language_model, packed, plan, held_out if held_out.packs else None, total_steps)


def _equipped(language_model: CausalLM, recipe: Recipe, *, plan: BatchPlan, terminal: Terminal) -> CausalLM:
    """The language model with what only training needs: noise, gradients in place, checkpointed layers, compiled
    layers."""
    look_up_in_place(language_model.model)
    language_model = replace(language_model, noise_alpha=recipe.train.neftune_noise_alpha)
    if recipe.train.gradient_checkpointing != "none":
        checkpoint_layers(language_model.model, recipe.train.gradient_checkpointing)
    if recipe.train.torch_compile:
        language_model, seconds = compiled(language_model, plan.step(0)[:2])
        terminal.say(f"the layers are compiled: {seconds:.1f} s, before the first step")
    return language_model


def compute_dtype(recipe: Recipe) -> torch.dtype:
    """Arithmetic of the forward pass: bf16 where the hardware multiplies it fast, unless the recipe says."""
    if recipe.train.dtype != "auto":
        return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[recipe.train.dtype]
    return torch.bfloat16 if has_fast_bf16() else torch.float32


def stored_dtype(recipe: Recipe) -> torch.dtype:
    """The dtype that the base model's weights are stored in."""
    return loading.stored_dtype(loading.load_config(recipe.model))


def _load(recipe: Recipe, new_ids: Sequence[int]) -> tuple[PreTrainedModel | PeftModel, CausalLM]:
    torch.manual_seed(recipe.seed)
    dtype = compute_dtype(recipe)
    weights = {"full": torch.float32, "lora": dtype, "freeze": stored_dtype(recipe)}[recipe.train.method]
    base = loading.load_model(recipe.model, dtype=weights).to(device())
    vocabulary.add_rows(base, new_ids)
    if recipe.train.method == "lora":
        name, revision = loading.absolute(recipe.model.name_or_path), recipe.model.revision
        wrapped = adapters.add_lora(base, recipe.lora, base=name, revision=revision, new_ids=new_ids)
        return wrapped, CausalLM(wrapped.get_base_model(), dtype)
    if recipe.train.method == "freeze":
        part = freezing.train_part(base, recipe.freeze, frozen_dtype=dtype, has_new_tokens=bool(new_ids))
        return part, CausalLM(part, dtype)
    return base, CausalLM(adapters.train_all(base), dtype)


def _checked_model(
    recipe: Recipe, probes: Sequence[Example], *, terminal: Terminal, new_ids: Sequence[int]
) -> tuple[PreTrainedModel | PeftModel, CausalLM]:
    """The model with attention and head that fit it; every fallback is told."""
    model, language_model = _load(recipe, new_ids)
    if not head_agrees(language_model, packed_batch(beginnings(probes)[:1]).to(device())):
        terminal.note("the output head is not plain linear: the model's own logits are used, at more memory")
        language_model = CausalLM(language_model.model, language_model.compute_dtype, fused_head=False)
    if recipe.model.attn_implementation == "rows":
        problem = rows_problem(language_model, probes)
        if problem is not None:
            terminal.note(f"attention by row lengths does not fit this model ({problem}); it uses its own")
    return model, language_model


def _may_pack(language_model: CausalLM, probes: Sequence[Example], terminal: Terminal) -> bool:
    problem = packing_problem(language_model, probes)
    if problem is not None:
        terminal.note(f"packing is refused: {problem}; rows are padded instead")
    return problem is None


def _refuse_unknown_ids(recipe: Recipe, prepared: Prepared, *, new_ids: Sequence[int]) -> None:
    """Refuse a tokenizer that writes ids for which the model has no embedding and will get none."""
    known = loading.load_config(recipe.model).get_text_config().vocab_size
    if known in new_ids:
        known = max(new_ids) + 1
    if prepared.store.largest_id >= known:
        raise ModelError(
            f"the tokenizer writes the id {prepared.store.largest_id}, the model knows {known} tokens",
            code="tokenizer-mismatch",
            place=recipe.model.name_or_path,
            expected="the tokenizer that belongs to the model",
            remedy="name a template whose special tokens the model knows, or use a base with a larger vocabulary",
        )


def _probes(prepared: Prepared) -> list[Example]:
    """The longest example of both halves and the first few."""
    every = np.concatenate([prepared.train, prepared.held_out])
    longest = every[prepared.store.lengths[every].argmax()]
    return [prepared.store[int(number)] for number in dict.fromkeys([longest, *every[:4]])]


def plan_batches(numbers: Numbers, store: TokenStore, *, spoken: Speech, recipe: Recipe, packed: bool) -> BatchPlan:
    """The batches that a recipe makes of some examples of a store: what a run trains on, and what preview shows.

    Args:
        numbers: of the examples; one that stands there twice is seen twice an epoch.
        packed: several rows share a sequence.
    """
    lengths = store.lengths[numbers]
    packs = pack(lengths, capacity=spoken.max_length) if packed else one_each(lengths)
    batch_size, batches = recipe.train.per_device_train_batch_size, recipe.train.gradient_accumulation_steps
    if batch_size == "auto":  # a whole step at once; the rehearsal halves it until it fits
        batch_size, batches = batches, 1
    return BatchPlan(
        store=store,
        packs=[Pack(tuple(int(numbers[at]) for at in one.examples), one.length) for one in packs],
        batch_size=batch_size,
        batches_per_step=batches * distributed.world_size(),
        packed=packed,
        pad_id=spoken.tokenizer.pad_id,
        seed=recipe.seed,
    )
