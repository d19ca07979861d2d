"""Attention by row lengths: exact, grouped without waste, and refused where it does not fit."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from tutelage.model.attention import WASTE, UnsupportedAttention, batched_products, buckets, rows_attention

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=12)


def given_tensors(lengths: list[int], dtype: torch.dtype, kv_heads: int = 2) -> list[torch.Tensor]:
    torch.manual_seed(sum(lengths))
    shapes = [(1, heads, sum(lengths), 8) for heads in (4, kv_heads, kv_heads)]
    return [torch.randn(shape, dtype=dtype) for shape in shapes]


def alone(tensors: list[torch.Tensor], lengths: list[int], scale: float) -> torch.Tensor:
    """Each row by itself with a dense causal mask written out, (1, T, H, D)."""
    rows = zip(*(tensor.split(lengths, dim=2) for tensor in tensors), strict=True)
    made = []
    for query, key, value in rows:
        groups, length = query.shape[1] // key.shape[1], query.shape[2]
        scores = query.double() @ key.repeat_interleave(groups, 1).double().transpose(2, 3) * scale
        scores = scores.masked_fill(torch.ones(length, length).triu(1).bool(), float("-inf"))
        made.append(scores.softmax(-1) @ value.repeat_interleave(groups, 1).double())
    return torch.cat(made, dim=2).transpose(1, 2)


@given(lengths=LENGTHS, kv_heads=st.sampled_from([1, 2, 4]), scale=st.sampled_from([None, 0.3]))
def test_each_row_sees_only_itself(lengths: list[int], kv_heads: int, scale: float | None) -> None:
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 5e-2)):
        tensors = given_tensors(lengths, dtype, kv_heads)
        found, weights = rows_attention(torch.nn.Module(), *tensors, None, row_lengths=tuple(lengths), scaling=scale)
        expected = alone(tensors, lengths, 8**-0.5 if scale is None else scale)
        assert weights is None
        assert found.dtype == dtype
        torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


@given(lengths=LENGTHS, rest=st.integers(1, 9))
def test_what_stands_behind_the_last_row_is_nobodys(lengths: list[int], rest: int) -> None:
    tensors = given_tensors([*lengths, rest], torch.float32)
    expected, _ = rows_attention(
        torch.nn.Module(), *(tensor[:, :, : sum(lengths)] for tensor in tensors), None, row_lengths=tuple(lengths)
    )
    found, _ = rows_attention(torch.nn.Module(), *tensors, None, row_lengths=tuple(lengths))
    assert found.shape[1] == sum(lengths) + rest
    torch.testing.assert_close(found[:, : sum(lengths)], expected)
    assert bool(found.isfinite().all())


def test_padded_rows_need_no_mask() -> None:
    """Several rows of a matrix: under causal attention, real tokens never see what stands after them."""
    query, key, value = (torch.randn(3, 2, 6, 8) for _ in range(3))
    before, _ = rows_attention(torch.nn.Module(), query, key, value, None, row_lengths=(6, 2, 4))
    for tensor in (query, key, value):
        tensor[1, :, 2:], tensor[2, :, 4:] = 99.0, -99.0
    after, _ = rows_attention(torch.nn.Module(), query, key, value, None, row_lengths=(6, 2, 4))
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


def test_equal_rows_share_a_bucket() -> None:
    assert buckets([7] * 5) == [[0, 1, 2, 3, 4]]
    assert len(buckets([100, 1, 100, 1])) == 2


@pytest.mark.parametrize("scale", [None, 0.2])
def test_batched_products_are_the_fused_kernel(scale: float | None) -> None:
    torch.manual_seed(0)
    tensors = [torch.randn(2, 3, 9, 8, requires_grad=True) for _ in range(3)]
    query, key, value = tensors
    found = batched_products(query, key, value_RHLD=value, scale=scale)
    expected = scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale)
    torch.testing.assert_close(found, expected)
    slope = torch.randn_like(found)
    ours = torch.autograd.grad(found, tensors, slope)
    for one, other in zip(ours, torch.autograd.grad(expected, tensors, slope), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("settings", "mask", "reason"),
    [
        ({}, torch.zeros(1), "a mask of its own"),
        ({"sliding_window": 4}, None, "a sliding window of 4 tokens is shorter than a row of 5"),
        ({"softcap": 30.0}, None, "softcap"),
        ({"s_aux": torch.ones(4)}, None, "s_aux"),
        ({"position_bias": torch.ones(4)}, None, "position_bias"),
        ({"row_lengths": None}, None, "row lengths do not reach"),
    ],
)
def test_what_it_does_not_do_is_refused(settings: dict[str, Any], mask: torch.Tensor | None, reason: str) -> None:
    tensors = given_tensors([5, 2], torch.float32)
    rows_attention(torch.nn.Module(), *tensors, None, row_lengths=(5, 2), sliding_window=5)
    with pytest.raises(UnsupportedAttention, match=reason):
        rows_attention(torch.nn.Module(), *tensors, mask, **{"row_lengths": (5, 2), **settings})


def test_dropout_reaches_the_weights() -> None:
    tensors = given_tensors([30, 20], torch.float32)
    still, _ = rows_attention(torch.nn.Module(), *tensors, None, row_lengths=(30, 20), dropout=0.0)
    noisy, _ = rows_attention(torch.nn.Module(), *tensors, None, row_lengths=(30, 20), dropout=0.5)
    assert not torch.allclose(still, noisy)
