"""How many floating-point operations a model's training takes, counted from its weights.

A product of a token's hidden state with a matrix of n weights is 2n operations (multiply and add). Training it takes up
to three such products: forward (always), gradient of the input (where something before it is trained), gradient of the
weight (where it is trained). So 6N per token in full fine-tuning, 4N for the frozen weights under LoRA, 2N in a frozen
trunk (Kaplan et al. 2020, appendix; PaLM, Chowdhery et al. 2022, appendix B). Besides:

- the head counts at trained positions only: elsewhere no logits are made;
- experts count by their share of the tokens, experts per token / experts;
- attention takes 4 H D operations forward for each pair of a query and a key that it sees (scores and mixture; H heads
  of size D), twice that backward: 4 L^2 H D / 2 for a row of L tokens under a causal mask, less under a window;
- embeddings are looked up, not multiplied; norms, activations, softmax, the optimizer and padding do not count, nor
  does what is computed a second time (gradient checkpointing).

These are the model's operations: a way to the same result that computes more of them is slower, not busier.
"Before" is taken from the order in which modules stand in the model, which is off by some matrices of the first layer
that is trained (k and v do not follow q). Layers without attention (linear attention, state spaces) count by their
matrices alone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedConfig

from tutelage.model.causal_lm import CausalLM
from tutelage.records import Batch


@dataclass(frozen=True, slots=True)
class Work:
    """Operations of training, forward and backward.

    Attributes:
        per_token: of the layers' matrices, for each token.
        per_trained_token: of the head.
        per_pair: (window, operations) of each kind of attention layer, for each pair of a query and a key that it sees,
            summed over its layers; a window of None is the whole row.
    """

    per_token: float
    per_trained_token: float
    per_pair: tuple[tuple[int | None, float], ...]

    def flops(self, batch: Batch) -> float:
        """Operations of a batch; its padding counts nothing."""
        trained = int(batch.target_weights_BT.count_nonzero())
        attention = sum(cost * pairs(length, window) for window, cost in self.per_pair for length in batch.row_lengths)
        return self.per_token * batch.tokens + self.per_trained_token * trained + attention


def pairs(length: int, window: int | None) -> float:
    """Pairs of a query and a key in a row under a causal mask: L^2 / 2, and W (L - W / 2) under a window W < L."""
    reach = length if window is None else min(length, window)
    return reach * (length - reach / 2)


def work_of(language_model: CausalLM, *, first_layer: int = 0) -> Work:
    """Count a model as it is set up for training: its matrices, and which of its weights are trained.

    Args:
        first_layer: those before it are left out, for batches whose frozen layers are not run.
    """
    model = language_model.model
    config, output = model.config.get_text_config(), model.get_output_embeddings()
    head = [] if output is None else list(output.modules())
    chosen = config.to_dict().get("num_experts_per_tok")
    per_token, flows, first_trained, layer = 0.0, False, config.num_hidden_layers, 0
    for name, module in model.get_decoder().named_modules():
        layer = max(layer, _layer(name))
        trains = _is_trained(module)
        if layer >= first_layer and module not in head:
            per_token += _weights_met(module, chosen) * _operations(flows, trains)
        first_trained = layer if trains and not flows else first_trained
        flows |= trains
    head_weights = sum(_weights_met(module, chosen) for module in head)
    per_trained_token = head_weights * _operations(flows, any(map(_is_trained, head)))
    per_pair = _attention(config, first_layer=first_layer, first_trained=first_trained)
    return Work(per_token, per_trained_token, tuple(per_pair.items()))


def flops_of(language_model: CausalLM) -> Callable[[Batch], float]:
    """What a step will compute of a batch, asked before it: frozen layers do not count where their outputs are kept."""
    whole, trunk = work_of(language_model), language_model.trunk
    if trunk is None:
        return whole.flops
    rest = work_of(language_model, first_layer=trunk.trunk.depth)
    return lambda batch: (rest if batch.examples and trunk.store.holds(batch.examples) else whole).flops(batch)


def _is_trained(module: nn.Module) -> bool:
    """Whether a weight of a module's own is trained; those of submodules are theirs."""
    return any(weight.requires_grad for weight in module.parameters(recurse=False))


def _operations(flows: bool, trains: bool) -> int:
    """Operations per weight: forward, gradient of the input where something before is trained, of the weight."""
    return 2 + 2 * flows + 2 * trains


def _layer(name: str) -> int:
    """The number of the layer in which a module stands; 0 for what stands in none."""
    found = re.search(r"\.(\d+)(\.|$)", name)
    return int(found[1]) if found else 0


def _weights_met(module: nn.Module, chosen: int | None) -> float:
    """How many of a module's own weights a token is multiplied with.

    Args:
        chosen: experts per token; None in models without experts.
    """
    if isinstance(module, nn.Embedding):
        return 0.0
    if isinstance(module, nn.Linear):  # its weight may be quantised and stored in another shape
        return module.in_features * module.out_features
    own = dict(module.named_parameters(recurse=False))
    met = sum(weight.numel() for name, weight in own.items() if name == "weight" and weight.dim() == 2)
    experts = [weight for weight in own.values() if weight.dim() == 3] if chosen else []
    return met + sum(weight.numel() * chosen / len(weight) for weight in experts if chosen)


def _attention(config: PreTrainedConfig, *, first_layer: int, first_trained: int) -> dict[int | None, float]:
    """Window -> operations per pair of all attention layers from `first_layer` on that have it; those before the first
    trained one have no backward."""
    known = config.to_dict()
    size = known.get("head_dim") or config.hidden_size // config.num_attention_heads
    forward = 4.0 * config.num_attention_heads * size
    window = known.get("sliding_window")
    everywhere = "sliding_attention" if window else "full_attention"
    kinds = known.get("layer_types") or [everywhere] * config.num_hidden_layers
    windows = {"sliding_attention": window, "full_attention": None, "chunked_attention": None}
    costs: dict[int | None, float] = {}
    for layer, kind in enumerate(kinds):
        if kind in windows and layer >= first_layer:
            cost = forward * (3 if layer >= first_trained else 1)
            costs[windows[kind]] = costs.get(windows[kind], 0.0) + cost
    return costs
