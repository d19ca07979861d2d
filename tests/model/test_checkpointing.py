"""Gradient checkpointing: the same gradients bit for bit, from less memory or fewer products computed again."""

import weakref
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import CheckpointPolicy
from torch.utils.flop_counter import FlopCounterMode

from tests.architectures import CONFIGS, VOCAB, tiny
from tests.small import examples, gradients
from tutelage.errors import ModelError
from tutelage.model import adapters, attention
from tutelage.model.causal_lm import CausalLM
from tutelage.model.checkpointing import checkpoint_layers, keeps
from tutelage.recipe import LoraSection
from tutelage.records import Batch
from tutelage.tokens.batches import packed_batch, padded_batch

ROWS = examples((60, 17, 43), vocab=VOCAB)
NAMES = [name for name in CONFIGS if name not in ("falcon", "mpt", "llama4")]  # those under attention by rows


def ready(name: str, how: str, dtype: torch.dtype = torch.float32) -> CausalLM:
    """A model in training mode with attention by rows."""
    model = tiny(name).requires_grad_(True).train()
    attention.switch(model, attention.NAME)
    if how != "none":
        checkpoint_layers(model, how)  # type: ignore[arg-type]
    return CausalLM(model, dtype)


class Alive(TorchDispatchMode):
    """Knows every tensor that operations make, and how many bytes of them are still held."""

    def __init__(self) -> None:
        super().__init__()
        self._made: list[weakref.ref[torch.Tensor]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for one in made if isinstance(made, (tuple, list)) else [made]:
            if isinstance(one, torch.Tensor):
                self._made.append(weakref.ref(one))
        return made

    def bytes(self) -> int:
        storages = {one.untyped_storage().data_ptr(): one for one in (ref() for ref in self._made) if one is not None}
        return sum(one.untyped_storage().nbytes() for one in storages.values())


def run(language_model: CausalLM, batch: Batch) -> tuple[int, int, torch.Tensor]:
    """Bytes held between forward and backward, floating-point operations of both, and the gradients."""
    torch.manual_seed(7)
    counter = FlopCounterMode(display=False)
    with counter:
        with Alive() as alive:
            loss = language_model.loss_sum(batch)
        held = alive.bytes()
        loss.backward()
    return held, counter.get_total_flops(), gradients(language_model.model)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_the_same_bit_for_bit(name: str) -> None:
    batch = packed_batch(ROWS)
    _, _, expected = run(ready(name, "none"), batch)
    assert float(expected.norm()) > 0.1
    for how in ("selective", "full"):
        assert torch.equal(run(ready(name, how), batch)[2], expected), how


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["packed", "padded"])
def test_memory_is_paid_with_time(kind: str, dtype: torch.dtype) -> None:
    batch = packed_batch(ROWS) if kind == "packed" else padded_batch(ROWS, pad_id=0)
    found = {how: run(ready("llama", how, dtype), batch) for how in ("none", "selective", "full")}
    held, products = ({how: one[place] for how, one in found.items()} for place in (0, 1))
    assert held["full"] < held["selective"] < held["none"]
    assert held["full"] < 0.5 * held["none"]
    assert products["none"] <= products["selective"] < products["full"]
    assert torch.equal(found["none"][2], found["selective"][2])
    assert torch.equal(found["none"][2], found["full"][2])


@pytest.mark.parametrize("how", ["selective", "full"])
def test_adapters_with_dropout_see_the_same_dropout_again(how: str) -> None:
    found = []
    for checkpointed in (False, True):
        torch.manual_seed(0)
        model = tiny("llama")
        attention.switch(model, attention.NAME)
        wrapped = adapters.add_lora(model, LoraSection(r=4, lora_dropout=0.3), base="tiny")
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight)
        if checkpointed:
            checkpoint_layers(model, how)  # type: ignore[arg-type]
        model.train()
        found.append(run(CausalLM(wrapped.get_base_model(), torch.float32), packed_batch(ROWS)))
    assert torch.equal(found[0][2], found[1][2])
    assert float(found[0][2].norm()) > 0.1
    assert found[1][0] < found[0][0]


def test_evaluation_recomputes_nothing() -> None:
    language_model = ready("llama", "full")
    language_model.model.eval()
    plain = ready("llama", "none")
    plain.model.eval()
    assert run(language_model, packed_batch(ROWS))[1] == run(plain, packed_batch(ROWS))[1]


def test_what_selective_keeps() -> None:
    kept = (torch.ops.aten.mm.default, torch.ops.aten.addmm.default)
    fused = (torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default,)
    again = (torch.ops.aten.baddbmm.default, torch.ops.aten.silu.default, torch.ops.aten._softmax.default)
    assert {keeps(None, one) for one in (*kept, *fused)} == {CheckpointPolicy.MUST_SAVE}
    assert {keeps(None, one) for one in again} == {CheckpointPolicy.PREFER_RECOMPUTE}


def test_a_model_that_cannot_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("llama")
    monkeypatch.setattr(type(model), "supports_gradient_checkpointing", False)
    with pytest.raises(ModelError, match=r"LlamaForCausalLM cannot be checkpointed[\s\S]*gradient_checkpointing=none"):
        checkpoint_layers(model, "full")
