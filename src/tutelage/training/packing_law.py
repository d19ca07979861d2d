"""Law 4 on the user's own model: packed rows must have the loss and gradients of the same rows alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from tutelage.model import attention
from tutelage.model.attention import UnsupportedAttention
from tutelage.model.causal_lm import CausalLM
from tutelage.records import Batch, Example
from tutelage.tokens.batches import packed_batch

TOLERANCE = {torch.float32: 1e-4, torch.float16: 4e-2, torch.bfloat16: 4e-2}
ROWS, TOKENS = 3, 64  # enough to show a leak between rows, little enough to cost nothing


def packing_problem(language_model: CausalLM, examples: Sequence[Example]) -> str | None:
    """Why rows must not be packed on this model and attention; None where packing is exact.

    Compares one packed batch of a few short rows with the same rows one by one: the loss, and the norm of the
    difference of the gradients relative to the gradient. Rows are probed with every token trained.
    """
    rows = beginnings(examples)
    if len(rows) < 2:
        return None
    with probing(language_model):
        together = gradients_of(language_model, [packed_batch(rows)])
        alone = gradients_of(language_model, [packed_batch([row]) for row in rows])
    return _packed_differs(together, alone, language_model.compute_dtype)


def rows_problem(language_model: CausalLM, examples: Sequence[Example]) -> str | None:
    """Give the model attention by row lengths, and take it away again where that does not fit; then the reason.

    It fits where packed rows have the loss and gradients that the same rows alone have under the model's own attention.

    Args:
        examples: the longest first: attention windows shorter than a row show themselves there.
    """
    model, rows = language_model.model, beginnings(examples)
    if not attention.supported_by(model):
        return "its layers take no other attention"
    own = attention.name_of(model)
    with probing(language_model):
        alone = gradients_of(language_model, [packed_batch([row]) for row in rows])
        longest = _loss(language_model, examples[0])
        attention.switch(model, attention.NAME)
        problem = _problem_by_rows(language_model, examples, alone, longest=longest)
    if problem is not None:
        attention.switch(model, own)
    return problem


@dataclass(frozen=True)
class Gradients:
    """Loss of some batches together, and its gradient by each trained weight."""

    loss: float
    tensors: list[torch.Tensor]


def _problem_by_rows(
    language_model: CausalLM, examples: Sequence[Example], alone: Gradients, *, longest: float
) -> str | None:
    try:
        loss = _loss(language_model, examples[0])
        together = gradients_of(language_model, [packed_batch(beginnings(examples))])
    except UnsupportedAttention as error:
        return str(error)
    except Exception as error:  # layers that want a mask fail without one in their own ways; the reason is told
        return f"{type(error).__name__}: {error}"
    if abs(loss - longest) > TOLERANCE[language_model.compute_dtype] * abs(longest):
        return f"the longest row has loss {loss:.6g}, under the model's own attention {longest:.6g}"
    return _packed_differs(together, alone, language_model.compute_dtype)


def _packed_differs(together: Gradients, alone: Gradients, dtype: torch.dtype) -> str | None:
    gaps = difference(together, alone, dtype=dtype)
    return gaps and f"packed rows differ from the same rows alone: {gaps}"


def _loss(language_model: CausalLM, example: Example) -> float:
    with torch.no_grad():
        return float(language_model.loss_sum(packed_batch([example]).to(language_model.device)))


def beginnings(examples: Sequence[Example]) -> list[Example]:
    """The beginnings of the first examples, with every token trained."""
    beginnings = ((example.row, example.token_ids[:TOKENS]) for example in examples[:ROWS])
    return [Example(row, ids, (ids == ids).astype("float32")) for row, ids in beginnings if len(ids) > 1]


@contextmanager
def probing(language_model: CausalLM) -> Iterator[None]:
    """While this lasts, the model runs without dropout, which would differ between two sides; nothing is left
    behind in the gradients."""
    model = language_model.model
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.zero_grad(set_to_none=True)
        model.train(was_training)


def gradients_of(language_model: CausalLM, batches: Sequence[Batch]) -> Gradients:
    """Loss and gradients of some batches together, zeros where a weight has none; to be used while `probing`."""
    language_model.model.zero_grad(set_to_none=True)
    total = 0.0
    for batch in batches:
        loss = language_model.loss_sum(batch.to(language_model.device))
        loss.backward()
        total += float(loss.detach())
    weights = language_model.trainable().values()
    return Gradients(total, [torch.zeros_like(w) if w.grad is None else w.grad.clone() for w in weights])


def difference(one: Gradients, other: Gradients, *, dtype: torch.dtype) -> str | None:
    """By how much two ways to the same loss and gradients differ, in words; None within the tolerance of a dtype."""
    loss_gap = abs(one.loss - other.loss) / max(abs(other.loss), 1e-9)
    gradient_gap = _distance(one.tensors, other.tensors)
    if loss_gap <= TOLERANCE[dtype] and gradient_gap <= TOLERANCE[dtype]:
        return None
    return f"loss by {loss_gap:.1e}, gradients by {gradient_gap:.1e}"


def _distance(left: Sequence[torch.Tensor], right: Sequence[torch.Tensor]) -> float:
    """|left - right| / |right| over all tensors together."""
    gap = sum(float((a - b).double().square().sum()) for a, b in zip(left, right, strict=True))
    size = sum(float(b.double().square().sum()) for b in right)
    return float((gap / max(size, 1e-30)) ** 0.5)
