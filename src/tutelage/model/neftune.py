"""NEFTune (Jain et al. 2023): uniform noise on the embeddings while training.

The noise of a row of L tokens with embeddings of D numbers is alpha / sqrt(L * D) times uniform numbers in [-1, 1].
L is the row's own length, however the row is padded or packed: packing changes nothing but speed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from transformers import PreTrainedModel

from tutelage.records import Batch


@contextmanager
def noisy_embeddings(model: PreTrainedModel, batch: Batch, *, alpha: float) -> Iterator[None]:
    """While the context lasts, and only in training mode, the embeddings of `batch` carry noise.

    The noise comes from torch's default generator, which the loop seeds anew for every step.
    """
    if not (alpha and model.training):
        yield
        return
    scale_BT = noise_scale(batch, alpha=alpha)

    embeddings: nn.Module = model.get_input_embeddings()
    handle = embeddings.register_forward_hook(lambda *given: _with_noise(given[-1], scale_BT))
    try:
        yield
    finally:
        handle.remove()


def _with_noise(embedded_BTD: torch.Tensor, scale_BT: torch.Tensor) -> torch.Tensor:
    scale_BT = (scale_BT / embedded_BTD.shape[2] ** 0.5).to(embedded_BTD)
    return embedded_BTD + torch.empty_like(embedded_BTD).uniform_(-1, 1) * scale_BT[..., None]


def noise_scale(batch: Batch, *, alpha: float) -> torch.Tensor:
    """alpha / sqrt(L) at each token, with the length L of the row that it stands in, (B, T); 0 where a packed sequence
    is padded."""
    lengths = torch.tensor(batch.row_lengths)
    rows, tokens = batch.token_ids_BT.shape
    if rows > 1:
        return (alpha / lengths.float().sqrt())[:, None].expand(rows, tokens)
    scale_T = torch.zeros(tokens)
    scale_T[: batch.tokens] = (alpha / lengths.float().sqrt()).repeat_interleave(lengths)
    return scale_T[None]
