"""The verb init: a commented recipe for the user's data, every key with its default and its meaning."""

from collections.abc import Iterator
from pathlib import Path

import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from tutelage.errors import RecipeError
from tutelage.model import loading
from tutelage.recipe import Recipe, Section, Source, build
from tutelage.run.inspecting import inspect
from tutelage.terminal import Terminal

# Keys that stand in the recipe ready to be edited; all others follow as comments with their defaults.
_OPEN = {
    "output_dir",
    "model.name_or_path",
    "data.sources",
    "template.name",
    "tokens.packing",
    "train.method",
    "train.num_train_epochs",
    "train.learning_rate",
    "train.per_device_train_batch_size",
    "evaluate.num_questions",
}


def init(data: str, *, model: str = "pupil", output: str = "recipe.yaml", terminal: Terminal | None = None) -> Path:
    """Write a recipe for some data. The data are read once, so that what cannot be trained on is told now.

    Raises:
        RecipeError: the recipe exists already.
        DataError: the data cannot be read or understood.
    """
    path = Path(output)
    if path.exists():
        raise RecipeError(
            "the file exists already", code="cannot-write", place=output, remedy="--output ANOTHER.yaml, or remove it"
        )
    recipe = build({"data": {"sources": [data]}, "model": {"name_or_path": model}})
    seen = inspect(recipe, with_model=False, terminal=terminal)
    seen.ledger.check(recipe.data.max_lost_share)
    rate = _learning_rate(recipe)
    recipe = recipe.model_copy(update={"train": recipe.train.model_copy(update={"learning_rate": rate})})
    head = [f"# {sentence}" for sentence in seen.formats]
    head.append(f"# {seen.ledger.rows:,} rows, {seen.ledger.count('dropped'):,} of them unusable")
    lines = [*head, f"# tutelage train {output}", "", *_lines(recipe, "")]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _learning_rate(recipe: Recipe) -> float:
    """A usual peak rate for full fine-tuning by the model's width: small models take and need larger steps."""
    width = loading.load_config(recipe.model).get_text_config().hidden_size
    return 1e-3 if width < 512 else 1e-4 if width < 1024 else 2e-5


def _lines(section: BaseModel, prefix: str) -> Iterator[str]:
    indent = "  " if prefix else ""
    for name, value in section:
        key = f"{prefix}{name}"
        if key == "curate":  # training refuses it: `tutelage data clean` takes it from the command line
            continue
        description = type(section).model_fields[name].description or ""
        if isinstance(value, Section):
            is_open = any(other.startswith(f"{key}.") for other in _OPEN)
            doc = (type(value).__doc__ or "").splitlines()[0]
            yield ""
            yield f"# {doc}"
            yield f"{name}:" if is_open else f"# {name}:"
            body = _lines(value, f"{key}.")
            yield from body if is_open else (line if line.lstrip().startswith("#") else f"# {line}" for line in body)
        elif key == "data.sources":
            yield f"{indent}# {description}"
            yield f"{indent}sources:"
            for source in value:
                yield from _source(source)
        else:
            shown = _inline(value)
            yield f"{indent}{'' if key in _OPEN else '# '}{name}: {shown}  # {description}"


def _source(source: Source) -> Iterator[str]:
    yield f"    - path: {_inline(source.path)}"
    for name, field in Source.model_fields.items():
        if field.default is not PydanticUndefined:
            yield f"      # {name}: {_inline(field.default)}  # {field.description}"


def _inline(value: object) -> str:
    """A value as YAML on one line."""
    plain = list(value) if isinstance(value, tuple) else value
    return (
        yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=10_000).removesuffix("\n...\n").strip()
    )
