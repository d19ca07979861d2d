"""The losses of the rows of a step, from those of its tokens: no forward pass more.

Shapes: N trained tokens of a batch, R rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from tutelage.records import Batch
from tutelage.training import distributed

Numbers = npt.NDArray[np.int64]
Sums = npt.NDArray[np.float64]
SourceLosses = tuple[tuple[float, float], ...]


def _nothing() -> Sums:
    return np.zeros(0)


@dataclass(frozen=True, slots=True, eq=False)
class RowLosses:
    """What each row of a step adds to its loss. A row that makes several examples stands here once for each.

    Attributes:
        rows: row numbers (ledger), int64, (R).
        losses: weighted sums of the losses of each row's trained tokens, before the update, float64, (R).
        weights: sums of these tokens' weights, float64, (R); `losses / weights` is the mean loss of a row.
    """

    rows: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    losses: Sums = field(default_factory=_nothing)
    weights: Sums = field(default_factory=_nothing)

    def over_all(self, device: torch.device) -> "RowLosses":
        """The rows of all processes in the order of their ranks.

        Args:
            device: on which the processes exchange tensors.
        """
        if distributed.world_size() == 1:
            return self
        own_3R = torch.from_numpy(np.stack([self.rows.astype(np.float64), self.losses, self.weights]))
        rows, losses, weights = distributed.side_by_side(own_3R.to(device)).cpu().numpy()
        return RowLosses(rows.astype(np.int64), losses, weights)

    def by_source(self, source_of_row: Numbers, *, onto: SourceLosses = ()) -> SourceLosses:
        """For each source, the sum of its rows' losses and of their weights.

        Args:
            source_of_row: by row number; empty: rows are not told apart, and nothing is summed.
            onto: sums to which these are added.
        """
        if not len(source_of_row):
            return ()
        sources, count = source_of_row[self.rows], int(source_of_row.max()) + 1
        sums_2S = np.stack([np.bincount(sources, part, count) for part in (self.losses, self.weights)])
        if onto:
            sums_2S += np.asarray(onto).T
        return tuple((float(loss), float(weight)) for loss, weight in sums_2S.T)


def row_losses(batches: Sequence[Batch], token_losses: Sequence[torch.Tensor]) -> RowLosses:
    """The losses of the rows of some batches.

    Args:
        token_losses: for each batch, the weighted losses of its trained tokens in their order, (N) (`CausalLM.losses`).
    """
    parts = [_of_batch(batch, losses_N.cpu()) for batch, losses_N in zip(batches, token_losses, strict=True)]
    if not parts:
        return RowLosses()
    rows = np.array([row for batch in batches for row in batch.rows], dtype=np.int64)
    losses, weights = np.concatenate(parts, axis=1)
    return RowLosses(rows, losses, weights)


def _of_batch(batch: Batch, losses_N: torch.Tensor) -> Sums:
    """Sums of losses and of weights of each row of a batch, (2, R). Added up on the CPU, where the order is always the
    same."""
    weights_BT = batch.target_weights_BT.cpu().numpy()
    (positions_N,) = np.nonzero(weights_BT.ravel())
    if len(weights_BT) == 1:
        row_N = np.searchsorted(np.cumsum(batch.row_lengths), positions_N, side="right")
    else:
        row_N = positions_N // weights_BT.shape[1]
    rows = len(batch.row_lengths)
    per_token = (losses_N.double().numpy(), weights_BT.ravel()[positions_N])
    return np.stack([np.bincount(row_N, part, minlength=rows) for part in per_token])
