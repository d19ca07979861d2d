"""torch.compile: one decoder layer at a time, since layers of one kind share one compiled program; and the loss."""

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from tutelage.errors import RecipeError
from tutelage.model import attention
from tutelage.model.causal_lm import CausalLM
from tutelage.model.layers import layers_of
from tutelage.records import Batch


def refuse_to_compile() -> None:
    """Refuse where there is no C++ compiler, which torch.compile calls.

    Raises:
        RecipeError: none is found.
    """
    names = [os.environ.get("CXX") or "g++", "clang++"]
    if not any(shutil.which(name) for name in names):
        raise RecipeError(
            f"torch.compile needs a C++ compiler; there is none of {', '.join(names)} here",
            code="machine-cannot",
            place="train.torch_compile",
            expected="g++ in PATH, or its path in CXX",
            remedy="install g++, or --set train.torch_compile=false",
        )


def compiled(
    language_model: CausalLM, batches: Sequence[Batch], *, backend: str = "inductor"
) -> tuple[CausalLM, float]:
    """Compile the decoder layers, in place, and the loss; weights, names and results stay.

    Args:
        batches: a few to train on, of different shapes if there are any: all is compiled on its way forward and
            backward, and forward for evaluation, before the first step. Nothing is left of the gradients.
        backend: of torch.compile; eager traces and generates no code.

    Returns:
        What is to be trained, and the seconds that it took.
    """
    started = time.perf_counter()
    attention.hide_from_compiler()
    for layer in layers_of(language_model.model)[1]:
        layer.compile(dynamic=None, backend=backend)
    language_model = replace(language_model, compiler=backend)
    model = language_model.model
    was_training = model.training
    for batch in batches:
        here = batch.to(language_model.device)
        model.train()
        language_model.loss_sum(here).backward()
        model.eval()
        with torch.no_grad():
            language_model.loss_sum(here)
    model.zero_grad(set_to_none=True)
    model.train(was_training)
    return language_model, time.perf_counter() - started
