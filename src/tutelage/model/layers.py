"""The decoder layers of a model: the blocks that repeat."""

from torch import nn
from transformers import PreTrainedModel

from tutelage.errors import ModelError


def layers_of(model: PreTrainedModel) -> tuple[nn.Module, nn.ModuleList]:
    """The layers of a model, whatever its architecture calls them, and the module that holds them: the list that is as
    long as the configuration says.

    Raises:
        ModelError: there is no such list.
    """
    decoder, count = model.get_decoder(), model.config.get_text_config().num_hidden_layers
    for owner in decoder.modules():
        for child in owner.children():
            if isinstance(child, nn.ModuleList) and len(child) == count:
                return owner, child
    raise ModelError(
        f"no list of {count} layers is found in {type(decoder).__name__}",
        code="unsupported-model",
        place="train",
        expected="a decoder whose layers stand in one list: freeze, muon and torch_compile need them",
        remedy="--set train.method=lora, train.optim=adamw or train.torch_compile=false",
    )
