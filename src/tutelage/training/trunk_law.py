"""Law 4 for a kept trunk, on the user's own model: loss and gradients on what is kept are those of the full pass."""

import time
from dataclasses import replace

import torch

from tutelage.model.causal_lm import CausalLM
from tutelage.records import Batch
from tutelage.training.packing_law import difference, gradients_of, probing


def replay_problem(kept: CausalLM, batch: Batch) -> str | None:
    """Why a trunk's outputs must not stand in for it; None where the gradients are the same.

    Args:
        kept: the model with an empty store, which is filled.
        batch: of examples of the token store.
    """
    with probing(kept):
        full = gradients_of(replace(kept, trunk=None), [batch])
        gradients_of(kept, [batch])
        assert kept.trunk is not None
        assert kept.trunk.store.holds(batch.examples)
        replayed = gradients_of(kept, [batch])
    gaps = difference(replayed, full, dtype=kept.compute_dtype)
    return gaps and f"training on kept outputs differs from training on computed ones: {gaps}"


def forward_seconds(language_model: CausalLM, batch: Batch) -> float:
    """Seconds of a forward pass without gradients, the faster of two."""
    with probing(language_model), torch.no_grad():
        return min(_seconds(language_model, batch.to(language_model.device)) for _ in range(2))


def _seconds(language_model: CausalLM, batch: Batch) -> float:
    started = time.perf_counter()
    float(language_model.loss_sum(batch))  # a number on the CPU: a GPU has finished its work by then
    return time.perf_counter() - started
