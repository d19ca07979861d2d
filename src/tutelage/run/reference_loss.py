"""How likely a model holds the references of a suite: perplexity and token accuracy over exactly the tokens that
training would train (law 2).

Shapes: B rows, T tokens, N trained positions, C positions of a chunk, D hidden size, V vocabulary.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch.nn.functional import cross_entropy

from tutelage.errors import DataError
from tutelage.evaluation.suite import Item, Suite
from tutelage.loss import Head
from tutelage.model import vocabulary
from tutelage.model.causal_lm import CausalLM, head_agrees, head_of
from tutelage.recipe import ModelSection
from tutelage.records import Batch, Conversation, Dropped, Example, Message, Place
from tutelage.run.allocator import give_back_freed_memory
from tutelage.run.answering import load_for_answers
from tutelage.run.assemble import Speech
from tutelage.run.path import examples
from tutelage.terminal import Terminal
from tutelage.tokens.batches import padded_batch

CHUNK = 1 << 24  # numbers of logits that are held at a time

Sums = tuple[float, int]  # of an example: its loss in nats, and how many of its tokens the model ranks first


@dataclass(frozen=True, slots=True)
class ReferenceFigures:
    """What a model makes of the first reference of each item. Figures of two models can be compared where they have the
    same tokenizer and template; then `tokens` are the same.

    Attributes:
        numbers: which items of the suite were measured, from 0.
        losses: of each of them, the sum of -log p over its trained tokens, in nats.
        tokens: of each, how many are trained, its stop token included.
        right: of each, how many the model ranks first, given the tokens before.
        left_out: reason -> items that could not be measured.
    """

    numbers: tuple[int, ...]
    losses: tuple[float, ...]
    tokens: tuple[int, ...]
    right: tuple[int, ...]
    left_out: Mapping[str, int]

    @property
    def perplexity(self) -> float:
        """exp of the mean loss of a token, over all tokens; infinite where that is beyond a float."""
        mean = sum(self.losses) / sum(self.tokens)
        return math.exp(mean) if mean < math.log(torch.finfo(torch.float64).max) else math.inf

    @property
    def token_accuracy(self) -> float:
        """Share of all tokens that the model ranks first."""
        return sum(self.right) / sum(self.tokens)

    @property
    def item_likelihoods(self) -> tuple[float, ...]:
        """1 / perplexity, item by item, in [0, 1]: what two models are paired by. It is the geometric mean of the
        probabilities of the item's tokens."""
        return tuple(math.exp(-loss / count) for loss, count in zip(self.losses, self.tokens, strict=True))

    @property
    def item_accuracies(self) -> tuple[float, ...]:
        """Token accuracy, item by item, in [0, 1]."""
        return tuple(right / count for right, count in zip(self.right, self.tokens, strict=True))


def reference_figures(
    suite: Suite, model: ModelSection, *, spoken: Speech, batch_size: int = 32, terminal: Terminal | None = None
) -> ReferenceFigures:
    """Perplexity and token accuracy of a model on the references of a suite. How many are computed together decides
    nothing but the speed.

    Raises:
        DataError: no item has a reference that can be measured.
        ModelError: the model cannot be loaded.
    """
    measurable = _measurable(suite, spoken)
    loaded = load_for_answers(model)
    vocabulary.add_missing_rows(loaded, spoken.tokenizer.new_ids)
    language_model = CausalLM(loaded.eval(), loaded.dtype)
    progress = (terminal or Terminal(quiet=True)).progress("measuring the references", len(measurable.made))
    with progress as update:
        found = _sums(language_model, measurable.made, pad_id=spoken.tokenizer.pad_id, batch_size=batch_size)
        sums: dict[int, Sums] = {}
        for number, one in found:
            sums[number] = one
            update(len(sums), "")
    del loaded, language_model
    give_back_freed_memory()
    numbers = tuple(sorted(sums))
    return ReferenceFigures(
        numbers,
        losses=tuple(sums[number][0] for number in numbers),
        tokens=tuple(_trained(measurable.made[number]) for number in numbers),
        right=tuple(sums[number][1] for number in numbers),
        left_out=measurable.left_out,
    )


@dataclass(frozen=True, slots=True)
class _Measurable:
    """Number of the item -> its reference as training would see it, and why others are left out."""

    made: Mapping[int, Example]
    left_out: Mapping[str, int]


