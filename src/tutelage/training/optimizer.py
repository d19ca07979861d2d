"""AdamW with fp32 masters, and the learning rate as a function of the step."""

import math
from collections.abc import Mapping

import torch
from torch import nn

from tutelage.recipe import TrainSection


def adamw(weights: Mapping[str, nn.Parameter], section: TrainSection) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019) over fp32 weights; only matrices decay, norms and biases do not."""
    assert all(weight.dtype == torch.float32 for weight in weights.values()), "trained weights must be fp32 masters"
    matrices = [weight for weight in weights.values() if weight.dim() >= 2]
    others = [weight for weight in weights.values() if weight.dim() < 2]
    groups = [{"params": matrices, "weight_decay": section.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=section.learning_rate,
        betas=(section.adam_beta1, section.adam_beta2),
        fused=True,
    )


def learning_rate(step: int, *, total_steps: int, section: TrainSection) -> float:
    """Learning rate of a step (from 0): a linear rise over the warm-up, then cosine, linear or constant.

    The warm-up's first step already moves (rate peak/warmup), and the decay ends at 0 just after the last step, so
    that no step is spent at rate 0.
    """
    peak = section.learning_rate
    warmup = math.ceil(section.warmup_ratio * total_steps)
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, total_steps - warmup)
    if section.lr_scheduler_type == "cosine":
        return peak * 0.5 * (1 + math.cos(math.pi * progress))
    return peak * (1 - progress) if section.lr_scheduler_type == "linear" else peak


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group this rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
