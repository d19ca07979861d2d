"""Packs to batches: the one place that shifts targets and pads, and the order in which a run sees its packs.

Shapes: B rows of the batch matrix, T tokens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from tutelage.records import Batch, Example, Pack
from tutelage.tokens.store import TokenStore

# CPU kernels are compiled and kept for every length that they meet: few lengths keep a long run's memory small.
ROUND = 128


def packed_batch(examples: Sequence[Example], *, round_to: int = 1) -> Batch:
    """Rows one after the other in a single sequence (B = 1); positions restart at each row.

    Args:
        round_to: the sequence is padded at its end to a multiple of so many tokens.
    """
    lengths = tuple(len(example.token_ids) for example in examples)
    rest = -sum(lengths) % round_to
    shifted = [_shift(example) for example in examples]
    return Batch(
        token_ids_BT=_joined([example.token_ids.astype(np.int64) for example in examples], rest),
        position_ids_BT=_joined([np.arange(length) for length in lengths], rest),
        target_ids_BT=_joined([targets for targets, _ in shifted], rest),
        target_weights_BT=_joined([weights for _, weights in shifted], rest),
        row_lengths=lengths,
        rows=tuple(example.row for example in examples),
    )


def _joined(parts: list[np.ndarray], rest: int) -> torch.Tensor:
    """Rows in one sequence, (1, T), with `rest` zeros behind them."""
    return torch.from_numpy(np.concatenate([*parts, np.zeros(rest, dtype=parts[0].dtype)]))[None]


def padded_batch(examples: Sequence[Example], *, pad_id: int, round_up: bool = False) -> Batch:
    """A row per example, padded on the right with `pad_id`, which is never a target with weight.

    Args:
        round_up: pad on to the next of a few lengths.
    """
    longest = max(len(example.token_ids) for example in examples)
    longest = _rounded(longest) if round_up else longest
    shape = (len(examples), longest)
    ids, targets = np.full(shape, pad_id, dtype=np.int64), np.full(shape, pad_id, dtype=np.int64)
    weights = np.zeros(shape, dtype=np.float32)
    for row, example in enumerate(examples):
        length = len(example.token_ids)
        ids[row, :length] = example.token_ids
        targets[row, :length], weights[row, :length] = _shift(example)
    return Batch(
        token_ids_BT=torch.from_numpy(ids),
        position_ids_BT=torch.arange(longest).expand(len(examples), longest).contiguous(),
        target_ids_BT=torch.from_numpy(targets),
        target_weights_BT=torch.from_numpy(weights),
        row_lengths=tuple(len(example.token_ids) for example in examples),
        rows=tuple(example.row for example in examples),
    )


def _rounded(length: int) -> int:
    """The next multiple of a sixteenth to an eighth of it, and of 8."""
    grain = 1 << max(3, length.bit_length() - 4)
    return -(-length // grain) * grain


def parts_of(batch: Batch, halvings: int) -> list[Batch]:
    """The rows of a batch in smaller batches: halved so many times, as far as there are rows to part."""
    if not halvings or len(batch.row_lengths) == 1:
        return [batch]
    reached = np.cumsum(batch.row_lengths)
    # The cut that leaves the larger side smallest.
    cut = 1 + int(np.argmin(np.maximum(reached[:-1], reached[-1] - reached[:-1])))
    sides = (_rows(batch, 0, cut), _rows(batch, cut, len(batch.row_lengths)))
    return [part for side in sides for part in parts_of(side, halvings - 1)]


def _rows(batch: Batch, first: int, end: int) -> Batch:
    """The rows from `first` up to `end`, padded no further than they need."""
    lengths = batch.row_lengths[first:end]
    if batch.token_ids_BT.shape[0] == 1:
        start = sum(batch.row_lengths[:first])
        where = (slice(None), slice(start, start + sum(lengths)))
    else:
        where = (slice(first, end), slice(max(lengths)))
    return replace(
        batch,
        token_ids_BT=batch.token_ids_BT[where],
        position_ids_BT=batch.position_ids_BT[where],
        target_ids_BT=batch.target_ids_BT[where],
        target_weights_BT=batch.target_weights_BT[where],
        row_lengths=lengths,
        rows=batch.rows[first:end],
        examples=batch.examples[first:end],
    )


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A row read back out of a batch: what the model is given, token by token.

    Attributes:
        token_ids, positions: of each token.
        weights: of each token as a target, moved back from where it is predicted; 0 for the first token.
    """

    row: int
    token_ids: tuple[int, ...]
    positions: tuple[int, ...]
    weights: tuple[float, ...]


def rows_of(batch: Batch) -> Iterator[BatchRow]:
    """The rows of a batch, padding left out: for whoever shows what is trained."""
    one_sequence = batch.token_ids_BT.shape[0] == 1
    at = 0
    for number, (row, length) in enumerate(zip(batch.rows, batch.row_lengths, strict=True)):
        where = (0, slice(at, at + length)) if one_sequence else (number, slice(0, length))
        at += length
        weights = batch.target_weights_BT[where].tolist()
        ids, positions = batch.token_ids_BT[where].tolist(), batch.position_ids_BT[where].tolist()
        yield BatchRow(row, tuple(ids), tuple(positions), (0.0, *weights[:-1]))


def _shift(example: Example) -> tuple[np.ndarray, np.ndarray]:
    """Targets: the next token of the same row, with that token's weight; the last position predicts nothing."""
    targets = np.append(example.token_ids[1:], 0).astype(np.int64)
    weights = np.append(example.weights[1:], 0).astype(np.float32)
    return targets, weights


@dataclass(frozen=True)
class BatchPlan:
    """Which batches a run sees, as a pure function of the step: nothing to store but the step's number.

    Attributes:
        store: where the examples lie.
        packs: all packs of the set; each is seen once an epoch, in an order seeded by (seed, epoch).
        batch_size: packs in one batch.
        batches_per_step: batches over all micro-steps and processes that make one optimizer step.
        packed: several rows in one sequence, or one padded row per example.
        pad_id: written where nothing is.
    """

    store: TokenStore
    packs: Sequence[Pack]
    batch_size: int
    batches_per_step: int
    packed: bool
    pad_id: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps that see each pack once; the last one may be smaller."""
        return -(-len(self.packs) // (self.batch_size * self.batches_per_step))

    def step(self, step: int) -> list[Batch]:
        """The batches of an optimizer step (from 0), at most `batches_per_step`."""
        return [self.batch(numbers) for numbers in self.step_packs(step)]

    def step_packs(self, step: int) -> list["np.ndarray"]:
        """Numbers of the packs of each batch of an optimizer step (from 0)."""
        epoch, within = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.packs))
        per_step = self.batch_size * self.batches_per_step
        numbers = order[within * per_step : (within + 1) * per_step]
        return [numbers[at : at + self.batch_size] for at in range(0, len(numbers), self.batch_size)]

    def in_order(self) -> list["np.ndarray"]:
        """Numbers of packs per batch, each pack once, in the order of the set: for evaluation."""
        return [
            np.arange(len(self.packs))[at : at + self.batch_size] for at in range(0, len(self.packs), self.batch_size)
        ]

    def batch(self, numbers: Sequence[int] | np.ndarray) -> Batch:
        """The batch of these packs."""
        chosen = tuple(number for at in numbers for number in self.packs[at].examples)
        examples = [self.store[number] for number in chosen]
        if self.packed:
            made = packed_batch(examples, round_to=ROUND)
        else:
            made = padded_batch(examples, pad_id=self.pad_id, round_up=True)
        return replace(made, examples=chosen)
