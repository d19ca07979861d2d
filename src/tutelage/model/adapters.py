"""Which weights are trained: all of them, or low-rank adapters on linear layers."""

from collections.abc import Iterable

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import PreTrainedModel

from tutelage.errors import ModelError
from tutelage.recipe import LoraSection


def train_all(model: PreTrainedModel) -> PreTrainedModel:
    """Every weight is trained, as an fp32 master: updates far below the weight's own size are kept."""
    model.float()
    model.requires_grad_(True)
    return model


def add_lora(model: PreTrainedModel, section: LoraSection, *, revision: str | None = None) -> PeftModel:
    """Low-rank adapters, fp32, on frozen weights in their stored dtype.

    Args:
        revision: of the base model, kept with the adapter so that it is put on the same weights again.

    Returns:
        The peft model, for saving; its base (with the adapters inside) is what is trained.

    Raises:
        ModelError: no module has a name in `target_modules`.
    """
    targets = section.target_modules
    config = LoraConfig(
        r=section.r,
        lora_alpha=section.lora_alpha,
        lora_dropout=section.lora_dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        task_type="CAUSAL_LM",
        revision=revision,
    )
    try:
        wrapped = get_peft_model(model, config)
    except ValueError as error:
        linear = sorted(
            {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
        )
        raise ModelError(
            f"lora.target_modules {targets!r} fits no module of the model",
            expected=f"some of: {', '.join(linear)}; or all-linear",
        ) from error
    _in_fp32(weight for weight in wrapped.parameters() if weight.requires_grad)
    return wrapped


def _in_fp32(weights: Iterable[nn.Parameter]) -> None:
    for weight in weights:
        weight.data = weight.data.to(torch.float32)
