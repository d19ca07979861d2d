"""What a model may name: files beside it, weights as safetensors, nothing that is fetched and run."""

import json
import os
import pickle
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.hostile_models import Trap, adapter_on, change, copied, hub_cache, load, section
from tutelage.errors import ModelError
from tutelage.model.loading import load_tokenizer

# A key of config.json or of an index that transformers takes for a file of weights, whatever its ending.
NAMED = {
    "a pickle as weights": ("config.json", {"transformers_weights": "adapter_model.bin"}),
    "a pickle in an index": ("model.safetensors.index.json", {"weight_map": {"a": "adapter_model.bin"}}),
}


@pytest.mark.parametrize("case", NAMED)
def test_a_pickle_that_a_configuration_names_is_not_opened(tiny_model: Path, tmp_path: Path, case: str) -> None:
    folder, mark = copied(tiny_model, tmp_path / "pickled"), tmp_path / "opened"
    name, keys = NAMED[case]
    if name != "config.json":
        (folder / "model.safetensors").unlink()
        (folder / name).write_text('{"metadata": {}}')
    change(folder / name, **keys)
    (folder / "adapter_model.bin").write_bytes(pickle.dumps(Trap(mark)))
    with pytest.raises(ModelError, match=rf"{name}: {next(iter(keys))} names weights that are no safetensors"):
        load(folder)
    assert not mark.exists()


@pytest.mark.parametrize("head", [b"", b"\xff" * 8, b"\x08" + b"\x00" * 7 + b"not json", pickle.dumps({"a": 1})])
def test_a_broken_header_names_its_file(tiny_model: Path, tmp_path: Path, head: bytes) -> None:
    folder = copied(tiny_model, tmp_path / "broken")
    (folder / "model.safetensors").write_bytes(head)
    with pytest.raises(ModelError, match=r"broken: weights that cannot be read: model\.safetensors"):
        load(folder)
    adapter = adapter_on(tiny_model, tmp_path / "adapter", base=str(tiny_model))
    (adapter / "adapter_model.safetensors").write_bytes(head)
    with pytest.raises(ModelError, match="adapter: the adapter does not fit its base"):
        load(adapter)


def indexed(folder: Path, shard: str) -> Path:
    """The model with its weights behind an index that names `shard` for all of them."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    save_file(weights, os.path.normpath(folder / shard), {"format": "pt"})
    index = {"metadata": {}, "weight_map": dict.fromkeys(weights, shard)}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


@pytest.mark.parametrize("shard", ["../out.safetensors", "{out}/out.safetensors", "in/../../out.safetensors"])
def test_an_index_cannot_leave_its_folder(tiny_model: Path, tmp_path: Path, shard: str) -> None:
    folder = copied(tiny_model, tmp_path / "model")
    (folder / "in").mkdir()
    indexed(folder, shard.format(out=tmp_path))
    assert (tmp_path / "out.safetensors").is_file(), "there is something to be read outside"
    with pytest.raises(ModelError, match=r"index\.json: weight_map names a file outside"):
        load(folder)
    assert load(indexed(copied(tiny_model, tmp_path / "whole"), "shard.safetensors")).num_parameters() > 0


OUTSIDE = {
    "config.json": {"transformers_weights": "../out.safetensors"},
    "tokenizer_config.json": {"fast_tokenizer_files": ["../tokenizer.1.0.0.json"]},
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_configurations_cannot_name_files_outside(tiny_model: Path, tmp_path: Path, name: str) -> None:
    folder = copied(tiny_model, tmp_path / "model")
    change(folder / name, **OUTSIDE[name])
    with pytest.raises(ModelError, match=f"{name}: {next(iter(OUTSIDE[name]))} names a file outside"):
        load_tokenizer(section(folder))


def test_leftover_paths_in_a_tokenizers_configuration_are_not_opened(tiny_model: Path, tmp_path: Path) -> None:
    """Many a tokenizer names where its files lay when it was made; what is read are the files beside it."""
    folder = copied(tiny_model, tmp_path / "model")
    outside = tmp_path / "tokenizer.json"
    outside.write_text("no tokenizer")
    change(folder / "tokenizer_config.json", tokenizer_file=str(outside), vocab_file=str(outside))
    kept = load_tokenizer(section(folder))
    assert kept.digest_source == load_tokenizer(section(tiny_model)).digest_source
    kept.wrapped.save_pretrained(tmp_path / "saved")
    assert not any(b"no tokenizer" in file.read_bytes() for file in (tmp_path / "saved").iterdir())


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation_internal", "_experts_implementation"])
def test_a_configuration_cannot_ask_for_native_code(tiny_model: Path, tmp_path: Path, key: str) -> None:
    folder = copied(tiny_model, tmp_path / "model", nested={"deep": [{key: "org/kernel"}]})
    with pytest.raises(ModelError, match=f"{key} names native code of the Hub: 'org/kernel'"):
        load(folder)


@pytest.mark.parametrize("kind", ["XLORA", "MULTITASK_PROMPT_TUNING", None])
def test_adapters_that_fetch_more_than_their_own_weights_are_refused(
    tiny_model: Path, tmp_path: Path, kind: str | None
) -> None:
    folder = adapter_on(tiny_model, tmp_path / "adapter", base=str(tiny_model))
    change(folder / "adapter_config.json", peft_type=kind)
    with pytest.raises(ModelError, match=f"an adapter of kind {kind!r}"):
        load(folder)


def test_links_out_of_a_model_are_told_and_a_hub_cache_goes_on_working(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = hub_cache(tiny_model, tmp_path / "cache", "org/tiny")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    for place in ("org/tiny", snapshot):
        assert load(place).num_parameters() == load(tiny_model).num_parameters()
        assert not any("link" in note for note in load_tokenizer(section(place)).notes)
    linked = copied(tiny_model, tmp_path / "linked")
    (linked / "model.safetensors").unlink()
    (linked / "model.safetensors").symlink_to(tiny_model / "model.safetensors")
    [note] = [note for note in load_tokenizer(section(linked)).notes if "link" in note]
    assert str(tiny_model) in note


def test_an_adapter_of_the_hub_names_no_folder_of_this_machine(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    hub_cache(adapter_on(tiny_model, tmp_path / "a", base=str(tiny_model)), tmp_path / "cache", "org/adapter")
    with pytest.raises(ModelError, match="from the Hub names a folder of this machine"):
        load("org/adapter")
    hub_cache(tiny_model, tmp_path / "cache", "org/tiny")
    hub_cache(adapter_on(tiny_model, tmp_path / "b", base="org/tiny"), tmp_path / "cache", "org/better")
    assert load("org/better").num_parameters() > 0
    other = adapter_on(tiny_model, tmp_path / "c", base="org/tiny")
    change(other / "adapter_config.json", revision="../../etc")
    with pytest.raises(ModelError, match=r"revision is '\.\./\.\./etc'"):
        load(other)
