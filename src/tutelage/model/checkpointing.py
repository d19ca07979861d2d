"""Gradient checkpointing: the backward pass recomputes what the forward pass did not keep.

full: of each layer only its input is kept. selective: the products with weights and the results of fused attention
kernels are kept as well, and what is cheap (norms, activations, casts, attention's softmax on CPU) is recomputed.
"""

from functools import partial
from typing import Any, Literal

import torch
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts
from transformers import PreTrainedModel

from tutelage.errors import ModelError

_PRODUCTS = ("mm", "addmm", "linear", "mkldnn_linear_pointwise")
_ATTENTION = "attention"  # as in aten::_scaled_dot_product_flash_attention and torch_attn::_varlen_attn's kernels


def checkpoint_layers(model: PreTrainedModel, how: Literal["full", "selective"]) -> None:
    """Checkpoint each decoder layer while the model trains; gradients stay what they are, bit for bit.

    Raises:
        ModelError: the model's layers cannot be checkpointed.
    """
    if not model.supports_gradient_checkpointing:
        raise ModelError(
            f"the layers of {type(model).__name__} cannot be checkpointed",
            code="unsupported-model",
            place="train.gradient_checkpointing",
            remedy="--set train.gradient_checkpointing=none, with a smaller train.per_device_train_batch_size",
        )
    settings: dict[str, Any] = {"use_reentrant": False}
    if how == "selective":
        settings["context_fn"] = partial(create_selective_checkpoint_contexts, keeps)
    model.activation_checkpointing_enable(activation_checkpointing_kwargs=settings)


def keeps(_: Any, operation: Any, *__: Any, **___: Any) -> CheckpointPolicy:
    """Whether the result of an operation is kept: products with weights, and attention's fused kernels."""
    name = str(operation.name()).split("::")[-1].split(".")[0] if isinstance(operation, torch._ops.OpOverload) else ""
    kept = name in _PRODUCTS or _ATTENTION in name
    return CheckpointPolicy.MUST_SAVE if kept else CheckpointPolicy.PREFER_RECOMPUTE
