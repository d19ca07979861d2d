"""Where a process computes, what it computes fast, and what it cannot do."""

import torch

from tutelage.errors import RecipeError
from tutelage.model.compiling import refuse_to_compile
from tutelage.recipe import TrainSection
from tutelage.training.optimizer import refuse_optimizer


def device() -> torch.device:
    """Where this process computes."""
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def has_fast_bf16() -> bool:
    """Whether this process multiplies bf16 matrices in hardware."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return torch.cpu._is_avx512_bf16_supported()


def refuse_what_it_cannot(section: TrainSection) -> None:
    """Refuse what this machine cannot train, before anything is read; the message names the nearest that it can.

    Raises:
        RecipeError: fp16 or a paged optimizer without a GPU, torch.compile without a C++ compiler or with gradient
            checkpointing.
        MissingExtra: a package of the optimizer is not installed.
    """
    here = device()
    refuse_optimizer(section, here)
    if section.torch_compile:
        _refuse_recomputed(section)
        refuse_to_compile()
    if section.dtype == "fp16" and here.type != "cuda":
        raise RecipeError(
            f"fp16 is trained on CUDA GPUs; this run computes on {here.type}, which has no fast fp16 products",
            code="machine-cannot",
            place="train.dtype",
            expected="bf16 or fp32",
            remedy=f"--set train.dtype={'bf16' if has_fast_bf16() else 'fp32'}, or leave it at auto",
        )


def _refuse_recomputed(section: TrainSection) -> None:
    """Refuse to compile layers that are recomputed: torch would leave them as they are while they train, and say
    nothing."""
    if section.gradient_checkpointing != "none":
        raise RecipeError(
            f"train.gradient_checkpointing is {section.gradient_checkpointing}: recomputed layers cannot be compiled",
            code="machine-cannot",
            place="train.torch_compile",
            expected="one of the two",
            remedy="--set train.torch_compile=false saves more memory, train.gradient_checkpointing=none more time",
        )
