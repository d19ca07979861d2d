"""What must be the same for a run to go on: all that decides its weights (law 6)."""

import hashlib
from pathlib import Path
from typing import Any

from tutelage import recipe_keys
from tutelage.model import loading
from tutelage.recipe import ModelSection, Recipe
from tutelage.run.prepare import Prepared
from tutelage.training import distributed

# Keys, and beginnings of keys, that change no weight: where files lie, what is logged, kept or asked.
_WITHOUT_WEIGHT = (
    "output_dir",
    "curate.",
    "evaluate.",
    "data.max_lost_share",
    "tokens.cache_dir",
    "train.logging_steps",
    "train.save_steps",
    "train.save_total_limit",
)
_SAMPLES, _SAMPLE = 64, 1 << 16  # of a file's bytes


def fingerprint(recipe: Recipe, prepared: Prepared) -> dict[str, Any]:
    """Recipe, data and model, as text that shows a difference."""
    decisive = {key: value for key, value in recipe_keys.flat(recipe).items() if not key.startswith(_WITHOUT_WEIGHT)}
    return {
        **decisive,
        "data and tokens": prepared.store.digest[:16],
        "processes": distributed.world_size(),
        "model files": model_files(recipe.model),
    }


def model_files(section: ModelSection) -> list[str]:
    """Size and digest of the weight files of a local model, and of the adapters on top of it."""
    places = [Path(loading.locate(part.name_or_path)) for part in loading.parts(section)]
    files = [file for place in places if place.is_dir() for file in sorted(place.glob("*.safetensors"))]
    return [f"{file.parent.name}/{file.name}: {file.stat().st_size} bytes, {sampled_digest(file)}" for file in files]


def sampled_digest(file: Path) -> str:
    """A digest of evenly spaced samples of a file: training moves every part of the weights, so samples show it, and
    they are read at once however large the file is."""
    digest, size = hashlib.sha256(), file.stat().st_size
    with file.open("rb") as content:
        for number in range(_SAMPLES):
            content.seek(number * max(0, size - _SAMPLE) // (_SAMPLES - 1))
            digest.update(content.read(_SAMPLE))
    return digest.hexdigest()[:16]
