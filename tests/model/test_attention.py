"""Attention by row lengths: exact, grouped without waste, and refused where it does not fit."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tutelage.model.attention import WASTE, RowLayout, UnsupportedAttention, buckets, rows_attention

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=12)


def given_tensors(lengths: list[int], dtype: torch.dtype, kv_heads: int = 2) -> list[torch.Tensor]:
    torch.manual_seed(sum(lengths))
    shapes = [(1, heads, sum(lengths), 8) for heads in (4, kv_heads, kv_heads)]
    return [torch.randn(shape, dtype=dtype) for shape in shapes]


def by_rows(tensors: Sequence[torch.Tensor], lengths: Sequence[int], **settings: Any) -> torch.Tensor:
    layout = RowLayout(lengths, tokens=tensors[0].shape[2], device=torch.device("cpu"))
    found, weights = rows_attention(torch.nn.Module(), *tensors, None, row_layout=layout, **settings)
    assert weights is None
    return found


def alone(
    tensors: list[torch.Tensor],
    lengths: list[int],
    scale: float,
    *,
    window: int | None = None,
    softcap: float | None = None,
) -> torch.Tensor:
    """Each row by itself with a dense causal mask written out, (1, T, H, D)."""
    rows = zip(*(tensor.split(lengths, dim=2) for tensor in tensors), strict=True)
    made = []
    for query, key, value in rows:
        groups, length = query.shape[1] // key.shape[1], query.shape[2]
        scores = query.double() @ key.repeat_interleave(groups, 1).double().transpose(2, 3) * scale
        scores = scores if softcap is None else softcap * torch.tanh(scores / softcap)
        distance = torch.arange(length)[:, None] - torch.arange(length)
        scores = scores.masked_fill((distance < 0) | (distance >= (window or length)), float("-inf"))
        made.append(scores.softmax(-1) @ value.repeat_interleave(groups, 1).double())
    return torch.cat(made, dim=2).transpose(1, 2)


@given(lengths=LENGTHS, kv_heads=st.sampled_from([1, 2, 4]), scale=st.sampled_from([None, 0.3]))
def test_each_row_sees_only_itself(lengths: list[int], kv_heads: int, scale: float | None) -> None:
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 5e-2)):
        tensors = given_tensors(lengths, dtype, kv_heads)
        found = by_rows(tensors, lengths, scaling=scale)
        expected = alone(tensors, lengths, 8**-0.5 if scale is None else scale)
        assert found.dtype == dtype
        torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


@given(lengths=LENGTHS, rest=st.integers(1, 9))
def test_what_stands_behind_the_last_row_is_nobodys(lengths: list[int], rest: int) -> None:
    tensors = given_tensors([*lengths, rest], torch.float32)
    expected = by_rows([tensor[:, :, : sum(lengths)] for tensor in tensors], lengths)
    found = by_rows(tensors, lengths)
    assert found.shape[1] == sum(lengths) + rest
    torch.testing.assert_close(found[:, : sum(lengths)], expected)
    assert bool(found.isfinite().all())


def test_padded_rows_need_no_mask() -> None:
    """Several rows of a matrix: under causal attention, real tokens never see what stands after them."""
    layout = RowLayout((6, 2, 4), tokens=12, device=torch.device("cpu"))
    query, key, value = (torch.randn(3, 2, 6, 8) for _ in range(3))
    before, _ = rows_attention(torch.nn.Module(), query, key, value, None, row_layout=layout)
    for tensor in (query, key, value):
        tensor[1, :, 2:], tensor[2, :, 4:] = 99.0, -99.0
    after, _ = rows_attention(torch.nn.Module(), query, key, value, None, row_layout=layout)
    for row, length in enumerate((6, 2, 4)):
        assert torch.equal(before[row, :length], after[row, :length])


@given(LENGTHS)
def test_buckets_hold_each_row_once_with_little_padding(lengths: list[int]) -> None:
    groups = buckets(lengths)
    assert sorted(row for group in groups for row in group) == list(range(len(lengths)))
    for group in groups:
        longest = max(lengths[row] for row in group)
        assert lengths[group[0]] == longest
        assert sum(lengths[row] for row in group) >= (1 - WASTE) * longest * len(group) - 1e-9


@given(lengths=LENGTHS, kv_heads=st.sampled_from([1, 2, 4]), rest=st.integers(0, 9))
def test_gradients_are_those_of_each_row_alone(lengths: list[int], kv_heads: int, rest: int) -> None:
    """Also for rows that share a bucket with padding, and for heads that share keys."""
    tensors = [
        part.double().requires_grad_()
        for part in given_tensors([*lengths, rest] if rest else lengths, torch.float64, kv_heads)
    ]
    slope = torch.randn(1, sum(lengths) + rest, 4, 8, dtype=torch.float64)
    slope[:, sum(lengths) :] = 0  # nobody looks at what is left of the sequence
    found = by_rows(tensors, lengths)
    every = [*lengths, rest] if rest else lengths
    for one, other in zip(
        torch.autograd.grad(found, tensors, slope),
        torch.autograd.grad(alone(tensors, every, 8**-0.5), tensors, slope),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("window", [1, 3, 40])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_sliding_window_and_a_soft_cap_are_kept(window: int, dtype: torch.dtype) -> None:
    lengths = [30, 28, 5, 3]
    tensors = given_tensors(lengths, dtype)
    for softcap in (None, 2.0):
        found = by_rows(tensors, lengths, sliding_window=window, softcap=softcap)
        expected = alone(tensors, lengths, 8**-0.5, window=window, softcap=softcap)
        tolerance = 1e-5 if dtype == torch.float32 else 5e-2
        torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


def test_equal_rows_share_a_bucket() -> None:
    assert buckets([7] * 5) == [[0, 1, 2, 3, 4]]
    assert len(buckets([100, 1, 100, 1])) == 2


@pytest.mark.parametrize(
    ("settings", "mask", "reason"),
    [
        ({}, torch.zeros(1), "a mask of its own"),
        ({"position_bias": torch.ones(4)}, None, "position_bias"),
        ({"row_layout": None}, None, "row lengths do not reach"),
    ],
)
def test_what_it_does_not_do_is_refused(settings: dict[str, Any], mask: torch.Tensor | None, reason: str) -> None:
    tensors = given_tensors([5, 2], torch.float32)
    by_rows(tensors, (5, 2))
    layout = RowLayout((5, 2), tokens=7, device=torch.device("cpu"))
    with pytest.raises(UnsupportedAttention, match=reason):
        rows_attention(torch.nn.Module(), *tensors, mask, **{"row_layout": layout, **settings})


def test_dropout_reaches_the_weights() -> None:
    tensors = given_tensors([30, 20], torch.float32)
    still, noisy = (by_rows(tensors, (30, 20), dropout=share) for share in (0.0, 0.5))
    assert not torch.allclose(still, noisy)
