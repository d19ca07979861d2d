"""The loss: sum of token losses over the trained positions, without ever storing their logits.

Shapes: N trained positions, C positions of a chunk, D hidden size, V vocabulary.

The logits of a chunk live only while its loss and its gradients are computed, in the forward pass: three matrix
products (logits, gradient of the hidden states, gradient of the head) and no recomputation. Cross entropy of one token:
-log softmax(z)[target] = logsumexp(z) - z[target]; its gradient by z is softmax(z) - onehot(target).
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import pad

ROUND = 128  # positions
CHUNK_LOGITS = {"cpu": 1 << 20, "cuda": 1 << 26}  # numbers in a chunk's logits: on CPU they stay in the cache


@dataclass(frozen=True)
class Head:
    """The output head of a language model: logits = softcap(scale * (hidden @ weight.T + bias)).

    Attributes:
        weight_VD: output embeddings (may be tied to the input's).
        bias_V: or None.
        scale: factor on the logits.
        softcap: cap * tanh(logits / cap), or None.
    """

    weight_VD: torch.Tensor
    bias_V: torch.Tensor | None = None
    scale: float = 1.0
    softcap: float | None = None


def loss_sum(hidden_ND: torch.Tensor, targets_N: torch.Tensor, *, weights_N: torch.Tensor, head: Head) -> torch.Tensor:
    """Weighted sum of the cross entropies of N positions, fp32 scalar; divide it by the step's sum of weights (law 5).

    Args:
        hidden_ND: hidden states that predict the targets, any float dtype.
        targets_N: int64 ids.
        weights_N: float32.
    """
    # CPU kernels are kept for every length that they meet: rounded lengths keep a long run's memory small.
    rest = -len(targets_N) % ROUND
    hidden_ND, targets_N, weights_N = (
        pad(hidden_ND, (0, 0, 0, rest)),
        pad(targets_N, (0, rest)),
        pad(weights_N, (0, rest)),
    )
    loss: torch.Tensor = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden_ND, head.weight_VD, head.bias_V, targets_N, weights_N, head
    )
    return loss


class _LinearCrossEntropy(torch.autograd.Function):
    """Head and cross entropy in one: the gradients are made in the forward pass and only scaled in the backward."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: torch.Tensor,
        weight_VD: torch.Tensor,
        bias_V: torch.Tensor | None,
        targets_N: torch.Tensor,
        weights_N: torch.Tensor,
        head: Head,
    ) -> torch.Tensor:
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        compute = hidden_ND.dtype
        weight = weight_VD.to(compute)
        grad_hidden = torch.zeros_like(hidden_ND) if needs_hidden else None
        grad_weight = torch.zeros_like(weight_VD, dtype=torch.float32) if needs_weight else None
        grad_bias = torch.zeros_like(bias_V, dtype=torch.float32) if needs_bias and bias_V is not None else None
        total = torch.zeros((), dtype=torch.float32, device=hidden_ND.device)
        chunk = max(16, CHUNK_LOGITS.get(hidden_ND.device.type, 1 << 24) // weight_VD.shape[0])
        for at in range(0, hidden_ND.shape[0], chunk):
            part = slice(at, at + chunk)
            loss, grad_CV = _chunk(hidden_ND[part], weight, bias_V, targets_N[part], weights_N[part], head)
            total += loss
            if grad_hidden is None and grad_weight is None and grad_bias is None:
                continue
            low_CV = grad_CV.to(compute)
            if grad_hidden is not None:
                grad_hidden[part] = low_CV @ weight
            if grad_weight is not None:
                grad_weight += low_CV.T @ hidden_ND[part]
            if grad_bias is not None:
                grad_bias += grad_CV.sum(0)
        ctx.grads = (grad_hidden, grad_weight, grad_bias)
        ctx.dtypes = (weight_VD.dtype, None if bias_V is None else bias_V.dtype)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        scale = grads[0]
        grad_hidden, grad_weight, grad_bias = ctx.grads
        weight_dtype, bias_dtype = ctx.dtypes
        ctx.grads = None
        return (
            None if grad_hidden is None else grad_hidden * scale.to(grad_hidden.dtype),
            None if grad_weight is None else (grad_weight * scale).to(weight_dtype),
            None if grad_bias is None else (grad_bias * scale).to(bias_dtype),
            None,
            None,
            None,
        )


def _chunk(
    hidden_CD: torch.Tensor,
    weight_VD: torch.Tensor,
    bias_V: torch.Tensor | None,
    targets_C: torch.Tensor,
    weights_C: torch.Tensor,
    head: Head,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of a chunk and its gradient by the raw product hidden @ weight.T, fp32, (C, V)."""
    logits_CV = (hidden_CD @ weight_VD.T).float()
    if bias_V is not None:
        logits_CV += bias_V.float()
    if head.scale != 1.0:
        logits_CV *= head.scale
    slope_CV = None
    if head.softcap is not None:
        tanh_CV = torch.tanh_(logits_CV.div_(head.softcap))
        slope_CV = 1 - tanh_CV**2
        logits_CV = tanh_CV * head.softcap
    rows = torch.arange(len(targets_C), device=targets_C.device)
    highest_C = logits_CV.amax(dim=-1)
    target_C = logits_CV[rows, targets_C] - highest_C
    grad_CV = logits_CV.sub_(highest_C[:, None]).exp_()
    sum_C = grad_CV.sum(dim=-1)
    loss = ((sum_C.log() - target_C) * weights_C).sum()
    grad_CV *= (weights_C / sum_C)[:, None]
    grad_CV[rows, targets_C] -= weights_C
    if slope_CV is not None:
        grad_CV *= slope_CV
    if head.scale != 1.0:
        grad_CV *= head.scale
    return loss, grad_CV


def trained_positions(hidden_BTD: torch.Tensor, weights_BT: torch.Tensor) -> torch.Tensor:
    """The hidden states whose next token is trained, (N, D). Only these ever reach the head."""
    return hidden_BTD.flatten(0, 1)[weights_BT.flatten().nonzero().squeeze(1)]
