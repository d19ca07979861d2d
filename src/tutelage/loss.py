"""The loss: sum of token losses over the trained positions, without ever storing their logits.

Shapes: N trained positions, C positions of a chunk, D hidden size, V vocabulary.

The logits of a chunk live only while its loss and its gradients are computed, in the forward pass: three matrix
products (logits, gradient of the hidden states, gradient of the head) and no recomputation. Cross entropy of one token:
-log softmax(z)[target] = logsumexp(z) - z[target]; its gradient by z is softmax(z) - onehot(target). `Objective` says
what else may be trained.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch.nn.functional import cross_entropy, pad

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


@dataclass(frozen=True)
class Objective:
    """What is trained at a token, with p its probability: by default the cross entropy, -log p.

    Attributes:
        label_smoothing: e of (1 - e) * -log p + e * (mean over the vocabulary of -log p_v) (Szegedy et al. 2016).
        dft: dynamic fine-tuning (Wu et al. 2025): the token's loss times p, where p is taken as a number without
            gradient. Tokens that the model holds for unlikely pull less.
    """

    label_smoothing: float = 0.0
    dft: bool = False


CROSS_ENTROPY = Objective()


def loss_sum(
    hidden_ND: torch.Tensor,
    targets_N: torch.Tensor,
    *,
    weights_N: torch.Tensor,
    head: Head,
    objective: Objective = CROSS_ENTROPY,
    compiler: str | None = None,
) -> torch.Tensor:
    """Weighted sum of the losses of N positions, fp32 scalar; divide it by the step's sum of weights (law 5).

    Arguments and gradients as of `losses`, which gives what each position adds as well.
    """
    total, _ = losses(hidden_ND, targets_N, weights_N=weights_N, head=head, objective=objective, compiler=compiler)
    return total


def losses(
    hidden_ND: torch.Tensor,
    targets_N: torch.Tensor,
    *,
    weights_N: torch.Tensor,
    head: Head,
    objective: Objective = CROSS_ENTROPY,
    compiler: str | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted sum of the losses of N positions, fp32 scalar, and what each position adds to it, fp32 (N), no graph.

    The head's weight, where it is a leaf, gets its gradient added to `.grad` by `backward()` itself: no gradient of its
    size stands beside the sum. `torch.autograd.grad` does not see it.

    Args:
        hidden_ND: hidden states that predict the targets, any float dtype.
        targets_N: int64 ids.
        weights_N: float32.
        compiler: backend of torch.compile for the passes over the logits; None: they run one by one.
    """
    # CPU kernels are kept for every length that they meet: rounded lengths keep a long run's memory small.
    count, rest = len(targets_N), -len(targets_N) % ROUND
    hidden_ND, targets_N, weights_N = (
        pad(hidden_ND, (0, 0, 0, rest)),
        pad(targets_N, (0, rest)),
        pad(weights_N, (0, rest)),
    )
    total, losses_N = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden_ND, head.weight_VD, head.bias_V, targets_N, weights_N, _Logits(head, objective, compiler)
    )
    return total, losses_N[:count]


def token_losses(logits_NV: torch.Tensor, targets_N: torch.Tensor, *, objective: Objective) -> torch.Tensor:
    """The loss of each position from whole logits, (N), with its graph: for models that make them themselves."""
    losses_N = cross_entropy(logits_NV, targets_N, reduction="none", label_smoothing=objective.label_smoothing)
    if not objective.dft:
        return losses_N
    return losses_N * logits_NV.detach().softmax(-1).gather(1, targets_N[:, None]).squeeze(1)


