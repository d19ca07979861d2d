"""One optimizer step: count first, then divide (law 5), and the loss of a held-out set by the same rule."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from tutelage.errors import TrainingError
from tutelage.loss import CROSS_ENTROPY, Objective
from tutelage.model.causal_lm import CausalLM
from tutelage.records import Batch
from tutelage.tokens.batches import BatchPlan, parts_of
from tutelage.training import distributed
from tutelage.training.memory import ran_out
from tutelage.training.row_losses import RowLosses, row_losses


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
        halvings: how often its batches were halved for want of memory.
        rows: the losses of its rows, over all processes.
    """

    loss: float
    grad_norm: float
    tokens: int
    trained_tokens: int
    positions: int
    seconds: float
    skipped: bool = False
    halvings: int = 0
    rows: RowLosses = field(default_factory=RowLosses, compare=False)


@dataclass(frozen=True)
class Update:
    """How a step's gradient changes the weights.

    Attributes:
        max_grad_norm: longer gradients are clipped to it; 0: none is.
        scaler: keeps small gradients within the range of fp16; one that is off, elsewhere.
    """

    optimizer: torch.optim.Optimizer
    max_grad_norm: float = 0.0
    scaler: torch.amp.GradScaler = field(default_factory=lambda: torch.amp.GradScaler("cpu", enabled=False))


def train_step(
    language_model: CausalLM,
    batches: Sequence[Batch],
    *,
    update: Update,
    objective: Objective = CROSS_ENTROPY,
    halvings: int = 0,
) -> StepResult:
    """Forward and backward over this process's share of a step, then one update of all weights.

    Where memory runs out, the step begins again with its batches halved: the rows, their sum of losses and its divisor
    stay the same, whatever the batches.

    Args:
        batches: this process's batches; all processes together make the step.
        halvings: how often the batches are halved from the start, as the step before needed it.

    Raises:
        TrainingError: memory does not hold a single row.
    """
    started = time.perf_counter()
    optimizer, scaler = update.optimizer, update.scaler
    weights = list(language_model.trainable().values())
    counts = distributed.sum_over_all(count(batches).to(language_model.device))
    while True:
        parts = [part for batch in batches for part in parts_of(batch, halvings)]
        optimizer.zero_grad(set_to_none=True)
        done = _accumulate(language_model, parts, total=counts[0], objective=objective, scaler=scaler)
        if not isinstance(done, str):
            break
        halvings = _finer(batches, halvings, parts=len(parts), reason=done)
        torch.manual_seed(torch.initial_seed())
    distributed.sum_gradients(weights)
    scaler.unscale_(optimizer)
    norm = nn.utils.clip_grad_norm_(weights, update.max_grad_norm or float("inf"))
    # Below a scale of 1 it is not the scale that is too large: then the gradient itself is not a number.
    skipped = scaler.get_scale() >= 1 and scaler.is_enabled() and not math.isfinite(float(norm))
    scaler.step(optimizer)
    scaler.update()
    _, trained, tokens, positions = counts.tolist()
    loss, token_losses = done
    return StepResult(
        loss=float(distributed.sum_over_all(loss)),
        grad_norm=float(norm),
        tokens=int(tokens),
        trained_tokens=int(trained),
        positions=int(positions),
        seconds=time.perf_counter() - started,
        skipped=skipped,
        halvings=halvings,
        rows=row_losses(parts, token_losses).over_all(language_model.device),
    )


def _accumulate(
    language_model: CausalLM,
    batches: Sequence[Batch],
    *,
    total: torch.Tensor,
    objective: Objective,
    scaler: torch.amp.GradScaler,
) -> tuple[torch.Tensor, list[torch.Tensor]] | str:
    """The loss over some batches, with its gradient in the weights, and what each trained token of each batch adds to
    it, undivided; where memory ran out on the way, what was said."""
    loss, token_losses = torch.zeros((), device=language_model.device), []
    try:
        for batch in batches:
            part, losses_N = language_model.losses(batch.to(language_model.device), objective=objective)
            part = part / total
            scaler.scale(part).backward()
            token_losses.append(losses_N)
            loss += part.detach()
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        return str(error)
    return loss, token_losses


def _finer(batches: Sequence[Batch], halvings: int, *, parts: int, reason: str) -> int:
    """One halving more, if that makes smaller batches than the `parts` there were."""
    torch.cuda.empty_cache()
    if sum(len(parts_of(batch, halvings + 1)) for batch in batches) > parts:
        return halvings + 1
    longest = max(max(batch.row_lengths) for batch in batches)
    raise TrainingError(
        f"memory runs out on a single row ({longest:,} tokens in the step's longest): {reason}",
        code="not-enough-memory",
        place="train",
        expected="room for the forward and backward pass of one row",
        remedy="--set train.gradient_checkpointing=full, a smaller tokens.max_length, or train.method=lora",
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
