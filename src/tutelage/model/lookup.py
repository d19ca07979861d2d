"""Looking up trained embeddings: the gradient of the rows that were read goes into the gradient there is.

torch makes a gradient as large as all embeddings for each batch, fills it with zeros, and adds it up: for a small model
with a large vocabulary some percent of a step, and twice the memory.
"""

from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.nn.functional import embedding
from transformers import PreTrainedModel


def look_up_in_place(model: PreTrainedModel) -> bool:
    """Let the model's input embeddings gather their gradient so, in place, where they are plain and trained: whether
    they do."""
    table = model.get_input_embeddings()
    plain = type(table) is nn.Embedding and table.max_norm is None and not table.sparse and not table.scale_grad_by_freq
    if not plain or not table.weight.requires_grad:
        return False
    table.forward = MethodType(_forward, table)
    return True


def _forward(table: nn.Embedding, ids: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = _Lookup.apply(ids, table.weight, table.padding_idx)  # type: ignore[no-untyped-call]
    return found


class _Lookup(torch.autograd.Function):
    """Rows of the weight (V, D) by ids of any shape; the row of padding gets no gradient."""

    @staticmethod
    def forward(ctx: Any, ids: torch.Tensor, weight_VD: torch.Tensor, padding_id: int | None) -> torch.Tensor:
        ctx.ids, ctx.weight_VD, ctx.padding_id = ids, weight_VD, padding_id
        return embedding(ids, weight_VD)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[None, ...]:
        weight_VD, ids_N = ctx.weight_VD, ctx.ids.flatten()
        grad_ND = grads[0].reshape(len(ids_N), -1).to(weight_VD.dtype)
        if ctx.padding_id is not None:
            grad_ND = grad_ND.masked_fill((ids_N == ctx.padding_id)[:, None], 0)
        if weight_VD.grad is None:
            weight_VD.grad = torch.zeros_like(weight_VD)
        weight_VD.grad.index_put_((ids_N,), grad_ND, accumulate=True)
        return None, None, None