def _measurable(suite: Suite, spoken: Speech) -> _Measurable:
    reasons = {number: _unfit(item) for number, item in enumerate(suite.items)}
    asked = [_conversation(item, number) for number, item in enumerate(suite.items) if not reasons[number]]
    last = replace(spoken, policy=spoken.policy.model_copy(update={"train_on": "last"}))
    made: dict[int, Example] = {}
    for row in examples(asked, last):
        if isinstance(row, Dropped):
            reasons[row.row] = row.reason
        else:
            (made[row.row],) = row.examples
    left_out = Counter(reason for reason in reasons.values() if reason)
    if not made:
        told = ", ".join(f"{reason}: {count:,}" for reason, count in left_out.items())
        raise DataError(
            f"no reference can be measured ({told})",
            code="suite",
            place=suite.name,
            expected="items with an expected answer that fits into tokens.max_length",
        )
    return _Measurable(made, dict(left_out))


def _unfit(item: Item) -> str:
    """Why an item's reference cannot be measured; empty where it can."""
    if not any(reference.strip() for reference in item.references[:1]):
        return "no reference"
    return "an answer that thinks first" if item.question.reasoning else ""


def _conversation(item: Item, number: int) -> Conversation:
    answer = Message("assistant", item.references[0])
    return Conversation(number, Place(item.place, 1), (*item.question.messages, answer), item.question.tools)


def _trained(example: Example) -> int:
    return int((example.weights[1:] > 0).sum())


def _sums(
    language_model: CausalLM, made: Mapping[int, Example], *, pad_id: int, batch_size: int
) -> Iterator[tuple[int, Sums]]:
    """Number of the item with its sums, the shortest first: rows of a batch are about as long as each other."""
    order = sorted(made, key=lambda number: len(made[number].token_ids))
    head = _head(language_model, made[order[0]], pad_id=pad_id)
    size = batch_size if head is not None else 1  # whole logits of a row live at once
    for at in range(0, len(order), size):
        numbers = order[at : at + size]
        batch = padded_batch([made[number] for number in numbers], pad_id=pad_id).to(language_model.device)
        yield from zip(numbers, _batch_sums(language_model, batch, head), strict=True)


def _head(language_model: CausalLM, shortest: Example, *, pad_id: int) -> Head | None:
    """The head as numbers, where it gives what the model's own logits give."""
    batch = padded_batch([shortest], pad_id=pad_id).to(language_model.device)
    return head_of(language_model.model) if head_agrees(language_model, batch) else None


@torch.no_grad()
def _batch_sums(language_model: CausalLM, batch: Batch, head: Head | None) -> list[Sums]:
    """The sums of each row of a batch."""
    rows_N, columns_N = batch.target_weights_BT.nonzero(as_tuple=True)
    targets_N = batch.target_ids_BT[rows_N, columns_N]
    outputs_BT = language_model.logits(batch) if head is None else language_model.hidden(batch)
    outputs_N = outputs_BT[rows_N, columns_N]
    size = max(1, CHUNK // language_model.model.config.get_text_config().vocab_size)
    losses, right = [], []
    for outputs_C, targets_C in zip(outputs_N.split(size), targets_N.split(size), strict=True):
        logits_CV = outputs_C.float() if head is None else _logits(outputs_C, head)
        losses.append(cross_entropy(logits_CV, targets_C, reduction="none"))
        right.append(logits_CV.argmax(dim=-1) == targets_C)
    rows = len(batch.row_lengths)
    loss_B = torch.zeros(rows, dtype=torch.float64).index_add_(0, rows_N.cpu(), torch.cat(losses).double().cpu())
    right_B = torch.zeros(rows, dtype=torch.int64).index_add_(0, rows_N.cpu(), torch.cat(right).long().cpu())
    return list(zip(loss_B.tolist(), right_B.tolist(), strict=True))


def _logits(hidden_CD: torch.Tensor, head: Head) -> torch.Tensor:
    """Logits of some positions, fp32, (C, V)."""
    logits_CV = (hidden_CD.to(head.weight_VD.dtype) @ head.weight_VD.T).float()
    if head.bias_V is not None:
        logits_CV += head.bias_V.float()
    logits_CV *= head.scale
    return logits_CV if head.softcap is None else head.softcap * torch.tanh(logits_CV / head.softcap)
