"""The learning rate as a pure function of the step, by transformers' schedules."""

import inspect
import math
from collections.abc import Callable

import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import optimization

from tutelage.errors import RecipeError
from tutelage.recipe import TrainSection

_FUNCTIONS: dict[str, Callable[..., LambdaLR]] = {
    "linear": optimization.get_linear_schedule_with_warmup,
    "cosine": optimization.get_cosine_schedule_with_warmup,
    "cosine_with_restarts": optimization.get_cosine_with_hard_restarts_schedule_with_warmup,
    "polynomial": optimization.get_polynomial_decay_schedule_with_warmup,
    "constant": optimization.get_constant_schedule_with_warmup,  # `warmup_ratio` keeps its word under either name
    "constant_with_warmup": optimization.get_constant_schedule_with_warmup,
    "inverse_sqrt": optimization.get_inverse_sqrt_schedule,
    "cosine_with_min_lr": optimization.get_cosine_with_min_lr_schedule_with_warmup,
    "warmup_stable_decay": optimization.get_wsd_schedule,
}
_OURS = ("optimizer", "num_warmup_steps", "num_training_steps", "last_epoch")


def learning_rates(section: TrainSection, *, total_steps: int) -> Callable[[int], float]:
    """The learning rate of a step (from 0), as a function of the step alone: a resumed run needs no other state.

    The warm-up's first step already moves (rate peak/warmup), its last one is at the peak, and a decay to 0 gets there
    just after the last step, so that no step is spent at rate 0. All else is transformers' schedule of this name.

    Raises:
        RecipeError: `lr_scheduler_kwargs` that the schedule does not know, lacks, or cannot compute with.
    """
    warmup = math.ceil(section.warmup_ratio * total_steps)
    factor = _factor(section, warmup=warmup, total_steps=max(total_steps, warmup + 1))

    def rate(step: int) -> float:
        return section.learning_rate * factor(step + 1 if step < warmup else step)

    _refuse_no_number(rate, section, total_steps=total_steps)
    return rate


def _factor(section: TrainSection, *, warmup: int, total_steps: int) -> Callable[[int], float]:
    """The factor on the peak rate that transformers' schedule computes."""
    function, kwargs = _FUNCTIONS[section.lr_scheduler_type], section.lr_scheduler_kwargs
    parameters = inspect.signature(function).parameters
    own = {name: one for name, one in parameters.items() if name not in _OURS}
    required = [name for name, one in own.items() if one.default is inspect.Parameter.empty]
    wrong = [f"it does not know {name!r}" for name in kwargs if name not in own]
    wrong += [f"it needs {name!r}" for name in required if name not in kwargs]
    if wrong:
        raise _refusal(section, "; ".join(wrong))
    settings = {"num_warmup_steps": warmup, "num_training_steps": total_steps}
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=section.learning_rate)
    try:
        schedule = function(optimizer, **{name: settings[name] for name in settings if name in parameters}, **kwargs)
        factor: Callable[[int], float] = schedule.lr_lambdas[0]
    except (TypeError, ValueError) as error:
        raise _refusal(section, str(error)) from None
    return factor


def _refuse_no_number(rate: Callable[[int], float], section: TrainSection, *, total_steps: int) -> None:
    for step in {0, total_steps // 2, total_steps - 1}:
        try:
            found = rate(step)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise _refusal(section, str(error)) from None
        if not (math.isfinite(found) and found >= 0):
            raise _refusal(section, f"the rate of step {step + 1} would be {found}")


def _refusal(section: TrainSection, why: str) -> RecipeError:
    name = section.lr_scheduler_type
    known = [one for one in inspect.signature(_FUNCTIONS[name]).parameters if one not in _OURS]
    return RecipeError(
        f"lr_scheduler_kwargs {section.lr_scheduler_kwargs} do not fit the schedule {name}: {why}",
        code="recipe-value",
        place="train.lr_scheduler_kwargs",
        expected=f"some of: {', '.join(known)}" if known else "none: this schedule has no arguments",
        remedy="mend train.lr_scheduler_kwargs, or choose another train.lr_scheduler_type",
    )
