"""How a result was made: recipe, command, versions of what it stands on."""

import platform
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import torch

from tutelage import recipe as recipes
from tutelage.recipe import Recipe
from tutelage.report.content import Origin

_PACKAGES = ("tutelage", "torch", "transformers", "tokenizers", "peft", "numpy")


def origin(recipe: Recipe, command: str, *, curating: bool = False) -> Origin:
    """Of a result that is made now. `command` makes it again, in a shell."""
    return Origin(
        recipe=recipes.dump(recipe, curating=curating),
        command=command,
        seed=recipe.seed,
        date=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        versions=tuple(_versions()),
    )


def _versions() -> Iterator[tuple[str, str]]:
    for package in _PACKAGES:
        yield package, version(package)
    yield "Python", platform.python_version()
    yield "platform", platform.platform()
    yield "processor", _processor()
    if torch.cuda.is_available():
        yield "GPU", f"{torch.cuda.get_device_name()} (CUDA {torch.version.cuda})"


def _processor() -> str:
    """The processor's name as Linux tells it, elsewhere as Python does."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text(encoding="utf-8").splitlines() if described.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({len(names)} threads)" if names else platform.processor() or platform.machine()
