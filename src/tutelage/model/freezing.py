"""Training a part of a model: the last layers, the norm behind them, and weights by name. The rest is frozen.

Frozen layers in front of the first trained weight are the trunk: nothing there needs a gradient, so autograd keeps
nothing of it, and its outputs are the same in every epoch (`model.trunk`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import nn
from transformers import PreTrainedModel

from tutelage.errors import ModelError
from tutelage.model.layers import layers_of
from tutelage.model.loading import load_model
from tutelage.recipe import FreezeSection, ModelSection


@dataclass(frozen=True)
class Stack:
    """The decoder's layers, and what stands around them.

    Attributes:
        owner: the module that holds the layers and calls them.
        layers: in order.
        behind: children of the owner that run after the last layer, as the final norm.
    """

    owner: nn.Module
    layers: nn.ModuleList
    behind: tuple[nn.Module, ...]


def stack_of(model: PreTrainedModel) -> Stack:
    """The layers of a model with what runs behind them, which is seen by running the decoder on two tokens.

    Raises:
        ModelError: its layers are not found.
    """
    owner, layers = layers_of(model)
    return Stack(owner, layers, tuple(_called_behind(model.get_decoder(), owner, layers)))


def _called_behind(decoder: nn.Module, owner: nn.Module, layers: nn.ModuleList) -> list[nn.Module]:
    """The owner's children in the order in which they run, from the last layer on."""
    called: list[nn.Module] = []
    watched = [child for child in owner.children() if child is not layers] + [layers[-1]]
    handles = [module.register_forward_pre_hook(lambda module, _: called.append(module)) for module in watched]
    device = next(decoder.parameters()).device
    try:
        with torch.no_grad():
            decoder(input_ids=torch.zeros((1, 2), dtype=torch.int64, device=device), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return called[called.index(layers[-1]) + 1 :]


def train_part(
    model: PreTrainedModel, section: FreezeSection, *, frozen_dtype: torch.dtype, has_new_tokens: bool = False
) -> PreTrainedModel:
    """Train the last layers with what runs behind them, and the weights that `trainable_modules` names, as fp32
    masters. All other weights are frozen, in `frozen_dtype`; dropout in the trunk is off for good.

    Args:
        has_new_tokens: rows have been added to the embeddings, which must then be among what is trained.

    Raises:
        ModelError: a pattern that fits no weight, more layers than there are, or nothing left to train; new tokens
            whose embeddings would stay frozen.
    """
    stack = stack_of(model)
    trained = {id(weight) for weight in (*_last(stack, section.trainable_layers), *_named(model, section))}
    if has_new_tokens:
        _refuse_frozen_embeddings(model, trained)
    if not trained:
        raise ModelError(
            "freeze.trainable_layers is 0 and freeze.trainable_modules is empty: nothing would be trained",
            code="nothing-trained",
            remedy="set one of them",
        )
    for weight in model.parameters():
        weight.requires_grad_(id(weight) in trained)
        weight.data = weight.data.to(torch.float32 if id(weight) in trained else frozen_dtype)
    _keep_at_rest(stack)
    return model


def _last(stack: Stack, count: int) -> Iterator[nn.Parameter]:
    """The weights of the last `count` layers and of what runs behind them."""
    if count > len(stack.layers):
        raise ModelError(
            f"freeze.trainable_layers is {count}, the model has {len(stack.layers)} layers",
            code="nothing-trained",
            expected=f"at most {len(stack.layers)}",
            remedy="--set train.method=full trains everything",
        )
    for module in (*stack.layers[len(stack.layers) - count :], *(stack.behind if count else ())):
        yield from module.parameters()


def _named(model: PreTrainedModel, section: FreezeSection) -> Iterator[nn.Parameter]:
    """The weights whose names fit a pattern; tied weights go by each of their names."""
    weights = dict(model.named_parameters(remove_duplicate=False))
    for pattern in section.trainable_modules:
        fitting = [weight for name, weight in weights.items() if fnmatchcase(name, pattern)]
        if not fitting:
            names = dict.fromkeys(re.sub(r"\.\d+\.", ".*.", name) for name in weights)
            raise ModelError(
                f"the pattern {pattern!r} of freeze.trainable_modules fits no weight of the model",
                code="nothing-trained",
                expected=f"some of: {', '.join(names)}",
                remedy="mend the pattern; * stands for any characters",
            )
        yield from fitting


def _refuse_frozen_embeddings(model: PreTrainedModel, trained: set[int]) -> None:
    tables = {id(table.weight) for table in (model.get_input_embeddings(), model.get_output_embeddings()) if table}
    names = [name for name, weight in model.named_parameters() if id(weight) in tables - trained]
    if names:
        raise ModelError(
            f"the embeddings of tokens.new_tokens would stay frozen: {', '.join(names)}",
            code="nothing-trained",
            expected="embeddings that are trained",
            remedy=f"--set 'freeze.trainable_modules=[{', '.join(names)}]', or train.method=lora, which trains their "
            "rows alone",
        )


def trunk_depth(layers: nn.ModuleList) -> int:
    """How many layers come before the first one that holds a trained weight."""
    is_trained = [any(weight.requires_grad for weight in layer.parameters()) for layer in layers]
    return is_trained.index(True) if True in is_trained else len(is_trained)


def _keep_at_rest(stack: Stack) -> None:
    """Keep the trunk, and what runs in front of it, without dropout, also while the model is told to train."""
    around = {id(module) for module in (stack.layers, *stack.behind)}
    front = [child for child in stack.owner.children() if id(child) not in around]
    still = [*front, *stack.layers[: trunk_depth(stack.layers)]]

    def rest(*_: object) -> None:
        for module in still:
            module.eval()

    stack.owner.register_forward_pre_hook(rest)


def give_back_frozen(model: PreTrainedModel, section: ModelSection, *, dtype: torch.dtype) -> None:
    """Put the frozen weights back as the base has them, in place, where the arithmetic kept them in fewer bits.

    Args:
        section: of the base.
        dtype: that the base is stored in.
    """
    if all(weight.requires_grad or weight.dtype == dtype for weight in model.parameters()):
        return
    base = dict(load_model(section, dtype=dtype).named_parameters())
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            weight.data = base[name].data.to(weight.device)
