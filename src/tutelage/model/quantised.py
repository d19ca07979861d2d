"""Frozen weights in 4 or 8 bits, under adapters: NF4 with double quantisation (QLoRA, Dettmers et al. 2023) or int8
(LLM.int8(), Dettmers et al. 2022), both by bitsandbytes. Embeddings, norms and the output head stay as they are."""

from importlib.util import find_spec

import torch
from transformers import BitsAndBytesConfig, PreTrainedModel

from tutelage.errors import MissingExtra, RecipeError
from tutelage.recipe import Recipe


def settings(kind: str, *, compute_dtype: torch.dtype) -> BitsAndBytesConfig:
    """How transformers quantises linear layers while it loads them, one after the other.

    Args:
        kind: `nf4` or `int8`.
        compute_dtype: that 4-bit weights are unpacked to for a matrix product.

    Raises:
        MissingExtra: bitsandbytes is not installed.
    """
    if find_spec("bitsandbytes") is None:
        raise MissingExtra("bitsandbytes", "quant")
    if kind == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype,
    )


def keep_trainable(model: PreTrainedModel) -> PreTrainedModel:
    """Stop 4-bit layers on CPU from repacking themselves at the first evaluation.

    The packed form is for inference only: its products carry no gradient (training after an evaluation would silently
    pass none through these layers), it rounds the scales, and it wants multiples of 32.
    """
    for module in model.modules():
        if "support_avx512bf16_for_cpu" in module.__dict__:
            module.support_avx512bf16_for_cpu = False
    return model


def is_quantised(model: PreTrainedModel) -> bool:
    """Whether linear layers are in 4 or 8 bits, so that nothing can be merged into them without loss."""
    return bool(getattr(model, "is_quantized", False))


def in_8_bits(model: PreTrainedModel) -> bool:
    """Whether linear layers are in 8 bits."""
    return bool(getattr(model, "is_loaded_in_8bit", False))


def refuse_without_adapters(recipe: Recipe) -> None:
    """Refuse to train weights of 4 or 8 bits themselves.

    Raises:
        RecipeError: model.quantization is set and the method is not lora.
    """
    if recipe.model.quantization is not None and recipe.train.method != "lora":
        raise RecipeError(
            f"model.quantization is {recipe.model.quantization}, train.method is {recipe.train.method}",
            code="recipe-value",
            expected="train.method lora: weights of 4 or 8 bits cannot be trained, only adapters on them",
            remedy="--set train.method=lora, or leave out model.quantization",
        )
