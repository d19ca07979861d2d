"""Law 4 on the user's own model: packed rows must have the loss and gradients of the same rows alone."""

from collections.abc import Sequence

import torch

from tutelage.model.attention import UnsupportedAttention
from tutelage.model.causal_lm import CausalLM
from tutelage.records import Batch, Example
from tutelage.tokens.batches import packed_batch

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 4e-2}
ROWS, TOKENS = 3, 64  # enough to show a leak between rows, little enough to cost nothing


def packing_problem(language_model: CausalLM, examples: Sequence[Example]) -> str | None:
    """Why rows must not be packed on this model and attention; None where packing is exact.

    Compares one packed batch of a few short rows with the same rows one by one: the loss, and the norm of the
    difference of the gradients relative to the gradient. Rows are probed with every token trained.
    """
    rows = [_probe(example) for example in examples[:ROWS] if len(example.token_ids) > 1]
    if len(rows) < 2:
        return None
    model = language_model.model
    was_training = model.training
    model.eval()  # dropout would differ between the two sides
    try:
        _forward_whole(language_model, examples)
        loss, together = _gradients(language_model, [packed_batch(rows)])
        loss_alone, alone = _gradients(language_model, [packed_batch([row]) for row in rows])
    except UnsupportedAttention as error:
        return str(error)
    finally:
        model.zero_grad(set_to_none=True)
        model.train(was_training)
    tolerance = TOLERANCE[language_model.compute_dtype]
    loss_gap = abs(loss - loss_alone) / max(abs(loss_alone), 1e-9)
    gradient_gap = _distance(together, alone)
    if loss_gap > tolerance or gradient_gap > tolerance:
        return f"packed rows differ from the same rows alone: loss by {loss_gap:.1e}, gradients by {gradient_gap:.1e}"
    return None


def _forward_whole(language_model: CausalLM, examples: Sequence[Example]) -> None:
    """One forward pass over whole rows: attention windows shorter than a row show themselves here."""
    with torch.no_grad():
        language_model.loss_sum(packed_batch(examples).to(language_model.device))


def _probe(example: Example) -> Example:
    ids = example.token_ids[:TOKENS]
    return Example(example.row, ids, (ids == ids).astype("float32"))


def _gradients(language_model: CausalLM, batches: Sequence[Batch]) -> tuple[float, list[torch.Tensor]]:
    model = language_model.model
    model.zero_grad(set_to_none=True)
    total = 0.0
    for batch in batches:
        loss = language_model.loss_sum(batch.to(language_model.device))
        loss.backward()
        total += float(loss.detach())
    weights = language_model.trainable().values()
    return total, [weight.grad.clone() for weight in weights if weight.grad is not None]


def _distance(left: Sequence[torch.Tensor], right: Sequence[torch.Tensor]) -> float:
    """|left - right| / |right| over all tensors together."""
    gap = sum(float((a - b).double().square().sum()) for a, b in zip(left, right, strict=True))
    size = sum(float(b.double().square().sum()) for b in right)
    return float((gap / max(size, 1e-30)) ** 0.5)
