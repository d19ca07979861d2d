"""Causal attention by row lengths: several rows in one sequence, each seeing only itself, without a dense mask.

Shapes: R rows of a bucket, L their padded length, H heads, T tokens of the sequence, D head size.

Rows of similar length are gathered into a padded bucket. Padding on the right needs no mask: under causal attention no
real token ever looks at what stands after it.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import pad, scaled_dot_product_attention
from torch.nn.utils.rnn import pad_sequence
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface

NAME = "tutelage_rows"
SHORT = 512  # up to here plain matrix products are faster on CPU than the fused kernel (bf16)
WASTE = 0.15  # a bucket takes rows in while padding stays below this share of it


class UnsupportedAttention(Exception):
    """The model asks for something that attention by row lengths does not do."""


def supported_by(model: PreTrainedModel) -> bool:
    """Whether the model's layers look their attention up by name, so that ours can be theirs."""
    return bool(type(model)._supports_attention_backend)


def name_of(model: PreTrainedModel) -> str:
    """The attention that the model uses now, as transformers names it."""
    return str(model.config._attn_implementation)


def switch(model: PreTrainedModel, name: str) -> None:
    """Give the model another attention, in place; `NAME` is made known to transformers, its mask is no mask at all."""
    AttentionInterface.register(NAME, rows_attention)
    AttentionMaskInterface.register(NAME, _no_mask)
    model.set_attn_implementation(name)


def _no_mask(*_: Any, **__: Any) -> None:
    return None


def rows_attention(
    module: torch.nn.Module,
    query_BHTD: torch.Tensor,
    key_BHTD: torch.Tensor,
    value_BHTD: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **settings: Any,
) -> tuple[torch.Tensor, None]:
    """Attention in the form that transformers calls; `settings["row_lengths"]` comes from the batch.

    Returns:
        (B, T, H, D) and no weights.

    Raises:
        UnsupportedAttention: masks, soft caps, sinks, biases, or windows shorter than a row.
    """
    row_lengths: Sequence[int] | None = settings.get("row_lengths")
    if row_lengths is None:
        raise UnsupportedAttention("row lengths do not reach the attention layers")
    _refuse_variants(settings, attention_mask, max(row_lengths))
    attend = _Attend(settings.get("scaling"), float(settings.get("dropout") or 0.0))
    # Rotary embeddings leave queries and keys in fp32 under autocast; values have the dtype of matrix products.
    query_BHTD, key_BHTD = query_BHTD.to(value_BHTD.dtype), key_BHTD.to(value_BHTD.dtype)
    if query_BHTD.shape[0] > 1 or len(row_lengths) == 1:
        return attend(query_BHTD, key_BHTD, value_BHTD).transpose(1, 2), None
    rest = query_BHTD.shape[2] - sum(row_lengths)
    parts = [*row_lengths, rest]
    sequences = [tensor[0].transpose(0, 1).split(parts) for tensor in (query_BHTD, key_BHTD, value_BHTD)]
    rows_THD: list[torch.Tensor] = [sequences[0][0]] * len(row_lengths)
    for bucket in buckets(row_lengths):
        padded = (pad_sequence([part[row] for row in bucket], batch_first=True).transpose(1, 2) for part in sequences)
        out_RLHD = attend(*padded).transpose(1, 2)
        for place, row in enumerate(bucket):
            rows_THD[row] = out_RLHD[place, : row_lengths[row]]
    padding_THD = rows_THD[0].new_zeros(rest, *rows_THD[0].shape[1:])
    return torch.cat([*rows_THD, padding_THD])[None], None


def buckets(row_lengths: Sequence[int]) -> list[list[int]]:
    """Rows grouped by length, longest first, so that padding stays below `WASTE` in each group."""
    groups: list[list[int]] = []
    real = 0
    for row in sorted(range(len(row_lengths)), key=lambda row: -row_lengths[row]):
        length = row_lengths[row]
        if groups and real + length >= (1 - WASTE) * (len(groups[-1]) + 1) * row_lengths[groups[-1][0]]:
            groups[-1].append(row)
            real += length
        else:
            groups.append([row])
            real = length
    return groups


class _Attend:
    """Causal scaled dot product attention with grouped heads."""

    def __init__(self, scale: float | None, dropout: float) -> None:
        self.scale, self.dropout = scale, dropout

    def __call__(self, query_RHLD: torch.Tensor, key_RHLD: torch.Tensor, value_RHLD: torch.Tensor) -> torch.Tensor:
        grouped = query_RHLD.shape[1] != key_RHLD.shape[1]
        on_cpu = query_RHLD.device.type == "cpu"
        if grouped and on_cpu:
            groups = query_RHLD.shape[1] // key_RHLD.shape[1]
            key_RHLD, value_RHLD = (part.repeat_interleave(groups, 1) for part in (key_RHLD, value_RHLD))
            grouped = False
        if on_cpu and query_RHLD.dtype == torch.bfloat16 and query_RHLD.shape[2] <= SHORT and not self.dropout:
            return batched_products(query_RHLD, key_RHLD, value_RHLD=value_RHLD, scale=self.scale)
        return scaled_dot_product_attention(
            query_RHLD,
            key_RHLD,
            value_RHLD,
            dropout_p=self.dropout,
            is_causal=True,
            scale=self.scale,
            enable_gqa=grouped,
        )


def batched_products(
    query_RHLD: torch.Tensor, key_RHLD: torch.Tensor, *, value_RHLD: torch.Tensor, scale: float | None
) -> torch.Tensor:
    """Causal attention as two batched matrix products: for short rows in bf16 on CPU two to three times as fast,
    forward and backward, as the fused kernel."""
    rows, heads, length, size = query_RHLD.shape
    # Kernels are kept for every shape that they meet: rounded shapes keep a long run's memory small.
    fill = (0, 0, 0, -length % 32, 0, 0, 0, -rows % 4)
    query, key, value = (pad(part, fill).flatten(0, 1) for part in (query_RHLD, key_RHLD, value_RHLD))
    future_LL = torch.full((query.shape[1],) * 2, float("-inf"), dtype=query.dtype).triu(1)
    scores = torch.baddbmm(future_LL, query, key.transpose(1, 2), alpha=size**-0.5 if scale is None else scale)
    out_RHLD: torch.Tensor = torch.bmm(scores.softmax(-1), value).unflatten(0, (-1, heads))
    return out_RHLD[:rows, :, :length]


def _refuse_variants(settings: dict[str, Any], attention_mask: torch.Tensor | None, longest: int) -> None:
    window = settings.get("sliding_window")
    if attention_mask is not None:
        raise UnsupportedAttention("the model brings a mask of its own")
    if window is not None and longest > window:
        raise UnsupportedAttention(f"a sliding window of {window} tokens is shorter than a row of {longest}")
    for name in ("softcap", "s_aux", "position_bias"):
        if settings.get(name) is not None:
            raise UnsupportedAttention(f"the model uses {name} in attention")
