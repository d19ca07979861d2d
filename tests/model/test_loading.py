"""Models and tokenizers from folders: what is repaired is told, what is wrong is one message."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast

from tests.small import train_tokenizer
from tutelage.errors import ModelError
from tutelage.model.loading import context_length, load_config, load_model, load_tokenizer, locate, stored_dtype
from tutelage.recipe import ModelSection


def section(folder: Path | str, **keys: object) -> ModelSection:
    return ModelSection.model_validate({"name_or_path": str(folder), **keys})


def copy_of(folder: Path, target: Path, **changes: object) -> Path:
    """A copy of a model folder with other values in its configuration."""
    target.mkdir()
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    config = json.loads((target / "config.json").read_text(encoding="utf-8"))
    (target / "config.json").write_text(json.dumps({**config, **changes}), encoding="utf-8")
    return target


def tokenizer_folder(folder: Path, **special: str) -> Path:
    PreTrainedTokenizerFast(tokenizer_object=train_tokenizer(), **special).save_pretrained(folder)
    return folder


def test_a_tokenizer_is_told_as_facts(tiny_model: Path) -> None:
    facts = load_tokenizer(section(tiny_model))
    assert facts.special_tokens["eos_token"] == "<|endoftext|>"
    assert {"<|endoftext|>", "<|pad|>", "<|im_start|>", "<|im_end|>"} <= facts.control_tokens
    assert facts.pad_id == facts.backend.token_to_id("<|pad|>")
    assert facts.notes == ()
    assert facts.chat_template is None


def test_a_missing_pad_token_is_found_or_told(tmp_path: Path) -> None:
    facts = load_tokenizer(section(tokenizer_folder(tmp_path / "named", eos_token="<|endoftext|>")))
    assert facts.backend.id_to_token(facts.pad_id) == "<|pad|>"
    assert "padding is written with <|pad|>" in facts.notes[0]
    same = tokenizer_folder(tmp_path / "same", eos_token="<|endoftext|>", pad_token="<|endoftext|>")
    assert load_tokenizer(section(same)).backend.id_to_token(load_tokenizer(section(same)).pad_id) == "<|pad|>"


def test_weights_that_the_files_lack_are_not_made_up(tiny_model: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny_model, tmp_path / "cut")
    weights = load_file(folder / "model.safetensors")
    lost = ["lm_head.weight", "model.layers.1.mlp.up_proj.weight"]
    whole = {name: weight for name, weight in weights.items() if name not in lost}
    assert len(weights) == len(whole) + 2
    save_file(whole, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lack 2 of the model's weights: lm_head.weight, model.layers.1.mlp.up_proj"):
        load_model(section(folder), dtype=torch.float32)
    save_file({**whole, lost[1]: weights[lost[1]]}, folder / "model.safetensors", metadata={"format": "pt"})
    tied = copy_of(folder, tmp_path / "tied", tie_word_embeddings=True)
    assert load_model(section(tied), dtype=torch.float32).lm_head.weight.shape == weights["lm_head.weight"].shape


def test_the_digest_changes_with_the_tokenizer(tiny_model: Path, tmp_path: Path) -> None:
    one, other = load_tokenizer(section(tiny_model)), tokenizer_folder(tmp_path / "t", eos_token="<|endoftext|>")
    assert load_tokenizer(section(tiny_model)).digest_source == one.digest_source
    text = (other / "tokenizer.json").read_text(encoding="utf-8")
    (other / "tokenizer.json").write_text(text.replace('"<|im_end|>"', '"<|fin|>"'), encoding="utf-8")
    assert load_tokenizer(section(other)).digest_source != one.digest_source


def test_weights_come_in_the_dtype_that_is_asked_for(tiny_model: Path) -> None:
    assert stored_dtype(load_config(section(tiny_model))) == torch.float32
    model = load_model(section(tiny_model), dtype=torch.bfloat16)
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert context_length(section(tiny_model)) == 256


@pytest.mark.parametrize("wanted", ["eager", "sdpa"])
def test_the_recipes_attention_is_used(tiny_model: Path, wanted: str) -> None:
    model = load_model(section(tiny_model, attn_implementation=wanted), dtype=torch.float32)
    assert model.config._attn_implementation == wanted


def test_what_is_not_there_is_one_message(tmp_path: Path) -> None:
    for load in (load_tokenizer, load_config):
        with pytest.raises(ModelError, match=r"no (tokenizer|configuration) at 'pupill'[\s\S]*pupil"):
            load(section("pupill"))
    with pytest.raises(ModelError, match="no model at 'nothing'"):
        load_model(section("nothing"), dtype=torch.float32)
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(section("nobody/has-this"), dtype=torch.float32)


def test_an_architecture_that_nobody_knows_is_one_message(tiny_model: Path, tmp_path: Path) -> None:
    strange = copy_of(tiny_model, tmp_path / "strange", model_type="telepathy")
    with pytest.raises(ModelError, match="telepathy"):
        load_model(section(strange), dtype=torch.float32)


def test_pickled_weights_are_not_opened(tiny_model: Path, tmp_path: Path) -> None:
    """Law 10: a pickle executes what it likes; only safetensors are read."""
    folder = copy_of(tiny_model, tmp_path / "pickled")
    (folder / "model.safetensors").unlink()
    opened = tmp_path / "opened"

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (opened,)  # type: ignore[return-value]

    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelError, match="safetensors"):
        load_model(section(folder), dtype=torch.float32)
    assert not opened.exists()


def test_code_of_a_model_is_not_executed(tiny_model: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    folder = copy_of(tiny_model, tmp_path / "remote", model_type="own", auto_map={"AutoConfig": "own.OwnConfig"})
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w')\n", encoding="utf-8")
    with pytest.raises(ModelError):
        load_config(section(folder))
    assert not ran.exists()


@pytest.mark.parametrize("kept", [0, 100])
def test_a_file_that_is_cut_off_is_one_message(tiny_model: Path, tmp_path: Path, kept: int) -> None:
    folder = copy_of(tiny_model, tmp_path / "cut")
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"cannot be read: model\.safetensors: .*header"):
        load_model(section(folder), dtype=torch.float32)


def test_the_bundled_model_has_a_name() -> None:
    assert Path(locate("pupil")).name == "pupil"
    assert locate("some/folder") == "some/folder"


@pytest.mark.shared
def test_a_tokenizer_that_cannot_be_read_is_one_message(shared: Path) -> None:
    with pytest.raises(ModelError, match="the tokenizer cannot be loaded"):
        load_tokenizer(section(shared / "tokenizers" / "broken"))
