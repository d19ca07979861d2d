"""Fixtures that every room's tests may use."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported: nothing is fetched by a test

import pytest
import torch
from hypothesis import settings
from tokenizers import Tokenizer

from tests.small import train_tokenizer, write_small_model
from tutelage import recipe as recipes
from tutelage.recipe import Recipe

# Machines differ in speed, and the first example pays for imports.
settings.register_profile("tutelage", deadline=None)
settings.load_profile("tutelage")
torch.set_num_threads(1)  # small products are slower on several, and several tests may run side by side


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors; this one is between peft and transformers."""
    config.addinivalue_line("filterwarnings", "ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


ROOT = Path(__file__).resolve().parent.parent

Rows = Sequence[Mapping[str, Any]]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared assets (TUTELAGE_SHARED, default ../shared/assets beside the repository)."""
    folder = Path(os.environ.get("TUTELAGE_SHARED", ROOT.parent / "shared" / "assets"))
    folder = folder if folder.is_absolute() else ROOT / folder
    if not folder.is_dir():
        pytest.skip(f"the shared assets are not at {folder} (set TUTELAGE_SHARED)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Token stores of tests stay out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny_tokenizer() -> Tokenizer:
    """The tokenizer of `tiny_model`."""
    return train_tokenizer()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Tokenizer) -> Path:
    """A random Llama of some 40 thousand parameters and a small byte-level BPE tokenizer."""
    return write_small_model(tmp_path_factory.mktemp("tiny"), tiny_tokenizer)


MakeRecipe = Callable[..., Recipe]


@pytest.fixture
def make_recipe(tiny_model: Path, tmp_path: Path) -> MakeRecipe:
    """A recipe of a short run on `tiny_model`: `make_recipe(rows, train={"max_steps": 2}, ...)`; fp32, on disk in
    `tmp_path`. Sections given as keywords are laid over its own."""

    def make(rows: Rows, **sections: Any) -> Recipe:
        source = tmp_path / "rows.jsonl"
        source.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        tree: dict[str, Any] = {
            "output_dir": str(tmp_path / "run"),
            "model": {"name_or_path": str(tiny_model)},
            "data": {"sources": [str(source)]},
            "template": {"name": "chatml"},
            "tokens": {"max_length": 64, "cache_dir": str(tmp_path / "cache")},
            "train": {"dtype": "fp32", "learning_rate": 1e-3, "per_device_train_batch_size": 2},
            "evaluate": {"num_questions": 0},
        }
        for name, section in sections.items():
            tree[name] = {**tree[name], **section} if isinstance(section, dict) and name in tree else section
        return recipes.build(tree)

    return make
