"""AdamW on fp32 masters, and learning rates as a function of the step."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tutelage.recipe import TrainSection
from tutelage.training.optimizer import adamw, learning_rate, set_learning_rate


def rates(total: int, **keys: object) -> list[float]:
    section = TrainSection.model_validate({"learning_rate": 1.0, **keys})
    return [learning_rate(step, total_steps=total, section=section) for step in range(total)]


def test_only_matrices_decay() -> None:
    weights = {"matrix": nn.Parameter(torch.ones(2, 2)), "norm": nn.Parameter(torch.ones(2))}
    optimizer = adamw(weights, TrainSection(weight_decay=0.5, learning_rate=0.1))
    for weight in weights.values():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    assert weights["matrix"].detach().unique().tolist() == pytest.approx([1 - 0.1 * 0.5])
    assert weights["norm"].detach().tolist() == [1, 1]


def test_the_recipe_sets_the_moments() -> None:
    optimizer = adamw({"a": nn.Parameter(torch.ones(2))}, TrainSection(adam_beta1=0.8, adam_beta2=0.95))
    assert [group["betas"] for group in optimizer.param_groups] == [(0.8, 0.95)]
    set_learning_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25]


def test_masters_are_fp32() -> None:
    with pytest.raises(AssertionError, match="fp32 masters"):
        adamw({"a": nn.Parameter(torch.ones(2, dtype=torch.bfloat16))}, TrainSection())


def test_small_updates_are_kept() -> None:
    """An update of 1e-5 of the weight is lost in bf16; the master keeps a thousand of them."""
    weight = nn.Parameter(torch.ones(1, 1))
    optimizer = adamw({"a": weight}, TrainSection(learning_rate=1e-5))
    for _ in range(1000):
        weight.grad = torch.ones_like(weight)
        optimizer.step()
    assert weight.item() == pytest.approx(0.99, abs=1e-4)


@given(
    st.integers(1, 80),
    st.floats(0, 1),
    st.sampled_from(["cosine", "linear", "constant"]),
)
def test_every_step_moves_and_none_above_the_peak(total: int, warmup: float, kind: str) -> None:
    found = rates(total, warmup_ratio=warmup, lr_scheduler_type=kind)
    rising = math.ceil(warmup * total)
    assert all(0 < rate <= 1 for rate in found)
    assert found[:rising] == sorted(found[:rising])
    assert found[rising:] == sorted(found[rising:], reverse=True)
    assert max(found) == 1


def test_the_shapes_of_the_schedules() -> None:
    assert rates(5, warmup_ratio=0.4, lr_scheduler_type="constant") == [0.5, 1, 1, 1, 1]
    assert rates(4, warmup_ratio=0.0, lr_scheduler_type="linear") == [1, 0.75, 0.5, 0.25]
    cosine = rates(4, warmup_ratio=0.0, lr_scheduler_type="cosine")
    assert cosine == pytest.approx([1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2])
