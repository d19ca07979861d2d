"""The decoder layers of a model: the blocks that repeat."""

from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer


def decoder_layers(model: PreTrainedModel) -> dict[str, nn.Module]:
    """Name -> layer, in order. Transformers marks them by their class; empty for the few models where it does not."""
    return {name: module for name, module in model.named_modules() if isinstance(module, GradientCheckpointingLayer)}
