"""A linear layer and its low-rank adapter as one differentiable product.

y = x W^T + b + s (x A^T) B^T, with a frozen W. peft computes the adapter beside the layer: it takes the input to fp32
and back, and scales and adds whole activations one after the other. Here the adapter's products are accumulated into
the layer's own, on the way forward and backward, and what is scaled is the small factor of rank R.

Shapes: N positions, I inputs, O outputs, R rank.
"""

from types import MethodType
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import Linear
from torch import nn
from torch.nn.functional import linear


def fuse_products(wrapped: PeftModel) -> int:
    """Let every adapted linear layer that is plain LoRA on plain weights compute in one product, in place.

    Quantised layers, DoRA and layers with several adapters stay peft's own; so does what a layer does while its adapter
    is switched off or merged.

    Returns:
        The number of such layers.
    """
    layers = [module for module in wrapped.modules() if type(module) is Linear and _is_plain(module)]
    for layer in layers:
        layer.forward = MethodType(_forward, layer)
    return len(layers)


def _is_plain(layer: Linear) -> bool:
    (name, *others) = layer.active_adapters
    return (
        not others
        and type(layer.base_layer) is nn.Linear
        and not layer.base_layer.weight.requires_grad
        and name in layer.lora_A
        and name not in layer.lora_variant
        and layer.lora_B[name].bias is None
    )


def _forward(layer: Linear, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    if layer.disable_adapters or layer.merged or args or kwargs:
        own: torch.Tensor = Linear.forward(layer, x, *args, **kwargs)
        return own
    name = layer.active_adapters[0]
    kind = x.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
    x_NI = x.to(dtype).flatten(0, -2)
    base, dropout = layer.base_layer, layer.lora_dropout[name]
    drops = isinstance(dropout, nn.Dropout) and dropout.training and dropout.p > 0
    product_NO: torch.Tensor = _Product.apply(  # type: ignore[no-untyped-call]
        x_NI,
        dropout(x_NI) if drops else None,
        base.weight.to(dtype),
        None if base.bias is None else base.bias.to(dtype),
        layer.lora_A[name].weight.to(dtype),
        layer.lora_B[name].weight.to(dtype),
        layer.scaling[name],
    )
    return product_NO.view(*x.shape[:-1], -1)


class _Product(torch.autograd.Function):
    """Products and gradients of one layer; `dropped` is the adapter's input where it is not x itself."""

    @staticmethod
    def forward(
        ctx: Any,
        x_NI: torch.Tensor,
        dropped_NI: torch.Tensor | None,
        weight_OI: torch.Tensor,
        bias_O: torch.Tensor | None,
        a_RI: torch.Tensor,
        b_OR: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        seen_NI = x_NI if dropped_NI is None else dropped_NI
        inner_NR = torch.mm(seen_NI, a_RI.T) * scale
        ctx.save_for_backward(seen_NI, inner_NR, weight_OI, a_RI, b_OR)
        ctx.scale, ctx.is_shared = scale, dropped_NI is None
        return torch.addmm(linear(x_NI, weight_OI, bias_O), inner_NR, b_OR.T)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        seen_NI, inner_NR, weight_OI, a_RI, b_OR = ctx.saved_tensors
        grad_NO = grads[0]
        grad_inner_NR = torch.mm(grad_NO, b_OR) * ctx.scale
        grad_x_NI = grad_dropped_NI = None
        if ctx.needs_input_grad[0]:
            grad_x_NI = torch.mm(grad_NO, weight_OI)
            if ctx.is_shared:
                grad_x_NI = torch.addmm(grad_x_NI, grad_inner_NR, a_RI)
        if ctx.needs_input_grad[1] and not ctx.is_shared:
            grad_dropped_NI = torch.mm(grad_inner_NR, a_RI)
        grad_a_RI, grad_b_OR = torch.mm(grad_inner_NR.T, seen_NI), torch.mm(grad_NO.T, inner_NR)
        return grad_x_NI, grad_dropped_NI, None, None, grad_a_RI, grad_b_OR, None
