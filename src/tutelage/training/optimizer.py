"""Optimizers over fp32 masters. Only matrices decay; norms and biases do not."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import nn
from transformers.optimization import Adafactor

from tutelage.errors import MissingExtra, RecipeError
from tutelage.recipe import TrainSection

Groups = list[dict[str, Any]]


def build_optimizer(
    weights: Mapping[str, nn.Parameter], section: TrainSection, *, layer_weights: Collection[str] = ()
) -> torch.optim.Optimizer:
    """The optimizer that the recipe names.

    Args:
        weights: name -> trained weight, fp32.
        layer_weights: names of those inside decoder layers; muon is for the matrices among them.

    Raises:
        MissingExtra: 8-bit optimizers without bitsandbytes.
    """
    if section.optim == "muon":
        return Muon(weights, section, layer_weights=layer_weights)
    builders: dict[str, Callable[[Mapping[str, nn.Parameter], TrainSection], torch.optim.Optimizer]] = {
        "adamw": adamw,
        "adamw_8bit": adamw_8bit,
        "paged_adamw_8bit": adamw_8bit,
        "adafactor": adafactor,
        "sgd": sgd,
    }
    return builders[section.optim](weights, section)


def refuse_optimizer(section: TrainSection, device: torch.device) -> None:
    """Refuse an optimizer that cannot run here, before anything is loaded.

    Raises:
        RecipeError: the machine cannot; the message names the nearest optimizer that it can run.
        MissingExtra: 8-bit optimizers without bitsandbytes.
    """
    if "8bit" in section.optim:
        _bitsandbytes()
    if section.optim.startswith("paged") and device.type != "cuda":
        raise RecipeError(
            f"{section.optim} pages its moments between GPU and main memory; this run computes on {device.type}",
            code="machine-cannot",
            place="train.optim",
            expected="a CUDA GPU",
            remedy="train.optim: adamw_8bit has the same moments in 8 bits",
        )


def adamw(weights: Mapping[str, nn.Parameter], section: TrainSection) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019), torch's fused one."""
    return torch.optim.AdamW(
        groups(weights, section), lr=section.learning_rate, betas=(section.adam_beta1, section.adam_beta2), fused=True
    )


def adamw_8bit(weights: Mapping[str, nn.Parameter], section: TrainSection) -> torch.optim.Optimizer:
    """AdamW with moments in 8 bits per block of 256 (Dettmers et al. 2022), from bitsandbytes; paged where the recipe
    says so. Weights of less than 4,096 numbers keep fp32 moments.

    Raises:
        MissingExtra: bitsandbytes is not installed.
    """
    optimizer: torch.optim.Optimizer = _bitsandbytes().optim.AdamW8bit(
        groups(weights, section),
        lr=section.learning_rate,
        betas=(section.adam_beta1, section.adam_beta2),
        is_paged=section.optim.startswith("paged"),
    )
    return optimizer


def adafactor(weights: Mapping[str, nn.Parameter], section: TrainSection) -> Adafactor:
    """Adafactor (Shazeer and Stern 2018): second moments as rows and columns, no first moment. The learning rate is
    taken as it is, as for AdamW, not scaled by the size of the weights."""
    return Adafactor(groups(weights, section), lr=section.learning_rate, scale_parameter=False, relative_step=False)


def sgd(weights: Mapping[str, nn.Parameter], section: TrainSection) -> torch.optim.SGD:
    """Stochastic gradient descent with momentum `adam_beta1`; the decay is added to the gradient."""
    return torch.optim.SGD(groups(weights, section), lr=section.learning_rate, momentum=section.adam_beta1)


class Muon(torch.optim.Optimizer):
    """Muon (Jordan 2024) for the matrices of the layers, AdamW for all other weights, seen as one optimizer.

    Muon's updates are scaled to the size of AdamW's (Liu et al. 2025), so that one learning rate serves both. Its
    momentum is `adam_beta1`.
    """

    def __init__(
        self, weights: Mapping[str, nn.Parameter], section: TrainSection, *, layer_weights: Collection[str]
    ) -> None:
        matrices = {name: weight for name, weight in weights.items() if name in layer_weights and weight.dim() == 2}
        others = {name: weight for name, weight in weights.items() if name not in matrices}
        self._parts: list[torch.optim.Optimizer] = []
        if matrices:
            muon = torch.optim.Muon(
                groups(matrices, section),
                lr=section.learning_rate,
                momentum=section.adam_beta1,
                adjust_lr_fn="match_rms_adamw",
            )
            self._parts.append(muon)
        if others:
            self._parts.append(adamw(others, section))
        super().__init__([group for part in self._parts for group in part.param_groups], {})
        for part in self._parts:  # the groups are shared already, so rates and moments have one place
            part.state = self.state

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update all weights from their gradients."""
        for part in self._parts:
            part.step()


def groups(weights: Mapping[str, nn.Parameter], section: TrainSection) -> Groups:
    """Two groups of weights: matrices with the recipe's decay, and those without."""
    assert all(weight.dtype == torch.float32 for weight in weights.values()), "trained weights must be fp32 masters"
    matrices = [weight for weight in weights.values() if weight.dim() >= 2]
    others = [weight for weight in weights.values() if weight.dim() < 2]
    found: Groups = [
        {"params": matrices, "weight_decay": section.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [group for group in found if group["params"]]


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group this rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def _bitsandbytes() -> Any:
    try:
        import bitsandbytes
    except ImportError as error:
        raise MissingExtra("bitsandbytes", "quant") from error
    return bitsandbytes
