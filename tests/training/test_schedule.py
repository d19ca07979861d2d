"""Learning rates as a function of the step: transformers' schedules with a warm-up whose first step moves."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import get_scheduler

from tutelage.errors import RecipeError
from tutelage.recipe import TrainSection
from tutelage.training.schedule import learning_rates

# Every schedule with arguments that it can do with.
SCHEDULES: dict[str, dict[str, Any]] = {
    "linear": {},
    "cosine": {},
    "cosine_with_restarts": {"num_cycles": 3},
    "polynomial": {"power": 2.0, "lr_end": 1e-3},
    "constant": {},
    "constant_with_warmup": {},
    "inverse_sqrt": {"timescale": 7},
    "cosine_with_min_lr": {"min_lr_rate": 0.1},
    "warmup_stable_decay": {"num_decay_steps": 5, "decay_type": "linear"},
}


def rates(total: int, **keys: object) -> list[float]:
    section = TrainSection.model_validate({"learning_rate": 1.0, **keys})
    rate = learning_rates(section, total_steps=total)
    return [rate(step) for step in range(total)]


def test_every_schedule_of_the_recipe_is_here() -> None:
    assert list(SCHEDULES) == list(TrainSection.model_fields["lr_scheduler_type"].annotation.__args__)


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


@pytest.mark.parametrize("kind", list(SCHEDULES))
def test_after_the_warm_up_the_rates_are_those_of_transformers(kind: str) -> None:
    total, warmup = 20, 4
    found = rates(total, warmup_ratio=warmup / total, lr_scheduler_type=kind, lr_scheduler_kwargs=SCHEDULES[kind])
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler = get_scheduler(
        kind, optimizer, num_warmup_steps=warmup, num_training_steps=total, scheduler_specific_kwargs=SCHEDULES[kind]
    )
    theirs = []
    for _ in range(total):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert found[warmup:] == pytest.approx(theirs[warmup:])
    assert found[:warmup] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    if not kind.startswith("constant"):
        assert len(set(found[warmup:])) > 4
    assert min(found) > 0


def test_the_rate_of_a_step_needs_no_steps_before_it() -> None:
    section = TrainSection(lr_scheduler_type="cosine_with_restarts", lr_scheduler_kwargs={"num_cycles": 2})
    forwards, backwards = (learning_rates(section, total_steps=30) for _ in range(2))
    assert [forwards(step) for step in range(30)] == [backwards(step) for step in reversed(range(30))][::-1]


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("cosine", {"min_lr": 0.1}, "it does not know 'min_lr'[\\s\\S]*some of: num_cycles"),
    ("linear", {"power": 1}, "it does not know 'power'[\\s\\S]*none: this schedule has no arguments"),
    ("constant", {"num_warmup_steps": 3}, "it does not know 'num_warmup_steps'"),
    ("warmup_stable_decay", {}, "it needs 'num_decay_steps'"),
    ("warmup_stable_decay", {"num_decay_steps": 2, "decay_type": "steep"}, "Unknown decay type: steep"),
    ("cosine_with_min_lr", {}, "One of min_lr or min_lr_rate"),
    ("polynomial", {"lr_end": 2.0}, r"lr_end \(2.0\) must be smaller"),
    ("polynomial", {"power": "two"}, "unsupported operand"),
    ("inverse_sqrt", {"timescale": 0}, "zero"),
    ("cosine_with_min_lr", {"min_lr_rate": -3.0, "num_cycles": "x"}, "could not convert"),
    ("polynomial", {"power": math.nan}, "would be nan"),
]


@pytest.mark.parametrize(("kind", "kwargs", "why"), REFUSED)
def test_arguments_that_do_not_fit_are_refused(kind: str, kwargs: dict[str, Any], why: str) -> None:
    with pytest.raises(RecipeError, match=why) as refusal:
        rates(10, lr_scheduler_type=kind, lr_scheduler_kwargs=kwargs)
    assert f"the schedule {kind}" in str(refusal.value)
    assert str(refusal.value).startswith("train.lr_scheduler_kwargs: ")
