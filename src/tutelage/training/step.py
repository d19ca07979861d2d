"""One optimizer step: count first, then divide (law 5), and the loss of a held-out set by the same rule."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from tutelage.loss import CROSS_ENTROPY, Objective
from tutelage.model.causal_lm import CausalLM
from tutelage.records import Batch
from tutelage.tokens.batches import BatchPlan
from tutelage.training import distributed


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step did.

    Attributes:
        loss: mean loss per trained token over all batches and processes, before the update.
        grad_norm: norm of the gradient before clipping.
        tokens, trained_tokens: over all processes, padding not counted.
        positions: tokens and padding.
        seconds: wall clock of this process.
        skipped: no weight was changed, since a scaled gradient went beyond fp16; the next step's scale is lower.
    """

    loss: float
    grad_norm: float
    tokens: int
    trained_tokens: int
    positions: int
    seconds: float
    skipped: bool = False


def train_step(
    language_model: CausalLM,
    batches: Sequence[Batch],
    *,
    optimizer: torch.optim.Optimizer,
    max_grad_norm: float,
    objective: Objective = CROSS_ENTROPY,
    scaler: torch.amp.GradScaler | None = None,
) -> StepResult:
    """Forward and backward over this process's share of a step, then one update of all weights.

    Args:
        batches: this process's batches; all processes together make the step.
        scaler: keeps small gradients within the range of fp16; None, or one that is off, elsewhere.
    """
    started = time.perf_counter()
    scaler = scaler or torch.amp.GradScaler(language_model.device.type, enabled=False)
    weights = list(language_model.trainable().values())
    counts = distributed.sum_over_all(count(batches).to(language_model.device))
    loss = torch.zeros((), device=language_model.device)
    optimizer.zero_grad(set_to_none=True)
    for batch in batches:
        part = language_model.loss_sum(batch.to(language_model.device), objective=objective) / counts[0]
        scaler.scale(part).backward()
        loss += part.detach()
    distributed.sum_gradients(weights)
    scaler.unscale_(optimizer)
    norm = nn.utils.clip_grad_norm_(weights, max_grad_norm if max_grad_norm > 0 else float("inf"))
    # Below a scale of 1 it is not the scale that is too large: then the gradient itself is not a number.
    skipped = scaler.get_scale() >= 1 and scaler.is_enabled() and not math.isfinite(float(norm))
    scaler.step(optimizer)
    scaler.update()
    _, trained, tokens, positions = counts.tolist()
    return StepResult(
        loss=float(distributed.sum_over_all(loss)),
        grad_norm=float(norm),
        tokens=int(tokens),
        trained_tokens=int(trained),
        positions=int(positions),
        seconds=time.perf_counter() - started,
        skipped=skipped,
    )


def count(batches: Sequence[Batch]) -> torch.Tensor:
    """Sum of weights, trained tokens, tokens, positions of some batches, (4,) in fp64: sums of counts stay exact."""
    totals = torch.zeros(4, dtype=torch.float64)
    for batch in batches:
        weights_BT = batch.target_weights_BT
        totals += torch.tensor(
            [float(weights_BT.double().sum()), int(weights_BT.count_nonzero()), batch.tokens, weights_BT.numel()],
            dtype=torch.float64,
        )
    return totals


def held_out_loss(language_model: CausalLM, plan: BatchPlan) -> float:
    """Mean loss per trained token over a whole set, whatever its batches (law 5)."""
    model = language_model.model
    model.eval()
    totals = torch.zeros(2, dtype=torch.float64, device=language_model.device)
    with torch.no_grad():
        for numbers in plan.in_order()[distributed.rank() :: distributed.world_size()]:
            batch = plan.batch(numbers)
            totals[0] += float(language_model.loss_sum(batch.to(language_model.device)))
            totals[1] += float(batch.target_weights_BT.double().sum())
    model.train()
    total, weight = distributed.sum_over_all(totals).tolist()
    return float(total / weight)
