"""Low-rank adapters: what is trained, in which precision, and how they come back."""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from tests.small import examples
from tutelage.errors import ModelError
from tutelage.model import restoring, saving
from tutelage.model.adapters import add_lora, train_all
from tutelage.model.causal_lm import CausalLM
from tutelage.model.loading import load_config, load_model, load_tokenizer
from tutelage.recipe import LoraSection, ModelSection
from tutelage.tokens.batches import packed_batch

LINEAR = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def wrapped(tiny_model: Path, dtype: torch.dtype = torch.float32, **keys: object) -> PeftModel:
    torch.manual_seed(0)
    base = load_model(ModelSection(name_or_path=str(tiny_model)), dtype=dtype)
    return add_lora(base, LoraSection.model_validate({"r": 3, "lora_alpha": 6.0, **keys}))


def shake(model: PeftModel) -> None:
    """Adapters as after some training: not zero any more."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight += 0.1 * torch.randn_like(weight)


def loss(model: torch.nn.Module) -> float:
    with torch.no_grad():
        return float(CausalLM(model, torch.float32).loss_sum(packed_batch(examples((20, 9)))))


def test_all_linear_layers_but_the_head_get_an_adapter(tiny_model: Path) -> None:
    model = wrapped(tiny_model, torch.bfloat16)
    trained = CausalLM(model.get_base_model(), torch.float32).trainable()
    assert {name.split(".lora_")[0].rsplit(".", 1)[-1] for name in trained} == LINEAR
    assert len(trained) == 2 * 2 * len(LINEAR)
    assert {weight.dtype for weight in trained.values()} == {torch.float32}
    frozen = {weight.dtype for weight in model.parameters() if not weight.requires_grad}
    assert frozen == {torch.bfloat16}
    assert {min(weight.shape) for weight in trained.values()} == {3}


def test_named_modules_and_their_scale(tiny_model: Path) -> None:
    model = wrapped(tiny_model, target_modules=("q_proj",))
    layer = model.get_base_model().model.layers[0].self_attn.q_proj
    shake(model)
    update = layer.lora_B["default"].weight @ layer.lora_A["default"].weight * (6.0 / 3)
    x = torch.randn(4, 32)
    torch.testing.assert_close(layer(x), x @ (layer.base_layer.weight + update).T)


def test_a_module_that_is_not_there_is_told_with_those_that_are(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match=r"'nothing'[\s\S]*down_proj[\s\S]*all-linear"):
        wrapped(tiny_model, target_modules="nothing")


def test_an_adapter_that_has_not_moved_changes_nothing(tiny_model: Path) -> None:
    base = load_model(ModelSection(name_or_path=str(tiny_model)), dtype=torch.float32)
    model = wrapped(tiny_model)
    assert loss(model.get_base_model()) == loss(base)
    shake(model)
    assert loss(model.get_base_model()) != loss(base)


def saved(model: PeftModel, tiny_model: Path, folder: Path) -> Path:
    saving.save_model(model, folder, stop_ids=[3])
    facts = load_tokenizer(ModelSection(name_or_path=str(tiny_model)))
    saving.save_tokenizer(facts, folder, chat_template="{{ messages }}")
    return folder


def test_a_saved_adapter_is_loaded_onto_its_base(tiny_model: Path, tmp_path: Path) -> None:
    model = wrapped(tiny_model)
    shake(model)
    folder = saved(model, tiny_model, tmp_path / "adapter")
    assert not (folder / "model.safetensors").exists()
    section = ModelSection(name_or_path=str(folder))
    merged = load_model(section, dtype=torch.float32)
    assert loss(merged) == pytest.approx(loss(model.get_base_model()), rel=1e-5)
    assert load_config(section).vocab_size == merged.config.vocab_size
    assert load_tokenizer(section).chat_template == "{{ messages }}"


def test_an_adapter_remembers_the_revision_of_its_base(tiny_model: Path, tmp_path: Path) -> None:
    base = load_model(ModelSection(name_or_path=str(tiny_model)), dtype=torch.float32)
    model = add_lora(base, LoraSection(), revision="v2")
    folder = saved(model, tiny_model, tmp_path / "adapter")
    adapter = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    assert (adapter["revision"], adapter["base_model_name_or_path"]) == ("v2", str(tiny_model))


def test_a_base_that_is_gone_is_told(tiny_model: Path, tmp_path: Path) -> None:
    folder = saved(wrapped(tiny_model), tiny_model, tmp_path / "adapter")
    file = folder / "adapter_config.json"
    adapter = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**adapter, "base_model_name_or_path": "gone"}), encoding="utf-8")
    with pytest.raises(ModelError, match="'gone'"):
        load_model(ModelSection(name_or_path=str(folder)), dtype=torch.float32)
    file.write_text(json.dumps({**adapter, "base_model_name_or_path": None}), encoding="utf-8")
    with pytest.raises(ModelError, match="does not say which model"):
        load_model(ModelSection(name_or_path=str(folder)), dtype=torch.float32)


def test_adapters_are_restored_bit_for_bit(tiny_model: Path, tmp_path: Path) -> None:
    model, fresh = wrapped(tiny_model, torch.bfloat16), wrapped(tiny_model, torch.bfloat16)
    shake(model)
    folder = saved(model, tiny_model, tmp_path / "adapter")
    restoring.restore(fresh, folder)
    pairs = list(zip(model.parameters(), fresh.parameters(), strict=True))
    assert all(torch.equal(one, other) and one.dtype == other.dtype for one, other in pairs)


def test_training_all_takes_every_weight_as_fp32(tiny_model: Path) -> None:
    base = load_model(ModelSection(name_or_path=str(tiny_model)), dtype=torch.bfloat16).requires_grad_(False)
    model = train_all(base)
    assert all(weight.requires_grad and weight.dtype == torch.float32 for weight in model.parameters())
