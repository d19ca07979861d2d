"""What the loop sees of a language model: hidden states of a batch, and the head that turns them into logits.

Shapes: B rows, T tokens, D hidden size, V vocabulary, N trained positions.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel

from tutelage.loss import CROSS_ENTROPY, Head, Objective, losses, token_losses, trained_positions
from tutelage.model import attention
from tutelage.model.layers import layers_of
from tutelage.model.neftune import noisy_embeddings
from tutelage.model.trunk import KeptTrunk
from tutelage.model.vocabulary import output_weights
from tutelage.records import Batch

AGREEMENT = {torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 1e-3}


@dataclass(frozen=True)
class CausalLM:
    """A model made ready for training.

    Attributes:
        model: the transformers model; with adapters inside it where the method is lora.
        compute_dtype: dtype of matrix products in the forward pass; trained weights stay fp32.
        fused_head: the head is applied by `loss.losses`; else by the model itself, on trained positions only.
        noise_alpha: NEFTune's noise on the embeddings; only in training mode.
        trunk: outputs of frozen layers that are kept across epochs, for batches of the token store.
        compiler: backend of torch.compile for what the loss does beside its matrix products; None: nothing.
    """

    model: PreTrainedModel
    compute_dtype: torch.dtype
    fused_head: bool = True
    noise_alpha: float = 0.0
    trunk: KeptTrunk | None = None
    compiler: str | None = None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = next(self.model.parameters()).device
        return device

    def trainable(self) -> dict[str, nn.Parameter]:
        """Name -> parameter that the optimizer changes."""
        return {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}

    def layer_weights(self) -> frozenset[str]:
        """Names of the weights inside decoder layers: all but embeddings, head and the last norm.

        Raises:
            ModelError: the layers are not found.
        """
        inside = set(map(id, layers_of(self.model)[1].parameters()))
        return frozenset(name for name, weight in self.model.named_parameters() if id(weight) in inside)

    def loss_sum(self, batch: Batch, *, objective: Objective = CROSS_ENTROPY) -> torch.Tensor:
        """Weighted sum of the losses of the batch's trained tokens, fp32 scalar with its graph."""
        return self.losses(batch, objective=objective)[0]

    def losses(self, batch: Batch, *, objective: Objective = CROSS_ENTROPY) -> tuple[torch.Tensor, torch.Tensor]:
        """That sum, and what each trained token adds to it: fp32 (N) without graph, in the order of the batch."""
        with torch.autocast(self.device.type, self.compute_dtype, enabled=self.compute_dtype != torch.float32):
            keep = batch.target_weights_BT.flatten().nonzero().squeeze(1)
            targets_N = batch.target_ids_BT.flatten()[keep]
            weights_N = batch.target_weights_BT.flatten()[keep]
            if self.fused_head:
                head = head_of(self.model)
                assert head is not None, "the engine asks `head_agrees` before it fuses the head"
                hidden_ND = trained_positions(self.hidden(batch), batch.target_weights_BT)
                hidden_ND = hidden_ND.to(self.compute_dtype)
                return losses(
                    hidden_ND,
                    targets_N,
                    weights_N=weights_N,
                    head=head,
                    objective=objective,
                    compiler=self.compiler,
                )
            logits_NV = self.logits(batch).flatten(0, 1)[keep].float()
            losses_N = token_losses(logits_NV, targets_N, objective=objective) * weights_N
            return losses_N.sum(), losses_N.detach()

    def hidden(self, batch: Batch) -> torch.Tensor:
        """Hidden states before the head, (B, T, D)."""
        with self._trunk(batch), noisy_embeddings(self.model, batch, alpha=self.noise_alpha):
            hidden_BTD: torch.Tensor = self.model.get_decoder()(**self._inputs(batch)).last_hidden_state
        return hidden_BTD

    def logits(self, batch: Batch) -> torch.Tensor:
        """Logits as the model itself computes them, (B, T, V)."""
        with self._trunk(batch), noisy_embeddings(self.model, batch, alpha=self.noise_alpha):
            logits_BTV: torch.Tensor = self.model(**self._inputs(batch)).logits
        return logits_BTV

    def _trunk(self, batch: Batch) -> AbstractContextManager[None]:
        return nullcontext() if self.trunk is None or not batch.examples else self.trunk.running(batch)

    def _inputs(self, batch: Batch) -> dict[str, object]:
        inputs = {"input_ids": batch.token_ids_BT, "position_ids": batch.position_ids_BT, "use_cache": False}
        if attention.name_of(self.model) != attention.NAME:
            return inputs
        packed = batch.token_ids_BT.shape[0] == 1
        tokens = batch.token_ids_BT.numel() if packed else sum(batch.row_lengths)
        return {**inputs, "row_layout": attention.RowLayout(batch.row_lengths, tokens=tokens, device=self.device)}


def head_of(model: PreTrainedModel) -> Head | None:
    """The output head as numbers; None where it is more than a linear layer, or the layers before it cannot be run
    without it."""
    weights, decoder = output_weights(model), model.get_decoder()
    if weights is None or not isinstance(decoder, PreTrainedModel) or decoder is model:
        return None
    config = model.config.get_text_config()
    # Cohere multiplies its logits, Granite divides them, Gemma 2 caps them.
    scale = float(getattr(config, "logit_scale", None) or 1.0) / float(getattr(config, "logits_scaling", None) or 1.0)
    return Head(*weights, scale, getattr(config, "final_logit_softcapping", None))


def head_agrees(language_model: CausalLM, batch: Batch) -> bool:
    """Whether our reading of the head gives the loss that the model's own logits give, to `AGREEMENT` of it."""
    if head_of(language_model.model) is None:
        return False
    with torch.no_grad():
        ours = CausalLM(language_model.model, language_model.compute_dtype, True).loss_sum(batch)
        own = CausalLM(language_model.model, language_model.compute_dtype, False).loss_sum(batch)
    return bool(torch.isclose(ours, own, rtol=AGREEMENT[language_model.compute_dtype]))