@dataclass(frozen=True)
class _Logits:
    """How logits are made, what is trained with them, and who compiles it."""

    head: Head
    objective: Objective
    compiler: str | None


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
        how: _Logits,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        weight = _taken_over("weight", weight_VD, dtype=hidden_ND.dtype)
        grad_hidden = torch.empty_like(hidden_ND) if needs_hidden else None
        grad_weight = None
        grad_bias = torch.zeros_like(bias_V, dtype=torch.float32) if needs_bias and bias_V is not None else None
        total = torch.zeros((), dtype=torch.float32, device=hidden_ND.device)
        losses_N = torch.empty_like(weights_N)
        chunk = max(16, CHUNK // weight_VD.shape[0])
        for at in range(0, hidden_ND.shape[0], chunk):
            part = slice(at, at + chunk)
            shape = len(hidden_ND[part]), len(weight)
            logits_CV = _scratch("logits", shape, like=hidden_ND, room=chunk * len(weight))
            torch.mm(hidden_ND[part], weight.T, out=logits_CV)
            total += _to_gradient(
                logits_CV, targets_N[part], weights_C=weights_N[part], losses_C=losses_N[part], bias_V=bias_V, how=how
            )
            if grad_hidden is not None:
                torch.mm(logits_CV, weight, out=grad_hidden[part])
            if needs_weight:
                grad_weight = _with_part(grad_weight, logits_CV, hidden_ND[part], is_only=chunk >= len(hidden_ND))
            if grad_bias is not None:
                grad_bias += logits_CV.sum(0, dtype=torch.float32)
        ctx.grads = (grad_hidden, grad_weight, grad_bias)
        ctx.weight_VD, ctx.bias_dtype = weight_VD, None if bias_V is None else bias_V.dtype
        ctx.mark_non_differentiable(losses_N)
        return total, losses_N

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        scale = grads[0]
        grad_hidden, grad_weight, grad_bias = ctx.grads
        ctx.grads = None
        return (
            None if grad_hidden is None else grad_hidden.mul_(scale.to(grad_hidden.dtype)),
            _weight_gradient(ctx.weight_VD, grad_weight, scale=scale) if ctx.needs_input_grad[1] else None,
            None if grad_bias is None else (grad_bias * scale).to(ctx.bias_dtype),
            None,
            None,
            None,
        )


def _with_part(
    sum_VD: torch.Tensor | None, logits_CV: torch.Tensor, hidden_CD: torch.Tensor, *, is_only: bool
) -> torch.Tensor:
    """The head's gradient with a chunk's part of it: an only part in the dtype of the products, several in fp32."""
    product_VD = _lent((logits_CV.shape[1], hidden_CD.shape[1]), like=hidden_CD)
    torch.mm(logits_CV.T, hidden_CD, out=product_VD)
    if is_only:
        return product_VD
    if sum_VD is None:
        sum_VD = _lent(product_VD.shape, like=product_VD.new_empty(0, dtype=torch.float32)).zero_()
    _add(sum_VD, product_VD, scale=sum_VD.new_ones(()))
    _give_back(product_VD)
    return sum_VD


def _weight_gradient(
    weight_VD: torch.Tensor, sum_VD: torch.Tensor | None, *, scale: torch.Tensor
) -> torch.Tensor | None:
    """Add `scale` times what the chunks summed up to the weight's `.grad`; it is returned where the weight is no
    leaf."""
    if not weight_VD.is_leaf:
        return torch.zeros_like(weight_VD) if sum_VD is None else (sum_VD.float() * scale).to(weight_VD.dtype)
    if weight_VD.grad is None:
        weight_VD.grad = torch.zeros_like(weight_VD)
    if sum_VD is not None:
        _add(weight_VD.grad, sum_VD, scale=scale)
        _give_back(sum_VD)
    return None


def _add(total_VD: torch.Tensor, part_VD: torch.Tensor, *, scale: torch.Tensor) -> None:
    """total += scale * part, in place. By blocks: torch adds different dtypes slowly on CPU, and a cast of the whole
    part needs as much room as the sum."""
    rows = max(1, BLOCK.get(total_VD.device.type, CHUNK) // total_VD.shape[1])
    for total, part in zip(total_VD.split(rows), part_VD.split(rows), strict=True):
        total.addcmul_(part.to(total.dtype), scale.to(total.dtype))


_KEPT: dict[tuple[str, torch.dtype], torch.Tensor] = {}


def _scratch(name: str, shape: tuple[int, ...], *, like: torch.Tensor, room: int = 0) -> torch.Tensor:
    """Room for numbers that live for one chunk only. On CPU it is used again and again: the C library gives blocks of
    this size back to the operating system, which would zero each page anew.

    Args:
        room: numbers that will be wanted at most, on CPU asked for at once: what grew would leave a hole behind, and
            what is never written to takes no memory.
    """
    if like.device.type != "cpu":
        return like.new_empty(shape)
    size = math.prod(shape)
    kept = _KEPT.get((name, like.dtype))
    if kept is None or kept.numel() < size:
        kept = _KEPT[name, like.dtype] = like.new_empty(max(size, room))
    return kept[:size].view(shape)


def _lent(shape: tuple[int, ...], *, like: torch.Tensor) -> torch.Tensor:
    """Such room for a gradient, which nobody else gets until it is given back."""
    room = _scratch("gradient", shape, like=like)
    _KEPT.pop(("gradient", like.dtype), None)
    return room


def _give_back(room: torch.Tensor) -> None:
    if room.device.type == "cpu":
        _KEPT["gradient", room.dtype] = room.flatten()


def _taken_over(name: str, tensor: torch.Tensor, *, dtype: torch.dtype) -> torch.Tensor:
    """The tensor in another dtype, in such room; the tensor itself where it has that dtype."""
    if tensor.dtype == dtype:
        return tensor
    return _scratch(name, tuple(tensor.shape), like=tensor.new_empty(0, dtype=dtype)).copy_(tensor)


def _to_gradient(
    logits_CV: torch.Tensor,
    targets_C: torch.Tensor,
    *,
    weights_C: torch.Tensor,
    losses_C: torch.Tensor,
    bias_V: torch.Tensor | None,
    how: _Logits,
) -> torch.Tensor:
    """Loss of a chunk of raw products hidden @ weight.T, which are overwritten by the loss's gradient by them; what
    each position adds to it is written to `losses_C`."""
    block = _block if how.compiler is None else _compiled_block(how.compiler)
    total = torch.zeros((), dtype=torch.float32, device=logits_CV.device)
    rows = max(8, BLOCK.get(logits_CV.device.type, CHUNK) // logits_CV.shape[1])
    for at in range(0, len(logits_CV), rows):
        part = slice(at, at + rows)
        part_C = block(logits_CV[part], targets_C[part], weights_C=weights_C[part], bias_V=bias_V, how=how)
        losses_C[part] = part_C
        total += part_C.sum()
    return total


@cache
def _compiled_block(backend: str) -> Callable[..., torch.Tensor]:
    return torch.compile(_block, dynamic=True, backend=backend)


def _block(
    raw_CV: torch.Tensor,
    targets_C: torch.Tensor,
    *,
    weights_C: torch.Tensor,
    bias_V: torch.Tensor | None,
    how: _Logits,
) -> torch.Tensor:
    """Losses of a few positions, (C), whose raw products are overwritten by the gradient of their sum by them; fp32 in
    between."""
    head, smoothing = how.head, how.objective.label_smoothing
    logits_CV = raw_CV.float()
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
    wanted_C = target_C
    if smoothing:
        wanted_C = (1 - smoothing) * target_C + smoothing * (logits_CV.mean(dim=-1) - highest_C)
    grad_CV = logits_CV.sub_(highest_C[:, None]).exp_()
    sum_C = grad_CV.sum(dim=-1)
    if how.objective.dft:
        weights_C = weights_C * (target_C.exp() / sum_C)
    losses_C = (sum_C.log() - wanted_C) * weights_C
    grad_CV *= (weights_C / sum_C)[:, None]
    if smoothing:
        grad_CV -= (weights_C * (smoothing / logits_CV.shape[1]))[:, None]
    target_grad_C = grad_CV[rows, targets_C] - weights_C * (1 - smoothing)
    if slope_CV is not None:
        grad_CV *= slope_CV
        target_grad_C *= slope_CV[rows, targets_C]
    if head.scale != 1.0:
        grad_CV *= head.scale
        target_grad_C *= head.scale
    raw_CV.copy_(grad_CV)
    raw_CV[rows, targets_C] = target_grad_C.to(raw_CV.dtype)
    return losses_C


def trained_positions(hidden_BTD: torch.Tensor, weights_BT: torch.Tensor) -> torch.Tensor:
    """The hidden states whose next token is trained, (N, D). Only these ever reach the head."""
    return hidden_BTD.flatten(0, 1)[weights_BT.flatten().nonzero().squeeze(1)]
