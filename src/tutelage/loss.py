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
CHUNK = 1 << 26  # numbers in a chunk's logits: large, so that its matrix products run at full speed
BLOCK = {"cpu": 1 << 20}  # numbers that go through softmax together in fp32: on CPU they stay in the cache


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
        weight = weight_VD.to(hidden_ND.dtype)
        grad_hidden = torch.empty_like(hidden_ND) if needs_hidden else None
        grad_weight = torch.zeros_like(weight_VD, dtype=torch.float32) if needs_weight and not len(targets_N) else None
        grad_bias = torch.zeros_like(bias_V, dtype=torch.float32) if needs_bias and bias_V is not None else None
        total = torch.zeros((), dtype=torch.float32, device=hidden_ND.device)
        chunk = max(16, CHUNK // weight_VD.shape[0])
        for at in range(0, hidden_ND.shape[0], chunk):
            part = slice(at, at + chunk)
            logits_CV = hidden_ND[part] @ weight.T
            total += _to_gradient(logits_CV, targets_N[part], weights_N[part], bias_V=bias_V, head=head)
            if grad_hidden is not None:
                torch.mm(logits_CV, weight, out=grad_hidden[part])
            if needs_weight:
                product = logits_CV.T @ hidden_ND[part]
                grad_weight = product.float() if grad_weight is None else grad_weight.add_(product)
            if grad_bias is not None:
                grad_bias += logits_CV.sum(0, dtype=torch.float32)
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


def _to_gradient(
    logits_CV: torch.Tensor,
    targets_C: torch.Tensor,
    weights_C: torch.Tensor,
    *,
    bias_V: torch.Tensor | None,
    head: Head,
) -> torch.Tensor:
    """Loss of a chunk of raw products hidden @ weight.T, which are overwritten by the loss's gradient by them."""
    total = torch.zeros((), dtype=torch.float32, device=logits_CV.device)
    rows = max(8, BLOCK.get(logits_CV.device.type, CHUNK) // logits_CV.shape[1])
    for at in range(0, len(logits_CV), rows):
        part = slice(at, at + rows)
        loss, grad_CV = _block(logits_CV[part].float(), bias_V, targets_C[part], weights_C[part], head)
        logits_CV[part] = grad_CV
        total += loss
    return total


def _block(
    logits_CV: torch.Tensor,
    bias_V: torch.Tensor | None,
    targets_C: torch.Tensor,
    weights_C: torch.Tensor,
    head: Head,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of a few positions and its gradient by the raw product, fp32, (C, V)."""
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
