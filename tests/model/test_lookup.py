"""Embeddings whose gradient is gathered in place, against torch's own."""

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import LlamaConfig, LlamaForCausalLM

from tests.small import examples
from tutelage.model.causal_lm import CausalLM
from tutelage.model.lookup import look_up_in_place
from tutelage.tokens.batches import packed_batch, padded_batch

VOCAB = 60


class Operations(TorchDispatchMode):
    """Notes the names of all operations."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(str(function))
        return function(*args, **(kwargs or {}))


def small(*, tied: bool, padding: int | None = None) -> LlamaForCausalLM:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 2}
    config = LlamaConfig(vocab_size=VOCAB, num_hidden_layers=1, tie_word_embeddings=tied, pad_token_id=padding, **sizes)
    return LlamaForCausalLM(config)


@pytest.mark.parametrize("fused", [True, False], ids=["fused head", "own head"])
@pytest.mark.parametrize("padding", [None, 5])
@pytest.mark.parametrize("tied", [True, False])
def test_gradients_are_those_of_torch(tied: bool, padding: int | None, fused: bool) -> None:
    plain = small(tied=tied, padding=padding)
    ours = copy.deepcopy(plain)
    assert look_up_in_place(ours)
    batches = [packed_batch(examples((20, 9), vocab=VOCAB)), padded_batch(examples((7, 12), vocab=VOCAB), pad_id=5)]
    seen = torch.cat([batch.token_ids_BT.flatten() for batch in batches])
    assert 5 in seen, "the row of padding is read"
    for batch in batches:
        logits_NV = plain(input_ids=batch.token_ids_BT, position_ids=batch.position_ids_BT, use_cache=False).logits
        logits_NV = logits_NV.flatten(0, 1)
        losses_N = nn.functional.cross_entropy(logits_NV, batch.target_ids_BT.flatten(), reduction="none")
        ((losses_N * batch.target_weights_BT.flatten()).sum() * 0.3).backward()
        (CausalLM(ours, torch.float32, fused).loss_sum(batch) * 0.3).backward()
    wanted, found = (
        {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
        for model in (plain, ours)
    )
    assert found.keys() == wanted.keys()
    assert ("lm_head.weight" in found) is not tied
    for name, gradient in wanted.items():
        assert float(gradient.abs().max()) > 1e-3
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6)


def test_no_gradient_of_all_rows_is_made() -> None:
    batch, whole = packed_batch(examples((20, 9), vocab=VOCAB)), "aten.embedding_dense_backward.default"
    model = small(tied=True)
    for is_changed in (False, True):
        assert not is_changed or look_up_in_place(model)
        with Operations() as seen:
            CausalLM(model, torch.float32).loss_sum(batch).backward()
        assert (whole in seen.names) is not is_changed


def test_other_embeddings_are_left_alone() -> None:
    frozen = small(tied=True)
    frozen.requires_grad_(False)
    assert not look_up_in_place(frozen)

    class Scaled(nn.Embedding):
        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return super().forward(ids) * 4

    scaled = small(tied=False)
    scaled.set_input_embeddings(Scaled(VOCAB, 16))
    assert not look_up_in_place(scaled)
    assert "forward" not in vars(scaled.get_input_embeddings())
