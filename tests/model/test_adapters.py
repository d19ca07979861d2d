"""Low-rank adapters: what is trained, in which precision, and how they come back."""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from tests.small import Listening, examples, questions
from tutelage.errors import ModelError
from tutelage.model import attention, restoring, saving
from tutelage.model.adapters import add_lora, train_all
from tutelage.model.causal_lm import CausalLM
from tutelage.model.loading import absolute, load_config, load_model, load_tokenizer
from tutelage.recipe import LoraSection, ModelSection
from tutelage.run.assemble import speech
from tutelage.run.engine import build_engine
from tutelage.run.prepare import prepare
from tutelage.run.training import train
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


@pytest.mark.parametrize(("keys", "scale"), [({}, 6 / 3), ({"use_rslora": True}, 6 / 3**0.5)])
def test_the_scale_of_updates(tiny_model: Path, keys: dict[str, bool], scale: float) -> None:
    """LoRA divides alpha by r, rsLoRA by its root."""
    model = wrapped(tiny_model, target_modules=("q_proj",), **keys)
    layer = model.get_base_model().model.layers[0].self_attn.q_proj
    shake(model)
    update = layer.lora_B["default"].weight @ layer.lora_A["default"].weight * scale
    x = torch.randn(4, 32)
    torch.testing.assert_close(layer(x), x @ (layer.base_layer.weight + update).T)


def test_dora_trains_length_and_direction_of_each_row(tiny_model: Path) -> None:
    """W' = m (W + BA) / |W + BA| by rows (Liu et al. 2024)."""
    model = wrapped(tiny_model, target_modules=("q_proj",), use_dora=True)
    layer = model.get_base_model().model.layers[0].self_attn.q_proj
    shake(model)
    turned = layer.base_layer.weight + 2 * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    length = layer.lora_magnitude_vector["default"].weight
    assert not torch.allclose(length, layer.base_layer.weight.norm(dim=1)), "the lengths have moved"
    x = torch.randn(4, 32)
    torch.testing.assert_close(layer(x), x @ (turned * (length / turned.norm(dim=1))[:, None]).T)


KINDS = [{"use_rslora": True}, {"use_dora": True}]


@pytest.mark.parametrize("keys", KINDS)
def test_every_kind_of_adapter_trains_with_head_and_packing(make_recipe, tmp_path: Path, keys) -> None:
    """On a bf16 base: the head stays fused, rows are packed, what is trained is fp32, and what is saved is loaded."""
    heard = Listening()
    train_settings = {"method": "lora", "max_steps": 8, "dtype": "bf16", "learning_rate": 1e-2}
    recipe = make_recipe(questions(12), train=train_settings, lora={"r": 4, **keys})
    spoken = speech(recipe)
    prepared = prepare(recipe, spoken, terminal=heard)
    engine = build_engine(recipe, spoken, prepared=prepared, terminal=heard)
    assert engine.packed
    assert engine.language_model.fused_head
    assert {weight.dtype for weight in engine.language_model.trainable().values()} == {torch.float32}
    result = train(recipe, terminal=heard)
    assert result.outcome.losses[-1] < 0.98 * result.outcome.losses[0]
    tuned = load_model(ModelSection(name_or_path=str(tmp_path / "run" / "model")), dtype=torch.float32)
    assert loss(tuned) != loss(load_model(recipe.model, dtype=torch.float32))


@pytest.mark.parametrize("kind", [{}, {"use_dora": True}])
def test_adapters_on_adapters_are_put_together_again(make_recipe, tiny_model: Path, tmp_path: Path, kind) -> None:
    """Three runs, each on the adapter before; the last one's folder is the model that was trained."""
    below = str(tiny_model)
    for step in range(3):
        recipe = make_recipe(
            questions(12, start=step * 20),
            output_dir=str(tmp_path / f"run{step}"),
            model={"name_or_path": below},
            train={"method": "lora", "max_steps": 2, "learning_rate": 1e-2},
            lora={"r": 2 + step, **kind},
        )
        spoken = speech(recipe)
        prepared = prepare(recipe, spoken, terminal=Listening())
        engine = build_engine(recipe, spoken, prepared=prepared, terminal=Listening())
        attention.switch(engine.language_model.model, "sdpa")  # it is called without row lengths below
        shake(engine.model)
        folder = tmp_path / f"adapter{step}"
        saving.save_model(engine.model, folder, stop_ids=spoken.stop_ids)
        saving.save_tokenizer(spoken.tokenizer, folder, chat_template=spoken.template.source)
        named = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
        assert named == below
        again = load_model(ModelSection(name_or_path=str(folder)), dtype=torch.float32)
        ids = torch.arange(4, 40)[None]
        with torch.no_grad():
            expected, found = engine.model.eval()(ids).logits, again(ids).logits
            started = load_model(ModelSection(name_or_path=below), dtype=torch.float32)(ids).logits
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        assert float((expected - started).abs().max()) > 0.01
        below = str(folder)


def test_a_relative_base_is_kept_by_its_full_path(tiny_model: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tiny_model.parent)
    assert absolute(tiny_model.name) == str(tiny_model)
    assert absolute("org/name") == "org/name"
    assert Path(absolute("pupil")).is_absolute()


def chained(folder: Path, base: str) -> Path:
    folder.mkdir()
    text = json.dumps({"base_model_name_or_path": base, "peft_type": "LORA"})
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")
    return folder


def test_adapters_that_stand_on_each_other_are_refused(tmp_path: Path) -> None:
    one = chained(tmp_path / "one", str(tmp_path / "other"))
    chained(tmp_path / "other", str(one))
    with pytest.raises(ModelError, match=r"stand on each other: \S*one -> \S*other -> \S*one"):
        load_model(ModelSection(name_or_path=str(one)), dtype=torch.float32)
    myself = chained(tmp_path / "self", str(tmp_path / "self"))
    with pytest.raises(ModelError, match="stand on each other"):
        load_config(ModelSection(name_or_path=str(myself)))


def test_a_chain_whose_base_is_gone_names_the_adapter(tmp_path: Path) -> None:
    middle = chained(tmp_path / "middle", str(tmp_path / "gone"))
    top = chained(tmp_path / "top", str(middle))
    with pytest.raises(ModelError, match=r"middle[\s\S]*there is no '\S*gone'[\s\S]*base_model_name_or_path"):
        load_model(ModelSection(name_or_path=str(top)), dtype=torch.float32)


def test_an_adapter_of_another_shape_is_told(tiny_model: Path, tmp_path: Path) -> None:
    folder = saved(wrapped(tiny_model), tiny_model, tmp_path / "adapter")
    weights = load_file(folder / "adapter_model.safetensors")
    save_file({name: torch.zeros(5, 7) for name in weights}, folder / "adapter_model.safetensors")
    with pytest.raises(ModelError, match="does not fit its base"):
        load_model(ModelSection(name_or_path=str(folder)), dtype=torch.float32)
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"no adapter_model\.safetensors"):
        load_model(ModelSection(name_or_path=str(folder)), dtype=torch.float32)


def test_training_all_takes_every_weight_as_fp32(tiny_model: Path) -> None:
    base = load_model(ModelSection(name_or_path=str(tiny_model)), dtype=torch.bfloat16).requires_grad_(False)
    model = train_all(base)
    assert all(weight.requires_grad and weight.dtype == torch.float32 for weight in model.parameters())
