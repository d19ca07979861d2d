"""One product for a layer and its adapter: what peft computes, on the way forward and backward."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import torch
from peft import PeftModel
from peft.tuners.lora import Linear
from torch import nn
from transformers import PreTrainedModel

from tests.architectures import VOCAB, tiny
from tests.small import examples, gap, gradients
from tutelage.model import attention
from tutelage.model.adapters import add_lora
from tutelage.model.causal_lm import CausalLM
from tutelage.model.lora_product import fuse_products
from tutelage.recipe import LoraSection
from tutelage.tokens.batches import packed_batch


def adapted(name: str = "llama", **keys: object) -> PeftModel:
    model = tiny(name)
    attention.switch(model, attention.NAME)
    wrapped = add_lora(model, LoraSection.model_validate({"r": 4, **keys}), base="tiny")
    torch.manual_seed(1)
    for weight_name, weight in wrapped.named_parameters():
        if "lora_B" in weight_name:
            nn.init.normal_(weight, std=0.1)
    return wrapped


def adapter_layers(wrapped: PeftModel) -> list[Linear]:
    return [module for module in wrapped.modules() if isinstance(module, Linear)]


@contextmanager
def as_peft_does(wrapped: PeftModel) -> Iterator[None]:
    """While it lasts, no layer has a forward of its own."""
    own = {layer: layer.__dict__.pop("forward") for layer in adapter_layers(wrapped) if "forward" in layer.__dict__}
    assert own, "there is something to compare"
    yield
    for layer, forward in own.items():
        layer.forward = forward


def run(wrapped: PeftModel) -> tuple[float, torch.Tensor]:
    wrapped.zero_grad()
    torch.manual_seed(3)
    loss = CausalLM(wrapped.get_base_model(), torch.float32).loss_sum(packed_batch(examples((20, 9, 30), vocab=VOCAB)))
    loss.backward()
    return float(loss.detach()), gradients(wrapped)


def loss(model: PreTrainedModel) -> float:
    attention.switch(model, attention.NAME)
    with torch.no_grad():
        return float(CausalLM(model, torch.float32).loss_sum(packed_batch(examples((20, 9, 30), vocab=VOCAB))))


@pytest.mark.parametrize("name", ["llama", "qwen2"])  # qwen2 has biases
@pytest.mark.parametrize("keys", [{}, {"lora_dropout": 0.3}, {"use_rslora": True, "lora_alpha": 3.0}])
def test_loss_and_gradients_are_those_of_peft(name: str, keys: dict[str, object]) -> None:
    wrapped = adapted(name, **keys)
    wrapped.train()
    with as_peft_does(wrapped):
        wanted, gradient = run(wrapped)
    found, own = run(wrapped)
    assert found == pytest.approx(wanted, rel=1e-6)
    assert float(gradient.norm()) > 0.1
    assert gap(own, gradient) < 1e-5


def test_in_bf16_it_is_no_farther_from_the_truth_than_peft() -> None:
    layer = adapter_layers(adapted())[0]
    x = torch.randn(40, layer.in_features, generator=torch.Generator().manual_seed(2))

    def result(forward: Callable[[torch.Tensor], torch.Tensor], dtype: torch.dtype) -> torch.Tensor:
        layer.zero_grad()
        leaf = x.clone().requires_grad_(True)
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            out = forward(leaf)
        assert out.dtype == dtype
        out.float().square().sum().backward()
        assert leaf.grad is not None
        return torch.cat([out.detach().double().flatten(), leaf.grad.double().flatten(), gradients(layer)])

    theirs = partial(Linear.forward, layer)
    truth = result(theirs, torch.float32)
    assert gap(result(layer.forward, torch.float32), truth) < 1e-6
    assert gap(result(layer.forward, torch.bfloat16), truth) < 1.1 * gap(result(theirs, torch.bfloat16), truth) < 0.02


def test_what_comes_before_the_adapter_gets_its_gradient() -> None:
    wrapped = adapted(lora_dropout=0.3)
    wrapped.train()
    layer = adapter_layers(wrapped)[0]
    found = []
    for forward in (layer.forward, lambda x: Linear.forward(layer, x)):
        x = torch.randn(2, 5, layer.in_features, generator=torch.Generator().manual_seed(2)).requires_grad_(True)
        torch.manual_seed(4)
        forward(x).square().sum().backward()
        found.append(x.grad)
    assert found[0] is not None
    assert found[1] is not None
    assert gap(found[0], found[1]) < 1e-5


def test_an_adapter_that_is_switched_off_or_merged_is_left_to_peft() -> None:
    wrapped = adapted()
    on, _ = run(wrapped)
    with wrapped.disable_adapter(), torch.no_grad():
        off = float(CausalLM(wrapped.get_base_model(), torch.float32).loss_sum(packed_batch(examples((20, 9, 30)))))
    assert off != pytest.approx(on, rel=1e-4)
    wrapped.merge_adapter()
    with torch.no_grad():
        merged = float(
            CausalLM(wrapped.get_base_model(), torch.float32).loss_sum(packed_batch(examples((20, 9, 30), vocab=VOCAB)))
        )
    assert merged == pytest.approx(on, rel=1e-5)


def test_dora_and_a_second_adapter_stay_with_peft() -> None:
    assert fuse_products(adapted(use_dora=True)) == 0
    wrapped = adapted()
    assert fuse_products(wrapped) == len(adapter_layers(wrapped)) > 0
    wrapped.add_adapter("second", wrapped.peft_config["default"])
    wrapped.base_model.set_adapter(["default", "second"])
    assert fuse_products(wrapped) == 0
