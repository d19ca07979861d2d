"""Put the pretrained pupil into the package: `python -m pupil.install`.

Weights as bf16 safetensors and the tokenizer, without a chat template: a base model. Refused over 16 MB or 8M
parameters.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import torch

from pupil.corpus import WORK
from tutelage.errors import ModelError, TutelageError
from tutelage.model.loading import load_model
from tutelage.recipe import ModelSection

TARGET = Path(__file__).parents[1] / "src" / "tutelage" / "bundled" / "pupil"
MAX_BYTES, MAX_PARAMETERS = 16_000_000, 8_000_000


def install(model: Path, tokenizer: Path, target: Path) -> int:
    """Write the bundled model's folder; its size in bytes.

    Raises:
        ModelError: too large to be bundled.
    """
    loaded = load_model(ModelSection(name_or_path=str(model)), dtype=torch.bfloat16)
    parameters = sum(weight.numel() for weight in loaded.parameters())
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "pupil"
        loaded.save_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(tokenizer / name, folder / name)
        size = sum(file.stat().st_size for file in folder.iterdir())
        if size > MAX_BYTES or parameters > MAX_PARAMETERS:
            raise ModelError(
                f"{parameters:,} parameters, {size:,} bytes",
                code="model-files",
                place=str(model),
                expected=f"at most {MAX_PARAMETERS:,} parameters and {MAX_BYTES:,} bytes",
            )
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target)
    return size


def main(arguments: list[str] | None = None) -> int:
    """Command line; 1 with one message when there is no model or it is too large."""
    parser = argparse.ArgumentParser(description="bundle the pretrained pupil")
    parser.add_argument("--model", type=Path, default=WORK / "run" / "model")
    parser.add_argument("--tokenizer", type=Path, default=WORK / "init")
    parser.add_argument("--target", type=Path, default=TARGET)
    options = parser.parse_args(arguments)
    try:
        size = install(options.model, options.tokenizer, options.target)
    except TutelageError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.target}: {size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
