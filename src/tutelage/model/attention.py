"""Causal attention by row lengths: several rows in one sequence, each seeing only itself, without a dense mask.

Shapes: T tokens of the sequence, H query heads (or a tensor's own), K key and value heads, D head size; R rows of a
bucket, L their padded length; S slots, the padded rows of all buckets one after the other.

Rows of similar length are gathered into padded buckets. Padding on the right needs no mask: under causal attention no
real token ever looks at what stands after it.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch.nn.attention.varlen import varlen_attn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface

NAME = "tutelage_rows"
SHORT = 512  # up to here plain matrix products are faster on CPU than the fused kernel (bf16)
WASTE = 0.1  # a bucket takes rows in while padding stays below this share of it


Parts = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Queries (T, H, D), keys and values (T, K, D)."""


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


def hide_from_compiler() -> None:
    """Keep torch.compile out of our attention: what it reads of the rows is Python, and would be compiled anew for each
    batch. The compiled layers call it as it is."""
    AttentionInterface.register(NAME, torch.compiler.disable(rows_attention))


def _no_mask(*_: Any, **__: Any) -> None:
    return None


class RowLayout:
    """Where the rows of a packed sequence lie, and in which slots of padded buckets attention sees them. Made once per
    batch, read by every layer.

    Attributes:
        lengths: tokens of each row; what is left of the sequence counts as a row of its own.
        longest: of the rows.
        buckets: (R, L) of each.
    """

    def __init__(self, row_lengths: Sequence[int], *, tokens: int, device: torch.device) -> None:
        rest = tokens - sum(row_lengths)
        self.longest = max(row_lengths)
        self.lengths = (*row_lengths, rest) if rest else tuple(row_lengths)
        self._device = device
        starts = torch.tensor([0, *self.lengths]).cumsum(0)
        self.buckets: list[tuple[int, int]] = []
        self._tokens: list[torch.Tensor] = []  # of each bucket: the token in each slot, (R, L)
        self._is_pad: list[torch.Tensor] = []
        for members in buckets(self.lengths):
            length = _rounded(self.lengths[members[0]], least=16)
            rows = torch.tensor(members + members[-1:] * (_rounded(len(members)) - len(members)))
            is_extra = torch.arange(len(rows)) >= len(members)
            own = torch.tensor(self.lengths)[rows]
            position_RL = torch.arange(length).expand(len(rows), length)
            self._is_pad.append((position_RL >= own[:, None]) | is_extra[:, None])
            self._tokens.append(starts[rows][:, None] + position_RL.minimum(own[:, None] - 1))
            self.buckets.append((len(rows), length))
        self.starts = starts.to(torch.int32).to(device)
        self._made: dict[int, tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = {}

    def slots(self, heads: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """For tensors with so many heads, in order (R, H, L) of each bucket: (T * H) -> slots, slots -> (T * H), and
        the slots that hold no token."""
        if heads not in self._made:
            self._made[heads] = self._slots(heads)
        return self._made[heads]

    def _slots(self, heads: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        head_H = torch.arange(heads)[:, None]
        into, pads, token, head = [], [], [], []
        for token_RL, is_pad_RL in zip(self._tokens, self._is_pad, strict=True):
            token_RHL = token_RL[:, None].expand(-1, heads, -1)
            head_RHL = head_H.expand_as(token_RHL)
            into.append((token_RHL * heads + head_RHL).flatten())
            pads.append(is_pad_RL[:, None].expand_as(token_RHL).flatten())
            token.append(token_RHL.flatten())
            head.append(head_RHL.flatten())
        is_pad = torch.cat(pads)
        real = (~is_pad).nonzero().squeeze(1)
        back = torch.empty(int(sum(self.lengths)) * heads, dtype=torch.int64)
        back[(torch.cat(token) * heads + torch.cat(head))[real]] = real
        pad_slots = is_pad.nonzero().squeeze(1)
        return torch.cat(into).to(self._device), back.to(self._device), pad_slots.to(self._device)


def _rounded(count: int, *, least: int = 1) -> int:
    """The next multiple of a sixteenth of its size. CPU kernels are kept for every shape that they meet: few shapes
    keep a long run's memory small."""
    grain = max(least, 1 << max(0, count.bit_length() - 4))
    return -(-count // grain) * grain


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


class _IntoSlots(torch.autograd.Function):
    """(T, H, D) -> (S * H, D). Both ways are gathers: each token has one slot per head."""

    @staticmethod
    def forward(ctx: Any, part_THD: torch.Tensor, layout: RowLayout) -> torch.Tensor:
        ctx.layout, ctx.shape = layout, part_THD.shape
        into, _, _ = layout.slots(part_THD.shape[1])
        return part_THD.reshape(-1, part_THD.shape[2]).index_select(0, into)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        _, back, _ = ctx.layout.slots(ctx.shape[1])
        return grads[0].index_select(0, back).view(ctx.shape), None


class _FromSlots(torch.autograd.Function):
    """(S * H, D) -> (T, H, D); slots without a token get no gradient."""

    @staticmethod
    def forward(ctx: Any, slots: torch.Tensor, layout: RowLayout, heads: int) -> torch.Tensor:
        ctx.layout, ctx.heads = layout, heads
        _, back, _ = layout.slots(heads)
        return slots.index_select(0, back).view(-1, heads, slots.shape[1])

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        into, _, pads = ctx.layout.slots(ctx.heads)
        grad_THD = grads[0]
        return grad_THD.reshape(-1, grad_THD.shape[2]).index_select(0, into).index_fill_(0, pads, 0), None, None


def rows_attention(
    module: torch.nn.Module,
    query_BHTD: torch.Tensor,
    key_BHTD: torch.Tensor,
    value_BHTD: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **settings: Any,
) -> tuple[torch.Tensor, None]:
    """Attention in the form that transformers calls; `settings["row_layout"]` comes from the batch.

    Returns:
        (B, T, H, D) and no weights.

    Raises:
        UnsupportedAttention: masks or biases.
    """
    layout: RowLayout | None = settings.get("row_layout")
    if layout is None:
        raise UnsupportedAttention("row lengths do not reach the attention layers")
    attend = _Attend(settings, attention_mask, layout.longest)
    # Rotary embeddings leave queries and keys in fp32 under autocast; values have the dtype of matrix products.
    parts = (query_BHTD.to(value_BHTD.dtype), key_BHTD.to(value_BHTD.dtype), value_BHTD)
    if query_BHTD.shape[0] > 1 or len(layout.lengths) == 1:
        return attend(*parts).transpose(1, 2), None
    query_THD, key_TKD, value_TKD = (part[0].transpose(0, 1) for part in parts)
    if query_THD.device.type == "cuda" and query_THD.dtype != torch.float32 and attend.is_flash:
        return attend.varlen((query_THD, key_TKD, value_TKD), layout)[None], None
    return _by_buckets(attend, (query_THD, key_TKD, value_TKD), layout)[None], None


def _repeated(part_BHTD: torch.Tensor, heads: int) -> torch.Tensor:
    """Key and value heads as often as query heads share them."""
    own = part_BHTD.shape[1]
    return part_BHTD if own == heads else part_BHTD.repeat_interleave(heads // own, 1)


def _by_buckets(attend: "_Attend", parts: Parts, layout: RowLayout) -> torch.Tensor:
    slots: list[tuple[torch.Tensor, ...]] = [
        _IntoSlots.apply(part, layout).split(  # type: ignore[no-untyped-call]
            [rows * part.shape[1] * length for rows, length in layout.buckets]
        )
        for part in parts
    ]
    made = []
    for place, (rows, length) in enumerate(layout.buckets):
        query, key, value = (
            part[place].view(rows, whole.shape[1], length, -1) for part, whole in zip(slots, parts, strict=True)
        )
        made.append(attend(query, key, value).reshape(-1, value.shape[-1]))
    out_THD: torch.Tensor = _FromSlots.apply(torch.cat(made), layout, parts[0].shape[1])  # type: ignore[no-untyped-call]
    return out_THD


class _Attend:
    """Causal scaled dot product attention, with a sliding window, a soft cap or sinks where the layer has them."""

    def __init__(self, settings: dict[str, Any], attention_mask: torch.Tensor | None, longest: int) -> None:
        if attention_mask is not None:
            raise UnsupportedAttention("the model brings a mask of its own")
        if settings.get("position_bias") is not None:
            raise UnsupportedAttention("the model uses position_bias in attention")
        self.scale: float | None = settings.get("scaling")
        self.dropout = float(settings.get("dropout") or 0.0)
        self.softcap: float | None = settings.get("softcap")
        self.sinks_H: torch.Tensor | None = settings.get("s_aux")
        window: int | None = settings.get("sliding_window")
        self.window = window if window is not None and window < longest else None

    @property
    def is_flash(self) -> bool:
        """Whether flash attention's kernel does all of it."""
        return self.softcap is None and self.sinks_H is None and not self.dropout

    def __call__(self, query_RHLD: torch.Tensor, key_RKLD: torch.Tensor, value_RKLD: torch.Tensor) -> torch.Tensor:
        is_short = (
            query_RHLD.device.type == "cpu" and query_RHLD.dtype == torch.bfloat16 and query_RHLD.shape[2] <= SHORT
        )
        if self.softcap is not None or self.sinks_H is not None or (is_short and not self.dropout):
            return self._by_products(query_RHLD, key_RKLD, value_RKLD)
        heads, length = query_RHLD.shape[1:3]
        mask_LL = None if self.window is None else seen(length, self.window).to(query_RHLD.device)
        return scaled_dot_product_attention(
            query_RHLD,
            _repeated(key_RKLD, heads),
            _repeated(value_RKLD, heads),
            attn_mask=mask_LL,
            dropout_p=self.dropout,
            is_causal=mask_LL is None,
            scale=self.scale,
        )

    def _by_products(self, query_RHLD: torch.Tensor, key_RKLD: torch.Tensor, value_RKLD: torch.Tensor) -> torch.Tensor:
        """Two batched matrix products: for short rows in bf16 on CPU two to three times as fast, forward and backward,
        as the fused kernel. The query heads that share a key head stand one below the other in one product."""
        heads, length, size = query_RHLD.shape[1:]
        sharing = heads // key_RKLD.shape[1]
        query = query_RHLD.reshape(-1, sharing * length, size)
        key, value = key_RKLD.flatten(0, 1), value_RKLD.flatten(0, 1)
        unseen = hidden(length, self.window, dtype=query.dtype, times=sharing).to(query.device)
        scale = size**-0.5 if self.scale is None else self.scale
        if self.softcap is None:
            scores = torch.baddbmm(unseen, query, key.transpose(1, 2), alpha=scale)
        else:
            capped = torch.tanh(torch.bmm(query, key.transpose(1, 2)) * (scale / self.softcap)) * self.softcap
            scores = capped + unseen
        weights = torch.dropout(self._softmax(scores, heads), self.dropout, self.dropout > 0)
        return torch.bmm(weights, value).view(-1, heads, length, value.shape[-1])

    def _softmax(self, scores: torch.Tensor, heads: int) -> torch.Tensor:
        """Weights from scores, (R * K, H / K * L, L); a sink takes its share of each head's attention and gives
        nothing."""
        if self.sinks_H is None:
            return scores.softmax(-1)
        length = scores.shape[-1]
        scores_RHLL = scores.view(-1, heads, length, length)
        sinks = self.sinks_H.to(scores.dtype)[:, None, None].expand(len(scores_RHLL), -1, length, 1)
        return torch.cat([scores_RHLL, sinks], -1).softmax(-1)[..., :-1].reshape(scores.shape)

    def varlen(self, parts: Parts, layout: RowLayout) -> torch.Tensor:
        """Flash attention over rows of any length, without padding (CUDA)."""
        query_THD, key_TKD, value_TKD = parts
        longest = max(layout.lengths)
        out_THD = varlen_attn(
            query_THD,
            key_TKD,
            value_TKD,
            layout.starts,
            layout.starts,
            longest,
            longest,
            scale=self.scale,
            window_size=(-1 if self.window is None else self.window - 1, 0),
            enable_gqa=query_THD.shape[1] != key_TKD.shape[1],
        )
        assert isinstance(out_THD, torch.Tensor)
        return out_THD


@lru_cache(maxsize=64)
def seen(length: int, window: int | None) -> torch.Tensor:
    """Which token (L) sees which (L): itself, and before it as many as the window holds."""
    seen_LL = torch.ones(length, length, dtype=torch.bool).tril()
    return seen_LL if window is None else seen_LL.triu(1 - window)


@lru_cache(maxsize=64)
def hidden(length: int, window: int | None, *, dtype: torch.dtype, times: int = 1) -> torch.Tensor:
    """What is added to scores: nothing where a token is seen, minus infinity elsewhere, (L, L), so many times one below
    the other."""
    return torch.zeros(length, length, dtype=dtype).masked_fill_(~seen(length, window), float("-inf")).repeat(times, 1)
