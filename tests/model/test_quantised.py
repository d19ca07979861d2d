"""Adapters on weights of 4 and 8 bits: really that small, trained as they should be, and put together again."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.model.test_adapters import shake
from tests.small import Listening, examples, gap, gradients, questions
from tutelage.errors import MissingExtra, ModelError, RecipeError
from tutelage.model import quantised, saving
from tutelage.model.adapters import add_lora
from tutelage.model.causal_lm import CausalLM, head_agrees
from tutelage.model.loading import load_model
from tutelage.recipe import LoraSection, ModelSection, Recipe
from tutelage.run.training import train
from tutelage.tokens.batches import packed_batch

pytest.importorskip("bitsandbytes", reason="pip install 'tutelage[quant]'")

KINDS = {"nf4": 0.5, "int8": 1.0}  # bytes of a weight
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
IDS = torch.arange(4, 40)[None]


def section(folder: Path | str, kind: str | None) -> ModelSection:
    return ModelSection.model_validate({"name_or_path": str(folder), "quantization": kind})


def loaded(folder: Path | str, kind: str | None, dtype: torch.dtype = torch.float32) -> nn.Module:
    return load_model(section(folder, kind), dtype=dtype)


def logits(model: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(IDS).logits


@pytest.mark.parametrize("kind", KINDS)
def test_linear_layers_are_small_and_the_rest_is_as_it_was(tiny_model: Path, kind: str) -> None:
    plain, model = loaded(tiny_model, None, torch.bfloat16), loaded(tiny_model, kind, torch.bfloat16)
    shapes = {name: module.weight for name, module in plain.named_modules() if name.endswith(LINEAR)}
    assert len(shapes) == 2 * len(LINEAR)
    modules = dict(model.named_modules())
    for name, weight in shapes.items():
        assert modules[name].weight.nbytes == weight.numel() * KINDS[kind]
    assert quantised.is_quantised(model)
    assert not quantised.is_quantised(plain)
    small = {f"{name}.weight" for name in shapes}
    kept = {name: weight for name, weight in model.named_parameters() if name not in small}
    assert {"model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"} <= set(kept)
    assert {weight.dtype for weight in kept.values()} == {torch.bfloat16}
    assert 0 < gap(logits(model).double(), logits(plain).double()) < 0.3


def test_the_scales_of_nf4_are_quantised_too(tiny_model: Path) -> None:
    states = [m.weight.quant_state for name, m in loaded(tiny_model, "nf4").named_modules() if name.endswith(LINEAR)]
    assert {(state.quant_type, state.nested, state.absmax.dtype) for state in states} == {("nf4", True, torch.uint8)}


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_same_weights_unpacked(tiny_model: Path, kind: str) -> None:
    """The frozen weights are what they are: adapters on them and on their unpacked copy get the same gradients, also
    after an evaluation (where bitsandbytes would repack 4-bit weights on CPU into a form without gradients)."""
    model = add_lora(loaded(tiny_model, kind), LoraSection(r=3))
    copy = loaded(tiny_model, None)
    with torch.no_grad():
        for name, module in copy.named_modules():
            if name.endswith(LINEAR):
                module.weight.copy_(unpacked(model.get_base_model().get_submodule(name).base_layer))
    plain = add_lora(copy, LoraSection(r=3))
    with torch.no_grad():
        for one, other in zip(trained(model), trained(plain), strict=True):
            one.add_(0.1 * torch.randn_like(one))
            other.copy_(one)
    first = gradient(model)
    assert gap(first, gradient(plain)) < 1e-2
    logits(model)
    assert torch.equal(gradient(model), first)


def trained(model: nn.Module) -> list[nn.Parameter]:
    return [weight for weight in model.parameters() if weight.requires_grad]


def unpacked(layer: nn.Module) -> torch.Tensor:
    import bitsandbytes.functional as F

    weight = layer.weight
    if weight.dtype == torch.uint8:
        return F.dequantize_4bit(weight.data, weight.quant_state)
    return F.int8_vectorwise_dequant(weight.CB if weight.CB is not None else weight.data, weight.SCB)


def gradient(model: nn.Module) -> torch.Tensor:
    base = model.get_base_model().train()
    base.zero_grad()
    language_model = CausalLM(base, torch.float32)
    language_model.loss_sum(packed_batch(examples((20, 9)))).backward()
    return gradients(base)


@pytest.fixture
def quantised_recipe(make_recipe, tiny_model: Path):
    def make(kind: str, **sections: object) -> Recipe:
        tree = {
            "model": {"name_or_path": str(tiny_model), "quantization": kind},
            "train": {"method": "lora", "max_steps": 8, "learning_rate": 1e-2},
            "lora": {"r": 4},
            "evaluate": {"num_questions": 2, "max_new_tokens": 3},
        }
        return make_recipe(questions(12), **{**tree, **sections})

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_learns_and_its_adapter_fits_both_bases(quantised_recipe, kind: str) -> None:
    heard = Listening()
    result = train(quantised_recipe(kind), terminal=heard)
    assert result.outcome.losses[-1] < 0.98 * result.outcome.losses[0]
    assert result.comparisons
    assert "own logits" not in heard.text, "the head is fused"
    assert "packing is refused" not in heard.text
    folder = result.output_dir / "model"
    adapter = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    assert not (folder / "model.safetensors").exists()
    base = adapter["base_model_name_or_path"]
    for wanted in (kind, None):
        assert gap(logits(loaded(folder, wanted)), logits(loaded(base, wanted))) > 0.02
    assert gap(logits(loaded(folder, None)), logits(loaded(folder, kind))) < 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_on_a_quantised_adapter_are_put_together_again(tiny_model: Path, tmp_path: Path, kind: str) -> None:
    """Nothing is merged into 4 or 8 bits: earlier adapters stand beside the weights, frozen."""
    below = str(tiny_model)
    for step in range(3):
        base = loaded(below, kind)
        started = logits(base)
        model = add_lora(base, LoraSection(r=2 + step), base=below)
        torch.testing.assert_close(logits(model), started)
        names = [name for name, weight in model.named_parameters() if weight.requires_grad]
        assert len(names) == 2 * 2 * len(LINEAR)
        assert all(".default." in name for name in names)
        assert head_agrees(CausalLM(model.get_base_model(), torch.float32), packed_batch(examples((20,))))
        shake(model)
        folder = tmp_path / f"adapter{step}"
        saving.save_model(model, folder, stop_ids=[3])
        assert not [path for path in folder.iterdir() if path.is_dir()], "earlier adapters are not saved again"
        torch.testing.assert_close(logits(loaded(folder, kind)), logits(model))
        assert gap(logits(model), started) > 0.01
        below = str(folder)
    with pytest.raises(ModelError, match=r"use_dora[\s\S]*use_dora=false"):
        add_lora(loaded(below, kind), LoraSection(use_dora=True))


def test_dora_on_quantised_weights(tiny_model: Path, tmp_path: Path) -> None:
    model = add_lora(loaded(tiny_model, "nf4"), LoraSection(r=3, use_dora=True), base=str(tiny_model))
    started = logits(model)
    shake(model)
    saving.save_model(model, tmp_path / "adapter", stop_ids=[3])
    assert gap(logits(model), started) > 0.01
    torch.testing.assert_close(logits(loaded(tmp_path / "adapter", "nf4")), logits(model))
    with pytest.raises(ModelError, match=r"DoRA on int8[\s\S]*quantization=nf4"):
        add_lora(loaded(tiny_model, "int8"), LoraSection(use_dora=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_goes_on_bit_for_bit(quantised_recipe, tmp_path: Path, kind: str) -> None:
    train_settings = {"method": "lora", "max_steps": 4, "save_steps": 2, "eval_steps": 2, "learning_rate": 1e-2}
    recipe = quantised_recipe(kind, train=train_settings, evaluate={"num_questions": 0})
    train(recipe, terminal=Listening())
    weights = tmp_path / "run" / "model" / "adapter_model.safetensors"
    whole = weights.read_bytes()
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "checkpoint-4")
    shutil.rmtree(tmp_path / "run" / "model")
    train(recipe, terminal=Listening(), resume=True)
    assert weights.read_bytes() == whole


def test_only_adapters_are_trained_on_quantised_weights(quantised_recipe) -> None:
    recipe = quantised_recipe("nf4")
    full = recipe.model_copy(update={"train": recipe.train.model_copy(update={"method": "full"})})
    with pytest.raises(RecipeError, match=r"quantization is nf4, train\.method is full[\s\S]*train\.method=lora"):
        quantised.refuse_without_adapters(full)
    quantised.refuse_without_adapters(recipe)


def test_a_missing_package_is_told_with_the_install_line(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantised, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"bitsandbytes is not installed[\s\S]*pip install 'tutelage\[quant\]'"):
        loaded(tiny_model, "nf4")
