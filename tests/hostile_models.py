"""Models, adapters and weights that want more than to be read, and a mark on disk that tells whether they got it."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import PreTrainedModel

from tutelage.model.loading import load_model
from tutelage.recipe import ModelSection

# Code as a model brings it: it leaves a mark where it is executed, and is a Llama otherwise.
CODE = """
open({mark!r}, "w").close()
from transformers import LlamaConfig, LlamaForCausalLM
class OwnConfig(LlamaConfig):
    model_type = "own"
class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
"""
MAP = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}


class Trap:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.mark,)


def section(place: Path | str, **keys: Any) -> ModelSection:
    return ModelSection.model_validate({"name_or_path": str(place), **keys})


def load(place: Path | str, **keys: Any) -> PreTrainedModel:
    return load_model(section(place, **keys), dtype=torch.float32)


def change(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def copied(model: Path, folder: Path, **config: Any) -> Path:
    shutil.copytree(model, folder)
    change(folder / "config.json", **config)
    return folder


def with_code(model: Path, folder: Path) -> tuple[Path, Path]:
    """A model that needs code of its own, and the mark that the code leaves."""
    mark = folder.with_name(f"{folder.name} ran")
    copied(model, folder, model_type="own", auto_map=MAP, architectures=["OwnModel"])
    (folder / "own.py").write_text(CODE.format(mark=str(mark)))
    return folder, mark


def adapter_on(model: Path, folder: Path, *, base: str) -> Path:
    """A random LoRA adapter whose configuration names `base`."""
    get_peft_model(load(model), LoraConfig(r=2, task_type="CAUSAL_LM")).save_pretrained(folder)
    change(folder / "adapter_config.json", base_model_name_or_path=base)
    return folder


def hub_cache(files: Path, cache: Path, name: str) -> Path:
    """A folder as a model of the Hub in a cache: links to blobs. Returns the snapshot."""
    repository = cache / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / ("a" * 40)
    for part in (snapshot, repository / "blobs", repository / "refs"):
        part.mkdir(parents=True)
    (repository / "refs" / "main").write_text("a" * 40)
    for number, file in enumerate(sorted(files.iterdir())):
        shutil.copy(file, repository / "blobs" / str(number))
        (snapshot / file.name).symlink_to(f"../../blobs/{number}")
    return snapshot
